// Columns in the making: values of pages are placed, then spread over the rows that have one.
// Rules: spec/format/parquet.md, PQ-11.
import { bitmapBytes, clearBit, isBitSet, setBit } from "./bitmap.ts";
import type { FlatColumn } from "./column-batch.ts";
import { PHYSICAL } from "./parquet-codes.ts";
import type { SchemaElement } from "./parquet-footer.ts";
import { readPrefixed, TextOutput, TextValueDecoder } from "./parquet-text-decoder.ts";
import {
  decodeFlags,
  FixedValueDecoder,
  type PageValues,
  readIndexes,
  widthOf,
} from "./parquet-value-decoder.ts";
import type { DictionaryColumn, PrefixedColumn } from "./stored-column.ts";
import { ThriftError } from "./thrift-compact.ts";

/** Rows in work: the values that are present are placed, then spread over the rows that have one. */
export interface RowTarget<T> {
  place(values: PageValues, skip: number, count: number, row: number): void;
  /** Moves the `count` values at row `from` on to the rows of `from` to `to` that are present. */
  spread(validity: Uint8Array, from: number, to: number, count: number): void;
  finish(validity: Uint8Array | undefined): T;
}

/** Makes columns of one physical type. */
export interface ValueDecoder {
  begin(rowCount: number): RowTarget<FlatColumn>;
  /** The entries of the dictionary, or undefined where there is none. */
  entries(): FlatColumn | undefined;
}

const MAX_WIDTH = 256;

/** A decoder of the values of a chunk. */
export function createValueDecoder(
  element: SchemaElement,
  dictionary: PageValues | undefined,
): ValueDecoder {
  const { physicalType = -1, typeLength = 0 } = element;
  if (physicalType === PHYSICAL.boolean) return { begin: beginFlags, entries: () => undefined };
  if (physicalType === PHYSICAL.byteArray) {
    const decoder = new TextValueDecoder(dictionary);
    return {
      begin: (rowCount) => beginTexts(decoder, rowCount),
      entries() {
        const texts = decoder.dictionary;
        const rowCount = (texts?.offsets.length ?? 1) - 1;
        return texts && { layout: "bytes", rowCount, validity: undefined, ...texts };
      },
    };
  }
  const width = widthOf(physicalType, typeLength);
  // A wider number is none that a table has, and nulls of it would take room without any bytes.
  if (width <= 0 || width > MAX_WIDTH) throw new ThriftError(`its values have ${width} bytes`);
  const decoder = new FixedValueDecoder(physicalType, width, dictionary);
  return {
    begin: (rowCount) => beginFixed(decoder, physicalType, width, rowCount),
    entries() {
      const data = decoder.dictionary;
      return data && viewOf(data, physicalType, width, data.length / width, undefined);
    },
  };
}

function beginFlags(rowCount: number): RowTarget<FlatColumn> {
  const values = new Uint8Array(bitmapBytes(rowCount));
  return {
    place: (page, skip, count, row) => decodeFlags(page, skip, count, values, row),
    spread(validity, from, to, count) {
      let source = from + count;
      for (let row = to - 1; row >= from; row -= 1) {
        const isSet = isBitSet(validity, row) && isBitSet(values, --source);
        if (isSet) setBit(values, row);
        else clearBit(values, row);
      }
    },
    finish: (validity) => ({ layout: "bits", rowCount, validity, values }),
  };
}

function beginFixed(
  decoder: FixedValueDecoder,
  physicalType: number,
  width: number,
  rowCount: number,
): RowTarget<FlatColumn> {
  const data = new Uint8Array(rowCount * width);
  return {
    place: (page, skip, count, row) => decoder.decode(page, skip, count, data, row * width),
    spread(validity, from, to, count) {
      let source = from + count;
      for (let row = to - 1; row >= from; row -= 1) {
        const start = row * width;
        if (isBitSet(validity, row)) {
          source -= 1;
          if (source !== row) data.copyWithin(start, source * width, (source + 1) * width);
        } else data.fill(0, start, start + width);
      }
    },
    finish: (validity) => viewOf(data, physicalType, width, rowCount, validity),
  };
}

