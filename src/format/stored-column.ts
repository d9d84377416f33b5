// Columns in a form that a Parquet file stores them in: what a merge carries from one file to the next
// without taking it apart. Rules: spec/format/column-batch.md, CB-5.
import { releaseBuffer } from "../runtime/release-bytes.ts";
import { isNull } from "./bitmap.ts";
import { ByteCopier } from "./byte-copier.ts";
import {
  type BytesColumn,
  type Column,
  columnLayout,
  type FlatColumn,
  type Validity,
} from "./column-batch.ts";
import { gatherColumn, gatherValidity, takeNumbers } from "./column-gather.ts";
import type { ColumnType, TableSchema } from "./schema.ts";

/**
 * Texts as plain pages have them: row `i` is `data[offsets[i] .. offsets[i + 1])`, which begins with the
 * length in four bytes; a null takes none.
 */
export interface PrefixedColumn {
  readonly layout: "prefixed";
  readonly rowCount: number;
  readonly validity: Validity;
  readonly offsets: Int32Array;
  readonly data: Uint8Array;
}

/** Values as entries of a dictionary; the index of a null is 0. */
export interface DictionaryColumn {
  readonly layout: "dictionary";
  readonly rowCount: number;
  readonly validity: Validity;
  readonly indexes: Int32Array;
  /** Values without nulls, not all of which need be used. */
  readonly entries: FlatColumn;
}

/** A column without columns inside, in any form. */
export type FlatStoredColumn = FlatColumn | PrefixedColumn | DictionaryColumn;

/** A column in any form. */
export type StoredColumn = Column | PrefixedColumn | DictionaryColumn;

/** Rows `from` to `to` of a column in any form. */
export interface StoredSlice {
  readonly column: StoredColumn;
  readonly from: number;
  readonly to: number;
}

/** A batch whose columns may have any form. */
export interface StoredBatch {
  readonly schema: TableSchema;
  readonly rowCount: number;
  readonly columns: readonly StoredColumn[];
}

/** Bytes of the length before a text. */
export const PREFIX_BYTES = 4;

/** A 1 for each entry of a dictionary that rows `from` to `to` refer to. */
export function markUsedEntries(column: DictionaryColumn, from: number, to: number): Uint8Array {
  const { indexes, validity, entries } = column;
  const isUsed = new Uint8Array(entries.rowCount);
  for (let row = from; row < to; row += 1) {
    if (!isNull(validity, row)) isUsed[indexes[row] as number] = 1;
  }
  return isUsed;
}

/** Values of a dictionary may take so many times what they count for, once each row has its own. */
const EXPANSION = 16;

/** Bytes that rows `from` to `to` count for in a row group. */
export function valueBytes(column: StoredColumn, from: number, to: number): number {
  switch (column.layout) {
    case "dictionary": {
      const { entries, rowCount } = column;
      const share = (to - from) / Math.max(1, rowCount);
      const stored = (to - from) * 4 + share * valueBytes(entries, 0, entries.rowCount);
      return Math.max(stored, ((to - from) * longestEntry(entries)) / EXPANSION);
    }
    case "prefixed":
      return (column.offsets[to] as number) - (column.offsets[from] as number);
    case "bytes": {
      const bytes = (column.offsets[to] as number) - (column.offsets[from] as number);
      return bytes + (to - from) * PREFIX_BYTES;
    }
    case "fixed":
      return (to - from) * column.widthBytes;
    case "bits":
      return (to - from) / 8;
    case "struct":
      return rowBytes(column.children, from, to);
    case "list": {
      const { offsets, child } = column;
      return valueBytes(child, offsets[from] as number, offsets[to] as number) + (to - from) * 4;
    }
    default:
      return (to - from) * column.values.BYTES_PER_ELEMENT;
  }
}

function longestEntry(entries: FlatColumn): number {
  if (entries.layout !== "bytes") return 0;
  let longest = 0;
  for (let entry = 0; entry < entries.rowCount; entry += 1) {
    const length = (entries.offsets[entry + 1] as number) - (entries.offsets[entry] as number);
    if (length > longest) longest = length;
  }
  return longest;
}

/** `valueBytes` of all columns. */
export function rowBytes(columns: readonly StoredColumn[], from: number, to: number): number {
  return columns.reduce((sum, column) => sum + valueBytes(column, from, to), 0);
}

/** The row up to which the rows from `from` on take at most `bytes`; `to` at most. */
export function endOfRows(
  columns: readonly StoredColumn[],
  from: number,
  to: number,
  bytes: number,
): number {
  if (rowBytes(columns, from, to) <= bytes) return to;
  let fits = from;
  let exceeds = to;
  while (exceeds - fits > 1) {
    const middle = (fits + exceeds) >> 1;
    if (rowBytes(columns, from, middle) <= bytes) fits = middle;
    else exceeds = middle;
  }
  return fits;
}

