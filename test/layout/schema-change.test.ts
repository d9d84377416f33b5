// Changes of columns as pure functions of a schema: what they make, what they keep, what they refuse.
import { describe, expect, test } from "vitest";
import { formatAvroSchema, parseAvroSchema } from "../../src/format/avro-schema.ts";
import {
  createTableSchema,
  type Field,
  formatFieldType,
  type TableSchema,
} from "../../src/format/schema.ts";
import { findNeededChanges } from "../../src/layout/needed-changes.ts";
import {
  applySchemaChanges,
  NO_COLUMN,
  type SchemaChange,
} from "../../src/layout/schema-change.ts";
import { findWidening } from "../../src/layout/type-widening.ts";

const SCHEMA = createTableSchema("trips", {
  id: "string",
  at: "long",
  city: "string",
  seats: "int",
  fare: "decimal(8,2)?",
  raw: "bytes?",
  address: "struct<street:string?,zip:struct<code:int?>?>?",
  tags: "list<struct<name:string>?>?",
  prices: "map<int?>?",
});
const COLUMNS = { recordKey: ["id"], partition: ["city"], ordering: ["at"] };

const change = (...changes: SchemaChange[]): ReturnType<typeof applySchemaChanges> =>
  applySchemaChanges(SCHEMA, changes, COLUMNS);
const texts = (fields: readonly Field[]): string[] =>
  fields.map((field) => `${field.name}:${formatFieldType(field)}`);
const names = (schema: Pick<TableSchema, "fields">): string =>
  schema.fields.map(({ name }) => name).join(" ");
const typeOf = (schema: TableSchema, name: string): string =>
  formatFieldType(schema.fields.find((field) => field.name === name) as Field);

describe("a change of columns (EV-1)", () => {
  test("adds columns at the end, first, and after another", () => {
    const { schema } = change(
      { add: "last", type: "string?" },
      { add: "zero", type: "int?", first: true },
      { add: "mid", type: "list<date?>?", after: "at" },
    );
    expect(names(schema)).toBe("zero id at mid city seats fare raw address tags prices last");
    expect(typeOf(schema, "mid")).toBe("list<date?>?");
  });

  test("reaches into structs, list elements and map values", () => {
    const { schema } = change(
      { add: "address.zip.area", type: "string?", first: true },
      { add: "tags.element.note", type: "string?" },
      { widen: "prices.value", to: "long" },
      { rename: "address.street", to: "road" },
      { drop: "address.zip.code" },
    );
    expect(typeOf(schema, "address")).toBe("struct<road:string?,zip:struct<area:string?>?>?");
    expect(typeOf(schema, "tags")).toBe("list<struct<name:string,note:string?>?>?");
    expect(typeOf(schema, "prices")).toBe("map<long?>?");
  });

  test("moves, allows nulls, and takes the changes in their order", () => {
    const { schema, effects } = change(
      { move: "seats", first: true },
      { nullable: "seats" },
      { rename: "seats", to: "places" },
      { widen: "places", to: "long?" },
    );
    expect(texts(schema.fields)[0]).toBe("places:long?");
    expect(effects.map(({ kind, path }) => `${kind} ${path}`)).toEqual([
      "move seats",
      "nullable seats",
      "rename seats",
      "widen places",
    ]);
  });

  test("knows the old names, and that a new column has none", () => {
    const { source, schema } = change(
      { rename: "raw", to: "body" },
      { rename: "body", to: "payload" },
      { add: "raw", type: "string?" },
      { add: "address.note", type: "string?" },
    );
    expect(names(schema)).toBe("id at city seats fare payload address tags prices raw");
    expect(names({ fields: source })).toBe(
      `id at city seats fare raw address tags prices ${NO_COLUMN}`,
    );
    expect(formatFieldType(source[6] as Field)).toBe(
      `struct<street:string?,zip:struct<code:int?>?,${NO_COLUMN}:string?>?`,
    );
  });
});

