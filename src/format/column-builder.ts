// Builds one column from JavaScript values, checking each against the type of its field.
// What a value may be: spec/format/schema.md, SC-3.
import { HudiError } from "../errors.ts";
import { bitmapBytes, type Column } from "./column-batch.ts";
import { decimalWidthBytes, type Field, formatFieldType } from "./schema.ts";

/** Collects values of one field. A refused value throws `INVALID` without naming the row. */
export interface ColumnBuilder {
  append(value: unknown): void;
  /** Adds a null even where the field allows none; for rows of which only the key counts. */
  appendNull(): void;
  /** Bytes held so far, roughly. */
  readonly sizeBytes: number;
  finish(): Column;
}

/** A builder for the values of a field. */
export function createColumnBuilder(field: Field): ColumnBuilder {
  switch (field.type.kind) {
    case "string":
      return new StringBuilder(field);
    case "boolean":
      return new BooleanBuilder(field);
    case "int":
    case "date":
      return new Int32Builder(field);
    case "long":
    case "timestamp-micros":
      return new Int64Builder(field);
    case "double":
      return new Float64Builder(field);
    case "decimal":
      return new DecimalBuilder(field);
  }
}

function refuse(field: Field, value: unknown, expected: string): never {
  const found =
    value === null
      ? "null"
      : value === undefined
        ? "nothing"
        : typeof value === "object"
          ? Object.prototype.toString.call(value).slice(8, -1)
          : `${typeof value} ${String(value).slice(0, 40)}`;
  throw new HudiError(
    "INVALID",
    `column ${field.name} (${formatFieldType(field)}): found ${found}, expected ${expected}`,
  );
}

abstract class NullableBuilder implements ColumnBuilder {
  protected readonly field: Field;
  protected rowCount = 0;
  #validity: Uint8Array = new Uint8Array(128).fill(0xff);
  #nulls = 0;

  constructor(field: Field) {
    this.field = field;
  }

  abstract readonly sizeBytes: number;
  protected abstract place(value: unknown): void;
  protected abstract placeDefault(): void;
  protected abstract build(validity: Uint8Array | undefined): Column;

