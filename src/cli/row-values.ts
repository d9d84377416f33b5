// Values of rows from JSON and from text: what the command takes in. Rules: spec/protocol/cli.md, CLI-9
// to CLI-13.
import { HudiError } from "../errors.ts";
import { childFields, type Field, formatFieldType, type NestedType } from "../format/schema.ts";
import { parseTimeOfDay } from "../format/time-of-day.ts";
import { parseExactJson } from "../ingest/exact-json.ts";
import { parseDateText, parseTimestampText, timestampForm } from "./time-text.ts";

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
  bytes: ofText(readBase64),
  double: readDouble,
  date: ofText(readDate),
  "time-millis": ofText(readTime),
  "time-micros": ofText(readTime),
  "timestamp-millis": ofText(readTimestamp),
  "timestamp-micros": ofText(readTimestamp),
  "local-timestamp-millis": ofText(readTimestamp),
  "local-timestamp-micros": ofText(readTimestamp),
  decimal: ofText(readDecimal),
  fixed: ofText(readFixed),
  enum: ofText(readSymbol),
  struct: readStruct,
  list: readList,
  map: readMap,
};

/** A reader of values that come as text. */
function ofText(read: (field: Field, text: string) => unknown): KindReader {
  return (field, value) => {
    if (typeof value !== "string") throw unfitJson(field, value);
    return read(field, value);
  };
}

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

function readFixed(field: Field, text: string): Uint8Array {
  const bytes = readBase64(field, text);
  const { length } = field.type as { readonly length: number };
  if (bytes.length === length) return bytes;
  throw new UnfitValue(field, `${bytes.length} bytes`, `${length} bytes in base64`);
}

function readSymbol(field: Field, text: string): string {
  const { symbols } = field.type as { readonly symbols: readonly string[] };
  if (symbols.includes(text)) return text;
  const names = symbols.join(", ");
  throw new UnfitValue(field, quote(text), `one of ${names.length > 200 ? "its symbols" : names}`);
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
  "time-millis": readTime,
  "time-micros": readTime,
  "timestamp-millis": readTimestamp,
  "timestamp-micros": readTimestamp,
  "local-timestamp-millis": readTimestamp,
  "local-timestamp-micros": readTimestamp,
  decimal: readDecimal,
  fixed: readFixed,
  enum: readSymbol,
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

function readTime(field: Field, text: string): number | bigint {
  const isMillis = field.type.kind === "time-millis";
  const units = parseTimeOfDay(text, isMillis ? "millis" : "micros");
  if (units === undefined) throw unfitText(field, text);
  return isMillis ? units : BigInt(units);
}

function readTimestamp(field: Field, text: string): bigint {
  const form = timestampForm(field.type.kind);
  const units = form && parseTimestampText(text, { form });
  if (units === undefined) throw unfitText(field, text);
  return units;
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
  "time-millis": "a time of the day with at most three digits of a second, such as 12:00:00.123",
  "time-micros": "a time of the day with at most six digits of a second, such as 12:00:00.123456",
  "timestamp-millis":
    "a time with its zone and at most three digits of a second, such as 2024-01-31T12:00:00.123Z",
  "timestamp-micros":
    "a time with its zone and at most six digits of a second, such as 2024-01-31T12:00:00.123456Z",
  "local-timestamp-millis": "a time without zone, such as 2024-01-31T12:00:00.123",
  "local-timestamp-micros": "a time without zone, such as 2024-01-31T12:00:00.123456",
  fixed: "bytes in base64",
  enum: "one of its symbols",
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
