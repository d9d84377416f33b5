// The table as of its newest commit, or as of an earlier instant.
import { HudiError } from "../errors.ts";
import { hasBaseFile } from "../file-group/file-slice.ts";
import { findFirstWrite, loadFileSystemView } from "../file-group/file-system-view.ts";
import { loadTableSchema } from "../file-group/table-schema.ts";
import { type ActiveTimeline, loadActiveTimeline } from "../timeline/active-timeline.ts";
import { wasArchived } from "../timeline/archived-timeline.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { partitionFilter } from "./partition-pruning.ts";
import { expired, requireSlices } from "./read-history.ts";
import { bindQuery, planLogReading, type QueryOptions, type ReadPlan } from "./read-plan.ts";

/** Options of a snapshot read. */
export interface SnapshotOptions extends QueryOptions {
  readonly asOf?: InstantTime | undefined;
  /** Base files alone, which may be older than the table. */
  readonly readOptimized?: boolean | undefined;
}

/** A timeline that a read is bound to, and whether writes have completed that it does not show. */
export interface PinnedTimeline {
  readonly timeline: ActiveTimeline;
  readonly isPast: boolean;
}

/**
 * Plans a snapshot read. Throws `EXPIRED` when `asOf` lies before the active timeline, or when files
 * of that state were cleaned.
 */
export async function planSnapshot(
  context: TableContext,
  options: SnapshotOptions,
  pinned?: PinnedTimeline,
): Promise<ReadPlan> {
  const { signal, asOf } = options;
  requireReadable(context);
  const timeline = pinned?.timeline ?? (await loadActiveTimeline(context, signal));
  await requireHistory(context, timeline, asOf, signal);
  const latest = timeline.latestWrite(asOf);
  const schema = await loadTableSchema(context, timeline, asOf, signal);
  const bound = bindQuery(schema, options);
  const nothing = { instants: undefined, logs: undefined };
  if (!latest) return { ...bound, ...nothing, slices: [], upTo: "" };
  const keepPartition = partitionFilter(context.config, schema, bound.predicate);
  const { time } = latest;
  const view = await loadFileSystemView(context, timeline, { asOf: time, keepPartition, signal });
  if (pinned?.isPast ?? latest !== timeline.latestWrite()) {
    await requireSlices(context, timeline, time, view, keepPartition, signal);
  }
  if (options.readOptimized) {
    const slices = view.slices.filter(hasBaseFile).map((slice) => ({ ...slice, logFiles: [] }));
    return { ...bound, ...nothing, slices, upTo: time };
  }
  const { slices, visible } = view;
  const logs = planLogReading(context, schema, slices, visible);
  return { ...bound, slices, instants: undefined, logs, upTo: time };
}

const BOOTSTRAP_PATH = "hoodie.bootstrap.base.path";

/** Refuses what this library does not read, by name. */
export function requireReadable(context: TableContext): void {
  const { config, storage } = context;
  const refuse = (found: string, expected: string): never => {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot read table ${storage.location}: found ${found}, expected ${expected}`,
    );
  };
  if (config.baseFileFormat !== "PARQUET") refuse(`${config.baseFileFormat} base files`, "PARQUET");
  if (!config.keepsPartitionColumns) {
    refuse("hoodie.datasource.write.drop.partition.columns=true", "partition columns in the files");
  }
  // Files of such tables would be passed over, or lack columns that are stored elsewhere.
  for (const name of ["hoodie.table.multiple.base.file.formats.enable", BOOTSTRAP_PATH]) {
    const value = config.properties.get(name) ?? "";
    if (value !== "" && value.toLowerCase() !== "false") {
      refuse(`${name}=${value}`, "a table without it");
    }
  }
}

/** What archived commits wrote is not known any more, so that time travel there is not exact. */
async function requireHistory(
  context: TableContext,
  timeline: ActiveTimeline,
  asOf: InstantTime | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  // A commit that a savepoint holds stays behind when those after it are archived; what it shows is read.
  if (asOf !== undefined && timeline.findCompletedWrite(asOf)) return;
  const from = findFirstWrite(timeline)?.time ?? "";
  const first = timeline.completedWrites().find(({ time }) => time >= from);
  if (asOf === undefined || !first || asOf >= first.time) return;
  if (!(await wasArchived(context, signal))) return;
  throw expired(`as of ${asOf}`, `the earliest instant on the timeline is ${first.time}`, asOf);
}
