// Undoes an instant: its data files, then its timeline files, recorded as a rollback of its own.
// Every step may be repeated, by this process or another. Rules: spec/protocol/rollback.md.
import { HudiError } from "../errors.ts";
import { listPartitions, loadCommitMetadata } from "../file-group/file-system-view.ts";
import {
  dataPath,
  heartbeatPath,
  parseBaseFileName,
  requireDataPath,
  splitDataPath,
} from "../layout/table-paths.ts";
import { bestEffort, mapConcurrently } from "../runtime/concurrency.ts";
import { createUuid } from "../runtime/random.ts";
import {
  type ActiveTimeline,
  createInstantFile,
  deletePendingInstant,
  issueInstant,
  loadActiveTimeline,
  readInstant,
  revertToInflight,
} from "../timeline/active-timeline.ts";
import type { Instant } from "../timeline/instant.ts";
import { encodeRollbackMetadata } from "../timeline/rollback-metadata.ts";
import { decodeRollbackPlan, encodeRollbackPlan } from "../timeline/rollback-plan.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { findExpiredWrites, type HeartbeatSettings } from "./heartbeat.ts";
import { loadMarkers } from "./marker-files.ts";
import { acquireLease, type Lease, type LeaseSettings } from "./write-lock.ts";

/** Settings that rolling back needs. */
export interface RollbackSettings {
  readonly lease: LeaseSettings;
  readonly heartbeat: HeartbeatSettings;
}

/** A rollback that is requested: its own time and what it undoes. */
export interface RequestedRollback {
  readonly time: string;
  readonly target: Instant;
}

/**
 * Rolls back every pending write whose writer died, and finishes rollbacks that died themselves.
 * Returns the instants that are gone. One listing when there is nothing to do.
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
  const stalled = await findStalledRollbacks(context, timeline, settings, signal);
  if (expired.length === 0 && stalled.length === 0) return [];
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
  const all = [...stalled, ...requested];
  for (const rollback of all) await executeRollback(context, rollback, signal);
  return all.map((rollback) => rollback.target.time);
}

/**
 * Rolls one instant back by name: a pending write, or the newest completed one. Throws `NOT_FOUND`
 * for an unknown instant and `INVALID` when later commits stand on it.
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
    if (known) return known;
    const [requested] = await requestRollbacks(context, timeline, [target], lease, signal);
    return requested as RequestedRollback;
  });
  await executeRollback(context, rollback, signal);
}

function requireRollbackAllowed(timeline: ActiveTimeline, target: Instant): void {
  const { time } = target;
  if (!["commit", "replacecommit"].includes(target.action)) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot roll back ${time}: it is a ${target.action}, expected a commit`,
      { instant: time },
    );
  }
  const later = timeline.completedWrites().find((instant) => instant.time > time);
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

async function withLease<T>(
  context: TableContext,
  settings: LeaseSettings,
  signal: AbortSignal | undefined,
  work: (lease: Lease) => Promise<T>,
): Promise<T> {
  const lease = await acquireLease(context, settings, signal);
  try {
    return await work(lease);
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
  const { random } = context.runtime;
  for (const target of targets) {
    const files = await findFilesOf(context, target, signal);
    const requests = Array.from(files, ([partitionPath, paths]) => ({
      partitionPath,
      fileId: "",
      latestBaseInstant: "",
      filesToBeDeleted: paths.map((path) => absolutePath(context, path)),
      logBlocksToBeDeleted: new Map<string, number>(),
    }));
    const { time: targetTime, action } = target;
    const content = await encodeRollbackPlan(
      { instantToRollback: { time: targetTime, action }, requests },
      random.bytes(16),
    );
    for (;;) {
      const used = requested.map((rollback) => rollback.time);
      const time = issueInstant(context, timeline, used);
      await lease.requireHeld();
      const outcome = await createInstantFile(
        context,
        { time, action: "rollback", state: "requested" },
        content,
        { writeId: createUuid(random), signal },
      );
      requested.push({ time, target });
      if (outcome === "created") break;
      requested.pop();
      used.push(time);
    }
  }
  return requested;
}

/** Rollbacks that are requested or inflight, with what they undo. */
export async function loadPendingRollbacks(
  context: TableContext,
  timeline: ActiveTimeline,
  signal?: AbortSignal,
): Promise<RequestedRollback[]> {
  const pending = timeline.pending().filter((instant) => instant.action === "rollback");
  return loadRollbacks(context, timeline, pending, signal);
}

