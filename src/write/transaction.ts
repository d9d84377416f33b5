// One write on the timeline: begin, start, complete, or give up. The only way to a completed commit.
// Rules: spec/protocol/commit.md, TX-1 to TX-15.
import { HudiError } from "../errors.ts";
import { parseTableConfig } from "../layout/table-config.ts";
import { heartbeatPath, PROPERTIES_PATH } from "../layout/table-paths.ts";
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
import type { TableContext } from "../timeline/table-context.ts";
import { Heartbeat } from "./heartbeat.ts";
import { loadMarkers } from "./marker-files.ts";
import { loadRollbacks, rollbackExpiredWrites } from "./rollback.ts";
import { acquireLease, type Lease } from "./write-lock.ts";
import type { WriteSettings } from "./write-settings.ts";

/** Another writer completed over what this write touched; the write may be done again. */
export class WriteConflict extends HudiError {
  override readonly name: string = "WriteConflict";
  constructor(message: string, instant: string) {
    super("CONFLICT", message, { instant });
  }
}

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
    for (;;) {
      const time = issueInstant(context, seen);
      const instant: Instant = { time, action, state: "requested" };
      // The heartbeat precedes the request: a requested instant never stands without one.
      const heartbeat = await Heartbeat.start(context, time, settings.heartbeat, signal);
      try {
        const outcome = await createInstantFile(context, instant, new Uint8Array(0), {
          writeId: createUuid(context.runtime.random),
          signal,
        });
        if (outcome === "exists") {
          // The heartbeat at this path belongs to whoever owns the instant.
          heartbeat.stop();
          seen = await loadActiveTimeline(context, signal);
          continue;
        }
        const timeline = await loadActiveTimeline(context, signal);
        const transaction = new WriteTransaction(context, settings, instant, timeline, heartbeat);
        if (isOvertaken(timeline, instant)) {
          await transaction.abandon();
          seen = timeline;
          continue;
        }
        const gone = await rollbackExpiredWrites(context, timeline, time, settings, signal);
        if (gone.length === 0) return transaction;
        const clean = await loadActiveTimeline(context, signal);
        return new WriteTransaction(context, settings, instant, clean, heartbeat);
      } catch (error) {
        heartbeat.stop();
        throw error;
      }
    }
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
    const outcome = await createInstantFile(
      this.#context,
      { ...this.instant, state: "inflight" },
      profile,
      { writeId: createUuid(this.#context.runtime.random), signal },
    );
    if (outcome === "exists") throw this.#lost("its inflight file belongs to another writer");
  }

  /** Completes under the lease. After the completed instant exists nothing throws. */
  async complete(step: CompletionStep, signal?: AbortSignal): Promise<void> {
    const context = this.#context;
    const { time } = this.instant;
    const lease = await acquireLease(context, this.#settings.lease, signal);
    try {
      await this.#requireSameTable(signal);
      const now = await loadActiveTimeline(context, signal);
      const own = now.find(time);
      if (own?.state !== "inflight") throw this.#lost("its inflight file is gone");
      // A rollback that is done counts too: a writer that slept through it may have made its
      // inflight file anew.
      const later = now.instants.filter((i) => i.action === "rollback" && i.time > time);
      const rollbacks = await loadRollbacks(context, now, later, signal);
      if (rollbacks.some((rollback) => rollback.target.time === time)) {
        throw this.#lost("a rollback names it");
      }
      await step.check(now, lease);
      const content = await step.content(now);
      this.requireAlive();
      signal?.throwIfAborted();
      const outcome = await createInstantFile(
        context,
        { ...this.instant, state: "completed" },
        content,
        {
          writeId: createUuid(context.runtime.random),
          beforeAttempt: () => lease.requireHeld(),
        attemptLimitMs: this.#settings.lease.requestLimitMs,
        },
      );
      if (outcome === "exists") throw this.#lost("its completed file belongs to another writer");
    } finally {
      await lease.release();
    }
    this.#heartbeat.stop();
    await bestEffort(() => context.storage.delete([...this.#markerPaths, heartbeatPath(time)]));
  }

  /**
   * Gives the write up after an error. When every call of it is known to have ended, its files are
   * removed; otherwise nothing is touched and the write is rolled back once its heartbeat expires.
   */
  async giveUp(error: unknown, removeData: () => Promise<void>): Promise<void> {
    this.#heartbeat.stop();
    if (
      isOutcomeUnknown(error) ||
      (error instanceof HudiError && error.code === "COMMIT_STATE_UNKNOWN")
    ) {
      return;
    }
    await bestEffort(async () => {
      const now = await loadActiveTimeline(this.#context);
      if (now.find(this.instant.time)?.state === "completed") return;
      await removeData();
      await this.abandon();
      const markers = await loadMarkers(this.#context, this.instant.time);
      await this.#context.storage.delete(markers.paths);
    });
  }

  /** Removes the timeline files, markers and heartbeat of a write that left no data. */
  async abandon(): Promise<void> {
    this.#heartbeat.stop();
    const { time } = this.instant;
    await deletePendingInstant(this.#context, this.instant);
    await this.#context.storage.delete([heartbeatPath(time)]);
  }

  async #requireSameTable(signal: AbortSignal | undefined): Promise<void> {
    const { storage, config } = this.#context;
    const { bytes } = await storage.read(PROPERTIES_PATH, { signal });
    const now = parseTableConfig(Buffer.from(bytes).toString("latin1"), storage.location);
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
      time,
    );
  }
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
