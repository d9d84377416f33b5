// Keys and partitions of a new table: which key generator they ask for, what stands in the properties,
// and what is read back from those.
import { describe, expect, test } from "vitest";
import { createTableSchema } from "../../src/format/schema.ts";
import { defineKeys, type KeyDefinition } from "../../src/layout/key-definition.ts";
import { parseKeyGenerator } from "../../src/layout/key-generator.ts";
import { addKeyProperties } from "../../src/layout/key-options.ts";
import {
  formatProperties,
  parseTableConfig,
  type TableConfig,
} from "../../src/layout/table-config.ts";
import { defineTable, type TableDefinition } from "../../src/layout/table-definition.ts";

const FIELDS = {
  id: "string",
  code: "int?",
  city: "string?",
  day: "date?",
  at: "long?",
  moment: "timestamp-micros?",
  text: "string?",
  user: "struct<id:string?,place:struct<city:string>>?",
  fare: "double?",
} as const;
const SCHEMA = createTableSchema("t", FIELDS);
const BY_DAY = { field: "at", type: "EPOCHMILLISECONDS", outputFormat: "yyyy/MM/dd" } as const;

const invalid = (message: RegExp): object =>
  expect.objectContaining({ code: "INVALID", message: expect.stringMatching(message) });

function configOf(keys: KeyDefinition): TableConfig {
  const definition = { name: "t", type: "copy-on-write", fields: FIELDS, ...keys };
  return parseTableConfig(formatProperties(defineTable(definition as TableDefinition), 0), "here");
}

const classOf = ({ properties }: TableConfig): string | undefined =>
  properties.get("hoodie.table.keygenerator.class")?.replace("org.apache.hudi.keygen.", "");

