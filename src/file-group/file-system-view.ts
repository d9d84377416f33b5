// Which file slices a table has at an instant: a listing joined with the timeline.
// Rules: spec/format/table-layout.md, FSV-1 to FSV-5.
import { HudiError } from "../errors.ts";
import {
  META_FOLDER,
  PARTITION_METAFILE,
  parseBaseFileName,
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
import { type BaseFile, type FileSlice, fileGroupKey, groupFiles } from "./file-slice.ts";

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
  /** Base files of these partitions that are no slice: older versions, replaced and invisible ones. */
  readonly oldFiles: { readonly count: number; readonly bytes: number };
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
  const isArchived = await findArchived(context, timeline, listings, signal);
  const knownPartitions = new Set<string>();
  const slices: FileSlice[] = [];
  const oldFiles = { count: 0, bytes: 0 };
  for (const { partitionPath, objects } of listings) {
    if (objects.some(isPartitionMetafile)) knownPartitions.add(partitionPath);
    for (const group of groupFiles(partitionPath, objects)) {
      const isReplaced = replaced.has(fileGroupKey(partitionPath, group.fileId));
      const baseFile = isReplaced
        ? undefined
        : group.baseFiles.findLast((file) => isVisible(timeline, file, asOf, isArchived));
      if (baseFile) slices.push({ partitionPath, fileId: group.fileId, baseFile });
      for (const file of group.baseFiles) {
        if (file === baseFile) continue;
        oldFiles.count += 1;
        oldFiles.bytes += file.sizeBytes;
      }
    }
  }
  return { slices, knownPartitions, replacedGroups: replaced, oldFiles };
}

function isPartitionMetafile(object: StoredObject): boolean {
  return splitDataPath(object.path).fileName === PARTITION_METAFILE;
}

type InstantTest = (instant: InstantTime) => boolean;

/** Whether a base file belongs to a completed write, or to one that left the active timeline. */
function isVisible(
  timeline: ActiveTimeline,
  file: BaseFile,
  asOf: InstantTime | undefined,
  isArchived: InstantTest,
): boolean {
  if (asOf !== undefined && file.instant > asOf) return false;
  return timeline.findCompletedWrite(file.instant) !== undefined || isArchived(file.instant);
}

/**
 * Tells the instants that left the active timeline. What is older than its first write is one, unless
 * nothing was ever archived: then a writer left it that was taken for dead and woke up.
 */
async function findArchived(
  context: TableContext,
  timeline: ActiveTimeline,
  listings: readonly PartitionListing[],
  signal: AbortSignal | undefined,
): Promise<InstantTest> {
  const never: InstantTest = () => false;
  // A write that began after the timeline was listed exceeds what had completed by then, but not
  // what was pending: on a young table its files would be taken for archived ones.
  const latest = timeline.latestWrite();
  const first = findFirstWrite(timeline);
  if (!latest || !first) return never;
  const isOlder: InstantTest = (instant) => instant <= latest.time && instant < first.time;
  const isInQuestion = listings.some(({ objects }) =>
    objects.some((object) => {
      const instant = parseBaseFileName(splitDataPath(object.path).fileName)?.instant;
      return instant !== undefined && isOlder(instant);
    }),
  );
  return isInQuestion && (await wasArchived(context, signal)) ? isOlder : never;
}

/**
 * The oldest write that archival has left: what is older was archived. A write that a savepoint holds
 * stays behind when those after it are archived, so it says nothing of them.
 */
function findFirstWrite(timeline: ActiveTimeline): Instant | undefined {
  const first = timeline.firstWrite();
  const isHeld = ({ time }: Instant): boolean =>
    timeline.instants.some((other) => other.time === time && other.action === "savepoint");
  if (!first || !isHeld(first)) return first;
  return timeline.instants.find((instant) => isWriteAction(instant.action) && !isHeld(instant));
}

/** A partition and what lies in its folder. */
interface PartitionListing {
  readonly partitionPath: string;
  readonly objects: readonly StoredObject[];
}

/** The partitions that were named, or every one that is found below the table. */
async function listPartitionFolders(
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
      const metadata = await loadCommitMetadata(context, instant, signal);
      for (const [partitionPath, fileIds] of metadata.partitionToReplaceFileIds) {
        for (const fileId of fileIds) replaced.add(fileGroupKey(partitionPath, fileId));
      }
    },
    signal,
  );
  return replaced;
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
