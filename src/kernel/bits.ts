// Validity bitmaps: one bit a row, least significant first.

/** Whether a row has no value; address 0 stands for a bitmap that is not there. */
export function isAbsent(validity: usize, bit: usize): bool {
  return validity !== 0 && ((load<u8>(validity + (bit >> 3)) >> <u8>(bit & 7)) & 1) === 0;
}
