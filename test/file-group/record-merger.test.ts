// Which version of a record wins: the order of ordering values of every type.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createOrderingComparator,
  requireOrderingValues,
} from "../../src/file-group/record-merger.ts";
import { type Field, parseFieldType } from "../../src/format/schema.ts";
import { ALL_SCHEMA, columnOf, someValueOf } from "../format/column-samples.ts";

const fieldOf = (type: string): Field => ({ id: 0, name: "at", ...parseFieldType("at", type) });

/** The sign of the order of two values of a type. */
function order(type: string, stored: unknown, incoming: unknown): number {
  const field = fieldOf(type);
  const compare = createOrderingComparator(columnOf(field, [stored]), columnOf(field, [incoming]));
  return Math.sign(compare(0, 0));
}

describe("the order of values (MR-4)", () => {
  test.each<[string, readonly unknown[]]>([
    ["int", [-(2 ** 31), -1, 0, 1, 2 ** 31 - 1]],
    ["long", [-(2n ** 63n), -1n, 0n, 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n]],
    [
      "double",
      [
        Number.NEGATIVE_INFINITY,
        -1,
        -5e-324,
        -0,
        0,
        5e-324,
        1,
        Number.POSITIVE_INFINITY,
        Number.NaN,
      ],
    ],
    ["date", ["0001-01-01", "1969-12-31", "1970-01-01", "9999-12-31"]],
    ["timestamp-micros", [-1n, 0n, 1n]],
    ["decimal(5,2)", ["-999.99", "-0.01", "0.00", "0.01", "2.00", "10.00", "999.99"]],
    ["decimal(38,0)", [`-${"9".repeat(38)}`, "-1", "0", "1", "9".repeat(38)]],
    ["string", ["", "A", "a", "aa", "b", "é", "\uFFFD", "😀"]],
    ["boolean", [false, true]],
  ])("of type %s", (type, ascending) => {
    for (const [a, left] of ascending.entries()) {
      for (const [b, right] of ascending.entries()) {
        expect([left, right, order(type, left, right)]).toEqual([left, right, Math.sign(a - b)]);
      }
    }
  });

  test.each(ALL_SCHEMA.fields)(
    "of any values of $name is an order: opposite when turned round",
    (field) => {
      const value = someValueOf(field);
      fc.assert(
        fc.property(value, value, (a, b) => {
          const compare = createOrderingComparator(columnOf(field, [a]), columnOf(field, [b]));
          const turned = createOrderingComparator(columnOf(field, [b]), columnOf(field, [a]));
          expect(Math.sign(compare(0, 0)) + Math.sign(turned(0, 0))).toBe(0);
          expect(createOrderingComparator(columnOf(field, [a]), columnOf(field, [a]))(0, 0)).toBe(
            0,
          );
        }),
        { numRuns: 50 },
      );
    },
  );

  test("two NaNs are equal, whatever their bits", () => {
    const field = fieldOf("double");
    const odd = new Float64Array(BigInt64Array.of(0x7ff8_dead_beef_0001n).buffer);
    const column = { layout: "float64", rowCount: 1, validity: undefined, values: odd } as const;
    expect(createOrderingComparator(column, columnOf(field, [Number.NaN]))(0, 0)).toBe(0);
  });

  test("columns of different layouts are damage, not an order", () => {
    const columns = [columnOf(fieldOf("int"), [1]), columnOf(fieldOf("long"), [1])] as const;
    expect(() => createOrderingComparator(...columns)).toThrow(
      expect.objectContaining({ code: "CORRUPT" }),
    );
  });
});

describe("nulls (MR-3)", () => {
  test("a stored one is older than anything", () => {
    for (const type of ["long?", "string?", "double?", "decimal(5,2)?", "boolean?"]) {
      const field = fieldOf(type);
      const stored = columnOf(field, [null]);
      const least = columnOf(field, [
        {
          "long?": -1n,
          "string?": "",
          "double?": Number.NEGATIVE_INFINITY,
          "decimal(5,2)?": "0",
          "boolean?": false,
        }[type],
      ]);
      expect(createOrderingComparator(stored, least)(0, 0)).toBeLessThan(0);
    }
  });

  test("an incoming one is refused, its row named", () => {
    const column = columnOf(fieldOf("long?"), [1n, null, null]);
    const describeRow = (row: number): string => `row ${row + 40}`;
    expect(() => requireOrderingValues(column, "at", describeRow)).toThrow(
      expect.objectContaining({
        code: "INVALID",
        message: expect.stringMatching(/row 41: ordering field at is null, expected a value/),
      }),
    );
    requireOrderingValues(column, "at", describeRow, (row) => row === 0);
    requireOrderingValues(columnOf(fieldOf("long?"), [1n, 2n]), "at", describeRow);
  });
});
