// Takes the rows of each key of a write together. Rules: spec/format/merge-rules.md, MR-6, MR-8, MR-14.
import { createOrderingComparator } from "../file-group/record-merger.ts";
import { type BytesColumn, type Column, isPresent } from "../format/column-batch.ts";
import { KeyTable } from "../format/key-table.ts";
import type { RowPartitions } from "../layout/partition-path.ts";
import type { Steps } from "../runtime/steps.ts";

/** What becomes of each distinct key of a write. */
export interface FoldedKeys {
  /** A row that holds the key and partition of the entry. */
  readonly keyRows: Int32Array;
  /** The row that the key ends with, or -1 where it is deleted. */
  readonly finalRows: Int32Array;
  /** The row whose ordering value a stored row must not exceed, or -1 to apply in any case. */
  readonly thresholdRows: Int32Array;
}

/** The rows of each key: those of entry `e` in their order are `rows[starts[e] .. starts[e + 1])`. */
export interface KeyGroups {
  readonly starts: Int32Array;
  readonly rows: Int32Array;
}

/** Every row for itself; those that delete are left out. */
export function eachRow(rowCount: number, deletes: Uint8Array | undefined): FoldedKeys {
  const all = Int32Array.from({ length: rowCount }, (_, row) => row);
  const rows = deletes ? all.filter((row) => deletes[row] !== 1) : all;
  const thresholdRows = new Int32Array(rows.length).fill(-1);
  return { keyRows: rows, finalRows: rows, thresholdRows };
}

/** Rows folded between two steps. */
const ROWS_A_STEP = 4_096;

/** What is folded. */
export interface FoldOptions {
  readonly keys: BytesColumn;
  /** Equal keys of different partitions are different; absent where they are not. */
  readonly scope: RowPartitions | undefined;
  readonly deletes: Uint8Array | undefined;
  readonly ordering: Column | undefined;
  /** Whether a delete beats older rows behind it. */
  readonly keepsGraves: boolean;
}

/**
 * Folds the rows of each key as if they were applied one after the other to an absent row. A stored
 * row survives all of them only if its ordering value exceeds every one of theirs, so the greatest
 * is kept as the threshold; what the rest amounts to does not depend on the stored row.
 */
export function* foldKeys(options: FoldOptions): Steps<FoldedKeys> {
  const { keys, scope, deletes, ordering, keepsGraves } = options;
  const { rowCount } = keys;
  const compare = ordering && createOrderingComparator(ordering, ordering);
  const table = new KeyTable(rowCount, keys.data.length + 64);
  const keyRows = new Int32Array(rowCount);
  // The row that has won so far, be it one that deletes; -1 where it is as if there were none.
  const winners = new Int32Array(rowCount);
  const thresholdRows = new Int32Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    const known = table.count;
    const id = addKey(table, keys, scope, row);
    const isOrdered = ordering !== undefined && isPresent(ordering, row);
    const winner = deletes?.[row] === 1 && !(keepsGraves && isOrdered) ? -1 : row;
    if (id === known) {
      keyRows[id] = row;
      winners[id] = winner;
      thresholdRows[id] = isOrdered ? row : -1;
    } else {
      const current = winners[id] as number;
      if (current < 0 || !isOrdered || !compare || compare(current, row) <= 0) winners[id] = winner;
      const threshold = thresholdRows[id] as number;
      if (!isOrdered) thresholdRows[id] = -1;
      else if (threshold >= 0 && compare && compare(threshold, row) <= 0) thresholdRows[id] = row;
    }
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
  }
  const count = table.count;
  const finalRows = winners.slice(0, count);
  if (deletes && keepsGraves) {
    for (let id = 0; id < count; id += 1) {
      if (deletes[finalRows[id] as number] === 1) finalRows[id] = -1;
    }
  }
  return {
    keyRows: keyRows.slice(0, count),
    finalRows,
    thresholdRows: thresholdRows.slice(0, count),
  };
}

function addKey(
  table: KeyTable,
  keys: BytesColumn,
  scope: RowPartitions | undefined,
  row: number,
): number {
  return table.add(
    scope ? (scope.partitionOfRow[row] as number) : 0,
    keys.data,
    keys.offsets[row] as number,
    keys.offsets[row + 1] as number,
  );
}

/** The rows of each key, in their order. */
export function* groupKeys(
  keys: BytesColumn,
  scope: RowPartitions | undefined,
): Steps<KeyGroups & Pick<FoldedKeys, "keyRows">> {
  const { rowCount } = keys;
  const table = new KeyTable(rowCount, keys.data.length + 64);
  const idOfRow = new Int32Array(rowCount);
  const counts = new Int32Array(rowCount + 1);
  for (let row = 0; row < rowCount; row += 1) {
    const id = addKey(table, keys, scope, row);
    idOfRow[row] = id;
    counts[id + 1] = (counts[id + 1] as number) + 1;
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
  }
  const starts = counts.slice(0, table.count + 1);
  for (let id = 0; id < table.count; id += 1) {
    starts[id + 1] = (starts[id + 1] as number) + (starts[id] as number);
  }
  const next = starts.slice();
  const rows = new Int32Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    const id = idOfRow[row] as number;
    rows[next[id] as number] = row;
    next[id] = (next[id] as number) + 1;
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
  }
  const keyRows = new Int32Array(table.count);
  for (let id = 0; id < table.count; id += 1) keyRows[id] = rows[starts[id] as number] as number;
  return { starts, rows, keyRows };
}
