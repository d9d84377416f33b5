// Column batches to and from apache-arrow.
import * as arrow from "apache-arrow";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { fromArrowBatch, toArrowBatch } from "../../src/format/arrow-batch.ts";
import type { ColumnBatch } from "../../src/format/column-batch.ts";
import { batchRows } from "../../src/format/row-batch.ts";
import { createTableSchema, type Field } from "../../src/format/schema.ts";
import {
  batchOf,
  contentOf,
  everyType,
  field,
  propertyOptions,
  sampleArbitrary,
  sampleColumns,
  type Value,
  valuesOf,
} from "./parquet-samples.ts";

const DAY = 86_400_000;

/** One column of values as a record batch. */
function arrowBatch(
  type: arrow.DataType,
  values: readonly unknown[],
  name = "c",
): arrow.RecordBatch {
  const vector = arrow.vectorFromArray(values as never[], type);
  const schema = new arrow.Schema([new arrow.Field(name, type, true)]);
  const data = arrow.makeData({
    type: new arrow.Struct(schema.fields),
    length: values.length,
    nullCount: 0,
    children: [vector.data[0]!],
  });
  return new arrow.RecordBatch(schema, data);
}

/** A record batch around buffers of any kind. */
function rawBatch(
  type: arrow.DataType,
  length: number,
  buffers: Record<string, unknown>,
): arrow.RecordBatch {
  const schema = new arrow.Schema([new arrow.Field("c", type, true)]);
  const child = arrow.makeData({ type, length, ...buffers } as never);
  const data = arrow.makeData({
    type: new arrow.Struct(schema.fields),
    length,
    nullCount: 0,
    children: [child],
  });
  return new arrow.RecordBatch(schema, data);
}

function read(batch: arrow.RecordBatch, asked: Field): Value[] {
  return valuesOf(fromArrowBatch(batch, { name: "n", fields: [asked] }).columns[0]!);
}

describe("to Arrow (AR-1)", () => {
  test("and back, random batches keep every value", async () => {
    await fc.assert(
      fc.asyncProperty(sampleArbitrary, async (sample) => {
        const schema = { name: "n", fields: sample.fields };
        for (const columns of sample.batches) {
          const batch = batchOf(sample.fields, columns);
          const recordBatch = await toArrowBatch(batch);
          expect(contentOf(fromArrowBatch(recordBatch, schema))).toStrictEqual(contentOf(batch));
        }
        expect(Object.keys(sampleColumns(sample)).length).toBe(sample.fields.length);
      }),
      propertyOptions(100),
    );
  }, 30_000);

  test("the library sees types and values, also through its IPC format", async () => {
    const fields = everyType(true);
    const columns: Value[][] = [
      ["a", null, "é"],
      [true, null, false],
      [1, null, -1],
      [2n ** 62n, null, -1n],
      [0.5, null, -0.5],
      [0.5, null, -0.5],
      ["xy", null, ""],
      [1, null, -1],
      [1_000_000n, null, -1n],
      [12345n, null, -12345n],
      [10n ** 18n - 1n, null, -1n],
      [10n ** 38n - 1n, null, 1n - 10n ** 38n],
    ];
    const batch = await toArrowBatch(batchOf(fields, columns));
    expect(batch.schema.fields.map(({ type, nullable }) => `${type} ${nullable}`)).toEqual([
      "Utf8 true",
      "Bool true",
      "Int32 true",
      "Int64 true",
      "Float32 true",
      "Float64 true",
      "Binary true",
      "Date32<DAY> true",
      "Timestamp<MICROSECOND, UTC> true",
      "Decimal[5e+2] true",
      "Decimal[18e+6] true",
      "Decimal[38e+10] true",
    ]);
    const table = arrow.tableFromIPC(arrow.tableToIPC(new arrow.Table([batch])));
    const rows = table.toArray().map((row) => row.toJSON());
    expect(rows[0]).toMatchObject({
      s: "a",
      b: true,
      i: 1,
      l: 2n ** 62n,
      d: 0.5,
      dt: DAY,
      ts: 1000,
    });
    expect(Object.values(rows[1]!)).toEqual(Array(12).fill(null));
    expect(contentOf(fromArrowBatch(table.batches[0]!, { name: "n", fields }))).toEqual(
      Object.fromEntries(fields.map(({ name }, index) => [name, columns[index]])),
    );
  });

  test("numbers and strings share their buffers", async () => {
    const fields = [field("l", "long"), field("s", "string")];
    const batch = batchOf(fields, [
      [1n, 2n],
      ["a", "b"],
    ]);
    const first = await toArrowBatch(batch);
    expect(first.data.children[0]!.values.buffer).toBe(
      (batch.columns[0] as { values: BigInt64Array }).values.buffer,
    );
    expect(first.data.children[1]!.values.buffer).toBe(
      (batch.columns[1] as { data: Uint8Array }).data.buffer,
    );
  });
});

