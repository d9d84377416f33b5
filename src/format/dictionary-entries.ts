// Distinct values of a column, by open addressing over their bytes: both zeros and every NaN are kept
// apart. Rules: spec/format/parquet.md, PQ-10.
import type { BytesColumn, FlatColumn } from "./column-batch.ts";
import { PREFIX_BYTES, type StoredColumn } from "./stored-column.ts";

/** A collector of distinct values of the layout of a column. */
export function createEntries(column: StoredColumn): Entries {
  const like = column.layout === "dictionary" ? column.entries : column;
  switch (like.layout) {
    case "bytes":
    case "prefixed":
      return new TextEntries();
    case "fixed":
      return new FixedEntries(like.widthBytes);
    case "int32":
    case "float32":
      return new WordEntries(1);
    default:
      return new WordEntries(2);
  }
}

/** Distinct values of one layout. */
export interface Entries {
  readonly count: number;
  /** Bytes of the dictionary page. */
  readonly sizeBytes: number;
  /** Reads values of this column from now on; not one of a dictionary. */
  open(column: StoredColumn): void;
  /** The entry of the value in a row, which is added if it is new. */
  add(row: number): number;
  /** The entries as a column. */
  finish(): FlatColumn;
}

const EMPTY = new Int32Array(0);

/** An open-addressing table of entry numbers by hash. */
abstract class HashedEntries implements Entries {
  count = 0;
  #slots: Int32Array = new Int32Array(1024).fill(-1);
  protected hashes: Int32Array = new Int32Array(512);

  abstract readonly sizeBytes: number;
  abstract open(column: StoredColumn): void;
  abstract add(row: number): number;
  abstract finish(): FlatColumn;
  protected abstract isEntry(entry: number, row: number): boolean;
  protected abstract append(row: number): void;

  /** The entry that has this hash and is the value in the row; a new one where there is none. */
  protected find(hash: number, row: number): number {
    const mask = this.#slots.length - 1;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const entry = this.#slots[slot] as number;
      if (entry < 0) break;
      if (this.hashes[entry] === hash && this.isEntry(entry, row)) return entry;
      slot = (slot + 1) & mask;
    }
    const entry = this.count;
    this.append(row);
    if (entry === this.hashes.length) this.hashes = grow(this.hashes);
    this.hashes[entry] = hash;
    this.#slots[slot] = entry;
    this.count = entry + 1;
    if (this.count * 2 > this.#slots.length) this.#rehash();
    return entry;
  }

  #rehash(): void {
    const slots = new Int32Array(this.#slots.length * 2).fill(-1);
    const mask = slots.length - 1;
    for (let entry = 0; entry < this.count; entry += 1) {
      const hash = this.hashes[entry] as number;
      let slot = (hash ^ (hash >>> 15)) & mask;
      while ((slots[slot] as number) >= 0) slot = (slot + 1) & mask;
      slots[slot] = entry;
    }
    this.#slots = slots;
  }
}

function grow(list: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(Math.max(16, list.length * 2));
  larger.set(list);
  return larger;
}

/** Numbers of one or two 32-bit words, by their bits: both zeros and every NaN are kept apart. */
class WordEntries extends HashedEntries {
  readonly #perValue: number;
  #isReal = false;
  #words: Int32Array = EMPTY;
  #entries: Int32Array = new Int32Array(1024);
  #last = -1;

  constructor(perValue: 1 | 2) {
    super();
    this.#perValue = perValue;
  }

  get sizeBytes(): number {
    return this.count * this.#perValue * 4;
  }

  open(column: StoredColumn): void {
    const { buffer, byteOffset } = (column as { values: Int32Array }).values;
    this.#isReal = column.layout === "float32" || column.layout === "float64";
    this.#last = -1;
    this.#words = new Int32Array(buffer, byteOffset, column.rowCount * this.#perValue);
  }

