// Where the rows of a write come from: a file, or standard input; as chunks of bytes, counted.
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { HudiError, type HudiErrorCode, isHudiError } from "../../errors.ts";
import type { LakeIo } from "../lake-io.ts";

/** How much of an input was read; shown as progress. */
export interface InputProgress {
  rows: number;
  bytes: number;
}

/** An input that can be read once. */
export interface InputSource {
  /** For messages: the name of the file, or `standard input`. */
  readonly name: string;
  /** Path of the file; undefined for standard input. */
  readonly path: string | undefined;
  readonly progress: InputProgress;
  /** The bytes in pieces; ends with the signal. */
  chunks(): AsyncIterable<Uint8Array>;
}

const CHUNK_BYTES = 256 * 1024;

/** Opens `--input`: a path, or `-` for standard input. Throws `NOT_FOUND` for a file that is not there. */
export async function openInputSource(input: string, io: LakeIo): Promise<InputSource> {
  const progress: InputProgress = { rows: 0, bytes: 0 };
  const { signal } = io;
  if (input === "-") {
    const name = "standard input";
    const chunks = (): AsyncIterable<Uint8Array> => readStream(io.stdin, name, progress, signal);
    return { name, path: undefined, progress, chunks };
  }
  await requireReadableFile(input);
  return {
    name: input,
    path: input,
    progress,
    chunks: () => {
      const stream = createReadStream(input, { highWaterMark: CHUNK_BYTES });
      return readStream(stream, input, progress, signal);
    },
  };
}

async function requireReadableFile(path: string): Promise<void> {
  try {
    const file = await open(path, "r");
    const isFolder = (await file.stat()).isDirectory();
    await file.close();
    if (isFolder)
      throw new HudiError("INVALID", `cannot read input ${path}: it is a folder, expected a file`);
  } catch (error) {
    throw inputError(error, path);
  }
}

/** An error of the operating system as one of ours. */
export function inputError(error: unknown, name: string): unknown {
  if (isHudiError(error)) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (typeof code !== "string") return error;
  const known = INPUT_ERRORS[code];
  const [ours, fact] = known ?? (["UNAVAILABLE", message] as const);
  return new HudiError(ours, `cannot read input ${name}: ${fact}`, { path: name, cause: error });
}

const INPUT_ERRORS: Readonly<Record<string, readonly [HudiErrorCode, string]>> = {
  ENOENT: ["NOT_FOUND", "there is no such file, expected a file of rows; check --input"],
  ENOTDIR: ["NOT_FOUND", "there is no such file, expected a file of rows; check --input"],
  EISDIR: ["INVALID", "it is a folder, expected a file"],
  EACCES: ["UNAVAILABLE", "permission is denied; check the rights of the file"],
};

async function* readStream(
  stream: AsyncIterable<unknown> & { destroy(error?: Error): unknown },
  name: string,
  progress: InputProgress,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const stop = (): void => void stream.destroy();
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    for await (const chunk of stream) {
      const bytes = typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Uint8Array);
      progress.bytes += bytes.length;
      yield bytes;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw inputError(error, name);
  } finally {
    signal.removeEventListener("abort", stop);
    stream.destroy();
  }
  // A stream that is destroyed without an error merely ends.
  signal.throwIfAborted();
}
