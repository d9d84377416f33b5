// The index of pages of a file: where each page lies, and between which bounds its values are, so that a
// reader may fetch and unpack only some. Rules: spec/format/parquet.md, PQ-14.
import { encodeValue, isLess, type StoredValue, type ValueRange } from "./parquet-statistics.ts";
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
  /** Bounds as the index states them: short ones. */
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
  const minima: Uint8Array[] = [];
  const maxima: Uint8Array[] = [];
  for (const { range, valueCount } of pages) {
    const { min, max, nullCount } = range;
    if (nullCount === valueCount) {
      minima.push(NOTHING);
      maxima.push(NOTHING);
    } else if (min === undefined || max === undefined) {
      return undefined;
    } else {
      minima.push(encodeValue(min, physicalType));
      maxima.push(encodeValue(max, physicalType));
    }
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
