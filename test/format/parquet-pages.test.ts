// The encodings of pages against plain definitions: runs and packed groups, differences, dictionaries,
// and columns that are carried over as they are stored.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countBits, isBitSet, setBit } from "../../src/format/bitmap.ts";
import { ByteCopier } from "../../src/format/byte-copier.ts";
import { ByteWriter } from "../../src/format/byte-writer.ts";
import {
  type BytesColumn,
  type Column,
  type FlatColumn,
  requireTextBytes,
} from "../../src/format/column-batch.ts";
import { gatherColumn } from "../../src/format/column-gather.ts";
import { createEntries } from "../../src/format/dictionary-entries.ts";
import { openParquetWriter } from "../../src/format/open-parquet-writer.ts";
import { ChunkDecoder } from "../../src/format/parquet-chunk-decoder.ts";
import { encodeColumnChunk } from "../../src/format/parquet-chunk-encoder.ts";
import { CODEC, ENCODING } from "../../src/format/parquet-codes.ts";
import { encodeFieldElement } from "../../src/format/parquet-column-type.ts";
import {
  decodeDeltaNumbers,
  decodeDeltaTexts,
  joinByteStreams,
} from "../../src/format/parquet-delta.ts";
import { buildDictionary } from "../../src/format/parquet-dictionary.ts";
import { HybridReader, unpackNumbers } from "../../src/format/parquet-hybrid-reader.ts";
import { writeBitmap, writeBitRun, writeHybrid } from "../../src/format/parquet-hybrid-writer.ts";
import { withPrefixes, writePlain } from "../../src/format/parquet-plain-writer.ts";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
import { createValueDecoder } from "../../src/format/parquet-row-target.ts";
import { computeValueRange } from "../../src/format/parquet-statistics.ts";
import {
  TextOutput,
  TextValueDecoder,
  TooMuchTextError,
} from "../../src/format/parquet-text-decoder.ts";
import type { PageValues } from "../../src/format/parquet-value-decoder.ts";
import { createTableSchema, type Field } from "../../src/format/schema.ts";
import {
  releaseColumn,
  repeatedText,
  type StoredColumn,
  toColumn,
} from "../../src/format/stored-column.ts";
import { gatherStored, IncomingColumn } from "../../src/format/stored-gather.ts";
import { ALL_SCHEMA, columnOf, someValueOf, valuesIn } from "./column-samples.ts";
import { memorySource } from "./parquet-samples.ts";

/** Numbers with runs of any length between others. */
const runs = (most: number): fc.Arbitrary<number[]> =>
  fc.oneof(
    fc.array(fc.nat(most), { maxLength: 1500, size: "max" }),
    fc
      .array(fc.tuple(fc.nat(most), fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 700 }))), {
        maxLength: 60,
        size: "max",
      })
      .map((list) => list.flatMap(([value, count]) => Array<number>(count).fill(value))),
  );

