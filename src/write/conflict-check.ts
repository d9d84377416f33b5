// Whether what a write is about to complete still stands on the newest state of the table.
// Rules: spec/protocol/conflict.md, CF-1 to CF-10.
import { fileGroupKey, requireBaseFile } from "../file-group/file-slice.ts";
import { loadCommitMetadata } from "../file-group/file-system-view.ts";
import type { TaskRunner } from "../file-group/task-runner.ts";
import { isSameSchema, parseAvroSchema } from "../format/avro-schema.ts";
import type { TableSchema } from "../format/schema.ts";
import { bucketKey, bucketOfFileId } from "../indexing/bucket-hash.ts";
import { type KeysToTag, tagLocations } from "../indexing/tag-locations.ts";
import { splitDataPath } from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, instantPath, readInstant } from "../timeline/active-timeline.ts";
import type { CommitMetadata } from "../timeline/commit-metadata.ts";
import { decodeCompactionPlan } from "../timeline/compaction-plan.ts";
import type { Instant } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import { decodeRequestedReplace } from "../timeline/replace-plan.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { WriteConflict } from "./write-conflict.ts";

/** What a write touched and which keys it believes to be nowhere. */
export interface WriteFootprint {
  readonly instant: string;
  /** The columns that it is based on. */
  readonly schema: TableSchema;
  /** Whether its commit carries other columns than those. */
  readonly changesSchema: boolean;
  /** File groups whose next base file or log was written, or that were replaced. */
  readonly touched: ReadonlySet<string>;
  /** Of those that logs were added to, the slices that the logs belong to: compactions may pass by them. */
  readonly logged: ReadonlyMap<string, InstantTime>;
  /** Buckets that were written, as `bucketKey`; empty without a bucket index. */
  readonly buckets: ReadonlySet<string>;
  /** Partitions whose whole content was replaced, or the whole table. */
  readonly overwritten: ReadonlySet<string> | "table";
  /** Keys that no file held when they were tagged; undefined when they were not looked up. */
  readonly absentKeys: KeysToTag | undefined;
}

/**
 * Throws `WriteConflict` when a write that completed since `base` touched the same file groups, wrote
 * to a partition that this one replaces, or holds a key that it found nowhere, or when a pending
 * compaction or clustering plans to rewrite a file group.
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
  const isBucketed = context.config.index.kind === "bucket";
  for (const { instant, metadata } of commits) {
    const isCompaction = metadata.operationType === "COMPACT";
    refuseOverlap(footprint, instant, commitFileGroups(metadata), isCompaction);
    // A compaction changes no row.
    if (isCompaction) continue;
    if (isBucketed) refuseSameBuckets(footprint, instant, metadata);
    refuseOverwritten(footprint, instant, metadata);
    refuseOtherColumns(footprint, instant, metadata);
    if (footprint.changesSchema) refuseNewer(footprint, instant);
  }
  for (const [instant, groups] of await loadPlannedGroups(context, now, signal)) {
    refuseOverlap(footprint, instant, groups, instant.action === "compaction");
  }
  await checkAbsentKeys(context, runner, commits, footprint, signal);
}

function refuseOverlap(
  footprint: WriteFootprint,
  other: Instant,
  groups: Iterable<string>,
  isCompaction: boolean,
): void {
  for (const group of groups) {
    if (!footprint.touched.has(group)) continue;
    // A log lies beside what a compaction takes in, if it was known when the log was named.
    if (isCompaction && (footprint.logged.get(group) ?? "") >= other.time) continue;
    const [partitionPath, fileId] = group.split("\n");
    const verb = other.state === "completed" ? "was written by" : "is to be rewritten by";
    throw new WriteConflict(
      `cannot complete commit ${footprint.instant}: file group ${fileId} of partition ${JSON.stringify(partitionPath)} ${verb} ${other.action} ${other.time}`,
      { instant: footprint.instant },
    );
  }
}

/** Two new file groups of one bucket have different ids, but a bucket has one only. */
function refuseSameBuckets(
  footprint: WriteFootprint,
  other: Instant,
  metadata: CommitMetadata,
): void {
  for (const [partitionPath, stats] of metadata.partitionToWriteStats) {
    const hit = stats.find(({ fileId }) => footprint.buckets.has(bucketKey(partitionPath, fileId)));
    if (!hit) continue;
    throw new WriteConflict(
      `cannot complete commit ${footprint.instant}: bucket ${bucketOfFileId(hit.fileId)} of partition ${JSON.stringify(partitionPath)} was written by ${other.action} ${other.time}`,
      { instant: footprint.instant },
    );
  }
}

