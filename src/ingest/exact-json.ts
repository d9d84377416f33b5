// JSON whose integers stay exact. Parsing with a reviver is ten times slower than without, so a text
// is parsed plainly first and again only where a number in use may have been rounded.
// Rules: spec/protocol/ingest.md, ING-5.

/** A JSON object; any name in it is data. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}
/** What JSON holds; a bigint is an integer that a number cannot hold exactly. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | JsonObject;

/** The longest text of an integer of 64 bits. */
const MAX_INTEGER_DIGITS = 20;
const INTEGER = /^-?\d+$/;

/**
 * Parses JSON with every integer of up to 64 bits exact: a bigint where a number would round it.
 * Throws `SyntaxError` for text that is no JSON and `RangeError` for thousands of levels.
 */
export function parseExactJson(text: string): JsonValue {
  return JSON.parse(text, reviveExactly as (key: string, value: unknown) => unknown) as JsonValue;
}

function reviveExactly(
  _name: string,
  value: unknown,
  context: { readonly source?: string },
): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  const source = context.source ?? "";
  return source.length <= MAX_INTEGER_DIGITS && INTEGER.test(source) ? BigInt(source) : value;
}

/** Whether a value of a plain parse stands for something that it may not equal. */
export function mayBeRounded(value: unknown): boolean {
  if (typeof value === "number") return Number.isInteger(value) && !Number.isSafeInteger(value);
  return typeof value === "object" && value !== null;
}

/** Whether a value is a JSON object: no null and no list. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of an object, or undefined; names of the prototype are not found. */
export function findMember(object: JsonObject, name: string): JsonValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** A value in a message: its type and the beginning of its text, on one line. */
export function describeJson(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "an object";
  const text = typeof value === "string" ? JSON.stringify(value.slice(0, 40)) : String(value);
  return `${typeof value} ${text.slice(0, 60)}`;
}
