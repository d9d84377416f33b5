// Copy-on-write: writes the next base file of each file group of a plan.
// Rules: spec/protocol/commit.md TX-6, spec/format/file-sizing.md FS-2.
import type {
  BaseFileSettings,
  CreateTask,
  MergeTask,
  WrittenFile,
} from "../file-group/base-file-writer.ts";
import { type BaseFileSlice, hasBaseFile } from "../file-group/file-slice.ts";
import type { TaskRunner } from "../file-group/task-runner.ts";
import { takeNumbers } from "../format/column-gather.ts";
import { bucketFileIdPrefix } from "../indexing/bucket-hash.ts";
import { mapConcurrently, yieldToHost } from "../runtime/concurrency.ts";
import { createUuid } from "../runtime/random.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { cutRows, type IncomingRecords } from "./incoming-records.ts";
import type { FileGroupWork } from "./work-plan.ts";

/** Entries looked at before the host gets a turn. */
const ENTRIES_A_TURN = 65_536;

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
      if (!hasBaseFile(item.slice)) throw new Error("a group without a base file is merged into");
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
  const uuid = createUuid(options.context.runtime.random);
  const place = target(options, item.partitionPath, taskNumber);
  const { bucket } = item;
  return {
    kind: "create",
    ...place,
    // A bucket is one file group, however large it gets.
    ...(bucket !== undefined && {
      settings: { ...place.settings, maxFileBytes: Number.POSITIVE_INFINITY },
    }),
    fileIdPrefix: bucket === undefined ? uuid : bucketFileIdPrefix(bucket, uuid),
    ...(await cutRows(records, rows, options.signal)),
  };
}

/** Cuts the incoming rows of one file group out, and points the plan at the cut. */
async function mergeTask(
  options: CopyOnWriteOptions,
  records: IncomingRecords,
  orderingField: string | undefined,
  item: FileGroupWork,
  slice: BaseFileSlice,
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
