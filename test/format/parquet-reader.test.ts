// Reading files of other writers: every form in which they store these types, projection, and what
// is fetched for it.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { type BasicType, parquetWriteBuffer } from "hyparquet-writer";
import * as wasm from "parquet-wasm";
import { describe, expect, test } from "vitest";
import { type HudiError, isHudiError } from "../../src/errors.ts";
import type { Column } from "../../src/format/column-batch.ts";
import { decodeChunkStatistics } from "../../src/format/parquet-bounds.ts";
import { encodeColumnChunk } from "../../src/format/parquet-chunk-encoder.ts";
import {
  CODEC,
  CONVERTED,
  LOGICAL,
  MAGIC,
  PHYSICAL,
  REPETITION,
} from "../../src/format/parquet-codes.ts";
import { findColumnType } from "../../src/format/parquet-column-type.ts";
import {
  type ColumnChunk,
  encodeFooter,
  type SchemaElement,
  type StoredStatistics,
} from "../../src/format/parquet-footer.ts";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
import type { Field } from "../../src/format/schema.ts";
import {
  batchOf,
  columnOf,
  contentOf,
  everyType,
  field,
  memorySource,
  readRowGroup,
  type Value,
  valuesOf,
  writeFile,
} from "./parquet-samples.ts";

/** A file with one column stored as the element says, made of the bare values of `column`. */
function craftFile(
  element: SchemaElement,
  column: Column,
  codec: number = CODEC.snappy,
  statistics?: StoredStatistics,
): Uint8Array {
  const isNullable = element.repetition === REPETITION.optional;
  const slices = [{ column, from: 0, to: column.rowCount }];
  const chunk = encodeColumnChunk(slices, { isNullable, codec });
  const start = MAGIC.length;
  const meta = {
    physicalType: element.physicalType!,
    path: [element.name],
    codec,
    encodings: chunk.encodings,
    valueCount: column.rowCount,
    statistics,
    uncompressedBytes: chunk.uncompressedBytes,
    compressedBytes: chunk.sizeBytes,
    dataPageOffset: start + chunk.dataPageOffset,
    dictionaryPageOffset:
      chunk.dictionaryPageOffset === undefined ? undefined : start + chunk.dictionaryPageOffset,
  };
  const footer = encodeFooter({
    elements: [{ name: "root", childCount: 1 }, element],
    rowCount: column.rowCount,
    rowGroups: [{ rowCount: column.rowCount, columns: [meta] }],
    keyValues: new Map(),
    hasColumnOrders: true,
  });
  return new Uint8Array(Buffer.concat([MAGIC, ...chunk.parts, footer]));
}

async function readColumn(bytes: Uint8Array, asked: Field): Promise<Value[]> {
  const file = await openParquetFile(memorySource(bytes));
  const batch = await readRowGroup(file, 0, [asked]);
  return valuesOf(batch.columns[0]!);
}

const optional = REPETITION.optional;
const longs = (values: Value[]): Column => columnOf({ kind: "long" }, values);
const ints = (values: Value[]): Column => columnOf({ kind: "int" }, values);

