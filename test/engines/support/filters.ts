// Filters on every column of a table, as SQL and as our own predicates, with the keys that each must
// find: what shows that the statistics in our files never hide a row.

import type { Predicate } from "../../../src/index.ts";
import type { EngineColumn, EngineRow, EngineValue } from "./engine-rows.ts";

/** One condition on one column. A value of null stands for "is null". */
export interface Filter {
  readonly column: string;
  readonly type: string;
  readonly operator: "=" | "<=" | ">";
  readonly value: EngineValue;
}

/** A way to write a filter down in an engine's SQL; Trino reads that of Presto. */
export type SqlDialect = "spark" | "presto";

const VALUES_A_COLUMN = 3;

/**
 * Conditions on every column with values that the rows have. Of a double only those on which the
 * engines agree: they differ in whether NaN is greater than a number.
 */
export function listFilters(
  columns: readonly EngineColumn[],
  rows: readonly EngineRow[],
): Filter[] {
  return columns.flatMap(({ name: column, type }) => {
    const values = [...new Set(rows.map((row) => row[column] ?? null))].filter(
      (value) => value !== null && value !== "NaN",
    );
    const step = Math.max(1, Math.floor(values.length / VALUES_A_COLUMN));
    const picked = values.filter((_, index) => index % step === 0).slice(0, VALUES_A_COLUMN);
    const more: readonly Filter["operator"][] =
      type === "boolean" ? [] : type === "double" ? ["<="] : ["<=", ">"];
    return [
      ...[null, ...picked].map((value): Filter => ({ column, type, operator: "=", value })),
      ...more.map((operator): Filter => ({ column, type, operator, value: picked[1] ?? null })),
    ].filter(({ operator, value }) => operator === "=" || value !== null);
  });
}

/** Whether a row passes, by the order of the type. */
export function passesFilter(filter: Filter, row: EngineRow): boolean {
  const value = row[filter.column] ?? null;
  if (filter.value === null || value === null) return filter.value === value;
  const order = compareValues(filter.type, value, filter.value);
  if (filter.operator === "=") return order === 0;
  return filter.operator === "<=" ? order <= 0 : order > 0;
}

/** NaN is no order at all. */
function compareValues(type: string, a: EngineValue, b: EngineValue): number {
  if (type === "string") return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
  const [left, right] = [comparable(type, a), comparable(type, b)];
  return left < right ? -1 : left > right ? 1 : left === right ? 0 : Number.NaN;
}

function comparable(type: string, value: EngineValue): number | bigint | string {
  if (type.startsWith("decimal")) return BigInt(String(value).replace(".", ""));
  if (type === "double") return Number(value);
  return value as number | bigint | string;
}

/** The condition in SQL, the column quoted as the engine quotes. */
export function formatSqlFilter(filter: Filter, dialect: SqlDialect): string {
  const column = dialect === "spark" ? `\`${filter.column}\`` : `"${filter.column}"`;
  if (filter.value === null) return `${column} IS NULL`;
  return `${column} ${filter.operator} ${formatLiteral(filter, dialect)}`;
}

function formatLiteral({ type, value }: Filter, dialect: SqlDialect): string {
  if (type === "string") return formatText(String(value), dialect);
  if (type === "timestamp") {
    if (dialect === "spark") return `timestamp_micros(${castText(String(value), "bigint")})`;
    return `TIMESTAMP '${formatTimestamp(value as bigint)}'`;
  }
  return castText(String(value), type === "long" ? "bigint" : type);
}

// Presto takes three digits of a second at most; its own values have no more.
function formatTimestamp(micros: bigint): string {
  const seconds = micros / 1_000_000n - (micros % 1_000_000n < 0n ? 1n : 0n);
  const fraction = String(micros - seconds * 1_000_000n).padStart(6, "0");
  const [date = "", time = ""] = new Date(Number(seconds) * 1000).toISOString().split("T");
  return `${date.replace("+0", "+")} ${time.slice(0, 8)}.${fraction.replace(/000$/, "")}`;
}

function castText(text: string, type: string): string {
  return `CAST('${text}' AS ${type})`;
}

function formatText(text: string, dialect: SqlDialect): string {
  if (dialect === "presto") return `'${text.replaceAll("'", "''")}'`;
  const escaped = text.replace(/[\\']/g, "\\$&").replaceAll("\n", "\\n").replaceAll("\r", "\\r");
  return `'${escaped}'`;
}

/** The condition as our own reader takes it. */
export function toPredicate({ column, type, operator, value }: Filter): Predicate {
  if (value === null) return { kind: "is-null", column } as Predicate;
  const names = { "=": "eq", "<=": "lte", ">": "gt" } as const;
  const operand = type === "double" ? Number(value) : value;
  return { kind: "compare", column, operator: names[operator], value: operand } as Predicate;
}
