// The rows that changed in a range of commits, in their newest version.
// Rules: spec/protocol/incremental.md, IN-1 to IN-6.
import { HudiError } from "../errors.ts";
import { fileGroupKey } from "../file-group/file-slice.ts";
import { loadCommitMetadata, loadFileSystemView } from "../file-group/file-system-view.ts";
import { loadTableSchema } from "../file-group/table-schema.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, loadActiveTimeline } from "../timeline/active-timeline.ts";
import type { Instant } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { bindQuery, partitionFilter, type QueryOptions, type ReadPlan } from "./read-plan.ts";
import { planSnapshot, requireReadable } from "./snapshot-query.ts";

/** A half-open range of commits: `after` is left out, `upTo` included. */
export interface IncrementalOptions extends QueryOptions {
  /** Default: from the beginning, which makes it a snapshot as of `upTo`. */
  readonly after?: InstantTime | undefined;
  /** Default: the newest instant that no pending write can come before. */
  readonly upTo?: InstantTime | undefined;
}

/** Plans an incremental read. Throws `EXPIRED` when the range begins before the active timeline. */
export async function planIncremental(
  context: TableContext,
  options: IncrementalOptions,
): Promise<ReadPlan> {
  const { signal, after } = options;
  requireReadable(context);
  const timeline = await loadActiveTimeline(context, signal);
  const ordered = orderCommits(context, timeline);
  const end = findEnd(context, timeline, ordered, options.upTo);
  const upTo = end ? cursorOf(context, end) : (after ?? "");
  if (after === undefined) {
    const plan = await planSnapshot(context, { ...options, asOf: end?.time }, timeline);
    return end ? { ...plan, upTo } : { ...plan, slices: [], upTo: "" };
  }
  requireRange(context, ordered, timeline, after);
  const inRange = ordered.filter((instant) => {
    const cursor = cursorOf(context, instant);
    return cursor > after && cursor <= upTo;
  });
  const schema = await loadTableSchema(context, timeline, end?.time, signal);
  const bound = bindQuery(schema, options);
  if (inRange.length === 0) {
    return { ...bound, slices: [], instants: new Set(), upTo: upTo > after ? upTo : after };
  }
  const touched = await loadTouchedGroups(context, inRange, signal);
  const keep = partitionFilter(context.config, schema, bound.predicate);
  const view = await loadFileSystemView(context, timeline, {
    asOf: greatestTime(ordered.filter((instant) => cursorOf(context, instant) <= upTo)),
    partitions: [...touched.partitions].filter(keep),
    signal,
  });
  const slices = view.slices.filter((slice) =>
    touched.groups.has(fileGroupKey(slice.partitionPath, slice.fileId)),
  );
  return { ...bound, slices, instants: new Set(inRange.map((instant) => instant.time)), upTo };
}

/** What a range is measured in: completion time where the table has it, else the instant itself. */
function cursorOf(context: TableContext, instant: Instant): InstantTime {
  return context.config.layout === 2 ? (instant.completionTime ?? instant.time) : instant.time;
}

function orderCommits(context: TableContext, timeline: ActiveTimeline): Instant[] {
  return timeline
    .completedWrites()
    .sort((a, b) => (cursorOf(context, a) < cursorOf(context, b) ? -1 : 1));
}

/**
 * The last commit that may be handed out. Without completion times a pending write may still
 * complete below a newer commit and would be skipped, so the range ends before the oldest of them.
 */
function findEnd(
  context: TableContext,
  timeline: ActiveTimeline,
  ordered: readonly Instant[],
  upTo: InstantTime | undefined,
): Instant | undefined {
  const pending = context.config.layout === 1 ? timeline.pendingWrites()[0]?.time : undefined;
  return ordered.findLast((instant) => {
    const cursor = cursorOf(context, instant);
    return (upTo === undefined || cursor <= upTo) && (pending === undefined || cursor < pending);
  });
}

function greatestTime(instants: readonly Instant[]): InstantTime {
  return (
    instants
      .map((instant) => instant.time)
      .sort()
      .at(-1) ?? ""
  );
}

function requireRange(
  context: TableContext,
  ordered: readonly Instant[],
  timeline: ActiveTimeline,
  after: InstantTime,
): void {
  const earliest = ordered[0];
  if (!earliest || after >= cursorOf(context, earliest)) return;
  // Where nothing was cleaned or archived, the timeline still begins with the first commit.
  const isWhole = !timeline.instants.some((instant) => instant.action === "clean");
  if (isWhole) return;
  throw new HudiError(
    "EXPIRED",
    `cannot read what changed after ${after}: the earliest instant on the timeline is ${cursorOf(context, earliest)}; start from a snapshot`,
    { instant: after },
  );
}

async function loadTouchedGroups(
  context: TableContext,
  instants: readonly Instant[],
  signal: AbortSignal | undefined,
): Promise<{ readonly groups: ReadonlySet<string>; readonly partitions: ReadonlySet<string> }> {
  const groups = new Set<string>();
  const partitions = new Set<string>();
  await mapConcurrently(
    instants,
    16,
    async (instant) => {
      const metadata = await loadCommitMetadata(context, instant, signal);
      for (const [partition, stats] of metadata.partitionToWriteStats) {
        if (stats.length > 0) partitions.add(partition);
        for (const stat of stats) groups.add(fileGroupKey(partition, stat.fileId));
      }
    },
    signal,
  );
  return { groups, partitions };
}
