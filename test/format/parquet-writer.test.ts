// What the writer puts into a file: row groups, types, statistics, entries; and what it refuses.

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { parquetMetadata } from "hyparquet";
import { describe, expect, test } from "vitest";
import type { ColumnBatch } from "../../src/format/column-batch.ts";
import { CREATED_BY, openParquetWriter } from "../../src/format/open-parquet-writer.ts";
import { ChunkDecoder } from "../../src/format/parquet-chunk-decoder.ts";
import { encodeColumnChunk } from "../../src/format/parquet-chunk-encoder.ts";
import { CODEC } from "../../src/format/parquet-codes.ts";
import { encodeFieldElement } from "../../src/format/parquet-column-type.ts";
import { walkPages } from "../../src/format/parquet-page.ts";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
import {
  batchOf,
  CODECS,
  columnOf,
  contentOf,
  everyType,
  field,
  memorySource,
  readRowGroup,
  type Value,
  valuesOf,
  writeFile,
} from "./parquet-samples.ts";

const longs = (count: number, from = 0): Value[] =>
  Array.from({ length: count }, (_, row) => BigInt(from + row));

describe("row groups (PQ-8)", () => {
  test("hold exactly the rows asked for, whatever the batches", async () => {
    const fields = [field("l", "long", false), field("s", "string", true)];
    const sizes = [1, 0, 7, 250, 3, 99, 100, 40];
    let row = 0;
    const batches = sizes.map((size) => {
      const batch = batchOf(fields, [
        longs(size, row),
        longs(size, row).map((value) => ((value as bigint) % 3n ? `s${value}` : null)),
      ]);
      row += size;
      return batch;
    });
    const { bytes, summary } = await writeFile({ name: "n", fields }, batches, {
      rowGroupRows: 100,
    });
    const file = await openParquetFile(memorySource(bytes));
    expect(file.rowGroups.map(({ rowCount }) => rowCount)).toEqual([100, 100, 100, 100, 100]);
    expect(summary.splitOffsets).toEqual(file.rowGroups.map(({ startOffset }) => startOffset));
    expect(summary.splitOffsets[0]).toBe(4);
    const read: Value[] = [];
    for (const index of file.rowGroups.keys())
      read.push(...contentOf(await readRowGroup(file, index, fields)).l!);
    expect(read).toEqual(longs(500));
  });

  test("hold no more bytes than asked for, whatever the rows and batches", async () => {
    const fields = [field("s", "string", false), field("l", "long", false)];
    const sizes = fc.array(fc.array(fc.oneof(fc.nat(9), fc.nat(400)), { maxLength: 30 }), {
      minLength: 1,
      maxLength: 5,
    });
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 600 }), async (batches, rowGroupBytes) => {
        const texts = batches.map((list) => list.map((size, row) => `${row}`.padStart(size, "x")));
        const { bytes } = await writeFile(
          { name: "n", fields },
          texts.map((list) => batchOf(fields, [list, longs(list.length)])),
          { rowGroupRows: 20, rowGroupBytes },
        );
        const all = texts.flat();
        const file = await openParquetFile(memorySource(bytes));
        const sizeOf = (from: number, to: number): number =>
          all.slice(from, to).reduce((sum, text) => sum + text.length + 4 + 8, 0);
        let at = 0;
        for (const { rowCount } of file.rowGroups) {
          const end = at + rowCount;
          if (rowCount > 1) expect(sizeOf(at, end)).toBeLessThanOrEqual(rowGroupBytes);
          // No group is cut where another row had room.
          if (rowCount < 20 && end < all.length) {
            expect(sizeOf(at, end + 1)).toBeGreaterThan(rowGroupBytes);
          }
          at = end;
        }
        expect(at).toBe(all.length);
      }),
      { numRuns: 60 },
    );
  });

  test("reach the sink one after the other, and memory is that of one", async () => {
    const fields = [field("s", "string", false), field("l", "long", false)];
    let written = 0;
    const writer = await openParquetWriter(
      async (bytes) => {
        written += bytes.length;
      },
      {
        schema: { name: "n", fields },
        codec: "snappy",
        rowGroupRows: 10_000,
      },
    );
    const batch = batchOf(fields, [longs(10_000).map((value) => `key ${value}`), longs(10_000)]);
    let before = 0;
    for (let group = 1; group <= 10; group += 1) {
      await writer.write(batch);
      expect(written).toBeGreaterThan(before);
      before = written;
    }
    const summary = await writer.close(new Map());
    expect(summary).toMatchObject({ rowCount: 100_000, sizeBytes: written });
  });

  test("of many rows are encoded and decoded in pages, to the same values (PQ-10, PQ-11)", () => {
    const numbers = longs(5000) as bigint[];
    const samples: [Parameters<typeof field>[1], Value[]][] = [
      ["string", numbers.map((value) => "x".repeat(Number(value) % 300))],
      ["long", numbers],
      [[20, 3], numbers],
      ["boolean", numbers.map((value) => value % 3n === 0n)],
    ];
    for (const [type, values] of samples) {
      const asked = field("c", type, true);
      const column = columnOf(asked.type, [...values.slice(0, 4999), null]);
      const slices = [0, 1001, 4000].map((from, index, all) => ({
        column,
        from,
        to: all[index + 1] ?? 5000,
      }));
      const options = { isNullable: true, codec: CODEC.none };
      const chunk = encodeColumnChunk(slices, options, 10_000);
      const bytes = new Uint8Array(Buffer.concat(chunk.parts));
      const pages = walkPages(bytes, 5000, CODEC.none);
      expect(pages.length).toBeGreaterThan(["boolean", "string"].includes(String(type)) ? 0 : 3);
      const sum = pages.reduce(
        (total, page) => total + page.uncompressedBytes + page.bodyStart - page.start,
        0,
      );
      expect(chunk.uncompressedBytes).toBe(sum);
      const stored = {
        bytes,
        codec: CODEC.none,
        rowCount: 5000,
        element: encodeFieldElement(asked),
      };
      const decoder = new ChunkDecoder(stored, asked);
      for (const [from, to] of [
        [0, 5000],
        [999, 4321],
        [4999, 5000],
        [70, 70],
      ] as const) {
        const expected = valuesOf(column).slice(from, to);
        expect(valuesOf(decoder.decode(from, to))).toEqual(expected);
      }
    }
  });
});

