// The merge of incoming rows into one base file, as a plan by row position: which rows are kept,
// replaced, removed and appended. Applying it is the writer's business, so that pages without a
// touched row can be copied instead of decoded. Rules: spec/format/merge-rules.md.
import { type Column, type ColumnBatch, requireColumn } from "../format/column-batch.ts";
import type { ParquetFileReader } from "../format/parquet-reader.ts";
import { type Field, requireField } from "../format/schema.ts";
import { batchRowsOf } from "./base-file.ts";
import { createOrderingComparator } from "./record-merger.ts";

/** Which rows of a base file change, by the numbers of rows that come in. */
export interface PositionChanges {
  /** Rows of the base file that are concerned, ascending. */
  readonly positions: Int32Array;
  /** For each position: the incoming row that takes its place, or -1 to remove it. */
  readonly finalRows: Int32Array;
  /**
   * For each position: the incoming row whose ordering value the stored one must not exceed, or -1
   * when the change applies whatever is stored.
   */
  readonly thresholdRows: Int32Array;
  /** Incoming rows that have no place yet. */
  readonly appends: Int32Array;
}

/** Rows that come in for one file group, and which rows of its base file they concern. */
export interface IncomingChanges extends PositionChanges {
  /** Columns of the table, without meta columns. */
  readonly batch: ColumnBatch;
  readonly orderingField: string | undefined;
}

/** What becomes of a run of rows: every row kept as it is, or the rows picked (see `gatherColumn`). */
export type RowsPlan = "kept" | Int32Array;

/** What becomes of a base file. */
export interface BaseFileMergePlan {
  /** For each row group: a plan for each `batchRowsOf` rows of it. */
  readonly rowGroups: readonly (readonly RowsPlan[])[];
  readonly appends: Int32Array;
  readonly keptCount: number;
  readonly replacedCount: number;
  readonly removedCount: number;
}

/** Plans the merge; reads the ordering column of the touched row groups and nothing else. */
export async function planBaseFileMerge(
  file: ParquetFileReader,
  changes: PositionChanges,
  incoming: IncomingOrdering | undefined,
  signal?: AbortSignal,
): Promise<BaseFileMergePlan> {
  const ordering = changes.thresholdRows.every((row) => row < 0) ? undefined : incoming;
  const cursor: MergeCursor = { next: 0, start: 0, replaced: 0, removed: 0 };
  const rowGroups: RowsPlan[][] = [];
  for (let group = 0; group < file.rowGroups.length; group += 1) {
    const { rowCount } = file.rowGroups[group] as { rowCount: number };
    rowGroups.push(await planRowGroup(file, group, rowCount, changes, ordering, cursor, signal));
  }
  return {
    rowGroups,
    appends: changes.appends,
    keptCount: cursor.start - cursor.replaced - cursor.removed,
    replacedCount: cursor.replaced,
    removedCount: cursor.removed,
  };
}

/** How far the plan has come: the next position, and the first row of the batch at hand. */
interface MergeCursor {
  next: number;
  start: number;
  replaced: number;
  removed: number;
}

async function planRowGroup(
  file: ParquetFileReader,
  group: number,
  rowCount: number,
  changes: PositionChanges,
  ordering: IncomingOrdering | undefined,
  cursor: MergeCursor,
  signal: AbortSignal | undefined,
): Promise<RowsPlan[]> {
  const { positions } = changes;
  const isTouched =
    cursor.next < positions.length && (positions[cursor.next] as number) < cursor.start + rowCount;
  const batchRows = batchRowsOf(file);
  const options = { signal, batchRows };
  const stored =
    ordering && isTouched ? file.readBatches(group, [ordering.field], options) : undefined;
  const plans: RowsPlan[] = [];
  for (let from = 0; from < rowCount; from += batchRows) {
    const count = Math.min(batchRows, rowCount - from);
    const batch = stored && ((await stored.next()).value as ColumnBatch);
    const column = batch?.columns[0];
    const compare = column && ordering && createOrderingComparator(column, ordering.column);
    plans.push(planRows(changes, cursor, count, compare));
  }
  return plans;
}

/** The ordering values of the rows that come in, and the field that holds those of stored rows. */
export interface IncomingOrdering {
  readonly field: Field;
  readonly column: Column;
}

/** The ordering values of the rows of a merge, where its rows have such. */
export function findOrdering(changes: IncomingChanges): IncomingOrdering | undefined {
  const { orderingField, batch } = changes;
  if (orderingField === undefined) return undefined;
  const field = requireField(batch.schema, orderingField);
  return { field: { ...field, nullable: true }, column: requireColumn(batch, orderingField) };
}

/** Plans the next `rowCount` rows and moves the cursor past them. */
function planRows(
  changes: PositionChanges,
  cursor: MergeCursor,
  rowCount: number,
  compare: ((stored: number, incoming: number) => number) | undefined,
): RowsPlan {
  const { positions, finalRows, thresholdRows } = changes;
  const end = cursor.start + rowCount;
  const picks = new Int32Array(rowCount);
  const before = cursor.replaced + cursor.removed;
  let used = 0;
  let from = 0;
  for (; cursor.next < positions.length; cursor.next += 1) {
    const position = positions[cursor.next] as number;
    if (position >= end) break;
    const row = position - cursor.start;
    for (; from < row; from += 1, used += 1) picks[used] = from;
    from = row + 1;
    const finalRow = finalRows[cursor.next] as number;
    const threshold = thresholdRows[cursor.next] as number;
    if (threshold >= 0 && compare && compare(row, threshold) > 0) {
      picks[used] = row;
      used += 1;
    } else if (finalRow < 0) {
      cursor.removed += 1;
    } else {
      picks[used] = ~finalRow;
      used += 1;
      cursor.replaced += 1;
    }
  }
  for (; from < rowCount; from += 1, used += 1) picks[used] = from;
  cursor.start = end;
  return cursor.replaced + cursor.removed === before ? "kept" : picks.subarray(0, used);
}

/** Whether the plan leaves the file as it is. */
export function isUnchanged(plan: BaseFileMergePlan): boolean {
  return plan.replacedCount === 0 && plan.removedCount === 0 && plan.appends.length === 0;
}
