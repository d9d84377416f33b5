// Small files become one: rows, meta columns and types stay; two processes, crashes and conflicts.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { decodeAvroFile } from "../../src/format/avro-file.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import { META_FIELDS } from "../../src/layout/record-key.ts";
import type { ClusterOptions } from "../../src/services/clustering.ts";
import type { Fault } from "../../src/storage/memory-faults.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import { decodeClusteringPlan, encodeClusteringPlan } from "../../src/timeline/clustering-plan.ts";
import {
  createMemoryTable,
  type MemoryTable,
  type ProcessOptions,
  processOptions,
} from "../support/memory-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";

const META = [...META_FIELDS.slice(0, 4)];
/** Longer than a writer without heartbeat lives. */
const EXPIRE_MS = 4_000_000;

type Row = { id: string; part: string; value: bigint };
const row = (id: string, part: string, value: bigint): Row => ({ id, part, value });

/** Three file groups in p, two in q, one in r. */
async function manyFiles(): Promise<MemoryTable<Row>> {
  const made = await createMemoryTable({
    fields: { id: "string", part: "string", value: "long" },
    recordKey: "id",
    partitionBy: "part",
  });
  for (const [id, value, parts] of [
    ["a", 5n, "pqr"],
    ["b", 3n, "pq"],
    ["c", 4n, "p"],
  ] as const) {
    made.clock.advance(1_000);
    const rows = [...parts].flatMap((part) => [row(id, part, value), row(`${id}2`, part, -value)]);
    await made.table.bulkInsert(rows);
  }
  made.clock.advance(1_000);
  return made as unknown as MemoryTable<Row>;
}

/** Two file groups of one partition. */
async function fewFiles(): Promise<MemoryTable<Row>> {
  const made = await createMemoryTable({
    fields: { id: "string", part: "string", value: "long" },
    recordKey: "id",
    partitionBy: "part",
  });
  await made.table.bulkInsert([row("b", "p", 1n)]);
  await made.table.bulkInsert([row("a", "p", 2n)]);
  return made as unknown as MemoryTable<Row>;
}

/** The table as another process opens it. */
function open(store: MemoryStore, options: ProcessOptions): Promise<HudiTable<Row>> {
  return HudiTable.open<Row>("memory:", processOptions(store, options));
}

const columns = [...META, "id", "part", "value"] as never;
async function rowsOf(table: HudiTable<Row>): Promise<readonly string[]> {
  return rowTexts((await table.read({ columns }).toArray()) as unknown as AnyRow[]);
}

async function expectSound(table: HudiTable<Row>): Promise<void> {
  expect((await table.verify()).findings).toEqual([]);
}

const groupsOf = async (table: HudiTable<Row>): Promise<string[]> =>
  (await table.files()).map(({ partitionPath }) => partitionPath).sort();

test("small files of a partition become one file group, sorted; rows keep their meta columns (CL-1, CL-5)", async () => {
  const { table, clock } = await manyFiles();
  const before = await rowsOf(table);
  const planned = await table.cluster({ sortBy: ["value"], dryRun: true });
  expect(planned).toMatchObject({ state: "planned", instant: undefined });
  expect(
    planned.groups.map(({ partitionPath, fileIds }) => [partitionPath, fileIds.length]),
  ).toEqual([
    ["p", 3],
    ["q", 2],
  ]);
  const pulled = (await table.timeline()).at(-2)?.time as string;
  const done = await table.cluster({ sortBy: ["value"] });
  expect(done).toMatchObject({ state: "completed", rows: 10, files: 2, groups: planned.groups });
  expect(await groupsOf(table)).toEqual(["p", "q", "r"]);
  expect(await rowsOf(table)).toEqual(before);
  const inOrder = await table.read({ where: { part: "p" } }).toArray();
  expect(inOrder.map(({ value }) => value)).toEqual([-5n, -4n, -3n, 3n, 4n, 5n]);
  expect(await table.cluster()).toMatchObject({ state: "nothing", groups: [] });
  await expectSound(table);
  // What was written before a pull is not pulled again, and what came after it is.
  expect(await table.incremental({ after: done.instant as string }).toArray()).toEqual([]);
  expect((await table.incremental({ after: pulled }).toArray()).map(({ id }) => id)).toEqual([
    "c2",
    "c",
  ]);
  const metadata = await table.commitMetadata((await table.timeline()).at(-1) as never);
  expect(metadata.operationType).toBe("CLUSTER");
  expect(metadata.partitionToReplaceFileIds.get("p")).toEqual(planned.groups[0]?.fileIds);
  // Keys are found in the new file: an upsert inserts none of them again.
  clock.advance(1_000);
  expect(await table.upsert([row("a", "p", 9n), row("z", "p", 1n)])).toMatchObject({
    inserted: 1,
    updated: 1,
  });
  await expectSound(table);
  await table.rollback((await table.timeline()).at(-1)?.time as string);
  await table.rollback(done.instant as string);
  expect(await groupsOf(table)).toEqual(["p", "p", "p", "q", "q", "r"]);
  expect(await rowsOf(table)).toEqual(before);
});

