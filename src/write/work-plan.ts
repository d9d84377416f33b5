// Assigns keyed records to file groups: those that hold their keys, small ones, new ones.
// Rules: spec/format/file-sizing.md FS-1, FS-3 and FS-6.
import { openBaseFile } from "../file-group/base-file.ts";
import { dataBytes } from "../file-group/base-file-keys.ts";
import {
  type BaseFileSlice,
  type FileSlice,
  fileGroupKey,
  hasBaseFile,
} from "../file-group/file-slice.ts";
import type { TaggedSlice } from "../indexing/tag-locations.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import type { IncomingRecords } from "./incoming-records.ts";
import { type FileLoad, InsertFit } from "./insert-fit.ts";
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
  /** Of a new file group in a table with a bucket index. */
  readonly bucket?: number;
  /** Where rows and deletions are logged instead of being merged into the base file. */
  readonly log?: LogPlace;
}

/** The slice that a new log file belongs to. */
export interface LogPlace {
  readonly baseInstant: InstantTime;
  /** "" without a base file. */
  readonly baseFileName: string;
  readonly logFileNames: readonly string[];
  /** Version of the new log. */
  readonly version: number;
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
  const { partitions } = records;
  const { absent, insertsOf } = await splitAbsent(records, tagged, signal);
  const loadOf = new Map<FileSlice, FileLoad>(tagged.map((found) => [found.slice, found]));
  const work = planTagged(tagged);
  const created: FileGroupWork[] = [];
  for (const [partition, inserts] of insertsOf.entries()) {
    const partitionPath = partitions.paths[partition] as string;
    const fit = new InsertFit(settings, records, inserts, signal);
    let rest = inserts;
    const small = slices
      .filter(hasBaseFile)
      .filter((slice) => slice.partitionPath === partitionPath && !isReserved(slice))
      .filter(({ logFiles }) => logFiles.length === 0)
      .filter((slice) => slice.baseFile.sizeBytes < settings.smallFileBytes)
      .sort((a, b) => a.baseFile.sizeBytes - b.baseFile.sizeBytes);
    for (const slice of small) {
      if (rest.length === 0) break;
      const load = loadOf.get(slice) ?? (await loadFileLoad(context, slice, signal));
      const room = await fit.roomFor(slice, load, rest.length);
      if (room === 0) continue;
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

/** No entries. */
export const NONE: Int32Array = new Int32Array(0);

/** What is done to the slices in which keys were found. */
export function planTagged(tagged: readonly TaggedSlice[]): Map<FileSlice, FileGroupWork> {
  const work = new Map<FileSlice, FileGroupWork>();
  for (const { slice, entries, positions } of tagged) {
    if (entries.length === 0) continue;
    const { partitionPath } = slice;
    work.set(slice, { partitionPath, slice, entries, positions, inserts: NONE });
  }
  return work;
}

/** Entries looked at before the host gets a turn. */
const ENTRIES_A_TURN = 65_536;

/** The entries that no file holds, and by partition those of them that leave a row. */
export async function splitAbsent(
  records: IncomingRecords,
  tagged: readonly TaggedSlice[],
  signal: AbortSignal | undefined,
): Promise<{
  readonly absent: Int32Array;
  readonly insertsOf: readonly Int32Array<ArrayBuffer>[];
}> {
  const { keyRows, finalRows } = records.entries;
  const { paths, partitionOfRow } = records.partitions;
  const isTagged = new Uint8Array(keyRows.length);
  for (const { entries: found } of tagged) {
    for (let index = 0; index < found.length; index += 1) isTagged[found[index] as number] = 1;
  }
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

/** What is known of a small file that is not to be merged into otherwise. */
async function loadFileLoad(
  context: TableContext,
  slice: BaseFileSlice,
  signal: AbortSignal | undefined,
): Promise<FileLoad> {
  const reader = await openBaseFile(context.storage, slice.baseFile, { signal, readsAll: true });
  return { fileRowCount: reader.rowCount, fileDataBytes: dataBytes(reader) };
}

/** The file groups whose logs a plan adds to, with the slices that they then belong to, by key. */
export function loggedGroups(work: readonly FileGroupWork[]): Map<string, InstantTime> {
  return new Map(
    work.flatMap(({ partitionPath, slice, log }): [string, InstantTime][] =>
      slice && log ? [[fileGroupKey(partitionPath, slice.fileId), log.baseInstant]] : [],
    ),
  );
}

/** The file groups that a plan rewrites or adds to, as keys. */
export function touchedGroups(work: readonly FileGroupWork[]): Set<string> {
  return new Set(
    work.flatMap((item) =>
      item.slice ? [fileGroupKey(item.partitionPath, item.slice.fileId)] : [],
    ),
  );
}
