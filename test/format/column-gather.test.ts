// Gathering, slicing and joining of columns against the same done with plain arrays.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Float64Column } from "../../src/format/column-batch.ts";
import { concatBatches } from "../../src/format/column-concat.ts";
import { gatherBatch, gatherColumn, sliceBatch } from "../../src/format/column-gather.ts";
import { batchRows } from "../../src/format/row-batch.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { ALL_SCHEMA, batchOf, columnOf, columnsOf, valuesIn, valuesOf } from "./column-samples.ts";

const [text] = createTableSchema("t", { text: "string?" }).fields;
if (!text) throw new Error("the schema has no field");

/** Rows of two columns in any order and number: `~row` is one of the second. */
function picksOf(first: number, second: number): fc.Arbitrary<number[]> {
  const rows: fc.Arbitrary<number>[] = [];
  if (first > 0) rows.push(fc.integer({ min: 0, max: first - 1 }));
  if (second > 0) rows.push(fc.integer({ min: 0, max: second - 1 }).map((row) => ~row));
  return rows.length === 0 ? fc.constant([]) : fc.array(fc.oneof(...rows), { maxLength: 80 });
}

describe("gathering (CB-2)", () => {
  test.each(ALL_SCHEMA.fields)("rows of two columns of $name, in any order", (field) => {
    const cases = fc
      .tuple(valuesOf(field), valuesOf(field))
      .chain(([a, b]) => fc.tuple(fc.constant(a), fc.constant(b), picksOf(a.length, b.length)));
    fc.assert(
      fc.property(cases, ([a, b, picks]) => {
        const gathered = gatherColumn(
          columnOf(field, a),
          columnOf(field, b),
          Int32Array.from(picks),
        );
        expect(gathered.rowCount).toBe(picks.length);
        expect(valuesIn(field, gathered)).toEqual(
          picks.map((pick) => (pick >= 0 ? a[pick] : b[~pick])),
        );
      }),
    );
  });

  test.each(ALL_SCHEMA.fields)(
    "a run of neighbouring rows of $name, and one backwards",
    (field) => {
      const values = fc.sample(valuesOf(field, 40), { numRuns: 5, seed: 3 }).flat();
      const forwards = Int32Array.from(values.keys());
      expect(valuesIn(field, gatherColumn(columnOf(field, values), undefined, forwards))).toEqual(
        values,
      );
      const backwards = forwards.toReversed();
      expect(valuesIn(field, gatherColumn(columnOf(field, values), undefined, backwards))).toEqual(
        values.toReversed(),
      );
    },
  );

  test("long texts, copied in one piece or byte by byte", () => {
    const values = Array.from({ length: 30 }, (_, row) => "é".repeat(row * 3));
    const picks = Int32Array.from({ length: 60 }, (_, row) => (row * 7) % 30);
    expect(valuesIn(text, gatherColumn(columnOf(text, values), undefined, picks))).toEqual(
      Array.from(picks, (row) => values[row]),
    );
  });

  test("every bit of a NaN stays", () => {
    const bits = BigInt64Array.of(0x7ff8_0000_0000_0000n, 0x7ff0_dead_beef_0001n, -1n);
    const column: Float64Column = {
      layout: "float64",
      rowCount: 3,
      validity: undefined,
      values: new Float64Array(bits.buffer),
    };
    const gathered = gatherColumn(column, column, Int32Array.of(~1, 2, 0, ~0)) as Float64Column;
    expect([...new BigInt64Array(gathered.values.buffer)]).toEqual([
      bits[1],
      bits[2],
      bits[0],
      bits[0],
    ]);
  });

  test("its columns are left as they were (CB-1)", () => {
    fc.assert(
      fc.property(columnsOf(ALL_SCHEMA), (values) => {
        const batch = batchOf(ALL_SCHEMA, values);
        const before = structuredClone(batch);
        gatherBatch(
          batch,
          Int32Array.from({ length: batch.rowCount }, (_, row) => row),
        );
        sliceBatch(batch, 0, batch.rowCount >> 1);
        concatBatches([batch, batch]);
        expect(structuredClone(batch)).toEqual(before);
      }),
      { numRuns: 20 },
    );
  });
});

describe("slices and joins (CB-4)", () => {
  const rows = (batch: ReturnType<typeof batchOf>): unknown[] => [...batchRows(batch)];

  test("a slice has the rows between two", () => {
    const sample = columnsOf(ALL_SCHEMA).chain((values) => {
      const length = values.text?.length ?? 0;
      return fc.tuple(fc.constant(values), fc.nat(length), fc.nat(length));
    });
    fc.assert(
      fc.property(sample, ([values, a, b]) => {
        const batch = batchOf(ALL_SCHEMA, values);
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        expect(rows(sliceBatch(batch, start, end))).toEqual(rows(batch).slice(start, end));
      }),
      { numRuns: 50 },
    );
    const batch = batchOf(ALL_SCHEMA, { text: ["a"] });
    expect(sliceBatch(batch, 0, 1)).toBe(batch);
  });

  test("batches one after the other hold all their rows, nulls and bits in place", () => {
    fc.assert(
      fc.property(fc.array(columnsOf(ALL_SCHEMA, 19), { minLength: 1, maxLength: 5 }), (parts) => {
        const batches = parts.map((values) => batchOf(ALL_SCHEMA, values));
        const joined = concatBatches(batches);
        expect(joined.rowCount).toBe(batches.reduce((sum, batch) => sum + batch.rowCount, 0));
        expect(rows(joined)).toEqual(batches.flatMap(rows));
      }),
      { numRuns: 50 },
    );
  });

  test("a text column that begins amid its data is joined from there", () => {
    const whole = columnOf({ ...text, nullable: false }, ["zero", "one", "two", "three"]);
    if (whole.layout !== "bytes") throw new Error("no text");
    const schema = { name: "t", fields: [text] };
    const part = { ...whole, rowCount: 2, offsets: whole.offsets.subarray(1, 4) };
    const batch = { schema, rowCount: 2, columns: [part] };
    expect(rows(concatBatches([batch, batch]))).toEqual(
      ["one", "two", "one", "two"].map((value) => ({ text: value })),
    );
  });

  test("one batch alone is itself", () => {
    const batch = batchOf(ALL_SCHEMA, {});
    expect(concatBatches([batch])).toBe(batch);
  });
});
