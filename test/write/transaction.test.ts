import { describe, expect, it } from "vitest";
import { type HudiError, isHudiError } from "../../src/errors.ts";
import { heartbeatPath, PROPERTIES_PATH } from "../../src/layout/table-paths.ts";
import type { StorageCall } from "../../src/storage/memory-faults.ts";
import type { MemoryStorage } from "../../src/storage/memory-storage.ts";
import {
  ActiveTimeline,
  createInstantFile,
  loadActiveTimeline,
} from "../../src/timeline/active-timeline.ts";
import { formatCommitMetadata } from "../../src/timeline/commit-metadata.ts";
import type { TableContext } from "../../src/timeline/table-context.ts";
import { rollbackInstant } from "../../src/write/rollback.ts";
import { WriteTransaction } from "../../src/write/transaction.ts";
import { WriteConflict } from "../../src/write/write-conflict.ts";
import { SETTINGS, type Shared, share, text, thrownBy } from "./write-context.ts";

const METADATA = formatCommitMetadata({
  operationType: "UPSERT",
  compacted: false,
  partitionToWriteStats: new Map(),
  partitionToReplaceFileIds: new Map(),
  extraMetadata: new Map([["schema", "{}"]]),
});
const STEP = { check: async () => {}, content: async () => METADATA };
const NOTHING_KNOWN = new ActiveTimeline([]);

const begin = (context: TableContext, known: ActiveTimeline = NOTHING_KNOWN) =>
  WriteTransaction.begin(context, "commit", SETTINGS, known);

/** A whole write without rows; returns its instant. */
async function commit(context: TableContext): Promise<string> {
  const transaction = await begin(context, await loadActiveTimeline(context));
  await transaction.start(text("{}"));
  await transaction.complete(STEP);
  return transaction.instant.time;
}

const timelineNames = ({ store }: Shared): string[] =>
  [...store.paths()]
    .filter((path) => /^\.hoodie\/\d+\./.test(path))
    .map((path) => path.slice(".hoodie/".length))
    .sort();

describe("the beginning of a write", () => {
  it("puts the heartbeat before the request, and lists after it (TX-1, TX-2)", async () => {
    const shared = await share();
    const calls: StorageCall[] = [];
    const { instant } = await begin(shared.process({ callLog: calls }));
    expect(calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
      `put ${heartbeatPath(instant.time)}`,
      `createIfAbsent .hoodie/${instant.time}.commit.requested`,
      "listFolder .hoodie",
    ]);
  });

  it("gives an instant up that a greater one has overtaken (TX-2)", async () => {
    const shared = await share();
    const other = shared.process();
    shared.clock.advance(5_000);
    const greater = await commit(other);
    shared.clock.advance(-4_000);
    const { instant, timeline } = await begin(shared.process());
    expect(instant.time > greater).toBe(true);
    expect(timeline.findCompletedWrite(greater)).toBeDefined();
    expect(timelineNames(shared).filter((name) => !name.startsWith(greater))).toEqual([
      `${instant.time}.commit.requested`,
    ]);
  });

  it("takes another instant where another write or another action has it (TX-2, TX-3)", async () => {
    const shared = await share();
    const { instant: first } = await begin(shared.process());
    const { instant: second } = await begin(shared.process());
    expect(second.time > first.time).toBe(true);
    const fresh = await share();
    fresh.store.put(`.hoodie/${first.time}.rollback.requested`, text(""), undefined);
    const error = await thrownBy(begin(fresh.process()));
    // The plan of that rollback is empty, which is as far as this test lets it come.
    expect(isHudiError(error, "CORRUPT") || error === undefined).toBe(true);
    expect(timelineNames(fresh)).toEqual([`${first.time}.rollback.requested`]);
  });

  it("takes a new instant after it rolled others back, since greater ones may have completed (TX-2)", async () => {
    const shared = await share();
    const dying = shared.process();
    const dead = await begin(dying);
    await dead.start(text("{}"));
    (dying.storage as MemoryStorage).kill();
    shared.clock.advance(10 * 60_000);
    let greater = "";
    const slow = shared.process({
      beforeCall: async ({ method, path }) => {
        if (method !== "createIfAbsent" || !path.endsWith(".rollback") || greater !== "") return;
        greater = "pending";
        greater = await commit(shared.process());
      },
    });
    const { instant, timeline } = await begin(slow);
    expect(instant.time > greater).toBe(true);
    expect(timeline.findCompletedWrite(greater)).toBeDefined();
    expect(timelineNames(shared).filter((name) => name.startsWith(dead.instant.time))).toEqual([]);
  });

  it("takes its request back when it fails for certain, and leaves it after a doubt (TX-13)", async () => {
    for (const [fault, left] of [
      ["not-applied", 0],
      ["unknown", 1],
    ] as const) {
      const shared = await share();
      const context = shared.process({
        chooseFault: ({ method }) => (method === "listFolder" ? fault : undefined),
      });
      await thrownBy(begin(context));
      expect(timelineNames(shared)).toHaveLength(left);
    }
  });

  it("removes nothing of the owner of an instant that it did not get (TX-3)", async () => {
    const shared = await share();
    const { instant } = await begin(shared.process());
    await begin(shared.process());
    expect(shared.store.find(heartbeatPath(instant.time))).toBeDefined();
    expect(timelineNames(shared)).toContain(`${instant.time}.commit.requested`);
  });
});

