// The hybrid encoding of Parquet, runs and bit-packed groups: levels, dictionary indexes, booleans.
// Rules: spec/format/parquet.md, PQ-12.
import { copyBits, setBits } from "./bitmap.ts";
import { KernelWork } from "./kernel.ts";
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
        setBits(bitmap, at, at + step);
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
}

/**
 * Numbers `skip` to `skip + count` of the encoding, of `width` bits each, and the greatest of them.
 * Throws `ThriftError` when the bytes end before.
 */
export function unpackNumbers(
  bytes: Uint8Array,
  width: number,
  skip: number,
  count: number,
): { readonly numbers: Int32Array; readonly greatest: number } {
  if (width > 32) throw new ThriftError(`found numbers of ${width} bits`);
  const work = new KernelWork(2, bytes.length + count * 4);
  const from = work.place(bytes);
  const to = work.reserve(count * 4);
  const greatest = Number(work.run.unpackHybrid(from, from + bytes.length, width, skip, count, to));
  if (greatest === -2) throw new ThriftError("found a run without values");
  if (greatest < 0) throw new ThriftError("its levels or indexes end too early");
  return { numbers: work.viewNumbers(to, count).slice(), greatest };
}
