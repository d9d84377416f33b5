// Texts: plain pages have a length of four bytes before each, batches have them end to end with
// offsets beside. Rules: spec/format/parquet.md, PQ-13.
import { isAbsent } from "./bits";
import { copyShort } from "./copy";

/**
 * Takes plain texts at `from` to `end` apart, `count` at most, up to one that goes past the end: their
 * lengths to `sizes`, their bytes end to end to `to`. Returns the number of texts in the upper half, of
 * bytes with their lengths in the lower one.
 */
export function splitTexts(from: usize, end: usize, count: usize, sizes: usize, to: usize): u64 {
  const first = sizes;
  const start = from;
  const last = sizes + (count << 2);
  while (sizes < last && end - from >= 4) {
    const length = <usize>load<u32>(from);
    if (length > end - from - 4) break;
    store<u32>(sizes, <u32>length);
    copyShort(to, from + 4, length);
    from += 4 + length;
    to += length;
    sizes += 4;
  }
  return ((<u64>(sizes - first) >> 2) << 32) | <u64>(from - start);
}

/**
 * Copies entries of a dictionary that indexes pick end to end to `to`, as long as `room` lasts.
 * Returns the number of entries in the upper half, of bytes in the lower one.
 */
export function pickTexts(
  indexes: usize,
  count: usize,
  offsets: usize,
  data: usize,
  to: usize,
  room: usize,
): u64 {
  const first = indexes;
  const start = to;
  const end = indexes + (count << 2);
  const limit = to + room;
  while (indexes < end) {
    const entry = offsets + ((<usize>load<u32>(indexes)) << 2);
    const from = load<u32>(entry);
    const length = <usize>(load<u32>(entry, 4) - from);
    if (length > limit - to) break;
    copyShort(to, data + from, length);
    to += length;
    indexes += 4;
  }
  return ((<u64>(indexes - first) >> 2) << 32) | <u64>(to - start);
}

/**
 * Writes the texts that are present to `to`, each with its length before it, as plain pages have them.
 * Returns the number of bytes.
 */
export function frameTexts(
  offsets: usize,
  rows: usize,
  data: usize,
  validity: usize,
  bit: usize,
  to: usize,
): usize {
  const first = to;
  for (let row: usize = 0; row < rows; row += 1) {
    if (isAbsent(validity, bit + row)) continue;
    const from = load<u32>(offsets + (row << 2));
    const length = load<u32>(offsets + (row << 2), 4) - from;
    store<u32>(to, length);
    copyShort(to + 4, data + from, length);
    to += 4 + length;
  }
  return to - first;
}

/** A text goes past the end. */
const DAMAGED: i32 = -1;

/**
 * What each of `count` plain texts at `from` takes with its length, to `sizes`. Returns the bytes of
 * all, or a negative number where one goes past `end`.
 */
export function sizeTexts(from: usize, end: usize, count: usize, sizes: usize): i32 {
  const start = from;
  const last = sizes + (count << 2);
  while (sizes < last) {
    if (end - from < 4) return DAMAGED;
    const length = <usize>load<u32>(from);
    if (length > end - from - 4) return DAMAGED;
    store<u32>(sizes, <u32>length + 4);
    from += 4 + length;
    sizes += 4;
  }
  return <i32>(from - start);
}
