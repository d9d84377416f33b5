// The index of pages against the pages themselves, as another reader decodes it.
import fc from "fast-check";
import { type ColumnIndex, parquetMetadata, readColumnIndex, readOffsetIndex } from "hyparquet";
import { describe, expect, test } from "vitest";
import { createOrderingComparator } from "../../src/file-group/record-merger.ts";
import { type Column, isPresent } from "../../src/format/column-batch.ts";
import { encodeColumnChunk } from "../../src/format/parquet-chunk-encoder.ts";
import { CODEC } from "../../src/format/parquet-codes.ts";
import { encodeFieldElement } from "../../src/format/parquet-column-type.ts";
import { walkPages } from "../../src/format/parquet-page.ts";
import {
  encodeColumnIndex,
  encodeOffsetIndex,
  type IndexedPage,
} from "../../src/format/parquet-page-index.ts";
import { shortenRange } from "../../src/format/parquet-short-bounds.ts";
import { computeValueRange } from "../../src/format/parquet-statistics.ts";
import { type ColumnType, createTableSchema, type Field } from "../../src/format/schema.ts";
import { decodeThriftStruct } from "../../src/format/thrift-compact.ts";
import { ALL_SCHEMA, columnOf, someValueOf } from "./column-samples.ts";
import { toBatch } from "./nested-samples.ts";
import { batchOf, field, writeFile } from "./parquet-samples.ts";

interface Encoded {
  readonly bytes: Uint8Array;
  readonly pages: readonly IndexedPage[];
  readonly codec: number;
}

/** A chunk in pages of a few rows, as if it began at byte `start` of a file. */
function encodePages(field: Field, column: Column, start: number): Encoded {
  const { physicalType = 0 } = encodeFieldElement(field);
  const slices = [{ column, from: 0, to: column.rowCount }];
  const options = { isNullable: true, codec: CODEC.snappy };
  const chunk = encodeColumnChunk(slices, options, 40);
  let firstRow = 0;
  const pages = chunk.pages.map((page): IndexedPage => {
    const { offset, sizeBytes, rowCount, valueCount, present } = page;
    const whole = {
      ...computeValueRange(page.slices, field.type),
      nullCount: valueCount - present,
    };
    const range = shortenRange(whole, physicalType);
    const place = { offset: start + offset, sizeBytes, firstRow };
    const indexed = { ...place, rowCount, valueCount, range };
    firstRow += rowCount;
    return indexed;
  });
  return { bytes: new Uint8Array(Buffer.concat(chunk.parts)), pages, codec: chunk.codec };
}

const reader = (bytes: Uint8Array) => ({
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  offset: 0,
});

/** The bounds of a column index as stored, before another reader gives them a type. */
function storedBounds(index: Uint8Array): { min: Uint8Array[]; max: Uint8Array[]; order: number } {
  const { struct } = decodeThriftStruct(index);
  return {
    min: struct.list(2) as Uint8Array[],
    max: struct.list(3) as Uint8Array[],
    order: struct.integer(4) as number,
  };
}

/** Plain values of a fixed width or texts as a column, to be compared as the type compares. */
function boundColumn(column: Column, values: readonly Uint8Array[]): Column {
  const data = new Uint8Array(Buffer.concat(values));
  const base = { rowCount: values.length, validity: undefined };
  switch (column.layout) {
    case "bytes": {
      const offsets = new Int32Array(values.length + 1);
      values.forEach((value, index) => {
        offsets[index + 1] = (offsets[index] as number) + value.length;
      });
      return { ...base, layout: "bytes", offsets, data };
    }
    case "fixed":
      return { ...base, layout: "fixed", widthBytes: column.widthBytes, data };
    case "bits": {
      const bits = values.reduce((sum, value, index) => sum | ((value[0] as number) << index), 0);
      return { ...base, layout: "bits", values: Uint8Array.of(bits) };
    }
    case "int32":
      return { ...base, layout: "int32", values: new Int32Array(data.buffer) };
    case "int64":
      return { ...base, layout: "int64", values: new BigInt64Array(data.buffer) };
    case "float32":
      return { ...base, layout: "float32", values: new Float32Array(data.buffer) };
    case "float64":
      return { ...base, layout: "float64", values: new Float64Array(data.buffer) };
    default:
      throw new TypeError(`bounds of ${column.layout}`);
  }
}

