// A column as a Parquet file stores it, before it becomes the type that a reader asked for.
import type { Column, Validity } from "./column-batch.ts";

/** Single-precision numbers: they are widened after decoding. */
export interface Float32Column {
  readonly layout: "float32";
  readonly rowCount: number;
  readonly validity: Validity;
  readonly values: Float32Array;
}

/** What decoding a chunk yields. */
export type RawColumn = Column | Float32Column;
