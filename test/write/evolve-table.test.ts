// Changing the columns of a table that has rows: what the commit is, what old files still say, what is
// refused, and what other writers notice.
import { describe, expect, test } from "vitest";
import { openBaseFile } from "../../src/file-group/base-file.ts";
import { encodeAvroFile } from "../../src/format/avro-file.ts";
import { type FileSlice, HudiTable, type SchemaChange } from "../../src/index.ts";
import type { StorageCall } from "../../src/storage/memory-faults.ts";
import type { MemoryStorage } from "../../src/storage/memory-storage.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import { baseSlices } from "../support/base-slices.ts";
import { createMemoryTable, type ProcessOptions, processOptions } from "../support/memory-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";
import { completedCommits, loadMetadata, timelineFiles } from "../support/store-checks.ts";

type Clock = ProcessOptions["clock"] & { advance(ms: number): void };
interface World {
  readonly table: HudiTable<AnyRow>;
  readonly store: MemoryStore;
  readonly clock: Clock;
  /** Another process on the same table. */
  readonly open: (seed: number) => Promise<HudiTable<AnyRow>>;
}

const FIELDS = {
  id: "string",
  city: "string",
  at: "long",
  seats: "int?",
  fare: "decimal(6,2)?",
  address: "struct<street:string?,zip:int?>?",
} as const;

async function createWorld(definition: object = {}, write: object = {}): Promise<World> {
  const { table, store, clock } = await createMemoryTable(
    { fields: FIELDS, recordKey: "id", partitionBy: "city", orderingField: "at", ...definition },
    { write },
  );
  const open = (seed: number): Promise<HudiTable<AnyRow>> =>
    HudiTable.open<AnyRow>("memory:", processOptions(store, { clock, seed, write }));
  return { table: table as unknown as HudiTable<AnyRow>, store, clock: clock as Clock, open };
}

const row = (id: string, seats: number | null, more: AnyRow = {}): AnyRow => ({
  id,
  city: "Oslo",
  at: 1n,
  seats,
  fare: "1.50",
  address: { street: "Main", zip: 7 },
  ...more,
});

async function filled(definition: object = {}, write: object = {}): Promise<World> {
  const world = await createWorld(definition, write);
  await world.table.upsert([
    row("a", 1),
    row("b", null, { address: null }),
    row("c", 3, { city: "Rome" }),
  ]);
  world.clock.advance(1000);
  return world;
}

const read = async (table: HudiTable<AnyRow>, options = {}): Promise<AnyRow[]> =>
  (await table.read(options).toArray()).sort((x, y) => (String(x.id) < String(y.id) ? -1 : 1));
const column = async (table: HudiTable<AnyRow>, name: string): Promise<unknown[]> =>
  (await read(table)).map((one) => one[name]);

/** The plan of a clustering over one file group. */
function encodeClusteringOf({ partitionPath, fileId }: FileSlice): Promise<Uint8Array> {
  const record = (name: string, field: string, type: object): object => ({
    ...{ type: "record", name },
    fields: [{ name: field, type }],
  });
  const texts = ["partitionPath", "fileId"].map((name) => ({ name, type: "string" }));
  const slice = { type: "record", name: "HoodieSliceInfo", fields: texts };
  const group = record("HoodieClusteringGroup", "slices", { type: "array", items: slice });
  const plan = record("HoodieClusteringPlan", "inputGroups", { type: "array", items: group });
  return encodeAvroFile(
    record("HoodieRequestedReplaceMetadata", "clusteringPlan", plan),
    { clusteringPlan: { inputGroups: [{ slices: [{ partitionPath, fileId }] }] } },
    new Uint8Array(16),
  );
}

