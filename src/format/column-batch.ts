// The column batch that every layer passes around: typed arrays in Arrow layout, strings as UTF-8
// bytes with offsets. Plain objects, so that a batch moves to a worker thread without a copy.
// Rules: spec/format/column-batch.md.
import { HudiError } from "../errors.ts";
import {
  type ColumnType,
  decimalWidthBytes,
  type Field,
  formatType,
  requireField,
  type TableSchema,
} from "./schema.ts";

/** One bit a row, least significant first; a set bit is a present value. Absent: no nulls. */
export type Validity = Uint8Array | undefined;

interface ColumnBase {
  readonly rowCount: number;
  readonly validity: Validity;
}

/** Booleans, one bit a row. */
export interface BitColumn extends ColumnBase {
  readonly layout: "bits";
  readonly values: Uint8Array;
}
/** `int` and `date` (days since 1970-01-01). */
export interface Int32Column extends ColumnBase {
  readonly layout: "int32";
  readonly values: Int32Array;
}
/** `long` and `timestamp-micros` (since the epoch). */
export interface Int64Column extends ColumnBase {
  readonly layout: "int64";
  readonly values: BigInt64Array;
}
/** `double`. */
export interface Float64Column extends ColumnBase {
  readonly layout: "float64";
  readonly values: Float64Array;
}
/** `string`: row `i` is `data[offsets[i] .. offsets[i + 1])`, UTF-8. */
export interface BytesColumn extends ColumnBase {
  readonly layout: "bytes";
  readonly offsets: Int32Array;
  readonly data: Uint8Array;
}
/** `decimal`: big-endian two's complement of the unscaled value, `widthBytes` bytes a row. */
export interface FixedColumn extends ColumnBase {
  readonly layout: "fixed";
  readonly widthBytes: number;
  readonly data: Uint8Array;
}

/** One column of a batch. Buffers belong to the batch and are never changed after it is made. */
export type Column =
  | BitColumn
  | Int32Column
  | Int64Column
  | Float64Column
  | BytesColumn
  | FixedColumn;

/** Rows `from` to `to` of a column. */
export interface ColumnSlice {
  readonly column: Column;
  readonly from: number;
  readonly to: number;
}

/** Rows as columns: `columns[i]` belongs to `schema.fields[i]`. */
export interface ColumnBatch {
  readonly schema: TableSchema;
  readonly rowCount: number;
  readonly columns: readonly Column[];
}

/** How the values of a type are laid out. */
export function columnLayout(type: ColumnType): Column["layout"] {
  switch (type.kind) {
    case "boolean":
      return "bits";
    case "int":
    case "date":
      return "int32";
    case "long":
    case "timestamp-micros":
      return "int64";
    case "double":
      return "float64";
    case "string":
      return "bytes";
    case "decimal":
      return "fixed";
  }
}

/** Bytes of a validity bitmap or a bit column. */
export function bitmapBytes(rowCount: number): number {
  return (rowCount + 7) >> 3;
}

/** Whether row `row` holds a value. */
export function isPresent(column: Column, row: number): boolean {
  const { validity } = column;
  return validity === undefined || ((validity[row >> 3] as number) & (1 << (row & 7))) !== 0;
}

/** The number of rows without a value. */
export function countNulls(column: Column): number {
  const { validity, rowCount } = column;
  if (!validity) return 0;
  let present = 0;
  for (let row = 0; row < rowCount; row += 1) {
    if (((validity[row >> 3] as number) & (1 << (row & 7))) !== 0) present += 1;
  }
  return rowCount - present;
}

/** The column of that name; throws `INVALID` if the schema lacks it. */
export function requireColumn(batch: ColumnBatch, name: string): Column {
  const field = requireField(batch.schema, name);
  return batch.columns[batch.schema.fields.indexOf(field)] as Column;
}

/** The bytes column of that name, for keys and meta columns. */
export function requireBytesColumn(batch: ColumnBatch, name: string): BytesColumn {
  const column = requireColumn(batch, name);
  if (column.layout !== "bytes") {
    throw new HudiError(
      "CORRUPT",
      `cannot read column ${name}: found ${column.layout}, expected strings`,
    );
  }
  return column;
}

/** A batch with the columns in another order or number; buffers are shared. */
export function selectColumns(batch: ColumnBatch, fields: readonly Field[]): ColumnBatch {
  return {
    schema: { name: batch.schema.name, fields },
    rowCount: batch.rowCount,
    columns: fields.map((field) => requireColumn(batch, field.name)),
  };
}

/** A column in which every row holds the same bytes. */
export function repeatBytes(value: Uint8Array, rowCount: number): BytesColumn {
  const width = value.length;
  const data = new Uint8Array(width * rowCount);
  if (rowCount > 0) data.set(value, 0);
  for (let filled = width; filled < data.length; filled *= 2) data.copyWithin(filled, 0, filled);
  const offsets = new Int32Array(rowCount + 1);
  for (let row = 1; row <= rowCount; row += 1) offsets[row] = row * width;
  return { layout: "bytes", rowCount, validity: undefined, offsets, data };
}

