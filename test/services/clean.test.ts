// What a clean keeps, what it deletes, and that any process can finish it.
import { describe, expect, test } from "vitest";
import type { HudiTable } from "../../src/hudi-table.ts";
import type { Fault } from "../../src/storage/memory-faults.ts";
import {
  decodeCleanMetadata,
  decodeCleanPlan,
  encodeCleanPlan,
} from "../../src/timeline/clean-plan.ts";
import { encodeCompactionPlan } from "../../src/timeline/compaction-plan.ts";
import { encodeSavepointMetadata } from "../../src/timeline/savepoint-metadata.ts";
import { type Row, row, SmallTable } from "./small-table.ts";

const SYNC = new Uint8Array(16);
const instantsOf = (paths: readonly string[]): string[] =>
  paths.map((path) => /_(\d{17})[.]/.exec(path)?.[1] as string).sort();
const fileOf = (lab: SmallTable, instant: string): string =>
  lab.data().find((path) => path.endsWith(`_${instant}.parquet`)) as string;
const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
const read = async (table: HudiTable<Row>, asOf?: string): Promise<Row[]> =>
  table.read(asOf === undefined ? {} : { asOf }).toArray();

describe("what is kept", () => {
  test("by commits: the states of the last ones, and the slice before them (CLN-1, CLN-2, CLN-3)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const times = await lab.writeTimes(6);
    const report = await (await lab.open()).clean({ keepCommits: 2 });
    expect(report).toMatchObject({ policy: "KEEP_LATEST_COMMITS", earliestRetained: times[4] });
    expect(instantsOf(lab.data())).toEqual(times.slice(3));
    const table = await lab.open();
    expect(await read(table, times[4])).toEqual([row("a", 4)]);
    await expect(read(table, times[1])).rejects.toMatchObject({ code: "EXPIRED" });
    const again = await table.clean({ keepCommits: 2 });
    expect(again).toMatchObject({ instant: undefined, files: [] });
    expect(lab.timeline().filter((name) => name.endsWith(".clean"))).toHaveLength(1);
  });

  test("by versions and by hours (CLN-1, CLN-2, CLN-3)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const old = await lab.writeTimes(3);
    lab.clock.advance(5 * 3_600_000);
    const recent = await lab.writeTimes(2);
    const table = await lab.open();
    const plan = await table.clean({ keepVersions: 1, dryRun: true });
    expect(instantsOf(plan.files.map(({ path }) => path))).toEqual([...old, recent[0]]);
    expect(plan.earliestRetained).toBeUndefined();
    expect(lab.data()).toHaveLength(5);
    expect((await table.clean({ keepHours: 8 })).files).toEqual([]);
    expect((await table.clean({ keepHours: 1 })).earliestRetained).toBe(recent[0]);
    expect(instantsOf(lab.data())).toEqual([old[2], ...recent]);
  });

  test("one measure, and a number that is one", async () => {
    const table = await (await SmallTable.create("copy-on-write")).open();
    for (const options of [
      { keepCommits: 0 },
      { keepHours: 1.5 },
      { keepCommits: 1, keepVersions: 1 },
    ]) {
      await expect(table.clean(options)).rejects.toMatchObject({ code: "INVALID" });
    }
  });

  test("never behind a pending commit, whose files and whose ground stay (CLN-2, CLN-4, CLN-6)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const times = await lab.writeTimes(2);
    const pending = `${String(times[1]).slice(0, -3)}999`;
    await lab.put({ time: pending, action: "commit", state: "requested" });
    const orphan = fileOf(lab, times[1] as string).replace(times[1] as string, pending);
    await (await lab.context()).storage.put(orphan, new Uint8Array(1));
    const later = await lab.writeTimes(3);
    const table = await lab.open();
    const report = await table.clean({ keepCommits: 1 });
    expect(report.earliestRetained).toBe(times[1]);
    expect(instantsOf(lab.data())).toEqual([...times, pending, ...later].sort());
    await table.clean({ keepVersions: 1 });
    expect(instantsOf(lab.data())).toEqual([times[1], pending, later[2]].sort());
  });

  test("files of savepoints, and what a savepoint in the making sees (CLN-4)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const times = (await lab.writeTimes(6)) as [string, string, string];
    const files = new Map([["p", [nameOf(fileOf(lab, times[1]))]]]);
    const savepoint = { user: "u", comments: "", createdMs: 1, files };
    const done = { time: times[1], action: "savepoint", state: "completed" } as const;
    await lab.put(done, await encodeSavepointMetadata(savepoint, SYNC));
    await lab.put({ time: times[2], action: "savepoint", state: "inflight" });
    await (await lab.open()).clean({ keepVersions: 1 });
    expect(instantsOf(lab.data())).toEqual([times[1], times[2], times.at(-1)]);
  });

  test("logs go with their slice, and a pending compaction keeps its own (CLN-3, CLN-4)", async () => {
    const lab = await SmallTable.create("merge-on-read");
    const [first] = await lab.writeTimes(3);
    // A later slice of the same file group, as a compaction would have left it.
    const base = fileOf(lab, first as string);
    const logs = lab.data().filter((path) => path.includes(".log."));
    expect(logs).toHaveLength(2);
    const table = await lab.open();
    const { storage } = await lab.context();
    const compact = async (time: string): Promise<void> => {
      await storage.put(base.replace(first as string, time), lab.bytes(base));
      await lab.put(
        { time, action: "commit", state: "completed" },
        lab.bytes(`.hoodie/${first}.deltacommit`),
      );
    };
    const [next, last] = ["20260115130000000", "20260115140000000"] as const;
    await compact(next);
    await compact(last);
    const plan = {
      operations: [
        {
          partitionPath: "p",
          fileId: nameOf(base).split("_")[0] as string,
          baseInstant: first as string,
          dataFile: nameOf(base),
          logFiles: logs.map(nameOf),
          metrics: new Map<string, number>(),
        },
      ],
    };
    const pending = {
      time: "20260115140000001",
      action: "compaction",
      state: "requested",
    } as const;
    await lab.put(pending, await encodeCompactionPlan(plan, SYNC));
    expect((await table.clean({ keepVersions: 1, dryRun: true })).files).toEqual([]);
    await storage.delete([`.hoodie/${pending.time}.compaction.requested`]);
    await table.clean({ keepVersions: 1 });
    expect(lab.data()).toEqual([base.replace(first as string, last)]);
  });
});