describe("the key generator of a new table (TBL-6)", () => {
  test.each<[KeyDefinition, string]>([
    [{ recordKey: "id" }, "NonpartitionedKeyGenerator"],
    [{ recordKey: ["id", "code"] }, "NonpartitionedKeyGenerator"],
    [{ recordKey: "id", partitionBy: "city" }, "SimpleKeyGenerator"],
    [{ recordKey: ["id"], partitionBy: ["city"] }, "SimpleKeyGenerator"],
    [{ recordKey: ["id", "code"], partitionBy: "city" }, "ComplexKeyGenerator"],
    [{ recordKey: "id", partitionBy: ["city", "day"] }, "ComplexKeyGenerator"],
    [{ recordKey: "id", partitionBy: BY_DAY }, "TimestampBasedKeyGenerator"],
    [{ recordKey: ["id", "code"], partitionBy: BY_DAY }, "CustomKeyGenerator"],
    [{ recordKey: "id", partitionBy: ["city", BY_DAY] }, "CustomKeyGenerator"],
    [{ recordKey: "id", partitionBy: "city", keyGenerator: "custom" }, "CustomKeyGenerator"],
    [{ recordKey: "user.id", partitionBy: "user.place.city" }, "SimpleKeyGenerator"],
  ])("is what keys and partitions ask for: %j (RK-11, RK-12)", (keys, expected) => {
    const config = configOf(keys);
    expect(classOf(config)).toBe(expected);
    expect(config.keyGenerator.refusal).toBeUndefined();
    expect(config.recordKeyFields).toEqual([keys.recordKey].flat());
    expect(config.partitionFields).toEqual(
      [keys.partitionBy ?? []].flat().map((c) => (typeof c === "string" ? c : c.field)),
    );
    expect(config.bucketHashFields).toEqual(config.recordKeyFields);
  });

  test("keeps the kinds of a custom one beside the names (RK-17)", () => {
    const { properties, keyGenerator } = configOf({
      recordKey: "id",
      partitionBy: ["city", BY_DAY],
    });
    expect(properties.get("hoodie.table.partition.fields")).toBe("city,at");
    expect(properties.get("hoodie.datasource.write.partitionpath.field")).toBe(
      "city:simple,at:timestamp",
    );
    expect(keyGenerator.partitions).toEqual([
      { name: "city", kind: "simple" },
      { name: "at", kind: "timestamp" },
    ]);
  });

  test("keeps type, formats and zones of points in time (RK-13, RK-16)", () => {
    const { properties, keyGenerator } = configOf({
      recordKey: "id",
      partitionBy: {
        field: "text",
        type: "DATE_STRING",
        inputFormat: ["yyyy-MM-dd", "yyyy|MM"],
        inputDelimiter: "|;|",
        inputZone: "Asia/Tokyo",
        outputFormat: "yyyy/MM",
      },
    });
    const own = [...properties].filter(([key]) => key.startsWith("hoodie.keygen."));
    expect(Object.fromEntries(own)).toEqual({
      "hoodie.keygen.timebased.timestamp.type": "DATE_STRING",
      "hoodie.keygen.timebased.input.dateformat": "yyyy-MM-dd|;|yyyy|MM",
      "hoodie.keygen.timebased.input.dateformat.list.delimiter.regex": "\\|;\\|",
      "hoodie.keygen.timebased.input.timezone": "Asia/Tokyo",
      "hoodie.keygen.timebased.output.timezone": "UTC",
      "hoodie.keygen.timebased.output.dateformat": "yyyy/MM",
    });
    expect(keyGenerator.timestamps).toMatchObject({
      type: "DATE_STRING",
      inputFormats: [{ text: "yyyy-MM-dd" }, { text: "yyyy|MM" }],
      inputZone: { name: "Asia/Tokyo" },
      outputZone: { name: "UTC" },
    });
    const zoned = configOf({ recordKey: "id", partitionBy: BY_DAY }).properties;
    expect(zoned.get("hoodie.keygen.timebased.timezone")).toBe("UTC");
  });

  test("records how a complex key of one column is written (RK-14)", () => {
    const partitionBy = ["city", "day"];
    const key = "hoodie.table.complex.keygenerator.encoding";
    const plain = configOf({ recordKey: "id", partitionBy });
    expect([plain.properties.get(key), plain.keyGenerator.keyText]).toEqual([
      "VALUE_ONLY",
      "value",
    ]);
    const prefixed = configOf({
      recordKey: "id",
      partitionBy,
      complexKeyEncoding: "field-prefixed",
    });
    expect([prefixed.properties.get(key), prefixed.keyGenerator.keyText]).toEqual([
      "FIELD_PREFIXED",
      "fields",
    ]);
    expect(configOf({ recordKey: ["id", "code"], partitionBy }).properties.has(key)).toBe(false);
  });

  test.each<[object, RegExp]>([
    [{ recordKey: [] }, /no record key/],
    [{ recordKey: ["id", "id"] }, /record key id twice/],
    [{ recordKey: [7] }, /found number as record key/],
    [{ recordKey: "user" }, /user as record key.*struct/],
    [{ recordKey: "user.none" }, /column user.none.*without none.*id, place/],
    [{ recordKey: "id.x" }, /column id.x.*a struct/],
    [{ recordKey: "id", partitionBy: ["city", "city"] }, /partition column city twice/],
    [{ recordKey: "id", partitionBy: ["city", "moment"] }, /moment as partition column/],
    [{ recordKey: "id", partitionBy: [null] }, /found undefined as partition column/],
    [{ recordKey: "id", partitionBy: "city", keyGenerator: "global" }, /"global".*expected simple/],
    [{ recordKey: "id", partitionBy: "city", keyGenerator: "non-partitioned" }, /1 partition col/],
    [{ recordKey: "id", partitionBy: ["city", "day"], keyGenerator: "simple" }, /2 partition col/],
    [{ recordKey: ["id", "code"], partitionBy: "city", keyGenerator: "simple" }, /has 2 fields/],
    [{ recordKey: "id", partitionBy: "city", keyGenerator: "timestamp" }, /output.dateformat/],
    [{ recordKey: "id", keyGenerator: "simple" }, /does not go with/],
    [{ recordKey: "id", partitionBy: BY_DAY, keyGenerator: "complex" }, /does not go with/],
    [{ recordKey: "id", partitionBy: "city", complexKeyEncoding: "value-only" }, /complexKeyEnc/],
    [{ recordKey: "id", partitionBy: ["city", "day"], complexKeyEncoding: "x" }, /value-only or/],
    [
      { recordKey: "id", partitionBy: { ...BY_DAY, field: "text" } },
      /text as.*string, expected int/,
    ],
    [{ recordKey: "id", partitionBy: { ...BY_DAY, type: "DATE_STRING" } }, /long, expected string/],
    [
      { recordKey: "id", partitionBy: { ...BY_DAY, field: "text", type: "MIXED" } },
      /input.dateformat is missing/,
    ],
    [
      { recordKey: "id", partitionBy: { ...BY_DAY, type: "epochmilliseconds" } },
      /one of UNIX_TIME/,
    ],
    [
      { recordKey: "id", partitionBy: { ...BY_DAY, type: "SCALAR", unit: "WEEKS" } },
      /"WEEKS", expected one of NANOSECONDS/,
    ],
    [{ recordKey: "id", partitionBy: { ...BY_DAY, outputFormat: "yyyy/" } }, /begins or ends/],
    [{ recordKey: "id", partitionBy: { ...BY_DAY, outputFormat: "/yyyy" } }, /begins or ends/],
    [{ recordKey: "id", partitionBy: { ...BY_DAY, outputFormat: "yyyy//MM" } }, /no folder/],
    [{ recordKey: "id", partitionBy: { ...BY_DAY, outputFormat: "yyyy'/../'MM" } }, /no folder/],
    [{ recordKey: "id", partitionBy: { ...BY_DAY, outputFormat: "yyyy'/_m'MM" } }, /no folder/],
    [
      { recordKey: "id", partitionBy: { ...BY_DAY, outputFormat: "'metadata/'MM" } },
      /begins or ends/,
    ],
    [{ recordKey: "id", partitionBy: { ...BY_DAY, outputFormat: "QQ" } }, /QQ is not known/],
    [{ recordKey: "id", partitionBy: { ...BY_DAY, outputZone: "Mars/Base" } }, /"Mars\/Base"/],
    [
      {
        recordKey: "id",
        partitionBy: [BY_DAY, { ...BY_DAY, field: "moment", outputFormat: "yyyy" }],
      },
      /differ in their settings/,
    ],
  ])("is refused for %j (RK-15, RK-16, RK-17)", (keys, message) => {
    expect(() => defineKeys("t", SCHEMA, keys as KeyDefinition)).toThrow(invalid(message));
  });
});

