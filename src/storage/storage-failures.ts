// The errors that every storage raises in the same words, and the check of a byte range.
import { HudiError } from "../errors.ts";
import type { ByteRange } from "./storage.ts";

/** The error of reading an object that does not exist. */
export function objectNotFound(location: string, path: string, cause?: unknown): HudiError {
  const message = `cannot read object ${path} of ${location}: there is none, expected an object`;
  return new HudiError("NOT_FOUND", message, { path, cause });
}

/** Checks a range and returns its length in bytes. Throws `INVALID`. */
export function requireByteRange(path: string, range: ByteRange): number {
  const { start, end } = range;
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || end < start) {
    throw new HudiError(
      "INVALID",
      `cannot read bytes ${start} to ${end} of ${path}: expected whole numbers, 0 <= start <= end`,
      { path },
    );
  }
  return end - start;
}

/** The error of using a writer that was closed, aborted, or has failed. */
export function writerEnded(path: string, state: string): HudiError {
  const message = `cannot write object ${path}: its writer was ${state}, expected an open writer`;
  return new HudiError("INVALID", message, { path });
}
