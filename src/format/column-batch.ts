// The column batch that every layer passes around: typed arrays in Arrow layout, strings as UTF-8
// bytes with offsets. Plain objects, so that a batch moves to a worker thread without a copy.
// Rules: spec/format/column-batch.md.

import { HudiError } from "../errors.ts";
import { bitmapBytes, isNull, setBit } from "./bitmap.ts";
import {
  type ColumnType,
  childFields,
  type Field,
  fixedWidthBytes,
  formatType,
  type NestedType,
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
/** `int`, `date` (days since 1970-01-01) and `time-millis` (since midnight). */
export interface Int32Column extends ColumnBase {
  readonly layout: "int32";
  readonly values: Int32Array;
}
/** `long`, timestamps (since the epoch) and `time-micros` (since midnight). */
export interface Int64Column extends ColumnBase {
  readonly layout: "int64";
  readonly values: BigInt64Array;
}
/** `float`. */
export interface Float32Column extends ColumnBase {
  readonly layout: "float32";
  readonly values: Float32Array;
}
/** `double`. */
export interface Float64Column extends ColumnBase {
  readonly layout: "float64";
  readonly values: Float64Array;
}
/** `string` and `enum` in UTF-8, and `bytes`: row `i` is `data[offsets[i] .. offsets[i + 1])`. */
export interface BytesColumn extends ColumnBase {
  readonly layout: "bytes";
  readonly offsets: Int32Array;
  readonly data: Uint8Array;
}
/**
 * `widthBytes` bytes a row: those of a `fixed`, or of a `decimal` the unscaled value as big-endian two's
 * complement.
 */
export interface FixedColumn extends ColumnBase {
  readonly layout: "fixed";
  readonly widthBytes: number;
  readonly data: Uint8Array;
}

/** `struct`: each child has a row for each row. */
export interface StructColumn extends ColumnBase {
  readonly layout: "struct";
  readonly children: readonly Column[];
}
/** `list` and `map`: row `i` holds rows `offsets[i]` to `offsets[i + 1]` of the child; null none. */
export interface ListColumn extends ColumnBase {
  readonly layout: "list";
  readonly offsets: Int32Array;
  readonly child: Column;
}

/** One column of a batch. Buffers belong to the batch and are never changed after it is made. */
export type Column =
  | BitColumn
  | Int32Column
  | Int64Column
  | Float32Column
  | Float64Column
  | BytesColumn
  | FixedColumn
  | StructColumn
  | ListColumn;

/** A column without columns inside. */
export type FlatColumn = Exclude<Column, StructColumn | ListColumn>;

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
    case "time-millis":
      return "int32";
    case "long":
    case "time-micros":
    case "timestamp-millis":
    case "timestamp-micros":
    case "local-timestamp-millis":
    case "local-timestamp-micros":
      return "int64";
    case "float":
      return "float32";
    case "double":
      return "float64";
    case "string":
    case "enum":
    case "bytes":
      return "bytes";
    case "decimal":
    case "fixed":
      return "fixed";
    case "struct":
      return "struct";
    case "list":
    case "map":
      return "list";
  }
}

