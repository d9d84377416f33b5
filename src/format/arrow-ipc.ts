// One column as an Arrow IPC stream: how values get into the Parquet encoder. The buffers are
// copied once, straight into the stream; the flatbuffers around them are laid out by hand, since
// they are the same for every column. Layout: spec/format/parquet.md, PQ-10.
import { type BytesColumn, bitmapBytes, type Column, type FixedColumn } from "./column-batch.ts";

/** Rows `from` to `to` of a column. */
export interface ColumnSlice {
  readonly column: Column;
  readonly from: number;
  readonly to: number;
}

/**
 * The slices, one after the other, as a stream with a single column `c` and a single batch. All
 * slices have one layout. Strings go as binary: their annotation is the business of the footer.
 */
export function encodeArrowColumn(slices: readonly ColumnSlice[], isNullable: boolean): Uint8Array {
  const [first] = slices as readonly [ColumnSlice, ...ColumnSlice[]];
  const rowCount = slices.reduce((sum, slice) => sum + slice.to - slice.from, 0);
  const hasValidity = slices.some((slice) => slice.column.validity !== undefined);
  const sizes = [
    hasValidity ? bitmapBytes(rowCount) : 0,
    ...(first.column.layout === "bytes" ? [(rowCount + 1) * 4] : []),
    valueBytes(slices, rowCount),
  ];
  const schema = encodeSchema(first.column, isNullable);
  const nullCount = hasValidity ? rowCount - countPresent(slices) : 0;
  const batch = encodeBatch(rowCount, nullCount, sizes);
  const body = sizes.reduce((sum, size) => sum + pad(size), 0);
  const stream = new Uint8Array(schema.length + batch.length + body + END.length);
  stream.set(schema);
  stream.set(batch, schema.length);
  let at = schema.length + batch.length;
  if (hasValidity)
    placeBits(slices, (column) => column.validity, stream.subarray(at, at + (sizes[0] as number)));
  at += pad(sizes[0] as number);
  placeValues(slices, stream, at, rowCount);
  stream.set(END, stream.length - END.length);
  return stream;
}

