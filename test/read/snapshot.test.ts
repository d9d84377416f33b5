// Snapshot reads: what they return, and what they fetch for it.
import { describe, expect, test } from "vitest";
import { HudiTable, MemoryStorage, type Predicate, type Scan } from "../../src/index.ts";
import { baseSlices } from "../support/base-slices.ts";
import { createMemoryTable, processOptions, SMALL_WRITES } from "../support/memory-table.ts";
import { rowTexts } from "../support/row-text.ts";
import {
  chunksOf,
  countTouches,
  createCountedTable,
  dataFilesOf,
  regroup,
} from "./counted-table.ts";

const FIELDS = {
  id: "string",
  city: "string?",
  n: "int",
  note: "string?",
} as const;

type Row = {
  id: string;
  city: string | null;
  n: number;
  note: string | null;
};

const row = (id: string, city: string | null, n: number, note: string | null = null): Row => ({
  id,
  city,
  n,
  note,
});

/** A text that no codec makes small. */
function noise(seed: number, length: number): string {
  let state = seed + 1;
  let text = "";
  while (text.length < length) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    text += state.toString(36);
  }
  return text.slice(0, length);
}

describe("what is there", () => {
  test("a table without commits has no rows and no instant", async () => {
    const { table } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
    const scan = table.read();
    expect(await scan.toArray()).toEqual([]);
    expect(await scan.upTo).toBe("");
    for await (const _ of table.read().batches()) expect.fail("there is a batch");
    expect(await table.files()).toEqual([]);
  });

  test("a commit of nothing has no rows and an instant", async () => {
    const { table } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
    const commit = await table.upsert([]);
    expect(commit).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
    const scan = table.read();
    expect(await scan.toArray()).toEqual([]);
    expect(await scan.upTo).toBe(commit.instant);
  });

  test("one row", async () => {
    const { table } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
    await table.upsert([row("a", null, 1)]);
    expect(await table.read().toArray()).toEqual([row("a", null, 1)]);
    expect(await table.read({ columns: ["n"] }).toArray()).toEqual([{ n: 1 }]);
  });

  test("a file of which every row was deleted, and the rows that come after (MR-10, MR-5)", async () => {
    const { table } = await createMemoryTable({
      fields: FIELDS,
      recordKey: "id",
      orderingField: "n",
    });
    await table.upsert([row("a", null, 5), row("b", null, 5)]);
    await table.delete([{ id: "a" }, { id: "b" }]);
    expect(await table.read().toArray()).toEqual([]);
    const [slice] = await baseSlices(table);
    expect(slice?.baseFile.sizeBytes).toBeGreaterThan(0);
    // The ordering value went with the row.
    await table.upsert([row("a", null, 1)]);
    expect(await table.read().toArray()).toEqual([row("a", null, 1)]);
    expect(await table.files()).toHaveLength(1);
  });

  test("rows of several partitions, in each style of path (RK-3, RK-4)", async () => {
    for (const style of [
      {},
      { hiveStyle: true },
      { urlEncode: true },
      { hiveStyle: true, urlEncode: true },
    ]) {
      const { table } = await createMemoryTable({
        fields: FIELDS,
        recordKey: "id",
        partitionBy: "city",
        ...style,
      });
      const rows = [row("a", "x", 1), row("a", "y z", 2), row("b", null, 3), row("c", "", 4)];
      await table.upsert(rows);
      expect(rowTexts(await table.read().toArray())).toEqual(rowTexts(rows));
    }
  });

  test("partition values with every encoded character are read as they were written (RK-5)", async () => {
    const { table, store } = await createMemoryTable({
      fields: FIELDS,
      recordKey: "id",
      partitionBy: "city",
      urlEncode: true,
      hiveStyle: true,
    });
    const values = [
      "a/b",
      "2024-01-01 10:30",
      "100%",
      "a=b&c",
      "ключ",
      "\u0001\t",
      "*?[]{}^\"'#\\",
    ];
    const rows = values.map((value, n) => row(`k${n}`, value, n));
    await table.upsert(rows);
    expect([...store.paths()].some((path) => path.startsWith("city=a%2Fb/"))).toBe(true);
    expect(rowTexts(await table.read().toArray())).toEqual(rowTexts(rows));
    for (const [n, value] of values.entries()) {
      expect(await table.read({ where: { city: value } }).toArray()).toEqual([rows[n]]);
    }
  });

  test("meta columns, where they are asked for (RK-7)", async () => {
    const { table } = await createMemoryTable({
      fields: FIELDS,
      recordKey: "id",
      partitionBy: "city",
    });
    const { instant } = await table.upsert([row("a", "x", 1)]);
    const columns = ["_hoodie_commit_time", "_hoodie_record_key", "_hoodie_partition_path", "n"];
    const untyped = table as unknown as HudiTable;
    expect(await untyped.read({ columns }).toArray()).toEqual([
      { _hoodie_commit_time: instant, _hoodie_record_key: "a", _hoodie_partition_path: "x", n: 1 },
    ]);
    const where = { _hoodie_commit_time: instant };
    expect(await untyped.read({ where, columns: ["id"] }).toArray()).toEqual([{ id: "a" }]);
    expect(await untyped.read({ where: { _hoodie_commit_time: "1" } }).toArray()).toEqual([]);
  });

  test.each<[string, object, RegExp]>([
    ["an unknown column", { columns: ["id", "fare"] }, /fare.*id, city, n, note/],
    ["an unknown meta column", { columns: ["_hoodie_none"] }, /_hoodie_none/],
    ["no columns", { columns: [] }, /name at least one/],
    ["a filter on an unknown column", { where: { fare: 1 } }, /fare/],
    ["a filter of another type", { where: { n: "1" } }, /column n \(int\)/],
  ])("%s is refused, when the read begins", async (_, options, message) => {
    const { table } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
    await table.upsert([row("a", null, 1)]);
    const scan = (table as unknown as HudiTable).read(options);
    await expect(scan.toArray()).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(message),
    });
  });

  test("a column named as the kinds of predicates are is a column", async () => {
    const { table } = await createMemoryTable({
      fields: { id: "string", kind: "string" },
      recordKey: "id",
    });
    const rows = ["and", "in", "is-null", "x"].map((kind, n) => ({ id: `k${n}`, kind }));
    await table.upsert(rows);
    for (const [n, { kind }] of rows.entries()) {
      expect(await table.read({ where: { kind } }).toArray()).toEqual([rows[n]]);
    }
    const predicate: Predicate = { kind: "in", column: "kind", values: ["in", "x"] };
    expect(await table.read({ where: predicate, columns: ["id"] }).toArray()).toEqual([
      { id: "k1" },
      { id: "k3" },
    ]);
  });
});