describe("the commit of a change", () => {
  test("is an empty one that carries the schema, as Spark's ALTER TABLE makes it (EV-7)", async () => {
    const { table, store } = await filled();
    const files = [...store.paths()].filter((path) => path.endsWith(".parquet"));
    const commit = await table.evolve([{ add: "note", type: "string?" }]);
    expect(commit).toMatchObject({ action: "commit", inserted: 0, updated: 0, deleted: 0 });
    expect(completedCommits(store).at(-1)).toBe(commit.instant);
    const metadata = loadMetadata(store, commit.instant);
    expect(metadata.operationType).toBe("ALTER_SCHEMA");
    expect(metadata.partitionToWriteStats.size).toBe(0);
    const schema = JSON.parse(metadata.extraMetadata.get("schema") as string);
    expect(schema.fields.at(-1)).toEqual({
      name: "note",
      type: ["null", "string"],
      default: null,
      "field-id": 6,
    });
    expect([...store.paths()].filter((path) => path.endsWith(".parquet"))).toEqual(files);
  });

  test("keeps a checkpoint, and is undone by a rollback (EV-7)", async () => {
    const { table } = await filled();
    const before = await table.schema();
    const { instant } = await table.evolve([{ drop: "seats" }], { checkpoint: { offset: "7" } });
    expect(await table.checkpoint("offset")).toEqual({ instant, value: "7" });
    await table.rollback(instant);
    expect(await table.schema()).toEqual(before);
    expect(await column(table, "seats")).toEqual([1, null, 3]);
  });

  test("that rewrites writes every file group anew and no row (EV-7)", async () => {
    const { table, store } = await filled();
    const changes = [
      { rename: "seats", to: "places" },
      { move: "fare", first: true },
    ] as const;
    const { instant } = await table.evolve(changes, { rewrite: true });
    const stats = [...loadMetadata(store, instant).partitionToWriteStats.values()].flat();
    expect(stats.map((stat) => [stat.partitionPath, stat.numWrites]).sort()).toEqual([
      ["Oslo", 2],
      ["Rome", 1],
    ]);
    const inflight = String(Buffer.from(store.find(`.hoodie/${instant}.inflight`)?.bytes ?? []));
    for (const stat of stats) {
      expect(inflight).toContain(stat.fileId);
      expect(stat).toMatchObject({ numInserts: 0, numUpdateWrites: 0, numDeletes: 0 });
    }
    for (const { baseFile } of await baseSlices(table)) {
      expect(baseFile.instant).toBe(instant);
      const { storage } = processOptions(store, { clock: { now: () => 0 } as never });
      const reader = await openBaseFile(storage as MemoryStorage, baseFile);
      const names = reader.schema.fields.map(({ name }) => name);
      expect(names.slice(5)).toEqual(["fare", "id", "city", "at", "places", "address"]);
      expect(reader.keyValues.get("parquet.avro.schema")).toContain('"places"');
      expect(reader.keyValues.get("org.apache.hudi.bloomfilter")).toBeDefined();
    }
    expect(await column(table, "places")).toEqual([1, null, 3]);
    const meta = await table
      .read({ columns: ["_hoodie_file_name", "_hoodie_commit_time"] })
      .toArray();
    for (const one of meta) {
      expect(one._hoodie_file_name).toContain(instant);
      expect(one._hoodie_commit_time).not.toBe(instant);
    }
    expect(await table.incremental({ after: stats[0]?.prevCommit as string }).toArray()).toEqual(
      [],
    );
  });
});

