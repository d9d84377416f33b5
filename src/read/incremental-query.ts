// The rows that changed in a range of commits, in their newest version.
// Rules: spec/protocol/incremental.md, IN-1 to IN-6.
import { type FileSlice, fileGroupKey } from "../file-group/file-slice.ts";
import {
  type FileSystemView,
  findFirstWrite,
  loadCommitMetadata,
  loadFileSystemView,
} from "../file-group/file-system-view.ts";
import { loadTableSchema } from "../file-group/table-schema.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, loadActiveTimeline } from "../timeline/active-timeline.ts";
import { wasArchived } from "../timeline/archived-timeline.ts";
import type { Instant } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import {
  cursorOf,
  findEnd,
  findOpenWrite,
  orderCommits,
  parseCursor,
  pinTimeline,
  requireCommitTimes,
} from "./commit-range.ts";
import { type PartitionFilter, partitionFilter } from "./partition-pruning.ts";
import { expired } from "./read-history.ts";
import { bindQuery, planLogReading, type QueryOptions, type ReadPlan } from "./read-plan.ts";
import { planSnapshot, requireReadable } from "./snapshot-query.ts";

/** A half-open range of commits: `after` is left out, `upTo` included. */
export interface IncrementalOptions extends QueryOptions {
  /** Default: from the beginning, which makes it a snapshot as of `upTo`. */
  readonly after?: InstantTime | undefined;
  /** Default: the newest instant that no pending write can come before. */
  readonly upTo?: InstantTime | undefined;
}

/**
 * Plans an incremental read. Throws `EXPIRED` when the range begins before the active timeline, or
 * when files that it wrote were cleaned, and `INVALID` for a bound that is no instant.
 */
export async function planIncremental(
  context: TableContext,
  options: IncrementalOptions,
): Promise<ReadPlan> {
  const { signal } = options;
  const after = parseCursor("after", options.after);
  const last = parseCursor("upTo", options.upTo);
  requireReadable(context);
  const timeline = await loadActiveTimeline(context, signal);
  const ordered = orderCommits(context, timeline);
  const bound = await findOpenWrite(context, timeline, signal);
  const end = findEnd(context, ordered, last, bound);
  const upTo = end ? cursorOf(context, end) : (after ?? "");
  const pinned = pinTimeline(context, timeline, upTo);
  if (after === undefined) {
    const isPast = end !== ordered.at(-1);
    return { ...(await planSnapshot(context, options, { timeline: pinned, isPast })), upTo };
  }
  requireCommitTimes(context);
  await requireRange(context, timeline, ordered, after, signal);
  const inRange = pinned.completedWrites().filter((write) => cursorOf(context, write) > after);
  const schema = await loadTableSchema(context, pinned, undefined, signal);
  const query = bindQuery(schema, options);
  if (inRange.length === 0) {
    const nothing = { slices: [], instants: new Set<string>(), logs: undefined };
    return { ...query, ...nothing, upTo: upTo > after ? upTo : after };
  }
  const touched = await loadTouchedGroups(context, inRange, signal);
  const keepPartition = partitionFilter(context.config, schema, query.predicate);
  const partitions = [...touched.partitions].filter((path) => keepPartition(path, true));
  const view = await loadFileSystemView(context, pinned, { partitions, signal });
  requireTouchedSlices(after, touched, view, keepPartition);
  const slices = view.slices.filter((slice) =>
    touched.groups.has(fileGroupKey(slice.partitionPath, slice.fileId)),
  );
  const logs = planLogReading(context, schema, slices, view.visible);
  return {
    ...query,
    slices,
    instants: new Set(inRange.map((instant) => instant.time)),
    logs,
    upTo,
  };
}

/** Archived commits cannot be told apart any more; without them the timeline is whole. */
async function requireRange(
  context: TableContext,
  timeline: ActiveTimeline,
  ordered: readonly Instant[],
  after: InstantTime,
  signal: AbortSignal | undefined,
): Promise<void> {
  // A commit that a savepoint holds stays behind when those after it are archived.
  const first = findFirstWrite(timeline)?.time ?? "";
  const earliest = ordered.find(({ time }) => time >= first) ?? ordered.at(-1);
  if (!earliest || after >= cursorOf(context, earliest)) return;
  if (!(await wasArchived(context, signal))) return;
  throw expired(
    `what changed after ${after}`,
    `the earliest instant on the timeline is ${cursorOf(context, earliest)}`,
    after,
  );
}

/** What a range of commits wrote: the files of each file group, by `fileGroupKey`. */
interface TouchedGroups {
  readonly groups: ReadonlyMap<string, readonly TouchedFile[]>;
  readonly partitions: ReadonlySet<string>;
}

/** A file that a commit of the range wrote. */
interface TouchedFile {
  readonly path: string;
  readonly commit: InstantTime;
}

/** Throws `EXPIRED` when a file of the range, and every later version of it up to its end, is gone. */
function requireTouchedSlices(
  after: InstantTime,
  touched: TouchedGroups,
  view: FileSystemView,
  keepPartition: PartitionFilter,
): void {
  const present = new Map(
    view.slices.map((slice) => [fileGroupKey(slice.partitionPath, slice.fileId), slice]),
  );
  for (const [key, files] of touched.groups) {
    const [partitionPath, fileId] = key.split("\n") as [string, string];
    if (!keepPartition(partitionPath, true) || view.replacedGroups.has(key)) continue;
    const lost = files
      .filter((file) => !isHeld(present.get(key), file))
      .reduce<TouchedFile | undefined>((a, b) => (a && a.commit > b.commit ? a : b), undefined);
    if (!lost) continue;
    const fact = `what commit ${lost.commit} wrote to file group ${fileId} of partition ${JSON.stringify(partitionPath)} was cleaned`;
    throw expired(`what changed after ${after}`, fact, lost.commit);
  }
}

/** Whether a slice still shows what a file brought: the file is in it, or a later base file took it in. */
function isHeld(slice: FileSlice | undefined, { path, commit }: TouchedFile): boolean {
  if (!slice) return false;
  if (slice.baseFile && slice.baseFile.instant >= commit) return true;
  return slice.logFiles.some((log) => log.path === path);
}

async function loadTouchedGroups(
  context: TableContext,
  instants: readonly Instant[],
  signal: AbortSignal | undefined,
): Promise<TouchedGroups> {
  const groups = new Map<string, TouchedFile[]>();
  const partitions = new Set<string>();
  await mapConcurrently(
    instants,
    16,
    async ({ time, ...instant }) => {
      const metadata = await loadCommitMetadata(context, { time, ...instant }, signal);
      // A compaction changes no row.
      if (metadata.operationType === "COMPACT") return;
      for (const [partition, stats] of metadata.partitionToWriteStats) {
        if (stats.length > 0) partitions.add(partition);
        for (const { fileId, path } of stats) {
          const key = fileGroupKey(partition, fileId);
          groups.set(key, [...(groups.get(key) ?? []), { path, commit: time }]);
        }
      }
    },
    signal,
  );
  return { groups, partitions };
}
