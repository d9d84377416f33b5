// Decides what is undone: writes whose writers died, and instants that are named. A rollback is
// requested under the lease. Rules: spec/protocol/rollback.md, RB-4 to RB-7.
import { HudiError, isHudiError } from "../errors.ts";
import { compareLogFiles } from "../file-group/log-file.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { createUuid } from "../runtime/random.ts";
import { isOutcomeUnknown } from "../storage/storage.ts";
import {
  type ActiveTimeline,
  createInstantFile,
  deletePendingInstant,
  instantPath,
  issueInstant,
  loadActiveTimeline,
  readInstant,
} from "../timeline/active-timeline.ts";
import { type Instant, isWriteAction } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import {
  decodeRollbackPlan,
  encodeRollbackPlan,
  type RollbackPlan,
  type RollbackRequest,
} from "../timeline/rollback-plan.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { findExpiredWrites, type HeartbeatSettings } from "./heartbeat.ts";
import {
  absolutePath,
  executeRollback,
  findFilesOf,
  type RequestedRollback,
  startRollback,
} from "./rollback-execution.ts";
import { findLoggedSlices } from "./rollback-logs.ts";
import { acquireLease, type Lease, type LeaseSettings, underLease } from "./write-lock.ts";

/** Settings that rolling back needs. */
export interface RollbackSettings {
  readonly lease: LeaseSettings;
  readonly heartbeat: HeartbeatSettings;
}

/**
 * Rolls back every pending write whose writer died, and finishes rollbacks that died themselves or
 * would take a completed commit from under the next one. Returns the instants that were dealt with.
 * One listing when there is nothing to do.
 */
export async function rollbackExpiredWrites(
  context: TableContext,
  timeline: ActiveTimeline,
  ownInstant: string | undefined,
  settings: RollbackSettings,
  signal?: AbortSignal,
): Promise<string[]> {
  const expired = await findExpiredWrites(
    context,
    timeline,
    settings.heartbeat,
    ownInstant,
    signal,
  );
  const stalled = await findStalledRollbacks(context, timeline, ownInstant, settings, signal);
  for (const rollback of stalled) await executeRollback(context, rollback, signal);
  const undone = stalled.map((rollback) => rollback.target.time);
  if (expired.length === 0) return undone;
  const requested = await withLease(context, settings.lease, signal, async (lease) => {
    const now = await loadActiveTimeline(context, signal);
    // Somebody may have rolled them back, or they may have gone on, before the lease was ours.
    const stillExpired = await findExpiredWrites(
      context,
      now,
      settings.heartbeat,
      ownInstant,
      signal,
    );
    const named = await loadPendingRollbacks(context, now, signal);
    const targets = stillExpired.filter(
      (target) => !named.some((r) => r.target.time === target.time),
    );
    return requestRollbacks(context, now, targets, lease, signal);
  });
  for (const rollback of requested) await executeRollback(context, rollback, signal);
  return [...undone, ...requested.map((rollback) => rollback.target.time)];
}

/**
 * Rolls one instant back by name: a pending write, or the newest completed one. Throws `NOT_FOUND`
 * for an unknown instant, `INVALID` when later commits stand on it and `CONFLICT` when one came
 * meanwhile.
 */
export async function rollbackInstant(
  context: TableContext,
  time: string,
  settings: RollbackSettings,
  signal?: AbortSignal,
): Promise<void> {
  const rollback = await withLease(context, settings.lease, signal, async (lease) => {
    const timeline = await loadActiveTimeline(context, signal);
    const target = timeline.find(time);
    if (!target) {
      throw new HudiError(
        "NOT_FOUND",
        `cannot roll back ${time}: there is no such instant on the timeline`,
        { instant: time },
      );
    }
    requireRollbackAllowed(timeline, target);
    const pending = await loadPendingRollbacks(context, timeline, signal);
    const known = pending.find((entry) => entry.target.time === time);
    const requested = (known ??
      (await requestRollbacks(context, timeline, [target], lease, signal))[0]) as RequestedRollback;
    // Inflight says that a completed commit is meant, and nobody can complete one on top of it now.
    if (target.state === "completed") await startRollback(context, requested, signal, lease);
    return requested;
  });
  if (await executeRollback(context, rollback, signal)) return;
  throw new HudiError(
    "CONFLICT",
    `cannot roll back ${time}: another writer completed on top of it meanwhile; roll that back first`,
    { instant: time },
  );
}

