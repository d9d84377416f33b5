// The index of pages of a file: where each page lies, and between which bounds its values are, so that a
// reader may fetch and unpack only some. Rules: spec/format/parquet.md, PQ-14.
import { PHYSICAL } from "./parquet-codes.ts";
import {
  encodeStatistics,
  isLess,
  type StoredValue,
  type ValueRange,
} from "./parquet-statistics.ts";
import { ThriftBuilder } from "./thrift-compact.ts";

/** One data page: where it lies in the file and what it holds. */
export interface IndexedPage {
  readonly offset: number;
  /** Header and body. */
  readonly sizeBytes: number;
  /** The row of its row group that it begins with. */
  readonly firstRow: number;
  readonly rowCount: number;
  /** Values, nulls and empty lists. */
  readonly valueCount: number;
  readonly range: ValueRange;
}

const ORDER = { none: 0, ascending: 1, descending: 2 } as const;

/** The places of the pages. */
export function encodeOffsetIndex(pages: readonly IndexedPage[]): Uint8Array {
  const locations = pages.map((page) =>
    new ThriftBuilder().i64(1, page.offset).i32(2, page.sizeBytes).i64(3, page.firstRow),
  );
  return new ThriftBuilder().structs(1, locations).finish();
}

/** The bounds of the pages, or undefined where those of some page are not known. */
export function encodeColumnIndex(
  pages: readonly IndexedPage[],
  physicalType: number,
): Uint8Array | undefined {
  const isText = physicalType === PHYSICAL.byteArray;
  const minima: Uint8Array[] = [];
  const maxima: Uint8Array[] = [];
  for (const { range, valueCount } of pages) {
    const { min, max } = encodeStatistics(range, physicalType);
    const isNull = range.nullCount === valueCount;
    if (!isNull && (!min || !max)) return undefined;
    minima.push(isNull ? NOTHING : isText ? cutMinimum(min as Uint8Array) : (min as Uint8Array));
    maxima.push(isNull ? NOTHING : isText ? cutMaximum(max as Uint8Array) : (max as Uint8Array));
  }
  const ranges = pages.map(({ range }) => range);
  return new ThriftBuilder()
    .flags(
      1,
      pages.map(({ range, valueCount }) => range.nullCount === valueCount),
    )
    .binaries(2, minima)
    .binaries(3, maxima)
    .i32(4, findOrder(ranges))
    .i64s(
      5,
      ranges.map(({ nullCount }) => nullCount),
    )
    .finish();
}

const NOTHING = new Uint8Array(0);

/** Whether minima and maxima of the pages that hold values both go one way. */
function findOrder(ranges: readonly ValueRange[]): number {
  const bounds = ranges.filter(({ min }) => min !== undefined);
  const goes = (isBefore: (a: StoredValue, b: StoredValue) => boolean): boolean =>
    bounds.every((range, index) => {
      const next = bounds[index + 1];
      if (!next) return true;
      const backwards = (a: StoredValue | undefined, b: StoredValue | undefined): boolean =>
        isBefore(b as StoredValue, a as StoredValue);
      return !backwards(range.min, next.min) && !backwards(range.max, next.max);
    });
  const isDecimal = bounds[0]?.isDecimal ?? false;
  if (goes((a, b) => isLess(a, b, isDecimal))) return ORDER.ascending;
  return goes((a, b) => isLess(b, a, isDecimal)) ? ORDER.descending : ORDER.none;
}

/** Bytes of a text that an index keeps. */
const MAX_TEXT_BYTES = 64;

/** The beginning of a text, which is not greater. */
function cutMinimum(text: Uint8Array): Uint8Array {
  return text.length <= MAX_TEXT_BYTES ? text : text.subarray(0, endOfCharacters(text));
}

/** A short text that is not less: the beginning with its last character made the next one. */
function cutMaximum(text: Uint8Array): Uint8Array {
  if (text.length <= MAX_TEXT_BYTES) return text;
  const prefix = Buffer.from(text.subarray(0, endOfCharacters(text)));
  const characters = [...prefix.toString("utf8")];
  if (!Buffer.from(characters.join("")).equals(prefix)) return text;
  for (let last = characters.length - 1; last >= 0; last -= 1) {
    const code = (characters[last] as string).codePointAt(0) as number;
    if (code === 0x10ffff) continue;
    const next = code === 0xd7ff ? 0xe000 : code + 1;
    const kept = characters.slice(0, last).join("");
    return new Uint8Array(Buffer.from(kept + String.fromCodePoint(next)));
  }
  return text;
}

/** Where the last character that fits ends. */
function endOfCharacters(text: Uint8Array): number {
  let end = MAX_TEXT_BYTES;
  while (end > 0 && ((text[end] as number) & 0xc0) === 0x80) end -= 1;
  return end;
}
