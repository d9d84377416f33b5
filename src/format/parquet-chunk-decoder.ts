// Decodes rows of a column chunk: builds a file of just the pages that hold them, lets parquet-wasm
// read it, and copies the values out. Rules: spec/format/parquet.md, PQ-11.
import { type ArrowColumn, copyArrowColumn } from "./arrow-ffi.ts";
import { type Column, nullColumn, repeatBytes } from "./column-batch.ts";
import { concatBatches } from "./column-concat.ts";
import { CODEC, MAGIC, PAGE, PHYSICAL, REPETITION } from "./parquet-codes.ts";
import { encodeFooter, type SchemaElement } from "./parquet-footer.ts";
import { decompressPages, isDataPage, type Page, walkPages } from "./parquet-page.ts";
import { findRepeatedValue } from "./parquet-repeated-chunk.ts";
import { convertColumn } from "./parquet-value-conversion.ts";
import { runParquetWasm } from "./parquet-wasm-instance.ts";
import type { Field } from "./schema.ts";
import { ThriftError } from "./thrift-compact.ts";

/** The bytes of one chunk and what the footer says of it. */
export interface StoredChunk {
  readonly bytes: Uint8Array;
  readonly codec: number;
  readonly rowCount: number;
  readonly element: SchemaElement;
}

/** Values of a chunk beyond this are decoded in parts, to bound the memory of the decoder. */
const PART_BYTES: number = 64 * 1024 * 1024;

/** Decodes a chunk, or rows of it, in the layout of the field that a reader asked for. */
export class ChunkDecoder {
  readonly #chunk: StoredChunk;
  readonly #pages: readonly Page[];
  readonly #field: Field;
  readonly #repeated: Uint8Array | undefined;

  /** Throws `ThriftError` when the pages are damaged. */
  constructor(chunk: StoredChunk, field: Field) {
    this.#chunk = chunk;
    this.#pages = walkPages(chunk.bytes, chunk.rowCount, chunk.codec);
    this.#field = field;
    if (field.type.kind === "string") {
      const isNullable = chunk.element.repetition !== REPETITION.required;
      this.#repeated = findRepeatedValue(chunk.bytes, this.#pages, chunk.codec, isNullable);
    }
  }

  /**
   * Rows `from` to `to` of the chunk. Throws `ThriftError` or an error of the decoder when the
   * pages are damaged, and `UnfitValueError` for a value that the field cannot hold.
   */
  decode(from: number, to: number, partBytes: number = PART_BYTES): Column {
    if (from === to) return nullColumn(this.#field.type, 0);
    if (this.#repeated && this.#repeated.length * (to - from) < 0x7fffffff) {
      return repeatBytes(this.#repeated, to - from);
    }
    const parts = this.#selectParts(from, to, partBytes).map((pages) => {
      const first = pages[0] as Page;
      const last = pages.at(-1) as Page;
      const start = Math.max(0, from - first.firstRow);
      const end = Math.min(to, last.firstRow + last.valueCount) - first.firstRow;
      const raw = this.#decodePages(pages, start, end);
      return convertColumn(raw, this.#chunk.element, this.#field);
    });
    const [only, ...rest] = parts;
    return only !== undefined && rest.length === 0 ? only : this.#concat(parts, to - from);
  }

  /** The data pages that hold the rows, in groups of bounded size. */
  #selectParts(from: number, to: number, partBytes: number): Page[][] {
    const dictionary = this.#pages.find((page) => page.type === PAGE.dictionary);
    const entryBytes = dictionary
      ? dictionary.uncompressedBytes / Math.max(1, dictionary.valueCount)
      : 0;
    const parts: Page[][] = [];
    let room = 0;
    for (const page of this.#pages) {
      if (!isDataPage(page) || page.firstRow >= to || page.firstRow + page.valueCount <= from)
        continue;
      const size = Math.max(page.uncompressedBytes, page.valueCount * entryBytes);
      if (parts.length === 0 || size > room) {
        parts.push([]);
        room = partBytes;
      }
      parts.at(-1)?.push(page);
      room -= size;
    }
    return parts;
  }