test("partitions, sizes and targets choose the files (CL-1)", async () => {
  const { table } = await manyFiles();
  const bytes = Math.max(...(await table.files()).map((slice) => slice.baseFile?.sizeBytes ?? 0));
  const plan = async (options: ClusterOptions): Promise<unknown[]> =>
    (await table.cluster({ ...options, dryRun: true })).groups.map(({ partitionPath, fileIds }) => {
      return `${partitionPath} ${fileIds.length}`;
    });
  expect(await plan({ partitions: ["q"] })).toEqual(["q 2"]);
  expect(await plan({ smallFileBytes: 10 })).toEqual([]);
  expect(await plan({ targetFileBytes: 2 * bytes })).toEqual(["p 2", "q 2"]);
  expect(await plan({ targetFileBytes: bytes })).toEqual([]);
});

test("every type survives, sorted by it or not (CL-5, CL-6)", async () => {
  const fields = {
    id: "int",
    flag: "boolean?",
    long: "long?",
    float: "float?",
    double: "double?",
    text: "string?",
    raw: "bytes?",
    day: "date?",
    millis: "timestamp-millis?",
    micros: "timestamp-micros?",
    clock: "time-micros?",
    small: "decimal(9,2)?",
    large: "decimal(38,10)?",
    fixed: "fixed(3)?",
    size: "enum(S,L)?",
    list: "list<int?>?",
    map: "map<decimal(5,1)?>?",
    struct: "struct<a:int,b:list<long>?>?",
  } as const;
  const whole = (id: number): Record<string, unknown> => ({
    id,
    flag: id % 2 === 0,
    long: BigInt(id) * 2n ** 40n,
    float: id / 2,
    double: -id / 3,
    text: `t${9 - id} \u{1f600}`,
    raw: Uint8Array.of(255 - id, 0),
    day: new Date(Date.UTC(2026, 0, id + 1)),
    millis: BigInt(-id),
    micros: BigInt(id) * 10n ** 15n,
    clock: BigInt(id),
    small: `${-id}.25`,
    large: `${id}234567890123456789.0123456789`,
    fixed: Uint8Array.of(200 + id, id, 1),
    size: id % 2 === 0 ? "S" : "L",
    list: [id, null],
    map: { k: `${id}.5`, n: null },
    struct: { a: id, b: id % 2 === 0 ? null : [1n] },
  });
  const empty = (id: number): Record<string, unknown> => ({
    ...Object.fromEntries(Object.keys(fields).map((name) => [name, null])),
    id,
  });
  const all = [4, 2, 7, 1].map((id) => (id === 7 ? empty(id) : whole(id)));
  const made = await createMemoryTable({ fields, recordKey: "id" });
  await made.table.bulkInsert(all.slice(0, 2) as never);
  await made.table.bulkInsert(all.slice(2) as never);
  const columns = [
    "id",
    "flag",
    "double",
    "text",
    "raw",
    "day",
    "millis",
    "small",
    "large",
    "fixed",
  ];
  for (const sortBy of [[], ["size", "id"], ...columns.map((name) => [name])]) {
    const table = await open(made.store.copy(made.clock), { clock: made.clock });
    const done = await table.cluster({ sortBy });
    expect(done).toMatchObject({ rows: 4, files: 1 });
    const read = (await table.read().toArray()) as unknown as Record<string, unknown>[];
    const ids = read.map(({ id }) => id as number);
    const stored = [...all].sort(
      (a, b) => ids.indexOf(a.id as number) - ids.indexOf(b.id as number),
    );
    expect(rowTexts(read as AnyRow[])).toEqual(rowTexts(stored as AnyRow[]));
    if (sortBy[0] === undefined) continue;
    const ascending = {
      id: [1, 2, 4, 7],
      double: [7, 4, 2, 1],
      small: [7, 4, 2, 1],
      text: [7, 4, 2, 1],
    };
    const falling = {
      raw: [7, 4, 2, 1],
      millis: [7, 4, 2, 1],
      flag: [7, 1, 4, 2],
    };
    const expected = { ...ascending, ...falling }[sortBy[0]] ?? [7, 1, 2, 4];
    expect(ids, sortBy[0]).toEqual(expected);
    expect((await table.verify()).findings).toEqual([]);
  }
});

