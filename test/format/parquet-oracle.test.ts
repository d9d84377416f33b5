// Random schemas of any depth against other implementations: what we write parquet-wasm and DuckDB read,
// and what parquet-wasm writes, in every version and encoding it has, we read.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import {
  type DuckDBBlobValue,
  type DuckDBConnection,
  type DuckDBDateValue,
  type DuckDBDecimalValue,
  DuckDBInstance,
  type DuckDBListValue,
  type DuckDBMapValue,
  type DuckDBStructValue,
  type DuckDBTimestampTZValue,
  type DuckDBValue,
} from "@duckdb/node-api";
import { Table, tableFromIPC, tableToIPC } from "apache-arrow";
import fc from "fast-check";
import * as wasm from "parquet-wasm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fromArrowBatch, toArrowBatch } from "../../src/format/arrow-batch.ts";
import { formatDecimal } from "../../src/format/decimal-builder.ts";
import { batchRows } from "../../src/format/row-batch.ts";
import type { Field, TableSchema } from "../../src/format/schema.ts";
import { plain, type Row, readRows, tableSample, toBatch } from "./nested-samples.ts";
import { CODECS, writeFile } from "./parquet-samples.ts";

function requireSame(found: readonly unknown[], expected: readonly Row[]): void {
  const [one, other] = [found.map(plain), expected.map(plain)];
  // Much faster than the matcher, which tells the difference.
  if (!isDeepStrictEqual(one, other)) expect(one).toStrictEqual(other);
}

function readWithWasm(bytes: Uint8Array, schema: TableSchema): unknown[] {
  const stream = wasm.readParquet(bytes).intoIPCStream();
  return tableFromIPC(stream).batches.flatMap((batch) => [
    ...batchRows(fromArrowBatch(batch, schema)),
  ]);
}

describe("files of random schemas (PQ-5, PQ-15, PQ-16)", () => {
  test("are read by parquet-wasm as they were written", async () => {
    const options = fc.record({
      codec: fc.constantFrom(...CODECS),
      rowGroupRows: fc.integer({ min: 1, max: 20 }),
      pageBytes: fc.constantFrom(1, 40, 200, 1 << 20),
    });
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        tableSample(5, 16),
        options,
        fc.nat(),
        async ({ schema, rows }, how, cut) => {
          const at = cut % (rows.length + 1);
          const parts = [toBatch(schema, rows.slice(0, at)), toBatch(schema, rows.slice(at))];
          const { bytes } = await writeFile(schema, parts, how);
          count += 1;
          requireSame(readWithWasm(bytes, schema), rows);
          requireSame(await readRows(bytes, schema), rows);
        },
      ),
      { numRuns: 1000 },
    );
    expect(count).toBe(1000);
  }, 60_000);

  test("of parquet-wasm are read as they were written", async () => {
    const options = fc.record({
      codec: fc.constantFrom("SNAPPY", "ZSTD", "GZIP", "UNCOMPRESSED"),
      version: fc.constantFrom("V1", "V2"),
      dictionary: fc.constantFrom("none", "whole", "given up"),
      rowGroupRows: fc.integer({ min: 1, max: 20 }),
      pageBytes: fc.constantFrom(1, 64, 1 << 20),
      batchRows: fc.constantFrom(1, 3, 1024),
      statistics: fc.constantFrom("None", "Chunk", "Page"),
      splits: fc.boolean(),
    });
    type Options = typeof options extends fc.Arbitrary<infer T> ? T : never;
    const write = async (schema: TableSchema, rows: readonly Row[], how: Options) => {
      let builder = new wasm.WriterPropertiesBuilder()
        .setWriterVersion(wasm.WriterVersion[how.version as "V1"])
        .setCompression(wasm.Compression[how.codec as "SNAPPY"])
        .setDictionaryEnabled(how.dictionary !== "none")
        .setDataPageSizeLimit(how.pageBytes)
        .setWriteBatchSize(how.batchRows)
        .setMaxRowGroupSize(how.rowGroupRows)
        .setStatisticsEnabled(wasm.EnabledStatistics[how.statistics as "Chunk"]);
      if (how.dictionary === "given up") builder = builder.setDictionaryPageSizeLimit(12);
      for (const field of how.splits ? schema.fields : []) {
        const encoding = otherEncoding(field);
        if (encoding === undefined) continue;
        builder = builder
          .setColumnDictionaryEnabled(field.name, false)
          .setColumnEncoding(field.name, encoding);
      }
      const table = new Table([await toArrowBatch(toBatch(schema, rows))]);
      const stream = wasm.Table.fromIPCStream(tableToIPC(table, "stream"));
      return wasm.writeParquet(stream, builder.build());
    };
    let count = 0;
    await fc.assert(
      fc.asyncProperty(tableSample(5, 16), options, async ({ schema, rows }, how) => {
        const bytes = await write(schema, rows, how);
        count += 1;
        requireSame(await readRows(bytes, schema), rows);
      }),
      { numRuns: 1000 },
    );
    expect(count).toBe(1000);
  }, 60_000);
});

