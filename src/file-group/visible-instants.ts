// Which writes a view of the table shows. Rules: spec/format/table-layout.md FSV-1,
// spec/format/log-file.md LOG-12.
import type { InstantTime } from "../timeline/instant-time.ts";

/** The writes that count: plain data, so that a worker thread can test blocks of logs by it. */
export interface VisibleInstants {
  /** Completed writes of the active timeline. */
  readonly completed: readonly InstantTime[];
  /** Writes before this one were archived; undefined where none was. */
  readonly archivedBefore: InstantTime | undefined;
  /** Nothing later counts. */
  readonly upTo: InstantTime | undefined;
}

/** Tells whether a write counts. */
export type InstantTest = (instant: InstantTime) => boolean;

export function createVisibilityTest(visible: VisibleInstants): InstantTest {
  const completed = new Set(visible.completed);
  const { archivedBefore, upTo } = visible;
  return (instant) => {
    if (upTo !== undefined && instant > upTo) return false;
    if (completed.has(instant)) return true;
    return archivedBefore !== undefined && instant < archivedBefore;
  };
}
