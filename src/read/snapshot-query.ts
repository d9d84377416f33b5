// The table as of its newest commit, or as of an earlier instant.
import { HudiError } from "../errors.ts";
import { loadFileSystemView } from "../file-group/file-system-view.ts";
import { loadTableSchema } from "../file-group/table-schema.ts";
import { type ActiveTimeline, loadActiveTimeline } from "../timeline/active-timeline.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { bindQuery, partitionFilter, type QueryOptions, type ReadPlan } from "./read-plan.ts";

/** Options of a snapshot read. */
export interface SnapshotOptions extends QueryOptions {
  readonly asOf?: InstantTime | undefined;
}

/** Plans a snapshot read. Throws `EXPIRED` when `asOf` lies before the active timeline. */
export async function planSnapshot(
  context: TableContext,
  options: SnapshotOptions,
  pinned?: ActiveTimeline,
): Promise<ReadPlan> {
  const { signal, asOf } = options;
  requireReadable(context);
  const timeline = pinned ?? (await loadActiveTimeline(context, signal));
  requireHistory(timeline, asOf);
  const latest = timeline.latestWrite(asOf);
  const schema = await loadTableSchema(context, timeline, asOf, signal);
  const bound = bindQuery(schema, options);
  const keepPartition = partitionFilter(context.config, schema, bound.predicate);
  const view = latest
    ? await loadFileSystemView(context, timeline, { asOf: latest.time, keepPartition, signal })
    : { slices: [] };
  return { ...bound, slices: view.slices, instants: undefined, upTo: latest?.time ?? "" };
}

/** Refuses what this library does not read, by name. */
export function requireReadable(context: TableContext): void {
  const { config, storage } = context;
  const refuse = (found: string, expected: string): never => {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot read table ${storage.location}: found ${found}, expected ${expected}`,
    );
  };
  if (config.type !== "copy-on-write") refuse("a merge-on-read table", "copy-on-write");
  if (config.baseFileFormat !== "PARQUET") refuse(`${config.baseFileFormat} base files`, "PARQUET");
  if (!config.keepsPartitionColumns) {
    refuse("hoodie.datasource.write.drop.partition.columns=true", "partition columns in the files");
  }
}

/** Slices older than the oldest instant may be cleaned, so that time travel there is not exact. */
function requireHistory(timeline: ActiveTimeline, asOf: InstantTime | undefined): void {
  const first = timeline.completedWrites()[0];
  if (asOf === undefined || !first || asOf >= first.time) return;
  if (timeline.instants.some((instant) => instant.action === "clean")) {
    throw new HudiError(
      "EXPIRED",
      `cannot read as of ${asOf}: the earliest instant on the timeline is ${first.time}`,
      { instant: asOf },
    );
  }
}
