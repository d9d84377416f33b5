// Hashes of texts and numbers, eight bytes at a time. They never leave the memory of the kernel.

const PRIME: u64 = ((<u64>0x9e3779b9) << 32) | 0x7f4a7c15;

/** A hash with one more word in it. */
export function mix(hash: u64, word: u64): u64 {
  const product = (hash ^ word) * PRIME;
  return product ^ (product >> 29);
}

/** The hash of a text; the bytes behind it do not count. */
export function hashText(at: usize, length: usize): u32 {
  let hash = <u64>length;
  const whole = at + (length & ~7);
  while (at < whole) {
    hash = mix(hash, load<u64>(at));
    at += 8;
  }
  const rest = length & 7;
  if (rest > 0) hash = mix(hash, load<u64>(at) & ~(u64.MAX_VALUE << ((<u64>rest) << 3)));
  return <u32>(hash ^ (hash >> 32));
}

/** Whether two ranges of one length hold the same bytes. */
export function isSame(a: usize, b: usize, length: usize): bool {
  const whole = a + (length & ~7);
  while (a < whole) {
    if (load<u64>(a) !== load<u64>(b)) return false;
    a += 8;
    b += 8;
  }
  const rest = length & 7;
  if (rest === 0) return true;
  return (load<u64>(a) ^ load<u64>(b)) << (64 - ((<u64>rest) << 3)) === 0;
}
