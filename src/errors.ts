// The one error class of the library. A code says what the caller can do; the message names the thing.
// Rules: spec/decisions/0009-errors.md.

/**
 * What the caller does about an error.
 *
 * - `INVALID`: an argument, option or row is wrong; fix the call.
 * - `NOT_FOUND`, `ALREADY_EXISTS`: there is no such table or instant, or there is one already.
 * - `UNSUPPORTED`: a table version, feature or type that this library does not handle.
 * - `CONFLICT`: another writer completed over the same file groups and retrying did not help.
 * - `EXPIRED`: the asked history was cleaned.
 * - `COMMIT_STATE_UNKNOWN`: the commit may have landed; read the timeline before retrying.
 * - `UNAVAILABLE`: the storage did not answer, or refused; retry later.
 * - `CORRUPT`: bytes on storage break the format.
 */
export type HudiErrorCode =
  | "INVALID"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "UNSUPPORTED"
  | "CONFLICT"
  | "EXPIRED"
  | "COMMIT_STATE_UNKNOWN"
  | "UNAVAILABLE"
  | "CORRUPT";

/** Details of an error: the storage path and instant it concerns, and the error that caused it. */
export interface HudiErrorDetails {
  readonly path?: string | undefined;
  readonly instant?: string | undefined;
  readonly cause?: unknown;
}

/** Any failure that this library raises itself. Message text is not part of the API; `code` is. */
export class HudiError extends Error {
  override readonly name: string = "HudiError";
  readonly code: HudiErrorCode;
  readonly path: string | undefined;
  readonly instant: string | undefined;

  constructor(code: HudiErrorCode, message: string, details: HudiErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.path = details.path;
    this.instant = details.instant;
  }

  /** Whether the same call may succeed when it is made again later. */
  get retryable(): boolean {
    return this.code === "UNAVAILABLE" || this.code === "CONFLICT";
  }
}

/** Whether an error is a `HudiError`, of the given code if one is named. */
export function isHudiError(error: unknown, code?: HudiErrorCode): error is HudiError {
  return error instanceof HudiError && (code === undefined || error.code === code);
}
