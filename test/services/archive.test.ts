// What archival takes off the timeline, what holds it, and what its files are.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { AvroReader } from "../../src/format/avro-binary.ts";
import type { AvroRecord } from "../../src/format/avro-closures.ts";
import { parseAvroCodec } from "../../src/format/avro-codec.ts";
import { type LogBlock, readLogBlocks } from "../../src/format/log-block-reader.ts";
import type { HudiTable } from "../../src/hudi-table.ts";
import type { Fault } from "../../src/storage/memory-faults.ts";
import { ARCHIVED_ENTRY_SCHEMA } from "../../src/timeline/archived-entry-schema.ts";
import { encodeSavepointMetadata } from "../../src/timeline/savepoint-metadata.ts";
import { type Row, row, SmallTable } from "./small-table.ts";

const BOUNDS = { minCommits: 2, maxCommits: 3 };
const ARCHIVE = ".hoodie/archived/.commits_.archive.";
const timesOf = (names: readonly string[]): string[] => [
  ...new Set(names.map((n) => n.slice(0, 17))),
];
const read = async (table: HudiTable<Row>, asOf?: string): Promise<Row[]> =>
  table.read(asOf === undefined ? {} : { asOf }).toArray();

/** Blocks of an archive file with the entries in each. */
async function readArchive(
  bytes: Uint8Array,
): Promise<{ block: LogBlock; entries: AvroRecord[] }[]> {
  const source = {
    path: "archive",
    sizeBytes: bytes.length,
    read: async (start: number, end: number) => bytes.slice(start, end),
    readRange: async (range: { start: number; end: number }) => bytes.slice(range.start, range.end),
  };
  const found = [];
  for await (const block of readLogBlocks(source as never)) {
    const content = Buffer.from(await block.readContent());
    const codec = parseAvroCodec(block.header.get("schema") as string, "the block");
    const entries: AvroRecord[] = [];
    for (let at = 8; at < content.length; ) {
      const length = content.readInt32BE(at);
      const record = new AvroReader(content.subarray(at + 4, at + 4 + length), "archive");
      entries.push(codec.decode(record) as AvroRecord);
      at += 4 + length;
    }
    expect(entries).toHaveLength(content.readInt32BE(4));
    found.push({ block, entries });
  }
  return found;
}

