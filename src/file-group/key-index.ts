// Key range and bloom filter of a base file in the making. Rules: spec/format/base-file.md, BASE-1 to BASE-4.
import {
  type BloomFilter,
  type BloomFilterOptions,
  createBloomFilter,
} from "../format/bloom-filter.ts";
import type { BytesColumn } from "../format/column-batch.ts";
import type { ParquetFileReader } from "../format/parquet-reader.ts";
import {
  FOOTER_BLOOM,
  FOOTER_BLOOM_TYPE,
  FOOTER_MAX_KEY,
  FOOTER_MIN_KEY,
  findBloomFilter,
  findKeyRange,
} from "./base-file.ts";
import { compareKeys, isRangeOrderCertain } from "./key-order.ts";

/**
 * Key range and bloom filter of a file in the making. A merge starts from those of the old file and
 * adds new keys only: keys that went away may stay in both, which costs a look and no row.
 */
export class KeyIndex {
  readonly #filter: BloomFilter;
  #min: Uint8Array | undefined;
  #max: Uint8Array | undefined;
  /** Whether the keys of every row are to be added, because the old file had no index. */
  readonly collectsAll: boolean;

  constructor(
    filter: BloomFilter,
    range: { readonly min: Uint8Array; readonly max: Uint8Array } | undefined,
    collectsAll: boolean,
  ) {
    this.#filter = filter;
    this.#min = range?.min;
    this.#max = range?.max;
    this.collectsAll = collectsAll;
  }

  add(keys: BytesColumn): void {
    if (keys.rowCount === 0) return;
    this.#filter.addKeys(keys);
    let least = 0;
    let greatest = 0;
    for (let row = 1; row < keys.rowCount; row += 1) {
      if (compareRows(keys, row, least) < 0) least = row;
      if (compareRows(keys, row, greatest) > 0) greatest = row;
    }
    this.#min = lesser(this.#min, keyOfRow(keys, least), 1);
    this.#max = lesser(this.#max, keyOfRow(keys, greatest), -1);
  }

  footer(): [string, string][] {
    const entries: [string, string][] = [
      [FOOTER_BLOOM_TYPE, this.#filter.typeCode],
      [FOOTER_BLOOM, this.#filter.encode()],
    ];
    if (this.#min && this.#max) {
      entries.push([FOOTER_MIN_KEY, Buffer.from(this.#min).toString("utf8")]);
      entries.push([FOOTER_MAX_KEY, Buffer.from(this.#max).toString("utf8")]);
    }
    return entries;
  }
}

function compareRows(keys: BytesColumn, a: number, b: number): number {
  const { data, offsets } = keys;
  const [aStart, aEnd] = [offsets[a] as number, offsets[a + 1] as number];
  return compareKeys(data, aStart, aEnd, data, offsets[b] as number, offsets[b + 1] as number);
}

function keyOfRow(keys: BytesColumn, row: number): Uint8Array {
  return keys.data.slice(keys.offsets[row], keys.offsets[row + 1]);
}

/** The lesser of two keys for `sign` 1, the greater for -1. */
function lesser(known: Uint8Array | undefined, key: Uint8Array, sign: 1 | -1): Uint8Array {
  if (!known) return key;
  return sign * compareKeys(key, 0, key.length, known, 0, known.length) < 0 ? key : known;
}

/** The index of a new file: the keys of every row are to be added. */
export function createKeyIndex(sizing: BloomFilterOptions): KeyIndex {
  return new KeyIndex(createBloomFilter(sizing), undefined, true);
}

/**
 * The index of the file that follows this one; a new index where the old file has none, or a range
 * of which nobody can tell in which order it is.
 */
export function continueKeyIndex(
  reader: ParquetFileReader,
  path: string,
  sizing: BloomFilterOptions,
): KeyIndex {
  const range = findKeyRange(reader);
  const filter = findBloomFilter(reader, path);
  if (!range || !filter || !isRangeOrderCertain(range)) return createKeyIndex(sizing);
  return new KeyIndex(filter, range, false);
}