describe("replaced file groups", () => {
  test("go once their commit is past, and an emptied partition with them (CLN-5, CLN-10)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    await lab.write(row("a", 1), row("b", 1, "q"));
    const table = await lab.open();
    await table.deletePartitions([{ part: "q" }]);
    const [last] = await lab.writeTimes(1);
    expect((await table.clean({ keepCommits: 2 })).files).toEqual([]);
    const report = await table.clean({ keepCommits: 1 });
    expect(lab.data("q")).toEqual([]);
    expect([...lab.store.paths()]).not.toContain("q/.hoodie_partition_metadata");
    const path = `.hoodie/${report.instant}.clean`;
    const metadata = decodeCleanMetadata(lab.bytes(path), path);
    expect(metadata).toMatchObject({ earliestCommitToRetain: last, deletedPartitions: ["q"] });
    await lab.write(row("b", 2, "q"));
    expect([...lab.store.paths()]).toContain("q/.hoodie_partition_metadata");
  });

  test("a partition that is used again keeps its metafile, and gets it back (CLN-10)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    await lab.write(row("a", 1), row("b", 1, "q"));
    const plan = {
      policy: "KEEP_LATEST_COMMITS",
      earliestToRetain: undefined,
      lastCompleted: "",
      filesToBeDeleted: new Map<string, string[]>(),
      partitionsToBeDeleted: ["q"],
    };
    const metafile = "q/.hoodie_partition_metadata";
    const request = { time: "20260115130000000", action: "clean", state: "requested" } as const;
    await lab.put(request, await encodeCleanPlan(plan, SYNC));
    await (await lab.context()).storage.delete([metafile]);
    const report = await (await lab.open()).clean();
    expect(report.finished).toEqual([request.time]);
    expect([...lab.store.paths()]).toContain(metafile);
    const path = `.hoodie/${request.time}.clean`;
    expect(decodeCleanMetadata(lab.bytes(path), path).deletedPartitions).toEqual([]);
  });
});

