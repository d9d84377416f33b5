// The order of keys in ranges is that of Java strings, which is that of JavaScript strings too.

import fc from "fast-check";
import { expect, test } from "vitest";

import { compareKeys, isInKeyRange, isRangeOrderCertain } from "../../src/file-group/key-order.ts";

const encode = (text: string): Uint8Array => Buffer.from(text, "utf8");
/** Texts of few characters, among them the ones around which the two orders part. */
const keys = fc
  .array(
    fc.constantFrom("a", "é", "中", "\uD7FF", "\uE000", "～", "\uFFFF", "𝒳", "🚀", "\u{10FFFF}"),
  )
  .map((characters) => characters.join(""));

function compare(a: string, b: string): number {
  const [left, right] = [encode(a), encode(b)];
  return Math.sign(compareKeys(left, 0, left.length, right, 0, right.length));
}

test("keys compare as strings compare by UTF-16 units", () => {
  fc.assert(
    fc.property(keys, keys, (a, b) => {
      expect(compare(a, b)).toBe(a < b ? -1 : a > b ? 1 : 0);
    }),
  );
});

test("a key lies in a range that either order made", () => {
  const byBytes = (a: string, b: string): number => Buffer.compare(encode(a), encode(b));
  fc.assert(
    fc.property(fc.array(keys, { minLength: 1 }), fc.boolean(), (all, isByBytes) => {
      const sorted = [...all].sort(isByBytes ? byBytes : compare);
      const range = { min: encode(sorted[0] ?? ""), max: encode(sorted.at(-1) ?? "") };
      for (const key of all) {
        expect(isInKeyRange(range, encode(key), 0, encode(key).length)).toBe(true);
      }
    }),
  );
});

test("a range without the characters that are ordered twice holds the same keys in either order", () => {
  fc.assert(
    fc.property(keys, keys, keys, (a, b, key) => {
      const range = { min: encode(a < b ? a : b), max: encode(a < b ? b : a) };
      fc.pre(isRangeOrderCertain(range));
      const isBetween = compare(key, a) * compare(key, b) <= 0;
      expect(isInKeyRange(range, encode(key), 0, encode(key).length)).toBe(isBetween);
    }),
  );
});

test("a key outside of both orders is not looked for", () => {
  const range = { min: encode("b"), max: encode("d") };
  for (const key of ["a", "", "e", "dd", "🚀", "～"]) {
    expect(isInKeyRange(range, encode(key), 0, encode(key).length)).toBe(false);
  }
  expect(isRangeOrderCertain(range)).toBe(true);
  expect(isRangeOrderCertain({ min: encode("b"), max: encode("🚀") })).toBe(false);
});
