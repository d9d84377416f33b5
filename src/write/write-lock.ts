// The lease that excludes other writers of a table while one commits. On stores with conditional
// writes it is the lock object of Hudi 1.x; elsewhere numbered files that are created exclusively.
// Rules: spec/protocol/lock.md, LK-1 to LK-10.
import { HudiError } from "../errors.ts";
import { LEASE_PATH } from "../layout/table-paths.ts";
import type { CancelTimer } from "../runtime/clock.ts";
import { bestEffort } from "../runtime/concurrency.ts";
import { createFraction, createUuid } from "../runtime/random.ts";
import type { CreateInstantOptions } from "../timeline/active-timeline.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { type LeaseState, type LeaseStore, openLeaseStore } from "./lease-store.ts";
import { WriteConflict } from "./write-conflict.ts";

/** Times of the lease, in ms. */
export interface LeaseSettings {
  /** How long a lease is valid from when it is taken or renewed. */
  readonly leaseMs: number;
  /** How long to wait for another writer's lease before giving up. */
  readonly waitMs: number;
  /** The longest that one storage request may take; a lease with less left is not acted on. */
  readonly requestLimitMs: number;
}

export const DEFAULT_LEASE: LeaseSettings = {
  leaseMs: 120_000,
  waitMs: 300_000,
  requestLimitMs: 45_000,
};

/** Clocks run at speeds that differ by less than this during a lease. */
const DRIFT_MS = 500;
/** Clocks of machines show times that differ by less than this. */
const MAX_SKEW_MS = 1_800_000;
const MAX_PAUSE_MS = 1_000;

/** A lease that this process holds. */
export interface Lease {
  /** The longest that a request under the lease may take. */
  readonly requestLimitMs: number;
  /**
   * Makes sure that a request sent now ends while the lease is valid, renewing it where little is
   * left. Throws `CONFLICT` when the lease was lost.
   */
  requireHeld(): Promise<void>;
  /** Whether the time of the lease has run out. */
  hasRunOut(): boolean;
  /** Keeps `release` from giving it back: a request under the lease may still arrive. */
  leaveToExpire(): void;
  /** Gives the lease back; never throws. */
  release(): Promise<void>;
}

/** A lease as it was found, and since when it has been seen unchanged. */
interface WatchedLease {
  readonly text: string;
  readonly sinceMs: number;
}

/** Waits for the lease of the table. Throws `UNAVAILABLE` naming the holder after `waitMs`. */
export async function acquireLease(
  context: TableContext,
  settings: LeaseSettings,
  signal?: AbortSignal,
): Promise<Lease> {
  const { storage, runtime } = context;
  await storage.probeConditionalWrites({ signal });
  const { clock, random } = runtime;
  const store = openLeaseStore(context);
  const owner = createUuid(random);
  const giveUpAt = clock.now() + settings.waitMs;
  let pauseMs = 20;
  let watched: WatchedLease | undefined;
  for (;;) {
    signal?.throwIfAborted();
    // Read before the look: a renewal that came after the look must not be taken for a late one.
    const lookedAt = clock.now();
    const found = await store.load();
    watched = watch(watched, found, clock.now());
    if (!found || isFree(found.state, lookedAt, lookedAt - watched.sinceMs)) {
      const { leaseMs } = settings;
      const state = { expired: false, validUntil: clock.now() + leaseMs, owner, leaseMs };
      const version = await store.follow(found?.version, state, createUuid(random));
      if (version !== undefined) return new HeldLease(context, store, settings, state, version);
    }
    // One that looks overdue and stays as it is is watched to its end, however short the wait.
    const isOverdue = found !== undefined && lookedAt - found.state.validUntil > DRIFT_MS;
    const isStill = watched.sinceMs <= giveUpAt;
    if (clock.now() >= giveUpAt && !(isOverdue && isStill)) {
      throw leaseHeld(found?.state, clock.now());
    }
    await clock.sleep(pauseMs * (0.5 + createFraction(random)), signal);
    pauseMs = Math.min(MAX_PAUSE_MS, pauseMs * 2);
  }
}

