// Values of rows as text and back: for JSON lines, for CSV and for people. What is printed reads back
// as the same value. Rules: spec/protocol/cli.md, CLI-9 to CLI-13.

import { HudiError } from "../errors.ts";
import {
  type Column,
  isPresent,
  type ListColumn,
  type StructColumn,
} from "../format/column-batch.ts";
import { createValueReader } from "../format/row-batch.ts";
import { childFields, type Field, formatFieldType, type NestedType } from "../format/schema.ts";
import { parseExactJson } from "../ingest/exact-json.ts";
import { formatDate, formatTimestamp, parseDateText, parseTimestampText } from "./time-text.ts";

/** The text of one row of a column. */
export type ValueFormatter = (row: number) => string;

/** The bare text of the values that are present: what CSV and tables show. */
export function createTextFormatter(field: Field, column: Column): ValueFormatter {
  switch (column.layout) {
    case "int32":
      return field.type.kind === "date"
        ? (row) => formatDate(column.values[row] as number)
        : (row) => String(column.values[row]);
    case "int64":
      return field.type.kind === "timestamp-micros"
        ? (row) => formatTimestamp(column.values[row] as bigint)
        : (row) => String(column.values[row]);
    case "float32":
      return (row) => formatFloat(column.values[row] as number);
    case "float64":
      return (row) => formatDouble(column.values[row] as number);
    case "bytes":
      if (field.type.kind === "bytes") {
        const { offsets } = column;
        const data = Buffer.from(column.data.buffer, column.data.byteOffset, column.data.length);
        return (row) => data.toString("base64", offsets[row], offsets[row + 1]);
      }
      return createValueReader(field, column) as (row: number) => string;
    case "fixed":
      return createValueReader(field, column) as (row: number) => string;
    case "struct":
    case "list":
      return createNestedJson(field, column);
    case "bits": {
      const read = createValueReader(field, column);
      return (row) => String(read(row));
    }
  }
}

/** Structs and maps as objects, lists as arrays. */
function createNestedJson(field: Field, column: StructColumn | ListColumn): ValueFormatter {
  const fields = childFields(field.type as NestedType);
  if (column.layout === "struct") {
    const parts = column.children.map((child, index) => {
      const own = fields[index] as Field;
      return { name: JSON.stringify(own.name), format: createJsonFormatter(own, child) };
    });
    return (row) => `{${parts.map(({ name, format }) => `${name}:${format(row)}`).join(",")}}`;
  }
  const { offsets, child } = column;
  const items = (row: number, format: ValueFormatter): string[] => {
    const start = offsets[row] as number;
    const length = (offsets[row + 1] as number) - start;
    return Array.from({ length }, (_, item) => format(start + item));
  };
  if (field.type.kind === "list") {
    const format = createJsonFormatter(fields[0] as Field, child);
    return (row) => `[${items(row, format).join(",")}]`;
  }
  const [key, value] = childFields((fields[0] as Field).type as NestedType) as [Field, Field];
  const [keys, values] = (child as StructColumn).children as [Column, Column];
  const formatKey = createJsonFormatter(key, keys);
  const formatValue = createJsonFormatter(value, values);
  return (row) => `{${items(row, (item) => `${formatKey(item)}:${formatValue(item)}`).join(",")}}`;
}

/** The JSON text of every value, nulls included. */
export function createJsonFormatter(field: Field, column: Column): ValueFormatter {
  const text = createTextFormatter(field, column);
  const present = createPresentJson(field, column, text);
  return column.validity ? (row) => (isPresent(column, row) ? present(row) : "null") : present;
}

function createPresentJson(field: Field, column: Column, text: ValueFormatter): ValueFormatter {
  switch (field.type.kind) {
    case "boolean":
    case "int":
    case "long":
    case "struct":
    case "list":
    case "map":
      return text;
    case "float":
    case "double": {
      const { values } = column as { values: Float32Array | Float64Array };
      return (row) => (Number.isFinite(values[row]) ? text(row) : `"${text(row)}"`);
    }
    case "string":
      return (row) => JSON.stringify(text(row));
    default:
      return (row) => `"${text(row)}"`;
  }
}

/** The shortest digits that read back as the same number; minus zero keeps its sign. */
function formatDouble(value: number): string {
  return Object.is(value, -0) ? "-0" : String(value);
}

/** The shortest digits that round to the same number of single precision. */
function formatFloat(value: number): string {
  for (let digits = 1; digits < 9; digits += 1) {
    const short = Number(value.toPrecision(digits));
    if (Object.is(Math.fround(short), value)) return formatDouble(short);
  }
  return formatDouble(value);
}

