// Every storage call of every operation fails in every way, once: readers see the old state or the
// new one, and the next writer goes on.
import { describe, expect, it } from "vitest";
import { callsOf, checkCrashPoint, faultsOf } from "./crash-points.ts";
import { type LeaseKind, recoveryScenarios, type Scenario, writeScenarios } from "./crash-scenarios.ts";

/** Runs every point of a scenario and reports the broken ones together. */
async function runPoints(scenario: Scenario, leaseKind: LeaseKind): Promise<number> {
  const broken: string[] = [];
  let count = 0;
  const calls = await callsOf(scenario, leaseKind);
  for (const [nth, call] of calls.entries()) {
    for (const planned of faultsOf(call)) {
      count += 1;
      try {
        await checkCrashPoint(scenario, leaseKind, nth, planned);
      } catch (error) {
        const late = planned.lateBy === undefined ? "" : ` (${planned.lateBy} calls late)`;
        broken.push(`call ${nth} ${call.method} ${call.path}, ${planned.fault}${late}: ${(error as Error).message}`);
      }
    }
  }
  console.log(`${scenario.name}, ${leaseKind} lease: ${calls.length} calls, ${count} points`);
  expect(broken).toEqual([]);
  return count;
}

describe.each<LeaseKind>(["conditional", "numbered"])("with a %s lease", (leaseKind) => {
  const names = [
    "an insert that fills a small file",
    "a bulk insert",
    "an upsert over existing file groups",
    "a delete",
    "apply",
  ];
  it.each(names.entries().toArray())("a fault at any call of scenario %i, %s, leaves the old state or the new (TX-11 to TX-13)", { timeout: 120_000 }, async (index) => {
    expect(await runPoints(await writeScenarios(leaseKind)[index]!, leaseKind)).toBeGreaterThan(100);
  });

  const undoing = [
    "the rollback of a killed writer",
    "the rollback of a pending write",
    "the rollback of a commit",
    "the end of a killed rollback",
    "the drop of a metadata table",
  ];
  it.each(undoing.entries().toArray())("a fault at any call of scenario %i, %s, leaves the old state or the new (RB-1, RB-7)", { timeout: 120_000 }, async (index) => {
    expect(await runPoints(await recoveryScenarios(leaseKind)[index]!, leaseKind)).toBeGreaterThan(20);
  });
});
