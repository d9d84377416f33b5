// Copies of few bytes, sixteen at a time.

/** From this length on the engine's own copy is faster. */
const LONG: usize = 128;

/** Copies `length` bytes between ranges that do not overlap; up to 15 bytes behind both are touched. */
export function copyShort(to: usize, from: usize, length: usize): void {
  if (length > LONG) {
    memory.copy(to, from, length);
    return;
  }
  const end = from + length;
  while (from < end) {
    v128.store(to, v128.load(from));
    from += 16;
    to += 16;
  }
}
