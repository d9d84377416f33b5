// Switches a table's metadata table off, so that a writer that does not maintain it leaves no stale
// listing behind. Rules: spec/format/table-layout.md, TBL-8.
import { HudiError } from "../errors.ts";
import { isOutcomeUnknown } from "../storage/storage.ts";
import { loadActiveTimeline } from "../timeline/active-timeline.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { dropMetadataTable, loadTableConfig } from "../timeline/table-properties.ts";
import { findExpiredWrites } from "./heartbeat.ts";
import { acquireLease } from "./write-lock.ts";
import type { WriteSettings } from "./write-settings.ts";

/** Removes property and folder of the metadata table under the lease; the context without it. */
export async function switchMetadataTableOff(
  context: TableContext,
  settings: Pick<WriteSettings, "lease" | "heartbeat">,
  signal?: AbortSignal,
): Promise<TableContext> {
  const { storage, runtime } = context;
  if (context.config.metadataPartitions.length === 0) return context;
  const lease = await acquireLease(context, settings.lease, signal);
  try {
    const config = await loadTableConfig(storage, signal);
    // A living write of another engine relies on the metadata table that it began with. A dead one
    // is rolled back by the next write, which then finds a table without it.
    const timeline = await loadActiveTimeline({ ...context, config }, signal);
    const expired = await findExpiredWrites(
      context,
      timeline,
      settings.heartbeat,
      undefined,
      signal,
    );
    const pending = timeline
      .pendingWrites()
      .find((write) => !expired.some((dead) => dead.time === write.time));
    if (pending) {
      throw new HudiError(
        "CONFLICT",
        `cannot drop the metadata table: ${pending.action} ${pending.time} is ${pending.state}; wait until that write has ended, or its heartbeat has expired`,
        { instant: pending.time },
      );
    }
    await lease.requireHeld();
    await dropMetadataTable(storage, config, runtime, signal);
    return { ...context, config: await loadTableConfig(storage, signal) };
  } catch (error) {
    // The properties may still be on their way, over what another process makes of them next.
    if (isOutcomeUnknown(error)) lease.leaveToExpire();
    throw error;
  } finally {
    await lease.release();
  }
}
