// Peak memory of an upsert into a table of a thousand columns, many of them five levels deep, in a
// fresh process for each worker count.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type BenchContext, formatRows, type Workload } from "./support/bench-context.ts";
import { ChildProgram } from "./support/child-program.ts";
import { copyTable } from "./support/table-copy.ts";
import type { WideAnswer, WideCall } from "./support/wide-program.ts";

const COLUMNS = 1000;

/** One write in a process of its own. */
async function writeOnce(context: BenchContext, call: WideCall): Promise<WideAnswer> {
  const url = new URL("./support/wide-program.ts", import.meta.url);
  const program = ChildProgram.start("wide", url, [context.library]);
  try {
    return await program.call<WideAnswer>("write", call);
  } finally {
    await program.stop();
  }
}

async function run(context: BenchContext): Promise<void> {
  const { quick, workers } = context.options;
  const baseRows = quick ? 10_000 : 100_000;
  const rowCount = baseRows / 100;
  const basePath = join(context.folder, "wide-base");
  const tablePath = join(context.folder, "wide");
  const base = { columns: COLUMNS, at: 1, step: 1, workers: 0 };
  await writeOnce(context, { ...base, kind: "create", tablePath: basePath, rowCount: baseRows });
  for (const count of new Set([0, 1, workers])) {
    await copyTable(basePath, tablePath);
    const change = { ...base, at: 2, step: 100, workers: count, rowCount };
    const answer = await writeOnce(context, { ...change, kind: "upsert", tablePath });
    if (answer.updated !== rowCount || answer.inserted !== 0) {
      throw new Error(`the upsert changed ${answer.updated} rows, not ${rowCount}`);
    }
    context.record({
      kind: "sample",
      case: `${formatRows(rowCount)} rows into ${formatRows(baseRows)} of ${COLUMNS} columns`,
      engine: "ours",
      variant: `rows, ${count} workers`,
      round: 0,
      rows: baseRows,
      ...answer.sample,
    });
    const mebibytes = Math.round(answer.sample.peakBytes / 2 ** 20);
    context.progress(`${formatRows(baseRows)}, ${count} workers: ${mebibytes} MiB`);
    await rm(tablePath, { recursive: true, force: true });
  }
}

/** Peak memory with many columns. */
export const workload: Workload = {
  name: "wide",
  title: "peak memory of an upsert into a thousand columns, five levels deep",
  run,
};
