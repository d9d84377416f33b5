// Reads one column of an Arrow record batch from outside: checks its type, brings it into our layout
// without loss, and trusts no length that its buffers do not have. Rules: spec/format/arrow.md.
import { isUtf8 } from "node:buffer";
import type {
  Data,
  DataType,
  Date_,
  Decimal,
  Dictionary,
  Float,
  Int,
  Timestamp,
} from "apache-arrow";
import { HudiError } from "../errors.ts";
import {
  type BytesColumn,
  bitmapBytes,
  type Column,
  type FixedColumn,
  type Int32Column,
  type Int64Column,
  type Validity,
} from "./column-batch.ts";
import { decimalWidthBytes, type Field, formatFieldType } from "./schema.ts";

/** Members of Arrow's Type enumeration, spelled out so that the library need not be loaded. */
const ARROW = {
  int: 2,
  float: 3,
  utf8: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  timestamp: 10,
  largeUtf8: 20,
  dictionary: -1,
} as const;

/**
 * The column of `field`. Throws `INVALID` naming label, column and row for a type or value that the
 * field cannot hold, and `CORRUPT` for buffers that are too short.
 */
export function readArrowColumn(data: Data, field: Field, rowCount: number, label: string): Column {
  return new ArrowColumnReader(data, field, rowCount, label).read();
}

class ArrowColumnReader {
  readonly #data: Data;
  readonly #field: Field;
  readonly #rowCount: number;
  readonly #label: string;

  constructor(data: Data, field: Field, rowCount: number, label: string) {
    this.#data = data;
    this.#field = field;
    this.#rowCount = rowCount;
    this.#label = label;
  }

  read(): Column {
    if (this.#data.length !== this.#rowCount) {
      this.#refuseBuffers(`it has ${this.#data.length} rows, the batch ${this.#rowCount}`);
    }
    const validity = this.#readValidity();
    const { type } = this.#data;
    switch (this.#field.type.kind) {
      case "string":
        return this.#readStrings(validity);
      case "boolean":
        if (type.typeId === ARROW.bool) return this.#readBits(validity);
        break;
      case "int":
        if (isSignedInt(type) && type.bitWidth <= 32) return this.#readInts(validity);
        break;
      case "long":
        if (isSignedInt(type)) return this.#readLongs(validity);
        break;
      case "double":
        if (type.typeId === ARROW.float && (type as Float).precision > 0)
          return this.#readDoubles(validity);
        break;
      case "date":
        if (type.typeId === ARROW.date) return this.#readDates(validity);
        break;
      case "timestamp-micros":
        if (type.typeId === ARROW.timestamp || type.typeId === ARROW.date) {
          return this.#readTimestamps(validity);
        }
        break;
      case "decimal":
        if (type.typeId === ARROW.decimal) return this.#readDecimals(validity);
        break;
    }
    return this.#refuseType();
  }

