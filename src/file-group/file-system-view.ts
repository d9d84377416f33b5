// Which file slices a table has at an instant: a listing joined with the timeline.
// Rules: spec/format/table-layout.md, FSV-1 to FSV-6.
import { HudiError, isHudiError } from "../errors.ts";
import {
  META_FOLDER,
  PARTITION_METAFILE,
  parseBaseFileName,
  parseLogFileName,
  splitDataPath,
} from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import type { StoredObject } from "../storage/storage.ts";
import { type ActiveTimeline, instantPath, readInstant } from "../timeline/active-timeline.ts";
import { wasArchived } from "../timeline/archived-timeline.ts";
import { parseCommitMetadata } from "../timeline/commit-metadata.ts";
import { type Instant, isWriteAction } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import {
  type FileGroup,
  type FileSlice,
  fileGroupKey,
  groupFiles,
  sliceFiles,
} from "./file-slice.ts";
import {
  createVisibilityTest,
  type InstantTest,
  type VisibleInstants,
} from "./visible-instants.ts";

const LISTINGS_AT_ONCE = 16;

/** What to look at. */
export interface FileSystemViewOptions {
  /** The latest instant whose files count; without it, the newest completed one. */
  readonly asOf?: InstantTime | undefined;
  /** Only these partitions; without it, all that are found. */
  readonly partitions?: readonly string[] | undefined;
  /** Leaves out partitions (`isWhole`) and, before they are listed, folders above them. */
  readonly keepPartition?: ((path: string, isWhole: boolean) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The latest file slice of each file group, and which of the partitions exist. */
export interface FileSystemView {
  readonly slices: readonly FileSlice[];
  /** Partitions that hold a partition metafile. */
  readonly knownPartitions: ReadonlySet<string>;
  /** File groups that replace commits took out, by `fileGroupKey`. */
  readonly replacedGroups: ReadonlySet<string>;
  /** Files of these partitions that are in no slice: older versions, replaced and invisible ones. */
  readonly oldFiles: { readonly count: number; readonly bytes: number };
  /** The writes that count, also among the blocks of logs. */
  readonly visible: VisibleInstants;
}

/** Lists the partitions and picks the visible slice of each file group. */
export async function loadFileSystemView(
  context: TableContext,
  timeline: ActiveTimeline,
  options: FileSystemViewOptions = {},
): Promise<FileSystemView> {
  const { signal, asOf } = options;
  const listings = await listPartitionFolders(context, options);
  const replaced = await loadReplacedGroups(context, timeline, asOf, signal);
  const visible: VisibleInstants = {
    completed: timeline.completedWrites().map(({ time }) => time),
    archivedBefore: await findArchived(context, timeline, listings, signal),
    upTo: asOf,
  };
  const isVisible = createVisibilityTest(visible);
  const knownPartitions = new Set<string>();
  const slices: FileSlice[] = [];
  const oldFiles = { count: 0, bytes: 0 };
  for (const { partitionPath, objects } of listings) {
    if (objects.some(isPartitionMetafile)) knownPartitions.add(partitionPath);
    for (const group of groupFiles(partitionPath, objects)) {
      const isReplaced = replaced.has(fileGroupKey(partitionPath, group.fileId));
      const slice = isReplaced ? undefined : findSlice(context, timeline, group, isVisible, asOf);
      if (slice) slices.push(slice);
      const used = new Set(slice && sliceFiles(slice));
      for (const file of [...group.baseFiles, ...group.logFiles]) {
        if (used.has(file)) continue;
        oldFiles.count += 1;
        oldFiles.bytes += file.sizeBytes;
      }
    }
  }
  return { slices, knownPartitions, replacedGroups: replaced, oldFiles, visible };
}

/**
 * The newest slice of a group that counts. A compaction that has not completed has no base file yet,
 * while logs begin after it already: they all lie on the newest base file that there is.
 */
export function findSlice(
  context: TableContext,
  timeline: ActiveTimeline,
  group: FileGroup,
  isVisible: InstantTest,
  asOf: InstantTime | undefined,
): FileSlice | undefined {
  const { config } = context;
  const baseFile = group.baseFiles.findLast((file) => isVisible(file.instant));
  const from = baseFile?.instant ?? "";
  const logFiles = group.logFiles.filter(({ instant }) => {
    if (config.layout === 1) return instant >= from && (asOf === undefined || instant <= asOf);
    // From version 8 on a log bears the name of its write, and lies on the base files that were
    // requested before that write completed.
    const completed = timeline.findCompletedWrite(instant)?.completionTime ?? instant;
    return completed >= from && isVisible(instant);
  });
  const [first] = logFiles;
  if (!baseFile && !first) return undefined;
  if (config.type === "copy-on-write" && first) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot read log file ${first.path}: the table is copy-on-write, expected base files only`,
      { path: first.path },
    );
  }
  const { partitionPath, fileId } = group;
  const baseInstant = baseFile?.instant ?? (first?.instant as InstantTime);
  return { partitionPath, fileId, baseInstant, baseFile, logFiles };
}

function isPartitionMetafile(object: StoredObject): boolean {
  return splitDataPath(object.path).fileName === PARTITION_METAFILE;
}

/**
 * Tells which instants left the active timeline: those before the one returned. What is older than its
 * first write is one, unless nothing was ever archived: then a writer left it that was taken for dead
 * and woke up.
 */
export async function findArchived(
  context: TableContext,
  timeline: ActiveTimeline,
  listings: readonly PartitionListing[],
  signal: AbortSignal | undefined,
): Promise<InstantTime | undefined> {
  // A write that began after the timeline was listed exceeds what had completed by then, but not
  // what was pending: on a young table its files would be taken for archived ones.
  const latest = timeline.latestWrite();
  const first = findFirstWrite(timeline);
  if (!latest || !first) return undefined;
  const before = first.time < latest.time ? first.time : latest.time;
  const isInQuestion = listings.some(({ objects }) =>
    objects.some((object) => {
      const { fileName } = splitDataPath(object.path);
      const instant = (parseBaseFileName(fileName) ?? parseLogFileName(fileName))?.instant;
      return instant !== undefined && instant < before;
    }),
  );
  return isInQuestion && (await wasArchived(context, signal)) ? before : undefined;
}

/**
 * The oldest write that archival has left: what is older was archived. A write that a savepoint holds
 * stays behind when those after it are archived, so it says nothing of them.
 */
export function findFirstWrite(timeline: ActiveTimeline): Instant | undefined {
  const first = timeline.firstWrite();
  const isHeld = ({ time }: Instant): boolean =>
    timeline.instants.some((other) => other.time === time && other.action === "savepoint");
  if (!first || !isHeld(first)) return first;
  return timeline.instants.find((instant) => isWriteAction(instant.action) && !isHeld(instant));
}

/** A partition and what lies in its folder. */
export interface PartitionListing {
  readonly partitionPath: string;
  readonly objects: readonly StoredObject[];
}

/** The partitions that were named, or every one that is found below the table. */
export async function listPartitionFolders(
  context: TableContext,
  options: FileSystemViewOptions,
): Promise<readonly PartitionListing[]> {
  const { partitions, signal } = options;
  const { storage, config } = context;
  const known = partitions ?? (config.partitionFields.length === 0 ? [""] : undefined);
  if (!known) return findPartitions(context, options);
  return mapConcurrently(
    known,
    LISTINGS_AT_ONCE,
    async (partitionPath) => {
      const { objects } = await storage.listFolder(partitionPath, { signal });
      return { partitionPath, objects };
    },
    signal,
  );
}

/**
 * Walks down from the table to the folders that hold a partition metafile or base files. Values with
 * a slash make more levels than there are partition columns.
 */
async function findPartitions(
  context: TableContext,
  options: Pick<FileSystemViewOptions, "keepPartition" | "signal">,
): Promise<readonly PartitionListing[]> {
  const { signal } = options;
  const keep = options.keepPartition ?? (() => true);
  const found: PartitionListing[] = [];
  let level = [""];
  while (level.length > 0) {
    const next = await mapConcurrently(
      level,
      LISTINGS_AT_ONCE,
      async (folder) => {
        const { objects, folders } = await context.storage.listFolder(folder, { signal });
        const isPartition = objects.some(
          (object) => isPartitionMetafile(object) || object.path.endsWith(".parquet"),
        );
        if (isPartition && folder !== "") {
          if (keep(folder, true)) found.push({ partitionPath: folder, objects });
          return [];
        }
        return folders
          .filter((name) => name !== META_FOLDER && !name.startsWith("."))
          .map((name) => (folder === "" ? name : `${folder}/${name}`))
          .filter((path) => keep(path, false));
      },
      signal,
    );
    level = next.flat();
  }
  return found.sort((a, b) => (a.partitionPath < b.partitionPath ? -1 : 1));
}

/** The partitions of a table, by their paths. */
export async function listPartitions(
  context: TableContext,
  options: Pick<FileSystemViewOptions, "signal"> = {},
): Promise<string[]> {
  const listings = await listPartitionFolders(context, options);
  return listings.map((listing) => listing.partitionPath);
}

/** File groups that replace commits took out, by `fileGroupKey`. */
async function loadReplacedGroups(
  context: TableContext,
  timeline: ActiveTimeline,
  asOf: InstantTime | undefined,
  signal: AbortSignal | undefined,
): Promise<ReadonlySet<string>> {
  const replaced = new Set<string>();
  const instants = timeline
    .completedWrites()
    .filter((instant) => instant.action === "replacecommit")
    .filter((instant) => asOf === undefined || instant.time <= asOf);
  await mapConcurrently(
    instants,
    LISTINGS_AT_ONCE,
    async (instant) => {
      const metadata = await findCommitMetadata(context, instant, signal);
      for (const [partitionPath, fileIds] of metadata?.partitionToReplaceFileIds ?? []) {
        for (const fileId of fileIds) replaced.add(fileGroupKey(partitionPath, fileId));
      }
    },
    signal,
  );
  return replaced;
}

/**
 * What a completed commit wrote, or undefined where it left the timeline since that was listed: archived,
 * which happens once the files that it replaced are gone, or rolled back.
 */
async function findCommitMetadata(
  context: TableContext,
  instant: Instant,
  signal: AbortSignal | undefined,
): Promise<ReturnType<typeof parseCommitMetadata> | undefined> {
  try {
    return await loadCommitMetadata(context, instant, signal);
  } catch (error) {
    if (isHudiError(error, "NOT_FOUND")) return undefined;
    throw error;
  }
}

/** Reads what a completed commit wrote. */
export async function loadCommitMetadata(
  context: TableContext,
  instant: Instant,
  signal?: AbortSignal,
): Promise<ReturnType<typeof parseCommitMetadata>> {
  const path = instantPath(context, instant);
  const bytes = await readInstant(context, instant, signal);
  if (bytes.length === 0) {
    throw new HudiError("CORRUPT", `cannot read ${path}: found 0 bytes, expected commit metadata`, {
      path,
      instant: instant.time,
    });
  }
  return parseCommitMetadata(bytes, path);
}
