// The column batch: its helpers, and the check of batches that come from outside.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bitmapBytes } from "../../src/format/bitmap.ts";
import {
  type Column,
  columnLayout,
  emptyBatch,
  isPresent,
  nullColumn,
  requireBytesColumn,
  requireColumn,
  requireSoundColumn,
  selectColumns,
  storedColumn,
  transferableBuffers,
} from "../../src/format/column-batch.ts";
import type { Field } from "../../src/format/schema.ts";
import { ALL_SCHEMA, ALL_TYPES, batchOf, columnOf, columnsOf, valuesIn } from "./column-samples.ts";

const fieldNamed = (name: string): Field =>
  ALL_SCHEMA.fields.find((field) => field.name === name) as Field;

test("rows without a value are nulls", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.integer({ max: 9 }), { nil: null })), (values) => {
      const column = columnOf(fieldNamed("small"), values);
      expect(values.map((_, row) => isPresent(column, row))).toEqual(values.map((v) => v !== null));
    }),
  );
});

test("columns are found by name, and picked in another order without a copy (CB-1)", () => {
  const batch = batchOf(ALL_SCHEMA, { text: ["a", null], small: [1, 2], day: [null, null] });
  const small = requireColumn(batch, "small");
  expect(valuesIn(fieldNamed("small"), small)).toEqual([1, 2]);
  expect(() => requireColumn(batch, "none")).toThrow(expect.objectContaining({ code: "INVALID" }));
  expect(requireBytesColumn(batch, "text").layout).toBe("bytes");
  expect(() => requireBytesColumn(batch, "small")).toThrow(
    expect.objectContaining({ code: "CORRUPT", message: expect.stringMatching(/small/) }),
  );
  const picked = selectColumns(batch, [fieldNamed("day"), fieldNamed("small")]);
  expect(picked.schema.fields.map(({ name }) => name)).toEqual(["day", "small"]);
  expect(picked.columns[1]).toBe(small);
});

test.each(ALL_SCHEMA.fields)("a column of nulls, and an empty one, of $name", (field) => {
  const nulls = nullColumn(field.type, 9);
  expect(nulls.layout).toBe(columnLayout(field.type));
  expect(valuesIn(field, nulls)).toEqual(Array.from({ length: 9 }, () => null));
  requireSoundColumn(field, nulls);
  requireSoundColumn(field, emptyBatch(ALL_SCHEMA).columns[field.id] as Column);
});

test("stored values become a column of their layout", () => {
  const stored = {
    text: [Buffer.from("b"), Buffer.from("")],
    flag: [true, false],
    small: [-1, 2],
    big: [-1n, 2n],
    ratio: [0.5, Number.NaN],
    day: [0, 1],
    moment: [0n, 1n],
    price: [Uint8Array.of(0, 0, 0, 1, 0), Uint8Array.of(255, 255, 255, 255, 255)],
  } as const;
  const expected = {
    text: ["b", ""],
    flag: [true, false],
    small: [-1, 2],
    big: [-1n, 2n],
    ratio: [0.5, Number.NaN],
    day: [new Date(0), new Date(86_400_000)],
    moment: [0n, 1n],
    price: ["2.56", "-0.01"],
  };
  for (const [name, values] of Object.entries(stored)) {
    const field = fieldNamed(name);
    expect(valuesIn(field, storedColumn(field.type, values))).toEqual(
      expected[name as keyof typeof expected],
    );
  }
});

test("the buffers of a batch move to another thread and hold the same there", () => {
  fc.assert(
    fc.property(columnsOf(ALL_SCHEMA), (values) => {
      const batch = batchOf(ALL_SCHEMA, values);
      const transfer = transferableBuffers(batch);
      expect(new Set(transfer).size).toBe(transfer.length);
      const moved = structuredClone(batch, { transfer });
      for (const name of Object.keys(ALL_TYPES)) {
        expect(valuesIn(fieldNamed(name), requireColumn(moved, name))).toEqual(values[name]);
      }
      expect(transfer.every((buffer) => buffer.byteLength === 0)).toBe(true);
    }),
    { numRuns: 30 },
  );
});

describe("batches from outside (CB-3)", () => {
  const refused = (name: string, column: Column): void => {
    expect(() => requireSoundColumn(fieldNamed(name), column)).toThrow(
      expect.objectContaining({
        code: "INVALID",
        message: expect.stringMatching(new RegExp(`column ${name} \\(`)),
      }),
    );
  };
  const rowCount = 9;
  const base = { rowCount, validity: undefined };
  const offsets = (...values: number[]): Int32Array => Int32Array.from(values);

  test("sound ones pass, whatever their types", () => {
    fc.assert(
      fc.property(columnsOf(ALL_SCHEMA), (values) => {
        const batch = batchOf(ALL_SCHEMA, values);
        batch.columns.forEach((column, index) => {
          requireSoundColumn(batch.schema.fields[index] as Field, column);
        });
      }),
      { numRuns: 30 },
    );
  });

  test("a bitmap or buffer that is shorter than the rows is refused", () => {
    refused("small", { ...base, layout: "int32", values: new Int32Array(8) });
    refused("big", { ...base, layout: "int64", values: new BigInt64Array(8) });
    refused("ratio", { ...base, layout: "float64", values: new Float64Array(8) });
    refused("flag", { ...base, layout: "bits", values: new Uint8Array(1) });
    refused("price", { ...base, layout: "fixed", widthBytes: 5, data: new Uint8Array(44) });
    const validity = new Uint8Array(1);
    refused("small", { rowCount, validity, layout: "int32", values: new Int32Array(9) });
    expect(bitmapBytes(rowCount)).toBe(2);
  });

  test("offsets ascend and stay in the data", () => {
    const text = (list: Int32Array, size: number): Column => ({
      rowCount: 2,
      validity: undefined,
      layout: "bytes",
      offsets: list,
      data: new Uint8Array(size),
    });
    requireSoundColumn(fieldNamed("text"), text(offsets(0, 1, 3), 3));
    refused("text", text(offsets(0, 1), 3));
    refused("text", text(offsets(0, 2, 1), 3));
    refused("text", text(offsets(0, 1, 4), 3));
    refused("text", text(offsets(-1, 1, 2), 3));
    refused("text", text(offsets(0, 2_000_000_000, 1), 3));
  });

  test("another layout than the type's is refused", () => {
    refused("small", { ...base, layout: "int64", values: new BigInt64Array(9) });
    refused("text", { ...base, layout: "int32", values: new Int32Array(9) });
  });

  test("decimals have the width of their type", () => {
    refused("price", { ...base, layout: "fixed", widthBytes: 6, data: new Uint8Array(54) });
  });
});
