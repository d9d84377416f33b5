// Upsert of 100 k rows, uniform over the table or recent, into copy-on-write tables of 1 M and 10 M
// rows that this library wrote. Every engine starts from a copy of the same files, but hudi-rs from the
// same rows in a table of its own, and goes on from what it wrote: the same changes once more leave the
// same rows, so that each round does equal work.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type BenchContext, formatRows, type Workload } from "./support/bench-context.ts";
import { expectedRowsSql, type Spread } from "./support/dataset.ts";
import { digestBaseFiles, digestQuery, requireSameDigest } from "./support/digest.ts";
import type { Engine } from "./support/engines.ts";
import type { LakeEngine } from "./support/lake-engine.ts";
import { runCase } from "./support/rounds.ts";
import { copyTable, removeOldVersions } from "./support/table-copy.ts";

const SPREADS: readonly Spread[] = ["uniform", "recent"];

interface Place {
  readonly baseRows: number;
  readonly basePath: string;
  readonly codec: "snappy" | "zstd";
}

async function runSpread(
  context: BenchContext,
  engines: readonly Engine[],
  lake: LakeEngine,
  place: Place,
  spread: Spread,
): Promise<void> {
  const { baseRows, basePath, codec } = place;
  const { small, changes, rounds, largeRounds } = context.sizes;
  const base = await context.dataset.base(baseRows);
  const change = await context.dataset.changes(baseRows, changes, spread);
  const expected = await digestQuery(expectedRowsSql(base, change));
  const { files: baseFiles } = await lake.describe(basePath);
  const tablePaths = new Map<Engine, string>();
  for (const [index, engine] of engines.entries()) {
    await engine.load([change]);
    const tablePath = join(context.folder, `upsert-${index}`);
    if (engine.buildOwn) await engine.buildOwn(tablePath, base);
    else await copyTable(basePath, tablePath);
    tablePaths.set(engine, tablePath);
  }
  const isSmall = baseRows <= small;
  await runCase(context, engines, {
    name: `${formatRows(changes)} ${spread} rows into ${formatRows(baseRows)}, ${codec}`,
    rows: baseRows,
    rounds: isSmall ? rounds : largeRounds,
    warmups: isSmall && spread === "uniform" ? 2 : 1,
    checksOnce: !isSmall,
    act: async (engine) => {
      const tablePath = tablePaths.get(engine) as string;
      const job = { kind: "upsert", tablePath, baseFiles, isRepeated: true } as const;
      const outcome = await engine.write(job);
      if (engine.name !== "duckdb") await removeOldVersions(tablePath, outcome.files);
      return outcome;
    },
    check: async (engine, outcome) =>
      requireSameDigest(engine.variant, await digestBaseFiles(outcome.files), expected),
  });
  for (const [engine, tablePath] of tablePaths) {
    await engine.closeTables();
    await rm(tablePath, { recursive: true, force: true });
  }
}

async function run(context: BenchContext): Promise<void> {
  const { small, large } = context.sizes;
  const { options } = context;
  await context.withEngines("writes", "snappy", async (engines, lake) => {
    for (const baseRows of options.small ? [small] : [small, large]) {
      const basePath = join(context.folder, `base-${baseRows}`);
      context.progress(`building the table of ${formatRows(baseRows)} rows`);
      await lake.build(basePath, await context.dataset.base(baseRows));
      for (const spread of SPREADS) {
        const place = { baseRows, basePath, codec: "snappy" } as const;
        await runSpread(context, engines, lake, place, spread);
      }
    }
  });
  await context.withEngines("writes", "zstd", async (engines, lake) => {
    const basePath = join(context.folder, "base-zstd");
    await lake.build(basePath, await context.dataset.base(small));
    const place = { baseRows: small, basePath, codec: "zstd" } as const;
    await runSpread(context, engines, lake, place, "uniform");
  });
}

/** Upserts. */
export const workload: Workload = {
  name: "upsert",
  title: "upsert of 100 k uniform and recent rows into 1 M and 10 M",
  run,
};
