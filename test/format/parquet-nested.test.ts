// Columns with columns inside: rows come back from a file as they were written, by our reader and by
// another one, and from lists and maps in the forms that other writers use. Rules: PQ-15 and PQ-16.
import fc from "fast-check";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { describe, expect, test } from "vitest";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
import { batchRows, RowBatchBuilder } from "../../src/format/row-batch.ts";
import {
  createTableSchema,
  type Field,
  formatFieldType,
  parseFieldType,
  type TableSchema,
} from "../../src/format/schema.ts";
import { someOrNull } from "./column-samples.ts";
import { memorySource, readRowGroup, writeFile } from "./parquet-samples.ts";

const leafText = fc.constantFrom(
  "string",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
  "date",
  "timestamp-micros",
  "decimal(9,2)",
);

/** The text of a type with others inside it, to some depth. */
const typeText: fc.Arbitrary<string> = fc.letrec<{ type: string; nullable: string }>((tie) => ({
  nullable: fc
    .tuple(tie("type"), fc.boolean())
    .map(([type, isNullable]) => (isNullable ? `${type}?` : type)),
  type: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    leafText,
    tie("nullable").map((inside) => `list<${inside}>`),
    tie("nullable").map((inside) => `map<${inside}>`),
    fc
      .array(tie("nullable"), { minLength: 1, maxLength: 3 })
      .map((parts) => `struct<${parts.map((part, at) => `f${at}:${part}`).join(",")}>`),
  ),
})).nullable;

function rowsOf(schema: TableSchema): fc.Arbitrary<Record<string, unknown>[]> {
  const values = schema.fields.map((field) => [field.name, someOrNull(field)] as const);
  return fc.array(fc.record(Object.fromEntries(values), { noNullPrototype: true }), {
    maxLength: 12,
  });
}

/** Values as a test compares them: no prototypes, every bit of a number. */
function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).map(([name, inside]) => [name, plain(inside)]);
}

async function roundTrip(
  schema: TableSchema,
  parts: readonly (readonly Record<string, unknown>[])[],
  rowGroupRows = 1000,
): Promise<{ bytes: Uint8Array; rows: unknown[] }> {
  const batches = parts.map((rows) => {
    const builder = new RowBatchBuilder(schema);
    for (const row of rows) builder.append(row);
    return builder.finish();
  });
  const { bytes } = await writeFile(schema, batches, { rowGroupRows });
  const file = await openParquetFile(memorySource(bytes));
  const rows: unknown[] = [];
  for (const group of file.rowGroups.keys()) {
    rows.push(...batchRows(await readRowGroup(file, group, schema.fields)));
  }
  return { bytes, rows };
}

describe("nested columns (PQ-15, PQ-16)", () => {
  test("every type is written as it is read", () => {
    fc.assert(
      fc.property(typeText, (text) => {
        expect(formatFieldType(parseFieldType("c", text))).toBe(text);
      }),
    );
  });

  test("rows of any type come back from files of any row groups (SC-6)", async () => {
    const sample = fc.array(typeText, { minLength: 1, maxLength: 3 }).chain((types) => {
      const schema = createTableSchema(
        "t",
        Object.fromEntries(types.map((type, at) => [`c${at}`, type])),
      );
      const rows = rowsOf(schema);
      return fc.tuple(fc.constant(schema), rows, rows, fc.integer({ min: 1, max: 9 }));
    });
    await fc.assert(
      fc.asyncProperty(sample, async ([schema, first, second, rowGroupRows]) => {
        const { rows } = await roundTrip(schema, [first, second], rowGroupRows);
        expect(rows.map(plain)).toEqual([...first, ...second].map(plain));
      }),
      { numRuns: 400 },
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
