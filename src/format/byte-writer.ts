// A growing buffer of bytes that is used again for page after page.

/** Bytes `0` to `length` of `bytes` are written. */
export class ByteWriter {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity: number = 64 * 1024) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }

  clear(): void {
    this.length = 0;
  }

  byte(value: number): void {
    this.reserve(1);
    this.bytes[this.length] = value;
    this.length += 1;
  }

  /** An unsigned number, seven bits a byte. */
  varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.byte((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    this.byte(rest);
  }

  uint32(value: number): void {
    this.reserve(4);
    this.setUint32(this.length, value);
    this.length += 4;
  }

  /** Writes four bytes, little-endian, at a place that is reserved. */
  setUint32(at: number, value: number): void {
    const { bytes } = this;
    bytes[at] = value;
    bytes[at + 1] = value >> 8;
    bytes[at + 2] = value >> 16;
    bytes[at + 3] = value >>> 24;
  }

  raw(source: Uint8Array): void {
    this.reserve(source.length);
    this.bytes.set(source, this.length);
    this.length += source.length;
  }

  /** What was written from byte `start` on: a view, good until the next write. */
  view(start = 0): Uint8Array {
    return this.bytes.subarray(start, this.length);
  }
}