describe("tables that are not read", () => {
  test.each([
    ["base.file.format=PARQUET", "base.file.format=ORC", /ORC base files/],
    ["drop.partition.columns=false", "drop.partition.columns=true", /drop.partition.columns=true/],
    [
      "hoodie.table.version",
      "hoodie.table.multiple.base.file.formats.enable=true\nhoodie.table.version",
      /multiple.base.file.formats/,
    ],
    [
      "hoodie.table.version",
      "hoodie.bootstrap.base.path=/old\nhoodie.table.version",
      /hoodie.bootstrap.base.path=\/old/,
    ],
  ])(
    "with %s made %j are refused by name, and nothing is left out in silence",
    async (from, to, message) => {
      const { table, store, clock } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
      await table.upsert([row("a", null, 1)]);
      const path = ".hoodie/hoodie.properties";
      const text = Buffer.from(store.find(path)?.bytes ?? []).toString("latin1");
      store.put(path, Buffer.from(text.replace(from, to)), undefined);
      const again = await HudiTable.open("memory:", processOptions(store, { clock }));
      for (const scan of [again.read(), again.incremental({ after: "0" })]) {
        await expect(scan.toArray()).rejects.toMatchObject({
          code: "UNSUPPORTED",
          message: expect.stringMatching(message),
        });
      }
    },
  );

  test("without commit times in their rows have snapshots, and no changes", async () => {
    const { table, store, clock } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
    await table.upsert([row("a", null, 1)]);
    const path = ".hoodie/hoodie.properties";
    const text = Buffer.from(store.find(path)?.bytes ?? []).toString("latin1");
    store.put(path, Buffer.from(`hoodie.populate.meta.fields=false\n${text}`), undefined);
    const again = await HudiTable.open("memory:", processOptions(store, { clock }));
    expect(await again.read().toArray()).toHaveLength(1);
    expect(await again.incremental({}).toArray()).toHaveLength(1);
    await expect(again.incremental({ after: "0" }).toArray()).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(/populate.meta.fields=false.*read a snapshot instead/),
    });
  });
});

