// Clean: deletes file slices that are past retention. Planned under the lease, carried out by whoever
// finds the plan. Rules: spec/protocol/clean.md CLN-7 to CLN-10.
import { HudiError } from "../errors.ts";
import {
  dataPath,
  formatPartitionMetafile,
  parseBaseFileName,
  parseLogFileName,
  partitionMetafilePath,
  requireDataPath,
  splitDataPath,
} from "../layout/table-paths.ts";
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
  type CleanPlan,
  decodeCleanPlan,
  encodeCleanMetadata,
  encodeCleanPlan,
} from "../timeline/clean-plan.ts";
import type { Instant } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { withLease } from "../write/rollback.ts";
import { absolutePath } from "../write/rollback-execution.ts";
import { type Lease, type LeaseSettings, underLease } from "../write/write-lock.ts";
import { type PlannedClean, planClean, type Retention } from "./clean-planner.ts";

/** What `clean` keeps; one of the three, by default ten commits. */
export interface CleanOptions {
  /** The states of the last commits. */
  readonly keepCommits?: number | undefined;
  /** The last versions of each file group. */
  readonly keepVersions?: number | undefined;
  /** The states of the last hours. */
  readonly keepHours?: number | undefined;
  /** Plans, and changes nothing. */
  readonly dryRun?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each step with the files that are gone, of those that go. */
  readonly onProgress?: ((deletedFiles: number, plannedFiles: number) => void) | undefined;
}

/** What a clean deleted, or would delete. */
export interface CleanReport {
  /** The clean's instant; undefined where there was nothing to do, and for a plan alone. */
  readonly instant: InstantTime | undefined;
  readonly policy: string;
  /** The earliest commit whose state is kept; undefined for a number of versions. */
  readonly earliestRetained: InstantTime | undefined;
  readonly files: readonly CleanedFile[];
  /** Cleans of dead processes that were finished first. */
  readonly finished: readonly InstantTime[];
}

/** A file that a clean deletes. */
export interface CleanedFile {
  readonly partitionPath: string;
  /** Relative to the table. */
  readonly path: string;
  readonly sizeBytes: number;
}

/** Hudi's own number. */
const DEFAULT_COMMITS = 10;
const DELETES_AT_ONCE = 500;

/**
 * Finishes cleans that others left, then deletes what is past retention. Throws `INVALID` for more
 * than one measure, or one that is no whole number above zero.
 */
export async function cleanTable(
  context: TableContext,
  settings: LeaseSettings,
  options: CleanOptions = {},
): Promise<CleanReport> {
  const { signal, dryRun } = options;
  const retention = parseRetention(options);
  if (dryRun) {
    const timeline = await loadActiveTimeline(context, signal);
    return toReport(await planClean(context, timeline, retention, signal), undefined, []);
  }
  const finished = await finishPendingCleans(context, settings, options);
  const requested = await withLease(context, settings, signal, async (lease) => {
    const timeline = await loadActiveTimeline(context, signal);
    const planned = await planClean(context, timeline, retention, signal);
    if (planned.partitions.length === 0) return { planned, instant: undefined };
    return { planned, instant: await requestClean(context, timeline, planned, lease, signal) };
  });
  if (requested.instant) await executeClean(context, settings, requested.instant, options);
  return toReport(requested.planned, requested.instant?.time, finished);
}

function parseRetention({ keepCommits, keepVersions, keepHours }: CleanOptions): Retention {
  const given = (
    [
      ["KEEP_LATEST_COMMITS", keepCommits, "keepCommits"],
      ["KEEP_LATEST_FILE_VERSIONS", keepVersions, "keepVersions"],
      ["KEEP_LATEST_BY_HOURS", keepHours, "keepHours"],
    ] as const
  ).filter(([, count]) => count !== undefined);
  const [first = ["KEEP_LATEST_COMMITS", DEFAULT_COMMITS, ""] as const, second] = given;
  if (second) {
    const found = given.map(([, , name]) => name).join(" and ");
    throw new HudiError("INVALID", `cannot clean: found ${found}, expected one of them`);
  }
  const [policy, count, name] = first;
  if (!Number.isSafeInteger(count) || (count as number) < 1) {
    const expected = "expected a whole number above zero";
    throw new HudiError("INVALID", `cannot clean: found ${String(count)} as ${name}, ${expected}`);
  }
  return { policy, count: count as number };
}

