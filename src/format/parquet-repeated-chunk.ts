// Column chunks in which every row holds the same string, as the meta columns of a base file mostly
// do: a dictionary of one entry and pages of runs. Written as one page and recognised when read, both
// without the encoder, since they are a good part of all values. Rules: spec/format/parquet.md, PQ-9.
import type { BytesColumn } from "./column-batch.ts";
import type { ChunkOptions, EncodedChunk } from "./parquet-chunk-encoder.ts";
import { ENCODING, PAGE } from "./parquet-codes.ts";
import { packBody, unpackBody } from "./parquet-compression.ts";
import { encodePageHeader, type Page, type PageHeader } from "./parquet-page.ts";
import type { StoredSlice } from "./stored-column.ts";

/** The bytes that every row of the slices holds, if they are strings and all the same. */
export function findRepeatedBytes(slices: readonly StoredSlice[]): Uint8Array | undefined {
  const value = firstValue(slices[0] as StoredSlice);
  return value && slices.every((slice) => repeats(slice, value)) ? value : undefined;
}

function firstValue({ column, from }: StoredSlice): Uint8Array | undefined {
  const texts = column.layout === "dictionary" ? column.entries : column;
  if (texts.layout !== "bytes") return undefined;
  const row = column.layout === "dictionary" ? (column.indexes[from] as number) : from;
  return texts.data.subarray(texts.offsets[row], texts.offsets[row + 1]);
}

function repeats({ column, from, to }: StoredSlice, value: Uint8Array): boolean {
  if (column.validity !== undefined) return false;
  if (column.layout === "bytes") return holdsOnly(column, from, to, value);
  if (column.layout !== "dictionary" || column.entries.layout !== "bytes") return false;
  const { entries, indexes } = column;
  const entry = indexes[from] as number;
  if (!holdsOnly(entries, entry, entry + 1, value)) return false;
  for (let row = from + 1; row < to; row += 1) if (indexes[row] !== entry) return false;
  return true;
}

function holdsOnly(column: BytesColumn, from: number, to: number, value: Uint8Array): boolean {
  if (from === to) return true;
  const { offsets, data } = column;
  const width = value.length;
  const start = offsets[from] as number;
  const end = offsets[to] as number;
  if (end - start !== width * (to - from)) return false;
  if (Buffer.compare(data.subarray(start, start + width), value) !== 0) return false;
  // Equal to itself one value further on: the first value repeats to the end.
  if (Buffer.compare(data.subarray(start, end - width), data.subarray(start + width, end)) !== 0) {
    return false;
  }
  for (let row = from + 1; row < to; row += 1) {
    if (offsets[row] !== start + (row - from) * width) return false;
  }
  return true;
}

/** A dictionary of one entry, and one page whose levels and indexes are a run each. */
export function encodeRepeatedChunk(
  value: Uint8Array,
  slices: readonly StoredSlice[],
  options: ChunkOptions,
): EncodedChunk {
  const rowCount = slices.reduce((sum, { from, to }) => sum + to - from, 0);
  const entry = new Uint8Array(4 + value.length);
  new DataView(entry.buffer).setUint32(0, value.length, true);
  entry.set(value, 4);
  const dictionary = encodePage(entry, options.codec, {
    type: PAGE.dictionary,
    valueCount: 1,
    encoding: ENCODING.plainDictionary,
  });
  const levels = options.isNullable ? encodeLevelRun(rowCount) : [];
  const indexes = [INDEX_BITS, ...encodeRun(rowCount, 0)];
  const data = encodePage(new Uint8Array([...levels, ...indexes]), options.codec, {
    type: PAGE.data,
    valueCount: rowCount,
    encoding: ENCODING.plainDictionary,
  });
  const sizeOf = ([header, body]: readonly [Uint8Array, Uint8Array]): number =>
    header.length + body.length;
  const offset = sizeOf(dictionary.parts);
  const sizeBytes = sizeOf(data.parts);
  return {
    parts: [...dictionary.parts, ...data.parts],
    sizeBytes: offset + sizeBytes,
    pages: [{ offset, sizeBytes, rowCount, slices }],
    dictionaryPageOffset: 0,
    dataPageOffset: offset,
    uncompressedBytes: dictionary.uncompressedBytes + data.uncompressedBytes,
    encodings: [ENCODING.plainDictionary, ENCODING.rle],
    codec: options.codec,
  };
}

