// One file slice as its rows are: those of the base file that no log replaces or deletes, and the rows
// of the logs that won. Rules: spec/format/merge-rules.md MR-15 to MR-17.
import { isPresent } from "../format/column-batch.ts";
import type { ParquetFileReader } from "../format/parquet-reader.ts";
import type { TableSchema } from "../format/schema.ts";
import type { Storage } from "../storage/storage.ts";
import { type BaseFileRef, openBaseFile } from "./base-file.ts";
import { findKeysIn } from "./base-file-keys.ts";
import {
  type BaseFileMergePlan,
  type PositionChanges,
  planBaseFileMerge,
} from "./base-file-merge.ts";
import type { LogFile } from "./log-file.ts";
import { type LogMergeRules, type LogRows, type MergedLogs, mergeLogs } from "./log-merge.ts";
import { type CorruptRange, scanLogFiles } from "./log-scan.ts";
import { createVisibilityTest, type VisibleInstants } from "./visible-instants.ts";

/** A slice and how its files are merged: plain data. */
export interface SliceSource {
  readonly base: BaseFileRef | undefined;
  readonly logFiles: readonly LogFile[];
  readonly visible: VisibleInstants;
  readonly rules: LogMergeRules;
}

/** How a merged slice is opened. */
export interface OpenSliceOptions {
  readonly signal?: AbortSignal | undefined;
  /** Every column will be read: a small base file is then fetched whole. */
  readonly readsAll?: boolean;
  /** Columns of the rows of logs that will be read: small logs are then decoded once. */
  readonly logRows?: TableSchema;
}

/** A slice of which it is known which rows count. */
export interface MergedSlice {
  readonly base:
    | {
        readonly reader: ParquetFileReader;
        /**
         * What becomes of its rows: picks below zero stand for rows of logs, by the number of their
         * key, which `readLogRows` gives as well.
         */
        readonly plan: BaseFileMergePlan;
      }
    | undefined;
  readonly logs: MergedLogs;
  /** A set byte for each key whose row in the logs counts. */
  readonly wins: Uint8Array;
  /** Bytes of logs that hold no block. */
  readonly corrupt: readonly CorruptRange[];
  /** The rows of logs that count, block by block. */
  readLogRows(schema: TableSchema, signal?: AbortSignal): AsyncGenerator<LogRows>;
}

/** Logs of a slice up to this size are held in memory as columns. */
const HELD_LOG_BYTES = 64 * 1024 * 1024;

/** Scans the logs of a slice, finds their keys in the base file, and decides. */
export async function openMergedSlice(
  storage: Storage,
  { base, logFiles, visible, rules }: SliceSource,
  options: OpenSliceOptions = {},
): Promise<MergedSlice> {
  const { signal } = options;
  const isVisible = createVisibilityTest(visible);
  const { blocks, corrupt } = await scanLogFiles(storage, logFiles, { isVisible, signal });
  const bytes = logFiles.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const held = bytes <= HELD_LOG_BYTES ? options.logRows : undefined;
  const logs = await mergeLogs(blocks, rules, signal, held);
  const wins = logs.deletes.map((mark) => 1 - mark);
  const reader = base && (await openBaseFile(storage, base, options));
  const plan =
    reader && (await planMerge(reader, base.path, logs, rules.orderingField, wins, signal));
  return {
    base: reader && plan && { reader, plan },
    logs,
    wins,
    corrupt,
    readLogRows: (schema, abort) => logs.readRows(schema, (key) => wins[key] === 1, abort),
  };
}

/** Plans the merge, and takes the rows of logs that lose against stored ones off those that win. */
async function planMerge(
  reader: ParquetFileReader,
  path: string,
  logs: MergedLogs,
  orderingField: LogMergeRules["orderingField"],
  wins: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<BaseFileMergePlan> {
  const { keys, ordering } = logs;
  const found = await findKeysIn(reader, path, keys, false, signal);
  const isWeighed = (key: number): boolean => ordering !== undefined && isPresent(ordering, key);
  const changes: PositionChanges = {
    positions: found.positions,
    finalRows: found.rows.map((key) => (wins[key] === 1 ? key : -1)),
    thresholdRows: found.rows.map((key) => (isWeighed(key) ? key : -1)),
    appends: new Int32Array(0),
  };
  const field = orderingField && { ...orderingField, nullable: true };
  const incoming = field && ordering && { field, column: ordering };
  const plan = await planBaseFileMerge(reader, changes, incoming, signal);
  for (const key of found.rows) wins[key] = 0;
  for (const picks of plan.rowGroups.flat()) {
    if (picks === "kept") continue;
    for (const pick of picks) if (pick < 0) wins[~pick] = 1;
  }
  return plan;
}