  add(row: number): number {
    const at = row * this.#perValue;
    const low = this.#words[at] as number;
    const high = this.#perValue === 2 ? (this.#words[at + 1] as number) : 0;
    if (this.#last >= 0 && this.#holds(this.#last, low, high)) return this.#last;
    let hash = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 16), 0xc2b2ae35);
    this.#last = this.find(hash | 0, row);
    return this.#last;
  }

  protected isEntry(entry: number, row: number): boolean {
    const at = row * this.#perValue;
    const high = this.#perValue === 2 ? (this.#words[at + 1] as number) : 0;
    return this.#holds(entry, this.#words[at] as number, high);
  }

  #holds(entry: number, low: number, high: number): boolean {
    if (this.#perValue === 1) return this.#entries[entry] === low;
    return this.#entries[entry * 2] === low && this.#entries[entry * 2 + 1] === high;
  }

  protected append(row: number): void {
    const at = this.count * this.#perValue;
    if (at + 2 > this.#entries.length) this.#entries = grow(this.#entries);
    for (let word = 0; word < this.#perValue; word += 1) {
      this.#entries[at + word] = this.#words[row * this.#perValue + word] as number;
    }
  }

  finish(): FlatColumn {
    const base = { rowCount: this.count, validity: undefined } as const;
    const values = this.#entries.slice(0, this.count * this.#perValue);
    const { buffer } = values;
    if (this.#perValue === 1) {
      return this.#isReal
        ? { ...base, layout: "float32", values: new Float32Array(buffer) }
        : { ...base, layout: "int32", values };
    }
    return this.#isReal
      ? { ...base, layout: "float64", values: new Float64Array(buffer) }
      : { ...base, layout: "int64", values: new BigInt64Array(buffer) };
  }
}

/** Values as ranges of bytes, kept one behind the other. */
abstract class ByteEntries extends HashedEntries {
  protected source: Uint8Array = new Uint8Array(0);
  protected data: Uint8Array = new Uint8Array(16 * 1024);
  protected starts: Int32Array = new Int32Array(512);
  #last = -1;

  protected abstract startOf(row: number): number;
  protected abstract endOf(row: number): number;

  add(row: number): number {
    // Values that repeat, as those of meta columns do, are told by their bytes alone.
    if (this.#last >= 0 && this.isEntry(this.#last, row)) return this.#last;
    const { source } = this;
    const start = this.startOf(row);
    const end = this.endOf(row);
    let hash = end - start;
    for (let at = start; at < end; at += 1) {
      hash = Math.imul(hash ^ (source[at] as number), 0x01000193);
    }
    this.#last = this.find((hash ^ (hash >>> 13)) | 0, row);
    return this.#last;
  }

  protected isEntry(entry: number, row: number): boolean {
    const { source, data } = this;
    const start = this.startOf(row);
    const length = this.endOf(row) - start;
    const from = this.starts[entry] as number;
    if ((this.starts[entry + 1] as number) - from !== length) return false;
    for (let index = 0; index < length; index += 1) {
      if (data[from + index] !== source[start + index]) return false;
    }
    return true;
  }

  protected append(row: number): void {
    if (this.count + 2 > this.starts.length) this.starts = grow(this.starts);
    const start = this.startOf(row);
    const end = this.endOf(row);
    const from = this.starts[this.count] as number;
    if (from + end - start > this.data.length) {
      const larger = new Uint8Array(Math.max(from + end - start, this.data.length * 2));
      larger.set(this.data);
      this.data = larger;
    }
    this.data.set(this.source.subarray(start, end), from);
    this.starts[this.count + 1] = from + end - start;
  }
}

class TextEntries extends ByteEntries {
  #offsets: Int32Array = EMPTY;
  #skip = 0;

  get sizeBytes(): number {
    return (this.starts[this.count] as number) + this.count * 4;
  }

  open(column: StoredColumn): void {
    const { data, offsets } = column as BytesColumn;
    this.source = data;
    this.#offsets = offsets;
    this.#skip = column.layout === "prefixed" ? PREFIX_BYTES : 0;
  }

  protected startOf(row: number): number {
    return (this.#offsets[row] as number) + this.#skip;
  }

  protected endOf(row: number): number {
    return this.#offsets[row + 1] as number;
  }

  finish(): FlatColumn {
    const { count: rowCount } = this;
    const offsets = this.starts.slice(0, rowCount + 1);
    const data = this.data.slice(0, offsets[rowCount]);
    return { layout: "bytes", rowCount, validity: undefined, offsets, data };
  }
}

class FixedEntries extends ByteEntries {
  readonly #widthBytes: number;

  constructor(widthBytes: number) {
    super();
    this.#widthBytes = widthBytes;
  }

  get sizeBytes(): number {
    return this.count * this.#widthBytes;
  }

  open(column: StoredColumn): void {
    this.source = (column as { data: Uint8Array }).data;
  }

  protected startOf(row: number): number {
    return row * this.#widthBytes;
  }

  protected endOf(row: number): number {
    return (row + 1) * this.#widthBytes;
  }

  finish(): FlatColumn {
    const { count: rowCount } = this;
    const data = this.data.slice(0, this.sizeBytes);
    const widthBytes = this.#widthBytes;
    return { layout: "fixed", rowCount, validity: undefined, widthBytes, data };
  }
}
