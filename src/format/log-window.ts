// The bytes of a log file around the place that is being looked at: small files are read at once, of
// large ones a window, so that contents that nobody asks for are not fetched.
// Rules: spec/format/log-file.md, LOG-4.
import { HudiError } from "../errors.ts";
import type { FileSource } from "./file-source.ts";
import { LOG_MAGIC } from "./log-block.ts";

/** Files up to this size are read by one request. */
const WHOLE_FILE_BYTES = 8 * 1024 * 1024;
/** What is read of larger files at once: frames and headers, and small blocks whole. */
const WINDOW_BYTES = 256 * 1024;
const SEARCH_BYTES = 1024 * 1024;

/** Bytes of the file that are kept. */
interface Held {
  readonly start: number;
  readonly bytes: Uint8Array;
}

/** Reads numbers and bytes of one file; throws `CORRUPT` where the file turns out to be shorter. */
export class LogWindow {
  readonly #source: FileSource;
  readonly #signal: AbortSignal | undefined;
  /** The newest last: one where a block begins, and one where it ends. */
  #held: Held[] = [];

  constructor(source: FileSource, signal: AbortSignal | undefined) {
    this.#source = source;
    this.#signal = signal;
  }

  get path(): string {
    return this.#source.path;
  }

  get sizeBytes(): number {
    return this.#source.sizeBytes;
  }

  /** `length` bytes at `at`, both within the file. */
  async read(
    at: number,
    length: number,
    signal: AbortSignal | undefined = this.#signal,
  ): Promise<Uint8Array> {
    const held = this.#held.find(
      ({ start, bytes }) => at >= start && at + length <= start + bytes.length,
    );
    if (held) return held.bytes.subarray(at - held.start, at - held.start + length);
    if (length > WINDOW_BYTES) return this.#fetch(at, at + length, signal);
    const { sizeBytes } = this.#source;
    const isSmall = sizeBytes <= WHOLE_FILE_BYTES;
    const start = isSmall ? 0 : at;
    const end = isSmall ? sizeBytes : Math.min(sizeBytes, at + WINDOW_BYTES);
    const bytes = await this.#fetch(start, end, signal);
    this.#held = [...this.#held.slice(-1), { start, bytes }];
    return bytes.subarray(at - start, at - start + length);
  }

  async readInt(at: number): Promise<number> {
    const bytes = await this.read(at, 4);
    return new DataView(bytes.buffer, bytes.byteOffset).getInt32(0);
  }

  /** A number of 64 bits; one that a number does not hold exactly comes as -1, which is no length. */
  async readLong(at: number): Promise<number> {
    const bytes = await this.read(at, 8);
    const value = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0));
    return Number.isSafeInteger(value) ? value : -1;
  }

  /** Whether a block begins here. */
  async holdsMagic(at: number): Promise<boolean> {
    if (at + LOG_MAGIC.length > this.sizeBytes) return false;
    const bytes = await this.read(at, LOG_MAGIC.length);
    return LOG_MAGIC.every((byte, index) => bytes[index] === byte);
  }

  /** Where the next magic stands from `from` on, or the end of the file. */
  async findMagic(from: number): Promise<number> {
    const { sizeBytes } = this;
    for (let at = from; at < sizeBytes; at += SEARCH_BYTES) {
      const end = Math.min(sizeBytes, at + SEARCH_BYTES + LOG_MAGIC.length - 1);
      const bytes = await this.read(at, end - at);
      const found = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(LOG_MAGIC);
      if (found >= 0) return at + found;
    }
    return sizeBytes;
  }

  async #fetch(start: number, end: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (start === end) return new Uint8Array(0);
    const bytes = await this.#source.readRange(start, end, signal);
    // No Buffer, whatever the source gives: its `slice` would be a view.
    if (bytes.length === end - start) {
      return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    throw new HudiError(
      "CORRUPT",
      `cannot read log file ${this.path}: found ${start + bytes.length} bytes, expected ${this.sizeBytes}`,
      { path: this.path },
    );
  }
}
