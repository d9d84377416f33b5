// The columns of a new table from a field list, from Avro and from Arrow.
import * as arrow from "apache-arrow";
import { describe, expect, test } from "vitest";
import { formatAvroSchema, parseAvroSchema } from "../../src/format/avro-schema.ts";
import { createTableSchema, formatFieldType } from "../../src/format/schema.ts";
import { requireOrderingField, resolveSchema } from "../../src/layout/definition-schema.ts";

const FIELDS = {
  id: "string",
  digest: "fixed(16)",
  size: "enum(SMALL,LARGE)?",
  clock: "time-millis?",
  exact: "time-micros",
  at: "timestamp-millis?",
  moment: "timestamp-micros",
  price: "decimal(10,2)?",
  list: "list<enum(A,B)?>",
  map: "map<fixed(3)>?",
  deep: "struct<array:struct<on:date,ms:list<timestamp-millis?>?>?,enum:time-micros?>?",
};

const failure = (code: string, message: RegExp): unknown =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

const listed = ({ fields }: ReturnType<typeof resolveSchema>): [string, string][] =>
  fields.map((field) => [field.name, formatFieldType(field)]);

/** An Avro record with columns of these types. */
const avro = (...types: unknown[]): object => ({
  type: "record",
  name: "r",
  namespace: "my.space",
  fields: types.map((type, index) => ({ name: `c${index}`, type })),
});

const refuses = (schema: unknown, code: string, message: RegExp): void => {
  expect(() => resolveSchema("t", { schema })).toThrow(failure(code, message) as Error);
};

describe("the columns of a definition (SC-11)", () => {
  test("are the same from a field list, from Avro text and from Avro JSON", () => {
    const wanted = createTableSchema("t", FIELDS);
    const text = formatAvroSchema(wanted, { namespace: "hoodie.t" });
    expect(resolveSchema("t", { fields: FIELDS })).toEqual(wanted);
    expect(resolveSchema("t", { schema: text })).toEqual(wanted);
    expect(resolveSchema("t", { schema: JSON.parse(text) })).toEqual(wanted);
  });

  test("come from every type of Arrow that a table holds (AR-4)", () => {
    const types: [arrow.DataType, string][] = [
      [new arrow.Utf8(), "string"],
      [new arrow.LargeUtf8(), "string"],
      [new arrow.Dictionary(new arrow.Utf8(), new arrow.Int32()), "string"],
      [new arrow.Bool(), "boolean"],
      [new arrow.Int8(), "int"],
      [new arrow.Int32(), "int"],
      [new arrow.Int64(), "long"],
      [new arrow.Float32(), "float"],
      [new arrow.Float64(), "double"],
      [new arrow.Binary(), "bytes"],
      [new arrow.FixedSizeBinary(16), "fixed(16)"],
      [new arrow.DateDay(), "date"],
      [new arrow.DateMillisecond(), "timestamp-millis"],
      [new arrow.TimeSecond(), "time-millis"],
      [new arrow.TimeMillisecond(), "time-millis"],
      [new arrow.TimeMicrosecond(), "time-micros"],
      [new arrow.TimestampSecond("UTC"), "timestamp-millis"],
      [new arrow.TimestampMillisecond("Europe/Berlin"), "timestamp-millis"],
      [new arrow.TimestampMicrosecond("UTC"), "timestamp-micros"],
      [new arrow.TimestampNanosecond("UTC"), "timestamp-micros"],
      [new arrow.Decimal(4, 20, 128), "decimal(20,4)"],
      [new arrow.List(new arrow.Field("item", new arrow.Int32(), true)), "list<int?>"],
      [
        new arrow.Struct([new arrow.Field("x", new arrow.TimeMicrosecond(), false)]),
        "struct<x:time-micros>",
      ],
    ];
    const fields = types.map(([type], at) => new arrow.Field(`c${at}`, type, at % 2 === 0));
    const schema = resolveSchema("t", { schema: new arrow.Schema(fields) });
    expect(listed(schema)).toEqual(
      types.map(([, text], at) => [`c${at}`, at % 2 === 0 ? `${text}?` : text]),
    );
  });

  test.each([
    [new arrow.Uint32(), /Uint32 of column c/],
    [new arrow.Float16(), /Float16 of column c/],
    [new arrow.FixedSizeBinary(257), /fixed\(257\) of column c/],
    [new arrow.Null(), /Null of column c/],
    [new arrow.Dictionary(new arrow.Int64(), new arrow.Int32()), /of column c/],
    [
      new arrow.Struct([new arrow.Field("x", new arrow.DurationSecond(), true)]),
      /Duration.* of column c\.x/,
    ],
    [new arrow.TimestampMicrosecond(), /local-timestamp-micros of column c.*timestamp-micros/],
  ] as const)("Arrow's %s is refused by name", (type, message) => {
    refuses(new arrow.Schema([new arrow.Field("c", type, true)]), "UNSUPPORTED", message);
  });

  test("local times are refused with the alternative, at any place", () => {
    for (const unit of ["millis", "micros"]) {
      const kind = `local-timestamp-${unit}`;
      const message = new RegExp(`${kind} of column c0.*expected timestamp-${unit}$`);
      refuses(avro({ type: "long", logicalType: kind }), "UNSUPPORTED", message);
      const inside = avro({ type: "array", items: { type: "long", logicalType: kind } });
      refuses(inside, "UNSUPPORTED", /of column c0\.element/);
      expect(() => resolveSchema("t", { fields: { x: kind } })).toThrow(
        failure("UNSUPPORTED", /column x.*version 6/) as Error,
      );
    }
  });

  test("of an Avro schema meta columns, docs and ids do not come along", () => {
    const record = {
      type: "record",
      name: "r",
      fields: [
        { name: "_hoodie_commit_time", type: ["null", "string"] },
        { name: "id", type: "string", doc: "the key", "field-id": 7 },
      ],
    };
    expect(resolveSchema("t", { schema: record })).toEqual(
      createTableSchema("t", { id: "string" }),
    );
  });

  test("a named type may be used again by its name, in and across namespaces", () => {
    const size = { type: "enum", name: "Size", symbols: ["S", "L"] };
    const point = { type: "record", name: "other.Point", fields: [{ name: "x", type: "int" }] };
    const schema = avro(size, "Size", ["null", "my.space.Size"], point, "other.Point");
    expect(listed(resolveSchema("t", { schema })).map(([, type]) => type)).toEqual([
      "enum(S,L)",
      "enum(S,L)",
      "enum(S,L)?",
      "struct<x:int>",
      "struct<x:int>",
    ]);
    refuses(avro("Size", size), "UNSUPPORTED", /"Size" of column c0/);
  });

  test("a type called as a kind of type is no trap", () => {
    const array = { type: "record", name: "array", fields: [{ name: "x", type: "int" }] };
    const schema = avro(array, { type: "array", items: "long" }, { type: "map", values: "int" });
    expect(listed(resolveSchema("t", { schema })).map(([, type]) => type)).toEqual([
      "struct<x:int>",
      "list<long>",
      "map<int>",
    ]);
  });
});

