// Files of the writer read back by this library and by readers of other hands.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { parquetMetadata, parquetRead } from "hyparquet";
import * as wasm from "parquet-wasm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromArrowBatch } from "../../src/format/arrow-batch.ts";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
import type { Field } from "../../src/format/schema.ts";
import {
  batchOf,
  bigEndian,
  CODECS,
  contentOf,
  everyType,
  field,
  memorySource,
  propertyOptions,
  readRowGroup,
  type Sample,
  sampleArbitrary,
  sampleColumns,
  type Value,
  writeFile,
  writeSample,
} from "./parquet-samples.ts";

const MIB = 1024 * 1024;

const HOSTILE: readonly (readonly Value[])[] = [
  ["", "a".repeat(MIB), null, "\0"],
  [true, null, false, true],
  [-(2 ** 31), 2 ** 31 - 1, null, 0],
  [-(2n ** 63n), 2n ** 63n - 1n, null, 0n],
  [Number.NaN, -0, null, Math.fround(1e-45)],
  [Number.NaN, -0, null, Number.NEGATIVE_INFINITY],
  ["", "b".repeat(MIB), null, "\u0001"],
  [-719_162, 0, null, 2_932_896],
  [-62_135_596_800_000_000n, -1n, null, 253_402_300_799_999_999n],
  [99_999n, -99_999n, null, 0n],
  [10n ** 18n - 1n, 1n - 10n ** 18n, null, -1n],
  [10n ** 38n - 1n, 1n - 10n ** 38n, null, -1n],
];

const hostile: Sample = {
  fields: everyType(true),
  batches: [HOSTILE],
  rowGroupRows: 3,
  codec: "snappy",
};

async function readOwn(
  bytes: Uint8Array,
  fields: readonly Field[],
): Promise<Record<string, Value[]>> {
  const file = await openParquetFile(memorySource(bytes));
  const result: Record<string, Value[]> = Object.fromEntries(fields.map(({ name }) => [name, []]));
  for (const index of file.rowGroups.keys()) {
    const content = contentOf(await readRowGroup(file, index, fields));
    for (const [name, values] of Object.entries(content)) result[name]!.push(...values);
  }
  return result;
}

/** Reads the bare values that a file stores: annotations are taken off, since hyparquet rounds. */
async function readHyparquet(
  bytes: Uint8Array,
  fields: readonly Field[],
): Promise<Record<string, Value[]>> {
  const buffer = bytes.slice().buffer as ArrayBuffer;
  const metadata = parquetMetadata(buffer);
  for (const element of metadata.schema) {
    delete element.converted_type;
    delete element.logical_type;
  }
  const result: Record<string, Value[]> = Object.fromEntries(fields.map(({ name }) => [name, []]));
  await parquetRead({
    file: { byteLength: buffer.byteLength, slice: (start, end) => buffer.slice(start, end) },
    metadata,
    utf8: false,
    rowFormat: "object",
    compressors: await zlibCompressors(),
    onComplete: (rows) => {
      for (const row of rows as Record<string, unknown>[]) {
        for (const { name, type } of fields) {
          const value = row[name];
          if (value === null || value === undefined) result[name]!.push(null);
          else if (type.kind === "decimal") result[name]!.push(bigEndian(value as Uint8Array));
          else if (type.kind === "string" || type.kind === "bytes")
            result[name]!.push(new TextDecoder().decode(value as Uint8Array));
          else result[name]!.push(value as Value);
        }
      }
    },
  });
  return result;
}

/** The reader that hudi-rs has, with the whole file to itself. */
async function readRust(
  bytes: Uint8Array,
  fields: readonly Field[],
): Promise<Record<string, Value[]>> {
  const { tableFromIPC } = await import("apache-arrow");
  const stream = wasm.readParquet(bytes).intoIPCStream();
  const result: Record<string, Value[]> = Object.fromEntries(fields.map(({ name }) => [name, []]));
  for (const batch of tableFromIPC(stream).batches) {
    const content = contentOf(fromArrowBatch(batch, { name: "n", fields }));
    for (const [name, values] of Object.entries(content)) result[name]!.push(...values);
  }
  return result;
}

async function zlibCompressors(): Promise<Record<string, (bytes: Uint8Array) => Uint8Array>> {
  const { gunzipSync, zstdDecompressSync } = await import("node:zlib");
  return { GZIP: (bytes) => gunzipSync(bytes), ZSTD: (bytes) => zstdDecompressSync(bytes) };
}