describe("runs and packed groups (PQ-12)", () => {
  test("give back any numbers of any width, from any place on", () => {
    const sample = fc
      .integer({ min: 0, max: 24 })
      .chain((width) => fc.tuple(fc.constant(width), runs(2 ** width - 1), fc.nat(100)));
    fc.assert(
      fc.property(sample, ([width, numbers, begin]) => {
        const from = Math.min(begin, numbers.length);
        const out = new ByteWriter(8);
        out.raw(Uint8Array.of(7, 7, 7));
        writeHybrid(out, Int32Array.from(numbers), 0, numbers.length, width);
        const wanted = numbers.slice(from);
        const found = unpackNumbers(out.view(3), width, from, wanted.length);
        expect([...found.numbers]).toEqual(wanted);
        expect(found.greatest).toBe(Math.max(0, ...wanted));
        const half = unpackNumbers(out.view(3), width, from, wanted.length >> 1);
        expect([...half.numbers]).toEqual(wanted.slice(0, wanted.length >> 1));
      }),
      { numRuns: 400 },
    );
  });

  test("of one bit give back any bitmap, shifted to any place", () => {
    fc.assert(
      fc.property(runs(1), fc.nat(20), fc.nat(20), (bits, from, into) => {
        const bitmap = new Uint8Array((from + bits.length + 7) >> 3);
        bits.forEach((bit, index) => {
          const at = from + index;
          if (bit === 1) setBit(bitmap, at);
        });
        const out = new ByteWriter();
        writeBitmap(out, bitmap, from, from + bits.length);
        const reader = new HybridReader(out.bytes, 0, out.length, 1);
        const found = new Uint8Array((into + bits.length + 7) >> 3);
        const set = reader.readBits(found, into, bits.length);
        const read = bits.map((_, index) => {
          const at = into + index;
          return isBitSet(found, at) ? 1 : 0;
        });
        expect(read).toEqual(bits);
        expect(set).toBe(bits.reduce((sum, bit) => sum + bit, 0));
        expect(countBits(found, into, into + bits.length)).toBe(set);
        expect(countBits(found, 0, into)).toBe(0);
      }),
      { numRuns: 400 },
    );
  });

  test("that end too early, or have no values or too many bits, are refused", () => {
    const read = (bytes: number[], width: number, count: number): void => {
      unpackNumbers(Uint8Array.from(bytes), width, 0, count);
    };
    const out = new ByteWriter();
    writeBitRun(out, 1, 5);
    read([...out.view()], 1, 5);
    expect(() => read([...out.view()], 1, 6)).toThrow("end too early");
    expect(() => read([2], 8, 1)).toThrow("end too early");
    expect(() => read([3], 3, 1)).toThrow("end too early");
    expect(() => read([0xff], 1, 1)).toThrow("end too early");
    expect(() => read([0, 1], 1, 1)).toThrow("a run without values");
    expect(() => read([2, 1], 40, 1)).toThrow("numbers of 40 bits");
  });
});

describe("differences (PQ-13)", () => {
  // Block of 128, four parts, two values: 7 and 5; the differences have no bits.
  const two = [0x80, 0x01, 4, 2, 14, 3, 0, 0, 0, 0];

  test("hold what they say and no more than is expected", () => {
    expect(decodeDeltaNumbers(Uint8Array.from(two), 0, 2)).toEqual({
      values: BigInt64Array.of(7n, 5n),
      end: two.length,
    });
    expect([...decodeDeltaNumbers(Uint8Array.from(two), 0, 2, 1).values]).toEqual([7n]);
    expect(() => decodeDeltaNumbers(Uint8Array.from(two), 0, 1)).toThrow("2 differences for 1");
    expect(() => decodeDeltaNumbers(Uint8Array.from(two.slice(0, 8)), 0, 2)).toThrow("too early");
    expect(() => decodeDeltaNumbers(Uint8Array.of(7, 2, 1, 0), 0, 9)).toThrow("block of 7");
  });

  test("of texts that share more than there is are refused", () => {
    // One text that shares three bytes with none before it.
    const shared = [0x80, 0x01, 4, 1, 6];
    const suffix = [0x80, 0x01, 4, 1, 0];
    expect(() => decodeDeltaTexts(Uint8Array.from([...shared, ...suffix]), 0, 1)).toThrow(
      "a text shares 3 bytes with one of 0",
    );
  });

  test("streams of bytes are put together again", () => {
    const joined = joinByteStreams(Uint8Array.of(1, 2, 3, 4, 5, 6), 2);
    expect([...joined]).toEqual([1, 4, 2, 5, 3, 6]);
  });
});

