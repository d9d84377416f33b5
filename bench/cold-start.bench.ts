// Cold start: a new process imports the library, opens a small local table and reads its first row.
// Times are those since the process began, Node's own start included.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { BenchContext, Workload } from "./support/bench-context.ts";
import { Dataset } from "./support/dataset.ts";
import { LakeEngine } from "./support/lake-engine.ts";
import { SOURCE_ENTRY } from "./support/library.ts";

const ROWS = 1_000;
const ROUNDS = 15;
const PROGRAM = `
const started = performance.now();
const { HudiTable } = await import(process.argv[1]);
const imported = performance.now();
const table = await HudiTable.open(process.argv[2]);
const opened = performance.now();
let found;
for await (const row of table.read()) { found = row; break; }
const read = performance.now();
console.log(JSON.stringify({ found: found !== undefined, node: started, import: imported, open: opened, "first row": read }));
`;

const execute = promisify(execFile);

async function measureOnce(library: string, tablePath: string): Promise<Map<string, number>> {
  const args = ["--no-warnings", "--input-type=module", "--eval", PROGRAM, library, tablePath];
  const { stdout } = await execute(process.execPath, args);
  const { found, ...times } = JSON.parse(stdout) as Record<string, number> & { found: boolean };
  if (!found) throw new Error("the table gave no row");
  return new Map(Object.entries(times).map(([name, value]) => [name, Number(value)]));
}

async function run(context: BenchContext): Promise<void> {
  const tablePath = join(context.folder, "cold-start");
  const [data] = await new Dataset(context.options.folder, ROWS).base(ROWS);
  const lake = LakeEngine.start(context.engineSettings(), "rows", "helper");
  try {
    await lake.load(data ? [data] : []);
    await lake.write({ kind: "bulk-insert", tablePath, baseFiles: [] });
  } finally {
    await lake.stop();
  }
  const libraries = new Map([
    ["built package", context.library],
    ["source", SOURCE_ENTRY],
  ]);
  for (let round = -1; round < ROUNDS; round += 1) {
    for (const [variant, library] of libraries) {
      for (const [name, value] of await measureOnce(library, tablePath)) {
        if (round < 0) continue;
        const place = { case: `table of ${ROWS} rows`, engine: "ours", variant, round };
        context.record({ kind: "value", ...place, name, unit: "ms", value });
      }
    }
  }
  context.progress(`${ROUNDS} rounds of ${[...libraries.keys()].join(" and ")}`);
}

/** Cold start. */
export const workload: Workload = {
  name: "cold-start",
  title: "import, open and first row in a new process",
  run,
};