/** The archive files that Spark with Hudi 0.15 wrote, by name. */
function loadSparkArchive(): Uint8Array[] {
  const folder = join(
    import.meta.dirname,
    "../../fixtures/tables/v6_cow_nonpartitioned_archived_8i7u",
  );
  const tar = gunzipSync(readFileSync(join(folder, "table.tar.gz")));
  const files: Uint8Array[] = [];
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = tar.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    const size = Number.parseInt(tar.toString("utf8", at + 124, at + 136), 8) || 0;
    if (/\/\.commits_\.archive\.\d+_1-0-1$/.test(name))
      files.push(tar.subarray(at + 512, at + 512 + size));
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/** A schema without what tells readers nothing: texts of documentation, namespaces that are inherited. */
function bare(schema: unknown, isRoot = true): unknown {
  if (Array.isArray(schema)) return schema.map((item) => bare(item, false));
  if (typeof schema !== "object" || schema === null) return schema;
  const entries = Object.entries(schema).filter(
    ([key]) => key !== "doc" && (isRoot || key !== "namespace"),
  );
  return Object.fromEntries(entries.map(([key, value]) => [key, bare(value, false)]));
}

describe("the file", () => {
  test("has the schema that Spark's has (ARC-1, ARC-2)", async () => {
    const files = loadSparkArchive();
    expect(files).toHaveLength(3);
    for (const bytes of files) {
      for (const { block } of await readArchive(bytes)) {
        expect([...block.header.keys()]).toEqual(["schema"]);
        expect(bare(JSON.parse(block.header.get("schema") as string))).toEqual(
          bare(ARCHIVED_ENTRY_SCHEMA),
        );
      }
    }
  });

  test("has an entry for each state, ten a block, under a number of its own (ARC-1, ARC-3)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const times = await lab.writeTimes(6);
    const table = await lab.open();
    const first = await table.archive(BOUNDS);
    expect(first.instants.map(({ time }) => time)).toEqual(times.slice(0, 4));
    expect(first.file).toBe(`${ARCHIVE}1_1-0-1`);
    const blocks = await readArchive(lab.bytes(first.file as string));
    expect(blocks.map(({ entries }) => entries.length)).toEqual([10, 2]);
    const entries = blocks.flatMap((block) => block.entries);
    expect(
      entries.map(
        ({ commitTime, actionType, actionState }) => `${commitTime} ${actionType} ${actionState}`,
      ),
    ).toEqual(
      times
        .slice(0, 4)
        .flatMap((time) =>
          ["REQUESTED", "INFLIGHT", "COMPLETED"].map((state) => `${time} commit ${state}`),
        ),
    );
    const completed = entries.find(({ actionState }) => actionState === "COMPLETED") as AvroRecord;
    const commit = completed.hoodieCommitMetadata as AvroRecord;
    expect(commit).toMatchObject({ operationType: "UPSERT", version: null });
    const [stat] = (commit.partitionToWriteStats as Map<string, AvroRecord[]>).get("p") ?? [];
    expect(stat).toMatchObject({
      numWrites: 1,
      numInserts: 1,
      partitionPath: "p",
      totalLogFiles: null,
    });
    expect([...(commit.extraMetadata as Map<string, string>).keys()]).toEqual([
      "schema",
      "ROLLING_STAT",
    ]);
    expect(completed.stateTransitionTime).toMatch(/^2026\d{13}$/);
    const requested = entries.find(({ actionState }) => actionState === "REQUESTED") as AvroRecord;
    expect(requested.hoodieCommitMetadata).toMatchObject({ operationType: "UNKNOWN" });

    await lab.writeTimes(2);
    expect((await table.archive(BOUNDS)).file).toBe(`${ARCHIVE}2_1-0-1`);
    expect(await read(await lab.open())).toEqual([row("a", 1)]);
  });

  test("a completed instant that cannot be read stops it before anything is moved (ARC-3)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const [time] = await lab.writeTimes(6);
    const { storage } = await lab.context();
    await storage.put(`.hoodie/${time}.commit`, Buffer.from("{"));
    const before = lab.timeline();
    await expect((await lab.open()).archive(BOUNDS)).rejects.toMatchObject({ code: "CORRUPT" });
    expect(lab.timeline()).toEqual(before);
  });
});

