// The hash chain of Hudi's bloom filters over UTF-8 bytes: Hadoop's murmur, each hash the seed of
// the next. Rules: spec/format/bloom-filter.md BF-4.
import { setBit } from "./bitmap.ts";
import type { BytesColumn } from "./column-batch.ts";

const MULTIPLIER = 0x5bd1e995;

/** Keys that are hashed side by side, so that one chain computes while another waits. */
const LANES = 4;

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

/** Sets the bits of the keys of `rows`. Every row must hold a key of at least one byte. */
export function setKeyBits(target: BloomBits, column: BytesColumn, rows: Int32Array): void {
  const { offsets } = column;
  const words = new Int32Array(LANES * (longestKey(column, rows) >>> 2));
  let at = 0;
  while (at < rows.length) {
    const length = keyLength(offsets, rows[at] as number);
    if (
      at + LANES <= rows.length &&
      length === keyLength(offsets, rows[at + 1] as number) &&
      length === keyLength(offsets, rows[at + 2] as number) &&
      length === keyLength(offsets, rows[at + 3] as number)
    ) {
      setBitsOfFour(target, column, rows, at, length, words);
      at += LANES;
    } else {
      setBitsOfOne(target, column, rows[at] as number, length, words);
      at += 1;
    }
  }
}

function keyLength(offsets: Int32Array, row: number): number {
  return (offsets[row + 1] as number) - (offsets[row] as number);
}

function longestKey(column: BytesColumn, rows: Int32Array): number {
  let longest = 0;
  for (const row of rows) longest = Math.max(longest, keyLength(column.offsets, row));
  return longest;
}

function setBitsOfOne(
  target: BloomBits,
  column: BytesColumn,
  row: number,
  length: number,
  words: Int32Array,
): void {
  const { bits, bitCount, hashCount } = target;
  const start = column.offsets[row] as number;
  const tail = mixKey(column.data, start, start + length, words, 0, 1);
  let hash = 0;
  for (let step = 0; step < hashCount; step += 1) {
    hash = hashMixedKey(words, tail, length, hash);
    setBit(bits, bitOfHash(hash, bitCount));
  }
}

/** Four keys of equal length at once: about a third faster than one after the other. */
function setBitsOfFour(
  target: BloomBits,
  column: BytesColumn,
  rows: Int32Array,
  at: number,
  length: number,
  words: Int32Array,
): void {
  const { bits, bitCount, hashCount } = target;
  const tail0 = mixRow(column, rows[at] as number, words, 0);
  const tail1 = mixRow(column, rows[at + 1] as number, words, 1);
  const tail2 = mixRow(column, rows[at + 2] as number, words, 2);
  const tail3 = mixRow(column, rows[at + 3] as number, words, 3);
  const wordsEnd = LANES * (length >>> 2);
  const hasTail = (length & 3) !== 0;
  let hash0 = 0;
  let hash1 = 0;
  let hash2 = 0;
  let hash3 = 0;
  for (let step = 0; step < hashCount; step += 1) {
    hash0 ^= length;
    hash1 ^= length;
    hash2 ^= length;
    hash3 ^= length;
    for (let slot = 0; slot < wordsEnd; slot += LANES) {
      hash0 = Math.imul(hash0, MULTIPLIER) ^ (words[slot] as number);
      hash1 = Math.imul(hash1, MULTIPLIER) ^ (words[slot + 1] as number);
      hash2 = Math.imul(hash2, MULTIPLIER) ^ (words[slot + 2] as number);
      hash3 = Math.imul(hash3, MULTIPLIER) ^ (words[slot + 3] as number);
    }
    if (hasTail) {
      hash0 = Math.imul(hash0 ^ tail0, MULTIPLIER);
      hash1 = Math.imul(hash1 ^ tail1, MULTIPLIER);
      hash2 = Math.imul(hash2 ^ tail2, MULTIPLIER);
      hash3 = Math.imul(hash3 ^ tail3, MULTIPLIER);
    }
    hash0 = Math.imul(hash0 ^ (hash0 >>> 13), MULTIPLIER);
    hash1 = Math.imul(hash1 ^ (hash1 >>> 13), MULTIPLIER);
    hash2 = Math.imul(hash2 ^ (hash2 >>> 13), MULTIPLIER);
    hash3 = Math.imul(hash3 ^ (hash3 >>> 13), MULTIPLIER);
    hash0 ^= hash0 >>> 15;
    hash1 ^= hash1 >>> 15;
    hash2 ^= hash2 >>> 15;
    hash3 ^= hash3 >>> 15;
    setBit(bits, bitOfHash(hash0, bitCount));
    setBit(bits, bitOfHash(hash1, bitCount));
    setBit(bits, bitOfHash(hash2, bitCount));
    setBit(bits, bitOfHash(hash3, bitCount));
  }
}

function mixRow(column: BytesColumn, row: number, words: Int32Array, lane: number): number {
  const { data, offsets } = column;
  return mixKey(data, offsets[row] as number, offsets[row + 1] as number, words, lane, LANES);
}
