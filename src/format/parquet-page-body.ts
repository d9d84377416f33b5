// The body of one data or dictionary page: unpacked, and taken apart into levels and values.
// Rules: spec/format/parquet.md, PQ-12.
import { ENCODING, PAGE } from "./parquet-codes.ts";
import { unpackBody } from "./parquet-compression.ts";
import { levelBytes, type Page } from "./parquet-page.ts";
import { ThriftError } from "./thrift-compact.ts";

/** The greatest levels of a column: 0 where there are none. */
export interface MaxLevels {
  readonly definition: number;
  readonly repetition: number;
}

/** A page taken apart: levels are in the hybrid encoding, one for each value of the page. */
export interface PageBody {
  readonly bytes: Uint8Array;
  /** Where in `bytes` the values begin. */
  readonly valuesStart: number;
  readonly definition: Uint8Array | undefined;
  readonly repetition: Uint8Array | undefined;
}

/** Unpacks a page. Throws `ThriftError` when its bytes do not hold what its header says. */
export function openPageBody(
  chunk: Uint8Array,
  page: Page,
  codec: number,
  levels: MaxLevels,
): PageBody {
  if (page.type === PAGE.dictionary) {
    const bytes = unpackPage(chunk.subarray(page.bodyStart, page.end), page, codec);
    return { bytes, valuesStart: 0, definition: undefined, repetition: undefined };
  }
  return page.v2
    ? openVersion2(chunk, page, page.v2, codec, levels)
    : openVersion1(chunk, page, codec, levels);
}

function openVersion2(
  chunk: Uint8Array,
  page: Page,
  { repetitionBytes, definitionBytes }: NonNullable<Page["v2"]>,
  codec: number,
  levels: MaxLevels,
): PageBody {
  const { bodyStart } = page;
  const middle = bodyStart + repetitionBytes;
  const valuesAt = middle + definitionBytes;
  const open = (start: number, end: number, most: number): Uint8Array | undefined =>
    most === 0 ? undefined : chunk.subarray(start, end);
  return {
    repetition: open(bodyStart, middle, levels.repetition),
    definition: open(middle, valuesAt, levels.definition),
    bytes: unpackPage(chunk.subarray(valuesAt, page.end), page, codec),
    valuesStart: 0,
  };
}

function openVersion1(chunk: Uint8Array, page: Page, codec: number, levels: MaxLevels): PageBody {
  const bytes = unpackPage(chunk.subarray(page.bodyStart, page.end), page, codec);
  let at = 0;
  const open = (most: number, encoding: number): Uint8Array | undefined => {
    if (most === 0) return undefined;
    if (encoding !== ENCODING.rle) throw new ThriftError(`its levels have encoding ${encoding}`);
    if (bytes.length - at < 4) throw new ThriftError("its levels end too early");
    const length = readUint32(bytes, at);
    at += 4;
    if (length > bytes.length - at) throw new ThriftError("its levels go past the end of the page");
    at += length;
    return bytes.subarray(at - length, at);
  };
  const repetition = open(levels.repetition, page.repetitionEncoding);
  const definition = open(levels.definition, page.definitionEncoding);
  return { bytes, valuesStart: at, definition, repetition };
}

function unpackPage(body: Uint8Array, page: Page, codec: number): Uint8Array {
  const size = page.uncompressedBytes - levelBytes(page);
  if (page.v2?.isCompressed === false || body.length === 0) return body;
  const result = unpackBody(body, size, codec);
  if (result.length === size) return result;
  throw new ThriftError(
    `the page at byte ${page.start} unpacks to ${result.length} bytes, not ${size}`,
  );
}

/** The bits that numbers up to `most` take. */
export function bitWidth(most: number): number {
  return 32 - Math.clz32(most);
}

/** A little-endian number of four bytes. */
export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)) >>>
    0
  );
}
