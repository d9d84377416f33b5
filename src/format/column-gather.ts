// Gathering rows of one or two batches into a new one: the kernel of every merge.

import { runAtOnce, type Steps } from "../runtime/steps.ts";
import { bitmapBytes, isBitSet, isNull, setBit } from "./bitmap.ts";
import { ByteCopier } from "./byte-copier.ts";
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  type FlatColumn,
  type ListColumn,
  requireItemCount,
  requireTextBytes,
  type StructColumn,
  type Validity,
} from "./column-batch.ts";

/**
 * Which rows a new column is made of, in order: a value `p >= 0` takes row `p` of the first column,
 * a negative one row `~p` of the second.
 */
export type Picks = Int32Array;

/** Rows gathered between two steps. */
const ROWS_A_STEP = 8_192;

/** A column of the picked rows. Both columns have the same layout; the second may be absent. */
export function gatherColumn<C extends Column>(
  first: C,
  second: Column | undefined,
  picks: Picks,
): C {
  return runAtOnce(gatherColumnSteps(first, second, picks)) as C;
}

/** `gatherColumn` in steps. */
export function* gatherColumnSteps(
  first: Column,
  second: Column | undefined,
  picks: Picks,
): Steps<Column> {
  const validity = gatherValidity(first, second, picks);
  if (first.layout === "struct") return yield* gatherStruct(first, second, picks, validity);
  if (first.layout === "list") return yield* gatherList(first, second, picks, validity);
  const { column, fill } = yield* beginColumn(first, second, picks, validity);
  for (let from = 0; from < picks.length; from += ROWS_A_STEP) {
    if (from > 0) yield;
    fill(from, Math.min(picks.length, from + ROWS_A_STEP));
  }
  return column;
}

function* gatherStruct(
  first: StructColumn,
  second: Column | undefined,
  picks: Picks,
  validity: Validity,
): Steps<Column> {
  const others = (second as StructColumn | undefined)?.children;
  const children: Column[] = [];
  for (const [index, child] of first.children.entries()) {
    children.push(yield* gatherColumnSteps(child, others?.[index], picks));
  }
  return { layout: "struct", rowCount: picks.length, validity, children };
}

/** The items of the picked rows are gathered like rows. */
function* gatherList(
  first: ListColumn,
  second: Column | undefined,
  picks: Picks,
  validity: Validity,
): Steps<Column> {
  const other = (second as ListColumn | undefined) ?? first;
  const rowCount = picks.length;
  const offsets = new Int32Array(rowCount + 1);
  const total = fillOffsets(offsets, 0, first.offsets, other.offsets, picks, 0, rowCount);
  requireItemCount(total);
  const items = new Int32Array(total);
  let next = 0;
  for (let row = 0; row < rowCount; row += 1) {
    const pick = picks[row] as number;
    const source = pick >= 0 ? first.offsets : other.offsets;
    const at = pick >= 0 ? pick : ~pick;
    const end = source[at + 1] as number;
    for (let item = source[at] as number; item < end; item += 1, next += 1) {
      items[next] = pick >= 0 ? item : ~item;
    }
  }
  const child = yield* gatherColumnSteps(first.child, second && other.child, items);
  return { layout: "list", rowCount, validity, offsets, child };
}

/** A column of as many rows as are picked, and how its rows `from` to `to` get their values. */
interface ColumnInWork {
  readonly column: Column;
  readonly fill: (from: number, to: number) => void;
}

