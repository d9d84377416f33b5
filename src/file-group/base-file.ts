// Opens a base file for reading, and knows its footer: key range and bloom filter.
// Rules: spec/format/base-file.md, BASE-1 to BASE-6.
import { HudiError } from "../errors.ts";
import { type BloomFilter, decodeBloomFilter } from "../format/bloom-filter.ts";
import { openParquetFile, type ParquetFileReader } from "../format/parquet-reader.ts";
import { childFields, type Field, isNested } from "../format/schema.ts";
import type { Storage } from "../storage/storage.ts";
import type { BaseFile } from "./file-slice.ts";

/** Files up to this size are read in one request and kept while they are open. */
export const WHOLE_FILE_BYTES: number = 8 * 1024 * 1024;

/**
 * Rows that are decoded at a time. Our own row groups are no larger; those of other writers may hold
 * a whole file.
 */
export const BATCH_ROWS = 131_072;
/** Values that are decoded at a time: tables of many columns are read in batches of fewer rows. */
const BATCH_VALUES = 64 * BATCH_ROWS;
const LEAST_BATCH_ROWS = 4_096;

/** Rows that are decoded at a time of a file; the same for every read of it. */
export function batchRowsOf({ schema }: Pick<ParquetFileReader, "schema">): number {
  const values = schema.fields.reduce((sum, field) => sum + leafCount(field), 0);
  const rows = Math.floor(BATCH_VALUES / Math.max(1, values));
  return Math.min(BATCH_ROWS, Math.max(LEAST_BATCH_ROWS, rows));
}

function leafCount(field: Field): number {
  if (!isNested(field.type)) return 1;
  return childFields(field.type).reduce((sum, child) => sum + leafCount(child), 0);
}

export const FOOTER_MIN_KEY = "hoodie_min_record_key";
export const FOOTER_MAX_KEY = "hoodie_max_record_key";
export const FOOTER_BLOOM = "org.apache.hudi.bloomfilter";
export const FOOTER_BLOOM_TYPE = "hoodie_bloom_filter_type_code";
/**
 * Tells Spark that dates and times follow the proleptic Gregorian calendar, as they do from its
 * version 3 on; without it Spark refuses the old ones. Decision: spec/decisions/0011.
 */
export const FOOTER_CALENDAR: readonly [string, string] = ["org.apache.spark.version", "3.5.0"];
export const FOOTER_AVRO_SCHEMA = "parquet.avro.schema";

/** What names a base file to a task: plain data. */
export type BaseFileRef = Pick<BaseFile, "path" | "sizeBytes">;

/** How a base file is opened. */
export interface OpenBaseFileOptions {
  readonly signal?: AbortSignal | undefined;
  /** Every column will be read: a small file is then fetched whole, by one request. */
  readonly readsAll?: boolean;
}

/** Opens a base file: one ranged read, more only where the footer is long. */
export async function openBaseFile(
  storage: Storage,
  file: BaseFileRef,
  options: OpenBaseFileOptions = {},
): Promise<ParquetFileReader> {
  const { path, sizeBytes } = file;
  const { signal } = options;
  const readRange = async (
    start: number,
    end: number,
    abort?: AbortSignal,
  ): Promise<Uint8Array> => {
    const bytes = await storage.readRange(path, { start, end }, { signal: abort ?? signal });
    if (bytes.length !== end - start) throw truncated(file, start + bytes.length);
    return bytes;
  };
  const wholeFileBytes = options.readsAll ? WHOLE_FILE_BYTES : 0;
  return openParquetFile({ path, sizeBytes, readRange }, { signal, wholeFileBytes });
}

function truncated(file: BaseFileRef, found: number): HudiError {
  return new HudiError(
    "CORRUPT",
    `cannot read base file ${file.path}: found ${found} bytes, expected ${file.sizeBytes}; restore the file or roll its commit back`,
    { path: file.path },
  );
}

/** Smallest and largest record key of a base file, in the order of `key-order.ts` or of bytes. */
export interface KeyRange {
  readonly min: Uint8Array;
  readonly max: Uint8Array;
}

/** The key range in the footer, or undefined where the writer left none. */
export function findKeyRange(file: ParquetFileReader): KeyRange | undefined {
  const min = file.keyValues.get(FOOTER_MIN_KEY);
  const max = file.keyValues.get(FOOTER_MAX_KEY);
  if (min === undefined || max === undefined) return undefined;
  return { min: Buffer.from(min, "utf8"), max: Buffer.from(max, "utf8") };
}

/** The bloom filter in the footer, or undefined where the writer left none. */
export function findBloomFilter(file: ParquetFileReader, path: string): BloomFilter | undefined {
  const text =
    file.keyValues.get(FOOTER_BLOOM) ?? file.keyValues.get("com.uber.hoodie.bloomfilter");
  if (text === undefined) return undefined;
  return decodeBloomFilter(text, file.keyValues.get(FOOTER_BLOOM_TYPE) ?? "SIMPLE", path);
}
