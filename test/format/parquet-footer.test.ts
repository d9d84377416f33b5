// Thrift and the footer, against hyparquet as a second opinion.
import fc from "fast-check";
import { parquetMetadata } from "hyparquet";
import { describe, expect, test } from "vitest";
import { CODEC, CONVERTED, LOGICAL, PHYSICAL, REPETITION } from "../../src/format/parquet-codes.ts";
import { formatElement } from "../../src/format/parquet-column-type.ts";
import { findFileColumns } from "../../src/format/parquet-file-tree.ts";
import {
  type ColumnChunk,
  decodeFooter,
  decodeFooterLength,
  encodeFooter,
  type ParquetFooter,
} from "../../src/format/parquet-footer.ts";
import {
  decodeThriftStruct,
  THRIFT,
  ThriftBuilder,
  ThriftError,
} from "../../src/format/thrift-compact.ts";
import { propertyOptions } from "./parquet-samples.ts";

describe("Thrift", () => {
  test("integers, flags, texts, lists and structs come back", () => {
    const integer = fc.integer({ min: -(2 ** 52), max: 2 ** 52 });
    fc.assert(
      fc.property(
        fc.record({
          i32: fc.integer(),
          i64: integer,
          flag: fc.boolean(),
          text: fc.string({ unit: "binary" }),
          list: fc.array(fc.integer(), { maxLength: 40 }),
          far: fc.integer({ min: 30, max: 3000 }),
        }),
        ({ i32, i64, flag, text, list, far }) => {
          const inner = new ThriftBuilder().i64(1, i64);
          const bytes = new ThriftBuilder()
            .i32(1, i32)
            .flag(3, flag)
            .binary(4, text)
            .i32s(20, list)
            .texts(21, list.map(String))
            .structs(
              22,
              list.map(() => inner),
            )
            .struct(far, inner)
            .finish();
          const { struct, end } = decodeThriftStruct(bytes);
          expect(end).toBe(bytes.length);
          expect(struct.integer(1)).toBe(i32);
          expect(struct.flag(3)).toBe(flag);
          expect(struct.text(4)).toBe(text);
          expect(struct.list(20)).toEqual(list);
          expect(struct.list(21)?.length).toBe(list.length);
          expect(struct.structs(22)?.map((one) => one.integer(1))).toEqual(list.map(() => i64));
          expect(struct.struct(far)?.integer(1)).toBe(i64);
          expect(struct.integer(2)).toBeUndefined();
        },
      ),
      propertyOptions(300),
    );
  });

  test("cut off anywhere it is an error", () => {
    const bytes = new ThriftBuilder()
      .i64(1, 2 ** 40)
      .binary(2, "text")
      .i32s(3, [1, 2, 3])
      .finish();
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => decodeThriftStruct(bytes.subarray(0, length))).toThrow(ThriftError);
    }
  });

  test.each<[string, number[]]>([
    [
      "a list longer than the bytes",
      [0x10 | THRIFT.list, 0xf0 | THRIFT.i32, 0xff, 0xff, 0xff, 0xff, 0x7f],
    ],
    ["a text longer than the bytes", [0x10 | THRIFT.binary, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ["an integer without end", [0x10 | THRIFT.i64, ...Array<number>(20).fill(0xff)]],
    ["an unknown type", [0x1f, 0]],
    ["structs without end", Array<number>(100_000).fill(0x10 | THRIFT.struct)],
    ["lists without end", [0x10 | THRIFT.list, ...Array<number>(100_000).fill(0x10 | THRIFT.list)]],
  ])("%s is an error", (_, bytes) => {
    expect(() => decodeThriftStruct(new Uint8Array(bytes))).toThrow(ThriftError);
  });
});

const chunk = (name: string, path: string[] = [name]): ColumnChunk => ({
  physicalType: PHYSICAL.int32,
  path,
  codec: CODEC.snappy,
  encodings: [0, 3],
  valueCount: 5,
  uncompressedBytes: 300,
  compressedBytes: 200,
  dataPageOffset: 100,
  dictionaryPageOffset: 40,
  statistics: {
    nullCount: 1,
    min: new Uint8Array([1, 0, 0, 0]),
    max: new Uint8Array([9, 0, 0, 0]),
  },
});

