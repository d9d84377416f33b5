// Files of the writer in DuckDB: every type inside and outside of lists, maps and structs, with every
// codec, over many row groups and pages, and the bounds that DuckDB prunes by. Rules: PQ-7, PQ-8, PQ-15.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RowBatchBuilder } from "../../src/format/row-batch.ts";
import { type Field, isNested } from "../../src/format/schema.ts";
import { MODEL_SCHEMA, type ModelRow, modelBounds, modelRow } from "./parquet-model.ts";
import { CODECS, writeFile } from "./parquet-samples.ts";

const GROUP_ROWS = 300;
const FLAT = MODEL_SCHEMA.fields.filter(({ type }) => !isNested(type));
const NESTED = MODEL_SCHEMA.fields.filter(({ type }) => isNested(type));
const ROWS = Array.from({ length: 3 * GROUP_ROWS + 40 }, (_, at) => modelRow(at, GROUP_ROWS));

let folder: string;
let connection: DuckDBConnection;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parquet-duckdb-"));
  connection = await (await DuckDBInstance.create(":memory:")).connect();
  await connection.run("set timezone = 'UTC'");
});
afterAll(() => {
  connection.closeSync();
  rmSync(folder, { recursive: true });
});

async function writeRows(
  name: string,
  rows: readonly ModelRow[],
  options: Parameters<typeof writeFile>[2],
): Promise<string> {
  const builder = new RowBatchBuilder(MODEL_SCHEMA);
  for (const row of rows) builder.append(row);
  const { bytes } = await writeFile(MODEL_SCHEMA, [builder.finish()], options);
  const path = join(folder, `${name}.parquet`);
  writeFileSync(path, bytes);
  return path;
}

async function query(sql: string): Promise<Record<string, unknown>[]> {
  return (await connection.runAndReadAll(sql)).getRowObjectsJson();
}

/** A column in SQL, as a text that rounds nothing. */
function exactly({ name, type }: Field): string {
  switch (type.kind) {
    case "bytes":
      return `hex("${name}") as "${name}"`;
    case "timestamp-micros":
      return `epoch_us("${name}")::varchar as "${name}"`;
    case "long":
    case "decimal":
      return `"${name}"::varchar as "${name}"`;
    default:
      return `"${name}"`;
  }
}

/** A value of a row in the form in which DuckDB gives it. */
function shown(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex").toUpperCase();
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (Array.isArray(value)) return value.map(shown);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, shown(item)]));
}

function shownColumn(row: ModelRow, { name, type }: Field): unknown {
  const value = shown(row[name]);
  if (type.kind !== "map" || value === null) return value;
  return Object.entries(value as object).map(([key, item]) => ({ key, value: item }));
}

const shownRow = (row: ModelRow, fields: readonly Field[]): Record<string, unknown> =>
  Object.fromEntries(fields.map((field) => [field.name, shownColumn(row, field)]));

describe("a table of every type in DuckDB (PQ-8, PQ-15)", () => {
  test.each(CODECS)("has every row, with codec %s", async (codec) => {
    const path = await writeRows(codec, ROWS, { codec, rowGroupRows: GROUP_ROWS });
    const names = [...FLAT.map(exactly), ...NESTED.map(({ name }) => `"${name}"`)];
    const found = await query(`select ${names.join(", ")} from '${path}' order by place`);
    expect(found).toStrictEqual(ROWS.map((row) => shownRow(row, MODEL_SCHEMA.fields)));
  });

  test("has every row of a row group of many pages", async () => {
    const rows = Array.from({ length: 35_000 }, (_, at) => modelRow(at, 1_000_000));
    const path = await writeRows("pages", rows, { codec: "zstd", rowGroupRows: 1_000_000 });
    const names = FLAT.filter(({ name }) => name !== "body").map(exactly);
    const expected = rows.filter(({ place }) => (place as number) % 977 === 0);
    const found = await query(
      `select ${names.join(", ")}, len(body) as body, names, tags from '${path}' where place % 977 = 0 order by place`,
    );
    expect(found).toHaveLength(36);
    const shownFields = [...FLAT, ...NESTED.filter(({ name }) => /^(names|tags)$/.test(name))];
    expect(found).toEqual(
      expected.map((row) => ({
        ...shownRow(row, shownFields),
        body: String((row.body as string).length),
      })),
    );
    const [sums] = await query(
      `select count(*) as rows, sum(place)::bigint as places, count(distinct id) as ids, sum(len(body))::bigint as letters,
        sum(len(tags))::bigint as tags from '${path}'`,
    );
    expect(sums).toEqual({
      rows: "35000",
      places: String((35_000 * 34_999) / 2),
      ids: "35000",
      letters: String(rows.reduce((sum, { body }) => sum + (body as string).length, 0)),
      tags: String(rows.reduce((sum, { tags }) => sum + ((tags as unknown[])?.length ?? 0), 0)),
    });
  }, 30_000);
});

/** A bound that DuckDB prints, as the value that it stands for. */
function parseBound(text: unknown, { type }: Field): unknown {
  if (typeof text !== "string") return text;
  switch (type.kind) {
    case "boolean":
      return text === "true";
    case "int":
    case "float":
    case "double":
      return Number(text);
    case "long":
      return BigInt(text);
    case "date":
      return new Date(`${text}T00:00:00Z`);
    case "timestamp-micros": {
      const [, seconds, fraction = ""] = /^([^.]+)\.?(\d*)\+00$/.exec(text) as RegExpExecArray;
      const millis = Date.parse(`${seconds?.replace(" ", "T")}Z`);
      return BigInt(millis) * 1000n + BigInt(fraction.padEnd(6, "0"));
    }
    case "bytes": {
      const hex = text.replace(
        /\\x(..)|./gs,
        (char, code) => code ?? Buffer.from(char).toString("hex"),
      );
      return new Uint8Array(Buffer.from(hex, "hex"));
    }
    default:
      return text;
  }
}

test("the bounds of every row group are those of its rows, by the order of each type (PQ-7)", async () => {
  const path = await writeRows("bounds", ROWS, { codec: "snappy", rowGroupRows: GROUP_ROWS });
  const chunks = await query(
    `select row_group_id::int as row_group, path_in_schema as path, stats_null_count::int as nulls,
      stats_min_value as least, stats_max_value as greatest from parquet_metadata('${path}')`,
  );
  for (const [group, start] of [0, GROUP_ROWS, 2 * GROUP_ROWS, 3 * GROUP_ROWS].entries()) {
    const rows = ROWS.slice(start, start + GROUP_ROWS);
    for (const field of FLAT) {
      const chunk = chunks.find((one) => one.row_group === group && one.path === field.name);
      const { nullCount, bounds } = modelBounds(rows, field);
      const found = {
        of: `${field.name} in row group ${group}`,
        nullCount: chunk?.nulls,
        bounds: [chunk?.least, chunk?.greatest].map((text) => parseBound(text, field)),
      };
      expect(found).toEqual({ of: found.of, nullCount, bounds: bounds ?? [null, null] });
    }
  }
});
