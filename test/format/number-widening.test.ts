// Numbers of files as the wider types that a table has given their columns since.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { widenFloat } from "../../src/format/number-widening.ts";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
import { batchRows, RowBatchBuilder } from "../../src/format/row-batch.ts";
import { createTableSchema, type Field } from "../../src/format/schema.ts";
import { memorySource, readRowGroup, writeFile } from "./parquet-samples.ts";

const fieldOf = (type: string): Field => createTableSchema("t", { v: type }).fields[0] as Field;

/** Values written as one type and read as another. */
async function readAs(from: string, to: string, values: readonly unknown[]): Promise<unknown[]> {
  const schema = { name: "t", fields: [fieldOf(from)] };
  const builder = new RowBatchBuilder(schema, (row) => `row ${row}`);
  for (const v of values) builder.append({ v });
  const { bytes } = await writeFile(schema, [builder.finish()]);
  const file = await openParquetFile(memorySource(bytes));
  const batch = await readRowGroup(file, 0, [fieldOf(to)]);
  return Array.from(batchRows(batch), (row) => row.v);
}

const floats = fc.float({ noNaN: true, noDefaultInfinity: true });

describe("a float as a double (PQ-6)", () => {
  test("keeps the digits that it is written with", () => {
    for (const [text, more] of [
      ["0.1", 0.1],
      ["3.14", 3.14],
      ["1e10", 1e10],
      ["-2.5e-7", -2.5e-7],
      ["1.4e-45", 1.4e-45],
      ["3.4028235e38", 3.4028235e38],
    ] as const) {
      expect(widenFloat(Math.fround(Number(text)))).toBe(more);
    }
    for (const same of [0, -0, 1, 0.5, Infinity, -Infinity, Number.NaN, 16_777_215]) {
      expect(widenFloat(same)).toBe(same);
    }
  });

  test("is the same float again, has no digits to spare, and keeps the order", () => {
    fc.assert(
      fc.property(floats, floats, (a, b) => {
        const [x, y] = [widenFloat(a), widenFloat(b)];
        expect(Math.fround(x)).toBe(a);
        expect(Math.sign(x - y)).toBe(Math.sign(a - b));
        const digits = String(Math.abs(x))
          .replace(/e.*/, "")
          .replace(".", "")
          .replace(/^0+/, "")
          .replace(/0+$/, "");
        expect(digits.length).toBeLessThanOrEqual(9);
        for (let less = 2; less < digits.length; less += 1) {
          expect(Math.fround(Number(a.toPrecision(less)))).not.toBe(a);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("is read so from files, nulls and what is inside other columns included", async () => {
    const values = [Math.fround(0.1), null, 7];
    expect(await readAs("float?", "double?", values)).toEqual([0.1, null, 7]);
    expect(await readAs("list<float?>", "list<double?>", [values])).toEqual([[0.1, null, 7]]);
  });
});

describe("whole numbers (PQ-6)", () => {
  test("are read as floats, which round", async () => {
    expect(await readAs("int?", "float?", [16_777_217, null, -3])).toEqual([16_777_216, null, -3]);
    expect(await readAs("long?", "float?", [7n, null, 2n ** 60n])).toEqual([7, null, 2 ** 60]);
  });

  test("are read as decimals with room for their digits", async () => {
    const ints = [7, null, -2_147_483_648, 0];
    expect(await readAs("int?", "decimal(12,2)?", ints)).toEqual([
      "7.00",
      null,
      "-2147483648.00",
      "0.00",
    ]);
    const longs = [-(2n ** 63n), null, 2n ** 63n - 1n];
    expect(await readAs("long?", "decimal(38,3)?", longs)).toEqual([
      "-9223372036854775808.000",
      null,
      "9223372036854775807.000",
    ]);
    expect(await readAs("int?", "decimal(3,1)?", [99, -99])).toEqual(["99.0", "-99.0"]);
    await expect(readAs("int?", "decimal(3,1)?", [1, 100])).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringMatching(/row 1 .*too many digits/),
    });
  });

  test("and days are read as texts", async () => {
    expect(await readAs("int?", "string?", [7, null, -12])).toEqual(["7", null, "-12"]);
    expect(await readAs("long?", "string?", [2n ** 63n - 1n, -(2n ** 63n)])).toEqual([
      "9223372036854775807",
      "-9223372036854775808",
    ]);
    const days = ["2020-01-02", "0001-12-31", "1969-12-31", null];
    expect(await readAs("date?", "string?", days)).toEqual(days);
  });

  test("have other bounds as texts, which say nothing", async () => {
    const schema = { name: "t", fields: [fieldOf("int?")] };
    const builder = new RowBatchBuilder(schema, (row) => `row ${row}`);
    for (const v of [9, 10]) builder.append({ v });
    const { bytes } = await writeFile(schema, [builder.finish()]);
    const file = await openParquetFile(memorySource(bytes));
    const texts = file.rowGroupStatistics(0, fieldOf("string?"));
    expect(texts).toEqual({ rowCount: 2, nullCount: 0 });
    expect(file.rowGroupStatistics(0, fieldOf("float?"))).toMatchObject({ min: 9, max: 10 });
    expect(file.rowGroupStatistics(0, fieldOf("decimal(12,1)?"))).toMatchObject({
      min: Uint8Array.of(0, 0, 0, 0, 0, 90),
    });
  });
});
