// Which instants leave the active timeline: the oldest ones that no reader, writer or service has to
// know any more. Rules: spec/protocol/archive.md ARC-4 to ARC-6.
import { fileGroupKey } from "../file-group/file-slice.ts";
import {
  type ActiveTimeline,
  type InstantFile,
  instantPath,
  readInstant,
} from "../timeline/active-timeline.ts";
import { decodeCleanMetadata } from "../timeline/clean-plan.ts";
import { type Instant, isWriteAction } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { loadReplaceTimes, loadSlicedPartitions, type SlicedGroup } from "./stored-slices.ts";

/** How many commits, and as many cleans and rollbacks, stay: at least `minCommits` once there were more than `maxCommits`. */
export interface TimelineBounds {
  readonly minCommits: number;
  readonly maxCommits: number;
}

/** What archival would take off the timeline. */
export interface PlannedArchival {
  /** Completed instants, oldest first. */
  readonly instants: readonly Instant[];
  /** Why no more of them; undefined where the numbers alone decide. */
  readonly heldBy: string | undefined;
}

/** A time from which on instants stay, and why. */
interface Limit {
  readonly time: InstantTime;
  readonly reason: string;
}

/** Seconds are all that some stores date objects by. */
const DATE_SLACK_MS = 1_000;

/** Picks the instants. Lists the table only where the timeline is longer than its bounds. */
export async function planArchival(
  context: TableContext,
  timeline: ActiveTimeline,
  files: readonly InstantFile[],
  { minCommits, maxCommits }: TimelineBounds,
  signal?: AbortSignal,
): Promise<PlannedArchival> {
  const writes = timeline.completedWrites();
  const first = writes[0];
  const excess = (instants: readonly Instant[]): Instant[] =>
    instants.length > maxCommits ? instants.slice(0, instants.length - minCommits) : [];
  const services = (["clean", "rollback"] as const).flatMap((wanted) =>
    excess(timeline.instants.filter((i) => i.action === wanted && i.state === "completed")),
  );
  const candidates = excess(writes);
  if (!first || candidates.length + services.length === 0) {
    return { instants: [], heldBy: undefined };
  }
  const next = writes[candidates.length];
  const limits: Limit[] = [
    ...(next ? [{ time: next.time, reason: "" }] : []),
    ...findPendingLimits(timeline, files),
    ...(await findCleanLimits(context, timeline, signal)),
  ];
  const limit = await lowerToSlices(context, timeline, lowest(limits), signal);
  const before = ({ time }: Instant): boolean => time < limit.time;
  const instants = [...candidates.filter(before), ...services.filter(before)].sort((a, b) =>
    a.time < b.time ? -1 : a.time > b.time ? 1 : 0,
  );
  return { instants, heldBy: limit.reason === "" ? undefined : limit.reason };
}

function lowest(limits: readonly Limit[]): Limit {
  return limits.reduce((a, b) => (b.time < a.time ? b : a));
}

/** What is pending, and what writers at work must still find, stays. */
function findPendingLimits(timeline: ActiveTimeline, files: readonly InstantFile[]): Limit[] {
  const limits: Limit[] = [];
  const writes = timeline.completedWrites();
  const [pending] = timeline.pending();
  if (pending) {
    const before = writes.findLast(({ time }) => time < pending.time);
    const reason = `${pending.action} ${pending.time} is pending`;
    limits.push({ time: before?.time ?? pending.time, reason });
  }
  const savepoint = timeline.instants.find(({ action }) => action === "savepoint");
  if (savepoint) {
    limits.push({ time: savepoint.time, reason: `savepoint ${savepoint.time} holds its commit` });
  }
  // A writer looks for conflicts among the commits that completed since it began.
  const begunMs = files
    .filter(({ instant: { action, state, time } }) => {
      return isWriteAction(action) && state === "requested" && !timeline.findCompletedWrite(time);
    })
    .map(({ modifiedMs }) => modifiedMs);
  const oldestMs = Math.min(...begunMs) - DATE_SLACK_MS;
  const concurrent = writes.find((write) => timeline.modifiedMs(write) >= oldestMs);
  if (begunMs.length > 0 && concurrent) {
    const reason = `commit ${concurrent.time} completed beside a pending one`;
    limits.push({ time: concurrent.time, reason });
  }
  return limits;
}

/** What the cleaner retains stays. */
async function findCleanLimits(
  context: TableContext,
  timeline: ActiveTimeline,
  signal: AbortSignal | undefined,
): Promise<Limit[]> {
  const time = await findEarliestRetained(context, timeline, signal);
  if (time === undefined) return [];
  return [{ time, reason: `the cleaner retains what is from commit ${time} on` }];
}

/** The earliest commit that the newest clean retains; undefined where none says it. */
async function findEarliestRetained(
  context: TableContext,
  timeline: ActiveTimeline,
  signal: AbortSignal | undefined,
): Promise<InstantTime | undefined> {
  const last = timeline.instants.findLast(
    ({ action, state }) => action === "clean" && state === "completed",
  );
  if (!last) return undefined;
  const bytes = await readInstant(context, last, signal);
  if (bytes.length === 0) return undefined;
  const { earliestCommitToRetain } = decodeCleanMetadata(bytes, instantPath(context, last));
  return earliestCommitToRetain === "" ? undefined : earliestCommitToRetain;
}

/**
 * Lowers a limit to where the files of the table allow it: whatever is older than the first write of the
 * timeline counts as committed, so that nothing may lie there that never was.
 */
async function lowerToSlices(
  context: TableContext,
  timeline: ActiveTimeline,
  highest: Limit,
  signal: AbortSignal | undefined,
): Promise<Limit> {
  const replaced = await loadReplaceTimes(context, timeline, signal);
  const partitions = await loadSlicedPartitions(context, timeline, signal);
  const groups = partitions.flatMap((partition) => partition.groups);
  let limit = highest;
  const lower = (time: InstantTime | undefined, reason: string): void => {
    if (time !== undefined && time < limit.time) limit = { time, reason };
  };
  for (const group of groups) {
    const time = replaced.get(fileGroupKey(group.partitionPath, group.fileId));
    lower(time, `files that commit ${time} replaced are not cleaned`);
    for (const { instant, path } of group.pendingFiles) {
      lower(instant, `nobody completed the write of ${path}`);
    }
  }
  // Blocks of failed writes stay invisible only while the timeline shows that they failed.
  for (let before: InstantTime | undefined; before !== limit.time; ) {
    before = limit.time;
    for (const group of groups) {
      const time = findSliceOver(group, limit.time);
      lower(time, `the slice ${time} of file group ${group.fileId} has logs; compact it`);
    }
  }
  return limit;
}

/** The slice with logs that readers see at a time that it began before. */
function findSliceOver({ slices }: SlicedGroup, time: InstantTime): InstantTime | undefined {
  const slice = slices.findLast(({ baseInstant }) => baseInstant <= time);
  return slice?.hasLogs ? slice.baseInstant : undefined;
}
