// Clustering: small files of a partition become one, sorted where columns are named. Scheduling and
// execution are two steps, which two processes may take. Rules: spec/protocol/clustering.md.
import { HudiError } from "../errors.ts";
import type { WrittenFile } from "../file-group/base-file-writer.ts";
import { type BaseFileSlice, fileGroupKey, hasBaseFile } from "../file-group/file-slice.ts";
import { type FileSystemView, loadFileSystemView } from "../file-group/file-system-view.ts";
import { requireSortColumns } from "../file-group/slice-clustering.ts";
import { loadTableSchema } from "../file-group/table-schema.ts";
import { formatAvroSchema, isSameSchema } from "../format/avro-schema.ts";
import type { TableSchema } from "../format/schema.ts";
import { markerPath, splitDataPath } from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { createUuid } from "../runtime/random.ts";
import {
  type ActiveTimeline,
  instantPath,
  loadActiveTimeline,
  readInstant,
} from "../timeline/active-timeline.ts";
import {
  type ClusteringGroup,
  type ClusteringPlan,
  decodeClusteringPlan,
} from "../timeline/clustering-plan.ts";
import { formatCommitMetadata } from "../timeline/commit-metadata.ts";
import type { Instant } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import { removeWrittenFiles } from "../write/marker-files.ts";
import { rollbackExpiredWrites } from "../write/rollback.ts";
import { requireWritable } from "../write/table-writer.ts";
import { WriteTransaction } from "../write/transaction.ts";
import { WriteConflict } from "../write/write-conflict.ts";
import { schemaNamespace, type WriteEnvironment } from "../write/write-operation.ts";
import { groupStats } from "../write/write-report.ts";
import {
  type ClusteringChoice,
  planClustering,
  SORT_COLUMNS,
  SORTING_STRATEGY,
  scheduleClustering,
} from "./clustering-schedule.ts";

/** What is put together, and how far. */
export interface ClusterOptions {
  readonly signal?: AbortSignal | undefined;
  /** Columns by which the rows of each new file are sorted, ascending, nulls first; default none. */
  readonly sortBy?: readonly string[] | undefined;
  /** Base files below this size are put together, in bytes; default that of `TableOptions.write`. */
  readonly smallFileBytes?: number | undefined;
  /** Size that new files come near to, in bytes; default `maxFileBytes` of `TableOptions.write`. */
  readonly targetFileBytes?: number | undefined;
  /** Paths of partitions; default all. */
  readonly partitions?: readonly string[] | undefined;
  /** Tells what would be put together, and changes nothing. */
  readonly dryRun?: boolean | undefined;
  /** One of the two steps; default both. */
  readonly only?: "schedule" | "execute" | undefined;
  /** With `only: "execute"`: the plan to carry out; default the oldest that waits. */
  readonly instant?: string | undefined;
}

/** Files that were, or will be, put together. */
export interface ClusteredGroup {
  readonly partitionPath: string;
  readonly fileIds: readonly string[];
}

/** What a clustering did. */
export interface Clustering {
  /** `nothing`: no two small files lie together, or no plan waits. */
  readonly state: "nothing" | "planned" | "scheduled" | "completed";
  readonly instant: string | undefined;
  readonly groups: readonly ClusteredGroup[];
  /** Of a completed one. */
  readonly rows: number;
  readonly files: number;
  readonly bytes: number;
}

const NOTHING: Clustering = {
  state: "nothing",
  instant: undefined,
  groups: [],
  rows: 0,
  files: 0,
  bytes: 0,
};

/** Puts small files together. Throws `CONFLICT` when another process is at it, or came between. */
export async function clusterTable(
  environment: WriteEnvironment,
  options: ClusterOptions = {},
): Promise<Clustering> {
  requireWritable(environment);
  const { context, settings } = environment;
  const { signal, only } = options;
  requireNoBuckets(environment);
  const timeline = await loadActiveTimeline(context, signal);
  const choice = await readChoice(environment, timeline, options);
  if (options.dryRun) {
    const plan = await planClustering(context, timeline, choice);
    if (plan.groups.length === 0) return NOTHING;
    return { ...NOTHING, state: "planned", groups: describeGroups(plan) };
  }
  await rollbackExpiredWrites(context, timeline, undefined, settings, signal);
  if (only === "execute") {
    const instant = options.instant ?? (await findWaiting(environment, signal));
    return instant === undefined ? NOTHING : executeClustering(environment, instant, signal);
  }
  const scheduled = await scheduleClustering(environment, choice);
  if (!scheduled) return NOTHING;
  const { instant, plan } = scheduled;
  if (only === "schedule") {
    return { ...NOTHING, state: "scheduled", instant, groups: describeGroups(plan) };
  }
  return executeClustering(environment, instant, signal);
}

/** Rows of a bucket must stay in its one file group. */
function requireNoBuckets({ context }: WriteEnvironment): void {
  const { config, storage } = context;
  if (config.index.kind !== "bucket") return;
  throw new HudiError(
    "UNSUPPORTED",
    `cannot cluster table ${storage.location}: it has a bucket index, which gives every key its file group; only other tables are clustered`,
  );
}

