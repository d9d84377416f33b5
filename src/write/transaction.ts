// One write on the timeline: begin, start, complete, or give up. The only way to a completed commit.
// Rules: spec/protocol/commit.md, TX-1 to TX-15.
import { HudiError, isHudiError } from "../errors.ts";
import { heartbeatPath } from "../layout/table-paths.ts";
import { bestEffort } from "../runtime/concurrency.ts";
import { createUuid } from "../runtime/random.ts";
import { isOutcomeUnknown } from "../storage/storage.ts";
import {
  type ActiveTimeline,
  createInstantFile,
  deletePendingInstant,
  issueInstant,
  loadActiveTimeline,
} from "../timeline/active-timeline.ts";
import type { Action, Instant } from "../timeline/instant.ts";
import { encodeRequestedReplace } from "../timeline/replace-plan.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { loadTableConfig } from "../timeline/table-properties.ts";
import { Heartbeat } from "./heartbeat.ts";
import { loadMarkers } from "./marker-files.ts";
import { loadRollbacks, rollbackExpiredWrites, rollbackInstant } from "./rollback.ts";
import { WriteConflict } from "./write-conflict.ts";
import { acquireLease, type Lease, underLease } from "./write-lock.ts";
import type { WriteSettings } from "./write-settings.ts";

/** How often a write asks for an instant before it gives up. */
const MAX_ROUNDS = 100;

/** What is done under the lease before the completed instant is created. */
export interface CompletionStep {
  /** Sees the timeline as it is under the lease. Throws `WriteConflict` to give the write up. */
  check(now: ActiveTimeline, lease: Lease): Promise<void>;
  /** The commit metadata; checkpoints, a metadata table or completion times would go in here. */
  content(now: ActiveTimeline): Promise<Uint8Array>;
}

/** A write between its requested and its completed instant. */
export class WriteTransaction {
  readonly instant: Instant;
  /** Completed writes and plans as they were when the write began: what it is based on. */
  readonly timeline: ActiveTimeline;
  readonly #context: TableContext;
  readonly #settings: WriteSettings;
  readonly #heartbeat: Heartbeat;
  readonly #markerPaths: Set<string> = new Set();
  #isStarted = false;

  private constructor(
    context: TableContext,
    settings: WriteSettings,
    instant: Instant,
    timeline: ActiveTimeline,
    heartbeat: Heartbeat,
  ) {
    this.#context = context;
    this.#settings = settings;
    this.instant = instant;
    this.timeline = timeline;
    this.#heartbeat = heartbeat;
  }