describe("values in other forms (PQ-6)", () => {
  const decimal = { convertedType: CONVERTED.decimal, precision: 9, scale: 2 };

  test.each<[string, SchemaElement, Column]>([
    [
      "INT32",
      { name: "d", physicalType: PHYSICAL.int32, ...decimal },
      ints([-12345, null, 999_999_999]),
    ],
    [
      "INT64",
      { name: "d", physicalType: PHYSICAL.int64, ...decimal },
      longs([-12345n, null, 999_999_999n]),
    ],
    [
      "wide FIXED_LEN_BYTE_ARRAY",
      { name: "d", physicalType: PHYSICAL.fixed, typeLength: 16, ...decimal },
      columnOf({ kind: "decimal", precision: 38, scale: 2 }, [-12345n, null, 999_999_999n]),
    ],
    [
      "BYTE_ARRAY",
      { name: "d", physicalType: PHYSICAL.byteArray, ...decimal },
      {
        layout: "bytes",
        rowCount: 3,
        validity: new Uint8Array([0b101]),
        offsets: new Int32Array([0, 2, 2, 7]),
        data: new Uint8Array([0xcf, 0xc7, 0x00, 0x3b, 0x9a, 0xc9, 0xff]),
      },
    ],
  ])("a decimal in %s becomes the narrowest fixed form", async (_, element, column) => {
    const bytes = craftFile({ ...element, repetition: optional }, column);
    expect(await readColumn(bytes, field("d", [9, 2]))).toEqual([-12345n, null, 999_999_999n]);
    // A wider precision of the table takes the values too.
    expect(await readColumn(bytes, field("d", [30, 2]))).toEqual([-12345n, null, 999_999_999n]);
    const { schema } = await openParquetFile(memorySource(bytes));
    expect(schema.fields).toEqual([field("d", [9, 2])]);
  });

  test("a decimal that does not fit its precision is refused with its row", async () => {
    const element = { name: "d", physicalType: PHYSICAL.int64, repetition: optional, ...decimal };
    const bytes = craftFile(element, longs([1n, 2n ** 40n]));
    await expect(readColumn(bytes, field("d", [9, 2]))).rejects.toThrow(
      /column d .* in row 1 .*too many digits/,
    );
  });

  test.each<[string, Partial<SchemaElement>, bigint, bigint]>([
    ["milliseconds", { convertedType: CONVERTED.timestampMillis }, -1n, -1000n],
    ["microseconds", { convertedType: CONVERTED.timestampMicros }, -1n, -1n],
    [
      "nanoseconds",
      { logical: { member: LOGICAL.timestamp, unit: "nanos", isAdjustedToUtc: true } },
      -5000n,
      -5n,
    ],
  ])("a timestamp in %s becomes microseconds", async (_, annotation, stored, micros) => {
    const element = {
      name: "t",
      physicalType: PHYSICAL.int64,
      repetition: optional,
      ...annotation,
    };
    const bytes = craftFile(element, longs([stored, null, 0n]));
    expect(await readColumn(bytes, field("t", "timestamp-micros"))).toEqual([micros, null, 0n]);
  });

  test("a timestamp that is no whole number of microseconds, or too far off, is refused", async () => {
    const nanos = { member: LOGICAL.timestamp, unit: "nanos", isAdjustedToUtc: true } as const;
    const element = { name: "t", physicalType: PHYSICAL.int64, repetition: optional };
    const fine = craftFile({ ...element, logical: nanos }, longs([0n, 1n]));
    await expect(readColumn(fine, field("t", "timestamp-micros"))).rejects.toThrow(
      /in row 1 .*finer/,
    );
    const far = craftFile(
      { ...element, convertedType: CONVERTED.timestampMillis },
      longs([2n ** 62n]),
    );
    await expect(readColumn(far, field("t", "timestamp-micros"))).rejects.toThrow(/in row 0/);
  });

  test("an INT96 timestamp becomes microseconds, also before 1970", async () => {
    const data = new Uint8Array(24);
    const view = new DataView(data.buffer);
    // 1582-10-15 12:00 and 2024-02-29 00:00:00.000001
    view.setBigInt64(0, 43_200_000_000_000n, true);
    view.setInt32(8, 2_299_161, true);
    view.setBigInt64(12, 1000n, true);
    view.setInt32(20, 2_460_370, true);
    const column: Column = {
      layout: "fixed",
      rowCount: 2,
      validity: undefined,
      widthBytes: 12,
      data,
    };
    const element = { name: "t", physicalType: PHYSICAL.int96, repetition: optional };
    const expected = [Date.UTC(1582, 9, 15, 12), Date.UTC(2024, 1, 29)].map(
      (ms) => BigInt(ms) * 1000n,
    );
    expect(await readColumn(craftFile(element, column), field("t", "timestamp-micros"))).toEqual([
      expected[0],
      expected[1]! + 1n,
    ]);
  });

  test("numbers are read as a wider type, and not as a narrower one", async () => {
    const bytes = craftFile(
      { name: "n", physicalType: PHYSICAL.int32, repetition: optional },
      ints([-7, null, 9]),
    );
    expect(await readColumn(bytes, field("n", "int"))).toEqual([-7, null, 9]);
    expect(await readColumn(bytes, field("n", "long"))).toEqual([-7n, null, 9n]);
    expect(await readColumn(bytes, field("n", "double"))).toEqual([-7, null, 9]);
    const wide = craftFile(
      { name: "n", physicalType: PHYSICAL.int64, repetition: optional },
      longs([2n ** 60n]),
    );
    expect(await readColumn(wide, field("n", "double"))).toEqual([2 ** 60]);
    const refusal = await readColumn(wide, field("n", "int")).catch((error: unknown) => error);
    expect(isHudiError(refusal, "CORRUPT")).toBe(true);
    expect((refusal as HudiError).message).toContain(
      "column n is long, stored as INT64, expected int?",
    );
  });

  test("bytes without annotation are read as a string where the table says so", async () => {
    const column = columnOf({ kind: "string" }, ["a", null]);
    const bytes = craftFile(
      { name: "s", physicalType: PHYSICAL.byteArray, repetition: optional },
      column,
    );
    expect(await readColumn(bytes, field("s", "string"))).toEqual(["a", null]);
    const { fields } = (await openParquetFile(memorySource(bytes))).schema;
    expect(fields.map(({ type }) => type.kind)).toEqual(["bytes"]);
  });

  test("a null where the table allows none is refused with its row", async () => {
    const bytes = craftFile(
      { name: "n", physicalType: PHYSICAL.int32, repetition: optional },
      ints([1, 2, null]),
    );
    await expect(readColumn(bytes, field("n", "int", false))).rejects.toThrow(
      /column n of row group 0 holds null in row 2/,
    );
    const whole = craftFile(
      { name: "n", physicalType: PHYSICAL.int32, repetition: optional },
      ints([1, 2]),
    );
    expect(await readColumn(whole, field("n", "int", false))).toEqual([1, 2]);
  });

  test.each<[string, SchemaElement]>([
    [
      "an unsigned number",
      {
        name: "x",
        physicalType: PHYSICAL.int64,
        logical: { member: LOGICAL.integer, bitWidth: 64, isSigned: false },
      },
    ],
    ["a list", { name: "x", physicalType: PHYSICAL.int64, repetition: REPETITION.repeated }],
  ])(
    "%s is unsupported, by name, and does not keep the file from being opened",
    async (_, element) => {
      const bytes = craftFile({ repetition: optional, ...element }, longs([1n]));
      expect((await openParquetFile(memorySource(bytes))).schema.fields).toEqual([]);
      const refusal = await readColumn(bytes, field("x", "long")).catch((error: unknown) => error);
      expect(isHudiError(refusal, "UNSUPPORTED")).toBe(true);
      expect((refusal as HudiError).message).toContain(
        "column x of Parquet file folder/file.parquet",
      );
    },
  );
});

