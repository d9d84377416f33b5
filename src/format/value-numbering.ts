// Numbers the distinct values of a column in the kernel: the entries of a dictionary, and which entry
// each value is. Rules: spec/format/parquet.md, PQ-10.
import { countNullRows } from "./bitmap.ts";
import type { FlatColumn } from "./column-batch.ts";
import { KernelWork } from "./kernel.ts";
import { PREFIX_BYTES, type StoredColumn, type StoredSlice } from "./stored-column.ts";
import {
  endOfWindow,
  placeRows,
  placeValidity,
  type TextRows,
  WINDOW_BYTES,
  WINDOW_EXTRA_BYTES,
  WINDOW_RANGES,
  WINDOW_ROWS,
} from "./text-window.ts";

/** When a dictionary is given up: beyond these, or with fewer than two values for each entry. */
export interface NumberingLimits {
  readonly entries: number;
  readonly bytes: number;
  /** So many values come before the number of entries is held against them. */
  readonly sampleValues: number;
}

/** Distinct values, and for each slice the entries of its values that are present. */
export interface NumberedValues {
  readonly entries: FlatColumn;
  readonly indexes: readonly Int32Array[];
}

type Layout = "text" | "int32" | "int64" | "float32" | "float64";

/**
 * Numbers the values of slices of one layout. `undefined` when the kernel cannot: values of a fixed
 * width, slices in different forms, or a text that is larger than a window.
 */
export function numberValues(
  slices: readonly StoredSlice[],
  limits: NumberingLimits,
): NumberedValues | "given up" | undefined {
  const [first] = slices as readonly [StoredSlice, ...StoredSlice[]];
  const layout = layoutOf(first.column);
  if (!layout || slices.some(({ column }) => layoutOf(column) !== layout)) return undefined;
  const rows = slices.reduce((sum, { from, to }) => sum + to - from, 0);
  const numbering = new Numbering(layout, rows, limits);
  const indexes: Int32Array[] = [];
  for (const slice of slices) {
    const found = numbering.add(slice);
    if (!(found instanceof Int32Array)) return found;
    indexes.push(found);
  }
  return { entries: numbering.finish(), indexes };
}

function layoutOf({ layout }: StoredColumn): Layout | undefined {
  switch (layout) {
    case "bytes":
    case "prefixed":
      return "text";
    case "int32":
    case "int64":
    case "float32":
    case "float64":
      return layout;
    default:
      return undefined;
  }
}

/** Numbers in the description of a dictionary, by their place. */
const COUNT = 0;
const BYTES = 1;
const DESCRIPTION = 12;
/** No entry was met yet. */
const NONE = -1;

/** Distinct values in the making, in the memory of the kernel. */
export class Numbering {
  readonly #layout: Layout;
  readonly #width: number;
  readonly #work: KernelWork;
  readonly #dictionary: number;
  readonly #starts: number;
  readonly #data: number;
  readonly #indexes: number;
  readonly #window: number;

