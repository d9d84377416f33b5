// What a caller may say of a new table.
import { describe, expect, test } from "vitest";
import { parseAvroSchema } from "../../src/format/avro-schema.ts";
import { formatProperties, parseTableConfig } from "../../src/layout/table-config.ts";
import { defineTable, type TableDefinition } from "../../src/layout/table-definition.ts";

const BASE = {
  name: "trips",
  type: "copy-on-write",
  fields: { id: "string", city: "string?", fare: "double", price: "decimal(8,2)", at: "long" },
  recordKey: "id",
} as const satisfies TableDefinition;

const define = (more: object): ReturnType<typeof defineTable> =>
  defineTable({ ...BASE, ...more } as TableDefinition);

const refuses = (more: object, code: string, message: RegExp): void => {
  expect(() => define(more)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  );
};

describe("a definition (TBL-6)", () => {
  test("becomes properties with the schema in them", () => {
    const text = formatProperties(define({ partitionBy: "city", orderingField: "at" }), 0);
    const config = parseTableConfig(text, "here");
    expect(config).toMatchObject({
      name: "trips",
      recordKeyFields: ["id"],
      partitionFields: ["city"],
      orderingField: "at",
      hiveStyle: false,
      urlEncode: false,
      timelineZone: "UTC",
      index: { kind: "bloom" },
    });
    const schema = parseAvroSchema(config.createSchema as string);
    expect(schema.name).toBe("trips_record");
    expect(schema.fields.map(({ name }) => name)).toEqual(Object.keys(BASE.fields));
  });

  test("takes styles, zone and index as they are said", () => {
    const more = {
      hiveStyle: true,
      urlEncode: true,
      timelineZone: "LOCAL",
      index: { kind: "simple" },
    };
    const config = parseTableConfig(
      formatProperties(define({ ...more, partitionBy: "city" }), 0),
      "x",
    );
    expect(config).toMatchObject(more);
  });

  test.each(["", "1trips", "a-b", "a b", "../x", "größe", "a.b"])("%j is no name", (name) => {
    refuses({ name }, "INVALID", /expected a name/);
  });

  test("the key is a column, of a type that makes keys (RK-2)", () => {
    refuses({ recordKey: "none" }, "INVALID", /none.*id, city, fare/);
    refuses({ recordKey: undefined }, "INVALID", /column/);
    refuses({ recordKey: "fare" }, "INVALID", /fare as record key.*double/);
    refuses({ recordKey: "price" }, "INVALID", /price as record key.*decimal/);
  });

  test("so is the partition column (RK-2)", () => {
    refuses({ partitionBy: "none" }, "INVALID", /none/);
    refuses({ partitionBy: "fare" }, "INVALID", /fare as partition column/);
    const fields = { id: "string", at: "timestamp-micros" };
    refuses(
      { fields, orderingField: "at", partitionBy: "at" },
      "INVALID",
      /at as partition column/,
    );
  });

  test("the ordering field is a column of any type", () => {
    refuses({ orderingField: "none" }, "INVALID", /none/);
    for (const orderingField of Object.keys(BASE.fields)) define({ orderingField });
  });

  test("other table types and indexes are not supported", () => {
    refuses({ type: "mor" }, "INVALID", /"mor", expected copy-on-write or merge-on-read/);
    refuses({ index: { kind: "record" } }, "UNSUPPORTED", /index record, expected bloom, simple/);
    refuses({ index: { kind: "bucket" } }, "INVALID", /undefined buckets, expected 1 to 100000/);
    const wrong = { kind: "global-bloom", updatePartitionPath: "no" };
    refuses({ index: wrong }, "INVALID", /updatePartitionPath is string, expected a boolean/);
    refuses({ timelineZone: "CET" }, "INVALID", /CET.*UTC or LOCAL/);
  });

  test("columns and types are checked (SC-1, SC-2)", () => {
    refuses({ fields: {} }, "INVALID", /no fields/);
    refuses({ fields: undefined }, "INVALID", /fields/);
    refuses({ fields: { id: "text" } }, "UNSUPPORTED", /"text" of column id/);
    refuses({ fields: { id: "string", _hoodie_x: "int" } }, "INVALID", /_hoodie_x/);
  });
});

test("a timestamp makes no partition column (RK-3)", () => {
  expect(() =>
    defineTable({
      name: "t",
      type: "copy-on-write",
      fields: { id: "string", at: "timestamp-micros" },
      recordKey: "id",
      partitionBy: "at",
    }),
  ).toThrow(/cannot use column at as partition column/);
});
