// Reads one column of an Arrow record batch from outside: checks its type, brings it into our layout
// without loss, and trusts no length that its buffers do not have. Rules: spec/format/arrow.md.

import { isUtf8 } from "node:buffer";
import type {
  Field as ArrowField,
  Data,
  DataType,
  Dictionary,
  FixedSizeBinary,
  Float,
  Int,
} from "apache-arrow";
import { ArrowDictionaryEntries } from "./arrow-dictionary-entries.ts";
import {
  readArrowDates,
  readArrowDecimals,
  readArrowDoubles,
  readArrowFloats,
  readArrowInts,
  readArrowLongs,
  readArrowTimes,
  readArrowTimestamps,
} from "./arrow-numbers.ts";
import { ARROW, ArrowSource } from "./arrow-source.ts";
import {
  bitmapBytes,
  clearBit,
  countBits,
  findNull,
  isNull,
  setBits,
  sliceBits,
} from "./bitmap.ts";
import { type BytesColumn, type Column, nullColumn, type Validity } from "./column-batch.ts";
import { KeyTable } from "./key-table.ts";
import { childFields, type Field, type NestedType } from "./schema.ts";

/**
 * The column of `field`. Throws `INVALID` naming label, column and row for a type or value that the
 * field cannot hold, and for buffers that do not hold what they claim.
 */
export function readArrowColumn(data: Data, field: Field, rowCount: number, label: string): Column {
  return new ArrowColumnReader(data, field, rowCount, label).read();
}

class ArrowColumnReader {
  readonly #source: ArrowSource;
  readonly #data: Data;
  readonly #field: Field;
  readonly #rowCount: number;
  readonly #label: string;
  /** Rows that count: of the others something outside is null, so that they may hold anything. */
  readonly #slots: Validity;

  constructor(data: Data, field: Field, rowCount: number, label: string, slots?: Validity) {
    this.#source = new ArrowSource(data, field, rowCount, label);
    this.#data = data;
    this.#field = field;
    this.#rowCount = rowCount;
    this.#label = label;
    this.#slots = slots;
  }

