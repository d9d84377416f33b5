// Fields of a record that came out of JSON or Avro, each with the type it must have. Unknown fields
// are never looked at, and no name can reach a prototype. Rules: spec/format/commit-metadata.md CM-7.
import { HudiError } from "../errors.ts";

/** A decoded record: a JSON object, or an Avro record. */
export type UntypedRecord = Readonly<Record<string, unknown>>;

/** `value` as a record; throws `CORRUPT` naming the file and `place` when it is something else. */
export function requireRecord(value: unknown, place: string, path: string): UntypedRecord {
  if (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map)
  ) {
    return value as UntypedRecord;
  }
  throw wrongType(value, place, "a record", path);
}

/** The text of a field; undefined when it is absent or null. */
export function findText(record: UntypedRecord, name: string, path: string): string | undefined {
  const value = findField(record, name);
  if (value === undefined || typeof value === "string") return value;
  throw wrongType(value, name, "text", path);
}

/** The text of a field; throws `CORRUPT` when it is absent or null. */
export function requireText(record: UntypedRecord, name: string, path: string): string {
  const value = findField(record, name);
  if (typeof value === "string") return value;
  throw wrongType(value, name, "text", path);
}

/** A whole number that a number holds exactly; undefined when it is absent or null. */
export function findNumber(record: UntypedRecord, name: string, path: string): number | undefined {
  const value = findField(record, name);
  if (value === undefined || Number.isSafeInteger(value)) return value as number | undefined;
  throw wrongType(value, name, "a whole number below 2^53", path);
}

/** A boolean; undefined when it is absent or null. */
export function findFlag(record: UntypedRecord, name: string, path: string): boolean | undefined {
  const value = findField(record, name);
  if (value === undefined || typeof value === "boolean") return value;
  throw wrongType(value, name, "true or false", path);
}

/** The items of a list; none when it is absent or null. */
export function readList(record: UntypedRecord, name: string, path: string): readonly unknown[] {
  const value = findField(record, name) ?? [];
  if (Array.isArray(value)) return value;
  throw wrongType(value, name, "a list", path);
}

/** A list of records; none when it is absent or null. */
export function readRecords(
  record: UntypedRecord,
  name: string,
  path: string,
): readonly UntypedRecord[] {
  return requireRecords(readList(record, name, path), name, path);
}

/** `value` as a list of records. */
export function requireRecords(
  value: unknown,
  place: string,
  path: string,
): readonly UntypedRecord[] {
  if (!Array.isArray(value)) throw wrongType(value, place, "a list", path);
  return value.map((item) => requireRecord(item, `${place}[]`, path));
}

/** A list of texts; none when it is absent or null. */
export function readTexts(record: UntypedRecord, name: string, path: string): readonly string[] {
  return requireTexts(readList(record, name, path), name, path);
}

/** `value` as a list of texts. */
export function requireTexts(value: unknown, place: string, path: string): readonly string[] {
  if (!Array.isArray(value)) throw wrongType(value, place, "a list", path);
  for (const item of value) {
    if (typeof item !== "string") throw wrongType(item, `${place}[]`, "text", path);
  }
  return value as readonly string[];
}

/** The entries of a map in the order of the file; none when it is absent or null. */
export function readEntries(
  record: UntypedRecord,
  name: string,
  path: string,
): Iterable<[string, unknown]> {
  const value = findField(record, name);
  if (value === undefined) return [];
  if (value instanceof Map) return value as Map<string, unknown>;
  return Object.entries(requireRecord(value, name, path));
}

/** A map to texts; entries that are null are left out. */
export function readTextMap(
  record: UntypedRecord,
  name: string,
  path: string,
): ReadonlyMap<string, string> {
  const texts = new Map<string, string>();
  for (const [key, value] of readEntries(record, name, path)) {
    if (typeof value === "string") texts.set(key, value);
    else if (value !== null) throw wrongType(value, `${name}.${key}`, "text", path);
  }
  return texts;
}

/** A map to whole numbers; undefined when it is absent or null. */
export function findNumberMap(
  record: UntypedRecord,
  name: string,
  path: string,
): ReadonlyMap<string, number> | undefined {
  if (findField(record, name) === undefined) return undefined;
  const numbers = new Map<string, number>();
  for (const [key, value] of readEntries(record, name, path)) {
    if (!Number.isSafeInteger(value)) {
      throw wrongType(value, `${name}.${key}`, "a whole number below 2^53", path);
    }
    numbers.set(key, value as number);
  }
  return numbers;
}

/** A value of a field that is neither absent nor null. */
export function findField(record: UntypedRecord, name: string): unknown {
  return Object.hasOwn(record, name) ? (record[name] ?? undefined) : undefined;
}

function wrongType(value: unknown, place: string, expected: string, path: string): HudiError {
  const found =
    value === null || value === undefined
      ? "nothing"
      : Array.isArray(value)
        ? "a list"
        : value instanceof Map
          ? "a map"
          : typeof value === "object"
            ? "a record"
            : `${typeof value} ${String(value).slice(0, 60)}`;
  const shown = place.length > 120 ? `${place.slice(0, 120)}...` : place;
  return new HudiError(
    "CORRUPT",
    `cannot read ${path}: found ${found} in ${JSON.stringify(shown)}, expected ${expected}`,
    { path },
  );
}
