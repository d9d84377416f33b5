// Columns of every type to Arrow and back, and Arrow columns whose buffers lie.
import * as arrow from "apache-arrow";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { fromArrowBatch, toArrowBatch } from "../../src/format/arrow-batch.ts";
import { createTableSchema, type Field, type TableSchema } from "../../src/format/schema.ts";
import { ALL_TYPES, batchOf, columnsOf, valuesIn } from "./column-samples.ts";

const INSIDE = Object.entries(ALL_TYPES)
  .map(([name, type]) => `${name}:${type}`)
  .join(",");
const SCHEMA: TableSchema = createTableSchema("t", {
  ...ALL_TYPES,
  row: `struct<${INSIDE}>?`,
  digests: "list<fixed(3)?>?",
  sizes: "map<enum(A,B)?>?",
  clocks: "map<list<time-micros>?>?",
});

const LOCAL: TableSchema = {
  name: "t",
  fields: (["local-timestamp-millis", "local-timestamp-micros"] as const).map(
    (kind, id): Field => ({ id, name: `c${id}`, type: { kind }, nullable: true }),
  ),
};

describe.each([
  ["every type, inside others too", SCHEMA],
  ["local times", LOCAL],
])("%s", (_, schema) => {
  test("come back from Arrow and from its IPC format as they were (AR-1, AR-2)", async () => {
    await fc.assert(
      fc.asyncProperty(columnsOf(schema, 12), async (columns) => {
        const batch = batchOf(schema, columns);
        const direct = await toArrowBatch(batch);
        const bytes = arrow.tableToIPC(new arrow.Table([direct]), "stream");
        const [read = direct] = arrow.tableFromIPC(bytes).batches;
        for (const recordBatch of [direct, read]) {
          const back = fromArrowBatch(recordBatch, schema);
          for (const [index, field] of schema.fields.entries()) {
            const column = back.columns[index];
            if (!column) throw new Error("a column is missing");
            expect(valuesIn(field, column)).toEqual(columns[field.name] ?? []);
          }
        }
      }),
      { numRuns: 60 },
    );
  }, 30_000);
});

/** A column of one type from Arrow. */
function read(type: arrow.DataType, text: string, length: number, parts: object): unknown[] {
  const schema = createTableSchema("t", { c: text });
  const outer = new arrow.Schema([new arrow.Field("c", type, true)]);
  const child = arrow.makeData({ type, length, nullCount: 0, ...parts } as never);
  const data = arrow.makeData({
    type: new arrow.Struct(outer.fields),
    length,
    nullCount: 0,
    children: [child],
  });
  const batch = fromArrowBatch(new arrow.RecordBatch(outer, data), schema, "batch 3");
  const [field] = schema.fields;
  const [column] = batch.columns;
  if (!field || !column) throw new Error("no column came back");
  return valuesIn(field, column);
}

const longs = (...values: bigint[]): object => ({ data: new BigInt64Array(values) });
const ints = (...values: number[]): object => ({ data: new Int32Array(values) });
const texts = (...values: string[]): object => {
  const data = Buffer.from(values.join(""));
  let end = 0;
  const ends = values.map((value) => {
    end += Buffer.byteLength(value);
    return end;
  });
  return { data: new Uint8Array(data), valueOffsets: Int32Array.of(0, ...ends) };
};

describe("times, bytes and symbols of Arrow (AR-2)", () => {
  const binary = texts("abc", "xyz");

  test.each<[string, arrow.DataType, string, number, object, unknown[]]>([
    ["seconds of a day", new arrow.TimeSecond(), "time-millis", 1, ints(86_399), [86_399_000]],
    ["milliseconds as micros", new arrow.TimeMillisecond(), "time-micros", 1, ints(5), [5000n]],
    ["whole millis of micros", new arrow.TimeMicrosecond(), "time-millis", 1, longs(7000n), [7]],
    ["nanoseconds", new arrow.TimeNanosecond(), "time-micros", 1, longs(9000n), [9n]],
    [
      "micros as millis",
      new arrow.TimestampMicrosecond("UTC"),
      "timestamp-millis",
      1,
      longs(-4000n),
      [-4n],
    ],
    ["seconds as millis", new arrow.TimestampSecond(), "timestamp-millis", 1, longs(3n), [3000n]],
    [
      "bytes of one length",
      new arrow.Binary(),
      "fixed(3)",
      2,
      binary,
      [Buffer.from("abc"), Buffer.from("xyz")].map((b) => new Uint8Array(b)),
    ],
    ["texts that are symbols", new arrow.Utf8(), "enum(abc,xyz)", 2, binary, ["abc", "xyz"]],
  ])("%s", (_, type, text, length, parts, expected) => {
    expect(read(type, text, length, parts)).toEqual(expected);
  });
});

