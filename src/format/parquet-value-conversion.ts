// From the values that a file stores to the type that a reader asked for: wider numbers, other
// time units, decimals of any representation. Rules: spec/format/parquet.md, PQ-6.

import { isNull } from "./bitmap.ts";
import {
  type BytesColumn,
  type FixedColumn,
  type FlatColumn,
  type Float32Column,
  type Int32Column,
  type Int64Column,
  requireTextBytes,
} from "./column-batch.ts";
import { widenFloat, widenToDecimal, widenToText } from "./number-widening.ts";
import { findColumnType, storedUnit } from "./parquet-column-type.ts";
import type { SchemaElement } from "./parquet-footer.ts";
import { type ColumnType, decimalWidthBytes, type Field, formatType } from "./schema.ts";

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
    case "decimal":
      if (from?.kind === "int" || from?.kind === "long") return true;
      return from?.kind === "decimal" && from.scale === to.scale && from.precision <= to.precision;
    case "fixed":
      return from?.kind === "bytes" || (from?.kind === "fixed" && from.length === to.length);
    default:
      return from?.kind === to.kind || (SOURCES[to.kind]?.includes(from?.kind) ?? false);
  }
}

/** The types that are read as texts, which have another order than their values. */
export const TEXT_SOURCES: ReadonlySet<string> = new Set(["int", "long", "date"]);

type Kind = ColumnType["kind"];

/** The other types that a type is read from. */
const SOURCES: Partial<Record<Kind, readonly (Kind | undefined)[]>> = {
  // Some writers annotate no string, and Avro takes either for the other.
  string: ["bytes", "int", "long", "date"],
  bytes: ["string", "fixed"],
  enum: ["string", "bytes"],
  float: ["int", "long"],
  double: ["float", "int", "long"],
  // Engines without times see numbers in them, and write numbers.
  int: ["time-millis"],
  "time-millis": ["int"],
  long: ["int", "time-micros"],
  "time-micros": ["long"],
  "timestamp-millis": ["timestamp-micros"],
  "timestamp-micros": ["timestamp-millis"],
  "local-timestamp-millis": ["local-timestamp-micros"],
  "local-timestamp-micros": ["local-timestamp-millis"],
};

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
    case "time-micros":
    case "timestamp-millis":
    case "timestamp-micros":
    case "local-timestamp-millis":
    case "local-timestamp-micros":
      return convertTimes(raw, element, field.type);
    case "fixed":
      return raw.layout === "bytes" ? narrowToFixed(raw, field.type.length) : raw;
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
    case "enum":
    case "bytes":
      return raw.layout === "fixed" ? widenToBytes(raw) : expectLayout(raw, "bytes");
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

function convertTimes(raw: FlatColumn, element: SchemaElement, type: ColumnType): Int64Column {
  const isJulian = raw.layout === "fixed";
  const column = isJulian ? convertInt96(raw) : (expectLayout(raw, "int64") as Int64Column);
  const { rowCount, validity } = column;
  const from = NANOS[isJulian ? "micros" : storedUnit(element)];
  const to = NANOS[type.kind.endsWith("millis") ? "millis" : "micros"];
  if (from === to) return column;
  const values = new BigInt64Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    if (isNull(validity, row)) continue;
    const nanos = (column.values[row] as bigint) * from;
    values[row] = nanos / to;
    if ((values[row] as bigint) * to === nanos) continue;
    const fault = nanos % to === 0n ? "beyond" : "finer than";
    throw new UnfitValueError(
      row,
      `found ${column.values[row]} of ${from} nanoseconds each, ${fault} what ${formatType(type)} holds`,
    );
  }
  return { layout: "int64", rowCount, validity, values };
}

const NANOS = { millis: 1_000_000n, micros: 1000n, nanos: 1n } as const;

function narrowToFixed(raw: BytesColumn, widthBytes: number): FixedColumn {
  const { rowCount, validity, offsets } = raw;
  const data = new Uint8Array(rowCount * widthBytes);
  for (let row = 0; row < rowCount; row += 1) {
    if (isNull(validity, row)) continue;
    const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
    if (end - start !== widthBytes) {
      throw new UnfitValueError(row, `found ${end - start} bytes, expected ${widthBytes}`);
    }
    data.set(raw.data.subarray(start, end), row * widthBytes);
  }
  return { layout: "fixed", rowCount, validity, widthBytes, data };
}

function widenToBytes({ rowCount, validity, widthBytes, data }: FixedColumn): BytesColumn {
  requireTextBytes(data.length);
  const offsets = new Int32Array(rowCount + 1);
  const present = new Uint8Array(data.length);
  let end = 0;
  for (let row = 0; row < rowCount; row += 1) {
    if (!isNull(validity, row)) {
      present.set(data.subarray(row * widthBytes, (row + 1) * widthBytes), end);
      end += widthBytes;
    }
    offsets[row + 1] = end;
  }
  return { layout: "bytes", rowCount, validity, offsets, data: present.subarray(0, end) };
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
