// Decodes rows of a column chunk: takes the pages that hold them apart and copies their values into
// typed arrays. Rules: spec/format/parquet.md, PQ-11.
import { releaseBytes } from "../runtime/release-bytes.ts";
import { bitmapBytes, copyBits, countBits, setBits } from "./bitmap.ts";
import { type Column, nullColumn } from "./column-batch.ts";
import { ENCODING, PAGE, PHYSICAL, REPETITION } from "./parquet-codes.ts";
import { encodeFieldElement, storedUnit } from "./parquet-column-type.ts";
import type { SchemaElement } from "./parquet-footer.ts";
import { HybridReader } from "./parquet-hybrid-reader.ts";
import { isDataPage, type Page, walkPages } from "./parquet-page.ts";
import { openPageBody } from "./parquet-page-body.ts";
import {
  beginIndexes,
  beginPrefixed,
  createValueDecoder,
  type RowTarget,
  type ValueDecoder,
} from "./parquet-row-target.ts";
import { convertColumn } from "./parquet-value-conversion.ts";
import { isDictionaryEncoding, type PageValues } from "./parquet-value-decoder.ts";
import type { ColumnType, Field } from "./schema.ts";
import type { StoredColumn } from "./stored-column.ts";
import { ThriftError } from "./thrift-compact.ts";

/** The bytes of one chunk and what the footer says of it. */
export interface StoredChunk {
  readonly bytes: Uint8Array;
  readonly codec: number;
  readonly rowCount: number;
  readonly element: SchemaElement;
}

/** A data page taken apart. */
interface OpenPage {
  readonly page: Page;
  readonly values: PageValues;
  /** A bit for each value that is present; undefined when all are. */
  readonly validity: Uint8Array | undefined;
}

/** Decodes a chunk, or rows of it, in the layout of the field that a reader asked for. */
export class ChunkDecoder {
  readonly #chunk: StoredChunk;
  readonly #pages: readonly Page[];
  readonly #field: Field;
  readonly #isNullable: boolean;
  #values: ValueDecoder | undefined;
  /** The page that was taken apart last: the next rows often begin in it. */
  #open: OpenPage | undefined;

  /** Throws `ThriftError` when the pages are damaged. */
  constructor(chunk: StoredChunk, field: Field) {
    this.#chunk = chunk;
    this.#pages = walkPages(chunk.bytes, chunk.rowCount, chunk.codec);
    this.#field = field;
    this.#isNullable = chunk.element.repetition !== REPETITION.required;
  }

