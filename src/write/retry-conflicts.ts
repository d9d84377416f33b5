// Tries a write again from fresh state while other writers win. Rules: spec/protocol/conflict.md.
import { type ActiveTimeline, loadActiveTimeline } from "../timeline/active-timeline.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { WriteConflict } from "./write-conflict.ts";
import type { WriteSettings } from "./write-settings.ts";

/** Calls `attempt` with a timeline of a moment ago, again after each `WriteConflict`. */
export async function retryConflicts<T>(
  { context, settings }: { readonly context: TableContext; readonly settings: WriteSettings },
  start: ActiveTimeline,
  attempt: (known: ActiveTimeline, number: number) => Promise<T>,
  signal?: AbortSignal,
): Promise<T> {
  let known = start;
  for (let number = 0; ; number += 1) {
    try {
      return await attempt(known, number);
    } catch (error) {
      if (!(error instanceof WriteConflict) || number >= settings.conflictRetries) throw error;
      // Losers come back at different times, so that one of them wins.
      const { clock, random } = context.runtime;
      await clock.sleep((random.bytes(1)[0] as number) * Math.min(number + 1, 8), signal);
      known = await loadActiveTimeline(context, signal);
    }
  }
}
