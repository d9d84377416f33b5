// Record keys, partition paths and meta columns: the texts that Hudi gives values, and the values that
// make no key and no path.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Column, ColumnBatch } from "../../src/format/column-batch.ts";
import { createTableSchema, type Field, parseFieldType } from "../../src/format/schema.ts";
import { parseKeyGenerator } from "../../src/layout/key-generator.ts";
import { formatColumn, requireKeyField } from "../../src/layout/key-text.ts";
import {
  DEFAULT_PARTITION,
  encodePartitionValue,
  formatPartitionPath,
  type PartitionScheme,
  type PartitionStyle,
  rowPartitions,
} from "../../src/layout/partition-path.ts";
import {
  addMetaFields,
  type KeyScheme,
  META_FIELDS,
  recordKeys,
} from "../../src/layout/record-key.ts";
import { runAtOnce } from "../../src/runtime/steps.ts";
import { batchOf, columnOf, valuesIn } from "../format/column-samples.ts";

const TEXT: Field = { id: 0, name: "text", type: { kind: "string" }, nullable: true };
const describeRow = (row: number): string => `row ${row}`;

function batch(type: string, values: readonly unknown[]): ColumnBatch {
  return batchOf(createTableSchema("t", { id: type, other: "int?" }), {
    id: values,
    other: values.map(() => null),
  });
}

const ID: KeyScheme = {
  recordKeyFields: ["id"],
  keyGenerator: { keyText: "value", hasLogicalTimestamps: false },
};

function keysOf(type: string, values: readonly unknown[]): unknown[] {
  return valuesIn(TEXT, runAtOnce(recordKeys(batch(type, values), ID, describeRow)));
}

const invalid = (message: RegExp): object =>
  expect.objectContaining({ code: "INVALID", message: expect.stringMatching(message) });

describe("record keys (RK-1, RK-2)", () => {
  test.each<[string, unknown[], string[]]>([
    [
      "string",
      ["a", " a ", "a:b/c,d", "ключ", "😀", "__null__"],
      ["a", " a ", "a:b/c,d", "ключ", "😀", "__null__"],
    ],
    ["int", [0, -1, 2_147_483_647], ["0", "-1", "2147483647"]],
    ["long", [2n ** 63n - 1n, -(2n ** 63n)], ["9223372036854775807", "-9223372036854775808"]],
    ["boolean", [true, false], ["true", "false"]],
    [
      "date",
      ["2024-02-29", "1969-12-31", "0001-01-01"],
      ["2024-02-29", "1969-12-31", "0001-01-01"],
    ],
    ["timestamp-micros", [1n, -1n, new Date(1)], ["1", "-1", "1000"]],
  ])("of type %s are the bare text of the value", (type, values, expected) => {
    expect(keysOf(type, values)).toEqual(expected);
  });

  test("texts are shared with the column, not copied", () => {
    const rows = batch("string", ["a", "b"]);
    expect(runAtOnce(recordKeys(rows, ID, describeRow))).toBe(rows.columns[0]);
  });

  test.each([
    ["string?", ["a", null], /row 1: record key id is null/],
    ["string", ["a", "b", ""], /row 2: record key id is empty/],
    ["long?", [null], /row 0: record key id is null/],
  ])("of type %s: null and empty are refused, and the row is named", (type, values, message) => {
    expect(() => keysOf(type, values)).toThrow(invalid(message));
  });

  test.each(["double", "decimal(5,2)"])("%s makes no key", (type) => {
    const schema = createTableSchema("t", { id: type });
    expect(() => requireKeyField(schema, "id", "record key")).toThrow(
      invalid(/id as record key.*found type/),
    );
    expect(() =>
      runAtOnce(formatColumn(schema.fields[0] as Field, columnOf(schema.fields[0] as Field, []))),
    ).toThrow(expect.objectContaining({ code: "UNSUPPORTED" }));
  });

  test("a column that is not there makes no key", () => {
    expect(() => requireKeyField(createTableSchema("t", { a: "int" }), "id", "record key")).toThrow(
      invalid(/id/),
    );
  });
});

