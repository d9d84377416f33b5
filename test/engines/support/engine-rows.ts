// The one form in which every engine hands over rows, so that rows of different engines and of our
// own model compare by value: the values, the JSON document that carries them, their order-free text.

import { createHash } from "node:crypto";

/**
 * A value of a row. A `long` and a `timestamp` (microseconds since the epoch) are bigints; an `int`,
 * `float` or `double` is a number, except that NaN and the infinities are the strings `"NaN"`,
 * `"Infinity"`, `"-Infinity"`; a decimal is a string with its full scale; a date is `yyyy-MM-dd`;
 * binary is base64.
 */
export type EngineValue = null | boolean | number | bigint | string;

/** One row: column name to value. A column of the table is always present, null included. */
export type EngineRow = Record<string, EngineValue>;

/**
 * A column of an engine's answer: its name and its type (`string`, `boolean`, `int`, `long`,
 * `float`, `double`, `date`, `timestamp`, `decimal(p,s)`, `binary`, or `null` for an untyped null).
 */
export interface EngineColumn {
  readonly name: string;
  readonly type: string;
}

/** Rows as JSON text can hold them: longs, timestamps and decimals are strings. */
export interface EngineTableJson {
  readonly columns: readonly EngineColumn[];
  readonly rows: readonly (readonly (null | boolean | number | string)[])[];
}

/** Turns the JSON form into rows; a name like `__proto__` becomes an own property. */
export function decodeEngineRows(table: EngineTableJson): EngineRow[] {
  return table.rows.map((values) =>
    Object.fromEntries(
      table.columns.map(({ name, type }, index) => [
        name,
        decodeValue(type, values[index] ?? null),
      ]),
    ),
  );
}

function decodeValue(type: string, value: null | boolean | number | string): EngineValue {
  return value !== null && (type === "long" || type === "timestamp") ? BigInt(value) : value;
}

/** Turns rows into the JSON form, the inverse of `decodeEngineRows`. */
export function encodeEngineRows(
  columns: readonly EngineColumn[],
  rows: readonly EngineRow[],
): EngineTableJson {
  return {
    columns,
    rows: rows.map((row) =>
      columns.map(({ name }) => {
        const value = Object.hasOwn(row, name) ? (row[name] ?? null) : null;
        return typeof value === "bigint" ? value.toString() : value;
      }),
    ),
  };
}

/**
 * The text of a row that equals the text of another row exactly when both have the same columns
 * with the same values; the order of columns does not matter. `12`, `12n` and `"12"` differ, and
 * so do `0` and `-0`.
 */
export function canonicalRow(row: EngineRow): string {
  const names = Object.keys(row).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${formatValue(row[name] ?? null)}`).join(",")}}`;
}

function formatValue(value: EngineValue): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value !== "number") return JSON.stringify(value);
  if (!Number.isFinite(value)) return JSON.stringify(String(value));
  return Object.is(value, -0) ? "-0" : String(value);
}

/** The sorted texts of rows: equal for equal multisets of rows, and good to show as a difference. */
export function canonicalRows(rows: Iterable<EngineRow>): string[] {
  return Array.from(rows, canonicalRow).sort();
}

/** A digest of rows that does not depend on their order; duplicates count. */
export function digestRows(rows: Iterable<EngineRow>): string {
  const hash = createHash("sha256");
  for (const text of canonicalRows(rows)) hash.update(text).update("\n");
  return hash.digest("hex");
}

/**
 * The text of a JSON document: the fields of `head`, the columns, and one row a line, sorted by
 * the column `sortBy`. A negative zero stays one.
 */
export function formatEngineTable(table: EngineTableJson, head: object, sortBy: string): string {
  const key = table.columns.findIndex(({ name }) => name === sortBy);
  const rows = [...table.rows].sort((a, b) => (String(a[key]) < String(b[key]) ? -1 : 1));
  const fields = Object.entries({ ...head, columns: table.columns }).map(
    ([name, value]) => `${JSON.stringify(name)}: ${JSON.stringify(value)},\n`,
  );
  const lines = rows.map((row) => `  [${row.map(formatJsonValue).join(", ")}]`);
  return `{\n${fields.join("")}"rows": [\n${lines.join(",\n")}\n]\n}\n`;
}

function formatJsonValue(value: null | boolean | number | string): string {
  return Object.is(value, -0) ? "-0.0" : JSON.stringify(value);
}
