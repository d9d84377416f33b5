// Numbers as a wider type has them, where the bits alone do not say it: floats as doubles, whole numbers
// as decimals and texts, days as texts. Rules: spec/format/parquet.md, PQ-6.
import { isNull } from "./bitmap.ts";
import type { BytesColumn, FixedColumn, Int32Column, Int64Column } from "./column-batch.ts";
import { decimalWidthBytes } from "./schema.ts";

/** Digits that tell any two floats apart. */
const FLOAT_DIGITS = 9;

/**
 * The double with the fewest decimal digits that still names this float: 0.1 stays 0.1. So do Hudi's
 * own readers and writers take a float for a double.
 */
export function widenFloat(value: number): number {
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 16_777_216) {
    // Within these bounds the digits behind the point are few enough to be tried as whole numbers.
    for (let scale = 1; scale <= 1e12; scale *= 10) {
      const rounded = Math.round(size * scale) / scale;
      if (Math.fround(rounded) === size) return value < 0 ? -rounded : rounded;
    }
  }
  if (!Number.isFinite(value) || value === 0) return value;
  for (let digits = 2; digits < FLOAT_DIGITS; digits += 1) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return rounded;
  }
  return Number(value.toPrecision(FLOAT_DIGITS));
}

/** Whole numbers as decimals; `fits` is told the first row whose digits do not. */
export function widenToDecimal(
  raw: Int32Column | Int64Column,
  type: { readonly precision: number; readonly scale: number },
  refuse: (row: number) => never,
): FixedColumn {
  const { rowCount, validity } = raw;
  const widthBytes = decimalWidthBytes(type.precision);
  const data = new Uint8Array(rowCount * widthBytes);
  const factor = 10n ** BigInt(type.scale);
  const limit = 10n ** BigInt(type.precision);
  for (let row = 0; row < rowCount; row += 1) {
    if (isNull(validity, row)) continue;
    let rest = BigInt(raw.values[row] as number | bigint) * factor;
    if (rest >= limit || rest <= -limit) refuse(row);
    for (let at = (row + 1) * widthBytes - 1; at >= row * widthBytes; at -= 1) {
      data[at] = Number(rest & 0xffn);
      rest >>= 8n;
    }
  }
  return { layout: "fixed", rowCount, validity, widthBytes, data };
}

/** Whole numbers, or days since 1970, as the texts that Spark's casts give. */
export function widenToText(raw: Int32Column | Int64Column, isDays: boolean): BytesColumn {
  const { rowCount, validity } = raw;
  const offsets = new Int32Array(rowCount + 1);
  // Twenty characters hold any 64 bits, and any day in thirty-two.
  const data = Buffer.alloc(rowCount * 20);
  let end = 0;
  for (let row = 0; row < rowCount; row += 1) {
    if (!isNull(validity, row)) {
      const value = raw.values[row] as number | bigint;
      end += data.write(isDays ? formatDay(Number(value)) : String(value), end, "latin1");
    }
    offsets[row + 1] = end;
  }
  return {
    layout: "bytes",
    rowCount,
    validity,
    offsets,
    data: new Uint8Array(data.subarray(0, end)),
  };
}

const MS_OF_DAY = 86_400_000;

function formatDay(days: number): string {
  const date = new Date(days * MS_OF_DAY);
  const year = date.getUTCFullYear();
  if (Number.isNaN(year)) throw new RangeError(`day ${days} is beyond the calendar`);
  const digits = String(Math.abs(year)).padStart(4, "0");
  const sign = year < 0 ? "-" : year > 9999 ? "+" : "";
  return `${sign}${digits}-${date.toISOString().slice(-19, -14)}`;
}