describe("two processes", () => {
  test("one schedules, the other carries out; a plan that has begun is nobody else's (CL-3, CL-4)", async () => {
    const { table, store, clock } = await manyFiles();
    const before = await rowsOf(table);
    const scheduled = await table.cluster({ only: "schedule" });
    expect(scheduled).toMatchObject({ state: "scheduled" });
    // What waits is reserved: it is not scheduled twice.
    expect(await table.cluster({ only: "schedule" })).toMatchObject({ state: "nothing" });
    const other = await open(store, { clock, seed: 2 });
    expect(await other.cluster({ only: "execute" })).toMatchObject({
      state: "completed",
      instant: scheduled.instant,
    });
    expect(await rowsOf(table)).toEqual(before);
    const { instant } = scheduled;
    const again = table.cluster({ only: "execute", instant });
    await expect(again).rejects.toMatchObject({ code: "INVALID", instant });
    const unknown = table.cluster({ only: "execute", instant: "20260101000000000" });
    await expect(unknown).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect(await table.cluster({ only: "execute" })).toMatchObject({ state: "nothing" });
  });

  test("both carry the same plan out: one of them does (CL-4)", async () => {
    const { table, store, clock } = await manyFiles();
    await table.cluster({ only: "schedule" });
    const other = await open(store, { clock, seed: 2 });
    const both = [table, other].map((one) => one.cluster({ only: "execute" }));
    const results = await Promise.allSettled(both);
    const states = results.map((one) =>
      one.status === "fulfilled" ? one.value.state : one.reason.code,
    );
    expect(states.sort()).toEqual(["CONFLICT", "completed"]);
    await expectSound(table);
  });

  test("a writer does not touch what is planned, and writes beside it (CL-7)", async () => {
    const { table, store, clock } = await manyFiles();
    await table.cluster({ only: "schedule" });
    const write = { conflictRetries: 0 };
    const writer = await open(store, { clock, seed: 2, write });
    await expect(writer.upsert([row("a", "p", 9n)])).rejects.toMatchObject({ code: "CONFLICT" });
    await writer.upsert([row("a", "r", 9n), row("new", "p", 1n)]);
    expect(await table.cluster({ only: "execute" })).toMatchObject({ rows: 10 });
    expect(await table.read({ where: { value: 9n } }).toArray()).toHaveLength(1);
    await writer.upsert([row("a", "p", 9n)]);
    await expectSound(table);
  });

  test("what another engine rewrote under a plan, without regard to it, is not taken back (CL-7)", async () => {
    const { table, store } = await manyFiles();
    const { instant } = await table.cluster({ only: "schedule" });
    const path = `.hoodie/${instant}.replacecommit.requested`;
    const plan = (await new MemoryStorage(store).read(path)).bytes;
    store.delete([path]);
    await table.upsert([row("a", "p", 9n)]);
    store.put(path, plan, undefined);
    await expect(table.cluster({ only: "execute" })).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await table.read({ where: { value: 9n } }).toArray()).toHaveLength(1);
    await expectSound(table);
  });

  test("columns that change while files are written are not lost (CL-7)", async () => {
    const { table, store, clock } = await manyFiles();
    await table.cluster({ only: "schedule" });
    let evolution: Promise<unknown> | undefined;
    const beforeCall = async ({ path }: { path: string }): Promise<void> => {
      if (!path.includes(".marker.")) return;
      evolution ??= table.evolve([{ add: "added", type: "long?" }]);
      await evolution;
    };
    const other = await open(store, { clock, seed: 2, beforeCall });
    await expect(other.cluster({ only: "execute" })).rejects.toMatchObject({ code: "CONFLICT" });
    expect((await table.schema()).fields.map(({ name }) => name)).toContain("added");
    expect(await table.cluster()).toMatchObject({ state: "completed", files: 2 });
    await expectSound(table);
  });

  test("a table that changed under a plan drops the plan (CL-7)", async () => {
    const { table, store } = await manyFiles();
    await table.cluster({ only: "schedule" });
    const before = await rowsOf(table);
    // Another engine that knows of no plans takes a file group away.
    const path = [...store.paths()].find((name) => /^q\/.*parquet$/.test(name)) as string;
    store.delete([path]);
    await expect(table.cluster({ only: "execute" })).rejects.toMatchObject({ code: "CONFLICT" });
    expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
    expect((await rowsOf(table)).length).toBe(before.length - 2);
  });
});

