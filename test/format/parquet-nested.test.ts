// Columns with columns inside: rows come back from a file as they were written, by our reader and by
// another one, and from lists and maps in the forms that other writers use. Rules: PQ-15 and PQ-16.
import fc from "fast-check";
import { parquetMetadata, parquetReadObjects } from "hyparquet";
import { describe, expect, test } from "vitest";
import { CONVERTED, PHYSICAL, REPETITION } from "../../src/format/parquet-codes.ts";
import {
  decodeFooter,
  decodeFooterLength,
  encodeFooter,
  type SchemaElement,
} from "../../src/format/parquet-footer.ts";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
import { RowBatchBuilder } from "../../src/format/row-batch.ts";
import {
  createTableSchema,
  type Field,
  formatFieldType,
  parseFieldType,
  type TableSchema,
} from "../../src/format/schema.ts";
import { plain, readRows, toBatch, typeText } from "./nested-samples.ts";
import { memorySource, writeFile } from "./parquet-samples.ts";

async function roundTrip(
  schema: TableSchema,
  parts: readonly (readonly Record<string, unknown>[])[],
  rowGroupRows = 1000,
): Promise<{ bytes: Uint8Array; rows: unknown[] }> {
  const batches = parts.map((rows) => toBatch(schema, rows));
  const { bytes } = await writeFile(schema, batches, { rowGroupRows });
  return { bytes, rows: await readRows(bytes, schema) };
}

