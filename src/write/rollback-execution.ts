// Carries a rollback out that stands on the timeline, and finds what an instant left. Every step may
// be repeated, by this process or another. Rules: spec/protocol/rollback.md, RB-1 to RB-3.
import { isHudiError } from "../errors.ts";
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
  instantPath,
  loadActiveTimeline,
  revertToInflight,
} from "../timeline/active-timeline.ts";
import type { Instant, InstantState } from "../timeline/instant.ts";
import { encodeRollbackMetadata, type RolledBackPartition } from "../timeline/rollback-metadata.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { loadMarkers } from "./marker-files.ts";
import {
  appendRollbackCommands,
  findLoggedSlices,
  type LoggedSlice,
  type RollbackLog,
} from "./rollback-logs.ts";
import { type Lease, underLease } from "./write-lock.ts";

/** A rollback on the timeline: its own time and state, and what it undoes. */
export interface RequestedRollback {
  readonly time: string;
  readonly state: InstantState;
  readonly target: Instant;
}

/**
 * Moves a rollback to inflight, from where on it undoes its target even if that is completed, whoever
 * carries it out.
 */
export async function startRollback(
  context: TableContext,
  { time }: RequestedRollback,
  signal: AbortSignal | undefined,
  lease?: Lease,
): Promise<void> {
  const instant = { time, action: "rollback", state: "inflight" } as const;
  await createInstantFile(context, instant, new Uint8Array(0), {
    writeId: createUuid(context.runtime.random),
    signal,
    ...(lease && underLease(lease)),
  });
}

/**
 * Carries a requested rollback out: deletes the data files, then the timeline files of the target,
 * completes, and last removes what helps to find the files. False: it undid nothing, because its
 * target has completed after all, or others have completed on top of it.
 */
export async function executeRollback(
  context: TableContext,
  rollback: RequestedRollback,
  signal?: AbortSignal,
): Promise<boolean> {
  const { storage, runtime } = context;
  const { time } = rollback;
  const startedMs = runtime.clock.now();
  const timeline = await loadActiveTimeline(context, signal);
  const target = findWrite(timeline, rollback.target.time) ?? {
    ...rollback.target,
    state: "inflight",
  };
  const state = timeline.instants.find((i) => i.time === time && i.action === "rollback")?.state;
  if (state === undefined) return false;
  if (state === "completed") return target.state !== "completed";
  const isVoid = target.state === "completed" && !mayUndo(timeline, target, state);
  if (isVoid && state === "requested") {
    // Inflight would mean that it undoes the commit, to whoever finds it after this process died.
    const requested: Instant = { time, action: "rollback", state };
    await storage.delete([instantPath(context, requested)], { signal });
    return false;
  }
  if (state !== "inflight") await startRollback(context, rollback, signal);
  const files = isVoid ? new Map<string, string[]>() : await findFilesOf(context, target, signal);
  const slices = isVoid ? [] : await findLoggedSlices(context, target, signal);
  const logs = isVoid ? [] : await removeTarget(context, time, target, { files, slices }, signal);
  const content = await encodeRollbackMetadata(
    {
      startRollbackTime: time,
      timeTakenMs: Math.round(runtime.clock.now() - startedMs),
      totalFilesDeleted: [...files.values()].flat().length,
      instantsRollback: isVoid ? [] : [{ time: target.time, action: target.action }],
      partitions: describePartitions(context, files, slices, logs),
    },
    runtime.random.bytes(16),
  );
  await createInstantFile(context, { time, action: "rollback", state: "completed" }, content, {
    writeId: createUuid(runtime.random),
    signal,
  });
  if (isVoid) return false;
  await bestEffort(async () => {
    const markers = await loadMarkers(context, target.time);
    await storage.delete([...markers.paths, heartbeatPath(target.time)]);
  });
  return true;
}

/** The write of that time: a rollback may have the same time as another action. */
function findWrite(timeline: ActiveTimeline, time: string): Instant | undefined {
  return timeline.instants.find(
    (instant) => instant.time === time && instant.action !== "rollback",
  );
}

/**
 * Whether a rollback may take a completed commit back. One that is only requested was meant for a
 * pending write, which then completed: its request came through too late. And nothing is taken from
 * under a later commit.
 */
function mayUndo(
  timeline: ActiveTimeline,
  target: Instant,
  state: InstantState | undefined,
): boolean {
  if (state === "requested") return false;
  return !timeline.completedWrites().some((write) => write.time > target.time);
}

async function removeTarget(
  context: TableContext,
  rollbackTime: string,
  target: Instant,
  left: { readonly files: FilesByPartition; readonly slices: readonly LoggedSlice[] },
  signal: AbortSignal | undefined,
): Promise<RollbackLog[]> {
  if (target.state === "completed") await revertToInflight(context, target, signal);
  await context.storage.delete([...left.files.values()].flat(), { signal });
  const logs = await appendRollbackCommands(context, rollbackTime, target, left.slices, signal);
  await deletePendingInstant(context, target, signal);
  return logs;
}

type FilesByPartition = ReadonlyMap<string, readonly string[]>;

/** What the metadata of a rollback says of each partition. */
function describePartitions(
  context: TableContext,
  files: FilesByPartition,
  slices: readonly LoggedSlice[],
  logs: readonly RollbackLog[],
): Map<string, RolledBackPartition> {
  const sizes = (found: readonly { path: string; sizeBytes: number }[]): Map<string, number> =>
    new Map(found.map(({ path, sizeBytes }) => [absolutePath(context, path), sizeBytes]));
  const names = new Set([...files.keys(), ...slices.map(({ partitionPath }) => partitionPath)]);
  return new Map(
    Array.from(names, (name) => {
      const isHere = ({ partitionPath }: { readonly partitionPath: string }): boolean =>
        partitionPath === name;
      return [
        name,
        {
          successDeleteFiles: (files.get(name) ?? []).map((path) => absolutePath(context, path)),
          failedDeleteFiles: [],
          rollbackLogFiles: sizes(logs.filter(isHere)),
          logFilesFromFailedCommit: sizes(slices.filter(isHere).flatMap((one) => one.logFiles)),
        },
      ];
    }),
  );
}

/**
 * The base files that an instant left, by partition: those its markers and its commit metadata name,
 * and those a listing shows, because a reader that does not know the timeline would serve them.
 */
export async function findFilesOf(
  context: TableContext,
  target: Instant,
  signal: AbortSignal | undefined,
): Promise<Map<string, string[]>> {
  const { storage } = context;
  const markers = await loadMarkers(context, target.time, signal);
  const partitions = new Set(await listPartitions(context, { signal }));
  for (const file of markers.files) partitions.add(file.partitionPath);
  for (const path of await findCommitPaths(context, target, signal)) {
    partitions.add(splitDataPath(requireDataPath(path, target.time)).partitionPath);
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

/** The data files of a completed commit; none where another process has taken it back already. */
async function findCommitPaths(
  context: TableContext,
  target: Instant,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  if (target.state !== "completed") return [];
  try {
    const metadata = await loadCommitMetadata(context, target, signal);
    return [...metadata.partitionToWriteStats.values()].flat().map((stat) => stat.path);
  } catch (error) {
    if (isHudiError(error, "NOT_FOUND")) return [];
    throw error;
  }
}

/** Rollback plans of Hudi name files absolutely. */
export function absolutePath(context: TableContext, path: string): string {
  return `${context.storage.location}/${path}`;
}
