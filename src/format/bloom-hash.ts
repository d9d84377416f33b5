// The hash chain of Hudi's bloom filters over UTF-8 bytes: Hadoop's murmur, each hash the seed of
// the next. Rules: spec/format/bloom-filter.md BF-4.
import type { BytesColumn } from "./column-batch.ts";
import { KernelWork } from "./kernel.ts";

const MULTIPLIER = 0x5bd1e995;

/** A bit vector of a filter: `bitCount` bits, least significant first, `hashCount` of them a key. */
export interface BloomBits {
  readonly bits: Uint8Array;
  readonly bitCount: number;
  readonly hashCount: number;
}

/**
 * Stores the words of a key, mixed, in `words` at `lane`, `lane + stride`, ... and returns the
 * mixed last one to three bytes. No seed changes them, so they serve every hash of the key.
 */
export function mixKey(
  data: Uint8Array,
  start: number,
  end: number,
  words: Int32Array,
  lane: number,
  stride: number,
): number {
  const wordsEnd = start + ((end - start) & ~3);
  let slot = lane;
  for (let at = start; at < wordsEnd; at += 4) {
    const word =
      (data[at] as number) |
      ((data[at + 1] as number) << 8) |
      ((data[at + 2] as number) << 16) |
      ((data[at + 3] as number) << 24);
    const mixed = Math.imul(word, MULTIPLIER);
    words[slot] = Math.imul(mixed ^ (mixed >>> 24), MULTIPLIER);
    slot += stride;
  }
  // The tail takes its bytes signed and from the far end, unlike the words.
  let tail = 0;
  const left = end - wordsEnd;
  if (left === 3) tail ^= (((data[end - 3] as number) << 24) >> 24) << 16;
  if (left >= 2) tail ^= (((data[end - 2] as number) << 24) >> 24) << 8;
  if (left >= 1) tail ^= ((data[end - 1] as number) << 24) >> 24;
  return tail;
}

/** The hash of a key of `length` bytes whose words lie mixed in `words`, under a seed. */
export function hashMixedKey(
  words: Int32Array,
  tail: number,
  length: number,
  seed: number,
): number {
  const wordCount = length >>> 2;
  let hash = seed ^ length;
  for (let at = 0; at < wordCount; at += 1) {
    hash = Math.imul(hash, MULTIPLIER) ^ (words[at] as number);
  }
  if ((length & 3) !== 0) hash = Math.imul(hash ^ tail, MULTIPLIER);
  hash = Math.imul(hash ^ (hash >>> 13), MULTIPLIER);
  return hash ^ (hash >>> 15);
}

/** The bit that a hash stands for: its remainder, towards zero, without sign. */
export function bitOfHash(hash: number, bitCount: number): number {
  const remainder = (hash % bitCount) | 0;
  return remainder < 0 ? -remainder : remainder;
}

/** Bytes of keys that are carried to the kernel at a time, and rows. */
const MOST_BYTES = 4 * 1024 * 1024;
const MOST_ROWS = 65_536;

/** Sets the bits of the keys of `rows`. Every row must hold a key of at least one byte. */
export function setKeyBits(target: BloomBits, column: BytesColumn, rows: Int32Array): void {
  const { bits, bitCount, hashCount } = target;
  const { offsets, data } = column;
  const longest = longestKey(column, rows);
  const room = (MOST_ROWS * 2 + 1) * 4 + Math.max(MOST_BYTES, longest) + longest;
  const work = new KernelWork(5, bits.length + room);
  const placedBits = work.place(bits);
  const words = work.reserve(longest + 4);
  const mark = work.mark();
  let at = 0;
  while (at < rows.length) {
    work.rewind(mark);
    const end = endOfKeys(offsets, rows, at);
    const first = rows[at] as number;
    const [start, last] = [offsets[first] as number, (rows[end - 1] as number) + 1];
    work.run.setKeyBits(
      ...[placedBits, bitCount, hashCount],
      ...[work.placeNumbers(rows.subarray(at, end).map((row) => row - first)), end - at],
      ...[work.placeNumbers(offsets.subarray(first, last + 1))],
      ...[work.place(data.subarray(start, offsets[last])) - start, words],
    );
    at = end;
  }
  bits.set(work.view(placedBits, bits.length));
}

/** Up to which of the rows, which ascend, the kernel takes them from `at` on: one at least. */
function endOfKeys(offsets: Int32Array, rows: Int32Array, at: number): number {
  const first = rows[at] as number;
  const start = offsets[first] as number;
  let end = at + 1;
  while (end < rows.length) {
    const row = rows[end] as number;
    const isNear = row > (rows[end - 1] as number) && row - first < MOST_ROWS;
    if (!isNear || (offsets[row + 1] as number) - start > MOST_BYTES) break;
    end += 1;
  }
  return end;
}

function longestKey({ offsets }: BytesColumn, rows: Int32Array): number {
  let longest = 0;
  for (const row of rows) {
    longest = Math.max(longest, (offsets[row + 1] as number) - (offsets[row] as number));
  }
  return longest;
}