describe("hostile schemas are refused by name (SC-12)", () => {
  const record = (name: string, fields: unknown): object => ({ type: "record", name, fields });

  test("records that hold themselves", () => {
    const next = [{ name: "next", type: ["null", "Node"] }];
    refuses(avro(record("Node", next)), "UNSUPPORTED", /"Node" of column c0\.next.*holds itself/);
    refuses(avro(["null", "r"]), "UNSUPPORTED", /"r" of column c0.*holds itself/);
    const deep = record("A", [{ name: "b", type: record("B", [{ name: "a", type: "A" }]) }]);
    refuses(avro(deep), "UNSUPPORTED", /column c0\.b\.a.*holds itself/);
  });

  test("unions of many types", () => {
    refuses(avro(["null", "int", "string"]), "UNSUPPORTED", /of column c0/);
    refuses(avro(Array.from({ length: 5000 }, () => "int")), "UNSUPPORTED", /of column c0/);
    expect(() => resolveSchema("t", { schema: avro(["int", "string"]) })).toThrow(/^.{1,700}$/);
  });

  test("names that unfold to more types than any table has", () => {
    let type: unknown = "int";
    for (let level = 0; level < 12; level += 1) {
      const fields = Array.from({ length: 10 }, (_, at) => ({
        name: `f${at}`,
        type: at === 0 ? type : `my.space.L${level - 1}`,
      }));
      type = record(`L${level}`, level === 0 ? [{ name: "x", type: "int" }] : fields);
    }
    const started = performance.now();
    refuses(avro(type), "UNSUPPORTED", /unfolds to more than 100000 types/);
    expect(performance.now() - started).toBeLessThan(2000);
  });

  test("types that nest deeper than a schema can be read back", () => {
    const nest = (levels: number): string => `${"list<".repeat(levels)}int${">".repeat(levels)}`;
    const structs = (levels: number): string =>
      `${"struct<a:".repeat(levels)}decimal(9,2)?${">?".repeat(levels)}`;
    for (const deepest of [nest(14), structs(14)]) {
      const schema = resolveSchema("t", { fields: { id: "string", c: deepest } });
      const text = formatAvroSchema(schema, { namespace: "hoodie.t", metaColumns: true });
      expect(parseAvroSchema(text)).toEqual(schema);
    }
    for (const fields of [{ c: nest(15) }, { c: structs(15) }, { c: nest(200_000) }]) {
      expect(() => resolveSchema("t", { fields })).toThrow(
        failure("UNSUPPORTED", /^cannot use type of column c.{1,200}more than 14 types/) as Error,
      );
    }
    let type: unknown = "int";
    for (let level = 0; level < 40; level += 1) type = { type: "array", items: type };
    refuses(avro(type), "UNSUPPORTED", /more than 14 types/);
    for (let level = 0; level < 300; level += 1) type = { type: "array", items: type };
    refuses(avro(type), "INVALID", /deeper than 64 levels/);
    let list: arrow.DataType = new arrow.Int32();
    for (let level = 0; level < 500; level += 1) list = new arrow.List(new arrow.Field("i", list));
    const deep = new arrow.Schema([new arrow.Field("c", list)]);
    refuses(deep, "UNSUPPORTED", /column c.*more than 14 types/);
  });

  test("names that no column may have, at any place", () => {
    const inside = (name: string): object => avro(record("x", [{ name, type: "int" }]));
    for (const name of ["a b", "a.b", "é", "1a", "", "a:int,b", "x>"]) {
      refuses(inside(name), "INVALID", /column name "c0\./);
    }
    const twins = record("x", [
      { name: "a", type: "int" },
      { name: "A", type: "int" },
    ]);
    refuses(avro(twins), "INVALID", /c0\.a and c0\.A/);
    refuses(avro(record("x", [{ name: "a" }])), "INVALID", /c0/);
    refuses(record("r", [{ name: "_hoodie_x", type: "int" }]), "INVALID", /_hoodie_x/);
  });

  test("__proto__ is a name like any other", () => {
    const text =
      '{"type":"record","name":"r","fields":[{"name":"__proto__","type":{"type":"record","name":"__proto__","fields":[{"name":"constructor","type":"int"}]}},{"name":"b","type":"__proto__"}]}';
    const schema = resolveSchema("t", { schema: text });
    expect(listed(schema)).toEqual([
      ["__proto__", "struct<constructor:int>"],
      ["b", "struct<constructor:int>"],
    ]);
    expect(({} as Record<string, unknown>).constructor).toBe(Object);
    refuses(avro("constructor"), "UNSUPPORTED", /"constructor" of column c0/);
  });

  test.each([
    ["symbols that are no names", { type: "enum", name: "e", symbols: ["a b"] }, "INVALID"],
    ["a symbol that stands twice", { type: "enum", name: "e", symbols: ["A", "A"] }, "INVALID"],
    ["no symbols", { type: "enum", name: "e", symbols: [] }, "INVALID"],
    ["a fixed of no bytes", { type: "fixed", name: "f", size: 0 }, "UNSUPPORTED"],
    ["a fixed of many bytes", { type: "fixed", name: "f", size: 2 ** 31 }, "UNSUPPORTED"],
    ["a fixed without a size", { type: "fixed", name: "f" }, "UNSUPPORTED"],
    ["a decimal of 39 digits", { type: "bytes", logicalType: "decimal", precision: 39 }, "INVALID"],
    ["a time that is a text", { type: "string", logicalType: "time-millis" }, "UNSUPPORTED"],
    ["a time of the wrong width", { type: "long", logicalType: "time-millis" }, "UNSUPPORTED"],
    ["nothing but null", "null", "UNSUPPORTED"],
  ])("%s", (_, type, code) => refuses(avro(type), code, /column c0/));

  test.each([
    ["no record", { type: "enum", name: "r", symbols: ["A"] }],
    ["text that is no JSON", "{"],
    ["a number", 7],
    ["null", null],
    ["no columns", { type: "record", name: "r", fields: [] }],
  ])("%s", (_, schema) => refuses(schema, "INVALID", /./));

  test("an object that is no JSON, both sources, and none", () => {
    const loop: Record<string, unknown> = { type: "record", name: "r", fields: [] };
    loop.self = loop;
    refuses(loop, "INVALID", /no JSON/);
    const both = { fields: { id: "string" }, schema: avro("int") };
    expect(() => resolveSchema("t", both)).toThrow(failure("INVALID", /both/) as Error);
    expect(() => resolveSchema("t", {})).toThrow(failure("INVALID", /neither/) as Error);
    expect(() => resolveSchema("t", { fields: [] })).toThrow(failure("INVALID", /object/) as Error);
  });
});

test("what engines order in different ways orders no versions (SC-13)", () => {
  const schema = createTableSchema("t", FIELDS);
  for (const name of ["digest", "size", "list", "map", "deep"]) {
    expect(() => requireOrderingField(schema, name)).toThrow(
      failure("INVALID", new RegExp(`column ${name} as ordering field`)) as Error,
    );
  }
  for (const name of ["id", "clock", "exact", "at", "moment", "price"]) {
    requireOrderingField(schema, name);
  }
});
