// Decodes the values of pages into typed arrays: every encoding of numbers, flags and values of a
// fixed width. Texts are in parquet-text-decoder.ts. Rules: spec/format/parquet.md, PQ-13.
import { copyBits } from "./bitmap.ts";
import { ENCODING, PHYSICAL } from "./parquet-codes.ts";
import { decodeDeltaNumbers, decodeDeltaTexts, joinByteStreams } from "./parquet-delta.ts";
import { HybridReader, unpackNumbers } from "./parquet-hybrid-reader.ts";
import { readUint32 } from "./parquet-page-body.ts";
import { ThriftError } from "./thrift-compact.ts";

/** The values of one page: some of its values are asked for, by their number among those present. */
export interface PageValues {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly encoding: number;
  /** Values that the page holds. */
  readonly count: number;
}

/** The bytes of a value of a physical type; 0 for flags and texts. */
export function widthOf(physicalType: number, typeLength: number): number {
  switch (physicalType) {
    case PHYSICAL.int32:
    case PHYSICAL.float:
      return 4;
    case PHYSICAL.int64:
    case PHYSICAL.double:
      return 8;
    case PHYSICAL.int96:
      return 12;
    case PHYSICAL.fixed:
      return typeLength;
    default:
      return 0;
  }
}

/** Whether an encoding refers to the dictionary. */
export function isDictionaryEncoding(encoding: number): boolean {
  return encoding === ENCODING.rleDictionary || encoding === ENCODING.plainDictionary;
}

/** The indexes into a dictionary of `size` entries that values `skip` to `skip + count` are. */
export function readIndexes(
  page: PageValues,
  skip: number,
  count: number,
  size: number,
): Int32Array {
  if (count === 0) return new Int32Array(0);
  const width = page.bytes[page.start];
  if (width === undefined) throw new ThriftError("a page of indexes is empty");
  const body = page.bytes.subarray(page.start + 1);
  const { numbers, greatest } = unpackNumbers(body, width, skip, count);
  if (greatest >= size) throw new ThriftError(`found index ${greatest} into ${size} entries`);
  return numbers;
}

/** Decodes the values of a chunk whose values have `width` bytes each. */
export class FixedValueDecoder {
  readonly #width: number;
  readonly #physicalType: number;
  readonly #dictionary: Uint8Array | undefined;

  /** `dictionary` holds the plain values of the dictionary page. */
  constructor(physicalType: number, width: number, dictionary: PageValues | undefined) {
    this.#physicalType = physicalType;
    this.#width = width;
    this.#dictionary = dictionary && requireValues(dictionary, width);
  }

  /** The plain values of the dictionary, if the chunk has one. */
  get dictionary(): Uint8Array | undefined {
    return this.#dictionary;
  }

  /** Values `skip` to `skip + count` of a page, as bytes from `at` on of `target`. */
  decode(page: PageValues, skip: number, count: number, target: Uint8Array, at: number): void {
    const width = this.#width;
    if (isDictionaryEncoding(page.encoding)) {
      const dictionary = this.#dictionary;
      if (!dictionary) throw new ThriftError("a page refers to a dictionary that is not there");
      const indexes = readIndexes(page, skip, count, dictionary.length / width);
      gatherValues(dictionary, indexes, width, target, at);
      return;
    }
    const values = this.#plainValues(page, skip + count);
    if (values.length < (skip + count) * width) {
      throw new ThriftError(`its values take ${values.length} bytes for ${skip + count} values`);
    }
    target.set(values.subarray(skip * width, (skip + count) * width), at);
  }

  #plainValues(page: PageValues, wanted: number): Uint8Array {
    const { bytes, start, encoding, count } = page;
    switch (encoding) {
      case ENCODING.plain:
        return bytes.subarray(start);
      case ENCODING.byteStreamSplit:
        return joinByteStreams(bytes.subarray(start), this.#width);
      case ENCODING.deltaBinaryPacked: {
        const { values } = decodeDeltaNumbers(bytes, start, count, wanted);
        if (this.#physicalType === PHYSICAL.int64) return new Uint8Array(values.buffer);
        const low = Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value)));
        if (this.#physicalType === PHYSICAL.int32) return new Uint8Array(low.buffer);
        break;
      }
      case ENCODING.deltaByteArray: {
        const { offsets, data } = decodeDeltaTexts(bytes, start, count, wanted);
        const isEven = offsets.every((offset, index) => offset === index * this.#width);
        if (this.#physicalType === PHYSICAL.fixed && isEven) return data;
        break;
      }
    }
    throw new ThriftError(`its values have encoding ${encoding}`);
  }
}

function requireValues({ bytes, start, count }: PageValues, width: number): Uint8Array {
  if (bytes.length - start < count * width) {
    throw new ThriftError(`a dictionary of ${count} entries takes ${bytes.length - start} bytes`);
  }
  // A copy with a buffer of its own, which is looked at as words.
  return new Uint8Array(bytes.subarray(start, start + count * width));
}

function gatherValues(
  dictionary: Uint8Array,
  indexes: Int32Array,
  width: number,
  target: Uint8Array,
  at: number,
): void {
  const isWords = width % 4 === 0 && (target.byteOffset + at) % 4 === 0;
  if (!isWords || width > 8) {
    for (let index = 0; index < indexes.length; index += 1) {
      const from = (indexes[index] as number) * width;
      const to = at + index * width;
      for (let byte = 0; byte < width; byte += 1) {
        target[to + byte] = dictionary[from + byte] as number;
      }
    }
    return;
  }
  const source = new Int32Array(dictionary.buffer, 0, dictionary.length >> 2);
  const into = new Int32Array(target.buffer, target.byteOffset + at, (indexes.length * width) >> 2);
  if (width === 4) {
    for (let index = 0; index < indexes.length; index += 1) {
      into[index] = source[indexes[index] as number] as number;
    }
    return;
  }
  for (let index = 0; index < indexes.length; index += 1) {
    const from = (indexes[index] as number) * 2;
    into[index * 2] = source[from] as number;
    into[index * 2 + 1] = source[from + 1] as number;
  }
}

/** Flags `skip` to `skip + count` of a page, as bits from `at` on of a bitmap of zeros. */
export function decodeFlags(
  page: PageValues,
  skip: number,
  count: number,
  bitmap: Uint8Array,
  at: number,
): void {
  const { bytes, start, encoding } = page;
  if (encoding === ENCODING.plain) {
    if ((bytes.length - start) * 8 < skip + count) {
      throw new ThriftError(`its flags take ${bytes.length - start} bytes for ${skip + count}`);
    }
    copyBits(bytes.subarray(start), skip, bitmap, at, count);
    return;
  }
  if (encoding !== ENCODING.rle) throw new ThriftError(`its flags have encoding ${encoding}`);
  if (count === 0) return;
  if (bytes.length - start < 4) throw new ThriftError("its flags end too early");
  const end = start + 4 + readUint32(bytes, start);
  if (end > bytes.length) throw new ThriftError("its flags go past the end of the page");
  const reader = new HybridReader(bytes, start + 4, end, 1);
  reader.skip(skip);
  reader.readBits(bitmap, at, count);
}