describe("lazily", () => {
  test("nothing is read before a scan is iterated", async () => {
    const { table, counted } = await createCountedTable({ fields: FIELDS, recordKey: "id" });
    await table.upsert([row("a", null, 1)]);
    counted.ranges.length = 0;
    counted.listed.length = 0;
    counted.read.length = 0;
    const scan = table.read({ columns: ["id"] });
    await new Promise((resolve) => setImmediate(resolve));
    expect([counted.ranges, counted.listed, counted.read]).toEqual([[], [], []]);
    await scan.toArray();
    expect(counted.ranges.length).toBeGreaterThan(0);
  });

  test("a scan that is iterated again reads the same instant", async () => {
    const { table } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
    await table.upsert([row("a", null, 1)]);
    const scan = table.read();
    expect(await scan.toArray()).toEqual([row("a", null, 1)]);
    await table.upsert([row("a", null, 2), row("b", null, 2)]);
    expect(await scan.toArray()).toEqual([row("a", null, 1)]);
    expect(await table.read().toArray()).toHaveLength(2);
  });

  test("rows, arrays and batches are the same", async () => {
    const { table } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
    await table.upsert(Array.from({ length: 20 }, (_, n) => row(`k${n}`, n % 3 ? "x" : null, n)));
    const rows: Row[] = [];
    for await (const one of table.read()) rows.push(one);
    expect(rows).toEqual(await table.read().toArray());
    let count = 0;
    for await (const batch of table.read().batches()) {
      expect(batch.schema.fields.map(({ name }) => name)).toEqual(Object.keys(FIELDS));
      for (const [n, value] of [...(batch.getChild("n") ?? [])].entries()) {
        expect(value).toBe(rows[count + n]?.n);
      }
      count += batch.numRows;
    }
    expect(count).toBe(20);
  });
});

/** A table of one base file with several row groups, of wide rows; chunks lie apart from the footer. */
async function createWideTable() {
  const made = await createCountedTable({
    fields: { id: "string", blob: "string", n: "int", pad: "string" },
    recordKey: "id",
  });
  const rows = Array.from({ length: 40 }, (_, n) => ({
    id: `k${String(n).padStart(2, "0")}`,
    blob: noise(n, 2000),
    n,
    pad: noise(n + 1000, 60_000),
  }));
  await made.table.bulkInsert(rows);
  const [path = ""] = dataFilesOf(made.store);
  await regroup(made.store, path, 10);
  const chunks = async (column: string) => chunksOf(made.store, path, column);
  made.counted.ranges.length = 0;
  return { ...made, rows, path, chunks };
}

