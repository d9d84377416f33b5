// Bounds of long values as a file states them: cut to where they still are bounds.
// Rules: spec/format/parquet.md, PQ-7 and PQ-14.
import { isUtf8 } from "node:buffer";
import { PHYSICAL } from "./parquet-codes.ts";
import type { ValueRange } from "./parquet-statistics.ts";

/** Bytes of a value of any length that a bound keeps. */
const MAX_BOUND_BYTES = 64;
/** A bound that no shorter value can take the place of is kept up to this size. */
const MAX_WHOLE_BYTES = 2048;

/** A range whose bounds are no values of the column where they were cut. */
export interface ShortRange extends ValueRange {
  readonly isMinExact: boolean;
  readonly isMaxExact: boolean;
}

/** The range with bounds of few bytes; without any where no short value is great enough. */
export function shortenRange(range: ValueRange, physicalType: number): ShortRange {
  const { nullCount, isUnordered, min, max } = range;
  const isSized = physicalType === PHYSICAL.byteArray;
  if (!(min instanceof Uint8Array && max instanceof Uint8Array)) {
    return { ...range, isMinExact: true, isMaxExact: true };
  }
  if (!isSized) {
    const isLong = min.length > MAX_WHOLE_BYTES;
    return isLong ? withoutBounds(nullCount) : { ...range, isMinExact: true, isMaxExact: true };
  }
  const least = min.length <= MAX_BOUND_BYTES ? min : cutMinimum(min);
  const most = max.length <= MAX_BOUND_BYTES ? max : cutMaximum(max);
  if (most.length > MAX_WHOLE_BYTES) return withoutBounds(nullCount);
  const bounds = { min: least, max: most };
  return { nullCount, isUnordered, ...bounds, isMinExact: least === min, isMaxExact: most === max };
}

function withoutBounds(nullCount: number): ShortRange {
  return { nullCount, isUnordered: true, isMinExact: false, isMaxExact: false };
}

/** The beginning of a value, which is not greater. */
function cutMinimum(value: Uint8Array): Uint8Array {
  return value.slice(0, endOfCharacters(value));
}

/** The beginning of a value with its last character, or byte, made the next one; else the value. */
function cutMaximum(value: Uint8Array): Uint8Array {
  const prefix = value.subarray(0, endOfCharacters(value));
  return (isUtf8(prefix) ? nextText(prefix) : nextBytes(value.slice(0, MAX_BOUND_BYTES))) ?? value;
}

function nextText(prefix: Uint8Array): Uint8Array | undefined {
  const characters = [...Buffer.from(prefix).toString("utf8")];
  for (let last = characters.length - 1; last >= 0; last -= 1) {
    const code = (characters[last] as string).codePointAt(0) as number;
    if (code === 0x10ffff) continue;
    const next = code === 0xd7ff ? 0xe000 : code + 1;
    const kept = characters.slice(0, last).join("");
    return new Uint8Array(Buffer.from(kept + String.fromCodePoint(next)));
  }
  return undefined;
}

function nextBytes(prefix: Uint8Array): Uint8Array | undefined {
  for (let last = prefix.length - 1; last >= 0; last -= 1) {
    const byte = prefix[last] as number;
    if (byte === 0xff) continue;
    prefix[last] = byte + 1;
    return prefix.subarray(0, last + 1);
  }
  return undefined;
}

/** Where the last character that fits ends; bytes that are no text are cut anywhere. */
function endOfCharacters(value: Uint8Array): number {
  let end = MAX_BOUND_BYTES;
  while (end > MAX_BOUND_BYTES - 4 && ((value[end] as number) & 0xc0) === 0x80) end -= 1;
  return end;
}
