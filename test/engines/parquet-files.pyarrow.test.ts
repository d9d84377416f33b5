// Files of the writer in pyarrow: every value of every type with every codec, and what pyarrow finds in
// the footer: bounds, nulls, encodings, the index of pages.

import { mkdtemp, rm, writeFile as writeToDisk } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { RowBatchBuilder } from "../../src/format/row-batch.ts";
import { type Field, isNested } from "../../src/format/schema.ts";
import { MODEL_SCHEMA, type ModelRow, modelBounds, modelRow } from "../format/parquet-model.ts";
import { CODECS, writeFile } from "../format/parquet-samples.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { canonicalRows } from "./support/engine-rows.ts";
import { toEngineRow } from "./support/lake-rows.ts";
import { type ArrowFile, type ArrowFilter, PyarrowReader } from "./support/pyarrow-reader.ts";

const GROUP_ROWS = 300;
const ROWS = Array.from({ length: 3 * GROUP_ROWS + 40 }, (_, at) => modelRow(at, GROUP_ROWS));
const FLAT = MODEL_SCHEMA.fields.filter(({ type }) => !isNested(type));

let directory: string;
let reader: PyarrowReader | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-pyarrow-"));
  reader = await startIfAvailable("pyarrow", () => PyarrowReader.start());
});
beforeEach(({ skip }) => skip(!reader, "pyarrow did not run"));
afterAll(async () => {
  await reader?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function writeRows(
  name: string,
  rows: readonly ModelRow[],
  options: Parameters<typeof writeFile>[2],
): Promise<string> {
  const builder = new RowBatchBuilder(MODEL_SCHEMA);
  for (const row of rows) builder.append(row);
  const entries = new Map([["hoodie_min_record_key", "key é"]]);
  const { bytes } = await writeFile(MODEL_SCHEMA, [builder.finish()], options, entries);
  const path = join(directory, `${name}.parquet`);
  await writeToDisk(path, bytes);
  return path;
}

const expectedRows = (rows: readonly ModelRow[]): string[] =>
  canonicalRows(rows.map((row) => toEngineRow(row, MODEL_SCHEMA)));

async function readBack(path: string, filters: readonly ArrowFilter[] = []): Promise<string[]> {
  return canonicalRows((await reader?.read(path, filters)) ?? []);
}

async function describeFile(path: string): Promise<ArrowFile> {
  return (await reader?.describe(path)) as ArrowFile;
}

test.each(CODECS)("pyarrow reads every row, with codec %s", async (codec) => {
  const path = await writeRows(codec, ROWS, { codec, rowGroupRows: GROUP_ROWS });
  expect(await readBack(path)).toEqual(expectedRows(ROWS));
  const { rowCount, createdBy, entries, rowGroups } = await describeFile(path);
  expect(rowCount).toBe(ROWS.length);
  expect(createdBy).toMatch(/^hudi-lake /);
  expect(entries).toMatchObject({ hoodie_min_record_key: "key é" });
  expect(rowGroups.map((group) => group.rowCount)).toEqual([300, 300, 300, 40]);
  const names = new Set(rowGroups.flatMap(({ chunks }) => chunks.map((chunk) => chunk.codec)));
  expect([...names].filter((name) => name !== "UNCOMPRESSED")).toEqual(
    codec === "uncompressed" ? [] : [codec.toUpperCase()],
  );
});

test("pyarrow reads every row of a row group of many pages", async () => {
  const rows = Array.from({ length: 35_000 }, (_, at) => modelRow(at, 1_000_000));
  const path = await writeRows("pages", rows, { codec: "zstd", rowGroupRows: 1_000_000 });
  const columns = ["id", "place", "ratio", "text", "tags"];
  const found = canonicalRows((await reader?.read(path, [], columns)) ?? []);
  const picked = rows.map((row) =>
    Object.fromEntries(columns.map((column) => [column, row[column]])),
  );
  expect(found).toEqual(expectedRows(picked));
});

/** The text that the driver gives a bound. */
function formatBound(value: unknown): string {
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  return String(value);
}

test("pyarrow finds the bounds and nulls of every row group (PQ-7)", async () => {
  const path = await writeRows("bounds", ROWS, { codec: "zstd", rowGroupRows: GROUP_ROWS });
  const { rowGroups } = await describeFile(path);
  for (const [group, { rowCount, chunks }] of rowGroups.entries()) {
    const rows = ROWS.slice(group * GROUP_ROWS, group * GROUP_ROWS + rowCount);
    for (const field of FLAT) {
      const { min, max, nullCount } = chunks.find(({ path: of }) => of === field.name) ?? {};
      const { bounds, nullCount: nulls } = modelBounds(rows, field);
      const asNumber = (text: string | null | undefined): string | null =>
        text == null ? null : isReal(field) ? String(Number(text)) : text;
      expect({
        field: field.name,
        group,
        min: asNumber(min),
        max: asNumber(max),
        nullCount,
      }).toEqual({
        field: field.name,
        group,
        min: bounds ? formatBound(bounds[0]) : null,
        max: bounds ? formatBound(bounds[1]) : null,
        nullCount: nulls,
      });
    }
  }
});

function isReal({ type }: Field): boolean {
  return type.kind === "float" || type.kind === "double";
}

test("pyarrow sees an index of pages for every column, and one of bounds where they are known (PQ-14)", async () => {
  const path = await writeRows("index", ROWS, { codec: "snappy", rowGroupRows: GROUP_ROWS });
  const { rowGroups } = await describeFile(path);
  expect(rowGroups).toHaveLength(4);
  for (const [group, { chunks, rowCount }] of rowGroups.entries()) {
    const rows = ROWS.slice(group * GROUP_ROWS, group * GROUP_ROWS + rowCount);
    const without = chunks.filter((chunk) => !chunk.hasColumnIndex).map((chunk) => chunk.path);
    const hasNaN = rows.some(({ ratio }) => Number.isNaN(ratio));
    expect({ group, without }).toEqual({ group, without: hasNaN ? ["ratio"] : [] });
    expect(chunks.filter((chunk) => !chunk.hasOffsetIndex)).toEqual([]);
  }
});

test("pyarrow finds the rows that a filter asks for, whatever it skips by the bounds", async () => {
  const path = await writeRows("filtered", ROWS, { codec: "zstd", rowGroupRows: GROUP_ROWS });
  const filters: readonly [ArrowFilter, (row: ModelRow) => boolean][] = [
    [["place", ">", 871], ({ place }) => Number(place) > 871],
    [["id", "<", "key 000013"], ({ id }) => String(id) < "key 000013"],
    [["text", "=", "🚀"], ({ text }) => text === "🚀"],
    [["small", "<=", -2147483648], ({ small }) => small === -2147483648],
    [["single", ">", 90], ({ single }) => single !== null && Number(single) > 90],
    [["ratio", "<", -9], ({ ratio }) => ratio !== null && Number(ratio) < -9],
    [["repeated", "=", "two"], () => false],
  ];
  for (const [filter, passes] of filters) {
    expect(await readBack(path, [filter])).toEqual(expectedRows(ROWS.filter(passes)));
  }
});