const footer: ParquetFooter = {
  elements: [
    { name: "root", childCount: 4 },
    {
      name: "a",
      physicalType: PHYSICAL.int32,
      repetition: REPETITION.optional,
      convertedType: CONVERTED.date,
    },
    { name: "group", repetition: REPETITION.optional, childCount: 2 },
    { name: "inner", repetition: REPETITION.required, childCount: 1 },
    { name: "x", physicalType: PHYSICAL.int32, repetition: REPETITION.required },
    { name: "y", physicalType: PHYSICAL.int32, repetition: REPETITION.repeated },
    { name: "b", physicalType: PHYSICAL.int32, repetition: REPETITION.required },
    {
      name: "c",
      physicalType: PHYSICAL.int32,
      repetition: REPETITION.optional,
      logical: { member: LOGICAL.decimal, precision: 7, scale: 2 },
    },
  ],
  rowCount: 10,
  rowGroups: [1, 2].map(() => ({
    rowCount: 5,
    columns: [
      chunk("a"),
      chunk("x", ["group", "inner", "x"]),
      chunk("y", ["group", "y"]),
      chunk("b"),
      chunk("c"),
    ],
  })),
  keyValues: new Map([
    ["__proto__", "1"],
    ["empty", ""],
  ]),
  createdBy: "someone version 1",
  hasColumnOrders: true,
};

describe("the footer (PQ-2)", () => {
  const bytes = encodeFooter(footer);

  test("comes back as it was, for us and for hyparquet", () => {
    const length = decodeFooterLength(bytes.subarray(-8), 10_000, "f");
    expect(length).toBe(bytes.length - 8);
    const read = decodeFooter(bytes.subarray(0, length), 10_000, "f");
    expect(read.keyValues).toEqual(footer.keyValues);
    expect(read.rowGroups).toMatchObject(footer.rowGroups);
    expect(read).toMatchObject({
      rowCount: 10,
      createdBy: footer.createdBy,
      hasColumnOrders: true,
    });
    const metadata = parquetMetadata(bytes.slice().buffer as ArrayBuffer);
    expect(metadata.num_rows).toBe(10n);
    expect(metadata.row_groups[1]!.columns[1]!.meta_data).toMatchObject({
      path_in_schema: ["group", "inner", "x"],
      codec: "SNAPPY",
      num_values: 5n,
      total_compressed_size: 200n,
      data_page_offset: 100n,
      dictionary_page_offset: 40n,
      statistics: { null_count: 1n, min_value: 1, max_value: 9 },
    });
    expect(metadata.row_groups.map(({ ordinal }) => ordinal)).toEqual([0, 1]);
  });

  test("tells the top-level columns, and what groups are", () => {
    const read = decodeFooter(bytes.subarray(0, -8), 10_000, "f");
    const columns = findFileColumns(read)!;
    expect(columns.map(({ name, node, type }) => [name, node.leafIndex, type?.kind])).toEqual([
      ["a", 0, "date"],
      ["group", undefined, undefined],
      ["b", 3, "int"],
      ["c", 4, "decimal"],
    ]);
    expect(formatElement(columns[1]!.element)).toBe("a group of columns");
  });

  test.each<[string, Partial<ParquetFooter>, string]>([
    [
      "a column beyond the file",
      {
        rowGroups: [
          {
            rowCount: 10,
            columns: [
              ...footer.rowGroups[0]!.columns.slice(1),
              { ...chunk("a"), compressedBytes: 9999 },
            ],
          },
        ],
      },
      "lies at 40 to 10039",
    ],
    [
      "more columns than the schema",
      { rowGroups: [{ rowCount: 10, columns: [] }] },
      "a row group has 0 columns, the schema 5",
    ],
    ["another number of rows", { rowCount: 11 }, "it states 11 rows, its row groups 10"],
    ["no schema", { elements: [] }, "the schema is empty"],
  ])("with %s is CORRUPT", (_, change, message) => {
    const wrong = encodeFooter({ ...footer, ...change });
    const decode = (): unknown => decodeFooter(wrong.subarray(0, -8), 10_000, "a/b.parquet");
    expect(decode).toThrow(expect.objectContaining({ code: "CORRUPT", path: "a/b.parquet" }));
    expect(decode).toThrow(message);
  });

  test("with a schema that is no tree gives no columns", () => {
    const elements = [{ name: "root", childCount: 3 }, ...footer.elements.slice(1, 3)];
    expect(findFileColumns({ ...footer, elements })).toBeUndefined();
    expect(
      findFileColumns({
        ...footer,
        elements: [{ name: "root", childCount: 1 }, ...footer.elements.slice(1)],
      }),
    ).toBeUndefined();
  });
});