describe("days as text (RK-2)", () => {
  const text = (days: number): unknown => {
    const field: Field = { id: 0, name: "d", ...parseFieldType("d", "date") };
    const values = Int32Array.of(days);
    const column = { layout: "int32", rowCount: 1, validity: undefined, values } as const;
    return valuesIn(TEXT, runAtOnce(formatColumn(field, column)))[0];
  };

  test("are those of the calendar, from the first year to the last of four digits", () => {
    fc.assert(
      fc.property(fc.integer({ min: -719_528, max: 2_932_896 }), (days) => {
        expect(text(days)).toBe(new Date(days * 86_400_000).toISOString().slice(0, 10));
      }),
      { numRuns: 1000 },
    );
  });

  // As java.time.LocalDate writes them.
  test.each([
    [2_932_897, "+10000-01-01"],
    [-719_529, "-0001-12-31"],
    [2_147_483_647, "+5881580-07-11"],
    [-2_147_483_648, "-5877641-06-23"],
    [11_016, "2000-02-29"],
    [-25_508, "1900-03-01"],
  ])("day %i is %s, so that no two days share a key", (days, expected) => {
    expect(text(days)).toBe(expected);
  });
});

describe("partition paths", () => {
  const PLAIN: PartitionStyle = { field: "city", hiveStyle: false, urlEncode: false };
  const HIVE = { ...PLAIN, hiveStyle: true };
  const ENCODED = { ...PLAIN, urlEncode: true };
  const path = (value: string, style: PartitionStyle): string =>
    formatPartitionPath(value, style, () => "row 7");

  test("are the value, or column and value in hive style (RK-3)", () => {
    expect(path("lisbon", PLAIN)).toBe("lisbon");
    expect(path("lisbon", HIVE)).toBe("city=lisbon");
    expect(path("são paulo & more+", HIVE)).toBe("city=são paulo & more+");
    expect(path("a=b", PLAIN)).toBe("a=b");
  });

  test("of null and empty values are one (RK-4)", () => {
    expect(path("", PLAIN)).toBe(DEFAULT_PARTITION);
    expect(path("", HIVE)).toBe(`city=${DEFAULT_PARTITION}`);
    expect(path("", ENCODED)).toBe(DEFAULT_PARTITION);
  });

  test("encode what Hudi encodes, and nothing else (RK-5)", () => {
    expect(encodePartitionValue("\"#%'*/:=?\\{[]^")).toBe(
      "%22%23%25%27%2A%2F%3A%3D%3F%5C%7B%5B%5D%5E",
    );
    expect(encodePartitionValue("\u0001\t\n\u001f\u007f")).toBe("%01%09%0A%1F%7F");
    const kept = " !$&()+,-.0;<>@A_`a|}~ñ😀\u0080";
    expect(encodePartitionValue(kept)).toBe(kept);
    expect(path("2024/01/02 10:30", { ...ENCODED, hiveStyle: true })).toBe(
      "city=2024%2F01%2F02 10%3A30",
    );
  });

  test.each<[string, PartitionStyle, RegExp]>([
    ["a/b", PLAIN, /holds \/ or/],
    ["a/b", HIVE, /holds \/ or/],
    ["/", PLAIN, /holds \/ or/],
    ["a\\b", HIVE, /holds \/ or/],
    ["..", PLAIN, /\.\./],
    ["../../etc", PLAIN, /holds \/ or/],
    ["a..b", HIVE, /\.\./],
    ["..", ENCODED, /\.\./],
    ["../../etc", ENCODED, /\.\./],
    [".", PLAIN, /dot/],
    [".", HIVE, /dot/],
    ["a\u0000", PLAIN, /control/],
    ["a\nb", HIVE, /control/],
    ["\u0085", ENCODED, /control/],
    [".hidden", PLAIN, /skip/],
    [".hoodie", PLAIN, /skip/],
    ["_SUCCESS", PLAIN, /skip/],
    ["metadata", PLAIN, /skip/],
    ["é".repeat(128), PLAIN, /a folder of 256 bytes/],
    ["a".repeat(251), HIVE, /a folder of 256 bytes/],
    ["/".repeat(86), ENCODED, /a folder of 258 bytes/],
  ])("%j makes none (RK-6)", (value, style, fact) => {
    const message = new RegExp(`row 7: partition column city has the value .*${fact.source}`);
    expect(() => path(value, style)).toThrow(invalid(message));
  });

  test.each([".hidden", "_SUCCESS", "metadata"])("%j makes one in hive style (RK-6)", (value) => {
    expect(path(value, HIVE)).toBe(`city=${value}`);
  });

  test("any value makes a path of one level that stays in the table, or none (RK-6)", () => {
    const style = fc.record({
      field: fc.constant("city"),
      hiveStyle: fc.boolean(),
      urlEncode: fc.boolean(),
    });
    const value = fc.oneof(fc.string({ unit: "grapheme" }), fc.stringMatching(/^[./\\%a_]{0,6}$/));
    fc.assert(
      fc.property(value, style, (text, any) => {
        let made: string;
        try {
          made = path(text, any);
        } catch (error) {
          expect(error).toMatchObject({ code: "INVALID" });
          return;
        }
        expect(made).not.toMatch(/[/\\\0]|\.\.|^\.|^$/);
      }),
      { numRuns: 500 },
    );
  });

  test("two values never share a path, unless one is null or empty (RK-5)", () => {
    const text = fc.stringMatching(/^[%/:=A2aF]{1,4}$/);
    fc.assert(
      fc.property(text, text, (a, b) => {
        if (a !== b) expect(path(a, ENCODED)).not.toBe(path(b, ENCODED));
      }),
    );
  });
});

