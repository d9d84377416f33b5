// Encodes the rows of one column of a row group as a column chunk through parquet-wasm: one column
// at a time, so that memory is bounded whatever the row group. Rules: spec/format/parquet.md, PQ-10.
import type { WriterProperties } from "parquet-wasm";
import { type ColumnSlice, encodeArrowColumn } from "./arrow-ipc.ts";
import type { Column } from "./column-batch.ts";
import { CODEC } from "./parquet-codes.ts";
import { chunkRange, decodeFooter, decodeFooterLength, TRAILER_BYTES } from "./parquet-footer.ts";
import { compressPages, walkPages } from "./parquet-page.ts";
import { type ParquetWasm, runParquetWasm } from "./parquet-wasm-instance.ts";

/** The pages of a chunk. Offsets count from its first byte. */
export interface EncodedChunk {
  readonly bytes: Uint8Array;
  readonly dataPageOffset: number;
  readonly dictionaryPageOffset?: number | undefined;
  readonly uncompressedBytes: number;
  readonly encodings: readonly number[];
  /** One of `CODEC`: the one asked for, or none where that saves too little. */
  readonly codec: number;
}

/** How a chunk is encoded. */
export interface ChunkOptions {
  readonly isNullable: boolean;
  /** One of `CODEC`. */
  readonly codec: number;
  readonly hasDictionary: boolean;
}

/** Values of a column beyond this are encoded in parts, to bound the memory of the encoder. */
const PART_BYTES: number = 64 * 1024 * 1024;

/** Encodes the slices, one after the other, as one chunk. They have one layout and some rows. */
export function encodeColumnChunk(
  slices: readonly ColumnSlice[],
  options: ChunkOptions,
  partBytes: number = PART_BYTES,
): EncodedChunk {
  const parts = splitSlices(slices, partBytes);
  // Pages of several dictionaries cannot stand in one chunk; so large a column gains none by it.
  const hasDictionary = options.hasDictionary && parts.length === 1;
  const codec = hasDictionary || shrinks(slices, options) ? options.codec : CODEC.none;
  return encodeParts(parts, { ...options, codec, hasDictionary });
}

function encodeParts(parts: readonly ColumnSlice[][], options: ChunkOptions): EncodedChunk {
  const { codec } = options;
  const isWasmCodec = codec === CODEC.none || codec === CODEC.snappy;
  const wasmOptions = isWasmCodec ? options : { ...options, codec: CODEC.none };
  const chunk = joinChunks(parts.map((part) => encodeThroughWasm(part, wasmOptions)));
  if (isWasmCodec) return chunk;
  const pages = walkPages(chunk.bytes, countRows(parts.flat()), CODEC.none);
  return { ...chunk, codec, ...compressPages(chunk.bytes, pages, codec) };
}

/** Columns with fewer bytes of values are compressed without a trial. */
const TRIAL_MIN_BYTES: number = 1024 * 1024;
const TRIAL_BYTES: number = 128 * 1024;
/** Saving less than an eighth is not worth the time it takes to write and to read. */
const WORTHY_RATIO = 0.875;

/** Whether compression is worth it: tried with rows from the middle, where there are many. */
function shrinks(slices: readonly ColumnSlice[], options: ChunkOptions): boolean {
  if (options.codec === CODEC.none) return false;
  const sizes = slices.map(({ column, from, to }) => rowBytes(column, from, to));
  if (sizes.reduce((sum, size) => sum + size, 0) < TRIAL_MIN_BYTES) return true;
  const { column, from, to } = slices[sizes.indexOf(Math.max(...sizes))] as ColumnSlice;
  const middle = (from + to) >> 1;
  const rows = Math.max(1, countFittingRows(column, middle, to, TRIAL_BYTES));
  const sample = { column, from: middle, to: middle + rows };
  const trial = encodeParts([[sample]], { ...options, hasDictionary: false });
  return trial.bytes.length < trial.uncompressedBytes * WORTHY_RATIO;
}

