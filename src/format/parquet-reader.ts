// Reads a Parquet file into column batches: footer, projection, row groups and their statistics. A
// column that is not asked for is neither fetched nor decoded.
// Rules: spec/format/parquet.md, PQ-1 to PQ-7.

import { HudiError } from "../errors.ts";
import type { ColumnBatch } from "./column-batch.ts";
import { type ChunkStatistics, decodeChunkStatistics } from "./parquet-bounds.ts";
import { CODEC } from "./parquet-codes.ts";
import { type ColumnPlan, type ColumnReader, openColumn } from "./parquet-column-reader.ts";
import { formatElement } from "./parquet-column-type.ts";
import { type FileColumn, findFileColumns } from "./parquet-file-tree.ts";
import {
  type ColumnChunk,
  chunkRange,
  corruptParquet,
  decodeFooter,
  decodeFooterLength,
  type ParquetFooter,
  type RowGroup,
  TRAILER_BYTES,
} from "./parquet-footer.ts";
import { planNested, plannedLeaves } from "./parquet-nested-reader.ts";
import { type FileRange, type ParquetSource, RangeReader } from "./parquet-source.ts";
import { type Field, formatFieldType, formatType, type TableSchema } from "./schema.ts";
import type { StoredBatch } from "./stored-column.ts";

/** How a file is opened. */
export interface OpenParquetOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes of the end that are read at first. A footer that is longer takes a second read. */
  readonly tailBytes?: number;
  /**
   * A file of at most this size is fetched whole by the first read, and no other follows. Meant
   * for files of which every column is read. Default 0: only what is asked for is fetched.
   */
  readonly wholeFileBytes?: number;
}

/** How rows are read. */
export interface ReadRowsOptions {
  readonly batchRows: number;
  readonly signal?: AbortSignal | undefined;
}

/** A row group of an open file. */
export interface RowGroupInfo {
  readonly rowCount: number;
  /** The number of rows in the row groups before it. */
  readonly firstRow: number;
  /** Where it begins in the file. */
  readonly startOffset: number;
  readonly compressedBytes: number;
}

/** Enough for the footer of a base file with Hudi's bloom filter, which takes 431,380 bytes. */
const TAIL_BYTES: number = 512 * 1024;

/**
 * Opens a file: reads its footer, by one ranged read in most cases. Throws `CORRUPT` naming the file
 * when it is truncated or no Parquet file. Nothing needs to be closed.
 */
export async function openParquetFile(
  source: ParquetSource,
  options: OpenParquetOptions = {},
): Promise<ParquetFileReader> {
  const { signal } = options;
  const { path, sizeBytes } = source;
  const isWhole = sizeBytes <= (options.wholeFileBytes ?? 0);
  const tailBytes = Math.max(options.tailBytes ?? TAIL_BYTES, TRAILER_BYTES);
  const ranges = new RangeReader(source);
  const start = isWhole ? 0 : Math.max(0, sizeBytes - tailBytes);
  const tail = await ranges.readAhead({ start, end: sizeBytes }, signal);
  const footerBytes = decodeFooterLength(tail.subarray(-TRAILER_BYTES), sizeBytes, path);
  const end = sizeBytes - TRAILER_BYTES;
  const [bytes] = await ranges.readAll([{ start: end - footerBytes, end }], signal);
  const footer = decodeFooter(bytes as Uint8Array, sizeBytes, path);
  const columns = findFileColumns(footer);
  if (!columns) throw corruptParquet(path, "its footer is damaged (the schema is no tree)");
  return new ParquetFileReader(source, ranges, footer, columns);
}

/** An open file. It holds no resources but memory. */
export class ParquetFileReader {
  readonly path: string;
  readonly sizeBytes: number;
  readonly rowCount: number;
  /** The entries that the writer left in the footer. */
  readonly keyValues: ReadonlyMap<string, string>;
  readonly createdBy: string | undefined;
  /** The columns of types that this library handles, meta columns included; ids count them. */
  readonly schema: TableSchema;
  readonly rowGroups: readonly RowGroupInfo[];
  readonly #ranges: RangeReader;
  readonly #footer: ParquetFooter;
  readonly #columns: ReadonlyMap<string, FileColumn>;

