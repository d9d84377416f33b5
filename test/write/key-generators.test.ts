// Tables of every key generator through every write call, and what their readers find.
import { describe, expect, test } from "vitest";
import type { HudiTable } from "../../src/hudi-table.ts";
import { HudiTable as Table } from "../../src/hudi-table.ts";
import { parseProperties } from "../../src/layout/table-config.ts";
import type { Fields, TableDefinition } from "../../src/layout/table-definition.ts";
import { createMemoryTable, type MemoryTable, processOptions } from "../support/memory-table.ts";
import { findFileFaults, findTimelineFaults } from "../support/store-checks.ts";

type Row = Readonly<Record<string, unknown>>;

const FIELDS: Fields = {
  id: "string",
  code: "int?",
  city: "string?",
  day: "date?",
  at: "long?",
  user: "struct<id:string?,place:string?>?",
  version: "long",
};

const day = (text: string): Date => new Date(`${text}T00:00:00Z`);
const BY_DAY = { field: "at", type: "EPOCHMILLISECONDS", outputFormat: "yyyy/MM/dd" } as const;
const NOON = BigInt(Date.UTC(2024, 1, 29, 12));

function row(id: string, version: number, more: Row = {}): Row {
  const values = { code: 1, city: "porto", day: day("2024-02-29"), at: NOON };
  return { id, ...values, user: { id, place: "north" }, version: BigInt(version), ...more };
}

async function createTable(
  keys: Partial<Omit<TableDefinition, "name" | "type" | "fields">>,
): Promise<MemoryTable<Row>> {
  const definition = { fields: FIELDS, recordKey: "id", orderingField: "version", ...keys };
  return (await createMemoryTable(definition)) as unknown as MemoryTable<Row>;
}

/** The rows as `key partition` and version. */
async function contentOf(table: HudiTable<Row>): Promise<Record<string, bigint>> {
  const columns = ["_hoodie_record_key", "_hoodie_partition_path", "version"];
  const rows = await table.read({ columns }).toArray();
  const found = Object.fromEntries(
    rows.map((r) => [`${r._hoodie_record_key} ${r._hoodie_partition_path}`, r.version as bigint]),
  );
  expect(Object.keys(found)).toHaveLength(rows.length);
  return found;
}

const KEY_COLUMNS = ["id", "code", "city", "day", "at", "user"];
const keyOf = (from: Row): Row => Object.fromEntries(KEY_COLUMNS.map((name) => [name, from[name]]));

const GENERATORS: readonly [string, Parameters<typeof createTable>[0], string, string][] = [
  [
    "complex",
    { recordKey: ["id", "code"], partitionBy: ["city", "day"] },
    "id:a,code:1",
    "porto/2024-02-29",
  ],
  [
    "complex, hive style",
    { recordKey: ["id", "code"], partitionBy: ["city", "day"], hiveStyle: true },
    "id:a,code:1",
    "city=porto/day=2024-02-29",
  ],
  ["complex of one column", { partitionBy: ["city", "day"] }, "a", "porto/2024-02-29"],
  [
    "complex of one column, prefixed",
    { partitionBy: ["city", "day"], complexKeyEncoding: "field-prefixed" },
    "id:a",
    "porto/2024-02-29",
  ],
  ["non-partitioned of two columns", { recordKey: ["code", "id"] }, "code:1,id:a", ""],
  ["timestamp-based", { partitionBy: BY_DAY }, "a", "2024/02/29"],
  [
    "timestamp-based, encoded",
    { partitionBy: BY_DAY, hiveStyle: true, urlEncode: true },
    "a",
    "at=2024%2F02%2F29",
  ],
  [
    "custom",
    { recordKey: ["id", "code"], partitionBy: ["city", BY_DAY] },
    "id:a,code:1",
    "porto/2024/02/29",
  ],
  [
    "of fields of structs",
    { recordKey: "user.id", partitionBy: "user.place", hiveStyle: true },
    "a",
    "user.place=north",
  ],
  [
    "with a bucket index",
    {
      recordKey: ["id", "code"],
      partitionBy: ["city", "day"],
      index: { kind: "bucket", buckets: 3 },
    },
    "id:a,code:1",
    "porto/2024-02-29",
  ],
  [
    "with a global index",
    { recordKey: ["id", "code"], partitionBy: ["city", "day"], index: { kind: "global-simple" } },
    "id:a,code:1",
    "porto/2024-02-29",
  ],
];