  /** For `rows` values at most; one that `isKept` outlasts other work of the kernel. */
  constructor(layout: Layout, rows: number, limits: NumberingLimits, isKept: boolean = false) {
    this.#layout = layout;
    const isText = layout === "text";
    this.#width = layout === "int32" || layout === "float32" ? 4 : 8;
    // One more than allowed is stored before a dictionary is given up.
    const room = Math.min(rows, limits.entries) + 1;
    let slotCount = 64;
    while (slotCount < room * 2) slotCount *= 2;
    const perRow = isText ? 4 : 0;
    const dataBytes = isText ? limits.bytes + WINDOW_BYTES : room * this.#width;
    const fixed = DESCRIPTION * 4 + slotCount * 4 + (room + 1) * perRow * 2 + dataBytes;
    const window = WINDOW_ROWS * 4 + WINDOW_EXTRA_BYTES + WINDOW_BYTES;
    const work = new KernelWork(6 + WINDOW_RANGES, fixed + window + WINDOW_ROWS * 4, isKept);
    this.#work = work;
    this.#dictionary = work.reserve(DESCRIPTION * 4);
    const slots = work.reserve(slotCount * 4);
    const hashes = work.reserve((room + 1) * perRow);
    this.#starts = work.reserve((room + 1) * perRow);
    this.#data = work.reserve(dataBytes);
    // An index for each value that is added, or two numbers for each that is found.
    this.#indexes = work.reserve(WINDOW_ROWS * 8);
    this.#window = work.mark();
    work.viewNumbers(slots, slotCount).fill(0);
    if (isText) work.viewNumbers(this.#starts, 1)[0] = 0;
    work
      .viewNumbers(this.#dictionary, DESCRIPTION)
      .set([
        ...[0, 0, 0, NONE, slots, slotCount - 1, hashes, this.#starts, this.#data],
        ...[limits.entries, limits.bytes, limits.sampleValues],
      ]);
  }

  /** The entries of the values that are present; `undefined` where a text is too large. */
  add({ column, from, to }: StoredSlice): Int32Array | "given up" | undefined {
    const found = new Int32Array(to - from - countNullRows(column.validity, from, to));
    let used = 0;
    let row = from;
    while (row < to) {
      this.#work.rewind(this.#window);
      const end =
        this.#layout === "text"
          ? endOfWindow((column as TextRows).offsets, row, to)
          : Math.min(to, row + WINDOW_ROWS);
      if (end === row) return undefined;
      const count =
        this.#layout === "text"
          ? this.#addTexts(column, row, end)
          : this.#addNumbers(column, row, end);
      if (count < 0) return "given up";
      found.set(this.#work.viewNumbers(this.#indexes, count), used);
      used += count;
      row = end;
    }
    return found;
  }

  /** Calls back for each text of the slice, none of them null, that is an entry. */
  find({ column, from, to }: StoredSlice, found: (row: number, entry: number) => void): void {
    const { offsets } = column as TextRows;
    const skip = column.layout === "prefixed" ? PREFIX_BYTES : 0;
    let row = from;
    while (row < to) {
      this.#work.rewind(this.#window);
      const end = endOfWindow(offsets, row, to);
      if (end === row) {
        // A text that is larger than a window is no entry.
        row += 1;
        continue;
      }
      const placed = placeRows(this.#work, column as TextRows, row, end);
      const count = this.#work.run.findTexts(
        ...[this.#dictionary, placed.offsets, end - row],
        ...[placed.data, skip, this.#indexes],
      );
      const pairs = this.#work.viewNumbers(this.#indexes, count * 2);
      for (let at = 0; at < count; at += 1) {
        found(row + (pairs[at * 2] as number), pairs[at * 2 + 1] as number);
      }
      row = end;
    }
  }

  #addTexts(column: StoredColumn, from: number, to: number): number {
    const placed = placeRows(this.#work, column as TextRows, from, to);
    const skip = column.layout === "prefixed" ? PREFIX_BYTES : 0;
    return this.#work.run.numberTexts(
      this.#dictionary,
      placed.offsets,
      to - from,
      placed.data,
      skip,
      placed.validity,
      placed.bit,
      this.#indexes,
    );
  }

  #addNumbers(column: StoredColumn, from: number, to: number): number {
    const width = this.#width;
    const { buffer, byteOffset } = (column as { values: Int32Array }).values;
    const values = new Uint8Array(buffer, byteOffset + from * width, (to - from) * width);
    const at = this.#work.place(values);
    const { validity, bit } = placeValidity(this.#work, column.validity, from, to);
    return this.#work.run.numberNumbers(
      ...[this.#dictionary, at, to - from, width],
      ...[validity, bit, this.#indexes],
    );
  }

  /** The entries as a column. */
  finish(): FlatColumn {
    const numbers = this.#work.viewNumbers(this.#dictionary, DESCRIPTION);
    const rowCount = numbers[COUNT] as number;
    const sizeBytes = numbers[BYTES] as number;
    const base = { rowCount, validity: undefined } as const;
    if (this.#layout === "text") {
      const offsets = this.#work.viewNumbers(this.#starts, rowCount + 1).slice();
      const data = this.#work.view(this.#data, offsets[rowCount] as number).slice();
      return { ...base, layout: "bytes", offsets, data };
    }
    const { buffer } = this.#work.view(this.#data, sizeBytes).slice();
    switch (this.#layout) {
      case "int32":
        return { ...base, layout: "int32", values: new Int32Array(buffer) };
      case "float32":
        return { ...base, layout: "float32", values: new Float32Array(buffer) };
      case "float64":
        return { ...base, layout: "float64", values: new Float64Array(buffer) };
      default:
        return { ...base, layout: "int64", values: new BigInt64Array(buffer) };
    }
  }
}
