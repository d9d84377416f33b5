// Copy-on-write: the next base file of a file group, and the first one of a new group.
// Rules: spec/protocol/commit.md TX-6, spec/format/file-sizing.md FS-2.
import type { CreateTask, MergeTask } from "../file-group/base-file-writer.ts";
import type { BaseFileSlice } from "../file-group/file-slice.ts";
import { takeNumbers } from "../format/column-gather.ts";
import { bucketFileIdPrefix } from "../indexing/bucket-hash.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import { createUuid } from "../runtime/random.ts";
import { cutRows, type IncomingRecords } from "./incoming-records.ts";
import type { FileGroupWork } from "./work-plan.ts";
import type { WriteFilesOptions } from "./write-file-groups.ts";

/** Entries looked at before the host gets a turn. */
const ENTRIES_A_TURN = 65_536;

function target(
  options: WriteFilesOptions,
  partitionPath: string,
  taskNumber: number,
): Pick<MergeTask, "instant" | "partitionPath" | "writeToken" | "taskNumber" | "settings"> {
  const { instant, settings, attempt } = options;
  const writeToken = `${taskNumber}-${attempt}-${taskNumber}`;
  return { instant, partitionPath, writeToken, taskNumber, settings };
}

/** New file groups with the rows of an item. */
export async function createTask(
  options: WriteFilesOptions,
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
export async function mergeTask(
  options: WriteFilesOptions,
  records: IncomingRecords,
  item: FileGroupWork,
  slice: BaseFileSlice,
  taskNumber: number,
): Promise<MergeTask> {
  const { entries } = records;
  const orderingField = options.orderingField?.name;
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
