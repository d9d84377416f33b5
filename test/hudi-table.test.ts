// The facade: what a table says of itself, what it owns, and rules of writing seen from outside.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parquetMetadata } from "hyparquet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Commit, HudiTable, type TableOptions } from "../src/index.ts";
import { parseTableConfig } from "../src/layout/table-config.ts";
import type { StorageCall } from "../src/storage/memory-faults.ts";
import { MemoryStorage } from "../src/storage/memory-storage.ts";
import { MemoryStore } from "../src/storage/memory-store.ts";
import { baseSlices } from "./support/base-slices.ts";
import { createMemoryTable, SMALL_WRITES } from "./support/memory-table.ts";
import { rowTexts } from "./support/row-text.ts";

const FIELDS = { id: "string", city: "string?", n: "int", at: "long?" } as const;

type Row = {
  id: string;
  city: string | null;
  n: number;
  at: bigint | null;
};

const row = (id: string, n: number, city = "x", at = BigInt(n)): Row => ({ id, city, n, at });
const noise = (seed: number, length: number): string => {
  let state = seed + 1;
  let text = "";
  while (text.length < length) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    text += state.toString(36);
  }
  return text;
};

describe("places", () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "hudi-lake-table-"));
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));
  const definition = { name: "t", type: "copy-on-write", fields: FIELDS, recordKey: "id" } as const;

  test("a path and its URL are one table, which the next process opens (TBL-1)", async () => {
    const path = join(directory, "a b", "trips");
    const made = await HudiTable.create(path, definition);
    await made.upsert([row("a", 1)]);
    expect(made.location).toContain("a b");
    await made.close();
    const opened = await HudiTable.open<Row>(pathToFileURL(path));
    expect(await opened.read().toArray()).toEqual([row("a", 1)]);
    expect(opened.config).toMatchObject({ name: "t", version: 6, recordKeyFields: ["id"] });
    await opened.close();
  });

  test("a closed table says so, and is closed once (TX-19)", async () => {
    const path = join(directory, "closed");
    const table = await HudiTable.create(path, definition);
    await table.upsert([row("a", 1)]);
    const scan = table.read();
    await table.close();
    await table.close();
    const refusal = { code: "INVALID", message: expect.stringContaining("it was closed") };
    await expect(table.upsert([row("a", 2)])).rejects.toMatchObject(refusal);
    await expect(table.delete([{ id: "a" }])).rejects.toMatchObject(refusal);
    await expect(table.rollback("20260101000000000")).rejects.toMatchObject(refusal);
    await expect(scan.toArray()).rejects.toMatchObject(refusal);
    await using again = await HudiTable.open<Row>(path);
    expect(await again.read().toArray()).toEqual([row("a", 1)]);
  });

  test("a storage that was passed in stays open, one that was opened is closed", async () => {
    let closed = 0;
    class Watched extends MemoryStorage {
      override async close(): Promise<void> {
        closed += 1;
      }
    }
    const storage = new Watched();
    const options: TableOptions = { storage, workers: { count: 0 } };
    const table = await HudiTable.create("memory:", definition, options);
    await table.close();
    await table[Symbol.asyncDispose]();
    expect(closed).toBe(0);
    await expect(HudiTable.create("memory:", definition, options)).rejects.toMatchObject({
      code: "ALREADY_EXISTS",
    });
    expect(closed).toBe(0);
  });

  test.each<[object, RegExp]>([
    [{ codec: "lz4" }, /write.codec is "lz4", expected one of snappy, gzip, zstd, uncompressed/],
    [{ codec: "none" }, /write.codec is "none"/],
    [{ maxFileBytes: 0 }, /write.maxFileBytes is 0/],
    [{ maxFileBytes: Number.NaN }, /write.maxFileBytes is NaN/],
    [{ smallFileBytes: -1 }, /write.smallFileBytes is -1/],
    [{ conflictRetries: "3" }, /write.conflictRetries is "3"/],
    [{ bloom: { entries: 0, falsePositiveRate: 0.1, maxEntries: 1 } }, /write.bloom.entries is 0/],
    [{ bloom: { entries: 1, falsePositiveRate: 2, maxEntries: 1 } }, /falsePositiveRate is 2/],
    [{ bloom: null }, /write.bloom.entries is undefined/],
    [{ lease: { leaseMs: 1 } }, /write.lease.waitMs is undefined/],
    [{ heartbeat: { intervalMs: -1 } }, /write.heartbeat.intervalMs is -1/],
  ])("the setting %j is refused before anything is written with it", async (write, message) => {
    const storage = new MemoryStorage();
    const made = HudiTable.create("memory:", definition, { storage, write } as TableOptions);
    await expect(made).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(message),
    });
    expect([...storage.store.paths()]).toEqual([]);
  });

  test("a setting that is undefined has its default", async () => {
    const storage = new MemoryStorage();
    const write = { codec: undefined } as never;
    const table = await HudiTable.create("memory:", definition, { storage, write });
    expect(await table.upsert([row("a", 1)])).toMatchObject({ inserted: 1 });
    expect(await table.read().toArray()).toHaveLength(1);
  });
});

