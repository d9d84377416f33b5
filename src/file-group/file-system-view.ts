// Which file slices a table has at an instant: a listing joined with the timeline.
// Rules: spec/format/table-layout.md, FSV-1 to FSV-5.
import { HudiError } from "../errors.ts";
import { META_FOLDER } from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, instantPath, readInstant } from "../timeline/active-timeline.ts";
import { parseCommitMetadata } from "../timeline/commit-metadata.ts";
import type { Instant } from "../timeline/instant.ts";
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
  /** Leaves out partitions before they are listed. */
  readonly keepPartition?: ((partitionPath: string) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The latest file slice of each file group, and which of the partitions exist. */
export interface FileSystemView {
  readonly slices: readonly FileSlice[];
  /** Partitions that hold a partition metafile. */
  readonly knownPartitions: ReadonlySet<string>;
}

/** Lists the partitions and picks the visible slice of each file group. */
export async function loadFileSystemView(
  context: TableContext,
  timeline: ActiveTimeline,
  options: FileSystemViewOptions = {},
): Promise<FileSystemView> {
  const { signal, asOf } = options;
  const partitions = options.partitions ?? (await listPartitions(context, options));
  const replaced = await loadReplacedGroups(context, timeline, asOf, signal);
  const knownPartitions = new Set<string>();
  const perPartition = await mapConcurrently(
    partitions,
    LISTINGS_AT_ONCE,
    async (partitionPath) => {
      const { objects } = await context.storage.listFolder(partitionPath, { signal });
      if (
        objects.some(
          (object) =>
            object.path.endsWith("/.hoodie_partition_metadata") ||
            object.path === ".hoodie_partition_metadata",
        )
      ) {
        knownPartitions.add(partitionPath);
      }
      const slices: FileSlice[] = [];
      for (const group of groupFiles(partitionPath, objects)) {
        if (isReplaced(replaced, partitionPath, group.fileId)) continue;
        const baseFile = group.baseFiles.findLast((file) => isVisible(timeline, file, asOf));
        if (baseFile) slices.push({ partitionPath, fileId: group.fileId, baseFile });
      }
      return slices;
    },
    signal,
  );
  return { slices: perPartition.flat(), knownPartitions };
}

/** Whether a base file belongs to a completed write, or to one that left the active timeline. */
function isVisible(
  timeline: ActiveTimeline,
  file: BaseFile,
  asOf: InstantTime | undefined,
): boolean {
  if (asOf !== undefined && file.instant > asOf) return false;
  if (timeline.findCompletedWrite(file.instant)) return true;
  const first = timeline.first();
  return first !== undefined && file.instant < first.time;
}

/** Every folder that may hold data files, as partition paths. */
export async function listPartitions(
  context: TableContext,
  options: Pick<FileSystemViewOptions, "keepPartition" | "signal"> = {},
): Promise<string[]> {
  if (context.config.partitionFields.length === 0) return [""];
  const keep = options.keepPartition ?? (() => true);
  const depth = context.config.partitionFields.length;
  let level = [""];
  for (let at = 0; at < depth; at += 1) {
    const next = await mapConcurrently(
      level,
      LISTINGS_AT_ONCE,
      async (folder) => {
        const { folders } = await context.storage.listFolder(folder, { signal: options.signal });
        return folders
          .filter((name) => folder !== "" || (name !== META_FOLDER && !name.startsWith(".")))
          .map((name) => (folder === "" ? name : `${folder}/${name}`));
      },
      options.signal,
    );
    level = next.flat();
  }
  return level.filter(keep);
}

/** File groups that replace commits took out, with the instant that did. */
async function loadReplacedGroups(
  context: TableContext,
  timeline: ActiveTimeline,
  asOf: InstantTime | undefined,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, InstantTime>> {
  const replaced = new Map<string, InstantTime>();
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
        for (const fileId of fileIds)
          replaced.set(fileGroupKey(partitionPath, fileId), instant.time);
      }
    },
    signal,
  );
  return replaced;
}

function isReplaced(
  replaced: ReadonlyMap<string, InstantTime>,
  partitionPath: string,
  fileId: string,
): boolean {
  return replaced.has(fileGroupKey(partitionPath, fileId));
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
