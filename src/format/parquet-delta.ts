// The delta encodings of Parquet, which files of version 2 use: numbers as differences, texts as
// lengths or as what they share with the text before. Rules: spec/format/parquet.md, PQ-13.
import { ThriftError } from "./thrift-compact.ts";

/** Numbers and where the bytes after them begin. */
export interface DeltaNumbers {
  readonly values: BigInt64Array;
  readonly end: number;
}

/**
 * Decodes DELTA_BINARY_PACKED at `start`, which holds at most `most` numbers; of those the first `wanted`,
 * in which case the end says nothing. Arithmetic wraps at 64 bits; numbers of 32 bits are their low
 * words. Throws `ThriftError` when the bytes end before.
 */
export function decodeDeltaNumbers(
  bytes: Uint8Array,
  start: number,
  most: number,
  wanted: number = most,
): DeltaNumbers {
  const reader = new DeltaReader(bytes, start);
  const blockSize = reader.unsigned();
  const blockCount = reader.unsigned();
  const total = reader.unsigned();
  const perMini = blockSize / blockCount;
  if (!Number.isInteger(perMini) || perMini % 8 !== 0 || perMini === 0 || blockSize > 0x100000) {
    throw new ThriftError(`found ${blockCount} parts in a block of ${blockSize} differences`);
  }
  if (total > most) throw new ThriftError(`found ${total} differences for ${most} values`);
  const values = new BigInt64Array(Math.min(total, wanted));
  let value = reader.zigzag();
  if (values.length > 0) values[0] = value;
  let at = 1;
  while (at < values.length) {
    const least = reader.zigzag();
    const widths = reader.take(blockCount);
    for (let mini = 0; mini < blockCount && at < values.length; mini += 1) {
      const width = widths[mini] as number;
      if (width > 64) throw new ThriftError(`found differences of ${width} bits`);
      const packed = reader.take((perMini * width) / 8);
      const count = Math.min(perMini, values.length - at);
      for (let index = 0; index < count; index += 1, at += 1) {
        value = BigInt.asIntN(64, value + least + bitsAt(packed, index * width, width));
        values[at] = value;
      }
    }
  }
  return { values, end: reader.at };
}

function bitsAt(bytes: Uint8Array, bit: number, width: number): bigint {
  let result = 0n;
  let taken = 0;
  while (taken < width) {
    const at = bit + taken;
    const shift = at & 7;
    const step = Math.min(8 - shift, width - taken);
    const part = ((bytes[at >> 3] as number) >> shift) & ((1 << step) - 1);
    result |= BigInt(part) << BigInt(taken);
    taken += step;
  }
  return result;
}

class DeltaReader {
  readonly #bytes: Uint8Array;
  at: number;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.at = start;
  }

  unsigned(): number {
    const value = this.#varint();
    if (value > 0xffffffffn) throw new ThriftError(`found a size of ${value}`);
    return Number(value);
  }

  zigzag(): bigint {
    const value = this.#varint();
    return BigInt.asIntN(64, (value >> 1n) ^ -(value & 1n));
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.at)
      throw new ThriftError("its differences end too early");
    this.at += length;
    return this.#bytes.subarray(this.at - length, this.at);
  }

  #varint(): bigint {
    let result = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const [byte] = this.take(1) as unknown as [number];
      result |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, result);
    }
    throw new ThriftError("found a number that is too long");
  }
}

/** Texts one after the other: text `i` is `data[offsets[i] .. offsets[i + 1])`. */
export interface DecodedTexts {
  readonly offsets: Int32Array;
  readonly data: Uint8Array;
}

/** Decodes DELTA_LENGTH_BYTE_ARRAY: the lengths, then the bytes of all texts. */
export function decodeDeltaLengths(bytes: Uint8Array, start: number, most: number): DecodedTexts {
  const { values, end } = decodeDeltaNumbers(bytes, start, most);
  const offsets = offsetsOf(values, bytes.length - end);
  return { offsets, data: bytes.subarray(end, end + (offsets[values.length] as number)) };
}

/** Decodes DELTA_BYTE_ARRAY: how much each text shares with the one before, and the rest of it. */
export function decodeDeltaTexts(
  bytes: Uint8Array,
  start: number,
  most: number,
  wanted: number = most,
): DecodedTexts {
  const { values: shared, end } = decodeDeltaNumbers(bytes, start, most);
  const rest = decodeDeltaLengths(bytes, end, most);
  if (rest.offsets.length !== shared.length + 1) {
    throw new ThriftError(`found ${shared.length} beginnings for ${rest.offsets.length - 1} texts`);
  }
  const count = Math.min(shared.length, wanted);
  const offsets = new Int32Array(count + 1);
  let total = 0;
  for (let index = 0; index < count; index += 1) {
    const before = index === 0 ? 0 : total - (offsets[index - 1] as number);
    const prefix = Number(shared[index]);
    if (prefix < 0 || prefix > before) {
      throw new ThriftError(`a text shares ${prefix} bytes with one of ${before}`);
    }
    const own = (rest.offsets[index + 1] as number) - (rest.offsets[index] as number);
    total += prefix + own;
    if (total > 0x7fffffff) throw new ThriftError("its texts take more than 2 GiB");
    offsets[index + 1] = total;
  }
  const data = new Uint8Array(total);
  for (let index = 0; index < count; index += 1) {
    const at = offsets[index] as number;
    const prefix = Number(shared[index]);
    const from = index === 0 ? 0 : (offsets[index - 1] as number);
    data.copyWithin(at, from, from + prefix);
    const [start, end] = [rest.offsets[index] as number, rest.offsets[index + 1] as number];
    data.set(rest.data.subarray(start, end), at + prefix);
  }
  return { offsets, data };
}

function offsetsOf(lengths: BigInt64Array, available: number): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  let total = 0;
  for (let index = 0; index < lengths.length; index += 1) {
    const length = Number(lengths[index]);
    if (length < 0 || length > available - total) {
      throw new ThriftError(`a text of ${length} bytes goes past the end of its page`);
    }
    total += length;
    offsets[index + 1] = total;
  }
  return offsets;
}

/** Undoes BYTE_STREAM_SPLIT: the first bytes of all values stand first, then the second ones. */
export function joinByteStreams(bytes: Uint8Array, width: number): Uint8Array {
  const count = Math.floor(bytes.length / width);
  const result = new Uint8Array(count * width);
  for (let stream = 0; stream < width; stream += 1) {
    for (let index = 0; index < count; index += 1) {
      result[index * width + stream] = bytes[stream * count + index] as number;
    }
  }
  return result;
}
