// Where the bytes of one file come from.

/** One file that is read by ranges. */
export interface FileSource {
  /** For messages. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Bytes `start` to `end`; the buffer is the caller's from then on and must not change. */
  readRange(start: number, end: number, signal?: AbortSignal): Promise<Uint8Array>;
}