/** Options for creating an instant that only the holder of the lease may create. */
export function underLease(
  lease: Lease,
): Pick<CreateInstantOptions, "beforeAttempt" | "attemptLimitMs"> {
  return { beforeAttempt: () => lease.requireHeld(), attemptLimitMs: lease.requestLimitMs };
}

function watch(
  watched: WatchedLease | undefined,
  found: { readonly state: LeaseState; readonly version: string } | undefined,
  nowMs: number,
): WatchedLease {
  const text = JSON.stringify(found ?? null);
  return watched?.text === text ? watched : { text, sinceMs: nowMs };
}

/**
 * Whether a lease may be followed. Its end is a time of the holder's clock, which may be another than
 * ours by minutes, so it is over when it was seen unchanged for as long as it is valid. Of a lease
 * that does not say how long that is, its engine takes the end by its own clock, and so do we.
 */
function isFree(state: LeaseState, nowMs: number, watchedMs: number): boolean {
  if (state.expired) return true;
  const overdueMs = nowMs - state.validUntil;
  if (state.leaseMs === undefined) return overdueMs > DRIFT_MS;
  return watchedMs > state.leaseMs + DRIFT_MS || overdueMs > MAX_SKEW_MS;
}

function leaseHeld(state: LeaseState | undefined, now: number): HudiError {
  const holder = state
    ? `${state.owner} holds it for ${Math.max(0, state.validUntil - now)} ms more`
    : "others take it first";
  return new HudiError(
    "UNAVAILABLE",
    `cannot take the lease of the table: ${holder}; retry later`,
    {
      path: LEASE_PATH,
    },
  );
}

class HeldLease implements Lease {
  readonly requestLimitMs: number;
  readonly #context: TableContext;
  readonly #store: LeaseStore;
  readonly #settings: LeaseSettings;
  readonly #stopRenewing: CancelTimer;
  #state: LeaseState;
  #version: string | undefined;
  #renewal: Promise<void> = Promise.resolve();

  constructor(
    context: TableContext,
    store: LeaseStore,
    settings: LeaseSettings,
    state: LeaseState,
    version: string,
  ) {
    this.#context = context;
    this.#store = store;
    this.#settings = settings;
    this.requestLimitMs = settings.requestLimitMs;
    this.#state = state;
    this.#version = version;
    // What is looked at under the lease may take longer than it lasts.
    this.#stopRenewing = context.runtime.clock.every(settings.leaseMs / 4, () => {
      void bestEffort(() => this.requireHeld());
    });
  }

  hasRunOut(): boolean {
    return this.#context.runtime.clock.now() >= this.#state.validUntil;
  }

  leaveToExpire(): void {
    this.#stopRenewing();
    this.#version = undefined;
  }

  requireHeld(): Promise<void> {
    // One at a time: a second renewal would find the lease changed by the first.
    const next = this.#renewal.then(() => this.#requireHeld());
    this.#renewal = next.catch(() => {});
    return next;
  }

  async #requireHeld(): Promise<void> {
    const { clock, random } = this.#context.runtime;
    const { requestLimitMs, leaseMs } = this.#settings;
    const leftMs = this.#state.validUntil - clock.now();
    if (this.#version === undefined || leftMs <= 0) throw lost(this.#state);
    if (leftMs > requestLimitMs + DRIFT_MS) return;
    const renewed = { ...this.#state, validUntil: clock.now() + leaseMs };
    const version = await this.#store.update(this.#version, renewed, createUuid(random));
    // A renewal that came through after the old end does not count: somebody may have followed.
    if (version === undefined || clock.now() >= this.#state.validUntil) {
      this.#version = undefined;
      throw lost(this.#state);
    }
    this.#state = renewed;
    if (this.#version !== undefined) this.#version = version;
  }

  async release(): Promise<void> {
    this.#stopRenewing();
    await this.#renewal;
    const version = this.#version;
    this.#version = undefined;
    if (version === undefined) return;
    const { random } = this.#context.runtime;
    await bestEffort(() =>
      this.#store.update(version, { ...this.#state, expired: true }, createUuid(random)),
    );
  }
}

function lost(state: LeaseState): WriteConflict {
  return new WriteConflict(
    `cannot go on with the commit: lease ${state.owner} ran out before the step was done; retry`,
    { path: LEASE_PATH },
  );
}
