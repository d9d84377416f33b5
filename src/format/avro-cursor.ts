// Walks over Avro's binary form without making a value: numbers of 64 bits come as two halves, texts as
// ranges of bytes. Rules: spec/format/avro.md, AV-1 to AV-3.
import { HudiError } from "../errors.ts";

/** Reads one primitive after the other. Every failure is `CORRUPT`, with the path and the byte. */
export class AvroCursor {
  readonly bytes: Uint8Array;
  readonly path: string;
  readonly #view: DataView;
  at = 0;
  /** The halves of the last number that `readLong` read. */
  low = 0;
  high = 0;

  constructor(bytes: Uint8Array, path: string) {
    this.bytes = bytes;
    this.path = path;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** Bytes that are left. */
  get left(): number {
    return this.bytes.length - this.at;
  }

  /** The error of a fact found at the current byte. */
  corrupt(found: string): HudiError {
    return new HudiError("CORRUPT", `cannot read ${this.path}: ${found} at byte ${this.at}`, {
      path: this.path,
    });
  }

  readByte(): number {
    const byte = this.bytes[this.at];
    if (byte === undefined) throw this.corrupt("found the end inside a value");
    this.at += 1;
    return byte;
  }

  readBoolean(): boolean {
    const byte = this.readByte();
    if (byte > 1) throw this.corrupt(`found ${byte} for a boolean, expected 0 or 1`);
    return byte === 1;
  }

  /** A number of 32 bits. */
  readInt(): number {
    const { bytes } = this;
    let at = this.at;
    let value = 0;
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = bytes[at] as number;
      at += 1;
      if (shift === 28 && byte > 0x0f) break;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        this.at = at;
        return (value >>> 1) ^ -(value & 1);
      }
    }
    if (at > bytes.length) throw this.corrupt("found the end inside a value");
    throw this.corrupt("found a number of more than 32 bits");
  }

  /** A number of 64 bits, into `low` and `high`. */
  readLong(): void {
    let low = 0;
    let high = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.readByte();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else high |= bits << (shift - 32);
      if (byte < 0x80) {
        if (shift === 63 && byte > 1) throw this.corrupt("found a number of more than 64 bits");
        break;
      }
      if (shift === 63) throw this.corrupt("found a number of more than 64 bits");
    }
    const sign = -(low & 1);
    this.low = ((low >>> 1) | (high << 31)) ^ sign;
    this.high = (high >>> 1) ^ sign;
  }

  readFloat(): number {
    const at = this.skip(4);
    return this.#view.getFloat32(at, true);
  }

  readDouble(): number {
    const at = this.skip(8);
    return this.#view.getFloat64(at, true);
  }

  /** A declared number of bytes; refused when fewer are left. */
  readLength(): number {
    this.readLong();
    const { low, high } = this;
    if (high !== 0 || low < 0 || low > this.left) {
      throw this.corrupt(
        `found a length of ${high * 4_294_967_296 + (low >>> 0)} with ${this.left} bytes left`,
      );
    }
    return low;
  }

  /**
   * The number of items of the next block of an array or map; zero ends it. Every item takes at
   * least one byte, so a larger number than bytes left is refused.
   */
  readBlockCount(): number {
    this.readLong();
    let { low, high } = this;
    if (high < 0) {
      // A negative count is followed by the size of the block, for readers that skip it.
      low = -low | 0;
      high = low === 0 ? -high : ~high;
      this.readLength();
    }
    if (high !== 0 || low < 0 || low > this.left) {
      throw this.corrupt(`found a block of too many items with ${this.left} bytes left`);
    }
    return low;
  }

  /** Passes over bytes and says where they began. */
  skip(length: number): number {
    const { at } = this;
    if (length > this.left) throw this.corrupt(`found ${this.left} bytes, expected ${length}`);
    this.at = at + length;
    return at;
  }
}
