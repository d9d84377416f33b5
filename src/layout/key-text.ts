// The text that Hudi gives the values of key and partition columns; columns inside of structs.
// Rules: spec/format/record-key.md, RK-2, RK-12 and RK-18.

import { HudiError } from "../errors.ts";
import { bitmapBytes, isBitSet, setBit } from "../format/bitmap.ts";
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  isPresent,
  requireColumn,
} from "../format/column-batch.ts";
import { type Field, formatType, requireField, type TableSchema } from "../format/schema.ts";
import type { Steps } from "../runtime/steps.ts";
import { dayOfEpoch } from "./calendar.ts";
import { processTimeZone } from "./time-zone.ts";

const KEY_KINDS: ReadonlySet<string> = new Set([
  "string",
  "enum",
  "int",
  "long",
  "date",
  "boolean",
  "timestamp-micros",
]);

/** Rows worked through between two steps. */
const ROWS_A_STEP = 65_536;
/** Bytes of the longest text of a value that is none: a time, or the least long. */
const LONGEST_TEXT = 23;

/**
 * The field of that name, which may lie in structs: `user.id`. It allows null where one of the structs
 * does. Throws `INVALID` naming what is not there.
 */
export function requireKeyPath(schema: TableSchema, path: string): Field {
  const [first = "", ...inner] = path.split(".");
  let field = requireField(schema, first);
  for (const name of inner) {
    const { type } = field;
    const child: Field | undefined =
      type.kind === "struct" ? type.fields.find((one) => one.name === name) : undefined;
    if (!child) {
      const expected =
        type.kind === "struct" ? type.fields.map((one) => one.name).join(", ") : "a struct";
      throw new HudiError(
        "INVALID",
        `cannot find column ${path}: ${field.name} is ${formatType(type)} without ${name}, expected ${expected}`,
      );
    }
    field = { ...child, nullable: child.nullable || field.nullable };
  }
  return { ...field, name: path };
}

/** The values of the field of that name, which may lie in structs: null where one of them is. */
export function requireKeyColumn(batch: ColumnBatch, path: string): Column {
  const [first = "", ...inner] = path.split(".");
  let column = requireColumn(batch, first);
  let { type } = requireField(batch.schema, first);
  for (const name of inner) {
    const fields = type.kind === "struct" ? type.fields : [];
    const at = fields.findIndex((one) => one.name === name);
    const child = column.layout === "struct" ? column.children[at] : undefined;
    if (!child) throw new HudiError("INVALID", `cannot find column ${path}: ${name} is not there`);
    type = (fields[at] as Field).type;
    column = hideNullParents(column, child);
  }
  return column;
}

/** A value in a struct that is null is null. */
function hideNullParents(parent: Column, child: Column): Column {
  if (!parent.validity) return child;
  const validity = new Uint8Array(bitmapBytes(parent.rowCount));
  for (let row = 0; row < parent.rowCount; row += 1) {
    if (isPresent(parent, row) && isPresent(child, row)) setBit(validity, row);
  }
  return { ...child, validity };
}

/** The column of the table that holds the field of that name. */
export function topColumn(path: string): string {
  return path.split(".", 1)[0] as string;
}

/** Checks that a column can serve as record key or partition column; throws `INVALID`. */
export function requireKeyField(schema: TableSchema, name: string, role: string): Field {
  const field = requireKeyPath(schema, name);
  if (KEY_KINDS.has(field.type.kind)) return field;
  throw new HudiError(
    "INVALID",
    `cannot use column ${name} as ${role}: found type ${formatType(field.type)}, expected one of ${[...KEY_KINDS].join(", ")}`,
  );
}

/** The values of a key column as text in UTF-8. Strings are shared, not copied. */
export function* formatColumn(
  field: Field,
  column: Column,
  hasLogicalTimestamps: boolean = false,
): Steps<BytesColumn> {
  if (column.layout === "bytes") return column;
  const { rowCount, validity } = column;
  const isMoment = field.type.kind === "timestamp-micros" && hasLogicalTimestamps;
  const format = isMoment ? momentFormatter(field, column) : keyFormatter(field, column);
  const offsets = new Int32Array(rowCount + 1);
  const data = Buffer.allocUnsafeSlow(rowCount * LONGEST_TEXT);
  let used = 0;
  for (let row = 0; row < rowCount; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    if (isPresent(column, row)) used += data.write(format(row), used, "latin1");
    offsets[row + 1] = used;
  }
  const texts = new Uint8Array(data.buffer, data.byteOffset, used);
  return { layout: "bytes", rowCount, validity, offsets, data: texts };
}

function keyFormatter(field: Field, column: Column): (row: number) => string {
  switch (column.layout) {
    case "bits":
      return (row) => String(isBitSet(column.values, row));
    case "int32":
      return field.type.kind === "date"
        ? (row) => formatDays(column.values[row] as number)
        : (row) => String(column.values[row]);
    case "int64":
      return (row) => String(column.values[row]);
    default:
      throw new HudiError(
        "UNSUPPORTED",
        `cannot use column ${field.name} as a key: type ${formatType(field.type)}`,
      );
  }
}

/** The first day that Java's clocks and ours show alike: older ones follow the Julian calendar there. */
const FIRST_GREGORIAN_MS = -12_219_292_800_000;

/** `yyyy-MM-dd HH:mm:ss.S` as clocks of the process show it, cut to milliseconds, as Java writes it. */
function momentFormatter(field: Field, column: Column): (row: number) => string {
  if (column.layout !== "int64") return keyFormatter(field, column);
  const zone = processTimeZone();
  return (row) => {
    const ms = Number((column.values[row] as bigint) / 1000n);
    const local = new Date(ms + zone.offsetAt(ms));
    const year = local.getUTCFullYear();
    if (ms < FIRST_GREGORIAN_MS || !(year <= 9999)) {
      throw new HudiError(
        "INVALID",
        `cannot use ${column.values[row]} of column ${field.name} in a key: expected a time of the years 1583 to 9999`,
      );
    }
    const [day, time] = local.toISOString().slice(0, -1).split("T");
    return `${day} ${time?.replace(/0{1,2}$/, "")}`;
  };
}

/**
 * A day as Java writes it: `yyyy-MM-dd`, with a sign before years of more than four digits and before
 * those that are negative.
 */
function formatDays(daysSinceEpoch: number): string {
  const { year, month, day } = dayOfEpoch(daysSinceEpoch);
  const sign = year < 0 ? "-" : year > 9999 ? "+" : "";
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${sign}${String(Math.abs(year)).padStart(4, "0")}-${two(month)}-${two(day)}`;
}
