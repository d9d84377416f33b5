// The order of texts as unsigned bytes. Rules: spec/format/parquet.md, PQ-7.
import { isAbsent } from "./bits";

/** The first eight bytes as a number; a shorter text counts as if zeros followed. */
function headOf(at: usize, end: usize): u64 {
  const length = end - at;
  const word = bswap(load<u64>(at));
  if (length >= 8) return word;
  return length === 0 ? 0 : word & ~(u64.MAX_VALUE >> ((<u64>length) << 3));
}

/** Negative, zero or positive, as the first text comes before, is or comes after the second. */
function compareTexts(a: usize, aEnd: usize, b: usize, bEnd: usize): i32 {
  const aLength = aEnd - a;
  const bLength = bEnd - b;
  const whole = a + (min(aLength, bLength) & ~7);
  while (a < whole) {
    const left = load<u64>(a);
    const right = load<u64>(b);
    if (left !== right) return bswap(left) < bswap(right) ? -1 : 1;
    a += 8;
    b += 8;
  }
  const left = headOf(a, aEnd);
  const right = headOf(b, bEnd);
  // Rests of eight bytes or more are equal up to the end of the shorter one, which is shorter than eight.
  if (left !== right) return left < right ? -1 : 1;
  return aLength === bLength ? 0 : aLength < bLength ? -1 : 1;
}

/**
 * The rows of the least and the greatest of `count` texts, in the upper and the lower half; there must be
 * one that is present. Text `row` ends where the next one begins, and its first `skip` bytes do not count.
 */
export function boundTexts(
  offsets: usize,
  count: usize,
  data: usize,
  skip: usize,
  validity: usize,
  bit: usize,
): u64 {
  let row: usize = 0;
  while (isAbsent(validity, bit + row)) row += 1;
  let least = row;
  let greatest = row;
  let leastAt = data + load<u32>(offsets + (row << 2)) + skip;
  let leastEnd = data + load<u32>(offsets + (row << 2), 4);
  let leastHead = headOf(leastAt, leastEnd);
  let greatestAt = leastAt;
  let greatestEnd = leastEnd;
  let greatestHead = leastHead;
  for (row += 1; row < count; row += 1) {
    if (isAbsent(validity, bit + row)) continue;
    const at = data + load<u32>(offsets + (row << 2)) + skip;
    const end = data + load<u32>(offsets + (row << 2), 4);
    const head = headOf(at, end);
    // Most values lie between the bounds, and their first bytes tell.
    if (head > leastHead && head < greatestHead) continue;
    if (head >= greatestHead && compareTexts(at, end, greatestAt, greatestEnd) > 0) {
      greatest = row;
      greatestAt = at;
      greatestEnd = end;
      greatestHead = head;
    } else if (head <= leastHead && compareTexts(at, end, leastAt, leastEnd) < 0) {
      least = row;
      leastAt = at;
      leastEnd = end;
      leastHead = head;
    }
  }
  return ((<u64>least) << 32) | <u64>greatest;
}
