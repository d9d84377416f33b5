// Writes a Parquet file from column batches: collects rows to whole row groups, encodes them column
// by column into the sink, and ends with a footer of our own. Rules: spec/format/parquet.md, PQ-8.
import { HudiError } from "../errors.ts";
import { columnLayout } from "./column-batch.ts";
import {
  type ChunkOptions,
  type EncodedChunk,
  encodeColumnChunk,
} from "./parquet-chunk-encoder.ts";
import { CODEC, MAGIC } from "./parquet-codes.ts";
import { encodeFieldElement, encodeRootElement } from "./parquet-column-type.ts";
import {
  type ColumnChunk,
  encodeFooter,
  type IndexPlace,
  type RowGroup,
} from "./parquet-footer.ts";
import { encodeColumnIndex, encodeOffsetIndex, type IndexedPage } from "./parquet-page-index.ts";
import { encodeRepeatedChunk, findRepeatedBytes } from "./parquet-repeated-chunk.ts";
import {
  computeValueRange,
  countNullRows,
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
import { type Field, formatFieldType } from "./schema.ts";
import {
  isStoredAs,
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

  async write(batch: StoredBatch): Promise<void> {
    this.#requireWritable(batch);
    const { rowGroupRows } = this.#options;
    const perRow = meanRowBytes(batch);
    let from = 0;
    while (from < batch.rowCount) {
      const fitting = Math.max(1, Math.floor((MAX_GROUP_BYTES - this.#pending.sizeBytes) / perRow));
      const room = Math.min(rowGroupRows - this.#pending.rowCount, fitting);
      const to = Math.min(batch.rowCount, from + room);
      this.#pending.append(batch.columns, from, to, (to - from) * perRow);
      const isFull = this.#pending.sizeBytes >= MAX_GROUP_BYTES;
      if (isFull || this.#pending.rowCount === rowGroupRows) await this.#flushRowGroup();
      from = to;
    }
    this.#rowCount += batch.rowCount;
  }

  async close(footer: ReadonlyMap<string, string>): Promise<ParquetFileSummary> {
    if (this.#pending.rowCount > 0) await this.#flushRowGroup();
    const { schema } = this.#options;
    const rowGroups = await this.#writePageIndex();
    const bytes = encodeFooter({
      elements: [encodeRootElement(schema), ...schema.fields.map(encodeFieldElement)],
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
      columns.push(await this.#writeColumn(field, index, this.#pending.take(index), rowCount));
    }
    this.#pending.clear();
    this.#rowGroups.push({ rowCount, columns });
  }

  async #writeColumn(
    field: Field,
    index: number,
    slices: readonly StoredSlice[],
    rowCount: number,
  ): Promise<ColumnChunk> {
    const { physicalType } = encodeFieldElement(field);
    const options: ChunkOptions = {
      isNullable: field.nullable,
      codec: this.#codec,
      triesDictionary: true,
    };
    const repeated = findRepeatedBytes(slices);
    const chunk = repeated
      ? encodeRepeatedChunk(repeated, slices, options)
      : encodeColumnChunk(slices, options);
    const start = this.#position;
    const pages = indexPages(chunk, start, repeated);
    const range = pages.map((page) => page.range).reduce(mergeValueRanges, EMPTY_RANGE);
    this.#ranges[index] = mergeValueRanges(this.#ranges[index] as ValueRange, range);
    const meta: ColumnChunk = {
      physicalType: physicalType as number,
      path: [field.name],
      codec: chunk.codec,
      encodings: chunk.encodings,
      valueCount: rowCount,
      uncompressedBytes: chunk.uncompressedBytes,
      compressedBytes: chunk.sizeBytes,
      dataPageOffset: start + chunk.dataPageOffset,
      dictionaryPageOffset:
        chunk.dictionaryPageOffset === undefined ? undefined : start + chunk.dictionaryPageOffset,
      statistics: encodeStatistics(range, physicalType as number),
    };
    for (const part of chunk.parts) await this.#emit(part);
    this.#pages.set(meta, pages);
    return meta;
  }

  async #emit(bytes: Uint8Array): Promise<void> {
    this.#position += bytes.length;
    await this.#sink(bytes);
  }

  #requireWritable(batch: StoredBatch): void {
    const { fields } = this.#options.schema;
    if (batch.columns.length !== fields.length) {
      throw new HudiError(
        "INVALID",
        `cannot write batch of ${batch.columns.length} columns: expected ${fields.length}`,
      );
    }
    fields.forEach((field, index) => {
      requireWritableColumn(field, batch.columns[index] as StoredColumn, batch.rowCount);
    });
  }
}

/** Bytes of values in a row group at most, or those of a single larger row. */
const MAX_GROUP_BYTES = 256 * 1024 * 1024;

/** Bytes of the values of a row on average, once they are taken out of their dictionaries. */
function meanRowBytes({ columns, rowCount }: StoredBatch): number {
  const bytes = columns.reduce((sum, column) => {
    const values = column.layout === "dictionary" ? column.entries : column;
    const size = "data" in values ? values.data.length : values.values.byteLength;
    return sum + (size / Math.max(1, values.rowCount)) * rowCount;
  }, 0);
  return Math.max(1, bytes / Math.max(1, rowCount));
}

function requireWritableColumn(field: Field, column: StoredColumn, rowCount: number): void {
  if (!isStoredAs(column, field.type) || column.rowCount !== rowCount) {
    throw new HudiError(
      "INVALID",
      `cannot write column ${field.name} (${formatFieldType(field)}): found ${column.rowCount} rows of layout ${column.layout}, expected ${rowCount} of ${columnLayout(field.type)}`,
    );
  }
  if (field.nullable || countNullRows({ column, from: 0, to: rowCount }) === 0) return;
  let row = 0;
  while (((column.validity as Uint8Array)[row >> 3] as number) & (1 << (row & 7))) row += 1;
  throw new HudiError(
    "INVALID",
    `cannot write column ${field.name} (${formatFieldType(field)}): found null in row ${row} of the batch, expected a value`,
  );
}

/** What an index says of the pages of a chunk that begins at `start` of its file. */
function indexPages(
  chunk: EncodedChunk,
  start: number,
  repeated: Uint8Array | undefined,
): IndexedPage[] {
  let firstRow = 0;
  return chunk.pages.map(({ offset, sizeBytes, rowCount, slices }) => {
    const range = repeated ? rangeOfValue(repeated) : computeValueRange(slices);
    const page = { offset: start + offset, sizeBytes, firstRow, rowCount, range };
    firstRow += rowCount;
    return page;
  });
}

function rangeOfValue(value: Uint8Array): ValueRange {
  const own = value.slice();
  return { nullCount: 0, isUnordered: false, min: own, max: own };
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

/** The rows that wait for their row group, column by column. */
class ColumnSlices {
  readonly #columns: StoredSlice[][];
  rowCount = 0;
  /** Bytes of the values, by the mean of their batches. */
  sizeBytes = 0;

  constructor(columnCount: number) {
    this.#columns = Array.from({ length: columnCount }, () => []);
  }

  append(columns: readonly StoredColumn[], from: number, to: number, sizeBytes: number): void {
    columns.forEach((column, index) => {
      this.#columns[index]?.push({ column, from, to });
    });
    this.rowCount += to - from;
    this.sizeBytes += sizeBytes;
  }

  /** The slices of a column, which are let go here. */
  take(index: number): readonly StoredSlice[] {
    const slices = this.#columns[index] as StoredSlice[];
    this.#columns[index] = [];
    return slices;
  }

  clear(): void {
    this.rowCount = 0;
    this.sizeBytes = 0;
  }
}