  #concat(parts: readonly Column[], rowCount: number): Column {
    const bytes = parts.reduce(
      (sum, part) => sum + (part.layout === "bytes" ? part.data.length : 0),
      0,
    );
    if (bytes > 0x7fffffff) {
      throw new ThriftError(
        `${rowCount} rows hold ${bytes} bytes of text, read fewer rows at once`,
      );
    }
    const schema = { name: "part", fields: [this.#field] };
    const batches = parts.map((part) => ({ schema, rowCount: part.rowCount, columns: [part] }));
    return concatBatches(batches).columns[0] as Column;
  }

  /** Rows `from` to `to`, counted from the first of these pages. */
  #decodePages(pages: readonly Page[], from: number, to: number): ArrowColumn {
    const file = this.#buildFile(pages);
    const total = pages.reduce((sum, page) => sum + page.valueCount, 0);
    const range = from === 0 && to === total ? {} : { offset: from, limit: to - from };
    return runParquetWasm((wasm) => {
      const table = wasm.readParquet(file, { batchSize: Math.max(1, to - from), ...range });
      const stream = table.intoFFI();
      try {
        if (stream.numArrays() !== 1)
          throw new ThriftError(`found ${stream.numArrays()} batches of rows`);
        const column = copyArrowColumn(
          wasm.wasmMemory().buffer as ArrayBuffer,
          stream.arrayAddr(0),
          stream.schemaAddr(),
        );
        if (column.rowCount !== to - from) {
          throw new ThriftError(`found ${column.rowCount} values for ${to - from} rows`);
        }
        return column;
      } finally {
        stream.free();
      }
    });
  }

  /** A file with one column and one row group: the dictionary and these pages, then a footer. */
  #buildFile(pages: readonly Page[]): Uint8Array {
    const { bytes, codec, element } = this.#chunk;
    const dictionary = this.#pages.filter((page) => page.type === PAGE.dictionary);
    const isOwnCodec = codec === CODEC.none || codec === CODEC.snappy;
    const body = isOwnCodec
      ? spanPages(bytes, dictionary, pages)
      : decompressPages(bytes, [...dictionary, ...pages], codec);
    const bodyBytes = body.reduce((sum, part) => sum + part.length, 0);
    const rowCount = pages.reduce((sum, page) => sum + page.valueCount, 0);
    const leaf = storedElement(element);
    const footer = encodeFooter({
      elements: [{ name: "schema", childCount: 1 }, leaf],
      rowCount,
      rowGroups: [
        {
          rowCount,
          columns: [
            {
              physicalType: leaf.physicalType as number,
              path: [leaf.name],
              codec: isOwnCodec ? codec : CODEC.none,
              encodings: [],
              valueCount: rowCount,
              uncompressedBytes: bodyBytes,
              compressedBytes: bodyBytes,
              dataPageOffset: MAGIC.length + (dictionary.length > 0 ? 1 : 0),
              dictionaryPageOffset: dictionary.length > 0 ? MAGIC.length : undefined,
            },
          ],
        },
      ],
      keyValues: new Map(),
      hasColumnOrders: false,
    });
    const file = new Uint8Array(MAGIC.length + bodyBytes + footer.length);
    file.set(MAGIC);
    let at = MAGIC.length;
    for (const part of [...body, footer]) {
      file.set(part, at);
      at += part.length;
    }
    return file;
  }
}

/** The bytes of the pages; those of data pages lie one behind the other. */
function spanPages(
  bytes: Uint8Array,
  dictionary: readonly Page[],
  pages: readonly Page[],
): Uint8Array[] {
  const parts = dictionary.map((page) => bytes.subarray(page.start, page.end));
  const [first] = pages as readonly [Page, ...Page[]];
  const last = pages.at(-1) as Page;
  return [...parts, bytes.subarray(first.start, last.end)];
}

/** The column as it is given to the decoder: bare values, which it neither checks nor converts. */
function storedElement(element: SchemaElement): SchemaElement {
  const isInt96 = element.physicalType === PHYSICAL.int96;
  return {
    name: "c",
    physicalType: isInt96 ? PHYSICAL.fixed : element.physicalType,
    typeLength: isInt96 ? 12 : element.typeLength,
    repetition:
      element.repetition === REPETITION.required ? REPETITION.required : REPETITION.optional,
  };
}
