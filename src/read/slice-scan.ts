// Reads file slices as column batches: projection, row-group skipping, row filter. Lazy, one row
// group at a time. Rules: spec/format/predicates.md, PR-6.
import { HudiError, isHudiError } from "../errors.ts";
import { BATCH_ROWS, openBaseFile } from "../file-group/base-file.ts";
import type { FileSlice } from "../file-group/file-slice.ts";
import {
  type BytesColumn,
  type ColumnBatch,
  requireBytesColumn,
  selectColumns,
  storedColumn,
} from "../format/column-batch.ts";
import { gatherBatch } from "../format/column-gather.ts";
import { KeyTable } from "../format/key-table.ts";
import type { ParquetFileReader } from "../format/parquet-reader.ts";
import { type Field, projectSchema, requireField, type TableSchema } from "../format/schema.ts";
import { addMetaFields, META_FIELDS } from "../layout/record-key.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import type { Storage } from "../storage/storage.ts";
import type { BoundPredicate, BoundsOf, ColumnBounds } from "./predicate.ts";

/** What to read of each slice. */
export interface SliceScanOptions {
  /** Columns of the table as of the read, without meta columns. */
  readonly schema: TableSchema;
  /** Columns to return, meta columns among them if asked for, in order. */
  readonly columns: readonly string[];
  readonly predicate?: BoundPredicate | undefined;
  /** Only rows that one of these instants wrote. */
  readonly instants?: ReadonlySet<string> | undefined;
  readonly signal?: AbortSignal | undefined;
}

const COMMIT_TIME = META_FIELDS[0] as string;

/** The batches of the slices, in order; none is empty. */
export async function* scanSlices(
  storage: Storage,
  slices: Iterable<FileSlice>,
  options: SliceScanOptions,
): AsyncGenerator<ColumnBatch> {
  for (const slice of slices) yield* scanSlice(storage, slice, options);
}

async function* scanSlice(
  storage: Storage,
  slice: FileSlice,
  options: SliceScanOptions,
): AsyncGenerator<ColumnBatch> {
  const { signal } = options;
  try {
    const reader = await openBaseFile(storage, slice.baseFile, { signal });
    for (let group = 0; group < reader.rowGroups.length; group += 1) {
      signal?.throwIfAborted();
      if (!mayHoldRows(reader, group, options)) continue;
      for await (const batch of readRowGroup(reader, group, options)) {
        if (batch.rowCount > 0) yield batch;
        await yieldToHost(signal);
      }
    }
  } catch (error) {
    if (!isHudiError(error, "NOT_FOUND")) throw error;
    throw new HudiError(
      "EXPIRED",
      `cannot read ${slice.baseFile.path}: it was cleaned or rolled back since the read began; read again from a newer snapshot`,
      { path: slice.baseFile.path, cause: error },
    );
  }
}

/** Whether the footer lets expect rows of a row group in the result. */
function mayHoldRows(reader: ParquetFileReader, group: number, options: SliceScanOptions): boolean {
  const { predicate, instants, schema } = options;
  const bounds: BoundsOf = (column) => chunkBounds(reader, group, fieldOf(schema, column));
  if (predicate && !predicate.mayMatch(bounds)) return false;
  const times = instants && bounds(COMMIT_TIME);
  if (!times) return true;
  if (times.extremes?.layout !== "bytes") return false;
  const { data, offsets } = times.extremes;
  const text = (row: number): string =>
    Buffer.from(data.subarray(offsets[row], offsets[row + 1])).toString("latin1");
  const [least, greatest] = [text(0), text(1)];
  return [...instants].some((instant) => instant >= least && instant <= greatest);
}

/** The bounds of a column in a row group, as two rows; undefined where the footer tells nothing. */
function chunkBounds(
  reader: ParquetFileReader,
  group: number,
  field: Field,
): ColumnBounds | undefined {
  const { rowCount, nullCount, min, max } = reader.rowGroupStatistics(group, field);
  const mayHoldNulls = nullCount !== 0;
  if (nullCount === rowCount) return { extremes: undefined, mayHoldNulls };
  if (min === undefined || max === undefined) return undefined;
  // Bounds of real numbers leave NaN out, which is greater than any of them.
  const { kind } = field.type;
  const greatest = kind === "float" || kind === "double" ? Number.NaN : max;
  return { extremes: storedColumn(field.type, [min, greatest]), mayHoldNulls };
}

/** A field of the table or a meta field, by name. */
export function fieldOf(schema: TableSchema, name: string): Field {
  return requireField(name.startsWith("_hoodie_") ? addMetaFields(schema) : schema, name);
}

/** Reads the columns that decide first, and the others only where a row is left. */
async function* readRowGroup(
  reader: ParquetFileReader,
  group: number,
  options: SliceScanOptions,
): AsyncGenerator<ColumnBatch> {
  const { schema, columns, predicate, instants, signal } = options;
  const read = { signal, batchRows: BATCH_ROWS };
  const wanted = columns.map((name) => fieldOf(schema, name));
  const names = new Set([...(predicate?.columns ?? []), ...(instants ? [COMMIT_TIME] : [])]);
  if (names.size === 0) {
    yield* reader.readBatches(group, wanted, read);
    return;
  }
  const deciding = [...names].map((name) => fieldOf(schema, name));
  const missing = wanted.filter((field) => !names.has(field.name));
  let others: AsyncGenerator<ColumnBatch> | undefined;
  let skipped = 0;
  for await (const first of reader.readBatches(group, deciding, read)) {
    const rows = selectRows(first, options);
    if (rows.length === 0) {
      skipped += 1;
      continue;
    }
    others ??= reader.readBatches(group, missing, read);
    // Batches of both reads have the same rows; those of skipped ones are passed over.
    for (; skipped > 0; skipped -= 1) await others.next();
    const second = (await others.next()).value as ColumnBatch;
    yield selectBatch(schema, first, second, wanted, rows);
  }
}

function selectBatch(
  schema: TableSchema,
  first: ColumnBatch,
  second: ColumnBatch,
  wanted: readonly Field[],
  rows: Int32Array,
): ColumnBatch {
  const all: ColumnBatch = {
    schema: { name: schema.name, fields: [...first.schema.fields, ...second.schema.fields] },
    rowCount: first.rowCount,
    columns: [...first.columns, ...second.columns],
  };
  const projected = selectColumns(all, wanted);
  return rows.length === all.rowCount ? projected : gatherBatch(projected, rows);
}

function selectRows(batch: ColumnBatch, options: SliceScanOptions): Int32Array {
  const { predicate, instants } = options;
  const selected = predicate?.select(batch);
  if (!instants) return selected ?? new Int32Array(0);
  const isWanted = createInstantTest(requireBytesColumn(batch, COMMIT_TIME), instants);
  const rows = selected ?? Int32Array.from({ length: batch.rowCount }, (_, row) => row);
  return rows.filter(isWanted);
}

function createInstantTest(
  column: BytesColumn,
  instants: ReadonlySet<string>,
): (row: number) => boolean {
  const table = new KeyTable(instants.size, instants.size * 20);
  for (const instant of instants) {
    const bytes = Buffer.from(instant, "latin1");
    table.add(0, bytes, 0, bytes.length);
  }
  const { data, offsets } = column;
  return (row) => table.find(0, data, offsets[row] as number, offsets[row + 1] as number) >= 0;
}

/** The schema of what a scan returns. */
export function scanSchema(schema: TableSchema, columns: readonly string[]): TableSchema {
  return projectSchema(addMetaFields(schema), columns);
}
