// A hash table over UTF-8 keys that makes no string: open addressing, keys kept in one byte arena.
import type { BytesColumn } from "./column-batch.ts";

/**
 * Gives each distinct (scope, key) a number, in the order first seen. The scope keeps equal keys of
 * different partitions apart.
 */
export class KeyTable {
  #slots: Int32Array;
  #mask: number;
  #hashes: Int32Array;
  #scopes: Int32Array;
  #offsets: Int32Array;
  #bytes: Uint8Array;
  #bytesView: DataView;
  #count = 0;
  /** The bytes that keys were last taken from, as words. */
  #source: Uint8Array | undefined;
  #sourceView: DataView = new DataView(new ArrayBuffer(0));

  constructor(expectedKeys: number = 1024, expectedBytes: number = expectedKeys * 24) {
    const size = tableSize(expectedKeys);
    this.#slots = new Int32Array(size).fill(-1);
    this.#mask = size - 1;
    const room = Math.max(16, expectedKeys);
    this.#hashes = new Int32Array(room);
    this.#scopes = new Int32Array(room);
    this.#offsets = new Int32Array(room + 1);
    this.#bytes = new Uint8Array(Math.max(256, expectedBytes));
    this.#bytesView = viewOf(this.#bytes);
  }

  /** Distinct keys so far. */
  get count(): number {
    return this.#count;
  }

  /** The number of a key, which is added if it is new. */
  add(scope: number, data: Uint8Array, start: number, end: number): number {
    const view = this.#open(data);
    const hash = hashBytes(scope, view, start, end);
    let slot = hash & this.#mask;
    for (;;) {
      const id = this.#slots[slot] as number;
      if (id < 0) break;
      if (this.#isKey(id, hash, scope, view, start, end)) return id;
      slot = (slot + 1) & this.#mask;
    }
    const id = this.#append(hash, scope, data, start, end);
    this.#slots[slot] = id;
    if (id * 2 > this.#mask) this.#rehash();
    return id;
  }

  /** The number of a key, or -1. */
  find(scope: number, data: Uint8Array, start: number, end: number): number {
    const view = this.#open(data);
    const hash = hashBytes(scope, view, start, end);
    let slot = hash & this.#mask;
    for (;;) {
      const id = this.#slots[slot] as number;
      if (id < 0 || this.#isKey(id, hash, scope, view, start, end)) return id;
      slot = (slot + 1) & this.#mask;
    }
  }

  #open(data: Uint8Array): DataView {
    if (this.#source !== data) {
      this.#source = data;
      this.#sourceView = viewOf(data);
    }
    return this.#sourceView;
  }

  /** The bytes of the key with that number; a view. */
  keyBytes(id: number): Uint8Array {
    return this.#bytes.subarray(this.#offsets[id], this.#offsets[id + 1]);
  }

  /** All keys in the order of their numbers; a copy. */
  keys(): BytesColumn {
    const rowCount = this.#count;
    const offsets = this.#offsets.slice(0, rowCount + 1);
    const data = this.#bytes.slice(0, offsets[rowCount]);
    return { layout: "bytes", rowCount, validity: undefined, offsets, data };
  }

  #isKey(
    id: number,
    hash: number,
    scope: number,
    data: DataView,
    start: number,
    end: number,
  ): boolean {
    if (this.#hashes[id] !== hash || this.#scopes[id] !== scope) return false;
    const from = this.#offsets[id] as number;
    const length = end - start;
    if ((this.#offsets[id + 1] as number) - from !== length) return false;
    const bytes = this.#bytesView;
    let at = start;
    let own = from;
    for (; at + 4 <= end; at += 4, own += 4) {
      if (data.getInt32(at) !== bytes.getInt32(own)) return false;
    }
    for (; at < end; at += 1, own += 1) {
      if (data.getUint8(at) !== bytes.getUint8(own)) return false;
    }
    return true;
  }

  #append(hash: number, scope: number, data: Uint8Array, start: number, end: number): number {
    const id = this.#count;
    if (id + 1 >= this.#offsets.length) this.#growEntries();
    const from = this.#offsets[id] as number;
    const to = from + (end - start);
    if (to > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(to, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, from));
      this.#bytes = larger;
      this.#bytesView = viewOf(larger);
    }
    for (let at = start, into = from; at < end; at += 1, into += 1) {
      this.#bytes[into] = data[at] as number;
    }
    this.#hashes[id] = hash;
    this.#scopes[id] = scope;
    this.#offsets[id + 1] = to;
    this.#count = id + 1;
    return id;
  }

  #growEntries(): void {
    const room = this.#hashes.length * 2;
    const grow = (old: Int32Array, length: number): Int32Array => {
      const larger = new Int32Array(length);
      larger.set(old);
      return larger;
    };
    this.#hashes = grow(this.#hashes, room);
    this.#scopes = grow(this.#scopes, room);
    this.#offsets = grow(this.#offsets, room + 1);
  }

  #rehash(): void {
    const size = (this.#mask + 1) * 2;
    this.#slots = new Int32Array(size).fill(-1);
    this.#mask = size - 1;
    for (let id = 0; id < this.#count; id += 1) {
      let slot = (this.#hashes[id] as number) & this.#mask;
      while ((this.#slots[slot] as number) >= 0) slot = (slot + 1) & this.#mask;
      this.#slots[slot] = id;
    }
  }
}

function tableSize(expectedKeys: number): number {
  let size = 64;
  while (size < expectedKeys * 2) size *= 2;
  return size;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function hashBytes(scope: number, data: DataView, start: number, end: number): number {
  let hash = Math.imul(scope ^ 0x9e3779b9, 0x85ebca6b) ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ data.getInt32(at), 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  for (; at < end; at += 1) {
    hash = Math.imul(hash ^ data.getUint8(at), 0x01000193);
  }
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 13);
}

/** Compares two byte ranges as unsigned bytes: negative, zero or positive. */
export function compareBytes(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  for (let index = 0; index < length; index += 1) {
    const difference = (a[aStart + index] as number) - (b[bStart + index] as number);
    if (difference !== 0) return difference;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** Compares row `a` of one column with row `b` of another, as unsigned bytes. */
export function compareBytesRows(
  left: BytesColumn,
  a: number,
  right: BytesColumn,
  b: number,
): number {
  return compareBytes(
    left.data,
    left.offsets[a] as number,
    left.offsets[a + 1] as number,
    right.data,
    right.offsets[b] as number,
    right.offsets[b + 1] as number,
  );
}
