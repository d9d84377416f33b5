// Heartbeats: how a living writer keeps others from rolling it back, and how they see that it died.
// Rules: spec/protocol/heartbeat.md, HB-1 to HB-5.
import { isHudiError } from "../errors.ts";
import { HEARTBEAT_FOLDER, heartbeatPath } from "../layout/table-paths.ts";
import type { CancelTimer } from "../runtime/clock.ts";
import { bestEffort, mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, instantPath, readInstant } from "../timeline/active-timeline.ts";
import type { Instant } from "../timeline/instant.ts";
import { decodeRequestedReplace } from "../timeline/replace-plan.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { WriteConflict } from "./write-conflict.ts";

/** Times of heartbeats, in ms. */
export interface HeartbeatSettings {
  readonly intervalMs: number;
  /** A writer whose heartbeat is older than this counts as dead. */
  readonly expireMs: number;
  /** A pending write without a heartbeat counts as dead when its timeline files are older. */
  readonly expireWithoutHeartbeatMs: number;
}

export const DEFAULT_HEARTBEAT: HeartbeatSettings = {
  intervalMs: 60_000,
  expireMs: 120_000,
  expireWithoutHeartbeatMs: 3_600_000,
};

const EMPTY = new Uint8Array(0);

/** The heartbeat of one write of this process. */
export class Heartbeat {
  readonly instant: string;
  readonly #context: TableContext;
  readonly #settings: HeartbeatSettings;
  #lastMs: number;
  #stop: CancelTimer | undefined;

  private constructor(context: TableContext, instant: string, settings: HeartbeatSettings) {
    this.#context = context;
    this.instant = instant;
    this.#settings = settings;
    this.#lastMs = context.runtime.clock.now();
  }

  /** Writes the first heartbeat and goes on until stopped. */
  static async start(
    context: TableContext,
    instant: string,
    settings: HeartbeatSettings,
    signal?: AbortSignal,
  ): Promise<Heartbeat> {
    const heartbeat = new Heartbeat(context, instant, settings);
    await context.storage.put(heartbeatPath(instant), EMPTY, { signal });
    heartbeat.#stop = context.runtime.clock.every(settings.intervalMs, () => {
      void bestEffort(() => heartbeat.#beat());
    });
    return heartbeat;
  }

  async #beat(): Promise<void> {
    const sentMs = this.#context.runtime.clock.now();
    await this.#context.storage.put(heartbeatPath(this.instant), EMPTY);
    this.#lastMs = sentMs;
  }

  /** Throws `CONFLICT` when others may have taken this writer for dead. */
  requireAlive(): void {
    const ageMs = this.#context.runtime.clock.now() - this.#lastMs;
    if (ageMs <= this.#settings.expireMs) return;
    throw new WriteConflict(
      `cannot go on with commit ${this.instant}: its last heartbeat is ${ageMs} ms old and others may have rolled it back; retry`,
      { instant: this.instant },
    );
  }

  /** Stops beating; the object stays for `heartbeatPath` to be deleted, or to expire. */
  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}

/**
 * The pending writes whose writers died; clusterings are left to their engine, which runs them again.
 * Ages are measured by the storage's own clock: the newest heartbeat, which the caller has just
 * written, says what time it is there.
 */
export async function findExpiredWrites(
  context: TableContext,
  timeline: ActiveTimeline,
  settings: HeartbeatSettings,
  ownInstant: string | undefined,
  signal?: AbortSignal,
): Promise<Instant[]> {
  const pending = timeline.pendingWrites().filter((instant) => instant.time !== ownInstant);
  if (pending.length === 0) return [];
  const { objects } = await context.storage.listFolder(HEARTBEAT_FOLDER, { signal });
  const beats = new Map(
    objects.map((object) => [object.path.slice(HEARTBEAT_FOLDER.length + 1), object.modifiedMs]),
  );
  const own = ownInstant === undefined ? undefined : beats.get(ownInstant);
  const nowMs = own ?? context.runtime.clock.now();
  const silent = pending.filter((instant) => {
    const beat = beats.get(instant.time);
    return beat === undefined
      ? nowMs - timeline.modifiedMs(instant) > settings.expireWithoutHeartbeatMs
      : nowMs - beat > settings.expireMs;
  });
  const isClustering = await mapConcurrently(silent, 8, (instant) =>
    loadIsClustering(context, instant, signal),
  );
  // One that has a heartbeat is ours, and nobody runs it again once its executor died.
  const isOwn = ({ time, state }: Instant): boolean => state === "inflight" && beats.has(time);
  return silent.filter((instant, index) => !isClustering[index] || isOwn(instant));
}

/** In layout 1 a clustering is a replace commit like any other, but for its plan. */
async function loadIsClustering(
  context: TableContext,
  instant: Instant,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  if (instant.action !== "replacecommit") return false;
  try {
    const requested = { ...instant, state: "requested" } as const;
    const bytes = await readInstant(context, requested, signal);
    return decodeRequestedReplace(bytes, instantPath(context, requested)).clustering !== undefined;
  } catch (error) {
    if (isHudiError(error, "NOT_FOUND")) return false;
    throw error;
  }
}
