// Copies many short ranges of bytes from one buffer to another, four bytes at a time: a call of `set`
// costs as much as sixty bytes in a loop.

/** From this length on the engine's own copy is faster. */
const LONG_BYTES = 80;

/** Copies ranges of `source` into `target`. */
export class ByteCopier {
  readonly #source: Uint8Array;
  readonly #target: Uint8Array;
  readonly #from: DataView;
  readonly #to: DataView;

  constructor(source: Uint8Array, target: Uint8Array) {
    this.#source = source;
    this.#target = target;
    this.#from = new DataView(source.buffer, source.byteOffset, source.byteLength);
    this.#to = new DataView(target.buffer, target.byteOffset, target.byteLength);
  }

  /** Copies `length` bytes from `start` on to `at`. */
  copy(start: number, length: number, at: number): void {
    if (length > LONG_BYTES) {
      this.#target.set(this.#source.subarray(start, start + length), at);
      return;
    }
    const from = this.#from;
    const to = this.#to;
    const end = start + length;
    let source = start;
    let target = at;
    for (; source + 4 <= end; source += 4, target += 4) {
      to.setInt32(target, from.getInt32(source, true), true);
    }
    for (; source < end; source += 1, target += 1) to.setUint8(target, from.getUint8(source));
  }
}
