// Incremental pull of a commit that changed one per cent of a table of 1 M rows, spread uniformly.
import { join } from "node:path";
import { type BenchContext, formatRows, type Workload } from "./support/bench-context.ts";
import { COLUMNS } from "./support/dataset.ts";
import { digestQuery } from "./support/digest.ts";
import { readParquetSql } from "./support/duckdb.ts";
import { runReadCase } from "./support/rounds.ts";

async function run(context: BenchContext): Promise<void> {
  const { small } = context.sizes;
  const base = await context.dataset.base(small);
  const change = await context.dataset.changes(small, Math.floor(small / 100), "uniform");
  const stored = readParquetSql(base.map((file) => file.parquetPath));
  // Rows that lost against a newer version were not written.
  const expected = await digestQuery(`SELECT c.* FROM ${readParquetSql([change.parquetPath])} c
    LEFT JOIN ${stored} b ON b.id = c.id WHERE b.id IS NULL OR c.updated_at >= b.updated_at`);
  await context.withEngines("reads", "snappy", async (engines, lake) => {
    const tablePath = join(context.folder, "incremental");
    await lake.build(tablePath, base);
    await lake.load([change]);
    await lake.write({ kind: "upsert", tablePath, baseFiles: [] });
    const { files: baseFiles, instants } = await lake.describe(tablePath);
    const job = { tablePath, columns: COLUMNS, after: instants[0], baseFiles };
    const name = `${formatRows(change.rowCount)} changes in ${formatRows(small)} rows`;
    await runReadCase(context, engines, { name, job, expected, tableRows: small });
  });
}

/** Incremental reads. */
export const workload: Workload = {
  name: "incremental",
  title: "incremental pull of a 1 % commit of a table of 1 M rows",
  run,
};
