// Encodes the rows of one column of a row group as a column chunk: a dictionary where it pays, then
// pages of bounded size. Rules: spec/format/parquet.md, PQ-10.
import { countNullRows } from "./bitmap.ts";
import {
  type ChunkOptions,
  ChunkWriter,
  type EncodedChunk,
  type IndexedSlice,
} from "./parquet-chunk-writer.ts";
import { buildDictionary, type ChunkDictionary } from "./parquet-dictionary.ts";
import type { Leaf } from "./parquet-leaves.ts";
import type { ShreddedLeaf } from "./parquet-shredding.ts";
import { endOfRows, type StoredColumn, type StoredSlice, valueBytes } from "./stored-column.ts";

/** Values of a page, before compression: a page ends when it has so many bytes or rows. */
const PAGE_BYTES = 1024 * 1024;
const PAGE_ROWS = 32_768;

/** Encodes the slices, one after the other, as one chunk. They have one layout and some rows. */
export function encodeColumnChunk(
  slices: readonly StoredSlice[],
  options: ChunkOptions,
  pageBytes: number = PAGE_BYTES,
): EncodedChunk {
  const dictionary = buildDictionary(slices);
  const writer = new ChunkWriter(options, dictionary);
  if (dictionary) writer.writeDictionary(dictionary);
  let first = 0;
  let pending: IndexedSlice[] = [];
  let room = pageBytes;
  let rows = 0;
  for (const [number, slice] of slices.entries()) {
    first = 0;
    let { from } = slice;
    while (from < slice.to) {
      const end = endOfPage(slice, from, room, PAGE_ROWS - rows, dictionary);
      const part = { column: slice.column, from, to: end };
      const values = end - from - countNullRows(slice.column.validity, from, end);
      pending.push({ ...part, indexes: dictionary?.indexes[number], first, values });
      first += values;
      rows += end - from;
      const perRow = pageBytesPerRow(slice.column, dictionary);
      room -= perRow ? (end - from) * perRow : valueBytes(slice.column, from, end);
      from = end;
      if (from === slice.to && room > 0 && rows < PAGE_ROWS) break;
      writer.writeRows(pending);
      pending = [];
      room = pageBytes;
      rows = 0;
    }
  }
  if (pending.length > 0) writer.writeRows(pending);
  return writer.finish();
}

/** The row that no longer fits into the page; at least one does. */
function endOfPage(
  { column, to }: StoredSlice,
  from: number,
  room: number,
  rows: number,
  dictionary: ChunkDictionary | undefined,
): number {
  const most = Math.min(to, from + rows);
  const perRow = pageBytesPerRow(column, dictionary);
  const end =
    perRow === undefined
      ? endOfRows([column], from, most, room)
      : Math.min(most, from + Math.floor(room / perRow));
  return Math.max(end, from + 1);
}

/** Bytes that each row takes in a page; undefined where rows differ. */
function pageBytesPerRow(
  column: StoredColumn,
  dictionary: ChunkDictionary | undefined,
): number | undefined {
  if (dictionary) return INDEX_BYTES;
  if (column.layout !== "dictionary") return undefined;
  const { entries } = column;
  return Math.max(1, valueBytes(entries, 0, entries.rowCount) / Math.max(1, entries.rowCount));
}

/** Bytes of an index into a dictionary, roughly. */
const INDEX_BYTES = 2;

/** Encodes parts of a leaf, one after the other, as one chunk; pages begin with rows. */
export function encodeLeafChunk(
  parts: readonly ShreddedLeaf[],
  leaf: Leaf,
  codec: number,
  pageBytes: number = PAGE_BYTES,
): EncodedChunk {
  const whole = parts.map(({ values }) => ({ column: values, from: 0, to: values.rowCount }));
  const dictionary = buildDictionary(whole);
  const writer = new ChunkWriter({ isNullable: false, codec }, dictionary);
  if (dictionary) writer.writeDictionary(dictionary);
  const { maxRepetition, maxDefinition } = leaf;
  for (const [number, part] of parts.entries()) {
    const { definition, repetition, rowStarts, values: column } = part;
    const indexes = dictionary?.indexes[number];
    const rowCount = rowStarts.length - 1;
    let row = 0;
    let value = 0;
    while (row < rowCount) {
      const from = rowStarts[row] as number;
      const first = row;
      const begin = value;
      do {
        const end = rowStarts[row + 1] as number;
        for (let entry = rowStarts[row] as number; entry < end; entry += 1) {
          if (definition[entry] === maxDefinition) value += 1;
        }
        row += 1;
      } while (
        row < rowCount &&
        (rowStarts[row] as number) - from < PAGE_ROWS &&
        leafBytes(column, begin, value, dictionary) < pageBytes
      );
      const slice = {
        column,
        from: begin,
        to: value,
        indexes,
        first: begin,
        values: value - begin,
      };
      const to = rowStarts[row] as number;
      writer.writeEntries(slice, row - first, {
        ...{ repetition, definition, maxRepetition, maxDefinition },
        ...{ from, to },
      });
    }
  }
  return writer.finish();
}

function leafBytes(
  column: StoredColumn,
  from: number,
  to: number,
  dictionary: ChunkDictionary | undefined,
): number {
  return dictionary ? (to - from) * INDEX_BYTES : valueBytes(column, from, to);
}
