// Files of pyarrow and of Spark in the forms that ours do not have: data pages of version 2, delta encodings,
// split byte streams, INT96, dictionaries that end amid a chunk, lists and maps of older writers.
import { readFileSync } from "node:fs";
import { type FileMetaData, parquetMetadata } from "hyparquet";
import { describe, expect, test } from "vitest";
import { createTableSchema, type Field, type TableSchema } from "../../src/format/schema.ts";
import { readRows } from "./nested-samples.ts";

const folder = new URL("../../fixtures/parquet/", import.meta.url);
const bytesOf = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`${name}.parquet`, folder)));

/** A value as the files beside the fixtures spell it. */
function spell(value: unknown, field: Field): unknown {
  const { type } = field;
  if (value === null) return null;
  switch (type.kind) {
    case "struct":
      return Object.fromEntries(
        type.fields.map((child) => [
          child.name,
          spell((value as Record<string, unknown>)[child.name], child),
        ]),
      );
    case "list":
      return (value as unknown[]).map((item) => spell(item, type.element));
    case "map":
      return Object.fromEntries(
        Object.entries(value as object).map(([key, item]) => [key, spell(item, type.value)]),
      );
    case "bytes":
      return Buffer.from(value as Uint8Array).toString("hex");
    case "date":
      return String((value as Date).getTime() / 86_400_000);
    case "float":
    case "double":
      return Number.isFinite(value) ? value : String(value).replace("Infinity", "inf");
    case "decimal":
      return unscaled(value as string, type.scale);
    case "int":
    case "long":
    case "timestamp-micros":
      return String(value);
    default:
      return value;
  }
}

/** One spelling for decimals, however many zeros a program shows. */
function unscaled(text: string, scale: number): string {
  const [whole = "", part = ""] = text.split(".");
  return String(BigInt(whole + part.padEnd(scale, "0")));
}

interface Expected {
  readonly schema: TableSchema;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

function load(name: string): Expected {
  const { types, rows } = JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8"));
  const schema = createTableSchema("t", types);
  for (const row of rows) {
    for (const { name: column, type } of schema.fields) {
      const value = row[column];
      if (type.kind === "decimal" && value !== null) row[column] = unscaled(value, type.scale);
    }
  }
  return { schema, rows };
}

describe("files of other writers (PQ-13, PQ-16)", () => {
  test.each([
    ["pyarrow_delta_v2", "flat"],
    ["pyarrow_delta_v1", "flat"],
    ["pyarrow_fallback", "flat"],
    ["pyarrow_int96", "times"],
    ["pyarrow_nested_v2", "nested"],
    ["pyarrow_nested_item", "nested"],
    ["spark_v2", "flat"],
    ["spark_fallback", "late"],
    ["spark_int96_legacy", "flat"],
    ["spark_nested", "nested"],
    ["spark_nested_v2", "nested"],
    ["spark_nested_legacy", "nested"],
  ])("%s holds its rows", async (name, rows) => {
    const expected = load(rows);
    const { schema } = expected;
    const found = (await readRows(bytesOf(name), schema)) as Record<string, unknown>[];
    const spelled = found.map((row) =>
      Object.fromEntries(schema.fields.map((field) => [field.name, spell(row[field.name], field)])),
    );
    expect(spelled).toStrictEqual(expected.rows);
  });

  test("they have the forms that they are for", () => {
    const metadataOf = (name: string): FileMetaData =>
      parquetMetadata(bytesOf(name).slice().buffer as ArrayBuffer);
    const encodings = (name: string): Set<string> =>
      new Set(
        metadataOf(name).row_groups.flatMap(({ columns }) =>
          columns.flatMap(({ meta_data }) => meta_data?.encodings ?? []),
        ),
      );
    const delta = ["DELTA_BINARY_PACKED", "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY"];
    for (const name of ["pyarrow_delta_v2", "pyarrow_delta_v1"]) {
      expect([...encodings(name)]).toEqual(expect.arrayContaining([...delta, "BYTE_STREAM_SPLIT"]));
    }
    expect([...encodings("spark_v2")]).toEqual(
      expect.arrayContaining(["DELTA_BINARY_PACKED", "DELTA_BYTE_ARRAY"]),
    );
    const isData = ({ page_type }: { page_type: string }): boolean => page_type === "DATA_PAGE";
    const [group] = metadataOf("pyarrow_fallback").row_groups;
    const texts = group?.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === "s");
    const pages = texts?.meta_data?.encoding_stats?.filter(isData).map(({ encoding }) => encoding);
    expect(pages).toEqual(["PLAIN", "RLE_DICTIONARY"]);
    for (const name of ["pyarrow_int96", "spark_int96_legacy"]) {
      expect(metadataOf(name).schema.map(({ type }) => type)).toContain("INT96");
    }
    const names = (name: string): string[] => metadataOf(name).schema.map((part) => part.name);
    expect(names("pyarrow_nested_item")).toContain("item");
    expect(names("spark_nested_legacy")).toEqual(expect.arrayContaining(["bag", "array"]));
  });
});
