// Writes a Parquet file from column batches: collects rows to whole row groups, encodes them column
// by column into the sink, and ends with a footer of our own. Rules: spec/format/parquet.md, PQ-8.

import { HudiError } from "../errors.ts";
import { findNull } from "./bitmap.ts";
import { type Column, columnLayout } from "./column-batch.ts";
import { encodeColumnChunk, encodeLeafChunk } from "./parquet-chunk-encoder.ts";
import type { ChunkOptions, EncodedChunk } from "./parquet-chunk-writer.ts";
import { CODEC, MAGIC } from "./parquet-codes.ts";
import { encodeFieldElement, encodeRootElement } from "./parquet-column-type.ts";
import {
  type ColumnChunk,
  encodeFooter,
  type IndexPlace,
  type RowGroup,
} from "./parquet-footer.ts";
import { encodeFieldElements, type Leaf, leavesOf } from "./parquet-leaves.ts";
import { encodeColumnIndex, encodeOffsetIndex, type IndexedPage } from "./parquet-page-index.ts";
import { shortenRange } from "./parquet-short-bounds.ts";
import { type ShreddedLeaf, shredRows } from "./parquet-shredding.ts";
import {
  computeValueRange,
  EMPTY_RANGE,
  encodeStatistics,
  mergeValueRanges,
  type ValueRange,
} from "./parquet-statistics.ts";
import type {
  ByteSink,
  ColumnStatistics,
  ParquetCodec,
  ParquetFileSummary,
  ParquetWriter,
  ParquetWriterOptions,
} from "./parquet-writer.ts";
import { type ColumnType, type Field, formatFieldType, isNested } from "./schema.ts";
import {
  endOfRows,
  isStoredAs,
  releaseColumn,
  rowBytes,
  type StoredBatch,
  type StoredColumn,
  type StoredSlice,
} from "./stored-column.ts";

const CODECS: Readonly<Record<ParquetCodec, number>> = {
  uncompressed: CODEC.none,
  snappy: CODEC.snappy,
  gzip: CODEC.gzip,
  zstd: CODEC.zstd,
};

/** What the footer names as the writer; readers look at it for known faults of old writers. */
export const CREATED_BY = "hudi-lake version 0.1.0";

/** A writer of one Parquet file into `sink`. Nothing is loaded before the first row group is full. */
export async function openParquetWriter(
  sink: ByteSink,
  options: ParquetWriterOptions,
): Promise<ParquetWriter> {
  if (!Number.isSafeInteger(options.rowGroupRows) || options.rowGroupRows < 1) {
    throw new HudiError(
      "INVALID",
      `cannot write row groups of ${options.rowGroupRows} rows: expected a whole number from 1`,
    );
  }
  const writer = new RowGroupWriter(sink, options);
  await writer.begin();
  return writer;
}

class RowGroupWriter implements ParquetWriter {
  readonly #sink: ByteSink;
  readonly #options: ParquetWriterOptions;
  readonly #codec: number;
  readonly #pending: ColumnSlices;
  readonly #rowGroups: RowGroup[] = [];
  /** The pages of each chunk, until their index is written behind the row groups. */
  readonly #pages: Map<ColumnChunk, readonly IndexedPage[]> = new Map();
  readonly #ranges: ValueRange[];
  #position = 0;
  #rowCount = 0;

  constructor(sink: ByteSink, options: ParquetWriterOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#codec = CODECS[options.codec];
    this.#pending = new ColumnSlices(options.schema.fields.length);
    this.#ranges = options.schema.fields.map(() => EMPTY_RANGE);
  }

  async begin(): Promise<void> {
    await this.#emit(MAGIC.slice());
  }

  write(batch: StoredBatch, from = 0, to = batch.rowCount): Promise<void> {
    return this.#write(batch, from, to, false);
  }

  writeOwned(batch: StoredBatch): Promise<void> {
    return this.#write(batch, 0, batch.rowCount, true);
  }