function toReport(
  { policy, earliest, partitions }: PlannedClean,
  instant: InstantTime | undefined,
  finished: readonly InstantTime[],
): CleanReport {
  const files = partitions.flatMap(({ partitionPath, files: planned }) =>
    planned.map(({ path, sizeBytes }) => ({ partitionPath, path, sizeBytes })),
  );
  return { instant, policy, earliestRetained: earliest?.time, files, finished };
}

/** Puts the plan on the timeline; only while the lease is held. */
async function requestClean(
  context: TableContext,
  timeline: ActiveTimeline,
  { policy, earliest, lastCompleted, partitions }: PlannedClean,
  lease: Lease,
  signal: AbortSignal | undefined,
): Promise<Instant> {
  const { random } = context.runtime;
  const plan: CleanPlan = {
    policy,
    earliestToRetain: earliest && { time: earliest.time, action: earliest.action },
    lastCompleted,
    filesToBeDeleted: new Map(
      partitions.map(({ partitionPath, files }) => [
        partitionPath,
        files.map(({ path }) => absolutePath(context, path)),
      ]),
    ),
    partitionsToBeDeleted: partitions.flatMap(({ partitionPath, isDeleted }) =>
      isDeleted ? [partitionPath] : [],
    ),
  };
  const content = await encodeCleanPlan(plan, random.bytes(16));
  const tried: InstantTime[] = [];
  for (;;) {
    const time = issueInstant(context, timeline, tried);
    tried.push(time);
    const instant = { time, action: "clean", state: "requested" } as const;
    const writeId = createUuid(random);
    const create = { writeId, signal, ...underLease(lease) };
    if ((await createInstantFile(context, instant, content, create)) === "exists") continue;
    // A writer does not hold the lease when it takes its time; one of the two has to yield.
    const { instants } = await loadActiveTimeline(context, signal);
    const isShared = instants.some((other) => other.time === time && other.action !== "clean");
    if (!isShared) return instant;
    await deletePendingInstant(context, instant, signal);
  }
}

/** Finishes cleans that are requested or inflight, oldest first; returns their instants. */
async function finishPendingCleans(
  context: TableContext,
  settings: LeaseSettings,
  options: CleanOptions,
): Promise<InstantTime[]> {
  const timeline = await loadActiveTimeline(context, options.signal);
  const finished: InstantTime[] = [];
  for (const instant of timeline.pending().filter(({ action }) => action === "clean")) {
    if (await executeClean(context, settings, instant, options)) finished.push(instant.time);
  }
  return finished;
}

/**
 * Carries a clean out, from wherever another process left it. False: somebody else has withdrawn it, or
 * its request was never written to its end.
 */
async function executeClean(
  context: TableContext,
  settings: LeaseSettings,
  { time }: Instant,
  options: CleanOptions,
): Promise<boolean> {
  const { signal } = options;
  const { clock, random } = context.runtime;
  const startedMs = clock.now();
  const requested = { time, action: "clean", state: "requested" } as const;
  const path = instantPath(context, requested);
  if (!(await context.storage.findObject(path, { signal }))) return false;
  const content = await readInstant(context, requested, signal);
  if (content.length === 0) {
    await deletePendingInstant(context, requested, signal);
    return false;
  }
  const plan = decodeCleanPlan(content, path);
  const files = requirePlannedFiles(plan, path);
  const create = (): { writeId: string; signal: AbortSignal | undefined } => ({
    writeId: createUuid(random),
    signal,
  });
  await createInstantFile(context, { ...requested, state: "inflight" }, content, create());
  await deleteFiles(context, [...files.values()].flat(), options);
  const deletedPartitions = await deletePartitions(
    context,
    settings,
    { time, partitions: plan.partitionsToBeDeleted },
    signal,
  );
  const metadata = await encodeCleanMetadata(
    {
      startTime: time,
      timeTakenMs: Math.max(0, Math.round(clock.now() - startedMs)),
      policy: plan.policy,
      earliestCommitToRetain: plan.earliestToRetain?.time ?? "",
      lastCompleted: plan.lastCompleted,
      deletedFiles: new Map(
        Array.from(files, ([partition, paths]) => [
          partition,
          paths.map((file) => splitDataPath(file).fileName),
        ]),
      ),
      deletedPartitions,
    },
    random.bytes(16),
  );
  await createInstantFile(context, { ...requested, state: "completed" }, metadata, create());
  return true;
}