function requireRollbackAllowed(timeline: ActiveTimeline, target: Instant): void {
  const { time } = target;
  if (!isWriteAction(target.action)) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot roll back ${time}: it is a ${target.action}, expected a commit`,
      { instant: time },
    );
  }
  const later = timeline.completedWrites().find((instant) => instant.time > time);
  const planned = timeline
    .pending()
    .find((instant) => instant.action === "compaction" && instant.time > time);
  if (target.state === "completed" && target.action === "deltacommit" && planned) {
    throw new HudiError(
      "INVALID",
      `cannot roll back ${time}: compaction ${planned.time} was planned on top of it; let that complete, or take its plan back first`,
      { instant: time },
    );
  }
  if (target.state === "completed" && later) {
    throw new HudiError(
      "INVALID",
      `cannot roll back ${time}: ${later.time} was completed after it; roll that back first`,
      { instant: time },
    );
  }
  const savepoint = timeline.instants.find((i) => i.action === "savepoint" && i.time === time);
  if (savepoint) {
    throw new HudiError("INVALID", `cannot roll back ${time}: a savepoint holds it`, {
      instant: time,
    });
  }
}

/** Runs `work` under the lease of the table; a request in doubt keeps the lease until it expires. */
export async function withLease<T>(
  context: TableContext,
  settings: LeaseSettings,
  signal: AbortSignal | undefined,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const lease = await acquireLease(context, settings, signal);
  try {
    return await work(lease);
  } catch (error) {
    if (isOutcomeUnknown(error)) lease.leaveToExpire();
    throw error;
  } finally {
    await lease.release();
  }
}

/** Puts rollbacks on the timeline; only while the lease is held. */
async function requestRollbacks(
  context: TableContext,
  timeline: ActiveTimeline,
  targets: readonly Instant[],
  lease: Lease,
  signal: AbortSignal | undefined,
): Promise<RequestedRollback[]> {
  const requested: RequestedRollback[] = [];
  const tried: InstantTime[] = [];
  const { random } = context.runtime;
  for (const target of targets) {
    const files = await findFilesOf(context, target, signal);
    const deletions = Array.from(files, ([partitionPath, paths]) => ({
      partitionPath,
      fileId: "",
      latestBaseInstant: "",
      filesToBeDeleted: paths.map((path) => absolutePath(context, path)),
      logBlocksToBeDeleted: new Map<string, number>(),
    }));
    const requests = [...deletions, ...(await requestCommands(context, target, signal))];
    const { time: targetTime, action } = target;
    const content = await encodeRollbackPlan(
      { instantToRollback: { time: targetTime, action }, requests },
      random.bytes(16),
    );
    for (;;) {
      const time = issueInstant(context, timeline, tried);
      tried.push(time);
      const instant = { time, action: "rollback", state: "requested" } as const;
      const outcome = await createInstantFile(context, instant, content, {
        writeId: createUuid(random),
        signal,
        ...underLease(lease),
      });
      if (outcome === "exists" || (await withdrawIfShared(context, instant, signal))) continue;
      requested.push({ time, state: "requested", target });
      break;
    }
  }
  return requested;
}

/** What Hudi needs to know of logs in which blocks are to be undone. */
async function requestCommands(
  context: TableContext,
  target: Instant,
  signal: AbortSignal | undefined,
): Promise<RollbackRequest[]> {
  const slices = await findLoggedSlices(context, target, signal);
  return slices.map(({ partitionPath, fileId, baseInstant, logFiles }) => ({
    partitionPath,
    fileId,
    latestBaseInstant: baseInstant,
    filesToBeDeleted: [],
    logBlocksToBeDeleted: new Map(
      [...logFiles]
        .sort(compareLogFiles)
        .slice(-1)
        .map(({ path, sizeBytes }) => [absolutePath(context, path), sizeBytes]),
    ),
  }));
}

/** A write that does not hold the lease may have taken the same time; one of the two has to yield. */
async function withdrawIfShared(
  context: TableContext,
  own: Instant,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { instants } = await loadActiveTimeline(context, signal);
  const isShared = instants.some(({ time, action }) => time === own.time && action !== own.action);
  if (isShared) await deletePendingInstant(context, own, signal);
  return isShared;
}

/** Rollbacks that are requested or inflight, with what they undo. */
export async function loadPendingRollbacks(
  context: TableContext,
  timeline: ActiveTimeline,
  signal?: AbortSignal,
): Promise<readonly RequestedRollback[]> {
  return (await loadRollbacks(context, timeline, pendingRollbacks(timeline), signal)).rollbacks;
}

function pendingRollbacks(timeline: ActiveTimeline): Instant[] {
  return timeline.pending().filter((instant) => instant.action === "rollback");
}

/** Rollbacks with what they undo, and those whose plan was not written to its end. */
export interface LoadedRollbacks {
  readonly rollbacks: readonly RequestedRollback[];
  readonly torn: readonly TornRollback[];
}

/** A rollback of which nobody can tell what it undoes. */
export interface TornRollback {
  readonly instant: Instant;
  readonly error: HudiError;
}

/** What rollbacks undo, in whatever state they are: their plans stay on the timeline. */
export async function loadRollbacks(
  context: TableContext,
  timeline: ActiveTimeline,
  instants: readonly Instant[],
  signal?: AbortSignal,
): Promise<LoadedRollbacks> {
  const torn: TornRollback[] = [];
  const loaded = await mapConcurrently(
    instants,
    8,
    async (instant): Promise<RequestedRollback[]> => {
      const requested = { ...instant, state: "requested" } as const;
      const bytes = await findInstantContent(context, requested, signal);
      // One that is not there any more was withdrawn.
      if (!bytes) return [];
      const plan = parsePlan(bytes, instantPath(context, requested));
      if (plan instanceof HudiError) {
        torn.push({ instant, error: plan });
        return [];
      }
      const { time, action } = plan.instantToRollback;
      const target = timeline.find(time) ?? {
        time,
        action: action as Instant["action"],
        state: "inflight" as const,
      };
      return [{ time: instant.time, state: instant.state, target }];
    },
    signal,
  );
  return { rollbacks: loaded.flat(), torn };
}

function parsePlan(bytes: Uint8Array, path: string): RollbackPlan | HudiError {
  try {
    return decodeRollbackPlan(bytes, path);
  } catch (error) {
    if (isHudiError(error, "CORRUPT")) return error;
    throw error;
  }
}

async function findInstantContent(
  context: TableContext,
  instant: Instant,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | undefined> {
  try {
    return await readInstant(context, instant, signal);
  } catch (error) {
    if (isHudiError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Rollbacks that nobody else can be expected to finish, or that the next write must not precede. */
async function findStalledRollbacks(
  context: TableContext,
  timeline: ActiveTimeline,
  ownInstant: string | undefined,
  settings: RollbackSettings,
  signal: AbortSignal | undefined,
): Promise<RequestedRollback[]> {
  const { rollbacks, torn } = await loadRollbacks(
    context,
    timeline,
    pendingRollbacks(timeline),
    signal,
  );
  const nowMs = storageTime(context, timeline, ownInstant);
  const isOld = (instant: Instant): boolean =>
    nowMs - timeline.modifiedMs(instant) > settings.heartbeat.expireMs;
  for (const { instant, error } of torn) {
    // As Hudi does: a request that was not written to its end is dropped, and its target found again.
    if (instant.state !== "requested" || !isOld(instant)) throw error;
    await deletePendingInstant(context, instant, signal);
  }
  return rollbacks.filter(({ time, state, target }) => {
    if (state === "inflight" && target.state === "completed") return true;
    return isOld({ time, action: "rollback", state });
  });
}

/** The time of the storage's clock, which is what dates files: that of the request just made. */
function storageTime(
  context: TableContext,
  timeline: ActiveTimeline,
  ownInstant: string | undefined,
): number {
  const own = timeline.instants.find((i) => i.time === ownInstant && isWriteAction(i.action));
  return own ? timeline.modifiedMs(own) : context.runtime.clock.now();
}
