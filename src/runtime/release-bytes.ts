// Gives large buffers back as soon as they are done with. Waiting for a collection of garbage costs
// twice: fresh memory has to be mapped meanwhile, and buffers press for collections.

/** Smaller buffers are not worth it, and some are pieces of a pool. */
const LEAST_BYTES = 64 * 1024;

/** Frees the memory of a buffer that nobody uses any more; every view of it is empty from then on. */
export function releaseBuffer(buffer: ArrayBufferLike): void {
  if (buffer.byteLength >= LEAST_BYTES && buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** `releaseBuffer` of an array of which nobody else may hold a part: one that is a part stays. */
export function releaseBytes({ buffer, byteLength }: ArrayBufferView): void {
  if (byteLength === buffer.byteLength) releaseBuffer(buffer);
}