/** A value that a column cannot take. Names the column; whoever catches it names the row. */
export class UnfitValue extends HudiError {
  override readonly name: string = "UnfitValue";

  constructor(field: Field, found: string, expected: string) {
    super(
      "INVALID",
      `column ${field.name} (${formatFieldType(field)}): found ${found}, expected ${expected}`,
    );
  }
}

/** Turns a parsed JSON value into the value that a row has. Throws `UnfitValue`. */
export type JsonReader = (value: unknown) => unknown;

/** A reader of the JSON values of a field; integers too large for a number come as bigint. */
export function createJsonReader(field: Field): JsonReader {
  const read = JSON_READERS[field.type.kind];
  return (value) => {
    if (value === null) {
      if (field.nullable) return null;
      throw new UnfitValue(field, "null", "a value: the column is not nullable");
    }
    if (value === undefined) {
      throw new UnfitValue(field, "nothing", field.nullable ? "a value or null" : "a value");
    }
    return read(field, value);
  };
}

type KindReader = (field: Field, value: unknown) => unknown;

const JSON_READERS: Record<Field["type"]["kind"], KindReader> = {
  string: (field, value) => {
    if (typeof value !== "string") throw unfitJson(field, value);
    return requireWellFormed(field, value);
  },
  boolean: (field, value) => {
    if (typeof value !== "boolean") throw unfitJson(field, value);
    return value;
  },
  int: (field, value) => {
    if (typeof value !== "number" || (value | 0) !== value) throw unfitJson(field, value);
    return value;
  },
  long: (field, value) => {
    const isExact = typeof value === "bigint" || Number.isSafeInteger(value);
    if (!isExact) throw unfitJson(field, value);
    return requireInt64(field, BigInt(value as number | bigint));
  },
  float: (field, value) => requireSingle(field, readDouble(field, value)),
  bytes: (field, value) =>
    typeof value === "string" ? readBase64(field, value) : fail(field, value),
  double: readDouble,
  date: (field, value) => (typeof value === "string" ? readDate(field, value) : fail(field, value)),
  "timestamp-micros": (field, value) =>
    typeof value === "string" ? readTimestamp(field, value) : fail(field, value),
  decimal: (field, value) =>
    typeof value === "string" ? readDecimal(field, value) : fail(field, value),
  struct: readStruct,
  list: readList,
  map: readMap,
};

function childOf(field: Field, child: Field): Field {
  return { ...child, name: `${field.name}.${child.name}` };
}

function readStruct(field: Field, value: unknown): unknown {
  const object = requireObject(field, value);
  const fields = childFields(field.type as NestedType);
  for (const name of Object.keys(object)) {
    if (!fields.some((child) => child.name === name)) {
      throw new UnfitValue(field, quote(name), `one of ${fields.map((f) => f.name).join(", ")}`);
    }
  }
  const result = Object.create(null);
  for (const child of fields) {
    const given = Object.hasOwn(object, child.name) ? object[child.name] : undefined;
    result[child.name] = createJsonReader(childOf(field, child))(given);
  }
  return result;
}

function readList(field: Field, value: unknown): unknown {
  if (!Array.isArray(value)) throw unfitJson(field, value);
  const [element] = childFields(field.type as NestedType) as [Field];
  return value.map(createJsonReader(childOf(field, element)));
}

function readMap(field: Field, value: unknown): unknown {
  const object = requireObject(field, value);
  const { value: item } = field.type as { readonly value: Field };
  const read = createJsonReader(childOf(field, item));
  return new Map(
    Object.entries(object).map(([key, given]) => [requireWellFormed(field, key), read(given)]),
  );
}

function requireObject(field: Field, value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw unfitJson(field, value);
  }
  return value as Record<string, unknown>;
}

/** Nested values stand in a field of CSV as JSON. */
function readJsonText(field: Field, text: string): unknown {
  let value: unknown;
  try {
    value = parseExactJson(text);
  } catch {
    throw unfitText(field, text);
  }
  return createJsonReader(field)(value);
}

function readDouble(field: Field, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value)) return value;
  if (typeof value === "bigint") return Number(value);
  const special = typeof value === "string" ? SPECIAL_DOUBLES.get(value) : undefined;
  if (special === undefined) throw unfitJson(field, value);
  return special;
}

