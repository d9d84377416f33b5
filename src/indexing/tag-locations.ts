// Finds the file groups that hold the keys of a write, by the index of the table.
// Rules: spec/format/indexing.md, IX-1 to IX-9.
import type { FoundKeys } from "../file-group/base-file-keys.ts";
import { type FileSlice, hasBaseFile } from "../file-group/file-slice.ts";
import type { LogMergeRules } from "../file-group/log-merge.ts";
import type { TaskRunner } from "../file-group/task-runner.ts";
import type { VisibleInstants } from "../file-group/visible-instants.ts";
import type { BytesColumn, ColumnBatch } from "../format/column-batch.ts";
import { gatherColumnSteps, takeNumbers } from "../format/column-gather.ts";
import type { Field } from "../format/schema.ts";
import type { RowPartitions } from "../layout/partition-path.ts";
import { isGlobalIndex, type TableConfig } from "../layout/table-config.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { runInTurns, type Steps } from "../runtime/steps.ts";
import { bucketOfFileId, bucketsOfKeys, requireOneFileABucket } from "./bucket-hash.ts";

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
  /** The rows found, one for each position, where the slice has logs and they were asked for. */
  readonly stored?: ColumnBatch;
}

/** How rows of slices with logs are found; `positions` are then counted, as such rows have none. */
export interface LogLookUp {
  readonly visible: VisibleInstants;
  readonly rules: LogMergeRules;
  /** Columns to read of the rows that are found. */
  readonly fields: readonly Field[];
}

/** What tagging has to know of a table. */
export type IndexedTable = Pick<TableConfig, "index" | "partitionFields" | "bucketHashFields">;

/**
 * Looks the keys up in every slice that may hold them: in base files, and in logs where `logs` says how.
 */
export async function tagLocations(
  runner: TaskRunner,
  table: IndexedTable,
  slices: readonly FileSlice[],
  wanted: KeysToTag,
  signal?: AbortSignal,
  logs?: LogLookUp,
): Promise<TaggedSlice[]> {
  const findEntries = await groupEntries(table, slices, wanted, signal);
  const tagged = await mapConcurrently(
    slices.flatMap((slice) => {
      const entries = findEntries(slice);
      return entries ? [{ slice, entries }] : [];
    }),
    runner.concurrency,
    async ({ slice, entries }): Promise<TaggedSlice[]> => {
      const rows = takeNumbers(wanted.rows, entries);
      const cut = gatherColumnSteps(wanted.keys, undefined, rows);
      const keys = (await runInTurns(cut, signal)) as BytesColumn;
      if (logs && slice.logFiles.length > 0) {
        return [await findMergedRows(runner, slice, entries, keys, logs, signal)];
      }
      if (!hasBaseFile(slice)) return [];
      const { path, sizeBytes } = slice.baseFile;
      const useFooter = table.index.kind.endsWith("bloom");
      const task = { kind: "find-keys", file: { path, sizeBytes }, keys, useFooter } as const;
      const { rows: found, ...rest }: FoundKeys = await runner.run(task, signal);
      return [{ slice, entries: takeNumbers(entries, found), ...rest }];
    },
    signal,
  );
  return tagged.flat();
}

async function findMergedRows(
  runner: TaskRunner,
  slice: FileSlice,
  entries: Int32Array,
  keys: BytesColumn,
  { visible, rules, fields }: LogLookUp,
  signal: AbortSignal | undefined,
): Promise<TaggedSlice> {
  const { baseFile, logFiles } = slice;
  const base = baseFile && { path: baseFile.path, sizeBytes: baseFile.sizeBytes };
  const source = { base, logFiles, visible, rules };
  const { rows, batch } = await runner.run({ kind: "find-rows", source, keys, fields }, signal);
  return {
    slice,
    entries: takeNumbers(entries, rows),
    positions: Int32Array.from(rows.keys()),
    fileRowCount: 0,
    fileDataBytes: 0,
    stored: batch,
  };
}

/** Tells which entries a slice may hold: undefined where none. */
async function groupEntries(
  table: IndexedTable,
  slices: readonly FileSlice[],
  wanted: KeysToTag,
  signal: AbortSignal | undefined,
): Promise<(slice: FileSlice) => Int32Array | undefined> {
  const { rows, partitions, keys } = wanted;
  if (isGlobalIndex(table)) {
    const all = Int32Array.from(rows, (_, entry) => entry);
    return () => (all.length > 0 ? all : undefined);
  }
  const { paths, partitionOfRow } = partitions;
  const numbers = new Map(paths.map((path, number) => [path, number]));
  const { kind, buckets } = table.index;
  if (kind !== "bucket" || buckets === undefined) {
    const placeOf = (row: number): number => partitionOfRow[row] as number;
    const groups = await runInTurns(groupByPlace(rows, placeOf, paths.length), signal);
    return ({ partitionPath }) => groups.get(numbers.get(partitionPath) ?? -1);
  }
  requireOneFileABucket(slices, buckets);
  const bucketOfRow = await runInTurns(
    bucketsOfKeys(keys, buckets, table.bucketHashFields),
    signal,
  );
  const placeOf = (row: number): number =>
    (partitionOfRow[row] as number) * buckets + (bucketOfRow[row] as number);
  const groups = await runInTurns(groupByPlace(rows, placeOf, paths.length * buckets), signal);
  return ({ partitionPath, fileId }) => {
    const partition = numbers.get(partitionPath);
    if (partition === undefined) return undefined;
    return groups.get(partition * buckets + bucketOfFileId(fileId));
  };
}

/** Entries looked at between two steps. */
const ENTRIES_A_STEP = 131_072;

/** Up to so many places are numbered in an array. */
const MOST_COUNTED_PLACES = 1_048_576;

/** The entries of each place, by its number; entry `e` is row `rows[e]`. */
export function* groupByPlace(
  rows: Int32Array,
  placeOf: (row: number) => number,
  placeCount: number,
): Steps<Map<number, Int32Array>> {
  const isCounted = placeCount <= MOST_COUNTED_PLACES;
  const counted = new Int32Array(isCounted ? placeCount : 0).fill(-1);
  const others = new Map<number, number>();
  const places: number[] = [];
  const counts: number[] = [];
  const numberOfEntry = new Int32Array(rows.length);
  for (let entry = 0; entry < rows.length; entry += 1) {
    const place = placeOf(rows[entry] as number);
    let number = isCounted ? (counted[place] as number) : (others.get(place) ?? -1);
    if (number < 0) {
      number = places.length;
      if (isCounted) counted[place] = number;
      else others.set(place, number);
      places.push(place);
      counts.push(0);
    }
    numberOfEntry[entry] = number;
    counts[number] = (counts[number] as number) + 1;
    if (entry % ENTRIES_A_STEP === ENTRIES_A_STEP - 1) yield;
  }
  const lists = counts.map((count) => new Int32Array(count));
  counts.fill(0);
  for (let entry = 0; entry < rows.length; entry += 1) {
    const number = numberOfEntry[entry] as number;
    (lists[number] as Int32Array)[counts[number] as number] = entry;
    counts[number] = (counts[number] as number) + 1;
    if (entry % ENTRIES_A_STEP === ENTRIES_A_STEP - 1) yield;
  }
  return new Map(places.map((place, number) => [place, lists[number] as Int32Array]));
}
