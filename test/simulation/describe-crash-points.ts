// The suite over all crash points with one kind of lease; a test file each, so that they run at once.
import { describe, expect, it } from "vitest";
import { LOCKS_FOLDER } from "../../src/layout/table-paths.ts";
import type { StorageCall } from "../../src/storage/memory-faults.ts";
import { callsOf, checkCrashPoint, faultsOf, type SeenStates } from "./crash-points.ts";
import {
  type LeaseKind,
  RECOVERY_SCENARIOS,
  type Scenario,
  WRITE_SCENARIOS,
} from "./crash-scenarios.ts";

/** One of each kind: a write, one that replaces, and the rollback of a dead one. */
const WHOLE_SCENARIOS: ReadonlySet<string> = new Set([
  "an upsert over existing file groups",
  "an insert overwrite of partitions",
  "the rollback of a killed writer",
]);

/** What was run of a scenario, and which points of it are broken. */
export interface PointsRun {
  readonly calls: number;
  readonly points: number;
  readonly states: number;
  readonly broken: readonly string[];
}

/** Runs every fault at every call that `isWanted` lets pass. */
export async function runPoints(
  scenario: Scenario,
  leaseKind: LeaseKind,
  isWanted: (call: StorageCall) => boolean = () => true,
): Promise<PointsRun> {
  const seen: SeenStates = new Set();
  const broken: string[] = [];
  const calls = await callsOf(scenario, leaseKind);
  let points = 0;
  for (const [nth, call] of calls.entries()) {
    for (const planned of faultsOf(call)) {
      if (!isWanted(call)) continue;
      points += 1;
      try {
        await checkCrashPoint(scenario, leaseKind, nth, planned, seen);
      } catch (error) {
        const late = planned.lateBy === undefined ? "" : ` (${planned.lateBy} calls late)`;
        const where = `call ${nth} ${call.method} ${call.path}, ${planned.fault}${late}`;
        broken.push(`${where}: ${(error as Error).message}`);
      }
    }
  }
  return { calls: calls.length, points, states: seen.size, broken };
}

/**
 * Every storage call of every operation fails in every way, once. Kinds of lease differ in the calls on
 * their own folder alone, so with numbered ones (not `isWhole`) only those fail, but for some scenarios.
 */
export function describeCrashPoints(leaseKind: LeaseKind, isWhole: boolean): void {
  describe(`with a ${leaseKind} lease, a fault at any storage call`, () => {
    it.each([...WRITE_SCENARIOS, ...RECOVERY_SCENARIOS])(
      "of %s leaves the old state or the new, and the next writer goes on (TX-11, TX-13, RB-7)",
      { timeout: 120_000 },
      async (name, createScenario) => {
        const isWanted = (call: StorageCall): boolean =>
          isWhole || WHOLE_SCENARIOS.has(name) || call.path.startsWith(LOCKS_FOLDER);
        const run = await runPoints(await createScenario(leaseKind), leaseKind, isWanted);
        const { calls, points, states, broken } = run;
        console.log(
          `${name}, ${leaseKind} lease: ${calls} calls, ${points} points, ${states} states`,
        );
        expect(broken).toEqual([]);
        expect(points).toBeGreaterThan(isWhole ? 2 * calls : 5);
      },
    );
  });
}
