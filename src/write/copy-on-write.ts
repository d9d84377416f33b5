// Copy-on-write: assigns keyed records to file groups and writes the next base file of each.
// Rules: spec/protocol/commit.md TX-6, spec/format/file-sizing.md FS-1 to FS-3.
import { openBaseFile } from "../file-group/base-file.ts";
import { dataBytes } from "../file-group/base-file-keys.ts";
import type {
  BaseFileSettings,
  CreateTask,
  MergeTask,
  WrittenFile,
} from "../file-group/base-file-writer.ts";
import { type FileSlice, fileGroupKey } from "../file-group/file-slice.ts";
import type { TaskRunner } from "../file-group/task-runner.ts";
import type { BytesColumn } from "../format/column-batch.ts";
import { gatherBatchSteps, gatherColumnSteps, takeNumbers } from "../format/column-gather.ts";
import type { TaggedSlice } from "../indexing/tag-locations.ts";
import { mapConcurrently, yieldToHost } from "../runtime/concurrency.ts";
import { createUuid } from "../runtime/random.ts";
import { runInTurns } from "../runtime/steps.ts";
import type { TableContext } from "../timeline/table-context.ts";
import type { IncomingRecords } from "./incoming-records.ts";
import type { WriteSettings } from "./write-settings.ts";

/** What a write does to one file group, or to new ones of a partition. */
export interface FileGroupWork {
  readonly partitionPath: string;
  /** The slice to be merged into; undefined for new file groups. */
  readonly slice: FileSlice | undefined;
  /** For each position of the base file that is concerned, the entry of the folded keys. */
  readonly entries: Int32Array;
  readonly positions: Int32Array;
  /** Entries without a place, to be appended. */
  readonly inserts: Int32Array;
}

/** Plans which file group takes which entries. */
export interface WorkPlan {
  readonly work: readonly FileGroupWork[];
  /** Entries that no file held, those that delete their key included. */
  readonly absent: Int32Array;
}

/** Assigns tagged entries to their slices and the rest to small files, then to new file groups. */
export async function planWork(
  context: TableContext,
  settings: WriteSettings,
  records: IncomingRecords,
  tagged: readonly TaggedSlice[],
  slices: readonly FileSlice[],
  isReserved: (slice: FileSlice) => boolean,
  signal?: AbortSignal,
): Promise<WorkPlan> {
  const { entries, partitions } = records;
  const isTagged = new Uint8Array(entries.keyRows.length);
  for (const { entries: found } of tagged) {
    for (let index = 0; index < found.length; index += 1) isTagged[found[index] as number] = 1;
  }
  const { absent, insertsOf } = await splitAbsent(records, isTagged, signal);
  const loadOf = new Map<FileSlice, FileLoad>(tagged.map((found) => [found.slice, found]));
  const work = new Map<FileSlice, FileGroupWork>();
  for (const { slice, entries: found, positions } of tagged) {
    if (found.length === 0) continue;
    const { partitionPath } = slice;
    work.set(slice, { partitionPath, slice, entries: found, positions, inserts: NONE });
  }
  const created: FileGroupWork[] = [];
  for (const [partition, inserts] of insertsOf.entries()) {
    const partitionPath = partitions.paths[partition] as string;
    let rest = inserts;
    const small = slices
      .filter((slice) => slice.partitionPath === partitionPath && !isReserved(slice))
      .filter((slice) => slice.baseFile.sizeBytes < settings.smallFileBytes)
      .sort((a, b) => a.baseFile.sizeBytes - b.baseFile.sizeBytes);
    for (const slice of small) {
      if (rest.length === 0) break;
      const load = loadOf.get(slice) ?? (await loadFileLoad(context, slice, signal));
      const room = roomFor(slice, load, settings.maxFileBytes);
      const known = work.get(slice);
      work.set(slice, {
        partitionPath,
        slice,
        entries: known?.entries ?? NONE,
        positions: known?.positions ?? NONE,
        inserts: rest.slice(0, room),
      });
      rest = rest.slice(room);
    }
    if (rest.length > 0) {
      created.push({
        partitionPath,
        slice: undefined,
        entries: NONE,
        positions: NONE,
        inserts: rest,
      });
    }
  }
  return { work: [...work.values(), ...created], absent };
}