/** Some readers expect a bit for each index, even into a dictionary of one entry. */
const INDEX_BITS = 1;

/** Definition levels: their length in four bytes, then a run of ones. */
function encodeLevelRun(rowCount: number): number[] {
  const run = encodeRun(rowCount, 1);
  return [run.length, 0, 0, 0, ...run];
}

/** A run of the RLE encoding for values of one bit. */
function encodeRun(count: number, value: number): number[] {
  const bytes: number[] = [];
  let rest = count * 2;
  while (rest >= 128) {
    bytes.push((rest % 128) | 0x80);
    rest = Math.floor(rest / 128);
  }
  return [...bytes, rest, value];
}

function encodePage(
  body: Uint8Array,
  codec: number,
  page: Pick<PageHeader, "type" | "valueCount" | "encoding">,
): { readonly parts: readonly [Uint8Array, Uint8Array]; readonly uncompressedBytes: number } {
  const packed = packBody(body, codec);
  const header = encodePageHeader(
    {
      ...page,
      uncompressedBytes: body.length,
      definitionEncoding: ENCODING.rle,
      repetitionEncoding: ENCODING.rle,
    },
    packed.length,
    true,
  );
  return { parts: [header, packed], uncompressedBytes: header.length + body.length };
}

/**
 * The string that every row of a chunk holds, if its dictionary has one entry and its pages are runs
 * that refer to it, without nulls. Undefined also where that is not plain to see.
 */
export function findRepeatedValue(
  chunk: Uint8Array,
  pages: readonly Page[],
  codec: number,
  isNullable: boolean,
): Uint8Array | undefined {
  const [dictionary, ...data] = pages;
  if (dictionary?.type !== PAGE.dictionary || dictionary.valueCount !== 1) return undefined;
  const body = chunk.subarray(dictionary.bodyStart, dictionary.end);
  const entry = unpackBody(body, dictionary.uncompressedBytes, codec);
  if (entry.length < 4) return undefined;
  const length = new DataView(entry.buffer, entry.byteOffset).getUint32(0, true);
  if (length !== entry.length - 4) return undefined;
  const isRepeated = data.every((page) => isRunPage(chunk, page, codec, isNullable));
  return isRepeated ? entry.subarray(4) : undefined;
}

/** Whether all rows of a data page are present and refer to the first entry of the dictionary. */
function isRunPage(chunk: Uint8Array, page: Page, codec: number, isNullable: boolean): boolean {
  if (page.encoding !== ENCODING.plainDictionary && page.encoding !== ENCODING.rleDictionary) {
    return false;
  }
  // Pages of version 2 are rare here, and hold their levels elsewhere.
  if (page.v2 || page.end - page.bodyStart > MAX_RUN_PAGE_BYTES) return false;
  const packed = chunk.subarray(page.bodyStart, page.end);
  const body = unpackBody(packed, page.uncompressedBytes, codec);
  let at = 0;
  if (isNullable) {
    if (page.definitionEncoding !== ENCODING.rle || body.length < 4) return false;
    const length = new DataView(body.buffer, body.byteOffset).getUint32(0, true);
    if (length > body.length - 4) return false;
    if (!isRunOf(body.subarray(4, 4 + length), 1, 1, page.valueCount)) return false;
    at = 4 + length;
  }
  const width = body[at];
  if (width === undefined || width > 8) return false;
  return isRunOf(body.subarray(at + 1), width, 0, page.valueCount);
}

/** A page of runs is short; a longer one is left to the decoder. */
const MAX_RUN_PAGE_BYTES = 256;

/** Whether values of at most eight bits are `count` times `value`, in runs. */
function isRunOf(bytes: Uint8Array, width: number, value: number, count: number): boolean {
  let rest = count;
  let at = 0;
  while (rest > 0) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at];
      if (byte === undefined || shift > 28) return false;
      at += 1;
      header += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    // An odd header begins packed values.
    if (header % 2 === 1 || header === 0) return false;
    if (width > 0) {
      if (bytes[at] !== value) return false;
      at += 1;
    }
    rest -= header / 2;
  }
  return true;
}