describe("the key generator of a table of other writers", () => {
  const parse = (
    properties: Readonly<Record<string, string>>,
    partitionFields: readonly string[] = ["city"],
    recordKeyFields: readonly string[] = ["id"],
    version = 6,
  ): ReturnType<typeof parseKeyGenerator> =>
    parseKeyGenerator(new Map(Object.entries(properties)), {
      version,
      recordKeyFields,
      partitionFields,
    });
  const CLASS = "hoodie.table.keygenerator.class";
  const named = (name: string): Record<string, string> => ({
    [CLASS]: `org.apache.hudi.keygen.${name}`,
  });

  test.each([
    ["SimpleAvroKeyGenerator", "simple"],
    ["TimestampBasedAvroKeyGenerator", "timestamp"],
    ["ComplexKeyGenerator", "complex"],
  ])("%s is %s", (name, kind) => {
    expect(parse(named(name)).kind).toBe(kind);
  });

  test("is inferred where none is named, as Hudi does (RK-11)", () => {
    expect(parse({}).kind).toBe("simple");
    expect(parse({}, []).kind).toBe("non-partitioned");
    expect(parse({}, ["a", "b"]).kind).toBe("complex");
    expect(parse({}, ["a:simple"]).kind).toBe("custom");
    expect(parse({ "hoodie.table.keygenerator.type": "TIMESTAMP" }).kind).toBe("timestamp");
  });

  test("of one column that does not tell its form is unknown, but in version 9 (RK-14)", () => {
    expect(parse(named("ComplexKeyGenerator")).keyText).toBe("unknown");
    expect(parse(named("ComplexKeyGenerator"), ["a"], ["id"], 9).keyText).toBe("fields");
    const key = "hoodie.table.complex.keygenerator.encoding";
    expect(parse({ ...named("ComplexKeyGenerator"), [key]: "value_only" }).keyText).toBe("value");
    expect(parse(named("SimpleKeyGenerator")).keyText).toBe("value");
    expect(parse(named("CustomKeyGenerator"), ["a:simple"]).keyText).toBe("value");
  });

  test("reads settings under the old prefix, and infers a type that is not kept (RK-19)", () => {
    const old = "hoodie.deltastreamer.keygen.timebased.";
    const format = { [`${old}output.dateformat`]: "yyyy" };
    const timestamps = (more: Record<string, string>): unknown =>
      parse({ ...named("TimestampBasedKeyGenerator"), ...format, ...more }).timestamps?.type;
    expect(timestamps({ [`${old}timestamp.type`]: "UNIX_TIMESTAMP" })).toBe("UNIX_TIMESTAMP");
    expect(timestamps({ [`${old}timestamp.scalar.time.unit`]: "DAYS" })).toBe("SCALAR");
    expect(timestamps({ [`${old}input.dateformat`]: "yyyyMMdd" })).toBe("DATE_STRING");
    expect(timestamps({})).toBeUndefined();
  });

  test.each<[Record<string, string>, readonly string[], RegExp]>([
    [named("GlobalDeleteKeyGenerator"), ["a"], /GlobalDelete/],
    [{ [CLASS]: "com.acme.Keys" }, ["a"], /com.acme.Keys/],
    [named("CustomKeyGenerator"), ["a", "b"], /nothing says which.*a:simple,b:simple/],
    [named("CustomKeyGenerator"), ["a:other"], /nothing says which/],
    [named("TimestampBasedKeyGenerator"), ["a"], /output.dateformat is missing/],
    [named("SimpleKeyGenerator"), ["a", "b"], /2 partition columns/],
    [
      {
        ...named("TimestampBasedKeyGenerator"),
        "hoodie.keygen.timebased.output.dateformat": "yyyy",
        "hoodie.keygen.timebased.input.dateformat": "yyyy.MM",
        "hoodie.keygen.timebased.input.dateformat.list.delimiter.regex": "[,;]",
      },
      ["a"],
      /delimiter/,
    ],
    [
      {
        ...named("TimestampBasedKeyGenerator"),
        "hoodie.keygen.timebased.output.dateformat": "yyyy",
        "hoodie.keygen.datetime.parser.class": "com.acme.Parser",
      },
      ["a"],
      /com.acme.Parser/,
    ],
  ])("is refused: %j %j (TBL-10, RK-19)", (properties, partitionFields, message) => {
    const { refusal, timestamps } = parse(properties, partitionFields);
    expect(refusal?.join("; ")).toMatch(message);
    expect(timestamps).toBeUndefined();
  });

  test("takes from the caller what its properties lack (RK-19)", () => {
    const config = configOf({ recordKey: "id", partitionBy: ["city", BY_DAY] });
    const properties = new Map(config.properties);
    properties.delete("hoodie.datasource.write.partitionpath.field");
    properties.delete("hoodie.keygen.timebased.timestamp.type");
    const spark = parseTableConfig(formatProperties(properties, 0), "here");
    expect(spark.keyGenerator.refusal?.[0]).toMatch(/CustomKeyGenerator/);
    const known = addKeyProperties(spark, {
      "hoodie.datasource.write.partitionpath.field": "city:SIMPLE, at:TIMESTAMP",
      "hoodie.keygen.timebased.timestamp.type": "EPOCHMILLISECONDS",
    });
    const { refusal, partitions, timestamps } = known.keyGenerator;
    expect([refusal, partitions]).toEqual([undefined, config.keyGenerator.partitions]);
    expect(timestamps?.type).toBe("EPOCHMILLISECONDS");
    expect(() => addKeyProperties(spark, { "hoodie.table.name": "x" })).toThrow(
      invalid(/found property hoodie.table.name/),
    );
    const zone = { "hoodie.keygen.timebased.timezone": "Asia/Tokyo" };
    expect(() => addKeyProperties(spark, zone)).toThrow(invalid(/is UTC in the table/));
  });
});
