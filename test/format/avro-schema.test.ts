// Schemas as Avro JSON: what we write, what Hudi and Spark write, and what damaged text is refused.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatAvroSchema,
  isSameSchema,
  META_COLUMNS,
  parseAvroSchema,
} from "../../src/format/avro-schema.ts";
import { createTableSchema, type Field } from "../../src/format/schema.ts";

const fields = {
  id: "string",
  flag: "boolean?",
  small: "int",
  big: "long",
  ratio: "double?",
  day: "date",
  moment: "timestamp-micros?",
  price: "decimal(10,2)",
  amount: "decimal(38,10)?",
} as const;
const schema = createTableSchema("trips_record", fields);
const options = { namespace: "hoodie.trips" };

const failure = (code: string, message: RegExp): object =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe("writing (SC-1)", () => {
  const json = JSON.parse(formatAvroSchema(schema, options));
  const typeOf = (name: string): unknown =>
    json.fields.find((field: { name: string }) => field.name === name)?.type;

  test("a record has Hudi's name and namespace", () => {
    expect([json.type, json.name, json.namespace]).toEqual([
      "record",
      "trips_record",
      "hoodie.trips",
    ]);
  });

  test("a date is an int, a timestamp a long", () => {
    expect(typeOf("day")).toEqual({ type: "int", logicalType: "date" });
    expect(typeOf("moment")).toEqual(["null", { type: "long", logicalType: "timestamp-micros" }]);
  });

  test("a decimal is a fixed of the least width, under a name of its own", () => {
    const decimal = { type: "fixed", name: "fixed", logicalType: "decimal" };
    expect(typeOf("price")).toEqual({
      ...decimal,
      namespace: "hoodie.trips.trips_record.price",
      size: 5,
      precision: 10,
      scale: 2,
    });
    expect(typeOf("amount")).toEqual([
      "null",
      {
        ...decimal,
        namespace: "hoodie.trips.trips_record.amount",
        size: 16,
        precision: 38,
        scale: 10,
      },
    ]);
  });

  test("a nullable column is a union that begins with null, its default", () => {
    const flag = json.fields.find((field: { name: string }) => field.name === "flag");
    expect(flag).toEqual({ name: "flag", type: ["null", "boolean"], default: null, "field-id": 1 });
    const id = json.fields.find((field: { name: string }) => field.name === "id");
    expect(id).toEqual({ name: "id", type: "string", "field-id": 0 });
  });

  test("meta columns come first, if asked for (RK-7)", () => {
    const names = (text: string): string[] =>
      JSON.parse(text).fields.map((field: { name: string }) => field.name);
    expect(names(formatAvroSchema(schema, { ...options, metaColumns: true }))).toEqual([
      ...META_COLUMNS,
      ...Object.keys(fields),
    ]);
    expect(names(formatAvroSchema(schema, options))).toEqual(Object.keys(fields));
  });
});

describe("reading back", () => {
  test("every schema comes back as it was, ids included (SC-1, SC-5)", () => {
    expect(parseAvroSchema(formatAvroSchema(schema, options))).toEqual(schema);
    const withMeta = formatAvroSchema(schema, { ...options, metaColumns: true });
    expect(parseAvroSchema(withMeta)).toEqual(schema);
  });

  test("any field list comes back", () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
    const type = fc.constantFrom(...Object.values(fields));
    fc.assert(
      fc.property(fc.dictionary(name, type, { minKeys: 1, maxKeys: 8 }), (list) => {
        const any = createTableSchema("r", list);
        expect(parseAvroSchema(formatAvroSchema(any, options))).toEqual(any);
      }),
    );
  });
});

