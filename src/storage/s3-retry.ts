// How often a request to S3 is made again, and how long it waits before that.
import { createFraction } from "../runtime/random.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { S3Failure } from "./s3-failure.ts";

/** How retries are spaced. */
export interface RetryPolicy {
  readonly runtime: Runtime;
  /** Requests in all, the first included. */
  readonly maxAttempts: number;
}

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Waits before attempt `attempt + 1`: a random part of a time that doubles (full jitter). */
export async function pauseBeforeRetry(
  policy: RetryPolicy,
  attempt: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const longest = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempt - 1));
  const { clock, random } = policy.runtime;
  await clock.sleep(longest * (0.5 + createFraction(random) / 2), signal);
}

export function requireFailure(error: unknown): S3Failure {
  if (error instanceof S3Failure) return error;
  throw error;
}

/**
 * Makes a request until it succeeds, is refused, or was made `maxAttempts` times. For requests that
 * may be repeated without harm: reads, deletes, parts of an upload. Throws the last `S3Failure`;
 * its kind is `ambiguous` if any attempt's was and the last was not answered.
 */
export async function sendRepeatedly<T>(
  policy: RetryPolicy,
  signal: AbortSignal | undefined,
  send: () => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await send();
    } catch (error) {
      const failure = requireFailure(error);
      const isPassing = failure.kind === "later" || failure.kind === "ambiguous";
      if (!isPassing || attempt >= policy.maxAttempts) throw failure;
    }
    await pauseBeforeRetry(policy, attempt, signal);
  }
}
