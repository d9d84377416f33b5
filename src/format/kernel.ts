// The kernel: loops over bytes that run as WebAssembly, several times faster than the same in
// JavaScript. Its source is src/kernel; reasons: spec/decisions/0013-kernel.md.
import { KERNEL_MODULE } from "./kernel-module.ts";

interface KernelMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}

/** What this file uses of the API, whose types come with those of browsers. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
};

/** What src/kernel/index.ts exports. Addresses are in the kernel's one memory. */
interface KernelExports {
  readonly memory: KernelMemory;
  unpackHybrid(
    from: number,
    end: number,
    width: number,
    skip: number,
    count: number,
    to: number,
  ): bigint;
  splitTexts(from: number, end: number, count: number, sizes: number, to: number): bigint;
  packSnappy(from: number, length: number, to: number, table: number): number;
  findTexts(
    dictionary: number,
    offsets: number,
    rows: number,
    data: number,
    skip: number,
    to: number,
  ): number;
  setKeyBits(
    bits: number,
    bitCount: number,
    hashes: number,
    picks: number,
    count: number,
    offsets: number,
    data: number,
    words: number,
  ): void;
  sizeTexts(from: number, end: number, count: number, sizes: number): number;
  numberTexts(
    dictionary: number,
    offsets: number,
    rows: number,
    data: number,
    skip: number,
    validity: number,
    bit: number,
    to: number,
  ): number;
  numberNumbers(
    dictionary: number,
    values: number,
    rows: number,
    width: number,
    validity: number,
    bit: number,
    to: number,
  ): number;
  boundTexts(
    offsets: number,
    count: number,
    data: number,
    skip: number,
    validity: number,
    bit: number,
  ): bigint;
  frameTexts(
    offsets: number,
    rows: number,
    data: number,
    validity: number,
    bit: number,
    to: number,
  ): number;
  pickTexts(
    indexes: number,
    count: number,
    offsets: number,
    data: number,
    to: number,
    room: number,
  ): bigint;
}

/** Nothing is placed at the first addresses. */
const FIRST_ADDRESS = 1024;
/** Bytes behind each range that the kernel may read and write without a meaning. */
const SLACK_BYTES = 64;
const MEMORY_PAGE_BYTES = 65_536;
/** A memory never shrinks, so one that has grown beyond this is let go. */
const MAX_KEPT_BYTES = 32 * 1024 * 1024;

let compiled: object | undefined;
let instance: KernelExports | undefined;

/** Ranges in the memory of the kernel for one piece of work. */
export class KernelWork {
  readonly run: KernelExports;
  readonly #bytes: Uint8Array;
  #next = FIRST_ADDRESS;

  /**
   * Makes room for so many ranges of so many bytes in all. Work that `isKept` has a memory of its own, which
   * lasts as long as the work; any other is overwritten by the next.
   */
  constructor(ranges: number, sizeBytes: number, isKept: boolean = false) {
    compiled ??= new WebAssembly.Module(Buffer.from(KERNEL_MODULE, "base64"));
    if (isKept || !instance) {
      const made = new WebAssembly.Instance(compiled).exports as KernelExports;
      if (!isKept) instance = made;
      this.run = made;
    } else {
      this.run = instance;
    }
    const { memory } = this.run;
    const needed = FIRST_ADDRESS + sizeBytes + ranges * (SLACK_BYTES + 16);
    const missing = needed - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / MEMORY_PAGE_BYTES));
    if (!isKept && needed > MAX_KEPT_BYTES) instance = undefined;
    this.#bytes = new Uint8Array(memory.buffer);
  }

  /** The address of the next range, which is left as it is. */
  reserve(sizeBytes: number): number {
    const address = this.#next;
    this.#next = Math.ceil((address + sizeBytes + SLACK_BYTES) / 16) * 16;
    return address;
  }

  /** Where the next range begins, for `rewind`. */
  mark(): number {
    return this.#next;
  }

  /** Forgets the ranges that were made after `mark` gave this. */
  rewind(mark: number): void {
    this.#next = mark;
  }

  /** The address of a copy of these bytes. */
  place(bytes: Uint8Array): number {
    const address = this.reserve(bytes.length);
    this.#bytes.set(bytes, address);
    return address;
  }

  /** The address of a copy of these numbers. */
  placeNumbers(numbers: Int32Array): number {
    return this.place(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
  }

  /** A view of a range, good until the next work. */
  view(address: number, sizeBytes: number): Uint8Array {
    return this.#bytes.subarray(address, address + sizeBytes);
  }

  /** A view of numbers, good until the next work. */
  viewNumbers(address: number, count: number): Int32Array {
    return new Int32Array(this.#bytes.buffer, address, count);
  }
}
