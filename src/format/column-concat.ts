// Joining batches end to end.
import { runAtOnce, type Steps } from "../runtime/steps.ts";
import {
  type BytesColumn,
  bitmapBytes,
  type Column,
  type ColumnBatch,
  requireTextBytes,
} from "./column-batch.ts";

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
      yield* placeAll(columns, (column, at) =>
        values.set((column as typeof first).values.subarray(0, column.rowCount), at),
      );
      return { layout: "int32", rowCount, validity, values };
    }
    case "int64": {
      const values = new BigInt64Array(rowCount);
      yield* placeAll(columns, (column, at) =>
        values.set((column as typeof first).values.subarray(0, column.rowCount), at),
      );
      return { layout: "int64", rowCount, validity, values };
    }
    case "float64": {
      const values = new Float64Array(rowCount);
      yield* placeAll(columns, (column, at) =>
        values.set((column as typeof first).values.subarray(0, column.rowCount), at),
      );
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
    for (let row = 0; row < column.rowCount; row += 1) {
      if (!source || ((source[row >> 3] as number) & (1 << (row & 7))) !== 0) {
        const into = at + row;
        result[into >> 3] = (result[into >> 3] as number) | (1 << (into & 7));
      }
    }
  });
  return result;
}