describe("from Arrow (AR-2)", () => {
  test.each<[string, arrow.DataType, unknown[], Parameters<typeof field>[1], Value[]]>([
    ["Utf8", new arrow.Utf8(), ["a", null, ""], "string", ["a", null, ""]],
    ["LargeUtf8", new arrow.LargeUtf8(), ["a", null, "é"], "string", ["a", null, "é"]],
    [
      "a dictionary of strings",
      new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8()),
      ["b", null, "a", "b"],
      "string",
      ["b", null, "a", "b"],
    ],
    ["Bool", new arrow.Bool(), [true, null, false], "boolean", [true, null, false]],
    ["Int8", new arrow.Int8(), [-128, null, 127], "int", [-128, null, 127]],
    ["Int16", new arrow.Int16(), [-1, null], "int", [-1, null]],
    ["Int32", new arrow.Int32(), [2 ** 31 - 1, null], "int", [2 ** 31 - 1, null]],
    ["Int32 as long", new arrow.Int32(), [-5, null], "long", [-5n, null]],
    ["Int64", new arrow.Int64(), [2n ** 60n, null], "long", [2n ** 60n, null]],
    ["Float32", new arrow.Float32(), [0.5, null], "double", [0.5, null]],
    ["Float64", new arrow.Float64(), [0.1, null], "double", [0.1, null]],
    ["days", new arrow.DateDay(), [new Date(-DAY), null], "date", [-1, null]],
    [
      "days in milliseconds",
      new arrow.DateMillisecond(),
      [new Date(-DAY), null],
      "date",
      [-1, null],
    ],
    [
      "JavaScript dates",
      new arrow.DateMillisecond(),
      [new Date(-1), null],
      "timestamp-micros",
      [-1000n, null],
    ],
    [
      "seconds",
      new arrow.TimestampSecond(),
      [-2000, null],
      "timestamp-micros",
      [-2_000_000n, null],
    ],
    [
      "milliseconds",
      new arrow.TimestampMillisecond("UTC"),
      [-5, null],
      "timestamp-micros",
      [-5000n, null],
    ],
  ])("%s", (_, type, values, kind, expected) => {
    expect(read(arrowBatch(type, values), field("c", kind))).toEqual(expected);
  });

  test("microseconds and nanoseconds are exact", () => {
    const values = new BigInt64Array([-(2n ** 63n), 2n ** 63n - 1n]);
    const micros = rawBatch(new arrow.TimestampMicrosecond(), 2, { data: values, nullCount: 0 });
    expect(read(micros, field("c", "timestamp-micros"))).toEqual([...values]);
    const nanos = rawBatch(new arrow.TimestampNanosecond(), 1, {
      data: new BigInt64Array([-7000n]),
      nullCount: 0,
    });
    expect(read(nanos, field("c", "timestamp-micros"))).toEqual([-7n]);
  });

  test("a slice of a batch, at any offset", () => {
    const rows = Array.from({ length: 40 }, (_, row) => (row % 5 === 0 ? null : row));
    const fields = [field("s", "string"), field("b", "boolean"), field("l", "long")];
    const table = new arrow.Table({
      s: arrow.vectorFromArray(
        rows.map((row) => (row === null ? null : `é${row}`)),
        new arrow.Utf8(),
      ),
      b: arrow.vectorFromArray(
        rows.map((row) => (row === null ? null : row % 2 === 0)),
        new arrow.Bool(),
      ),
      l: arrow.vectorFromArray(
        rows.map((row) => (row === null ? null : BigInt(row))),
        new arrow.Int64(),
      ),
    });
    for (const [from, to] of [
      [0, 40],
      [1, 40],
      [7, 23],
      [8, 16],
      [13, 13],
      [39, 40],
    ] as const) {
      const batch = table.batches[0]!.slice(from, to);
      const part = rows.slice(from, to);
      expect(contentOf(fromArrowBatch(batch, { name: "n", fields }))).toEqual({
        s: part.map((row) => (row === null ? null : `é${row}`)),
        b: part.map((row) => (row === null ? null : row % 2 === 0)),
        l: part.map((row) => (row === null ? null : BigInt(row))),
      });
    }
  });

  test("columns are matched by name, whatever their order", () => {
    const table = new arrow.Table({
      b: arrow.vectorFromArray([1], new arrow.Int32()),
      a: arrow.vectorFromArray(["x"], new arrow.Utf8()),
    });
    const batch = fromArrowBatch(table.batches[0]!, {
      name: "n",
      fields: [field("a", "string"), field("b", "int")],
    });
    expect(contentOf(batch)).toEqual({ a: ["x"], b: [1] });
  });
});