describe("old files", () => {
  test("show null in new columns, wider values, and nothing of dropped ones (EV-4)", async () => {
    const { table } = await filled();
    await table.evolve(
      [
        { add: "note", type: "string?", first: true },
        { add: "address.country", type: "string?", first: true },
        { widen: "seats", to: "long" },
        { widen: "fare", to: "decimal(20,2)" },
        { widen: "address.zip", to: "long" },
        { move: "at", after: "fare" },
      ],
      { readers: [] },
    );
    const [a, b] = await read(table);
    expect(JSON.stringify(Object.keys(a as AnyRow))).toBe(
      '["note","id","city","seats","fare","at","address"]',
    );
    expect(a).toEqual({
      ...row("a", 1),
      note: null,
      seats: 1n,
      address: { country: null, street: "Main", zip: 7n },
    });
    expect(b?.address).toBeNull();
    await table.evolve([{ drop: "seats" }, { drop: "address.street" }]);
    const [dropped] = await read(table);
    expect(dropped?.address).toEqual({ country: null, zip: 7n });
    expect(Object.keys(dropped as AnyRow)).not.toContain("seats");
  });

  test("are filtered by values of the new type, with their bounds (EV-4, PR-6)", async () => {
    const { table, clock } = await filled({ partitionBy: undefined });
    await table.evolve(
      [
        { widen: "seats", to: "double" },
        { widen: "fare", to: "decimal(20,2)" },
        { add: "note", type: "string?" },
      ],
      { readers: [] },
    );
    clock.advance(1000);
    await table.bulkInsert([row("d", 2.5, { note: "x", fare: "123456789.25" })]);
    const ids = async (where: object): Promise<unknown[]> =>
      (await read(table, { where })).map(({ id }) => id);
    expect(await ids({ seats: 3 })).toEqual(["c"]);
    expect(await ids({ seats: { gt: 2 } })).toEqual(["c", "d"]);
    expect(await ids({ seats: { lt: 2.75 } })).toEqual(["a", "d"]);
    expect(await ids({ seats: null })).toEqual(["b"]);
    expect(await ids({ fare: "1.50" })).toEqual(["a", "b", "c"]);
    expect(await ids({ fare: { gt: "2.00" } })).toEqual(["d"]);
    expect(await ids({ note: null })).toEqual(["a", "b", "c"]);
    expect(await ids({ note: "x" })).toEqual(["d"]);
  });

  test("are merged with rows of the new columns, and only those that are touched (EV-6)", async () => {
    const { table, clock } = await filled();
    await table.evolve([
      { widen: "seats", to: "long" },
      { add: "note", type: "string?", after: "id" },
      { add: "address.country", type: "string?" },
      { drop: "fare" },
    ]);
    clock.advance(1000);
    const next = {
      ...{ id: "a", note: "new", city: "Oslo", at: 2n, seats: 1n << 40n },
      address: { street: null, zip: 8, country: "NO" },
    };
    const old = { ...next, at: 0n, city: "Rome", id: "c" };
    const { instant } = await table.upsert([next, old]);
    expect(
      (await baseSlices(table)).map(({ baseFile }) => baseFile.instant === instant).sort(),
    ).toEqual([false, true]);
    expect(await column(table, "note")).toEqual(["new", null, null]);
    expect(await column(table, "seats")).toEqual([1n << 40n, null, 3n]);
    expect(await column(table, "address")).toEqual([
      { street: null, zip: 8, country: "NO" },
      null,
      { street: "Main", zip: 7, country: null },
    ]);
  });

  test("are found by a key whose column has become wider (EV-4, IX-1)", async () => {
    for (const kind of ["bloom", "simple", "global-bloom", "global-simple"] as const) {
      const fields = { id: "int", at: "int", v: "string?" };
      const { table, clock } = await createWorld({
        fields,
        partitionBy: undefined,
        index: { kind },
      });
      await table.upsert([
        { id: 1, at: 5, v: "one" },
        { id: 2, at: 5, v: "two" },
      ]);
      clock.advance(1000);
      await table.evolve([
        { widen: "id", to: "long" },
        { widen: "at", to: "long" },
      ]);
      clock.advance(1000);
      const commit = await table.upsert([
        { id: 1n, at: 6n, v: "newer" },
        { id: 2n, at: 4n, v: "older" },
        { id: 1n << 40n, at: 1n, v: "far" },
      ]);
      expect(commit).toMatchObject({ inserted: 1, updated: 1 });
      expect(await column(table, "v")).toEqual(["newer", "far", "two"]);
    }
  });

  test("are read as of an instant with the columns of that instant (EV-5)", async () => {
    const { table, clock } = await filled();
    const first = (await table.timeline()).at(-1)?.time as string;
    const { instant } = await table.evolve([{ drop: "fare" }, { widen: "seats", to: "long" }]);
    clock.advance(1000);
    await table.evolve([{ rename: "seats", to: "places" }], { rewrite: true });
    expect((await read(table, { asOf: first }))[0]).toEqual(row("a", 1));
    expect((await read(table, { asOf: instant }))[0]?.seats).toBe(1n);
    expect(await column(table, "places")).toEqual([1n, null, 3n]);
    const upTo = await table.incremental({ after: "0", upTo: instant }).toArray();
    expect(Object.keys(upTo[0] as AnyRow)).toContain("seats");
    const whole = await table.incremental({ after: "0" }).toArray();
    expect(Object.keys(whole[0] as AnyRow)).toContain("places");
  });
});