describe("what is more than a batch or a reader takes (PQ-8, PQ-11)", () => {
  const [text] = createTableSchema("t", { c: "string?" }).fields as [Field];
  const repeated = (value: string, rowCount: number): StoredColumn => repeatedText(value, rowCount);

  test("row groups are cut where they would hold too many bytes", async () => {
    const rowCount = 20_000;
    const column = repeated("x".repeat(80_000), rowCount);
    const schema = { name: "n", fields: [text] };
    const parts: Uint8Array[] = [];
    const writer = await openParquetWriter(async (bytes) => void parts.push(bytes), {
      schema,
      codec: "snappy",
      rowGroupRows: 131_072,
    });
    await writer.write({ schema, rowCount, columns: [column] }, 0, 1_000);
    await writer.write({ schema, rowCount, columns: [column] }, 1_000);
    await writer.close(new Map());
    const file = await openParquetFile(memorySource(new Uint8Array(Buffer.concat(parts))));
    expect(file.rowGroups.map((group) => group.rowCount)).toEqual([13_421, 6_579]);
  });

  test("rows with more than 2 GiB of text are refused before they are allocated", () => {
    const slices = [{ column: repeated("x".repeat(70_000), 40_000), from: 0, to: 40_000 }];
    const options = { isNullable: true, codec: CODEC.snappy };
    const chunk = encodeColumnChunk(slices, options);
    const bytes = new Uint8Array(Buffer.concat(chunk.parts));
    const stored = { bytes, codec: chunk.codec, rowCount: 40_000 };
    const decoder = new ChunkDecoder({ ...stored, element: encodeFieldElement(text) }, text);
    expect(() => decoder.decode(0, 40_000)).toThrow(TooMuchTextError);
    expect(decoder.decode(0, 10).rowCount).toBe(10);
    expect(() => requireTextBytes(2 ** 31)).toThrow(/at most 2 GiB/);
    requireTextBytes(2 ** 31 - 1);
  });

  test("a column of nulls has no dictionary, which some readers would stumble over", () => {
    for (const column of [
      columnOf(text, [null, null, null]),
      toColumn(columnOf(text, [null])),
    ] as const) {
      expect(buildDictionary([{ column, from: 0, to: column.rowCount }])).toBeUndefined();
    }
  });

  test("values of a width that no number has are refused", () => {
    const element = { name: "c", physicalType: 7, typeLength: 4000, repetition: 1 };
    expect(() => createValueDecoder(element, undefined)).toThrow("values have 4000 bytes");
  });

  test("a dictionary is given up as soon as it is too large", () => {
    const long = columnOf(
      text,
      Array.from({ length: 400 }, (_, row) => `${row}`.padEnd(10_000, "x")),
    );
    const entries = createEntries(long);
    entries.open(long);
    for (let row = 0; row < 400; row += 1) entries.add(row);
    expect(entries.sizeBytes).toBeGreaterThan(2 * 1024 * 1024);
    expect(buildDictionary([{ column: long, from: 0, to: 400 }])).toBeUndefined();
  });
});

describe("copies of short ranges", () => {
  test("are those of the engine, for any bytes", () => {
    const source = Uint8Array.from({ length: 400 }, (_, index) => (index * 37 + 0xf0) & 0xff);
    fc.assert(
      fc.property(fc.nat(200), fc.nat(150), fc.nat(40), (start, length, at) => {
        const target = new Uint8Array(256);
        new ByteCopier(source, target).copy(start, length, at);
        const expected = new Uint8Array(256);
        expected.set(source.subarray(start, start + length), at);
        expect(target).toEqual(expected);
      }),
    );
  });
});