test.each([
  [undefined, "ZSTD"],
  ["snappy", "SNAPPY"],
] as const)("base files of the setting %s are %s (PQ-4)", async (codec, expected) => {
  const { table, store } = await createMemoryTable(
    { fields: FIELDS, recordKey: "id" },
    { write: { codec } as never },
  );
  await table.insert(Array.from({ length: 50 }, (_, n) => row(`key ${n}`, n)));
  const [path = ""] = [...store.paths()].filter((one) => one.endsWith(".parquet"));
  const bytes = store.find(path)?.bytes.slice().buffer as ArrayBuffer;
  const codecs = parquetMetadata(bytes).row_groups.flatMap(({ columns }) =>
    columns.map(({ meta_data }) => meta_data?.codec),
  );
  expect(new Set(codecs)).toEqual(new Set([expected]));
});

describe("what a table says of itself", () => {
  test("its columns, instants, commits and files", async () => {
    const { table } = await createMemoryTable({
      fields: FIELDS,
      recordKey: "id",
      partitionBy: "city",
    });
    const first = await table.upsert([row("a", 1), row("b", 1, "y")]);
    const second = await table.upsert([row("a", 2), row("c", 2)]);
    const deleted = await table.delete([
      { id: "b", city: "y" },
      { id: "none", city: "y" },
    ]);
    const counts = ({ inserted, updated, deleted: gone }: Commit): number[] => [
      inserted,
      updated,
      gone,
    ];
    expect([first, second, deleted].map(counts)).toEqual([
      [2, 0, 0],
      [1, 1, 0],
      [0, 0, 1],
    ]);
    expect((await table.schema()).fields.map(({ name }) => name)).toEqual(Object.keys(FIELDS));
    const timeline = await table.timeline();
    expect(timeline).toEqual(
      [first, second, deleted].map(({ instant: time, action }) => ({
        time,
        action,
        state: "completed",
      })),
    );
    const metadata = await table.commitMetadata(timeline[1] as (typeof timeline)[number]);
    expect(metadata.operationType).toBe("UPSERT");
    expect([...metadata.partitionToWriteStats.keys()]).toEqual(["x"]);
    const files = await baseSlices(table);
    expect(
      files.map(({ partitionPath, baseFile }) => [partitionPath, baseFile.instant]).sort(),
    ).toEqual([
      ["x", second.instant],
      ["y", deleted.instant],
    ]);
  });

  test("what the newest write keeps under a key, whoever wrote in between (TX-15)", async () => {
    const { table } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
    expect(await table.checkpoint("offset")).toBeUndefined();
    const first = await table.upsert([row("a", 1)], { checkpoint: { offset: "1", other: "x" } });
    await table.upsert([row("b", 1)]);
    expect(await table.checkpoint("offset")).toEqual({ instant: first.instant, value: "1" });
    const third = await table.apply([{ op: "delete", key: { id: "a" } }], {
      checkpoint: { offset: "2" },
    });
    expect(await table.checkpoint("offset")).toEqual({ instant: third.instant, value: "2" });
    expect(await table.checkpoint("other")).toEqual({ instant: first.instant, value: "x" });
    await table.rollback(third.instant);
    expect(await table.checkpoint("offset")).toEqual({ instant: first.instant, value: "1" });
  });
});