describe("files of the writer", () => {
  test("hold every value of random batches, for our reader, hyparquet and the Rust reader (PQ-5, PQ-8)", async () => {
    await fc.assert(
      fc.asyncProperty(sampleArbitrary, async (sample) => {
        const { bytes, summary } = await writeSample(sample);
        const expected = sampleColumns(sample);
        expect(await readOwn(bytes, sample.fields)).toStrictEqual(expected);
        expect(await readHyparquet(bytes, sample.fields)).toStrictEqual(expected);
        expect(await readRust(bytes, sample.fields)).toStrictEqual(expected);
        expect(summary.rowCount).toBe(Object.values(expected)[0]?.length);
        expect(summary.sizeBytes).toBe(bytes.length);
      }),
      propertyOptions(100),
    );
  }, 60_000);

  test.each(CODECS)("hold hostile values with codec %s", async (codec) => {
    const { bytes } = await writeSample({ ...hostile, codec });
    expect(await readOwn(bytes, hostile.fields)).toStrictEqual(sampleColumns(hostile));
    expect(await readHyparquet(bytes, hostile.fields)).toStrictEqual(sampleColumns(hostile));
  });

  test.each([true, false])(
    "hold no row at all, or rows that are all null (nullable: %s)",
    async (nullable) => {
      const fields = everyType(nullable);
      const empty = await writeFile({ name: "sample", fields }, []);
      expect(empty.summary).toMatchObject({ rowCount: 0, splitOffsets: [] });
      expect((await openParquetFile(memorySource(empty.bytes))).rowGroups).toEqual([]);
      if (!nullable) return;
      const nulls = fields.map(() => Array<Value>(70).fill(null));
      const { bytes, summary } = await writeFile({ name: "sample", fields }, [
        batchOf(fields, nulls),
      ]);
      expect(Object.values(await readOwn(bytes, fields))).toStrictEqual(nulls);
      expect(Object.values(await readHyparquet(bytes, fields))).toStrictEqual(nulls);
      expect(
        summary.columns.every((column) => column.nullCount === 70 && column.min === undefined),
      ).toBe(true);
    },
  );

  test("hold strings larger than a page", async () => {
    const values = ["x".repeat(3 * MIB), "", "x".repeat(3 * MIB), "y".repeat(2 * MIB)];
    const fields = [field("s", "string", false)];
    const batch = batchOf(fields, [values]);
    const { bytes } = await writeFile({ name: "n", fields }, [batch]);
    expect((await readOwn(bytes, fields)).s).toStrictEqual(values);
  });
});

