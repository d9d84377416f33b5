// Column types in files: what is written, as another reader sees it, and what is read from files of others.
import * as arrow from "apache-arrow";
import { parquetMetadata } from "hyparquet";
import * as wasm from "parquet-wasm";
import { describe, expect, test } from "vitest";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
import type { ColumnType, Field } from "../../src/format/schema.ts";
import { formatType, parseFieldType } from "../../src/format/schema.ts";
import { toColumn } from "../../src/format/stored-column.ts";
import { ALL_SCHEMA, batchOf, valuesIn } from "./column-samples.ts";
import { memorySource, writeFile } from "./parquet-samples.ts";

/** The column `c` of a file, read as a type. */
async function readAs(bytes: Uint8Array, type: ColumnType): Promise<unknown[]> {
  const field: Field = { id: 0, name: "c", type, nullable: true };
  const reader = await openParquetFile(memorySource(bytes));
  const values: unknown[] = [];
  for (let group = 0; group < reader.rowGroups.length; group += 1) {
    for await (const batch of reader.readBatches(group, [field], { batchRows: 1024 })) {
      const [column] = batch.columns;
      if (column) values.push(...valuesIn(field, column));
    }
  }
  return values;
}

const typeOf = (text: string): ColumnType => parseFieldType("c", text).type;

async function writeColumn(type: ColumnType, values: readonly unknown[]): Promise<Uint8Array> {
  const schema = { name: "t", fields: [{ id: 0, name: "c", type, nullable: true }] };
  const { bytes } = await writeFile(schema, [batchOf(schema, { c: values })]);
  return bytes;
}

/** A file of parquet-wasm with one column. */
function foreignFile(type: arrow.DataType, buffers: object, length: number): Uint8Array {
  const data = arrow.makeData({ type, length, nullCount: 0, ...buffers } as never);
  const table = new arrow.Table({ c: new arrow.Vector([data]) });
  return wasm.writeParquet(wasm.Table.fromIPCStream(arrow.tableToIPC(table, "stream")));
}

