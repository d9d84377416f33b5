// Snapshot reads to Arrow: all columns and three of them, of a table that this library wrote and of
// those that hudi-rs and Spark wrote, whose pages are encoded differently.
import { join } from "node:path";
import { type BenchContext, formatRows, type Workload } from "./support/bench-context.ts";
import { COLUMNS, type DataFile, expectedRowsSql } from "./support/dataset.ts";
import { digestQuery } from "./support/digest.ts";
import type { Engine } from "./support/engines.ts";
import type { LakeEngine } from "./support/lake-engine.ts";
import { runReadCase } from "./support/rounds.ts";

const SOME_COLUMNS: readonly string[] = ["id", "city", "price"];

async function runTable(
  context: BenchContext,
  engines: readonly Engine[],
  lake: LakeEngine,
  table: { readonly path: string; readonly writer: string; readonly data: readonly DataFile[] },
): Promise<void> {
  const { small } = context.sizes;
  const { files: baseFiles } = await lake.describe(table.path);
  for (const columns of [COLUMNS, SOME_COLUMNS]) {
    const job = { tablePath: table.path, columns, baseFiles };
    const expected = await digestQuery(expectedRowsSql(table.data), columns);
    const what = columns === COLUMNS ? `all ${COLUMNS.length}` : String(columns.length);
    const name = `${what} columns of ${formatRows(small)} rows, written by ${table.writer}`;
    await runReadCase(context, engines, { name, job, expected, tableRows: small });
  }
}

async function run(context: BenchContext): Promise<void> {
  const data = await context.dataset.base(context.sizes.small);
  await context.withEngines("reads", "snappy", async (engines, lake) => {
    const ownPath = join(context.folder, "read-ours");
    await lake.build(ownPath, data);
    await runTable(context, engines, lake, { path: ownPath, writer: "hudi-lake", data });
    const hudiRs = engines.find((engine) => engine.buildOwn);
    if (hudiRs) {
      const path = join(context.folder, "read-hudi-rs");
      await hudiRs.buildOwn?.(path, data);
      await runTable(context, engines, lake, { path, writer: "hudi-rs", data });
    }
    const spark = engines.find((engine) => engine.name === "spark");
    if (!spark) return;
    const sparkPath = join(context.folder, "read-spark");
    await spark.load(data);
    await spark.write({ kind: "bulk-insert", tablePath: sparkPath, baseFiles: [] });
    await runTable(context, engines, lake, { path: sparkPath, writer: "Spark", data });
  });
}

/** Snapshot reads. */
export const workload: Workload = {
  name: "read",
  title: "snapshot read of all and of 3 columns to Arrow",
  run,
};
