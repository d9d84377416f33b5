// Chooses the small files of each partition that go together, and puts the plan on the timeline.
// Rules: spec/protocol/clustering.md CL-1 to CL-3.
import { HudiError, isHudiError } from "../errors.ts";
import { type BaseFileSlice, fileGroupKey, hasBaseFile } from "../file-group/file-slice.ts";
import { loadFileSystemView } from "../file-group/file-system-view.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { createUuid } from "../runtime/random.ts";
import {
  type ActiveTimeline,
  createInstantFile,
  deletePendingInstant,
  instantPath,
  issueInstant,
  loadActiveTimeline,
  readInstant,
} from "../timeline/active-timeline.ts";
import {
  type ClusteringGroup,
  type ClusteringPlan,
  encodeClusteringPlan,
} from "../timeline/clustering-plan.ts";
import { type CommitMetadata, parseCommitMetadata } from "../timeline/commit-metadata.ts";
import type { Instant } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { loadPlannedGroups } from "../write/conflict-check.ts";
import { withLease } from "../write/rollback.ts";
import { absolutePath } from "../write/rollback-execution.ts";
import { underLease } from "../write/write-lock.ts";
import type { WriteEnvironment } from "../write/write-operation.ts";

/** The class by which Spark carries a plan of ours out, should it come first. */
export const SORTING_STRATEGY =
  "org.apache.hudi.client.clustering.run.strategy.SparkSortAndSizeExecutionStrategy";
export const SORT_COLUMNS = "hoodie.clustering.plan.strategy.sort.columns";

/** What goes together. */
export interface ClusteringChoice {
  readonly sortBy: readonly string[];
  /** Base files below this size are put together, in bytes. */
  readonly smallFileBytes: number;
  /** Size that a new file comes near to, in bytes. */
  readonly targetFileBytes: number;
  /** Paths of partitions; undefined for all. */
  readonly partitions: readonly string[] | undefined;
  readonly signal: AbortSignal | undefined;
}

const MIB = 1024 * 1024;

/** The plan as of a timeline; without groups where there is nothing to put together. */
export async function planClustering(
  context: TableContext,
  timeline: ActiveTimeline,
  choice: ClusteringChoice,
): Promise<ClusteringPlan> {
  const { partitions, signal, sortBy } = choice;
  const view = await loadFileSystemView(context, timeline, { partitions, signal });
  for (const partition of partitions ?? []) {
    if (view.knownPartitions.has(partition)) continue;
    throw new HudiError(
      "INVALID",
      `cannot cluster partition ${JSON.stringify(partition)}: the table has none of that path`,
    );
  }
  const reserved = await loadReservedGroups(context, timeline, signal);
  const isFree = ({ partitionPath, fileId }: BaseFileSlice): boolean =>
    !reserved.has(fileGroupKey(partitionPath, fileId));
  const small = view.slices
    .filter(hasBaseFile)
    .filter(({ logFiles, baseFile }) => {
      return logFiles.length === 0 && baseFile.sizeBytes < choice.smallFileBytes;
    })
    .filter(isFree);
  const byPartition = Map.groupBy(small, ({ partitionPath }) => partitionPath);
  const groups = [...byPartition.values()].flatMap((slices) =>
    packSlices(slices, choice.targetFileBytes).map((packed) => describeGroup(context, packed)),
  );
  const parameters = new Map(sortBy.length === 0 ? [] : [[SORT_COLUMNS, sortBy.join(",")]]);
  return { groups, strategy: SORTING_STRATEGY, parameters, keepsMetaColumns: true };
}