describe("what is fetched", () => {
  test("a column that is not asked for is not fetched (PR-6, BASE-5)", async () => {
    const { table, counted, chunks, rows } = await createWideTable();
    const read = await table.read({ columns: ["n"] }).toArray();
    expect(read).toEqual(rows.map(({ n }) => ({ n })));
    expect(countTouches(counted.ranges, await chunks("blob"))).toBe(0);
    expect(countTouches(counted.ranges, await chunks("id"))).toBe(0);
    expect(countTouches(counted.ranges, (await chunks("n")).slice(0, 3))).toBe(3);
    // The end of the file is read once for its footer, and holds a part of the last column.
    const [tail, ...others] = counted.ranges;
    expect(countTouches(others, await chunks("pad"))).toBe(0);
    expect(tail?.end).toBe(counted.ranges.reduce((most, { end }) => Math.max(most, end), 0));
    counted.ranges.length = 0;
    await table.read({ columns: ["blob"] }).toArray();
    expect(countTouches(counted.ranges, await chunks("blob"))).toBe(4);
  });

  test("other columns than the filter's are fetched only where a row is left (PR-6)", async () => {
    const { table, counted, chunks } = await createWideTable();
    const where: Predicate = { kind: "like", column: "id", pattern: "%15" };
    const read = await table.read({ columns: ["id", "blob"], where }).toArray();
    expect(read.map(({ id }) => id)).toEqual(["k15"]);
    const blobs = await chunks("blob");
    expect(blobs.map((chunk) => countTouches(counted.ranges, [chunk]))).toEqual([0, 1, 0, 0]);
    expect(countTouches(counted.ranges, await chunks("id"))).toBe(4);
    expect(countTouches(counted.ranges, await chunks("n"))).toBe(0);
  });

  test("row groups that cannot hold a row are skipped (PR-3)", async () => {
    const { table, counted, chunks, rows } = await createWideTable();
    const read = await table.read({ columns: ["id"], where: { n: { gte: 12, lt: 19 } } }).toArray();
    expect(read).toEqual(rows.slice(12, 19).map(({ id }) => ({ id })));
    const ids = await chunks("id");
    const ns = await chunks("n");
    const touches = ns.slice(0, 3).map((chunk) => countTouches(counted.ranges, [chunk]));
    expect(touches).toEqual([0, 1, 0]);
    expect(ids.map((chunk) => countTouches(counted.ranges, [chunk]))).toEqual([0, 1, 0, 0]);
  });

  test("no more than the row group at hand is read ahead", async () => {
    const { table, counted, chunks } = await createWideTable();
    const rows = table.read({ columns: ["id", "blob"] })[Symbol.asyncIterator]();
    await rows.next();
    const blobs = await chunks("blob");
    expect(blobs.map((chunk) => countTouches(counted.ranges, [chunk]))).toEqual([1, 0, 0, 0]);
    for (let n = 1; n < 10; n += 1) await rows.next();
    expect(blobs.map((chunk) => countTouches(counted.ranges, [chunk]))).toEqual([1, 0, 0, 0]);
    await rows.next();
    expect(blobs.map((chunk) => countTouches(counted.ranges, [chunk]))).toEqual([1, 1, 0, 0]);
    await rows.return?.();
    expect(blobs.map((chunk) => countTouches(counted.ranges, [chunk]))).toEqual([1, 1, 0, 0]);
  });

  test("files are opened one after the other", async () => {
    const { table, counted } = await createCountedTable({ fields: FIELDS, recordKey: "id" });
    for (let n = 0; n < 4; n += 1) await table.bulkInsert([row(`k${n}`, null, n)]);
    counted.ranges.length = 0;
    const rows = table.read()[Symbol.asyncIterator]();
    await rows.next();
    expect(new Set(counted.ranges.map(({ path }) => path)).size).toBe(1);
    await rows.next();
    expect(new Set(counted.ranges.map(({ path }) => path)).size).toBe(2);
    await rows.return?.();
  });

  test("an Arrow batch holds the rows of one row group", async () => {
    const { table, rows } = await createWideTable();
    const sizes: number[] = [];
    for await (const batch of table.read({ columns: ["id"] }).batches()) sizes.push(batch.numRows);
    expect(sizes).toEqual([10, 10, 10, 10]);
    const where = { n: { in: [1, 2, 35] } };
    const left: number[] = [];
    for await (const batch of table.read({ where }).batches()) left.push(batch.numRows);
    expect(left).toEqual([2, 1]);
    expect(rows).toHaveLength(40);
  });
});