/** Whether row `row` holds a value. */
export function isPresent(column: Column, row: number): boolean {
  return !isNull(column.validity, row);
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

/** Rows `from` to `to` of texts without nulls; buffers are shared. */
export function sliceTexts(column: BytesColumn, from: number, to: number): BytesColumn {
  return { ...column, rowCount: to - from, offsets: column.offsets.subarray(from, to + 1) };
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
    case "float32":
      return { layout: "float32", rowCount, validity, values: new Float32Array(rowCount) };
    case "float64":
      return { layout: "float64", rowCount, validity, values: new Float64Array(rowCount) };
    case "bytes": {
      const offsets = new Int32Array(rowCount + 1);
      return { layout: "bytes", rowCount, validity, offsets, data: new Uint8Array(0) };
    }
    case "fixed": {
      const widthBytes = fixedWidthBytes(type);
      const data = new Uint8Array(widthBytes * rowCount);
      return { layout: "fixed", rowCount, validity, widthBytes, data };
    }
    case "struct": {
      const fields = childFields(type as NestedType);
      const children = fields.map((field) => nullColumn(field.type, rowCount));
      return { layout: "struct", rowCount, validity, children };
    }
    case "list": {
      const [item] = childFields(type as NestedType) as [Field];
      const offsets = new Int32Array(rowCount + 1);
      return { layout: "list", rowCount, validity, offsets, child: nullColumn(item.type, 0) };
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
        if (value === true) setBit(bits, row);
      });
      return { ...base, layout, values: bits };
    }
    case "int32":
      return { ...base, layout, values: Int32Array.from(values as readonly number[]) };
    case "int64":
      return { ...base, layout, values: BigInt64Array.from(values as readonly bigint[]) };
    case "float32":
      return { ...base, layout, values: Float32Array.from(values as readonly number[]) };
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
      const widthBytes = fixedWidthBytes(type);
      const data = new Uint8Array(Buffer.concat(values as readonly Uint8Array[]));
      return { ...base, layout, widthBytes, data };
    }
    default:
      throw new TypeError(`values of ${type.kind} are not stored one by one`);
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

/** Throws `INVALID` where lists have more items than offsets of 32 bits reach. */
export function requireItemCount(items: number): void {
  if (items <= 0x3fffffff) return;
  throw new HudiError(
    "INVALID",
    `cannot hold ${items} items of lists in one column of a batch: expected at most 2^30; write in several calls`,
  );
}

/** An empty batch of a schema. */
export function emptyBatch(schema: TableSchema): ColumnBatch {
  return { schema, rowCount: 0, columns: schema.fields.map((field) => nullColumn(field.type, 0)) };
}

/**
 * Checks that the buffers of a column hold the rows they claim; throws `INVALID` naming the column.
 * For batches that come from outside.
 */
export function requireSoundColumn(field: Field, column: Column): void {
  const refuse = (found: string): never => {
    throw new HudiError(
      "INVALID",
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
      const width = fixedWidthBytes(field.type);
      if (column.widthBytes !== width) refuse(`values take ${column.widthBytes} bytes each`);
      if (column.data.length < rowCount * width) refuse("values are short");
      return;
    }
    case "bytes":
      requireSoundOffsets(column.offsets, rowCount, column.data.length, refuse);
      return;
    case "struct": {
      const fields = childFields(field.type as NestedType);
      if (column.children.length !== fields.length) refuse("it has other columns inside");
      column.children.forEach((child, index) => {
        if (child.rowCount !== rowCount) refuse("a column inside has other rows");
        requireSoundColumn(fields[index] as Field, child);
      });
      return;
    }
    case "list": {
      const [item] = childFields(field.type as NestedType) as [Field];
      requireSoundOffsets(column.offsets, rowCount, column.child.rowCount, refuse);
      requireSoundColumn(item, column.child);
      return;
    }
    default:
      if (column.values.length < rowCount) refuse("values are short");
  }
}

function requireSoundOffsets(
  offsets: Int32Array,
  rowCount: number,
  end: number,
  refuse: (found: string) => never,
): void {
  if (offsets.length < rowCount + 1) refuse("offsets are short");
  for (let row = 0; row < rowCount; row += 1) {
    if ((offsets[row] as number) > (offsets[row + 1] as number)) refuse("offsets go back");
  }
  if ((offsets[0] as number) < 0 || (offsets[rowCount] as number) > end) {
    refuse("offsets leave the data");
  }
}

/** The buffers of a batch that may be transferred to another thread instead of copied. */
export function transferableBuffers(batch: ColumnBatch): ArrayBuffer[] {
  const buffers = new Set<ArrayBufferLike>();
  const collect = (column: Column): void => {
    if (column.validity) buffers.add(column.validity.buffer);
    if ("offsets" in column) buffers.add(column.offsets.buffer);
    if ("data" in column) buffers.add(column.data.buffer);
    else if ("values" in column) buffers.add(column.values.buffer);
    else if (column.layout === "struct") column.children.forEach(collect);
    else collect(column.child);
  };
  batch.columns.forEach(collect);
  return [...buffers].filter((buffer): buffer is ArrayBuffer => buffer instanceof ArrayBuffer);
}
