// The lease that excludes other writers of a table while one commits. On stores with conditional
// writes it is the lock object of Hudi 1.x; elsewhere numbered files that are created exclusively.
// Rules: spec/protocol/lock.md, LK-1 to LK-9.
import { HudiError, isHudiError } from "../errors.ts";
import { LEASE_PATH, LOCKS_FOLDER } from "../layout/table-paths.ts";
import { bestEffort } from "../runtime/concurrency.ts";
import { createFraction, createUuid } from "../runtime/random.ts";
import { isOutcomeUnknown } from "../storage/storage.ts";
import type { CreateInstantOptions } from "../timeline/active-timeline.ts";
import type { TableContext } from "../timeline/table-context.ts";

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

interface LeaseState {
  readonly expired: boolean;
  /** The end, in ms of the holder's clock. */
  readonly validUntil: number;
  readonly owner: string;
  /** For how long it is valid from when it was written; other engines do not say it. */
  readonly leaseMs?: number | undefined;
}

/** A lease as it was found, and since when it has been seen unchanged. */
interface WatchedLease {
  readonly text: string;
  readonly sinceMs: number;
}

/** How a lease is kept in one kind of storage. */
interface LeaseStore {
  /** The newest lease and what is needed to follow it, or undefined if there never was one. */
  load(): Promise<{ readonly state: LeaseState; readonly version: string } | undefined>;
  /** Follows `version` with a new state. Undefined: somebody else was first. */
  follow(
    version: string | undefined,
    state: LeaseState,
    writeId: string,
  ): Promise<string | undefined>;
  /** Changes the state of a lease that is held. Undefined: it is not held any more. */
  update(version: string, state: LeaseState, writeId: string): Promise<string | undefined>;
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
  const store = storage.leaseKind === "conditional" ? objectLease(context) : numberedLease(context);
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
  #state: LeaseState;
  #version: string | undefined;

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
  }

  hasRunOut(): boolean {
    return this.#context.runtime.clock.now() >= this.#state.validUntil;
  }

  leaveToExpire(): void {
    this.#version = undefined;
  }

  async requireHeld(): Promise<void> {
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
    this.#version = version;
    this.#state = renewed;
  }

  async release(): Promise<void> {
    const version = this.#version;
    this.#version = undefined;
    if (version === undefined) return;
    const { random } = this.#context.runtime;
    await bestEffort(() =>
      this.#store.update(version, { ...this.#state, expired: true }, createUuid(random)),
    );
  }
}

function lost(state: LeaseState): HudiError {
  return new HudiError(
    "CONFLICT",
    `cannot go on with the commit: lease ${state.owner} ran out before the step was done; retry`,
    { path: LEASE_PATH },
  );
}

function encodeState(state: LeaseState): Uint8Array {
  return Buffer.from(JSON.stringify(state));
}

function decodeState(bytes: Uint8Array, path: string): LeaseState {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString("utf8"));
  } catch {
    json = undefined;
  }
  const { expired, validUntil, owner, leaseMs } = (json ?? {}) as Record<string, unknown>;
  if (typeof expired === "boolean" && typeof validUntil === "number" && typeof owner === "string") {
    return { expired, validUntil, owner, ...(typeof leaseMs === "number" && { leaseMs }) };
  }
  throw new HudiError(
    "CORRUPT",
    `cannot read lock object ${path}: expected expired, validUntil and owner; remove it while no writer runs`,
    { path },
  );
}

/** The lock object: created if absent, replaced while unchanged, released by `expired`. */
function objectLease(context: TableContext): LeaseStore {
  const { storage } = context;
  const replace = async (
    version: string,
    state: LeaseState,
    writeId: string,
  ): Promise<string | undefined> => {
    try {
      const result = await storage.replaceIfUnchanged(LEASE_PATH, encodeState(state), version, {
        writeId,
      });
      return result === "changed" ? undefined : result.tag;
    } catch (error) {
      return findOwnTag(error, writeId);
    }
  };
  const findOwnTag = async (error: unknown, writeId: string): Promise<string | undefined> => {
    if (!isOutcomeUnknown(error)) throw error;
    // The content is read with its tag, so that the tag surely belongs to this state.
    if ((await storage.loadWriteId(LEASE_PATH)) !== writeId) return undefined;
    return (await storage.read(LEASE_PATH)).tag;
  };
  return {
    async load() {
      try {
        const { bytes, tag } = await storage.read(LEASE_PATH);
        return { state: decodeState(bytes, LEASE_PATH), version: tag };
      } catch (error) {
        if (isHudiError(error, "NOT_FOUND")) return undefined;
        throw error;
      }
    },
    async follow(version, state, writeId) {
      if (version !== undefined) return replace(version, state, writeId);
      try {
        const outcome = await storage.createIfAbsent(LEASE_PATH, encodeState(state), { writeId });
        if (outcome === "exists") return undefined;
        const { bytes, tag } = await storage.read(LEASE_PATH);
        return decodeState(bytes, LEASE_PATH).owner === state.owner ? tag : undefined;
      } catch (error) {
        return findOwnTag(error, writeId);
      }
    },
    update: replace,
  };
}

/**
 * Numbered files: the highest number is the lease. Whoever finds it free creates the next number
 * exclusively and makes sure that it is the highest. The highest is never deleted.
 */
function numberedLease(context: TableContext): LeaseStore {
  const { storage } = context;
  const pathOf = (number: number): string =>
    `${LOCKS_FOLDER}/table_lock.${String(number).padStart(12, "0")}.json`;
  const numbers = async (): Promise<number[]> => {
    const { objects } = await storage.listFolder(LOCKS_FOLDER);
    return objects
      .map((object) => /\/table_lock\.(\d{12})\.json$/.exec(object.path)?.[1])
      .filter((text) => text !== undefined)
      .map(Number)
      .sort((a, b) => a - b);
  };
  /** After an unknown outcome: the content holds a random owner, so it says whether it arrived. */
  const requireWritten = async (number: number, content: Uint8Array, error: unknown) => {
    if (!isOutcomeUnknown(error)) throw error;
    const { bytes } = await storage.read(pathOf(number));
    if (Buffer.compare(bytes, content) !== 0) throw error;
  };
  return {
    async load() {
      for (;;) {
        const highest = (await numbers()).at(-1);
        if (highest === undefined) return undefined;
        try {
          const { bytes } = await storage.read(pathOf(highest));
          return { state: decodeState(bytes, pathOf(highest)), version: String(highest) };
        } catch (error) {
          // Somebody followed this number and removed it after the listing.
          if (!isHudiError(error, "NOT_FOUND")) throw error;
        }
      }
    },
    async follow(version, state, writeId) {
      const next = version === undefined ? 1 : Number(version) + 1;
      const content = encodeState(state);
      try {
        const outcome = await storage.createIfAbsent(pathOf(next), content, { writeId });
        if (outcome === "exists") return undefined;
      } catch (error) {
        await requireWritten(next, content, error);
      }
      const all = await numbers();
      if (all.at(-1) !== next) {
        await bestEffort(() => storage.delete([pathOf(next)]));
        return undefined;
      }
      await bestEffort(() => storage.delete(all.filter((number) => number < next).map(pathOf)));
      return String(next);
    },
    async update(version, state, writeId) {
      if ((await numbers()).at(-1) !== Number(version)) return undefined;
      const content = encodeState(state);
      try {
        await storage.put(pathOf(Number(version)), content, { writeId });
      } catch (error) {
        await requireWritten(Number(version), content, error);
      }
      return (await numbers()).at(-1) === Number(version) ? version : undefined;
    },
  };
}
