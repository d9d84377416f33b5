// Record key and partition path of each row, as bytes; the names of the meta columns.
// Rules: spec/format/record-key.md, RK-1 to RK-8.

import { HudiError } from "../errors.ts";
import { isBitSet } from "../format/bitmap.ts";
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  isPresent,
  requireColumn,
} from "../format/column-batch.ts";
import { KeyTable } from "../format/key-table.ts";
import { type Field, formatType, requireField, type TableSchema } from "../format/schema.ts";
import type { Steps } from "../runtime/steps.ts";

/** The meta columns, in the order in which every base file begins. */
export const META_FIELDS: readonly string[] = [
  "_hoodie_commit_time",
  "_hoodie_commit_seqno",
  "_hoodie_record_key",
  "_hoodie_partition_path",
  "_hoodie_file_name",
];

/** The path segment of a row whose partition value is null or empty. */
export const DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__";

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

/** Checks that a column can serve as record key or partition column; throws `INVALID`. */
export function requireKeyField(schema: TableSchema, name: string, role: string): Field {
  const field = requireField(schema, name);
  if (KEY_KINDS.has(field.type.kind)) return field;
  throw new HudiError(
    "INVALID",
    `cannot use column ${name} as ${role}: found type ${formatType(field.type)}, expected one of ${[...KEY_KINDS].join(", ")}`,
  );
}

/** The meta columns as fields, followed by the columns of the table. */
export function addMetaFields(schema: TableSchema): TableSchema {
  const meta = META_FIELDS.map(
    (name, index): Field => ({ id: -1 - index, name, type: { kind: "string" }, nullable: true }),
  );
  return { name: schema.name, fields: [...meta, ...schema.fields] };
}

/**
 * The record key of each row, in the text form that Hudi gives the type of the key column. Throws
 * `INVALID` naming the row whose key is null or empty.
 */
export function* recordKeys(
  batch: ColumnBatch,
  keyField: string,
  describeRow: (row: number) => string,
): Steps<BytesColumn> {
  const column = requireColumn(batch, keyField);
  const field = requireField(batch.schema, keyField);
  const keys = yield* formatColumn(field, column);
  for (let row = 0; row < batch.rowCount; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    if (!isPresent(column, row) || keys.offsets[row] === keys.offsets[row + 1]) {
      throw new HudiError(
        "INVALID",
        `cannot use ${describeRow(row)}: record key ${keyField} is ${isPresent(column, row) ? "empty" : "null"}, expected a value`,
      );
    }
  }
  return keys;
}

/** The partition of each row: `paths[partitionOfRow[row]]`. */
export interface RowPartitions {
  readonly paths: readonly string[];
  readonly partitionOfRow: Int32Array;
}

/** How partition values become paths. */
export interface PartitionStyle {
  readonly field: string | undefined;
  readonly hiveStyle: boolean;
  readonly urlEncode: boolean;
}

/** The partition path of each row. Throws `INVALID` naming the row whose value makes no path. */
export function* rowPartitions(
  batch: ColumnBatch,
  style: PartitionStyle,
  describeRow: (row: number) => string,
): Steps<RowPartitions> {
  const partitionOfRow = new Int32Array(batch.rowCount);
  if (style.field === undefined) return { paths: [""], partitionOfRow };
  const column = requireColumn(batch, style.field);
  const texts = yield* formatColumn(requireField(batch.schema, style.field), column);
  const values = new KeyTable(64);
  const paths: string[] = [];
  for (let row = 0; row < batch.rowCount; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    const start = isPresent(column, row) ? (texts.offsets[row] as number) : 0;
    const end = isPresent(column, row) ? (texts.offsets[row + 1] as number) : 0;
    const id = values.add(0, texts.data, start, end);
    if (id === paths.length) {
      const value = Buffer.from(values.keyBytes(id)).toString("utf8");
      paths.push(formatPartitionPath(value, style, () => describeRow(row)));
    }
    partitionOfRow[row] = id;
  }
  return { paths, partitionOfRow };
}

/** The partition path of one value; an empty text stands for null as well. */
export function formatPartitionPath(
  value: string,
  style: PartitionStyle,
  describe: () => string,
): string {
  const encoded = style.urlEncode ? encodePartitionValue(value) : value;
  if (!style.urlEncode && /[/\\]/.test(value)) {
    throw invalidPartition(describe(), style.field, value, "it holds / or \\");
  }
  const segment = encoded === "" ? DEFAULT_PARTITION : encoded;
  if (/\p{Cc}/u.test(segment)) {
    throw invalidPartition(describe(), style.field, value, "it holds a control character");
  }
  if (segment.includes("..") || segment === ".") {
    throw invalidPartition(describe(), style.field, value, "it holds .. or is a dot");
  }
  const path = style.hiveStyle ? `${style.field}=${segment}` : segment;
  if (!style.hiveStyle && (path.startsWith(".") || path === "metadata" || path.startsWith("_"))) {
    if (path !== DEFAULT_PARTITION) {
      throw invalidPartition(describe(), style.field, value, "engines skip folders of this name");
    }
  }
  return path;
}

function invalidPartition(
  row: string,
  field: string | undefined,
  value: string,
  fact: string,
): HudiError {
  return new HudiError(
    "INVALID",
    `cannot use ${row}: partition column ${field} has the value ${JSON.stringify(value.slice(0, 80))}, ${fact}; expected a value that can be one folder name`,
  );
}

/** Percent-encodes what Hudi encodes in a path segment. */
export function encodePartitionValue(value: string): string {
  let result = "";
  for (const char of value) {
    const code = char.codePointAt(0) as number;
    const escaped = code < 0x20 || code === 0x7f || "\"#%'*/:=?\\{[]^".includes(char);
    result += escaped ? `%${code.toString(16).toUpperCase().padStart(2, "0")}` : char;
  }
  return result;
}

/** The values of a key column as text in UTF-8. Strings are shared, not copied. */
export function* formatColumn(field: Field, column: Column): Steps<BytesColumn> {
  if (column.layout === "bytes") return column;
  const { rowCount, validity } = column;
  const format = keyFormatter(field, column);
  const offsets = new Int32Array(rowCount + 1);
  const data = Buffer.allocUnsafeSlow(rowCount * 20);
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

/**
 * A day as Java writes it: `yyyy-MM-dd`, with a sign before years of more than four digits and before
 * those that are negative. Counted by hand, because days reach further than a `Date` does.
 */
function formatDays(daysSinceEpoch: number): string {
  // Days of the era of 400 years that begins with March of year 0: leap days come last in a year.
  const days = daysSinceEpoch + 719_468;
  const era = Math.floor(days / 146_097);
  const day = days - era * 146_097;
  const leapDays = Math.floor(day / 1_460) - Math.floor(day / 36_524) + Math.floor(day / 146_096);
  const yearOfEra = Math.floor((day - leapDays) / 365);
  const dayOfYear = day - (365 * yearOfEra + (yearOfEra >> 2) - Math.floor(yearOfEra / 100));
  const month = Math.floor((5 * dayOfYear + 2) / 153);
  const dayOfMonth = dayOfYear - Math.floor((153 * month + 2) / 5) + 1;
  const year = era * 400 + yearOfEra + (month >= 10 ? 1 : 0);
  const sign = year < 0 ? "-" : year > 9999 ? "+" : "";
  const two = (value: number): string => String(value).padStart(2, "0");
  const name = String(Math.abs(year)).padStart(4, "0");
  return `${sign}${name}-${two(((month + 2) % 12) + 1)}-${two(dayOfMonth)}`;
}
