// Numbers, dates, times and decimals of Arrow, in the layouts of batches. Rules: spec/format/arrow.md.
import type { Date_, Decimal, Float, Int, Time, Timestamp } from "apache-arrow";
import { ARROW, type ArrowSource } from "./arrow-source.ts";
import { isNull } from "./bitmap.ts";
import type { Column, FixedColumn, Int32Column, Int64Column, Validity } from "./column-batch.ts";
import { decimalWidthBytes } from "./schema.ts";
import { DAY_UNITS } from "./time-of-day.ts";

export function readArrowInts(source: ArrowSource, validity: Validity): Int32Column {
  const rowCount = source.rowCount;
  const { bitWidth } = source.data.type as Int;
  const values =
    bitWidth === 32
      ? source.values(Int32Array, rowCount)
      : Int32Array.from(
          bitWidth === 16
            ? source.values(Int16Array, rowCount)
            : source.values(Int8Array, rowCount),
        );
  return { layout: "int32", rowCount, validity, values: values.subarray(0, rowCount) };
}

export function readArrowLongs(source: ArrowSource, validity: Validity): Int64Column {
  const rowCount = source.rowCount;
  if ((source.data.type as Int).bitWidth === 64) {
    const values = source.values(BigInt64Array, rowCount).subarray(0, rowCount);
    return { layout: "int64", rowCount, validity, values };
  }
  const values = BigInt64Array.from(readArrowInts(source, validity).values, BigInt);
  return { layout: "int64", rowCount, validity, values };
}

export function readArrowFloats(source: ArrowSource, validity: Validity): Column {
  const rowCount = source.rowCount;
  const values = source.values(Float32Array, rowCount).subarray(0, rowCount);
  return { layout: "float32", rowCount, validity, values };
}

export function readArrowDoubles(source: ArrowSource, validity: Validity): Column {
  const rowCount = source.rowCount;
  const values =
    (source.data.type as Float).precision === 2
      ? source.values(Float64Array, rowCount).subarray(0, rowCount)
      : Float64Array.from(source.values(Float32Array, rowCount).subarray(0, rowCount));
  return { layout: "float64", rowCount, validity, values };
}

export function readArrowDates(source: ArrowSource, validity: Validity): Int32Column {
  const rowCount = source.rowCount;
  if ((source.data.type as Date_).unit === 0) {
    const values = source.values(Int32Array, rowCount).subarray(0, rowCount);
    return { layout: "int32", rowCount, validity, values };
  }
  const millis = source.values(BigInt64Array, rowCount);
  const values = new Int32Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    if (isNull(validity, row)) continue;
    const days = (millis[row] as bigint) / 86_400_000n;
    values[row] = Number(days);
    if (days * 86_400_000n !== millis[row] || BigInt(values[row] as number) !== days) {
      source.refuse(`found ${millis[row]} milliseconds in row ${row}, expected whole days`);
    }
  }
  return { layout: "int32", rowCount, validity, values };
}

/** Nanoseconds of the units of Arrow: seconds, milliseconds, microseconds, nanoseconds. */
const UNIT_NANOS = [1_000_000_000n, 1_000_000n, 1000n, 1n] as const;

export function readArrowTimestamps(source: ArrowSource, validity: Validity): Int64Column {
  const rowCount = source.rowCount;
  const { type } = source.data;
  // Dates in milliseconds are what Arrow makes of JavaScript's Date.
  const unit = type.typeId === ARROW.date ? 1 : (type as Timestamp).unit;
  if (type.typeId === ARROW.date && (type as Date_).unit === 0) source.refuseType();
  const { kind } = source.field.type;
  if (kind.startsWith("local-") && (type as Timestamp).timezone) source.refuseType();
  const stored = source.values(BigInt64Array, rowCount);
  const values = convertUnits(source, validity, stored, UNIT_NANOS[unit] as bigint);
  return { layout: "int64", rowCount, validity, values };
}

/** Times of a day; those of 32 bits count seconds or milliseconds. */
export function readArrowTimes(source: ArrowSource, validity: Validity): Column {
  const rowCount = source.rowCount;
  const { unit, bitWidth } = source.data.type as Time;
  const stored =
    bitWidth === 32
      ? BigInt64Array.from(source.values(Int32Array, rowCount), BigInt)
      : source.values(BigInt64Array, rowCount);
  const isMillis = source.field.type.kind === "time-millis";
  const end = BigInt(DAY_UNITS[isMillis ? "millis" : "micros"]);
  const values = convertUnits(source, validity, stored, UNIT_NANOS[unit] as bigint);
  for (let row = 0; row < rowCount; row += 1) {
    if (isNull(validity, row)) continue;
    if ((values[row] as bigint) >= 0n && (values[row] as bigint) < end) continue;
    source.refuse(
      `found ${stored[row]} of ${source.data.type} in row ${row}, expected a time of a day`,
    );
  }
  if (!isMillis) return { layout: "int64", rowCount, validity, values };
  return { layout: "int32", rowCount, validity, values: Int32Array.from(values, Number) };
}

/** Numbers that count units of `nanos` as numbers that count the unit of the field, none rounded. */
function convertUnits(
  source: ArrowSource,
  validity: Validity,
  stored: BigInt64Array,
  nanos: bigint,
): BigInt64Array {
  const isMillis = source.field.type.kind.endsWith("millis");
  const target = isMillis ? 1_000_000n : 1000n;
  const { rowCount } = source;
  if (nanos === target) return stored.subarray(0, rowCount);
  const values = new BigInt64Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    if (isNull(validity, row)) continue;
    const exact = (stored[row] as bigint) * nanos;
    values[row] = exact / target;
    if ((values[row] as bigint) * target === exact) continue;
    const unit = isMillis ? "milliseconds" : "microseconds";
    source.refuse(
      `found ${stored[row]} of ${source.data.type} in row ${row}, expected whole ${unit} in 64 bits`,
    );
  }
  return values;
}

export function readArrowDecimals(source: ArrowSource, validity: Validity): FixedColumn {
  const rowCount = source.rowCount;
  const type = source.data.type as Decimal;
  const target = source.field.type as { readonly precision: number; readonly scale: number };
  if (type.bitWidth !== 128 || type.scale !== target.scale) source.refuseType();
  const words = source.values(Uint32Array, rowCount * 4);
  const view = new DataView(words.buffer, words.byteOffset, words.byteLength);
  const widthBytes = decimalWidthBytes(target.precision);
  const limit = 10n ** BigInt(target.precision);
  const data = new Uint8Array(rowCount * widthBytes);
  for (let row = 0; row < rowCount; row += 1) {
    if (isNull(validity, row)) continue;
    const value = (view.getBigInt64(row * 16 + 8, true) << 64n) | view.getBigUint64(row * 16, true);
    if (value >= limit || value <= -limit) {
      source.refuse(
        `found unscaled value ${value} in row ${row}, expected at most ${target.precision} digits`,
      );
    }
    for (let index = 0; index < widthBytes; index += 1) {
      data[row * widthBytes + index] = view.getUint8(row * 16 + widthBytes - 1 - index);
    }
  }
  return { layout: "fixed", rowCount, validity, widthBytes, data };
}
