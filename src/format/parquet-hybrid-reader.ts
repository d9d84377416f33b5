// The hybrid encoding of Parquet, runs and bit-packed groups: levels, dictionary indexes, booleans.
// Rules: spec/format/parquet.md, PQ-12.
import { ThriftError } from "./thrift-compact.ts";

/** Positions of bits are kept as 32-bit numbers. */
const MAX_BYTES = 0x0fffffff;

/** Reads numbers of a fixed bit width one after the other. */
export class HybridReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  readonly #width: number;
  #at: number;
  /** Values left of the run or the packed group at hand. */
  #left = 0;
  #isPacked = false;
  /** The value of a run. */
  #value = 0;
  /** The bit at which the next packed value begins. */
  #bit = 0;

  /** Throws `ThriftError` for a width beyond 32 bits. */
  constructor(bytes: Uint8Array, start: number, end: number, width: number) {
    if (width > 32) throw new ThriftError(`found numbers of ${width} bits`);
    if (end - start > MAX_BYTES) throw new ThriftError(`found ${end - start} bytes of levels`);
    this.#bytes = bytes.subarray(start, end);
    this.#at = 0;
    this.#end = this.#bytes.length;
    this.#width = width;
  }

  /** Reads `count` numbers to `target[from..]`. Throws `ThriftError` when the bytes end before. */
  read(target: Int32Array, from: number, count: number): void {
    const end = from + count;
    let at = from;
    while (at < end) {
      if (this.#left === 0) this.#begin();
      const step = Math.min(this.#left, end - at);
      if (this.#isPacked) this.#unpack(target, at, step);
      else target.fill(this.#value, at, at + step);
      this.#left -= step;
      at += step;
    }
  }

  /** Passes over `count` numbers. */
  skip(count: number): void {
    let rest = count;
    while (rest > 0) {
      if (this.#left === 0) this.#begin();
      const step = Math.min(this.#left, rest);
      if (this.#isPacked) this.#bit += step * this.#width;
      this.#left -= step;
      rest -= step;
    }
  }

  /**
   * Reads `count` numbers of one bit as bits `from` on of a bitmap of zeros, and says how many were
   * set.
   */
  readBits(bitmap: Uint8Array, from: number, count: number): number {
    const end = from + count;
    let set = 0;
    let at = from;
    while (at < end) {
      if (this.#left === 0) this.#begin();
      const step = Math.min(this.#left, end - at);
      if (this.#isPacked) {
        set += copyBits(this.#bytes, this.#bit, bitmap, at, step);
        this.#bit += step;
      } else if (this.#value !== 0) {
        setBits(bitmap, at, step);
        set += step;
      }
      this.#left -= step;
      at += step;
    }
    return set;
  }

  #begin(): void {
    const bytes = this.#bytes;
    let header = 0;
    let scale = 1;
    for (;;) {
      if (this.#at >= this.#end || scale > 2 ** 35) {
        throw new ThriftError("its levels or indexes end too early");
      }
      const byte = bytes[this.#at] as number;
      this.#at += 1;
      header += (byte & 0x7f) * scale;
      if (byte < 0x80) break;
      scale *= 128;
    }
    const count = Math.floor(header / 2);
    if (count === 0) throw new ThriftError("found a run without values");
    this.#isPacked = header % 2 === 1;
    if (this.#isPacked) this.#beginPacked(count);
    else this.#beginRun(count);
  }

  #beginPacked(groups: number): void {
    const available = (this.#end - this.#at) * 8;
    // The last group may be cut short after the values that count.
    const bits = Math.min(groups * 8 * this.#width, available);
    this.#left = this.#width === 0 ? groups * 8 : Math.floor(bits / this.#width);
    if (this.#left === 0) throw new ThriftError("its levels or indexes end too early");
    this.#bit = this.#at * 8;
    this.#at = Math.min(this.#end, this.#at + groups * this.#width);
  }

  #beginRun(count: number): void {
    const width = (this.#width + 7) >> 3;
    if (width > this.#end - this.#at) throw new ThriftError("its levels or indexes end too early");
    let value = 0;
    for (let index = 0; index < width; index += 1) {
      value += (this.#bytes[this.#at + index] as number) * 2 ** (8 * index);
    }
    this.#value = value;
    this.#left = count;
    this.#at += width;
  }

  #unpack(target: Int32Array, from: number, count: number): void {
    const bytes = this.#bytes;
    const width = this.#width;
    if (width === 0) {
      target.fill(0, from, from + count);
      return;
    }
    if (width > 24) {
      this.#unpackWide(target, from, count);
      return;
    }
    const mask = (1 << width) - 1;
    let at = this.#bit >> 3;
    let held = 8 - (this.#bit & 7);
    let window = (bytes[at] as number) >> (this.#bit & 7);
    at += 1;
    const last = from + count - 1;
    for (let index = from; index <= last; index += 1) {
      while (held < width) {
        window |= (bytes[at] as number) << held;
        at += 1;
        held += 8;
      }
      target[index] = window & mask;
      window >>>= width;
      held -= width;
    }
    this.#bit += count * width;
  }

  #unpackWide(target: Int32Array, from: number, count: number): void {
    for (let index = from; index < from + count; index += 1) {
      let value = 0;
      for (let bit = 0; bit < this.#width; bit += 1, this.#bit += 1) {
        const byte = this.#bytes[Math.floor(this.#bit / 8)] as number;
        if ((byte >> (this.#bit % 8)) & 1) value += 2 ** bit;
      }
      target[index] = value;
    }
  }
}

/** Sets `count` bits from bit `from` on. */
function setBits(bitmap: Uint8Array, from: number, count: number): void {
  const end = from + count;
  let at = from;
  while (at < end && (at & 7) !== 0) {
    bitmap[at >> 3] = (bitmap[at >> 3] as number) | (1 << (at & 7));
    at += 1;
  }
  const whole = (end - at) >> 3;
  if (whole > 0) {
    bitmap.fill(0xff, at >> 3, (at >> 3) + whole);
    at += whole * 8;
  }
  for (; at < end; at += 1) bitmap[at >> 3] = (bitmap[at >> 3] as number) | (1 << (at & 7));
}

/** Copies bits into a bitmap of zeros and counts those that are set. */
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
    if (((source[bit >> 3] as number) >> (bit & 7)) & 1) {
      bitmap[at >> 3] = (bitmap[at >> 3] as number) | (1 << (at & 7));
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

const BIT_COUNTS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  let count = 0;
  for (let rest = byte; rest > 0; rest >>= 1) count += rest & 1;
  return count;
});

/** How many of the bits `from` to `to` are set. */
export function countBits(bitmap: Uint8Array, from: number, to: number): number {
  let count = 0;
  let at = from;
  for (; at < to && (at & 7) !== 0; at += 1) count += ((bitmap[at >> 3] as number) >> (at & 7)) & 1;
  for (; at + 8 <= to; at += 8) count += BIT_COUNTS[bitmap[at >> 3] as number] as number;
  for (; at < to; at += 1) count += ((bitmap[at >> 3] as number) >> (at & 7)) & 1;
  return count;
}
