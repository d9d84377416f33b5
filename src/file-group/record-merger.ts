// Which version of a record wins: the ordering rule of DefaultHoodieRecordPayload.
// Rules: spec/format/merge-rules.md, MR-1 to MR-5.

import { HudiError } from "../errors.ts";
import { isBitSet } from "../format/bitmap.ts";
import {
  type Column,
  type Float32Column,
  type Float64Column,
  isPresent,
} from "../format/column-batch.ts";
import { compareBytesRows } from "../format/key-table.ts";

/** Compares the ordering value of a row of one column with that of a row of another. */
export type OrderingComparator = (stored: number, incoming: number) => number;

/**
 * A comparison of stored with incoming ordering values: negative when the stored one is older. A
 * stored null is older than anything. Values of a fixed width are numbers, unless they are said to be
 * `unsigned` bytes.
 */
export function createOrderingComparator(
  stored: Column,
  incoming: Column,
  unsigned: boolean = false,
): OrderingComparator {
  const compare = compareValues(stored, incoming, unsigned);
  if (!stored.validity) return compare;
  return (a, b) => (isPresent(stored, a) ? compare(a, b) : -1);
}

function compareValues(stored: Column, incoming: Column, unsigned: boolean): OrderingComparator {
  if (stored.layout === "int32" && incoming.layout === "int32") {
    const [a, b] = [stored.values, incoming.values];
    return (x, y) => (a[x] as number) - (b[y] as number);
  }
  if (stored.layout === "int64" && incoming.layout === "int64") {
    const [a, b] = [stored.values, incoming.values];
    return (x, y) => {
      const [left, right] = [a[x] as bigint, b[y] as bigint];
      return left < right ? -1 : left > right ? 1 : 0;
    };
  }
  if (isReal(stored) && isReal(incoming) && stored.layout === incoming.layout) {
    const [a, b] = [stored.values, incoming.values];
    return (x, y) => compareDoubles(a[x] as number, b[y] as number);
  }
  if (stored.layout === "bytes" && incoming.layout === "bytes") {
    return (x, y) => compareBytesRows(stored, x, incoming, y);
  }
  if (stored.layout === "fixed" && incoming.layout === "fixed") {
    const { widthBytes } = stored;
    const sign = unsigned ? 0 : 0x80;
    return (x, y) => compareFixed(stored.data, incoming.data, widthBytes, x, y, sign);
  }
  if (stored.layout === "bits" && incoming.layout === "bits") {
    return (x, y) => Number(isBitSet(stored.values, x)) - Number(isBitSet(incoming.values, y));
  }
  throw new HudiError(
    "CORRUPT",
    `cannot compare ordering values: found layouts ${stored.layout} and ${incoming.layout}, expected equal ones`,
  );
}

/** Whether a column holds floating-point numbers. */
export function isReal(column: Column): column is Float32Column | Float64Column {
  return column.layout === "float32" || column.layout === "float64";
}

/** The total order of Java: -0 before 0, NaN last. */
function compareDoubles(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b && a !== 0) return 0;
  const rank = (value: number): number => (Number.isNaN(value) ? 2 : Object.is(value, -0) ? 0 : 1);
  return rank(a) - rank(b);
}

/** The sign bit of two's complement is turned over, so that unsigned order is numeric order. */
function compareFixed(
  a: Uint8Array,
  b: Uint8Array,
  width: number,
  x: number,
  y: number,
  sign: number,
): number {
  let difference = ((a[x * width] as number) ^ sign) - ((b[y * width] as number) ^ sign);
  for (let index = 1; difference === 0 && index < width; index += 1) {
    difference = (a[x * width + index] as number) - (b[y * width + index] as number);
  }
  return difference;
}

/** Refuses an ordering value of null in rows that come in; throws `INVALID` naming the row. */
export function requireOrderingValues(
  column: Column,
  field: string,
  describeRow: (row: number) => string,
  isRowOrdered: (row: number) => boolean = () => true,
): void {
  if (!column.validity) return;
  for (let row = 0; row < column.rowCount; row += 1) {
    if (!isPresent(column, row) && isRowOrdered(row)) {
      throw new HudiError(
        "INVALID",
        `cannot use ${describeRow(row)}: ordering field ${field} is null, expected a value`,
      );
    }
  }
}
