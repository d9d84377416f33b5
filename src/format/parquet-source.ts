// The bytes of a Parquet file on their way in: ranged reads, neighbouring ranges joined, and what
// the first read brought along kept. Rules: spec/format/parquet.md, PQ-1.
import { mapConcurrently } from "../runtime/concurrency.ts";
import { corruptParquet } from "./parquet-footer.ts";

/** Where the bytes of one file come from. */
export interface ParquetSource {
  /** For messages. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Bytes `start` to `end`; the buffer is the caller's from then on and must not change. */
  readRange(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** A half-open range of bytes of a file. */
export interface FileRange {
  readonly start: number;
  readonly end: number;
}

/** Neighbouring ranges are read as one up to this size. */
const MAX_JOINED_BYTES: number = 16 * 1024 * 1024;
const CONCURRENT_READS = 4;

/** Reads ranges of a file; bytes that were read ahead are not read again. */
export class RangeReader {
  readonly #source: ParquetSource;
  #ahead: { readonly start: number; readonly bytes: Uint8Array } = {
    start: 0,
    bytes: new Uint8Array(0),
  };

  constructor(source: ParquetSource) {
    this.#source = source;
  }

  /** Reads a range and keeps it for later calls, in place of what was kept before. */
  async readAhead(range: FileRange, signal?: AbortSignal): Promise<Uint8Array> {
    const bytes = await this.#read(range, signal);
    this.#ahead = { start: range.start, bytes };
    return bytes;
  }

  /** The bytes of each range, as views. Only bytes of these ranges are read. */
  async readAll(ranges: readonly FileRange[], signal?: AbortSignal): Promise<Uint8Array[]> {
    const missing = ranges.filter((range) => !this.#findAhead(range));
    const joined = joinRanges(missing);
    const parts = await mapConcurrently(
      joined,
      CONCURRENT_READS,
      (range) => this.#read(range, signal),
      signal,
    );
    return ranges.map((range) => {
      const ahead = this.#findAhead(range);
      if (ahead) return ahead;
      const index = joined.findIndex(
        (whole) => whole.start <= range.start && range.end <= whole.end,
      );
      const { start } = joined[index] as FileRange;
      return (parts[index] as Uint8Array).subarray(range.start - start, range.end - start);
    });
  }

  #findAhead({ start, end }: FileRange): Uint8Array | undefined {
    const { start: first, bytes } = this.#ahead;
    if (start < first || end > first + bytes.length) return undefined;
    return bytes.subarray(start - first, end - first);
  }

  async #read({ start, end }: FileRange, signal?: AbortSignal): Promise<Uint8Array> {
    if (start === end) return new Uint8Array(0);
    const bytes = await this.#source.readRange(start, end, signal);
    if (bytes.length !== end - start) {
      throw corruptParquet(
        this.#source.path,
        `it has no ${end - start} bytes at ${start} (found ${bytes.length}): it is shorter than ${this.#source.sizeBytes} bytes`,
      );
    }
    // No Buffer, whatever the source gives: its `slice` would be a view.
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }
}

/** The ranges with those that touch joined, in order of their starts. */
function joinRanges(ranges: readonly FileRange[]): FileRange[] {
  const joined: FileRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start || a.end - b.end)) {
    const last = joined.at(-1);
    const touches = last !== undefined && range.start <= last.end;
    if (touches && Math.max(range.end, last.end) - last.start <= MAX_JOINED_BYTES) {
      joined[joined.length - 1] = { start: last.start, end: Math.max(range.end, last.end) };
    } else {
      joined.push(range);
    }
  }
  return joined;
}