describe.each(GENERATORS)("a key generator that is %s", (_, keys, recordKey, partition) => {
  const places = (text: string): string =>
    `${recordKey.replace(/\ba$|\ba(?=,)/, text)} ${partition}`;

  test("finds its rows again in every write (RK-10, RK-11, RK-12, RK-13, RK-14, RK-17)", async () => {
    const { table, store } = await createTable(keys);
    await table.upsert([row("a", 1), row("b", 1), row("c", 1)]);
    const first = await table.upsert([row("a", 2), row("b", 0), row("d", 2)]);
    expect(first).toMatchObject({ inserted: 1, updated: 1 });
    expect(await table.delete([keyOf(row("c", 0))])).toMatchObject({ deleted: 1 });
    await table.apply([
      { op: "update", key: keyOf(row("b", 0)), before: row("b", 1), after: row("b", 3) },
      { op: "delete", key: keyOf(row("d", 0)), before: row("d", 2) },
      { op: "insert", key: keyOf(row("e", 0)), after: row("e", 3) },
    ]);
    const { at, ...rest } = row("a", 0);
    const isTimed = partition.includes("2024/") || partition.includes("2024%2F");
    await table.upsert([{ ...rest, ...(isTimed && { at }), version: 4n }], { partial: true });
    expect(await contentOf(table)).toEqual({
      [places("a")]: 4n,
      [places("b")]: 3n,
      [places("e")]: 3n,
    });
    const [kept] = await table.read({ where: { id: "a" } }).toArray();
    expect(kept).toEqual(row("a", 4));
    const changed = await table.incremental({ after: first.instant }).toArray();
    expect(changed.map(({ id }) => id).sort()).toEqual(["a", "b", "e"]);
    await table.insertOverwrite([row("z", 9)]);
    expect(await contentOf(table)).toEqual({ [places("z")]: 9n });
    expect([...findTimelineFaults(store), ...findFileFaults(store)]).toEqual([]);
  });

  test("is read back from the properties by another process", async () => {
    const { table, store, clock } = await createTable(keys);
    await table.upsert([row("a", 1)]);
    const other = await Table.open<Row>("memory:", processOptions(store, { clock, seed: 2 }));
    expect(await other.upsert([row("a", 2)])).toMatchObject({ inserted: 0, updated: 1 });
    expect(await contentOf(other)).toEqual({ [places("a")]: 2n });
  });
});

describe("partitions of several columns", () => {
  const two = { recordKey: ["id", "code"], partitionBy: ["city", "day"] } as const;

  test("are deleted by their values or their path (RK-11)", async () => {
    const { table } = await createTable(two);
    const other = day("2024-03-01");
    await table.upsert([row("a", 1), row("b", 1, { day: other }), row("c", 1, { city: "faro" })]);
    await table.deletePartitions([{ city: "porto", day: other }]);
    expect(Object.keys(await contentOf(table)).sort()).toEqual([
      "id:a,code:1 porto/2024-02-29",
      "id:c,code:1 faro/2024-02-29",
    ]);
    await table.deletePartitions(["faro/2024-02-29"]);
    expect(Object.keys(await contentOf(table))).toEqual(["id:a,code:1 porto/2024-02-29"]);
    await expect(table.deletePartitions([{ city: "porto" }])).rejects.toThrow(/day/);
    await expect(table.deletePartitions([{ id: "a" }])).rejects.toThrow(
      /value of id, expected city/,
    );
  });

  test("of points in time are those that a value lies in (RK-13)", async () => {
    const { table } = await createTable({ partitionBy: BY_DAY });
    await table.upsert([row("a", 1), row("b", 1, { at: null }), row("c", 1, { at: -1n })]);
    expect(Object.keys(await contentOf(table)).sort()).toEqual([
      "a 2024/02/29",
      "b 1970/01/01",
      "c 1969/12/31",
    ]);
    await table.deletePartitions([{ at: NOON + 3_600_000n }]);
    expect(Object.keys(await contentOf(table)).sort()).toEqual(["b 1970/01/01", "c 1969/12/31"]);
  });

  test("a row moves by any of the columns, and stays within one folder (RK-11, RK-13)", async () => {
    const { table } = await createTable({ ...two, partitionBy: ["city", BY_DAY] });
    await table.upsert([row("a", 1), row("b", 1)]);
    const [before, later, next] = [row("a", 1), NOON + 1n, NOON + 86_400_000n];
    const change = (after: Row, from = before): Parameters<typeof table.apply>[0] => [
      { op: "update", key: { id: after.id, code: 1 }, before: from, after },
    ];
    // In the same folder the stored row is there, so that columns may stay unchanged.
    await table.apply([
      {
        op: "update",
        key: { id: "a", code: 1 },
        before: { at: NOON },
        after: row("a", 2, { at: later }),
        unchanged: ["day"],
      },
    ]);
    expect(await contentOf(table)).toMatchObject({ "id:a,code:1 porto/2024/02/29": 2n });
    await table.apply(change(row("a", 3, { at: next }), row("a", 2, { at: later })));
    await table.apply(change(row("b", 3, { city: "faro" }), row("b", 1)));
    expect(await contentOf(table)).toEqual({
      "id:a,code:1 porto/2024/03/01": 3n,
      "id:b,code:1 faro/2024/02/29": 3n,
    });
  });

  test("with a global index a partial row names all of them or none (MR-11, IX-6)", async () => {
    const { table } = await createTable({ ...two, index: { kind: "global-bloom" } });
    await table.upsert([row("a", 1)]);
    const key = { id: "a", code: 1 };
    await expect(
      table.upsert([{ ...key, city: "faro", version: 2n }], { partial: true }),
    ).rejects.toThrow(/row 0: it leaves out some of the partition columns city, day/);
    await table.upsert([{ ...key, version: 2n }], { partial: true });
    await table.upsert([{ ...key, city: "faro", day: null, version: 3n }], { partial: true });
    expect(await contentOf(table)).toEqual({
      "id:a,code:1 faro/__HIVE_DEFAULT_PARTITION__": 3n,
    });
  });
});

