// An instant of the timeline: requested time, action, state; and its file names in both layouts.
// Rules: spec/format/timeline.md, TL-5 to TL-9.
import { type InstantTime, isInstantTime } from "./instant-time.ts";

/** The actions of Hudi, spelled as on disk. */
export const ACTIONS = [
  "commit",
  "deltacommit",
  "replacecommit",
  "compaction",
  "logcompaction",
  "clean",
  "rollback",
  "restore",
  "savepoint",
  "clustering",
  "indexing",
] as const;
export type Action = (typeof ACTIONS)[number];

/** How far an instant is. */
export type InstantState = "requested" | "inflight" | "completed";

/** Where instants live and how they are named: 1 up to table version 6, 2 from version 8. */
export type TimelineLayout = 1 | 2;

/** One action of the table at one time. */
export interface Instant {
  readonly time: InstantTime;
  readonly action: Action;
  readonly state: InstantState;
  /** When it completed, as an instant time; layout 2 only. */
  readonly completionTime?: InstantTime | undefined;
}

/** The actions that add or replace rows. */
export const WRITE_ACTIONS: ReadonlySet<Action> = new Set([
  "commit",
  "deltacommit",
  "replacecommit",
]);

/** Whether completed instants of this action say what data files the table has. */
export function isWriteAction(action: Action): boolean {
  return WRITE_ACTIONS.has(action);
}

/**
 * The name of the file that stands for an instant in its state. A commit's inflight file carries no
 * action; a compaction completes as a commit, a log compaction as a delta commit, and in layout 2 a
 * clustering as a replace commit.
 */
export function formatInstantFileName(instant: Instant, layout: TimelineLayout): string {
  const { time, action, state } = instant;
  if (state === "inflight")
    return action === "commit" ? `${time}.inflight` : `${time}.${action}.inflight`;
  if (state === "requested") return `${time}.${action}.requested`;
  const stem = layout === 2 && instant.completionTime ? `${time}_${instant.completionTime}` : time;
  return `${stem}.${completedAction(action)}`;
}

/** The action that an instant has once it completed. */
export function completedAction(action: Action): Action {
  if (action === "compaction") return "commit";
  if (action === "logcompaction") return "deltacommit";
  if (action === "clustering") return "replacecommit";
  return action;
}

const FILE_NAME = /^(\d+)(?:_(\d+))?\.([a-z]+)(?:\.([a-z]+))?$/;

/** The instant that a file name in the timeline folder stands for; undefined for any other file. */
export function parseInstantFileName(name: string, layout: TimelineLayout): Instant | undefined {
  const match = FILE_NAME.exec(name);
  if (!match) return undefined;
  const [, time = "", completionTime, first = "", second] = match;
  if (!isInstantTime(time)) return undefined;
  if (completionTime !== undefined && (layout === 1 || second !== undefined)) return undefined;
  if (second === undefined && first === "inflight")
    return { time, action: "commit", state: "inflight" };
  const action = ACTIONS.find((known) => known === first);
  if (!action) return undefined;
  if (second === undefined) {
    return completionTime === undefined
      ? { time, action, state: "completed" }
      : { time, action, state: "completed", completionTime };
  }
  return second === "requested" || second === "inflight"
    ? { time, action, state: second }
    : undefined;
}