  #refuseType(): never {
    this.#refuse(`found Arrow type ${this.#data.type}`);
  }

  #refuse(found: string): never {
    const { name } = this.#field;
    throw new HudiError(
      "INVALID",
      `cannot use ${this.#label}: column ${name} (${formatFieldType(this.#field)}): ${found}`,
    );
  }

  #refuseBuffers(found: string): never {
    throw new HudiError(
      "CORRUPT",
      `cannot use ${this.#label}: column ${this.#field.name}: ${found}`,
    );
  }

  #readValidity(): Validity {
    const { nullBitmap, offset } = this.#data;
    if (!nullBitmap || nullBitmap.length === 0) return undefined;
    if (nullBitmap.length < bitmapBytes(offset + this.#rowCount)) {
      this.#refuseBuffers("its validity bitmap is short");
    }
    return this.#data.nullCount === 0 ? undefined : copyBits(nullBitmap, offset, this.#rowCount);
  }

  /** The values, which must be an array of that kind with enough of them. */
  #values<T>(kind: new (length: number) => T & { readonly length: number }, count: number): T {
    const values: unknown = this.#data.values;
    if (!(values instanceof kind) || values.length < count)
      this.#refuseBuffers("its values are short");
    return values;
  }

  #readBits(validity: Validity): Column {
    const { offset } = this.#data;
    const values = this.#values(Uint8Array, bitmapBytes(offset + this.#rowCount));
    return {
      layout: "bits",
      rowCount: this.#rowCount,
      validity,
      values: copyBits(values, offset, this.#rowCount),
    };
  }

  #readInts(validity: Validity): Int32Column {
    const rowCount = this.#rowCount;
    const { bitWidth } = this.#data.type as Int;
    const values =
      bitWidth === 32
        ? this.#values(Int32Array, rowCount)
        : Int32Array.from(
            bitWidth === 16
              ? this.#values(Int16Array, rowCount)
              : this.#values(Int8Array, rowCount),
          );
    return { layout: "int32", rowCount, validity, values: values.subarray(0, rowCount) };
  }

  #readLongs(validity: Validity): Int64Column {
    const rowCount = this.#rowCount;
    if ((this.#data.type as Int).bitWidth === 64) {
      const values = this.#values(BigInt64Array, rowCount).subarray(0, rowCount);
      return { layout: "int64", rowCount, validity, values };
    }
    const values = BigInt64Array.from(this.#readInts(validity).values, BigInt);
    return { layout: "int64", rowCount, validity, values };
  }

  #readDoubles(validity: Validity): Column {
    const rowCount = this.#rowCount;
    const values =
      (this.#data.type as Float).precision === 2
        ? this.#values(Float64Array, rowCount).subarray(0, rowCount)
        : Float64Array.from(this.#values(Float32Array, rowCount).subarray(0, rowCount));
    return { layout: "float64", rowCount, validity, values };
  }

  #readDates(validity: Validity): Int32Column {
    const rowCount = this.#rowCount;
    if ((this.#data.type as Date_).unit === 0) {
      const values = this.#values(Int32Array, rowCount).subarray(0, rowCount);
      return { layout: "int32", rowCount, validity, values };
    }
    const millis = this.#values(BigInt64Array, rowCount);
    const values = new Int32Array(rowCount);
    for (let row = 0; row < rowCount; row += 1) {
      if (isNull(validity, row)) continue;
      const days = (millis[row] as bigint) / 86_400_000n;
      values[row] = Number(days);
      if (days * 86_400_000n !== millis[row] || BigInt(values[row] as number) !== days) {
        this.#refuse(`found ${millis[row]} milliseconds in row ${row}, expected whole days`);
      }
    }
    return { layout: "int32", rowCount, validity, values };
  }

  #readTimestamps(validity: Validity): Int64Column {
    const rowCount = this.#rowCount;
    const { type } = this.#data;
    // Dates in milliseconds are what Arrow makes of JavaScript's Date.
    const unit = type.typeId === ARROW.date ? 1 : (type as Timestamp).unit;
    if (type.typeId === ARROW.date && (type as Date_).unit === 0) this.#refuseType();
    const source = this.#values(BigInt64Array, rowCount);
    if (unit === 2)
      return { layout: "int64", rowCount, validity, values: source.subarray(0, rowCount) };
    const values = new BigInt64Array(rowCount);
    for (let row = 0; row < rowCount; row += 1) {
      if (isNull(validity, row)) continue;
      const value = source[row] as bigint;
      const micros = unit === 3 ? value / 1000n : value * (unit === 0 ? 1_000_000n : 1000n);
      values[row] = micros;
      if (values[row] !== micros || (unit === 3 && micros * 1000n !== value)) {
        this.#refuse(
          `found ${value} of ${type} in row ${row}, expected whole microseconds in 64 bits`,
        );
      }
    }
    return { layout: "int64", rowCount, validity, values };
  }

  #readDecimals(validity: Validity): FixedColumn {
    const rowCount = this.#rowCount;
    const type = this.#data.type as Decimal;
    const target = this.#field.type as { readonly precision: number; readonly scale: number };
    if (type.bitWidth !== 128 || type.scale !== target.scale) this.#refuseType();
    const words = this.#values(Uint32Array, rowCount * 4);
    const view = new DataView(words.buffer, words.byteOffset, words.byteLength);
    const widthBytes = decimalWidthBytes(target.precision);
    const limit = 10n ** BigInt(target.precision);
    const data = new Uint8Array(rowCount * widthBytes);
    for (let row = 0; row < rowCount; row += 1) {
      if (isNull(validity, row)) continue;
      const value =
        (view.getBigInt64(row * 16 + 8, true) << 64n) | view.getBigUint64(row * 16, true);
      if (value >= limit || value <= -limit) {
        this.#refuse(
          `found unscaled value ${value} in row ${row}, expected at most ${target.precision} digits`,
        );
      }
      for (let index = 0; index < widthBytes; index += 1) {
        data[row * widthBytes + index] = view.getUint8(row * 16 + widthBytes - 1 - index);
      }
    }
    return { layout: "fixed", rowCount, validity, widthBytes, data };
  }

  #readStrings(validity: Validity): BytesColumn {
    const { typeId } = this.#data.type;
    if (typeId === ARROW.dictionary) return this.#readDictionary(validity);
    if (typeId !== ARROW.utf8 && typeId !== ARROW.largeUtf8) this.#refuseType();
    const rowCount = this.#rowCount;
    const offsets = this.#readOffsets();
    const bytes = this.#values(Uint8Array, offsets[rowCount] as number);
    const column: BytesColumn = { layout: "bytes", rowCount, validity, offsets, data: bytes };
    this.#requireText(column);
    return column;
  }

  #readOffsets(): Int32Array {
    const rowCount = this.#rowCount;
    const source: unknown = this.#data.valueOffsets;
    // A column without rows may come without offsets.
    if (rowCount === 0) return new Int32Array(1);
    if (source instanceof Int32Array && source.length > rowCount) {
      return this.#requireRising(source.subarray(0, rowCount + 1));
    }
    if (source instanceof BigInt64Array && source.length > rowCount) {
      if ((source[rowCount] as bigint) > 0x7fffffffn)
        this.#refuse("found more than 2 GiB of text in one batch");
      return this.#requireRising(Int32Array.from(source.subarray(0, rowCount + 1), Number));
    }
    return this.#refuseBuffers("its offsets are short");
  }

  #requireRising(offsets: Int32Array): Int32Array {
    let last = 0;
    for (const offset of offsets) {
      if (offset < last) this.#refuseBuffers("its offsets go back");
      last = offset;
    }
    return offsets;
  }

  #requireText({ offsets, data, rowCount, validity }: BytesColumn): void {
    const start = offsets[0] as number;
    const end = offsets[rowCount] as number;
    if (isUtf8(data.subarray(start, end)) && !splitsCharacter(data, offsets, end)) return;
    for (let row = 0; row < rowCount; row += 1) {
      if (isNull(validity, row)) continue;
      if (!isUtf8(data.subarray(offsets[row], offsets[row + 1]))) {
        this.#refuse(`found bytes that are not UTF-8 in row ${row}`);
      }
    }
  }

  #readDictionary(validity: Validity): BytesColumn {
    const { dictionary } = this.#data;
    const { dictionary: valueType } = this.#data.type as Dictionary;
    const isText = valueType.typeId === ARROW.utf8 || valueType.typeId === ARROW.largeUtf8;
    if (!dictionary || !isText) this.#refuseType();
    const rowCount = this.#rowCount;
    const entryField: Field = { ...this.#field, nullable: true };
    const chunks = dictionary.data.map((chunk) => {
      const reader = new ArrowColumnReader(chunk as Data, entryField, chunk.length, this.#label);
      return reader.#readStrings(reader.#readValidity());
    });
    return this.#lookUp(new DictionaryEntries(chunks), validity, rowCount);
  }

  #lookUp(entries: DictionaryEntries, validity: Validity, rowCount: number): BytesColumn {
    const keys = this.#data.values as ArrayLike<number | bigint>;
    if (!keys || keys.length < rowCount) this.#refuseBuffers("its dictionary keys are short");
    const present = validity ?? new Uint8Array(bitmapBytes(rowCount)).fill(0xff);
    const offsets = new Int32Array(rowCount + 1);
    let total = 0;
    let hasNullEntry = false;
    for (let row = 0; row < rowCount; row += 1) {
      if (!isNull(validity, row)) {
        const length = entries.lengthOf(Number(keys[row]));
        if (length === undefined)
          this.#refuse(`found dictionary key ${keys[row]} in row ${row}, which has no entry`);
        if (length === null) {
          hasNullEntry = true;
          present[row >> 3] = (present[row >> 3] as number) & ~(1 << (row & 7));
        } else total += length;
        if (total > 0x7fffffff) this.#refuse("found more than 2 GiB of text in one batch");
      }
      offsets[row + 1] = total;
    }
    const data = new Uint8Array(total);
    const isEmpty = (row: number): boolean => offsets[row] === offsets[row + 1];
    for (let row = 0; row < rowCount; row += 1) {
      if (!isEmpty(row)) entries.copy(Number(keys[row]), data, offsets[row] as number);
    }
    const isKept = validity !== undefined || hasNullEntry;
    return { layout: "bytes", rowCount, validity: isKept ? present : undefined, offsets, data };
  }
}

