// Writers, readers and undoers on one table, switched at each storage call in an order that a seed
// decides. HUDI_LAKE_SOAK runs so many times more seeds, HUDI_LAKE_SEED begins elsewhere.
import { describe, expect, it } from "vitest";
import { type HudiError, isHudiError } from "../../src/errors.ts";
import { PROPERTIES_PATH } from "../../src/layout/table-paths.ts";
import { loadTableConfig } from "../../src/timeline/table-properties.ts";
import { acquireLease, DEFAULT_LEASE } from "../../src/write/write-lock.ts";
import type { LeaseKind } from "./crash-scenarios.ts";
import { Simulation } from "./simulated-processes.ts";
import { WriteHistory } from "./write-history.ts";
import { createTable, type Profile, runProfile } from "./write-simulation.ts";

const FIRST_SEED = Number(process.env.HUDI_LAKE_SEED ?? 1);
const SOAK = Number(process.env.HUDI_LAKE_SOAK ?? 1);

const UPSERTS = ["upsert"] as const;
const ADDING = ["upsert", "upsert", "insert", "bulkInsert"] as const;
const EVERYTHING = ["upsert", "upsert", "delete", "apply", "insert"] as const;
const REPLACING = [
  ...(["upsert", "upsert", "insert", "delete", "apply"] as const),
  ...(["insertOverwrite", "insertOverwrite", "insertOverwriteTable", "deletePartitions"] as const),
];

/** What is simulated, and with how many seeds. */
const PROFILES: readonly (readonly [string, number, Profile])[] = [
  [
    "writers that overlap in few file groups lose no update",
    50,
    { writers: 3, callsPerWriter: 2, keys: 6, partitions: 2, kinds: EVERYTHING },
  ],
  [
    "writers that insert the same new keys at once write each key once",
    50,
    { writers: 4, callsPerWriter: 1, keys: 3, partitions: 1, kinds: UPSERTS },
  ],
  [
    "writers that move keys of a global index leave each in one partition",
    60,
    {
      writers: 3,
      callsPerWriter: 2,
      keys: 4,
      partitions: 3,
      kinds: ["upsert", "upsert", "apply", "delete"],
      index: { kind: "global-bloom" },
    },
  ],
  [
    "writers that move keys and die, or whose requests get lost, move them whole",
    40,
    {
      writers: 3,
      callsPerWriter: 2,
      keys: 4,
      partitions: 3,
      kinds: ["upsert", "upsert", "apply", "delete"],
      index: { kind: "global-simple" },
      deaths: true,
      losses: true,
    },
  ],
  [
    "writers that fill the same buckets give each bucket one file group",
    60,
    {
      writers: 3,
      callsPerWriter: 2,
      keys: 12,
      partitions: 2,
      kinds: ["upsert", "upsert", "upsert", "apply", "delete", "insertOverwrite"],
      index: { kind: "bucket", buckets: 2 },
    },
  ],
  [
    "writers that replace partitions see every row of those that came before",
    60,
    { writers: 3, callsPerWriter: 2, keys: 5, partitions: 2, kinds: REPLACING },
  ],
  [
    "writers that replace partitions and die, or whose requests get lost, replace all or nothing",
    60,
    {
      writers: 3,
      callsPerWriter: 2,
      keys: 5,
      partitions: 2,
      kinds: REPLACING,
      deaths: true,
      losses: true,
    },
  ],
  [
    "rollbacks of replace commits bring back what was replaced",
    60,
    { writers: 2, callsPerWriter: 3, keys: 5, partitions: 2, kinds: REPLACING, undoer: true },
  ],
  [
    "writers in partitions of their own do not disturb each other",
    30,
    { writers: 3, callsPerWriter: 2, keys: 4, partitions: 3, keepsApart: true, kinds: EVERYTHING },
  ],
  [
    "readers see whole commits only, and pulls skip none",
    40,
    { writers: 3, callsPerWriter: 2, keys: 8, partitions: 2, kinds: ADDING, reader: true },
  ],
  [
    "a writer that was suspended past heartbeat and lease does no harm when it wakes",
    60,
    {
      writers: 3,
      callsPerWriter: 2,
      keys: 6,
      partitions: 2,
      kinds: ADDING,
      stalls: true,
      reader: true,
    },
  ],
  [
    "writers that die anywhere leave nothing that lasts",
    50,
    { writers: 3, callsPerWriter: 3, keys: 6, partitions: 2, kinds: EVERYTHING, deaths: true },
  ],
  [
    "clocks that differ by ten minutes each way break nothing",
    60,
    {
      writers: 3,
      callsPerWriter: 2,
      keys: 4,
      partitions: 2,
      kinds: ADDING,
      skewMs: 600_000,
      reader: true,
    },
  ],
  [
    "rollbacks of the newest commit take nothing from under another writer",
    60,
    { writers: 2, callsPerWriter: 3, keys: 6, partitions: 2, kinds: EVERYTHING, undoer: true },
  ],
  [
    "rollbacks by suspended processes take nothing from under another writer",
    40,
    {
      writers: 2,
      callsPerWriter: 2,
      keys: 6,
      partitions: 2,
      kinds: EVERYTHING,
      undoer: true,
      stalls: true,
    },
  ],
  [
    "requests that are lost or arrive late leave no doubt about what was acknowledged",
    60,
    { writers: 3, callsPerWriter: 3, keys: 3, partitions: 1, kinds: EVERYTHING, losses: true },
  ],
  [
    "rollbacks that are lost or arrive late undo nothing that was acknowledged",
    40,
    {
      writers: 2,
      callsPerWriter: 3,
      keys: 4,
      partitions: 1,
      kinds: EVERYTHING,
      losses: true,
      undoer: true,
    },
  ],
  [
    "losses, deaths and wrong clocks together keep what was acknowledged",
    40,
    {
      writers: 3,
      callsPerWriter: 3,
      keys: 3,
      partitions: 1,
      kinds: EVERYTHING,
      losses: true,
      deaths: true,
      skewMs: 600_000,
    },
  ],
  [
    "suspensions, deaths and wrong clocks together keep what was acknowledged",
    60,
    {
      writers: 4,
      callsPerWriter: 2,
      keys: 3,
      partitions: 1,
      kinds: EVERYTHING,
      stalls: true,
      deaths: true,
      skewMs: 600_000,
    },
  ],
];