describe("the footer", () => {
  test("names this version of the library as the writer", () => {
    const { version } = JSON.parse(
      readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
    );
    expect(CREATED_BY).toBe(`hudi-lake version ${version}`);
  });

  test.each(CODECS)("is read alike by hyparquet, with codec %s", async (codec) => {
    const fields = everyType(true);
    const columns = fields.map(({ type }): Value[] => {
      if (type.kind === "string" || type.kind === "bytes") return ["b", null, "a", "é"];
      if (type.kind === "boolean") return [true, null, true, true];
      return ["decimal", "long", "timestamp-micros"].includes(type.kind)
        ? [3n, null, -2n, 1n]
        : [3, null, -2, 1];
    });
    const entries = new Map([
      ["a", "1"],
      ["org.apache.hudi.bloomfilter", "x".repeat(1000)],
    ]);
    const options = { codec };
    const { bytes, summary } = await writeFile(
      { name: "trips", fields },
      [batchOf(fields, columns)],
      options,
      entries,
    );
    const metadata = parquetMetadata(bytes.slice().buffer as ArrayBuffer);
    expect(metadata.version).toBe(1);
    expect(metadata.key_value_metadata).toEqual(
      [...entries].map(([key, value]) => ({ key, value })),
    );
    expect(
      metadata.schema.map(({ name, type, repetition_type }) => [name, type, repetition_type]),
    ).toEqual([
      ["trips", undefined, undefined],
      ...fields.map(({ name }, index) => [
        name,
        [
          "BYTE_ARRAY",
          "BOOLEAN",
          "INT32",
          "INT64",
          "FLOAT",
          "DOUBLE",
          "BYTE_ARRAY",
          "INT32",
          "INT64",
          ...Array(3).fill("FIXED_LEN_BYTE_ARRAY"),
        ][index],
        "OPTIONAL",
      ]),
    ]);
    expect(metadata.schema.map(({ type_length }) => type_length).slice(10)).toEqual([3, 8, 16]);
    expect(metadata.schema[9]).toMatchObject({
      converted_type: "TIMESTAMP_MICROS",
      logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" },
    });
    expect(metadata.schema[10]).toMatchObject({
      converted_type: "DECIMAL",
      precision: 5,
      scale: 2,
      logical_type: { type: "DECIMAL", precision: 5, scale: 2 },
    });
    const [group] = metadata.row_groups;
    const chunks = group!.columns.map((column) => column.meta_data!);
    expect(chunks.map((chunk) => chunk.codec)).toEqual(Array(12).fill(codec.toUpperCase()));
    expect(chunks.every((chunk) => chunk.statistics?.null_count === 1n)).toBe(true);
    expect(chunks[2]!.statistics).toMatchObject({ min_value: -2, max_value: 3 });
    expect(chunks[0]!.statistics).toMatchObject({ min_value: "a", max_value: "é" });
    expect(chunks[10]!.statistics).toMatchObject({
      min_value: expect.closeTo(-2e-6),
      max_value: expect.closeTo(3e-6),
    });
    expect(chunks[0]!.data_page_offset).toBe(4n);
    const total = chunks.reduce((sum, chunk) => sum + chunk.total_compressed_size, 0n);
    expect(group!.total_compressed_size).toBe(total);
    const index = group!.columns.reduce(
      (sum, chunk) => sum + (chunk.offset_index_length ?? 0) + (chunk.column_index_length ?? 0),
      0,
    );
    expect(BigInt(bytes.length)).toBe(4n + total + BigInt(index + metadata.metadata_length) + 8n);
    expect(summary.sizeBytes).toBe(bytes.length);
  });

  test("of columns whose values repeat has dictionaries, of others none (PQ-9, PQ-10)", async () => {
    const fields = ["file", "city", "id"].map((name) => field(name, "string", true));
    const ids = longs(1000).map((value) => `id ${value}`);
    const columns = [
      Array<Value>(1000).fill("f_1.parquet"),
      ids.map((_, row) => `city ${row % 4}`),
      ids,
    ];
    const { bytes } = await writeFile({ name: "n", fields }, [batchOf(fields, columns)]);
    const metadata = parquetMetadata(bytes.slice().buffer as ArrayBuffer);
    const chunks = metadata.row_groups[0]!.columns.map((column) => column.meta_data!);
    expect(chunks.map((chunk) => chunk.dictionary_page_offset !== undefined)).toEqual([
      true,
      true,
      false,
    ]);
    expect(Number(chunks[0]!.total_compressed_size)).toBeLessThan(100);
  });
});