function* beginColumn(
  first: FlatColumn,
  second: Column | undefined,
  picks: Picks,
  validity: Validity,
): Steps<ColumnInWork> {
  const rowCount = picks.length;
  switch (first.layout) {
    case "bits": {
      const values = new Uint8Array(bitmapBytes(rowCount));
      const other = (second as typeof first | undefined)?.values ?? first.values;
      return {
        column: { layout: "bits", rowCount, validity, values },
        fill: (from, to) => fillBits(values, first.values, other, picks, from, to),
      };
    }
    case "int32": {
      const values = new Int32Array(rowCount);
      const other = (second as typeof first | undefined)?.values ?? first.values;
      return {
        column: { layout: "int32", rowCount, validity, values },
        fill: (from, to) => fillInt32(values, first.values, other, picks, from, to),
      };
    }
    case "float32": {
      const values = new Float32Array(rowCount);
      const other = (second as typeof first | undefined)?.values ?? first.values;
      // As integers, so that every bit of a NaN stays.
      const [into, own, others] = [wordsOf(values), wordsOf(first.values), wordsOf(other)];
      return {
        column: { layout: "float32", rowCount, validity, values },
        fill: (from, to) => fillInt32(into, own, others, picks, from, to),
      };
    }
    case "int64": {
      const values = new BigInt64Array(rowCount);
      const other = (second as typeof first | undefined)?.values ?? first.values;
      return {
        column: { layout: "int64", rowCount, validity, values },
        fill: pairs(values, other),
      };
    }
    case "float64": {
      const values = new Float64Array(rowCount);
      const other = (second as typeof first | undefined)?.values ?? first.values;
      return {
        column: { layout: "float64", rowCount, validity, values },
        fill: pairs(values, other),
      };
    }
    case "bytes":
      return yield* beginBytes(
        first,
        (second as BytesColumn | undefined) ?? first,
        picks,
        validity,
      );
    case "fixed": {
      const { widthBytes } = first;
      const data = new Uint8Array(rowCount * widthBytes);
      const other = (second as typeof first | undefined)?.data ?? first.data;
      return {
        column: { layout: "fixed", rowCount, validity, widthBytes, data },
        fill: (from, to) => fillFixed(data, first.data, other, widthBytes, picks, from, to),
      };
    }
  }

  /** Values of eight bytes are moved as two integers each, so that every bit of a NaN stays. */
  function pairs(
    values: BigInt64Array | Float64Array,
    other: BigInt64Array | Float64Array,
  ): ColumnInWork["fill"] {
    const own = (first as { values: BigInt64Array | Float64Array }).values;
    const [into, source, otherSource] = [wordsOf(values), wordsOf(own), wordsOf(other)];
    return (from, to) => fillPairs(into, source, otherSource, picks, from, to);
  }
}

function fillBits(
  values: Uint8Array,
  first: Uint8Array,
  other: Uint8Array,
  picks: Picks,
  start: number,
  end: number,
): void {
  for (let row = start; row < end; row += 1) {
    const pick = picks[row] as number;
    const source = pick >= 0 ? first : other;
    const at = pick >= 0 ? pick : ~pick;
    if (isBitSet(source, at)) setBit(values, row);
  }
}

function fillInt32(
  values: Int32Array,
  first: Int32Array,
  other: Int32Array,
  picks: Picks,
  start: number,
  end: number,
): void {
  for (let row = start; row < end; row += 1) {
    const pick = picks[row] as number;
    values[row] = (pick >= 0 ? first[pick] : other[~pick]) as number;
  }
}

function fillPairs(
  values: Int32Array,
  first: Int32Array,
  other: Int32Array,
  picks: Picks,
  start: number,
  end: number,
): void {
  for (let row = start; row < end; row += 1) {
    const pick = picks[row] as number;
    const source = pick >= 0 ? first : other;
    const at = (pick >= 0 ? pick : ~pick) * 2;
    values[row * 2] = source[at] as number;
    values[row * 2 + 1] = source[at + 1] as number;
  }
}

function fillFixed(
  data: Uint8Array,
  first: Uint8Array,
  other: Uint8Array,
  widthBytes: number,
  picks: Picks,
  start: number,
  end: number,
): void {
  for (let row = start; row < end; row += 1) {
    const pick = picks[row] as number;
    const source = pick >= 0 ? first : other;
    const from = (pick >= 0 ? pick : ~pick) * widthBytes;
    for (let index = 0; index < widthBytes; index += 1) {
      data[row * widthBytes + index] = source[from + index] as number;
    }
  }
}

function wordsOf(values: BigInt64Array | Float32Array | Float64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.byteLength >> 2);
}

