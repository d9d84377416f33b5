// Builds one column from JavaScript values, checking each against the type of its field.
// What a value may be: spec/format/schema.md, SC-3.
import { bitmapBytes, setBit } from "./bitmap.ts";
import type { Column } from "./column-batch.ts";
import { DecimalBuilder } from "./decimal-builder.ts";
import { FixedBuilder } from "./fixed-builder.ts";
import { ListBuilder, MapBuilder, StructBuilder } from "./nested-builder.ts";
import { type ColumnBuilder, NullableBuilder, refuse } from "./nullable-builder.ts";
import type { Field } from "./schema.ts";
import { BytesBuilder, EnumBuilder, StringBuilder } from "./sized-builder.ts";
import { DAY_UNITS, parseTimeOfDay } from "./time-of-day.ts";

/** A builder for the values of a field. */
export function createColumnBuilder(field: Field): ColumnBuilder {
  switch (field.type.kind) {
    case "string":
      return new StringBuilder(field);
    case "boolean":
      return new BooleanBuilder(field);
    case "int":
    case "date":
    case "time-millis":
      return new Int32Builder(field);
    case "long":
    case "time-micros":
    case "timestamp-millis":
    case "timestamp-micros":
    case "local-timestamp-millis":
    case "local-timestamp-micros":
      return new Int64Builder(field);
    case "enum":
      return new EnumBuilder(field);
    case "fixed":
      return new FixedBuilder(field);
    case "float":
    case "double":
      return new RealBuilder(field);
    case "bytes":
      return new BytesBuilder(field);
    case "decimal":
      return new DecimalBuilder(field);
    case "struct":
      return new StructBuilder(field, createColumnBuilder);
    case "list":
      return new ListBuilder(field, createColumnBuilder);
    case "map":
      return new MapBuilder(field, createColumnBuilder);
  }
}

class BooleanBuilder extends NullableBuilder {
  #values: Uint8Array = new Uint8Array(8);

