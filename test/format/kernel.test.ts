// What the kernel does, against the same done value by value in JavaScript.
import fc from "fast-check";
import { snappyUncompress } from "hyparquet";
import { describe, expect, test } from "vitest";
import { isNull } from "../../src/format/bitmap.ts";
import { bitOfHash, hashMixedKey, mixKey, setKeyBits } from "../../src/format/bloom-hash.ts";
import { ByteWriter } from "../../src/format/byte-writer.ts";
import type { BytesColumn, FlatColumn } from "../../src/format/column-batch.ts";
import { createEntries } from "../../src/format/dictionary-entries.ts";
import { CODEC } from "../../src/format/parquet-codes.ts";
import { packBody, snappyLength, unpackBody } from "../../src/format/parquet-compression.ts";
import { withPrefixes, writePlain } from "../../src/format/parquet-plain-writer.ts";
import { computeValueRange } from "../../src/format/parquet-statistics.ts";
import { createTableSchema, type Field } from "../../src/format/schema.ts";
import type { StoredColumn } from "../../src/format/stored-column.ts";
import { endOfWindow, WINDOW_BYTES, WINDOW_ROWS } from "../../src/format/text-window.ts";
import { Numbering, numberValues } from "../../src/format/value-numbering.ts";
import { columnOf } from "./column-samples.ts";

const [textField, longField, intField, realField] = createTableSchema("t", {
  text: "string?",
  long: "long?",
  int: "int?",
  real: "double?",
}).fields as [Field, Field, Field, Field];

const NO_LIMITS = { entries: 1_000_000, bytes: 0x7fffff, sampleValues: 1_000_000 };

/** Texts that begin alike, repeat, are empty or hold zeros, and nulls. */
const texts = fc.array(
  fc.option(
    fc.oneof(
      fc.constantFrom("", "\0", "\0\0", "ab", "ab\0", "abcdefgh", "abcdefgh\0", "abcdefghi"),
      fc.string({ unit: fc.constantFrom("a", "b", "é", "\u{10000}"), maxLength: 40 }),
      fc.integer({ min: 100, max: 130 }).map((length) => "x".repeat(length)),
    ),
  ),
  { maxLength: 300, size: "max" },
);

const textsOf = (values: readonly (string | null)[]): BytesColumn =>
  columnOf(textField, values) as BytesColumn;

const bytesOf = (value: string): Buffer => Buffer.from(value, "utf8");

/** Rows in two slices, the second of which begins in the middle of a byte of the bitmap. */
const slicesOf = (column: StoredColumn) => {
  const middle = Math.floor(column.rowCount / 2);
  return [
    { column, from: 0, to: middle },
    { column, from: middle, to: column.rowCount },
  ];
};

function expectSameNumbers(column: FlatColumn, given: StoredColumn = column): void {
  const numbered = numberValues(slicesOf(given), NO_LIMITS);
  if (!numbered || numbered === "given up") throw new Error("the kernel did not number them");
  const entries = createEntries(column);
  entries.open(column);
  const expected: number[] = [];
  for (let row = 0; row < column.rowCount; row += 1) {
    if (!isNull(column.validity, row)) expected.push(entries.add(row));
  }
  expect(numbered.indexes.flatMap((found) => [...found])).toEqual(expected);
  expect(numbered.entries).toEqual(entries.finish());
}

describe("numbers of values (PQ-10)", () => {
  test("texts get the numbers in which they first come", () => {
    fc.assert(
      fc.property(texts, (values) => {
        const column = textsOf(values);
        expectSameNumbers(column);
        expectSameNumbers(column, withPrefixes(column));
      }),
    );
  });

  test("numbers are told apart by their bits", () => {
    const numbers = fc.array(fc.option(fc.constantFrom(0n, -1n, 1n, 1n << 62n, -(1n << 63n))));
    const reals = fc.array(fc.option(fc.constantFrom(0, -0, Number.NaN, 1.5, -1.5)));
    fc.assert(
      fc.property(numbers, reals, (longs, doubles) => {
        const small = longs.map((value) =>
          value === null ? null : Number(BigInt.asIntN(31, value)),
        );
        expectSameNumbers(columnOf(longField, longs) as FlatColumn);
        expectSameNumbers(columnOf(intField, small) as FlatColumn);
        expectSameNumbers(columnOf(realField, doubles) as FlatColumn);
      }),
    );
  });

  test("windows of rows go on with one dictionary", () => {
    const count = WINDOW_ROWS * 2 + 17;
    const values = Array.from({ length: count }, (_, row) => `value ${row % 1000}`);
    expectSameNumbers(textsOf(values));
  });

  test("a dictionary is given up for its entries, its bytes or its share", () => {
    const column = textsOf(Array.from({ length: 100 }, (_, row) => `value ${row}`));
    const numbersWithin = (limits: Partial<typeof NO_LIMITS>) =>
      numberValues([{ column, from: 0, to: 100 }], { ...NO_LIMITS, ...limits });
    expect(numbersWithin({ entries: 100 })).toBeTypeOf("object");
    expect(numbersWithin({ entries: 99 })).toBe("given up");
    expect(numbersWithin({ bytes: 100 * 11 + 790 })).toBeTypeOf("object");
    expect(numbersWithin({ bytes: 1000 })).toBe("given up");
    expect(numbersWithin({ sampleValues: 101 })).toBeTypeOf("object");
    expect(numbersWithin({ sampleValues: 100 })).toBe("given up");
  });

  test("a text that no window holds is left to JavaScript", () => {
    const column = textsOf(["x".repeat(WINDOW_BYTES + 1), "y"]);
    expect(numberValues([{ column, from: 0, to: 2 }], NO_LIMITS)).toBeUndefined();
    expect(endOfWindow(column.offsets, 0, 2)).toBe(0);
  });

  test("texts are found where they stand", () => {
    fc.assert(
      fc.property(texts, texts, (wanted, others) => {
        const keys = textsOf(wanted);
        const numbering = new Numbering("text", keys.rowCount, NO_LIMITS, true);
        numbering.add({ column: keys, from: 0, to: keys.rowCount });
        const stored = textsOf([...others, ...wanted].map((value) => value ?? ""));
        const known = [...new Set(wanted.filter((value) => value !== null))];
        const all = [...others, ...wanted].map((value) => value ?? "");
        const expected = all.flatMap((value, row) =>
          known.includes(value) ? [[row, known.indexOf(value)]] : [],
        );
        for (const column of [stored, withPrefixes(stored)]) {
          const found: number[][] = [];
          numbering.find({ column, from: 0, to: stored.rowCount }, (row, entry) =>
            found.push([row, entry]),
          );
          expect(found).toEqual(expected);
        }
      }),
    );
  });
});