describe("what would lose or invent values", () => {
  const refused = async (
    world: World,
    changes: readonly SchemaChange[],
    options = {},
  ): Promise<string> => {
    const files = timelineFiles(world.store).length;
    const schema = await world.table.schema();
    const error = await world.table.evolve(changes, options).then(
      () => ({ code: "DONE", message: "" }),
      (failure: { code: string; message: string }) => failure,
    );
    expect(timelineFiles(world.store).length).toBe(files);
    expect(await world.table.schema()).toEqual(schema);
    return `${error.code} ${error.message}`;
  };

  test("is refused: a rename without a rewrite shows null for old rows (EV-8)", async () => {
    const world = await filled();
    expect(await refused(world, [{ rename: "seats", to: "places" }], { readers: [] })).toMatch(
      /^UNSUPPORTED cannot rename column "seats": .*by name.*rewrite: true/,
    );
    expect(await refused(world, [{ rename: "address.zip", to: "code" }])).toMatch(/"address.zip"/);
  });

  test("is refused: what an engine would read wrongly beside old files (EV-8)", async () => {
    const world = await filled();
    const wide: SchemaChange[] = [{ widen: "fare", to: "decimal(20,2)" }];
    const inside: SchemaChange[] = [{ widen: "address.zip", to: "long" }];
    expect(await refused(world, wide)).toMatch(
      /^UNSUPPORTED cannot widen column "fare": Presto fails on decimals .*rewrite: true, or leave that engine out/,
    );
    expect(await refused(world, inside, { readers: ["spark", "presto"] })).toMatch(
      /^UNSUPPORTED cannot widen column "address.zip": Spark fails on old files/,
    );
    expect(await refused(world, inside, { readers: ["hive"] })).toMatch(
      /^INVALID .*"hive".*spark, hudi-rs/,
    );
    const { table } = world;
    await table.evolve(wide, { readers: ["spark", "hudi-rs"] });
    await table.evolve(inside, { rewrite: true });
    const empty = await createWorld();
    await empty.table.evolve([...wide, ...inside]);
    const evolve = { fare: "decimal(30,2)?" };
    await world.table.upsert([row("x", 1)], { evolve });
    const row2 = row("y", 1);
    const real = { seats: "decimal(12,0)?" };
    await expect(table.upsert([row2], { evolve: real })).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
    await table.upsert([{ ...row2, seats: "12345678901" }], { evolve: real, readers: ["hudi-rs"] });
    expect(await column(table, "seats")).toEqual(["1", null, "3", "1", "12345678901"]);
  });

  test("is refused: a dropped name that comes back with old values (EV-3)", async () => {
    const world = await filled();
    const { table, clock } = world;
    await table.evolve([{ drop: "seats" }, { drop: "address.zip" }]);
    clock.advance(1000);
    for (const add of ["seats", "SEATS", "address.zip"]) {
      expect(await refused(world, [{ add, type: "long?" }])).toMatch(
        new RegExp(
          `^INVALID cannot add column "${add}": .*parquet holds values of a dropped column`,
        ),
      );
    }
    const evolve = { seats: "int?" };
    await expect(table.upsert([row("z", 1)], { evolve })).rejects.toMatchObject({
      code: "INVALID",
    });
    await table.evolve(
      [
        { add: "seats", type: "long?" },
        { add: "address.zip", type: "string?" },
      ],
      { rewrite: true },
    );
    expect(await column(table, "seats")).toEqual([null, null, null]);
    expect((await column(table, "address"))[0]).toEqual({ street: "Main", zip: null });
  });

  test("is refused: a column that needs a value on a table with rows (EV-3)", async () => {
    const world = await filled();
    for (const rewrite of [true, false]) {
      expect(await refused(world, [{ add: "must", type: "int" }], { rewrite })).toMatch(
        /^INVALID cannot add column "must": rows of the table have no value/,
      );
      expect(await refused(world, [{ add: "address.must", type: "int" }], { rewrite })).toMatch(
        /address.must/,
      );
    }
    const { table } = await createWorld();
    await table.evolve([
      { add: "must", type: "int" },
      { rename: "seats", to: "places" },
    ]);
    await expect(table.upsert([{ ...row("a", 1), must: null }])).rejects.toThrow();
  });

  test("is refused: a rewrite of file groups that a clustering is to replace (EV-7)", async () => {
    const world = await filled();
    const { store, table } = world;
    const [slice] = (await table.files()) as [FileSlice];
    const path = ".hoodie/20260115130000000.replacecommit.requested";
    store.put(path, await encodeClusteringOf(slice), undefined);
    const change: SchemaChange[] = [{ add: "note", type: "string?" }];
    expect(await refused(world, change, { rewrite: true })).toMatch(
      /^CONFLICT cannot rewrite .*replacecommit 20260115130000000 is to write some of them/,
    );
    await table.evolve(change);
  });
});