  read(): Column {
    if (this.#data.length !== this.#rowCount) {
      this.#source.refuse(`it has ${this.#data.length} rows, the batch ${this.#rowCount}`);
    }
    const validity = this.#readValidity();
    const { type } = this.#data;
    switch (this.#field.type.kind) {
      case "string":
        return this.#readStrings(validity);
      case "enum":
        return this.#requireSymbols(this.#readStrings(validity), this.#field.type.symbols);
      case "boolean":
        if (type.typeId === ARROW.bool) return this.#readBits(validity);
        break;
      case "int":
        if (isSignedInt(type) && type.bitWidth <= 32) return readArrowInts(this.#source, validity);
        break;
      case "long":
        if (isSignedInt(type)) return readArrowLongs(this.#source, validity);
        break;
      case "float":
        if (type.typeId === ARROW.float && (type as Float).precision === 1) {
          return readArrowFloats(this.#source, validity);
        }
        break;
      case "bytes":
        return this.#readBytes(validity);
      case "double":
        if (type.typeId === ARROW.float && (type as Float).precision > 0)
          return readArrowDoubles(this.#source, validity);
        break;
      case "date":
        if (type.typeId === ARROW.date) return readArrowDates(this.#source, validity);
        break;
      case "time-millis":
      case "time-micros":
        if (type.typeId === ARROW.time) return readArrowTimes(this.#source, validity);
        break;
      case "timestamp-millis":
      case "timestamp-micros":
      case "local-timestamp-millis":
      case "local-timestamp-micros":
        if (type.typeId === ARROW.timestamp || type.typeId === ARROW.date) {
          return readArrowTimestamps(this.#source, validity);
        }
        break;
      case "fixed":
        return this.#readFixed(validity, this.#field.type.length);
      case "decimal":
        if (type.typeId === ARROW.decimal) return readArrowDecimals(this.#source, validity);
        break;
      case "struct":
        if (type.typeId === ARROW.struct) return this.#readStruct(validity);
        break;
      case "list":
        if (type.typeId === ARROW.list) return this.#readList(validity);
        break;
      case "map":
        if (type.typeId === ARROW.map) return this.#readList(validity);
        break;
    }
    return this.#source.refuseType();
  }

  /** What the bitmap says, whatever the count of nulls claims; a claim without a bitmap is a lie. */
  #readValidity(): Validity {
    const { nullBitmap, offset, nullCount, type } = this.#data;
    const rowCount = this.#rowCount;
    if (!nullBitmap || nullBitmap.length === 0) {
      if (nullCount > 0 && rowCount > 0 && type.typeId !== ARROW.null) {
        this.#source.refuse(`it claims ${nullCount} nulls and has no validity bitmap`);
      }
      return undefined;
    }
    if (nullBitmap.length < bitmapBytes(offset + rowCount)) {
      this.#source.refuse("its validity bitmap is short");
    }
    const bits = sliceBits(nullBitmap, offset, rowCount);
    return countBits(bits, 0, rowCount) === rowCount ? undefined : bits;
  }

  #readBits(validity: Validity): Column {
    const { offset } = this.#data;
    const values = this.#source.values(Uint8Array, bitmapBytes(offset + this.#rowCount));
    return {
      layout: "bits",
      rowCount: this.#rowCount,
      validity,
      values: sliceBits(values, offset, this.#rowCount),
    };
  }

  /** Children by name, each with as many rows; those of a map by their place. */
  #readStruct(validity: Validity): Column {
    const rowCount = this.#rowCount;
    const fields = childFields(this.#field.type as NestedType);
    const arrowFields = this.#data.type.children as readonly ArrowField[];
    const isEntry = this.#field.name.endsWith(".key_value");
    const slots = bothBits(this.#slots, validity);
    const children = fields.map((field, place) => {
      const index = isEntry ? place : arrowFields.findIndex(({ name }) => name === field.name);
      const data = this.#data.children[index];
      // A batch without rows may come without what is inside.
      if (!data && rowCount === 0 && arrowFields[index]) return nullColumn(field.type, 0);
      if (!data) this.#source.refuse(`it lacks ${field.name}`);
      return this.#readInside(data as Data, field, rowCount, slots);
    });
    if (arrowFields.length > fields.length) {
      this.#source.refuse(`found ${arrowFields.length} columns inside, expected ${fields.length}`);
    }
    return { layout: "struct", rowCount, validity, children };
  }

  #readList(validity: Validity): Column {
    const rowCount = this.#rowCount;
    const offsets = this.#readOffsets();
    const [item] = childFields(this.#field.type as NestedType) as [Field];
    const data = this.#data.children[0] as Data | undefined;
    if (!data && rowCount === 0) {
      return { layout: "list", rowCount, validity, offsets, child: nullColumn(item.type, 0) };
    }
    if (!data) this.#source.refuse("it has no items");
    const items = (data as Data).length;
    if ((offsets[rowCount] as number) > items) this.#source.refuse("its offsets leave its items");
    const slots = itemSlots(offsets, bothBits(this.#slots, validity), rowCount, items);
    const child = this.#readInside(data as Data, item, items, slots);
    return { layout: "list", rowCount, validity, offsets, child };
  }

  #readInside(data: Data, field: Field, rowCount: number, slots: Validity): Column {
    const named = { ...field, name: `${this.#field.name}.${field.name}` };
    const column = new ArrowColumnReader(data, named, rowCount, this.#label, slots).read();
    const row = field.nullable ? -1 : findMissing(column.validity, slots, rowCount);
    if (row >= 0) this.#source.refuse(`found null in ${field.name}, expected a value`);
    return column;
  }

  #readStrings(validity: Validity): BytesColumn {
    const { typeId } = this.#data.type;
    if (typeId === ARROW.dictionary) return this.#readDictionary(validity);
    if (typeId !== ARROW.utf8 && typeId !== ARROW.largeUtf8) this.#source.refuseType();
    const column = this.#readSized(validity);
    this.#requireText(column);
    return column;
  }

  /** Values of any length as they are. */
  #readSized(validity: Validity): BytesColumn {
    const rowCount = this.#rowCount;
    const offsets = this.#readOffsets();
    const data = this.#source.values(Uint8Array, offsets[rowCount] as number);
    return { layout: "bytes", rowCount, validity, offsets, data };
  }

  #readBytes(validity: Validity): BytesColumn {
    const { type } = this.#data;
    if (type.typeId === ARROW.binary || type.typeId === ARROW.largeBinary) {
      return this.#readSized(validity);
    }
    if (type.typeId !== ARROW.fixedSizeBinary) this.#source.refuseType();
    const rowCount = this.#rowCount;
    const { byteWidth } = type as FixedSizeBinary;
    const data = this.#source.values(Uint8Array, rowCount * byteWidth);
    if (rowCount * byteWidth > 0x7fffffff)
      this.#source.refuse("found more than 2 GiB in one batch");
    const offsets = Int32Array.from({ length: rowCount + 1 }, (_, row) => row * byteWidth);
    return { layout: "bytes", rowCount, validity, offsets, data };
  }

  /** Values of any length are taken where they have the right one. */
  #readFixed(validity: Validity, widthBytes: number): Column {
    const rowCount = this.#rowCount;
    const { type } = this.#data;
    if (
      type.typeId === ARROW.fixedSizeBinary &&
      (type as FixedSizeBinary).byteWidth === widthBytes
    ) {
      const data = this.#source.values(Uint8Array, rowCount * widthBytes);
      return { layout: "fixed", rowCount, validity, widthBytes, data };
    }
    if (type.typeId !== ARROW.binary && type.typeId !== ARROW.largeBinary) {
      this.#source.refuseType();
    }
    const { offsets, data: bytes } = this.#readSized(validity);
    const data = new Uint8Array(rowCount * widthBytes);
    for (let row = 0; row < rowCount; row += 1) {
      if (isNull(validity, row)) continue;
      const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
      if (end - start !== widthBytes) {
        this.#source.refuse(`found ${end - start} bytes in row ${row}, expected ${widthBytes}`);
      }
      data.set(bytes.subarray(start, end), row * widthBytes);
    }
    return { layout: "fixed", rowCount, validity, widthBytes, data };
  }

  #requireSymbols(column: BytesColumn, symbols: readonly string[]): BytesColumn {
    const known = new KeyTable(symbols.length);
    for (const symbol of symbols) {
      const bytes = Buffer.from(symbol, "utf8");
      known.add(0, bytes, 0, bytes.length);
    }
    const { offsets, data, validity, rowCount } = column;
    for (let row = 0; row < rowCount; row += 1) {
      if (isNull(validity, row)) continue;
      const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
      if (known.find(0, data, start, end) >= 0) continue;
      const found = Buffer.from(data.subarray(start, Math.min(end, start + 60))).toString("utf8");
      const names = symbols.slice(0, 20).join(", ");
      this.#source.refuse(
        `found symbol ${JSON.stringify(found)} in row ${row}, expected one of ${names}`,
      );
    }
    return column;
  }

  #readOffsets(): Int32Array {
    const rowCount = this.#rowCount;
    const source: unknown = this.#data.valueOffsets;
    // A column without rows may come without offsets.
    if (rowCount === 0) return new Int32Array(1);
    const isLong = source instanceof BigInt64Array;
    if (!(isLong || source instanceof Int32Array) || source.length <= rowCount) {
      return this.#source.refuse("its offsets are short");
    }
    const offsets = source.subarray(0, rowCount + 1);
    let last: number | bigint = 0;
    for (const offset of offsets) {
      if (offset < last) this.#source.refuse("its offsets go back");
      last = offset;
    }
    if (last > 0x7fffffff) this.#source.refuse("found more than 2 GiB in one batch");
    return isLong ? Int32Array.from(offsets as BigInt64Array, Number) : (offsets as Int32Array);
  }

  #requireText({ offsets, data, rowCount, validity }: BytesColumn): void {
    const start = offsets[0] as number;
    const end = offsets[rowCount] as number;
    if (isUtf8(data.subarray(start, end)) && !splitsCharacter(data, offsets, end)) return;
    for (let row = 0; row < rowCount; row += 1) {
      if (isNull(validity, row)) continue;
      if (!isUtf8(data.subarray(offsets[row], offsets[row + 1]))) {
        this.#source.refuse(`found bytes that are not UTF-8 in row ${row}`);
      }
    }
  }

  #readDictionary(validity: Validity): BytesColumn {
    const { dictionary } = this.#data;
    const { dictionary: valueType } = this.#data.type as Dictionary;
    const isText = valueType.typeId === ARROW.utf8 || valueType.typeId === ARROW.largeUtf8;
    if (!dictionary || !isText) this.#source.refuseType();
    const rowCount = this.#rowCount;
    const entryField: Field = { ...this.#field, nullable: true };
    const chunks = dictionary.data.map((chunk) => {
      const reader = new ArrowColumnReader(chunk as Data, entryField, chunk.length, this.#label);
      return reader.#readStrings(reader.#readValidity());
    });
    return this.#lookUp(new ArrowDictionaryEntries(chunks), validity, rowCount);
  }

  #lookUp(entries: ArrowDictionaryEntries, validity: Validity, rowCount: number): BytesColumn {
    const keys = this.#data.values as ArrayLike<number | bigint>;
    if (!keys || keys.length < rowCount) this.#source.refuse("its dictionary keys are short");
    const present = validity ?? new Uint8Array(bitmapBytes(rowCount)).fill(0xff);
    const offsets = new Int32Array(rowCount + 1);
    let total = 0;
    let hasNullEntry = false;
    for (let row = 0; row < rowCount; row += 1) {
      if (!isNull(validity, row)) {
        const length = entries.lengthOf(Number(keys[row]));
        if (length === undefined)
          this.#source.refuse(
            `found dictionary key ${keys[row]} in row ${row}, which has no entry`,
          );
        if (length === null) {
          hasNullEntry = true;
          clearBit(present, row);
        } else total += length;
        if (total > 0x7fffffff) this.#source.refuse("found more than 2 GiB of text in one batch");
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

/** Bits that are set in both; absent where all are. */
function bothBits(a: Validity, b: Validity): Validity {
  if (!a || !b) return a ?? b;
  return a.map((byte, index) => byte & (b[index] as number));
}

/** The items that belong to a list that counts; absent where all do. */
function itemSlots(
  offsets: Int32Array,
  slots: Validity,
  rowCount: number,
  items: number,
): Validity {
  if (!slots && offsets[0] === 0 && offsets[rowCount] === items) return undefined;
  const used = new Uint8Array(bitmapBytes(items));
  for (let row = 0; row < rowCount; row += 1) {
    if (!isNull(slots, row)) setBits(used, offsets[row] as number, offsets[row + 1] as number);
  }
  return used;
}

/** The first row that counts and has no value, or -1. */
function findMissing(validity: Validity, slots: Validity, rowCount: number): number {
  if (!slots || !validity) return findNull(validity, 0, rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    if (isNull(validity, row) && !isNull(slots, row)) return row;
  }
  return -1;
}

function isSignedInt(type: DataType): type is Int {
  return type.typeId === ARROW.int && (type as Int).isSigned;
}

/** Whether a value begins inside a character of the text as a whole. */
function splitsCharacter(data: Uint8Array, offsets: Int32Array, end: number): boolean {
  for (const offset of offsets) {
    if (offset < end && ((data[offset] as number) & 0xc0) === 0x80) return true;
  }
  return false;
}
