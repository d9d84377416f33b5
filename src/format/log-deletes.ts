// What a delete block holds: record keys with the partition and the ordering value of each deletion.
// Rules: spec/format/log-file.md, LOG-9 and LOG-10.
import { HudiError } from "../errors.ts";
import { AvroCursor } from "./avro-cursor.ts";
import { createRowEncoder, writeLong } from "./avro-row-encoder.ts";
import { isNull } from "./bitmap.ts";
import { ByteWriter } from "./byte-writer.ts";
import { type BytesColumn, type Column, columnLayout } from "./column-batch.ts";
import {
  BitSink,
  BytesSink,
  type ColumnSink,
  FixedSink,
  Float32Sink,
  Float64Sink,
  Int32Sink,
  Int64Sink,
} from "./column-sink.ts";
import { LOG_CONTENT_VERSION, requireContentVersion } from "./log-content.ts";
import { type ColumnType, decimalWidthBytes, type Field } from "./schema.ts";

/** The branches of an ordering value, in the order of Hudi's schema. */
const BRANCHES = [
  "null",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
  "string",
  "date",
  "decimal",
  "time-micros",
  "timestamp-micros",
] as const;
type Branch = (typeof BRANCHES)[number];
/** The scale and the precision that Hudi gives every decimal of a delete block. */
const DECIMAL_SCALE = 15;
const DECIMAL_PRECISION = 30;

/** Deletions as columns. */
export interface DeletedKeys {
  readonly keys: BytesColumn;
  /** Ordering values of the type of the ordering field; null where a deletion wins over anything. */
  readonly ordering: Column | undefined;
}

/** The content of a delete block. `partitionPath` is that of all keys. */
export function encodeDeletes(
  deleted: DeletedKeys,
  orderingField: Field | undefined,
  partitionPath: string,
): Uint8Array {
  const { keys, ordering } = deleted;
  const out = new ByteWriter(64 * 1024);
  out.length = 8;
  if (keys.rowCount > 0) writeLong(out, keys.rowCount, 0);
  const partition = Buffer.from(partitionPath, "utf8");
  const encodeOrdering = orderingEncoder(orderingField, ordering);
  for (let row = 0; row < keys.rowCount; row += 1) {
    const start = keys.offsets[row] as number;
    const end = keys.offsets[row + 1] as number;
    out.byte(2);
    writeLong(out, end - start, 0);
    out.raw(keys.data.subarray(start, end));
    out.byte(2);
    writeLong(out, partition.length, 0);
    out.raw(partition);
    encodeOrdering(row, out);
  }
  out.byte(0);
  const bytes = out.view();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setInt32(0, LOG_CONTENT_VERSION);
  view.setInt32(4, bytes.length - 8);
  return bytes;
}

/** Hudi writes the number 0 where there is no ordering value; its readers let such a deletion win. */
function orderingEncoder(
  field: Field | undefined,
  column: Column | undefined,
): (row: number, out: ByteWriter) => void {
  const writeNone = (out: ByteWriter): void => {
    out.byte(2 * BRANCHES.indexOf("int"));
    out.byte(0);
  };
  if (!field || !column) return (_, out) => writeNone(out);
  const branch = branchOf(field.type);
  const wrapped =
    field.type.kind === "decimal"
      ? decimalEncoder(column, field.type.scale)
      : createRowEncoder({
          schema: { name: "ordering", fields: [{ ...field, nullable: false }] },
          rowCount: column.rowCount,
          columns: [column],
        });
  return (row, out) => {
    if (isNull(column.validity, row)) {
      writeNone(out);
    } else {
      out.byte(2 * BRANCHES.indexOf(branch));
      wrapped(row, out);
    }
  };
}

function branchOf(type: ColumnType): Branch {
  const branch = BRANCHES.find((name) => name === type.kind);
  if (branch !== undefined && branch !== "null") return branch;
  throw new HudiError(
    "UNSUPPORTED",
    `cannot write a deletion with an ordering value of type ${type.kind}: expected one of ${BRANCHES.slice(1).join(", ")}`,
  );
}

function decimalEncoder(column: Column, scale: number): (row: number, out: ByteWriter) => void {
  if (column.layout !== "fixed") throw new TypeError("a decimal is laid out as fixed");
  const { data, widthBytes } = column;
  const factor = 10n ** BigInt(Math.max(0, DECIMAL_SCALE - scale));
  return (row, out) => {
    const own = readUnscaled(data, row * widthBytes, widthBytes);
    const value = own * factor;
    const most = 10n ** BigInt(DECIMAL_PRECISION);
    if (scale > DECIMAL_SCALE || value >= most || value <= -most) {
      throw new HudiError(
        "UNSUPPORTED",
        `cannot write a deletion whose ordering value has more than ${DECIMAL_PRECISION - DECIMAL_SCALE} digits before or ${DECIMAL_SCALE} behind the point`,
      );
    }
    const bytes = formatUnscaled(value);
    writeLong(out, bytes.length, 0);
    out.raw(bytes);
  };
}

function readUnscaled(data: Uint8Array, start: number, width: number): bigint {
  const hex = Buffer.from(data.buffer, data.byteOffset + start, width).toString("hex");
  return BigInt.asIntN(8 * width, BigInt(`0x${hex || "0"}`));
}