  constructor(
    source: ParquetSource,
    ranges: RangeReader,
    footer: ParquetFooter,
    columns: readonly FileColumn[],
  ) {
    this.path = source.path;
    this.sizeBytes = source.sizeBytes;
    this.rowCount = footer.rowCount;
    this.keyValues = footer.keyValues;
    this.createdBy = footer.createdBy;
    this.schema = describeSchema(footer, columns);
    this.rowGroups = describeRowGroups(footer);
    this.#ranges = ranges;
    this.#footer = footer;
    this.#columns = new Map(columns.map((column) => [column.name, column]));
  }

  /** The columns of the file in order, with the text of their type, handled or not. */
  describeColumns(): ReadonlyMap<string, string> {
    return new Map([...this.#columns].map(([name, { element }]) => [name, formatElement(element)]));
  }

  /** Where the chunk of a column lies, or undefined if the file has no such column. */
  findChunkRange(rowGroup: number, column: string): FileRange | undefined {
    const chunk = this.#findChunk(this.#requireRowGroup(rowGroup), column);
    return chunk && chunkRange(chunk);
  }

  /**
   * What the footer knows of the values of a column in a row group. Bounds are in the type of
   * `field`; for a column that the file lacks, all rows are null.
   */
  rowGroupStatistics(rowGroup: number, field: Field): ChunkStatistics {
    const group = this.#requireRowGroup(rowGroup);
    const source = this.#columns.get(field.name);
    if (!source) return { rowCount: group.rowCount, nullCount: group.rowCount };
    const chunk = this.#findChunk(group, field.name);
    if (!chunk) return { rowCount: group.rowCount };
    return decodeChunkStatistics(chunk, source, field, this.#footer.hasColumnOrders);
  }

  /**
   * The rows of a row group, with these columns in this order, in batches of at most `batchRows` rows.
   * A column that the file lacks is null. Throws `CORRUPT` naming file, row group and column when the
   * bytes are damaged or the file has another type, and `UNSUPPORTED` for a type or codec that this
   * library does not handle.
   */
  readBatches(
    rowGroup: number,
    fields: readonly Field[],
    options: ReadRowsOptions,
  ): AsyncGenerator<ColumnBatch, void, undefined> {
    return this.#decode(rowGroup, fields, options, (reader, from, to) => reader.read(from, to));
  }

  /** `readBatches` for a writer: columns have the form in which they are stored. */
  readStoredBatches(
    rowGroup: number,
    fields: readonly Field[],
    options: ReadRowsOptions,
  ): AsyncGenerator<StoredBatch, void, undefined> {
    return this.#decode(rowGroup, fields, options, (reader, from, to) =>
      reader.readStored(from, to),
    );
  }

  async *#decode<C>(
    rowGroup: number,
    fields: readonly Field[],
    { signal, batchRows }: ReadRowsOptions,
    read: (reader: ColumnReader, from: number, to: number) => C,
  ): AsyncGenerator<DecodedRows<C>, void, undefined> {
    const { rowCount } = this.#requireRowGroup(rowGroup);
    const readers = await this.#openColumns(rowGroup, fields, signal);
    const schema = { name: this.schema.name, fields };
    const step = Math.max(1, batchRows);
    for (let from = 0; from < rowCount; from += step) {
      const to = Math.min(rowCount, from + step);
      const columns = readers.map((reader) => {
        signal?.throwIfAborted();
        return read(reader, from, to);
      });
      yield { schema, rowCount: to - from, columns };
    }
  }

  #requireRowGroup(index: number): RowGroup {
    const group = this.#footer.rowGroups[index];
    if (group) return group;
    throw new RangeError(
      `${this.path} has ${this.rowGroups.length} row groups, not number ${index}`,
    );
  }

