// hoodie.properties: what we write, what Java and Hudi write, and what counts as damaged.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createTableProperties,
  formatProperties,
  type NewTableConfig,
  parseProperties,
  parseTableConfig,
  type TableConfig,
  tableChecksum,
} from "../../src/layout/table-config.ts";

const NEW: NewTableConfig = {
  name: "trips",
  type: "copy-on-write",
  recordKeyFields: ["id"],
  partitionFields: ["city"],
  keyGenerator: "simple",
  keyProperties: [],
  orderingField: "at",
  hiveStyle: true,
  urlEncode: false,
  timelineZone: "UTC",
  createSchema: '{"type":"record","name":"größe: \\"#!=\\\\ \\n"}',
  index: { kind: "simple" },
};

const textOf = (config: NewTableConfig): string =>
  formatProperties(createTableProperties(config), Date.UTC(2026, 10, 20));

const failure = (code: string, message: RegExp): object =>
  expect.objectContaining({
    code,
    message: expect.stringMatching(message),
    path: ".hoodie/hoodie.properties",
  });

describe("text of properties (TBL-2)", () => {
  test("any properties come back as they were", () => {
    const text = fc.string({ unit: "binary", maxLength: 12 });
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(text, text), {
          minLength: 1,
          maxLength: 4,
          selector: ([key]) => key,
        }),
        (entries) => {
          const properties = new Map(entries);
          const written = formatProperties(properties, 0);
          expect(new Map(parseProperties(written))).toEqual(properties);
          expect(written).toMatch(/^[\n\x20-\x7e]*$/);
          expect(written.split("\n")).toHaveLength(properties.size + 2);
        },
      ),
    );
  });

  test("escapes are those of Java and no others", () => {
    const properties = new Map([
      ["a key:=#!", " v: 1=2 #!"],
      ["tab", "\t\r\n\f\u0001\u007f"],
      ["größe", "ß€😀\\"],
    ]);
    expect(formatProperties(properties, 0)).toBe(
      [
        "#Properties saved on 1970-01-01T00:00:00.000Z",
        "a\\ key\\:\\=\\#\\!=\\ v\\: 1\\=2 \\#\\!",
        "tab=\\t\\r\\n\\u000C\\u0001\\u007F",
        "gr\\u00F6\\u00DFe=\\u00DF\\u20AC\\uD83D\\uDE00\\\\",
        "",
      ].join("\n"),
    );
  });

  test.each<[string, string, Record<string, string>]>([
    [
      "separators",
      "a=1\nb:2\nc 3\nd\t=\t4\ne   :  5\nf",
      { a: "1", b: "2", c: "3", d: "4", e: "5", f: "" },
    ],
    ["comments and blank lines", "# a=1\n  ! b=2\n\n \t\nc=3", { c: "3" }],
    ["continuation lines", "a=1\\\n   2\\\n\t3\nb=\\\\\nc=4", { a: "123", b: "\\", c: "4" }],
    ["a last line that goes on into nothing", "a=1\\", { a: "1" }],
    ["line ends of every kind", "a=1\r\nb=2\rc=3\n", { a: "1", b: "2", c: "3" }],
    ["separators within values", "a=b=c:d e", { a: "b=c:d e" }],
    ["escaped separators in keys", "a\\ b\\:c\\=d=1", { "a b:c=d": "1" }],
    ["escapes", "a=\\u00e9\\t\\q\\u12", { a: "\u00e9\tqu12" }],
    ["blanks around", "   a   =   b  ", { a: "b  " }],
    ["the last of equal keys", "a=1\na=2", { a: "2" }],
    ["an empty key", "=1", { "": "1" }],
    ["nothing", "", {}],
    [
      "hostile keys",
      "__proto__=1\nconstructor=2",
      JSON.parse('{"__proto__":"1","constructor":"2"}'),
    ],
  ])("reads %s", (_, text, expected) => {
    expect([...parseProperties(text)]).toEqual(Object.entries(expected));
  });

  test("a long line of separators takes no longer than its length asks for", () => {
    const started = performance.now();
    parseProperties(`${" ".repeat(200_000)}=${"\\".repeat(200_001)}\n${"=".repeat(200_000)}`);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

describe("a new table (TBL-6)", () => {
  const config = parseTableConfig(textOf(NEW), "here");

  test("is read back with what was asked for", () => {
    expect(config).toMatchObject({
      name: "trips",
      databaseName: "default",
      type: "copy-on-write",
      version: 6,
      layout: 1,
      recordKeyFields: ["id"],
      partitionFields: ["city"],
      orderingField: "at",
      hiveStyle: true,
      urlEncode: false,
      timelineZone: "UTC",
      createSchema: NEW.createSchema,
      metadataPartitions: [],
      populatesMetaFields: true,
      baseFileFormat: "PARQUET",
      keepsPartitionColumns: true,
      index: { kind: "simple" },
    });
  });

  test("names key generator, payload and index for every engine", () => {
    const properties = createTableProperties(NEW);
    expect(properties.get("hoodie.table.keygenerator.class")).toBe(
      "org.apache.hudi.keygen.SimpleKeyGenerator",
    );
    expect(properties.get("hoodie.compaction.payload.class")).toBe(
      "org.apache.hudi.common.model.DefaultHoodieRecordPayload",
    );
    expect(properties.get("hoodie.table.precombine.field")).toBe("at");
    expect(properties.get("hoodie.index.type")).toBe("SIMPLE");
  });

  test("without partition and ordering field says so by leaving them out", () => {
    const { orderingField, ...some } = NEW;
    const rest = { ...some, partitionFields: [], keyGenerator: "non-partitioned" } as const;
    const properties = createTableProperties(rest);
    expect(properties.get("hoodie.table.keygenerator.class")).toBe(
      "org.apache.hudi.keygen.NonpartitionedKeyGenerator",
    );
    for (const key of [
      "hoodie.table.partition.fields",
      "hoodie.table.precombine.field",
      "hoodie.compaction.payload.class",
    ]) {
      expect(properties.has(key)).toBe(false);
    }
    const read = parseTableConfig(textOf(rest), "here");
    expect([read.partitionFields, read.orderingField]).toEqual([[], undefined]);
  });

  test("keeps the number of buckets with the kind of index", () => {
    const read = parseTableConfig(textOf({ ...NEW, index: { kind: "bucket", buckets: 16 } }), "x");
    expect(read.index).toEqual({ kind: "bucket", buckets: 16 });
  });
});

describe("checksum (TBL-3)", () => {
  test("is the CRC-32 of database and table, in decimal", () => {
    expect(tableChecksum("default", "trips")).toBe(String(crc32(Buffer.from("default.trips"))));
    expect(tableChecksum("", "größe")).toBe(String(crc32(Buffer.from(".größe"))));
  });

  test("agrees with those that Spark wrote", () => {
    const fixtures = join(import.meta.dirname, "../../fixtures/tables");
    for (const name of ["v6_cow_hivestyle_8i3u1d", "v9_cow_nonpartitioned_8i3u1d"]) {
      const archive = join(fixtures, name, "table.tar.gz");
      const path = `${name}/.hoodie/hoodie.properties`;
      const text = execFileSync("tar", ["-xzOf", archive, path], { encoding: "latin1" });
      const config = parseTableConfig(text, name);
      expect(config.properties.get("hoodie.table.checksum")).toBe(
        tableChecksum(config.databaseName, config.name),
      );
    }
  });

  test("a wrong one means damage, none is accepted", () => {
    const properties = createTableProperties(NEW);
    properties.delete("hoodie.table.checksum");
    expect(parseTableConfig(formatProperties(properties, 0), "here").name).toBe("trips");
    properties.set("hoodie.table.checksum", "1");
    expect(() => parseTableConfig(formatProperties(properties, 0), "here")).toThrow(
      failure("CORRUPT", /here.*checksum is 1, expected \d+; restore it from .*backup/),
    );
  });
});

describe("what must be there (TBL-4)", () => {
  test.each([
    "hoodie.table.name",
    "hoodie.table.type",
    "hoodie.table.version",
    "hoodie.timeline.layout.version",
  ])("without %s the file is damaged, and the error names it", (key) => {
    for (const value of [undefined, ""]) {
      const properties = createTableProperties(NEW);
      if (value === undefined) properties.delete(key);
      else properties.set(key, value);
      expect(() => parseTableConfig(formatProperties(properties, 0), "here")).toThrow(
        failure("CORRUPT", new RegExp(`lacks ${key.replaceAll(".", "\\.")}`)),
      );
    }
  });

  test.each(["0", "1", "5", "7", "10", "six", "-6", "6.5"])(
    "version %s is not supported",
    (version) => {
      const properties = createTableProperties(NEW).set("hoodie.table.version", version);
      expect(() => parseTableConfig(formatProperties(properties, 0), "here")).toThrow(
        failure(
          "UNSUPPORTED",
          new RegExp(`found hoodie.table.version ${version}, expected 6, 8 or 9`),
        ),
      );
    },
  );

  test.each([
    ["6", "2"],
    ["8", "1"],
    ["9", "1"],
    ["6", "0"],
  ])("version %s does not go with layout %s", (version, layout) => {
    const properties = createTableProperties(NEW)
      .set("hoodie.table.version", version)
      .set("hoodie.timeline.layout.version", layout);
    expect(() => parseTableConfig(formatProperties(properties, 0), "here")).toThrow(
      failure("CORRUPT", /hoodie.timeline.layout.version=/),
    );
  });

  test("another table type is damage", () => {
    const properties = createTableProperties(NEW).set("hoodie.table.type", "ROW");
    expect(() => parseTableConfig(formatProperties(properties, 0), "here")).toThrow(
      failure("CORRUPT", /hoodie.table.type is ROW/),
    );
  });

  test("a file of ours that was cut short anywhere is damaged, or whole but for its last line end", () => {
    const text = textOf(NEW);
    const whole = parseTableConfig(text, "here");
    const cut: TableConfig[] = [];
    for (let length = 0; length < text.length; length += 1) {
      try {
        cut.push(parseTableConfig(text.slice(0, length), "here"));
      } catch (error) {
        expect(error).toMatchObject({ code: "CORRUPT" });
      }
    }
    expect(cut).toEqual([whole]);
  });
});

describe("properties of other engines", () => {
  const read = (more: Record<string, string>): TableConfig => {
    const properties = createTableProperties(NEW);
    for (const [key, value] of Object.entries(more)) properties.set(key, value);
    return parseTableConfig(formatProperties(properties, 0), "here");
  };

  test("without a time zone it is that of the writers (TL-2)", () => {
    const properties = createTableProperties(NEW);
    properties.delete("hoodie.table.timeline.timezone");
    expect(parseTableConfig(formatProperties(properties, 0), "x").timelineZone).toBe("LOCAL");
    expect(read({ "hoodie.table.timeline.timezone": "local" }).timelineZone).toBe("LOCAL");
    expect(read({ "hoodie.table.timeline.timezone": "utc" }).timelineZone).toBe("UTC");
  });

  test("lists have blanks and empty parts; a partition field may carry a type", () => {
    const config = read({
      "hoodie.table.recordkey.fields": "a, b,,c ",
      "hoodie.table.partition.fields": "day:TIMESTAMP,city:SIMPLE",
    });
    expect(config.recordKeyFields).toEqual(["a", "b", "c"]);
    expect(config.partitionFields).toEqual(["day", "city"]);
  });

  test("version 9 names its ordering fields in the plural", () => {
    const config = read({
      "hoodie.table.ordering.fields": "ts,seq",
      "hoodie.table.version": "9",
      "hoodie.timeline.layout.version": "2",
    });
    expect([config.orderingField, config.layout]).toEqual(["ts", 2]);
  });

  test("a metadata table is listed by its partitions (TBL-8)", () => {
    const config = read({ "hoodie.table.metadata.partitions": "files,column_stats" });
    expect(config.metadataPartitions).toEqual(["files", "column_stats"]);
  });

  test("flags are true in any case, and false otherwise", () => {
    const hive = "hoodie.datasource.write.hive_style_partitioning";
    expect(read({ [hive]: "TRUE" }).hiveStyle).toBe(true);
    expect(read({ [hive]: "yes" }).hiveStyle).toBe(false);
    expect(read({ "hoodie.populate.meta.fields": "false" }).populatesMetaFields).toBe(false);
    const drop = "hoodie.datasource.write.drop.partition.columns";
    expect(read({ [drop]: "true" }).keepsPartitionColumns).toBe(false);
  });

  test("an index that is not known is looked up as bloom (IX-1)", () => {
    expect(read({ "hoodie.index.type": "RECORD_INDEX" }).index).toEqual({ kind: "bloom" });
    expect(read({ "hoodie.index.type": "BUCKET" }).index).toEqual({ kind: "bucket" });
    expect(read({ "hoodie.index.type": "Simple" }).index).toEqual({ kind: "simple" });
  });

  test("a global index moves keys unless it says otherwise (IX-6, IX-7)", () => {
    const moves = { kind: "global-bloom", updatePartitionPath: true };
    expect(read({ "hoodie.index.type": "GLOBAL_BLOOM" }).index).toEqual(moves);
    const stays = { kind: "global-simple", updatePartitionPath: false };
    const simple = { "hoodie.index.type": "GLOBAL_SIMPLE" };
    const property = "hoodie.simple.index.update.partition.path";
    expect(read({ ...simple, [property]: "false" }).index).toEqual(stays);
    expect(read({ ...simple, "hoodie.bloom.index.update.partition.path": "false" }).index).toEqual({
      ...stays,
      updatePartitionPath: true,
    });
  });

  test("a bucket index hashes the key columns unless others are named (IX-8)", () => {
    const bucket = { "hoodie.index.type": "BUCKET", "hoodie.bucket.index.num.buckets": "4" };
    expect(read(bucket).index).toEqual({ kind: "bucket", buckets: 4 });
    expect(read(bucket).bucketHashFields).toEqual(read({}).recordKeyFields);
    const named = { ...bucket, "hoodie.bucket.index.hash.field": "a,b" };
    expect(read(named).bucketHashFields).toEqual(["a", "b"]);
  });
});

test("properties that mean nothing here are kept", () => {
  const properties = createTableProperties(NEW).set("mine", "yes");
  const config = parseTableConfig(formatProperties(properties, 0), "here");
  expect(config.properties.get("mine")).toBe("yes");
});
