// The Parquet writer contract: column batches in, one file out, and what the file says of itself.
// The encoders behind it are chosen in open-parquet-writer.ts.
import type { TableSchema } from "./schema.ts";
import type { StoredBatch } from "./stored-column.ts";

/** Compression of data pages. */
export type ParquetCodec = "snappy" | "zstd" | "gzip" | "uncompressed";

/** Where encoded bytes go, in order. Takes ownership of the buffer; resolves when it takes more. */
export type ByteSink = (bytes: Uint8Array) => Promise<void>;

/** How a file is written. */
export interface ParquetWriterOptions {
  /** All columns of the file, meta columns included. */
  readonly schema: TableSchema;
  readonly codec: ParquetCodec;
  /** Rows of a row group at most. */
  readonly rowGroupRows: number;
  /** Bytes of its values at most, before they are encoded; one larger row is a group. 64 MiB. */
  readonly rowGroupBytes?: number;
  /** Bytes of values of a page at most; one larger row is a page. 1 MiB. */
  readonly pageBytes?: number;
}

/** Smallest and largest value of a column of the whole file, as stored; absent when all are null
 * or one is NaN. */
export interface ColumnStatistics {
  readonly column: string;
  readonly nullCount: number;
  readonly min?: Uint8Array | number | bigint | boolean;
  readonly max?: Uint8Array | number | bigint | boolean;
}

/** What was written. */
export interface ParquetFileSummary {
  readonly rowCount: number;
  readonly sizeBytes: number;
  /** Byte offset of each row group: where an engine may split the file. */
  readonly splitOffsets: readonly number[];
  readonly columns: readonly ColumnStatistics[];
}

/**
 * Writes one file. Batches follow `schema`; footer entries are given last, because key ranges are
 * known only when all rows are. After a failure of `write` or `close` the file is to be given up.
 */
export interface ParquetWriter {
  /** Writes the rows `from` to `to` of a batch, else all. Buffers are read until `close`. */
  write(batch: StoredBatch, from?: number, to?: number): Promise<void>;
  /** Writes all rows of a batch that is used by nobody else; its rows are freed when encoded. */
  writeOwned(batch: StoredBatch): Promise<void>;
  /** Writes the rows that wait as a row group, if there are any. */
  endRowGroup(): Promise<void>;
  close(footer: ReadonlyMap<string, string>): Promise<ParquetFileSummary>;
}