/** Each call of a clustering meets one of these; with HUDI_LAKE_SOAK every one of them. */
const FAULTS: readonly Fault[] = [
  "dies-before",
  "unknown",
  "dies-after",
  "not-applied",
  "unknown-not-applied",
];
/** More than the calls of one clustering. */
const MOST_CALLS = 200;

const ROUNDS =
  process.env.HUDI_LAKE_SOAK === undefined ? [0, 2] : FAULTS.map((_, number) => number);

test.each(ROUNDS)(
  "a process that fails at any call leaves the old files or the new, and others go on, round %i (CL-4, CL-8)",
  async (round) => {
    const made = await fewFiles();
    const before = await rowsOf(made.table);
    const ends = new Map<string, number>();
    let calls = 0;
    for (let at = 1; at <= MOST_CALLS; at += 1) {
      const store = made.store.copy(made.clock);
      let count = 0;
      const chooseFault = (): Fault | undefined => {
        count += 1;
        return count === at ? FAULTS[(at + round) % FAULTS.length] : undefined;
      };
      const told = await open(store, { clock: made.clock, seed: 5, chooseFault })
        .then((table) => table.cluster({ sortBy: ["id"] }))
        .then(({ state }) => state)
        .catch((error: { code?: string }) => error.code ?? "died");
      if (count < at) break;
      calls = at;
      ends.set(told, (ends.get(told) ?? 0) + 1);
      const after = await open(store, { clock: made.clock, seed: 6 });
      expect(await rowsOf(after), `call ${at}`).toEqual(before);
      if (told === "completed") expect(await groupsOf(after)).toEqual(["p"]);
      // Another process goes on once the dead one is known to be dead.
      made.clock.advance(EXPIRE_MS);
      await after.cluster({ only: "execute" });
      await after.cluster();
      expect(await groupsOf(after), `call ${at}`).toEqual(["p"]);
      expect(await rowsOf(after)).toEqual(before);
      await expectSound(after);
    }
    expect(calls).toBeGreaterThan(25);
    expect(calls).toBeLessThan(MOST_CALLS);
    expect(ends.get("completed")).toBeGreaterThan(0);
    expect(ends.get("died")).toBeGreaterThan(5);
  },
);

