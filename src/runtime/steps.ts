// Work in steps: long computations yield where the host may get a turn, and the caller decides.
import { yieldToHost } from "./concurrency.ts";

/** A computation that yields now and then and returns its result. */
export type Steps<T> = Generator<void, T>;

/** The result, without a break. */
export function runAtOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The result; timers and I/O of the host run between the steps. Throws when `signal` is aborted. */
export async function runInTurns<T>(steps: Steps<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await yieldToHost(signal);
  }
}