/** Values are rounded to single precision, but none becomes infinite by that. */
function requireSingle(field: Field, value: number): number {
  if (!Number.isFinite(value) || Number.isFinite(Math.fround(value))) return value;
  throw new UnfitValue(field, String(value), EXPECTED.float);
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function readBase64(field: Field, text: string): Uint8Array {
  if (!BASE64.test(text)) throw unfitText(field, text);
  return new Uint8Array(Buffer.from(text, "base64"));
}

function fail(field: Field, value: unknown): never {
  throw unfitJson(field, value);
}

/** Turns the text of a CSV field into the value that a row has. Throws `UnfitValue`. */
export type TextReader = (text: string) => unknown;

/** A reader of the bare text of a field. */
export function createTextReader(field: Field): TextReader {
  const read = TEXT_READERS[field.type.kind];
  return (text) => read(field, text);
}

const INTEGER = /^[+-]?\d+$/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

const TEXT_READERS: Record<Field["type"]["kind"], (field: Field, text: string) => unknown> = {
  string: requireWellFormed,
  boolean: (field, text) => {
    const value = BOOLEANS.get(text.toLowerCase());
    if (value === undefined) throw unfitText(field, text);
    return value;
  },
  int: (field, text) => {
    const value = Number(text);
    if (!INTEGER.test(text) || (value | 0) !== value) throw unfitText(field, text);
    return value | 0;
  },
  long: (field, text) => {
    if (!INTEGER.test(text) || text.length > 40) throw unfitText(field, text);
    return requireInt64(field, BigInt(text.replace("+", "")));
  },
  float: (field, text) => requireSingle(field, readDoubleText(field, text)),
  double: readDoubleText,
  bytes: readBase64,
  date: readDate,
  "timestamp-micros": readTimestamp,
  decimal: readDecimal,
  struct: readJsonText,
  list: readJsonText,
  map: readJsonText,
};

function readDoubleText(field: Field, text: string): number {
  const special = SPECIAL_DOUBLES.get(text);
  if (special !== undefined) return special;
  const value = Number(text);
  if (!NUMBER.test(text) || !Number.isFinite(value)) throw unfitText(field, text);
  return value;
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["false", false],
]);

const SPECIAL_DOUBLES: ReadonlyMap<string, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);

const INT64_MAX = 2n ** 63n - 1n;

function requireInt64(field: Field, value: bigint): bigint {
  if (value >= -INT64_MAX - 1n && value <= INT64_MAX) return value;
  throw new UnfitValue(field, String(value), EXPECTED.long);
}

function requireWellFormed(field: Field, text: string): string {
  if (text.isWellFormed()) return text;
  throw new UnfitValue(field, "half a surrogate pair", "well-formed Unicode");
}

/** The Date of JavaScript, which the row API takes, reaches 100 million days from 1970. */
const MAX_DATE_DAYS = 100_000_000;

function readDate(field: Field, text: string): Date {
  const days = parseDateText(text);
  if (days === undefined || Math.abs(days) > MAX_DATE_DAYS) throw unfitText(field, text);
  return new Date(days * 86_400_000);
}

function readTimestamp(field: Field, text: string): bigint {
  const micros = parseTimestampText(text);
  if (micros === undefined) throw unfitText(field, text);
  return micros;
}

function readDecimal(field: Field, text: string): string {
  const { precision, scale } = field.type as { precision: number; scale: number };
  const [, whole = "", fraction = ""] = /^[+-]?0*(\d*)(?:\.(\d+))?$/.exec(text) ?? [];
  const isDecimal = /^[+-]?\d+(\.\d+)?$/.test(text);
  if (!isDecimal || fraction.length > scale || whole.length > precision - scale) {
    throw new UnfitValue(field, quote(text), describeDecimal(precision, scale));
  }
  return text;
}

function describeDecimal(precision: number, scale: number): string {
  const digits = `at most ${precision - scale} digits`;
  return scale === 0 ? `a text of ${digits}` : `a text of ${digits}, a point and ${scale} digits`;
}

const EXPECTED: Record<Field["type"]["kind"], string> = {
  string: "a text",
  boolean: "true or false",
  int: "an integer from -2147483648 to 2147483647",
  long: "an integer from -9223372036854775808 to 9223372036854775807",
  float: 'a number of single precision, or the text "NaN", "Infinity" or "-Infinity"',
  bytes: "bytes in base64",
  double: 'a number, or the text "NaN", "Infinity" or "-Infinity"',
  date: "a day as yyyy-MM-dd",
  "timestamp-micros":
    "a time with its zone and at most six digits of a second, such as 2024-01-31T12:00:00.123456Z",
  decimal: 'the digits as a text, such as "12.50"',
  struct: "an object",
  list: "a list",
  map: "an object",
};

function unfitText(field: Field, text: string): UnfitValue {
  return new UnfitValue(field, quote(text), EXPECTED[field.type.kind]);
}

function unfitJson(field: Field, value: unknown): UnfitValue {
  return new UnfitValue(field, describeJson(value), EXPECTED[field.type.kind]);
}

function describeJson(value: unknown): string {
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  return String(value);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