  append(value: unknown): void {
    if (value === null) {
      if (!this.field.nullable) refuse(this.field, value, "a value: the column is not nullable");
      this.appendNull();
    } else if (value === undefined) {
      refuse(this.field, value, this.field.nullable ? "a value or null" : "a value");
    } else {
      this.place(value);
      this.rowCount += 1;
      if (this.rowCount > this.#validity.length * 8) this.#grow();
    }
  }

  appendNull(): void {
    this.placeDefault();
    const row = this.rowCount;
    this.rowCount += 1;
    if (this.rowCount > this.#validity.length * 8) this.#grow();
    this.#validity[row >> 3] = (this.#validity[row >> 3] as number) & ~(1 << (row & 7));
    this.#nulls += 1;
  }

  finish(): Column {
    return this.build(
      this.#nulls === 0 ? undefined : this.#validity.slice(0, bitmapBytes(this.rowCount)),
    );
  }

  #grow(): void {
    const larger = new Uint8Array(this.#validity.length * 2).fill(0xff);
    larger.set(this.#validity);
    this.#validity = larger;
  }
}

class BooleanBuilder extends NullableBuilder {
  #values: Uint8Array = new Uint8Array(128);

  get sizeBytes(): number {
    return this.rowCount >> 3;
  }
  protected place(value: unknown): void {
    if (typeof value !== "boolean") refuse(this.field, value, "a boolean");
    this.placeDefault();
    if (value) {
      const row = this.rowCount;
      this.#values[row >> 3] = (this.#values[row >> 3] as number) | (1 << (row & 7));
    }
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
  #values: Int32Array = new Int32Array(1024);

  get sizeBytes(): number {
    return this.rowCount * 4;
  }
  protected place(value: unknown): void {
    const stored = this.field.type.kind === "date" ? dateToDays(this.field, value) : value;
    if (typeof stored !== "number" || (stored | 0) !== stored) {
      refuse(this.field, value, "an integer from -2147483648 to 2147483647");
    }
    this.placeDefault();
    this.#values[this.rowCount] = stored;
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

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

class Int64Builder extends NullableBuilder {
  #values: BigInt64Array = new BigInt64Array(1024);

  get sizeBytes(): number {
    return this.rowCount * 8;
  }
  protected place(value: unknown): void {
    const stored = this.#toBigInt(value);
    this.placeDefault();
    this.#values[this.rowCount] = stored;
  }
  #toBigInt(value: unknown): bigint {
    if (typeof value === "bigint" && value >= INT64_MIN && value <= INT64_MAX) return value;
    if (this.field.type.kind === "long") {
      if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value);
      return refuse(
        this.field,
        value,
        "a bigint of 64 bits, or an integer that a number holds exactly",
      );
    }
    if (value instanceof Date && Number.isFinite(value.getTime())) {
      return BigInt(value.getTime()) * 1000n;
    }
    return refuse(
      this.field,
      value,
      "microseconds since the epoch as a bigint of 64 bits, or a Date",
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

class Float64Builder extends NullableBuilder {
  #values: Float64Array = new Float64Array(1024);

  get sizeBytes(): number {
    return this.rowCount * 8;
  }
  protected place(value: unknown): void {
    if (typeof value !== "number") refuse(this.field, value, "a number");
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
    const values = this.#values.slice(0, this.rowCount);
    return { layout: "float64", rowCount: this.rowCount, validity, values };
  }
}

const MAX_COLUMN_BYTES = 0x7fff_ffff;

class StringBuilder extends NullableBuilder {
  #offsets: Int32Array = new Int32Array(1025);
  #data: Buffer = Buffer.alloc(16 * 1024);
  #used = 0;

  get sizeBytes(): number {
    return this.#used + this.rowCount * 4;
  }
  protected place(value: unknown): void {
    if (typeof value !== "string") refuse(this.field, value, "a string");
    const text = value as string;
    if (!text.isWellFormed())
      refuse(this.field, value, "well-formed Unicode: it holds half a surrogate pair");
    const most = text.length * 3;
    if (this.#used + most > this.#data.length) this.#grow(Math.min(most, Buffer.byteLength(text)));
    this.#used += this.#data.write(text, this.#used, "utf8");
    this.placeDefault();
  }
  protected placeDefault(): void {
    const row = this.rowCount;
    if (row + 1 >= this.#offsets.length) {
      const larger = new Int32Array(this.#offsets.length * 2);
      larger.set(this.#offsets);
      this.#offsets = larger;
    }
    this.#offsets[row + 1] = this.#used;
  }
  #grow(extraBytes: number): void {
    const needed = this.#used + extraBytes;
    if (needed > MAX_COLUMN_BYTES) {
      throw new HudiError(
        "INVALID",
        `column ${this.field.name}: more than 2 GiB of text in one batch, expected less; write in several calls`,
      );
    }
    if (needed <= this.#data.length) return;
    const larger = Buffer.allocUnsafeSlow(
      Math.min(MAX_COLUMN_BYTES, Math.max(needed, this.#data.length * 2)),
    );
    this.#data.copy(larger, 0, 0, this.#used);
    this.#data = larger;
  }
  protected build(validity: Uint8Array | undefined): Column {
    return {
      layout: "bytes",
      rowCount: this.rowCount,
      validity,
      offsets: this.#offsets.slice(0, this.rowCount + 1),
      // No Buffer: its `slice` would be a view.
      data: new Uint8Array(this.#data.subarray(0, this.#used)),
    };
  }
}

class DecimalBuilder extends NullableBuilder {
  readonly #precision: number;
  readonly #scale: number;
  readonly #widthBytes: number;
  #data: Uint8Array;

  constructor(field: Field) {
    super(field);
    const { precision, scale } = field.type as { precision: number; scale: number };
    this.#precision = precision;
    this.#scale = scale;
    this.#widthBytes = decimalWidthBytes(precision);
    this.#data = new Uint8Array(1024 * this.#widthBytes);
  }
  get sizeBytes(): number {
    return this.rowCount * this.#widthBytes;
  }
  protected place(value: unknown): void {
    const unscaled = typeof value === "string" ? this.#parse(value) : undefined;
    if (unscaled === undefined) {
      const whole = this.#precision - this.#scale;
      refuse(
        this.field,
        value,
        `a text of at most ${whole} digits, a point and ${this.#scale} digits`,
      );
    }
    this.placeDefault();
    writeBigEndian(this.#data, this.rowCount * this.#widthBytes, this.#widthBytes, unscaled);
  }
  #parse(text: string): bigint | undefined {
    const match = /^([+-]?)(\d+)(?:\.(\d+))?$/.exec(text);
    if (!match) return undefined;
    const fraction = match[3] ?? "";
    if (fraction.length > this.#scale) return undefined;
    const digits = `${match[2]}${fraction.padEnd(this.#scale, "0")}`.replace(/^0+/, "");
    if (digits.length > this.#precision) return undefined;
    const magnitude = BigInt(digits === "" ? "0" : digits);
    return match[1] === "-" ? -magnitude : magnitude;
  }
  protected placeDefault(): void {
    const end = (this.rowCount + 1) * this.#widthBytes;
    if (end <= this.#data.length) return;
    const larger = new Uint8Array(this.#data.length * 2);
    larger.set(this.#data);
    this.#data = larger;
  }
  protected build(validity: Uint8Array | undefined): Column {
    const data = this.#data.slice(0, this.rowCount * this.#widthBytes);
    return {
      layout: "fixed",
      rowCount: this.rowCount,
      validity,
      widthBytes: this.#widthBytes,
      data,
    };
  }
}

/** Writes a value as big-endian two's complement. */
export function writeBigEndian(
  data: Uint8Array,
  start: number,
  widthBytes: number,
  value: bigint,
): void {
  let rest = value;
  for (let at = start + widthBytes - 1; at >= start; at -= 1) {
    data[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

/** Reads big-endian two's complement. */
export function readBigEndian(data: Uint8Array, start: number, widthBytes: number): bigint {
  let value = BigInt.asIntN(8, BigInt(data[start] as number));
  for (let at = start + 1; at < start + widthBytes; at += 1) {
    value = (value << 8n) | BigInt(data[at] as number);
  }
  return value;
}

/** The text of an unscaled decimal with its full scale: `-0.50` for -50 and scale 2. */
export function formatDecimal(unscaled: bigint, scale: number): string {
  if (scale === 0) return String(unscaled);
  const negative = unscaled < 0n;
  const digits = String(negative ? -unscaled : unscaled).padStart(scale + 1, "0");
  const point = digits.length - scale;
  return `${negative ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}`;
}