describe("beside other writers", () => {
  test("a write with the old columns is told, and nothing of it is left (EV-10, CF-7)", async () => {
    const { table, open, store, clock } = await filled();
    const other = await open(9);
    async function* rows(): AsyncGenerator<AnyRow> {
      yield row("a", 9, { at: 9n });
      await other.evolve([{ add: "note", type: "string?" }]);
      clock.advance(1000);
    }
    await expect(table.upsert(rows())).rejects.toMatchObject({ code: "CONFLICT" });
    expect(timelineFiles(store).length % 3).toBe(0);
    await table.upsert([{ ...row("a", 9, { at: 9n }), note: "kept" }]);
    expect(await column(table, "note")).toEqual(["kept", null, null]);
  });

  test("a change waits for nobody and loses nothing that others write meanwhile (EV-10)", async () => {
    for (const rewrite of [false, true]) {
      const { table, open, clock } = await filled();
      const other = await open(11);
      const [done] = await Promise.all([
        table.evolve([{ add: "note", type: "string?" }], { rewrite }),
        other.bulkInsert([row("d", 4), row("e", 5)]).catch((error) => error),
      ]);
      clock.advance(1000);
      expect(done.action).toBe("commit");
      const ids = await column(table, "id");
      expect(ids.slice(0, 3)).toEqual(["a", "b", "c"]);
      expect((await table.schema()).fields.at(-1)?.name).toBe("note");
      expect(await column(table, "note")).toEqual(ids.map(() => null));
    }
  });

  /** A process that lets another one go first when it has begun its own write. */
  const openSlow = (
    { store, clock }: World,
    go: () => Promise<unknown>,
  ): Promise<HudiTable<AnyRow>> => {
    let hasGone = false;
    const beforeCall = async ({ method, path }: StorageCall): Promise<void> => {
      if (hasGone || method !== "createIfAbsent" || !path.endsWith(".inflight")) return;
      hasGone = true;
      clock.advance(5);
      await go();
      clock.advance(5);
    };
    return HudiTable.open<AnyRow>(
      "memory:",
      processOptions(store, { clock, seed: 21, beforeCall }),
    );
  };

  test("a rewrite takes new file groups of others along, by another try (EV-10)", async () => {
    for (const op of ["bulkInsert", "upsert"] as const) {
      const world = await filled();
      const other = await world.open(22);
      const rows = [row("d", 4), row("a", 9, { at: 9n })].slice(0, op === "upsert" ? 2 : 1);
      const table = await openSlow(world, () => other[op](rows));
      const { instant } = await table.evolve([{ rename: "seats", to: "places" }], {
        rewrite: true,
      });
      const files = await baseSlices(table);
      expect(new Set(files.map(({ baseFile }) => baseFile.instant))).toEqual(new Set([instant]));
      const places = await column(table, "places");
      expect(places).toEqual(op === "upsert" ? [9, null, 3, 4] : [1, null, 3, 4]);
    }
  });

  test("a rewrite takes file groups along that a lower instant wrote meanwhile (EV-10)", async () => {
    const world = await filled();
    let open = (): void => {};
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let begun = (): void => {};
    const hasBegun = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const early = await openSlow(world, () => {
      begun();
      return gate;
    });
    const insert = early.bulkInsert([row("d", 4)]);
    await hasBegun;
    const table = await openSlow(world, () => {
      open();
      return insert;
    });
    const { instant } = await table.evolve([{ rename: "seats", to: "places" }], { rewrite: true });
    expect((await insert).instant < instant).toBe(true);
    const files = await baseSlices(table);
    expect(files.every(({ baseFile }) => baseFile.instant === instant)).toBe(true);
    expect(await column(table, "places")).toEqual([1, null, 3, 4]);
  });

  test("a change is the newest instant, or its columns would be hidden (CF-10, EV-10)", async () => {
    const world = await filled();
    const other = await world.open(22);
    const table = await openSlow(world, () => other.upsert([row("a", 9, { at: 9n }), row("d", 4)]));
    const before = completedCommits(world.store).length;
    const { instant } = await table.evolve([{ drop: "fare" }]);
    expect(completedCommits(world.store).length).toBe(before + 2);
    expect(completedCommits(world.store).at(-1)).toBe(instant);
    expect((await table.schema()).fields.map(({ name }) => name)).not.toContain("fare");
    expect(await column(table, "seats")).toEqual([9, null, 3, 4]);
  });

  test("a row that brings a column conflicts with a change of another process (EV-10)", async () => {
    const world = await filled();
    const other = await world.open(23);
    const rows = [{ ...row("a", 2, { at: 2n }), note: "n" }];
    const table = await openSlow(world, () => other.evolve([{ drop: "fare" }]));
    const error = await table.upsert(rows, { evolve: { note: "string?" } }).catch((e) => e);
    expect(error).toMatchObject({ code: "CONFLICT" });
    expect((await table.schema()).fields.map(({ name }) => name)).not.toContain("note");
    const calm = await openSlow(world, () =>
      other.bulkInsert([{ id: "e", city: "Oslo", at: 1n, seats: 5, address: null }]),
    );
    const next = rows.map(({ fare: _, ...rest }: AnyRow) => rest);
    await calm.upsert(next, { evolve: { note: "string?" } });
    expect(await column(calm, "note")).toEqual(["n", null, null, null]);
  });

  test("a column that came and went meanwhile is seen in the files (EV-3, EV-10)", async () => {
    const world = await filled();
    const other = await world.open(24);
    const comeAndGo = async (): Promise<void> => {
      await other.upsert([{ ...row("q", 1), note: "old" }], { evolve: { note: "string?" } });
      world.clock.advance(1000);
      await other.evolve([{ drop: "note" }]);
    };
    const table = await openSlow(world, comeAndGo);
    const rows = [row("a", 2, { at: 2n, note: "n" })];
    const error = await table.upsert(rows, { evolve: { note: "string?" } }).catch((e) => e);
    expect(error).toMatchObject({ code: "INVALID", message: expect.stringContaining("come back") });
  });

  test("of two changes at once one starts over from the other (EV-10)", async () => {
    const { table, open } = await filled();
    const other = await open(12);
    await Promise.all([
      table.evolve([{ add: "first", type: "string?" }]),
      other.evolve([{ add: "second", type: "int?" }, { drop: "fare" }]),
    ]);
    const names = (await table.schema()).fields.map(({ name }) => name).sort();
    expect(names).toEqual(["address", "at", "city", "first", "id", "seats", "second"]);
    const same = [table, other].map((one) => one.evolve([{ add: "third", type: "int?" }]));
    const ends = await Promise.allSettled(same);
    expect(ends.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });
});

describe("rows that bring columns", () => {
  test("evolve the table in their own commit (EV-9)", async () => {
    const { table, store, clock } = await filled();
    const evolve = {
      id: "string",
      note: "string",
      seats: "long",
      address: "struct<street:string?,zip:int?,code:string?>?",
    };
    const commits = completedCommits(store).length;
    const rows = [
      {
        ...row("a", 2, { at: 2n }),
        seats: 1n << 40n,
        note: "n",
        address: { street: "S", zip: 1, code: "c" },
      },
    ];
    const { instant } = await table.upsert(rows, { evolve });
    expect(completedCommits(store).length).toBe(commits + 1);
    expect(loadMetadata(store, instant).operationType).toBe("UPSERT");
    clock.advance(1000);
    expect(rowTexts((await read(table)).slice(0, 1))).toEqual(rowTexts(rows));
    expect(await column(table, "seats")).toEqual([1n << 40n, null, 3n]);
    const change = {
      op: "update",
      key: { id: "a", city: "Oslo" },
      after: { ...rows[0], at: 3n, more: 1 },
    } as never;
    await table.apply([change], { evolve: { more: "int?" } });
    clock.advance(1000);
    await table.upsert([{ id: "b", city: "Oslo", extra: true }], {
      partial: true,
      evolve: { extra: "boolean?" },
    });
    expect(await column(table, "more")).toEqual([1, null, null]);
    expect(await column(table, "extra")).toEqual([null, true, null]);
    await table.upsert(await read(table), { evolve: { extra: "boolean?" } });
  });

  test("are refused with what evolve refuses, and without their types (EV-9)", async () => {
    const { table, store } = await filled();
    const files = timelineFiles(store).length;
    const rows = [{ ...row("a", 2), note: "n" }];
    await expect(table.upsert(rows)).rejects.toMatchObject({ code: "INVALID" });
    const narrow = { note: "string?", seats: "boolean" };
    await expect(table.upsert(rows, { evolve: narrow })).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringContaining('"seats": int to boolean would lose'),
    });
    expect(timelineFiles(store).length).toBe(files);
  });
});