describe("what is refused", () => {
  test.each<[ClusterOptions, RegExp]>([
    [{ sortBy: ["none"] }, /there is no column none, expected id, part, value/],
    [{ sortBy: ["id", "id"] }, /column id is named twice/],
    [{ smallFileBytes: 0 }, /found smallFileBytes 0, expected/],
    [{ targetFileBytes: 1.5 }, /found targetFileBytes 1\.5/],
    [{ partitions: ["x"] }, /has none of that path/],
    [{ only: "all" as "execute" }, /expected schedule or execute/],
  ])("by name: %j (CL-1)", async (options, message) => {
    const { table } = await manyFiles();
    await expect(table.cluster(options)).rejects.toMatchObject({ code: "INVALID" });
    await expect(table.cluster(options)).rejects.toThrow(message);
  });

  test("a bucket index, whose keys have their places (CL-1)", async () => {
    const { table } = await createMemoryTable({
      fields: { id: "string" },
      recordKey: "id",
      index: { kind: "bucket", buckets: 2 },
    });
    await expect(table.cluster()).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  test("file groups with logs are left out (CL-1)", async () => {
    const made = await createMemoryTable({
      type: "merge-on-read",
      fields: { id: "string", value: "long" },
      recordKey: "id",
      orderingField: "value",
    } as never);
    const table = made.table as unknown as HudiTable<Record<string, unknown>>;
    for (const id of ["a", "b", "c"]) await table.bulkInsert([{ id, value: 1n }]);
    await table.upsert([{ id: "b", value: 2n }]);
    const done = await table.cluster({ sortBy: ["value"] });
    expect(done.groups).toMatchObject([{ fileIds: { length: 2 } }]);
    const rows = rowTexts((await table.read().toArray()) as AnyRow[]);
    expect(rows).toEqual(['id="a" value=1n', 'id="b" value=2n', 'id="c" value=1n']);
    expect((await table.verify()).findings).toEqual([]);
  });

  test("plans of other engines that ask for more than ours (CL-2)", async () => {
    const { table, store } = await manyFiles();
    const { instant } = await table.cluster({ only: "schedule" });
    const path = `.hoodie/${instant}.replacecommit.requested`;
    const plan = decodeClusteringPlan((await new MemoryStorage(store).read(path)).bytes, path);
    if (!plan) throw new Error("there is no plan");
    const [first] = plan.groups;
    for (const [change, message] of [
      [{ strategy: "org.other.Strategy" }, /its strategy is org\.other\.Strategy/],
      [{ parameters: new Map([["layout", "zorder"]]) }, /has the parameter layout/],
      [{ keepsMetaColumns: false }, /new meta columns/],
      [{ groups: [{ ...first, outputFileGroups: 2 }] }, /makes 2 file groups/],
    ] as const) {
      const content = await encodeClusteringPlan(
        { ...plan, ...change } as never,
        new Uint8Array(16),
      );
      store.put(path, content, undefined);
      const run = table.cluster({ only: "execute" });
      await expect(run).rejects.toThrow(message);
    }
  });
});

test("a plan by Hudi 0.15 is read, and written again byte by byte (CL-2, AP-4)", async () => {
  const folder = join(import.meta.dirname, "../../fixtures/timeline/v6");
  const theirs = readFileSync(join(folder, "20261120091541064.replacecommit.requested"));
  const plan = decodeClusteringPlan(theirs, "f");
  if (!plan) throw new Error("there is no plan");
  expect(plan.groups.map(({ slices }) => slices[0]?.partitionPath)).toEqual(["north", "ключ"]);
  expect(plan).toMatchObject({ parameters: new Map(), keepsMetaColumns: true });
  const sync = theirs.subarray(-16);
  const ours = await encodeClusteringPlan(plan, sync);
  const blockOf = (file: Uint8Array): string => {
    const start = Buffer.from(file).indexOf(sync) + 16;
    return Buffer.from(file.subarray(start)).toString("hex");
  };
  expect(blockOf(ours)).toBe(blockOf(theirs));
  expect(decodeAvroFile(ours, "f").records).toEqual(decodeAvroFile(theirs, "f").records);
  const overwrite = readFileSync(join(folder, "20261120091524619.replacecommit.requested"));
  expect(decodeClusteringPlan(overwrite, "f")).toBeUndefined();
  expect(decodeClusteringPlan(new Uint8Array(0), "f")).toBeUndefined();
});