/** The mark of the end of a stream. */
const END: Uint8Array = new Uint8Array([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);

function pad(size: number): number {
  return (size + 7) & ~7;
}

function valueBytes(slices: readonly ColumnSlice[], rowCount: number): number {
  const { column } = slices[0] as ColumnSlice;
  switch (column.layout) {
    case "bits":
      return bitmapBytes(rowCount);
    case "int32":
      return rowCount * 4;
    case "int64":
    case "float64":
      return rowCount * 8;
    case "fixed":
      return rowCount * column.widthBytes;
    case "bytes":
      return slices.reduce((sum, slice) => sum + sliceSpan(slice).length, 0);
  }
}

function sliceSpan(slice: ColumnSlice): { readonly start: number; readonly length: number } {
  const { offsets } = slice.column as BytesColumn;
  const start = offsets[slice.from] as number;
  return { start, length: (offsets[slice.to] as number) - start };
}

function placeValues(
  slices: readonly ColumnSlice[],
  stream: Uint8Array,
  at: number,
  rowCount: number,
): void {
  const { column } = slices[0] as ColumnSlice;
  if (column.layout === "bits") {
    const end = at + bitmapBytes(rowCount);
    placeBits(
      slices,
      (part) => (part.layout === "bits" ? part.values : undefined),
      stream.subarray(at, end),
    );
  } else if (column.layout === "bytes") {
    placeStrings(slices, stream, at, rowCount);
  } else {
    let into = at;
    for (const slice of slices) {
      const bytes = fixedBytes(slice);
      stream.set(bytes, into);
      into += bytes.length;
    }
  }
}

/** The bytes of the values of a slice of fixed width. */
function fixedBytes(slice: ColumnSlice): Uint8Array {
  const { column, from, to } = slice;
  if (column.layout === "fixed") {
    return column.data.subarray(from * column.widthBytes, to * column.widthBytes);
  }
  const { values } = column as Exclude<Column, FixedColumn | BytesColumn>;
  const part = values.subarray(from, to);
  return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
}

function placeStrings(
  slices: readonly ColumnSlice[],
  stream: Uint8Array,
  at: number,
  rowCount: number,
): void {
  const offsets = new Int32Array(stream.buffer, stream.byteOffset + at, rowCount + 1);
  const dataAt = at + pad((rowCount + 1) * 4);
  let row = 0;
  let filled = 0;
  for (const slice of slices) {
    const column = slice.column as BytesColumn;
    const { start, length } = sliceSpan(slice);
    stream.set(column.data.subarray(start, start + length), dataAt + filled);
    const shift = filled - start;
    for (let from = slice.from + 1; from <= slice.to; from += 1) {
      row += 1;
      offsets[row] = (column.offsets[from] as number) + shift;
    }
    filled += length;
  }
}

/** Writes the bits of the slices one after the other; a column without bits gives set ones. */
function placeBits(
  slices: readonly ColumnSlice[],
  bitsOf: (column: Column) => Uint8Array | undefined,
  into: Uint8Array,
): void {
  let at = 0;
  for (const { column, from, to } of slices) {
    const bits = bitsOf(column);
    const count = to - from;
    if (((at | from) & 7) === 0) {
      const whole = bitmapBytes(count);
      if (bits) into.set(bits.subarray(from >> 3, (from >> 3) + whole), at >> 3);
      else into.fill(0xff, at >> 3, (at >> 3) + whole);
    } else {
      for (let index = 0; index < count; index += 1) {
        const source = from + index;
        const target = at + index;
        const isSet = !bits || ((bits[source >> 3] as number) & (1 << (source & 7))) !== 0;
        const mask = 1 << (target & 7);
        const byte = into[target >> 3] as number;
        into[target >> 3] = isSet ? byte | mask : byte & ~mask;
      }
    }
    at += count;
  }
}

function countPresent(slices: readonly ColumnSlice[]): number {
  let present = 0;
  for (const { column, from, to } of slices) {
    const { validity } = column;
    if (!validity) {
      present += to - from;
      continue;
    }
    for (let row = from; row < to; row += 1) {
      present += ((validity[row >> 3] as number) >> (row & 7)) & 1;
    }
  }
  return present;
}

/** Members of the Type union of Arrow's Schema.fbs. */
const ARROW_TYPE = { int: 2, floatingPoint: 3, binary: 4, bool: 6, fixedSizeBinary: 15 } as const;

function encodeSchema(column: Column, isNullable: boolean): Uint8Array {
  const message = new FlatMessage(SCHEMA_HEADER, 0);
  const schema = message.table([undefined, 4], 8);
  message.link(message.header, schema);
  const fields = message.vector(1);
  message.link(schema + 4, fields);
  const field = message.table(FIELD_SLOTS, 24);
  message.link(fields + 4, field);
  message.setByte(field + 20, isNullable ? 1 : 0);
  const name = message.string("c");
  message.link(field + 4, name);
  const { type, body } = encodeType(message, column);
  message.setByte(field + 21, type);
  message.link(field + 8, body);
  message.link(field + 16, message.vector(0));
  return message.finish();
}

/** name, nullable, type kind, type, (no dictionary), children. */
const FIELD_SLOTS = [4, 20, 21, 8, undefined, 16];

function encodeType(
  message: FlatMessage,
  column: Column,
): { readonly type: number; readonly body: number } {
  switch (column.layout) {
    case "bits":
      return { type: ARROW_TYPE.bool, body: message.table([], 4) };
    case "bytes":
      return { type: ARROW_TYPE.binary, body: message.table([], 4) };
    case "float64": {
      const body = message.table([4], 8);
      message.setShort(body + 4, 2);
      return { type: ARROW_TYPE.floatingPoint, body };
    }
    case "fixed": {
      const body = message.table([4], 8);
      message.setInt(body + 4, column.widthBytes);
      return { type: ARROW_TYPE.fixedSizeBinary, body };
    }
    default: {
      const body = message.table([4, 8], 12);
      message.setInt(body + 4, column.layout === "int32" ? 32 : 64);
      message.setByte(body + 8, 1);
      return { type: ARROW_TYPE.int, body };
    }
  }
}

function encodeBatch(rowCount: number, nullCount: number, sizes: readonly number[]): Uint8Array {
  const body = sizes.reduce((sum, size) => sum + pad(size), 0);
  const message = new FlatMessage(BATCH_HEADER, body);
  const batch = message.table([8, 4, 16], 20, 8);
  message.link(message.header, batch);
  message.setLong(batch + 8, rowCount);
  const nodes = message.structVector(1, 16);
  message.link(batch + 4, nodes);
  message.setLong(nodes + 4, rowCount);
  message.setLong(nodes + 12, nullCount);
  const buffers = message.structVector(sizes.length, 16);
  message.link(batch + 16, buffers);
  let at = 0;
  sizes.forEach((size, index) => {
    message.setLong(buffers + 4 + index * 16, at);
    message.setLong(buffers + 12 + index * 16, size);
    at += pad(size);
  });
  return message.finish();
}

const SCHEMA_HEADER = 1;
const BATCH_HEADER = 3;
const METADATA_V5 = 4;

/** An Arrow IPC message as a flatbuffer, written forwards: every object follows its parent. */
class FlatMessage {
  readonly #view: DataView = new DataView(new ArrayBuffer(512));
  #length = 4;
  /** Where the link to the header object lies. */
  readonly header: number;

  constructor(headerType: number, bodyBytes: number) {
    // version, header type, header, body length
    const root = this.table([16, 18, 4, 8], 20, 8);
    this.link(0, root);
    this.setShort(root + 16, METADATA_V5);
    this.setByte(root + 18, headerType);
    this.setLong(root + 8, bodyBytes);
    this.header = root + 4;
  }

  /**
   * Places a table of `bytes` bytes behind its table of slots; a slot is where a field lies in the
   * table, in the order of the schema. Returns where the table begins.
   */
  table(slots: readonly (number | undefined)[], bytes: number, align = 4): number {
    const vtableBytes = 4 + slots.length * 2;
    let vtable = this.#align(this.#length, 2);
    while ((vtable + vtableBytes) % align !== 0) vtable += 2;
    const start = vtable + vtableBytes;
    this.#view.setUint16(vtable, vtableBytes, true);
    this.#view.setUint16(vtable + 2, bytes, true);
    slots.forEach((slot, index) => {
      this.#view.setUint16(vtable + 4 + index * 2, slot ?? 0, true);
    });
    this.#view.setInt32(start, start - vtable, true);
    this.#length = start + bytes;
    return start;
  }

  /** Places a vector of links; returns where it begins. */
  vector(count: number): number {
    const start = this.#align(this.#length, 4);
    this.#view.setUint32(start, count, true);
    this.#length = start + 4 + count * 4;
    return start;
  }

  /** Places a vector of structs that begin with 64-bit numbers. */
  structVector(count: number, bytes: number): number {
    const start = this.#align(this.#length + 4, 8) - 4;
    this.#view.setUint32(start, count, true);
    this.#length = start + 4 + count * bytes;
    return start;
  }

  string(text: string): number {
    const start = this.#align(this.#length, 4);
    this.#view.setUint32(start, text.length, true);
    for (let index = 0; index < text.length; index += 1) {
      this.#view.setUint8(start + 4 + index, text.charCodeAt(index));
    }
    this.#length = start + 4 + text.length + 1;
    return start;
  }

  link(from: number, to: number): void {
    this.#view.setUint32(from, to - from, true);
  }

  setByte(at: number, value: number): void {
    this.#view.setUint8(at, value);
  }

  setShort(at: number, value: number): void {
    this.#view.setInt16(at, value, true);
  }

  setInt(at: number, value: number): void {
    this.#view.setInt32(at, value, true);
  }

  setLong(at: number, value: number): void {
    this.#view.setBigInt64(at, BigInt(value), true);
  }

  /** The message with its prefix, padded to eight bytes. */
  finish(): Uint8Array {
    const length = this.#align(this.#length, 8);
    const result = new Uint8Array(8 + length);
    const prefix = new DataView(result.buffer);
    prefix.setUint32(0, 0xffffffff, true);
    prefix.setUint32(4, length, true);
    result.set(new Uint8Array(this.#view.buffer, 0, length), 8);
    return result;
  }

  #align(at: number, to: number): number {
    return Math.ceil(at / to) * to;
  }
}
