// Archive: moves old instants from the active timeline to the archived one, in files that Hudi reads.
// Rules: spec/protocol/archive.md ARC-7.
import { HudiError, isHudiError } from "../errors.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import {
  deleteArchivedInstants,
  type InstantFile,
  instantPath,
  listInstantFiles,
  loadActiveTimeline,
  readInstant,
} from "../timeline/active-timeline.ts";
import { createArchivedEntry } from "../timeline/archived-entry.ts";
import { createArchiveFile } from "../timeline/archived-timeline.ts";
import { completedAction, type Instant } from "../timeline/instant.ts";
import { formatInstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { withLease } from "../write/rollback.ts";
import type { Lease, LeaseSettings } from "../write/write-lock.ts";
import { type PlannedArchival, planArchival, type TimelineBounds } from "./archive-planner.ts";

/** How many instants stay on the active timeline; commits, cleans and rollbacks count apart. */
export interface ArchiveOptions {
  /** How many stay; 20 without it. */
  readonly minCommits?: number | undefined;
  /** Archived is once there are more; 30 without it. */
  readonly maxCommits?: number | undefined;
  /** Plans, and changes nothing. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What was archived, or would be. */
export interface ArchiveReport {
  /** Oldest first. */
  readonly instants: readonly Instant[];
  /** The archive's new file; undefined where there was nothing to do, and for a plan alone. */
  readonly file: string | undefined;
  /** What keeps more instants from being archived; undefined where their numbers do. */
  readonly heldBy: string | undefined;
}

const READS_AT_ONCE = 16;
const DEFAULT_BOUNDS: TimelineBounds = { minCommits: 20, maxCommits: 30 };

/**
 * Archives the oldest instants of a timeline that is longer than `maxCommits`. Throws `INVALID` for
 * bounds that are none, and `CORRUPT` naming a completed instant that cannot be read.
 */
export async function archiveTimeline(
  context: TableContext,
  settings: LeaseSettings,
  options: ArchiveOptions = {},
): Promise<ArchiveReport> {
  const { signal, dryRun } = options;
  const bounds = parseBounds(options);
  if (dryRun) return { ...(await plan(context, bounds, signal)), file: undefined };
  return withLease(context, settings, signal, async (lease) => {
    const { instants, heldBy, files } = await plan(context, bounds, signal);
    if (instants.length === 0) return { instants, heldBy, file: undefined };
    const file = await moveInstants(context, instants, files, lease, signal);
    return { instants, heldBy, file };
  });
}

function parseBounds(options: ArchiveOptions): TimelineBounds {
  const { minCommits = DEFAULT_BOUNDS.minCommits } = options;
  const { maxCommits = Math.max(DEFAULT_BOUNDS.maxCommits, minCommits) } = options;
  const isWhole = [minCommits, maxCommits].every((n) => Number.isSafeInteger(n) && n > 0);
  if (isWhole && minCommits <= maxCommits) return { minCommits, maxCommits };
  throw new HudiError(
    "INVALID",
    `cannot archive: found minCommits ${minCommits} and maxCommits ${maxCommits}, expected whole numbers above zero, the first not above the second`,
  );
}

async function plan(
  context: TableContext,
  bounds: TimelineBounds,
  signal: AbortSignal | undefined,
): Promise<PlannedArchival & { readonly files: readonly InstantFile[] }> {
  const files = await listInstantFiles(context, signal);
  const timeline = await loadActiveTimeline(context, signal);
  return { ...(await planArchival(context, timeline, files, bounds, signal)), files };
}

/** The archive's file comes first: what a crash leaves on the timeline is archived again. */
async function moveInstants(
  context: TableContext,
  instants: readonly Instant[],
  files: readonly InstantFile[],
  lease: Lease,
  signal: AbortSignal | undefined,
): Promise<string> {
  const keys = new Set(instants.map(keyOf));
  const going = files.filter(({ instant }) => keys.has(keyOf(instant)));
  const entries = await mapConcurrently(
    going,
    READS_AT_ONCE,
    async ({ instant, modifiedMs }) =>
      createArchivedEntry({
        instant,
        transitionTime: formatInstantTime(modifiedMs, context.config.timelineZone),
        content: await loadContent(context, instant, signal),
        path: instantPath(context, instant),
      }),
    signal,
  );
  await lease.requireHeld();
  const file = await createArchiveFile(context, entries, signal);
  await deleteArchivedInstants(context, going, () => lease.requireHeld(), signal);
  return file;
}

/** A compaction completes as a commit. */
function keyOf({ time, action }: Instant): string {
  return `${time}.${completedAction(action)}`;
}

/** What stands in the file of a state; where that is empty, the plan of its request. */
async function loadContent(
  context: TableContext,
  instant: Instant,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const bytes = await readInstant(context, instant, signal);
  const isPlanned = instant.action === "compaction" || instant.action === "clean";
  if (bytes.length > 0 || instant.state !== "inflight" || !isPlanned) return bytes;
  try {
    return await readInstant(context, { ...instant, state: "requested" }, signal);
  } catch (error) {
    // An archival that died has deleted it; the entry is in the archive already.
    if (isHudiError(error, "NOT_FOUND")) return bytes;
    throw error;
  }
}