function viewOf(
  data: Uint8Array,
  physicalType: number,
  widthBytes: number,
  rowCount: number,
  validity: Uint8Array | undefined,
): FlatColumn {
  const { buffer } = data;
  switch (physicalType) {
    case PHYSICAL.int32:
      return { layout: "int32", rowCount, validity, values: new Int32Array(buffer) };
    case PHYSICAL.int64:
      return { layout: "int64", rowCount, validity, values: new BigInt64Array(buffer) };
    case PHYSICAL.float:
      return { layout: "float32", rowCount, validity, values: new Float32Array(buffer) };
    case PHYSICAL.double:
      return { layout: "float64", rowCount, validity, values: new Float64Array(buffer) };
    default:
      return { layout: "fixed", rowCount, validity, widthBytes, data };
  }
}

function beginTexts(decoder: TextValueDecoder, rowCount: number): RowTarget<FlatColumn> {
  const target = new TextTarget(rowCount, (...values) => decoder.decode(...values));
  return {
    place: (values, skip, count, row) => target.place(values, skip, count, row),
    spread: (validity, from, to, count) => target.spread(validity, from, to, count),
    finish: (validity) => ({ layout: "bytes", rowCount, validity, ...target.finish() }),
  };
}

/** Texts of plain pages, left as they are. */
export function beginPrefixed(rowCount: number): RowTarget<PrefixedColumn> {
  const target = new TextTarget(rowCount, readPrefixed);
  return {
    place: (values, skip, count, row) => target.place(values, skip, count, row),
    spread: (validity, from, to, count) => target.spread(validity, from, to, count),
    finish: (validity) => ({ layout: "prefixed", rowCount, validity, ...target.finish() }),
  };
}

/** Values of pages that all refer to the dictionary, left as its entries. */
export function beginIndexes(entries: FlatColumn, rowCount: number): RowTarget<DictionaryColumn> {
  const indexes = new Int32Array(rowCount);
  return {
    place(values, skip, count, row) {
      indexes.set(readIndexes(values, skip, count, entries.rowCount), row);
    },
    spread(validity, from, to, count) {
      let source = from + count;
      for (let row = to - 1; row >= from; row -= 1) {
        if (isBitSet(validity, row)) source -= 1;
        indexes[row] = isBitSet(validity, row) ? (indexes[source] as number) : 0;
      }
    },
    finish: (validity) => ({ layout: "dictionary", rowCount, validity, indexes, entries }),
  };
}

/** Decodes values `skip` to `skip + count` of a page: sizes to `sizes[at..]`, bytes behind `out`. */
type TextReader = (
  page: PageValues,
  skip: number,
  count: number,
  sizes: Int32Array,
  at: number,
  out: TextOutput,
) => void;

/** Values of any size: their sizes become offsets once all are known. */
class TextTarget {
  readonly #rowCount: number;
  readonly #read: TextReader;
  readonly #offsets: Int32Array;
  readonly #out: TextOutput = new TextOutput();

  constructor(rowCount: number, read: TextReader) {
    this.#rowCount = rowCount;
    this.#read = read;
    this.#offsets = new Int32Array(rowCount + 1);
  }

  place(values: PageValues, skip: number, count: number, row: number): void {
    // Later pages are taken to be like this one.
    this.#out.pages = (this.#rowCount - row) / Math.max(1, count);
    this.#read(values, skip, count, this.#offsets, row + 1, this.#out);
  }

  spread(validity: Uint8Array, from: number, to: number, count: number): void {
    const offsets = this.#offsets;
    let source = from + count;
    for (let row = to - 1; row >= from; row -= 1) {
      offsets[row + 1] = isBitSet(validity, row) ? (offsets[source--] as number) : 0;
    }
  }

  finish(): { readonly offsets: Int32Array; readonly data: Uint8Array } {
    const offsets = this.#offsets;
    for (let row = 1; row <= this.#rowCount; row += 1) {
      offsets[row] = (offsets[row - 1] as number) + (offsets[row] as number);
    }
    return { offsets, data: this.#out.finish() };
  }
}
