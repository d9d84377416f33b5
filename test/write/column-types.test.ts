// Tables of every type, from the definition to rows, batches and filters.
import * as arrow from "apache-arrow";
import { describe, expect, test } from "vitest";
import { formatAvroSchema } from "../../src/format/avro-schema.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { HudiTable, MemoryStorage, type SchemaSource } from "../../src/index.ts";

const FIELDS = {
  id: "string",
  at: "timestamp-millis",
  region: "enum(north,south)?",
  digest: "fixed(2)?",
  size: "enum(SMALL,LARGE)?",
  clock: "time-millis?",
  exact: "time-micros?",
  moment: "timestamp-millis?",
  deep: "list<struct<digest:fixed(2)?,sizes:map<enum(A,B)?>?,clock:time-millis?>?>?",
} as const;

const ROWS = [
  {
    id: "a",
    at: 1n,
    region: "north",
    digest: Uint8Array.of(0x80, 0),
    size: "SMALL",
    clock: 0,
    exact: 0n,
    moment: -1n,
    deep: [{ digest: Uint8Array.of(1, 2), sizes: { k: "A", none: null }, clock: 5 }, null],
  },
  {
    id: "b",
    at: 1n,
    region: "south",
    digest: Uint8Array.of(0x7f, 255),
    size: "LARGE",
    clock: 86_399_999,
    exact: 86_399_999_999n,
    moment: 2n ** 63n - 1n,
    deep: [],
  },
  {
    id: "c",
    at: 1n,
    region: null,
    digest: null,
    size: null,
    clock: null,
    exact: null,
    moment: null,
    deep: null,
  },
];

const byId = (a: { id?: unknown }, b: { id?: unknown }): number =>
  String(a.id) < String(b.id) ? -1 : 1;
const BASE = { name: "t", type: "copy-on-write", recordKey: "id", orderingField: "at" } as const;
const STYLE = { partitionBy: "region", hiveStyle: true } as const;

describe("a table of every type", () => {
  test("merges rows, copies the others and filters them (SC-1, PR-2)", async () => {
    const storage = new MemoryStorage();
    const options = { storage, workers: { count: 0 } } as const;
    await using table = await HudiTable.create("t", { ...BASE, ...STYLE, fields: FIELDS }, options);
    await table.upsert(ROWS as never);
    const changed = { ...ROWS[0], at: 2n, size: "LARGE", digest: Uint8Array.of(0, 1), clock: 7 };
    const late = { ...ROWS[1], at: 0n, size: null };
    await table.upsert([changed, late] as never);
    const rows = await table.read().toArray();
    expect(rows.sort(byId).map((row) => JSON.stringify(row, show))).toEqual(
      [changed, ROWS[1], ROWS[2]].map((row) => JSON.stringify(row, show)),
    );
    const find = async (where: object): Promise<string> => {
      const found = await table.read({ columns: ["id"], where: where as never }).toArray();
      return found
        .map(({ id }) => id)
        .sort()
        .join("");
    };
    expect(await find({ region: "north" })).toBe("a");
    expect(await find({ region: null })).toBe("c");
    expect(await find({ size: { gte: "LARGE" } })).toBe("ab");
    expect(await find({ clock: { lt: "00:00:01" } })).toBe("a");
    expect(await find({ exact: 86_399_999_999n })).toBe("b");
    expect(await find({ moment: { gt: 0n } })).toBe("b");
    expect(await find({ digest: { lt: Uint8Array.of(0x7f, 255) } })).toBe("a");
    expect(await find({ digest: { gte: Uint8Array.of(0x7f, 255) } })).toBe("b");
    await expect(find({ size: "small" })).rejects.toThrow(/one of SMALL, LARGE/);
    await expect(find({ digest: Uint8Array.of(1) })).rejects.toThrow(/2 bytes/);
    await expect(find({ clock: 86_400_000 })).rejects.toThrow(/since midnight/);
  });

  const text = formatAvroSchema(createTableSchema("t", FIELDS), { namespace: "x" });

  test.each<[string, SchemaSource]>([
    ["Avro text", text],
    ["Avro JSON", JSON.parse(text)],
  ])("is made from %s as from a field list (SC-11)", async (_, schema) => {
    await using listed = await HudiTable.create(
      "t",
      { ...BASE, fields: FIELDS },
      { storage: new MemoryStorage() },
    );
    await using table = await HudiTable.create<Record<string, unknown>>(
      "t",
      { ...BASE, schema },
      { storage: new MemoryStorage() },
    );
    expect(await table.schema()).toEqual(await listed.schema());
    await table.upsert(ROWS);
    expect((await table.read().toArray()).length).toBe(3);
  });

  test("is made from an Arrow schema and takes its batches (SC-11, AR-2)", async () => {
    const schema = new arrow.Schema([
      new arrow.Field("id", new arrow.Utf8(), false),
      new arrow.Field("at", new arrow.TimestampMillisecond("UTC"), false),
      new arrow.Field("clock", new arrow.TimeMillisecond(), true),
      new arrow.Field("digest", new arrow.FixedSizeBinary(2), true),
    ]);
    const storage = new MemoryStorage();
    await using table = await HudiTable.create("t", { ...BASE, schema }, { storage });
    expect((await table.schema()).fields.map(({ type }) => type.kind)).toEqual([
      "string",
      "timestamp-millis",
      "time-millis",
      "fixed",
    ]);
    await table.upsert([{ id: "a", at: 1n, clock: 5, digest: Uint8Array.of(1, 2) }]);
    const batches: arrow.RecordBatch[] = [];
    for await (const one of table.read().batches()) batches.push(one);
    const [batch] = batches;
    expect(batch?.schema.fields.map(({ type }) => String(type))).toEqual(
      schema.fields.map(({ type }) => String(type)),
    );
    const again = await HudiTable.create(
      "t",
      { ...BASE, schema: batch?.schema as arrow.Schema },
      { storage: new MemoryStorage() },
    );
    await again.upsert(batches as never);
    expect(await again.read().toArray()).toEqual(await table.read().toArray());
    await again.close();
  });
});

/** Bytes and longs as JSON, and no difference between objects with and without a prototype. */
function show(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `${value}n` : value;
}