test("strings that only look repeated are not taken for it (PQ-9)", async () => {
  const fields = [field("s", "string", false)];
  for (const values of [
    ["aa", "a", "aaa"],
    ["ab", "ab", "ba"],
    ["ab", "ab", "aba"],
    ["", "", "a"],
  ]) {
    const { bytes } = await writeFile({ name: "n", fields }, [batchOf(fields, [values])]);
    const file = await openParquetFile(memorySource(bytes));
    expect(contentOf(await readRowGroup(file, 0, fields)).s).toEqual(values);
  }
});

describe("columns that do not shrink (PQ-4)", () => {
  test.each(["snappy", "zstd", "gzip"] as const)(
    "are stored as they are, the others with %s",
    async (codec) => {
      // 40 characters of 64 kinds hold 30 bytes: only a coder of symbols gains by that.
      const noise = (seed: number): string => {
        let state = seed * 2654435761;
        return Array.from({ length: 40 }, () => {
          state = (Math.imul(state, 1664525) + 1013904223) | 0;
          return String.fromCharCode(48 + (state >>> 26));
        }).join("");
      };
      const fields = ["noise", "words"].map((name) => field(name, "string", false));
      const columns: Value[][] = [
        longs(40_000).map((value) => noise(Number(value))),
        longs(40_000).map((value) => `some words that come again ${value}`),
      ];
      const { bytes } = await writeFile({ name: "n", fields }, [batchOf(fields, columns)], {
        codec,
        rowGroupRows: 40_000,
      });
      const metadata = parquetMetadata(bytes.slice().buffer as ArrayBuffer);
      const codecs = metadata.row_groups[0]!.columns.map((column) => column.meta_data!.codec);
      expect(codecs).toEqual([
        codec === "snappy" ? "UNCOMPRESSED" : codec.toUpperCase(),
        codec.toUpperCase(),
      ]);
      const file = await openParquetFile(memorySource(bytes));
      const read = contentOf(await readRowGroup(file, 0, fields));
      expect(read).toEqual({ noise: columns[0], words: columns[1] });
    },
  );
});

