// Rows or changes of one write as columns, with keys and partitions, duplicates folded.
// Rules: spec/format/merge-rules.md, MR-6 to MR-9, MR-11 to MR-14.

import { HudiError } from "../errors.ts";
import { requireOrderingValues } from "../file-group/record-merger.ts";
import { isBitSet } from "../format/bitmap.ts";
import {
  type BytesColumn,
  type ColumnBatch,
  isPresent,
  requireColumn,
} from "../format/column-batch.ts";
import { gatherBatchSteps, gatherColumnSteps } from "../format/column-gather.ts";
import { topColumn } from "../layout/key-text.ts";
import { type RowPartitions, rowPartitions } from "../layout/partition-path.ts";
import { recordKeys } from "../layout/record-key.ts";
import { isGlobalIndex, type TableConfig } from "../layout/table-config.ts";
import { runInTurns } from "../runtime/steps.ts";
import { eachRow, type FoldedKeys, foldKeys, groupKeys, type KeyGroups } from "./key-folding.ts";
import type { RowShapes } from "./row-shapes.ts";

/** The rows of keys of which only the stored rows tell what they end with. */
export interface UnresolvedRows extends KeyGroups {
  readonly deletes: Uint8Array | undefined;
  readonly shapes: RowShapes | undefined;
  /** Whether a delete beats older rows that come behind it in the same write. */
  readonly keepsGraves: boolean;
  readonly describeRow: (row: number) => string;
}

/** The rows of one write. */
export interface IncomingRecords {
  readonly batch: ColumnBatch;
  readonly keys: BytesColumn;
  readonly partitions: RowPartitions;
  readonly entries: FoldedKeys;
  /** Present where the entries are yet to be resolved against the stored rows. */
  readonly unresolved?: UnresolvedRows | undefined;
  /** Whether the entries were resolved so, and each takes the place of what is stored. */
  readonly isResolved?: boolean;
}

/** The picked rows and their keys. */
export async function cutRows(
  { batch, keys }: Pick<IncomingRecords, "batch" | "keys">,
  rows: Int32Array,
  signal: AbortSignal | undefined,
): Promise<Pick<IncomingRecords, "batch" | "keys">> {
  return {
    batch: await runInTurns(gatherBatchSteps(batch, rows), signal),
    keys: (await runInTurns(gatherColumnSteps(keys, undefined, rows), signal)) as BytesColumn,
  };
}

/**
 * How rows of one key are taken together: not at all, by their ordering values (`latest`, where a
 * delete is a version like any other), or one after the other (`in-order`, where a deleted key is
 * free).
 */
export type FoldMode = "none" | "latest" | "in-order";

/** What a write is made of before it is keyed. */
export interface KeyingOptions {
  readonly config: TableConfig;
  readonly batch: ColumnBatch;
  /** A set byte for each row that deletes its key whatever it holds; absent when none does. */
  readonly deletes?: Uint8Array | undefined;
  /** Which columns the rows give; absent where all are whole. */
  readonly shapes?: RowShapes | undefined;
  readonly fold: FoldMode;
  /** How messages name a row. */
  readonly describeRow: (row: number) => string;
}

/** The column that deletes the key of a row in which it is true. */
export const DELETE_MARK = "_hoodie_is_deleted";

/** Computes keys and partitions and folds rows of one key into what they amount to. */
export async function keyRecords(
  options: KeyingOptions,
  signal?: AbortSignal,
): Promise<IncomingRecords> {
  const { config, batch, shapes, describeRow, fold } = options;
  const keys = await runInTurns(recordKeys(batch, config, describeRow), signal);
  const partitions = await runInTurns(rowPartitions(batch, config, describeRow), signal);
  requireOrdering(options);
  requireWholePlaces(options);
  const deletes = addDeleteMarks(batch, options.deletes);
  const keyed = { batch, keys, partitions };
  if (fold === "none") return { ...keyed, entries: eachRow(batch.rowCount, deletes) };
  const isGlobal = isGlobalIndex(config);
  const scope = isGlobal ? undefined : partitions;
  // A global index asks the stored rows whether a row moves; one that deletes goes wherever it is.
  const moves = isGlobal && deletes?.every((mark) => mark === 1) !== true;
  if (shapes || moves) {
    const { keyRows, ...grouped } = await runInTurns(groupKeys(keys, scope), signal);
    const open = new Int32Array(keyRows.length).fill(-1);
    const keepsGraves = fold === "latest";
    return {
      ...keyed,
      entries: { keyRows, finalRows: open, thresholdRows: open },
      unresolved: { ...grouped, deletes, shapes, keepsGraves, describeRow },
    };
  }
  const { orderingField } = config;
  const folding = { keys, scope, deletes, keepsGraves: fold === "latest" };
  const ordering = orderingField === undefined ? undefined : requireColumn(batch, orderingField);
  return { ...keyed, entries: await runInTurns(foldKeys({ ...folding, ordering }), signal) };
}

/** Refuses rows without an ordering value, but for those that delete by key or leave it as it is. */
function requireOrdering({ config, batch, deletes, shapes, describeRow }: KeyingOptions): void {
  const { orderingField } = config;
  if (orderingField === undefined) return;
  const column = requireColumn(batch, orderingField);
  const at = batch.columns.indexOf(column);
  const isOrdered = (row: number): boolean =>
    deletes?.[row] !== 1 && (!shapes || givesColumn(shapes, row, at));
  requireOrderingValues(column, orderingField, describeRow, isOrdered);
}

/** Refuses rows that would move by some of the partition columns, without saying what the others are. */
function requireWholePlaces({ config, batch, shapes, describeRow }: KeyingOptions): void {
  const names = [...new Set(config.partitionFields.map(topColumn))];
  if (!shapes || names.length < 2 || config.index.updatePartitionPath !== true) return;
  const places = names.map((name) => batch.schema.fields.findIndex((f) => f.name === name));
  const isTorn = shapes.shapes.map((shape) => {
    const isGiven = places.map((at) => shape[at] === 1);
    return isGiven.includes(true) && isGiven.includes(false);
  });
  const row = shapes.shapeOfRow.findIndex((shape) => isTorn[shape] === true);
  if (row < 0) return;
  throw new HudiError(
    "INVALID",
    `cannot use ${describeRow(row)}: it leaves out some of the partition columns ${names.join(", ")}, expected all of them or none`,
  );
}

/** Whether a row gives a column; without shapes every row gives every column. */
export function givesColumn(shapes: RowShapes | undefined, row: number, column: number): boolean {
  return !shapes || shapes.shapes[shapes.shapeOfRow[row] as number]?.[column] === 1;
}

/** Adds the rows that are marked as deleted. */
function addDeleteMarks(
  batch: ColumnBatch,
  deletes: Uint8Array | undefined,
): Uint8Array | undefined {
  const at = batch.schema.fields.findIndex((field) => field.name === DELETE_MARK);
  const column = batch.columns[at];
  if (column?.layout !== "bits") return deletes;
  const marks = deletes?.slice() ?? new Uint8Array(batch.rowCount);
  let count = 0;
  for (let row = 0; row < batch.rowCount; row += 1) {
    if (!isPresent(column, row) || !isBitSet(column.values, row)) continue;
    marks[row] = 1;
    count += 1;
  }
  return count === 0 ? deletes : marks;
}
