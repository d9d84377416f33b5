// Decodes values of any length: first how long each is, then, once room for all of them is made,
// their bytes. Rules: spec/format/parquet.md, PQ-13.
import { ByteCopier } from "./byte-copier.ts";
import { ENCODING } from "./parquet-codes.ts";
import { type DecodedTexts, decodeDeltaLengths, decodeDeltaTexts } from "./parquet-delta.ts";
import { isDictionaryEncoding, type PageValues, readIndexes } from "./parquet-value-decoder.ts";
import { PREFIX_BYTES } from "./stored-column.ts";
import { ThriftError } from "./thrift-compact.ts";

/** Values of a page whose lengths are known and whose bytes are still to be copied. */
export interface PendingTexts {
  /** Copies the bytes of all values, one behind the other, to `data[at..]`; returns where they end. */
  readonly copy: (data: Uint8Array, at: number) => number;
}

/** Decodes the values of a chunk of texts. */
export class TextValueDecoder {
  readonly #dictionary: DecodedTexts | undefined;

  /** The entries of the dictionary, if the chunk has one. */
  get dictionary(): DecodedTexts | undefined {
    return this.#dictionary;
  }

  readonly #isText: boolean;

  /** `isText` where the values are known to be text in UTF-8. */
  constructor(dictionary: PageValues | undefined, isText: boolean) {
    this.#isText = isText;
    this.#dictionary = dictionary && collectPlain(dictionary, isText);
  }

  /** Values `skip` to `skip + count` of a page: their lengths go to `lengths[at..]`. */
  decode(
    page: PageValues,
    skip: number,
    count: number,
    lengths: Int32Array,
    at: number,
  ): PendingTexts {
    const isText = this.#isText;
    if (page.encoding === ENCODING.plain) return readPlain(page, skip, count, lengths, at, isText);
    if (isDictionaryEncoding(page.encoding)) {
      const texts = this.#dictionary;
      if (!texts) throw new ThriftError("a page refers to a dictionary that is not there");
      const indexes = readIndexes(page, skip, count, texts.offsets.length - 1);
      return pick(texts, indexes, lengths, at, isText);
    }
    const texts = decodeDelta(page, skip + count);
    if (texts.offsets.length - 1 < skip + count) {
      throw new ThriftError(`found ${texts.offsets.length - 1} texts for ${skip + count} values`);
    }
    const indexes = Int32Array.from({ length: count }, (_, index) => skip + index);
    return pick(texts, indexes, lengths, at, isText);
  }
}

/**
 * Plain values `skip` to `skip + count` of a page, left with their lengths before them: what each takes
 * goes to `sizes[at..]`.
 */
export function readPrefixed(
  { bytes, start }: PageValues,
  skip: number,
  count: number,
  sizes: Int32Array,
  at: number,
): PendingTexts {
  const first = walkPlain(bytes, start, skip, undefined, 0);
  const end = walkPlain(bytes, first, count, sizes, at);
  for (let index = at; index < at + count; index += 1) {
    sizes[index] = (sizes[index] as number) + PREFIX_BYTES;
  }
  return {
    copy(data, from) {
      data.set(bytes.subarray(first, end), from);
      return from + end - first;
    },
  };
}

function decodeDelta(page: PageValues, wanted: number): DecodedTexts {
  const { bytes, start, encoding, count } = page;
  if (encoding === ENCODING.deltaLengthByteArray) return decodeDeltaLengths(bytes, start, count);
  if (encoding === ENCODING.deltaByteArray) return decodeDeltaTexts(bytes, start, count, wanted);
  throw new ThriftError(`its values have encoding ${encoding}`);
}

/** A dictionary page as texts: nothing is copied, so that entry lengths lie between the entries. */
function collectPlain(page: PageValues, isText: boolean): DecodedTexts {
  const lengths = new Int32Array(Math.min(page.count, page.bytes.length));
  if (lengths.length < page.count) throw new ThriftError("a dictionary ends too early");
  const pending = readPlain(page, 0, page.count, lengths, 0, isText);
  const offsets = new Int32Array(page.count + 1);
  let total = 0;
  for (let index = 0; index < page.count; index += 1) {
    total += lengths[index] as number;
    offsets[index + 1] = total;
  }
  const data = new Uint8Array(total);
  pending.copy(data, 0);
  return { offsets, data };
}

function readPlain(
  { bytes, start }: PageValues,
  skip: number,
  count: number,
  lengths: Int32Array,
  at: number,
  isText: boolean,
): PendingTexts {
  const first = walkPlain(bytes, start, skip, undefined, 0);
  const end = walkPlain(bytes, first, count, lengths, at);
  return {
    copy(data, from) {
      const copier = new ByteCopier(bytes, data);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      let source = first;
      let target = from;
      while (source < end) {
        const length = view.getInt32(source, true);
        source += 4;
        if (isText) copier.copyText(source, length, target);
        else copier.copy(source, length, target);
        source += length;
        target += length;
      }
      return target;
    },
  };
}

/** Passes over `count` plain values from byte `start` on; returns where the next one begins. */
function walkPlain(
  bytes: Uint8Array,
  start: number,
  count: number,
  lengths: Int32Array | undefined,
  at: number,
): number {
  const end = bytes.length;
  const view = new DataView(bytes.buffer, bytes.byteOffset, end);
  let next = start;
  for (let index = 0; index < count; index += 1) {
    if (end - next < 4) throw new ThriftError("its texts end too early");
    const length = view.getInt32(next, true);
    if (length < 0 || length > end - next - 4)
      throw new ThriftError("a text goes past the end of its page");
    if (lengths) lengths[at + index] = length;
    next += 4 + length;
  }
  return next;
}

function pick(
  { offsets, data: source }: DecodedTexts,
  indexes: Int32Array,
  lengths: Int32Array,
  at: number,
  isText: boolean,
): PendingTexts {
  for (let index = 0; index < indexes.length; index += 1) {
    const entry = indexes[index] as number;
    lengths[at + index] = (offsets[entry + 1] as number) - (offsets[entry] as number);
  }
  return {
    copy(data, from) {
      const copier = new ByteCopier(source, data);
      let target = from;
      for (let index = 0; index < indexes.length; index += 1) {
        const entry = indexes[index] as number;
        const start = offsets[entry] as number;
        const length = (offsets[entry + 1] as number) - start;
        if (isText) copier.copyText(start, length, target);
        else copier.copy(start, length, target);
        target += length;
      }
      return target;
    },
  };
}