/** The planned files below the table. Throws `CORRUPT` for anything but a base file or a log. */
function requirePlannedFiles(plan: CleanPlan, source: string): Map<string, string[]> {
  const files = new Map<string, string[]>();
  for (const partition of plan.partitionsToBeDeleted) files.set(partition, []);
  for (const [partition, names] of plan.filesToBeDeleted) {
    const paths = names.map((name) => {
      const { fileName } = splitDataPath(name);
      if (!parseBaseFileName(fileName) && !parseLogFileName(fileName.replace(/\.cdc$/, ""))) {
        throw new HudiError(
          "CORRUPT",
          `cannot clean by ${source}: it names ${JSON.stringify(name)}, expected base files and logs`,
          { path: source },
        );
      }
      return requireDataPath(dataPath(partition, fileName), source);
    });
    files.set(partition, paths);
  }
  return files;
}

async function deleteFiles(
  context: TableContext,
  paths: readonly string[],
  { signal, onProgress }: CleanOptions,
): Promise<void> {
  for (let from = 0; from < paths.length; from += DELETES_AT_ONCE) {
    signal?.throwIfAborted();
    const some = paths.slice(from, from + DELETES_AT_ONCE);
    await context.storage.delete(some, { signal });
    onProgress?.(from + some.length, paths.length);
  }
}

/**
 * Takes the metafiles of emptied partitions away, under the lease and not beside a writer: it may have
 * looked at one and be about to use its partition. A partition that is used again by now gets its
 * metafile back, also where a process died in between. Returns the partitions that are gone.
 */
async function deletePartitions(
  context: TableContext,
  settings: LeaseSettings,
  { time, partitions }: { readonly time: InstantTime; readonly partitions: readonly string[] },
  signal: AbortSignal | undefined,
): Promise<string[]> {
  if (partitions.length === 0) return [];
  return withLease(context, settings, signal, async (lease) => {
    const before = await loadActiveTimeline(context, signal);
    const deleted: string[] = [];
    for (const partition of partitions.filter((path) => path !== "")) {
      const metafile = requireMetafilePath(partition);
      const isUsed = before.pendingWrites().length > 0 || (await holdsData(context, partition));
      if (isUsed) continue;
      await lease.requireHeld();
      await context.storage.delete([metafile], { signal });
      deleted.push(partition);
    }
    const after = await loadActiveTimeline(context, signal);
    const mayBeUsed = after.pendingWrites().length > 0;
    for (const partition of partitions) {
      if (!mayBeUsed && !(await holdsData(context, partition))) continue;
      const content = Buffer.from(formatPartitionMetafile(time, partition));
      await context.storage.createIfAbsent(requireMetafilePath(partition), content, { signal });
      deleted.splice(0, deleted.length, ...deleted.filter((path) => path !== partition));
    }
    return deleted;
  });
}

async function holdsData({ storage }: TableContext, partition: string): Promise<boolean> {
  const { objects } = await storage.listFolder(partition);
  return objects.some(({ path }) => {
    const { fileName } = splitDataPath(path);
    return parseBaseFileName(fileName) ?? parseLogFileName(fileName);
  });
}

function requireMetafilePath(partition: string): string {
  return requireDataPath(partitionMetafilePath(partition), "a clean plan");
}
