// Joining batches end to end.

import { runAtOnce, type Steps } from "../runtime/steps.ts";
import { bitmapBytes, copyBits, setBits } from "./bitmap.ts";
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  type ListColumn,
  requireItemCount,
  requireTextBytes,
  type StructColumn,
} from "./column-batch.ts";
import { gatherColumn } from "./column-gather.ts";

/** The batches one after the other; all have the same columns. */
export function concatBatches(batches: readonly ColumnBatch[]): ColumnBatch {
  return runAtOnce(concatBatchSteps(batches));
}

/** `concatBatches` in steps. */
export function* concatBatchSteps(batches: readonly ColumnBatch[]): Steps<ColumnBatch> {
  const [first, ...others] = batches as readonly [ColumnBatch, ...ColumnBatch[]];
  if (others.length === 0) return first;
  const rowCount = batches.reduce((sum, batch) => sum + batch.rowCount, 0);
  const columns: Column[] = [];
  for (const index of first.columns.keys()) {
    if (index > 0) yield;
    columns.push(
      yield* concatColumnSteps(
        batches.map((batch) => batch.columns[index] as Column),
        rowCount,
      ),
    );
  }
  return { schema: first.schema, rowCount, columns };
}

function* concatColumnSteps(columns: readonly Column[], rowCount: number): Steps<Column> {
  const first = columns[0] as Column;
  const validity = columns.some((column) => column.validity)
    ? yield* concatBits(columns, (column) => column.validity, rowCount)
    : undefined;
  switch (first.layout) {
    case "bits": {
      const values = yield* concatBits(
        columns,
        (column) => (column as typeof first).values,
        rowCount,
      );
      return { layout: "bits", rowCount, validity, values };
    }
    case "int32": {
      const values = new Int32Array(rowCount);
      yield* placeValues(columns, values);
      return { layout: "int32", rowCount, validity, values };
    }
    case "int64": {
      const values = new BigInt64Array(rowCount);
      yield* placeValues(columns, values);
      return { layout: "int64", rowCount, validity, values };
    }
    case "float32": {
      const values = new Float32Array(rowCount);
      yield* placeValues(columns, values);
      return { layout: "float32", rowCount, validity, values };
    }
    case "float64": {
      const values = new Float64Array(rowCount);
      yield* placeValues(columns, values);
      return { layout: "float64", rowCount, validity, values };
    }
    case "fixed": {
      const { widthBytes } = first;
      const data = new Uint8Array(rowCount * widthBytes);
      yield* placeAll(columns, (column, at) =>
        data.set(
          (column as typeof first).data.subarray(0, column.rowCount * widthBytes),
          at * widthBytes,
        ),
      );
      return { layout: "fixed", rowCount, validity, widthBytes, data };
    }
    case "struct": {
      const parts = columns as readonly StructColumn[];
      const children: Column[] = [];
      for (const index of first.children.keys()) {
        const inside = parts.map((part) => part.children[index] as Column);
        children.push(yield* concatColumnSteps(inside, rowCount));
      }
      return { layout: "struct", rowCount, validity, children };
    }
    case "list": {
      const parts = columns as readonly ListColumn[];
      const items = parts.map(listItems);
      const total = items.reduce((sum, item) => sum + item.rowCount, 0);
      requireItemCount(total);
      const offsets = new Int32Array(rowCount + 1);
      let base = 0;
      yield* placeAll(parts, (column, at) => {
        const part = column as ListColumn;
        const from = part.offsets[0] as number;
        for (let row = 1; row <= part.rowCount; row += 1) {
          offsets[at + row] = base + (part.offsets[row] as number) - from;
        }
        base += (part.offsets[part.rowCount] as number) - from;
      });
      const child = yield* concatColumnSteps(items, total);
      return { layout: "list", rowCount, validity, offsets, child };
    }
    case "bytes": {
      const parts = columns as readonly BytesColumn[];
      const span = (part: BytesColumn): [number, number] => [
        part.offsets[0] as number,
        part.offsets[part.rowCount] as number,
      ];
      const total = parts.reduce((sum, part) => sum + span(part)[1] - span(part)[0], 0);
      requireTextBytes(total);
      const data = new Uint8Array(total);
      const offsets = new Int32Array(rowCount + 1);
      let base = 0;
      yield* placeAll(parts, (column, at) => {
        const part = column as BytesColumn;
        const [from, to] = span(part);
        data.set(part.data.subarray(from, to), base);
        for (let row = 1; row <= part.rowCount; row += 1) {
          offsets[at + row] = base + (part.offsets[row] as number) - from;
        }
        base += to - from;
      });
      return { layout: "bytes", rowCount, validity, offsets, data };
    }
  }
}

/** The items of all rows of a list, and no others. */
function listItems({ offsets, child, rowCount }: ListColumn): Column {
  const from = offsets[0] as number;
  const to = offsets[rowCount] as number;
  if (from === 0 && to === child.rowCount) return child;
  const items = Int32Array.from({ length: to - from }, (_, item) => from + item);
  return gatherColumn(child, undefined, items);
}

type Values = Int32Array | BigInt64Array | Float32Array | Float64Array;

/** Puts the values of all columns, which are arrays of the same kind, behind each other. */
function placeValues(columns: readonly Column[], into: Values): Steps<void> {
  return placeAll(columns, (column, at) => {
    const { values } = column as { readonly values: Values };
    into.set(values.subarray(0, column.rowCount) as never, at);
  });
}

/** Rows joined between two steps, at least. */
const ROWS_A_STEP = 32_768;

function* placeAll(
  columns: readonly Column[],
  place: (column: Column, at: number) => void,
): Steps<void> {
  let at = 0;
  let rested = 0;
  for (const column of columns) {
    place(column, at);
    at += column.rowCount;
    if (at - rested < ROWS_A_STEP) continue;
    rested = at;
    yield;
  }
}

function* concatBits(
  columns: readonly Column[],
  bits: (column: Column) => Uint8Array | undefined,
  rowCount: number,
): Steps<Uint8Array> {
  const result = new Uint8Array(bitmapBytes(rowCount));
  yield* placeAll(columns, (column, at) => {
    const source = bits(column);
    if (source) copyBits(source, 0, result, at, column.rowCount);
    else setBits(result, at, at + column.rowCount);
  });
  return result;
}
