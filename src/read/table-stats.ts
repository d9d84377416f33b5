// What a table consists of, in numbers: rows, bytes, sizes of base files against the target, commits.
// Rules: spec/format/file-sizing.md FS-7 and FS-8.
import { HudiError } from "../errors.ts";
import { loadBaseFileFigures } from "../file-group/base-file-figures.ts";
import { type FileSlice, hasBaseFile, sliceBytes } from "../file-group/file-slice.ts";
import { loadFileSystemView } from "../file-group/file-system-view.ts";
import type { IndexConfig } from "../layout/table-config.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { loadActiveTimeline } from "../timeline/active-timeline.ts";
import type { Instant } from "../timeline/instant.ts";
import type { TableContext } from "../timeline/table-context.ts";

/** What to tell. */
export interface StatsOptions {
  readonly signal?: AbortSignal | undefined;
  /** Partitions that are told apart, the largest first; default 100. The totals are of all. */
  readonly partitionLimit?: number | undefined;
}

/** The sizes that files are to have, in bytes, as the writer has them. */
export interface SizeTargets {
  readonly maxFileBytes: number;
  readonly smallFileBytes: number;
}

/** Numbers of file groups, in the newest version of each. */
export interface FileGroupStats {
  /** Rows and bytes of base files; what logs hold comes on top. */
  readonly rows: number;
  readonly bytes: number;
  readonly logFiles: number;
  readonly logBytes: number;
  readonly fileGroups: number;
  /** File groups below the limit of small files. */
  readonly smallFiles: number;
}

/** Numbers of one partition. */
export interface PartitionStats extends FileGroupStats {
  readonly partitionPath: string;
}

/** File groups whose base file has `fromBytes` up to, but without, `toBytes`. */
export interface SizeBin {
  readonly fromBytes: number;
  /** Infinity in the last bin. */
  readonly toBytes: number;
  readonly fileGroups: number;
  readonly bytes: number;
}

/** Numbers of a table as of its newest commit. */
export interface TableStats extends FileGroupStats, SizeTargets {
  /** Bytes of the row groups for each row; 0 without rows. */
  readonly averageRowBytes: number;
  /** Base files by size, in tenths of the target; the last bin holds what is larger than twice of it. */
  readonly sizes: readonly SizeBin[];
  readonly partitionCount: number;
  /** The largest partitions by bytes, at most `partitionLimit`. */
  readonly partitions: readonly PartitionStats[];
  /** Files that no reader of the newest state sees: older versions, and what pending or failed writes left. */
  readonly oldFiles: { readonly count: number; readonly bytes: number };
  readonly index: IndexConfig;
  /** Completed commits of the active timeline. */
  readonly commits: number;
  readonly oldestInstant: string | undefined;
  readonly newestInstant: string | undefined;
  readonly pending: readonly Instant[];
}

const FOOTERS_AT_ONCE = 16;
const DEFAULT_PARTITIONS = 100;

/**
 * Counts. Rows come from the footers of the base files, 16 read at once; no data page is read, and
 * bytes come from the listing. One listing a partition, one request a file group. Throws `INVALID` for a
 * wrong limit.
 */
export async function loadTableStats(
  context: TableContext,
  targets: SizeTargets,
  options: StatsOptions = {},
): Promise<TableStats> {
  const { signal, partitionLimit = DEFAULT_PARTITIONS } = options;
  if (!(Number.isInteger(partitionLimit) && partitionLimit >= 0)) {
    throw new HudiError(
      "INVALID",
      `cannot count partitions of ${context.storage.location}: partitionLimit is ${String(partitionLimit)}, expected a whole number from 0`,
    );
  }
  const timeline = await loadActiveTimeline(context, signal);
  const view = await loadFileSystemView(context, timeline, { signal });
  const partitions = new Map<string, MutableStats>();
  const total = emptyStats();
  let dataBytes = 0;
  await mapConcurrently(
    view.slices,
    FOOTERS_AT_ONCE,
    async (slice) => {
      const figures = hasBaseFile(slice)
        ? await loadBaseFileFigures(context.storage, slice.baseFile, signal)
        : { rowCount: 0, dataBytes: 0 };
      dataBytes += figures.dataBytes;
      const own = partitions.get(slice.partitionPath) ?? emptyStats();
      partitions.set(slice.partitionPath, own);
      for (const stats of [own, total]) addSlice(stats, slice, figures.rowCount, targets);
    },
    signal,
  );
  const largest = [...partitions]
    .map(([partitionPath, stats]) => ({ partitionPath, ...stats }))
    .sort((a, b) => b.bytes - a.bytes || (a.partitionPath < b.partitionPath ? -1 : 1));
  const { instants } = timeline;
  return {
    ...total,
    maxFileBytes: targets.maxFileBytes,
    smallFileBytes: targets.smallFileBytes,
    averageRowBytes: total.rows === 0 ? 0 : dataBytes / total.rows,
    sizes: sizeBins(view.slices, targets.maxFileBytes),
    partitionCount: largest.length,
    partitions: largest.slice(0, partitionLimit),
    oldFiles: view.oldFiles,
    index: context.config.index,
    commits: timeline.completedWrites().length,
    oldestInstant: instants[0]?.time,
    newestInstant: instants.at(-1)?.time,
    pending: timeline.pending(),
  };
}

type MutableStats = { -readonly [Name in keyof FileGroupStats]: number };

function emptyStats(): MutableStats {
  return { rows: 0, bytes: 0, fileGroups: 0, smallFiles: 0, logFiles: 0, logBytes: 0 };
}

function addSlice(
  stats: MutableStats,
  slice: FileSlice,
  rowCount: number,
  targets: SizeTargets,
): void {
  stats.rows += rowCount;
  const sizeBytes = slice.baseFile?.sizeBytes ?? 0;
  stats.bytes += sizeBytes;
  stats.logFiles += slice.logFiles.length;
  stats.logBytes += sliceBytes(slice) - sizeBytes;
  stats.fileGroups += 1;
  if (sizeBytes < targets.smallFileBytes) stats.smallFiles += 1;
}

const BINS_A_TARGET = 10;
const MOST_TARGETS = 2;

/** The bins up to the last one that holds a file. */
function sizeBins(slices: readonly FileSlice[], maxFileBytes: number): readonly SizeBin[] {
  const last = BINS_A_TARGET * MOST_TARGETS;
  const bins = Array.from({ length: last + 1 }, (_, bin) => ({
    fromBytes: (bin * maxFileBytes) / BINS_A_TARGET,
    toBytes: bin === last ? Number.POSITIVE_INFINITY : ((bin + 1) * maxFileBytes) / BINS_A_TARGET,
    fileGroups: 0,
    bytes: 0,
  }));
  for (const { baseFile } of slices) {
    if (!baseFile) continue;
    const { sizeBytes } = baseFile;
    const bin = bins[Math.min(last, Math.floor((sizeBytes * BINS_A_TARGET) / maxFileBytes))];
    if (!bin) continue;
    bin.fileGroups += 1;
    bin.bytes += sizeBytes;
  }
  return bins.slice(0, 1 + bins.findLastIndex(({ fileGroups }) => fileGroups > 0));
}