describe("types in files (PQ-5)", () => {
  test.each<[string, object]>([
    ["fixed(3)", { type: "FIXED_LEN_BYTE_ARRAY", type_length: 3 }],
    ["enum(A,B)", { type: "BYTE_ARRAY", converted_type: "ENUM", logical_type: { type: "ENUM" } }],
    ["time-millis", { type: "INT32" }],
    ["time-micros", { type: "INT64" }],
    [
      "timestamp-millis",
      {
        type: "INT64",
        converted_type: "TIMESTAMP_MILLIS",
        logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
      },
    ],
  ])("%s is stored as Hudi's readers take it", async (text, expected) => {
    const bytes = await writeColumn(typeOf(text), [null]);
    const { schema } = parquetMetadata(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer,
    );
    const {
      name: _,
      repetition_type: __,
      ...element
    } = schema[1] as unknown as Record<string, unknown>;
    const told = Object.fromEntries(
      Object.entries(element).filter(([, value]) => value !== undefined),
    );
    expect(told).toEqual(expected);
  });

  test("a time is no annotated one: engines read those wrongly or not at all", async () => {
    const bytes = await writeColumn(typeOf("time-micros"), [1n]);
    expect(wasm.readParquet(bytes).intoIPCStream()).toBeTruthy();
    const [field] = arrow.tableFromIPC(wasm.readParquet(bytes).intoIPCStream()).schema.fields;
    expect(String(field?.type)).toBe("Int64");
  });

  test.each<[string, arrow.DataType, object, string, unknown[]]>([
    ["TIME(MILLIS)", new arrow.TimeMillisecond(), { data: Int32Array.of(5) }, "time-millis", [5]],
    [
      "TIME(MICROS)",
      new arrow.TimeMicrosecond(),
      { data: BigInt64Array.of(5n) },
      "time-micros",
      [5n],
    ],
    ["INT32", new arrow.Int32(), { data: Int32Array.of(7) }, "time-millis", [7]],
    ["INT64", new arrow.Int64(), { data: BigInt64Array.of(7n) }, "time-micros", [7n]],
    [
      "TIME(MILLIS) as a number",
      new arrow.TimeMillisecond(),
      { data: Int32Array.of(5) },
      "int",
      [5],
    ],
    [
      "TIMESTAMP(MILLIS)",
      new arrow.TimestampMillisecond("UTC"),
      { data: BigInt64Array.of(-1n) },
      "timestamp-millis",
      [-1n],
    ],
    [
      "TIMESTAMP(MILLIS) as micros",
      new arrow.TimestampMillisecond("UTC"),
      { data: BigInt64Array.of(-1n) },
      "timestamp-micros",
      [-1000n],
    ],
    [
      "whole TIMESTAMP(MICROS)",
      new arrow.TimestampMicrosecond("UTC"),
      { data: BigInt64Array.of(-2000n) },
      "timestamp-millis",
      [-2n],
    ],
    [
      "a local time",
      new arrow.TimestampMicrosecond(),
      { data: BigInt64Array.of(-1n) },
      "local-timestamp-micros",
      [-1n],
    ],
    [
      "a local time in milliseconds",
      new arrow.TimestampMillisecond(),
      { data: BigInt64Array.of(3n) },
      "local-timestamp-micros",
      [3000n],
    ],
    [
      "FIXED_LEN_BYTE_ARRAY",
      new arrow.FixedSizeBinary(2),
      { data: Uint8Array.of(1, 255) },
      "fixed(2)",
      [Uint8Array.of(1, 255)],
    ],
    [
      "FIXED_LEN_BYTE_ARRAY as bytes",
      new arrow.FixedSizeBinary(2),
      { data: Uint8Array.of(1, 255) },
      "bytes",
      [Uint8Array.of(1, 255)],
    ],
    [
      "BYTE_ARRAY of one length",
      new arrow.Binary(),
      { data: Uint8Array.of(1, 2), valueOffsets: Int32Array.of(0, 2) },
      "fixed(2)",
      [Uint8Array.of(1, 2)],
    ],
    [
      "STRING",
      new arrow.Utf8(),
      { data: Uint8Array.of(65), valueOffsets: Int32Array.of(0, 1) },
      "enum(A,B)",
      ["A"],
    ],
  ])("%s of another writer is read as its type", async (_, type, buffers, text, expected) => {
    expect(await readAs(foreignFile(type, buffers, 1), typeOf(text))).toEqual(expected);
  });

  test.each<[string, arrow.DataType, object, string, RegExp]>([
    [
      "micros finer than millis",
      new arrow.TimestampMicrosecond("UTC"),
      { data: BigInt64Array.of(-1n) },
      "timestamp-millis",
      /row 0.*-1 of 1000 nanoseconds each, finer than/,
    ],
    [
      "millis beyond micros",
      new arrow.TimestampMillisecond("UTC"),
      { data: BigInt64Array.of(2n ** 62n) },
      "timestamp-micros",
      /row 0.*beyond what timestamp-micros holds/,
    ],
    [
      "bytes of another length",
      new arrow.Binary(),
      { data: Uint8Array.of(1, 2), valueOffsets: Int32Array.of(0, 2) },
      "fixed(3)",
      /row 0.*2 bytes, expected 3/,
    ],
  ])("%s are CORRUPT, with the row (PQ-6)", async (_, type, buffers, text, message) => {
    await expect(readAs(foreignFile(type, buffers, 1), typeOf(text))).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringMatching(message),
    });
  });

  test.each([
    ["a local time as a moment", new arrow.TimestampMicrosecond(), 8, "timestamp-micros"],
    [
      "a moment as a local time",
      new arrow.TimestampMicrosecond("UTC"),
      8,
      "local-timestamp-micros",
    ],
    ["a fixed of another length", new arrow.FixedSizeBinary(8), 8, "fixed(4)"],
    ["a time in nanoseconds", new arrow.TimeNanosecond(), 8, "time-micros"],
  ] as const)("%s is refused by name", async (_, type, width, text) => {
    const data =
      type.typeId === arrow.Type.FixedSizeBinary ? new Uint8Array(width) : new BigInt64Array(1);
    await expect(readAs(foreignFile(type, { data }, 1), typeOf(text))).rejects.toMatchObject({
      message: expect.stringMatching(/column c/),
    });
  });
});

test("bytes of a fixed are bounded and skipped in unsigned order, decimals as numbers (PQ-7)", async () => {
  const values = [Uint8Array.of(0x80, 1), Uint8Array.of(0x7f, 255), null, Uint8Array.of(0x80, 0)];
  const bytes = await writeColumn(typeOf("fixed(2)"), values);
  const reader = await openParquetFile(memorySource(bytes));
  const field: Field = { id: 0, name: "c", type: typeOf("fixed(2)"), nullable: true };
  expect(reader.rowGroupStatistics(0, field)).toMatchObject({
    nullCount: 1,
    min: Uint8Array.of(0x7f, 255),
    max: Uint8Array.of(0x80, 1),
  });
});

test("types are told apart in what a file says of its columns", async () => {
  const { bytes } = await writeFile(ALL_SCHEMA, [batchOf(ALL_SCHEMA, {})]);
  const reader = await openParquetFile(memorySource(bytes));
  const found = Object.fromEntries(
    reader.schema.fields.map(({ name, type }) => [name, formatType(type)]),
  );
  // The numbers of a time and the texts of an enum say no more in a file.
  expect(found).toMatchObject({ digest: "fixed(3)", instant: "timestamp-millis", clock: "int" });
});

test("a column of another unit is not carried over as it is stored (CB-5)", async () => {
  const data = BigInt64Array.of(-1n, -1n, -1n, 7n);
  const bytes = foreignFile(new arrow.TimestampMillisecond("UTC"), { data }, 4);
  const field: Field = { id: 0, name: "c", type: typeOf("timestamp-micros"), nullable: true };
  const reader = await openParquetFile(memorySource(bytes));
  for await (const batch of reader.readStoredBatches(0, [field], { batchRows: 1024 })) {
    const [column] = batch.columns;
    if (!column) throw new Error("the column is missing");
    expect(valuesIn(field, toColumn(column))).toEqual([-1000n, -1000n, -1000n, 7000n]);
  }
});
