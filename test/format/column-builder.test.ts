// Single columns from JavaScript values: what each type takes, what it refuses, and that nothing is
// rounded or cut on the way in or out.
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createColumnBuilder, parseDate } from "../../src/format/column-builder.ts";
import { formatDecimal, readBigEndian, writeBigEndian } from "../../src/format/decimal-builder.ts";
import { type Field, parseFieldType } from "../../src/format/schema.ts";
import { ALL_SCHEMA, columnOf, valuesIn, valuesOf } from "./column-samples.ts";

function fieldOf(type: string): Field {
  return { id: 0, name: "c", ...parseFieldType("c", type) };
}

/** What a column gives back for a value. */
function roundTrip(type: string, value: unknown): unknown {
  const field = fieldOf(type);
  return valuesIn(field, columnOf(field, [value]))[0];
}

/** A value as a title shows it. */
const show = (value: unknown): string => inspect(value, { breakLength: Infinity }).slice(0, 50);

describe("values of each type (SC-3)", () => {
  test.each(ALL_SCHEMA.fields)("any values of $name come back as they were", (field) => {
    fc.assert(
      fc.property(valuesOf(field), (values) => {
        expect(valuesIn(field, columnOf(field, values))).toEqual(values);
      }),
    );
  });

  test.each(ALL_SCHEMA.fields)("a column of $name grows over thousands of rows", (field) => {
    const [sample] = fc.sample(
      valuesOf({ ...field, nullable: false }, 8).filter((v) => v.length > 0),
      {
        numRuns: 1,
        seed: 7,
      },
    ) as [unknown[]];
    const values = Array.from({ length: 5000 }, (_, row) =>
      row % 11 === 5 ? null : sample[row % sample.length],
    );
    expect(valuesIn(field, columnOf(field, values))).toEqual(values);
  });

  test.each(
    (
      [
        ["string", "", ""],
        ["string", "a\u0000ß€😀\uFEFF", "a\u0000ß€😀\uFEFF"],

        ["time-millis", "23:59:59.999", 86_399_999],
        ["time-micros", "23:59:59.999999", 86_399_999_999n],
        ["time-micros", 86_399_999_999, 86_399_999_999n],
        ["timestamp-millis", new Date(-1), -1n],
        ["timestamp-millis", -(2n ** 63n), -(2n ** 63n)],
        ["int", 2_147_483_647, 2_147_483_647],
        ["int", -2_147_483_648, -2_147_483_648],
        ["long", 2 ** 53 - 1, 9_007_199_254_740_991n],
        ["long", -(2 ** 53 - 1), -9_007_199_254_740_991n],
        ["long", 2n ** 63n - 1n, 2n ** 63n - 1n],
        ["long", -(2n ** 63n), -(2n ** 63n)],
        ["double", -0, -0],
        ["double", Number.NaN, Number.NaN],
        ["double", Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
        ["double", 5e-324, 5e-324],
        ["date", "1969-12-31", new Date("1969-12-31")],
        ["date", "0000-01-01", new Date("0000-01-01")],
        ["date", new Date(0), new Date(0)],
        ["timestamp-micros", new Date("1969-12-31T23:59:59.999Z"), -1000n],
        ["timestamp-micros", -1n, -1n],
        ["decimal(5,2)", "0", "0.00"],
        ["decimal(5,2)", "+1.5", "1.50"],
        ["decimal(5,2)", "-999.99", "-999.99"],
        ["decimal(5,2)", "000000999.99", "999.99"],
        ["decimal(5,2)", "-0.00", "0.00"],
        ["decimal(3,3)", "0.999", "0.999"],
        ["decimal(3,0)", "999", "999"],
        ["decimal(38,0)", "9".repeat(38), "9".repeat(38)],
      ] as [string, unknown, unknown][]
    ).map(([type, value, expected]) => [type, show(value), value, expected] as const),
  )("%s takes %s", (type, _, value, expected) => {
    expect(roundTrip(type, value)).toEqual(expected);
    if (typeof expected === "number") expect(roundTrip(type, value)).toBe(expected);
  });

  const day = new Date(Date.UTC(2024, 0, 1, 0, 0, 0, 1));
  test.each(
    (
      [
        ["string", 7],
        ["string", new String("boxed")],
        ["string", "half \uD83D a pair"],
        ["string", "\uDE00"],
        ["string", Symbol("s")],
        ["boolean", 1],
        ["boolean", "true"],
        ["int", 1.5],
        ["int", "1"],
        ["int", 1n],
        ["int", 2_147_483_648],
        ["int", -2_147_483_649],
        ["int", Number.NaN],
        ["int", Number.POSITIVE_INFINITY],
        ["long", 2 ** 53],
        ["long", 1.5],
        ["long", "1"],
        ["long", 2n ** 63n],
        ["long", -(2n ** 63n) - 1n],
        ["long", Number.NaN],
        ["double", "1"],
        ["double", 1n],
        ["date", day],
        ["date", new Date(Number.NaN)],
        ["date", 19_000],
        ["date", "2024-02-30"],
        ["date", "2023-02-29"],
        ["date", "2024-1-1"],
        ["date", "2024-01-01T00:00:00Z"],
        ["date", "+010000-01-01"],
        ["timestamp-micros", 1_700_000_000_000],
        ["timestamp-micros", "2024-01-01T00:00:00Z"],
        ["timestamp-micros", 2n ** 63n],
        ["timestamp-micros", new Date(Number.NaN)],
        ["decimal(5,2)", 1.5],
        ["decimal(5,2)", 1n],
        ["decimal(5,2)", "1000.00"],
        ["decimal(5,2)", "-1000"],
        ["decimal(5,2)", "1.234"],
        ["decimal(5,2)", "1.230"],
        ["decimal(5,2)", "1e2"],
        ["decimal(5,2)", "1."],
        ["decimal(5,2)", ".5"],
        ["decimal(5,2)", ""],
        ["decimal(5,2)", " 1"],
        ["decimal(5,2)", "NaN"],
        ["decimal(5,2)", "1,5"],
        ["decimal(5,2)", "١"],
        ["decimal(38,0)", `1${"0".repeat(38)}`],
        ["time-millis", -1],
        ["time-millis", 86_400_000],
        ["time-millis", 0.5],
        ["time-millis", 1n],
        ["time-millis", Number.NaN],
        ["time-millis", "24:00:00"],
        ["time-millis", "12:00:00.0001"],
        ["time-millis", new Date(0)],
        ["time-micros", -1n],
        ["time-micros", 86_400_000_000n],
        ["time-micros", 86_400_000_000],
        ["time-micros", 2n ** 80n],
        ["time-micros", 1.5],
        ["time-micros", "12:00:00.0000001"],
        ["timestamp-millis", 1_700_000_000_000],
        ["timestamp-millis", 2n ** 63n],
        ["timestamp-millis", new Date(Number.NaN)],
        ["timestamp-millis", "2024-01-01T00:00:00Z"],
        ["local-timestamp-micros", new Date(0)],
        ["fixed(3)", Uint8Array.of(1, 2)],
        ["fixed(3)", Uint8Array.of(1, 2, 3, 4)],
        ["fixed(3)", new Uint8Array(0)],
        ["fixed(3)", [1, 2, 3]],
        ["fixed(3)", "abc"],
        ["enum(SMALL,LARGE)", "small"],
        ["enum(SMALL,LARGE)", ""],
        ["enum(SMALL,LARGE)", "SMALL,LARGE"],
        ["enum(SMALL,LARGE)", 0],
        ["enum(SMALL,LARGE)", "__proto__"],
        ["string", {}],
        ["int", []],
        ["double", undefined],
        ["double?", undefined],
        ["double", null],
      ] as [string, unknown][]
    ).map(([type, value]) => [type, show(value), value] as const),
  )("%s refuses %s, and says what was found and expected", (type, _, value) => {
    const builder = createColumnBuilder(fieldOf(type));
    expect(() => builder.append(value)).toThrow(
      expect.objectContaining({
        code: "INVALID",
        message: expect.stringMatching(/^column c \(.*\): found .*, expected ./),
      }),
    );
  });

  test("a refused value is not repeated at length", () => {
    const builder = createColumnBuilder(fieldOf("int"));
    expect(() => builder.append("x".repeat(1_000_000))).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^.{1,150}$/) }),
    );
  });

  test("a forced null stands even where the column allows none", () => {
    const builder = createColumnBuilder(fieldOf("int"));
    builder.append(1);
    builder.appendNull();
    builder.append(3);
    const column = builder.finish();
    expect(valuesIn(fieldOf("int"), column)).toEqual([1, null, 3]);
  });

  test("a column without nulls carries no bitmap, and knows its size", () => {
    const builder = createColumnBuilder(fieldOf("string?"));
    for (const text of ["a", "bc"]) builder.append(text);
    expect(builder.sizeBytes).toBe(3 + 2 * 4);
    expect(builder.finish().validity).toBeUndefined();
  });
});