/** Long texts that share their beginning, up to the last character there is. */
const longText = fc
  .tuple(fc.constantFrom("a".repeat(62), "é".repeat(31), "\u{10ffff}".repeat(16)), fc.string())
  .map(([head, tail]) => `${head}${tail}`);

describe("the index of pages (PQ-14)", () => {
  const sample = fc.constantFrom(...ALL_SCHEMA.fields).chain((field) => {
    const some =
      field.type.kind === "string" ? fc.oneof(someValueOf(field), longText) : someValueOf(field);
    const values = fc.array(fc.option(some, { nil: null }), {
      minLength: 1,
      maxLength: 60,
      size: "max",
    });
    return fc.tuple(fc.constant(field), values, fc.boolean());
  });

  test("bounds every value of every page, and says where the page lies", () => {
    let indexed = 0;
    fc.assert(
      fc.property(sample, ([field, values, isSorted]) => {
        const list =
          isSorted && field.type.kind === "long" ? [...values].sort(compareLongs) : values;
        const column = columnOf(field, list);
        const { bytes, pages, codec } = encodePages(field, column, 1000);
        const found = walkPages(bytes, column.rowCount, codec).filter(({ type }) => type === 0);
        const places = readOffsetIndex(reader(encodeOffsetIndex(pages))).page_locations;
        expect(
          places.map(({ offset, compressed_page_size, first_row_index }) => [
            Number(offset) - 1000,
            compressed_page_size,
            Number(first_row_index),
          ]),
        ).toEqual(found.map(({ start, end, firstRow }) => [start, end - start, firstRow]));

        const { physicalType = 0 } = encodeFieldElement(field);
        const index = encodeColumnIndex(pages, physicalType);
        if (!index) {
          expect(list.some(Number.isNaN)).toBe(true);
          return;
        }
        indexed += 1;
        const bounds = storedBounds(index);
        const read: ColumnIndex = readColumnIndex(reader(index), { name: "c" });
        for (const [number, { firstRow, rowCount }] of pages.entries()) {
          const rows = Array.from({ length: rowCount }, (_, row) => firstRow + row);
          const present = rows.filter((row) => isPresent(column, row));
          expect(read.null_pages[number]).toBe(present.length === 0);
          expect(Number(read.null_counts?.[number])).toBe(rowCount - present.length);
          if (present.length === 0) continue;
          const pair = [bounds.min[number] as Uint8Array, bounds.max[number] as Uint8Array];
          const isBytes = field.type.kind === "fixed";
          const compare = createOrderingComparator(column, boundColumn(column, pair), isBytes);
          for (const row of present) {
            expect(compare(row, 0)).toBeGreaterThanOrEqual(0);
            expect(compare(row, 1)).toBeLessThanOrEqual(0);
          }
        }
        requireOrder(column, pages, bounds, field.type);
      }),
      { numRuns: 500 },
    );
    expect(indexed).toBeGreaterThan(300);
  });

  test("cuts long texts, and keeps one that no shorter text bounds, but none of many bytes", () => {
    const [text] = createTableSchema("t", { c: "string?" }).fields as [Field];
    const last = "\u{10ffff}".repeat(20);
    for (const [value, min, max] of [
      ["a".repeat(70), "a".repeat(64), `${"a".repeat(63)}b`],
      [`${"a".repeat(63)}é${"b".repeat(9)}`, "a".repeat(63), `${"a".repeat(62)}b`],
      [
        `${"a".repeat(61)}\ud7ff${"b".repeat(9)}`,
        `${"a".repeat(61)}\ud7ff`,
        `${"a".repeat(61)}\ue000`,
      ],
      [last, "\u{10ffff}".repeat(16), last],
    ]) {
      const { pages } = encodePages(text, columnOf(text, [value]), 0);
      const bounds = storedBounds(encodeColumnIndex(pages, 6) as Uint8Array);
      expect(Buffer.from(bounds.min[0] as Uint8Array).toString()).toBe(min);
      expect(Buffer.from(bounds.max[0] as Uint8Array).toString()).toBe(max);
    }
  });

  test("cuts bytes that are no text anywhere, and keeps those that nothing short exceeds", () => {
    const [bytes] = createTableSchema("t", { c: "bytes?" }).fields as [Field];
    const ff = (count: number): number[] => Array<number>(count).fill(0xff);
    const a = Array<number>(60).fill(0x61);
    for (const [value, min, max] of [
      [
        [...ff(63), 1, 2, 3],
        [...ff(63), 1],
        [...ff(63), 2],
      ],
      [[1, ...ff(90)], [1, ...ff(63)], [2]],
      [ff(70), ff(64), ff(70)],
      // Half a character where the cut falls, and nothing but such halves.
      [
        [...a, 0xc3, 0xa9, 0xc3, 0xff, 0xff],
        [...a, 0xc3, 0xa9, 0xc3, 0xff],
        [...a, 0xc3, 0xa9, 0xc4],
      ],
      [
        Array<number>(80).fill(0x80),
        Array<number>(60).fill(0x80),
        [...Array<number>(63).fill(0x80), 0x81],
      ],
    ] as [number[], number[], number[]][]) {
      const { pages } = encodePages(bytes, columnOf(bytes, [Uint8Array.from(value)]), 0);
      const bounds = storedBounds(encodeColumnIndex(pages, 6) as Uint8Array);
      expect([...(bounds.min[0] as Uint8Array)]).toEqual(min);
      expect([...(bounds.max[0] as Uint8Array)]).toEqual(max);
      expect(Buffer.compare(Buffer.from(value), bounds.max[0] as Uint8Array)).toBeLessThanOrEqual(
        0,
      );
    }
  });

  test("states no bounds where no short text is great enough, and places all the same", () => {
    const [text] = createTableSchema("t", { c: "string?" }).fields as [Field];
    const { pages } = encodePages(text, columnOf(text, ["a", "\u{10ffff}".repeat(600)]), 0);
    expect(encodeColumnIndex(pages, 6)).toBeUndefined();
    expect(readOffsetIndex(reader(encodeOffsetIndex(pages))).page_locations).toHaveLength(2);
  });

  test("states the order of the bounds that it has, not that of the values", () => {
    const [field] = createTableSchema("t", { c: "bytes?" }).fields as [Field];
    // The first is cut before its last character, and then greater than the one behind it.
    const head = Array<number>(62).fill(0x61);
    const column = columnOf(field, [
      Uint8Array.from([...head, 0xe2, 0x82, 0xac, 0x61]),
      Uint8Array.from([...head, 0xff]),
    ]);
    const { pages } = encodePages(field, column, 0);
    const bounds = storedBounds(encodeColumnIndex(pages, 6) as Uint8Array);
    expect(Buffer.compare(bounds.max[0] as Uint8Array, bounds.max[1] as Uint8Array)).toBe(1);
    expect(bounds.order).toBe(0);
  });

  test("of a file lies behind its row groups, for every column and page", async () => {
    const fields = [field("l", "long", false), field("s", "string", true)];
    const count = 70_000;
    const longs = Array.from({ length: count }, (_, row) => BigInt(row * 3));
    const texts = longs.map((value) => (value % 7n === 0n ? null : `text ${value}`));
    const { bytes } = await writeFile({ name: "n", fields }, [batchOf(fields, [longs, texts])], {
      rowGroupRows: 40_000,
    });
    const buffer = bytes.slice().buffer as ArrayBuffer;
    const metadata = parquetMetadata(buffer);
    expect(metadata.row_groups).toHaveLength(2);
    for (const [group, { columns }] of metadata.row_groups.entries()) {
      for (const [number, chunk] of columns.entries()) {
        const slice = (offset: bigint | undefined, length: number | undefined) => ({
          view: new DataView(buffer, Number(offset), length),
          offset: 0,
        });
        const places = readOffsetIndex(slice(chunk.offset_index_offset, chunk.offset_index_length));
        const index = readColumnIndex(
          slice(chunk.column_index_offset, chunk.column_index_length),
          metadata.schema[number + 1] as never,
        );
        expect(places.page_locations.length).toBe(group === 0 ? 2 : 1);
        expect(Number(places.page_locations[0]?.offset)).toBe(
          Number(chunk.meta_data?.data_page_offset),
        );
        if (number === 1) continue;
        expect(index.boundary_order).toBe("ASCENDING");
        expect(index.min_values.map(Number)).toEqual(
          places.page_locations.map(
            ({ first_row_index }) => (group * 40_000 + Number(first_row_index)) * 3,
          ),
        );
      }
    }
  });
});

