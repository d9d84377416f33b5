// Tries a dictionary for the values of a chunk and gives it up as soon as it cannot pay. Rules: spec/format/parquet.md, PQ-10.
import { isNull } from "./bitmap.ts";
import type { FlatColumn } from "./column-batch.ts";
import { createEntries, type Entries } from "./dictionary-entries.ts";
import {
  type DictionaryColumn,
  markUsedEntries,
  type PrefixedColumn,
  type StoredSlice,
} from "./stored-column.ts";
import { type NumberedValues, numberValues } from "./value-numbering.ts";

/** A dictionary and the entry of each value that is present, slice by slice. */
export interface ChunkDictionary {
  readonly entries: FlatColumn;
  /** For each slice, the entries of its values that are present. */
  readonly indexes: readonly Int32Array[];
}

/** A dictionary page beyond this is refused by the writer of Hudi's own files too. */
const MAX_BYTES = 1024 * 1024;
const MAX_ENTRIES = 131_072;
/** After so many values it has to look worth while. */
const SAMPLE_VALUES = 8_192;
const MAX_SAMPLE_SHARE = 0.5;
/** A dictionary whose entries are not met so often on average is given up. */
const LEAST_USES = 3;

/** A dictionary of all values of the slices, or undefined where plain values are better. */
export function buildDictionary(slices: readonly StoredSlice[]): ChunkDictionary | undefined {
  const [first] = slices as readonly [StoredSlice, ...StoredSlice[]];
  if (first.column.layout === "bits") return undefined;
  const limits = { entries: MAX_ENTRIES, bytes: MAX_BYTES, sampleValues: SAMPLE_VALUES };
  const numbered =
    numberValues(slices, limits) ?? numberStored(slices, createEntries(first.column));
  if (!numbered || numbered === "given up") return undefined;
  const { entries, indexes } = numbered;
  const seen = indexes.reduce((sum, found) => sum + found.length, 0);
  // Some readers stumble over a dictionary without entries.
  if (seen < 2) return undefined;
  const { rowCount } = entries;
  if (seen >= SAMPLE_VALUES && rowCount > Math.max(1, seen * MAX_SAMPLE_SHARE)) return undefined;
  if (rowCount > 1 && seen < rowCount * LEAST_USES) return undefined;
  return { entries, indexes };
}

/** The same as the kernel does, for values in any form. */
function numberStored(
  slices: readonly StoredSlice[],
  entries: Entries,
): NumberedValues | undefined {
  const indexes: Int32Array[] = [];
  let seen = 0;
  for (const { column, from, to } of slices) {
    const found =
      column.layout === "dictionary"
        ? renumberRows(entries, column, from, to)
        : numberRows(entries, column as FlatColumn | PrefixedColumn, from, to, seen);
    if (!found) return undefined;
    seen += found.length;
    indexes.push(found);
  }
  return isPromising(entries, seen) ? { entries: entries.finish(), indexes } : undefined;
}

/** The entry of each row that has a value; undefined when a dictionary does not pay. */
function numberRows(
  entries: Entries,
  column: FlatColumn | PrefixedColumn,
  from: number,
  to: number,
  seen: number,
): Int32Array | undefined {
  const { validity } = column;
  const found = new Int32Array(to - from);
  let count = 0;
  let known = entries.count;
  entries.open(column);
  for (let row = from; row < to; row += 1) {
    if (isNull(validity, row)) continue;
    found[count] = entries.add(row);
    count += 1;
    if (entries.count === known) continue;
    known = entries.count;
    if (!isPromising(entries, seen + count)) return undefined;
  }
  return found.subarray(0, count);
}

/** The same for rows of a stored dictionary: only entries in use are looked up, once each. */
function renumberRows(
  entries: Entries,
  column: DictionaryColumn,
  from: number,
  to: number,
): Int32Array {
  const { indexes, validity } = column;
  const numbers = numberEntries(entries, column.entries, markUsedEntries(column, from, to));
  const found = new Int32Array(to - from);
  let count = 0;
  for (let row = from; row < to; row += 1) {
    if (isNull(validity, row)) continue;
    found[count] = numbers[indexes[row] as number] as number;
    count += 1;
  }
  return found.subarray(0, count);
}

/** Which entry each entry of a stored dictionary is, or each that is marked as used. */
export function numberEntries(
  entries: Entries,
  stored: FlatColumn,
  isUsed?: Uint8Array,
): Int32Array {
  const numbers = new Int32Array(Math.max(1, stored.rowCount));
  entries.open(stored);
  for (let entry = 0; entry < stored.rowCount; entry += 1) {
    if (!isUsed || isUsed[entry] === 1) numbers[entry] = entries.add(entry);
  }
  return numbers;
}

function isPromising(entries: Entries, seen: number): boolean {
  if (entries.count === 1) return true;
  if (entries.count > MAX_ENTRIES || entries.sizeBytes > MAX_BYTES) return false;
  return seen < SAMPLE_VALUES || entries.count <= seen * MAX_SAMPLE_SHARE;
}