test("a partition gets its metafile before its first data file, and only once (TX-5)", async () => {
  const callLog: StorageCall[] = [];
  const definition = { fields: FIELDS, recordKey: "id", partitionBy: "city" } as const;
  const { table } = await createMemoryTable(definition, { callLog });
  const writesTo = (city: string): string[] =>
    callLog
      .filter(({ path, isWrite }) => isWrite && path.startsWith(`${city}/`))
      .map(({ path }) => (path.endsWith(".parquet") ? "data" : path));
  await table.upsert([row("a", 1, "x"), row("b", 1, "y")]);
  expect(writesTo("x")).toEqual(["x/.hoodie_partition_metadata", "data"]);
  expect(writesTo("y")).toEqual(["y/.hoodie_partition_metadata", "data"]);
  await table.upsert([row("a", 2, "x")]);
  await table.bulkInsert([row("c", 2, "x")]);
  expect(writesTo("x")).toEqual(["x/.hoodie_partition_metadata", "data", "data", "data"]);
});

describe("merge rules seen from outside", () => {
  const withOrdering = (): ReturnType<typeof makeTable> => makeTable({ orderingField: "at" });
  const makeTable = async (more: object = {}): Promise<HudiTable<Row>> => {
    const definition = { fields: FIELDS, recordKey: "id", partitionBy: "city", ...more } as const;
    return (await createMemoryTable(definition)).table;
  };
  const state = async (table: HudiTable<Row>): Promise<string[]> =>
    (await table.read().toArray()).map(({ id, city, n }) => `${city}/${id}:${n}`).sort();

  test("an older row never replaces a newer one, an equal one does (MR-1)", async () => {
    const table = await withOrdering();
    await table.upsert([row("a", 1, "x", 5n)]);
    await table.upsert([row("a", 2, "x", 4n)]);
    expect(await state(table)).toEqual(["x/a:1"]);
    await table.upsert([row("a", 3, "x", 5n)]);
    expect(await state(table)).toEqual(["x/a:3"]);
  });

  test("without an ordering field the later write wins (MR-2)", async () => {
    const table = await makeTable();
    await table.upsert([row("a", 9)]);
    await table.upsert([row("a", 1), row("a", 2)]);
    expect(await state(table)).toEqual(["x/a:2"]);
  });

  test("an incoming ordering value of null is refused (MR-3)", async () => {
    const table = await withOrdering();
    const refused = table.upsert([{ ...row("a", 1), at: null }]);
    await expect(refused).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(/row 0: ordering field at is null/),
    });
  });

  test("a deleted row takes its ordering value with it (MR-5)", async () => {
    const table = await withOrdering();
    await table.upsert([row("a", 1, "x", 9n)]);
    await table.delete([{ id: "a", city: "x" }]);
    await table.upsert([row("a", 2, "x", 1n)]);
    expect(await state(table)).toEqual(["x/a:2"]);
  });

  test("rows of one key in one write come to what they come to one by one (MR-6)", async () => {
    const rows = [
      row("a", 1, "x", 3n),
      row("a", 2, "x", 5n),
      row("a", 3, "x", 4n),
      row("a", 4, "x", 5n),
    ];
    const [together, apart] = [await withOrdering(), await withOrdering()];
    await together.upsert(rows);
    for (const one of rows) await apart.upsert([one]);
    expect(await state(together)).toEqual(await state(apart));
    expect(await state(together)).toEqual(["x/a:4"]);
  });

  test("a delete by key applies whatever is stored; one in apply with a value applies by it (MR-7)", async () => {
    const table = await withOrdering();
    await table.upsert([row("a", 1, "x", 9n), row("b", 1, "x", 9n), row("c", 1, "x", 9n)]);
    await table.apply([
      { op: "delete", key: { id: "a", city: "x", at: 8n } },
      { op: "delete", key: { id: "b", city: "x", at: 9n } },
      { op: "delete", key: { id: "c", city: "x" } },
    ]);
    expect(await state(table)).toEqual(["x/a:1"]);
    await table.delete([{ id: "a", city: "x", at: 0n }]);
    expect(await state(table)).toEqual([]);
  });

  test("a stored row survives changes only if it is newer than all of them (MR-8)", async () => {
    const changes = [
      { op: "update", key: { id: "a" }, after: row("a", 2, "x", 3n) },
      { op: "delete", key: { id: "a", city: "x", at: 5n } },
      { op: "insert", key: { id: "a" }, after: row("a", 4, "x", 4n) },
    ] as const;
    for (const [stored, expected] of [
      [6n, "x/a:1"],
      [5n, "x/a:4"],
      [1n, "x/a:4"],
    ] as const) {
      const table = await withOrdering();
      await table.upsert([row("a", 1, "x", stored)]);
      await table.apply(changes);
      expect(await state(table)).toEqual([expected]);
    }
  });

  test("an update that moves its row deletes it there and inserts it here (MR-9)", async () => {
    const table = await withOrdering();
    await table.upsert([row("a", 1, "x", 5n), row("b", 1, "x", 5n)]);
    await table.apply([
      { op: "update", key: { id: "a" }, before: row("a", 1, "x", 5n), after: row("a", 2, "y", 6n) },
      { op: "update", key: { id: "b" }, before: row("b", 1, "x", 5n), after: row("b", 2, "y", 4n) },
    ]);
    // The second is older than what is stored, which therefore stays where it was.
    expect(await state(table)).toEqual(["x/b:1", "y/a:2", "y/b:2"]);
  });

  test("equal keys of different partitions are different rows (RK-8)", async () => {
    const table = await withOrdering();
    await table.upsert([row("a", 1, "x"), row("a", 2, "y")]);
    await table.delete([{ id: "a", city: "x" }]);
    expect(await state(table)).toEqual(["y/a:2"]);
  });

  test("insert and bulk insert look no key up, so that it stands twice (IX-4)", async () => {
    const table = await withOrdering();
    await table.insert([row("a", 1)]);
    await table.insert([row("a", 2)]);
    await table.bulkInsert([row("a", 3), row("a", 4)]);
    expect(await state(table)).toEqual(["x/a:1", "x/a:2", "x/a:3", "x/a:4"]);
    // An upsert finds all of them.
    expect(await table.upsert([row("a", 9)])).toMatchObject({ inserted: 0, updated: 4 });
    expect(await state(table)).toEqual(["x/a:9", "x/a:9", "x/a:9", "x/a:9"]);
  });
});

