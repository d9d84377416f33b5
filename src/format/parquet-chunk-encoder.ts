// Encodes the rows of one column of a row group as a column chunk: a dictionary where it pays, then
// pages of bounded size. Rules: spec/format/parquet.md, PQ-10.
import { ByteWriter } from "./byte-writer.ts";
import type { Column } from "./column-batch.ts";
import { gatherColumn } from "./column-gather.ts";
import { CODEC, ENCODING, PAGE } from "./parquet-codes.ts";
import { packBody } from "./parquet-compression.ts";
import { buildDictionary, type ChunkDictionary } from "./parquet-dictionary.ts";
import { writeBitmap, writeBitRun, writeHybrid } from "./parquet-hybrid-writer.ts";
import { encodePageHeader } from "./parquet-page.ts";
import { bitWidth } from "./parquet-page-body.ts";
import { writePlain } from "./parquet-plain-writer.ts";
import { countNullRows } from "./parquet-statistics.ts";
import type { DictionaryColumn, StoredColumn, StoredSlice } from "./stored-column.ts";

/** A data page within its chunk: what an index of pages says of it. */
export interface EncodedPage {
  /** From the first byte of the chunk to that of the page's header. */
  readonly offset: number;
  /** Header and body. */
  readonly sizeBytes: number;
  readonly rowCount: number;
  /** The rows, for their bounds. */
  readonly slices: readonly StoredSlice[];
}

/** The pages of a chunk. Offsets count from its first byte. */
export interface EncodedChunk {
  /** Bytes one behind the other; each may be handed on. */
  readonly parts: readonly Uint8Array[];
  readonly sizeBytes: number;
  readonly dataPageOffset: number;
  readonly dictionaryPageOffset?: number | undefined;
  readonly uncompressedBytes: number;
  readonly encodings: readonly number[];
  /** One of `CODEC`: the one asked for, or none where that saves too little. */
  readonly codec: number;
  readonly pages: readonly EncodedPage[];
}

/** How a chunk is encoded. */
export interface ChunkOptions {
  readonly isNullable: boolean;
  /** One of `CODEC`. */
  readonly codec: number;
  /** Whether a dictionary is tried. */
  readonly triesDictionary: boolean;
}

/** Values of a page, before compression: a page ends when it has so many bytes or rows. */
const PAGE_BYTES = 1024 * 1024;
const PAGE_ROWS = 32_768;

/** Encodes the slices, one after the other, as one chunk. They have one layout and some rows. */
export function encodeColumnChunk(
  slices: readonly StoredSlice[],
  options: ChunkOptions,
  pageBytes: number = PAGE_BYTES,
): EncodedChunk {
  const dictionary = options.triesDictionary ? buildDictionary(slices) : undefined;
  const writer = new ChunkWriter(options, dictionary);
  if (dictionary) writer.writeDictionary(dictionary);
  let first = 0;
  let pending: IndexedSlice[] = [];
  let room = pageBytes;
  let rows = 0;
  for (const [number, slice] of slices.entries()) {
    first = 0;
    let { from } = slice;
    while (from < slice.to) {
      const end = endOfPage(slice, from, room, PAGE_ROWS - rows, dictionary);
      const part = { column: slice.column, from, to: end };
      const values = end - from - countNullRows(part);
      pending.push({ ...part, indexes: dictionary?.indexes[number], first, values });
      first += values;
      rows += end - from;
      room -= rowBytes(slice.column, from, end, dictionary);
      from = end;
      if (from === slice.to && room > 0 && rows < PAGE_ROWS) break;
      writer.writeData(pending);
      pending = [];
      room = pageBytes;
      rows = 0;
    }
  }
  if (pending.length > 0) writer.writeData(pending);
  return writer.finish();
}

/** Rows of a page in one slice, with where their values stand among the indexes of the slice. */
interface IndexedSlice extends StoredSlice {
  readonly indexes: Int32Array | undefined;
  readonly first: number;
  readonly values: number;
}

/** The row that no longer fits into the page; at least one does. */
function endOfPage(
  { column, to }: StoredSlice,
  from: number,
  room: number,
  rows: number,
  dictionary: ChunkDictionary | undefined,
): number {
  const most = Math.min(to, from + rows);
  if (rowBytes(column, from, most, dictionary) <= room) return most;
  let fits = from;
  let exceeds = most;
  while (exceeds - fits > 1) {
    const middle = (fits + exceeds) >> 1;
    if (rowBytes(column, from, middle, dictionary) <= room) fits = middle;
    else exceeds = middle;
  }
  return Math.max(fits, from + 1);
}

