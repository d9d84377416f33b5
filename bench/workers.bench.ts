// Upsert into four file groups of equal size with one worker thread and with two: how much of the
// work the second one takes off.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type BenchContext, formatRows, type Workload } from "./support/bench-context.ts";
import { expectedRowsSql } from "./support/dataset.ts";
import { digestBaseFiles, digestQuery, requireSameDigest } from "./support/digest.ts";
import { LakeEngine } from "./support/lake-engine.ts";
import { runCase } from "./support/rounds.ts";
import { copyTable, removeOldVersions } from "./support/table-copy.ts";

/** Keys are spread over so many buckets, each of which is one file group. */
const GROUPS = 4;

async function measureSize(context: BenchContext, baseRows: number): Promise<void> {
  const { changes, rounds } = context.sizes;
  const settings = context.engineSettings();
  const base = await context.dataset.base(baseRows);
  const change = await context.dataset.changes(baseRows, changes, "uniform");
  const expected = await digestQuery(expectedRowsSql(base, change));
  const basePath = join(context.folder, `groups-${baseRows}`);
  const helper = LakeEngine.start(settings, "arrow", "helper");
  await helper.build(basePath, base, { type: "copy-on-write", buckets: GROUPS });
  await helper.stop();
  const engines = [1, 2].map((workers) => {
    const variant = workers === 1 ? "1 worker" : `${workers} workers`;
    return LakeEngine.start({ ...settings, workers }, "arrow", variant);
  });
  const pathOf = (engine: LakeEngine): string =>
    join(context.folder, `workers-${engines.indexOf(engine)}`);
  try {
    for (const engine of engines) {
      await engine.load([change]);
      await copyTable(basePath, pathOf(engine));
    }
    await runCase(context, engines, {
      name: `${formatRows(changes)} uniform rows into ${formatRows(baseRows)} in ${GROUPS} file groups`,
      rows: baseRows,
      rounds,
      warmups: 2,
      act: async (engine) => {
        const tablePath = pathOf(engine);
        const job = { kind: "upsert", tablePath, baseFiles: [], isRepeated: true } as const;
        const outcome = await engine.write(job);
        await removeOldVersions(tablePath, outcome.files);
        return outcome;
      },
      check: async (engine, { files }) => {
        if (files.length !== GROUPS) throw new Error(`found ${files.length} files, not ${GROUPS}`);
        requireSameDigest(engine.variant, await digestBaseFiles(files), expected);
      },
    });
    for (const engine of engines) await engine.closeTables();
  } finally {
    for (const engine of engines) await engine.stop();
  }
  await rm(basePath, { recursive: true, force: true });
}

async function run(context: BenchContext): Promise<void> {
  const { small, middle } = context.sizes;
  for (const rows of context.options.small ? [small] : [small, middle]) {
    await measureSize(context, rows);
  }
}

/** Worker threads. */
export const workload: Workload = {
  name: "workers",
  title: "upsert into four equal file groups with one and two worker threads",
  run,
};