/** The entries of a dictionary, which may lie in several chunks. */
class DictionaryEntries {
  readonly #places: { readonly chunk: BytesColumn; readonly row: number }[];

  constructor(chunks: readonly BytesColumn[]) {
    this.#places = chunks.flatMap((chunk) =>
      Array.from({ length: chunk.rowCount }, (_, row) => ({ chunk, row })),
    );
  }

  /** Bytes of an entry; null for an entry that is null, undefined for none. */
  lengthOf(key: number): number | null | undefined {
    const place = this.#places[key];
    if (!place) return undefined;
    const { chunk, row } = place;
    if (isNull(chunk.validity, row)) return null;
    return (chunk.offsets[row + 1] as number) - (chunk.offsets[row] as number);
  }

  copy(key: number, into: Uint8Array, at: number): void {
    const { chunk, row } = this.#places[key] as { chunk: BytesColumn; row: number };
    into.set(chunk.data.subarray(chunk.offsets[row], chunk.offsets[row + 1]), at);
  }
}

function isSignedInt(type: DataType): type is Int {
  return type.typeId === ARROW.int && (type as Int).isSigned;
}

function isNull(validity: Validity, row: number): boolean {
  return validity !== undefined && ((validity[row >> 3] as number) & (1 << (row & 7))) === 0;
}

/** Whether a value begins inside a character of the text as a whole. */
function splitsCharacter(data: Uint8Array, offsets: Int32Array, end: number): boolean {
  for (const offset of offsets) {
    if (offset < end && ((data[offset] as number) & 0xc0) === 0x80) return true;
  }
  return false;
}

function copyBits(bits: Uint8Array, offset: number, count: number): Uint8Array {
  const result = bits.slice(offset >> 3, bitmapBytes(offset + count));
  const shift = offset & 7;
  if (shift === 0) return result;
  for (let index = 0; index < result.length; index += 1) {
    result[index] =
      ((result[index] as number) >> shift) | ((result[index + 1] ?? 0) << (8 - shift));
  }
  return result.subarray(0, bitmapBytes(count));
}