describe("the action", () => {
  test("plans under the lease and writes what Hudi writes, in its order (CLN-7, CLN-8)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const times = (await lab.writeTimes(3)) as [string, string, string];
    const calls: string[] = [];
    const table = await lab.open(({ isWrite, method, path }) => {
      if (isWrite) calls.push(`${method} ${nameOf(path).replace(/^\d{17}/, "")}`);
      return undefined;
    });
    const { instant } = await table.clean({ keepCommits: 1 });
    const ownCalls = calls.filter((call) => /^(createIfAbsent|delete) /.test(call));
    expect(
      ownCalls
        .filter((call) => !call.includes("lock"))
        .map((call) => call.replace(/ \w.*/, " file")),
    ).toEqual([
      "createIfAbsent .clean.requested",
      "createIfAbsent .clean.inflight",
      "delete file",
      "createIfAbsent .clean",
    ]);
    expect(calls.findIndex((call) => call.includes("lock"))).toBeLessThan(
      calls.indexOf("createIfAbsent .clean.requested"),
    );
    const requested = `.hoodie/${instant}.clean.requested`;
    expect(lab.bytes(`.hoodie/${instant}.clean.inflight`)).toEqual(lab.bytes(requested));
    const plan = decodeCleanPlan(lab.bytes(requested), requested);
    expect(plan).toMatchObject({
      policy: "KEEP_LATEST_COMMITS",
      earliestToRetain: { time: times[2], action: "commit" },
      lastCompleted: times[2],
    });
    expect(plan.filesToBeDeleted.get("p")?.[0]).toMatch(/^memory:\/p\/.*\.parquet$/);
  });

  test("a request of nothing is removed, one of foreign files refused whole (CLN-7, CLN-9)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    await lab.writeTimes(2);
    const torn = { time: "20260115130000000", action: "clean", state: "requested" } as const;
    await lab.put(torn);
    const table = await lab.open();
    expect((await table.clean()).finished).toEqual([]);
    expect(lab.timeline().filter((name) => name.includes("clean"))).toEqual([]);
    const good = lab.data()[0] as string;
    for (const bad of ["memory:/p/.hoodie_partition_metadata", "memory:/../hoodie.properties"]) {
      const plan = {
        policy: "KEEP_LATEST_COMMITS",
        earliestToRetain: undefined,
        lastCompleted: "",
        filesToBeDeleted: new Map([["p", [`memory:/${good}`, bad]]]),
        partitionsToBeDeleted: [],
      };
      await lab.put(torn, await encodeCleanPlan(plan, SYNC));
      await expect(table.clean()).rejects.toMatchObject({ code: "CORRUPT" });
      expect(lab.data()).toContain(good);
      await (await lab.context()).storage.delete([`.hoodie/${torn.time}.clean.requested`]);
    }
  });

  test("any call of it may fail in any way, and another process finishes it (CLN-7, CLN-8, CLN-10)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    await lab.writeTimes(3);
    await lab.write(row("b", 1, "q"));
    await (await lab.open()).deletePartitions([{ part: "q" }]);
    const [newest] = await lab.writeTimes(1);
    const whole = lab.store;
    const faults: readonly Fault[] = [
      "not-applied",
      "unknown",
      "unknown-not-applied",
      "unknown-partly",
      "dies-before",
      "dies-after",
      "dies-partly",
    ];
    let points = 0;
    for (const fault of faults) {
      for (let at = 0; ; at += 1) {
        const store = whole.copy(lab.clock);
        let seen = 0;
        let isOpen = false;
        const table = await lab.open(() => {
          if (isOpen) seen += 1;
          return seen === at + 1 ? fault : undefined;
        }, store);
        isOpen = true;
        await table.clean({ keepCommits: 1 }).catch(() => undefined);
        if (seen <= at) break;
        points += 1;
        lab.clock.advance(300_000);
        const next = await lab.open(undefined, store);
        await next.clean({ keepCommits: 1 });
        const where = `${fault} at call ${at}`;
        expect(await read(next), where).toEqual([row("a", 0)]);
        expect(instantsOf(lab.data("p", store)), where).toContain(newest);
        expect(lab.data("p", store), where).toHaveLength(2);
        expect(lab.data("q", store), where).toEqual([]);
        const pending = (await next.timeline()).filter(({ state }) => state !== "completed");
        expect(pending, where).toEqual([]);
      }
    }
    expect(points).toBeGreaterThan(60);
  });
});