test("pages of nested columns begin with rows, and their index tells of the values in them (PQ-14, PQ-15)", async () => {
  const schema = createTableSchema("t", { c: "list<long?>?" });
  const list = fc.option(fc.array(fc.option(fc.bigInt({ min: -9n, max: 9n })), { maxLength: 4 }));
  await fc.assert(
    fc.asyncProperty(fc.array(list, { minLength: 1, maxLength: 30 }), async (lists) => {
      const rows = lists.map((c) => ({ c }));
      const options = { pageBytes: 20, rowGroupRows: 1000 };
      const { bytes } = await writeFile(schema, [toBatch(schema, rows)], options);
      const buffer = bytes.slice().buffer as ArrayBuffer;
      const metadata = parquetMetadata(buffer);
      const chunk = metadata.row_groups[0]!.columns[0]!;
      const at = (offset: bigint | undefined, length: number | undefined) => ({
        view: new DataView(buffer, Number(offset), length),
        offset: 0,
      });
      const places = readOffsetIndex(at(chunk.offset_index_offset, chunk.offset_index_length));
      const element = metadata.schema.at(-1)!;
      const index = readColumnIndex(
        at(chunk.column_index_offset, chunk.column_index_length),
        element,
      );
      const firsts = places.page_locations.map(({ first_row_index }) => Number(first_row_index));
      expect(firsts[0]).toBe(0);
      for (const [page, first] of firsts.entries()) {
        const end = firsts[page + 1] ?? rows.length;
        expect(end).toBeGreaterThan(first);
        const entries = lists.slice(first, end).flatMap((one) => (one?.length ? one : [null]));
        const values = entries.filter((value) => value !== null);
        expect(Number(index.null_counts?.[page])).toBe(entries.length - values.length);
        expect(index.null_pages[page]).toBe(values.length === 0);
        if (values.length === 0) continue;
        const sorted = [...values].sort(compareLongs);
        expect([index.min_values[page], index.max_values[page]]).toEqual([
          sorted[0],
          sorted.at(-1),
        ]);
      }
    }),
    { numRuns: 60 },
  );
});

function compareLongs(a: unknown, b: unknown): number {
  return Number((a as bigint) > (b as bigint)) - Number((a as bigint) < (b as bigint));
}

/** The order that is stated is one that the bounds have. */
function requireOrder(
  column: Column,
  pages: readonly IndexedPage[],
  bounds: ReturnType<typeof storedBounds>,
  type: ColumnType,
): void {
  const kept = [...pages.keys()].filter((number) => pages[number]?.range.min !== undefined);
  for (const list of [bounds.min, bounds.max]) {
    const values = boundColumn(
      column,
      kept.map((number) => list[number] as Uint8Array),
    );
    const compare = createOrderingComparator(values, values, type.kind === "fixed");
    for (let next = 1; next < kept.length; next += 1) {
      const difference = compare(next - 1, next);
      if (bounds.order === 1) expect(difference).toBeLessThanOrEqual(0);
      if (bounds.order === 2) expect(difference).toBeGreaterThanOrEqual(0);
    }
  }
}
