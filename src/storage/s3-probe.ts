// Tries out on scratch objects whether a store's conditional writes exclude each other. Several
// stores accept the headers and ignore them. Rules: spec/protocol/storage.md, ST-50 to ST-52.
import { HudiError } from "../errors.ts";
import { bestEffort } from "../runtime/concurrency.ts";
import { createUuid } from "../runtime/random.ts";
import type { PutCondition, S3Client } from "./s3-client.ts";
import { s3Error } from "./s3-errors.ts";
import { S3Failure } from "./s3-failure.ts";
import type { RetryPolicy } from "./s3-retry.ts";
import { pauseBeforeRetry, requireFailure } from "./s3-retry.ts";

/** What a probe needs; `prefix` is the key prefix of the scratch objects. */
export interface S3ProbeContext {
  readonly client: S3Client;
  readonly policy: RetryPolicy;
  readonly location: string;
  readonly prefix: string;
}

const STALE_TAG = '"00000000000000000000000000000000"';

/** Throws `UNSUPPORTED` naming the first wrong answer. A disturbed probe begins anew. */
export async function probeS3ConditionalWrites(context: S3ProbeContext): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await runProbe(context);
    } catch (error) {
      const failure = requireFailure(error);
      const isPassing = failure.kind === "later" || failure.kind === "ambiguous";
      if (!isPassing || attempt >= context.policy.maxAttempts) {
        const { location } = context;
        throw s3Error({ action: "write", location, path: "" }, failure, "not-applied");
      }
    }
    await pauseBeforeRetry(context.policy, attempt, undefined);
  }
}

async function runProbe(context: S3ProbeContext): Promise<void> {
  const nonce = createUuid(context.policy.runtime.random);
  const keys = ["create", "race", "missing"].map((name) => `${context.prefix}${nonce}-${name}`);
  try {
    await runSteps(context, keys as [string, string, string], nonce);
  } finally {
    await bestEffort(() => context.client.delete(keys, undefined));
  }
}

async function runSteps(
  context: S3ProbeContext,
  [created, raced, missing]: readonly [string, string, string],
  nonce: string,
): Promise<void> {
  const put = (key: string, text: string, condition: PutCondition) =>
    tryPut(context, key, `${nonce} ${text}`, condition);

  const first = await put(created, "first", { absent: true });
  if (first instanceof S3Failure) {
    throw refuse(context, "a conditional create of a new object", first, "success");
  }
  const again = await put(created, "again", { absent: true });
  requireRefusal(context, "a conditional create over an object", again, [412]);
  const stale = await put(created, "stale", { tag: STALE_TAG });
  requireRefusal(context, "a conditional replace with a stale tag", stale, [412]);
  const absent = await put(missing, "absent", { tag: first.tag });
  requireRefusal(context, "a conditional replace of a missing object", absent, [404, 412]);
  const second = await put(created, "second", { tag: first.tag });
  if (second instanceof S3Failure) {
    throw refuse(context, "a conditional replace with the right tag", second, "success");
  }
  const outdated = await put(created, "outdated", { tag: first.tag });
  requireRefusal(context, "a conditional replace with the tag before", outdated, [412]);

  const race = await Promise.all(
    ["left", "right"].map((text) => put(raced, text, { absent: true }).catch(keepRace)),
  );
  const winners = race.filter((result) => !(result instanceof S3Failure));
  if (winners.length !== 1) {
    throw wrongAnswer(context, `two racing creates had ${winners.length} winners, expected 1`);
  }
}

/** In a race of two, a 409 is as good a refusal as a 412. */
function keepRace(error: unknown): S3Failure {
  const failure = requireFailure(error);
  if (failure.status === 409) return failure;
  throw failure;
}

/** Failures that say nothing about conditions end the probe: they are thrown. */
async function tryPut(
  context: S3ProbeContext,
  key: string,
  text: string,
  condition: PutCondition,
): Promise<{ readonly tag: string } | S3Failure> {
  try {
    return await context.client.put(key, Buffer.from(text), undefined, condition, undefined);
  } catch (error) {
    const failure = requireFailure(error);
    const isSilent = failure.kind === "later" || failure.kind === "ambiguous";
    const isDenied = failure.status === 401 || failure.status === 403 || failure.status === 0;
    if (isSilent || isDenied || failure.code === "NoSuchBucket") throw failure;
    return failure;
  }
}

function requireRefusal(
  context: S3ProbeContext,
  what: string,
  result: { readonly tag: string } | S3Failure,
  expected: readonly number[],
): void {
  if (!(result instanceof S3Failure)) {
    throw wrongAnswer(context, `${what} succeeded, expected ${expected.join(" or ")}`);
  }
  if (!expected.includes(result.status)) throw refuse(context, what, result, expected.join(" or "));
}

function refuse(
  context: S3ProbeContext,
  what: string,
  failure: S3Failure,
  expected: string,
): HudiError {
  return wrongAnswer(
    context,
    `${what} was answered ${failure.status} ${failure.code}, expected ${expected}`,
  );
}

function wrongAnswer(context: S3ProbeContext, fact: string): HudiError {
  const message = `cannot trust several writers to ${context.location}: ${fact}; use a store with working conditional writes, or a newer release of this one`;
  return new HudiError("UNSUPPORTED", message);
}