describe("DuckDB", () => {
  let folder: string;
  let connection: DuckDBConnection;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "oracle-"));
    connection = await (await DuckDBInstance.create(":memory:")).connect();
  });
  afterAll(() => {
    connection.closeSync();
    rmSync(folder, { recursive: true });
  });

  test("reads files of random schemas as they were written", async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        tableSample(12, 16),
        fc.integer({ min: 1, max: 20 }),
        fc.constantFrom(1, 60, 1 << 20),
        async ({ schema, rows }, rowGroupRows, pageBytes) => {
          const how = { rowGroupRows, pageBytes };
          const { bytes } = await writeFile(schema, [toBatch(schema, rows)], how);
          // A new name each time: DuckDB keeps blocks of files by their path.
          count += 1;
          const path = join(folder, `${count}.parquet`);
          writeFileSync(path, bytes);
          const result = await connection.runAndReadAll(`from read_parquet('${path}')`);
          const found = result
            .getRows()
            .map((row) =>
              Object.fromEntries(
                schema.fields.map((field, at) => [field.name, ofDuck(row[at] ?? null, field)]),
              ),
            );
          requireSame(found, rows);
        },
      ),
      { numRuns: 150 },
    );
  }, 60_000);
});

/** A value of DuckDB as rows of ours hold it. */
function ofDuck(value: DuckDBValue, { type }: Field): unknown {
  if (value === null) return null;
  switch (type.kind) {
    case "struct": {
      const { entries } = value as DuckDBStructValue;
      return Object.fromEntries(
        type.fields.map((field) => [field.name, ofDuck(entries[field.name] ?? null, field)]),
      );
    }
    case "list":
      return (value as DuckDBListValue).items.map((item) => ofDuck(item, type.element));
    case "map":
      return Object.fromEntries(
        (value as DuckDBMapValue).entries.map((entry) => [
          entry.key as string,
          ofDuck(entry.value, type.value),
        ]),
      );
    case "decimal":
      return formatDecimal((value as DuckDBDecimalValue).value, type.scale);
    case "bytes":
      return (value as DuckDBBlobValue).bytes;
    case "date":
      return new Date((value as DuckDBDateValue).days * 86_400_000);
    case "timestamp-micros":
      return (value as DuckDBTimestampTZValue).micros;
    default:
      return value;
  }
}

/** An encoding that parquet-wasm uses for no column of this type by itself. */
function otherEncoding({ type }: Field): wasm.Encoding | undefined {
  switch (type.kind) {
    case "float":
    case "double":
    case "int":
    case "long":
      return wasm.Encoding.BYTE_STREAM_SPLIT;
    case "string":
    case "bytes":
      return wasm.Encoding.DELTA_LENGTH_BYTE_ARRAY;
    default:
      return undefined;
  }
}
