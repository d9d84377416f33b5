// Rows in and out: what a row may be, which row and column a message names, and hostile names.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { batchRows, RowBatchBuilder } from "../../src/format/row-batch.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { ALL_SCHEMA, ALL_TYPES, columnsOf } from "./column-samples.ts";

const schema = createTableSchema("t", { id: "string", fare: "decimal(5,2)?", at: "long" });
const invalid = (message: RegExp): object =>
  expect.objectContaining({ code: "INVALID", message: expect.stringMatching(message) });

describe("rows (SC-3)", () => {
  test("any rows come back as they were", () => {
    fc.assert(
      fc.property(columnsOf(ALL_SCHEMA), (columns) => {
        const count = columns.text?.length ?? 0;
        const rows = Array.from({ length: count }, (_, row) =>
          Object.fromEntries(Object.keys(ALL_TYPES).map((name) => [name, columns[name]?.[row]])),
        );
        const builder = new RowBatchBuilder(ALL_SCHEMA);
        for (const row of rows) builder.append(row);
        expect([...batchRows(builder.finish())]).toEqual(rows);
      }),
    );
  });

  test.each([
    [{ id: "a", at: 1 }, /row 0: column fare \(decimal\(5,2\)\?\): found nothing/],
    [{ id: "a", fare: undefined, at: 1 }, /row 0: column fare/],
    [
      { id: "a", fare: null, at: 1, cost: 2 },
      /row 0: unknown column "cost", expected id, fare, at/,
    ],
    [{ id: null, fare: null, at: 1 }, /row 0: column id \(string\): found null/],
    [{ id: "a", fare: "1000", at: 1 }, /row 0: column fare .*at most 3 digits/],
    [null, /row 0: found no object/],
    [undefined, /row 0: found no object/],
    ["row", /row 0: found no object/],
    [[1, 2], /row 0: found no object/],
    [() => 1, /row 0: found no object/],
  ])("%j is refused", (row, message) => {
    expect(() => new RowBatchBuilder(schema).append(row)).toThrow(invalid(message));
  });

  test("messages name the row as the caller counts", () => {
    const builder = new RowBatchBuilder(schema, (row) => `line ${row + 1} of trips.jsonl`);
    builder.append({ id: "a", fare: null, at: 1 });
    expect(() => builder.append({ id: "b", fare: "x", at: 1 })).toThrow(
      invalid(/^cannot use line 2 of trips.jsonl: column fare/),
    );
  });

  test("a row with an inherited column is taken like any other", () => {
    const row = Object.create({ id: "a", fare: "1.00" });
    row.at = 1n;
    const builder = new RowBatchBuilder(schema);
    builder.append(row);
    expect([...batchRows(builder.finish())]).toEqual([{ id: "a", fare: "1.00", at: 1n }]);
  });

  test("size and number of rows are known as they come", () => {
    const builder = new RowBatchBuilder(schema);
    expect([builder.rowCount, builder.sizeBytes]).toEqual([0, 0]);
    builder.append({ id: "abc", fare: null, at: 1 });
    expect([builder.rowCount, builder.sizeBytes]).toEqual([1, 3 + 4 + 3 + 8]);
  });
});

describe("rows of which only the key counts", () => {
  const required = new Set(["id"]);

  test("other columns may be left out, null, or there", () => {
    const builder = new RowBatchBuilder(schema);
    builder.appendPartial({ id: "a" }, required);
    builder.appendPartial({ id: "b", fare: null, at: null }, required);
    builder.appendPartial({ id: "c", fare: "1.5", at: 3 }, required);
    expect([...batchRows(builder.finish())]).toEqual([
      { id: "a", fare: null, at: null },
      { id: "b", fare: null, at: null },
      { id: "c", fare: "1.50", at: 3n },
    ]);
  });

  test.each([
    [{}, /column id .*found nothing/],
    [{ id: null }, /column id .*found null/],
    [{ id: 7 }, /column id .*found number 7/],
    [{ id: "a", cost: 1 }, /unknown column "cost"/],
    [{ id: "a", at: "1" }, /column at/],
  ])("%j is refused", (row, message) => {
    expect(() => new RowBatchBuilder(schema).appendPartial(row, required)).toThrow(
      invalid(message),
    );
  });
});

describe("hostile names are data (SC-3)", () => {
  test("a row from JSON with __proto__ has a column that the table lacks", () => {
    const row = JSON.parse('{"id":"a","fare":null,"at":1,"__proto__":{"admin":true}}');
    expect(() => new RowBatchBuilder(schema).append(row)).toThrow(
      invalid(/unknown column "__proto__"/),
    );
    expect(({} as Record<string, unknown>).admin).toBeUndefined();
  });

  test("columns named __proto__, constructor and toString are columns", () => {
    const hostile = createTableSchema("t", {
      ["__proto__"]: "string?",
      constructor: "int?",
      toString: "boolean?",
    });
    const builder = new RowBatchBuilder(hostile);
    builder.append(JSON.parse('{"__proto__":"p","constructor":1,"toString":true}'));
    builder.append(JSON.parse('{"__proto__":null,"constructor":null,"toString":null}'));
    const [first, second] = batchRows(builder.finish());
    expect(Object.entries(first ?? {})).toEqual([
      ["__proto__", "p"],
      ["constructor", 1],
      ["toString", true],
    ]);
    expect(Object.values(second ?? {})).toEqual([null, null, null]);
    expect(Object.getPrototypeOf(first)).toBeNull();
  });

  test("a row that leaves such a column out has not inherited it", () => {
    const hostile = createTableSchema("t", { constructor: "string?", ["__proto__"]: "string?" });
    const row = { ["__proto__"]: "p" };
    expect(() => new RowBatchBuilder(hostile).append(row)).toThrow(
      invalid(/column constructor .*found/),
    );
  });
});