const NONE = new Int32Array(0);

/** Entries looked at before the host gets a turn. */
const ENTRIES_A_TURN = 65_536;

/** The entries that no file holds, and by partition those of them that leave a row. */
async function splitAbsent(
  records: IncomingRecords,
  isTagged: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<{
  readonly absent: Int32Array;
  readonly insertsOf: readonly Int32Array<ArrayBuffer>[];
}> {
  const { keyRows, finalRows } = records.entries;
  const { paths, partitionOfRow } = records.partitions;
  const absent = new Int32Array(keyRows.length);
  const counts = new Int32Array(paths.length);
  let absentCount = 0;
  for (let entry = 0; entry < keyRows.length; entry += 1) {
    if (entry % ENTRIES_A_TURN === ENTRIES_A_TURN - 1) await yieldToHost(signal);
    if (isTagged[entry] === 1) continue;
    absent[absentCount] = entry;
    absentCount += 1;
    if ((finalRows[entry] as number) < 0) continue;
    const partition = partitionOfRow[keyRows[entry] as number] as number;
    counts[partition] = (counts[partition] as number) + 1;
  }
  const insertsOf = Array.from(counts, (count) => new Int32Array(count));
  counts.fill(0);
  for (let index = 0; index < absentCount; index += 1) {
    if (index % ENTRIES_A_TURN === ENTRIES_A_TURN - 1) await yieldToHost(signal);
    const entry = absent[index] as number;
    if ((finalRows[entry] as number) < 0) continue;
    const partition = partitionOfRow[keyRows[entry] as number] as number;
    const at = counts[partition] as number;
    (insertsOf[partition] as Int32Array)[at] = entry;
    counts[partition] = at + 1;
  }
  return { absent: absent.slice(0, absentCount), insertsOf };
}

/** What the rows of a file need, for an estimate of how many more it takes. */
interface FileLoad {
  readonly fileRowCount: number;
  readonly fileDataBytes: number;
}

async function loadFileLoad(
  context: TableContext,
  slice: FileSlice,
  signal: AbortSignal | undefined,
): Promise<FileLoad> {
  const reader = await openBaseFile(context.storage, slice.baseFile, { signal, readsAll: true });
  return { fileRowCount: reader.rowCount, fileDataBytes: dataBytes(reader) };
}

/**
 * Rows that a small file still takes, by the bytes that its rows need; the footer with its bloom
 * filter does not grow with them. A file without rows takes any number: what it grows to will be
 * known when it is written.
 */
function roomFor(slice: FileSlice, load: FileLoad, maxFileBytes: number): number {
  if (load.fileRowCount === 0) return Number.MAX_SAFE_INTEGER;
  const perRow = Math.max(1, load.fileDataBytes / load.fileRowCount);
  return Math.max(0, Math.floor((maxFileBytes - slice.baseFile.sizeBytes) / perRow));
}

/** Everything that writing base files needs besides the plan. */
export interface CopyOnWriteOptions {
  readonly context: TableContext;
  readonly runner: TaskRunner;
  readonly settings: BaseFileSettings;
  readonly instant: string;
  /** Number of the first task, so that write tokens differ between attempts. */
  readonly attempt: number;
  /** Called before each file is begun; throws to stop. */
  readonly beforeFile: () => void;
  readonly signal?: AbortSignal | undefined;
}

/** Writes the base files of a plan, several at once where there are threads. */
export async function writeBaseFiles(
  options: CopyOnWriteOptions,
  records: IncomingRecords,
  orderingField: string | undefined,
  work: readonly FileGroupWork[],
): Promise<WrittenFile[]> {
  const { runner, signal } = options;
  const written = await mapConcurrently(
    work,
    runner.concurrency,
    async (item, taskNumber): Promise<readonly WrittenFile[]> => {
      options.beforeFile();
      if (!item.slice) {
        return runner.run(await createTask(options, records, item, taskNumber), signal);
      }
      const task = await mergeTask(options, records, orderingField, item, item.slice, taskNumber);
      const file = await runner.run(task, signal);
      return file ? [file] : [];
    },
    signal,
  );
  return written.flat();
}

function target(
  options: CopyOnWriteOptions,
  partitionPath: string,
  taskNumber: number,
): Pick<MergeTask, "instant" | "partitionPath" | "writeToken" | "taskNumber" | "settings"> {
  const { instant, settings, attempt } = options;
  const writeToken = `${taskNumber}-${attempt}-${taskNumber}`;
  return { instant, partitionPath, writeToken, taskNumber, settings };
}

async function createTask(
  options: CopyOnWriteOptions,
  records: IncomingRecords,
  item: FileGroupWork,
  taskNumber: number,
): Promise<CreateTask> {
  const rows = takeNumbers(records.entries.finalRows, item.inserts);
  return {
    kind: "create",
    ...target(options, item.partitionPath, taskNumber),
    fileIdPrefix: createUuid(options.context.runtime.random),
    ...(await cutRows(records, rows, options.signal)),
  };
}

/** Cuts the incoming rows of one file group out, and points the plan at the cut. */
async function mergeTask(
  options: CopyOnWriteOptions,
  records: IncomingRecords,
  orderingField: string | undefined,
  item: FileGroupWork,
  slice: FileSlice,
  taskNumber: number,
): Promise<MergeTask> {
  const { entries } = records;
  const cut = new RowCut(2 * item.entries.length + item.inserts.length);
  const finalRows = new Int32Array(item.entries.length);
  const thresholdRows = new Int32Array(item.entries.length).fill(-1);
  for (let index = 0; index < item.entries.length; index += 1) {
    if (index % ENTRIES_A_TURN === ENTRIES_A_TURN - 1) await yieldToHost(options.signal);
    const entry = item.entries[index] as number;
    const finalRow = entries.finalRows[entry] as number;
    const number = cut.add(finalRow);
    finalRows[index] = number;
    if (orderingField === undefined) continue;
    const threshold = entries.thresholdRows[entry] as number;
    thresholdRows[index] = threshold === finalRow ? number : cut.add(threshold);
  }
  const appends = item.inserts.map((entry) => cut.add(entries.finalRows[entry] as number));
  const { batch, keys } = await cutRows(records, cut.rows(), options.signal);
  return {
    kind: "merge",
    ...target(options, item.partitionPath, taskNumber),
    fileId: slice.fileId,
    base: { path: slice.baseFile.path, sizeBytes: slice.baseFile.sizeBytes },
    baseInstant: slice.baseFile.instant,
    changes: {
      batch,
      positions: item.positions,
      finalRows,
      thresholdRows,
      appends,
      orderingField,
    },
    keys,
  };
}

/** The picked rows and their keys. */
async function cutRows(
  { batch, keys }: IncomingRecords,
  rows: Int32Array,
  signal: AbortSignal | undefined,
): Promise<Pick<CreateTask, "batch" | "keys">> {
  return {
    batch: await runInTurns(gatherBatchSteps(batch, rows), signal),
    keys: (await runInTurns(gatherColumnSteps(keys, undefined, rows), signal)) as BytesColumn,
  };
}

/** Numbers rows of the whole write anew, in the order in which one file group asks for them. */
class RowCut {
  readonly #rows: Int32Array;
  #count = 0;

  constructor(most: number) {
    this.#rows = new Int32Array(most);
  }

  /** The number of a row in the cut; -1 stays -1. */
  add(row: number): number {
    if (row < 0) return -1;
    this.#rows[this.#count] = row;
    this.#count += 1;
    return this.#count - 1;
  }

  rows(): Int32Array {
    return this.#rows.slice(0, this.#count);
  }
}

/** The file groups that a plan rewrites, as keys. */
export function touchedGroups(work: readonly FileGroupWork[]): Set<string> {
  return new Set(
    work.flatMap((item) =>
      item.slice ? [fileGroupKey(item.partitionPath, item.slice.fileId)] : [],
    ),
  );
}
