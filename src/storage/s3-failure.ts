// One failed S3 request in our own words: what the store said, and whether the request can have
// taken effect. Holds no headers, no request and no credentials. Rules: spec/protocol/storage.md.

/**
 * What a failure says of the request.
 *
 * - `missing`: 404, there is no such object (or upload).
 * - `condition`: 412, the condition of the request is false.
 * - `later`: certainly without effect, and the same request may succeed later (a race, throttling,
 *   no connection).
 * - `refused`: certainly without effect, and will be refused again.
 * - `ambiguous`: the request may have taken effect, or may still (5xx, time-out, lost reply).
 */
export type S3FailureKind = "missing" | "condition" | "later" | "refused" | "ambiguous";

/** A failed request. */
export class S3Failure extends Error {
  override readonly name: string = "S3Failure";
  readonly kind: S3FailureKind;
  /** HTTP status, or 0 if no reply came. */
  readonly status: number;
  /** The store's error code, or the system's, such as `SlowDown` or `ECONNREFUSED`. */
  readonly code: string;
  readonly requestId: string | undefined;

  constructor(kind: S3FailureKind, status: number, code: string, message = "", requestId?: string) {
    super(`${status === 0 ? "" : `${status} `}${code}${message && `: ${message}`}`);
    this.kind = kind;
    this.status = status;
    this.code = code;
    this.requestId = requestId;
  }
}

/** What the SDK's errors have in common, as far as it is used. */
interface SdkError {
  readonly name?: unknown;
  readonly message?: unknown;
  readonly code?: unknown;
  readonly Code?: unknown;
  readonly $metadata?: { readonly httpStatusCode?: unknown; readonly requestId?: unknown };
  readonly $response?: { readonly statusCode?: unknown };
}

/** Codes of requests that the store dropped before it acted on them, whatever their status. */
const DROPPED_CODES: ReadonlySet<string> = new Set(["RequestTimeout", "RequestTimeTooSkewed"]);

/** System errors that come before a connection stands, so that nothing was sent. */
const UNSENT_CODES: ReadonlySet<string> = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
]);

/** Errors of the SDK before it sends anything. */
const UNSENT_NAMES: ReadonlySet<string> = new Set([
  "CredentialsProviderError",
  "TokenProviderError",
  "ProviderError",
  "InvalidBucketNameError",
  "EndpointError",
]);

const MAX_MESSAGE_LENGTH = 300;

/** Describes whatever the SDK threw. `secrets` are blotted out of the store's message. */
export function describeSdkError(error: unknown, secrets: readonly string[] = []): S3Failure {
  if (error instanceof S3Failure) return error;
  const sdkError = (error ?? {}) as SdkError;
  const status = Number(sdkError.$metadata?.httpStatusCode ?? sdkError.$response?.statusCode ?? 0);
  const name = typeof sdkError.name === "string" ? sdkError.name : "Error";
  const systemCode = typeof sdkError.code === "string" ? sdkError.code : undefined;
  const code = status === 0 ? (systemCode ?? name) : name;
  const requestId = sdkError.$metadata?.requestId;
  return new S3Failure(
    classify(status, code, name, String(sdkError.message ?? "")),
    status,
    code,
    cleanMessage(String(sdkError.message ?? ""), secrets),
    typeof requestId === "string" ? requestId : undefined,
  );
}

function classify(status: number, code: string, name: string, message: string): S3FailureKind {
  if (status === 0) {
    if (UNSENT_CODES.has(code)) return "later";
    return UNSENT_NAMES.has(name) || message.startsWith("Region is missing")
      ? "refused"
      : "ambiguous";
  }
  if (DROPPED_CODES.has(code) || status === 429 || status === 409) return "later";
  if (status === 404) return code === "NoSuchBucket" ? "refused" : "missing";
  if (status === 412) return "condition";
  if (status === 501) return "refused";
  // A reply of success that cannot be read is not known to be one.
  if (status >= 500 || status === 408 || status < 300) return "ambiguous";
  return "refused";
}

function cleanMessage(message: string, secrets: readonly string[]): string {
  let clean = message.replace(/\s+/g, " ").trim();
  for (const secret of secrets) if (secret !== "") clean = clean.replaceAll(secret, "***");
  return clean.slice(0, MAX_MESSAGE_LENGTH);
}