function rowBytes(
  column: StoredColumn,
  from: number,
  to: number,
  dictionary: ChunkDictionary | undefined,
): number {
  if (dictionary) return (to - from) * 2;
  switch (column.layout) {
    case "dictionary":
      return (to - from) * meanEntryBytes(column);
    case "prefixed":
      return (column.offsets[to] as number) - (column.offsets[from] as number);
    case "bytes":
      return (column.offsets[to] as number) - (column.offsets[from] as number) + (to - from) * 4;
    case "fixed":
      return (to - from) * column.widthBytes;
    case "bits":
      return (to - from) >> 3;
    default:
      return (to - from) * column.values.BYTES_PER_ELEMENT;
  }
}

function meanEntryBytes({ entries }: DictionaryColumn): number {
  return rowBytes(entries, 0, entries.rowCount, undefined) / Math.max(1, entries.rowCount);
}

/** Bodies smaller than this are compressed without a trial. */
const TRIAL_MIN_BYTES = 256 * 1024;
const TRIAL_BYTES = 128 * 1024;
/** Saving less than an eighth is not worth the time it takes to write and to read. */
const WORTHY_RATIO = 0.875;

/** The bodies of pages are made in one buffer, which is used again unless it has grown large. */
let body: ByteWriter = new ByteWriter();
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

class ChunkWriter {
  readonly #options: ChunkOptions;
  readonly #indexWidth: number;
  readonly #hasDictionary: boolean;
  readonly #parts: Uint8Array[] = [];
  readonly #pages: EncodedPage[] = [];
  #codec: number | undefined;
  #position = 0;
  #dataPageOffset = 0;
  #uncompressedBytes = 0;

  constructor(options: ChunkOptions, dictionary: ChunkDictionary | undefined) {
    this.#options = options;
    this.#hasDictionary = dictionary !== undefined;
    // Some readers expect a bit for each index, even into a dictionary of one entry.
    this.#indexWidth = Math.max(1, bitWidth((dictionary?.entryCount ?? 1) - 1));
  }

  writeDictionary(dictionary: ChunkDictionary): void {
    body.clear();
    dictionary.write(body);
    this.#codec = this.#options.codec;
    this.#emit({ type: PAGE.dictionary, valueCount: dictionary.entryCount });
    this.#dataPageOffset = this.#position;
  }