describe("nested columns (PQ-15, PQ-16)", () => {
  test("every type is written as it is read (SC-6)", () => {
    fc.assert(
      fc.property(typeText, (text) => {
        expect(formatFieldType(parseFieldType("c", text))).toBe(text);
      }),
    );
  });

  test("another reader finds the same rows", async () => {
    const schema = createTableSchema("t", {
      id: "string",
      tags: "list<string?>?",
      points: "list<struct<x:int,y:double?>?>?",
      names: "map<list<int?>?>?",
      deep: "struct<a:struct<b:list<map<long?>?>?>?>?",
    });
    const row = (id: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
      ...{ id, tags: null, points: null, names: null, deep: null },
      ...more,
    });
    const rows = [
      row("none"),
      row("empty", { tags: [], points: [], names: {}, deep: { a: null } }),
      row("nulls", { tags: [null, "a", null], points: [null], names: { k: null } }),
      row("full", {
        tags: ["x"],
        points: [
          { x: 1, y: 2.5 },
          { x: -1, y: null },
        ],
        names: { a: [1, null], b: [] },
        deep: { a: { b: [{ k: 7n }, null, {}] } },
      }),
    ];
    const { bytes, rows: own } = await roundTrip(schema, [rows]);
    expect(own.map(plain)).toEqual(rows.map(plain));
    const file = bytes.slice().buffer as ArrayBuffer;
    const names = parquetMetadata(file).schema.map(({ name }) => name);
    expect(names.slice(2, 5)).toEqual(["tags", "list", "element"]);
    const other = await parquetReadObjects({ file });
    expect(other.map(plain)).toEqual(rows.map(plain));
  });

  test("rows of many items make pages that begin with rows", async () => {
    const schema = createTableSchema("t", { items: "list<int?>?" });
    const rows = Array.from({ length: 40 }, (_, at) => ({
      items: at % 5 === 0 ? null : Array.from({ length: at * 700 }, (_, n) => (n % 9 ? n : null)),
    }));
    const { rows: own } = await roundTrip(schema, [rows.slice(0, 13), rows.slice(13)], 30);
    expect(own.map(plain)).toEqual(rows.map(plain));
  });

  describe("lists and maps of older writers", () => {
    const { optional, repeated, required } = REPETITION;
    const list = { convertedType: CONVERTED.list, childCount: 1 };
    const int = (name: string, repetition: number): SchemaElement => ({
      ...{ name, repetition, physicalType: PHYSICAL.int32 },
    });
    const text = (name: string, repetition: number): SchemaElement => ({
      ...{ name, repetition, physicalType: PHYSICAL.byteArray, convertedType: CONVERTED.utf8 },
    });
    const group = (
      name: string,
      repetition: number,
      childCount: number,
      convertedType?: number,
    ): SchemaElement => ({ name, repetition, childCount, convertedType });

    /** The same file under another schema, whose levels are the same. */
    const under = (bytes: Uint8Array, elements: readonly SchemaElement[]): Uint8Array => {
      const length = decodeFooterLength(bytes.subarray(-8), bytes.length, "f");
      const start = bytes.length - 8 - length;
      const footer = decodeFooter(bytes.subarray(start, bytes.length - 8), bytes.length, "f");
      const root = { name: "root", childCount: 1 };
      const other = encodeFooter({ ...footer, elements: [root, ...elements] });
      return new Uint8Array(Buffer.concat([bytes.subarray(0, start), other]));
    };

    const ints = [null, [], [1], [2, 3]];
    const structs = [
      null,
      [],
      [{ a: 1, b: "x" }],
      [
        { a: null, b: "y" },
        { a: 2, b: "z" },
      ],
    ];
    const singles = [null, [], [{ a: 1 }], [{ a: null }, { a: 2 }]];
    const maps = [null, {}, { k: 1 }, { "": null, j: 2 }];
    test.each<[string, string, readonly unknown[], readonly SchemaElement[]]>([
      [
        "a repeated leaf called array, as Avro writes it",
        "list<int>?",
        ints,
        [{ ...list, name: "c", repetition: optional }, int("array", repeated)],
      ],
      [
        "a repeated leaf of any name",
        "list<int>?",
        ints,
        [{ ...list, name: "c", repetition: optional }, int("element", repeated)],
      ],
      [
        "a repeated group called array of several columns",
        "list<struct<a:int?,b:string>>?",
        structs,
        [
          { ...list, name: "c", repetition: optional },
          group("array", repeated, 2),
          int("a", optional),
          text("b", required),
        ],
      ],
      [
        "a repeated group of several columns of any name",
        "list<struct<a:int?,b:string>>?",
        structs,
        [
          { ...list, name: "c", repetition: optional },
          group("list", repeated, 2),
          int("a", optional),
          text("b", required),
        ],
      ],
      [
        "a repeated group called array of one column",
        "list<struct<a:int?>>?",
        singles,
        [
          { ...list, name: "c", repetition: optional },
          group("array", repeated, 1),
          int("a", optional),
        ],
      ],
      [
        "a repeated group called as Thrift calls it",
        "list<struct<a:int?>>?",
        singles,
        [
          { ...list, name: "c", repetition: optional },
          group("c_tuple", repeated, 1),
          int("a", optional),
        ],
      ],
      [
        "a bag, as Hive writes it",
        "list<int?>?",
        [null, [], [null, 1], [null]],
        [
          { ...list, name: "c", repetition: optional },
          group("bag", repeated, 1),
          int("array_element", optional),
        ],
      ],
      [
        "a map whose entries are called map",
        "map<int?>?",
        maps,
        [
          group("c", optional, 1, CONVERTED.map),
          group("map", repeated, 2, CONVERTED.mapKeyValue),
          text("key", required),
          int("value", optional),
        ],
      ],
      [
        "a map that is annotated as its entries, with other names",
        "map<int?>?",
        maps,
        [
          group("c", optional, 1, CONVERTED.mapKeyValue),
          group("pairs", repeated, 2),
          text("k", required),
          int("v", optional),
        ],
      ],
      [
        "lists in lists, both of two levels",
        "list<list<int>>?",
        [null, [], [[]], [[1], [], [2, 3]]],
        [
          { ...list, name: "c", repetition: optional },
          { ...list, name: "array", repetition: repeated },
          int("array", repeated),
        ],
      ],
    ])("%s", async (_, type, values, elements) => {
      const schema = createTableSchema("t", { c: type });
      const rows = values.map((c) => ({ c }));
      const { bytes } = await writeFile(schema, [toBatch(schema, rows)], { rowGroupRows: 3 });
      const old = under(bytes, elements);
      expect((await readRows(old, schema)).map(plain)).toEqual(rows.map(plain));
      const file = await openParquetFile(memorySource(old));
      expect(file.schema.fields.map(formatFieldType)).toEqual([type]);
    });

    test("a map whose keys may be null has none, or is damaged", async () => {
      const schema = createTableSchema("t", { c: "list<struct<key:string?,value:int?>>?" });
      const elements = [
        group("c", optional, 1, CONVERTED.map),
        group("map", repeated, 2),
        text("key", optional),
        int("value", optional),
      ];
      const asked = createTableSchema("t", { c: "map<int?>?" });
      const fileOf = async (key: string | null): Promise<Uint8Array> => {
        const rows = [{ c: [] }, { c: [{ key: "k", value: 1 }] }, { c: [{ key, value: 2 }] }];
        const { bytes } = await writeFile(schema, [toBatch(schema, rows)]);
        // A group of the three-level form stands where the entries are.
        return under(bytes, elements);
      };
      expect(await readRows(await fileOf("j"), asked)).toEqual([
        { c: {} },
        { c: { k: 1 } },
        { c: { j: 2 } },
      ]);
      await expect(readRows(await fileOf(null), asked)).rejects.toThrow(
        /in row 2 \(found null in key/,
      );
    });
  });

  test.each<[Field["name"], unknown, RegExp]>([
    ["struct<a:int>", { a: 1, b: 2 }, /column c .*found string b, expected one of a/],
    ["struct<a:int>", {}, /column c\.a .*found nothing/],
    ["struct<a:int>", [1], /expected an object/],
    ["list<int>", [1, null], /column c\.element .*found null/],
    ["list<int>", "text", /expected an array/],
    ["map<int>", { k: "v" }, /column c\.value .*expected an integer/],
    ["map<int>", new Map([[1, 2]]), /column c\.key .*expected a string/],
  ])("%s takes no %j (SC-6)", (type, value, message) => {
    const builder = new RowBatchBuilder(createTableSchema("t", { c: type }));
    expect(() => builder.append({ c: value })).toThrow(message);
  });
});
