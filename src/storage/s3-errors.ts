// What a failed S3 request means for the caller: a code, the object, and what to do.
import type { HudiError } from "../errors.ts";
import type { S3Failure } from "./s3-failure.ts";
import type { StorageOutcome } from "./storage.ts";
import { StorageError } from "./storage.ts";

/** What was tried, for messages and for the permission that it needs. */
export type S3Action = "read" | "look at" | "list" | "write" | "delete";

const PERMISSIONS: Readonly<Record<S3Action, string>> = {
  read: "s3:GetObject",
  "look at": "s3:GetObject",
  list: "s3:ListBucket",
  write: "s3:PutObject (and kms:GenerateDataKey with a KMS key)",
  delete: "s3:DeleteObject",
};

/** Where and what, for an error. */
export interface S3Subject {
  readonly action: S3Action;
  /** `s3://bucket/key`. */
  readonly location: string;
  /** The path relative to the storage. */
  readonly path: string;
}

/** The error of a failed call after its last attempt. */
export function s3Error(
  subject: S3Subject,
  failure: S3Failure,
  outcome: StorageOutcome,
): StorageError {
  const [code, fact] = explain(subject, failure);
  const unknown =
    outcome === "unknown" ? "; a write may have been applied, so look before writing again" : "";
  const message = `cannot ${subject.action} ${subject.location}: ${fact}${unknown}`;
  return new StorageError(outcome, message, { path: subject.path, code, cause: failure });
}

function explain(subject: S3Subject, failure: S3Failure): readonly [HudiError["code"], string] {
  const { status, code, kind } = failure;
  const said = `${status || "no reply"} ${code}`;
  if (code === "NoSuchBucket") {
    return ["NOT_FOUND", `the bucket does not exist (${said}), expected an existing one`];
  }
  if (kind === "missing" && subject.action === "write") {
    return ["UNAVAILABLE", `its upload was taken away (${said}), expected it to stay`];
  }
  if (kind === "missing") {
    return ["NOT_FOUND", `it does not exist (${said}), expected an existing one`];
  }
  if (/Credential|TokenProvider/.test(code)) {
    return [
      "INVALID",
      `no credentials were found (${code}), expected the option credentials or the environment, profile or role of the AWS default chain`,
    ];
  }
  if (failure.message.includes("Region is missing")) {
    return ["INVALID", "no region is set, expected the option region or AWS_REGION"];
  }
  if (status === 301 || status === 307 || code === "AuthorizationHeaderMalformed") {
    return [
      "INVALID",
      `the bucket is in another region or at another endpoint (${said}), expected the option region to name it`,
    ];
  }
  if (code === "RequestTimeTooSkewed") {
    return [
      "UNAVAILABLE",
      `the clock of this machine is wrong (${said}), expected the time of the store`,
    ];
  }
  if (status === 401 || status === 403 || /^(Expired|Invalid)Token/.test(code)) {
    return [
      "UNAVAILABLE",
      `access was denied (${said}), expected ${PERMISSIONS[subject.action]}; check the credentials and the policy of the bucket`,
    ];
  }
  if (status === 501) {
    return [
      "UNSUPPORTED",
      `the store does not implement the request (${said}), expected S3 with conditional writes`,
    ];
  }
  if (kind === "condition") {
    return ["UNAVAILABLE", `its condition failed (${said}), expected a condition that holds`];
  }
  if (kind === "refused") {
    return ["INVALID", `the store refused the request (${said}), expected it to be accepted`];
  }
  if (status === 409) {
    return ["UNAVAILABLE", `another request was at it each time (${said}), expected a free moment`];
  }
  return ["UNAVAILABLE", `the store did not answer or was busy (${said}), expected an answer`];
}
