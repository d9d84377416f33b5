// Column batches to and from the record batches of apache-arrow: the edge of the API. The library
// is loaded when the first batch is handed out, and not at all for batches that come in.
// Rules: spec/format/arrow.md.

import type { Field as ArrowField, Data, DataType, RecordBatch, Schema } from "apache-arrow";
import { HudiError } from "../errors.ts";
import { readArrowColumn } from "./arrow-column.ts";
import { ARROW } from "./arrow-source.ts";
import { countNullRows, findNull } from "./bitmap.ts";
import { type Column, type ColumnBatch, requireSoundColumn } from "./column-batch.ts";
import { createColumnBuilder } from "./column-builder.ts";
import {
  type ColumnType,
  childFields,
  type Field,
  formatFieldType,
  type TableSchema,
} from "./schema.ts";

type Arrow = typeof import("apache-arrow");

/** A record batch of apache-arrow. */
export type ArrowBatch = RecordBatch;

/**
 * The batch as a record batch of the `apache-arrow` that `import` finds. Buffers are shared, save
 * those of decimals, which become Decimal128.
 */
export async function toArrowBatch(batch: ColumnBatch): Promise<RecordBatch> {
  const arrow = await import("apache-arrow");
  const schema = toArrowSchema(arrow, batch.schema);
  const children = batch.columns.map((column, index) => {
    return toArrowData(arrow, column, (schema.fields[index] as ArrowField).type);
  });
  const type = new arrow.Struct(schema.fields);
  const data = arrow.makeData({ type, length: batch.rowCount, nullCount: 0, children });
  return new arrow.RecordBatch(schema, data);
}

function toArrowSchema(arrow: Arrow, schema: TableSchema): Schema {
  return new arrow.Schema(schema.fields.map((field) => toArrowField(arrow, field)));
}

function toArrowField(arrow: Arrow, field: Field): ArrowField {
  return new arrow.Field(field.name, toArrowType(arrow, field.type), field.nullable);
}

function toArrowType(arrow: Arrow, type: ColumnType): DataType {
  switch (type.kind) {
    case "string":
    case "enum":
      return new arrow.Utf8();
    case "boolean":
      return new arrow.Bool();
    case "int":
      return new arrow.Int32();
    case "long":
      return new arrow.Int64();
    case "float":
      return new arrow.Float32();
    case "double":
      return new arrow.Float64();
    case "bytes":
      return new arrow.Binary();
    case "date":
      return new arrow.DateDay();
    case "time-millis":
      return new arrow.TimeMillisecond();
    case "time-micros":
      return new arrow.TimeMicrosecond();
    case "timestamp-millis":
      return new arrow.TimestampMillisecond("UTC");
    case "timestamp-micros":
      return new arrow.TimestampMicrosecond("UTC");
    case "local-timestamp-millis":
      return new arrow.TimestampMillisecond();
    case "local-timestamp-micros":
      return new arrow.TimestampMicrosecond();
    case "fixed":
      return new arrow.FixedSizeBinary(type.length);
    case "decimal":
      return new arrow.Decimal(type.scale, type.precision, 128);
    case "struct":
      return new arrow.Struct(type.fields.map((field) => toArrowField(arrow, field)));
    case "list":
      return new arrow.List(toArrowField(arrow, type.element));
    case "map": {
      const [entry] = childFields(type) as [Field];
      return new arrow.Map_(toArrowField(arrow, { ...entry, name: "entries" }) as never);
    }
  }
}

function toArrowData(arrow: Arrow, column: Column, type: DataType): Data {
  const { rowCount: length, validity } = column;
  const base = {
    type,
    length,
    nullCount: countNullRows(validity, 0, length),
    nullBitmap: validity,
  };
  switch (column.layout) {
    case "bytes": {
      const { offsets: valueOffsets, data } = column;
      return arrow.makeData({ ...base, valueOffsets, data } as never);
    }
    case "struct": {
      const children = column.children.map((child, index) =>
        toArrowData(arrow, child, (type.children[index] as ArrowField).type),
      );
      return arrow.makeData({ ...base, children } as never);
    }
    case "list": {
      const child = toArrowData(arrow, column.child, (type.children[0] as ArrowField).type);
      return arrow.makeData({ ...base, valueOffsets: column.offsets, child } as never);
    }
    case "fixed": {
      const isBytes = type.typeId === ARROW.fixedSizeBinary;
      const data = isBytes ? column.data : toDecimal128(column.data, column.widthBytes, length);
      return arrow.makeData({ ...base, data } as never);
    }
    default:
      return arrow.makeData({ ...base, data: column.values } as never);
  }
}

