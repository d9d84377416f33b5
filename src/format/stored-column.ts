// Columns in a form that a Parquet file stores them in: what a merge carries from one file to the next
// without taking it apart. Rules: spec/format/column-batch.md, CB-5.
import {
  type BytesColumn,
  type Column,
  columnLayout,
  isPresent,
  repeatBytes,
  requireTextBytes,
  type Validity,
} from "./column-batch.ts";
import { gatherColumn } from "./column-gather.ts";
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
  readonly entries: Column;
}

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

/** One text in every row. */
export function repeatedText(text: string, rowCount: number): DictionaryColumn {
  const entries = repeatBytes(Buffer.from(text), 1);
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
function padded(entries: Column): Column {
  if (entries.layout === "bytes") return { ...entries, rowCount: 1, offsets: new Int32Array(2) };
  if (entries.layout === "fixed") {
    return { ...entries, rowCount: 1, data: new Uint8Array(entries.widthBytes) };
  }
  const values = entries.values.constructor as new (length: number) => never;
  return { ...entries, rowCount: 1, values: new values(1) };
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

/** Texts with their lengths before them. */
export function withPrefixes(column: BytesColumn): PrefixedColumn {
  const { rowCount, validity, offsets, data } = column;
  const starts = new Int32Array(rowCount + 1);
  let total = 0;
  for (let row = 0; row < rowCount; row += 1) {
    const length = (offsets[row + 1] as number) - (offsets[row] as number);
    if (isPresent(column, row)) total += length + PREFIX_BYTES;
    starts[row + 1] = total;
  }
  requireTextBytes(total);
  const result = new Uint8Array(total);
  const view = new DataView(result.buffer);
  for (let row = 0; row < rowCount; row += 1) {
    const at = starts[row] as number;
    if (starts[row + 1] === at) continue;
    const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
    view.setInt32(at, end - start, true);
    result.set(data.subarray(start, end), at + PREFIX_BYTES);
  }
  return { layout: "prefixed", rowCount, validity, offsets: starts, data: result };
}
