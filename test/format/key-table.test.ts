// The hash table of keys against a plain map, and the order of keys against that of Buffers.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BytesColumn } from "../../src/format/column-batch.ts";
import { compareBytes, compareBytesRows, KeyTable } from "../../src/format/key-table.ts";

const add = (table: KeyTable, scope: number, key: Uint8Array): number =>
  table.add(scope, key, 0, key.length);
const find = (table: KeyTable, scope: number, key: Uint8Array): number =>
  table.find(scope, key, 0, key.length);

describe("numbers of keys", () => {
  const keys = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 2 }), fc.uint8Array({ maxLength: 3, max: 4 })),
    { maxLength: 400 },
  );

  test("are those of a map, each scope apart, in the order first seen (RK-8)", () => {
    fc.assert(
      fc.property(keys, fc.constantFrom(0, 1, 1000), (list, expectedKeys) => {
        const table = new KeyTable(expectedKeys);
        const model = new Map<string, number>();
        for (const [scope, key] of list) {
          const name = `${scope} ${Buffer.from(key).toString("hex")}`;
          expect(find(table, scope, key)).toBe(model.get(name) ?? -1);
          if (!model.has(name)) model.set(name, model.size);
          expect(add(table, scope, key)).toBe(model.get(name));
          expect(table.count).toBe(model.size);
        }
        for (const [scope, key] of list) {
          const id = find(table, scope, key);
          expect(Buffer.from(table.keyBytes(id))).toEqual(Buffer.from(key));
        }
      }),
    );
  });

  test("hold over many more keys than were expected", () => {
    const table = new KeyTable(1, 1);
    const keyOf = (row: number): Buffer => Buffer.from(`key ${row * 7919}`);
    for (let row = 0; row < 50_000; row += 1) expect(add(table, row & 1, keyOf(row))).toBe(row);
    for (let row = 0; row < 50_000; row += 97) {
      expect(find(table, row & 1, keyOf(row))).toBe(row);
      expect(find(table, 1 - (row & 1), keyOf(row))).toBe(-1);
    }
    expect(find(table, 0, Buffer.from("none"))).toBe(-1);
  });

  test("depend on the part of the bytes that is named, not on what lies around it", () => {
    const table = new KeyTable();
    const bytes = Buffer.from("aXbaXc");
    expect(table.add(0, bytes, 1, 2)).toBe(0);
    expect(table.add(0, bytes, 4, 5)).toBe(0);
    expect(table.add(0, bytes, 3, 5)).toBe(1);
    expect(table.add(0, bytes, 2, 2)).toBe(2);
    expect(table.find(0, bytes, 6, 6)).toBe(2);
    bytes.fill(0);
    expect(Buffer.from(table.keyBytes(1)).toString()).toBe("aX");
  });
});

describe("the order of keys (BASE-2)", () => {
  test("is that of their bytes, unsigned", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5 }), fc.uint8Array({ maxLength: 5 }), (a, b) => {
        const order = compareBytes(a, 0, a.length, b, 0, b.length);
        expect(Math.sign(order)).toBe(Buffer.compare(a, b));
      }),
    );
  });

  test("of texts is that of UTF-8, not of UTF-16", () => {
    const [a, b] = [Buffer.from("\uFFFD"), Buffer.from("😀")];
    expect("\uFFFD" > "😀").toBe(true);
    expect(compareBytes(a, 0, a.length, b, 0, b.length)).toBeLessThan(0);
  });

  test("of rows is that of their values", () => {
    const data = Buffer.from("abcab");
    const offsets = Int32Array.of(0, 2, 3, 5, 5);
    const column: BytesColumn = {
      layout: "bytes",
      rowCount: 4,
      validity: undefined,
      offsets,
      data,
    };
    expect(compareBytesRows(column, 0, column, 2)).toBe(0);
    expect(compareBytesRows(column, 0, column, 1)).toBeLessThan(0);
    expect(compareBytesRows(column, 1, column, 3)).toBeGreaterThan(0);
  });
});