describe("statistics (PQ-7)", () => {
  const statisticsOf = async (
    type: Parameters<typeof field>[1],
    groups: Value[][],
  ): Promise<unknown[]> => {
    const fields = [field("c", type, true)];
    const batches = groups.map((values) => batchOf(fields, [values]));
    const rowGroupRows = groups[0]!.length;
    const { bytes, summary } = await writeFile({ name: "n", fields }, batches, { rowGroupRows });
    const file = await openParquetFile(memorySource(bytes));
    const chunks = groups.map((_, index) => {
      const { min, max, nullCount } = file.rowGroupStatistics(index, fields[0]!);
      return [nullCount, min, max];
    });
    const [column] = summary.columns;
    return [...chunks, [column!.nullCount, column!.min, column!.max]];
  };
  const text = (value: string): Uint8Array => new Uint8Array(Buffer.from(value));

  test("follow each type's order, over chunks and over the file", async () => {
    expect(
      await statisticsOf("int", [
        [5, -3, null],
        [7, null, 7],
        [null, null, null],
      ]),
    ).toEqual([
      [1, -3, 5],
      [1, 7, 7],
      [3, undefined, undefined],
      [5, -3, 7],
    ]);
    const [least, most] = [-(2n ** 63n), 2n ** 63n - 1n];
    expect(
      await statisticsOf("long", [
        [0n, least],
        [most, -1n],
      ]),
    ).toEqual([
      [0, least, 0n],
      [0, -1n, most],
      [0, least, most],
    ]);
    expect(
      await statisticsOf("long", [
        [1n, 9n, 4n],
        [8n, 3n, 5n],
      ]),
    ).toEqual([
      [0, 1n, 9n],
      [0, 3n, 8n],
      [0, 1n, 9n],
    ]);
    expect(
      await statisticsOf("string", [["key 5", "key 30", "key 3", "key 7", "key 70", "key"]]),
    ).toEqual([
      [0, text("key"), text("key 70")],
      [0, text("key"), text("key 70")],
    ]);
    expect(
      await statisticsOf("boolean", [
        [false, null],
        [true, true],
      ]),
    ).toEqual([
      [1, false, false],
      [0, true, true],
      [1, false, true],
    ]);
    // UTF-8 bytes, not UTF-16 units: U+FFFF sorts before U+10000.
    expect(
      await statisticsOf("string", [
        ["\u{10000}", "\uffff", ""],
        ["b", "ab", "a"],
      ]),
    ).toEqual([
      [0, text(""), text("\u{10000}")],
      [0, text("a"), text("b")],
      [0, text(""), text("\u{10000}")],
    ]);
    expect(
      await statisticsOf(
        [5, 2],
        [
          [-1n, 1n],
          [-300n, 299n],
        ],
      ),
    ).toEqual([
      [0, new Uint8Array([0xff, 0xff, 0xff]), new Uint8Array([0, 0, 1])],
      [0, new Uint8Array([0xff, 0xfe, 0xd4]), new Uint8Array([0, 1, 0x2b])],
      [0, new Uint8Array([0xff, 0xfe, 0xd4]), new Uint8Array([0, 1, 0x2b])],
    ]);
  });

  test("of decimals are merged by sign", async () => {
    const [, , all] = await statisticsOf([5, 2], [[5n], [-5n]]);
    expect(all).toEqual([0, new Uint8Array([0xff, 0xff, 0xfb]), new Uint8Array([0, 0, 5])]);
  });

  test("of doubles know NaN and both zeros", async () => {
    const chunks = await statisticsOf("double", [
      [0, 1],
      [-0, -1],
      [Number.NaN, 2],
      [null, Number.NEGATIVE_INFINITY],
    ]);
    expect(chunks).toStrictEqual([
      [0, -0, 1],
      [0, -1, 0],
      [0, undefined, undefined],
      [1, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
      [1, undefined, undefined],
    ]);
  });

  test("store a least zero as -0 and a greatest one as +0", async () => {
    const fields = [field("d", "double", false)];
    const { bytes, summary } = await writeFile({ name: "n", fields }, [batchOf(fields, [[0, 0]])]);
    expect(summary.columns).toStrictEqual([{ column: "d", nullCount: 0, min: -0, max: 0 }]);
    const metadata = parquetMetadata(bytes.slice().buffer as ArrayBuffer);
    const { statistics } = metadata.row_groups[0]!.columns[0]!.meta_data!;
    expect([statistics?.min_value, statistics?.max_value]).toStrictEqual([-0, 0]);
  });

  test("cut bounds of long texts and say so; the summary has them whole", async () => {
    const long = "x".repeat(5000);
    const [chunk, all] = await statisticsOf("string", [["a", long]]);
    expect(chunk).toEqual([0, text("a"), text(`${"x".repeat(63)}y`)]);
    expect(all).toEqual([0, text("a"), text(long)]);
    const last = "\u{10ffff}".repeat(600);
    expect((await statisticsOf("string", [["a", last]]))[0]).toEqual([0, undefined, undefined]);
    const fields = [field("s", "string"), field("by", "bytes"), field("i", "int")];
    const values: Value[][] = [
      ["a", long],
      [long, "b"],
      [1, 2],
    ];
    const { bytes } = await writeFile({ name: "n", fields }, [batchOf(fields, values)]);
    const { columns } = parquetMetadata(bytes.slice().buffer as ArrayBuffer).row_groups[0]!;
    const exact = columns.map(({ meta_data }) => {
      const { is_min_value_exact, is_max_value_exact } = meta_data!.statistics!;
      return [is_min_value_exact, is_max_value_exact];
    });
    expect(exact).toEqual([
      [true, false],
      [true, false],
      [true, true],
    ]);
  });

  test("are given in the type that a reader asks for, and all null for a missing column", async () => {
    const fields = [field("i", "int", false), field("d", [5, 2], false)];
    const { bytes } = await writeFile({ name: "n", fields }, [
      batchOf(fields, [
        [3, -4],
        [1n, -1n],
      ]),
    ]);
    const file = await openParquetFile(memorySource(bytes));
    expect(file.rowGroupStatistics(0, field("i", "long"))).toEqual({
      rowCount: 2,
      nullCount: 0,
      min: -4n,
      max: 3n,
    });
    expect(file.rowGroupStatistics(0, field("i", "double"))).toMatchObject({ min: -4, max: 3 });
    expect(file.rowGroupStatistics(0, field("d", [10, 2]))).toMatchObject({
      min: new Uint8Array([255, 255, 255, 255, 255]),
      max: new Uint8Array([0, 0, 0, 0, 1]),
    });
    expect(file.rowGroupStatistics(0, field("i", "string"))).toEqual({ rowCount: 2, nullCount: 0 });
    expect(file.rowGroupStatistics(0, field("later", "int"))).toEqual({
      rowCount: 2,
      nullCount: 2,
    });
  });
});

describe("the writer refuses (PQ-8)", () => {
  const fields = [field("k", "string", false), field("l", "long", true)];
  const write = async (batch: ColumnBatch): Promise<unknown> =>
    writeFile({ name: "n", fields }, [batch]);

  test("null in a column that may not be null, with its row", async () => {
    const batch = batchOf(fields, [
      ["a", "b", null],
      [1n, 2n, 3n],
    ]);
    await expect(write(batch)).rejects.toMatchObject({
      code: "INVALID",
      message: "cannot write column k (string): found null in row 2 of the batch, expected a value",
    });
  });

  test("columns of another layout, length or number", async () => {
    const good = batchOf(fields, [["a"], [1n]]);
    const [key] = good.columns;
    const bad: ColumnBatch[] = [
      { ...good, columns: [key!] },
      { ...good, columns: [key!, columnOf({ kind: "int" }, [1])] },
      { ...good, columns: [key!, columnOf({ kind: "long" }, [1n, 2n])] },
    ];
    for (const batch of bad) await expect(write(batch)).rejects.toMatchObject({ code: "INVALID" });
  });

  test("row groups without rows", async () => {
    await expect(writeFile({ name: "n", fields }, [], { rowGroupRows: 0 })).rejects.toMatchObject({
      code: "INVALID",
    });
  });
});
