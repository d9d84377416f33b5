// Merge-on-read: which logs a write adds to, and what it writes there.
// Rules: spec/protocol/delta-commit.md.
import { type FileSlice, fileGroupKey } from "../file-group/file-slice.ts";
import type { AppendTask } from "../file-group/log-file-writer.ts";
import { type Column, requireColumn } from "../format/column-batch.ts";
import { gatherColumn } from "../format/column-gather.ts";
import type { DeletedKeys } from "../format/log-deletes.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import { cutRows, type IncomingRecords } from "./incoming-records.ts";
import type { FileGroupWork, LogPlace, WorkPlan } from "./work-plan.ts";
import type { WriteFilesOptions } from "./write-file-groups.ts";

/**
 * Turns the work on slices into work on their logs, but for the slices that take new rows in by being
 * rewritten: an index by the keys of base files never finds a key that only a log holds.
 */
export function planLogs(
  plan: WorkPlan,
  compactions: ReadonlyMap<string, InstantTime>,
  isBucketed: boolean,
): WorkPlan {
  const work = plan.work.map((item): FileGroupWork => {
    const { slice } = item;
    if (!slice || (!isBucketed && item.inserts.length > 0)) return item;
    return { ...item, log: logPlace(slice, compactions) };
  });
  return { ...plan, work };
}

/** The slice that a new log belongs to: that of a compaction that is pending, else the newest one. */
function logPlace(slice: FileSlice, compactions: ReadonlyMap<string, InstantTime>): LogPlace {
  const planned = compactions.get(fileGroupKey(slice.partitionPath, slice.fileId));
  const isPlanned = planned !== undefined && planned > slice.baseInstant;
  // Logs of a slice without a base file bear the instant of its first one.
  const baseInstant = isPlanned ? planned : (slice.logFiles.at(-1)?.instant ?? slice.baseInstant);
  const logs = slice.logFiles.filter(({ instant }) => instant === baseInstant);
  return {
    baseInstant,
    baseFileName: isPlanned ? "" : (slice.baseFile?.fileName ?? ""),
    logFileNames: logs.map(({ fileName }) => fileName),
    version: logs.reduce((most, { version }) => Math.max(most, version), 0) + 1,
  };
}

/** Entries looked at before the host gets a turn. */
const ENTRIES_A_TURN = 65_536;
/** Write tokens are numbers of 31 bits to every reader. */
const TOKEN_LIMIT = 0x7fff_ffff;

/** What is written to the log of one slice. */
export async function appendTask(
  options: WriteFilesOptions,
  records: IncomingRecords,
  item: FileGroupWork,
  log: LogPlace,
  taskNumber: number,
): Promise<AppendTask> {
  const { context, instant, attempt, settings, orderingField, signal } = options;
  const { keyRows, finalRows, thresholdRows } = records.entries;
  const kept: number[] = [];
  const graves = new DeletionList();
  const deletes = new DeletionList();
  const all = [item.entries, item.inserts];
  for (const entry of all.flatMap((entries) => [...entries])) {
    const final = finalRows[entry] as number;
    const threshold = orderingField ? (thresholdRows[entry] as number) : -1;
    if (final < 0) deletes.add(keyRows[entry] as number, threshold);
    else kept.push(final);
    // A row that takes the place of a newer one of the same write comes after a deletion.
    const isBack = final >= 0 && orderingField !== undefined && threshold !== final;
    if (isBack && !records.isResolved) graves.add(keyRows[entry] as number, threshold);
    if (entry % ENTRIES_A_TURN === ENTRIES_A_TURN - 1) await yieldToHost(signal);
  }
  const token = context.runtime.random.bytes(4);
  const number = new DataView(token.buffer, token.byteOffset).getUint32(0) % TOKEN_LIMIT;
  return {
    kind: "append",
    instant,
    partitionPath: item.partitionPath,
    writeToken: `${taskNumber}-${attempt}-${number}`,
    taskNumber,
    settings: { avroSchema: settings.avroSchema, maxLogFileBytes: settings.maxLogFileBytes },
    fileId: (item.slice as FileSlice).fileId,
    ...log,
    orderingField,
    graves: graves.cut(records, orderingField?.name),
    deletes: deletes.cut(records, orderingField?.name),
    ...(await cutRows(records, Int32Array.from(kept), signal)),
  };
}

/** Deletions, each by a row that holds its key and one that holds its ordering value. */
class DeletionList {
  readonly #keyRows: number[] = [];
  readonly #orderingRows: number[] = [];

  /** `orderingRow` is -1 for a deletion that wins over anything. */
  add(keyRow: number, orderingRow: number): void {
    this.#keyRows.push(keyRow);
    this.#orderingRows.push(orderingRow);
  }

  cut({ keys, batch }: IncomingRecords, orderingField: string | undefined): DeletedKeys {
    const rows = Int32Array.from(this.#keyRows);
    const cutKeys = gatherColumn(keys, undefined, rows) as DeletedKeys["keys"];
    const isNone = this.#orderingRows.every((row) => row < 0);
    if (orderingField === undefined || isNone) return { keys: cutKeys, ordering: undefined };
    const column = requireColumn(batch, orderingField);
    const orderingRows = Int32Array.from(this.#orderingRows, (row) => Math.max(row, 0));
    return {
      keys: cutKeys,
      ordering: withNulls(gatherColumn(column, undefined, orderingRows), this.#orderingRows),
    };
  }
}

/** The column with nulls in the rows whose number is negative. */
function withNulls(column: Column, rows: readonly number[]): Column {
  if (rows.every((row) => row >= 0)) return column;
  const validity = new Uint8Array(Math.ceil(column.rowCount / 8));
  for (const [at, row] of rows.entries()) {
    if (row >= 0) validity[at >> 3] = (validity[at >> 3] as number) | (1 << (at & 7));
  }
  return { ...column, validity } as Column;
}
