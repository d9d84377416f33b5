// Writes the rows of several base files of a partition into one new file group, sorted where columns are
// named. Rules: spec/protocol/clustering.md CL-5 and CL-6.
import { HudiError } from "../errors.ts";
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  isPresent,
  requireColumn,
} from "../format/column-batch.ts";
import { concatBatchSteps } from "../format/column-concat.ts";
import { gatherBatchSteps } from "../format/column-gather.ts";
import { type Field, isNested, requireField, type TableSchema } from "../format/schema.ts";
import { type StoredColumn, toColumn } from "../format/stored-column.ts";
import { addMetaFields } from "../layout/record-key.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import { runInTurns } from "../runtime/steps.ts";
import type { Storage } from "../storage/storage.ts";
import { type BaseFileRef, batchRowsOf, openBaseFile } from "./base-file.ts";
import {
  describeOutput,
  KEY_COLUMN,
  type OutputFile,
  openOutput,
  type WriteTarget,
  type WrittenFile,
} from "./base-file-writer.ts";
import { createKeyIndex, type KeyIndex } from "./key-index.ts";
import { FILE_NAME_COLUMN } from "./meta-columns.ts";
import { createOrderingComparator } from "./record-merger.ts";

/** Puts base files of a partition together: plain data. */
export interface ClusterTask extends WriteTarget {
  readonly kind: "cluster";
  /** Of the new file group. */
  readonly fileId: string;
  readonly inputs: readonly BaseFileRef[];
  /** Columns of the table, without meta columns. */
  readonly schema: TableSchema;
  /** Columns by which rows are sorted, ascending, nulls first; none leaves them as they are. */
  readonly sortBy: readonly string[];
}

/** Rows that are gathered and written at a time. */
const ROWS_AT_ONCE = 65_536;

/**
 * Carries a clustering of one group out. Rows keep their meta columns, but for the file name. Sorted
 * rows are all held at once, others a batch at a time.
 */
export async function clusterBaseFiles(
  storage: Storage,
  task: ClusterTask,
  signal?: AbortSignal,
): Promise<WrittenFile> {
  const { fileId, settings, sortBy } = task;
  const schema = addMetaFields(task.schema);
  const file = await openOutput(storage, task, fileId, schema, signal, "CREATE");
  try {
    const index = createKeyIndex(settings.bloom);
    if (sortBy.length === 0) await copyRows(storage, task, file, index, signal);
    else await writeSorted(await readAll(storage, task, signal), task, file, index, signal);
    const summary = await file.close(index);
    return {
      ...describeOutput(task, fileId, file.path, summary),
      previousInstant: undefined,
      insertCount: summary.rowCount,
      updateCount: 0,
      deleteCount: 0,
    };
  } catch (error) {
    await file.abort();
    throw error;
  }
}

/** The columns that are read: all but the file name, which every row gets anew. */
function sourceFields(schema: TableSchema): Field[] {
  return addMetaFields(schema).fields.filter((_, number) => number !== FILE_NAME_COLUMN);
}

async function copyRows(
  storage: Storage,
  task: ClusterTask,
  file: OutputFile,
  index: KeyIndex,
  signal: AbortSignal | undefined,
): Promise<void> {
  const schema = addMetaFields(task.schema);
  for (const input of task.inputs) {
    const reader = await openBaseFile(storage, input, { signal, readsAll: true });
    const options = { signal, batchRows: batchRowsOf(reader) };
    for (let group = 0; group < reader.rowGroups.length; group += 1) {
      for await (const read of reader.readStoredBatches(
        group,
        sourceFields(task.schema),
        options,
      )) {
        const columns = read.columns.slice();
        index.add(toColumn(columns[KEY_COLUMN] as StoredColumn) as BytesColumn);
        columns.splice(FILE_NAME_COLUMN, 0, columns[0] as StoredColumn);
        await file.writeOwned({ schema, rowCount: read.rowCount, columns });
        await yieldToHost(signal);
      }
    }
  }
}

/** Every row of the inputs, without file names. */
async function readAll(
  storage: Storage,
  task: ClusterTask,
  signal: AbortSignal | undefined,
): Promise<ColumnBatch> {
  const fields = sourceFields(task.schema);
  const parts: ColumnBatch[] = [];
  for (const input of task.inputs) {
    const reader = await openBaseFile(storage, input, { signal, readsAll: true });
    const options = { signal, batchRows: batchRowsOf(reader) };
    for (let group = 0; group < reader.rowGroups.length; group += 1) {
      for await (const batch of reader.readBatches(group, fields, options)) {
        parts.push(batch);
        await yieldToHost(signal);
      }
    }
  }
  return runInTurns(concatBatchSteps(parts), signal);
}

async function writeSorted(
  all: ColumnBatch,
  task: ClusterTask,
  file: OutputFile,
  index: KeyIndex,
  signal: AbortSignal | undefined,
): Promise<void> {
  const schema = addMetaFields(task.schema);
  const order = sortRows(all, task.schema, task.sortBy);
  for (let from = 0; from < order.length; from += ROWS_AT_ONCE) {
    const picks = order.subarray(from, from + ROWS_AT_ONCE);
    const { columns } = await runInTurns(gatherBatchSteps(all, picks), signal);
    index.add(columns[KEY_COLUMN] as BytesColumn);
    const named: Column[] = columns.slice();
    named.splice(FILE_NAME_COLUMN, 0, columns[0] as Column);
    await file.writeOwned({ schema, rowCount: picks.length, columns: named });
    await yieldToHost(signal);
  }
}

/** The numbers of the rows in their order; rows that are equal stay as they stood. */
function sortRows(all: ColumnBatch, schema: TableSchema, sortBy: readonly string[]): Int32Array {
  const compares = sortBy.map((name) => {
    const field = requireField(schema, name);
    return nullsFirst(requireColumn(all, name), field.type.kind === "fixed");
  });
  const order = Int32Array.from({ length: all.rowCount }, (_, row) => row);
  return order.sort((a, b) => {
    for (const compare of compares) {
      const difference = compare(a, b);
      if (difference !== 0) return difference;
    }
    return a - b;
  });
}

function nullsFirst(column: Column, isUnsigned: boolean): (a: number, b: number) => number {
  const compare = createOrderingComparator(
    { ...column, validity: undefined },
    { ...column, validity: undefined },
    isUnsigned,
  );
  if (!column.validity) return compare;
  return (a, b) => {
    const [left, right] = [isPresent(column, a), isPresent(column, b)];
    return left && right ? compare(a, b) : Number(left) - Number(right);
  };
}

/** Throws `INVALID` for columns by which rows cannot be sorted. */
export function requireSortColumns(schema: TableSchema, sortBy: readonly string[]): void {
  for (const [place, name] of sortBy.entries()) {
    const field = schema.fields.find((known) => known.name === name);
    const fact = !field
      ? `there is no column ${name}, expected ${schema.fields.map((known) => known.name).join(", ")}`
      : isNested(field.type)
        ? `column ${name} holds other columns, expected single values`
        : sortBy.indexOf(name) < place
          ? `column ${name} is named twice`
          : undefined;
    if (fact) throw new HudiError("INVALID", `cannot sort rows: ${fact}`);
  }
}