/** What rollbacks undo, in whatever state they are: their plans stay on the timeline. */
export async function loadRollbacks(
  context: TableContext,
  timeline: ActiveTimeline,
  rollbacks: readonly Instant[],
  signal?: AbortSignal,
): Promise<RequestedRollback[]> {
  return mapConcurrently(
    rollbacks,
    8,
    async (instant) => {
      const requested = { ...instant, state: "requested" } as const;
      const plan = decodeRollbackPlan(await readInstant(context, requested, signal), instant.time);
      const { time, action } = plan.instantToRollback;
      const target = timeline.find(time) ?? {
        time,
        action: action as Instant["action"],
        state: "inflight" as const,
      };
      return { time: instant.time, target };
    },
    signal,
  );
}

async function findStalledRollbacks(
  context: TableContext,
  timeline: ActiveTimeline,
  settings: RollbackSettings,
  signal: AbortSignal | undefined,
): Promise<RequestedRollback[]> {
  const rollbacks = await loadPendingRollbacks(context, timeline, signal);
  const nowMs = context.runtime.clock.now();
  return rollbacks.filter(({ time }) => {
    const instant = timeline.find(time) as Instant;
    return nowMs - timeline.modifiedMs(instant) > settings.heartbeat.expireMs;
  });
}

/**
 * Carries a requested rollback out: deletes the data files, then the timeline files of the target,
 * completes, and last removes what helps to find the files.
 */
export async function executeRollback(
  context: TableContext,
  rollback: RequestedRollback,
  signal?: AbortSignal,
): Promise<void> {
  const { storage, runtime } = context;
  const { time, target } = rollback;
  const startedMs = runtime.clock.now();
  const writeId = (): string => createUuid(runtime.random);
  await createInstantFile(
    context,
    { time, action: "rollback", state: "inflight" },
    new Uint8Array(0),
    { writeId: writeId(), signal },
  );
  const files = await findFilesOf(context, target, signal);
  if (target.state === "completed") await revertToInflight(context, target, signal);
  await storage.delete([...files.values()].flat(), { signal });
  await deletePendingInstant(context, target, signal);
  const partitions = new Map(
    Array.from(files, ([partition, paths]) => [
      partition,
      {
        successDeleteFiles: paths.map((path) => absolutePath(context, path)),
        failedDeleteFiles: [],
      },
    ]),
  );
  const content = await encodeRollbackMetadata(
    {
      startRollbackTime: time,
      timeTakenMs: runtime.clock.now() - startedMs,
      totalFilesDeleted: [...files.values()].flat().length,
      instantsRollback: [{ time: target.time, action: target.action }],
      partitions,
    },
    runtime.random.bytes(16),
  );
  await createInstantFile(context, { time, action: "rollback", state: "completed" }, content, {
    writeId: writeId(),
    signal,
  });
  await bestEffort(async () => {
    const markers = await loadMarkers(context, target.time);
    await storage.delete([...markers.paths, heartbeatPath(target.time)]);
  });
}

/**
 * The base files that an instant left, by partition: those its markers and its commit metadata name,
 * and those a listing shows, because a reader that does not know the timeline would serve them.
 */
async function findFilesOf(
  context: TableContext,
  target: Instant,
  signal: AbortSignal | undefined,
): Promise<Map<string, string[]>> {
  const { storage } = context;
  const markers = await loadMarkers(context, target.time, signal);
  const partitions = new Set(await listPartitions(context, { signal }));
  for (const file of markers.files) partitions.add(file.partitionPath);
  if (target.state === "completed") {
    const metadata = await loadCommitMetadata(context, target, signal);
    for (const stats of metadata.partitionToWriteStats.values()) {
      for (const stat of stats)
        partitions.add(splitDataPath(requireDataPath(stat.path, target.time)).partitionPath);
    }
  }
  const found = await mapConcurrently(
    [...partitions].sort(),
    16,
    async (partition): Promise<[string, string[]]> => {
      const { objects } = await storage.listFolder(partition, { signal });
      const paths = objects
        .map((object) => splitDataPath(object.path).fileName)
        .filter((name) => parseBaseFileName(name)?.instant === target.time)
        .map((name) => dataPath(partition, name));
      return [partition, paths];
    },
    signal,
  );
  return new Map(found.filter(([, paths]) => paths.length > 0));
}

/** Rollback plans of Hudi name files absolutely. */
function absolutePath(context: TableContext, path: string): string {
  return `${context.storage.location}/${path}`;
}