  /**
   * Rows `from` to `to` of the chunk. Throws `ThriftError` when the pages are damaged, and
   * `UnfitValueError` for a value that the field cannot hold.
   */
  decode(from: number, to: number): Column {
    if (from === to) return nullColumn(this.#field.type, 0);
    const raw = this.#decodeRows(from, to, this.#openValues().begin(to - from));
    return convertColumn(raw, this.#chunk.element, this.#field);
  }

  /**
   * Rows `from` to `to` in a form that can be written again without taking it apart, where the chunk
   * has one; else as `decode` gives them. Throws as `decode` does.
   */
  decodeStored(from: number, to: number): StoredColumn {
    const { element } = this.#chunk;
    if (from === to || !isStoredWhole(element, this.#field.type)) return this.decode(from, to);
    const rowCount = to - from;
    const pages = this.#pages.filter((page) => isWithin(page, from, to));
    if (pages.every(({ encoding }) => isDictionaryEncoding(encoding))) {
      const entries = this.#openValues().entries();
      if (!entries) throw new ThriftError("a page refers to a dictionary that is not there");
      const column = convertColumn(entries, element, this.#field);
      return this.#decodeRows(from, to, beginIndexes(column, rowCount));
    }
    const isPlain = pages.every(({ encoding }) => encoding === ENCODING.plain);
    if (isPlain && element.physicalType === PHYSICAL.byteArray) {
      return this.#decodeRows(from, to, beginPrefixed(rowCount));
    }
    return this.decode(from, to);
  }

  #openValues(): ValueDecoder {
    this.#values ??= createValueDecoder(this.#chunk.element, this.#openDictionary());
    return this.#values;
  }

  #decodeRows<T>(from: number, to: number, target: RowTarget<T>): T {
    let validity: Uint8Array | undefined;
    for (const page of this.#pages) {
      if (!isWithin(page, from, to)) continue;
      const start = Math.max(from, page.firstRow);
      const end = Math.min(to, page.firstRow + page.valueCount);
      const open = this.#openPage(page);
      const bits = open.validity;
      const first = start - page.firstRow;
      const last = end - page.firstRow;
      const skip = bits ? countBits(bits, 0, first) : first;
      const count = bits ? countBits(bits, first, last) : last - first;
      target.place(open.values, skip, count, start - from);
      if (count === last - first || !bits) {
        if (validity) setBits(validity, start - from, end - from);
        continue;
      }
      validity ??= allBefore(start - from, to - from);
      copyBits(bits, first, validity, start - from, last - first);
      target.spread(validity, start - from, end - from, count);
    }
    if (to === this.#chunk.rowCount) this.#closePage();
    return target.finish(validity);
  }

  /** Lets the page go that was taken apart last. */
  #closePage(): void {
    const unpacked = this.#open?.values.bytes;
    this.#open = undefined;
    // A page that is stored as it is lies in the chunk.
    if (unpacked && unpacked.buffer !== this.#chunk.bytes.buffer) releaseBytes(unpacked);
  }

  #openDictionary(): PageValues | undefined {
    const page = this.#pages.find((one) => one.type === PAGE.dictionary);
    if (!page) return undefined;
    const { bytes, codec } = this.#chunk;
    const body = openPageBody(bytes, page, codec, NO_LEVELS);
    return { bytes: body.bytes, start: 0, encoding: page.encoding, count: page.valueCount };
  }

  #openPage(page: Page): OpenPage {
    if (this.#open?.page === page) return this.#open;
    this.#closePage();
    const { bytes, codec } = this.#chunk;
    const levels = { definition: this.#isNullable ? 1 : 0, repetition: 0 };
    const body = openPageBody(bytes, page, codec, levels);
    let validity: Uint8Array | undefined;
    let count = page.valueCount;
    if (body.definition) {
      const bits = new Uint8Array(bitmapBytes(page.valueCount));
      const levels = new HybridReader(body.definition, 0, body.definition.length, 1);
      count = levels.readBits(bits, 0, page.valueCount);
      if (count < page.valueCount) validity = bits;
    }
    const { encoding } = page;
    const values = { bytes: body.bytes, start: body.valuesStart, encoding, count };
    this.#open = { page, values, validity };
    return this.#open;
  }
}

/** Whether a page holds some of the rows. */
function isWithin(page: Page, from: number, to: number): boolean {
  return isDataPage(page) && page.firstRow < to && page.firstRow + page.valueCount > from;
}

/** Whether the values of a chunk are stored as the writer would store them for this type. */
function isStoredWhole(element: SchemaElement, type: ColumnType): boolean {
  const own = encodeFieldElement({ id: 0, name: "", type, nullable: true });
  return (
    own.physicalType === element.physicalType &&
    own.typeLength === element.typeLength &&
    (!isTime(type) || storedUnit(element) === (type.kind.endsWith("millis") ? "millis" : "micros"))
  );
}

function isTime({ kind }: ColumnType): boolean {
  return kind.includes("timestamp-") || kind === "time-micros";
}

const NO_LEVELS = { definition: 0, repetition: 0 } as const;

function allBefore(row: number, rowCount: number): Uint8Array {
  const bitmap = new Uint8Array(bitmapBytes(rowCount));
  setBits(bitmap, 0, row);
  return bitmap;
}
