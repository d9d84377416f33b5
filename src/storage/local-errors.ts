// What an error of the file system means for the caller: its code, and whether a write happened.
import { HudiError } from "../errors.ts";
import type { StorageOutcome } from "./storage.ts";
import { StorageError } from "./storage.ts";
import { objectNotFound } from "./storage-failures.ts";

/** The code of an error of the system, such as `ENOENT`; empty for any other error. */
export function errorNumber(error: unknown): string {
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException;
  return typeof code === "string" && typeof syscall === "string" ? code : "";
}

/** An error as the system would raise it, for a fact that was found without asking it. */
export function systemError(code: string, syscall: string): Error {
  return Object.assign(new Error(`${syscall} refused: ${code}`), { code, syscall });
}

export function isMissing(error: unknown): boolean {
  const code = errorNumber(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Handles a failure that says that something is gone already. */
export function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}

/** Errors that the system raises before it changes anything, and what to do about them. */
const REFUSALS: ReadonlyMap<string, readonly [code: HudiError["code"], advice: string]> = new Map([
  ["EACCES", ["UNAVAILABLE", "permission denied, expected the right to read and write there"]],
  ["EPERM", ["UNAVAILABLE", "operation not permitted, expected the right to read and write there"]],
  ["EROFS", ["UNAVAILABLE", "the file system is read-only, expected a writable one"]],
  ["ENOSPC", ["UNAVAILABLE", "no space is left, expected free space on the file system"]],
  ["EDQUOT", ["UNAVAILABLE", "the disk quota is used up, expected free space"]],
  ["EMFILE", ["UNAVAILABLE", "too many files are open, expected a higher limit of open files"]],
  ["ENFILE", ["UNAVAILABLE", "too many files are open on this machine, expected a free place"]],
  ["ENOENT", ["UNAVAILABLE", "its folder was removed meanwhile, expected it to stay"]],
  ["ENAMETOOLONG", ["INVALID", "the name is too long for the file system, expected a shorter one"]],
  ["ENOTDIR", ["INVALID", "a parent of it is a file, expected a folder"]],
  ["EISDIR", ["INVALID", "a folder has that name, expected a file or nothing"]],
  ["ENOTEMPTY", ["INVALID", "a folder has that name, expected a file or nothing"]],
  ["EFBIG", ["UNAVAILABLE", "it is too large for the file system, expected a smaller object"]],
]);

/** Errors of `link` that say that the file system has no links, or none from there. */
const LINK_REFUSALS: ReadonlySet<string> = new Set([
  "EPERM",
  "EXDEV",
  "ENOSYS",
  "ENOTSUP",
  "EOPNOTSUPP",
  "EMLINK",
]);

/** How far a write had come: before, in or after the one step that makes it visible. */
export type WriteStage = "before" | "publishing" | "after";

/** The error of a failed read. Errors that are no errors of the system pass through. */
export function readFailure(location: string, path: string, error: unknown): Error {
  if (isMissing(error) || errorNumber(error) === "EISDIR") {
    return objectNotFound(location, path, error);
  }
  if (errorNumber(error) === "ELOOP") return linkRefused(location, path, error);
  return failure("read", location, path, "before", error);
}

/** The error of a failed write. Errors that are no errors of the system pass through. */
export function writeFailure(
  location: string,
  path: string,
  stage: WriteStage,
  error: unknown,
): Error {
  return failure("write", location, path, stage, error);
}

/** The error of a failed `link`, which is how objects are created. */
export function linkFailure(location: string, path: string, error: unknown): Error {
  if (!LINK_REFUSALS.has(errorNumber(error))) {
    return failure("create", location, path, "publishing", error);
  }
  const message = `cannot create object ${path} of ${location}: the file system refused a hard link (${errorNumber(error)}), expected one that supports them; use a local file system or S3`;
  return new StorageError("not-applied", message, { path, code: "UNSUPPORTED", cause: error });
}

/** The error of a symbolic link, or anything else that is neither file nor folder. */
export function linkRefused(location: string, path: string, cause?: unknown): HudiError {
  const message = `cannot use ${path} of ${location}: it is a symbolic link or a special file, expected a file or folder inside the storage`;
  return new HudiError("UNSUPPORTED", message, { path, cause });
}

function failure(
  verb: string,
  location: string,
  path: string,
  stage: WriteStage,
  error: unknown,
): Error {
  const number = errorNumber(error);
  if (error instanceof HudiError || number === "") return error as Error;
  const refusal = REFUSALS.get(number);
  const [code, advice] = refusal ?? ["UNAVAILABLE", "the file system failed, expected success"];
  const isKnown = stage === "before" || (stage === "publishing" && refusal !== undefined);
  const outcome: StorageOutcome = isKnown ? "not-applied" : "unknown";
  const message = `cannot ${verb} object ${path} of ${location}: ${advice} (${number})`;
  return new StorageError(outcome, message, { path, code, cause: error });
}
