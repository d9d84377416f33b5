// Bitmaps against lists of booleans.
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  bitmapBytes,
  clearBit,
  copyBits,
  countBits,
  countNullRows,
  findNull,
  isBitSet,
  isNull,
  setBit,
  setBits,
  sliceBits,
} from "../../src/format/bitmap.ts";

function pack(bits: readonly boolean[]): Uint8Array {
  const bitmap = new Uint8Array(bitmapBytes(bits.length));
  bits.forEach((bit, at) => {
    if (bit) setBit(bitmap, at);
  });
  return bitmap;
}

function unpack(bitmap: Uint8Array, count: number): boolean[] {
  return Array.from({ length: count }, (_, at) => isBitSet(bitmap, at));
}

const someBits = fc.array(fc.boolean(), { maxLength: 70 });
/** A list of bits and a range of it. */
const someRange = someBits.chain((bits) =>
  fc
    .tuple(fc.nat(bits.length), fc.nat(bits.length))
    .map(([a, b]) => ({ bits, from: Math.min(a, b), to: Math.max(a, b) })),
);

test("bits are counted, found and taken out by range", () => {
  fc.assert(
    fc.property(someRange, ({ bits, from, to }) => {
      const bitmap = pack(bits);
      const range = bits.slice(from, to);
      const set = range.filter(Boolean).length;
      expect(countBits(bitmap, from, to)).toBe(set);
      expect(countNullRows(bitmap, from, to)).toBe(range.length - set);
      const clear = range.indexOf(false);
      expect(findNull(bitmap, from, to)).toBe(clear < 0 ? -1 : from + clear);
      expect(sliceBits(bitmap, from, to - from)).toEqual(pack(range));
    }),
  );
});

test("setting, clearing and copying change the named bits only", () => {
  fc.assert(
    fc.property(someRange, someRange, ({ bits, from, to }, source) => {
      const all = pack(bits);
      setBits(all, from, to);
      const expected = bits.map((bit, at) => bit || (at >= from && at < to));
      expect(unpack(all, bits.length)).toEqual(expected);
      if (from < to) {
        clearBit(all, from);
        expect(unpack(all, bits.length)).toEqual(expected.with(from, false));
      }
      const copied = source.bits.slice(source.from, source.to);
      const into = new Uint8Array(bitmapBytes(from + copied.length));
      const set = copyBits(pack(source.bits), source.from, into, from, copied.length);
      expect(set).toBe(copied.filter(Boolean).length);
      expect(into).toEqual(pack([...new Array<boolean>(from).fill(false), ...copied]));
    }),
  );
});

test("without a validity bitmap no row is null", () => {
  expect(isNull(undefined, 3)).toBe(false);
  expect(countNullRows(undefined, 0, 9)).toBe(0);
  expect(findNull(undefined, 0, 9)).toBe(-1);
  expect(isNull(pack([true, false]), 1)).toBe(true);
  expect(isNull(pack([true, false]), 0)).toBe(false);
});
