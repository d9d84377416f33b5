// Hudi's bloom filters SIMPLE and DYNAMIC_V0 as they stand in the footer of a base file: build, add
// to, test and write, byte for byte as Hudi's own. Rules: spec/format/bloom-filter.md.

import { HudiError } from "../errors.ts";
import { isBitSet, isNull } from "./bitmap.ts";
import { bitOfHash, hashMixedKey, mixKey, setKeyBits } from "./bloom-hash.ts";
import type { BytesColumn } from "./column-batch.ts";

/** How a filter is serialised; the value of `hoodie_bloom_filter_type_code` in a footer. */
export type BloomFilterTypeCode = "SIMPLE" | "DYNAMIC_V0";

/** How a filter is sized. The defaults are Hudi's. */
export interface BloomFilterOptions {
  readonly typeCode?: BloomFilterTypeCode;
  /** Keys that one row of bits is sized for; default 60000. */
  readonly entries?: number;
  /** Share of absent keys that may seem present; default 1e-9. */
  readonly falsePositiveRate?: number;
  /** Keys up to which a DYNAMIC_V0 filter grows; default 100000. */
  readonly maxEntries?: number;
}

const DEFAULT_ENTRIES = 60_000;
const DEFAULT_FALSE_POSITIVE_RATE = 1e-9;
const DEFAULT_MAX_ENTRIES = 100_000;
const FORMAT_VERSION = -1;
const MURMUR = 1;
const HEADER_BYTES = 13;
const GROWTH_BYTES = 12;
/** Bounds on what a file may declare; Hudi's defaults need 30 hashes and 44 bits a key. */
const MAX_HASHES = 256;
const MAX_BITS_PER_KEY = 1024;

interface Sizing {
  readonly bitCount: number;
  readonly hashCount: number;
}

/** Rows of bits, and how DYNAMIC_V0 goes on to the next; a SIMPLE filter has one row for ever. */
interface FilterState {
  readonly typeCode: BloomFilterTypeCode;
  readonly sizing: Sizing;
  readonly rows: Uint8Array[];
  readonly keysPerRow: number;
  readonly keysInLastRow: number;
  readonly maxEntries: number;
}

/** A set of record keys that may claim a key it does not hold, and never denies one it does. */
export class BloomFilter {
  readonly typeCode: BloomFilterTypeCode;
  readonly #sizing: Sizing;
  readonly #rows: Uint8Array[];
  readonly #keysPerRow: number;
  readonly #maxEntries: number;
  /** Keys added to the last row; once no row may follow it goes on counting past the row's room. */
  #keysInLastRow: number;
  #words: Int32Array = new Int32Array(64);
  readonly #bits: Int32Array;

  constructor(state: FilterState) {
    this.typeCode = state.typeCode;
    this.#sizing = state.sizing;
    this.#rows = state.rows;
    this.#keysPerRow = state.keysPerRow;
    this.#keysInLastRow = state.keysInLastRow;
    this.#maxEntries = state.maxEntries;
    this.#bits = new Int32Array(state.sizing.hashCount);
  }

  /**
   * Adds the keys of a column, or of these rows of it, in order. A key that is added twice counts
   * twice. Throws `INVALID` for a null or empty key, before anything is added.
   */
  addKeys(column: BytesColumn, rows?: Int32Array): void {
    const keys = rows ?? allRows(column);
    for (const row of keys) {
      if (!holdsKey(column, row)) {
        throw new HudiError(
          "INVALID",
          `cannot add row ${row} to a bloom filter: found a null or empty key, expected a key`,
        );
      }
    }
    if (this.typeCode === "SIMPLE") this.#setBits(0, column, keys);
    else this.#addToRows(column, keys);
  }

  /** Adds one key, the bytes from `start` to `end`. */
  addKey(data: Uint8Array, start: number, end: number): void {
    const offsets = Int32Array.of(start, end);
    this.addKeys({ layout: "bytes", rowCount: 1, validity: undefined, offsets, data });
  }

