// Writes of one whole S3 object with their three outcomes. After a reply that leaves the outcome
// open, the object's write id is looked up; nothing is ever deleted to find out.
// Rules: spec/protocol/storage.md, ST-40 to ST-46.
import { createUuid } from "../runtime/random.ts";
import type { PutCondition, S3Client, S3Head } from "./s3-client.ts";
import { s3Error } from "./s3-errors.ts";
import { S3Failure } from "./s3-failure.ts";
import type { RetryPolicy } from "./s3-retry.ts";
import { pauseBeforeRetry, requireFailure, sendRepeatedly } from "./s3-retry.ts";
import type { StorageError } from "./storage.ts";

/** What every write needs. */
export interface S3WriteContext {
  readonly client: S3Client;
  readonly policy: RetryPolicy;
  /** `s3://bucket/key`, for messages. */
  readonly location: string;
  /** The path relative to the storage, for errors. */
  readonly path: string;
  readonly key: string;
  readonly signal: AbortSignal | undefined;
}

/** What an attempt has shown. `absent`: the object is not there, or is as it was before. */
type Look =
  | { readonly found: "own"; readonly tag: string }
  | { readonly found: "other" | "absent" };

/** An answer, or the failure after which the same request may be sent again. */
type Attempt<T> = { readonly answer: T } | { readonly failure: S3Failure };

/** Creates an object unless there is one. A write id is made up if none is given. */
export async function createS3Object(
  context: S3WriteContext,
  bytes: Uint8Array,
  givenWriteId: string | undefined,
): Promise<"created" | "exists"> {
  const writeId = givenWriteId ?? createUuid(context.policy.runtime.random);
  return attemptRepeatedly(context, async (hasDoubt) => {
    const failure = await tryPut(context, bytes, writeId, { absent: true });
    if (!(failure instanceof S3Failure)) return { answer: "created" };
    if (failure.kind === "later") return { failure };
    if (failure.kind === "refused" || failure.kind === "missing") {
      if (!hasDoubt) throw fail(context, failure, "not-applied");
    }
    const look = await lookForWrite(context, writeId);
    if (look.found === "own") return { answer: "created" };
    if (look.found === "other") return { answer: "exists" };
    if (failure.kind === "ambiguous") return { failure };
    // The store saw an object a moment ago that is gone by now: another's, unless an earlier
    // attempt of this call was open.
    if (failure.kind === "condition" && !hasDoubt) return { answer: "exists" };
    throw fail(context, failure, "unknown");
  });
}

/** Replaces an object whose tag is `tag`. */
export async function replaceS3Object(
  context: S3WriteContext,
  bytes: Uint8Array,
  tag: string,
  givenWriteId: string | undefined,
): Promise<{ readonly tag: string } | "changed"> {
  const writeId = givenWriteId ?? createUuid(context.policy.runtime.random);
  return attemptRepeatedly<{ readonly tag: string } | "changed">(context, async (hasDoubt) => {
    const failure = await tryPut(context, bytes, writeId, { tag });
    if (!(failure instanceof S3Failure)) return { answer: failure };
    if (failure.kind === "later") return { failure };
    if (!hasDoubt) {
      if (failure.kind === "missing") return { answer: "changed" };
      if (failure.kind === "refused") throw fail(context, failure, "not-applied");
    }
    const look = await lookForWrite(context, writeId, tag);
    if (look.found === "own") return { answer: { tag: look.tag } };
    if (look.found === "absent" && failure.kind === "ambiguous") return { failure };
    // With no open attempt before it, a false condition is the store's own word. After one, the
    // object of this call may have been there, and replaced or removed by another since.
    if (failure.kind === "condition" && !hasDoubt) return { answer: "changed" };
    throw fail(context, failure, "unknown");
  });
}

/** Creates or replaces an object. */
export async function putS3Object(
  context: S3WriteContext,
  bytes: Uint8Array,
  writeId: string | undefined,
): Promise<void> {
  await attemptRepeatedly<void>(context, async (hasDoubt) => {
    const failure = await tryPut(context, bytes, writeId, undefined);
    if (!(failure instanceof S3Failure)) return { answer: undefined };
    if (failure.kind === "later") return { failure };
    if (failure.kind !== "ambiguous") {
      throw fail(context, failure, hasDoubt ? "unknown" : "not-applied");
    }
    if (writeId === undefined) return { failure };
    const look = await lookForWrite(context, writeId);
    return look.found === "own" ? { answer: undefined } : { failure };
  });
}

/** The write id and tag of an object, or undefined if there is none. */
export async function findHead(context: S3WriteContext): Promise<S3Head | undefined> {
  try {
    return await sendRepeatedly(context.policy, context.signal, () =>
      context.client.head(context.key, context.signal),
    );
  } catch (error) {
    if (requireFailure(error).kind === "missing") return undefined;
    throw error;
  }
}

/** Whether the object carries a write id, after a reply that left it open. */
export async function isOwnObject(context: S3WriteContext, writeId: string): Promise<boolean> {
  return (await lookForWrite(context, writeId)).found === "own";
}

async function lookForWrite(
  context: S3WriteContext,
  writeId: string,
  unchangedTag?: string,
): Promise<Look> {
  let head: S3Head | undefined;
  try {
    head = await findHead(context);
  } catch (error) {
    const { location, path } = context;
    throw s3Error({ action: "look at", location, path }, requireFailure(error), "unknown");
  }
  if (head?.writeId === writeId) return { found: "own", tag: head.tag };
  return { found: head && head.tag !== unchangedTag ? "other" : "absent" };
}

/**
 * Repeats a write whose attempt left it undone, as far as one could see. `hasDoubt` tells an
 * attempt that an earlier one may have taken effect after all.
 */
async function attemptRepeatedly<T>(
  context: S3WriteContext,
  attempt: (hasDoubt: boolean) => Promise<Attempt<T>>,
): Promise<T> {
  let hasDoubt = false;
  for (let count = 1; ; count++) {
    const result = await attempt(hasDoubt);
    if ("answer" in result) return result.answer;
    hasDoubt ||= result.failure.kind === "ambiguous";
    if (count >= context.policy.maxAttempts) {
      throw fail(context, result.failure, hasDoubt ? "unknown" : "not-applied");
    }
    await pauseBeforeRetry(context.policy, count, context.signal);
  }
}

async function tryPut(
  context: S3WriteContext,
  bytes: Uint8Array,
  writeId: string | undefined,
  condition: PutCondition | undefined,
): Promise<{ readonly tag: string } | S3Failure> {
  try {
    return await context.client.put(context.key, bytes, writeId, condition, context.signal);
  } catch (error) {
    return requireFailure(error);
  }
}

function fail(
  context: S3WriteContext,
  failure: S3Failure,
  outcome: "not-applied" | "unknown",
): StorageError {
  const { location, path } = context;
  return s3Error({ action: "write", location, path }, failure, outcome);
}
