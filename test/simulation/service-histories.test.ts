// Random histories of merge-on-read tables with cleaning and archival among the writes, one process of
// two dying in the middle. HUDI_LAKE_SEED begins at another seed, HUDI_LAKE_SOAK runs so many times more.
import { expect, test } from "vitest";
import { LogHistory, type LogService } from "./log-histories.ts";

const SOAK = Number(process.env.HUDI_LAKE_SOAK ?? 1);
const FIRST = Number(process.env.HUDI_LAKE_SEED ?? 1);
const HISTORIES = 16 * SOAK;
const STEPS = 20;

const SERVICES: readonly (readonly [string, LogService])[] = [
  ["clean by commits", (table, history) => table.clean({ keepCommits: 1 + history.below(4) })],
  ["clean by versions", (table, history) => table.clean({ keepVersions: 1 + history.below(3) })],
  ["clean by hours", (table) => table.clean({ keepHours: 1 })],
  ["archive", (table) => table.archive({ minCommits: 1, maxCommits: 1 })],
];

test("the table equals the model whatever is cleaned and archived, and the past is right or refused (CLN-3, CLN-4, ARC-5, ARC-8)", {
  timeout: 60_000 * SOAK,
}, async () => {
  const done = { cleans: 0, archives: 0 };
  for (let seed = FIRST; seed < FIRST + HISTORIES; seed += 1) {
    const history = new LogHistory(seed);
    try {
      await history.run(STEPS, SERVICES);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    for (const path of history.store.paths()) {
      if (path.endsWith(".clean")) done.cleans += 1;
      if (path.includes(".commits_.archive.")) done.archives += 1;
    }
  }
  expect(done.cleans).toBeGreaterThan(HISTORIES / 2);
  expect(done.archives).toBeGreaterThan(0);
});