  /**
   * Requests an instant that is greater than every other and rolls dead writers back. `known` is a
   * timeline of a moment ago, to start from a good guess.
   */
  static async begin(
    context: TableContext,
    action: Action,
    settings: WriteSettings,
    known: ActiveTimeline,
    signal?: AbortSignal,
  ): Promise<WriteTransaction> {
    let seen = known;
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const time = issueInstant(context, seen);
      const instant: Instant = { time, action, state: "requested" };
      // The heartbeat precedes the request: a requested instant never stands without one.
      const heartbeat = await Heartbeat.start(context, time, settings.heartbeat, signal);
      let isRequested = false;
      try {
        const content = await requestContent(context, action);
        const outcome = await createInstantFile(context, instant, content, {
          writeId: createUuid(context.runtime.random),
          signal,
        });
        if (outcome === "exists") {
          // The heartbeat at this path belongs to whoever owns the instant.
          heartbeat.stop();
          seen = await loadActiveTimeline(context, signal);
          continue;
        }
        isRequested = true;
        seen = await loadActiveTimeline(context, signal);
        if (!isOvertaken(seen, instant)) {
          const gone = await rollbackExpiredWrites(context, seen, time, settings, signal);
          if (gone.length === 0) {
            return new WriteTransaction(context, settings, instant, seen, heartbeat);
          }
          // Meanwhile others may have completed greater instants, so this one begins anew.
          seen = await loadActiveTimeline(context, signal);
        }
        await removeRequest(context, instant, heartbeat);
      } catch (error) {
        heartbeat.stop();
        if (!isOutcomeUnknown(error)) {
          await bestEffort(() =>
            isRequested
              ? removeRequest(context, instant, heartbeat)
              : context.storage.delete([heartbeatPath(time)]),
          );
        }
        throw error;
      }
    }
    throw new HudiError(
      "UNAVAILABLE",
      `cannot begin a commit in table ${context.storage.location}: other writers were first ${MAX_ROUNDS} times; retry later`,
    );
  }

  /** Takes up an instant that was requested before; `start` tells whether another process was first. */
  static async resume(
    context: TableContext,
    instant: Instant,
    settings: WriteSettings,
    timeline: ActiveTimeline,
    signal?: AbortSignal,
  ): Promise<WriteTransaction> {
    const heartbeat = await Heartbeat.start(context, instant.time, settings.heartbeat, signal);
    return new WriteTransaction(context, settings, instant, timeline, heartbeat);
  }

  /** Leaves the instant to whoever was first to start it. */
  leave(): void {
    this.#heartbeat.stop();
  }

  /** Throws `CONFLICT` when others may have taken this writer for dead; before any data is written. */
  requireAlive(): void {
    this.#heartbeat.requireAlive();
  }

  /** Remembers a marker, so that it is removed without a listing. */
  addMarker(path: string): void {
    this.#markerPaths.add(path);
  }

  /** Moves to inflight; the profile names the file groups that will be touched. */
  async start(profile: Uint8Array, signal?: AbortSignal): Promise<void> {
    this.requireAlive();
    this.#isStarted = true;
    const outcome = await createInstantFile(
      this.#context,
      { ...this.instant, state: "inflight" },
      profile,
      { writeId: createUuid(this.#context.runtime.random), signal },
    );
    if (outcome === "exists") throw this.#lost("its inflight file belongs to another writer");
  }

  /**
   * Completes under the lease. After the completed instant exists nothing throws, unless the lease
   * had run out by then, which is `COMMIT_STATE_UNKNOWN`.
   */
  async complete(step: CompletionStep, signal?: AbortSignal): Promise<void> {
    const context = this.#context;
    const { time } = this.instant;
    const lease = await acquireLease(context, this.#settings.lease, signal);
    try {
      await this.#requireSameTable(signal);
      const now = await loadActiveTimeline(context, signal);
      await this.#requireGround(now, signal);
      await step.check(now, lease);
      const content = await step.content(now);
      this.requireAlive();
      signal?.throwIfAborted();
      await this.#createCompleted(content, lease);
    } finally {
      await lease.release();
    }
    this.#heartbeat.stop();
    await bestEffort(() => context.storage.delete([...this.#markerPaths, heartbeatPath(time)]));
  }

  /** Makes sure that neither this write nor a commit that it is based on was rolled back. */
  async #requireGround(now: ActiveTimeline, signal: AbortSignal | undefined): Promise<void> {
    const { time } = this.instant;
    if (now.find(time)?.state !== "inflight") throw this.#lost("its inflight file is gone");
    // A rollback that is done counts too: a writer that slept through it may have made its
    // inflight file anew.
    const since = now.instants.filter(
      ({ action, time: own }) => action === "rollback" && !this.#hasSeenCompleted(own),
    );
    const { rollbacks, torn } = await loadRollbacks(this.#context, now, since, signal);
    // One that was not written to its end may name this write.
    if (torn[0]) throw torn[0].error;
    for (const { time: by, state, target } of rollbacks) {
      if (target.time === time) throw this.#lost("a rollback names it");
      const isGoing = target.state !== "completed" || state === "inflight";
      if (!isGoing || !this.timeline.findCompletedWrite(target.time)) continue;
      throw new WriteConflict(
        `cannot complete commit ${time}: rollback ${by} undoes ${target.time}, which it is based on`,
        { instant: time },
      );
    }
  }

  #hasSeenCompleted(rollback: string): boolean {
    const known = this.timeline.find(rollback);
    return known?.action === "rollback" && known.state === "completed";
  }

  async #createCompleted(content: Uint8Array, lease: Lease): Promise<void> {
    const completed = { ...this.instant, state: "completed" } as const;
    const { time } = completed;
    try {
      const outcome = await createInstantFile(this.#context, completed, content, {
        writeId: createUuid(this.#context.runtime.random),
        ...underLease(lease),
      });
      if (outcome === "exists") throw this.#lost("its completed file belongs to another writer");
    } catch (error) {
      // The request may still be on its way: nobody else may look before it has arrived.
      if (isInDoubt(error)) lease.leaveToExpire();
      throw error;
    }
    if (!lease.hasRunOut()) return;
    throw new HudiError(
      "COMMIT_STATE_UNKNOWN",
      `cannot tell whether commit ${time} counts: the lease ran out while its completed file was created, and another writer may have come in between; read the timeline before retrying`,
      { instant: time },
    );
  }

  /**
   * Gives the write up. When every call of it is known to have ended, its files are removed; after an
   * error that leaves this open nothing is touched, and the write is rolled back once its heartbeat
   * expires. `error` is undefined where no call failed.
   */
  async giveUp(error: unknown, removeData: () => Promise<void>): Promise<void> {
    this.#heartbeat.stop();
    if (error !== undefined && isInDoubt(error)) return;
    await bestEffort(async () => {
      const now = await loadActiveTimeline(this.#context);
      const { time, action } = this.instant;
      if (now.find(time)?.state === "completed") return;
      if (action === "deltacommit" && this.#isStarted) {
        // A compaction may have been planned that names the logs: they are rolled back where they are.
        await this.#context.storage.delete([heartbeatPath(time)]);
        await rollbackInstant(this.#context, time, this.#settings);
        return;
      }
      await removeData();
      await removeRequest(this.#context, this.instant, this.#heartbeat);
      const markers = await loadMarkers(this.#context, this.instant.time);
      await this.#context.storage.delete(markers.paths);
    });
  }

  async #requireSameTable(signal: AbortSignal | undefined): Promise<void> {
    const { storage, config } = this.#context;
    const now = await loadTableConfig(storage, signal);
    if (now.version !== config.version) {
      throw new HudiError(
        "UNSUPPORTED",
        `cannot complete commit ${this.instant.time}: the table went from version ${config.version} to ${now.version} meanwhile; open it again`,
        { instant: this.instant.time },
      );
    }
    if (now.metadataPartitions.length > 0) {
      throw new HudiError(
        "UNSUPPORTED",
        `cannot complete commit ${this.instant.time}: another engine switched the metadata table on (${now.metadataPartitions.join(", ")}); open the table with metadataTable: "drop"`,
        { instant: this.instant.time },
      );
    }
  }

  #lost(fact: string): WriteConflict {
    const { time } = this.instant;
    return new WriteConflict(
      `cannot complete commit ${time}: ${fact}; another writer took this one for dead`,
      { instant: time },
    );
  }
}

/** What a request holds: nothing, but for a replace commit, whose file other engines parse. */
async function requestContent(context: TableContext, action: Action): Promise<Uint8Array> {
  if (action !== "replacecommit") return new Uint8Array(0);
  return encodeRequestedReplace(context.runtime.random.bytes(16));
}

/** Removes the timeline files and the heartbeat of a write that left no data. */
async function removeRequest(
  context: TableContext,
  instant: Instant,
  heartbeat: Heartbeat,
): Promise<void> {
  heartbeat.stop();
  await deletePendingInstant(context, instant);
  await context.storage.delete([heartbeatPath(instant.time)]);
}

/** Whether a request that failed so may still take effect. */
function isInDoubt(error: unknown): boolean {
  return isOutcomeUnknown(error) || isHudiError(error, "COMMIT_STATE_UNKNOWN");
}

/**
 * Whether a greater instant has completed, so that this one would change the past, or another action
 * has taken the same time.
 */
function isOvertaken(timeline: ActiveTimeline, own: Instant): boolean {
  return timeline.instants.some((instant) =>
    instant.time === own.time
      ? instant.action !== own.action
      : instant.state === "completed" && instant.time > own.time,
  );
}