test("ids are kept, and never given out again, through Avro and back (SC-5)", () => {
  const idOf = (schema: TableSchema, name: string): number | undefined =>
    schema.fields.find((field) => field.name === name)?.id;
  const first = change({ drop: "prices" }, { rename: "raw", to: "body" }).schema;
  const stored = parseAvroSchema(formatAvroSchema(first, { namespace: "hoodie.trips" }));
  expect(stored).toEqual(first);
  expect(idOf(stored, "body")).toBe(idOf(SCHEMA, "raw"));
  const next = applySchemaChanges(stored, [{ add: "prices", type: "map<int?>?" }], COLUMNS).schema;
  expect(idOf(next, "prices")).toBeGreaterThan(idOf(SCHEMA, "prices") as number);
  const again = applySchemaChanges(next, [{ drop: "prices" }, { add: "x", type: "int?" }], COLUMNS);
  expect(idOf(again.schema, "x")).toBeGreaterThan(idOf(next, "prices") as number);
  const inside = change({ drop: "address.zip" }, { add: "address.zip", type: "int?" }).schema;
  const idsOf = (schema: TableSchema): number[] => {
    const { type } = schema.fields.find(({ name }) => name === "address") as Field;
    return type.kind === "struct" ? type.fields.map(({ id }) => id) : [];
  };
  expect(idsOf(inside)[0]).toBe(idsOf(SCHEMA)[0]);
  expect(idsOf(SCHEMA)).not.toContain(idsOf(inside)[1]);
  const read = parseAvroSchema(formatAvroSchema(inside, { namespace: "hoodie.trips" }));
  expect(idsOf(read)).toEqual(idsOf(inside));
});

test("types are widened where every value is kept, or where it is asked for (EV-2)", () => {
  const type = (text: string): Field["type"] =>
    (createTableSchema("t", { c: text }).fields[0] as Field).type;
  const widening = (from: string, to: string): string => findWidening(type(from), type(to));
  expect(widening("int", "long")).toBe("exact");
  expect(widening("int", "double")).toBe("exact");
  expect(widening("float", "double")).toBe("exact");
  expect(widening("string", "bytes")).toBe("exact");
  expect(widening("int", "decimal(12,2)")).toBe("exact");
  expect(widening("long", "decimal(19,0)")).toBe("exact");
  for (const from of ["int", "long", "date"]) expect(widening(from, "string")).toBe("exact");
  expect(widening("decimal(8,2)", "decimal(20,2)")).toBe("exact");
  for (const [from, to] of [
    ["int", "float"],
    ["long", "float"],
    ["long", "double"],
    ["bytes", "string"],
  ]) {
    expect(widening(from as string, to as string)).toBe("inexact");
  }
  for (const [from, to] of [
    ["long", "int"],
    ["double", "float"],
    ["decimal(8,2)", "decimal(7,2)"],
    ["decimal(8,2)", "decimal(9,3)"],
    ["int", "decimal(11,2)"],
    ["long", "decimal(20,2)"],
    ["double", "string"],
    ["timestamp-micros", "string"],
    ["date", "timestamp-micros"],
    ["list<int>", "list<long>"],
    ["boolean", "int"],
  ]) {
    expect(widening(from as string, to as string)).toBe("none");
  }
  expect(() => change({ widen: "seats", to: "float" })).toThrow(/inexact: true/);
  expect(typeOf(change({ widen: "seats", to: "float", inexact: true }).schema, "seats")).toBe(
    "float",
  );
});