describe("the index (IX-1)", () => {
  test.each(["bloom", "simple"] as const)(
    "%s is kept in the table and used by who opens it",
    async (kind) => {
      const { table, store, clock } = await createMemoryTable({
        fields: FIELDS,
        recordKey: "id",
        index: { kind },
      });
      await table.upsert([row("a", 1)]);
      const storage = new MemoryStorage(store);
      const opened = await HudiTable.open<Row>("memory:", { storage, workers: { count: 0 } });
      expect(opened.config.index).toEqual({ kind });
      const { bytes } = await storage.read(".hoodie/hoodie.properties");
      const config = parseTableConfig(Buffer.from(bytes).toString("latin1"), "here");
      expect(config.properties.get("hoodie.index.type")).toBe(kind.toUpperCase());
      expect(await opened.upsert([row("a", 2), row("b", 1)])).toMatchObject({
        inserted: 1,
        updated: 1,
      });
      expect(clock.now()).toBeGreaterThan(0);
    },
  );
});

describe("file sizes", () => {
  const WIDE = { id: "string", text: "string" } as const;
  const wide = (id: string, seed: number) => ({ id, text: noise(seed, 2000) });
  const makeWide = async (more: object = {}) =>
    createMemoryTable(
      { fields: WIDE, recordKey: "id" },
      {
        write: {
          ...SMALL_WRITES,
          codec: "snappy",
          maxFileBytes: 40_000,
          smallFileBytes: 30_000,
          ...more,
        },
      },
    );

  test("inserts fill small files first, the smallest first, up to their size (FS-1)", async () => {
    const { table } = await makeWide();
    await table.bulkInsert([wide("a", 1), wide("b", 2), wide("c", 3), wide("d", 4)]);
    await table.bulkInsert([wide("e", 5)]);
    const sizes = async (): Promise<number[]> =>
      (await baseSlices(table)).map(({ baseFile }) => baseFile.sizeBytes).sort((a, b) => a - b);
    const [small = 0, large = 0] = await sizes();
    expect(large).toBeGreaterThan(small);
    const files = await baseSlices(table);
    const smallest = files.find(({ baseFile }) => baseFile.sizeBytes === small)?.fileId;
    const { instant } = await table.insert([wide("f", 6)]);
    const touched = (await baseSlices(table)).filter(
      ({ baseFile }) => baseFile.instant === instant,
    );
    expect(touched.map(({ fileId }) => fileId)).toEqual([smallest]);
    // More than both take: the rest goes to a new group, and none is much larger than asked for.
    await table.upsert(Array.from({ length: 40 }, (_, n) => wide(`k${n}`, n + 10)));
    const after = await sizes();
    expect(after.length).toBeGreaterThan(2);
    expect(after.filter((size) => size > 44_000).length).toBeLessThanOrEqual(1);
    expect(await table.read().toArray()).toHaveLength(46);
  });

  test("bulk insert makes new file groups (FS-1)", async () => {
    const { table } = await makeWide();
    for (let n = 0; n < 3; n += 1) await table.bulkInsert([wide(`k${n}`, n)]);
    expect(await table.files()).toHaveLength(3);
  });

  test("nothing is filled where that is switched off (FS-1)", async () => {
    const { table } = await makeWide({ smallFileBytes: 0 });
    for (let n = 0; n < 3; n += 1) await table.insert([wide(`k${n}`, n)]);
    expect(await table.files()).toHaveLength(3);
  });

  test("a file group that a pending clustering names takes no inserts (FS-3)", async () => {
    const { table, store } = await makeWide();
    await table.insert([wide("a", 1)]);
    const [slice] = await baseSlices(table);
    const { encodeAvroFile } = await import("../src/format/avro-file.ts");
    const plan = await encodeAvroFile(
      CLUSTERING_REQUEST,
      clusteringOf(slice?.fileId ?? ""),
      Buffer.alloc(16),
    );
    store.put(".hoodie/20260101000000000.replacecommit.requested", plan, undefined);
    await table.insert([wide("b", 2)]);
    const files = await baseSlices(table);
    expect(files).toHaveLength(2);
    expect(files.some(({ baseFile }) => baseFile.path === slice?.baseFile.path)).toBe(true);
    expect(rowTexts(await table.read({ columns: ["id"] }).toArray())).toEqual(
      rowTexts([{ id: "a" }, { id: "b" }]),
    );
  });
});

