import { describe, expect, it } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import type { Fault, StorageCall } from "../../src/storage/memory-faults.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { isOutcomeUnknown, type Storage } from "../../src/storage/storage.ts";
import {
  type CreateInstantOptions,
  createInstantFile,
  deletePendingInstant,
  issueInstant,
  loadActiveTimeline,
} from "../../src/timeline/active-timeline.ts";
import type { Instant } from "../../src/timeline/instant.ts";
import type { TableContext } from "../../src/timeline/table-context.ts";
import { createMemoryTable, START_MS } from "../support/memory-table.ts";

const T1 = "20260115120000001";
const T2 = "20260115120000002";
const T3 = "20260115120000003";
const text = (value: string): Uint8Array => Buffer.from(value);

/** A context over a store, with a fault for each call of the handle, by number. */
async function contextOf(
  store: MemoryStore,
  faults: readonly (Fault | undefined)[] = [],
  options: {
    clock?: SimulatedClock;
    calls?: StorageCall[];
    beforeCall?: (call: StorageCall) => void;
  } = {},
): Promise<TableContext> {
  const clock = options.clock ?? new SimulatedClock(START_MS);
  const { table } = await createMemoryTable({ fields: { id: "string" }, recordKey: "id" });
  const storage = new MemoryStorage(store, {
    chooseFault: ({ index }) => faults[index],
    ...(options.calls && { callLog: options.calls }),
    ...(options.beforeCall && { beforeCall: options.beforeCall }),
  });
  return { storage, config: table.config, runtime: { clock, random: seededRandom(1) } };
}

const thrownBy = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("the active timeline", () => {
  it("shows each instant once, in its furthest state, by time and then action (TL-5)", async () => {
    const store = new MemoryStore(new SimulatedClock(START_MS));
    for (const name of [
      `${T2}.inflight`,
      `${T1}.commit`,
      `${T2}.commit.requested`,
      `${T1}.inflight`,
      `${T1}.commit.requested`,
      `${T3}.rollback.requested`,
      `${T1}.savepoint`,
    ]) {
      store.put(`.hoodie/${name}`, text(name), undefined);
    }
    const timeline = await loadActiveTimeline(await contextOf(store));
    expect(
      timeline.instants.map(({ time, action, state }) => `${time} ${action} ${state}`),
    ).toEqual([
      `${T1} commit completed`,
      `${T1} savepoint completed`,
      `${T2} commit inflight`,
      `${T3} rollback requested`,
    ]);
    expect(timeline.completedWrites().map(({ time }) => time)).toEqual([T1]);
    expect(timeline.pendingWrites().map(({ time }) => time)).toEqual([T2]);
    expect(timeline.pending().map(({ time }) => time)).toEqual([T2, T3]);
    expect(timeline.latestWrite()?.time).toBe(T1);
    expect(timeline.latestWrite("20260115110000000")).toBeUndefined();
  });

  it("takes a compaction and the commit that it completes as for one instant (TL-6)", async () => {
    const store = new MemoryStore();
    for (const name of ["compaction.requested", "compaction.inflight", "commit"]) {
      store.put(`.hoodie/${T1}.${name}`, text("{}"), undefined);
    }
    const { instants } = await loadActiveTimeline(await contextOf(store));
    expect(instants).toEqual([{ time: T1, action: "commit", state: "completed" }]);
  });

  it("passes over files that are no instants (TL-8)", async () => {
    const store = new MemoryStore();
    for (const name of [
      "hoodie.properties",
      "123.commit",
      `${T1}.commit.crc`,
      `${T1}_${T2}.commit`,
      "x",
    ]) {
      store.put(`.hoodie/${name}`, text("x"), undefined);
    }
    store.put(`.hoodie/archived/${T1}.commit`, text("x"), undefined);
    expect((await loadActiveTimeline(await contextOf(store))).instants).toEqual([]);
  });

  it("dates an instant by its newest file", async () => {
    const clock = new SimulatedClock(START_MS);
    const store = new MemoryStore(clock);
    store.put(`.hoodie/${T1}.commit.requested`, text(""), undefined);
    clock.advance(5000);
    store.put(`.hoodie/${T1}.inflight`, text(""), undefined);
    const timeline = await loadActiveTimeline(await contextOf(store));
    expect(timeline.modifiedMs(timeline.instants[0] as Instant)).toBe(START_MS + 5000);
  });

  it("issues instants beyond the clock and beyond all that were used (TL-3)", async () => {
    const store = new MemoryStore();
    const clock = new SimulatedClock(START_MS);
    const context = await contextOf(store, [], { clock });
    expect(issueInstant(context, await loadActiveTimeline(context))).toBe("20260115120000000");
    store.put(".hoodie/20260115130000000.rollback.requested", text(""), undefined);
    const timeline = await loadActiveTimeline(context);
    expect(issueInstant(context, timeline)).toBe("20260115130000001");
    expect(issueInstant(context, timeline, ["20260115235959999"])).toBe("20260116000000000");
  });

  it("removes inflight before requested, so that nothing looks further than it is (TX-13)", async () => {
    const calls: StorageCall[] = [];
    const context = await contextOf(new MemoryStore(), [], { calls });
    await deletePendingInstant(context, { time: T1, action: "commit", state: "inflight" });
    expect(calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `delete .hoodie/${T1}.inflight`,
      `delete .hoodie/${T1}.commit.requested`,
    ]);
  });
});