describe("the partition of each row", () => {
  const partitions = [{ name: "id", kind: "simple" }] as const;
  const keyGenerator = { partitions, timestamps: undefined, hasLogicalTimestamps: false };
  const style: PartitionScheme = { keyGenerator, hiveStyle: false, urlEncode: false };

  test("is found for runs and returns of values, nulls among them (RK-3, RK-4)", () => {
    const rows = batch("string?", ["a", "b", "a", null, "", "b"]);
    const { paths, partitionOfRow } = runAtOnce(rowPartitions(rows, style, describeRow));
    expect(Array.from(partitionOfRow, (at) => paths[at])).toEqual([
      "a",
      "b",
      "a",
      DEFAULT_PARTITION,
      DEFAULT_PARTITION,
      "b",
    ]);
  });

  test("is one for a null and the text that its folder is called (RK-4)", () => {
    const rows = batch("string?", ["b", null, DEFAULT_PARTITION, "", "b"]);
    const { paths, partitionOfRow } = runAtOnce(rowPartitions(rows, style, describeRow));
    expect([paths, [...partitionOfRow]]).toEqual([
      ["b", DEFAULT_PARTITION],
      [0, 1, 1, 1, 0],
    ]);
  });

  test.each<[string, unknown[], string[]]>([
    ["int", [7, -7], ["7", "-7"]],
    ["boolean", [true, false], ["true", "false"]],
    ["date", ["2024-02-29", "1970-01-01"], ["2024-02-29", "1970-01-01"]],
    ["timestamp-micros", [5n, 6n], ["5", "6"]],
    ["long?", [null, 1n], [DEFAULT_PARTITION, "1"]],
  ])("of type %s is the text of its value", (type, values, expected) => {
    const { paths, partitionOfRow } = runAtOnce(
      rowPartitions(batch(type, values), style, describeRow),
    );
    expect(Array.from(partitionOfRow, (at) => paths[at])).toEqual(expected);
  });

  test("is the table itself where there are none", () => {
    const none = { ...style, keyGenerator: { ...keyGenerator, partitions: [] } };
    const { paths, partitionOfRow } = runAtOnce(
      rowPartitions(batch("int", [1, 2]), none, describeRow),
    );
    expect([paths, [...partitionOfRow]]).toEqual([[""], [0, 0]]);
  });

  test("names the first row whose value makes no path (RK-6)", () => {
    const rows = batch("string", ["a", "b", "c/d", "e/f"]);
    expect(() => runAtOnce(rowPartitions(rows, style, describeRow))).toThrow(
      invalid(/row 2:.*"c\/d"/),
    );
  });
});

