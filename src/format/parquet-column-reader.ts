// Decodes rows of one column of a row group, flat or with columns inside, and says of damaged bytes where
// they stand. Rules: spec/format/parquet.md, PQ-2 and PQ-16.
import { HudiError } from "../errors.ts";
import { findNull } from "./bitmap.ts";
import { type Column, nullColumn } from "./column-batch.ts";
import { ChunkDecoder } from "./parquet-chunk-decoder.ts";
import { type ColumnChunk, corruptParquet } from "./parquet-footer.ts";
import { NestedColumnReader, type NestedPlan } from "./parquet-nested-reader.ts";
import { TooMuchTextError } from "./parquet-text-decoder.ts";
import { UnfitValueError } from "./parquet-value-conversion.ts";
import type { Field } from "./schema.ts";
import type { StoredColumn } from "./stored-column.ts";

/** A column of a row group that is to be read, and the chunks it needs. */
export interface ColumnPlan {
  readonly field: Field;
  readonly rowCount: number;
  readonly where: string;
  /** The leaves that are needed, by their place; none for a column that the file lacks. */
  readonly chunks: ReadonlyMap<number, ColumnChunk>;
  readonly nested?: NestedPlan;
}

/** Decodes a range of rows. */
export interface ColumnReader {
  read(from: number, to: number): Column;
  readStored(from: number, to: number): StoredColumn;
}

/** A reader over the bytes of the chunks that a plan names. */
export function openColumn(
  path: string,
  plan: ColumnPlan,
  bytes: ReadonlyMap<ColumnChunk, Uint8Array>,
): ColumnReader {
  const { field, rowCount, where, chunks, nested } = plan;
  if (!nested || rowCount === 0) {
    const read = (from: number, to: number): Column => nullColumn(field.type, to - from);
    return { read, readStored: read };
  }
  const explain = (error: unknown): Error => {
    // Whatever the decoder says is about these bytes; an error of ours has its own words.
    if (error instanceof HudiError || !(error instanceof Error)) return error as Error;
    if (error instanceof TooMuchTextError) {
      const text = `cannot read ${where} of Parquet file ${path}: ${error.message}; leave the column out`;
      return new HudiError("UNSUPPORTED", text, { path, cause: error });
    }
    const at = error instanceof UnfitValueError ? ` in row ${error.row}` : "";
    return corruptParquet(path, `${where} is damaged${at} (${error.message})`, error);
  };
  try {
    const decoder = openDecoder(field, rowCount, nested, chunks, bytes);
    const checked = <T extends StoredColumn>(decode: () => T, from: number): T => {
      try {
        return requirePresent(decode(), field, path, where, from);
      } catch (error) {
        throw explain(error);
      }
    };
    return {
      read: (from, to) => checked(() => decoder.decode(from, to), from),
      readStored: (from, to) => checked(() => decoder.decodeStored(from, to), from),
    };
  } catch (error) {
    throw explain(error);
  }
}

/** Decodes rows of a column, flat or not. */
interface RowsDecoder {
  decode(from: number, to: number): Column;
  decodeStored(from: number, to: number): StoredColumn;
}

function openDecoder(
  field: Field,
  rowCount: number,
  nested: NestedPlan,
  chunks: ReadonlyMap<number, ColumnChunk>,
  bytes: ReadonlyMap<ColumnChunk, Uint8Array>,
): RowsDecoder {
  const bytesOf = (chunk: ColumnChunk): Uint8Array => bytes.get(chunk) as Uint8Array;
  const { leafIndex, element } = nested.node;
  if (leafIndex !== undefined) {
    const chunk = chunks.get(leafIndex) as ColumnChunk;
    return new ChunkDecoder(
      { bytes: bytesOf(chunk), codec: chunk.codec, rowCount, element },
      field,
    );
  }
  const leaves = new Map(
    Array.from(chunks, ([index, chunk]) => [index, { ...chunk, bytes: bytesOf(chunk) }]),
  );
  const reader = new NestedColumnReader(nested, leaves, rowCount);
  const read = (from: number, to: number): Column => reader.read(from, to);
  return { decode: read, decodeStored: read };
}

function requirePresent<T extends StoredColumn>(
  column: T,
  field: Field,
  path: string,
  where: string,
  from: number,
): T {
  const { validity, rowCount } = column;
  if (field.nullable || !validity) return column;
  const row = findNull(validity, 0, rowCount);
  if (row >= 0) {
    throw corruptParquet(
      path,
      `${where} holds null in row ${from + row}, where the table allows none`,
    );
  }
  return { ...column, validity: undefined };
}