  async #write(batch: StoredBatch, start: number, end: number, isOwned: boolean): Promise<void> {
    this.#requireWritable(batch, start, end);
    const { columns } = batch;
    const { rowGroupRows, rowGroupBytes = ROW_GROUP_BYTES } = this.#options;
    let from = start;
    while (from < end) {
      const pending = this.#pending;
      const most = Math.min(end, from + rowGroupRows - pending.rowCount);
      let to = endOfRows(columns, from, most, rowGroupBytes - pending.sizeBytes);
      if (to === from && pending.rowCount > 0) {
        await this.#flushRowGroup();
        continue;
      }
      to = Math.max(to, from + 1);
      pending.append(columns, from, to, isOwned && to === end);
      if (to < end || pending.rowCount === rowGroupRows) await this.#flushRowGroup();
      from = to;
    }
    this.#rowCount += end - start;
  }

  async endRowGroup(): Promise<void> {
    if (this.#pending.rowCount > 0) await this.#flushRowGroup();
  }

  async close(footer: ReadonlyMap<string, string>): Promise<ParquetFileSummary> {
    await this.endRowGroup();
    const { schema } = this.#options;
    const rowGroups = await this.#writePageIndex();
    const bytes = encodeFooter({
      elements: [encodeRootElement(schema), ...schema.fields.flatMap(encodeFieldElements)],
      rowCount: this.#rowCount,
      rowGroups,
      keyValues: footer,
      createdBy: CREATED_BY,
      hasColumnOrders: true,
    });
    await this.#emit(bytes);
    return {
      rowCount: this.#rowCount,
      sizeBytes: this.#position,
      splitOffsets: this.#rowGroups.map((group) => firstOffset(group)),
      columns: schema.fields.map((field, index) =>
        summarizeColumn(field, this.#ranges[index] as ValueRange),
      ),
    };
  }

  /** Bounds of all pages, then places of all pages, as other writers have them. */
  async #writePageIndex(): Promise<readonly RowGroup[]> {
    const place = async (bytes: Uint8Array | undefined): Promise<IndexPlace | undefined> => {
      if (!bytes) return undefined;
      const offset = this.#position;
      await this.#emit(bytes);
      return { offset, sizeBytes: bytes.length };
    };
    const pagesOf = (chunk: ColumnChunk): readonly IndexedPage[] => this.#pages.get(chunk) ?? [];
    const columnIndexes = new Map<ColumnChunk, IndexPlace | undefined>();
    const chunks = this.#rowGroups.flatMap((group) => group.columns);
    for (const chunk of chunks) {
      const index = encodeColumnIndex(pagesOf(chunk), chunk.physicalType);
      columnIndexes.set(chunk, await place(index));
    }
    const rowGroups: RowGroup[] = [];
    for (const { rowCount, columns } of this.#rowGroups) {
      const indexed: ColumnChunk[] = [];
      for (const chunk of columns) {
        const offsetIndex = await place(encodeOffsetIndex(pagesOf(chunk)));
        indexed.push({ ...chunk, offsetIndex, columnIndex: columnIndexes.get(chunk) });
      }
      rowGroups.push({ rowCount, columns: indexed });
    }
    return rowGroups;
  }

  async #flushRowGroup(): Promise<void> {
    const { rowCount } = this.#pending;
    const columns: ColumnChunk[] = [];
    for (const [index, field] of this.#options.schema.fields.entries()) {
      const slices = this.#pending.take(index);
      columns.push(...(await this.#writeColumn(field, index, slices)));
      for (const { column, isDone } of slices) if (isDone) releaseColumn(column);
    }
    this.#pending.clear();
    this.#rowGroups.push({ rowCount, columns });
  }

  async #writeColumn(
    field: Field,
    index: number,
    slices: readonly StoredSlice[],
  ): Promise<ColumnChunk[]> {
    if (isNested(field.type)) return this.#writeLeaves(field, slices);
    const options: ChunkOptions = { isNullable: field.nullable, codec: this.#codec };
    const chunk = encodeColumnChunk(slices, options, this.#options.pageBytes);
    const [leaf] = leavesOf(field) as [Leaf];
    const { meta, range } = await this.#writeChunk(leaf, chunk);
    this.#ranges[index] = mergeValueRanges(this.#ranges[index] as ValueRange, range);
    return [meta];
  }

  /** The chunks of a column with columns inside. */
  async #writeLeaves(field: Field, slices: readonly StoredSlice[]): Promise<ColumnChunk[]> {
    const shredded = slices.map(({ column, from, to }) =>
      shredRows(column as Column, field, from, to),
    );
    const metas: ColumnChunk[] = [];
    for (const [number, leaf] of leavesOf(field).entries()) {
      const parts = shredded.map((leaves) => leaves[number] as ShreddedLeaf);
      const chunk = encodeLeafChunk(parts, leaf, this.#codec, this.#options.pageBytes);
      metas.push((await this.#writeChunk(leaf, chunk)).meta);
    }
    return metas;
  }

  async #writeChunk(
    leaf: Leaf,
    chunk: EncodedChunk,
  ): Promise<{ readonly meta: ColumnChunk; readonly range: ValueRange }> {
    const { physicalType } = encodeFieldElement(leaf.field);
    const start = this.#position;
    const { pages, range } = indexPages(chunk, start, leaf.field.type, physicalType as number);
    const meta: ColumnChunk = {
      physicalType: physicalType as number,
      path: leaf.path,
      codec: chunk.codec,
      encodings: chunk.encodings,
      valueCount: chunk.pages.reduce((sum, page) => sum + page.valueCount, 0),
      uncompressedBytes: chunk.uncompressedBytes,
      compressedBytes: chunk.sizeBytes,
      dataPageOffset: start + chunk.dataPageOffset,
      dictionaryPageOffset:
        chunk.dictionaryPageOffset === undefined ? undefined : start + chunk.dictionaryPageOffset,
      statistics: encodeStatistics(range, physicalType as number),
    };
    for (const part of chunk.parts) await this.#emit(part);
    this.#pages.set(meta, pages);
    return { meta, range };
  }

  async #emit(bytes: Uint8Array): Promise<void> {
    this.#position += bytes.length;
    await this.#sink(bytes);
  }

  #requireWritable(batch: StoredBatch, from: number, to: number): void {
    const { fields } = this.#options.schema;
    if (batch.columns.length !== fields.length) {
      throw new HudiError(
        "INVALID",
        `cannot write batch of ${batch.columns.length} columns: expected ${fields.length}`,
      );
    }
    fields.forEach((field, index) => {
      const column = batch.columns[index] as StoredColumn;
      requireWritableColumn(field, column, batch.rowCount);
      requireValues(field, column, from, to);
    });
  }
}

const ROW_GROUP_BYTES = 64 * 1024 * 1024;

function requireWritableColumn(field: Field, column: StoredColumn, rowCount: number): void {
  if (!isStoredAs(column, field.type) || column.rowCount !== rowCount) {
    throw new HudiError(
      "INVALID",
      `cannot write column ${field.name} (${formatFieldType(field)}): found ${column.rowCount} rows of layout ${column.layout}, expected ${rowCount} of ${columnLayout(field.type)}`,
    );
  }
}

function requireValues(field: Field, column: StoredColumn, from: number, to: number): void {
  const row = field.nullable ? -1 : findNull(column.validity, from, to);
  if (row < 0) return;
  throw new HudiError(
    "INVALID",
    `cannot write column ${field.name} (${formatFieldType(field)}): found null in row ${row} of the batch, expected a value`,
  );
}

/** What an index says of the pages of a chunk that begins at `start` of its file, and their range. */
function indexPages(
  chunk: EncodedChunk,
  start: number,
  type: ColumnType,
  physicalType: number,
): { readonly pages: readonly IndexedPage[]; readonly range: ValueRange } {
  let firstRow = 0;
  let range = EMPTY_RANGE;
  const pages = chunk.pages.map(({ slices, present, ...page }): IndexedPage => {
    const { valueCount, rowCount, sizeBytes } = page;
    const own = { ...computeValueRange(slices, type), nullCount: valueCount - present };
    range = mergeValueRanges(range, own);
    const place = { offset: start + page.offset, sizeBytes, firstRow };
    firstRow += rowCount;
    // Whole bounds would be kept until the file ends, however long they are.
    return { ...place, rowCount, valueCount, range: shortenRange(own, physicalType) };
  });
  return { pages, range };
}

function firstOffset(group: RowGroup): number {
  const [chunk] = group.columns as readonly [ColumnChunk, ...ColumnChunk[]];
  return chunk.dictionaryPageOffset ?? chunk.dataPageOffset;
}

function summarizeColumn(field: Field, range: ValueRange): ColumnStatistics {
  const { nullCount, min, max } = range;
  const bounds = min === undefined || max === undefined ? undefined : { min, max };
  return { column: field.name, nullCount, ...bounds };
}

/** Rows that wait, and whether their column may be freed once they are encoded. */
interface PendingSlice extends StoredSlice {
  readonly isDone: boolean;
}

/** The rows that wait for their row group, column by column. */
class ColumnSlices {
  readonly #columns: PendingSlice[][];
  rowCount = 0;
  /** Bytes of the values, roughly. */
  sizeBytes = 0;

  constructor(columnCount: number) {
    this.#columns = Array.from({ length: columnCount }, () => []);
  }

  /** `isDone`: the columns are not used after these rows. */
  append(columns: readonly StoredColumn[], from: number, to: number, isDone: boolean): void {
    columns.forEach((column, index) => {
      this.#columns[index]?.push({ column, from, to, isDone });
    });
    this.rowCount += to - from;
    this.sizeBytes += rowBytes(columns, from, to);
  }

  /** The slices of a column, which are let go here. */
  take(index: number): readonly PendingSlice[] {
    const slices = this.#columns[index] as PendingSlice[];
    this.#columns[index] = [];
    return slices;
  }

  clear(): void {
    this.rowCount = 0;
    this.sizeBytes = 0;
  }
}