describe("schemas of other engines", () => {
  const read = (...list: object[]): readonly Field[] =>
    parseAvroSchema(JSON.stringify({ type: "record", name: "r", fields: list })).fields;

  test("meta columns and the operation column are left out (RK-7)", () => {
    const meta = META_COLUMNS.map((name) => ({ name, type: ["null", "string"] }));
    const list = [
      ...meta,
      { name: "_hoodie_operation", type: "string" },
      { name: "a", type: "int" },
    ];
    expect(read(...list).map(({ name }) => name)).toEqual(["a"]);
  });

  test("a union may have null behind its type, and a type may be wrapped (SC-1)", () => {
    const [a, b, c] = read(
      { name: "a", type: ["int", "null"] },
      { name: "b", type: { type: "string", "avro.java.string": "String" } },
      { name: "c", type: ["null", { type: "bytes", logicalType: "decimal", precision: 4 }] },
    );
    expect(a).toMatchObject({ type: { kind: "int" }, nullable: true });
    expect(b).toMatchObject({ type: { kind: "string" }, nullable: false });
    expect(c).toMatchObject({ type: { kind: "decimal", precision: 4, scale: 0 }, nullable: true });
  });

  test("ids that another engine left out are given out anew, stated ones stay (SC-5)", () => {
    const ids = (...stated: unknown[]): number[] =>
      read(...stated.map((id, at) => ({ name: `c${at}`, type: "int", "field-id": id }))).map(
        ({ id }) => id,
      );
    expect(ids(undefined, undefined)).toEqual([0, 1]);
    expect(ids(7, 3)).toEqual([7, 3]);
    // A column that was added in front does not take the id of one behind it.
    expect(ids(undefined, 0, 1)).toEqual([2, 0, 1]);
    expect(ids(5, 5, "5", -1, 1.5)).toEqual([5, 1, 2, 3, 4]);
  });

  test.each([
    [{ type: "array", items: { type: "long", logicalType: "timestamp-nanos" } }],
    [{ type: "map", values: ["null", "int", "string"] }],
    [{ type: "record", name: "x", fields: [] }],
    [["null", "int", "string"]],
    [{ type: "long", logicalType: "timestamp-nanos" }],
    [{ type: "string", logicalType: "uuid" }],
    ["null"],
    [[]],
    [7],
    [null],
  ])("type %j is not supported, and the message names the column", (type) => {
    expect(() => read({ name: "fare", type })).toThrow(failure("UNSUPPORTED", /column fare/));
  });

  test("names are data", () => {
    const [field] = read(JSON.parse('{"name":"__proto__","type":"int","__proto__":{"type":1}}'));
    expect(field).toEqual({ id: 0, name: "__proto__", type: { kind: "int" }, nullable: false });
    expect(({} as Record<string, unknown>).type).toBeUndefined();
  });
});

describe("damaged schemas", () => {
  test.each([
    ["", /JSON/],
    ["{", /JSON/],
    ["null", /no record/],
    ["[]", /no record/],
    ['"string"', /no record/],
    ['{"type":"record","name":"r"}', /no record/],
    ['{"type":"enum","name":"r","fields":[]}', /no record/],
    ['{"type":"record","name":"r","fields":[{"type":"int"}]}', /without name or type/],
    ['{"type":"record","name":"r","fields":[{"name":"a"}]}', /without name or type/],
    ['{"type":"record","name":"r","fields":[7,null]}', /without name or type/],
    [
      '{"type":"record","name":"r","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}',
      /column a twice/,
    ],
    [
      '{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"bytes","logicalType":"decimal"}}]}',
      /column a/,
    ],
    [
      '{"type":"record","name":"r","fields":[{"name":"a","type":{"type":"bytes","logicalType":"decimal","precision":99}}]}',
      /column a/,
    ],
    [`${'{"type":'.repeat(5000)}"int"${"}".repeat(5000)}`, /deeper than 64/],
  ])("%j is CORRUPT", (text, message) => {
    expect(() => parseAvroSchema(text)).toThrow(failure("CORRUPT", message));
  });

  test("any text is a schema or an error of ours", () => {
    const texts = fc.oneof(fc.json(), fc.string());
    fc.assert(
      fc.property(texts, (text) => {
        try {
          parseAvroSchema(text);
        } catch (error) {
          expect((error as { name: string }).name).toBe("HudiError");
        }
      }),
    );
  });
});

test("schemas are the same when names, types, nulls and order are", () => {
  const base = { a: "int", b: "string?" };
  const same = (other: Record<string, string>): boolean =>
    isSameSchema(createTableSchema("x", base), createTableSchema("y", other));
  expect(same({ a: "int", b: "string?" })).toBe(true);
  expect(same({ b: "string?", a: "int" })).toBe(false);
  expect(same({ a: "long", b: "string?" })).toBe(false);
  expect(same({ a: "int", b: "string" })).toBe(false);
  expect(same({ a: "int" })).toBe(false);
  expect(same({ a: "int", b: "string?", c: "int" })).toBe(false);
});
