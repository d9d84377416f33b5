// How the lease of a table is kept: on stores with conditional writes as the lock object of Hudi 1.x;
// elsewhere as numbered files that are created exclusively. Rules: spec/protocol/lock.md.
import { HudiError, isHudiError } from "../errors.ts";
import { LEASE_PATH, LOCKS_FOLDER } from "../layout/table-paths.ts";
import { bestEffort } from "../runtime/concurrency.ts";
import { isOutcomeUnknown } from "../storage/storage.ts";
import type { TableContext } from "../timeline/table-context.ts";

/** What a lease says of itself. */
export interface LeaseState {
  readonly expired: boolean;
  /** The end, in ms of the holder's clock. */
  readonly validUntil: number;
  readonly owner: string;
  /** For how long it is valid from when it was written; other engines do not say it. */
  readonly leaseMs?: number | undefined;
}

/** How a lease is kept in one kind of storage. */
export interface LeaseStore {
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

/** The lease as the storage of the table keeps it. */
export function openLeaseStore(context: TableContext): LeaseStore {
  return context.storage.leaseKind === "conditional"
    ? objectLease(context)
    : numberedLease(context);
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
      return findOwnTag(error, state);
    }
  };
  /** After an unknown outcome: content and tag of one read belong together, and the owner is random. */
  const findOwnTag = async (error: unknown, state: LeaseState): Promise<string | undefined> => {
    if (!isOutcomeUnknown(error)) throw error;
    try {
      const { bytes, tag } = await storage.read(LEASE_PATH);
      return Buffer.compare(bytes, encodeState(state)) === 0 ? tag : undefined;
    } catch (cause) {
      if (isHudiError(cause, "NOT_FOUND")) return undefined;
      throw cause;
    }
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
        return findOwnTag(error, state);
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