function joinChunks(chunks: readonly EncodedChunk[]): EncodedChunk {
  const [first, ...rest] = chunks as readonly [EncodedChunk, ...EncodedChunk[]];
  if (rest.length === 0) return first;
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk.bytes, at);
    at += chunk.bytes.length;
  }
  const uncompressedBytes = chunks.reduce((sum, chunk) => sum + chunk.uncompressedBytes, 0);
  return { ...first, bytes, uncompressedBytes };
}

/** The same rows in parts of at most `partBytes` bytes of values, or of a single larger row. */
function splitSlices(slices: readonly ColumnSlice[], partBytes: number): ColumnSlice[][] {
  const parts: ColumnSlice[][] = [[]];
  let room = partBytes;
  for (const { column, to, ...slice } of slices) {
    let { from } = slice;
    while (from < to) {
      const isFresh = room === partBytes;
      const fitting = countFittingRows(column, from, to, room);
      if (fitting === 0 && !isFresh) {
        parts.push([]);
        room = partBytes;
        continue;
      }
      const end = from + Math.max(1, fitting);
      parts.at(-1)?.push({ column, from, to: end });
      room = Math.max(0, room - rowBytes(column, from, end));
      from = end;
    }
  }
  return parts;
}

function rowBytes(column: Column, from: number, to: number): number {
  switch (column.layout) {
    case "bytes":
      return (column.offsets[to] as number) - (column.offsets[from] as number) + (to - from) * 4;
    case "fixed":
      return (to - from) * column.widthBytes;
    default:
      return (to - from) * 8;
  }
}

/** How many rows from `from` on take at most `room` bytes. */
function countFittingRows(column: Column, from: number, to: number, room: number): number {
  if (rowBytes(column, from, to) <= room) return to - from;
  let fits = 0;
  let exceeds = to - from;
  while (exceeds - fits > 1) {
    const middle = (fits + exceeds) >> 1;
    if (rowBytes(column, from, from + middle) <= room) fits = middle;
    else exceeds = middle;
  }
  return fits;
}

function countRows(slices: readonly ColumnSlice[]): number {
  return slices.reduce((sum, slice) => sum + slice.to - slice.from, 0);
}

function encodeThroughWasm(slices: readonly ColumnSlice[], options: ChunkOptions): EncodedChunk {
  const rowCount = countRows(slices);
  const stream = encodeArrowColumn(slices, options.isNullable);
  const file = runParquetWasm((wasm) => {
    const table = wasm.Table.fromIPCStream(stream);
    // Both arguments are handed over: the library frees them, whether it succeeds or not.
    return wasm.writeParquet(table, buildProperties(wasm, options, rowCount));
  });
  const length = decodeFooterLength(file.subarray(-TRAILER_BYTES), file.length, "in memory");
  const footer = decodeFooter(file.subarray(-TRAILER_BYTES - length), file.length, "in memory");
  const [group] = footer.rowGroups;
  const [meta] = group?.columns ?? [];
  if (!meta || footer.rowGroups.length !== 1 || group?.rowCount !== rowCount) {
    throw new TypeError(
      `the encoder made ${footer.rowGroups.length} row groups of ${footer.rowCount} rows`,
    );
  }
  const { start, end } = chunkRange(meta);
  return {
    bytes: file.subarray(start, end),
    dataPageOffset: meta.dataPageOffset - start,
    dictionaryPageOffset:
      meta.dictionaryPageOffset === undefined ? undefined : meta.dictionaryPageOffset - start,
    uncompressedBytes: meta.uncompressedBytes,
    encodings: meta.encodings,
    codec: options.codec,
  };
}

function buildProperties(
  wasm: ParquetWasm,
  options: ChunkOptions,
  rowCount: number,
): WriterProperties {
  const { Compression, EnabledStatistics, WriterVersion } = wasm;
  return new wasm.WriterPropertiesBuilder()
    .setWriterVersion(WriterVersion.V1)
    .setCompression(options.codec === CODEC.snappy ? Compression.SNAPPY : Compression.UNCOMPRESSED)
    .setDictionaryEnabled(options.hasDictionary)
    .setStatisticsEnabled(EnabledStatistics.None)
    .setMaxRowGroupSize(Math.max(1, rowCount))
    .build();
}
