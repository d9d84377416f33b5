// Where new base files end, by the bytes that rows of this write were seen to take.
// Rules: spec/format/file-sizing.md, FS-2, FS-4 and FS-5.
import { openParquetWriter } from "../format/open-parquet-writer.ts";
import type { ParquetCodec } from "../format/parquet-writer.ts";
import { endOfRows, rowBytes, type StoredBatch } from "../format/stored-column.ts";
import { yieldToHost } from "../runtime/concurrency.ts";

/** Rows that are encoded to see what rows take, in so many runs spread over all. */
const SAMPLE_ROWS = 16_384;
export const SAMPLE_RUNS = 4;
/** Values of a run at most; one larger row is a run. */
const RUN_BYTES = 1024 * 1024;

/** A file may be larger than the target by this share, where another file would be a dwarf. */
const STRETCH = 1.05;
/** A rest up to this share of the target is taken in by the file before it. */
const DWARF_SHARE = 0.1;
/** A file that lacks less than this share is closed, rather than given a tiny row group. */
const NEAR_SHARE = 0.05;
/** Of several files each is written in such steps at most, so that its end is seen coming. */
const STEP_SHARE = 1 / 3;
/** A lower target for the rows of a file counts as this: the footer alone takes some thousand bytes. */
const LEAST_DATA_BYTES = 16 * 1024;

/** Evenly spread runs of rows that stand for `rowCount` rows: at most `most` of them, as ranges. */
export function sampleRuns(
  rowCount: number,
  most: number = SAMPLE_ROWS,
): readonly (readonly [number, number])[] {
  const count = Math.min(most, SAMPLE_ROWS);
  if (rowCount <= count) return [[0, rowCount]];
  const length = Math.ceil(count / SAMPLE_RUNS);
  const step = (rowCount - length) / (SAMPLE_RUNS - 1);
  return Array.from({ length: SAMPLE_RUNS }, (_, run) => {
    const start = Math.floor(run * step);
    return [start, start + length] as const;
  });
}

/**
 * Bytes in a file for each byte of values (see `rowBytes`), by encoding a sample of the rows as they
 * would be written. The batch has its meta columns.
 */
export async function measureStoredShare(
  batch: StoredBatch,
  codec: ParquetCodec,
  signal?: AbortSignal,
): Promise<number> {
  let bytes = 0;
  let valueBytes = 0;
  const count = async (part: Uint8Array): Promise<void> => {
    bytes += part.length;
  };
  const options = { schema: batch.schema, codec, rowGroupRows: SAMPLE_ROWS };
  const writer = await openParquetWriter(count, options);
  bytes = 0;
  for (const [start, most] of sampleRuns(batch.rowCount)) {
    const end = Math.max(start + 1, endOfRows(batch.columns, start, most, RUN_BYTES));
    await writer.write(batch, start, end);
    valueBytes += rowBytes(batch.columns, start, end);
    await yieldToHost(signal);
  }
  await writer.endRowGroup();
  return bytes / Math.max(1, valueBytes);
}

/** Decides where the files of one write to one partition end; bytes are those of values unless named stored. */
export class FileSizer {
  readonly #maxFileBytes: number;
  /** Stored bytes for each byte of values. */
  #share: number;
  #writtenBytes = 0;
  #writtenStoredBytes = 0;
  #footerBytes: number;
  #fileStoredBytes = 0;
  #goal = 0;
  #stepStoredBytes = 0;

  /** `share` as measured; `footerBytes` as far as they are known before a file is written. */
  constructor(maxFileBytes: number, share: number, footerBytes: number) {
    this.#maxFileBytes = maxFileBytes;
    this.#share = share;
    this.#footerBytes = footerBytes;
  }

  /** Begins a file, with these bytes of rows left for it and those after it: they get equal parts. */
  begin(leftBytes: number): void {
    this.#fileStoredBytes = 0;
    const most = this.#mostStoredBytes;
    const stored = leftBytes * this.#share;
    const files = Math.max(1, Math.ceil(stored / (most * STRETCH)));
    this.#goal = files === 1 ? most * STRETCH : stored / files;
    this.#stepStoredBytes = files === 1 ? Number.POSITIVE_INFINITY : this.#goal * STEP_SHARE;
  }

  /** How many more bytes of rows to write before asking again; they bring the file to its goal at most. */
  get roomBytes(): number {
    const stored = Math.min(this.#goal - this.#fileStoredBytes, this.#stepStoredBytes);
    return Math.max(0, stored / this.#share);
  }

  /** Notes rows that were written to the file, and the bytes that they took there. */
  add(bytes: number, storedBytes: number): void {
    this.#fileStoredBytes += storedBytes;
    this.#writtenBytes += bytes;
    this.#writtenStoredBytes += storedBytes;
    if (this.#writtenBytes > 0) this.#share = this.#writtenStoredBytes / this.#writtenBytes;
  }

  /** Whether the next file begins, with these bytes of rows left. */
  isFull(leftBytes: number): boolean {
    const most = this.#mostStoredBytes;
    if (leftBytes * this.#share <= most * DWARF_SHARE) return false;
    return this.#fileStoredBytes >= this.#goal - most * NEAR_SHARE;
  }

  /** Ends the file, which has this size as a whole. */
  end(sizeBytes: number): void {
    this.#footerBytes = sizeBytes - this.#fileStoredBytes;
  }

  /** What the rows of a file may take: the target without the footer. */
  get #mostStoredBytes(): number {
    return Math.max(LEAST_DATA_BYTES, this.#maxFileBytes - this.#footerBytes);
  }
}
