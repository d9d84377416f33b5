// Switches a table's metadata table off, so that a writer that does not maintain it leaves no stale
// listing behind. Rules: spec/format/table-layout.md, TBL-8.
import { HudiError } from "../errors.ts";
import { loadActiveTimeline } from "../timeline/active-timeline.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { dropMetadataTable, loadTableConfig } from "../timeline/table-properties.ts";
import { acquireLease, type LeaseSettings } from "./write-lock.ts";

/** Removes property and folder of the metadata table under the lease; the context without it. */
export async function switchMetadataTableOff(
  context: TableContext,
  settings: LeaseSettings,
  signal?: AbortSignal,
): Promise<TableContext> {
  const { storage, runtime } = context;
  if (context.config.metadataPartitions.length === 0) return context;
  const lease = await acquireLease(context, settings, signal);
  try {
    const config = await loadTableConfig(storage, signal);
    // A pending write of another engine relies on the metadata table that it began with.
    const timeline = await loadActiveTimeline({ ...context, config }, signal);
    const pending = timeline.pendingWrites()[0];
    if (pending) {
      throw new HudiError(
        "CONFLICT",
        `cannot drop the metadata table: ${pending.action} ${pending.time} is ${pending.state}; end or roll back that write first`,
        { instant: pending.time },
      );
    }
    await lease.requireHeld();
    await dropMetadataTable(storage, config, runtime, signal);
    return { ...context, config: await loadTableConfig(storage, signal) };
  } finally {
    await lease.release();
  }
}