describe("bounds of other writers (PQ-7)", () => {
  const long = (value: bigint): Uint8Array => new Uint8Array(new BigInt64Array([value]).buffer);
  const int64 = { name: "c", physicalType: PHYSICAL.int64, repetition: optional };

  async function boundsOf(
    element: SchemaElement,
    statistics: StoredStatistics,
    asked: Field,
  ): Promise<unknown[]> {
    const file = await openParquetFile(
      memorySource(craftFile(element, longs([1n]), CODEC.none, statistics)),
    );
    const { min, max, nullCount } = file.rowGroupStatistics(0, asked);
    return [min, max, nullCount];
  }

  test("are in the unit and type asked for", async () => {
    const millis = { ...int64, convertedType: CONVERTED.timestampMillis };
    const stored = { min: long(-1n), max: long(2n), nullCount: 0 };
    expect(await boundsOf(millis, stored, field("c", "timestamp-micros"))).toEqual([
      -1000n,
      2000n,
      0,
    ]);
    const decimal = { ...int64, convertedType: CONVERTED.decimal, precision: 3, scale: 1 };
    expect(await boundsOf(decimal, stored, field("c", [3, 1]))).toEqual([
      new Uint8Array([0xff, 0xff]),
      new Uint8Array([0, 2]),
      0,
    ]);
  });

  test("of the older kind, or without a stated order, count for signed numbers only", () => {
    const boundsIn = (
      element: SchemaElement,
      stored: StoredStatistics,
      isOrdered: boolean,
    ): unknown => {
      const chunk = {
        physicalType: element.physicalType,
        valueCount: 1,
        statistics: stored,
      } as ColumnChunk;
      const type = findColumnType(element);
      const node = { element, definition: 1, repetition: 0, leafIndex: 0, children: [] };
      const source = { name: "c", element, node, type, isNullable: true };
      return decodeChunkStatistics(chunk, source, field("c", type!.kind as "long"), isOrdered).min;
    };
    const text = { name: "c", physicalType: PHYSICAL.byteArray, convertedType: CONVERTED.utf8 };
    const byte = new Uint8Array([65]);
    expect(boundsIn(int64, { oldMin: long(3n), oldMax: long(4n) }, true)).toBe(3n);
    expect(boundsIn(int64, { min: long(3n), max: long(4n) }, false)).toBe(3n);
    expect(boundsIn(text, { min: byte, max: byte }, true)).toEqual(byte);
    expect(boundsIn(text, { min: byte, max: byte }, false)).toBeUndefined();
    expect(boundsIn(text, { oldMin: byte, oldMax: byte }, true)).toBeUndefined();
  });

  test("that cannot be are none", async () => {
    const decimal = { ...int64, convertedType: CONVERTED.decimal, precision: 3, scale: 1 };
    const wide = { min: long(0n), max: long(2n ** 40n), nullCount: 99 };
    expect(await boundsOf(decimal, wide, field("c", [3, 1]))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const short = { min: new Uint8Array(3), max: new Uint8Array(8), nullCount: -1 };
    expect(await boundsOf(int64, short, field("c", "long"))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    const half = { min: long(1n), nullCount: 1 };
    expect(await boundsOf(int64, half, field("c", "long"))).toEqual([undefined, undefined, 1]);
  });
});

describe("files of other writers (PQ-3)", () => {
  const rows = 3000;
  const ids = Array.from({ length: rows }, (_, row) => `id-${row}`);
  const cities = Array.from({ length: rows }, (_, row) =>
    row % 7 === 0 ? null : `city ${row % 5}`,
  );
  const counts = Array.from({ length: rows }, (_, row) =>
    row % 3 === 0 ? null : BigInt(row) * 10n ** 12n,
  );
  const flags = Array.from({ length: rows }, (_, row) => row % 2 === 0);
  const asked = [
    field("id", "string", false),
    field("city", "string"),
    field("n", "long"),
    field("f", "boolean"),
  ];
  const expected = { id: ids, city: cities, n: counts, f: flags };

  async function readAll(bytes: Uint8Array): Promise<Record<string, Value[]>> {
    const file = await openParquetFile(memorySource(bytes));
    const all: Record<string, Value[]> = { id: [], city: [], n: [], f: [] };
    for (const index of file.rowGroups.keys()) {
      const content = contentOf(await readRowGroup(file, index, asked));
      for (const name of Object.keys(all)) all[name]!.push(...content[name]!);
    }
    return all;
  }

  test.each(["snappy", "gzip", "zstd", "uncompressed"])(
    "DuckDB with %s, in both versions of the format",
    async (codec) => {
      const folder = mkdtempSync(join(tmpdir(), "parquet-"));
      const connection = await (await DuckDBInstance.create(":memory:")).connect();
      try {
        for (const version of ["v1", "v2"]) {
          const path = join(folder, `${version}.parquet`);
          await connection.run(
            `copy (select 'id-' || i as id, case when i % 7 = 0 then null else 'city ' || (i % 5) end as city,
             case when i % 3 = 0 then null else i::bigint * 1000000000000 end as n, i % 2 = 0 as f
             from range(${rows}) t(i)) to '${path}' (format parquet, compression ${codec}, parquet_version ${version}, row_group_size 2048)`,
          );
          expect(await readAll(readFileSync(path))).toStrictEqual(expected);
        }
      } finally {
        connection.closeSync();
        rmSync(folder, { recursive: true });
      }
    },
  );

  test.each(["SNAPPY", "UNCOMPRESSED"] as const)(
    "hyparquet-writer with %s: data pages of version 2",
    async (codec) => {
      const column = (name: string, type: BasicType, data: unknown[]): never =>
        ({ name, type, data, nullable: name !== "id" }) as never;
      const columnData = [
        column("id", "STRING", ids),
        column("city", "STRING", cities),
        column("n", "INT64", counts),
        column("f", "BOOLEAN", flags),
      ];
      const buffer = parquetWriteBuffer({ columnData, codec, pageSize: 4096, rowGroupSize: 1000 });
      expect(await readAll(new Uint8Array(buffer))).toStrictEqual(expected);
    },
  );

  test("the Rust writer in version 2, with delta encodings and page indexes", async () => {
    const arrow = await import("apache-arrow");
    const table = new arrow.Table({
      id: arrow.vectorFromArray(ids, new arrow.Utf8()),
      city: arrow.vectorFromArray(cities, new arrow.Utf8()),
      n: arrow.vectorFromArray(counts, new arrow.Int64()),
      f: arrow.vectorFromArray(flags, new arrow.Bool()),
    });
    for (const codec of ["SNAPPY", "GZIP", "ZSTD", "UNCOMPRESSED"] as const) {
      const bytes = wasm.writeParquet(
        wasm.Table.fromIPCStream(arrow.tableToIPC(table, "stream")),
        new wasm.WriterPropertiesBuilder()
          .setWriterVersion(wasm.WriterVersion.V2)
          .setCompression(wasm.Compression[codec])
          .setDictionaryEnabled(codec === "GZIP")
          .setStatisticsEnabled(wasm.EnabledStatistics.Page)
          .setMaxRowGroupSize(1111)
          .build(),
      );
      expect(await readAll(bytes)).toStrictEqual(expected);
    }
  });

  test("a codec that is not handled is named", async () => {
    const arrow = await import("apache-arrow");
    const table = arrow.tableFromArrays({ id: ids });
    const bytes = wasm.writeParquet(
      wasm.Table.fromIPCStream(arrow.tableToIPC(table, "stream")),
      new wasm.WriterPropertiesBuilder().setCompression(wasm.Compression.BROTLI).build(),
    );
    const file = await openParquetFile(memorySource(bytes));
    await expect(readRowGroup(file, 0, [field("id", "string")])).rejects.toThrow(
      /column id .*compression codec 4/,
    );
  });
});

describe("a dictionary of one entry (PQ-9)", () => {
  const value = "7f3c1b2a_0-1-0_20261120072044123.parquet";
  const names = field("f", "string");

  test.each<[string, Value[]]>([
    ["in every row", Array<Value>(5000).fill(value)],
    ["an empty string in every row", Array<Value>(5000).fill("")],
    [
      "with nulls between",
      Array.from({ length: 5000 }, (_, row) => (row % 3 === 0 ? null : value)),
    ],
    ["with one null at the end", [...Array<Value>(4999).fill(value), null]],
  ])("%s, by every writer and codec", async (_, values) => {
    for (const codec of ["snappy", "zstd", "gzip", "uncompressed"] as const) {
      const options = { codec, rowGroupRows: 3000 };
      const { bytes } = await writeFile(
        { name: "n", fields: [names] },
        [batchOf([names], [values])],
        options,
      );
      const file = await openParquetFile(memorySource(bytes));
      const parts = await Promise.all([0, 1].map((index) => readRowGroup(file, index, [names])));
      expect(parts.flatMap((part) => valuesOf(part.columns[0]!))).toEqual(values);
    }
    for (const codec of ["SNAPPY", "UNCOMPRESSED"] as const) {
      const columnData = [{ name: "f", type: "STRING", data: values, nullable: true } as const];
      const buffer = parquetWriteBuffer({ columnData: columnData as never, codec, pageSize: 2000 });
      expect(await readColumn(new Uint8Array(buffer), names)).toEqual(values.slice(0, 1000));
    }
  });

  test("whose pages refer to another entry is damaged, not guessed", async () => {
    const options = { codec: "uncompressed", rowGroupRows: 5000 } as const;
    const required = field("f", "string", false);
    const batch = batchOf([required], [Array<Value>(5000).fill(value)]);
    const { bytes } = await writeFile({ name: "n", fields: [required] }, [batch], options);
    const file = await openParquetFile(memorySource(bytes));
    const { end } = file.findChunkRange(0, "f")!;
    // The last byte of the chunk is the index that its run repeats.
    const damaged = bytes.slice();
    expect(damaged[end - 1]).toBe(0);
    damaged[end - 1] = 1;
    await expect(readColumn(damaged, required)).rejects.toMatchObject({ code: "CORRUPT" });
  });
});

describe("what is read (PQ-1)", () => {
  const fields = [
    field("a", "long", false),
    field("b", "string", false),
    field("c", "long", false),
    field("d", "double", false),
  ];
  const rows = 4000;
  const columns: Value[][] = [
    Array.from({ length: rows }, (_, row) => BigInt(row)),
    Array.from({ length: rows }, (_, row) => `value ${row * 7919}`),
    Array.from({ length: rows }, (_, row) => BigInt(-row)),
    Array.from({ length: rows }, (_, row) => row / 3),
  ];
  const file = (): Promise<{ bytes: Uint8Array }> =>
    writeFile({ name: "n", fields }, [batchOf(fields, columns)], {
      rowGroupRows: 1500,
      codec: "uncompressed",
    });

  test("only the tail and the chunks of the columns asked for", async () => {
    const { bytes } = await file();
    const source = memorySource(bytes);
    const open = await openParquetFile(source, { tailBytes: 4096 });
    expect(source.reads).toEqual([[bytes.length - 4096, bytes.length]]);
    source.reads.length = 0;
    const batch = await readRowGroup(open, 1, [fields[3]!, fields[0]!]);
    expect(batch.schema.fields.map(({ name }) => name)).toEqual(["d", "a"]);
    expect(contentOf(batch)).toEqual({
      a: columns[0]!.slice(1500, 3000),
      d: columns[3]!.slice(1500, 3000),
    });
    const [a, d] = ["a", "d"].map((name) => open.findChunkRange(1, name)!);
    expect(source.reads).toEqual([
      [a!.start, a!.end],
      [d!.start, d!.end],
    ]);
  });

  test("neighbouring chunks by one read", async () => {
    const { bytes } = await file();
    const source = memorySource(bytes);
    const open = await openParquetFile(source, { tailBytes: 2048 });
    source.reads.length = 0;
    await readRowGroup(open, 0, [fields[2]!, fields[1]!]);
    expect(source.reads).toEqual([
      [open.findChunkRange(0, "b")!.start, open.findChunkRange(0, "c")!.end],
    ]);
  });

  test("a small file by one read in all", async () => {
    const { bytes } = await file();
    const source = memorySource(bytes);
    const open = await openParquetFile(source, { wholeFileBytes: 8 * 1024 * 1024 });
    for (const index of open.rowGroups.keys()) await readRowGroup(open, index, fields);
    expect(source.reads).toEqual([[0, bytes.length]]);
  });

  test("the rest of a footer that is longer than the guess", async () => {
    const entries = new Map([["bloom", "x".repeat(431_380)]]);
    const { bytes } = await writeFile(
      { name: "n", fields },
      [batchOf(fields, columns)],
      {},
      entries,
    );
    const source = memorySource(bytes);
    const open = await openParquetFile(source, { tailBytes: 65_536 });
    expect(source.reads).toHaveLength(2);
    expect(open.keyValues.get("bloom")).toHaveLength(431_380);
    const whole = memorySource(bytes);
    await openParquetFile(whole);
    expect(whole.reads).toHaveLength(1);
  });

  test("rows in batches of any size, across pages", async () => {
    const { bytes } = await file();
    const open = await openParquetFile(memorySource(bytes));
    for (const batchRows of [1, 333, 1500, 99_999]) {
      const values: Value[] = [];
      for await (const batch of open.readBatches(1, [fields[1]!], { batchRows })) {
        expect(batch.rowCount).toBeLessThanOrEqual(batchRows);
        values.push(...valuesOf(batch.columns[0]!));
        if (batchRows === 1 && values.length === 50) break;
      }
      expect(values).toEqual(columns[1]!.slice(1500, 1500 + values.length));
      expect(values).toHaveLength(batchRows === 1 ? 50 : 1500);
    }
  });

  test("null for a column that the file lacks, if it may be null", async () => {
    const { bytes } = await file();
    const open = await openParquetFile(memorySource(bytes));
    const batch = await readRowGroup(open, 2, [field("later", [10, 2]), fields[0]!]);
    expect(contentOf(batch).later).toEqual(Array(1000).fill(null));
    await expect(readRowGroup(open, 0, [field("later", "int", false)])).rejects.toMatchObject({
      code: "CORRUPT",
    });
  });

  test("nothing more once it is aborted", async () => {
    const { bytes } = await file();
    const source = memorySource(bytes);
    const open = await openParquetFile(source);
    source.reads.length = 0;
    const reason = new Error("enough");
    await expect(readRowGroup(open, 0, fields, AbortSignal.abort(reason))).rejects.toBe(reason);
    expect(source.reads).toEqual([]);
  });
});

test("the file says what it holds: schema, entries, row groups, columns (PQ-5)", async () => {
  const fields = [
    ...["_hoodie_commit_time", "_hoodie_record_key"].map((name) => field(name, "string")),
    ...everyType(false),
  ];
  const columns = fields.map(({ type }): Value[] => {
    if (type.kind === "string") return ["a", "b"];
    if (type.kind === "boolean") return [true, false];
    return ["decimal", "long", "timestamp-micros"].includes(type.kind) ? [1n, 2n] : [1, 2];
  });
  const entries = new Map([
    ["hoodie_min_record_key", "a"],
    ["__proto__", "é"],
  ]);
  const { bytes, summary } = await writeFile(
    { name: "trips", fields },
    [batchOf(fields, columns)],
    { rowGroupRows: 1 },
    entries,
  );
  const open = await openParquetFile(memorySource(bytes));
  expect(open.schema).toEqual({ name: "trips", fields: fields.map((one, id) => ({ ...one, id })) });
  expect(open.keyValues).toEqual(entries);
  expect(open.createdBy).toMatch(/^hudi-lake version /);
  expect(open.rowGroups.map(({ rowCount, firstRow }) => [rowCount, firstRow])).toEqual([
    [1, 0],
    [1, 1],
  ]);
  expect(open.rowGroups.map(({ startOffset }) => startOffset)).toEqual(summary.splitOffsets);
  expect(open.describeColumns().get("d5")).toBe("FIXED_LEN_BYTE_ARRAY (decimal)");
});