/** Big-endian numbers of any width as four little-endian words each. */
function toDecimal128(data: Uint8Array, widthBytes: number, rowCount: number): Uint32Array {
  const words = new Uint32Array(rowCount * 4);
  const bytes = new Uint8Array(words.buffer);
  for (let row = 0; row < rowCount; row += 1) {
    const first = row * widthBytes;
    const sign = (data[first] as number) >= 0x80 ? 0xff : 0;
    for (let index = 0; index < 16; index += 1) {
      bytes[row * 16 + index] =
        index < widthBytes ? (data[first + widthBytes - 1 - index] as number) : sign;
    }
  }
  return words;
}

/**
 * A record batch from outside as a column batch of `schema`, columns matched by name. Buffers are
 * shared where the layout is ours, and must not change while the result is used. Every column of
 * the schema must be there and no other; `label` names the batch in messages. Throws `INVALID` for a
 * column, type or value that does not fit, and for buffers that do not hold what they claim.
 */
export function fromArrowBatch(
  recordBatch: RecordBatch,
  schema: TableSchema,
  label = "Arrow record batch",
): ColumnBatch {
  const rowCount = recordBatch.numRows;
  const children = new Map<string, Data>();
  recordBatch.schema.fields.forEach((field, index) => {
    const child = recordBatch.data.children[index];
    if (child) children.set(field.name, child);
  });
  requireSameColumns(children, schema, label);
  const columns = schema.fields.map((field) => {
    const column = readArrowColumn(children.get(field.name) as Data, field, rowCount, label);
    requireSoundColumn(field, column);
    requirePresent(column, field, label);
    return column;
  });
  return { schema, rowCount, columns };
}

/**
 * A record batch of some columns of the schema, of the required ones at least; those that are missing
 * become null in every row, whether they allow it or not. Columns that are there may hold nulls as
 * well unless they are required, or in a `strict` batch where they allow none. Throws as
 * `fromArrowBatch` does.
 */
export function fromPartialArrowBatch(
  recordBatch: RecordBatch,
  schema: TableSchema,
  required: ReadonlySet<string>,
  label: string,
  strict: boolean = false,
): ColumnBatch {
  const names = new Set(recordBatch.schema.fields.map((field) => field.name));
  for (const name of required) {
    if (names.has(name)) continue;
    throw new HudiError("INVALID", `cannot use ${label}: found no column ${name}, expected it`);
  }
  const fields = schema.fields.filter((field) => names.has(field.name));
  const optional = fields.map((field) => ({
    ...field,
    nullable: strict ? field.nullable : !required.has(field.name),
  }));
  const found = fromArrowBatch(recordBatch, { name: schema.name, fields: optional }, label);
  const columns = schema.fields.map((field) => {
    const index = fields.indexOf(field);
    return index >= 0 ? (found.columns[index] as Column) : nullColumn(field, found.rowCount);
  });
  return { schema, rowCount: found.rowCount, columns };
}

function nullColumn(field: Field, rowCount: number): Column {
  const builder = createColumnBuilder(field);
  for (let row = 0; row < rowCount; row += 1) builder.appendNull();
  return builder.finish();
}

function requireSameColumns(
  children: ReadonlyMap<string, unknown>,
  schema: TableSchema,
  label: string,
): void {
  const names = new Set(schema.fields.map((field) => field.name));
  const expected = `expected ${[...names].join(", ")}`;
  for (const name of children.keys()) {
    if (!names.has(name)) {
      throw new HudiError(
        "INVALID",
        `cannot use ${label}: unknown column ${JSON.stringify(name)}, ${expected}`,
      );
    }
  }
  for (const name of names) {
    if (!children.has(name)) {
      throw new HudiError("INVALID", `cannot use ${label}: it lacks column ${name}, ${expected}`);
    }
  }
}

function requirePresent(column: Column, field: Field, label: string): void {
  const row = field.nullable ? -1 : findNull(column.validity, 0, column.rowCount);
  if (row < 0) return;
  throw new HudiError(
    "INVALID",
    `cannot use ${label}: column ${field.name} (${formatFieldType(field)}) holds null in row ${row}, expected a value`,
  );
}
