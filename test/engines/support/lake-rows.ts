// Rows of our own API beside the rows of engines: one form for both, so that they compare by value.

import { type Field, isNested, type TableSchema } from "../../../src/format/schema.ts";
import type { EngineColumn, EngineRow, EngineValue } from "./engine-rows.ts";
import { formatNested, formatNestedType, parseNested } from "./nested-text.ts";

/** A row as the API of the library takes and gives it. */
export type LakeRow = Record<string, unknown>;

/** The name that the engine drivers give the type of a column. */
export function formatEngineType({ type }: Pick<Field, "type">): string {
  if (type.kind === "decimal") return `decimal(${type.precision},${type.scale})`;
  if (isNested(type)) return formatNestedType(type, (field) => sparkType(formatEngineType(field)));
  return ENGINE_TYPES[type.kind] ?? type.kind;
}

/** Types that engines see as another one: times are numbers to them. */
const ENGINE_TYPES: Partial<Record<Field["type"]["kind"], string>> = {
  bytes: "binary",
  fixed: "binary",
  enum: "string",
  "time-millis": "int",
  "time-micros": "long",
  "timestamp-millis": "timestamp",
  "timestamp-micros": "timestamp",
};

function sparkType(type: string): string {
  return type === "long" ? "bigint" : type;
}

/** The columns of a table as the engine drivers take them. */
export function listEngineColumns(schema: TableSchema): EngineColumn[] {
  return schema.fields.map((field) => ({ name: field.name, type: formatEngineType(field) }));
}

/** The columns of a table in Spark's notation, for a frame that is written to it. */
export function formatSparkColumns(schema: TableSchema): string {
  return schema.fields
    .map((field) => {
      const type = sparkType(formatEngineType(field));
      return `${field.name} ${type}${field.nullable ? "" : " NOT NULL"}`;
    })
    .join(", ");
}

/** A row of the API in the form of the engine drivers; columns that it lacks stay out. */
export function toEngineRow(row: LakeRow, schema?: TableSchema): EngineRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const field = schema?.fields.find((one) => one.name === name);
      if (value !== null && field && isNested(field.type))
        return [name, formatNested(value, field)];
      // Engines show every timestamp in microseconds.
      const isMillis = field?.type.kind === "timestamp-millis" && typeof value === "bigint";
      return [name, toEngineValue(isMillis ? value * 1000n : value)];
    }),
  );
}

function toEngineValue(value: unknown): EngineValue {
  if (value instanceof Date) return value.toISOString().slice(0, 10);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value as EngineValue;
}

/** A row of an engine in the form that the API takes: a date may stay a text, NaN may not. */
export function toLakeRow(row: EngineRow, schema: TableSchema): LakeRow {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => {
      const field = schema.fields.find((one) => one.name === name);
      if (field?.type.kind === "timestamp-millis" && typeof value === "bigint") {
        return [name, value / 1000n];
      }
      if (typeof value !== "string" || !field) return [name, value];
      if (isNested(field.type)) return [name, parseNested(value, field)];
      if (field.type.kind === "bytes" || field.type.kind === "fixed")
        return [name, new Uint8Array(Buffer.from(value, "base64"))];
      const isReal = field.type.kind === "double" || field.type.kind === "float";
      return [name, isReal ? Number(value) : value];
    }),
  );
}

/** Every row of a scan in the form of the engine drivers. */
export async function collectEngineRows(
  scan: AsyncIterable<object>,
  schema?: TableSchema,
): Promise<EngineRow[]> {
  const rows: EngineRow[] = [];
  for await (const row of scan) rows.push(toEngineRow(row as LakeRow, schema));
  return rows;
}
