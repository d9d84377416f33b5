// From the values that a file stores to the type that a reader asked for: wider numbers, other
// time units, decimals of any representation. Rules: spec/format/parquet.md, PQ-6.

import { isNull } from "./bitmap.ts";
import type {
  BytesColumn,
  FixedColumn,
  FlatColumn,
  Float32Column,
  Int32Column,
  Int64Column,
} from "./column-batch.ts";
import { widenFloat, widenToDecimal, widenToText } from "./number-widening.ts";
import { findColumnType, timestampUnit } from "./parquet-column-type.ts";
import type { SchemaElement } from "./parquet-footer.ts";
import { type ColumnType, decimalWidthBytes, type Field } from "./schema.ts";

/** A value that the asked type cannot hold. The row is counted from the first of the column. */
export class UnfitValueError extends Error {
  override readonly name: string = "UnfitValueError";
  readonly row: number;

  constructor(row: number, message: string) {
    super(message);
    this.row = row;
  }
}

/**
 * Whether values of a file column of type `from` can be read as type `to` without loss, save for
 * the rounding of whole numbers to real ones that Avro's own rules allow.
 */
export function isReadableAs(from: ColumnType | undefined, to: ColumnType): boolean {
  switch (to.kind) {
    case "string":
    case "bytes":
      // Some writers annotate no string, and Avro takes either for the other.
      if (from?.kind === "string" || from?.kind === "bytes") return true;
      return to.kind === "string" && TEXT_SOURCES.has(from?.kind ?? "");
    case "double":
      return REAL_SOURCES.has(from?.kind ?? "");
    case "float":
      return from?.kind === "float" || from?.kind === "int" || from?.kind === "long";
    case "long":
      return from?.kind === "long" || from?.kind === "int";
    case "decimal":
      if (from?.kind === "int" || from?.kind === "long") return true;
      return from?.kind === "decimal" && from.scale === to.scale && from.precision <= to.precision;
    default:
      return from?.kind === to.kind;
  }
}

/** The types that are read as texts, which have another order than their values. */
export const TEXT_SOURCES: ReadonlySet<string> = new Set(["int", "long", "date"]);
const REAL_SOURCES: ReadonlySet<string> = new Set(["double", "float", "int", "long"]);

/**
 * The decoded values in the layout of `field`. Buffers of `raw` are taken over. Throws
 * `UnfitValueError` for a value out of range.
 */
export function convertColumn(raw: FlatColumn, element: SchemaElement, field: Field): FlatColumn {
  switch (field.type.kind) {
    case "long":
      return raw.layout === "int32" ? widenToInt64(raw) : expectLayout(raw, "int64");
    case "double":
      return widenToFloat64(raw);
    case "timestamp-micros":
      return convertTimestamps(raw, element);
    case "decimal":
      if (isWhole(raw) && findColumnType(element)?.kind !== "decimal") {
        return widenToDecimal(raw, field.type, refuseDigits);
      }
      return convertDecimals(raw, decimalWidthBytes(field.type.precision));
    case "float":
      return roundToFloat32(raw);
    case "string":
      if (isWhole(raw)) return widenToText(raw, findColumnType(element)?.kind === "date");
      return expectLayout(raw, "bytes");
    case "bytes":
      return expectLayout(raw, "bytes");
    case "boolean":
      return expectLayout(raw, "bits");
    default:
      return expectLayout(raw, "int32");
  }
}

function isWhole(raw: FlatColumn): raw is Int32Column | Int64Column {
  return raw.layout === "int32" || raw.layout === "int64";
}

function refuseDigits(row: number): never {
  throw new UnfitValueError(row, "found a number with too many digits for the decimal");
}

function expectLayout(raw: FlatColumn, layout: FlatColumn["layout"]): FlatColumn {
  if (raw.layout !== layout) throw new TypeError(`found layout ${raw.layout}, expected ${layout}`);
  return raw as FlatColumn;
}

function widenToInt64(raw: {
  readonly rowCount: number;
  readonly validity: FlatColumn["validity"];
  readonly values: Int32Array;
}): Int64Column {
  const { rowCount, validity } = raw;
  const values = new BigInt64Array(rowCount);
  const words = new Int32Array(values.buffer);
  for (let row = 0; row < rowCount; row += 1) {
    const value = raw.values[row] as number;
    words[row * 2] = value;
    words[row * 2 + 1] = value >> 31;
  }
  return { layout: "int64", rowCount, validity, values };
}

function widenToFloat64(raw: FlatColumn): FlatColumn {
  if (raw.layout === "float64") return raw;
  const { rowCount, validity } = raw;
  if (raw.layout === "int64") {
    const values = Float64Array.from(raw.values, Number);
    return { layout: "float64", rowCount, validity, values };
  }
  if (raw.layout !== "int32" && raw.layout !== "float32") expectLayout(raw, "float64");
  const values =
    raw.layout === "int32"
      ? Float64Array.from(raw.values)
      : Float64Array.from((raw as Float32Column).values, widenFloat);
  return { layout: "float64", rowCount, validity, values };
}