async function readChoice(
  { context, settings }: WriteEnvironment,
  timeline: ActiveTimeline,
  options: ClusterOptions,
): Promise<ClusteringChoice> {
  const { signal, partitions, only, sortBy = [] } = options;
  const refuse = (fact: string): never => {
    throw new HudiError("INVALID", `cannot cluster table ${context.storage.location}: ${fact}`);
  };
  if (only !== undefined && only !== "schedule" && only !== "execute") {
    refuse(`found only: ${String(only)}, expected schedule or execute`);
  }
  const sizes = {
    smallFileBytes: options.smallFileBytes ?? settings.smallFileBytes,
    targetFileBytes: options.targetFileBytes ?? settings.maxFileBytes,
  };
  for (const [name, bytes] of Object.entries(sizes)) {
    if (Number.isSafeInteger(bytes) && bytes > 0) continue;
    refuse(`found ${name} ${String(bytes)}, expected a whole number of bytes from 1`);
  }
  if (sortBy.length > 0) {
    requireSortColumns(await loadTableSchema(context, timeline, undefined, signal), sortBy);
  }
  return { ...sizes, sortBy, partitions, signal };
}

function describeGroups({ groups }: ClusteringPlan): ClusteredGroup[] {
  return groups.map(({ slices }) => ({
    partitionPath: slices[0]?.partitionPath ?? "",
    fileIds: slices.map(({ fileId }) => fileId),
  }));
}

/** The oldest clustering that was requested and not begun. */
async function findWaiting(
  { context }: WriteEnvironment,
  signal: AbortSignal | undefined,
): Promise<InstantTime | undefined> {
  const timeline = await loadActiveTimeline(context, signal);
  for (const instant of timeline.pending()) {
    if (instant.action !== "replacecommit" || instant.state !== "requested") continue;
    const bytes = await readInstant(context, instant, signal);
    if (decodeClusteringPlan(bytes, instantPath(context, instant))) return instant.time;
  }
  return undefined;
}

/** Carries a plan out that waits on the timeline. When it fails for certain the plan is dropped. */
async function executeClustering(
  environment: WriteEnvironment,
  time: InstantTime,
  signal: AbortSignal | undefined,
): Promise<Clustering> {
  const { context, settings } = environment;
  const timeline = await loadActiveTimeline(context, signal);
  const instant = requireWaiting(timeline, time);
  const path = instantPath(context, instant);
  const plan = requireSimplePlan(
    decodeClusteringPlan(await readInstant(context, instant, signal), path),
    time,
  );
  const transaction = await WriteTransaction.resume(context, instant, settings, timeline, signal);
  try {
    await transaction.start(new Uint8Array(0), signal);
  } catch (error) {
    // Whoever was first goes on; where that is not known the heartbeat tells in the end.
    transaction.leave();
    throw error;
  }
  const partitions = new Set(describeGroups(plan).map(({ partitionPath }) => partitionPath));
  try {
    const schema = await loadTableSchema(context, timeline, undefined, signal);
    const view = await loadFileSystemView(context, timeline, {
      signal,
      partitions: [...partitions],
    });
    const written = await writeGroups(environment, transaction, plan, { schema, view }, signal);
    await complete(environment, transaction, plan, { schema, written }, signal);
    return {
      state: "completed",
      instant: time,
      groups: describeGroups(plan),
      rows: written.reduce((sum, { rowCount }) => sum + rowCount, 0),
      files: written.length,
      bytes: written.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    };
  } catch (error) {
    await transaction.giveUp(error, () => removeWrittenFiles(context, time, partitions));
    throw error;
  }
}

function requireWaiting(timeline: ActiveTimeline, time: InstantTime): Instant {
  const instant = timeline.instants.find((one) => {
    return one.time === time && one.action === "replacecommit";
  });
  if (!instant) {
    throw new HudiError(
      "NOT_FOUND",
      `cannot cluster ${time}: there is no such plan on the timeline; schedule one`,
      { instant: time },
    );
  }
  if (instant.state === "requested") return instant;
  throw new HudiError(
    instant.state === "completed" ? "INVALID" : "CONFLICT",
    `cannot cluster ${time}: it ${instant.state === "completed" ? "has completed" : "is being carried out by another process"}, expected a plan that waits`,
    { instant: time },
  );
}