/** The fewest bytes of two's complement that hold a number. */
function formatUnscaled(value: bigint): Uint8Array {
  let width = 1;
  while (BigInt.asIntN(8 * width, value) !== value) width += 1;
  const hex = BigInt.asUintN(8 * width, value).toString(16);
  return new Uint8Array(Buffer.from(hex.padStart(2 * width, "0"), "hex"));
}

/**
 * Decodes a delete block. An ordering value of another type than the field's, such as the number 0 that
 * stands for none, is null: such a deletion wins, as it does in Hudi.
 */
export function decodeDeletes(
  content: Uint8Array,
  orderingField: Field | undefined,
  path: string,
): DeletedKeys {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  requireContentVersion(view, path);
  const cursor = new AvroCursor(content, path);
  cursor.skip(4);
  const length = view.getInt32(cursor.skip(4));
  if (length !== cursor.left) {
    throw cursor.corrupt(`found deletions of ${length} bytes with ${cursor.left} left`);
  }
  const keys = new BytesSink();
  const ordering = orderingField && orderingSink(orderingField.type);
  for (let count = cursor.readBlockCount(); count > 0; count = cursor.readBlockCount()) {
    for (let item = 0; item < count; item += 1) {
      if (!readOptional(cursor)) throw cursor.corrupt("found a deletion without a key");
      const size = cursor.readLength();
      const start = cursor.skip(size);
      keys.add(content, start, start + size);
      if (readOptional(cursor)) cursor.skip(cursor.readLength());
      readOrdering(cursor, ordering);
    }
  }
  if (cursor.left > 0) throw cursor.corrupt(`found ${cursor.left} bytes behind the last deletion`);
  return { keys: keys.finish() as BytesColumn, ordering: ordering?.sink.finish() };
}

function readOptional(cursor: AvroCursor): boolean {
  const branch = cursor.readInt();
  if (branch !== 0 && branch !== 1) throw cursor.corrupt(`found branch ${branch} of a union of 2`);
  return branch === 1;
}

/** Takes in ordering values of one branch. */
interface OrderingSink {
  readonly branch: Branch;
  readonly sink: ColumnSink;
  readonly read: (cursor: AvroCursor) => void;
}

function orderingSink(type: ColumnType): OrderingSink | undefined {
  const branch = BRANCHES.find((name) => name === type.kind);
  if (branch === undefined || branch === "null") return undefined;
  switch (columnLayout(type)) {
    case "bits": {
      const sink = new BitSink();
      return { branch, sink, read: (cursor) => sink.add(cursor.readBoolean()) };
    }
    case "int32": {
      const sink = new Int32Sink();
      return { branch, sink, read: (cursor) => sink.add(cursor.readInt()) };
    }
    case "int64": {
      const sink = new Int64Sink();
      const read = (cursor: AvroCursor): void => {
        cursor.readLong();
        sink.add(cursor.low, cursor.high);
      };
      return { branch, sink, read };
    }
    case "float32": {
      const sink = new Float32Sink();
      return { branch, sink, read: (cursor) => sink.add(cursor.readFloat()) };
    }
    case "float64": {
      const sink = new Float64Sink();
      return { branch, sink, read: (cursor) => sink.add(cursor.readDouble()) };
    }
    case "bytes": {
      const sink = new BytesSink();
      const read = (cursor: AvroCursor): void => {
        const length = cursor.readLength();
        const start = cursor.skip(length);
        sink.add(cursor.bytes, start, start + length);
      };
      return { branch, sink, read };
    }
    case "fixed":
      return type.kind === "decimal" ? decimalSink(type.precision, type.scale) : undefined;
    default:
      return undefined;
  }
}

function decimalSink(precision: number, scale: number): OrderingSink {
  const width = decimalWidthBytes(precision);
  const sink = new FixedSink(width);
  const factor = 10n ** BigInt(Math.max(0, DECIMAL_SCALE - scale));
  const read = (cursor: AvroCursor): void => {
    const length = cursor.readLength();
    const value = readUnscaled(cursor.bytes, cursor.skip(length), length) / factor;
    const bytes = formatUnscaled(value);
    if (bytes.length > width) throw cursor.corrupt("found a decimal of too many digits");
    const target = sink.place();
    target.fill(value < 0n ? 0xff : 0);
    target.set(bytes, width - bytes.length);
  };
  return { branch: "decimal", sink, read };
}

function readOrdering(cursor: AvroCursor, ordering: OrderingSink | undefined): void {
  const index = cursor.readInt();
  const branch = BRANCHES[index];
  if (branch === undefined) {
    throw cursor.corrupt(`found branch ${index} of a union of ${BRANCHES.length}`);
  }
  if (!ordering || branch !== ordering.branch) {
    skipOrdering(cursor, branch);
    ordering?.sink.addNull();
    return;
  }
  // The number 0 says that there is no ordering value, of whatever type the field is.
  const isNone = branch === "int" && cursor.bytes[cursor.at] === 0;
  if (isNone) {
    cursor.skip(1);
    ordering.sink.addNull();
  } else {
    ordering.read(cursor);
  }
}

function skipOrdering(cursor: AvroCursor, branch: Branch): void {
  switch (branch) {
    case "null":
      return;
    case "boolean":
      cursor.readBoolean();
      return;
    case "float":
      cursor.skip(4);
      return;
    case "double":
      cursor.skip(8);
      return;
    case "bytes":
    case "string":
    case "decimal":
      cursor.skip(cursor.readLength());
      return;
    default:
      cursor.readLong();
  }
}
