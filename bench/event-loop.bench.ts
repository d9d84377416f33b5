// Delay of the host's event loop while an upsert runs in worker threads: one million incoming rows,
// and the usual hundred thousand, into a table of one million.
import { join } from "node:path";
import { type BenchContext, formatRows, type Workload } from "./support/bench-context.ts";
import { expectedRowsSql } from "./support/dataset.ts";
import { digestBaseFiles, digestQuery, requireSameDigest } from "./support/digest.ts";
import { LakeEngine } from "./support/lake-engine.ts";
import type { InputForm } from "./support/lake-program.ts";
import { LoopWatch } from "./support/loop-watch.ts";
import { copyTable } from "./support/table-copy.ts";

const FORMS: readonly InputForm[] = ["arrow", "rows"];
const ROUNDS = 3;

async function measureForm(
  context: BenchContext,
  basePath: string,
  changeCount: number,
  form: InputForm,
): Promise<void> {
  const { small } = context.sizes;
  const change = await context.dataset.changes(small, changeCount, "uniform");
  const expected = await digestQuery(expectedRowsSql(await context.dataset.base(small), change));
  const tablePath = join(context.folder, "event-loop");
  const engine = LakeEngine.start(context.engineSettings(), form);
  try {
    await engine.load([change]);
    for (let round = 0; round < ROUNDS; round += 1) {
      await copyTable(basePath, tablePath);
      // This process does nothing meanwhile: its delay is what the machine alone causes.
      const watch = new LoopWatch();
      const outcome = await engine.writeWatched({ kind: "upsert", tablePath, baseFiles: [] });
      const idle = watch.stop();
      requireSameDigest(engine.variant, await digestBaseFiles(outcome.files), expected);
      const name = `${formatRows(changeCount)} rows into ${formatRows(small)}`;
      const { p50 = 0, p99 = 0, max = 0, waitP99 = 0 } = outcome.loopDelay ?? {};
      const delays = {
        p50,
        p99,
        max,
        "p99 of the wait of a request": waitP99,
        "p99 of an idle process": idle.p99,
        wall: outcome.sample.wallMs,
      };
      for (const [percentile, value] of Object.entries(delays)) {
        context.record({
          kind: "value",
          case: name,
          engine: "ours",
          variant: form,
          round,
          name: percentile,
          unit: "ms",
          value,
        });
      }
      const shown = Object.entries(delays).map(([what, ms]) => `${what} ${ms.toFixed(0)} ms`);
      context.progress(`${name}, ${form}: ${shown.join(", ")}`);
    }
  } finally {
    await engine.stop();
  }
}

async function run(context: BenchContext): Promise<void> {
  const { small, changes } = context.sizes;
  const basePath = join(context.folder, "event-loop-base");
  const lake = LakeEngine.start(context.engineSettings(), "arrow", "helper");
  try {
    await lake.build(basePath, await context.dataset.base(small));
  } finally {
    await lake.stop();
  }
  for (const changeCount of [changes, small]) {
    for (const form of FORMS) await measureForm(context, basePath, changeCount, form);
  }
}

/** Event-loop delay. */
export const workload: Workload = {
  name: "event-loop",
  title: "event-loop delay of the host while an upsert runs",
  run,
};
