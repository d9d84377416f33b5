// The bounds that a footer states for a column chunk, in the type that a reader asked for: what a
// row group can be skipped by. A bound that cannot be trusted is none.
// Rules: spec/format/parquet.md, PQ-7.

import type { FlatColumn } from "./column-batch.ts";
import { PHYSICAL } from "./parquet-codes.ts";
import type { FileColumn } from "./parquet-file-tree.ts";
import type { ColumnChunk, StoredStatistics } from "./parquet-footer.ts";
import type { StoredValue } from "./parquet-statistics.ts";
import {
  convertColumn,
  isReadableAs,
  TEXT_SOURCES,
  UnfitValueError,
} from "./parquet-value-conversion.ts";
import { type Field, isNested } from "./schema.ts";

/** Nulls and bounds of one column in one row group; what is not known is absent. */
export interface ChunkStatistics {
  readonly rowCount: number;
  readonly nullCount?: number;
  /** No value is less; text may be cut short, so that none need be equal. */
  readonly min?: StoredValue;
  readonly max?: StoredValue;
}

/** What the footer says of a chunk, for a reader that asked for `field`. */
export function decodeChunkStatistics(
  chunk: ColumnChunk,
  source: FileColumn,
  field: Field,
  hasColumnOrders: boolean,
): ChunkStatistics {
  const { statistics, valueCount: rowCount } = chunk;
  if (!statistics) return { rowCount };
  const { nullCount } = statistics;
  const isCount = nullCount !== undefined && nullCount >= 0 && nullCount <= rowCount;
  const bounds = trustedBounds(statistics, chunk.physicalType, hasColumnOrders);
  const values = bounds && decodeBounds(bounds, source, field);
  return { rowCount, ...(isCount && { nullCount }), ...values };
}

const SIGNED: ReadonlySet<number> = new Set([
  PHYSICAL.boolean,
  PHYSICAL.int32,
  PHYSICAL.int64,
  PHYSICAL.float,
  PHYSICAL.double,
]);

function trustedBounds(
  statistics: StoredStatistics,
  physicalType: number,
  hasColumnOrders: boolean,
): readonly [Uint8Array, Uint8Array] | undefined {
  const { min, max, oldMin, oldMax } = statistics;
  // Without a stated order, old writers compared bytes as signed.
  const isOrdered = hasColumnOrders || SIGNED.has(physicalType);
  if (isOrdered && min && max) return [min, max];
  if (SIGNED.has(physicalType) && oldMin && oldMax) return [oldMin, oldMax];
  return undefined;
}

function decodeBounds(
  bounds: readonly [Uint8Array, Uint8Array],
  source: FileColumn,
  field: Field,
): { readonly min: StoredValue; readonly max: StoredValue } | undefined {
  if (isNested(field.type) || !isReadableAs(source.type, field.type)) return undefined;
  // Numbers have another order as texts.
  if (field.type.kind === "string" && TEXT_SOURCES.has(source.type?.kind ?? "")) return undefined;
  const raw = decodePlain(bounds, source);
  if (!raw) return undefined;
  try {
    const column = convertColumn(raw, source.element, field);
    const valueAt = (row: number): StoredValue => {
      switch (column.layout) {
        case "bits":
          return ((column.values[0] as number) & (1 << row)) !== 0;
        case "bytes":
          return column.data.slice(column.offsets[row], column.offsets[row + 1]);
        case "fixed":
          return column.data.slice(row * column.widthBytes, (row + 1) * column.widthBytes);
        default:
          return column.values[row] as number | bigint;
      }
    };
    const min = valueAt(0);
    const max = valueAt(1);
    if (Number.isNaN(min) || Number.isNaN(max)) return undefined;
    // A writer may have stored either zero for the other.
    const isReal = column.layout === "float32" || column.layout === "float64";
    if (isReal) return { min: min === 0 ? -0 : min, max: max === 0 ? 0 : max };
    return { min, max };
  } catch (error) {
    // A bound that does not fit says nothing.
    if (error instanceof UnfitValueError) return undefined;
    throw error;
  }
}

/** The two bounds as a column of two rows, or undefined when their length is not that of the type. */
function decodePlain(
  bounds: readonly [Uint8Array, Uint8Array],
  source: FileColumn,
): FlatColumn | undefined {
  const [min, max] = bounds;
  const data = new Uint8Array(min.length + max.length);
  data.set(min);
  data.set(max, min.length);
  const base = { rowCount: 2, validity: undefined } as const;
  const hasWidth = (width: number): boolean => min.length === width && max.length === width;
  switch (source.element.physicalType) {
    case PHYSICAL.boolean: {
      const bits = (data[0] === 1 ? 1 : 0) | (data[1] === 1 ? 2 : 0);
      return hasWidth(1) ? { ...base, layout: "bits", values: new Uint8Array([bits]) } : undefined;
    }
    case PHYSICAL.int32:
      return hasWidth(4)
        ? { ...base, layout: "int32", values: new Int32Array(data.buffer) }
        : undefined;
    case PHYSICAL.int64:
      return hasWidth(8)
        ? { ...base, layout: "int64", values: new BigInt64Array(data.buffer) }
        : undefined;
    case PHYSICAL.float:
      return hasWidth(4)
        ? { ...base, layout: "float32", values: new Float32Array(data.buffer) }
        : undefined;
    case PHYSICAL.double:
      return hasWidth(8)
        ? { ...base, layout: "float64", values: new Float64Array(data.buffer) }
        : undefined;
    case PHYSICAL.byteArray: {
      const offsets = new Int32Array([0, min.length, data.length]);
      return { ...base, layout: "bytes", offsets, data };
    }
    case PHYSICAL.fixed: {
      const widthBytes = source.element.typeLength ?? 0;
      return hasWidth(widthBytes) ? { ...base, layout: "fixed", widthBytes, data } : undefined;
    }
    default:
      return undefined;
  }
}
