import { describe, expect, it } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import { heartbeatPath } from "../../src/layout/table-paths.ts";
import type { Fault, StorageCall } from "../../src/storage/memory-faults.ts";
import type { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { createInstantFile, loadActiveTimeline } from "../../src/timeline/active-timeline.ts";
import { decodeRollbackMetadata } from "../../src/timeline/rollback-metadata.ts";
import { encodeRollbackPlan } from "../../src/timeline/rollback-plan.ts";
import type { TableContext } from "../../src/timeline/table-context.ts";
import { rollbackExpiredWrites, rollbackInstant } from "../../src/write/rollback.ts";
import { baseFiles, completedCommits, timelineFiles } from "../support/store-checks.ts";
import { SETTINGS, type Shared, share, text, thrownBy } from "./write-context.ts";

type Row = {
  readonly id: string;
  readonly part: string;
  readonly value: bigint;
};

const ROWS: Row[] = [
  { id: "a", part: "p", value: 1n },
  { id: "b", part: "q", value: 1n },
];

const open = (context: TableContext): Promise<HudiTable<Row>> =>
  HudiTable.open<Row>("memory:", {
    storage: context.storage,
    runtime: context.runtime,
    write: SETTINGS,
    workers: { count: 0 },
  });

async function write(shared: Shared, rows: readonly Row[] = ROWS): Promise<string> {
  shared.clock.advance(10);
  return (await (await open(shared.process())).upsert(rows)).instant;
}

/** A write that dies after its data files; returns its instant. */
async function writeAndDie(shared: Shared): Promise<string> {
  shared.clock.advance(10);
  const context = shared.process({
    chooseFault: ({ method }) => (method === "probeConditionalWrites" ? "dies-before" : undefined),
  });
  await thrownBy((await open(context)).upsert(ROWS));
  const done = new Set(completedCommits(shared.store));
  return timelineFiles(shared.store).find(({ time }) => !done.has(time))?.time as string;
}

const left = ({ store }: Shared, instant: string): string[] =>
  [...store.paths()].filter((path) => path.includes(instant));

async function rollbackExpired(context: TableContext): Promise<string[]> {
  return rollbackExpiredWrites(context, await loadActiveTimeline(context), undefined, SETTINGS);
}

describe("a rollback by name", () => {
  it("takes a completed commit back before its files, and notes itself last (RB-1)", async () => {
    const shared = await share();
    const instant = await write(shared);
    const calls: StorageCall[] = [];
    await rollbackInstant(shared.process({ callLog: calls }), instant, SETTINGS);
    const changes = calls.filter(({ isWrite, path }) => isWrite && !path.includes(".locks"));
    const kinds = changes.map(({ method, path }) => {
      const name = path.slice(path.lastIndexOf("/") + 1).replace(/^\d+/, "");
      return `${method} ${name.endsWith(".parquet") ? "base files" : name}`;
    });
    expect(kinds).toEqual([
      "createIfAbsent .rollback.requested",
      "createIfAbsent .rollback.inflight",
      "delete .commit",
      "delete base files",
      "delete .inflight",
      "delete .commit.requested",
      "createIfAbsent .rollback",
      "delete ",
    ]);
    expect(left(shared, instant).filter((path) => path !== "p/.hoodie_partition_metadata")).toEqual(
      [],
    );
    expect(await (await open(shared.process())).read().toArray()).toEqual([]);
  });

  it("says what it removed (RB-1)", async () => {
    const shared = await share();
    const instant = await write(shared);
    const files = baseFiles(shared.store);
    await rollbackInstant(shared.process(), instant, SETTINGS);
    const [completed] = timelineFiles(shared.store).filter(
      ({ action, state }) => action === "rollback" && state === "completed",
    );
    const bytes = shared.store.find(`.hoodie/${completed?.time}.rollback`)?.bytes as Uint8Array;
    const metadata = decodeRollbackMetadata(bytes, "rollback");
    expect(metadata.instantsRollback).toEqual([{ time: instant, action: "commit" }]);
    expect(metadata.totalFilesDeleted).toBe(2);
    const deleted = [...metadata.partitions.values()].flatMap((p) => p.successDeleteFiles);
    expect(deleted.sort()).toEqual(files.map((path) => `memory:/${path}`).sort());
  });

  it("undoes a pending write, its markers and heartbeat (RB-1, RB-2)", async () => {
    const shared = await share();
    const first = await write(shared);
    const dead = await writeAndDie(shared);
    expect(left(shared, dead).length).toBeGreaterThan(5);
    await rollbackInstant(shared.process(), dead, SETTINGS);
    expect(left(shared, dead)).toEqual([]);
    expect(left(shared, first).length).toBeGreaterThan(2);
  });

  it("leaves files of other instants alone, whatever its markers say (RB-3)", async () => {
    const shared = await share();
    await write(shared);
    const kept = [...shared.store.paths()].filter((path) => path.endsWith(".parquet"));
    const instant = await writeAndDie(shared);
    const { storage } = shared.process();
    for (const path of kept) {
      await storage.put(`.hoodie/.temp/${instant}/${path}.marker.CREATE`, new Uint8Array(0));
    }
    await (await open(shared.process())).rollback(instant);
    expect(left(shared, instant).filter((path) => path.endsWith(".parquet"))).toEqual([]);
    expect([...shared.store.paths()].filter((path) => path.endsWith(".parquet"))).toEqual(kept);
  });

  it("finds files of partitions that no marker names, by a listing (RB-2)", async () => {
    const shared = await share();
    await write(shared);
    const dead = await writeAndDie(shared);
    for (const path of [...shared.store.paths()]) {
      if (path.startsWith(".hoodie/.temp/")) shared.store.delete([path]);
    }
    await rollbackInstant(shared.process(), dead, SETTINGS);
    expect(left(shared, dead)).toEqual([]);
  });

  it("refuses what it must not undo (RB-6)", async () => {
    const shared = await share();
    const first = await write(shared);
    const second = await write(shared);
    const context = shared.process();
    const codeOf = async (instant: string): Promise<unknown> =>
      (
        (await thrownBy(rollbackInstant(context, instant, SETTINGS))) as
          | { code?: unknown }
          | undefined
      )?.code;
    expect(await codeOf("20200101000000000")).toBe("NOT_FOUND");
    expect(await codeOf(first)).toBe("INVALID");
    shared.store.put(`.hoodie/${second}.savepoint`, text("x"), undefined);
    expect(await codeOf(second)).toBe("INVALID");
    shared.store.put(".hoodie/20300101000000000.clean", text("x"), undefined);
    expect(await codeOf("20300101000000000")).toBe("UNSUPPORTED");
    expect(completedCommits(shared.store)).toEqual([first, second]);
  });

  it("is taken up where it was left when it is asked for again (RB-7)", async () => {
    const shared = await share();
    const instant = await write(shared);
    const faulty = shared.process({
      chooseFault: ({ method, path }) =>
        method === "delete" && path.endsWith(".parquet") ? "not-applied" : undefined,
    });
    expect(
      isHudiError(await thrownBy(rollbackInstant(faulty, instant, SETTINGS)), "UNAVAILABLE"),
    ).toBe(true);
    await rollbackInstant(shared.process(), instant, SETTINGS);
    expect(baseFiles(shared.store)).toEqual([]);
    const rollbacks = timelineFiles(shared.store).filter(({ action }) => action === "rollback");
    expect(new Set(rollbacks.map(({ time }) => time)).size).toBe(1);
    expect(rollbacks).toHaveLength(3);
  });
});

describe("rollbacks of others", () => {
  it("concern writers whose heartbeat is older than its limit, and nobody else (HB-3, HB-4)", async () => {
    const shared = await share();
    await write(shared);
    const dead = await writeAndDie(shared);
    shared.clock.advance(100_000);
    expect(await rollbackExpired(shared.process())).toEqual([]);
    shared.clock.advance(30_000);
    expect(await rollbackExpired(shared.process())).toEqual([dead]);
    expect(await rollbackExpired(shared.process())).toEqual([]);
    expect(left(shared, dead)).toEqual([]);
  });

  it("wait an hour for a pending write without a heartbeat, and never touch table services (HB-3, HB-4)", async () => {
    const shared = await share();
    const dead = await writeAndDie(shared);
    shared.store.delete([heartbeatPath(dead)]);
    shared.store.put(".hoodie/20260101000000000.compaction.requested", text("x"), undefined);
    shared.store.put(".hoodie/20260101000000001.clean.requested", text("x"), undefined);
    shared.clock.advance(3_500_000);
    expect(await rollbackExpired(shared.process())).toEqual([]);
    shared.clock.advance(200_000);
    expect(await rollbackExpired(shared.process())).toEqual([dead]);
    expect(left(shared, "20260101")).toHaveLength(2);
  });

  it("are given up where the writer turns out to live once the lease is held (RB-4)", async () => {
    const shared = await share();
    const dead = await writeAndDie(shared);
    shared.clock.advance(130_000);
    const context = shared.process({
      beforeCall: ({ method }) => {
        if (method === "probeConditionalWrites")
          shared.store.put(heartbeatPath(dead), text(""), undefined);
      },
    });
    expect(await rollbackExpired(context)).toEqual([]);
    expect(left(shared, dead).length).toBeGreaterThan(5);
  });

  it("that died are finished by the next writer once they are old (RB-5)", async () => {
    const shared = await share();
    await write(shared);
    const dead = await writeAndDie(shared);
    shared.clock.advance(130_000);
    const dying = shared.process({
      chooseFault: ({ method, path }) =>
        method === "delete" && path.endsWith(".parquet") ? "dies-before" : undefined,
    });
    await thrownBy(rollbackExpired(dying));
    expect(left(shared, dead).length).toBeGreaterThan(0);
    shared.clock.advance(100_000);
    expect(await rollbackExpired(shared.process())).toEqual([]);
    shared.clock.advance(50_000);
    expect(await rollbackExpired(shared.process())).toEqual([dead]);
    expect(left(shared, dead)).toEqual([]);
  });
});

/** Puts a rollback of an instant on the timeline, as a process that then went away left it. */
async function leaveRollback(
  shared: Shared,
  target: string,
  state: "requested" | "inflight",
): Promise<string> {
  const context = shared.process();
  const time = "20260115235900000";
  const plan = await encodeRollbackPlan(
    { instantToRollback: { time: target, action: "commit" }, requests: [] },
    new Uint8Array(16),
  );
  for (const at of state === "requested"
    ? (["requested"] as const)
    : (["requested", "inflight"] as const)) {
    const content = at === "requested" ? plan : new Uint8Array(0);
    await createInstantFile(context, { time, action: "rollback", state: at }, content, {
      writeId: at,
    });
  }
  return time;
}

describe("a requested rollback without a whole plan (RB-5)", () => {
  it.each(["", "Obj"])(
    "that holds %j stops writers while it is young, and is dropped when it is old",
    async (content) => {
      const shared = await share();
      const instant = await write(shared);
      const time = String(BigInt(instant) + 1n);
      const path = `.hoodie/${time}.rollback.requested`;
      shared.store.put(path, text(content), undefined);
      const before = [...shared.store.paths()];
      const error = await thrownBy(write(shared));
      expect(error).toMatchObject({ code: "CORRUPT", path });
      expect([...shared.store.paths()]).toEqual(before);
      shared.clock.advance(121_000);
      await write(shared);
      expect(shared.store.find(path)).toBeUndefined();
    },
  );

  it("is not dropped once it has begun", async () => {
    const shared = await share();
    const instant = await write(shared);
    const time = String(BigInt(instant) + 1n);
    shared.store.put(`.hoodie/${time}.rollback.requested`, text(""), undefined);
    shared.store.put(`.hoodie/${time}.rollback.inflight`, text(""), undefined);
    shared.clock.advance(600_000);
    expect(await thrownBy(write(shared))).toMatchObject({ code: "CORRUPT" });
  });
});

describe("a rollback that is left on the timeline with a completed target", () => {
  it("is finished before the next write where it had begun (RB-8)", async () => {
    const shared = await share();
    const instant = await write(shared);
    await leaveRollback(shared, instant, "inflight");
    const next = await write(shared, [{ id: "c", part: "p", value: 3n }]);
    expect(completedCommits(shared.store)).toEqual([next]);
    expect(left(shared, instant).filter((path) => path.endsWith(".parquet"))).toEqual([]);
  });

  it("undoes nothing where it was only requested, and is withdrawn when it is old (RB-8)", async () => {
    const shared = await share();
    const instant = await write(shared);
    const rollback = await leaveRollback(shared, instant, "requested");
    const next = await write(shared, [{ id: "c", part: "p", value: 3n }]);
    shared.clock.advance(130_000);
    const last = await write(shared, [{ id: "d", part: "p", value: 4n }]);
    expect(completedCommits(shared.store)).toEqual([instant, next, last]);
    expect(left(shared, rollback)).toEqual([]);
  });

  it("is withdrawn in one step, so that nobody takes it for begun (RB-8)", async () => {
    for (let dies = 1; ; dies += 1) {
      const shared = await share();
      const instant = await write(shared);
      await leaveRollback(shared, instant, "requested");
      shared.clock.advance(130_000);
      const doomed = await open(
        shared.process({ chooseFault: ({ index }) => (index === dies ? "dies-after" : undefined) }),
      ).catch(() => undefined);
      const isDone = await doomed?.upsert([{ id: "b", part: "p", value: 5n }]).then(
        () => true,
        () => false,
      );
      shared.clock.advance(400_000);
      await write(shared, [{ id: "d", part: "p", value: 4n }]);
      expect(completedCommits(shared.store)).toContain(instant);
      if (isDone) break;
    }
  });

  it("undoes nothing once others have completed on top (RB-8)", async () => {
    const shared = await share();
    const instant = await write(shared);
    const next = await write(shared, [{ id: "c", part: "p", value: 3n }]);
    await leaveRollback(shared, instant, "inflight");
    await write(shared, [{ id: "d", part: "p", value: 4n }]);
    expect(completedCommits(shared.store).slice(0, 2)).toEqual([instant, next]);
    expect(await (await open(shared.process())).read().toArray()).toHaveLength(4);
  });
});

describe("the request of a rollback", () => {
  it("gets another instant where a write has the same, and does not stay beside it (TX-2)", async () => {
    const shared = await share();
    const dead = await writeAndDie(shared);
    let shares = "";
    const context = shared.process({
      beforeCall: ({ path }) => {
        const time = /(\d{17})\.rollback\.requested$/.exec(path)?.[1];
        if (time === undefined || shares !== "") return;
        shares = time;
        shared.store.put(`.hoodie/${time}.commit.requested`, text(""), undefined);
      },
    });
    await rollbackInstant(context, dead, SETTINGS);
    const rollbacks = timelineFiles(shared.store).filter(({ action }) => action === "rollback");
    expect(rollbacks.every(({ time }) => time > shares)).toBe(true);
    expect(left(shared, dead)).toEqual([]);
  });

  it("gets another instant where another rollback has it (TX-3)", async () => {
    const shared = await share();
    const dead = await writeAndDie(shared);
    let isTaken = false;
    const context = shared.process({
      beforeCall: ({ path }) => {
        if (isTaken || !path.endsWith(".rollback.requested")) return;
        isTaken = true;
        shared.store.put(path, text("another"), "another");
      },
    });
    await rollbackInstant(context, dead, SETTINGS);
    expect(left(shared, dead)).toEqual([]);
  });

  it.each<Fault>(["unknown-late", "unknown-not-applied"])(
    "keeps the lease where it may still arrive, after the fault %s (LK-10)",
    async (fault) => {
      const shared = await share();
      const dead = await writeAndDie(shared);
      const context = shared.process({
        chooseFault: ({ method, path }) => {
          if (path.endsWith(".rollback.requested")) {
            return method === "createIfAbsent" ? fault : "not-applied";
          }
          return undefined;
        },
      });
      const error = await thrownBy(rollbackInstant(context, dead, SETTINGS));
      expect(isHudiError(error, "UNAVAILABLE")).toBe(true);
      const lock = shared.store.find(".hoodie/.locks/table_lock.json")?.bytes ?? new Uint8Array(0);
      expect(JSON.parse(Buffer.from(lock).toString()).expired).toBe(false);
    },
  );

  it("that was withdrawn while it was looked at is passed over (RB-4)", async () => {
    const shared = await share();
    const instant = await write(shared);
    const rollback = await leaveRollback(shared, instant, "requested");
    const context = shared.process({
      beforeCall: ({ method, path }) => {
        if (method === "read" && path.endsWith(".rollback.requested")) {
          shared.store.delete([`.hoodie/${rollback}.rollback.requested`]);
        }
      },
    });
    expect(await rollbackExpired(context)).toEqual([]);
    expect((context.storage as MemoryStorage).callCount).toBe(2);
  });
});
