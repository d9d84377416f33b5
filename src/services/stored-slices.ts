// Every file slice of a partition, and what keeps slices from being cleaned: savepoints, plans of
// compactions and clusterings, and writers at work. Rules: spec/protocol/clean.md CLN-3 to CLN-5.
import { type FileGroup, fileGroupKey, groupFiles } from "../file-group/file-slice.ts";
import {
  findArchived,
  listPartitionFolders,
  loadCommitMetadata,
} from "../file-group/file-system-view.ts";
import type { LogFile } from "../file-group/log-file.ts";
import { createVisibilityTest, type InstantTest } from "../file-group/visible-instants.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, instantPath, readInstant } from "../timeline/active-timeline.ts";
import { decodeCompactionPlan } from "../timeline/compaction-plan.ts";
import { type Instant, isWriteAction } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import { decodeRequestedReplace } from "../timeline/replace-plan.ts";
import { decodeSavepointMetadata } from "../timeline/savepoint-metadata.ts";
import type { TableContext } from "../timeline/table-context.ts";

const READS_AT_ONCE = 8;

/** A file of a slice. */
export interface SliceFile {
  readonly path: string;
  readonly fileName: string;
  readonly sizeBytes: number;
}

/** A slice of the past or the newest one of its group, with all its files. */
export interface StoredSlice {
  readonly baseInstant: InstantTime;
  readonly files: readonly SliceFile[];
  readonly hasLogs: boolean;
}

/** A file group with its slices, oldest first. */
export interface SlicedGroup {
  readonly partitionPath: string;
  readonly fileId: string;
  readonly slices: readonly StoredSlice[];
  /** Files of writes that have not completed, or never will. */
  readonly pendingFiles: readonly (SliceFile & { readonly instant: InstantTime })[];
}

/** A partition with its file groups. */
export interface SlicedPartition {
  readonly partitionPath: string;
  readonly groups: readonly SlicedGroup[];
}

/** Lists a table and cuts each of its file groups into slices. */
export async function loadSlicedPartitions(
  context: TableContext,
  timeline: ActiveTimeline,
  signal?: AbortSignal,
): Promise<readonly SlicedPartition[]> {
  const listings = await listPartitionFolders(context, { signal });
  const isVisible = createVisibilityTest({
    completed: timeline.completedWrites().map(({ time }) => time),
    archivedBefore: await findArchived(context, timeline, listings, signal),
    upTo: undefined,
  });
  return listings.map(({ partitionPath, objects }) => ({
    partitionPath,
    groups: groupFiles(partitionPath, objects).map((group) => sliceGroup(group, isVisible)),
  }));
}

/** As readers do: the logs from the instant of a base file on lie on it, up to the next one. */
function sliceGroup(group: FileGroup, isVisible: InstantTest): SlicedGroup {
  const { partitionPath, fileId, baseFiles, logFiles } = group;
  const starts = [...new Set(baseFiles.map(({ instant }) => instant).filter(isVisible))];
  const isLoose = ({ instant }: LogFile): boolean => starts[0] === undefined || instant < starts[0];
  const looseLogs = logFiles.filter(isLoose);
  // Logs alone are a slice once the write that began it has completed.
  const first = looseLogs.find(({ instant }) => isVisible(instant))?.instant;
  if (first !== undefined) starts.unshift(first);
  const slices = starts.map((baseInstant, at): StoredSlice => {
    const next = starts[at + 1];
    const logs = logFiles.filter(
      ({ instant }) => instant >= baseInstant && (next === undefined || instant < next),
    );
    const bases = baseFiles.filter(({ instant }) => instant === baseInstant);
    return { baseInstant, files: [...bases, ...logs], hasLogs: logs.length > 0 };
  });
  const held = new Set(slices.flatMap(({ files }) => files));
  const pendingFiles = [...baseFiles, ...logFiles].filter((file) => !held.has(file));
  return { partitionPath, fileId, slices, pendingFiles };
}

/** What is not cleaned whatever a policy says. */
export interface Holds {
  /** Names of files that savepoints keep. */
  readonly savepointFiles: ReadonlySet<string>;
  /** The oldest slice that a pending compaction of a group reads, by `fileGroupKey`. */
  readonly compactedFrom: ReadonlyMap<string, InstantTime>;
  /** Groups that a pending clustering reads. */
  readonly clustered: ReadonlySet<string>;
  /** Times as of which somebody reads: writers at work, and savepoints that are being made. */
  readonly readTimes: readonly InstantTime[];
}

/** Reads savepoints and plans. */
export async function loadHolds(
  context: TableContext,
  timeline: ActiveTimeline,
  signal?: AbortSignal,
): Promise<Holds> {
  const savepointFiles = new Set<string>();
  const compactedFrom = new Map<string, InstantTime>();
  const clustered = new Set<string>();
  const readTimes: InstantTime[] = [];
  const look = async (instant: Instant): Promise<void> => {
    const { action, state, time } = instant;
    if (action === "savepoint" && state === "completed") {
      const bytes = await readInstant(context, instant, signal);
      const { files } = decodeSavepointMetadata(bytes, instantPath(context, instant));
      for (const name of [...files.values()].flat()) savepointFiles.add(name);
    }
    if (state === "completed") return;
    if (action === "savepoint" || isWriteAction(action)) readTimes.push(time);
    const requested = { ...instant, state: "requested" } as const;
    const path = instantPath(context, requested);
    if (action === "compaction" || action === "logcompaction") {
      const plan = decodeCompactionPlan(await readInstant(context, requested, signal), path);
      for (const { partitionPath, fileId, baseInstant } of plan.operations) {
        const key = fileGroupKey(partitionPath, fileId);
        const known = compactedFrom.get(key);
        if (known === undefined || baseInstant < known) compactedFrom.set(key, baseInstant);
      }
    }
    if (action === "replacecommit" || action === "clustering") {
      const plan = decodeRequestedReplace(await readInstant(context, requested, signal), path);
      for (const group of plan.clustering ?? []) {
        clustered.add(fileGroupKey(group.partitionPath, group.fileId));
      }
    }
  };
  await mapConcurrently(timeline.instants, READS_AT_ONCE, look, signal);
  return { savepointFiles, compactedFrom, clustered, readTimes };
}

/** When file groups were replaced, by `fileGroupKey`. */
export async function loadReplaceTimes(
  context: TableContext,
  timeline: ActiveTimeline,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, InstantTime>> {
  const replaced = new Map<string, InstantTime>();
  const instants = timeline.completedWrites().filter(({ action }) => action === "replacecommit");
  await mapConcurrently(
    instants,
    READS_AT_ONCE,
    async (instant) => {
      const metadata = await loadCommitMetadata(context, instant, signal);
      for (const [partitionPath, fileIds] of metadata.partitionToReplaceFileIds) {
        for (const fileId of fileIds) {
          const key = fileGroupKey(partitionPath, fileId);
          const known = replaced.get(key);
          if (known === undefined || instant.time < known) replaced.set(key, instant.time);
        }
      }
    },
    signal,
  );
  return replaced;
}
