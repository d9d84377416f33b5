// Values and shapes that no table should have and some have: what is null, empty and neither, at every depth; very
// long texts; a thousand columns. Read back by us and by parquet-wasm.
import { tableFromIPC } from "apache-arrow";
import { parquetMetadata } from "hyparquet";
import * as wasm from "parquet-wasm";
import { describe, expect, test } from "vitest";
import { fromArrowBatch } from "../../src/format/arrow-batch.ts";
import { openParquetWriter } from "../../src/format/open-parquet-writer.ts";
import { batchRows } from "../../src/format/row-batch.ts";
import { createTableSchema, type TableSchema } from "../../src/format/schema.ts";
import { plain, type Row, readRows, toBatch } from "./nested-samples.ts";
import { writeFile } from "./parquet-samples.ts";

const MIB = 1024 * 1024;

async function requireRoundTrip(
  types: Readonly<Record<string, string>>,
  rows: readonly Row[],
  options: Parameters<typeof writeFile>[2] = {},
): Promise<Uint8Array> {
  const schema = createTableSchema("t", types);
  const { bytes } = await writeFile(schema, [toBatch(schema, rows)], options);
  expect((await readRows(bytes, schema)).map(plain)).toStrictEqual(rows.map(plain));
  expect(readWasm(bytes, schema).map(plain)).toStrictEqual(rows.map(plain));
  return bytes;
}

function readWasm(bytes: Uint8Array, schema: TableSchema): unknown[] {
  const stream = wasm.readParquet(bytes).intoIPCStream();
  return tableFromIPC(stream).batches.flatMap((batch) => [
    ...batchRows(fromArrowBatch(batch, schema)),
  ]);
}

interface Bounds {
  readonly values: number;
  readonly nulls: number;
  readonly min: unknown;
  readonly max: unknown;
}

function boundsOf(bytes: Uint8Array): Record<string, Bounds> {
  const [group] = parquetMetadata(bytes.slice().buffer as ArrayBuffer).row_groups;
  return Object.fromEntries(
    (group?.columns ?? []).map(({ meta_data }) => {
      const { null_count, min_value, max_value } = meta_data?.statistics ?? {};
      const bounds = { values: Number(meta_data?.num_values), nulls: Number(null_count) };
      return [meta_data?.path_in_schema.join("."), { ...bounds, min: min_value, max: max_value }];
    }),
  );
}

describe("null, empty and neither (PQ-15, PQ-16)", () => {
  test("are kept apart at every depth", async () => {
    const list = [null, [], [null], [null, null], [[]], [[], []], [[null]], [[], [null], null]];
    const deeper = [...list.map((one) => [one]), null, [], [null], [[[]], null, [[null], []]]];
    const maps = [null, {}, { "": null }, { a: null, b: {} }, { a: { "": null } }, { a: {} }];
    const structs = [null, { s: null }, { s: { l: null } }, { s: { l: [] } }, { s: { l: [null] } }];
    const rows = deeper.map((deep, at) => ({
      lists: list[at % list.length] ?? null,
      deep,
      maps: maps[at % maps.length] ?? null,
      structs: structs[at % structs.length] ?? null,
    }));
    const types = {
      lists: "list<list<int?>?>?",
      deep: "list<list<list<int?>?>?>?",
      maps: "map<map<string?>?>?",
      structs: "struct<s:struct<l:list<boolean?>?>?>?",
    };
    await requireRoundTrip(types, rows);
    await requireRoundTrip(types, rows, { rowGroupRows: 1 });
    await requireRoundTrip(types, rows, { pageBytes: 1 });
    await requireRoundTrip(
      { m: "map<map<string?>?>?" },
      maps.map((m) => ({ m })),
    );
  });

  test("are all there is in columns of every kind", async () => {
    const types = {
      list: "list<string?>?",
      map: "map<list<long?>?>?",
      struct: "struct<a:decimal(20,3)?,b:list<float>?>?",
      items: "list<list<bytes?>?>",
      inner: "struct<a:date?,b:struct<c:timestamp-micros?>?>",
    };
    const none = { list: null, map: null, struct: null, items: [], inner: { a: null, b: null } };
    const inner = { a: null, b: { c: null } };
    const some = { ...none, list: [null], items: [null, [null]], inner };
    const bytes = await requireRoundTrip(types, Array(300).fill(none));
    for (const { values, nulls, min, max } of Object.values(boundsOf(bytes))) {
      expect([values, nulls, min, max]).toEqual([300, 300, undefined, undefined]);
    }
    await requireRoundTrip(types, [none, some, none]);
    await requireRoundTrip(types, []);
  });

  test("count as entries without a value, and bounds are those of the values (PQ-7)", async () => {
    const types = {
      l: "list<int?>?",
      m: "map<double?>?",
      s: "struct<x:list<struct<y:string?>?>?>?",
    };
    const y = (text: string | null): unknown => ({ y: text });
    const rows = [
      { l: [1, null, -7], m: { k: 0, j: null }, s: null },
      { l: [], m: {}, s: { x: null } },
      { l: null, m: null, s: { x: [] } },
      { l: [null], m: { a: -0 }, s: { x: [null, y(null), y("b"), y("a")] } },
    ];
    const bounds = boundsOf(await requireRoundTrip(types, rows));
    expect(bounds["l.list.element"]).toEqual({ values: 6, nulls: 4, min: -7, max: 1 });
    expect(bounds["m.key_value.key"]).toEqual({ values: 5, nulls: 2, min: "a", max: "k" });
    expect(bounds["m.key_value.value"]).toStrictEqual({ values: 5, nulls: 3, min: -0, max: 0 });
    expect(bounds["s.x.list.element.y"]).toEqual({ values: 7, nulls: 5, min: "a", max: "b" });
    const nan = boundsOf(
      await requireRoundTrip({ l: "list<double>?" }, [{ l: [1] }, { l: [Number.NaN, 2] }]),
    );
    expect(nan["l.list.element"]).toEqual({ values: 3, nulls: 0, min: undefined, max: undefined });
  });

  test.each([
    [
      "list<int>?",
      "list<int?>?",
      [[1], [2, null]],
      "column c of row group 0 is damaged in row 1 (found null in element",
    ],
    ["list<int?>", "list<int?>?", [[1], null], "in row 1 (found null in c"],
    [
      "struct<x:int>?",
      "struct<x:int?>?",
      [null, { x: 1 }, { x: null }],
      "in row 2 (found null in x",
    ],
    ["map<long>?", "map<long?>?", [{}, { k: null }], "in row 1 (found null in value"],
    [
      "list<struct<x:struct<y:int>>>?",
      "list<struct<x:struct<y:int?>?>?>?",
      [[{ x: { y: 1 } }], [{ x: { y: 2 } }, { x: { y: null } }]],
      "in row 1 (found null in y",
    ],
  ])("%s takes no null of a file with %s (PQ-16)", async (asked, stored, values, message) => {
    const schema = createTableSchema("t", { c: stored });
    const { bytes } = await writeFile(schema, [
      toBatch(
        schema,
        values.map((c) => ({ c })),
      ),
    ]);
    const strict = createTableSchema("t", { c: asked });
    const refusal = readRows(bytes, strict);
    await expect(refusal).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(refusal).rejects.toThrow(message);
    const whole = await writeFile(schema, [toBatch(schema, [{ c: values[0] }])]);
    if (values[0] !== null) expect(await readRows(whole.bytes, strict)).toHaveLength(1);
  });
});

