// Least and greatest values of the rows that are written, and how a footer states them. Rules: spec/format/parquet.md, PQ-7.
import { countNullRows, isBitSet, isNull } from "./bitmap.ts";
import type { BytesColumn, ColumnSlice, FixedColumn } from "./column-batch.ts";
import { gatherColumn } from "./column-gather.ts";
import { KernelWork } from "./kernel.ts";
import { PHYSICAL } from "./parquet-codes.ts";
import type { StoredStatistics } from "./parquet-footer.ts";
import { shortenRange } from "./parquet-short-bounds.ts";
import type { ColumnType } from "./schema.ts";
import {
  type DictionaryColumn,
  markUsedEntries,
  PREFIX_BYTES,
  type PrefixedColumn,
  type StoredSlice,
} from "./stored-column.ts";
import { endOfWindow, placeRows, WINDOW_EXTRA_BYTES, WINDOW_RANGES } from "./text-window.ts";

/** A value as its column stores it. */
export type StoredValue = Uint8Array | number | bigint | boolean;

/** Nulls and bounds of some rows. */
export interface ValueRange {
  readonly nullCount: number;
  readonly min?: StoredValue;
  readonly max?: StoredValue;
  /** There are values without a place in the order, so bounds would mislead: NaN. */
  readonly isUnordered: boolean;
  /** The bounds are numbers in two's complement, not text. */
  readonly isDecimal?: boolean;
}

/** Nulls and bounds of the slices, which are of one type. */
export function computeValueRange(slices: readonly StoredSlice[], type: ColumnType): ValueRange {
  const isDecimal = type.kind === "decimal";
  return slices
    .map((slice) => computeSliceRange(slice, isDecimal))
    .reduce(mergeValueRanges, EMPTY_RANGE);
}

/** The range of no rows. */
export const EMPTY_RANGE: ValueRange = { nullCount: 0, isUnordered: false };

/** What holds for the rows of both; values of `a` and `b` are of one column. */
export function mergeValueRanges(a: ValueRange, b: ValueRange): ValueRange {
  const nullCount = a.nullCount + b.nullCount;
  if (a.isUnordered || b.isUnordered) return { nullCount, isUnordered: true };
  if (a.min === undefined || a.max === undefined) return { ...b, nullCount };
  if (b.min === undefined || b.max === undefined) return { ...a, nullCount };
  const isDecimal = a.isDecimal ?? false;
  return {
    ...a,
    nullCount,
    min: isLess(b.min, a.min, isDecimal) ? b.min : a.min,
    max: isLess(a.max, b.max, isDecimal) ? b.max : a.max,
  };
}

/** Whether a value comes before another of its column; decimals are compared as numbers. */
export function isLess(a: StoredValue, b: StoredValue, isDecimal: boolean): boolean {
  if (!(a instanceof Uint8Array && b instanceof Uint8Array)) return a < b;
  const high = isDecimal ? signed(a[0]) - signed(b[0]) : 0;
  return (high === 0 ? Buffer.compare(a, b) : high) < 0;
}

function computeSliceRange(stored: StoredSlice, isDecimal: boolean): ValueRange {
  const { column, from, to } = stored;
  const nullCount = countNullRows(column.validity, from, to);
  if (nullCount === to - from) return { nullCount, isUnordered: false };
  if (column.layout === "dictionary") {
    return { ...computeSliceRange(usedEntries(column, from, to), isDecimal), nullCount };
  }
  if (column.layout === "prefixed") {
    return { nullCount, isUnordered: false, ...boundStrings(column, stored, PREFIX_BYTES) };
  }
  const slice = stored as ColumnSlice;
  switch (column.layout) {
    case "bits":
      return { nullCount, isUnordered: false, ...boundBits(column.values, slice) };
    case "int32":
      return { nullCount, isUnordered: false, ...boundNumbers(column.values, slice) };
    case "float32":
    case "float64":
      return boundReals(column.values, slice, nullCount);
    case "int64":
      return { nullCount, isUnordered: false, ...boundLongs(column.values, slice) };
    case "bytes":
      return { nullCount, isUnordered: false, ...boundStrings(column, slice, 0) };
    case "struct":
    case "list":
      return { nullCount, isUnordered: false };
    case "fixed":
      return { nullCount, isUnordered: false, isDecimal, ...boundFixed(column, slice, isDecimal) };
  }
}

