// Writes the pages of a column chunk: levels, values or indexes, compressed and with their headers.
// Rules: spec/format/parquet.md, PQ-4, PQ-10 and PQ-12.
import { bitmapBytes, copyBits, isNull, setBits } from "./bitmap.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { BitColumn, Column, FlatColumn } from "./column-batch.ts";
import { gatherColumn } from "./column-gather.ts";
import { CODEC, ENCODING, PAGE } from "./parquet-codes.ts";
import { packBody } from "./parquet-compression.ts";
import type { ChunkDictionary } from "./parquet-dictionary.ts";
import { writeBitmap, writeBitRun, writeHybrid } from "./parquet-hybrid-writer.ts";
import { encodePageHeader } from "./parquet-page.ts";
import { bitWidth } from "./parquet-page-body.ts";
import { writePlain } from "./parquet-plain-writer.ts";
import type {
  DictionaryColumn,
  PrefixedColumn,
  StoredColumn,
  StoredSlice,
} from "./stored-column.ts";

/** A data page within its chunk: what an index of pages says of it. */
export interface EncodedPage {
  /** From the first byte of the chunk to that of the page's header. */
  readonly offset: number;
  /** Header and body. */
  readonly sizeBytes: number;
  readonly rowCount: number;
  /** Values, nulls and empty lists. */
  readonly valueCount: number;
  /** Values that are present. */
  readonly present: number;
  /** The rows, the values of a leaf or the entries that they are, for their bounds. */
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
}

/** Rows of a page in one slice, with where their values stand among the indexes of the slice. */
export interface IndexedSlice extends StoredSlice {
  readonly indexes: Int32Array | undefined;
  readonly first: number;
  readonly values: number;
}

/** The levels of the entries `from` to `to` of a leaf. */
export interface LeafLevels {
  readonly repetition: Int32Array;
  readonly definition: Int32Array;
  readonly maxRepetition: number;
  readonly maxDefinition: number;
  readonly from: number;
  readonly to: number;
}

/** Bodies smaller than this are compressed without a trial. */
const TRIAL_MIN_BYTES = 256 * 1024;
const TRIAL_BYTES = 128 * 1024;
/** Saving less than an eighth is not worth the time it takes to write and to read. */
const WORTHY_RATIO = 0.875;

/** The bodies of pages are made in one buffer, which is used again unless it has grown large. */
let body: ByteWriter = new ByteWriter();
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

/** Writes the pages of one chunk. */
export class ChunkWriter {
  readonly #options: ChunkOptions;
  readonly #indexWidth: number;
  readonly #dictionary: ChunkDictionary | undefined;
  readonly #parts: Uint8Array[] = [];
  readonly #pages: EncodedPage[] = [];
  #codec: number | undefined;
  #position = 0;
  #dataPageOffset = 0;
  #uncompressedBytes = 0;

  constructor(options: ChunkOptions, dictionary: ChunkDictionary | undefined) {
    this.#options = options;
    this.#dictionary = dictionary;
    // Some readers expect a bit for each index, even into a dictionary of one entry.
    this.#indexWidth = Math.max(1, bitWidth((dictionary?.entries.rowCount ?? 1) - 1));
  }

  writeDictionary(dictionary: ChunkDictionary): void {
    body.clear();
    const { entries } = dictionary;
    writePlain(body, entries, 0, entries.rowCount);
    this.#codec = this.#options.codec;
    this.#emit({ type: PAGE.dictionary, valueCount: entries.rowCount });
    this.#dataPageOffset = this.#position;
  }