describe("in every simulated order", () => {
  it.each(PROFILES)(
    "%s (TX-2, TX-10, TX-14, CF-1, CF-2, CF-3, CF-4, CF-8, CF-9, IX-6, IX-9, IN-3)",
    { timeout: 60_000 * SOAK },
    async (_, seeds, profile) => {
      let calls = 0;
      let succeeded = 0;
      let others = 0;
      const count = Math.ceil(seeds * SOAK);
      for (let seed = FIRST_SEED; seed < FIRST_SEED + count; seed += 1) {
        const leaseKind: LeaseKind = seed % 2 === 0 ? "numbered" : "conditional";
        const { simulation, history } = await runProfile(profile, seed, leaseKind);
        calls += simulation.trace.length;
        const isAcknowledged = history.calls.filter((call) => call.told === "success").length;
        succeeded += isAcknowledged;
        others += history.calls.length - isAcknowledged;
        if (profile.keepsApart) expect(history.calls.length).toBe(isAcknowledged);
      }
      console.log(
        `${count} seeds from ${FIRST_SEED}: ${calls} storage calls, ${succeeded} writes acknowledged, ${others} not`,
      );
      expect(succeeded).toBeGreaterThan(count);
    },
  );

  it("a version that changes under running writers stops them with UNSUPPORTED (TX-9)", async () => {
    const seeds = Math.ceil(30 * SOAK);
    let refused = 0;
    for (let seed = FIRST_SEED; seed < FIRST_SEED + seeds; seed += 1) {
      refused += await runUpgrade(seed, seed % 2 === 0 ? "numbered" : "conditional");
    }
    console.log(`${seeds} upgrades from seed ${FIRST_SEED}, ${refused} writes refused`);
    expect(refused).toBeGreaterThan(seeds);
  });
});

/** Writers that go on while another engine takes the table to version 8; returns how many it stops. */
async function runUpgrade(seed: number, leaseKind: LeaseKind): Promise<number> {
  const simulation = new Simulation(seed, leaseKind);
  const history = new WriteHistory(simulation, { recordKey: "id", partitionBy: "part" });
  await createTable(simulation, leaseKind);
  let upgradedAt = Number.POSITIVE_INFINITY;
  for (const name of ["one", "two"]) {
    simulation.add(name, {}, async (process) => {
      const table = await process.open();
      for (let call = 0; call < 4; call += 1) {
        const rows = [{ id: `${name}${call}`, part: "p", value: 1n }];
        await history.write(name, table, { kind: "upsert", rows });
        await process.pause(30);
      }
    });
  }
  simulation.add("upgrader", {}, async (process) => {
    const { storage } = process.options;
    const runtime = { clock: process, random: { bytes: (n: number) => new Uint8Array(n).fill(7) } };
    const config = await loadTableConfig(storage);
    await process.pause(200);
    const lease = await acquireLease({ storage, config, runtime }, DEFAULT_LEASE);
    const { bytes } = await storage.read(PROPERTIES_PATH);
    const text = Buffer.from(bytes).toString("latin1");
    const newer = text
      .replace(/table\.version=6/, "table.version=8")
      .replace(/layout\.version=1/, "layout.version=2");
    upgradedAt = simulation.events.length;
    await storage.put(PROPERTIES_PATH, Buffer.from(newer, "latin1"));
    await lease.release();
  });
  await simulation.run();
  const where = `seed ${seed}, ${leaseKind} lease`;
  expect(simulation.events.length, where).toBe(upgradedAt);
  expect(history.findLies(), where).toEqual([]);
  const refused = history.calls.filter((call) => call.told !== "success");
  for (const { error } of refused) {
    expect(isHudiError(error, "UNSUPPORTED"), `${where}: ${(error as HudiError).message}`).toBe(
      true,
    );
  }
  return refused.length;
}