describe("DuckDB", () => {
  let folder: string;
  let connection: DuckDBConnection;
  let fileCount = 0;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "parquet-"));
    connection = await (await DuckDBInstance.create(":memory:")).connect();
  });
  afterAll(() => {
    connection.closeSync();
    rmSync(folder, { recursive: true });
  });

  // Spelled out in SQL, so that nothing is rounded on the way into JavaScript.
  const exact = ({ name, type }: Field): string => {
    switch (type.kind) {
      case "string":
        return `hex(encode("${name}"))`;
      case "bytes":
        return `hex("${name}")`;
      case "timestamp-micros":
        return `epoch_us("${name}")::varchar`;
      case "date":
        return `("${name}" - DATE '1970-01-01')::varchar`;
      default:
        return `"${name}"::varchar`;
    }
  };

  const asText = (value: Value, { type }: Field): string | null => {
    if (value === null) return null;
    if (type.kind === "string" || type.kind === "bytes") {
      return Buffer.from(String(value)).toString("hex").toUpperCase();
    }
    if (type.kind === "decimal") {
      const text = formatDecimal(value as bigint, type.scale);
      // DuckDB leaves out the zero where no digit can stand before the point.
      return type.precision === type.scale ? text.replace("0.", ".") : text;
    }
    return String(value);
  };

  async function readDuck(
    bytes: Uint8Array,
    fields: readonly Field[],
  ): Promise<(string | null)[][]> {
    // A new name each time: DuckDB keeps blocks of files by their path.
    fileCount += 1;
    const path = join(folder, `file-${fileCount}.parquet`);
    writeFileSync(path, bytes);
    const reader = await connection.runAndReadAll(
      `select ${fields.map(exact).join(", ")} from read_parquet('${path}')`,
    );
    return reader.getRowsJS() as (string | null)[][];
  }

  test("reads every value of random batches", async () => {
    await fc.assert(
      fc.asyncProperty(sampleArbitrary, async (sample) => {
        // DuckDB's own types end earlier than the file's, and its text of doubles differs.
        const fields = sample.fields.filter(
          ({ type }) => !["date", "timestamp-micros", "float", "double"].includes(type.kind),
        );
        if (fields.length === 0) return;
        const { bytes } = await writeSample(sample);
        const expected = sampleColumns(sample);
        const rows = await readDuck(bytes, fields);
        fields.forEach((column, index) => {
          expect(rows.map((row) => row[index])).toStrictEqual(
            expected[column.name]!.map((value) => asText(value, column)),
          );
        });
      }),
      propertyOptions(60),
    );
  }, 60_000);

  test("sees the types, dates and times that were meant", async () => {
    const fields = [...everyType(true), field("r", "string", false)];
    const columns = [...HOSTILE.map((values) => values.slice(0, 3)), ["k1", "k2", "k3"]];
    const { bytes } = await writeFile({ name: "trips", fields }, [batchOf(fields, columns)]);
    const path = join(folder, "types.parquet");
    writeFileSync(path, bytes);
    const types = await connection.runAndReadAll(`describe select * from read_parquet('${path}')`);
    expect(types.getRowsJS().map(([name, type]) => `${name} ${type}`)).toEqual([
      "s VARCHAR",
      "b BOOLEAN",
      "i INTEGER",
      "l BIGINT",
      "f FLOAT",
      "d DOUBLE",
      "by BLOB",
      "dt DATE",
      "ts TIMESTAMP WITH TIME ZONE",
      "d5 DECIMAL(5,2)",
      "d18 DECIMAL(18,6)",
      "d38 DECIMAL(38,10)",
      "r VARCHAR",
    ]);
    const rows = await connection.runAndReadAll(
      `select dt::varchar, epoch_us(ts)::varchar from read_parquet('${path}') where ts is not null and s = ''`,
    );
    expect(rows.getRowsJS()).toEqual([["0001-01-01", "-62135596800000000"]]);
    const schema = await connection.runAndReadAll(
      `select name, repetition_type, type, type_length from parquet_schema('${path}') where name in ('r', 's', 'd5', 'd18', 'd38')`,
    );
    expect(schema.getRowsJS()).toEqual([
      ["s", "OPTIONAL", "BYTE_ARRAY", null],
      ["d5", "OPTIONAL", "FIXED_LEN_BYTE_ARRAY", "3"],
      ["d18", "OPTIONAL", "FIXED_LEN_BYTE_ARRAY", "8"],
      ["d38", "OPTIONAL", "FIXED_LEN_BYTE_ARRAY", "16"],
      ["r", "REQUIRED", "BYTE_ARRAY", null],
    ]);
  });

  test("skips row groups by the bounds without losing rows", async () => {
    const fields = everyType(false);
    const rows = 500;
    const columns = fields.map(({ type }): Value[] =>
      Array.from({ length: rows }, (_, row) => {
        const number = (row * 7919) % rows;
        if (type.kind === "string" || type.kind === "bytes") return `key ${number} é`;
        if (type.kind === "boolean") return number % 2 === 0;
        if (type.kind === "decimal") return BigInt(number - rows / 2);
        if (type.kind === "long" || type.kind === "timestamp-micros")
          return BigInt(number - rows / 2);
        return number - rows / 2;
      }),
    );
    const options = { rowGroupRows: 20 };
    const { bytes } = await writeFile({ name: "n", fields }, [batchOf(fields, columns)], options);
    const path = join(folder, "bounds.parquet");
    writeFileSync(path, bytes);
    const found = await connection.runAndReadAll(
      `select count(*) filter (d5 < -0.5), count(*) filter (s >= 'key 4'), count(*) filter (l < 0) from read_parquet('${path}') where d38 > -1000 and ts < make_timestamptz(200) and i > -100`,
    );
    const numbers = Array.from({ length: rows }, (_, row) => (row * 7919) % rows).filter(
      (number) => number - rows / 2 < 200 && number - rows / 2 > -100,
    );
    expect(found.getRowsJS()).toEqual([
      [
        BigInt(numbers.filter((number) => number - rows / 2 < -50).length),
        BigInt(numbers.filter((number) => `key ${number} é` >= "key 4").length),
        BigInt(numbers.filter((number) => number - rows / 2 < 0).length),
      ],
    ]);
  });
});

/** The little of parquetjs-lite that is used; it brings no types. */
interface ParquetJs {
  readonly ParquetReader: {
    openBuffer(bytes: Buffer): Promise<{
      getCursor(): { next(): Promise<Record<string, unknown> | null> };
      close(): Promise<void>;
    }>;
  };
}

test("parquetjs-lite reads what it can read: no dictionaries but repeated strings, no decimals", async () => {
  const fields = [
    field("s", "string", false),
    field("same", "string", true),
    field("n", "string", true),
    field("b", "boolean", true),
    field("i", "int", false),
    field("d", "double", true),
  ];
  const columns: Value[][] = [
    ["k1", "", "k3"],
    ["20261120", "20261120", "20261120"],
    [null, "x", "é"],
    [true, null, false],
    [-1, 0, 2 ** 31 - 1],
    [1.5, null, -0.25],
  ];
  for (const codec of ["snappy", "gzip", "uncompressed"] as const) {
    const { bytes } = await writeFile({ name: "n", fields }, [batchOf(fields, columns)], {
      codec,
      rowGroupRows: 2,
    });
    const { default: parquet } = (await import("parquetjs-lite" as string)) as {
      default: ParquetJs;
    };
    const reader = await parquet.ParquetReader.openBuffer(Buffer.from(bytes));
    const cursor = reader.getCursor();
    const rows: Record<string, unknown>[] = [];
    for (let row = await cursor.next(); row; row = await cursor.next()) rows.push(row);
    await reader.close();
    expect(rows.map((row) => fields.map(({ name }) => row[name] ?? null))).toEqual(
      [0, 1, 2].map((row) => columns.map((values) => values[row])),
    );
  }
});

function formatDecimal(unscaled: bigint, scale: number): string {
  const sign = unscaled < 0n ? "-" : "";
  const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  if (scale === 0) return sign + digits;
  return `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
