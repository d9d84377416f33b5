// Bulk insert of one million rows into a new table, from record batches and from row objects.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type BenchContext, formatRows, type Workload } from "./support/bench-context.ts";
import { expectedRowsSql } from "./support/dataset.ts";
import { digestBaseFiles, digestQuery, requireSameDigest } from "./support/digest.ts";
import { runCase } from "./support/rounds.ts";

async function run(context: BenchContext): Promise<void> {
  const { small, rounds } = context.sizes;
  const files = await context.dataset.base(small);
  const expected = await digestQuery(expectedRowsSql(files));
  await context.withEngines("writes", "snappy", async (engines) => {
    for (const engine of engines) await engine.load(files);
    const tablePath = join(context.folder, "bulk-insert");
    await runCase(context, engines, {
      name: `${formatRows(small)} rows, snappy`,
      rows: small,
      rounds,
      warmups: 2,
      act: async (engine) => {
        await rm(tablePath, { recursive: true, force: true });
        return engine.write({ kind: "bulk-insert", tablePath, baseFiles: [] });
      },
      check: async (engine, { files: written }) =>
        requireSameDigest(engine.variant, await digestBaseFiles(written), expected),
    });
  });
}

/** Bulk insert. */
export const workload: Workload = {
  name: "bulk-insert",
  title: "bulk insert of 1 M rows into a new table",
  run,
};
