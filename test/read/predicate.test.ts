// Filters: three-valued logic row by row against a plain evaluation, and the proof that bounds never
// rule out a row that passes.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createOrderingComparator } from "../../src/file-group/record-merger.ts";
import { type Column, type ColumnBatch, isPresent } from "../../src/format/column-batch.ts";
import { gatherColumn } from "../../src/format/column-gather.ts";
import { createTableSchema, type Field } from "../../src/format/schema.ts";
import {
  BoundPredicate,
  type ColumnBounds,
  type Predicate,
  parseWhere,
  predicateColumns,
} from "../../src/read/predicate.ts";
import { ALL_SCHEMA, batchOf, columnOf, columnsOf } from "../format/column-samples.ts";
import { evaluate, predicateOver, rowsOf } from "./plain-filter.ts";

const invalid = (message: RegExp): object =>
  expect.objectContaining({ code: "INVALID", message: expect.stringMatching(message) });

/** The bounds of each column of a batch, as a footer has them: NaN left out, undefined without values. */
function boundsOf(batch: ColumnBatch): (name: string) => ColumnBounds | undefined {
  return (name) => {
    const index = batch.schema.fields.findIndex((field) => field.name === name);
    const column = batch.columns[index] as Column;
    const isBytes = batch.schema.fields[index]?.type.kind === "fixed";
    const compare = createOrderingComparator(column, column, isBytes);
    const present = [...Array(batch.rowCount).keys()].filter((row) => isPresent(column, row));
    if (present.length === 0) return { extremes: undefined, mayHoldNulls: true };
    const sorted = present.sort(compare);
    const picks = Int32Array.of(sorted[0] as number, sorted.at(-1) as number);
    return {
      extremes: gatherColumn(column, undefined, picks),
      mayHoldNulls: present.length < batch.rowCount,
    };
  };
}

const sample = columnsOf(ALL_SCHEMA, 12).chain((columns) =>
  fc.tuple(fc.constant(columns), predicateOver(ALL_SCHEMA, columns)),
);