/** The entries that rows of a dictionary column refer to, each once. */
function usedEntries(column: DictionaryColumn, from: number, to: number): ColumnSlice {
  const { entries } = column;
  const isUsed = markUsedEntries(column, from, to);
  const used = Int32Array.from(isUsed.keys()).filter((entry) => isUsed[entry] === 1);
  return { column: gatherColumn(entries, undefined, used), from: 0, to: used.length };
}

interface Bounds {
  readonly min: StoredValue;
  readonly max: StoredValue;
}

function firstPresent({ column, from }: StoredSlice): number {
  let row = from;
  while (isNull(column.validity, row)) row += 1;
  return row;
}

function boundBits(values: Uint8Array, { column, from, to }: ColumnSlice): Bounds {
  let min = true;
  let max = false;
  for (let row = from; row < to && (min || !max); row += 1) {
    if (isNull(column.validity, row)) continue;
    if (isBitSet(values, row)) max = true;
    else min = false;
  }
  return { min, max };
}

function boundNumbers(
  values: Int32Array | Float32Array | Float64Array,
  slice: ColumnSlice,
): { min: number; max: number } {
  const { column, to } = slice;
  const first = firstPresent(slice);
  let min = values[first] as number;
  let max = min;
  for (let row = first + 1; row < to; row += 1) {
    const value = values[row] as number;
    if (value < min) {
      if (!isNull(column.validity, row)) min = value;
    } else if (value > max && !isNull(column.validity, row)) max = value;
  }
  return { min, max };
}

function boundReals(
  values: Float32Array | Float64Array,
  slice: ColumnSlice,
  nullCount: number,
): ValueRange {
  const { column, from, to } = slice;
  for (let row = from; row < to; row += 1) {
    if (Number.isNaN(values[row]) && !isNull(column.validity, row)) {
      return { nullCount, isUnordered: true };
    }
  }
  const { min, max } = boundNumbers(values, slice);
  // Readers compare the two zeros in different ways: bounds that hold both are safe.
  return { nullCount, isUnordered: false, min: min === 0 ? -0 : min, max: max === 0 ? 0 : max };
}

function boundLongs(values: BigInt64Array, slice: ColumnSlice): Bounds {
  const { column, to } = slice;
  const words = new Int32Array(values.buffer, values.byteOffset, values.length * 2);
  const first = firstPresent(slice);
  let min = first;
  let max = first;
  let minHigh = words[first * 2 + 1] as number;
  let maxHigh = minHigh;
  let minLow = (words[first * 2] as number) >>> 0;
  let maxLow = minLow;
  for (let row = first + 1; row < to; row += 1) {
    const high = words[row * 2 + 1] as number;
    const low = (words[row * 2] as number) >>> 0;
    if (high < minHigh || (high === minHigh && low < minLow)) {
      if (isNull(column.validity, row)) continue;
      min = row;
      minHigh = high;
      minLow = low;
    } else if (high > maxHigh || (high === maxHigh && low > maxLow)) {
      if (isNull(column.validity, row)) continue;
      max = row;
      maxHigh = high;
      maxLow = low;
    }
  }
  return { min: values[min] as bigint, max: values[max] as bigint };
}

/** `skip` bytes of each text are its length. */
function boundStrings(
  column: BytesColumn | PrefixedColumn,
  slice: StoredSlice,
  skip: number,
): Bounds {
  const { offsets } = column;
  const { from, to } = slice;
  const isWhole = to - from >= LEAST_KERNEL_ROWS && endOfWindow(offsets, from, to) === to;
  return isWhole ? boundInKernel(column, slice, skip) : boundHere(column, slice, skip);
}

/** Fewer rows are not worth carrying to the kernel. */
const LEAST_KERNEL_ROWS = 64;

function boundInKernel(
  column: BytesColumn | PrefixedColumn,
  { from, to }: StoredSlice,
  skip: number,
): Bounds {
  const { offsets, data } = column;
  const bytes = (offsets[to] as number) - (offsets[from] as number);
  const work = new KernelWork(WINDOW_RANGES, bytes + WINDOW_EXTRA_BYTES);
  const placed = placeRows(work, column, from, to);
  const rows = work.run.boundTexts(
    ...[placed.offsets, to - from, placed.data],
    ...[skip, placed.validity, placed.bit],
  );
  const valueAt = (row: number): Uint8Array =>
    data.slice((offsets[row] as number) + skip, offsets[row + 1]);
  return {
    min: valueAt(from + Number(rows >> 32n)),
    max: valueAt(from + Number(rows & 0xffffffffn)),
  };
}