describe("decimals as bytes (SC-1)", () => {
  test("any value of any width is read as it was written", () => {
    const sample = fc.integer({ min: 1, max: 16 }).chain((width) => {
      const limit = 1n << BigInt(8 * width - 1);
      return fc.tuple(fc.constant(width), fc.bigInt({ min: -limit, max: limit - 1n }));
    });
    fc.assert(
      fc.property(sample, ([width, value]) => {
        const data = new Uint8Array(width + 2).fill(0x55);
        writeBigEndian(data, 1, width, value);
        expect(readBigEndian(data, 1, width)).toBe(value);
        expect([data[0], data[width + 1]]).toEqual([0x55, 0x55]);
      }),
    );
  });

  test.each([
    [0n, 0, "0"],
    [-5n, 0, "-5"],
    [5n, 2, "0.05"],
    [-50n, 2, "-0.50"],
    [12_345n, 2, "123.45"],
    [0n, 3, "0.000"],
  ])("%s with scale %d reads %s", (unscaled, scale, text) => {
    expect(formatDecimal(unscaled, scale)).toBe(text);
  });
});

test("days of texts: only days that exist", () => {
  expect(parseDate("1970-01-02")).toBe(1);
  expect(parseDate("1969-12-31")).toBe(-1);
  expect(parseDate("2000-02-29")).toBe(11_016);
  expect(parseDate("1900-02-29")).toBeUndefined();
  expect(parseDate("2024-13-01")).toBeUndefined();
  expect(parseDate(" 2024-01-01")).toBeUndefined();
});