describe("refused, naming the column (EV-3)", () => {
  const cases: [string, SchemaChange[], RegExp][] = [
    ["narrowing", [{ widen: "at", to: "int" }], /"at": long to int would lose values/],
    ["fewer digits", [{ widen: "fare", to: "decimal(6,2)" }], /"fare".*would lose values/],
    ["a type that is the same", [{ widen: "seats", to: "int" }], /"seats".*int already/],
    ["nulls by widening", [{ widen: "seats", to: "long?" }], /"seats".*holds no nulls/],
    ["a widened list", [{ widen: "prices", to: "map<long?>" }], /"prices".*by their path/],
    ["a dropped key", [{ drop: "id" }], /"id".*record key/],
    ["a dropped partition column", [{ drop: "city" }], /"city".*partition path/],
    ["a dropped ordering column", [{ drop: "at" }], /"at".*ordering field/],
    ["a renamed key", [{ rename: "id", to: "key" }], /"id".*record key/],
    ["a key that may be null", [{ nullable: "id" }], /"id".*never null/],
    ["nulls twice", [{ nullable: "fare" }], /"fare".*already/],
    ["a wider partition column", [{ widen: "city", to: "bytes" }], /"city".*folders/],
    ["an ordering column as text", [{ widen: "at", to: "string" }], /"at".*order/],
    ["a wider key", [{ widen: "id", to: "bytes" }], /"id".*text/],
    ["a name that is taken", [{ add: "seats", type: "int?" }], /"seats".*there is one/],
    ["a name that differs in case", [{ add: "Seats", type: "int?" }], /"Seats".*case only/],
    ["a new name that is taken", [{ rename: "raw", to: "SEATS" }], /"raw".*case only/],
    ["the same name", [{ rename: "raw", to: "raw" }], /"raw".*already/],
    ["a hostile name", [{ add: 'x"; --', type: "int?" }], /x\\"; --/],
    ["a name without letters", [{ add: "", type: "int?" }], /""/],
    ["a reserved name", [{ add: "_hoodie_x", type: "int?" }], /_hoodie_x/],
    ["a hostile new name", [{ rename: "raw", to: "a.b" }], /a\.b/],
    ["__proto__ that is no column", [{ drop: "__proto__" }], /__proto__.*there is none/],
    ["a column that is not there", [{ drop: "nothing" }], /"nothing".*expected one of id, at/],
    [
      "a path into a list",
      [{ add: "tags.note", type: "int?" }],
      /tags is list<.*expected a struct/,
    ],
    ["a path into nothing", [{ add: "no.note", type: "int?" }], /no is no such column/],
    ["the element of a list", [{ drop: "tags.element" }], /expected a struct/],
    ["the only column of a struct", [{ drop: "address.zip.code" }], /only column/],
    ["a neighbour that is not there", [{ move: "raw", after: "nothing" }], /after "nothing"/],
    ["a column after itself", [{ move: "raw", after: "raw" }], /after "raw"/],
    ["two places", [{ move: "raw", after: "id", first: true }], /first and after/],
    ["no verb", [{} as SchemaChange], /expected one of add, widen/],
    ["no object", [null as unknown as SchemaChange], /expected one of add, widen/],
    ["two verbs", [{ add: "a", type: "int?", drop: "b" } as SchemaChange], /add and drop/],
    ["a member that means nothing", [{ drop: "raw", force: 1 } as SchemaChange], /"force"/],
    ["a column that is no text", [{ drop: 7 } as unknown as SchemaChange], /drop is number/],
    ["no changes", [], /no changes/],
  ];
  test.each(cases)("%s", (_, changes, message) => {
    expect(() => change(...changes)).toThrow(message);
    try {
      change(...changes);
    } catch (error) {
      expect(error).toMatchObject({ code: "INVALID" });
    }
  });

  test("a type that is not known", () => {
    expect(() => change({ add: "x", type: "uuid?" })).toThrow(/"uuid\?" of column x/);
    expect(() => change({ add: "x", type: 7 as unknown as string })).toThrow(/column x/);
  });

  test("a key inside a struct keeps the structs around it", () => {
    const columns = { recordKey: ["address.zip.code"], partition: [], ordering: [] };
    for (const drop of ["address", "address.zip", "address.zip.code"]) {
      expect(() => applySchemaChanges(SCHEMA, [{ drop }], columns)).toThrow(/record key/);
    }
    applySchemaChanges(SCHEMA, [{ drop: "address.street" }], columns);
  });
});

test("rows with more columns or wider types name the changes that they need (EV-9)", () => {
  const needed = findNeededChanges(SCHEMA, {
    id: "string",
    at: "int",
    seats: "long?",
    fare: "decimal(9,2)",
    note: "string",
    address: "struct<street:string?,zip:struct<code:long?,area:string>?>?",
    prices: "map<int?>?",
  });
  expect(needed).toEqual([
    { widen: "seats", to: "long" },
    { nullable: "seats" },
    { widen: "fare", to: "decimal(9,2)" },
    { add: "note", type: "string?" },
    { widen: "address.zip.code", to: "long" },
    { add: "address.zip.area", type: "string?" },
  ]);
  expect(findNeededChanges(SCHEMA, { id: "string", fare: "decimal(8,2)" })).toEqual([]);
  const clash = findNeededChanges(SCHEMA, { seats: "boolean" });
  expect(() => change(...clash)).toThrow(/"seats": int to boolean would lose values/);
});
