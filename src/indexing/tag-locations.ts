// Finds the file groups that hold the keys of a write: the bloom and simple indexes.
// Rules: spec/format/indexing.md, IX-1 to IX-4.
import type { FoundKeys } from "../file-group/base-file-keys.ts";
import type { FileSlice } from "../file-group/file-slice.ts";
import type { TaskRunner } from "../file-group/task-runner.ts";
import type { BytesColumn } from "../format/column-batch.ts";
import { gatherColumnSteps, takeNumbers } from "../format/column-gather.ts";
import type { RowPartitions } from "../layout/record-key.ts";
import type { IndexKind } from "../layout/table-config.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { runInTurns, type Steps } from "../runtime/steps.ts";

/** The keys that are looked for: `rows` are the rows of `keys` that count. */
export interface KeysToTag {
  readonly keys: BytesColumn;
  readonly partitions: RowPartitions;
  readonly rows: Int32Array;
}

/** The keys found in one file slice. */
export interface TaggedSlice {
  readonly slice: FileSlice;
  /** Indexes into `KeysToTag.rows`, one for each position. */
  readonly entries: Int32Array;
  /** Rows of the base file, ascending. */
  readonly positions: Int32Array;
  readonly fileRowCount: number;
  readonly fileDataBytes: number;
}

/** Looks the keys up in every slice of their partitions. */
export async function tagLocations(
  runner: TaskRunner,
  kind: IndexKind,
  slices: readonly FileSlice[],
  wanted: KeysToTag,
  signal?: AbortSignal,
): Promise<TaggedSlice[]> {
  const entriesOf = await runInTurns(groupByPartition(wanted), signal);
  const candidates = slices.filter((slice) => entriesOf.has(slice.partitionPath));
  const tagged = await mapConcurrently(
    candidates,
    runner.concurrency,
    async (slice) => {
      const entries = entriesOf.get(slice.partitionPath) as Int32Array;
      const rows = takeNumbers(wanted.rows, entries);
      const found: FoundKeys = await runner.run(
        {
          kind: "find-keys",
          file: { path: slice.baseFile.path, sizeBytes: slice.baseFile.sizeBytes },
          keys: (await runInTurns(
            gatherColumnSteps(wanted.keys, undefined, rows),
            signal,
          )) as BytesColumn,
          useFooter: kind === "bloom",
        },
        signal,
      );
      return {
        slice,
        entries: takeNumbers(entries, found.rows),
        positions: found.positions,
        fileRowCount: found.fileRowCount,
        fileDataBytes: found.fileDataBytes,
      };
    },
    signal,
  );
  return tagged;
}

/** Entries looked at between two steps. */
const ENTRIES_A_STEP = 131_072;

/** The entries of each partition, by path. */
function* groupByPartition(wanted: KeysToTag): Steps<Map<string, Int32Array>> {
  const { paths, partitionOfRow } = wanted.partitions;
  const counts = new Int32Array(paths.length);
  const { rows } = wanted;
  for (let entry = 0; entry < rows.length; entry += 1) {
    const partition = partitionOfRow[rows[entry] as number] as number;
    counts[partition] = (counts[partition] as number) + 1;
    if (entry % ENTRIES_A_STEP === ENTRIES_A_STEP - 1) yield;
  }
  const lists = paths.map((_, partition) => new Int32Array(counts[partition] as number));
  counts.fill(0);
  for (let entry = 0; entry < rows.length; entry += 1) {
    const partition = partitionOfRow[rows[entry] as number] as number;
    (lists[partition] as Int32Array)[counts[partition] as number] = entry;
    counts[partition] = (counts[partition] as number) + 1;
    if (entry % ENTRIES_A_STEP === ENTRIES_A_STEP - 1) yield;
  }
  const result = new Map<string, Int32Array>();
  paths.forEach((path, partition) => {
    const list = lists[partition] as Int32Array;
    if (list.length > 0) result.set(path, list);
  });
  return result;
}
