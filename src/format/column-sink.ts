// Columns that grow by values in the form in which they are stored; what fills them has checked the
// values. `ColumnBuilder` is for values that come from a caller.
import { bitmapBytes, clearBit, setBit } from "./bitmap.ts";
import {
  type Column,
  nullColumn,
  requireItemCount,
  requireTextBytes,
  type Validity,
} from "./column-batch.ts";
import type { ColumnType } from "./schema.ts";

const FIRST_ROWS = 64;

/** Counts rows and keeps which of them have no value. */
export abstract class ColumnSink {
  protected rowCount = 0;
  #validity: Uint8Array | undefined;

  /** Adds a row without a value. */
  addNull(): void {
    const row = this.rowCount;
    this.addDefault();
    let validity = this.#validity;
    if (!validity || row >> 3 >= validity.length) {
      const larger = new Uint8Array(Math.max(FIRST_ROWS / 8, bitmapBytes(row + 1) * 2)).fill(0xff);
      if (validity) larger.set(validity);
      validity = larger;
      this.#validity = larger;
    }
    clearBit(validity, row);
  }

  /** Adds a row whose value nobody reads. */
  abstract addDefault(): void;

  abstract finish(): Column;

  protected get validity(): Validity {
    const held = this.#validity;
    if (!held) return undefined;
    const bytes = bitmapBytes(this.rowCount);
    if (held.length >= bytes) return held.slice(0, bytes);
    const whole = new Uint8Array(bytes).fill(0xff);
    whole.set(held);
    return whole;
  }
}

export class BitSink extends ColumnSink {
  #values: Uint8Array = new Uint8Array(FIRST_ROWS / 8);