describe("long values", () => {
  test("of a mebibyte each, alike to their last byte, in lists and maps", async () => {
    const head = "\u{10ffff}".repeat(MIB / 4 - 1);
    const rows = [
      { s: `${head}a`, l: [`${head}b`, "", null], m: { [head]: head } },
      { s: `${head}b`, l: [], m: {} },
      { s: "", l: null, m: null },
    ];
    const types = { s: "string?", l: "list<string?>?", m: "map<string?>?" };
    const bytes = await requireRoundTrip(types, rows, { codec: "zstd" });
    // No short text is greater than these.
    expect(boundsOf(bytes).s).toEqual({ values: 3, nulls: 0, min: undefined, max: undefined });
    expect(bytes.length).toBeLessThan(MIB);
  });

  test("are not kept until the file ends", async () => {
    const schema = createTableSchema("t", { s: "string", b: "bytes" });
    let written = 0;
    const writer = await openParquetWriter(
      async (bytes) => {
        written += bytes.length;
      },
      { schema, codec: "uncompressed", rowGroupRows: 1000, rowGroupBytes: 4 * MIB },
    );
    const random = new Uint8Array(MIB);
    for (let index = 0; index < MIB; index += 1) random[index] = (index * 7919) >> 3;
    const used = (): number => process.memoryUsage().arrayBuffers;
    const before = used();
    let most = 0;
    for (let row = 0; row < 120; row += 1) {
      random[0] = row;
      const text = `${row} ${"x".repeat(MIB)}`;
      await writer.writeOwned(toBatch(schema, [{ s: text, b: random }]));
      if (row % 20 === 19) {
        global.gc?.();
        most = Math.max(most, used() - before);
      }
    }
    await writer.close(new Map());
    expect(written).toBeGreaterThan(240 * MIB);
    expect(most).toBeLessThan(160 * MIB);
  });
});

test("a thousand columns, many of them five levels deep, in several row groups", async () => {
  const deep = "struct<a:list<struct<b:map<list<int?>?>?,c:string?>?>?,d:long?>?";
  const kinds = ["string?", deep, "decimal(18,4)?", "list<double?>?", "boolean?", "date?"];
  const types = Object.fromEntries(
    Array.from({ length: 1000 }, (_, at) => [`c${at}`, kinds[at % kinds.length] as string]),
  );
  const valueAt = (row: number, at: number): unknown => {
    const number = row * 31 + at;
    if (number % 4 === 0) return null;
    const many = [
      `text ${number}`,
      { a: [{ b: { k: [number, null], "": [] }, c: null }, null], d: BigInt(number) },
      `${number}.5000`,
      [number / 3, null],
      number % 3 === 0,
      new Date(number * 86_400_000),
    ];
    return many[at % kinds.length];
  };
  const rows = Array.from({ length: 5 }, (_, row) =>
    Object.fromEntries(Object.keys(types).map((name, at) => [name, valueAt(row, at)])),
  );
  const bytes = await requireRoundTrip(types, rows, { rowGroupRows: 2 });
  expect(parquetMetadata(bytes.slice().buffer as ArrayBuffer).row_groups).toHaveLength(3);
}, 30_000);