/** Plans of other engines are carried out where they ask for nothing else than ours do. */
function requireSimplePlan(plan: ClusteringPlan | undefined, time: InstantTime): ClusteringPlan {
  const refuse = (fact: string): never => {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot cluster ${time}: ${fact}; let the engine that scheduled it carry it out`,
      { instant: time },
    );
  };
  if (!plan) return refuse("its request holds no plan of a clustering");
  if (plan.strategy !== SORTING_STRATEGY) {
    refuse(`its strategy is ${plan.strategy}, expected ${SORTING_STRATEGY}`);
  }
  const other = [...plan.parameters.keys()].find((name) => name !== SORT_COLUMNS);
  if (other !== undefined) refuse(`its strategy has the parameter ${other}`);
  if (!plan.keepsMetaColumns) refuse("it gives rows new meta columns");
  for (const { slices, outputFileGroups } of plan.groups) {
    if (outputFileGroups !== 1) refuse(`it makes ${outputFileGroups} file groups of one`);
    const logged = slices.find(({ logFiles, dataFile }) => logFiles.length > 0 || dataFile === "");
    if (logged) refuse(`file group ${logged.fileId} has logs`);
    if (new Set(slices.map(({ partitionPath }) => partitionPath)).size !== 1) {
      refuse("it puts rows of several partitions together");
    }
  }
  return plan;
}

/** What the files are written from. */
interface ClusteringGround {
  readonly schema: TableSchema;
  readonly view: FileSystemView;
}

async function writeGroups(
  { context, runner, settings }: WriteEnvironment,
  transaction: WriteTransaction,
  plan: ClusteringPlan,
  { schema, view }: ClusteringGround,
  signal: AbortSignal | undefined,
): Promise<WrittenFile[]> {
  const instant = transaction.instant.time;
  const namespace = schemaNamespace(context);
  const avroSchema = formatAvroSchema(schema, { namespace, metaColumns: true });
  const { codec, maxFileBytes, bloom } = settings;
  const named = plan.parameters.get(SORT_COLUMNS) ?? "";
  const sortBy = named === "" ? [] : named.split(",").map((name) => name.trim());
  requireSortColumns(schema, sortBy);
  const inputs = requireSlices(transaction, plan, view);
  return mapConcurrently(
    plan.groups,
    // Sorting holds all rows of a file, so that there is one at a time.
    sortBy.length > 0 ? 1 : runner.concurrency,
    async (group, taskNumber) => {
      transaction.requireAlive();
      const slices = inputs[taskNumber] as readonly BaseFileSlice[];
      const { partitionPath } = group.slices[0] as ClusteringGroup["slices"][number];
      const file = await runner.run(
        {
          kind: "cluster",
          instant,
          partitionPath,
          writeToken: `${taskNumber}-0-${taskNumber}`,
          taskNumber,
          settings: { codec, avroSchema, maxFileBytes, bloom },
          fileId: `${createUuid(context.runtime.random)}-0`,
          inputs: slices.map(({ baseFile: { path, sizeBytes } }) => ({ path, sizeBytes })),
          schema,
          sortBy,
        },
        signal,
      );
      const { fileName } = splitDataPath(file.path);
      transaction.addMarker(markerPath(instant, partitionPath, fileName, "CREATE"));
      return file;
    },
    signal,
  );
}

/** The slices that a plan names, group by group. Throws `WriteConflict` where one is another by now. */
function requireSlices(
  transaction: WriteTransaction,
  plan: ClusteringPlan,
  view: FileSystemView,
): BaseFileSlice[][] {
  const known = new Map(
    view.slices.map((slice) => [fileGroupKey(slice.partitionPath, slice.fileId), slice]),
  );
  const { time } = transaction.instant;
  return plan.groups.map(({ slices }) =>
    slices.map(({ partitionPath, fileId, dataFile }) => {
      const slice = known.get(fileGroupKey(partitionPath, fileId));
      const isSame =
        slice &&
        hasBaseFile(slice) &&
        slice.logFiles.length === 0 &&
        slice.baseFile.fileName === splitDataPath(dataFile).fileName;
      if (isSame) return slice;
      throw new WriteConflict(
        `cannot complete clustering ${time}: file group ${fileId} of partition ${JSON.stringify(partitionPath)} is not what it was when it was scheduled`,
        { instant: time },
      );
    }),
  );
}

async function complete(
  { context }: WriteEnvironment,
  transaction: WriteTransaction,
  plan: ClusteringPlan,
  { schema, written }: { readonly schema: TableSchema; readonly written: readonly WrittenFile[] },
  signal: AbortSignal | undefined,
): Promise<void> {
  const replaced = new Map<string, string[]>();
  for (const { partitionPath, fileIds } of describeGroups(plan)) {
    replaced.set(partitionPath, [...(replaced.get(partitionPath) ?? []), ...fileIds]);
  }
  const namespace = schemaNamespace(context);
  const metadata = formatCommitMetadata({
    operationType: "CLUSTER",
    compacted: false,
    partitionToWriteStats: groupStats(written),
    partitionToReplaceFileIds: replaced,
    extraMetadata: new Map([["schema", formatAvroSchema(schema, { namespace })]]),
  });
  await transaction.complete(
    {
      check: async (now) => {
        const partitions = [...replaced.keys()];
        requireSlices(
          transaction,
          plan,
          await loadFileSystemView(context, now, { partitions, signal }),
        );
        const current = await loadTableSchema(context, now, undefined, signal);
        if (isSameSchema(current, schema)) return;
        const { time } = transaction.instant;
        throw new WriteConflict(
          `cannot complete clustering ${time}: the columns of the table were changed meanwhile`,
          { instant: time },
        );
      },
      content: async () => metadata,
    },
    signal,
  );
}
