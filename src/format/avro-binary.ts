// Avro's binary primitives over bytes: a reader that never passes its end and never takes a declared
// length on trust, and a writer that grows. Rules: spec/format/avro.md AV-1 to AV-3.
import { HudiError } from "../errors.ts";

/** Records, arrays and maps inside each other, at most. */
const MAX_DEPTH = 64;
/** Texts up to this length are tried as ASCII before the general decoder. */
const SHORT_TEXT_BYTES = 256;

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads primitives one after the other. Every failure is `CORRUPT`, with the path and the byte. */
export class AvroReader {
  readonly path: string;
  readonly #bytes: Buffer;
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array, path: string) {
    this.path = path;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The error of a fact found at the current byte. */
  corrupt(found: string, cause?: unknown): HudiError {
    const message = `cannot read ${this.path}: ${found} at byte ${this.#at}`;
    return new HudiError("CORRUPT", message, { path: this.path, cause });
  }

  /** Runs one level deeper, for values that hold values. */
  enter(): void {
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) throw this.corrupt(`found more than ${MAX_DEPTH} nested values`);
  }

  leave(): void {
    this.#depth -= 1;
  }

  readBoolean(): boolean {
    const byte = this.#readByte();
    if (byte > 1) throw this.corrupt(`found ${byte} for a boolean, expected 0 or 1`);
    return byte === 1;
  }

  readInt(): number {
    const value = this.readLong();
    if (typeof value !== "number" || value !== (value | 0)) {
      throw this.corrupt(`found ${value} for an int`);
    }
    return value;
  }

  /** A number where it is a safe integer, else a bigint. */
  readLong(): number | bigint {
    let low = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.#readByte();
      low |= (byte & 0x7f) << shift;
      if (byte < 0x80) return (low >>> 1) ^ -(low & 1);
    }
    return this.#readLongTail(low);
  }

  #readLongTail(low: number): number | bigint {
    let middle = 0;
    let high = 0;
    for (let step = 4; ; step += 1) {
      const byte = this.#readByte();
      if (step < 8) middle |= (byte & 0x7f) << (7 * (step - 4));
      else high |= (byte & 0x7f) << (7 * (step - 8));
      if (step === 9 && byte > 1) throw this.corrupt("found a number of more than 64 bits");
      if (byte < 0x80) break;
    }
    const zigzag = (BigInt(high) << 56n) | (BigInt(middle) << 28n) | BigInt(low);
    const value = (zigzag >> 1n) ^ -(zigzag & 1n);
    const asNumber = Number(value);
    return Number.isSafeInteger(asNumber) ? asNumber : value;
  }

  readFloat(): number {
    return this.#bytes.readFloatLE(this.#skip(4));
  }

  readDouble(): number {
    return this.#bytes.readDoubleLE(this.#skip(8));
  }

  /** The next `length` bytes, a view of the input. */
  take(length: number): Uint8Array {
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A declared number of bytes; refused when fewer are left. */
  readLength(): number {
    const length = this.readLong();
    if (typeof length !== "number" || length < 0 || length > this.left) {
      throw this.corrupt(`found a length of ${length} with ${this.left} bytes left`);
    }
    return length;
  }

  readBytes(): Uint8Array {
    return this.take(this.readLength());
  }

  readText(): string {
    const length = this.readLength();
    const start = this.#skip(length);
    const end = start + length;
    const bytes = this.#bytes;
    if (length <= SHORT_TEXT_BYTES) {
      let at = start;
      while (at < end && (bytes[at] as number) < 0x80) at += 1;
      if (at === end) return bytes.toString("latin1", start, end);
    }
    try {
      return utf8.decode(bytes.subarray(start, end));
    } catch (cause) {
      throw this.corrupt("found a text that is not UTF-8", cause);
    }
  }

  /**
   * The number of items of the next block of an array or map; zero ends it. Every item takes at
   * least one byte, so a larger number than bytes left is refused.
   */
  readBlockCount(): number {
    const count = this.readLong();
    // A negative count is followed by the size of the block, for readers that skip it.
    if (count < 0) this.readLength();
    const size = count < 0 ? -count : count;
    if (typeof size !== "number" || size > this.left) {
      throw this.corrupt(`found a block of ${size} items with ${this.left} bytes left`);
    }
    return size;
  }

  #readByte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw this.corrupt("found the end inside a value");
    this.#at += 1;
    return byte;
  }

  #skip(length: number): number {
    const at = this.#at;
    if (length > this.left) {
      throw this.corrupt(`found ${this.left} bytes, expected ${length}`);
    }
    this.#at += length;
    return at;
  }
}

/** Writes primitives one after the other into memory that grows. */
export class AvroWriter {
  #bytes: Buffer = Buffer.alloc(1024);
  #length = 0;

  /** The bytes written up to now, a copy. */
  finish(): Uint8Array {
    return Uint8Array.prototype.slice.call(this.#bytes, 0, this.#length);
  }

  writeBoolean(value: boolean): void {
    this.#grow(1);
    this.#bytes[this.#length] = value ? 1 : 0;
    this.#length += 1;
  }

  /** `value` must be a safe integer or a bigint of 64 bits. */
  writeLong(value: number | bigint): void {
    this.#grow(10);
    let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
    while (rest >= 0x80n) {
      this.#bytes[this.#length] = Number(rest & 0x7fn) | 0x80;
      this.#length += 1;
      rest >>= 7n;
    }
    this.#bytes[this.#length] = Number(rest);
    this.#length += 1;
  }

  writeFloat(value: number): void {
    this.#grow(4);
    this.#length = this.#bytes.writeFloatLE(value, this.#length);
  }

  writeDouble(value: number): void {
    this.#grow(8);
    this.#length = this.#bytes.writeDoubleLE(value, this.#length);
  }

  /** Bytes as they are, without their length. */
  append(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  writeBytes(bytes: Uint8Array): void {
    this.writeLong(bytes.length);
    this.append(bytes);
  }

  writeText(text: string): void {
    this.writeBytes(Buffer.from(text, "utf8"));
  }

  #grow(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.alloc(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