describe("creating the file of an instant", () => {
  const COMPLETED: Instant = { time: T1, action: "commit", state: "completed" };
  const REQUESTED: Instant = { time: T1, action: "commit", state: "requested" };
  const PATH = `.hoodie/${T1}.commit`;
  const create = (
    context: TableContext,
    instant: Instant = COMPLETED,
    options: Partial<CreateInstantOptions> = {},
  ) => createInstantFile(context, instant, text("content"), { writeId: "own", ...options });

  it("creates it once (TX-3)", async () => {
    const store = new MemoryStore();
    expect(await create(await contextOf(store))).toBe("created");
    expect(await create(await contextOf(store))).toBe("exists");
  });

  it("knows its own file after an unknown outcome, and another's (TX-11)", async () => {
    expect(await create(await contextOf(new MemoryStore(), ["unknown"]))).toBe("created");
    const store = new MemoryStore();
    store.put(PATH, text("other"), "other");
    expect(await create(await contextOf(store, ["unknown-not-applied"]))).toBe("exists");
  });

  it("tries again where nothing arrived, a few times (TX-11)", async () => {
    const store = new MemoryStore();
    const nothing = "unknown-not-applied" as const;
    expect(await create(await contextOf(store, [nothing, undefined, nothing]))).toBe("created");
    const calls: StorageCall[] = [];
    const always = new Array<Fault | undefined>(20)
      .fill(nothing)
      .map((f, i) => (i % 2 === 0 ? f : undefined));
    const error = await thrownBy(create(await contextOf(new MemoryStore(), always, { calls })));
    expect(isHudiError(error, "COMMIT_STATE_UNKNOWN")).toBe(true);
    expect(calls.filter(({ method }) => method === "createIfAbsent")).toHaveLength(4);
  });

  it("takes what its first attempt sent for its own when that arrives before the second (TX-11)", async () => {
    const store = new MemoryStore();
    const context = await contextOf(store, ["unknown-late"], {
      beforeCall: ({ index }) => {
        if (index === 2) store.applyLateChanges();
      },
    });
    expect(await create(context)).toBe("created");
  });

  it("says COMMIT_STATE_UNKNOWN for a commit and a storage error for others when it cannot look (TX-11)", async () => {
    const commit = await thrownBy(
      create(await contextOf(new MemoryStore(), ["unknown", "not-applied"])),
    );
    expect(isHudiError(commit, "COMMIT_STATE_UNKNOWN")).toBe(true);
    const requested = await thrownBy(
      create(await contextOf(new MemoryStore(), ["unknown", "not-applied"]), REQUESTED),
    );
    expect(isHudiError(requested, "UNAVAILABLE")).toBe(true);
    expect(isOutcomeUnknown(requested)).toBe(true);
  });

  it("passes a definite failure on, unless an earlier attempt is in doubt (TX-11)", async () => {
    const plain = await thrownBy(create(await contextOf(new MemoryStore(), ["not-applied"])));
    expect(isOutcomeUnknown(plain)).toBe(false);
    expect(isHudiError(plain, "UNAVAILABLE")).toBe(true);
    const doubtful = await thrownBy(
      create(await contextOf(new MemoryStore(), ["unknown-late", undefined, "not-applied"])),
    );
    expect(isHudiError(doubtful, "COMMIT_STATE_UNKNOWN")).toBe(true);
  });

  it("tells its own content where the store keeps no write ids (TX-11)", async () => {
    const store = new MemoryStore();
    const withoutIds = (context: TableContext): TableContext => {
      const storage: Storage = Object.create(context.storage, {
        loadWriteId: { value: async () => undefined },
        read: { value: (path: string) => context.storage.read(path) },
        findObject: { value: (path: string) => context.storage.findObject(path) },
        createIfAbsent: {
          value: (path: string, bytes: Uint8Array) => context.storage.createIfAbsent(path, bytes),
        },
      });
      return { ...context, storage };
    };
    expect(await create(withoutIds(await contextOf(store, ["unknown"])))).toBe("created");
    const other = new MemoryStore();
    other.put(PATH, text("another"), undefined);
    expect(await create(withoutIds(await contextOf(other, ["unknown-not-applied"])))).toBe(
      "exists",
    );
  });

  it("asks before each attempt, and its refusal is final where nothing was sent (LK-6)", async () => {
    let asked = 0;
    const refuseSecond = async (): Promise<void> => {
      asked += 1;
      if (asked === 2) throw new Error("lease lost");
    };
    const error = await thrownBy(
      create(await contextOf(new MemoryStore(), ["unknown-not-applied"]), COMPLETED, {
        beforeAttempt: refuseSecond,
      }),
    );
    expect(isHudiError(error, "COMMIT_STATE_UNKNOWN")).toBe(true);
    const first = new Error("never held");
    const calls: StorageCall[] = [];
    const refused = create(await contextOf(new MemoryStore(), [], { calls }), COMPLETED, {
      beforeAttempt: () => Promise.reject(first),
    });
    expect(await thrownBy(refused)).toBe(first);
    expect(calls).toEqual([]);
  });

  it("throws the reason of an abort, before sending and after (ST-16)", async () => {
    const reason = new Error("enough");
    const calls: StorageCall[] = [];
    const early = create(await contextOf(new MemoryStore(), [], { calls }), REQUESTED, {
      signal: AbortSignal.abort(reason),
    });
    expect(await thrownBy(early)).toBe(reason);
    expect(calls).toEqual([]);
    const controller = new AbortController();
    const context = await contextOf(new MemoryStore(), [], {
      beforeCall: () => controller.abort(reason),
    });
    expect(await thrownBy(create(context, REQUESTED, { signal: controller.signal }))).toBe(reason);
  });

  it("gives an attempt up that takes longer than its limit, and looks (LK-6)", async () => {
    const clock = new SimulatedClock(START_MS);
    const store = new MemoryStore(clock);
    const context = await contextOf(store, [], {
      clock,
      beforeCall: ({ index }) => {
        if (index === 0) clock.advance(50_000);
      },
    });
    let attempts = 0;
    const beforeAttempt = async (): Promise<void> => {
      attempts += 1;
    };
    expect(await create(context, COMPLETED, { beforeAttempt, attemptLimitMs: 45_000 })).toBe(
      "created",
    );
    expect(attempts).toBe(2);
  });
});
