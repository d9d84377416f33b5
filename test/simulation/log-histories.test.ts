// Random histories of merge-on-read tables with two processes, a crash and services, against the model.
// HUDI_LAKE_SEED begins at another seed, HUDI_LAKE_SOAK runs so many times more.
import { expect, test } from "vitest";
import { LogHistory, type LogService } from "./log-histories.ts";

const SOAK = Number(process.env.HUDI_LAKE_SOAK ?? 1);
const FIRST = Number(process.env.HUDI_LAKE_SEED ?? 1);
const HISTORIES = 500 * SOAK;
const STEPS = 20;

/** Services that change no row; a bucket is never clustered. */
const SERVICES: readonly (readonly [string, LogService])[] = [
  ["clean", (table) => table.clean({ keepCommits: 3 })],
  ["archive", (table) => table.archive({ minCommits: 2, maxCommits: 3 })],
  [
    "cluster",
    async (table) => {
      if (table.config.index.kind !== "bucket") await table.cluster({ sortBy: ["id"] });
    },
  ],
];

test("the table equals the model after every step of a random history (DC-1, DC-2, DC-3, DC-4, DC-6)", {
  timeout: 120_000 * SOAK,
}, async () => {
  let commits = 0;
  for (let seed = FIRST; seed < FIRST + HISTORIES; seed += 1) {
    const history = new LogHistory(seed);
    try {
      await history.run(STEPS, SERVICES);
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error });
    }
    commits += history.versions.length;
  }
  console.log(`${HISTORIES} histories from seed ${FIRST}, ${commits} commits`);
  expect(commits).toBeGreaterThan(HISTORIES * 9);
});
