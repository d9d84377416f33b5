// Gathering rows of one or two batches into a new one: the kernel of every merge.
import {
  type BytesColumn,
  bitmapBytes,
  type Column,
  type ColumnBatch,
  type Validity,
} from "./column-batch.ts";

/**
 * Which rows a new column is made of, in order: a value `p >= 0` takes row `p` of the first column,
 * a negative one row `~p` of the second.
 */
export type Picks = Int32Array;

/** A column of the picked rows. Both columns have the same layout; the second may be absent. */
export function gatherColumn(first: Column, second: Column | undefined, picks: Picks): Column {
  const rowCount = picks.length;
  const validity = gatherValidity(first, second, picks);
  switch (first.layout) {
    case "bits": {
      const values = new Uint8Array(bitmapBytes(rowCount));
      const other = (second as typeof first | undefined)?.values ?? first.values;
      for (let row = 0; row < rowCount; row += 1) {
        const pick = picks[row] as number;
        const source = pick >= 0 ? first.values : other;
        const at = pick >= 0 ? pick : ~pick;
        if (((source[at >> 3] as number) & (1 << (at & 7))) !== 0) {
          values[row >> 3] = (values[row >> 3] as number) | (1 << (row & 7));
        }
      }
      return { layout: "bits", rowCount, validity, values };
    }
    case "int32": {
      const values = new Int32Array(rowCount);
      const other = (second as typeof first | undefined)?.values ?? first.values;
      for (let row = 0; row < rowCount; row += 1) {
        const pick = picks[row] as number;
        values[row] = (pick >= 0 ? first.values[pick] : other[~pick]) as number;
      }
      return { layout: "int32", rowCount, validity, values };
    }
    case "int64": {
      const values = new BigInt64Array(rowCount);
      const other = (second as typeof first | undefined)?.values ?? first.values;
      const into = words(values);
      const from = words(first.values);
      const fromOther = words(other);
      for (let row = 0; row < rowCount; row += 1) {
        const pick = picks[row] as number;
        const source = pick >= 0 ? from : fromOther;
        const at = (pick >= 0 ? pick : ~pick) * 2;
        into[row * 2] = source[at] as number;
        into[row * 2 + 1] = source[at + 1] as number;
      }
      return { layout: "int64", rowCount, validity, values };
    }
    case "float64": {
      // Moved as two integers each, so that every bit of a NaN stays.
      const values = new Float64Array(rowCount);
      const other = (second as typeof first | undefined)?.values ?? first.values;
      const into = words(values);
      const from = words(first.values);
      const fromOther = words(other);
      for (let row = 0; row < rowCount; row += 1) {
        const pick = picks[row] as number;
        const source = pick >= 0 ? from : fromOther;
        const at = (pick >= 0 ? pick : ~pick) * 2;
        into[row * 2] = source[at] as number;
        into[row * 2 + 1] = source[at + 1] as number;
      }
      return { layout: "float64", rowCount, validity, values };
    }
    case "bytes":
      return gatherBytes(first, second as BytesColumn | undefined, picks, validity);
    case "fixed": {
      const { widthBytes } = first;
      const data = new Uint8Array(rowCount * widthBytes);
      const other = (second as typeof first | undefined)?.data ?? first.data;
      for (let row = 0; row < rowCount; row += 1) {
        const pick = picks[row] as number;
        const source = pick >= 0 ? first.data : other;
        const from = (pick >= 0 ? pick : ~pick) * widthBytes;
        for (let index = 0; index < widthBytes; index += 1) {
          data[row * widthBytes + index] = source[from + index] as number;
        }
      }
      return { layout: "fixed", rowCount, validity, widthBytes, data };
    }
  }
}

function words(values: BigInt64Array | Float64Array): Int32Array {
  return new Int32Array(values.buffer, values.byteOffset, values.length * 2);
}

function gatherValidity(first: Column, second: Column | undefined, picks: Picks): Validity {
  if (!first.validity && !second?.validity) return undefined;
  const validity = new Uint8Array(bitmapBytes(picks.length));
  let nulls = 0;
  for (let row = 0; row < picks.length; row += 1) {
    const pick = picks[row] as number;
    const source = pick >= 0 ? first.validity : second?.validity;
    const at = pick >= 0 ? pick : ~pick;
    if (!source || ((source[at >> 3] as number) & (1 << (at & 7))) !== 0) {
      validity[row >> 3] = (validity[row >> 3] as number) | (1 << (row & 7));
    } else {
      nulls += 1;
    }
  }
  return nulls === 0 ? undefined : validity;
}

