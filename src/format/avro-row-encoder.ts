// Encodes rows of columns as Avro records, without a value of JavaScript in between. What is written is
// of the schema that `formatAvroSchema` gives the same fields. Rules: spec/format/avro.md.
import { isBitSet, isNull } from "./bitmap.ts";
import type { ByteWriter } from "./byte-writer.ts";
import type { BytesColumn, Column, ColumnBatch, ListColumn, StructColumn } from "./column-batch.ts";
import { KeyTable } from "./key-table.ts";
import { childFields, type Field, type NestedType } from "./schema.ts";

/** Writes one row of a column, or of all columns. */
export type RowEncoder = (row: number, out: ByteWriter) => void;

/** The encoder of the rows of a batch, whose columns stand in the order of its schema. */
export function createRowEncoder(batch: ColumnBatch): RowEncoder {
  const encoders = batch.schema.fields.map((field, index) =>
    fieldEncoder(field, batch.columns[index] as Column),
  );
  return (row, out) => {
    for (let index = 0; index < encoders.length; index += 1) {
      (encoders[index] as RowEncoder)(row, out);
    }
  };
}

/** Null is the first branch of a union. */
function fieldEncoder(field: Field, column: Column): RowEncoder {
  const encode = presentEncoder(field, column);
  if (!field.nullable) return encode;
  const { validity } = column;
  return (row, out) => {
    if (isNull(validity, row)) {
      out.byte(0);
    } else {
      out.byte(2);
      encode(row, out);
    }
  };
}

function presentEncoder(field: Field, column: Column): RowEncoder {
  switch (column.layout) {
    case "bits": {
      const { values } = column;
      return (row, out) => out.byte(isBitSet(values, row) ? 1 : 0);
    }
    case "int32": {
      const { values } = column;
      return (row, out) => {
        const value = values[row] as number;
        writeVarint32(out, (value << 1) ^ (value >> 31));
      };
    }
    case "int64": {
      const { values } = column;
      const halves = new Int32Array(values.buffer, values.byteOffset, 2 * values.length);
      return (row, out) => writeLong(out, halves[2 * row] as number, halves[2 * row + 1] as number);
    }
    case "float32":
      return rawEncoder(column.values, 4);
    case "float64":
      return rawEncoder(column.values, 8);
    case "fixed":
      return rawEncoder(column.data, column.widthBytes);
    case "bytes":
      return field.type.kind === "enum"
        ? symbolEncoder(column, field.type.symbols)
        : bytesEncoder(column);
    case "struct":
      return structEncoder(field, column);
    case "list":
      return field.type.kind === "map" ? mapEncoder(field, column) : listEncoder(field, column);
  }
}

/** Values of one width as they lie in memory; machines that Node runs on are little-endian, as Avro is. */
function rawEncoder(values: Float32Array | Float64Array | Uint8Array, width: number): RowEncoder {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return (row, out) => copyBytes(out, bytes, row * width, (row + 1) * width);
}

function bytesEncoder({ offsets, data }: BytesColumn): RowEncoder {
  return (row, out) => {
    const start = offsets[row] as number;
    const end = offsets[row + 1] as number;
    writeCount(out, end - start);
    copyBytes(out, data, start, end);
  };
}

/** A symbol of an enum is the number of its place. */
function symbolEncoder({ offsets, data }: BytesColumn, symbols: readonly string[]): RowEncoder {
  const places = new KeyTable(symbols.length);
  for (const symbol of symbols) {
    const bytes = Buffer.from(symbol, "utf8");
    places.add(0, bytes, 0, bytes.length);
  }
  return (row, out) => {
    const place = places.find(0, data, offsets[row] as number, offsets[row + 1] as number);
    writeCount(out, place);
  };
}

function structEncoder(field: Field, column: StructColumn): RowEncoder {
  const encoders = childFields(field.type as NestedType).map((child, index) =>
    fieldEncoder(child, column.children[index] as Column),
  );
  return (row, out) => {
    for (const encode of encoders) encode(row, out);
  };
}

function listEncoder(field: Field, { offsets, child }: ListColumn): RowEncoder {
  const [element] = childFields(field.type as NestedType) as [Field];
  return itemsEncoder(offsets, fieldEncoder(element, child));
}

/** The entries of a map are keys and values without a record around them. */
function mapEncoder(field: Field, { offsets, child }: ListColumn): RowEncoder {
  const [entry] = childFields(field.type as NestedType) as [Field];
  return itemsEncoder(offsets, structEncoder(entry, child as StructColumn));
}

/** One block of items, where there are any, and the block without items that ends the value. */
function itemsEncoder(offsets: Int32Array, encode: RowEncoder): RowEncoder {
  return (row, out) => {
    const start = offsets[row] as number;
    const end = offsets[row + 1] as number;
    if (end > start) writeCount(out, end - start);
    for (let item = start; item < end; item += 1) encode(item, out);
    out.byte(0);
  };
}

/** A length or a number of items, which is never negative. */
function writeCount(out: ByteWriter, count: number): void {
  writeLong(out, count, 0);
}

/** Bits that are already in zigzag order. */
function writeVarint32(out: ByteWriter, zigzag: number): void {
  out.reserve(5);
  const { bytes } = out;
  let rest = zigzag;
  let at = out.length;
  while (rest >>> 7 !== 0) {
    bytes[at] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
    at += 1;
  }
  bytes[at] = rest;
  out.length = at + 1;
}

/** A number of 64 bits by its halves. */
export function writeLong(out: ByteWriter, lowHalf: number, highHalf: number): void {
  const sign = highHalf >> 31;
  let low = (lowHalf << 1) ^ sign;
  let high = ((highHalf << 1) | (lowHalf >>> 31)) ^ sign;
  out.reserve(10);
  const { bytes } = out;
  let at = out.length;
  while (high !== 0 || low >>> 7 !== 0) {
    bytes[at] = (low & 0x7f) | 0x80;
    low = (low >>> 7) | (high << 25);
    high >>>= 7;
    at += 1;
  }
  bytes[at] = low;
  out.length = at + 1;
}

/** Bytes below this number are copied faster one by one. */
const SHORT_BYTES = 24;

function copyBytes(out: ByteWriter, source: Uint8Array, start: number, end: number): void {
  const length = end - start;
  out.reserve(length);
  const { bytes, length: at } = out;
  if (length < SHORT_BYTES) {
    for (let index = 0; index < length; index += 1) {
      bytes[at + index] = source[start + index] as number;
    }
  } else {
    bytes.set(source.subarray(start, end), at);
  }
  out.length = at + length;
}
