// Reads file slices as column batches: projection, row-group skipping, row filter, logs merged in. Lazy,
// one row group or log block at a time. Rules: spec/format/predicates.md, PR-6.
import { HudiError, isHudiError } from "../errors.ts";
import { batchRowsOf, openBaseFile } from "../file-group/base-file.ts";
import type { BaseFileMergePlan, RowsPlan } from "../file-group/base-file-merge.ts";
import type { FileSlice } from "../file-group/file-slice.ts";
import type { LogMergeRules } from "../file-group/log-merge.ts";
import { openMergedSlice } from "../file-group/slice-merge.ts";
import type { VisibleInstants } from "../file-group/visible-instants.ts";
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
import { releaseColumn, type StoredBatch, takeColumn, toColumn } from "../format/stored-column.ts";
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
  /** How logs are read; slices with logs cannot be read without it. */
  readonly logs?: LogReading | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What reading the logs of a slice asks for besides the slice. */
export interface LogReading {
  readonly visible: VisibleInstants;
  readonly rules: LogMergeRules;
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
  const { baseFile, logFiles } = slice;
  try {
    if (logFiles.length > 0) {
      yield* scanMergedSlice(storage, slice, options);
    } else if (baseFile) {
      yield* scanBaseFile(await openBaseFile(storage, baseFile, { signal }), undefined, options);
    }
  } catch (error) {
    if (!isHudiError(error, "NOT_FOUND")) throw error;
    const path = error.path ?? baseFile?.path ?? "";
    throw new HudiError(
      "EXPIRED",
      `cannot read ${path}: it was cleaned or rolled back since the read began; read again from a newer snapshot`,
      { path, cause: error },
    );
  }
}

/** The rows of a base file; of those that a plan touches, the ones that stay. */
async function* scanBaseFile(
  reader: ParquetFileReader,
  plan: BaseFileMergePlan | undefined,
  options: SliceScanOptions,
): AsyncGenerator<ColumnBatch> {
  const { signal } = options;
  for (let group = 0; group < reader.rowGroups.length; group += 1) {
    signal?.throwIfAborted();
    if (!mayHoldRows(reader, group, options)) continue;
    const plans = plan?.rowGroups[group];
    for await (const batch of readRowGroup(reader, group, plans, options)) {
      if (batch.rowCount > 0) yield batch;
      await yieldToHost(signal);
    }
  }
}

/** The rows of the base file that no log touches, then those of the logs. */
async function* scanMergedSlice(
  storage: Storage,
  { baseFile, logFiles }: FileSlice,
  options: SliceScanOptions,
): AsyncGenerator<ColumnBatch> {
  const { schema, columns, logs, signal } = options;
  if (!logs) throw new Error("a slice with logs is read without the rules to merge them");
  const wanted = columns.map((name) => fieldOf(schema, name));
  const names = new Set([...columns, ...decidingColumns(options)]);
  const rows = { name: schema.name, fields: [...names].map((name) => fieldOf(schema, name)) };
  const source = { base: baseFile, logFiles, ...logs };
  const merged = await openMergedSlice(storage, source, { signal, logRows: rows });
  if (merged.base) yield* scanBaseFile(merged.base.reader, merged.base.plan, options);
  for await (const { batch } of merged.readLogRows(rows, signal)) {
    const selected = selectRows(batch, options);
    if (selected?.length === 0) continue;
    const projected = selectColumns(batch, wanted);
    yield selected ? gatherBatch(projected, selected) : projected;
    await yieldToHost(signal);
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

/** Columns that tell which rows are in the result. */
function decidingColumns({ predicate, instants }: SliceScanOptions): Set<string> {
  return new Set([...(predicate?.columns ?? []), ...(instants ? [COMMIT_TIME] : [])]);
}

/** Reads the columns that decide first, and the others only where a row is left. */
async function* readRowGroup(
  reader: ParquetFileReader,
  group: number,
  plans: readonly RowsPlan[] | undefined,
  options: SliceScanOptions,
): AsyncGenerator<ColumnBatch> {
  const { schema, columns, signal } = options;
  const read = { signal, batchRows: batchRowsOf(reader) };
  const wanted = columns.map((name) => fieldOf(schema, name));
  const names = decidingColumns(options);
  let number = 0;
  if (names.size === 0) {
    if (!plans || plans.every((plan) => plan === "kept")) {
      yield* reader.readBatches(group, wanted, read);
      return;
    }
    for await (const batch of reader.readStoredBatches(group, wanted, read)) {
      yield takeBatch(batch, stayingRows(plans[number]));
      number += 1;
    }
    return;
  }
  const deciding = [...names].map((name) => fieldOf(schema, name));
  const missing = wanted.filter((field) => !names.has(field.name));
  let others: AsyncGenerator<ColumnBatch> | undefined;
  let skipped = 0;
  for await (const first of reader.readBatches(group, deciding, read)) {
    const stayed = stayingRows(plans?.[number]);
    number += 1;
    const rows = intersect(selectRows(first, options), stayed);
    if (rows?.length === 0) {
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

/** The rows of a run that no log replaces or deletes; undefined for all of them. */
function stayingRows(plan: RowsPlan | undefined): Int32Array | undefined {
  if (plan === undefined || plan === "kept") return undefined;
  const rows = new Int32Array(plan.length);
  let count = 0;
  for (let at = 0; at < plan.length; at += 1) {
    const pick = plan[at] as number;
    if (pick < 0) continue;
    rows[count] = pick;
    count += 1;
  }
  return rows.subarray(0, count);
}

/** Some rows of a batch, or all of them, in the form of batches. */
function takeBatch(
  { schema, columns, rowCount }: StoredBatch,
  rows: Int32Array | undefined,
): ColumnBatch {
  const taken = columns.map((column) => {
    if (!rows) return toColumn(column);
    const some = takeColumn(column, rows);
    releaseColumn(column);
    return some;
  });
  return { schema, rowCount: rows?.length ?? rowCount, columns: taken };
}

/** The rows that are in both lists, each ascending; undefined stands for all rows. */
function intersect(a: Int32Array | undefined, b: Int32Array | undefined): Int32Array | undefined {
  if (!a || !b) return a ?? b;
  let next = 0;
  return a.filter((row) => {
    while (next < b.length && (b[next] as number) < row) next += 1;
    return b[next] === row;
  });
}

function selectBatch(
  schema: TableSchema,
  first: ColumnBatch,
  second: ColumnBatch,
  wanted: readonly Field[],
  rows: Int32Array | undefined,
): ColumnBatch {
  const all: ColumnBatch = {
    schema: { name: schema.name, fields: [...first.schema.fields, ...second.schema.fields] },
    rowCount: first.rowCount,
    columns: [...first.columns, ...second.columns],
  };
  const projected = selectColumns(all, wanted);
  return !rows || rows.length === all.rowCount ? projected : gatherBatch(projected, rows);
}

/** The rows that pass filter and range, ascending; undefined where nothing is asked of them. */
function selectRows(batch: ColumnBatch, options: SliceScanOptions): Int32Array | undefined {
  const { predicate, instants } = options;
  const selected = predicate?.select(batch);
  if (!instants) return selected;
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
