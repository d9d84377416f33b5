// Values of rows as text: for JSON lines, for CSV and for people. What is printed reads back as the same
// value, in row-values.ts. Rules: spec/protocol/cli.md, CLI-9 to CLI-13.

import {
  type Column,
  isPresent,
  type ListColumn,
  type StructColumn,
} from "../format/column-batch.ts";
import { createValueReader } from "../format/row-batch.ts";
import { childFields, type Field, type NestedType } from "../format/schema.ts";
import { formatTimeOfDay } from "../format/time-of-day.ts";
import { formatDate, formatTimestamp, timestampForm } from "./time-text.ts";

/** The text of one row of a column. */
export type ValueFormatter = (row: number) => string;

/** The bare text of the values that are present: what CSV and tables show. */
export function createTextFormatter(field: Field, column: Column): ValueFormatter {
  switch (column.layout) {
    case "int32":
    case "int64":
      return createNumberFormatter(field, column.values);
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
    case "fixed": {
      if (field.type.kind === "decimal") {
        return createValueReader(field, column) as (row: number) => string;
      }
      const { widthBytes } = column;
      const data = Buffer.from(column.data.buffer, column.data.byteOffset, column.data.length);
      return (row) => data.toString("base64", row * widthBytes, (row + 1) * widthBytes);
    }
    case "struct":
    case "list":
      return createNestedJson(field, column);
    case "bits": {
      const read = createValueReader(field, column);
      return (row) => String(read(row));
    }
  }
}

function createNumberFormatter(
  { type: { kind } }: Field,
  values: Int32Array | BigInt64Array,
): ValueFormatter {
  const form = timestampForm(kind);
  if (form) return (row) => formatTimestamp(values[row] as bigint, form);
  switch (kind) {
    case "date":
      return (row) => formatDate(values[row] as number);
    case "time-millis":
      return (row) => formatTimeOfDay(values[row] as number, "millis");
    case "time-micros":
      return (row) => formatTimeOfDay(values[row] as bigint, "micros");
    default:
      return (row) => String(values[row]);
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
