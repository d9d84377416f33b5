// The order of record keys that key ranges are in. Rules: spec/format/base-file.md, BASE-2.
import { compareBytes } from "../format/key-table.ts";
import type { KeyRange } from "./base-file.ts";

/** First byte in UTF-8 of U+E000, which Java orders after everything beyond the basic plane. */
const FIRST_SWAPPED_BYTE = 0xee;

/**
 * Compares two keys in UTF-8 as Java compares strings, by UTF-16 units. That differs from the order
 * of bytes only between U+E000 to U+FFFF and what lies beyond U+FFFF.
 */
export function compareKeys(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  for (let index = 0; index < length; index += 1) {
    const left = a[aStart + index] as number;
    const right = b[bStart + index] as number;
    if (left !== right) return rankByte(left) - rankByte(right);
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** The leading bytes of U+E000 to U+FFFF, 0xEE and 0xEF, go behind those from 0xF0 on. */
function rankByte(byte: number): number {
  if (byte < FIRST_SWAPPED_BYTE) return byte;
  return byte < 0xf0 ? byte + 16 : byte;
}

/**
 * Whether a key can lie in a range. Spark's own rows are written with a range in the order of bytes,
 * and nothing in the file says which order it is, so either one will do.
 */
export function isInKeyRange(
  range: KeyRange,
  data: Uint8Array,
  start: number,
  end: number,
): boolean {
  const { min, max } = range;
  return (
    (compareBytes(data, start, end, min, 0, min.length) >= 0 &&
      compareBytes(data, start, end, max, 0, max.length) <= 0) ||
    (compareKeys(data, start, end, min, 0, min.length) >= 0 &&
      compareKeys(data, start, end, max, 0, max.length) <= 0)
  );
}

/** Whether a range holds the same keys in either order. */
export function isRangeOrderCertain({ min, max }: KeyRange): boolean {
  const isPlain = (byte: number): boolean => byte < FIRST_SWAPPED_BYTE;
  return min.every(isPlain) && max.every(isPlain);
}
