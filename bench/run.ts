// The benchmark: `npm run bench`. Runs the workloads one after the other, appends the raw results to
// results.jsonl, and writes RESULTS.md from all of them.
import { rm, writeFile } from "node:fs/promises";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { workload as bulkInsert } from "./bulk-insert.bench.ts";
import { workload as coldStart } from "./cold-start.bench.ts";
import { workload as deltaCommit } from "./delta-commit.bench.ts";
import { workload as encoder } from "./encoder.bench.ts";
import { workload as eventLoop } from "./event-loop.bench.ts";
import { workload as incremental } from "./incremental.bench.ts";
import { workload as memory } from "./memory.bench.ts";
import { workload as read } from "./read.bench.ts";
import { workload as s3Requests } from "./s3-requests.bench.ts";
import { BenchContext, type Workload } from "./support/bench-context.ts";
import { buildLibrary, describeSource, SOURCE_ENTRY } from "./support/library.ts";
import { type BenchOptions, helpText, parseBenchOptions } from "./support/options.ts";
import { formatReport } from "./support/report.ts";
import { ResultLog } from "./support/results.ts";
import { workload as upsert } from "./upsert.bench.ts";
import { workload as wide } from "./wide.bench.ts";
import { workload as workers } from "./workers.bench.ts";

const WORKLOADS: readonly Workload[] = [
  encoder,
  bulkInsert,
  upsert,
  deltaCommit,
  workers,
  read,
  incremental,
  s3Requests,
  coldStart,
  eventLoop,
  memory,
  wide,
];

async function runWorkloads(options: BenchOptions, log: ResultLog): Promise<number> {
  const library = options.source ? SOURCE_ENTRY : await buildLibrary();
  const run = new Date().toISOString();
  const [cpu] = cpus();
  log.append({
    kind: "run",
    run,
    quick: options.quick,
    engines: options.engines,
    source: await describeSource(),
    measures: options.source ? "source" : "package",
    node: process.version,
    cpus: cpus().length,
    cpuModel: cpu?.model ?? "unknown",
    memoryGib: Math.round(totalmem() / 2 ** 30),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    workers: options.workers,
  });
  let failures = 0;
  for (const workload of WORKLOADS) {
    if (options.only && !options.only.includes(workload.name)) continue;
    const context = new BenchContext({ options, library, log, run, workload: workload.name });
    try {
      await workload.run(context);
    } catch (error) {
      failures += 1;
      context.note("all", `it ended early: ${(error as Error).message.split("\n")[0]}`);
      process.stderr.write(`${(error as Error).stack}\n`);
    } finally {
      await rm(context.folder, { recursive: true, force: true });
    }
  }
  return failures;
}

async function main(args: readonly string[]): Promise<number> {
  const names = WORKLOADS.map(({ name }) => name);
  const options = parseBenchOptions(args, names);
  if (options.help) {
    process.stdout.write(helpText(WORKLOADS));
    return 0;
  }
  const log = new ResultLog(join(import.meta.dirname, "results.jsonl"));
  const failures = options.reportOnly ? 0 : await runWorkloads(options, log);
  await writeFile(join(import.meta.dirname, "RESULTS.md"), formatReport(log.load(), WORKLOADS));
  return failures === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 2;
}