/** The validity of the picked rows; undefined when all are present. */
export function gatherValidity(
  first: { readonly validity: Validity },
  second: { readonly validity: Validity } | undefined,
  picks: Picks,
): Validity {
  if (!first.validity && !second?.validity) return undefined;
  const validity = new Uint8Array(bitmapBytes(picks.length));
  let nulls = 0;
  for (let row = 0; row < picks.length; row += 1) {
    const pick = picks[row] as number;
    const source = pick >= 0 ? first.validity : second?.validity;
    const at = pick >= 0 ? pick : ~pick;
    if (isNull(source, at)) nulls += 1;
    else setBit(validity, row);
  }
  return nulls === 0 ? undefined : validity;
}

function* beginBytes(
  first: BytesColumn,
  other: BytesColumn,
  picks: Picks,
  validity: Validity,
): Steps<ColumnInWork> {
  const rowCount = picks.length;
  const offsets = new Int32Array(rowCount + 1);
  let total = 0;
  for (let from = 0; from < rowCount; from += ROWS_A_STEP) {
    if (from > 0) yield;
    const to = Math.min(rowCount, from + ROWS_A_STEP);
    total = fillOffsets(offsets, total, first.offsets, other.offsets, picks, from, to);
    requireTextBytes(total);
  }
  if (rowCount >= ROWS_A_STEP) yield;
  const data = new Uint8Array(total);
  return {
    column: { layout: "bytes", rowCount, validity, offsets, data },
    fill: (from, to) => fillBytes(data, offsets, first, other, picks, from, to),
  };
}

/** The offsets behind rows `start` to `end`, which begin at `total`; returns where they end. */
function fillOffsets(
  offsets: Int32Array,
  total: number,
  first: Int32Array,
  other: Int32Array,
  picks: Picks,
  start: number,
  end: number,
): number {
  let next = total;
  for (let row = start; row < end; row += 1) {
    const pick = picks[row] as number;
    const source = pick >= 0 ? first : other;
    const at = pick >= 0 ? pick : ~pick;
    next += (source[at + 1] as number) - (source[at] as number);
    offsets[row + 1] = next;
  }
  return next;
}

function fillBytes(
  data: Uint8Array,
  offsets: Int32Array,
  first: BytesColumn,
  other: BytesColumn,
  picks: Picks,
  start: number,
  end: number,
): void {
  const ofFirst = new ByteCopier(first.data, data);
  const ofOther = first === other ? ofFirst : new ByteCopier(other.data, data);
  let row = start;
  while (row < end) {
    const pick = picks[row] as number;
    const source = pick >= 0 ? first : other;
    const at = pick >= 0 ? pick : ~pick;
    // Neighbouring rows of one source are copied in one piece.
    const step = pick >= 0 ? 1 : -1;
    let run = 1;
    while (row + run < end && picks[row + run] === pick + step * run) run += 1;
    const from = source.offsets[at] as number;
    const to = source.offsets[at + run] as number;
    (pick >= 0 ? ofFirst : ofOther).copy(from, to - from, offsets[row] as number);
    row += run;
  }
}

/** The numbers at these places. */
export function takeNumbers(numbers: Int32Array, places: Int32Array): Int32Array<ArrayBuffer> {
  const taken = new Int32Array(places.length);
  for (let index = 0; index < places.length; index += 1) {
    taken[index] = numbers[places[index] as number] as number;
  }
  return taken;
}

/** A batch of some rows of one batch. */
export function gatherBatch(batch: ColumnBatch, rows: Int32Array): ColumnBatch {
  return runAtOnce(gatherBatchSteps(batch, rows));
}

/** `gatherBatch` in steps. */
export function* gatherBatchSteps(batch: ColumnBatch, rows: Int32Array): Steps<ColumnBatch> {
  const columns: Column[] = [];
  for (const column of batch.columns) {
    columns.push(yield* gatherColumnSteps(column, undefined, rows));
    if (rows.length >= ROWS_A_STEP) yield;
  }
  return { schema: batch.schema, rowCount: rows.length, columns };
}

/** Rows `start` to `end` of a batch. */
export function sliceBatch(batch: ColumnBatch, start: number, end: number): ColumnBatch {
  if (start === 0 && end === batch.rowCount) return batch;
  const picks = new Int32Array(end - start);
  for (let row = start; row < end; row += 1) picks[row - start] = row;
  return gatherBatch(batch, picks);
}