function gatherBytes(
  first: BytesColumn,
  second: BytesColumn | undefined,
  picks: Picks,
  validity: Validity,
): BytesColumn {
  const rowCount = picks.length;
  const offsets = new Int32Array(rowCount + 1);
  const other = second ?? first;
  let total = 0;
  for (let row = 0; row < rowCount; row += 1) {
    const pick = picks[row] as number;
    const source = pick >= 0 ? first.offsets : other.offsets;
    const at = pick >= 0 ? pick : ~pick;
    total += (source[at + 1] as number) - (source[at] as number);
    offsets[row + 1] = total;
  }
  const data = new Uint8Array(total);
  let row = 0;
  while (row < rowCount) {
    const pick = picks[row] as number;
    const source = pick >= 0 ? first : other;
    const at = pick >= 0 ? pick : ~pick;
    // Neighbouring rows of one source are copied in one piece.
    const step = pick >= 0 ? 1 : -1;
    let run = 1;
    while (row + run < rowCount && picks[row + run] === pick + step * run) run += 1;
    const from = source.offsets[at] as number;
    const to = source.offsets[at + run] as number;
    copyBytes(source.data, from, to, data, offsets[row] as number);
    row += run;
  }
  return { layout: "bytes", rowCount, validity, offsets, data };
}

function copyBytes(
  source: Uint8Array,
  from: number,
  to: number,
  data: Uint8Array,
  into: number,
): void {
  if (to - from > 48) {
    data.set(source.subarray(from, to), into);
    return;
  }
  for (let at = from, target = into; at < to; at += 1, target += 1) {
    data[target] = source[at] as number;
  }
}

/** A batch of the picked rows of one batch, or of two with the same columns in the same order. */
export function gatherBatch(
  first: ColumnBatch,
  second: ColumnBatch | undefined,
  picks: Picks,
): ColumnBatch {
  return {
    schema: first.schema,
    rowCount: picks.length,
    columns: first.columns.map((column, index) =>
      gatherColumn(column, second?.columns[index], picks),
    ),
  };
}

/** Rows `start` to `end` of a batch. */
export function sliceBatch(batch: ColumnBatch, start: number, end: number): ColumnBatch {
  if (start === 0 && end === batch.rowCount) return batch;
  const picks = new Int32Array(end - start);
  for (let row = start; row < end; row += 1) picks[row - start] = row;
  return gatherBatch(batch, undefined, picks);
}

/** The batches one after the other; all have the same columns. */
export function concatBatches(batches: readonly ColumnBatch[]): ColumnBatch {
  const [first, ...rest] = batches as readonly [ColumnBatch, ...ColumnBatch[]];
  if (rest.length === 0) return first;
  const rowCount = batches.reduce((sum, batch) => sum + batch.rowCount, 0);
  return {
    schema: first.schema,
    rowCount,
    columns: first.columns.map((_, index) =>
      concatColumns(
        batches.map((batch) => batch.columns[index] as Column),
        rowCount,
      ),
    ),
  };
}

function concatColumns(columns: readonly Column[], rowCount: number): Column {
  const first = columns[0] as Column;
  const validity = columns.some((column) => column.validity)
    ? concatBits(columns, (column) => column.validity, rowCount)
    : undefined;
  switch (first.layout) {
    case "bits": {
      const values = concatBits(columns, (column) => (column as typeof first).values, rowCount);
      return { layout: "bits", rowCount, validity, values };
    }
    case "int32": {
      const values = new Int32Array(rowCount);
      placeAll(columns, (column, at) =>
        values.set((column as typeof first).values.subarray(0, column.rowCount), at),
      );
      return { layout: "int32", rowCount, validity, values };
    }
    case "int64": {
      const values = new BigInt64Array(rowCount);
      placeAll(columns, (column, at) =>
        values.set((column as typeof first).values.subarray(0, column.rowCount), at),
      );
      return { layout: "int64", rowCount, validity, values };
    }
    case "float64": {
      const values = new Float64Array(rowCount);
      placeAll(columns, (column, at) =>
        values.set((column as typeof first).values.subarray(0, column.rowCount), at),
      );
      return { layout: "float64", rowCount, validity, values };
    }
    case "fixed": {
      const { widthBytes } = first;
      const data = new Uint8Array(rowCount * widthBytes);
      placeAll(columns, (column, at) =>
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
      const data = new Uint8Array(
        parts.reduce((sum, part) => sum + span(part)[1] - span(part)[0], 0),
      );
      const offsets = new Int32Array(rowCount + 1);
      let base = 0;
      placeAll(parts, (column, at) => {
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

function placeAll(columns: readonly Column[], place: (column: Column, at: number) => void): void {
  let at = 0;
  for (const column of columns) {
    place(column, at);
    at += column.rowCount;
  }
}

function concatBits(
  columns: readonly Column[],
  bits: (column: Column) => Uint8Array | undefined,
  rowCount: number,
): Uint8Array {
  const result = new Uint8Array(bitmapBytes(rowCount));
  placeAll(columns, (column, at) => {
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