/**
 * Frees the buffers of a column, which nothing else may share. Entries of a dictionary stay, since the columns
 * of several batches share them.
 */
export function releaseColumn(column: StoredColumn): void {
  if (column.validity) releaseBuffer(column.validity.buffer);
  if ("offsets" in column) releaseBuffer(column.offsets.buffer);
  if (column.layout === "dictionary") releaseBuffer(column.indexes.buffer);
  else if ("data" in column) releaseBuffer(column.data.buffer);
  else if ("values" in column) releaseBuffer(column.values.buffer);
  else if (column.layout === "struct") column.children.forEach(releaseColumn);
  else releaseColumn(column.child);
}

/** One text in every row. */
export function repeatedText(text: string, rowCount: number): DictionaryColumn {
  const data = new Uint8Array(Buffer.from(text));
  const offsets = Int32Array.of(0, data.length);
  const entries: Column = { layout: "bytes", rowCount: 1, validity: undefined, offsets, data };
  const indexes = new Int32Array(rowCount);
  return { layout: "dictionary", rowCount, validity: undefined, indexes, entries };
}

/** Whether a column holds values of a type, in whatever form. */
export function isStoredAs(column: StoredColumn, type: ColumnType): boolean {
  const layout = columnLayout(type);
  if (column.layout === "prefixed") return layout === "bytes";
  if (column.layout === "dictionary") return column.entries.layout === layout;
  return column.layout === layout;
}

/** The values of a column in the form of batches. */
export function toColumn(column: StoredColumn): Column {
  switch (column.layout) {
    case "dictionary": {
      const { entries, indexes, rowCount, validity } = column;
      if (entries.rowCount > 0) {
        return { ...gatherColumn(entries, undefined, indexes), rowCount, validity } as Column;
      }
      return { ...gatherColumn(padded(entries), undefined, indexes), rowCount, validity } as Column;
    }
    case "prefixed":
      return withoutPrefixes(column);
    default:
      return column;
  }
}

/** Entries of a dictionary that nothing refers to: nulls still have to point somewhere. */
function padded(entries: FlatColumn): FlatColumn {
  if (entries.layout === "bytes") return { ...entries, rowCount: 1, offsets: new Int32Array(2) };
  if (entries.layout === "fixed") {
    return { ...entries, rowCount: 1, data: new Uint8Array(entries.widthBytes) };
  }
  const values = entries.values.constructor as new (length: number) => never;
  return { ...entries, rowCount: 1, values: new values(1) };
}

/** Some rows of a column, ascending, in the form of batches: each value is copied once. */
export function takeColumn(column: StoredColumn, rows: Int32Array): Column {
  switch (column.layout) {
    case "dictionary": {
      const indexes = takeNumbers(column.indexes, rows);
      const validity = gatherValidity(column, undefined, rows);
      return toColumn({ ...column, rowCount: rows.length, indexes, validity });
    }
    case "prefixed":
      return takeWithoutPrefixes(column, rows);
    default:
      return gatherColumn(column, undefined, rows);
  }
}

function takeWithoutPrefixes(column: PrefixedColumn, rows: Int32Array): BytesColumn {
  const { offsets, data } = column;
  const rowCount = rows.length;
  const ends = new Int32Array(rowCount + 1);
  let total = 0;
  for (let at = 0; at < rowCount; at += 1) {
    const row = rows[at] as number;
    const size = (offsets[row + 1] as number) - (offsets[row] as number);
    if (size > 0) total += size - PREFIX_BYTES;
    ends[at + 1] = total;
  }
  const result = new Uint8Array(total);
  const copier = new ByteCopier(data, result);
  for (let at = 0; at < rowCount; at += 1) {
    const start = ends[at] as number;
    const length = (ends[at + 1] as number) - start;
    if (length > 0)
      copier.copy((offsets[rows[at] as number] as number) + PREFIX_BYTES, length, start);
  }
  const validity = gatherValidity(column, undefined, rows);
  return { layout: "bytes", rowCount, validity, offsets: ends, data: result };
}

function withoutPrefixes(column: PrefixedColumn): BytesColumn {
  const { rowCount, validity, offsets, data } = column;
  const ends = new Int32Array(rowCount + 1);
  let total = 0;
  for (let row = 0; row < rowCount; row += 1) {
    const size = (offsets[row + 1] as number) - (offsets[row] as number);
    total += size === 0 ? 0 : size - PREFIX_BYTES;
    ends[row + 1] = total;
  }
  const result = new Uint8Array(total);
  for (let row = 0; row < rowCount; row += 1) {
    const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
    if (end > start) result.set(data.subarray(start + PREFIX_BYTES, end), ends[row]);
  }
  return { layout: "bytes", rowCount, validity, offsets: ends, data: result };
}
