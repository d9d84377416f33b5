// Engines that cannot be had on a machine: there the tests that need them are reported as not run.
// With CI=true nothing may be missing.

import { reportProgress } from "./engine-cache.ts";

/** Whether an engine that does not run is a failure. */
export const REQUIRES_ENGINES: boolean = process.env.CI === "true";

/** Starts an engine; undefined where it cannot be had and need not be. */
export async function startIfAvailable<T>(
  name: string,
  start: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await start();
  } catch (error) {
    if (REQUIRES_ENGINES) throw error;
    reportProgress(`${name}: not run: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}