describe("what Arrow columns may not hold (AR-3)", () => {
  test.each<[string, arrow.DataType, string, number, object, RegExp]>([
    [
      "a time beyond the day",
      new arrow.TimeMillisecond(),
      "time-millis",
      2,
      ints(0, 86_400_000),
      /86400000 of .* in row 1, expected a time of a day/,
    ],
    [
      "a time before the day",
      new arrow.TimeMicrosecond(),
      "time-micros",
      1,
      longs(-1n),
      /-1 of .* in row 0/,
    ],
    [
      "part of a millisecond",
      new arrow.TimeMicrosecond(),
      "time-millis",
      1,
      longs(1n),
      /whole milliseconds/,
    ],
    [
      "part of a microsecond",
      new arrow.TimeNanosecond(),
      "time-micros",
      1,
      longs(1n),
      /whole microseconds/,
    ],
    [
      "millis finer than they are",
      new arrow.TimestampMicrosecond(),
      "timestamp-millis",
      1,
      longs(1n),
      /whole milliseconds in 64 bits/,
    ],
    [
      "seconds beyond 64 bits",
      new arrow.TimestampSecond(),
      "timestamp-millis",
      1,
      longs(2n ** 62n),
      /in 64 bits/,
    ],
    ["a number for a time", new arrow.Int32(), "time-millis", 1, ints(5), /found Arrow type Int32/],
    [
      "bytes of another length",
      new arrow.Binary(),
      "fixed(3)",
      1,
      texts("ab"),
      /2 bytes in row 0, expected 3/,
    ],
    [
      "a fixed of another width",
      new arrow.FixedSizeBinary(4),
      "fixed(3)",
      1,
      { data: new Uint8Array(4) },
      /FixedSizeBinary/,
    ],
    ["a text for a fixed", new arrow.Utf8(), "fixed(3)", 1, texts("abc"), /found Arrow type Utf8/],
    [
      "a symbol of no enum",
      new arrow.Utf8(),
      "enum(A,B)",
      2,
      texts("A", "C"),
      /symbol "C" in row 1, expected one of A, B/,
    ],
    ["an empty symbol", new arrow.Utf8(), "enum(A,B)", 1, texts(""), /symbol "" in row 0/],
  ])("%s is refused, with batch, column and row", (_, type, text, length, parts, message) => {
    const name = /^cannot use batch 3: column c \(/;
    expect(() => read(type, text, length, parts)).toThrow(
      expect.objectContaining({ code: "INVALID", message: expect.stringMatching(message) }),
    );
    expect(() => read(type, text, length, parts)).toThrow(name);
  });

  test("buffers cut at any place are an error of ours, never values", async () => {
    let refused = 0;
    const cuts = fc.record({
      columns: columnsOf(SCHEMA, 20),
      column: fc.nat(SCHEMA.fields.length - 1),
      depth: fc.nat(4),
      buffer: fc.constantFrom("values", "valueOffsets", "nullBitmap"),
      keep: fc.nat(12),
    });
    await fc.assert(
      fc.asyncProperty(cuts, async ({ columns, column, depth, buffer, keep }) => {
        const batch = await toArrowBatch(batchOf(SCHEMA, columns));
        let data = batch.data.children[column] as arrow.Data;
        for (let at = 0; at < depth && data.children[0]; at += 1) {
          data = data.children[at % data.children.length] as arrow.Data;
        }
        const cut = (data as unknown as Record<string, Uint8Array | undefined>)[buffer];
        if (!cut || cut.length === 0) return;
        Object.defineProperty(data, buffer, {
          value: cut.slice(0, Math.min(keep, cut.length - 1)),
        });
        try {
          const back = fromArrowBatch(batch, SCHEMA);
          // What was cut off held nothing: values and offsets of no rows, padding.
          for (const [index, field] of SCHEMA.fields.entries()) {
            const found = back.columns[index];
            if (found) expect(valuesIn(field, found)).toHaveLength(batch.numRows);
          }
        } catch (error) {
          if (!isHudiError(error)) throw error;
          refused += 1;
        }
      }),
      { numRuns: 400 },
    );
    expect(refused).toBeGreaterThan(30);
  }, 30_000);
});
