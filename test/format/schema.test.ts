// Types, fields and schemas: what a field list may say, and what a column keeps for life.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createDecimalType,
  createTableSchema,
  decimalWidthBytes,
  findField,
  formatFieldType,
  formatType,
  isSameType,
  maxDecimalPrecision,
  parseFieldType,
  projectSchema,
  requireField,
} from "../../src/format/schema.ts";

const invalid = (message: RegExp): object =>
  expect.objectContaining({ code: "INVALID", message: expect.stringMatching(message) });

describe("types of a field list (SC-1)", () => {
  const names = [
    "string",
    "boolean",
    "int",
    "long",
    "float",
    "double",
    "bytes",
    "date",
    "timestamp-micros",
  ];

  test.each(names)("%s stands for itself, and with ? allows null", (name) => {
    expect(parseFieldType("c", name)).toEqual({ type: { kind: name }, nullable: false });
    expect(parseFieldType("c", `${name}?`)).toEqual({ type: { kind: name }, nullable: true });
  });

  test.each(["decimal(10,2)", "decimal(10, 2)"])("%s has digits and fraction", (text) => {
    const type = { kind: "decimal", precision: 10, scale: 2 };
    expect(parseFieldType("c", text)).toEqual({ type, nullable: false });
    expect(parseFieldType("c", `${text}?`)).toEqual({ type, nullable: true });
  });

  test("every type is written as it is read", () => {
    const decimal = fc
      .integer({ min: 1, max: 38 })
      .chain((p) => fc.integer({ min: 0, max: p }).map((s) => `decimal(${p},${s})`));
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...names), decimal), fc.boolean(), (name, nullable) => {
        const text = nullable ? `${name}?` : name;
        expect(formatFieldType(parseFieldType("c", text))).toBe(text);
      }),
    );
  });

  test.each([
    "real",
    "list",
    "list<>",
    "map<int,int>",
    "struct<a>",
    "String",
    "int ",
    "",
    "?",
    "int??",
    "decimal",
    "decimal(1e1,2)",
  ])("%j is no type, and the message names the column", (text) => {
    expect(() => parseFieldType("fare", text)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", message: expect.stringMatching(/fare/) }),
    );
  });

  test.each([["decimal(0,0)"], ["decimal(39,2)"], ["decimal(5,6)"]])(
    "%s is refused: 1 to 38 digits",
    (text) => {
      expect(() => parseFieldType("fare", text)).toThrow(invalid(/fare.*1 to 38/));
    },
  );

  test("what is no text is refused", () => {
    expect(() => parseFieldType("fare", 7 as unknown as string)).toThrow(invalid(/fare.*number/));
  });

  test.each([
    [Number.NaN, 2],
    [10, Number.NaN],
    [10.5, 2],
    [10, -1],
  ])("a decimal of %d digits, %d fractional, is none", (precision, scale) => {
    expect(() => createDecimalType("fare", precision, scale)).toThrow(invalid(/fare/));
  });
});

describe("width of decimals (SC-1)", () => {
  test.each([
    [1, 1],
    [2, 1],
    [3, 2],
    [9, 4],
    [10, 5],
    [18, 8],
    [19, 9],
    [20, 9],
    [38, 16],
  ])("%d digits take %d bytes", (precision, width) => {
    expect(decimalWidthBytes(precision)).toBe(width);
  });

  test("is the least that holds every value of the precision", () => {
    for (let precision = 1; precision <= 38; precision += 1) {
      const width = decimalWidthBytes(precision);
      const most = 10n ** BigInt(precision) - 1n;
      const holds = (bytes: number): boolean => most < 1n << BigInt(8 * bytes - 1);
      expect([precision, holds(width), width > 1 && holds(width - 1)]).toEqual([
        precision,
        true,
        false,
      ]);
      expect(maxDecimalPrecision(width)).toBeGreaterThanOrEqual(precision);
    }
  });
});

describe("names of columns (SC-2)", () => {
  test.each(["", "1st", "a-b", "a b", "a.b", "größe", "a\n"])("%j is no name", (name) => {
    expect(() => createTableSchema("t", { [name]: "int" })).toThrow(invalid(/column name/));
  });

  test("the prefix of the meta columns is taken", () => {
    expect(() => createTableSchema("t", { _hoodie_file_name: "string" })).toThrow(
      invalid(/_hoodie_file_name.*reserved/),
    );
    expect(createTableSchema("t", { _other: "int" }).fields[0]?.name).toBe("_other");
  });

  test("names that differ in case only are refused, both named", () => {
    expect(() => createTableSchema("t", { fare: "int", id: "int", Fare: "int" })).toThrow(
      invalid(/fare and Fare/),
    );
    expect(() => createTableSchema("t", { Fare: "int", fare: "int" })).toThrow(
      invalid(/Fare and fare/),
    );
  });

  test("hostile names are names", () => {
    const { fields } = createTableSchema("t", { ["__proto__"]: "int", constructor: "string?" });
    expect(fields.map(({ name }) => name)).toEqual(["__proto__", "constructor"]);
  });

  test("a schema has at least one column", () => {
    expect(() => createTableSchema("t", {})).toThrow(invalid(/no fields/));
  });
});

describe("schemas", () => {
  const schema = createTableSchema("t", { id: "string", fare: "decimal(8,2)?", at: "long" });

  test("columns have the order of the list and ids by it (SC-5)", () => {
    expect(schema.fields.map(({ id, name }) => [id, name])).toEqual([
      [0, "id"],
      [1, "fare"],
      [2, "at"],
    ]);
  });

  test("a projection keeps ids, and its order is the asked one (SC-5)", () => {
    const projected = projectSchema(schema, ["at", "id"]);
    expect(projected.fields.map(({ id }) => id)).toEqual([2, 0]);
    expect(projected.name).toBe("t");
  });

  test("a column that is not there is named, with those that are", () => {
    expect(findField(schema, "fares")).toBeUndefined();
    expect(() => requireField(schema, "fares")).toThrow(invalid(/fares.*id, fare, at/));
    expect(() => requireField(schema, "toString")).toThrow(invalid(/toString/));
  });

  test("types are compared by what they hold", () => {
    const decimal = (precision: number, scale: number) => createDecimalType("c", precision, scale);
    expect(isSameType(decimal(8, 2), decimal(8, 2))).toBe(true);
    expect(isSameType(decimal(8, 2), decimal(8, 3))).toBe(false);
    expect(isSameType({ kind: "int" }, { kind: "date" })).toBe(false);
    expect(isSameType({ kind: "int" }, { kind: "int" })).toBe(true);
    expect(formatType(decimal(8, 2))).toBe("decimal(8,2)");
  });
});