  get sizeBytes(): number {
    return this.rowCount >> 3;
  }
  protected place(value: unknown): void {
    if (typeof value !== "boolean") refuse(this.field, value, "a boolean");
    this.placeDefault();
    if (value) setBit(this.#values, this.rowCount);
  }
  protected placeDefault(): void {
    if (this.rowCount >> 3 >= this.#values.length) {
      const larger = new Uint8Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
  }
  protected build(validity: Uint8Array | undefined): Column {
    const values = this.#values.slice(0, bitmapBytes(this.rowCount));
    return { layout: "bits", rowCount: this.rowCount, validity, values };
  }
}

const DAY_MS = 86_400_000;

class Int32Builder extends NullableBuilder {
  #values: Int32Array = new Int32Array(64);

  get sizeBytes(): number {
    return this.rowCount * 4;
  }
  protected place(value: unknown): void {
    const stored = this.#toNumber(value);
    if (typeof stored !== "number" || (stored | 0) !== stored) {
      refuse(this.field, value, "an integer from -2147483648 to 2147483647");
    }
    this.placeDefault();
    this.#values[this.rowCount] = stored;
  }
  #toNumber(value: unknown): unknown {
    switch (this.field.type.kind) {
      case "date":
        return dateToDays(this.field, value);
      case "time-millis":
        return timeToUnits(this.field, value, "millis");
      default:
        return value;
    }
  }
  protected placeDefault(): void {
    if (this.rowCount < this.#values.length) return;
    const larger = new Int32Array(this.#values.length * 2);
    larger.set(this.#values);
    this.#values = larger;
  }
  protected build(validity: Uint8Array | undefined): Column {
    const values = this.#values.slice(0, this.rowCount);
    return { layout: "int32", rowCount: this.rowCount, validity, values };
  }
}

function dateToDays(field: Field, value: unknown): number {
  if (typeof value === "string") {
    const days = parseDate(value);
    if (days !== undefined) return days;
  } else if (value instanceof Date && Number.isFinite(value.getTime())) {
    const days = value.getTime() / DAY_MS;
    if (Number.isInteger(days)) return days;
  }
  return refuse(field, value, "a Date at midnight UTC, or a text yyyy-MM-dd");
}

/** Days since 1970-01-01 of a text `yyyy-MM-dd`, or undefined if there is no such day. */
export function parseDate(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const ms = Date.parse(`${text}T00:00:00Z`);
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== text) return undefined;
  return ms / DAY_MS;
}

function timeToUnits(field: Field, value: unknown, unit: "millis" | "micros"): number {
  const units = typeof value === "string" ? parseTimeOfDay(value, unit) : value;
  const isInside = (units as number) >= 0 && (units as number) < DAY_UNITS[unit];
  if (typeof units === "number" && Number.isInteger(units) && isInside) return units;
  if (typeof units === "bigint" && unit === "micros" && isInside) return Number(units);
  const name = unit === "millis" ? "milliseconds" : "microseconds";
  return refuse(
    field,
    value,
    `${name} since midnight below ${DAY_UNITS[unit]}, or a text HH:mm:ss`,
  );
}

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

class Int64Builder extends NullableBuilder {
  #values: BigInt64Array = new BigInt64Array(64);

  get sizeBytes(): number {
    return this.rowCount * 8;
  }
  protected place(value: unknown): void {
    const stored = this.#toBigInt(value);
    this.placeDefault();
    this.#values[this.rowCount] = stored;
  }
  #toBigInt(value: unknown): bigint {
    const { kind } = this.field.type;
    if (kind === "time-micros") return BigInt(timeToUnits(this.field, value, "micros"));
    if (typeof value === "bigint" && value >= INT64_MIN && value <= INT64_MAX) return value;
    if (kind === "long") {
      if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
      return refuse(
        this.field,
        value,
        "a bigint of 64 bits, or an integer that a number holds exactly",
      );
    }
    const unit = kind.endsWith("millis") ? "milliseconds" : "microseconds";
    const isLocal = kind.startsWith("local");
    if (value instanceof Date && Number.isFinite(value.getTime()) && !isLocal) {
      return BigInt(value.getTime()) * (unit === "milliseconds" ? 1n : 1000n);
    }
    return refuse(
      this.field,
      value,
      `${unit} since the epoch as a bigint of 64 bits${isLocal ? "" : ", or a Date"}`,
    );
  }
  protected placeDefault(): void {
    if (this.rowCount < this.#values.length) return;
    const larger = new BigInt64Array(this.#values.length * 2);
    larger.set(this.#values);
    this.#values = larger;
  }
  protected build(validity: Uint8Array | undefined): Column {
    const values = this.#values.slice(0, this.rowCount);
    return { layout: "int64", rowCount: this.rowCount, validity, values };
  }
}

/** Single precision is rounded to when the column is finished. */
class RealBuilder extends NullableBuilder {
  #values: Float64Array = new Float64Array(64);

  get sizeBytes(): number {
    return this.rowCount * 8;
  }
  protected place(value: unknown): void {
    if (typeof value !== "number") refuse(this.field, value, "a number");
    const isSingle = this.field.type.kind === "float";
    if (isSingle && Number.isFinite(value) && !Number.isFinite(Math.fround(value as number))) {
      refuse(this.field, value, "a number of single precision");
    }
    this.placeDefault();
    this.#values[this.rowCount] = value as number;
  }
  protected placeDefault(): void {
    if (this.rowCount < this.#values.length) return;
    const larger = new Float64Array(this.#values.length * 2);
    larger.set(this.#values);
    this.#values = larger;
  }
  protected build(validity: Uint8Array | undefined): Column {
    const { rowCount } = this;
    if (this.field.type.kind === "float") {
      const values = Float32Array.from(this.#values.subarray(0, rowCount));
      return { layout: "float32", rowCount, validity, values };
    }
    return { layout: "float64", rowCount, validity, values: this.#values.slice(0, rowCount) };
  }
}
