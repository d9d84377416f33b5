// Bounded parallel work, and giving the event loop back to the host.
import { setImmediate as nextTurn } from "node:timers/promises";
import pLimit from "p-limit";

/**
 * Runs `work` over `items`, at most `limit` at a time, and returns the results in order. The first
 * failure stops items that have not begun; it is thrown after the running ones have ended.
 */
export async function mapConcurrently<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T, index: number) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const slots = pLimit(Math.max(1, limit));
  let failed = false;
  const results = await Promise.allSettled(
    Array.from(items, (item, index) =>
      slots(async () => {
        signal?.throwIfAborted();
        if (failed) throw new Skipped();
        try {
          return await work(item, index);
        } catch (error) {
          failed = true;
          throw error;
        }
      }),
    ),
  );
  const failure = results.find((r) => r.status === "rejected" && !(r.reason instanceof Skipped));
  if (failure?.status === "rejected") throw failure.reason;
  return results.map((result) => (result as PromiseFulfilledResult<R>).value);
}

class Skipped extends Error {}

/** Lets timers and I/O of the host run before the caller goes on. */
export async function yieldToHost(signal?: AbortSignal): Promise<void> {
  await nextTurn();
  signal?.throwIfAborted();
}

/** Runs a step whose failure changes nothing; the failure is handed to `report` and dropped. */
export async function bestEffort(
  step: () => Promise<unknown>,
  report?: (error: unknown) => void,
): Promise<void> {
  try {
    await step();
  } catch (error) {
    report?.(error);
  }
}
