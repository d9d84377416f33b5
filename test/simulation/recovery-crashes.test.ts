// Crashes of recoveries, and of the creation of a table.
import { describe, expect, it } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { createFraction, seededRandom } from "../../src/runtime/random.ts";
import type { StorageCall } from "../../src/storage/memory-faults.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { processOptions, START_MS } from "../support/memory-table.ts";
import { faultsOf, type PlannedFault } from "./crash-points.ts";
import { DEFINITION, type LeaseKind, row, upsertAfterDeath } from "./crash-scenarios.ts";
import { runPoints } from "./describe-crash-points.ts";

const SEED = Number(process.env.HUDI_LAKE_SEED ?? 1);
const SOAK = Number(process.env.HUDI_LAKE_SOAK ?? 1);

describe.each<LeaseKind>(["conditional", "numbered"])("with a %s lease", (leaseKind) => {
  it("a writer that dies anywhere and a recovery that fails anywhere leave the old state or the new (RB-1)", {
    timeout: 600_000,
  }, async () => {
    const seed = SEED + (leaseKind === "numbered" ? 1000 : 0);
    const random = seededRandom(seed);
    const share = Math.min(1, 0.04 * SOAK);
    const broken: string[] = [];
    let pairs = 0;
    for (let atCall = 3; atCall < 34; atCall += 1) {
      const scenario = await upsertAfterDeath(leaseKind, atCall);
      const run = await runPoints(scenario, leaseKind, () => createFraction(random) < share);
      pairs += run.points;
      broken.push(...run.broken.map((text) => `dead at call ${atCall}, then ${text}`));
    }
    console.log(`double faults, ${leaseKind} lease: ${pairs} pairs, seed ${seed}`);
    expect(broken, `seed ${seed}`).toEqual([]);
    expect(pairs).toBeGreaterThan(100);
  });
});

const TABLE = { name: "simulated", type: "copy-on-write", ...DEFINITION } as const;

/** Creates a table with one fault, then finds none or a whole one. */
async function checkCreation(
  nth: number,
  planned: PlannedFault | undefined,
): Promise<StorageCall[]> {
  const clock = new SimulatedClock(START_MS);
  const store = new MemoryStore(clock);
  const callLog: StorageCall[] = [];
  const chooseFault = ({ index }: StorageCall) => (index === nth ? planned?.fault : undefined);
  const isCreated = await HudiTable.create(
    "memory:",
    TABLE,
    processOptions(store, { clock, callLog, chooseFault }),
  ).then(
    () => true,
    () => false,
  );
  store.applyLateChanges();
  const open = () => HudiTable.open("memory:", processOptions(store, { clock, seed: 2 }));
  const found = await open().catch((error: unknown) => error);
  if (isCreated || found instanceof HudiTable) expect(found).toBeInstanceOf(HudiTable);
  else expect(isHudiError(found, "NOT_FOUND")).toBe(true);
  const again = await HudiTable.create(
    "memory:",
    TABLE,
    processOptions(store, { clock, seed: 3 }),
  ).catch((error: unknown) => error);
  if (found instanceof HudiTable) expect(isHudiError(again, "ALREADY_EXISTS")).toBe(true);
  else expect(again).toBeInstanceOf(HudiTable);
  const table = await open();
  await table.upsert([row("a", "eu", 1)]);
  expect(await table.read().toArray()).toHaveLength(1);
  return callLog;
}

it("a fault at any storage call of the creation of a table leaves none or a whole one (TBL-1)", async () => {
  const calls = await checkCreation(-1, undefined);
  let points = 0;
  for (const [nth, call] of calls.entries()) {
    for (const planned of faultsOf(call)) {
      await checkCreation(nth, planned);
      points += 1;
    }
  }
  console.log(`creation of a table: ${calls.length} calls, ${points} points`);
  expect(points).toBeGreaterThan(5);
});