describe("any filter", () => {
  test("returns the rows for which it is true, by the plain definition (PR-1, PR-2)", () => {
    fc.assert(
      fc.property(sample, ([columns, predicate]) => {
        const selected = new BoundPredicate(predicate, ALL_SCHEMA).select(
          batchOf(ALL_SCHEMA, columns),
        );
        const expected = rowsOf(columns).flatMap((row, at) =>
          evaluate(predicate, row) ? [at] : [],
        );
        expect([...selected]).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test("skips by bounds only what holds no row of the result (PR-3)", () => {
    let skipped = 0;
    fc.assert(
      fc.property(sample, fc.boolean(), ([columns, predicate], knowsBounds) => {
        const batch = batchOf(ALL_SCHEMA, columns);
        const bound = new BoundPredicate(predicate, ALL_SCHEMA);
        const mayMatch = bound.mayMatch(knowsBounds ? boundsOf(batch) : () => undefined);
        if (!mayMatch) skipped += 1;
        const selected = bound.select(batch);
        if (selected.length > 0) expect(mayMatch).toBe(true);
      }),
      { numRuns: 300 },
    );
    expect(skipped).toBeGreaterThan(0);
  });
});

describe("bounds (PR-3)", () => {
  const schema = createTableSchema("t", { n: "int?", x: "double?", s: "string?" });
  const bounds = (
    values: readonly unknown[],
    name = "n",
    mayHoldNulls = false,
  ): ((column: string) => ColumnBounds | undefined) => {
    const field = schema.fields.find((f) => f.name === name) as Field;
    const extremes = values.length === 0 ? undefined : columnOf(field, values);
    return (column) => (column === name ? { extremes, mayHoldNulls } : undefined);
  };
  const may = (where: object, known: (column: string) => ColumnBounds | undefined): boolean =>
    new BoundPredicate(parseWhere(where as Record<string, unknown>) as Predicate, schema).mayMatch(
      known,
    );

  test.each<[object, boolean]>([
    [{ n: 5 }, true],
    [{ n: 0 }, true],
    [{ n: 9 }, true],
    [{ n: 10 }, false],
    [{ n: -1 }, false],
    [{ n: { ne: 5 } }, true],
    [{ n: { lt: 0 } }, false],
    [{ n: { lt: 1 } }, true],
    [{ n: { lte: 0 } }, true],
    [{ n: { gt: 9 } }, false],
    [{ n: { gt: 8 } }, true],
    [{ n: { gte: 9 } }, true],
    [{ n: { in: [-1, 10] } }, false],
    [{ n: { in: [-1, 3] } }, true],
    [{ n: { in: [] } }, false],
    [{ n: null }, false],
    [{ n: { ne: null } }, true],
    [{ n: { gt: 3, lt: 2 } }, true],
    [{ n: { gt: 3 }, s: "a" }, true],
    [{ n: { gt: 30 }, s: "a" }, false],
  ])("0 to 9 for %j: %j", (where, expected) => {
    expect(may(where, bounds([0, 9]))).toBe(expected);
  });

  test("one value alone can be excluded", () => {
    expect(may({ n: { ne: 4 } }, bounds([4, 4]))).toBe(false);
    expect(may({ n: { ne: 4 } }, bounds([4, 5]))).toBe(true);
  });

  test("nothing but nulls passes is-null alone", () => {
    expect(may({ n: null }, bounds([], "n", true))).toBe(true);
    for (const where of [{ n: 1 }, { n: { ne: 1 } }, { n: { lt: 9 } }, { n: { ne: null } }]) {
      expect(may(where, bounds([], "n", true))).toBe(false);
    }
    const not: Predicate = {
      kind: "not",
      part: { kind: "compare", column: "n", operator: "eq", value: 1 },
    };
    expect(new BoundPredicate(not, schema).mayMatch(bounds([], "n", true))).toBe(false);
  });

  test("NaN may stand beyond a stated maximum", () => {
    const known = bounds([0, Number.NaN], "x");
    expect(may({ x: { gt: 100 } }, known)).toBe(true);
    expect(may({ x: Number.NaN }, known)).toBe(true);
    expect(may({ x: { lt: 0 } }, known)).toBe(false);
    expect(may({ x: { lt: 100 } }, bounds([200, Number.NaN], "x"))).toBe(false);
  });

  test("zeros of both signs are one", () => {
    expect(may({ x: -0 }, bounds([0, 0], "x"))).toBe(true);
    expect(may({ x: { ne: -0 } }, bounds([0, 0], "x"))).toBe(false);
  });

  test("what is not known skips nothing", () => {
    for (const where of [{ n: 1 }, { n: null }, { s: "a" }, { x: { gt: 1 } }]) {
      expect(may(where, () => undefined)).toBe(true);
    }
  });
});

describe("literals (PR-2)", () => {
  test.each<[Record<string, unknown>, RegExp]>([
    [{ small: "1" }, /column small \(int\).*expected/],
    [{ small: 1.5 }, /column small/],
    [{ price: 1 }, /column price/],
    [{ price: "1e3" }, /column price/],
    [{ day: "yesterday" }, /column day/],
    [{ big: { in: [1, "2"] } }, /column big/],
    [{ flag: "true" }, /column flag/],
    [{ text: { eq: 7 } }, /column text/],
    [{ small: { gt: null } }, /column small.*null/],
    [{ none: 1 }, /none.*text, flag/],
    [{ small: { about: 1 } }, /small: found about, expected one of eq, ne/],
    [{ small: { in: 1 } }, /small: found in/],
    [{ small: {}, none: {}, x: { like: "a" } }, /x: found like/],
  ])("%j is refused, the column named", (where, message) => {
    expect(() => {
      const predicate = parseWhere(where);
      return predicate && new BoundPredicate(predicate, ALL_SCHEMA);
    }).toThrow(invalid(message));
  });

  test("are what rows have: safe integers for longs, texts for dates", () => {
    const rows = batchOf(ALL_SCHEMA, {
      ...Object.fromEntries(ALL_SCHEMA.fields.map(({ name }) => [name, [null, null]])),
      big: [1n, 2n],
      day: [new Date("2024-01-01"), new Date("2024-01-02")],
    });
    const select = (where: Record<string, unknown>): number[] => [
      ...new BoundPredicate(parseWhere(where) as Predicate, ALL_SCHEMA).select(rows),
    ];
    expect(select({ big: 2 })).toEqual([1]);
    expect(select({ day: "2024-01-01" })).toEqual([0]);
    expect(select({ day: { lt: new Date("2024-01-02") } })).toEqual([0]);
  });
});

describe("where objects", () => {
  test.each<[Record<string, unknown>, Predicate | undefined]>([
    [{}, undefined],
    [{ a: undefined }, undefined],
    [{ a: 1 }, { kind: "compare", column: "a", operator: "eq", value: 1 }],
    [{ a: null }, { kind: "is-null", column: "a" }],
    [{ a: { eq: null } }, { kind: "is-null", column: "a" }],
    [{ a: { ne: null } }, { kind: "not", part: { kind: "is-null", column: "a" } }],
    [{ a: { in: [1, 2] } }, { kind: "in", column: "a", values: [1, 2] }],
    [
      { a: { gte: 1, lt: 5 }, b: "x" },
      {
        kind: "and",
        parts: [
          { kind: "compare", column: "a", operator: "gte", value: 1 },
          { kind: "compare", column: "a", operator: "lt", value: 5 },
          { kind: "compare", column: "b", operator: "eq", value: "x" },
        ],
      },
    ],
  ])("%j", (where, expected) => {
    expect(parseWhere(where)).toEqual(expected);
  });

  test("the columns that a filter looks at are known (PR-6)", () => {
    const predicate: Predicate = {
      kind: "or",
      parts: [
        { kind: "not", part: { kind: "is-null", column: "a" } },
        {
          kind: "and",
          parts: [
            { kind: "like", column: "b", pattern: "%" },
            { kind: "in", column: "a", values: [] },
          ],
        },
      ],
    };
    expect([...predicateColumns(predicate)].sort()).toEqual(["a", "b"]);
  });
});

describe("like (PR-5)", () => {
  const schema = createTableSchema("t", { s: "string?", n: "int" });
  const matches = (pattern: string, text: string): boolean => {
    const batch = batchOf(schema, { s: [text], n: [1] });
    return (
      new BoundPredicate({ kind: "like", column: "s", pattern }, schema).select(batch).length > 0
    );
  };

  test.each([
    ["", "", true],
    ["", "a", false],
    ["%", "", true],
    ["%", "abc", true],
    ["a%", "abc", true],
    ["a%", "ba", false],
    ["%c", "abc", true],
    ["a_c", "abc", true],
    ["a_c", "ac", false],
    ["_", "😀", true],
    ["__", "😀", false],
    ["%b%d%", "abcde", true],
    ["%b%d%", "adcbe", false],
    ["a.c", "abc", false],
    ["a.*", "a.*", true],
    ["(a+)+$", "aaaa", false],
    ["[abc]", "a", false],
    ["%%", "x", true],
    ["a%b%c", "a1b2b3c", true],
  ])("%j on %j: %j", (pattern, text, expected) => {
    expect(matches(pattern, text)).toBe(expected);
  });

  test("takes time as the text is long, whatever the pattern", () => {
    const started = performance.now();
    expect(matches(`${"%a".repeat(30)}%b`, "a".repeat(20_000))).toBe(false);
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test("is for texts", () => {
    expect(() => new BoundPredicate({ kind: "like", column: "n", pattern: "1" }, schema)).toThrow(
      invalid(/column n: like expects a string/),
    );
  });
});