  /** Whether the key may have been added; false is certain. An empty key never was. */
  mayContain(data: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (length <= 0) return false;
    if (length >>> 2 > this.#words.length) this.#words = new Int32Array(length >>> 2);
    const words = this.#words;
    const tail = mixKey(data, start, end, words, 0, 1);
    const { bitCount, hashCount } = this.#sizing;
    const known = this.#bits;
    let knownCount = 0;
    let hash = 0;
    for (const bits of this.#rows) {
      let step = 0;
      for (; step < hashCount; step += 1) {
        if (step === knownCount) {
          hash = hashMixedKey(words, tail, length, hash);
          known[step] = bitOfHash(hash, bitCount);
          knownCount += 1;
        }
        const bit = known[step] as number;
        if (!isBitSet(bits, bit)) break;
      }
      if (step === hashCount) return true;
    }
    return false;
  }

  /** The rows of a column, or those of `rows`, whose keys may have been added, in order. */
  testKeys(column: BytesColumn, rows?: Int32Array): Int32Array {
    const { data, offsets } = column;
    const count = rows ? rows.length : column.rowCount;
    const found = new Int32Array(count);
    let foundCount = 0;
    for (let at = 0; at < count; at += 1) {
      const row = rows ? (rows[at] as number) : at;
      if (!holdsKey(column, row)) continue;
      if (this.mayContain(data, offsets[row] as number, offsets[row + 1] as number)) {
        found[foundCount] = row;
        foundCount += 1;
      }
    }
    return found.slice(0, foundCount);
  }

  /** The text that a footer holds under `org.apache.hudi.bloomfilter`. */
  encode(): string {
    const { bitCount } = this.#sizing;
    const rowBytes = HEADER_BYTES + bytesOfBits(bitCount);
    const isDynamic = this.typeCode === "DYNAMIC_V0";
    let at = isDynamic ? HEADER_BYTES + GROWTH_BYTES : 0;
    const bytes = Buffer.alloc(at + this.#rows.length * rowBytes);
    if (isDynamic) {
      this.#writeHeader(bytes, 0);
      bytes.writeInt32BE(this.#keysPerRow, HEADER_BYTES);
      bytes.writeInt32BE(this.#keysInLastRow, HEADER_BYTES + 4);
      bytes.writeInt32BE(this.#rows.length, HEADER_BYTES + 8);
    }
    for (const bits of this.#rows) {
      this.#writeHeader(bytes, at);
      bytes.set(bits, at + HEADER_BYTES);
      at += rowBytes;
    }
    return bytes.toString("base64");
  }

  #writeHeader(bytes: Buffer, at: number): void {
    bytes.writeInt32BE(FORMAT_VERSION, at);
    bytes.writeInt32BE(this.#sizing.hashCount, at + 4);
    bytes.writeInt8(MURMUR, at + 8);
    bytes.writeInt32BE(this.#sizing.bitCount, at + 9);
  }

  #setBits(rowIndex: number, column: BytesColumn, keys: Int32Array): void {
    setKeyBits({ bits: this.#rows[rowIndex] as Uint8Array, ...this.#sizing }, column, keys);
  }

  #addToRows(column: BytesColumn, keys: Int32Array): void {
    let at = 0;
    while (at < keys.length) {
      const room = this.#keysPerRow - this.#keysInLastRow;
      if (room > 0) {
        const taken = keys.subarray(at, at + room);
        this.#setBits(this.#rows.length - 1, column, taken);
        this.#keysInLastRow += taken.length;
        at += taken.length;
      } else if (this.#rows.length * this.#keysPerRow < this.#maxEntries) {
        this.#rows.push(new Uint8Array(bytesOfBits(this.#sizing.bitCount)));
        this.#keysInLastRow = 0;
      } else {
        this.#addRoundRobin(column, keys.subarray(at));
        return;
      }
    }
  }

  /** Keys beyond the maximum: the first two go to the first row, the others to each row in turn. */
  #addRoundRobin(column: BytesColumn, keys: Int32Array): void {
    const rowCount = this.#rows.length;
    const beyond = this.#keysInLastRow - this.#keysPerRow;
    const taken = Array.from(
      this.#rows,
      () => new Int32Array(Math.ceil(keys.length / rowCount) + 1),
    );
    const takenCounts = new Int32Array(rowCount);
    for (let at = 0; at < keys.length; at += 1) {
      const turn = Math.max(beyond + at - 1, 0) % rowCount;
      const count = takenCounts[turn] as number;
      (taken[turn] as Int32Array)[count] = keys[at] as number;
      takenCounts[turn] = count + 1;
    }
    for (const [rowIndex, rowKeys] of taken.entries()) {
      this.#setBits(rowIndex, column, rowKeys.subarray(0, takenCounts[rowIndex]));
    }
    this.#keysInLastRow += keys.length;
  }
}

/** An empty filter. Throws `INVALID` for sizes that make no filter. */
export function createBloomFilter(options: BloomFilterOptions = {}): BloomFilter {
  const entries = options.entries ?? DEFAULT_ENTRIES;
  const rate = options.falsePositiveRate ?? DEFAULT_FALSE_POSITIVE_RATE;
  const maxEntries = options.maxEntries ?? DEFAULT_MAX_ENTRIES;
  const bitCount = Math.ceil(entries * (-Math.log(rate) / (Math.log(2) * Math.log(2))));
  const hashCount = Math.ceil((Math.log(2) * bitCount) / entries);
  const isSound =
    Number.isInteger(entries) &&
    Number.isInteger(maxEntries) &&
    entries > 0 &&
    rate > 0 &&
    rate < 1 &&
    bitCount <= 0x7fff_ffff &&
    hashCount <= MAX_HASHES &&
    bitCount <= entries * MAX_BITS_PER_KEY;
  if (!isSound) {
    throw new HudiError(
      "INVALID",
      `cannot create bloom filter for ${entries} entries (at most ${maxEntries}) at a false positive rate of ${rate}: expected positive integers and a rate between 0 and 1`,
    );
  }
  return new BloomFilter({
    typeCode: options.typeCode ?? "DYNAMIC_V0",
    sizing: { bitCount, hashCount },
    rows: [new Uint8Array(bytesOfBits(bitCount))],
    keysPerRow: entries,
    keysInLastRow: 0,
    maxEntries,
  });
}

/**
 * Reads the filter of the base file `path`; no type code means SIMPLE, as in Hudi. The type code
 * is compared without regard to case. Keys may be added; the file does not say up to which number
 * of keys the filter grows, so `maxEntries` does. Throws `CORRUPT`, or `UNSUPPORTED` for another
 * type or hash.
 */
export function decodeBloomFilter(
  text: string,
  typeCode: string | undefined,
  path: string,
  options: Pick<BloomFilterOptions, "maxEntries"> = {},
): BloomFilter {
  const type = parseTypeCode(typeCode, path);
  const bytes = Buffer.from(text, "base64");
  // Buffer skips what is not base64; a text that does not come back is not one that Hudi wrote.
  if (Math.ceil(bytes.length / 3) * 4 !== text.length) {
    throw corrupt(path, `found ${text.length} characters that are not base64`);
  }
  const sizing = readHeader(bytes, 0, path);
  const rowBytes = HEADER_BYTES + bytesOfBits(sizing.bitCount);
  const isDynamic = type === "DYNAMIC_V0";
  const rowsAt = isDynamic ? HEADER_BYTES + GROWTH_BYTES : 0;
  if (bytes.length < rowsAt)
    throw corrupt(path, `found ${bytes.length} bytes, which end in the header`);
  const keysPerRow = isDynamic ? bytes.readInt32BE(HEADER_BYTES) : 1;
  const keysInLastRow = isDynamic ? bytes.readInt32BE(HEADER_BYTES + 4) : 0;
  const rowCount = isDynamic ? bytes.readInt32BE(HEADER_BYTES + 8) : 1;
  if (rowCount < 1 || bytes.length !== rowsAt + rowCount * rowBytes) {
    throw corrupt(
      path,
      `found ${bytes.length} bytes, expected ${rowCount} rows of ${rowBytes} after ${rowsAt}`,
    );
  }
  if (isDynamic && (keysInLastRow < 0 || keysPerRow * MAX_BITS_PER_KEY < sizing.bitCount)) {
    throw corrupt(
      path,
      `found ${keysInLastRow} of ${keysPerRow} keys in a row of ${sizing.bitCount} bits`,
    );
  }
  const rows: Uint8Array[] = [];
  for (let at = rowsAt; at < bytes.length; at += rowBytes) {
    const own = at === 0 ? sizing : readHeader(bytes, at, path);
    if (own.bitCount !== sizing.bitCount || own.hashCount !== sizing.hashCount) {
      throw corrupt(path, "found rows of different sizes");
    }
    rows.push(Uint8Array.prototype.slice.call(bytes, at + HEADER_BYTES, at + rowBytes));
  }
  const maxEntries = options.maxEntries ?? DEFAULT_MAX_ENTRIES;
  return new BloomFilter({ typeCode: type, sizing, rows, keysPerRow, keysInLastRow, maxEntries });
}

function parseTypeCode(typeCode: string | undefined, path: string): BloomFilterTypeCode {
  const name = typeCode === undefined ? "SIMPLE" : typeCode.toUpperCase();
  if (name === "SIMPLE" || name === "DYNAMIC_V0") return name;
  throw new HudiError(
    "UNSUPPORTED",
    `cannot read bloom filter of ${path}: found type ${JSON.stringify(typeCode)}, expected SIMPLE or DYNAMIC_V0`,
    { path },
  );
}

function readHeader(bytes: Buffer, at: number, path: string): Sizing {
  if (bytes.length < at + HEADER_BYTES) {
    throw corrupt(path, `found ${bytes.length} bytes, which end in the header`);
  }
  const version = bytes.readInt32BE(at);
  const hashCount = bytes.readInt32BE(at + 4);
  const hashType = bytes.readInt8(at + 8);
  const bitCount = bytes.readInt32BE(at + 9);
  if (version !== FORMAT_VERSION || hashType !== MURMUR) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot read bloom filter of ${path}: found version ${version} with hash ${hashType}, expected version ${FORMAT_VERSION} with hash ${MURMUR}`,
      { path },
    );
  }
  if (hashCount < 1 || hashCount > MAX_HASHES || bitCount < 1) {
    throw corrupt(path, `found ${hashCount} hashes over ${bitCount} bits`);
  }
  return { bitCount, hashCount };
}

function corrupt(path: string, found: string): HudiError {
  return new HudiError("CORRUPT", `cannot read bloom filter of ${path}: ${found}`, { path });
}

function bytesOfBits(bitCount: number): number {
  return Math.ceil(bitCount / 8);
}

function allRows(column: BytesColumn): Int32Array {
  const rows = new Int32Array(column.rowCount);
  for (let row = 0; row < rows.length; row += 1) rows[row] = row;
  return rows;
}

function holdsKey(column: BytesColumn, row: number): boolean {
  const { validity, offsets } = column;
  return !isNull(validity, row) && (offsets[row + 1] as number) > (offsets[row] as number);
}
