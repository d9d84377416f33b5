// The active timeline: which instants there are, and the only code that creates or removes files in
// the timeline folder. Rules: spec/protocol/commit.md.
import { HudiError } from "../errors.ts";
import { timelineFolder, timelinePath } from "../layout/table-paths.ts";
import { isOutcomeUnknown, StorageError } from "../storage/storage.ts";
import {
  formatInstantFileName,
  type Instant,
  type InstantState,
  isWriteAction,
  parseInstantFileName,
} from "./instant.ts";
import { type InstantTime, issueInstantTime } from "./instant-time.ts";
import type { TableContext } from "./table-context.ts";

const STATE_ORDER: Record<InstantState, number> = { requested: 0, inflight: 1, completed: 2 };

/** The instants of a table as one listing showed them, each in its furthest state. */
export class ActiveTimeline {
  /** By time, then action. */
  readonly instants: readonly Instant[];
  /** When the file of an instant was last written, by `<time>.<action>`; ms of the storage's clock. */
  readonly #modifiedMs: ReadonlyMap<string, number>;
  readonly #completed: ReadonlyMap<string, Instant>;

  constructor(instants: readonly Instant[], modifiedMs: ReadonlyMap<string, number> = new Map()) {
    this.instants = instants;
    this.#modifiedMs = modifiedMs;
    this.#completed = new Map(
      instants
        .filter((instant) => instant.state === "completed" && isWriteAction(instant.action))
        .map((instant) => [instant.time, instant]),
    );
  }

  /** Completed commits, delta commits and replace commits, oldest first. */
  completedWrites(): Instant[] {
    return [...this.#completed.values()];
  }

  /** Instants that have not completed, oldest first. */
  pending(): Instant[] {
    return this.instants.filter((instant) => instant.state !== "completed");
  }

  /** Pending instants that write rows themselves: no compaction, clustering or service. */
  pendingWrites(): Instant[] {
    return this.pending().filter((instant) => isWriteAction(instant.action));
  }

  /** The completed write with this requested time, or undefined. */
  findCompletedWrite(time: InstantTime): Instant | undefined {
    return this.#completed.get(time);
  }

  /** The newest completed write at or before a time, or undefined. */
  latestWrite(atOrBefore?: InstantTime): Instant | undefined {
    return this.completedWrites().findLast(
      (instant) => atOrBefore === undefined || instant.time <= atOrBefore,
    );
  }

  /** The oldest write of any state: what is older was archived. Undefined where there is none. */
  firstWrite(): Instant | undefined {
    return this.instants.find((instant) => isWriteAction(instant.action));
  }

  /** The instant of that time, whatever its action, or undefined. */
  find(time: InstantTime): Instant | undefined {
    return this.instants.find((instant) => instant.time === time);
  }

  /** When the newest file of an instant was written, in ms of the storage's clock. */
  modifiedMs(instant: Instant): number {
    return this.#modifiedMs.get(keyOf(instant)) ?? 0;
  }

  /** Every instant time that was ever used, completion times included. */
  usedTimes(): InstantTime[] {
    return this.instants.flatMap((instant) =>
      instant.completionTime ? [instant.time, instant.completionTime] : [instant.time],
    );
  }
}

/**
 * One key for the states of one instant. A compaction completes as a commit, so its key is that of
 * the completed action.
 */
function keyOf(instant: Instant): string {
  const completed = {
    compaction: "commit",
    logcompaction: "deltacommit",
    clustering: "replacecommit",
  };
  const action = completed[instant.action as keyof typeof completed] ?? instant.action;
  return `${instant.time}.${action}`;
}