describe("what stays", () => {
  test("the newest commits, and cleans beside them; a plan changes nothing (ARC-4, ARC-5)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const table = await lab.open();
    for (let round = 0; round < 5; round += 1) {
      await lab.writeTimes(2);
      await table.clean({ keepCommits: 1 });
    }
    const before = lab.timeline();
    const plan = await table.archive({ ...BOUNDS, dryRun: true });
    expect(lab.timeline()).toEqual(before);
    const done = await table.archive(BOUNDS);
    expect(done.instants).toEqual(plan.instants);
    const left = (await table.timeline()).map(({ action }) => action);
    expect(left).toEqual(
      ["commit", "commit", "clean"].toSpliced(0, 0, ...(left.length > 3 ? ["clean"] : [])),
    );
    await expect(table.archive({ minCommits: 4, maxCommits: 3 })).rejects.toMatchObject({
      code: "INVALID",
    });
    await expect(table.archive({ minCommits: 0 })).rejects.toMatchObject({ code: "INVALID" });
  });

  test("what is pending, saved or retained by the cleaner, and the commit before (ARC-5)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const times = (await lab.writeTimes(8)) as [string, string, string, string];
    const table = await lab.open();
    const { storage } = await lab.context();
    const planned = async (): Promise<string[]> =>
      (await table.archive({ ...BOUNDS, dryRun: true })).instants.map(({ time }) => time);
    expect(await planned()).toEqual(times.slice(0, 6));
    const pending = `${times[3].slice(0, -3)}999`;
    await lab.put({ time: pending, action: "compaction", state: "requested" });
    expect(await planned()).toEqual(times.slice(0, 3));
    await storage.delete([`.hoodie/${pending}.compaction.requested`]);
    const savepoint = { user: "u", comments: "", createdMs: 1, files: new Map<string, string[]>() };
    const saved = { time: times[2], action: "savepoint", state: "completed" } as const;
    await lab.put(saved, await encodeSavepointMetadata(savepoint, new Uint8Array(16)));
    expect(await planned()).toEqual(times.slice(0, 2));
    await storage.delete([`.hoodie/${times[2]}.savepoint`]);
    await table.clean({ keepCommits: 4 });
    expect(await planned()).toEqual(times.slice(0, 4));
  });

  test("commits that completed beside a pending one, however old their instants (ARC-5)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const [first] = (await lab.writeTimes(3)) as [string];
    lab.clock.advance(60_000);
    await lab.put({ time: "20260115130000000", action: "commit", state: "requested" });
    // The first commit completes again, as one does whose writer was slow.
    const { storage } = await lab.context();
    await storage.put(`.hoodie/${first}.commit`, lab.bytes(`.hoodie/${first}.commit`));
    const plan = await (await lab.open()).archive({ minCommits: 1, maxCommits: 1, dryRun: true });
    expect(plan).toMatchObject({
      instants: [],
      heldBy: `commit ${first} completed beside a pending one`,
    });
  });

  test("a base file that nobody completed, and a replace commit whose files are left (ARC-6)", async () => {
    const lab = await SmallTable.create("copy-on-write");
    const times = (await lab.writeTimes(6)) as [string, string, string];
    const table = await lab.open();
    const { storage } = await lab.context();
    const orphan = `${times[2].slice(0, -3)}999`;
    const path = (lab.data()[0] as string).replace(/\d{17}(?=\.parquet)/, orphan);
    await storage.put(path, new Uint8Array(1));
    const held = await table.archive({ ...BOUNDS, dryRun: true });
    expect(held.instants.map(({ time }) => time)).toEqual(times.slice(0, 3));
    expect(held.heldBy).toBe(`nobody completed the write of ${path}`);
    await storage.delete([path]);
    const replaced = (await table.deletePartitions([{ part: "p" }])).instant;
    await lab.writeTimes(4, "b", "q");
    const kept = await table.archive({ ...BOUNDS, dryRun: true });
    expect(kept.instants.map(({ time }) => time)).toEqual(times);
    expect(kept.heldBy).toBe(`files that commit ${replaced} replaced are not cleaned`);
    await table.clean({ keepCommits: 2 });
    await table.archive(BOUNDS);
    expect(timesOf(lab.timeline())).not.toContain(replaced);
    expect(await read(await lab.open())).toEqual([row("b", 3, "q")]);
  });

  test("the base instant of a slice with logs, so that a failed block stays invisible (ARC-6)", async () => {
    const lab = await SmallTable.create("merge-on-read");
    const [first] = (await lab.writeTimes(1)) as [string];
    await lab.writeTimes(2, "c", "q");
    const failed = await lab.write(row("a", 666));
    // Its writer is dead and rolled back, while the log of its write is still there.
    const { storage } = await lab.context();
    await storage.delete(
      ["deltacommit", "deltacommit.inflight", "deltacommit.requested"].map(
        (state) => `.hoodie/${failed}.${state}`,
      ),
    );
    const later = await lab.writeTimes(5, "b", "q");
    const table = await lab.open();
    const plan = await table.archive(BOUNDS);
    expect(plan.instants).toEqual([]);
    expect(plan.heldBy).toContain(`the slice ${first} of file group`);
    expect((await read(table)).filter(({ id }) => id === "a")).toEqual([row("a", 0)]);
    expect(timesOf(lab.timeline())).toContain(later[4]);
  });
});

