// Cuts chunks of bytes into lines of text. Lines end with a line feed alone (a carriage return before
// it goes); every byte must be UTF-8; memory is bounded by the longest line.
import { isUtf8 } from "node:buffer";
import { HudiError } from "../../errors.ts";

/** A line that is longer makes no row. */
export const MAX_LINE_BYTES: number = 64 * 1024 * 1024;

const LINE_FEED = 0x0a;
const BYTE_ORDER_MARK = "\ufeff";

/** Splits the bytes of one input. */
export class LineSplitter {
  readonly #name: string;
  readonly #maxLineBytes: number;
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  /** Lines given out. */
  #lineCount = 0;

  constructor(name: string, maxLineBytes: number = MAX_LINE_BYTES) {
    this.#name = name;
    this.#maxLineBytes = maxLineBytes;
  }

  /** The lines that this chunk completes. Throws `INVALID` naming the line. */
  push(chunk: Uint8Array): string[] {
    const last = chunk.lastIndexOf(LINE_FEED);
    if (last < 0) {
      this.#hold(chunk);
      return [];
    }
    const whole = Buffer.concat([...this.#held, chunk.subarray(0, last)]);
    this.#held = [];
    this.#heldBytes = 0;
    const lines = this.#split(whole);
    this.#hold(chunk.subarray(last + 1));
    return lines;
  }

  /** The last line, where no line feed ends it. */
  finish(): string[] {
    if (this.#heldBytes === 0) return [];
    return this.#split(Buffer.concat(this.#held.splice(0)));
  }

  #hold(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes <= this.#maxLineBytes) return;
    throw new HudiError(
      "INVALID",
      `cannot use line ${this.#lineCount + 1} of ${this.#name}: it is longer than ${this.#maxLineBytes} bytes`,
    );
  }

  #split(bytes: Buffer): string[] {
    if (!isUtf8(bytes)) throw this.#describeBadBytes(bytes);
    const lines = bytes.toString("utf8").split("\n");
    for (let index = 0; index < lines.length; index += 1) {
      const line = lines[index] as string;
      if (line.endsWith("\r")) lines[index] = line.slice(0, -1);
    }
    if (this.#lineCount === 0 && lines[0]?.startsWith(BYTE_ORDER_MARK))
      lines[0] = lines[0].slice(1);
    this.#lineCount += lines.length;
    return lines;
  }

  #describeBadBytes(bytes: Buffer): HudiError {
    let line = this.#lineCount + 1;
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(LINE_FEED, from);
      if (end < 0 || !isUtf8(bytes.subarray(from, end))) break;
      line += 1;
      from = end + 1;
    }
    return new HudiError(
      "INVALID",
      `cannot use line ${line} of ${this.#name}: found bytes that are no UTF-8, expected UTF-8`,
    );
  }
}
