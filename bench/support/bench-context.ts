// What every workload of a run stands on: sizes, data, engines, and where results go.
import { join } from "node:path";
import { Dataset } from "./dataset.ts";
import { DuckdbEngine } from "./duckdb-engine.ts";
import type { Engine, EngineSettings } from "./engines.ts";
import { type HudiRsConfiguration, HudiRsCrateEngine } from "./hudi-rs-crate-engine.ts";
import { HudiRsEngine } from "./hudi-rs-engine.ts";
import { HUDI_RS_CRATE_VERSION, provisionHudiRsProgram } from "./hudi-rs-program.ts";
import { LakeEngine, type TableState } from "./lake-engine.ts";
import type { BenchOptions } from "./options.ts";
import type { RequestResult, Result, ResultLog, SampleResult, ValueResult } from "./results.ts";
import { SparkEngine } from "./spark-engine.ts";

/** One workload; its file is named after it. */
export interface Workload {
  readonly name: string;
  readonly title: string;
  run(context: BenchContext): Promise<void>;
}

/** Numbers of rows. */
export interface Sizes {
  readonly small: number;
  readonly middle: number;
  readonly large: number;
  readonly changes: number;
  /** Rounds of cases on the small table and on larger ones. */
  readonly rounds: number;
  readonly largeRounds: number;
}

const FULL: Sizes = {
  small: 1_000_000,
  middle: 5_000_000,
  large: 10_000_000,
  changes: 100_000,
  rounds: 5,
  largeRounds: 3,
};
const QUICK: Sizes = {
  small: 100_000,
  middle: 300_000,
  large: 500_000,
  changes: 10_000,
  rounds: 3,
  largeRounds: 2,
};

const HUDI_RS_CONFIGURATIONS: Readonly<Record<"writes" | "reads", readonly HudiRsConfiguration[]>> =
  { writes: ["simple index", "record index"], reads: ["read", "stream"] };

type Unplaced<T> = T extends unknown ? Omit<T, "run" | "workload"> : never;

/** One workload of one run. */
export class BenchContext {
  readonly options: BenchOptions;
  readonly sizes: Sizes;
  readonly dataset: Dataset;
  readonly library: string;
  readonly folder: string;
  readonly #log: ResultLog;
  readonly #run: string;
  readonly #workload: string;

  constructor(parts: {
    options: BenchOptions;
    library: string;
    log: ResultLog;
    run: string;
    workload: string;
  }) {
    const { options } = parts;
    const sizes = options.quick ? QUICK : FULL;
    this.options = options;
    this.sizes = options.rounds
      ? { ...sizes, rounds: options.rounds, largeRounds: options.rounds }
      : sizes;
    this.library = parts.library;
    this.folder = join(options.folder, `run-${process.pid}`);
    this.dataset = new Dataset(options.folder, this.sizes.small);
    this.#log = parts.log;
    this.#run = parts.run;
    this.#workload = parts.workload;
  }

  record(result: Unplaced<SampleResult> | Unplaced<ValueResult> | Unplaced<RequestResult>): void {
    this.#log.append({ run: this.#run, workload: this.#workload, ...result } as Result);
  }

  /** Records what a reader has to know, and says it. */
  note(caseName: string, text: string): void {
    this.progress(`${caseName}: ${text}`);
    const place = { run: this.#run, workload: this.#workload, case: caseName };
    this.#log.append({ kind: "note", ...place, text });
  }

  progress(line: string): void {
    process.stderr.write(`[bench] ${this.#workload}: ${line}\n`);
  }

  engineSettings(codec: EngineSettings["codec"] = "snappy"): EngineSettings {
    const { library, folder } = this;
    return { library, codec, workers: this.options.workers, folder };
  }

  /**
   * Starts the engines that were asked for, ours with row objects and with record batches, or for
   * reads in one configuration; stops them when the body is done.
   */
  async withEngines(
    purpose: "writes" | "reads",
    codec: EngineSettings["codec"],
    body: (engines: readonly Engine[], lake: LakeEngine) => Promise<void>,
  ): Promise<void> {
    const settings = this.engineSettings(codec);
    const wants = new Set(this.options.engines);
    // One more process of ours builds and describes tables; it is never measured.
    const lake = LakeEngine.start(settings, "arrow", "helper");
    const describe = (path: string): Promise<TableState> => lake.describe(path);
    const engines: Engine[] = [];
    try {
      if (wants.has("ours")) {
        engines.push(LakeEngine.start(settings, "arrow"));
        if (purpose === "writes") engines.push(LakeEngine.start(settings, "rows"));
      }
      if (wants.has("duckdb")) {
        engines.push(DuckdbEngine.start(settings, 1), DuckdbEngine.start(settings, 2));
      }
      if (wants.has("hudi-rs")) {
        if (purpose === "reads") {
          engines.push(await HudiRsEngine.start(settings, false));
          engines.push(await HudiRsEngine.start(settings, true));
        }
        engines.push(...(await this.#startHudiRsCrate(settings, purpose, describe)));
      }
      if (wants.has("spark")) {
        engines.push(await SparkEngine.start(settings, describe));
      }
      await body(engines, lake);
    } finally {
      for (const engine of [...engines, lake]) await engine.stop();
    }
  }

  /** The newest hudi-rs is built from its sources, which not every machine can do. */
  async #startHudiRsCrate(
    settings: EngineSettings,
    purpose: "writes" | "reads",
    describe: (path: string) => Promise<TableState>,
  ): Promise<Engine[]> {
    try {
      await provisionHudiRsProgram();
    } catch (error) {
      const [line] = (error as Error).message.split("\n");
      this.note("all", `hudi-rs ${HUDI_RS_CRATE_VERSION} did not run: ${line}`);
      return [];
    }
    return Promise.all(
      HUDI_RS_CONFIGURATIONS[purpose].map((configuration) =>
        HudiRsCrateEngine.start(settings, configuration, describe),
      ),
    );
  }
}

/** A number of rows as people say it: 1 M, 100 k. */
export function formatRows(count: number): string {
  if (count >= 1_000_000) return `${count / 1_000_000} M`;
  return count >= 1_000 ? `${count / 1_000} k` : String(count);
}