/** File groups of pending plans, and those that a writer has said to write to. */
async function loadReservedGroups(
  context: TableContext,
  timeline: ActiveTimeline,
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<string>> {
  const planned = await loadPlannedGroups(context, timeline, signal);
  const writing = timeline
    .pendingWrites()
    .filter(({ state, action }) => state === "inflight" && action !== "replacecommit");
  const touched = await mapConcurrently(
    writing,
    8,
    async (instant) => {
      const metadata = await findProfile(context, instant, signal);
      if (!metadata) return [];
      return [...metadata.partitionToWriteStats].flatMap(([partition, stats]) =>
        stats.map(({ fileId }) => fileGroupKey(partition, fileId)),
      );
    },
    signal,
  );
  return new Set([...planned.values(), ...touched].flat());
}

/** What a pending write says that it will do; undefined where it has gone or says nothing yet. */
async function findProfile(
  context: TableContext,
  instant: Instant,
  signal: AbortSignal | undefined,
): Promise<CommitMetadata | undefined> {
  try {
    return parseCommitMetadata(
      await readInstant(context, instant, signal),
      instantPath(context, instant),
    );
  } catch (error) {
    if (isHudiError(error, "NOT_FOUND") || isHudiError(error, "CORRUPT")) return undefined;
    throw error;
  }
}

/** Slices that fit into one file together, two at least; the smallest come first. */
function packSlices(slices: readonly BaseFileSlice[], targetBytes: number): BaseFileSlice[][] {
  const bins: BaseFileSlice[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  const bySize = slices.toSorted(
    (a, b) => a.baseFile.sizeBytes - b.baseFile.sizeBytes || (a.fileId < b.fileId ? -1 : 1),
  );
  for (const slice of bySize) {
    const { sizeBytes } = slice.baseFile;
    if (bytes + sizeBytes > targetBytes) {
      bins.push([]);
      bytes = 0;
    }
    bins.at(-1)?.push(slice);
    bytes += sizeBytes;
  }
  return bins.filter(({ length }) => length > 1);
}

function describeGroup(context: TableContext, slices: readonly BaseFileSlice[]): ClusteringGroup {
  const megabytes = slices.reduce(
    (sum, { baseFile }) => sum + Math.floor(baseFile.sizeBytes / MIB),
    0,
  );
  return {
    slices: slices.map(({ partitionPath, fileId, baseFile }) => ({
      partitionPath,
      fileId,
      dataFile: absolutePath(context, baseFile.path),
      logFiles: [],
    })),
    metrics: new Map([
      ["TOTAL_LOG_FILES", 0],
      ["TOTAL_IO_MB", 2 * megabytes],
      ["TOTAL_IO_READ_MB", megabytes],
      ["TOTAL_LOG_FILES_SIZE", 0],
      ["TOTAL_IO_WRITE_MB", megabytes],
    ]),
    outputFileGroups: 1,
  };
}

/**
 * Puts a plan on the timeline, under the lease, so that no writer completes between the choice and the
 * request. Undefined where there is nothing to put together.
 */
export async function scheduleClustering(
  { context, settings }: WriteEnvironment,
  choice: ClusteringChoice,
): Promise<{ readonly instant: InstantTime; readonly plan: ClusteringPlan } | undefined> {
  const { signal } = choice;
  const { random } = context.runtime;
  return withLease(context, settings.lease, signal, async (lease) => {
    const timeline = await loadActiveTimeline(context, signal);
    const plan = await planClustering(context, timeline, choice);
    if (plan.groups.length === 0) return undefined;
    const content = await encodeClusteringPlan(plan, random.bytes(16));
    const tried: InstantTime[] = [];
    for (;;) {
      const time = issueInstant(context, timeline, tried);
      tried.push(time);
      const request: Instant = { time, action: "replacecommit", state: "requested" };
      const outcome = await createInstantFile(context, request, content, {
        writeId: createUuid(random),
        signal,
        ...underLease(lease),
      });
      if (outcome === "exists") continue;
      // A writer, who does not hold the lease, may have taken the same time.
      const { instants } = await loadActiveTimeline(context, signal);
      const isShared = instants.some((other) => {
        return other.time === time && other.action !== "replacecommit";
      });
      if (!isShared) return { instant: time, plan };
      await deletePendingInstant(context, request, signal);
    }
  });
}
