// Writes to a stream of the process: waits while it is full, stops quietly when its reader went
// away. Rules: spec/protocol/cli.md, CLI-6 and CLI-7.
import type { Writable } from "node:stream";
import { HudiError } from "../../errors.ts";

/** The reader of the output went away (`lake read … | head`): nobody wants the rest. */
export class OutputClosed extends Error {
  override readonly name: string = "OutputClosed";

  constructor(cause?: unknown) {
    super("the reader of the output went away", { cause });
  }
}

const CLOSED_CODES: ReadonlySet<string> = new Set([
  "EPIPE",
  "ECONNRESET",
  "ERR_STREAM_DESTROYED",
  "ERR_STREAM_WRITE_AFTER_END",
]);

/** An output of bytes and text. */
export class ByteOutput {
  readonly #stream: Writable;
  readonly #signal: AbortSignal;
  #failure: unknown;
  #wake: (() => void) | undefined;

  constructor(stream: Writable, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    const wake = (): void => this.#wake?.();
    stream.on("drain", wake);
    stream.on("close", wake);
    // Stays for the life of the stream: an error may come after the last write.
    stream.on("error", (error) => {
      this.#failure ??= error;
      wake();
    });
  }

  /**
   * Resolves when the stream takes more. Throws `OutputClosed` once nobody reads, and
   * `UNAVAILABLE` when the stream fails otherwise.
   */
  async write(chunk: Uint8Array | string): Promise<void> {
    this.#requireOpen();
    if (chunk.length === 0 || this.#stream.write(chunk)) return;
    await this.#settle(() => !this.#stream.writableNeedDrain);
    this.#requireOpen();
  }

  /** Resolves when everything written is with the operating system. */
  async flush(): Promise<void> {
    let isFlushed = false;
    this.#stream.write("", () => {
      isFlushed = true;
      this.#wake?.();
    });
    await this.#settle(() => isFlushed);
    this.#requireOpen();
  }

  /** Waits for a state, a failure or the signal. */
  async #settle(isDone: () => boolean): Promise<void> {
    const onAbort = (): void => this.#wake?.();
    this.#signal.addEventListener("abort", onAbort, { once: true });
    try {
      while (!isDone() && this.#failure === undefined && !this.#stream.destroyed) {
        this.#signal.throwIfAborted();
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.#wake = undefined;
      this.#signal.removeEventListener("abort", onAbort);
    }
  }

  #requireOpen(): void {
    const failure = this.#failure as NodeJS.ErrnoException | undefined;
    if (failure === undefined && !this.#stream.destroyed) return;
    if (failure === undefined || CLOSED_CODES.has(failure.code ?? "")) {
      throw new OutputClosed(failure);
    }
    throw new HudiError("UNAVAILABLE", `cannot write output: ${failure.message}`, {
      cause: failure,
    });
  }
}

/** Text is handed to the stream in pieces of this size at least. */
const PIECE_CHARS = 64 * 1024;

/** Collects small texts, so that the stream gets few large pieces. */
export class TextOutput {
  readonly #output: ByteOutput;
  #parts: string[] = [];
  #chars = 0;

  constructor(output: ByteOutput) {
    this.#output = output;
  }

  /** Adds text; when it returns true, `flush` is due. */
  add(text: string): boolean {
    this.#parts.push(text);
    this.#chars += text.length;
    return this.#chars >= PIECE_CHARS;
  }

  async flush(): Promise<void> {
    if (this.#chars === 0) return;
    const text = this.#parts.join("");
    this.#parts = [];
    this.#chars = 0;
    await this.#output.write(text);
  }
}