function boundHere(column: BytesColumn | PrefixedColumn, slice: StoredSlice, skip: number): Bounds {
  const { offsets, data, validity } = column;
  const first = firstPresent(slice);
  const order = new ByteOrder(data);
  const startOf = (row: number): number => (offsets[row] as number) + skip;
  const endOf = (row: number): number => offsets[row + 1] as number;
  let min = first;
  let max = first;
  let minHead = order.head(startOf(first), endOf(first));
  let maxHead = minHead;
  for (let row = first + 1; row < slice.to; row += 1) {
    const start = (offsets[row] as number) + skip;
    const end = offsets[row + 1] as number;
    const head = order.head(start, end);
    // Most values lie between the bounds, and their first four bytes tell.
    if ((head > minHead && head < maxHead) || isNull(validity, row)) continue;
    if (order.compare(start, end, startOf(max), endOf(max)) > 0) {
      max = row;
      maxHead = head;
    } else if (order.compare(start, end, startOf(min), endOf(min)) < 0) {
      min = row;
      minHead = head;
    }
  }
  const valueAt = (row: number): Uint8Array => data.slice(startOf(row), endOf(row));
  return { min: valueAt(min), max: valueAt(max) };
}

function boundFixed(column: FixedColumn, slice: ColumnSlice, isDecimal: boolean): Bounds {
  const { widthBytes, data, validity } = column;
  const first = firstPresent(slice);
  const order = new ByteOrder(data);
  let min = first;
  let max = first;
  const compare = (row: number, other: number): number => {
    const high = signed(data[row * widthBytes]) - signed(data[other * widthBytes]);
    if (isDecimal && high !== 0) return high;
    return order.compare(
      row * widthBytes,
      (row + 1) * widthBytes,
      other * widthBytes,
      (other + 1) * widthBytes,
    );
  };
  for (let row = first + 1; row < slice.to; row += 1) {
    if (isNull(validity, row)) continue;
    if (compare(row, max) > 0) max = row;
    else if (compare(row, min) < 0) min = row;
  }
  const valueAt = (row: number): Uint8Array => data.slice(row * widthBytes, (row + 1) * widthBytes);
  return { min: valueAt(min), max: valueAt(max) };
}

function signed(byte: number | undefined): number {
  return ((byte as number) << 24) >> 24;
}

/** Compares ranges of one buffer as unsigned bytes, four at a time: keys often begin alike. */
class ByteOrder {
  readonly #data: Uint8Array;
  readonly #view: DataView;

  constructor(data: Uint8Array) {
    this.#data = data;
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  /** The first four bytes as a number; a shorter value counts as if zeros followed. */
  head(start: number, end: number): number {
    if (end - start >= 4) return this.#view.getUint32(start);
    let head = 0;
    for (let index = 0; index < 4; index += 1) {
      head = head * 256 + (start + index < end ? (this.#data[start + index] as number) : 0);
    }
    return head;
  }

  compare(aStart: number, aEnd: number, bStart: number, bEnd: number): number {
    const data = this.#data;
    const view = this.#view;
    let a = aStart;
    let b = bStart;
    for (; a + 4 <= aEnd && b + 4 <= bEnd; a += 4, b += 4) {
      const difference = view.getUint32(a) - view.getUint32(b);
      if (difference !== 0) return difference;
    }
    for (; a < aEnd && b < bEnd; a += 1, b += 1) {
      const difference = (data[a] as number) - (data[b] as number);
      if (difference !== 0) return difference;
    }
    return aEnd - aStart - (bEnd - bStart);
  }
}

/** A range of a column of that physical type, shortened, as a footer states it. */
export function encodeStatistics(range: ValueRange, physicalType: number): StoredStatistics {
  const { nullCount, min, max, isMinExact, isMaxExact } = shortenRange(range, physicalType);
  if (min === undefined || max === undefined) return { nullCount };
  const bounds = { min: encodeValue(min, physicalType), max: encodeValue(max, physicalType) };
  return { nullCount, ...bounds, isMinExact, isMaxExact };
}

/** A value in the plain encoding, texts without their length. */
export function encodeValue(value: StoredValue, physicalType: number): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === "boolean") return new Uint8Array([value ? 1 : 0]);
  if (typeof value === "bigint") return new Uint8Array(new BigInt64Array([value]).buffer);
  switch (physicalType) {
    case PHYSICAL.double:
      return new Uint8Array(new Float64Array([value]).buffer);
    case PHYSICAL.float:
      return new Uint8Array(new Float32Array([value]).buffer);
    default:
      return new Uint8Array(new Int32Array([value]).buffer);
  }
}