  writeData(slices: readonly IndexedSlice[]): void {
    body.clear();
    const rowCount = slices.reduce((sum, { from, to }) => sum + to - from, 0);
    if (this.#options.isNullable) writeLevels(slices, rowCount);
    if (this.#hasDictionary) {
      body.byte(this.#indexWidth);
      const [only, ...others] = slices as [IndexedSlice, ...IndexedSlice[]];
      const indexes = others.length === 0 ? (only.indexes as Int32Array) : joinIndexes(slices);
      const first = others.length === 0 ? only.first : 0;
      const count = slices.reduce((sum, { values }) => sum + values, 0);
      writeHybrid(body, indexes, first, first + count, this.#indexWidth);
    } else {
      writeValues(slices);
    }
    const offset = this.#position;
    this.#emit({ type: PAGE.data, valueCount: rowCount });
    this.#pages.push({ offset, sizeBytes: this.#position - offset, rowCount, slices });
  }

  finish(): EncodedChunk {
    if (body.bytes.length > MAX_KEPT_BYTES) body = new ByteWriter();
    const values = this.#hasDictionary
      ? [ENCODING.plainDictionary, ENCODING.rle]
      : [ENCODING.plain, ENCODING.rle];
    return {
      parts: this.#parts,
      sizeBytes: this.#position,
      dataPageOffset: this.#dataPageOffset,
      dictionaryPageOffset: this.#hasDictionary ? 0 : undefined,
      uncompressedBytes: this.#uncompressedBytes,
      encodings: values,
      codec: this.#codec ?? this.#options.codec,
      pages: this.#pages,
    };
  }

  /** Hands the body on, compressed. */
  #emit(page: { readonly type: number; readonly valueCount: number }): void {
    const bytes = body.view();
    this.#codec ??= shrinks(bytes, this.#options.codec) ? this.#options.codec : CODEC.none;
    const packed = this.#codec === CODEC.none ? bytes.slice() : packBody(bytes, this.#codec);
    const isPlain = page.type === PAGE.data && !this.#hasDictionary;
    const header = encodePageHeader(
      {
        ...page,
        uncompressedBytes: bytes.length,
        encoding: isPlain ? ENCODING.plain : ENCODING.plainDictionary,
        definitionEncoding: ENCODING.rle,
        repetitionEncoding: ENCODING.rle,
      },
      packed.length,
      true,
    );
    this.#parts.push(header, packed);
    this.#position += header.length + packed.length;
    this.#uncompressedBytes += header.length + bytes.length;
  }
}

/** Whether compression is worth it, tried with bytes from the middle where there are many. */
function shrinks(bytes: Uint8Array, codec: number): boolean {
  if (codec === CODEC.none || bytes.length < TRIAL_MIN_BYTES) return true;
  const start = (bytes.length - TRIAL_BYTES) >> 1;
  const sample = bytes.subarray(start, start + TRIAL_BYTES);
  return packBody(sample, codec).length < sample.length * WORTHY_RATIO;
}

/** Definition levels with their length before them. */
function writeLevels(slices: readonly IndexedSlice[], rowCount: number): void {
  const start = body.length;
  body.uint32(0);
  const values = slices.reduce((sum, slice) => sum + slice.values, 0);
  if (values === rowCount || values === 0) {
    writeBitRun(body, values === 0 ? 0 : 1, rowCount);
  } else {
    const [only, ...others] = slices as [IndexedSlice, ...IndexedSlice[]];
    const { validity } = only.column;
    if (others.length === 0 && validity) writeBitmap(body, validity, only.from, only.to);
    else writeBitmap(body, joinValidity(slices, rowCount), 0, rowCount);
  }
  body.setUint32(start, body.length - start - 4);
}

function joinValidity(slices: readonly IndexedSlice[], rowCount: number): Uint8Array {
  const bitmap = new Uint8Array((rowCount + 7) >> 3);
  let at = 0;
  for (const { column, from, to } of slices) {
    const { validity } = column;
    for (let row = from; row < to; row += 1, at += 1) {
      const isSet = !validity || ((validity[row >> 3] as number) & (1 << (row & 7))) !== 0;
      if (isSet) bitmap[at >> 3] = (bitmap[at >> 3] as number) | (1 << (at & 7));
    }
  }
  return bitmap;
}

function joinIndexes(slices: readonly IndexedSlice[]): Int32Array {
  const joined = new Int32Array(slices.reduce((sum, { values }) => sum + values, 0));
  let at = 0;
  for (const { indexes, first, values } of slices) {
    joined.set((indexes as Int32Array).subarray(first, first + values), at);
    at += values;
  }
  return joined;
}

function writeValues(slices: readonly IndexedSlice[]): void {
  const [first] = slices as [IndexedSlice, ...IndexedSlice[]];
  if (first.column.layout !== "bits" || slices.length === 1) {
    for (const { column, from, to } of slices) {
      if (column.layout === "dictionary") writeEntries(column, from, to);
      else writePlain(body, column, from, to);
    }
    return;
  }
  // Flags of all slices are packed together.
  const rowCount = slices.reduce((sum, { from, to }) => sum + to - from, 0);
  const validity = joinValidity(slices, rowCount);
  const values = joinFlags(slices, rowCount);
  const column: Column = { layout: "bits", rowCount, validity, values };
  writePlain(body, column, 0, rowCount);
}

/** The values of rows of a dictionary that was given up, a page at a time. */
function writeEntries(column: DictionaryColumn, from: number, to: number): void {
  const { indexes, validity, entries } = column;
  const present = new Int32Array(to - from);
  let count = 0;
  for (let row = from; row < to; row += 1) {
    if (validity && ((validity[row >> 3] as number) & (1 << (row & 7))) === 0) continue;
    present[count] = indexes[row] as number;
    count += 1;
  }
  writePlain(body, gatherColumn(entries, undefined, present.subarray(0, count)), 0, count);
}

function joinFlags(slices: readonly IndexedSlice[], rowCount: number): Uint8Array {
  const flags = slices.map((slice): IndexedSlice => {
    const values = (slice.column as { readonly values: Uint8Array }).values;
    return { ...slice, column: { ...slice.column, validity: values } as Column };
  });
  return joinValidity(flags, rowCount);
}