function roundToFloat32(raw: FlatColumn): FlatColumn {
  const { rowCount, validity } = raw;
  if (raw.layout === "int64") {
    const values = Float32Array.from(raw.values, Number);
    return { layout: "float32", rowCount, validity, values };
  }
  if (raw.layout !== "int32") return expectLayout(raw, "float32");
  return { layout: "float32", rowCount, validity, values: Float32Array.from(raw.values) };
}

const MICROS_OF_DAY = 86_400_000_000n;
/** The Julian day of 1970-01-01. */
const EPOCH_JULIAN_DAY = 2_440_588;

function convertTimestamps(raw: FlatColumn, element: SchemaElement): Int64Column {
  if (raw.layout === "fixed") return convertInt96(raw);
  const column = expectLayout(raw, "int64") as Int64Column;
  const { rowCount, validity } = column;
  const unit = timestampUnit(element);
  if (unit === "micros") return column;
  const values = new BigInt64Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    if (isNull(validity, row)) continue;
    const value = column.values[row] as bigint;
    if (unit === "millis") {
      values[row] = value * 1000n;
      if (values[row] !== value * 1000n) {
        throw new UnfitValueError(
          row,
          `found ${value} milliseconds, too many for a timestamp in microseconds`,
        );
      }
    } else {
      if (value % 1000n !== 0n) {
        throw new UnfitValueError(
          row,
          `found ${value} nanoseconds, finer than a timestamp in microseconds`,
        );
      }
      values[row] = value / 1000n;
    }
  }
  return { layout: "int64", rowCount, validity, values };
}

/** Nanoseconds of the day, then the Julian day: 8 and 4 bytes, little-endian. */
function convertInt96(raw: FixedColumn): Int64Column {
  const { rowCount, validity, data } = raw;
  const values = new BigInt64Array(rowCount);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (let row = 0; row < rowCount; row += 1) {
    if (isNull(validity, row)) continue;
    const nanos = view.getBigInt64(row * 12, true);
    const day = view.getInt32(row * 12 + 8, true) - EPOCH_JULIAN_DAY;
    if (nanos % 1000n !== 0n) {
      throw new UnfitValueError(
        row,
        `found ${nanos} nanoseconds of a day, finer than a timestamp in microseconds`,
      );
    }
    const micros = BigInt(day) * MICROS_OF_DAY + nanos / 1000n;
    values[row] = micros;
    if (values[row] !== micros)
      throw new UnfitValueError(row, `found Julian day ${day}, out of range`);
  }
  return { layout: "int64", rowCount, validity, values };
}

function convertDecimals(raw: FlatColumn, widthBytes: number): FixedColumn {
  if (raw.layout === "fixed" && raw.widthBytes === widthBytes) return raw;
  const { rowCount, validity } = raw;
  const data = new Uint8Array(rowCount * widthBytes);
  const place = (row: number, bytes: Uint8Array, from: number, to: number): void => {
    placeDecimal(row, bytes, from, to, data, widthBytes);
  };
  switch (raw.layout) {
    case "fixed":
      for (let row = 0; row < rowCount; row += 1) {
        if (isNull(validity, row)) continue;
        place(row, raw.data, row * raw.widthBytes, (row + 1) * raw.widthBytes);
      }
      break;
    case "bytes":
      placeStrings(raw, place);
      break;
    case "int32":
    case "int64": {
      const isLong = raw.layout === "int64";
      const scratch = new Uint8Array(isLong ? 8 : 4);
      const view = new DataView(scratch.buffer);
      for (let row = 0; row < rowCount; row += 1) {
        if (isNull(validity, row)) continue;
        if (isLong) view.setBigInt64(0, raw.values[row] as bigint);
        else view.setInt32(0, raw.values[row] as number);
        place(row, scratch, 0, scratch.length);
      }
      break;
    }
    default:
      expectLayout(raw, "fixed");
  }
  return { layout: "fixed", rowCount, validity, widthBytes, data };
}

function placeStrings(
  raw: BytesColumn,
  place: (row: number, bytes: Uint8Array, from: number, to: number) => void,
): void {
  for (let row = 0; row < raw.rowCount; row += 1) {
    if (isNull(raw.validity, row)) continue;
    place(row, raw.data, raw.offsets[row] as number, raw.offsets[row + 1] as number);
  }
}

/** Copies a big-endian number into `widthBytes` bytes, with its sign spread or cut off. */
function placeDecimal(
  row: number,
  bytes: Uint8Array,
  from: number,
  to: number,
  data: Uint8Array,
  widthBytes: number,
): void {
  const sign = to > from && (bytes[from] as number) >= 0x80 ? 0xff : 0;
  const spare = widthBytes - (to - from);
  const start = row * widthBytes;
  for (let index = 0; index < spare; index += 1) data[start + index] = sign;
  let source = from;
  for (; source < to && source < from - spare; source += 1) {
    if (bytes[source] !== sign)
      throw new UnfitValueError(row, "found a decimal with too many digits");
  }
  for (let target = start + Math.max(0, spare); source < to; source += 1, target += 1) {
    data[target] = bytes[source] as number;
  }
  if (spare < 0 && ((data[start] as number) >= 0x80 ? 0xff : 0) !== sign) {
    throw new UnfitValueError(row, "found a decimal with too many digits");
  }
}