describe("texts of pages (PQ-13)", () => {
  const [field] = createTableSchema("t", { c: "string" }).fields as [Field];
  /** A page of plain texts behind three bytes of another. */
  const plainPage = (texts: readonly string[]): PageValues => {
    const out = new ByteWriter(8);
    out.raw(Uint8Array.of(7, 7, 7));
    writePlain(out, columnOf(field, texts) as FlatColumn, 0, texts.length);
    return { bytes: out.view().slice(), start: 3, encoding: ENCODING.plain, count: texts.length };
  };
  /** The texts that a decoder gives for values `skip` to `skip + count`. */
  const decode = (
    decoder: TextValueDecoder,
    page: PageValues,
    skip: number,
    count: number,
  ): string[] => {
    const sizes = new Int32Array(count + 2);
    const out = new TextOutput();
    out.append(5).fill(1);
    decoder.decode(page, skip, count, sizes, 1, out);
    out.append(4).fill(1);
    expect([sizes[0], sizes[count + 1]]).toEqual([0, 0]);
    const data = out.finish();
    // Nothing is written beside the texts.
    expect([...data.subarray(0, 5), ...data.subarray(-4)]).toEqual(Array(9).fill(1));
    let at = 5;
    const texts = Array.from(sizes.subarray(1, count + 1), (size) => {
      at += size;
      return Buffer.from(data.subarray(at - size, at)).toString();
    });
    expect(at).toBe(data.length - 4);
    return texts;
  };
  const text = fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 20 }),
    fc.integer({ min: 0, max: 400 }).map((length) => "é".repeat(length)),
  );

  test("are split from their lengths, from any value on", () => {
    fc.assert(
      fc.property(fc.array(text, { maxLength: 60 }), fc.nat(60), fc.nat(60), (texts, a, b) => {
        const skip = Math.min(a, texts.length);
        const wanted = texts.slice(skip, skip + b);
        const found = decode(
          new TextValueDecoder(undefined),
          plainPage(texts),
          skip,
          wanted.length,
        );
        expect(found).toEqual(wanted);
      }),
    );
  });

  test("are entries in the order of their indexes, also where they are long", () => {
    const long = ["x".repeat(1_500_000), "y".repeat(700_000), "z".repeat(600_000)];
    const some = fc.array(text, { minLength: 1, maxLength: 30 });
    const sample = fc.tuple(some, fc.array(fc.nat(29), { maxLength: 90 }), fc.nat(50));
    const check = (entries: readonly string[], picks: readonly number[], skip: number): void => {
      const out = new ByteWriter(8);
      out.byte(5);
      const indexes = picks.map((pick) => pick % entries.length);
      writeHybrid(out, Int32Array.from(indexes), 0, indexes.length, 5);
      const encoding = ENCODING.rleDictionary;
      const page = { bytes: out.view().slice(), start: 0, encoding, count: picks.length };
      const wanted = indexes.slice(skip).map((index) => entries[index] as string);
      const decoder = new TextValueDecoder(plainPage(entries));
      expect(decode(decoder, page, Math.min(skip, picks.length), wanted.length)).toEqual(wanted);
    };
    fc.assert(fc.property(sample, ([entries, picks, skip]) => check(entries, picks, skip)));
    check(["", ...long, "short"], [4, 1, 2, 3, 0, 2, 1, 4], 0);
  });

  test("that are longer than what is worked on at a time are whole", () => {
    const texts = ["a", "b".repeat(3_000_000), "c".repeat(600_000), "d".repeat(600_000), "", "e"];
    const page = plainPage([...texts, ...Array<string>(300_000).fill(""), "last"]);
    for (const skip of [0, 1, 2, 3]) {
      const found = decode(new TextValueDecoder(undefined), page, skip, page.count - skip);
      expect(found.slice(0, 6 - skip)).toEqual(texts.slice(skip));
      expect([found.at(-2), found.at(-1)]).toEqual(["", "last"]);
    }
  });

  test("that go past the end of their page are refused", () => {
    const page = plainPage(["abc", "de"]);
    const decoder = new TextValueDecoder(undefined);
    expect(() => decode(decoder, page, 0, 3)).toThrow("end too early");
    expect(() => decode(decoder, page, 3, 0)).toThrow("end too early");
    for (const length of [3, 0x7fffffff, 0xffffffff]) {
      const bytes = page.bytes.slice();
      new DataView(bytes.buffer).setUint32(3 + 4 + 3, length, true);
      for (const skip of [0, 2]) {
        expect(() => decode(decoder, { ...page, bytes }, skip, 2 - skip)).toThrow("past the end");
      }
    }
  });
});

describe("dictionaries (PQ-10)", () => {
  const [field] = createTableSchema("t", { c: "double?" }).fields as [Field];
  const slice = (column: StoredColumn) => ({ column, from: 0, to: column.rowCount });

  test("keep both zeros and every NaN apart", () => {
    const values = new Float64Array(12);
    const bits = new BigUint64Array(values.buffer);
    const kinds = [0n, 1n << 63n, 0x7ff8000000000001n, 0x7ff8000000000002n];
    for (let row = 0; row < 12; row += 1) bits[row] = kinds[row % 4] as bigint;
    const column: Column = { layout: "float64", rowCount: 12, validity: undefined, values };
    const dictionary = buildDictionary([slice(column)]);
    expect(dictionary?.entries.rowCount).toBe(4);
    const chunk = encodeColumnChunk([slice(column)], {
      isNullable: true,
      codec: CODEC.none,
    });
    const decoder = new ChunkDecoder(
      {
        bytes: new Uint8Array(Buffer.concat(chunk.parts)),
        codec: CODEC.none,
        rowCount: 12,
        element: encodeFieldElement(field),
      },
      field,
    );
    const back = decoder.decode(0, 12) as { values: Float64Array };
    expect([...new BigUint64Array(back.values.buffer)]).toEqual([...bits]);
  });

  test.each([
    ["few uses of each", 200, 100],
    ["many distinct values", 20_000, 15_000],
  ])("are given up with %s", (_, rows, distinct) => {
    const ids = Array.from({ length: rows }, (_, row) => row % distinct);
    expect(buildDictionary([slice(columnOf(field, ids))])).toBeUndefined();
  });
});

