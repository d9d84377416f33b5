// What the kernel exports. Every function works on ranges of its one memory, which the caller lays
// out: ranges do not overlap, and 64 bytes behind each belong to nobody and may be read and written.
export { setKeyBits } from "./bloom";
export { findTexts, numberNumbers, numberTexts } from "./dictionary";
export { unpackHybrid } from "./hybrid";
export { boundTexts } from "./order";
export { packSnappy } from "./snappy";
export { frameTexts, pickTexts, sizeTexts, splitTexts } from "./texts";