describe("the completion of a write", () => {
  it("leaves three files on the timeline, and neither heartbeat nor lease (TX-4, TX-12)", async () => {
    const shared = await share();
    const time = await commit(shared.process());
    expect(timelineNames(shared)).toEqual([
      `${time}.commit`,
      `${time}.commit.requested`,
      `${time}.inflight`,
    ]);
    expect(shared.store.find(heartbeatPath(time))).toBeUndefined();
    expect(await commit(shared.process())).not.toBe(time);
  });

  it("looks at properties and timeline under the lease, before it completes (TX-8)", async () => {
    const shared = await share();
    const calls: StorageCall[] = [];
    const context = shared.process({ callLog: calls });
    const transaction = await begin(context);
    await transaction.start(text("{}"));
    calls.length = 0;
    await transaction.complete(STEP);
    const lock = ".hoodie/.locks/table_lock.json";
    expect(calls.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "probeConditionalWrites ",
      `read ${lock}`,
      `createIfAbsent ${lock}`,
      `read ${lock}`,
      `read ${PROPERTIES_PATH}`,
      "listFolder .hoodie",
      `createIfAbsent .hoodie/${transaction.instant.time}.commit`,
      `replaceIfUnchanged ${lock}`,
      `delete ${heartbeatPath(transaction.instant.time)}`,
    ]);
  });

  it("is refused to a writer that was rolled back, even if its inflight file is there (TX-10)", async () => {
    const shared = await share();
    const transaction = await begin(shared.process());
    await transaction.start(text("{}"));
    await rollbackInstant(shared.process(), transaction.instant.time, SETTINGS);
    expect(await thrownBy(transaction.complete(STEP))).toBeInstanceOf(WriteConflict);
    shared.store.put(`.hoodie/${transaction.instant.time}.inflight`, text("{}"), undefined);
    const error = await thrownBy(transaction.complete(STEP));
    expect(error).toBeInstanceOf(WriteConflict);
    expect((error as HudiError).message).toContain("a rollback names it");
  });

  it("is refused to a writer whose ground was rolled back (TX-10)", async () => {
    const shared = await share();
    const ground = await commit(shared.process());
    shared.clock.advance(1);
    const transaction = await begin(shared.process());
    await transaction.start(text("{}"));
    await rollbackInstant(shared.process(), ground, SETTINGS);
    const error = await thrownBy(transaction.complete(STEP));
    expect(error).toBeInstanceOf(WriteConflict);
    expect((error as HudiError).message).toContain(ground);
  });

  it("is not disturbed by rollbacks of anything else (TX-10)", async () => {
    const shared = await share();
    const first = await commit(shared.process());
    shared.clock.advance(1);
    await rollbackInstant(shared.process(), first, SETTINGS);
    const pending = await begin(shared.process());
    await pending.start(text("{}"));
    const transaction = await begin(shared.process());
    await transaction.start(text("{}"));
    await rollbackInstant(shared.process(), pending.instant.time, SETTINGS);
    await transaction.complete(STEP);
  });

  it("is refused when the version or the metadata table changed (TX-9)", async () => {
    for (const change of [
      (properties: string) =>
        properties
          .replace("table.version=6", "table.version=8")
          .replace("layout.version=1", "layout.version=2"),
      (properties: string) => `${properties}hoodie.table.metadata.partitions=files\n`,
    ]) {
      const shared = await share();
      const transaction = await begin(shared.process());
      await transaction.start(text("{}"));
      const { bytes } = shared.store.find(PROPERTIES_PATH) as { bytes: Uint8Array };
      const changed = change(Buffer.from(bytes).toString("latin1"));
      shared.store.put(PROPERTIES_PATH, Buffer.from(changed, "latin1"), undefined);
      expect(isHudiError(await thrownBy(transaction.complete(STEP)), "UNSUPPORTED")).toBe(true);
      expect(timelineNames(shared)).toHaveLength(2);
    }
  });

  it("keeps the lease after an unknown outcome, because the file may still arrive (TX-11, LK-10)", async () => {
    const shared = await share();
    const isCompleted = ({ method, path }: StorageCall): boolean =>
      method === "findObject" || (method === "createIfAbsent" && path.endsWith(".commit"));
    const context = shared.process({
      chooseFault: (call) =>
        !isCompleted(call)
          ? undefined
          : call.method === "findObject"
            ? "not-applied"
            : "unknown-late",
    });
    const transaction = await begin(context);
    await transaction.start(text("{}"));
    const error = await thrownBy(transaction.complete(STEP));
    expect(isHudiError(error, "COMMIT_STATE_UNKNOWN")).toBe(true);
    const lease = JSON.parse(
      Buffer.from(shared.store.find(".hoodie/.locks/table_lock.json")?.bytes ?? []).toString(),
    );
    expect(lease.expired).toBe(false);
    shared.store.applyLateChanges();
    expect(timelineNames(shared)).toContain(`${transaction.instant.time}.commit`);
  });

  it("that took longer than the lease is COMMIT_STATE_UNKNOWN (LK-6)", async () => {
    const shared = await share();
    // The timers of a suspended process do not run, so nothing stops the request.
    const deadline = (): AbortSignal => new AbortController().signal;
    const clock = {
      now: () => shared.clock.now(),
      sleep: (ms: number) => shared.clock.sleep(ms),
      every: () => () => {},
      deadline,
    };
    const context = shared.process({
      beforeCall: ({ method, path }) => {
        if (method === "createIfAbsent" && path.endsWith(".commit")) shared.clock.advance(200_000);
      },
    });
    const patient = { ...SETTINGS, heartbeat: { ...SETTINGS.heartbeat, expireMs: 900_000 } };
    const own: TableContext = { ...context, runtime: { ...context.runtime, clock } };
    const transaction = await WriteTransaction.begin(own, "commit", patient, NOTHING_KNOWN);
    await transaction.start(text("{}"));
    const error = await thrownBy(transaction.complete(STEP));
    expect(isHudiError(error, "COMMIT_STATE_UNKNOWN")).toBe(true);
    expect(timelineNames(shared)).toContain(`${transaction.instant.time}.commit`);
  });

  it("needs a living heartbeat (HB-5)", async () => {
    const shared = await share();
    const context = shared.process({
      chooseFault: ({ path, index }) =>
        path.startsWith(".hoodie/.heartbeat/") && index > 0 ? "not-applied" : undefined,
    });
    const transaction = await begin(context);
    await transaction.start(text("{}"));
    shared.clock.advance(119_000);
    await new Promise((resolve) => setImmediate(resolve));
    transaction.requireAlive();
    shared.clock.advance(2_000);
    expect(isHudiError(await thrownBy(transaction.complete(STEP)), "CONFLICT")).toBe(true);
    expect(timelineNames(shared)).toHaveLength(2);
  });
});