describe("stored forms (CB-5)", () => {
  test("whose dictionary holds a value twice are gathered by value", () => {
    const [field] = createTableSchema("t", { c: "string?" }).fields as [Field];
    const column: StoredColumn = {
      layout: "dictionary",
      rowCount: 3,
      validity: Uint8Array.of(0b101),
      indexes: Int32Array.of(3, 0, 1),
      entries: columnOf(field, ["a", "b", "a", "c"]) as FlatColumn,
    };
    const incoming = new IncomingColumn(columnOf(field, ["b", "d", null]));
    const gathered = gatherStored(column, incoming, Int32Array.of(0, ~0, 1, 2, ~1, ~2, 0));
    expect(valuesIn(field, toColumn(gathered))).toEqual(["c", "b", null, "b", "d", null, "c"]);
  });

  test("take no room for a null, and its entry is no value", () => {
    const [field] = createTableSchema("t", { c: "string?" }).fields as [Field];
    const texts = withPrefixes(columnOf(field, [null, "ab", null, ""]) as BytesColumn);
    expect([...texts.offsets]).toEqual([0, 0, 6, 6, 10]);
    const column: StoredColumn = {
      layout: "dictionary",
      rowCount: 3,
      validity: Uint8Array.of(0b110),
      indexes: Int32Array.of(0, 1, 1),
      entries: columnOf(field, ["a", "z"]) as FlatColumn,
    };
    const range = computeValueRange([{ column, from: 0, to: 3 }], field.type);
    expect(range).toMatchObject({ nullCount: 1, min: Uint8Array.of(122), max: Uint8Array.of(122) });
  });

  test("of a dictionary that no row uses are nulls", () => {
    for (const type of ["string?", "long?", "decimal(10,2)?"] as const) {
      const [field] = createTableSchema("t", { c: type }).fields as [Field];
      const entries = columnOf(field, []) as FlatColumn;
      const base = { rowCount: 2, validity: Uint8Array.of(0), indexes: new Int32Array(2) };
      const column: StoredColumn = { layout: "dictionary", ...base, entries };
      expect(valuesIn(field, toColumn(column))).toEqual([null, null]);
    }
  });

  /** The rows as a file stores them, in whatever form the encoder chose. */
  function storedAs(field: Field, column: Column): StoredColumn {
    if (column.rowCount === 0) return column;
    const slices = [{ column, from: 0, to: column.rowCount }];
    const options = { isNullable: true, codec: CODEC.snappy };
    const chunk = encodeColumnChunk(slices, options, 64);
    const { rowCount } = column;
    const bytes = new Uint8Array(Buffer.concat(chunk.parts));
    const element = encodeFieldElement(field);
    const decoder = new ChunkDecoder({ bytes, codec: chunk.codec, rowCount, element }, field);
    return decoder.decodeStored(0, rowCount);
  }

  const sample = fc.constantFrom(...ALL_SCHEMA.fields).chain((field) => {
    const value = fc.option(someValueOf(field), { nil: null });
    const few = fc
      .array(value, { minLength: 1, maxLength: 3 })
      .chain((list) => fc.array(fc.constantFrom(...list), { maxLength: 90, size: "max" }));
    const any = fc.array(value, { maxLength: 60, size: "max" });
    return fc.tuple(fc.constant(field), fc.oneof(few, any), fc.array(value, { minLength: 1 }));
  });

  const forms = new Set<string>();

  test("gather, state their bounds and are written as what they hold", () => {
    fc.assert(
      fc.property(sample, fc.infiniteStream(fc.nat()), ([field, kept, more], random) => {
        const column = columnOf(field, kept);
        const incoming = columnOf(field, more);
        const stored = storedAs(field, column);
        forms.add(stored.layout);
        expect(valuesIn(field, toColumn(stored))).toEqual(kept);
        const picks = Int32Array.from({ length: kept.length + 5 }, () => {
          const pick = random.next().value as number;
          if (pick % 3 === 0 || kept.length === 0) return ~(pick % more.length);
          return pick % kept.length;
        });
        const expected = gatherColumn(column, incoming, picks);
        const gathered = gatherStored(stored, new IncomingColumn(incoming), picks);
        expect(valuesIn(field, toColumn(gathered))).toEqual(valuesIn(field, expected));
        const whole = (one: StoredColumn) => [{ column: one, from: 0, to: one.rowCount }];
        const range = computeValueRange(whole(gathered), field.type);
        expect(range).toEqual(computeValueRange(whole(expected), field.type));
        expect(valuesIn(field, toColumn(storedAs(field, toColumn(gathered))))).toEqual(
          valuesIn(field, expected),
        );
      }),
      { numRuns: 600 },
    );
    expect([...forms]).toEqual(expect.arrayContaining(["bits", "dictionary", "int64", "prefixed"]));
  });

  test.each([
    ["plain", 60_000],
    ["of a dictionary", 900],
  ])("read in pieces, each given back, are whole: texts %s", (_, distinct) => {
    const [field] = createTableSchema("t", { c: "string?" }).fields as [Field];
    const rowCount = 60_000;
    const texts = Array.from({ length: rowCount }, (_, row) =>
      row % 7 === 0 ? null : `${(row * 7919) % distinct} ${"é".repeat(50)}`,
    );
    const slices = [{ column: columnOf(field, texts), from: 0, to: rowCount }];
    const chunk = encodeColumnChunk(slices, { isNullable: true, codec: CODEC.snappy });
    expect(chunk.dictionaryPageOffset === undefined).toBe(distinct === rowCount);
    const bytes = new Uint8Array(Buffer.concat(chunk.parts));
    const element = encodeFieldElement(field);
    for (const form of ["decode", "decodeStored"] as const) {
      const decoder = new ChunkDecoder({ bytes, codec: chunk.codec, rowCount, element }, field);
      const found: unknown[] = [];
      for (let from = 0; from < rowCount; from += 17_001) {
        const column = decoder[form](from, Math.min(rowCount, from + 17_001));
        found.push(...valuesIn(field, toColumn(column)));
        releaseColumn(column);
      }
      expect(found).toEqual(texts);
    }
  });

  test("of several kinds in one chunk are one column", () => {
    const [field] = createTableSchema("t", { c: "string?" }).fields as [Field];
    const texts = columnOf(field, ["a", null, "bb", "a"]) as BytesColumn;
    // The second set of words leaves too few uses of each for a dictionary.
    for (const words of [
      ["x", "x", "x"],
      ["u", "v", "w"],
    ]) {
      const nine = [...words, ...words, ...words];
      const stored = storedAs(field, columnOf(field, nine));
      expect(stored.layout).toBe("dictionary");
      const parts: StoredColumn[] = [texts, withPrefixes(texts), stored, withPrefixes(texts)];
      const slices = parts.map((column) => ({ column, from: 1, to: column.rowCount }));
      const options = { isNullable: true, codec: CODEC.zstd };
      const chunk = encodeColumnChunk(slices, options, 20);
      const rowCount = slices.reduce((sum, { from, to }) => sum + to - from, 0);
      const bytes = new Uint8Array(Buffer.concat(chunk.parts));
      const element = encodeFieldElement(field);
      const decoder = new ChunkDecoder({ bytes, codec: chunk.codec, rowCount, element }, field);
      const three = [null, "bb", "a"];
      const expected = [...three, ...three, ...nine.slice(1), ...three];
      expect(chunk.dictionaryPageOffset === undefined).toBe(words[0] !== words[1]);
      expect(valuesIn(field, decoder.decode(0, rowCount))).toEqual(expected);
      expect(valuesIn(field, toColumn(decoder.decodeStored(2, 12)))).toEqual(expected.slice(2, 12));
    }
  });
});
