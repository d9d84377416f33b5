// Peak memory of an upsert of 100 k rows while the table grows from 1 M to 10 M rows, each in a fresh
// process, so that a peak is its own.
import { join } from "node:path";
import { type BenchContext, formatRows, type Workload } from "./support/bench-context.ts";
import { expectedRowsSql } from "./support/dataset.ts";
import { digestBaseFiles, digestQuery, requireSameDigest } from "./support/digest.ts";
import { LakeEngine } from "./support/lake-engine.ts";
import { copyTable } from "./support/table-copy.ts";

const ROUNDS = 2;

async function measureSize(
  context: BenchContext,
  lake: LakeEngine,
  baseRows: number,
): Promise<void> {
  const base = await context.dataset.base(baseRows);
  const change = await context.dataset.changes(baseRows, context.sizes.changes, "uniform");
  const expected = await digestQuery(expectedRowsSql(base, change));
  const basePath = join(context.folder, `memory-${baseRows}`);
  const tablePath = join(context.folder, "memory");
  await lake.build(basePath, base);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const workers of new Set([0, 1, context.options.workers])) {
      const settings = { ...context.engineSettings(), workers };
      const engine = LakeEngine.start(settings, "rows", `rows, ${workers} workers`);
      try {
        await engine.load([change]);
        await copyTable(basePath, tablePath);
        const outcome = await engine.write({ kind: "upsert", tablePath, baseFiles: [] });
        if (round === 0) {
          requireSameDigest(engine.variant, await digestBaseFiles(outcome.files), expected);
        }
        context.record({
          kind: "sample",
          case: `${formatRows(change.rowCount)} rows into ${formatRows(baseRows)}`,
          engine: "ours",
          variant: engine.variant,
          round,
          rows: baseRows,
          ...outcome.sample,
        });
        const { peakBytes } = outcome.sample;
        context.progress(
          `${formatRows(baseRows)}, ${engine.variant}: ${Math.round(peakBytes / 2 ** 20)} MiB`,
        );
      } finally {
        await engine.stop();
      }
    }
  }
}

async function run(context: BenchContext): Promise<void> {
  const { small, middle, large } = context.sizes;
  const lake = LakeEngine.start(context.engineSettings(), "arrow", "helper");
  try {
    for (const rows of context.options.small ? [small] : [small, middle, large]) {
      await measureSize(context, lake, rows);
    }
  } finally {
    await lake.stop();
  }
}

/** Peak memory. */
export const workload: Workload = {
  name: "memory",
  title: "peak memory of an upsert as the table grows",
  run,
};
