// Which commits a range has: in which order they come, where it may end, what is refused.
// Rules: spec/protocol/incremental.md, IN-1 to IN-3.
import { HudiError } from "../errors.ts";
import { ActiveTimeline, loadActiveTimeline } from "../timeline/active-timeline.ts";
import { type Instant, isWriteAction } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";

/**
 * The timeline as it was when the range ends: what completed later is shown as pending. Completion
 * times and instants may differ in their order, so one instant would not say it.
 */
export function pinTimeline(
  context: TableContext,
  timeline: ActiveTimeline,
  upTo: InstantTime,
): ActiveTimeline {
  const instants = timeline.instants.map((instant): Instant => {
    const isLater = isWriteAction(instant.action) && cursorOf(context, instant) > upTo;
    return isLater && instant.state === "completed" ? { ...instant, state: "inflight" } : instant;
  });
  return new ActiveTimeline(instants);
}

/** What a range is measured in: completion time where the table has it, else the instant itself. */
export function cursorOf(context: TableContext, instant: Instant): InstantTime {
  return context.config.layout === 2 ? (instant.completionTime ?? instant.time) : instant.time;
}

export function orderCommits(context: TableContext, timeline: ActiveTimeline): Instant[] {
  return timeline
    .completedWrites()
    .sort((a, b) => (cursorOf(context, a) < cursorOf(context, b) ? -1 : 1));
}

/** Instants from which on the listing of a timeline may come in pieces of different moments. */
const ONE_LISTING = 100;

/**
 * The oldest write that may still complete below a commit of this timeline: without completion times
 * it would be skipped. Pieces of a long listing are of different moments, so that a write may be in
 * none of them; it had been requested by the end of the listing, and a second one shows it.
 */
export async function findOpenWrite(
  context: TableContext,
  timeline: ActiveTimeline,
  signal: AbortSignal | undefined,
): Promise<InstantTime | undefined> {
  if (context.config.layout !== 1) return undefined;
  const isLong = timeline.instants.length >= ONE_LISTING;
  const later = isLong ? await loadActiveTimeline(context, signal) : timeline;
  return later.instants.find(
    ({ action, time }) => isWriteAction(action) && !timeline.findCompletedWrite(time),
  )?.time;
}

/** The last commit that may be handed out: the range ends before the oldest open write. */
export function findEnd(
  context: TableContext,
  ordered: readonly Instant[],
  upTo: InstantTime | undefined,
  open: InstantTime | undefined,
): Instant | undefined {
  return ordered.findLast((instant) => {
    const cursor = cursorOf(context, instant);
    return (upTo === undefined || cursor <= upTo) && (open === undefined || cursor < open);
  });
}

/** An instant, or the beginning of one; "" stands before all. Throws `INVALID`. */
export function parseCursor(name: string, text: unknown): InstantTime | undefined {
  if (text === undefined) return undefined;
  if (typeof text === "string" && /^\d{0,17}$/.test(text)) {
    return text.length === 14 ? `${text}999` : text;
  }
  throw new HudiError(
    "INVALID",
    `cannot read incrementally: found ${JSON.stringify(text) ?? typeof text} as ${name}, expected an instant such as 20261120072044123, as upTo of the last read gave it`,
  );
}

/** What changed is known by the meta columns of the rows. */
export function requireCommitTimes({ config, storage }: TableContext): void {
  if (config.populatesMetaFields) return;
  throw new HudiError(
    "UNSUPPORTED",
    `cannot read what changed in table ${storage.location}: found hoodie.populate.meta.fields=false, expected rows with commit times; read a snapshot instead`,
  );
}