describe("partitions", () => {
  const cities = ["lisbon", "oslo", "porto", "rome"];

  test.each([{}, { hiveStyle: true }, { urlEncode: true, hiveStyle: true }])(
    "that a filter rules out are not listed, in style %j (PR-4)",
    async (style) => {
      const { table, counted } = await createCountedTable({
        fields: FIELDS,
        recordKey: "id",
        partitionBy: "city",
        ...style,
      });
      await table.upsert(cities.map((city, n) => row(`k${n}`, city, n)));
      const listed = async (scan: Scan<object>): Promise<[string[], number]> => {
        counted.listed.length = 0;
        const rows = await scan.toArray();
        const folders = counted.listed.filter((folder) => folder !== "" && !folder.startsWith("."));
        return [folders.map((folder) => folder.replace("city=", "")).sort(), rows.length];
      };
      expect(await listed(table.read())).toEqual([cities, 4]);
      expect(await listed(table.read({ where: { city: "oslo" } }))).toEqual([["oslo"], 1]);
      expect(await listed(table.read({ where: { city: { gte: "p" } } }))).toEqual([
        ["porto", "rome"],
        2,
      ]);
      expect(await listed(table.read({ where: { city: { in: ["rome", "x"] } } }))).toEqual([
        ["rome"],
        1,
      ]);
      expect(await listed(table.read({ where: { city: "oslo", n: 2 } }))).toEqual([["oslo"], 0]);
      expect(await listed(table.read({ where: { city: null } }))).toEqual([[], 0]);
      expect(await listed(table.read({ where: { n: 2 } }))).toEqual([cities, 1]);
    },
  );

  test.each([{ hiveStyle: true }, { hiveStyle: true, urlEncode: true }, {}])(
    "of several columns are ruled out by each of them, in style %j (PR-4, RK-11)",
    async (style) => {
      const { table, counted } = await createCountedTable({
        fields: { id: "string", n: "int?", city: "string?", at: "long?" },
        recordKey: "id",
        partitionBy: [
          "n",
          "city",
          { field: "at", type: "UNIX_TIMESTAMP", outputFormat: "yyyy/MM/dd" },
        ],
        ...style,
      });
      const rows = [1, 2].flatMap((n) =>
        ["oslo", "rome"].map((city) => ({ id: `${n}${city}`, n, city, at: BigInt(n) * 86_400n })),
      );
      await table.upsert(rows);
      const read = async (where: object): Promise<[string[], string[]]> => {
        counted.ranges.length = 0;
        const found = await table.read({ where }).toArray();
        const files = new Set(counted.ranges.map(({ path }) => path));
        const opened = rows.filter(({ n, city }) =>
          [...files].some((path) => new RegExp(`^(n=)?${n}/(city=)?${city}/`).test(path)),
        );
        return [found.map(({ id }) => id).sort(), opened.map(({ id }) => id).sort()];
      };
      const all = rows.map(({ id }) => id).sort();
      expect(await read({ n: 1 })).toEqual([
        ["1oslo", "1rome"],
        ["1oslo", "1rome"],
      ]);
      expect(await read({ city: "rome" })).toEqual([
        ["1rome", "2rome"],
        ["1rome", "2rome"],
      ]);
      expect(await read({ n: { gt: 1 }, city: { lt: "p" } })).toEqual([["2oslo"], ["2oslo"]]);
      expect(await read({ n: null })).toEqual([[], []]);
      // The folder of a point in time tells nothing, the statistics of the file do.
      expect(await read({ at: 86_400n })).toEqual([["1oslo", "1rome"], all]);
    },
  );

  test("of several columns with slashes, as other engines leave them, lose no row (PR-4)", async () => {
    const fields = { id: "string", a: "string?", b: "string?" } as const;
    const values = ["x", "x/y", "x/b=1", "1", "x/y/z", null];
    const rows = values.flatMap((a) => values.map((b) => ({ id: `${a} ${b}`, a, b })));
    for (const hiveStyle of [true, false]) {
      const keys = { recordKey: "id", partitionBy: ["a", "b"], hiveStyle } as const;
      const { table, store } = await createMemoryTable({ fields, ...keys, urlEncode: true });
      await table.upsert(rows);
      // What is encoded lies where Hudi puts it without encoding.
      for (const path of [...store.paths()]) {
        const plain = path.replaceAll("%2F", "/").replaceAll("%3D", "=");
        if (plain === path || path.startsWith(".hoodie/")) continue;
        const bytes = store.find(path)?.bytes as Uint8Array;
        if (!store.find(plain)) store.put(plain, bytes, undefined);
        store.delete([path]);
      }
      const properties = ".hoodie/hoodie.properties";
      const text = Buffer.from(store.find(properties)?.bytes ?? []).toString("latin1");
      store.put(
        properties,
        Buffer.from(text.replace("urlencode=true", "urlencode=false")),
        undefined,
      );
      const plain = await HudiTable.open<(typeof rows)[number]>("memory:", {
        storage: new MemoryStorage(store),
        workers: { count: 0 },
      });
      // Where a partition lies in another one, Hudi itself does not find the inner one.
      const all = await plain.read().toArray();
      for (const a of values) {
        for (const b of values) {
          const found = await plain.read({ where: { a, b } }).toArray();
          const expected = all.filter((row) => row.a === a && row.b === b);
          expect(found.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
        }
        const found = await plain.read({ where: { b: a } }).toArray();
        expect(found).toHaveLength(all.filter((row) => row.b === a).length);
      }
    }
  });

  test("of null and empty values are one folder, and each is found by its value (PR-4, RK-4)", async () => {
    const { table } = await createMemoryTable({
      fields: FIELDS,
      recordKey: "id",
      partitionBy: "city",
      hiveStyle: true,
    });
    const rows = [row("a", null, 1), row("b", "", 2), row("c", "x", 3)];
    await table.upsert(rows);
    const ids = async (where: object): Promise<string[]> =>
      (await table.read({ where }).toArray()).map(({ id }) => id);
    expect(await ids({ city: null })).toEqual(["a"]);
    expect(await ids({ city: "" })).toEqual(["b"]);
    expect(await ids({ city: { ne: null } })).toEqual(["b", "c"]);
    expect(await ids({ city: { lt: "x" } })).toEqual(["b"]);
  });

  test.each([
    ["int", [-7, 0, 10, 9], { gte: 9 }],
    ["long", [-7n, 0n, 10n, 9n], { gte: 9n }],
    ["boolean", [true, false], { eq: true }],
    ["date", ["1969-12-31", "1970-01-01", "2024-02-29", "2024-03-01"], { gte: "2024-02-29" }],
  ] as const)(
    "of type %s are ruled out by value, not by text (PR-4)",
    async (type, values, test_) => {
      const { table, counted } = await createCountedTable({
        fields: { id: "string", part: type },
        recordKey: "id",
        partitionBy: "part",
      });
      const rows = values.map((part, n) => ({ id: `k${n}`, part }));
      await (table as unknown as HudiTable).upsert(rows);
      const untyped = table as unknown as HudiTable<{ id: string; part: unknown }>;
      expect(await untyped.read().toArray()).toHaveLength(values.length);
      counted.listed.length = 0;
      const found = await untyped.read({ where: { part: test_ } }).toArray();
      const expected = type === "boolean" ? ["k0"] : ["k2", "k3"];
      expect(found.map(({ id }) => id).sort()).toEqual(expected);
      const folders = counted.listed.filter((folder) => folder !== "" && !folder.startsWith("."));
      expect(folders).toHaveLength(expected.length);
      for (const [n, part] of values.entries()) {
        expect((await untyped.read({ where: { part } }).toArray()).map(({ id }) => id)).toEqual([
          `k${n}`,
        ]);
      }
    },
  );

  test.each([
    ["int", 7, "7", "07"],
    ["boolean", true, "true", "True"],
  ] as const)(
    "whose folder does not read back to one value are read: %s %s (PR-4)",
    async (type, part, ours, theirs) => {
      const { table, store, clock } = await createMemoryTable({
        fields: { id: "string", part: type },
        recordKey: "id",
        partitionBy: "part",
      });
      await (table as unknown as HudiTable).upsert([{ id: "a", part }]);
      // Another writer might have named the folder otherwise.
      for (const path of [...store.paths()].filter((p) => p.startsWith(`${ours}/`))) {
        store.put(path.replace(ours, theirs), store.find(path)?.bytes as Uint8Array, undefined);
        store.delete([path]);
      }
      const again = await HudiTable.open("memory:", processOptions(store, { clock }));
      expect(await again.read({ where: { part } }).toArray()).toEqual([{ id: "a", part }]);
    },
  );

  test("of values with slashes are found below one another, and ruled out as a whole (FSV-1, PR-4)", async () => {
    const { table, store, counted, options } = await createCountedTable({
      fields: FIELDS,
      recordKey: "id",
      partitionBy: "city",
    });
    await table.upsert(["a", "b", "c"].map((city, n) => row(`k${n}`, city, n)));
    // As Spark lays such values out.
    const move = (from: string, to: string): void => {
      for (const path of [...store.paths()].filter((p) => p.startsWith(`${from}/`))) {
        store.put(path.replace(from, to), store.find(path)?.bytes as Uint8Array, undefined);
        store.delete([path]);
      }
    };
    move("a", "americas/brazil/sao_paulo");
    move("b", "americas/chile");
    const again = await HudiTable.open<Row>("memory:", options);
    expect((await again.read().toArray()).map(({ id }) => id).sort()).toEqual(["k0", "k1", "k2"]);
    counted.listed.length = 0;
    await again.read({ where: { city: "americas/chile" } }).toArray();
    expect(counted.listed.filter((folder) => !folder.startsWith("."))).toEqual([
      "",
      "americas",
      "americas/chile",
    ]);
    counted.listed.length = 0;
    await again.read({ where: { city: { gt: "b" } } }).toArray();
    expect(counted.listed.filter((folder) => !folder.startsWith("."))).toEqual(["", "c"]);
  });
});

describe("an abort", () => {
  const wide = Array.from({ length: 30 }, (_, n) => row(`k${n}`, null, n, noise(n, 500)));

  test("before it begins stops a scan", async () => {
    const { table } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
    await table.upsert(wide);
    const signal = AbortSignal.abort(new Error("enough"));
    for (const scan of [table.read({ signal }), table.incremental({ signal, after: "0" })]) {
      await expect(scan.toArray()).rejects.toThrow("enough");
      await expect(scan.upTo).rejects.toThrow("enough");
      await expect(scan.batches()[Symbol.asyncIterator]().next()).rejects.toThrow("enough");
    }
    for (const call of [
      table.schema({ signal }),
      table.timeline({ signal }),
      table.files({ signal }),
    ]) {
      await expect(call).rejects.toThrow("enough");
    }
  });

  test("between two rows stops it with the next row group, and nothing more is read", async () => {
    const { table, store, counted } = await createCountedTable({ fields: FIELDS, recordKey: "id" });
    await table.upsert(wide);
    const [path = ""] = dataFilesOf(store);
    await regroup(store, path, 5);
    const abort = new AbortController();
    const scan = table.read({ signal: abort.signal });
    const seen: string[] = [];
    const reading = (async () => {
      for await (const { id } of scan) {
        seen.push(id);
        if (seen.length === 7) abort.abort(new Error("enough"));
      }
    })();
    await expect(reading).rejects.toThrow("enough");
    expect(seen).toHaveLength(10);
    const before = counted.ranges.length;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(counted.ranges).toHaveLength(before);
  });

  test("while bytes are under way ends the read at once", async () => {
    const { table, counted } = await createCountedTable({ fields: FIELDS, recordKey: "id" });
    await table.upsert(wide);
    const abort = new AbortController();
    counted.beforeRange = () => abort.abort(new Error("enough"));
    await expect(table.read({ signal: abort.signal }).toArray()).rejects.toThrow("enough");
    expect(await table.read().toArray()).toHaveLength(30);
  });
});

test("files that vanish under a read are told as such, with what to do", async () => {
  const { table, store } = await createMemoryTable(
    { fields: FIELDS, recordKey: "id" },
    { write: SMALL_WRITES },
  );
  await table.bulkInsert([row("a", null, 1)]);
  await table.bulkInsert([row("b", null, 2)]);
  const rows = table.read()[Symbol.asyncIterator]();
  await rows.next();
  store.delete(dataFilesOf(store));
  await expect(rows.next()).rejects.toMatchObject({
    code: "EXPIRED",
    message: expect.stringMatching(/cleaned or rolled back since the read began; read again/),
  });
});