  /** A page of rows of a column without columns inside. */
  writeRows(slices: readonly IndexedSlice[]): void {
    body.clear();
    const rowCount = slices.reduce((sum, { from, to }) => sum + to - from, 0);
    if (this.#options.isNullable) writeLevels(slices, rowCount);
    this.#writePage(slices, rowCount, rowCount);
  }

  /** A page of some rows of a leaf; the slice holds its values that are present. */
  writeEntries(slice: IndexedSlice, rowCount: number, levels: LeafLevels): void {
    body.clear();
    const { repetition, definition, maxRepetition, maxDefinition, from, to } = levels;
    if (maxRepetition > 0) writeNumbers(repetition, from, to, maxRepetition);
    if (maxDefinition > 0) writeNumbers(definition, from, to, maxDefinition);
    this.#writePage([slice], rowCount, to - from);
  }

  #writePage(slices: readonly IndexedSlice[], rowCount: number, valueCount: number): void {
    const present = slices.reduce((sum, { values }) => sum + values, 0);
    const dictionary = this.#dictionary;
    if (dictionary) {
      body.byte(this.#indexWidth);
      const [only, ...others] = slices as [IndexedSlice, ...IndexedSlice[]];
      const indexes = others.length === 0 ? (only.indexes as Int32Array) : joinIndexes(slices);
      const first = others.length === 0 ? only.first : 0;
      writeHybrid(body, indexes, first, first + present, this.#indexWidth);
    } else {
      writeValues(slices);
    }
    const offset = this.#position;
    this.#emit({ type: PAGE.data, valueCount });
    const sizeBytes = this.#position - offset;
    const bounded = dictionary ? slices.map((slice) => entrySlice(dictionary, slice)) : slices;
    this.#pages.push({ offset, sizeBytes, rowCount, valueCount, present, slices: bounded });
  }

  finish(): EncodedChunk {
    if (body.bytes.length > MAX_KEPT_BYTES) body = new ByteWriter();
    const values = this.#dictionary
      ? [ENCODING.plainDictionary, ENCODING.rle]
      : [ENCODING.plain, ENCODING.rle];
    return {
      parts: this.#parts,
      sizeBytes: this.#position,
      dataPageOffset: this.#dataPageOffset,
      dictionaryPageOffset: this.#dictionary ? 0 : undefined,
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
    const isPlain = page.type === PAGE.data && !this.#dictionary;
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

/** The values of a slice as entries, whose bounds are found sooner than those of rows. */
function entrySlice({ entries }: ChunkDictionary, slice: IndexedSlice): StoredSlice {
  const { first, values } = slice;
  const indexes = slice.indexes as Int32Array;
  const column: DictionaryColumn = {
    ...{ layout: "dictionary", rowCount: indexes.length, validity: undefined },
    ...{ indexes, entries },
  };
  return { column, from: first, to: first + values };
}

/** Whether compression is worth it, tried with bytes from the middle where there are many. */
function shrinks(bytes: Uint8Array, codec: number): boolean {
  if (codec === CODEC.none || bytes.length < TRIAL_MIN_BYTES) return true;
  const start = (bytes.length - TRIAL_BYTES) >> 1;
  const sample = bytes.subarray(start, start + TRIAL_BYTES);
  return packBody(sample, codec).length < sample.length * WORTHY_RATIO;
}

/** Levels with their length before them. */
function writeNumbers(levels: Int32Array, from: number, to: number, most: number): void {
  const start = body.length;
  body.uint32(0);
  writeHybrid(body, levels, from, to, bitWidth(most));
  body.setUint32(start, body.length - start - 4);
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
  return joinBits(slices, (column) => column.validity, rowCount);
}

/** The bits of all rows; those of a column without any are set. */
function joinBits(
  slices: readonly IndexedSlice[],
  bitsOf: (column: StoredColumn) => Uint8Array | undefined,
  rowCount: number,
): Uint8Array {
  const bitmap = new Uint8Array(bitmapBytes(rowCount));
  let at = 0;
  for (const { column, from, to } of slices) {
    const bits = bitsOf(column);
    if (bits) copyBits(bits, from, bitmap, at, to - from);
    else setBits(bitmap, at, at + to - from);
    at += to - from;
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
      else writePlain(body, column as FlatColumn | PrefixedColumn, from, to);
    }
    return;
  }
  // Flags of all slices are packed together.
  const rowCount = slices.reduce((sum, { from, to }) => sum + to - from, 0);
  const validity = joinValidity(slices, rowCount);
  const values = joinBits(slices, (column) => (column as BitColumn).values, rowCount);
  const column: Column = { layout: "bits", rowCount, validity, values };
  writePlain(body, column, 0, rowCount);
}

/** The values of rows of a dictionary that was given up, a page at a time. */
function writeEntries(column: DictionaryColumn, from: number, to: number): void {
  const { indexes, validity, entries } = column;
  const present = new Int32Array(to - from);
  let count = 0;
  for (let row = from; row < to; row += 1) {
    if (isNull(validity, row)) continue;
    present[count] = indexes[row] as number;
    count += 1;
  }
  writePlain(body, gatherColumn(entries, undefined, present.subarray(0, count)), 0, count);
}