test("bytes packed with Snappy come back by another decoder (PQ-4)", () => {
  const piece = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.tuple(fc.nat(255), fc.nat(70_000)).map(([byte, count]) => new Uint8Array(count).fill(byte)),
    fc
      .tuple(fc.string({ maxLength: 90 }), fc.nat(900))
      .map(([text, times]) => new Uint8Array(Buffer.from(text.repeat(times)))),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const body = new Uint8Array(Buffer.concat([...pieces, ...pieces.slice(0, 2)]));
      const packed = packBody(body, CODEC.snappy);
      expect(snappyLength(packed)).toBe(body.length);
      const unpacked = new Uint8Array(body.length);
      snappyUncompress(packed, unpacked);
      expect(Buffer.compare(unpacked, body)).toBe(0);
      expect(Buffer.compare(unpackBody(packed, body.length, CODEC.snappy), body)).toBe(0);
    }),
  );
  const repeated = packBody(new Uint8Array(1_000_000), CODEC.snappy);
  expect(repeated.length).toBeLessThan(50_000);
});

test("bounds of texts are those of their bytes (PQ-7)", () => {
  fc.assert(
    fc.property(texts, fc.nat(70), (values, from) => {
      const column = textsOf(values);
      const present = values.slice(from).filter((value) => value !== null);
      const sorted = present.map(bytesOf).sort(Buffer.compare);
      for (const stored of [column, withPrefixes(column)]) {
        const slice = { column: stored, from: Math.min(from, values.length), to: values.length };
        const { min, max } = computeValueRange([slice], textField.type);
        expect(min && Buffer.from(min as Uint8Array)).toEqual(sorted[0]);
        expect(max && Buffer.from(max as Uint8Array)).toEqual(sorted.at(-1));
      }
    }),
  );
});

test("plain texts have their lengths before them, whatever their size (PQ-10)", () => {
  const large = ["z".repeat(WINDOW_BYTES + 5), null, "", "a", "y".repeat(WINDOW_BYTES)];
  fc.assert(
    fc.property(fc.oneof(texts, fc.constant(large)), (values) => {
      const column = textsOf(values);
      const out = new ByteWriter(16);
      writePlain(out, column, 0, values.length);
      const expected = values.flatMap((value) => {
        if (value === null) return [];
        const length = Buffer.alloc(4);
        length.writeUInt32LE(bytesOf(value).length);
        return [length, bytesOf(value)];
      });
      expect(Buffer.from(out.view()).equals(Buffer.concat(expected))).toBe(true);
      expect(Buffer.from(withPrefixes(column).data).equals(Buffer.concat(expected))).toBe(true);
    }),
    { numRuns: 50 },
  );
});

test("bits of keys are those of the hash chain, in any order of rows (BF-4)", () => {
  const keys = fc.array(fc.string({ unit: "binary", minLength: 1, maxLength: 30 }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(keys, fc.integer({ min: 1, max: 5000 }), fc.nat(), (values, bitCount, seed) => {
      const column = textsOf(values);
      const { data, offsets } = column;
      const rows = Int32Array.from(values, (_, row) => (row * 7 + seed) % values.length);
      const bits = new Uint8Array((bitCount + 7) >> 3);
      setKeyBits({ bits, bitCount, hashCount: 5 }, column, rows);
      const expected = new Uint8Array(bits.length);
      for (const row of rows) {
        const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
        const words = new Int32Array(32);
        const tail = mixKey(data, start, end, words, 0, 1);
        let hash = 0;
        for (let step = 0; step < 5; step += 1) {
          hash = hashMixedKey(words, tail, end - start, hash);
          const bit = bitOfHash(hash, bitCount);
          expected[bit >> 3] = (expected[bit >> 3] as number) | (1 << (bit & 7));
        }
      }
      expect(bits).toEqual(expected);
    }),
  );
});