  #findChunk(group: RowGroup, column: string): ColumnChunk | undefined {
    const leafIndex = this.#columns.get(column)?.node.leafIndex;
    return leafIndex === undefined ? undefined : group.columns[leafIndex];
  }

  async #openColumns(
    rowGroup: number,
    fields: readonly Field[],
    signal: AbortSignal | undefined,
  ): Promise<readonly ColumnReader[]> {
    signal?.throwIfAborted();
    const group = this.#requireRowGroup(rowGroup);
    const plans = fields.map((field) => this.#planColumn(rowGroup, group, field));
    const chunks = [...new Set(plans.flatMap((plan) => [...plan.chunks.values()]))];
    const parts = await this.#ranges.readAll(chunks.map(chunkRange), signal);
    const bytes = new Map(chunks.map((chunk, index) => [chunk, parts[index] as Uint8Array]));
    return plans.map((plan) => openColumn(this.path, plan, bytes));
  }

  #planColumn(rowGroup: number, group: RowGroup, field: Field): ColumnPlan {
    const { rowCount } = group;
    const where = `column ${field.name} of row group ${rowGroup}`;
    const source = this.#columns.get(field.name);
    if (!source) {
      if (field.nullable) return { field, rowCount, where, chunks: new Map() };
      throw corruptParquet(this.path, `it has no column ${field.name}, which may not be null`);
    }
    const found = formatElement(source.element);
    const nested = planNested(field, source.node);
    if (typeof nested === "string") {
      if (source.type !== undefined) {
        throw corruptParquet(
          this.path,
          `column ${field.name} is ${formatType(source.type)}, stored as ${found}, expected ${formatFieldType(field)}`,
        );
      }
      throw new HudiError(
        "UNSUPPORTED",
        `cannot read column ${field.name} of Parquet file ${this.path}: found ${found}, expected ${formatFieldType(field)}; leave the column out`,
        { path: this.path },
      );
    }
    const chunks = new Map<number, ColumnChunk>();
    for (const [index, leaf] of plannedLeaves(nested)) {
      const chunk = group.columns[index] as ColumnChunk;
      const isFlat = leaf.repetition === 0;
      if (
        chunk.physicalType !== leaf.element.physicalType ||
        (isFlat && chunk.valueCount !== rowCount)
      ) {
        throw corruptParquet(this.path, `${where} disagrees with the schema`);
      }
      if (!READ_CODECS.has(chunk.codec)) {
        throw new HudiError(
          "UNSUPPORTED",
          `cannot read column ${field.name} of Parquet file ${this.path}: found compression codec ${chunk.codec}, expected none, snappy, gzip or zstd`,
          { path: this.path },
        );
      }
      chunks.set(index, chunk);
    }
    return { field, rowCount, where, chunks, nested };
  }
}

const READ_CODECS: ReadonlySet<number> = new Set(Object.values(CODEC));

/** Rows of which the columns have one of the two forms. */
interface DecodedRows<C> {
  readonly schema: TableSchema;
  readonly rowCount: number;
  readonly columns: readonly C[];
}

function describeSchema(footer: ParquetFooter, columns: readonly FileColumn[]): TableSchema {
  const fields = columns
    .filter((column) => column.type !== undefined)
    .map(({ name, type, isNullable }, id): Field => {
      return { id, name, type: type as Field["type"], nullable: isNullable };
    });
  return { name: footer.elements[0]?.name ?? "schema", fields };
}

function describeRowGroups(footer: ParquetFooter): readonly RowGroupInfo[] {
  let firstRow = 0;
  return footer.rowGroups.map((group) => {
    const ranges = group.columns.map(chunkRange);
    const info: RowGroupInfo = {
      rowCount: group.rowCount,
      firstRow,
      startOffset: ranges.reduce(
        (least, range) => Math.min(least, range.start),
        Number.MAX_SAFE_INTEGER,
      ),
      compressedBytes: ranges.reduce((sum, range) => sum + range.end - range.start, 0),
    };
    firstRow += group.rowCount;
    return info;
  });
}