/** As much of Hudi's request of a clustering as names file groups. */
const CLUSTERING_REQUEST = {
  type: "record",
  name: "HoodieRequestedReplaceMetadata",
  namespace: "org.apache.hudi.avro.model",
  fields: [
    { name: "operationType", type: ["null", "string"], default: null },
    {
      name: "clusteringPlan",
      type: [
        "null",
        {
          type: "record",
          name: "HoodieClusteringPlan",
          fields: [
            {
              name: "inputGroups",
              type: [
                "null",
                {
                  type: "array",
                  items: {
                    type: "record",
                    name: "HoodieClusteringGroup",
                    fields: [
                      {
                        name: "slices",
                        type: [
                          "null",
                          {
                            type: "array",
                            items: {
                              type: "record",
                              name: "HoodieSliceInfo",
                              fields: [
                                { name: "partitionPath", type: ["null", "string"], default: null },
                                { name: "fileId", type: ["null", "string"], default: null },
                              ],
                            },
                          },
                        ],
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
      ],
    },
  ],
};

function clusteringOf(fileId: string) {
  const slices = [{ partitionPath: "", fileId }];
  return { operationType: "CLUSTER", clusteringPlan: { inputGroups: [{ slices }] } } as never;
}

test("a table that was made by one process is there for another, whole (TBL-7)", async () => {
  const store = new MemoryStore();
  const definition = { name: "t", type: "copy-on-write", fields: FIELDS, recordKey: "id" } as const;
  const handles = [1, 2, 3].map(() => ({
    storage: new MemoryStorage(store),
    workers: { count: 0 },
  }));
  const made = await Promise.allSettled(
    handles.map((options) => HudiTable.create("memory:", definition, options)),
  );
  expect(made.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const options of handles) {
    expect((await HudiTable.open("memory:", options)).config.name).toBe("t");
  }
});