/** Lists the timeline folder: one request. */
export async function loadActiveTimeline(
  context: TableContext,
  signal?: AbortSignal,
): Promise<ActiveTimeline> {
  const furthest = new Map<string, Instant>();
  const modifiedMs = new Map<string, number>();
  for (const { instant, modifiedMs: writtenMs } of await listInstantFiles(context, signal)) {
    const key = keyOf(instant);
    const known = furthest.get(key);
    if (!known || STATE_ORDER[known.state] < STATE_ORDER[instant.state]) furthest.set(key, instant);
    modifiedMs.set(key, Math.max(modifiedMs.get(key) ?? 0, writtenMs));
  }
  const instants = [...furthest.values()].sort((a, b) =>
    a.time === b.time ? compareText(a.action, b.action) : compareText(a.time, b.time),
  );
  return new ActiveTimeline(instants, modifiedMs);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A file of the timeline folder that stands for a state of an instant. */
export interface InstantFile {
  readonly instant: Instant;
  /** When it was written; ms of the storage's clock. */
  readonly modifiedMs: number;
}

/** Every state of every instant, by time, action and state. One request. */
export async function listInstantFiles(
  context: TableContext,
  signal?: AbortSignal,
): Promise<readonly InstantFile[]> {
  const { storage, config } = context;
  const { objects } = await storage.listFolder(timelineFolder(config.layout), { signal });
  return objects
    .flatMap(({ path, modifiedMs }): InstantFile[] => {
      const instant = parseInstantFileName(path.slice(path.lastIndexOf("/") + 1), config.layout);
      return instant ? [{ instant, modifiedMs }] : [];
    })
    .sort(
      ({ instant: a }, { instant: b }) =>
        compareText(keyOf(a), keyOf(b)) || STATE_ORDER[a.state] - STATE_ORDER[b.state],
    );
}

/**
 * Takes completed instants off the timeline that the archive holds: first what stands for earlier
 * states, since one that is left alone would be taken for pending, then the instants in their order, so
 * that the timeline never has a hole.
 */
export async function deleteArchivedInstants(
  context: TableContext,
  files: readonly InstantFile[],
  beforeDelete: () => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const paths = (isCompleted: boolean): string[] =>
    files
      .filter(({ instant }) => (instant.state === "completed") === isCompleted)
      .map(({ instant }) => instantPath(context, instant));
  await beforeDelete();
  await context.storage.delete(paths(false), { signal });
  for (const path of paths(true)) {
    await beforeDelete();
    await context.storage.delete([path], { signal });
  }
}

/** Path of the file that stands for an instant. */
export function instantPath(context: TableContext, instant: Instant): string {
  const { layout } = context.config;
  return timelinePath(layout, formatInstantFileName(instant, layout));
}

/** Reads the file of an instant. */
export async function readInstant(
  context: TableContext,
  instant: Instant,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { bytes } = await context.storage.read(instantPath(context, instant), { signal });
  return bytes;
}

/** Options of a transition on the timeline. */
export interface CreateInstantOptions {
  /** Unique to the attempt; tells after an unknown outcome whether the file there is ours. */
  readonly writeId: string;
  readonly signal?: AbortSignal | undefined;
  /** Called before each attempt; throws to stop. */
  readonly beforeAttempt?: () => Promise<void>;
  /** The longest that one attempt may take; past it the outcome counts as unknown. */
  readonly attemptLimitMs?: number;
}

/**
 * Creates the file of an instant, whole, unless it exists. On an unknown outcome it looks whose
 * file is there; `COMMIT_STATE_UNKNOWN` means that looking failed as well, and nothing was deleted.
 */
export async function createInstantFile(
  context: TableContext,
  instant: Instant,
  content: Uint8Array,
  options: CreateInstantOptions,
): Promise<"created" | "exists"> {
  const { storage } = context;
  const path = instantPath(context, instant);
  let doubt: unknown;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    await prepareAttempt(instant, path, options, doubt);
    try {
      const { writeId } = options;
      const signal = attemptSignal(context, options);
      const outcome = await storage.createIfAbsent(path, content, { writeId, signal });
      // After a doubt the file that exists may be the one that an earlier attempt sent.
      if (outcome === "created" || doubt === undefined) return outcome;
    } catch (error) {
      if (!isOutcomeUnknown(error)) {
        if (doubt === undefined) throw error;
        throw unknownOutcome(instant, path, error);
      }
      doubt = error;
    }
    try {
      // The signal is left out: whether the instant exists has to be known even on abort.
      if (await storage.findObject(path)) {
        return (await isOwn(context, path, content, options.writeId)) ? "created" : "exists";
      }
    } catch (cause) {
      throw unknownOutcome(instant, path, cause);
    }
  }
  throw unknownOutcome(instant, path, doubt);
}

/** What comes before an attempt. Its failure says nothing of the file: no request was sent. */
async function prepareAttempt(
  instant: Instant,
  path: string,
  options: CreateInstantOptions,
  doubt: unknown,
): Promise<void> {
  try {
    options.signal?.throwIfAborted();
    await options.beforeAttempt?.();
  } catch (error) {
    const isAbort = options.signal?.aborted === true && instant.state !== "completed";
    throw doubt === undefined || isAbort ? error : unknownOutcome(instant, path, error);
  }
}

function attemptSignal(
  context: TableContext,
  options: CreateInstantOptions,
): AbortSignal | undefined {
  const { signal, attemptLimitMs } = options;
  if (attemptLimitMs === undefined) return signal;
  const deadline = context.runtime.clock.deadline(attemptLimitMs);
  return signal ? AbortSignal.any([signal, deadline]) : deadline;
}

const MAX_ATTEMPTS = 4;

/** A commit may have happened; any other instant has not made anything visible. */
function unknownOutcome(instant: Instant, path: string, cause: unknown): HudiError {
  if (instant.state !== "completed") {
    return new StorageError(
      "unknown",
      `cannot tell whether ${path} was created: the storage failed on the look as well; nothing was committed, retry later`,
      { path, cause },
    );
  }
  return new HudiError(
    "COMMIT_STATE_UNKNOWN",
    `cannot tell whether ${path} was created: the storage failed on the look as well; read the timeline before retrying`,
    { path, instant: instant.time, cause },
  );
}

/** Whether the object is the one this attempt wrote: by write id, else by unique content. */
async function isOwn(
  context: TableContext,
  path: string,
  content: Uint8Array,
  writeId: string,
): Promise<boolean> {
  const found = await context.storage.loadWriteId(path);
  if (found !== undefined) return found === writeId;
  const { bytes } = await context.storage.read(path);
  return content.length > 0 && Buffer.compare(bytes, content) === 0;
}

/** Removes the files of an instant that was rolled back: inflight first, requested last. */
export async function deletePendingInstant(
  context: TableContext,
  instant: Instant,
  signal?: AbortSignal,
): Promise<void> {
  for (const state of ["inflight", "requested"] as const) {
    await context.storage.delete([instantPath(context, { ...instant, state })], { signal });
  }
}

/** Takes a completed instant back to inflight, so that readers stop seeing it before its files go. */
export async function revertToInflight(
  context: TableContext,
  instant: Instant,
  signal?: AbortSignal,
): Promise<void> {
  await context.storage.delete([instantPath(context, instant)], { signal });
}

/** An instant time for now that exceeds every one the timeline knows. */
export function issueInstant(
  context: TableContext,
  timeline: ActiveTimeline,
  alsoUsed: readonly InstantTime[] = [],
): InstantTime {
  const used = timeline.usedTimes().concat(alsoUsed);
  return issueInstantTime(context.runtime.clock.now(), context.config.timelineZone, used);
}
