// Bounded parallel work, and giving the event loop back to the host.
import { setImmediate as nextTurn } from "node:timers/promises";
import pLimit from "p-limit";
import { HudiError } from "../errors.ts";

/**
 * Runs `work` over `items`, at most `limit` at a time, and returns the results in order. The first
 * failure stops items that have not begun; after the running ones have ended one failure is thrown,
 * preferably one whose outcome is open.
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
  const failures = results
    .filter((result) => result.status === "rejected")
    .map((result) => result.reason as unknown)
    .filter((reason) => !(reason instanceof Skipped));
  // A failure that leaves open what happened must not hide behind one that is certain, because the
  // caller cleans up after the certain ones.
  if (failures.length > 0) throw failures.find(isOpen) ?? failures[0];
  return results.map((result) => (result as PromiseFulfilledResult<R>).value);
}

function isOpen(reason: unknown): boolean {
  if (!(reason instanceof HudiError)) return true;
  return (reason as { storageOutcome?: unknown }).storageOutcome === "unknown";
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
