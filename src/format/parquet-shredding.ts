// Takes a column with columns inside apart into the levels and values of its leaves.
// Rules: spec/format/parquet.md, PQ-15.
import { isNull } from "./bitmap.ts";
import type { Column, FlatColumn, ListColumn } from "./column-batch.ts";
import { gatherColumn } from "./column-gather.ts";
import { childFields, type Field, type NestedType } from "./schema.ts";

/** The entries of a leaf: one for each value, each null, and each empty list above it. */
export interface ShreddedLeaf {
  readonly definition: Int32Array;
  readonly repetition: Int32Array;
  /** The values that are present, one behind the other. */
  readonly values: FlatColumn;
  /** For each row, the entry that it begins with; one more for the end. */
  readonly rowStarts: Int32Array;
}

/** Rows that are on their way down: which row of a column each entry stands for, or that it is cut off. */
interface Entries {
  readonly count: number;
  /** The row of the column at hand, or -1 where something above it is null or empty. */
  readonly rows: Int32Array;
  /** The level that an entry has reached; final where it is cut off. */
  readonly definition: Int32Array;
  readonly repetition: Int32Array;
  readonly rowStarts: Int32Array;
}

/** The leaves of rows `from` to `to`, in the order of the file. */
export function shredRows(column: Column, field: Field, from: number, to: number): ShreddedLeaf[] {
  const count = to - from;
  const entries: Entries = {
    count,
    rows: Int32Array.from({ length: count }, (_, index) => from + index),
    definition: new Int32Array(count),
    repetition: new Int32Array(count),
    rowStarts: Int32Array.from({ length: count + 1 }, (_, index) => index),
  };
  return shred(column, field, entries, 0, 0);
}

function shred(
  column: Column,
  field: Field,
  entries: Entries,
  level: number,
  depth: number,
): ShreddedLeaf[] {
  const own = field.nullable ? level + 1 : level;
  const at = field.nullable ? define(column, entries, own) : entries;
  if (column.layout !== "struct" && column.layout !== "list") return [finish(column, at)];
  const inside = childFields(field.type as NestedType);
  if (column.layout === "struct") {
    return column.children.flatMap((child, index) =>
      shred(child, inside[index] as Field, at, own, depth),
    );
  }
  const items = expand(column, at, own + 1, depth + 1);
  return shred(column.child, inside[0] as Field, items, own + 1, depth + 1);
}

/** Raises the level of the entries that have a value, and cuts those off that are null. */
function define(column: Column, entries: Entries, level: number): Entries {
  const rows = entries.rows.slice();
  const definition = entries.definition.slice();
  for (let entry = 0; entry < entries.count; entry += 1) {
    const row = rows[entry] as number;
    if (row < 0) continue;
    if (isNull(column.validity, row)) rows[entry] = -1;
    else definition[entry] = level;
  }
  return { ...entries, rows, definition };
}

/** An entry for each item of each list; an empty list keeps one, which is cut off. */
function expand(column: ListColumn, entries: Entries, level: number, depth: number): Entries {
  const { offsets } = column;
  let count = 0;
  for (let entry = 0; entry < entries.count; entry += 1) {
    const row = entries.rows[entry] as number;
    const items = row < 0 ? 0 : (offsets[row + 1] as number) - (offsets[row] as number);
    count += Math.max(1, items);
  }
  const rows = new Int32Array(count).fill(-1);
  const definition = new Int32Array(count);
  const repetition = new Int32Array(count);
  const places = new Int32Array(entries.count + 1);
  let next = 0;
  for (let entry = 0; entry < entries.count; entry += 1) {
    const row = entries.rows[entry] as number;
    places[entry] = next;
    repetition[next] = entries.repetition[entry] as number;
    definition[next] = entries.definition[entry] as number;
    const start = row < 0 ? 0 : (offsets[row] as number);
    const end = row < 0 ? 0 : (offsets[row + 1] as number);
    if (start === end) {
      next += 1;
      continue;
    }
    for (let item = start; item < end; item += 1, next += 1) {
      if (item > start) repetition[next] = depth;
      definition[next] = level;
      rows[next] = item;
    }
  }
  places[entries.count] = next;
  const rowStarts = entries.rowStarts.map((entry) => places[entry] as number);
  return { count, rows, definition, repetition, rowStarts };
}

function finish(column: FlatColumn, entries: Entries): ShreddedLeaf {
  const { definition, repetition, rowStarts } = entries;
  const present = entries.rows.filter((row) => row >= 0);
  const values = gatherColumn(column, undefined, present) as FlatColumn;
  return { definition, repetition, rowStarts, values };
}
