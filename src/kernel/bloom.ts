// The hash chain of Hudi's bloom filters: Hadoop's murmur, each hash the seed of the next.
// Rules: spec/format/bloom-filter.md, BF-4.

const MULTIPLIER: u32 = 0x5bd1e995;

/** Mixes the words of a key to `words`, once for every hash; returns its mixed last bytes. */
function mixKey(at: usize, length: usize, words: usize): u32 {
  const end = at + length;
  const whole = at + (length & ~3);
  for (; at < whole; at += 4, words += 4) {
    const mixed = load<u32>(at) * MULTIPLIER;
    store<u32>(words, (mixed ^ (mixed >> 24)) * MULTIPLIER);
  }
  // The tail takes its bytes signed and from the far end, unlike the words.
  const left = length & 3;
  let tail: i32 = 0;
  if (left === 3) tail ^= (<i32>load<i8>(end - 3)) << 16;
  if (left >= 2) tail ^= (<i32>load<i8>(end - 2)) << 8;
  if (left >= 1) tail ^= <i32>load<i8>(end - 1);
  return <u32>tail;
}

/**
 * Sets `hashes` of `bitCount` bits for each key of the rows that `picks` names. `words` has room for
 * the longest key.
 */
export function setKeyBits(
  bits: usize,
  bitCount: i32,
  hashes: u32,
  picks: usize,
  count: usize,
  offsets: usize,
  data: usize,
  words: usize,
): void {
  const last = picks + (count << 2);
  for (; picks < last; picks += 4) {
    const row = offsets + ((<usize>load<u32>(picks)) << 2);
    const from = load<u32>(row);
    const length = load<u32>(row, 4) - from;
    const tail = mixKey(data + from, length, words);
    const end = words + (<usize>length & ~3);
    let hash: u32 = 0;
    for (let step: u32 = 0; step < hashes; step += 1) {
      hash ^= length;
      for (let at = words; at < end; at += 4) hash = (hash * MULTIPLIER) ^ load<u32>(at);
      if ((length & 3) !== 0) hash = (hash ^ tail) * MULTIPLIER;
      hash = (hash ^ (hash >> 13)) * MULTIPLIER;
      hash ^= hash >> 15;
      const remainder = <i32>hash % bitCount;
      const bit = <usize>(remainder < 0 ? -remainder : remainder);
      store<u8>(bits + (bit >> 3), load<u8>(bits + (bit >> 3)) | (1 << (<u8>(bit & 7))));
    }
  }
}