describe("from Arrow it refuses (AR-3)", () => {
  const refusal = (
    batch: arrow.RecordBatch,
    asked: Field | Field[],
  ): { code: string; message: string } => {
    try {
      fromArrowBatch(batch, { name: "n", fields: [asked].flat() }, "batch 3");
    } catch (error) {
      return error as { code: string; message: string };
    }
    throw new Error("nothing was refused");
  };

  test.each<[string, arrow.RecordBatch, Field, string]>([
    [
      "another type",
      arrowBatch(new arrow.Utf8(), ["x"]),
      field("c", "int"),
      "column c (int?): found Arrow type Utf8",
    ],
    [
      "a wider number",
      arrowBatch(new arrow.Int64(), [1n]),
      field("c", "int"),
      "found Arrow type Int64",
    ],
    [
      "an unsigned number",
      arrowBatch(new arrow.Uint32(), [1]),
      field("c", "long"),
      "found Arrow type Uint32",
    ],
    [
      "another scale",
      arrowBatch(new arrow.Decimal(3, 10), [null]),
      field("c", [10, 2]),
      "found Arrow type Decimal[10e+3]",
    ],
    [
      "null where none may be",
      arrowBatch(new arrow.Int32(), [1, 2, null]),
      field("c", "int", false),
      "column c (int) holds null in row 2",
    ],
    [
      "part of a day",
      arrowBatch(new arrow.DateMillisecond(), [null, new Date(DAY + 1)]),
      field("c", "date"),
      "found 86400001 milliseconds in row 1",
    ],
    [
      "a time beyond the range",
      rawBatch(new arrow.TimestampSecond(), 1, { data: new BigInt64Array([2n ** 60n]) }),
      field("c", "timestamp-micros"),
      "in row 0, expected whole microseconds",
    ],
    [
      "part of a microsecond",
      rawBatch(new arrow.TimestampNanosecond(), 1, { data: new BigInt64Array([1n]) }),
      field("c", "timestamp-micros"),
      "in row 0, expected whole microseconds",
    ],
    [
      "days as a time",
      arrowBatch(new arrow.DateDay(), [new Date(0)]),
      field("c", "timestamp-micros"),
      "found Arrow type Date32<DAY>",
    ],
    [
      "too many digits",
      rawBatch(new arrow.Decimal(2, 5), 1, { data: new Uint32Array([100_000, 0, 0, 0]) }),
      field("c", [5, 2]),
      "found unscaled value 100000 in row 0, expected at most 5 digits",
    ],
    [
      "bytes that are no text",
      rawBatch(new arrow.Utf8(), 2, {
        data: new Uint8Array([0x61, 0xff]),
        valueOffsets: new Int32Array([0, 1, 2]),
      }),
      field("c", "string"),
      "found bytes that are not UTF-8 in row 1",
    ],
    [
      "a character cut in two",
      rawBatch(new arrow.Utf8(), 2, {
        data: new Uint8Array([0xc3, 0xa9]),
        valueOffsets: new Int32Array([0, 1, 2]),
      }),
      field("c", "string"),
      "found bytes that are not UTF-8 in row 0",
    ],
  ])("%s", (_, batch, asked, message) => {
    const error = refusal(batch, asked);
    expect(error).toMatchObject({ name: "HudiError", code: "INVALID" });
    expect(error.message).toContain(message);
    expect(error.message).toMatch(/^cannot use batch 3: /);
  });

  test.each<[string, arrow.RecordBatch, Field]>([
    [
      "values",
      rawBatch(new arrow.Int32(), 9, { data: new Int32Array(8), nullCount: 0 }),
      field("c", "int"),
    ],
    [
      "bits",
      rawBatch(new arrow.Bool(), 9, { data: new Uint8Array(1), nullCount: 0 }),
      field("c", "boolean"),
    ],
    [
      "offsets",
      rawBatch(new arrow.Utf8(), 3, {
        data: new Uint8Array(9),
        valueOffsets: new Int32Array([0, 1, 2]),
        nullCount: 0,
      }),
      field("c", "string"),
    ],
    [
      "text",
      rawBatch(new arrow.Utf8(), 2, {
        data: new Uint8Array(1),
        valueOffsets: new Int32Array([0, 1, 2]),
        nullCount: 0,
      }),
      field("c", "string"),
    ],
    [
      "offsets that go back",
      rawBatch(new arrow.Utf8(), 2, {
        data: new Uint8Array(9),
        valueOffsets: new Int32Array([0, 5, 2]),
        nullCount: 0,
      }),
      field("c", "string"),
    ],
    [
      "negative offsets",
      rawBatch(new arrow.Utf8(), 1, {
        data: new Uint8Array(9),
        valueOffsets: new Int32Array([-4, 2]),
        nullCount: 0,
      }),
      field("c", "string"),
    ],
    [
      "validity",
      rawBatch(new arrow.Int32(), 9, {
        data: new Int32Array(9),
        nullBitmap: new Uint8Array(1),
        nullCount: 1,
      }),
      field("c", "int"),
    ],
    [
      "decimals",
      rawBatch(new arrow.Decimal(2, 5), 2, { data: new Uint32Array(7), nullCount: 0 }),
      field("c", [5, 2]),
    ],
  ])("buffers that are too short: %s", (_, batch, asked) => {
    const error = refusal(batch, asked);
    expect(error).toMatchObject({ name: "HudiError", code: "INVALID" });
    expect(error.message).toMatch(/^cannot use batch 3: column c \(/);
  });

  const ints = (length: number, more: object = {}): arrow.Data =>
    arrow.makeData({
      type: new arrow.Int32(),
      length,
      nullCount: 0,
      data: new Int32Array(length),
      ...more,
    } as never);
  const listOf = (type: arrow.DataType): arrow.List =>
    new arrow.List(new arrow.Field("element", type, true));
  const mapType = new arrow.Map_(
    new arrow.Field(
      "entries",
      new arrow.Struct([
        new arrow.Field("key", new arrow.Utf8(), false),
        new arrow.Field("value", new arrow.Int32(), true),
      ] as never),
      false,
    ) as never,
  );
  const listBatch = (offsets: number[], child: arrow.Data, more: object = {}): arrow.RecordBatch =>
    rawBatch(listOf(child.type), offsets.length - 1, {
      valueOffsets: Int32Array.from(offsets),
      nullCount: 0,
      child,
      ...more,
    });
  const texts = (length: number): arrow.Data =>
    arrow.makeData({
      type: new arrow.Utf8(),
      length,
      nullCount: 0,
      data: new Uint8Array(length),
      valueOffsets: Int32Array.from({ length: length + 1 }, (_, row) => row),
    });
  const structBatch = (length: number, children: arrow.Data[]): arrow.RecordBatch => {
    const fields = children.map(({ type }, at) => new arrow.Field(`f${at}`, type, true));
    return rawBatch(new arrow.Struct(fields), length, { nullCount: 0, children });
  };
  const entries = (length: number, keys: arrow.Data, values: arrow.Data): arrow.Data =>
    arrow.makeData({
      type: mapType.children[0]!.type as arrow.Struct,
      length,
      nullCount: 0,
      children: [keys, values],
    } as never);
  const longOffsets = (...offsets: bigint[]): arrow.RecordBatch =>
    rawBatch(new arrow.LargeUtf8(), offsets.length - 1, {
      data: new Uint8Array(9),
      valueOffsets: BigInt64Array.from(offsets),
      nullCount: 0,
    });

  test.each<[string, arrow.RecordBatch, string, RegExp]>([
    ["offsets beyond the items", listBatch([0, 2, 4], ints(3)), "list<int?>", /leave its items/],
    ["offsets of lists that go back", listBatch([0, 3, 1], ints(3)), "list<int?>", /go back/],
    ["offsets of lists below 0", listBatch([-1, 1], ints(3)), "list<int?>", /go back/],
    [
      "too few offsets of lists",
      listBatch([0, 1, 2], ints(3), { valueOffsets: Int32Array.of(0, 1) }),
      "list<int?>",
      /offsets are short/,
    ],
    [
      "items that are not there",
      listBatch([0, 3], ints(3, { data: new Int32Array(2) })),
      "list<int?>",
      /c\.element .*values are short/,
    ],
    [
      "items of a claimed number",
      listBatch([0, 2 ** 31 - 1], ints(2, { length: 2 ** 31 - 1 })),
      "list<int?>",
      /c\.element .*values are short/,
    ],
    [
      "lists in lists beyond their items",
      listBatch(
        [0, 2],
        arrow.makeData({
          type: listOf(new arrow.Int32()),
          length: 2,
          nullCount: 0,
          valueOffsets: Int32Array.of(0, 1, 9),
          child: ints(3),
        }),
      ),
      "list<list<int?>?>",
      /c\.element .*leave its items/,
    ],
    [
      "a column in a struct with fewer rows",
      structBatch(3, [ints(3), ints(2)]),
      "struct<f0:int?,f1:int?>",
      /c\.f1 .*it has 2 rows, the batch 3/,
    ],
    [
      "a column in a struct with fewer values",
      structBatch(3, [ints(3), ints(3, { data: new Int32Array(2) })]),
      "struct<f0:int?,f1:int?>",
      /c\.f1 .*values are short/,
    ],
    [
      "a column in a struct with a short bitmap",
      structBatch(9, [ints(9, { nullCount: 1, nullBitmap: new Uint8Array(1) })]),
      "struct<f0:int?>",
      /c\.f0 .*bitmap is short/,
    ],
    [
      "keys of a map beyond their entries",
      rawBatch(mapType, 1, {
        nullCount: 0,
        valueOffsets: Int32Array.of(0, 3),
        child: entries(2, texts(2), ints(2)),
      }),
      "map<int?>",
      /leave its items/,
    ],
    [
      "values of a map that are fewer than its keys",
      rawBatch(mapType, 1, {
        nullCount: 0,
        valueOffsets: Int32Array.of(0, 2),
        child: entries(2, texts(2), ints(1)),
      }),
      "map<int?>",
      /c\.key_value\.value .*it has 1 rows, the batch 2/,
    ],
    [
      "nulls that no bitmap shows",
      rawBatch(new arrow.Int32(), 3, { data: new Int32Array(3), nullCount: 2 }),
      "int?",
      /claims 2 nulls and has no validity bitmap/,
    ],
    ["long offsets that go back", longOffsets(0n, 5n, 2n), "string?", /go back/],
    [
      "long offsets that are the same in 32 bits",
      longOffsets(0n, 2n ** 40n, 5n),
      "string?",
      /go back/,
    ],
    ["long offsets beyond 2 GiB", longOffsets(0n, 5n, 2n ** 40n), "string?", /more than 2 GiB/],
    ["long offsets below 0", longOffsets(-(2n ** 32n), 1n), "string?", /go back/],
    [
      "a slice beyond its values",
      rawBatch(new arrow.Bool(), 8, { data: new Uint8Array(1), nullCount: 0, offset: 3 }),
      "boolean?",
      /values are short/,
    ],
  ])("buffers that lie: %s", (_, batch, type, message) => {
    const { fields } = createTableSchema("t", { c: type });
    const error = refusal(batch, fields as Field[]);
    expect(error).toMatchObject({ name: "HudiError", code: "INVALID" });
    expect(error.message).toMatch(/^cannot use batch 3: column c/);
    expect(error.message).toMatch(message);
  });

  test("no null of a bitmap is overlooked, whatever its count claims", () => {
    const nulls = { data: Int32Array.of(1, 2, 3), nullBitmap: Uint8Array.of(0b101), nullCount: 0 };
    const batch = rawBatch(new arrow.Int32(), 3, nulls);
    expect(read(batch, field("c", "int"))).toEqual([1, null, 3]);
    expect(refusal(batch, field("c", "int", false)).message).toContain("holds null in row 1");
  });

  test("what lies below a null is not looked at", () => {
    const half = ints(2, { nullBitmap: Uint8Array.of(0b01), nullCount: 1 });
    const type = new arrow.Struct([new arrow.Field("x", half.type, false)]);
    const some = { nullCount: 1, nullBitmap: Uint8Array.of(0b01), children: [half] };
    const { fields } = createTableSchema("t", { c: "struct<x:int>?" });
    const rows = (batch: arrow.RecordBatch, asked: readonly Field[]): unknown[] =>
      [...batchRows(fromArrowBatch(batch, { name: "t", fields: asked }))].map(({ c }) => c);
    expect(rows(rawBatch(type, 2, some), fields)).toEqual([{ x: 0 }, null]);
    const all = { ...some, nullCount: 0, nullBitmap: undefined };
    expect(refusal(rawBatch(type, 2, all), fields as Field[]).message).toMatch(
      /found null in x, expected a value/,
    );
    // A null list that has items, and items before the first list.
    const items = ints(4, { nullBitmap: Uint8Array.of(0b0110), nullCount: 2 });
    const lists = listBatch([1, 3, 4], items, { nullBitmap: Uint8Array.of(0b01), nullCount: 1 });
    const { fields: asked } = createTableSchema("t", { c: "list<int>?" });
    expect(rows(lists, asked)).toEqual([[0, 0], null]);
    expect(refusal(listBatch([1, 3, 4], items), asked as Field[]).message).toMatch(
      /found null in element/,
    );
  });

  test("dictionary keys without an entry, and columns that are unknown or missing", () => {
    const type = new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32());
    const dictionary = arrow.vectorFromArray(["a"], new arrow.Utf8());
    const keys = rawBatch(type, 1, { data: new Int32Array([4]), dictionary, nullCount: 0 });
    expect(refusal(keys, field("c", "string")).message).toContain(
      "found dictionary key 4 in row 0, which has no entry",
    );
    const below = rawBatch(type, 1, { data: new Int32Array([-1]), dictionary, nullCount: 0 });
    expect(refusal(below, field("c", "string")).message).toContain("found dictionary key -1");
    const entries = arrow.makeData({
      type: new arrow.Utf8(),
      length: 2,
      nullCount: 0,
      data: new Uint8Array(9),
      valueOffsets: new Int32Array([0, 5, 2]),
    });
    const lying = new arrow.Vector([entries]);
    const back = rawBatch(type, 1, { data: new Int32Array([0]), dictionary: lying, nullCount: 0 });
    expect(refusal(back, field("c", "string"))).toMatchObject({ code: "INVALID" });
    const batch = arrowBatch(new arrow.Int32(), [1]);
    expect(refusal(batch, field("d", "int")).message).toBe(
      'cannot use batch 3: unknown column "c", expected d',
    );
    expect(refusal(batch, [field("c", "int"), field("d", "int")]).message).toContain(
      "it lacks column d, expected c, d",
    );
  });

  test("nothing of a batch without rows", () => {
    const fields = everyType(false);
    const empty: ColumnBatch = batchOf(
      fields,
      fields.map(() => []),
    );
    return toArrowBatch(empty).then((batch) => {
      expect(fromArrowBatch(batch, { name: "n", fields }).rowCount).toBe(0);
    });
  });
});