test("readers take what was archived as committed, and refuse the past before (ARC-8, FSV-3)", async () => {
  const lab = await SmallTable.create("copy-on-write");
  await lab.write(row("old", 1, "q"));
  const times = await lab.writeTimes(6);
  const table = await lab.open();
  await table.archive(BOUNDS);
  const fresh = await lab.open();
  expect(await read(fresh)).toEqual(expect.arrayContaining([row("old", 1, "q"), row("a", 5)]));
  expect(await read(fresh, times[4])).toEqual(
    expect.arrayContaining([row("old", 1, "q"), row("a", 4)]),
  );
  await expect(read(fresh, times[1])).rejects.toMatchObject({ code: "EXPIRED" });
  await expect(fresh.incremental({ after: times[1] as string }).toArray()).rejects.toMatchObject({
    code: "EXPIRED",
  });
  expect(await fresh.incremental({ after: times[4] as string }).toArray()).toEqual([row("a", 5)]);
});

test("a commit that a savepoint left behind hides no gap (ARC-8)", async () => {
  const lab = await SmallTable.create("copy-on-write");
  const times = (await lab.writeTimes(5)) as [string, string, string, string];
  const { storage } = await lab.context();
  const savepoint = { user: "u", comments: "", createdMs: 1, files: new Map<string, string[]>() };
  const saved = { time: times[0], action: "savepoint", state: "completed" } as const;
  await lab.put(saved, await encodeSavepointMetadata(savepoint, new Uint8Array(16)));
  // As Hudi does when it is told to archive beyond savepoints.
  const states = ["commit.requested", "inflight", "commit"];
  await storage.delete(
    states.flatMap((state) => [times[1], times[2]].map((time) => `.hoodie/${time}.${state}`)),
  );
  await storage.put(`${ARCHIVE}1_1-0-1`, new Uint8Array(1));
  const table = await lab.open();
  expect(await read(table, times[0])).toEqual([row("a", 0)]);
  await expect(read(table, times[1])).rejects.toMatchObject({ code: "EXPIRED" });
  await expect(table.incremental({ after: times[0] }).toArray()).rejects.toMatchObject({
    code: "EXPIRED",
  });
  expect(await table.incremental({ after: times[3] }).toArray()).toEqual([row("a", 4)]);
});

test("any call of it may fail in any way, and the next one goes on (ARC-7)", async () => {
  const lab = await SmallTable.create("copy-on-write");
  const times = await lab.writeTimes(5);
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
      await table.archive(BOUNDS).catch(() => undefined);
      if (seen <= at) break;
      points += 1;
      const where = `${fault} at call ${at}`;
      const reader = await lab.open(undefined, store);
      expect(await read(reader), where).toEqual([row("a", 4)]);
      const timeline = await reader.timeline();
      expect(
        timeline.filter(({ state }) => state !== "completed"),
        where,
      ).toEqual([]);
      // The newest ones are there without a hole.
      expect(times.slice(-timeline.length), where).toEqual(timeline.map(({ time }) => time));
      lab.clock.advance(300_000);
      await (await lab.open(undefined, store)).archive({ minCommits: 2, maxCommits: 2 });
      expect(timesOf(lab.timeline(store)), where).toEqual(times.slice(-2));
      const archives = [...store.paths()].filter((path) => path.startsWith(ARCHIVE));
      const entries = (
        await Promise.all(archives.map((path) => readArchive(lab.bytes(path, store))))
      )
        .flat(2)
        .flatMap((block) => block.entries);
      const completed = entries.filter(({ actionState }) => actionState === "COMPLETED");
      expect(new Set(completed.map(({ commitTime }) => commitTime)), where).toEqual(
        new Set(times.slice(0, 3)),
      );
    }
  }
  expect(points).toBeGreaterThan(60);
});
