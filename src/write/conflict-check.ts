// Whether what a write is about to complete still stands on the newest state of the table.
// Rules: spec/protocol/conflict.md, CF-1 to CF-6.
import { fileGroupKey, requireBaseFile } from "../file-group/file-slice.ts";
import { loadCommitMetadata } from "../file-group/file-system-view.ts";
import type { TaskRunner } from "../file-group/task-runner.ts";
import { type KeysToTag, tagLocations } from "../indexing/tag-locations.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, readInstant } from "../timeline/active-timeline.ts";
import type { CommitMetadata } from "../timeline/commit-metadata.ts";
import { decodeCompactionPlan } from "../timeline/compaction-plan.ts";
import type { Instant } from "../timeline/instant.ts";
import { decodeRequestedReplace } from "../timeline/replace-plan.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { WriteConflict } from "./transaction.ts";

/** What a write touched and which keys it believes to be new. */
export interface WriteFootprint {
  readonly instant: string;
  /** File groups whose next base file was written. */
  readonly touched: ReadonlySet<string>;
  /** Keys that no file held when they were tagged; undefined when they were not looked up. */
  readonly insertedKeys: KeysToTag | undefined;
}

/**
 * Throws `WriteConflict` when a write that completed since `base` touched the same file groups or
 * holds a key that this one inserted, or when a pending compaction or clustering plans to rewrite
 * a file group.
 */
export async function checkConflicts(
  context: TableContext,
  runner: TaskRunner,
  base: ActiveTimeline,
  now: ActiveTimeline,
  footprint: WriteFootprint,
  signal?: AbortSignal,
): Promise<void> {
  const others = now.completedWrites().filter((instant) => !base.findCompletedWrite(instant.time));
  const commits = await mapConcurrently(
    others,
    8,
    async (instant) => ({ instant, metadata: await loadCommitMetadata(context, instant, signal) }),
    signal,
  );
  for (const { instant, metadata } of commits) {
    refuseOverlap(footprint, instant, commitFileGroups(metadata));
  }
  for (const [instant, groups] of await loadPlannedGroups(context, now, signal)) {
    refuseOverlap(footprint, instant, groups);
  }
  await checkInsertedKeys(context, runner, commits, footprint, signal);
}

function refuseOverlap(footprint: WriteFootprint, other: Instant, groups: Iterable<string>): void {
  for (const group of groups) {
    if (!footprint.touched.has(group)) continue;
    const [partitionPath, fileId] = group.split("\n");
    const verb = other.state === "completed" ? "was written by" : "is to be rewritten by";
    throw new WriteConflict(
      `cannot complete commit ${footprint.instant}: file group ${fileId} of partition ${JSON.stringify(partitionPath)} ${verb} ${other.action} ${other.time}`,
      footprint.instant,
    );
  }
}

function commitFileGroups(metadata: CommitMetadata): string[] {
  const written = [...metadata.partitionToWriteStats].flatMap(([partition, stats]) =>
    stats.map((stat) => fileGroupKey(partition, stat.fileId)),
  );
  const replaced = [...metadata.partitionToReplaceFileIds].flatMap(([partition, ids]) =>
    ids.map((id) => fileGroupKey(partition, id)),
  );
  return [...written, ...replaced];
}

/** File groups that pending compactions and clusterings name, by instant. */
export async function loadPlannedGroups(
  context: TableContext,
  timeline: ActiveTimeline,
  signal?: AbortSignal,
): Promise<Map<Instant, string[]>> {
  const planned = timeline
    .pending()
    .filter(({ action }) =>
      ["compaction", "logcompaction", "clustering", "replacecommit"].includes(action),
    );
  const entries = await mapConcurrently(
    planned,
    8,
    async (instant): Promise<[Instant, string[]]> => {
      const bytes = await readInstant(context, { ...instant, state: "requested" }, signal);
      const groups = instant.action.endsWith("compaction")
        ? decodeCompactionPlan(bytes, instant.time).operations
        : (decodeRequestedReplace(bytes, instant.time).clustering ?? []);
      return [instant, groups.map((group) => fileGroupKey(group.partitionPath, group.fileId))];
    },
    signal,
  );
  return new Map(entries);
}

/** Looks the inserted keys up in the files of the commits that completed since tagging. */
async function checkInsertedKeys(
  context: TableContext,
  runner: TaskRunner,
  commits: readonly { readonly instant: Instant; readonly metadata: CommitMetadata }[],
  footprint: WriteFootprint,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { insertedKeys } = footprint;
  if (!insertedKeys || insertedKeys.rows.length === 0) return;
  for (const { instant, metadata } of commits) {
    const slices = [...metadata.partitionToWriteStats.values()]
      .flat()
      .filter((stat) => stat.path !== "" && !stat.path.includes(".log."))
      .map((stat) => requireBaseFile(stat.path, stat.fileSizeInBytes, `commit ${instant.time}`));
    const { kind } = context.config.index;
    const tagged = await tagLocations(runner, kind, slices, insertedKeys, signal);
    const hit = tagged.find((slice) => slice.entries.length > 0);
    if (!hit) continue;
    throw new WriteConflict(
      `cannot complete commit ${footprint.instant}: ${hit.entries.length} keys that it inserts were inserted by ${instant.action} ${instant.time}`,
      footprint.instant,
    );
  }
}
