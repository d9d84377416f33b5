// Bitmaps: one bit a row, least significant first. A validity bitmap is absent where no row is null.
// Rules: spec/format/column-batch.md.

/** Bytes of a bitmap of so many bits. */
export function bitmapBytes(count: number): number {
  return (count + 7) >> 3;
}

/** Whether a bit is set. */
export function isBitSet(bitmap: Uint8Array, at: number): boolean {
  return ((bitmap[at >>> 3] as number) & (1 << (at & 7))) !== 0;
}

/** Whether a row has no value. */
export function isNull(validity: Uint8Array | undefined, row: number): boolean {
  return validity !== undefined && ((validity[row >>> 3] as number) & (1 << (row & 7))) === 0;
}

export function setBit(bitmap: Uint8Array, at: number): void {
  bitmap[at >>> 3] = (bitmap[at >>> 3] as number) | (1 << (at & 7));
}

export function clearBit(bitmap: Uint8Array, at: number): void {
  bitmap[at >>> 3] = (bitmap[at >>> 3] as number) & ~(1 << (at & 7));
}

/** Sets the bits `from` to `to`. */
export function setBits(bitmap: Uint8Array, from: number, to: number): void {
  let at = from;
  for (; at < to && (at & 7) !== 0; at += 1) setBit(bitmap, at);
  const whole = (to - at) >> 3;
  if (whole > 0) {
    bitmap.fill(0xff, at >> 3, (at >> 3) + whole);
    at += whole * 8;
  }
  for (; at < to; at += 1) setBit(bitmap, at);
}

/** How many of the bits `from` to `to` are set. */
export function countBits(bitmap: Uint8Array, from: number, to: number): number {
  let count = 0;
  let at = from;
  for (; at < to && (at & 7) !== 0; at += 1) count += isBitSet(bitmap, at) ? 1 : 0;
  for (; at + 8 <= to; at += 8) count += BIT_COUNTS[bitmap[at >> 3] as number] as number;
  for (; at < to; at += 1) count += isBitSet(bitmap, at) ? 1 : 0;
  return count;
}

/** How many of the rows `from` to `to` have no value. */
export function countNullRows(validity: Uint8Array | undefined, from: number, to: number): number {
  return validity ? to - from - countBits(validity, from, to) : 0;
}

/** The first of the rows `from` to `to` without a value, or -1. */
export function findNull(validity: Uint8Array | undefined, from: number, to: number): number {
  if (!validity) return -1;
  for (let row = from; row < to; row += 1) if (!isBitSet(validity, row)) return row;
  return -1;
}

/** Copies `count` bits into a bitmap of zeros and says how many of them are set. */
export function copyBits(
  source: Uint8Array,
  sourceBit: number,
  bitmap: Uint8Array,
  from: number,
  count: number,
): number {
  let set = 0;
  let bit = sourceBit;
  let at = from;
  const end = from + count;
  const copyOne = (): void => {
    if (isBitSet(source, bit)) {
      setBit(bitmap, at);
      set += 1;
    }
    bit += 1;
    at += 1;
  };
  while (at < end && (at & 7) !== 0) copyOne();
  const shift = bit & 7;
  for (; at + 8 <= end; at += 8, bit += 8) {
    const low = (source[bit >> 3] as number) >> shift;
    const high = shift === 0 ? 0 : (source[(bit >> 3) + 1] as number) << (8 - shift);
    const byte = (low | high) & 0xff;
    bitmap[at >> 3] = byte;
    set += BIT_COUNTS[byte] as number;
  }
  while (at < end) copyOne();
  return set;
}

/** The bits `from` to `from + count` as a bitmap of their own. */
export function sliceBits(bitmap: Uint8Array, from: number, count: number): Uint8Array {
  const result = new Uint8Array(bitmapBytes(count));
  copyBits(bitmap, from, result, 0, count);
  return result;
}

const BIT_COUNTS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});