describe("a complex key of one column in a table that does not tell its form (RK-14)", () => {
  /** A table as older writers leave it. */
  async function createSilent(
    encoding: "value-only" | "field-prefixed",
    rows: readonly Row[],
  ): Promise<HudiTable<Row>> {
    const { table, store, clock } = await createTable({
      partitionBy: ["city", "day"],
      complexKeyEncoding: encoding,
    });
    if (rows.length > 0) await table.upsert(rows);
    const path = ".hoodie/hoodie.properties";
    const text = Buffer.from(store.find(path)?.bytes ?? []).toString("latin1");
    expect(parseProperties(text).has("hoodie.table.complex.keygenerator.encoding")).toBe(true);
    const silent = text.replace(/^hoodie\.table\.complex\..*\n/m, "");
    store.put(path, Buffer.from(silent, "latin1"), undefined);
    return Table.open<Row>("memory:", processOptions(store, { clock, seed: 3 }));
  }

  test.each([
    ["value-only", "a"],
    ["field-prefixed", "id:a"],
  ] as const)("is written as its files have it: %s", async (encoding, key) => {
    const table = await createSilent(encoding, [row("a", 1), row("b", 1)]);
    expect(table.config.keyGenerator.keyText).toBe("unknown");
    expect(await table.upsert([row("a", 2)])).toMatchObject({ inserted: 0, updated: 1 });
    await table.upsert([row("a", 3)]);
    expect(await contentOf(table)).toMatchObject({ [`${key} porto/2024-02-29`]: 3n });
  });

  test("has the bare value where there are no files", async () => {
    const table = await createSilent("field-prefixed", []);
    await table.upsert([row("a", 1)]);
    expect(Object.keys(await contentOf(table))).toEqual(["a porto/2024-02-29"]);
  });

  test("is not written where its files disagree, unless the caller tells", async () => {
    const rows = [row("a", 1), row("id:b", 1)];
    const table = await createSilent("value-only", rows);
    await expect(table.upsert([row("a", 2)])).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(/of 2 keys in its files 1 begin with id:/),
    });
  });
});

test.each([
  ["hoodie.keygen.timebased.timestamp.type", /what the timestamps .* are/],
  ["hoodie.keygen.timebased.output.dateformat", /output.dateformat is missing/],
])(
  "a table without %s is read, and written when the caller tells (RK-19, TBL-10)",
  async (key, message) => {
    const { table, store, clock } = await createTable({ partitionBy: BY_DAY });
    await table.upsert([row("a", 1)]);
    const path = ".hoodie/hoodie.properties";
    const text = Buffer.from(store.find(path)?.bytes ?? []).toString("latin1");
    const value = parseProperties(text).get(key) ?? "";
    const silent = text.replace(new RegExp(`^${key}=.*\\n`, "m"), "");
    store.put(path, Buffer.from(silent, "latin1"), undefined);
    const options = processOptions(store, { clock, seed: 3 });
    const mute = await Table.open<Row>("memory:", options);
    expect(await mute.read({ where: { at: NOON } }).toArray()).toHaveLength(1);
    await expect(mute.upsert([row("a", 2)])).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(message),
    });
    const told = await Table.open<Row>("memory:", { ...options, properties: { [key]: value } });
    expect(await told.upsert([row("a", 2)])).toMatchObject({ updated: 1 });
  },
);

test("keys that stay where they are and a partition column in a struct are refused (TBL-10, IX-7)", async () => {
  const { table } = await createTable({
    partitionBy: "user.place",
    index: { kind: "global-bloom", updatePartitionPath: false },
  });
  await expect(table.upsert([row("a", 1)])).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringMatching(/user.place lies in a struct/),
  });
});

test("timestamps in keys are numbers, or texts where the table says so (RK-2, RK-18)", async () => {
  const fields: Fields = { id: "string", moment: "timestamp-micros?" };
  for (const consistentLogicalTimestamps of [false, true]) {
    const { table } = await createMemoryTable({
      fields,
      recordKey: ["id", "moment"],
      consistentLogicalTimestamps,
    });
    await (table as HudiTable<Row>).upsert([{ id: "a", moment: 1_709_164_800_120_000n }]);
    const [found] = await table.read({ columns: ["_hoodie_record_key"] as never }).toArray();
    const local = new Date(1_709_164_800_120);
    local.setMinutes(local.getMinutes() - local.getTimezoneOffset());
    const text = local.toISOString().replace("T", " ").replace("0Z", "");
    expect(found).toEqual({
      _hoodie_record_key: `id:a,moment:${consistentLogicalTimestamps ? text : "1709164800120000"}`,
    });
  }
});