/** What replaces a partition must have seen every row of it, those in new file groups too. */
function refuseOverwritten(
  footprint: WriteFootprint,
  other: Instant,
  metadata: CommitMetadata,
): void {
  const { overwritten } = footprint;
  for (const [partitionPath, stats] of metadata.partitionToWriteStats) {
    if (stats.length === 0) continue;
    if (overwritten !== "table" && !overwritten.has(partitionPath)) continue;
    throw new WriteConflict(
      `cannot complete commit ${footprint.instant}: ${other.action} ${other.time} wrote to partition ${JSON.stringify(partitionPath)}, which is to be replaced`,
      { instant: footprint.instant },
    );
  }
}

function refuseOtherColumns(
  footprint: WriteFootprint,
  other: Instant,
  metadata: CommitMetadata,
): void {
  const text = metadata.extraMetadata.get("schema");
  if (!text || isSameSchema(parseAvroSchema(text), footprint.schema)) return;
  throw new WriteConflict(
    `cannot complete commit ${footprint.instant}: ${other.action} ${other.time} changed the columns of the table`,
    { instant: footprint.instant },
  );
}

/** The columns of a table are those of its greatest instant, which would hide a change below it. */
function refuseNewer(footprint: WriteFootprint, other: Instant): void {
  if (other.time < footprint.instant) return;
  throw new WriteConflict(
    `cannot complete commit ${footprint.instant}: ${other.action} ${other.time} has the columns from before it`,
    { instant: footprint.instant },
  );
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
      const requested = { ...instant, state: "requested" } as const;
      const path = instantPath(context, requested);
      const bytes = await readInstant(context, requested, signal);
      const groups = instant.action.endsWith("compaction")
        ? decodeCompactionPlan(bytes, path).operations
        : (decodeRequestedReplace(bytes, path).clustering ?? []);
      return [instant, groups.map((group) => fileGroupKey(group.partitionPath, group.fileId))];
    },
    signal,
  );
  return new Map(entries);
}

/** The compaction that each file group is waiting for, by key. */
export function pendingCompactions(
  planned: ReadonlyMap<Instant, readonly string[]>,
): Map<string, InstantTime> {
  return new Map(
    [...planned].flatMap(([{ action, time }, groups]) =>
      action === "compaction" ? groups.map((group): [string, InstantTime] => [group, time]) : [],
    ),
  );
}

/**
 * Looks keys that no file held up in the files of the commits that completed since tagging: a key
 * must not be inserted twice, and a delete must not miss what is there by now.
 */
async function checkAbsentKeys(
  context: TableContext,
  runner: TaskRunner,
  commits: readonly { readonly instant: Instant; readonly metadata: CommitMetadata }[],
  footprint: WriteFootprint,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { absentKeys } = footprint;
  if (!absentKeys || absentKeys.rows.length === 0) return;
  for (const { instant, metadata } of commits) {
    const slices = [...metadata.partitionToWriteStats.values()]
      .flat()
      .filter((stat) => stat.path !== "" && !splitDataPath(stat.path).fileName.startsWith("."))
      .map((stat) => requireBaseFile(stat.path, stat.fileSizeInBytes, `commit ${instant.time}`));
    const tagged = await tagLocations(runner, context.config, slices, absentKeys, signal);
    const hit = tagged.find((slice) => slice.entries.length > 0);
    if (!hit) continue;
    throw new WriteConflict(
      `cannot complete commit ${footprint.instant}: ${hit.entries.length} keys that no file held were written by ${instant.action} ${instant.time}`,
      { instant: footprint.instant },
    );
  }
}