/** A column of `rowCount` nulls. */
export function nullColumn(type: ColumnType, rowCount: number): Column {
  const validity = new Uint8Array(bitmapBytes(rowCount));
  switch (columnLayout(type)) {
    case "bits":
      return { layout: "bits", rowCount, validity, values: new Uint8Array(bitmapBytes(rowCount)) };
    case "int32":
      return { layout: "int32", rowCount, validity, values: new Int32Array(rowCount) };
    case "int64":
      return { layout: "int64", rowCount, validity, values: new BigInt64Array(rowCount) };
    case "float64":
      return { layout: "float64", rowCount, validity, values: new Float64Array(rowCount) };
    case "bytes": {
      const offsets = new Int32Array(rowCount + 1);
      return { layout: "bytes", rowCount, validity, offsets, data: new Uint8Array(0) };
    }
    case "fixed": {
      const widthBytes = decimalWidthBytes((type as { precision: number }).precision);
      const data = new Uint8Array(widthBytes * rowCount);
      return { layout: "fixed", rowCount, validity, widthBytes, data };
    }
  }
}

/** A column of these values, each as its layout stores it. */
export function storedColumn(
  type: ColumnType,
  values: readonly (Uint8Array | number | bigint | boolean)[],
): Column {
  const rowCount = values.length;
  const base = { rowCount, validity: undefined };
  const layout = columnLayout(type);
  switch (layout) {
    case "bits": {
      const bits = new Uint8Array(bitmapBytes(rowCount));
      values.forEach((value, row) => {
        if (value === true) bits[row >> 3] = (bits[row >> 3] as number) | (1 << (row & 7));
      });
      return { ...base, layout, values: bits };
    }
    case "int32":
      return { ...base, layout, values: Int32Array.from(values as readonly number[]) };
    case "int64":
      return { ...base, layout, values: BigInt64Array.from(values as readonly bigint[]) };
    case "float64":
      return { ...base, layout, values: Float64Array.from(values as readonly number[]) };
    case "bytes": {
      const parts = values as readonly Uint8Array[];
      const offsets = new Int32Array(rowCount + 1);
      parts.forEach((part, row) => {
        offsets[row + 1] = (offsets[row] as number) + part.length;
      });
      return { ...base, layout, offsets, data: new Uint8Array(Buffer.concat(parts)) };
    }
    case "fixed": {
      const widthBytes = decimalWidthBytes((type as { precision: number }).precision);
      const data = new Uint8Array(Buffer.concat(values as readonly Uint8Array[]));
      return { ...base, layout, widthBytes, data };
    }
  }
}

/** Throws `INVALID` where texts take more bytes than offsets of 32 bits reach. */
export function requireTextBytes(bytes: number): void {
  if (bytes <= 0x7fffffff) return;
  throw new HudiError(
    "INVALID",
    `cannot hold ${bytes} bytes of text in one column of a batch: expected at most 2 GiB; write in several calls`,
  );
}

/** An empty batch of a schema. */
export function emptyBatch(schema: TableSchema): ColumnBatch {
  return { schema, rowCount: 0, columns: schema.fields.map((field) => nullColumn(field.type, 0)) };
}

/**
 * Checks that the buffers of a column hold the rows they claim; throws `CORRUPT` naming the column.
 * For batches that come from outside.
 */
export function requireSoundColumn(field: Field, column: Column): void {
  const refuse = (found: string): never => {
    throw new HudiError(
      "CORRUPT",
      `cannot use column ${field.name} (${formatType(field.type)}): ${found}`,
    );
  };
  const { rowCount } = column;
  if (column.layout !== columnLayout(field.type)) refuse(`found layout ${column.layout}`);
  if (column.validity && column.validity.length < bitmapBytes(rowCount))
    refuse("validity is short");
  switch (column.layout) {
    case "bits":
      if (column.values.length < bitmapBytes(rowCount)) refuse("values are short");
      return;
    case "fixed": {
      const width = decimalWidthBytes((field.type as { precision: number }).precision);
      if (column.widthBytes !== width) refuse(`values take ${column.widthBytes} bytes each`);
      if (column.data.length < rowCount * width) refuse("values are short");
      return;
    }
    case "bytes": {
      const { offsets, data } = column;
      if (offsets.length < rowCount + 1) refuse("offsets are short");
      for (let row = 0; row < rowCount; row += 1) {
        if ((offsets[row] as number) > (offsets[row + 1] as number)) refuse("offsets go back");
      }
      if ((offsets[0] as number) < 0 || (offsets[rowCount] as number) > data.length) {
        refuse("offsets leave the data");
      }
      return;
    }
    default:
      if (column.values.length < rowCount) refuse("values are short");
  }
}

/** The buffers of a batch that may be transferred to another thread instead of copied. */
export function transferableBuffers(batch: ColumnBatch): ArrayBuffer[] {
  const buffers = new Set<ArrayBufferLike>();
  for (const column of batch.columns) {
    if (column.validity) buffers.add(column.validity.buffer);
    if (column.layout === "bytes") buffers.add(column.offsets.buffer).add(column.data.buffer);
    else if (column.layout === "fixed") buffers.add(column.data.buffer);
    else buffers.add(column.values.buffer);
  }
  return [...buffers].filter((buffer): buffer is ArrayBuffer => buffer instanceof ArrayBuffer);
}