  add(value: boolean): void {
    const row = this.rowCount;
    this.addDefault();
    if (value) setBit(this.#values, row);
  }
  addDefault(): void {
    if (this.rowCount >> 3 >= this.#values.length) this.#values = doubled(this.#values);
    this.rowCount += 1;
  }
  finish(): Column {
    const { rowCount, validity } = this;
    const values = this.#values.slice(0, bitmapBytes(rowCount));
    return { layout: "bits", rowCount, validity, values };
  }
}

export class Int32Sink extends ColumnSink {
  #values: Int32Array = new Int32Array(FIRST_ROWS);

  add(value: number): void {
    if (this.rowCount >= this.#values.length) this.#values = doubled(this.#values);
    this.#values[this.rowCount] = value;
    this.rowCount += 1;
  }
  addDefault(): void {
    this.add(0);
  }
  finish(): Column {
    const { rowCount, validity } = this;
    return { layout: "int32", rowCount, validity, values: fitted(this.#values, rowCount) };
  }
}

/** Numbers of 64 bits by their halves, so that no bigint is made. */
export class Int64Sink extends ColumnSink {
  #halves: Int32Array = new Int32Array(2 * FIRST_ROWS);

  add(low: number, high: number): void {
    const at = 2 * this.rowCount;
    if (at >= this.#halves.length) this.#halves = doubled(this.#halves);
    this.#halves[at] = low;
    this.#halves[at + 1] = high;
    this.rowCount += 1;
  }
  addDefault(): void {
    this.add(0, 0);
  }
  finish(): Column {
    const { rowCount, validity } = this;
    const { buffer } = fitted(this.#halves, 2 * rowCount);
    return { layout: "int64", rowCount, validity, values: new BigInt64Array(buffer, 0, rowCount) };
  }
}

export class Float32Sink extends ColumnSink {
  #values: Float32Array = new Float32Array(FIRST_ROWS);

  add(value: number): void {
    if (this.rowCount >= this.#values.length) this.#values = doubled(this.#values);
    this.#values[this.rowCount] = value;
    this.rowCount += 1;
  }
  addDefault(): void {
    this.add(0);
  }
  finish(): Column {
    const { rowCount, validity } = this;
    return { layout: "float32", rowCount, validity, values: fitted(this.#values, rowCount) };
  }
}

export class Float64Sink extends ColumnSink {
  #values: Float64Array = new Float64Array(FIRST_ROWS);

  add(value: number): void {
    if (this.rowCount >= this.#values.length) this.#values = doubled(this.#values);
    this.#values[this.rowCount] = value;
    this.rowCount += 1;
  }
  addDefault(): void {
    this.add(0);
  }
  finish(): Column {
    const { rowCount, validity } = this;
    return { layout: "float64", rowCount, validity, values: fitted(this.#values, rowCount) };
  }
}

/** Texts and bytes. */
export class BytesSink extends ColumnSink {
  #offsets: Int32Array = new Int32Array(FIRST_ROWS + 1);
  #data: Uint8Array = new Uint8Array(16 * FIRST_ROWS);
  #used = 0;

  /** Adds `source[start .. end)`. */
  add(source: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const used = this.#used;
    if (used + length > this.#data.length) this.#grow(length);
    const data = this.#data;
    if (length < 24)
      for (let at = 0; at < length; at += 1) data[used + at] = source[start + at] as number;
    else data.set(source.subarray(start, end), used);
    this.#used = used + length;
    this.addDefault();
  }
  addDefault(): void {
    const next = this.rowCount + 1;
    if (next >= this.#offsets.length) this.#offsets = doubled(this.#offsets);
    this.#offsets[next] = this.#used;
    this.rowCount = next;
  }
  finish(): Column {
    const { rowCount, validity } = this;
    const offsets = fitted(this.#offsets, rowCount + 1);
    return { layout: "bytes", rowCount, validity, offsets, data: fitted(this.#data, this.#used) };
  }
  #grow(length: number): void {
    const needed = this.#used + length;
    requireTextBytes(needed);
    const larger = new Uint8Array(Math.min(0x7fff_ffff, Math.max(needed, this.#data.length * 2)));
    larger.set(this.#data.subarray(0, this.#used));
    this.#data = larger;
  }
}

/** Values of one width: unscaled decimals and fixed bytes. */
export class FixedSink extends ColumnSink {
  readonly #widthBytes: number;
  #data: Uint8Array;

  constructor(widthBytes: number) {
    super();
    this.#widthBytes = widthBytes;
    this.#data = new Uint8Array(FIRST_ROWS * widthBytes);
  }

  /** Where the bytes of a new row are to be put. */
  place(): Uint8Array {
    const at = this.rowCount * this.#widthBytes;
    this.addDefault();
    return this.#data.subarray(at, at + this.#widthBytes);
  }
  addDefault(): void {
    this.rowCount += 1;
    if (this.rowCount * this.#widthBytes > this.#data.length) this.#data = doubled(this.#data);
  }
  finish(): Column {
    const { rowCount, validity } = this;
    const widthBytes = this.#widthBytes;
    const data = fitted(this.#data, rowCount * widthBytes);
    return { layout: "fixed", rowCount, validity, widthBytes, data };
  }
}

/** A column that no value ever comes for: counts rows without one. */
export class NullSink extends ColumnSink {
  readonly #type: ColumnType;

  constructor(type: ColumnType) {
    super();
    this.#type = type;
  }

  override addNull(): void {
    this.rowCount += 1;
  }
  addDefault(): void {
    this.rowCount += 1;
  }
  finish(): Column {
    return nullColumn(this.#type, this.rowCount);
  }
}

export class StructSink extends ColumnSink {
  readonly #children: readonly ColumnSink[];

  constructor(children: readonly ColumnSink[]) {
    super();
    this.#children = children;
  }

  /** Counts a row whose children were added one by one. */
  add(): void {
    this.rowCount += 1;
  }
  addDefault(): void {
    for (const child of this.#children) child.addNull();
    this.rowCount += 1;
  }
  finish(): Column {
    const { rowCount, validity } = this;
    return {
      layout: "struct",
      rowCount,
      validity,
      children: this.#children.map((c) => c.finish()),
    };
  }
}

export class ListSink extends ColumnSink {
  readonly #child: ColumnSink;
  #offsets: Int32Array = new Int32Array(FIRST_ROWS + 1);
  #items = 0;

  constructor(child: ColumnSink) {
    super();
    this.#child = child;
  }

  /** Adds a row that holds the last `items` that were added to the child. */
  add(items: number): void {
    this.#items += items;
    requireItemCount(this.#items);
    this.addDefault();
  }
  addDefault(): void {
    const next = this.rowCount + 1;
    if (next >= this.#offsets.length) this.#offsets = doubled(this.#offsets);
    this.#offsets[next] = this.#items;
    this.rowCount = next;
  }
  finish(): Column {
    const { rowCount, validity } = this;
    const offsets = fitted(this.#offsets, rowCount + 1);
    return { layout: "list", rowCount, validity, offsets, child: this.#child.finish() };
  }
}

/** The first values of an array: a view where most of it is used, else a copy. */
function fitted<T extends Growing>(values: T, count: number): T {
  return (2 * count >= values.length ? values.subarray(0, count) : values.slice(0, count)) as T;
}

type Growing = Uint8Array | Int32Array | Float32Array | Float64Array;

function doubled<T extends Growing>(values: T): T {
  const larger = new (values.constructor as new (length: number) => T)(values.length * 2);
  larger.set(values as never);
  return larger;
}
