// The pages of a column chunk: walks their headers and checks that what they declare can be.
// Rules: spec/format/parquet.md, PQ-3.
import { CODEC, PAGE } from "./parquet-codes.ts";
import { snappyLength } from "./parquet-compression.ts";
import { decodeThriftStruct, ThriftBuilder, ThriftError } from "./thrift-compact.ts";

/** One page: what its header says, and where it lies in its chunk. */
export interface Page {
  readonly type: number;
  /** Bytes of the body after decompression. */
  readonly uncompressedBytes: number;
  readonly valueCount: number;
  readonly encoding: number;
  readonly definitionEncoding: number;
  readonly repetitionEncoding: number;
  /** What only a data page of version 2 has. */
  readonly v2?: {
    readonly nullCount: number;
    readonly rowCount: number;
    readonly definitionBytes: number;
    readonly repetitionBytes: number;
    readonly isCompressed: boolean;
  };
  /** Where the header begins, where the body begins and where it ends. */
  readonly start: number;
  readonly bodyStart: number;
  readonly end: number;
  /** The row of the chunk that the page begins with; for a dictionary the one it precedes. */
  readonly firstRow: number;
}

/**
 * The pages of a chunk of a column without lists, which must hold `rowCount` values. Throws
 * `ThriftError` when a header is damaged or declares what its bytes cannot hold.
 */
export function walkPages(chunk: Uint8Array, rowCount: number, codec: number): Page[] {
  const pages: Page[] = [];
  let at = 0;
  let row = 0;
  while (at < chunk.length && row < rowCount) {
    const page = decodePage(chunk, at, row);
    requirePossible(page, chunk, codec);
    if (page.type === PAGE.dictionary && pages.length > 0) {
      throw new ThriftError(`the page at byte ${at} is a second dictionary`);
    }
    if (page.type !== PAGE.index) pages.push(page);
    if (isDataPage(page)) row += page.valueCount;
    at = page.end;
  }
  if (row !== rowCount) throw new ThriftError(`its pages hold ${row} values for ${rowCount} rows`);
  return pages;
}

/** Whether a page holds values of rows. */
export function isDataPage(page: Page): boolean {
  return page.type === PAGE.data || page.type === PAGE.dataV2;
}

function decodePage(chunk: Uint8Array, start: number, firstRow: number): Page {
  const { struct, end: bodyStart } = decodeThriftStruct(chunk, start);
  const size = (value: number | undefined, what: string): number => {
    if (value === undefined || value < 0 || value > 0x7fffffff) {
      throw new ThriftError(`the ${what} of the page at byte ${start} is ${value}`);
    }
    return value;
  };
  const type = size(struct.integer(1), "type");
  const compressedBytes = size(struct.integer(3), "size");
  if (compressedBytes > chunk.length - bodyStart) {
    throw new ThriftError(`the page at byte ${start} goes past the end of its column`);
  }
  const v1 = struct.struct(5);
  const dictionary = struct.struct(7);
  const v2 = struct.struct(8);
  const detail = type === PAGE.data ? v1 : type === PAGE.dictionary ? dictionary : v2;
  if (!detail && type !== PAGE.index) {
    throw new ThriftError(`the page at byte ${start} has type ${type} without its header`);
  }
  return {
    type,
    uncompressedBytes: size(struct.integer(2), "size"),
    valueCount: size(detail?.integer(1) ?? 0, "value count"),
    encoding: detail?.integer(type === PAGE.dataV2 ? 4 : 2) ?? 0,
    definitionEncoding: v1?.integer(3) ?? 0,
    repetitionEncoding: v1?.integer(4) ?? 0,
    ...(type === PAGE.dataV2 && {
      v2: {
        nullCount: size(v2?.integer(2), "null count"),
        rowCount: size(v2?.integer(3), "row count"),
        definitionBytes: size(v2?.integer(5), "level size"),
        repetitionBytes: size(v2?.integer(6), "level size"),
        isCompressed: v2?.flag(7) ?? true,
      },
    }),
    start,
    bodyStart,
    end: bodyStart + compressedBytes,
    firstRow,
  };
}

/** No writer makes pages of so many values; one that claims them would cost memory without bytes. */
const MAX_PAGE_VALUES = 2 ** 26;

/** The most that Snappy can shrink: a copy of 64 bytes takes three. */
const MAX_SNAPPY_RATIO = 22;

function requirePossible(page: Page, chunk: Uint8Array, codec: number): void {
  const levels = levelBytes(page);
  const packed = page.end - page.bodyStart - levels;
  const unpacked = page.uncompressedBytes - levels;
  const refuse = (): never => {
    throw new ThriftError(
      `the page at byte ${page.start} claims ${page.uncompressedBytes} bytes in ${page.end - page.bodyStart}`,
    );
  };
  if (page.valueCount > MAX_PAGE_VALUES) {
    throw new ThriftError(`the page at byte ${page.start} claims ${page.valueCount} values`);
  }
  if (packed < 0 || unpacked < 0) refuse();
  if (page.type === PAGE.dictionary && page.valueCount > page.uncompressedBytes * 8) refuse();
  if (codec === CODEC.none || page.v2?.isCompressed === false) {
    if (packed !== unpacked) refuse();
  } else if (codec === CODEC.snappy) {
    const body = chunk.subarray(page.bodyStart + levels, page.end);
    if (packed > 0 && snappyLength(body) !== unpacked) refuse();
    if (unpacked > packed * MAX_SNAPPY_RATIO) refuse();
  }
}

/** Bytes before the values that are never compressed. */
export function levelBytes(page: Page): number {
  return page.v2 ? page.v2.definitionBytes + page.v2.repetitionBytes : 0;
}

/** What a page header needs to be written. */
export type PageHeader = Pick<
  Page,
  | "type"
  | "uncompressedBytes"
  | "valueCount"
  | "encoding"
  | "definitionEncoding"
  | "repetitionEncoding"
  | "v2"
>;

/** The header of a page whose body takes `bodyBytes` bytes. */
export function encodePageHeader(
  page: PageHeader,
  bodyBytes: number,
  isCompressed: boolean,
): Uint8Array {
  const header = new ThriftBuilder()
    .i32(1, page.type)
    .i32(2, page.uncompressedBytes)
    .i32(3, bodyBytes);
  if (page.type === PAGE.data) {
    header.struct(
      5,
      new ThriftBuilder()
        .i32(1, page.valueCount)
        .i32(2, page.encoding)
        .i32(3, page.definitionEncoding)
        .i32(4, page.repetitionEncoding),
    );
  } else if (page.v2) {
    header.struct(
      8,
      new ThriftBuilder()
        .i32(1, page.valueCount)
        .i32(2, page.v2.nullCount)
        .i32(3, page.v2.rowCount)
        .i32(4, page.encoding)
        .i32(5, page.v2.definitionBytes)
        .i32(6, page.v2.repetitionBytes)
        .flag(7, isCompressed),
    );
  } else {
    header.struct(7, new ThriftBuilder().i32(1, page.valueCount).i32(2, page.encoding));
  }
  return header.finish();
}
