// What the command line of the benchmark says.
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { ENGINE_NAMES, type EngineName } from "./engines.ts";

/** One run of the benchmark. */
export interface BenchOptions {
  /** Small sizes, to see that everything works; their ratios say little. */
  readonly quick: boolean;
  readonly only: readonly string[] | undefined;
  readonly engines: readonly EngineName[];
  readonly rounds: number | undefined;
  readonly workers: number;
  /** Where inputs are kept and tables are written; it needs about 20 GB for the full sizes. */
  readonly folder: string;
  /** Measures the source as it stands instead of the built package. */
  readonly source: boolean;
  /** Leaves the sizes of ten million rows out. */
  readonly small: boolean;
  /** Writes RESULTS.md anew from the recorded results and measures nothing. */
  readonly reportOnly: boolean;
  readonly help: boolean;
}

/** The text of `--help`. */
export function helpText(workloads: readonly { name: string; title: string }[]): string {
  const names = workloads.map(({ name, title }) => `  ${name.padEnd(16)} ${title}`).join("\n");
  return `npm run bench -- [options]

  --quick             small sizes
  --small             full sizes, but no table of 10 M rows
  --only <workloads>  names with commas between them
  --engines <names>   of ${ENGINE_NAMES.join(", ")}; default all
  --rounds <n>        timed rounds of each case
  --workers <n>       worker threads of this library, default 2
  --source            measure src/ instead of the built package
  --folder <path>     for inputs and tables; default HUDI_LAKE_BENCH_DIR, else a temporary folder
  --report            write RESULTS.md anew and measure nothing

workloads:
${names}
`;
}

/** Parses the arguments. Throws an error that names what is wrong. */
export function parseBenchOptions(args: readonly string[], known: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      small: { type: "boolean", default: false },
      source: { type: "boolean", default: false },
      report: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
      only: { type: "string" },
      engines: { type: "string", default: ENGINE_NAMES.join(",") },
      rounds: { type: "string" },
      workers: { type: "string", default: "2" },
      folder: { type: "string" },
    },
  });
  return {
    quick: values.quick,
    small: values.small,
    source: values.source,
    reportOnly: values.report,
    help: values.help,
    only: values.only === undefined ? undefined : parseNames(values.only, known),
    engines: parseNames(values.engines, ENGINE_NAMES) as EngineName[],
    rounds: values.rounds === undefined ? undefined : parseCount(values.rounds, 1),
    workers: parseCount(values.workers, 0),
    folder: resolve(
      values.folder ?? process.env.HUDI_LAKE_BENCH_DIR ?? join(tmpdir(), "hudi-lake-bench"),
    ),
  };
}

function parseNames(text: string, known: readonly string[]): string[] {
  const names = text.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return names;
  throw new Error(`unknown name ${unknown.join(", ")}: expected ${known.join(", ")}`);
}

function parseCount(text: string, least: number): number {
  const count = Number(text);
  if (Number.isSafeInteger(count) && count >= least) return count;
  throw new Error(`cannot use ${JSON.stringify(text)}: expected a whole number from ${least}`);
}
