// The merge of incoming rows into one base file, as a plan by row position: which rows are kept,
// replaced, removed and appended. Applying it is the writer's business, so that pages without a
// touched row can be copied instead of decoded. Rules: spec/format/merge-rules.md.
import { type Column, type ColumnBatch, requireColumn } from "../format/column-batch.ts";
import type { ParquetFileReader } from "../format/parquet-reader.ts";
import { type Field, requireField } from "../format/schema.ts";
import { createOrderingComparator } from "./record-merger.ts";

/** Rows that come in for one file group, and which rows of its base file they concern. */
export interface IncomingChanges {
  /** Columns of the table, without meta columns. */
  readonly batch: ColumnBatch;
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
  readonly orderingField: string | undefined;
}

/** What becomes of one row group: every row kept as it is, or the rows picked (see `gatherColumn`). */
export type RowGroupPlan = "kept" | Int32Array;

/** What becomes of a base file. */
export interface BaseFileMergePlan {
  readonly rowGroups: readonly RowGroupPlan[];
  readonly appends: Int32Array;
  readonly keptCount: number;
  readonly replacedCount: number;
  readonly removedCount: number;
}

/** Plans the merge; reads the ordering column of the touched row groups and nothing else. */
export async function planBaseFileMerge(
  file: ParquetFileReader,
  changes: IncomingChanges,
  signal?: AbortSignal,
): Promise<BaseFileMergePlan> {
  const { positions, appends } = changes;
  const ordering = findOrdering(changes);
  const rowGroups: RowGroupPlan[] = [];
  let next = 0;
  let start = 0;
  let replacedCount = 0;
  let removedCount = 0;
  for (let group = 0; group < file.rowGroups.length; group += 1) {
    const rowCount = (file.rowGroups[group] as { rowCount: number }).rowCount;
    const first = next;
    while (next < positions.length && (positions[next] as number) < start + rowCount) next += 1;
    if (first === next) {
      rowGroups.push("kept");
    } else {
      const stored = ordering
        ? ((await file.readRowGroup(group, [ordering.field], { signal })).columns[0] as Column)
        : undefined;
      const compare = stored && ordering && createOrderingComparator(stored, ordering.column);
      const plan = planRowGroup(changes, first, next, start, rowCount, compare);
      replacedCount += plan.replaced;
      removedCount += plan.removed;
      rowGroups.push(plan.replaced + plan.removed === 0 ? "kept" : plan.picks);
    }
    start += rowCount;
  }
  const keptCount = start - replacedCount - removedCount;
  return { rowGroups, appends, keptCount, replacedCount, removedCount };
}

function findOrdering(
  changes: IncomingChanges,
): { readonly field: Field; readonly column: Column } | undefined {
  const { orderingField, batch, thresholdRows } = changes;
  if (orderingField === undefined || thresholdRows.every((row) => row < 0)) return undefined;
  const field = requireField(batch.schema, orderingField);
  return { field: { ...field, nullable: true }, column: requireColumn(batch, orderingField) };
}

function planRowGroup(
  changes: IncomingChanges,
  first: number,
  end: number,
  start: number,
  rowCount: number,
  compare: ((stored: number, incoming: number) => number) | undefined,
): { readonly picks: Int32Array; readonly replaced: number; readonly removed: number } {
  const picks = new Int32Array(rowCount);
  let used = 0;
  let from = 0;
  let replaced = 0;
  let removed = 0;
  for (let index = first; index < end; index += 1) {
    const row = (changes.positions[index] as number) - start;
    for (; from < row; from += 1, used += 1) picks[used] = from;
    from = row + 1;
    const finalRow = changes.finalRows[index] as number;
    const threshold = changes.thresholdRows[index] as number;
    if (threshold >= 0 && compare && compare(row, threshold) > 0) {
      picks[used] = row;
      used += 1;
    } else if (finalRow < 0) {
      removed += 1;
    } else {
      picks[used] = ~finalRow;
      used += 1;
      replaced += 1;
    }
  }
  for (; from < rowCount; from += 1, used += 1) picks[used] = from;
  return { picks: picks.subarray(0, used), replaced, removed };
}

/** Whether the plan leaves the file as it is. */
export function isUnchanged(plan: BaseFileMergePlan): boolean {
  return plan.replacedCount === 0 && plan.removedCount === 0 && plan.appends.length === 0;
}
