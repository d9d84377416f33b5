// Rows or changes of one write as columns, with keys and partitions, duplicates folded.
// Rules: spec/format/merge-rules.md, MR-6 to MR-9.

import { createOrderingComparator, requireOrderingValues } from "../file-group/record-merger.ts";
import {
  type BytesColumn,
  type ColumnBatch,
  isPresent,
  requireColumn,
} from "../format/column-batch.ts";
import { KeyTable } from "../format/key-table.ts";
import { type RowPartitions, recordKeys, rowPartitions } from "../layout/record-key.ts";
import type { TableConfig } from "../layout/table-config.ts";
import { runInTurns, type Steps } from "../runtime/steps.ts";

/** What becomes of each distinct key of a write. */
export interface FoldedKeys {
  /** A row that holds the key and partition of the entry. */
  readonly keyRows: Int32Array;
  /** The row that the key ends with, or -1 where it is deleted. */
  readonly finalRows: Int32Array;
  /** The row whose ordering value a stored row must not exceed, or -1 to apply in any case. */
  readonly thresholdRows: Int32Array;
}

/** The rows of one write. */
export interface IncomingRecords {
  readonly batch: ColumnBatch;
  readonly keys: BytesColumn;
  readonly partitions: RowPartitions;
  readonly entries: FoldedKeys;
}

/** What a write is made of before it is keyed. */
export interface KeyingOptions {
  readonly config: TableConfig;
  readonly batch: ColumnBatch;
  /** A set byte for each row that deletes its key; absent when none does. */
  readonly deletes?: Uint8Array | undefined;
  /** Whether equal keys are folded into one; inserts keep them apart. */
  readonly fold: boolean;
  /** How messages name a row. */
  readonly describeRow: (row: number) => string;
}

/** Computes keys and partitions and folds rows of one key into what they amount to in order. */
export async function keyRecords(
  options: KeyingOptions,
  signal?: AbortSignal,
): Promise<IncomingRecords> {
  const { config, batch, deletes, describeRow } = options;
  const keyField = config.recordKeyFields[0] as string;
  const keys = await runInTurns(recordKeys(batch, keyField, describeRow), signal);
  const style = {
    field: config.partitionFields[0],
    hiveStyle: config.hiveStyle,
    urlEncode: config.urlEncode,
  };
  const partitions = await runInTurns(rowPartitions(batch, style, describeRow), signal);
  if (config.orderingField !== undefined) {
    const column = requireColumn(batch, config.orderingField);
    requireOrderingValues(column, config.orderingField, describeRow, (row) => deletes?.[row] !== 1);
  }
  const entries = options.fold
    ? await runInTurns(foldKeys(options, keys, partitions), signal)
    : eachRow(batch.rowCount);
  return { batch, keys, partitions, entries };
}

function eachRow(rowCount: number): FoldedKeys {
  const rows = Int32Array.from({ length: rowCount }, (_, row) => row);
  return { keyRows: rows, finalRows: rows, thresholdRows: new Int32Array(rowCount).fill(-1) };
}

/** Rows folded between two steps. */
const ROWS_A_STEP = 4_096;

/**
 * Folds the rows of each key as if they were applied one after the other to an absent row. A stored
 * row survives all of them only if its ordering value exceeds every one of theirs, so the greatest
 * is kept as the threshold; what the rest amounts to does not depend on the stored row.
 */
function* foldKeys(
  options: KeyingOptions,
  keys: BytesColumn,
  partitions: RowPartitions,
): Steps<FoldedKeys> {
  const { batch, deletes, config } = options;
  const ordering =
    config.orderingField === undefined ? undefined : requireColumn(batch, config.orderingField);
  const compare = ordering && createOrderingComparator(ordering, ordering);
  const table = new KeyTable(batch.rowCount, keys.data.length + 64);
  const keyRows = new Int32Array(batch.rowCount);
  const finalRows = new Int32Array(batch.rowCount);
  const thresholdRows = new Int32Array(batch.rowCount);
  for (let row = 0; row < batch.rowCount; row += 1) {
    const known = table.count;
    const scope = partitions.partitionOfRow[row] as number;
    const id = table.add(
      scope,
      keys.data,
      keys.offsets[row] as number,
      keys.offsets[row + 1] as number,
    );
    const isDelete = deletes?.[row] === 1;
    const isOrdered = ordering !== undefined && isPresent(ordering, row);
    if (id === known) {
      keyRows[id] = row;
      finalRows[id] = isDelete ? -1 : row;
      thresholdRows[id] = isOrdered ? row : -1;
    } else {
      const current = finalRows[id] as number;
      const wins = current < 0 || !isOrdered || !compare || compare(current, row) <= 0;
      if (wins) finalRows[id] = isDelete ? -1 : row;
      const threshold = thresholdRows[id] as number;
      if (!isOrdered) thresholdRows[id] = -1;
      else if (threshold >= 0 && compare && compare(threshold, row) <= 0) thresholdRows[id] = row;
    }
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
  }
  const count = table.count;
  return {
    keyRows: keyRows.slice(0, count),
    finalRows: finalRows.slice(0, count),
    thresholdRows: thresholdRows.slice(0, count),
  };
}