describe("keys of several columns (RK-10)", () => {
  const schema = createTableSchema("t", { a: "string?", b: "long?", c: "date?" });
  const scheme: KeyScheme = {
    recordKeyFields: ["a", "b", "c"],
    keyGenerator: { keyText: "fields", hasLogicalTimestamps: false },
  };
  const text = (value: unknown): string =>
    value === null ? "__null__" : value === "" ? "__empty__" : String(value);
  const cells = fc.record({
    a: fc.oneof(
      fc.constantFrom(null, "", "a:b", ",b:1", "__null__", "%/\\", "ключ 🚀", "x".repeat(100)),
      fc.string({ unit: "grapheme" }),
    ),
    b: fc.option(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
    c: fc.option(fc.constantFrom("2024-02-29", "1969-12-31")),
  });
  const keysOfRows = (rows: readonly Record<string, unknown>[]): unknown[] => {
    const columns = ["a", "b", "c"].map((name) => [name, rows.map((row) => row[name])]);
    const made = batchOf(schema, Object.fromEntries(columns));
    return valuesIn(TEXT, runAtOnce(recordKeys(made, scheme, describeRow)));
  };
  const isEmpty = ({ a, b, c }: Record<string, unknown>): boolean =>
    (a === null || a === "") && b === null && c === null;

  test("are lists of column and value, whatever stands in them", () => {
    fc.assert(
      fc.property(fc.array(cells), (all) => {
        const rows = all.filter((row) => !isEmpty(row));
        const model = rows.map(({ a, b, c }) => `a:${text(a)},b:${text(b)},c:${text(c)}`);
        expect(keysOfRows(rows)).toEqual(model);
      }),
      { numRuns: 300 },
    );
  });

  test("a row without any value in them is refused by name", () => {
    const rows = [
      { a: "x", b: null, c: null },
      { a: "", b: null, c: null },
    ];
    expect(() => keysOfRows(rows)).toThrow(
      invalid(/row 1: record key a, b, c is null or empty, expected a value in one of them/),
    );
  });

  test("of one column, where the table has them so (RK-14)", () => {
    const one = { ...scheme, recordKeyFields: ["b"] };
    const made = batchOf(schema, { a: [null], b: [7n], c: [null] });
    expect(valuesIn(TEXT, runAtOnce(recordKeys(made, one, describeRow)))).toEqual(["b:7"]);
    const none = batchOf(schema, { a: [null], b: [null], c: [null] });
    expect(() => runAtOnce(recordKeys(none, one, describeRow))).toThrow(
      invalid(/row 0: record key b is null or empty, expected a value$/),
    );
  });
});

test("a field of a struct that is null is null, whatever lies there (RK-12)", () => {
  const schema = createTableSchema("t", { id: "string", user: "struct<id:string?>?" });
  const made = batchOf(schema, { id: ["a", "b"], user: [{ id: "x" }, { id: "y" }] });
  const [id, user] = made.columns as [Column, Column];
  const hidden = { ...made, columns: [id, { ...user, validity: Uint8Array.of(0b01) }] };
  const scheme: KeyScheme = {
    recordKeyFields: ["user.id", "id"],
    keyGenerator: { keyText: "fields", hasLogicalTimestamps: false },
  };
  expect(valuesIn(TEXT, runAtOnce(recordKeys(hidden, scheme, describeRow)))).toEqual([
    "user.id:x,id:a",
    "user.id:__null__,id:b",
  ]);
});

test("clocks that change between quarters of an hour change the folder (RK-13, RK-16)", () => {
  const schema = createTableSchema("t", { at: "long" });
  const change = BigInt(Date.UTC(1972, 0, 7, 0, 44, 30));
  const made = batchOf(schema, { at: [change - 1n, change, change + 1n] });
  const stored = new Map([
    ["hoodie.table.keygenerator.class", "org.apache.hudi.keygen.TimestampBasedKeyGenerator"],
    ["hoodie.keygen.timebased.timestamp.type", "EPOCHMILLISECONDS"],
    ["hoodie.keygen.timebased.output.dateformat", "yyyy/MM/dd"],
    ["hoodie.keygen.timebased.timezone", "Africa/Monrovia"],
  ]);
  const columns = { version: 6, recordKeyFields: ["id"], partitionFields: ["at"] };
  const keyGenerator = parseKeyGenerator(stored, columns);
  const scheme = { keyGenerator, hiveStyle: false, urlEncode: false };
  const { paths, partitionOfRow } = runAtOnce(rowPartitions(made, scheme, describeRow));
  expect(Array.from(partitionOfRow, (at) => paths[at])).toEqual([
    "1972/01/06",
    "1972/01/07",
    "1972/01/07",
  ]);
});

describe("folders of several columns (RK-11)", () => {
  const schema = createTableSchema("t", { a: "string?", b: "int?" });
  const value = fc.constantFrom(null, "", "x", "a=b", "100%", "a:b,c", "ü é", "q'\"*");
  const row = fc.record({ a: value, b: fc.option(fc.integer({ min: -2, max: 2 })) });
  const encode = (text: string): string =>
    text.replace(
      /["#%'*/:=?\\{[\]^]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    );

  test.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])("lie in one another: hive style %j, url encoding %j", (hiveStyle, urlEncode) => {
    const partitions = ["a", "b"].map((name) => ({ name, kind: "simple" as const }));
    const keyGenerator = { partitions, timestamps: undefined, hasLogicalTimestamps: false };
    const folder = (name: string, cell: unknown): string => {
      const text = cell === null || cell === "" ? DEFAULT_PARTITION : String(cell);
      const safe = urlEncode ? encode(text) : text;
      return hiveStyle ? `${name}=${safe}` : safe;
    };
    fc.assert(
      fc.property(fc.array(row), (all) => {
        const rows = all.filter(({ a }) => urlEncode || !a?.includes("\\"));
        const made = batchOf(schema, { a: rows.map(({ a }) => a), b: rows.map(({ b }) => b) });
        const scheme = { keyGenerator, hiveStyle, urlEncode };
        const { paths, partitionOfRow } = runAtOnce(rowPartitions(made, scheme, describeRow));
        expect(Array.from(partitionOfRow, (at) => paths[at])).toEqual(
          rows.map(({ a, b }) => `${folder("a", a)}/${folder("b", b)}`),
        );
        expect(new Set(paths).size).toBe(paths.length);
      }),
    );
  });
});

test("meta columns come first: five nullable strings (RK-7)", () => {
  const { fields } = addMetaFields(createTableSchema("t", { id: "int" }));
  expect(fields.map(({ name }) => name)).toEqual([
    "_hoodie_commit_time",
    "_hoodie_commit_seqno",
    "_hoodie_record_key",
    "_hoodie_partition_path",
    "_hoodie_file_name",
    "id",
  ]);
  expect(fields.slice(0, 5).every(({ type, nullable }) => type.kind === "string" && nullable)).toBe(
    true,
  );
  expect(new Set(fields.map(({ id }) => id)).size).toBe(6);
  expect(META_FIELDS).toHaveLength(5);
});
