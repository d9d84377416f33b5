// Which files a clean deletes: those that no state of the retained range consists of.
// Rules: spec/protocol/clean.md CLN-1 to CLN-6.
import { fileGroupKey } from "../file-group/file-slice.ts";
import type { ActiveTimeline } from "../timeline/active-timeline.ts";
import type { CleanPolicy } from "../timeline/clean-plan.ts";
import type { Instant } from "../timeline/instant.ts";
import { isWriteAction } from "../timeline/instant.ts";
import { formatInstantTime, type InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import {
  type Holds,
  loadHolds,
  loadReplaceTimes,
  loadSlicedPartitions,
  type SlicedGroup,
  type SlicedPartition,
  type SliceFile,
  type StoredSlice,
} from "./stored-slices.ts";

/** What is kept, by which measure. */
export interface Retention {
  readonly policy: CleanPolicy;
  /** Commits, versions of each file group, or hours. */
  readonly count: number;
}

/** What a clean would delete. */
export interface PlannedClean {
  readonly policy: CleanPolicy;
  /** The earliest commit of which every state is kept; undefined for a number of versions. */
  readonly earliest: Instant | undefined;
  /** The newest completed write; empty when there is none. */
  readonly lastCompleted: InstantTime | "";
  readonly partitions: readonly PlannedPartition[];
}

/** What goes from a partition. */
export interface PlannedPartition {
  readonly partitionPath: string;
  readonly files: readonly SliceFile[];
  /** Whether nothing is left in it. */
  readonly isDeleted: boolean;
}

/** Lists the table and picks what goes. Deletes nothing. */
export async function planClean(
  context: TableContext,
  timeline: ActiveTimeline,
  retention: Retention,
  signal?: AbortSignal,
): Promise<PlannedClean> {
  const { policy } = retention;
  const earliest = findEarliest(context, timeline, retention);
  const lastCompleted = timeline.latestWrite()?.time ?? "";
  const nothing = { policy, earliest, lastCompleted, partitions: [] };
  if (!earliest && policy !== "KEEP_LATEST_FILE_VERSIONS") return nothing;
  const partitions = await loadSlicedPartitions(context, timeline, signal);
  const rules: CleanRules = {
    retention,
    earliest: earliest?.time,
    holds: await loadHolds(context, timeline, signal),
    replaced: await loadReplaceTimes(context, timeline, signal),
  };
  const planned = partitions.map((partition) => planPartition(partition, rules));
  return {
    ...nothing,
    partitions: planned.filter(({ files, isDeleted }) => files.length > 0 || isDeleted),
  };
}

/** The first commit that keeps its files: never one that a pending write could still precede. */
function findEarliest(
  context: TableContext,
  timeline: ActiveTimeline,
  { policy, count }: Retention,
): Instant | undefined {
  const completed = timeline.completedWrites();
  if (policy === "KEEP_LATEST_BY_HOURS") {
    const { runtime, config } = context;
    const fromMs = runtime.clock.now() - count * 3_600_000;
    const from = formatInstantTime(fromMs, config.timelineZone);
    return completed.find(({ time }) => time >= from);
  }
  if (policy !== "KEEP_LATEST_COMMITS" || completed.length <= count) return undefined;
  const nth = completed[completed.length - count] as Instant;
  const pending = timeline.pending().find(({ action }) => holdsCommitsBack(action));
  if (!pending || nth.time <= pending.time) return nth;
  return completed.findLast(({ time }) => time < pending.time);
}

function holdsCommitsBack(action: Instant["action"]): boolean {
  return isWriteAction(action) || action === "compaction" || action === "logcompaction";
}

/** What decides about a slice. */
interface CleanRules {
  readonly retention: Retention;
  readonly earliest: InstantTime | undefined;
  readonly holds: Holds;
  readonly replaced: ReadonlyMap<string, InstantTime>;
}

function planPartition(partition: SlicedPartition, rules: CleanRules): PlannedPartition {
  const { partitionPath, groups } = partition;
  const going = groups.map((group) => selectSlices(group, rules));
  const files = going.flat().flatMap((slice) => slice.files);
  const isEmptied = groups.every(
    ({ slices, pendingFiles }, at) =>
      pendingFiles.length === 0 && going[at]?.length === slices.length,
  );
  // A partition that holds nothing was emptied by an earlier clean, or a writer has just begun it.
  return {
    partitionPath,
    files,
    isDeleted: isEmptied && groups.length > 0 && partitionPath !== "",
  };
}

/** The slices of a group that go. */
function selectSlices(group: SlicedGroup, rules: CleanRules): readonly StoredSlice[] {
  const { holds, replaced, earliest, retention } = rules;
  const { savepointFiles, compactedFrom, clustered } = holds;
  const key = fileGroupKey(group.partitionPath, group.fileId);
  if (clustered.has(key)) return [];
  const isSaved = ({ files }: StoredSlice): boolean =>
    files.some(({ fileName }) => savepointFiles.has(fileName));
  const replacedAt = replaced.get(key);
  if (replacedAt !== undefined) {
    const isPast = earliest === undefined ? true : replacedAt < earliest;
    const isRead = holds.readTimes.some((time) => time < replacedAt);
    return isPast && !isRead ? group.slices.filter((slice) => !isSaved(slice)) : [];
  }
  const kept = new Set(keptSlices(group, retention, earliest));
  for (const time of holds.readTimes) addSliceAt(kept, group, time);
  const planned = compactedFrom.get(key);
  return group.slices.filter(
    (slice) =>
      !kept.has(slice) && !isSaved(slice) && (planned === undefined || slice.baseInstant < planned),
  );
}

function keptSlices(
  { slices }: SlicedGroup,
  { policy, count }: Retention,
  earliest: InstantTime | undefined,
): readonly StoredSlice[] {
  if (policy === "KEEP_LATEST_FILE_VERSIONS") return slices.slice(-count);
  if (earliest === undefined) return slices;
  // Also the last one before the range: it is what readers of the earliest commit see, and what those
  // that began just before it read.
  const before = slices.findLastIndex(({ baseInstant }) => baseInstant < earliest);
  return slices.slice(Math.max(before, 0));
}

/** Keeps what a reader as of that time sees. */
function addSliceAt(kept: Set<StoredSlice>, { slices }: SlicedGroup, time: InstantTime): void {
  const slice = slices.findLast(({ baseInstant }) => baseInstant <= time);
  if (slice) kept.add(slice);
}
