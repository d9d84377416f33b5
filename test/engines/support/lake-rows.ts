// Rows of our own API beside the rows of engines: one form for both, so that they compare by value.

import type { Field, TableSchema } from "../../../src/format/schema.ts";
import type { EngineColumn, EngineRow, EngineValue } from "./engine-rows.ts";

/** A row as the API of the library takes and gives it. */
export type LakeRow = Record<string, unknown>;

/** The name that the engine drivers give the type of a column. */
export function formatEngineType({ type }: Pick<Field, "type">): string {
  if (type.kind === "decimal") return `decimal(${type.precision},${type.scale})`;
  return type.kind === "timestamp-micros" ? "timestamp" : type.kind;
}

/** The columns of a table as the engine drivers take them. */
export function listEngineColumns(schema: TableSchema): EngineColumn[] {
  return schema.fields.map((field) => ({ name: field.name, type: formatEngineType(field) }));
}

/** The columns of a table in Spark's notation, for a frame that is written to it. */
export function formatSparkColumns(schema: TableSchema): string {
  return schema.fields
    .map((field) => {
      const type = formatEngineType(field).replace("long", "bigint");
      return `${field.name} ${type}${field.nullable ? "" : " NOT NULL"}`;
    })
    .join(", ");
}

/** A row of the API in the form of the engine drivers; columns that it lacks stay out. */
export function toEngineRow(row: LakeRow): EngineRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name, toEngineValue(value)]),
  );
}

function toEngineValue(value: unknown): EngineValue {
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value as EngineValue;
}

/** A row of an engine in the form that the API takes: a date may stay a text, NaN may not. */
export function toLakeRow(row: EngineRow, schema: TableSchema): LakeRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const isDouble = schema.fields.some((one) => one.name === name && one.type.kind === "double");
      return [name, isDouble && typeof value === "string" ? Number(value) : value];
    }),
  );
}

/** Every row of a scan in the form of the engine drivers. */
export async function collectEngineRows(scan: AsyncIterable<object>): Promise<EngineRow[]> {
  const rows: EngineRow[] = [];
  for await (const row of scan) rows.push(toEngineRow(row as LakeRow));
  return rows;
}
