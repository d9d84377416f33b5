// Columns with columns inside: rows come back from a file as they were written, by our reader and by
// another one, and from lists and maps in the forms that other writers use. Rules: PQ-15 and PQ-16.
import fc from "fast-check";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { describe, expect, test } from "vitest";
import { RowBatchBuilder } from "../../src/format/row-batch.ts";
import {
  createTableSchema,
  type Field,
  formatFieldType,
  parseFieldType,
  type TableSchema,
} from "../../src/format/schema.ts";
import { plain, readRows, toBatch, typeText } from "./nested-samples.ts";
import { writeFile } from "./parquet-samples.ts";

async function roundTrip(
  schema: TableSchema,
  parts: readonly (readonly Record<string, unknown>[])[],
  rowGroupRows = 1000,
): Promise<{ bytes: Uint8Array; rows: unknown[] }> {
  const batches = parts.map((rows) => toBatch(schema, rows));
  const { bytes } = await writeFile(schema, batches, { rowGroupRows });
  return { bytes, rows: await readRows(bytes, schema) };
}

describe("nested columns (PQ-15, PQ-16)", () => {
  test("every type is written as it is read", () => {
    fc.assert(
      fc.property(typeText, (text) => {
        expect(formatFieldType(parseFieldType("c", text))).toBe(text);
      }),
    );
  });

  test("another reader finds the same rows", async () => {
    const schema = createTableSchema("t", {
      id: "string",
      tags: "list<string?>?",
      points: "list<struct<x:int,y:double?>?>?",
      names: "map<list<int?>?>?",
      deep: "struct<a:struct<b:list<map<long?>?>?>?>?",
    });
    const row = (id: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
      ...{ id, tags: null, points: null, names: null, deep: null },
      ...more,
    });
    const rows = [
      row("none"),
      row("empty", { tags: [], points: [], names: {}, deep: { a: null } }),
      row("nulls", { tags: [null, "a", null], points: [null], names: { k: null } }),
      row("full", {
        tags: ["x"],
        points: [
          { x: 1, y: 2.5 },
          { x: -1, y: null },
        ],
        names: { a: [1, null], b: [] },
        deep: { a: { b: [{ k: 7n }, null, {}] } },
      }),
    ];
    const { bytes, rows: own } = await roundTrip(schema, [rows]);
    expect(own.map(plain)).toEqual(rows.map(plain));
    const file = bytes.slice().buffer as ArrayBuffer;
    const names = parquetMetadata(file).schema.map(({ name }) => name);
    expect(names.slice(2, 5)).toEqual(["tags", "list", "element"]);
    const other = await parquetReadObjects({ file });
    expect(other.map(plain)).toEqual(rows.map(plain));
  });

  test("rows of many items make pages that begin with rows", async () => {
    const schema = createTableSchema("t", { items: "list<int?>?" });
    const rows = Array.from({ length: 40 }, (_, at) => ({
      items: at % 5 === 0 ? null : Array.from({ length: at * 700 }, (_, n) => (n % 9 ? n : null)),
    }));
    const { rows: own } = await roundTrip(schema, [rows.slice(0, 13), rows.slice(13)], 30);
    expect(own.map(plain)).toEqual(rows.map(plain));
  });

  test.each<[Field["name"], unknown, RegExp]>([
    ["struct<a:int>", { a: 1, b: 2 }, /column c .*found string b, expected one of a/],
    ["struct<a:int>", {}, /column c\.a .*found nothing/],
    ["struct<a:int>", [1], /expected an object/],
    ["list<int>", [1, null], /column c\.element .*found null/],
    ["list<int>", "text", /expected an array/],
    ["map<int>", { k: "v" }, /column c\.value .*expected an integer/],
    ["map<int>", new Map([[1, 2]]), /column c\.key .*expected a string/],
  ])("%s takes no %j (SC-6)", (type, value, message) => {
    const builder = new RowBatchBuilder(createTableSchema("t", { c: type }));
    expect(() => builder.append({ c: value })).toThrow(message);
  });
});