describe("giving a write up", () => {
  it("removes what it left after a definite error, and nothing after a doubt (TX-13)", async () => {
    for (const [error, left] of [
      [new WriteConflict("lost", { instant: "1" }), 0],
      [new Error("who knows"), 2],
    ] as const) {
      const shared = await share();
      const transaction = await begin(shared.process());
      await transaction.start(text("{}"));
      let removals = 0;
      await transaction.giveUp(error, async () => {
        removals += 1;
      });
      expect(removals).toBe(left === 0 ? 1 : 0);
      expect(timelineNames(shared)).toHaveLength(left);
      expect(shared.store.find(heartbeatPath(transaction.instant.time)) !== undefined).toBe(
        left > 0,
      );
    }
  });

  it("removes nothing of a write that has completed after all (TX-12)", async () => {
    const shared = await share();
    const context = shared.process();
    const transaction = await begin(context);
    await transaction.start(text("{}"));
    const completed = { ...transaction.instant, state: "completed" } as const;
    await createInstantFile(context, completed, METADATA, { writeId: "own" });
    let removals = 0;
    await transaction.giveUp(new WriteConflict("lost", { instant: "1" }), async () => {
      removals += 1;
    });
    expect(removals).toBe(0);
    expect(timelineNames(shared)).toHaveLength(3);
  });

  it("keeps the timeline files where the data files could not be removed (TX-13)", async () => {
    const shared = await share();
    const transaction = await begin(shared.process());
    await transaction.start(text("{}"));
    await transaction.giveUp(new WriteConflict("lost", { instant: "1" }), () =>
      Promise.reject(new Error("no")),
    );
    expect(timelineNames(shared)).toHaveLength(2);
  });
});
