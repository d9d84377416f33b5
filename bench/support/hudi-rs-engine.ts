// hudi-rs, through its Python package, as an engine of the benchmark. It reads; the newest release
// of the package does not write.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { provisionPython } from "../../test/engines/support/engine-cache.ts";
import { EngineProcess } from "../../test/engines/support/engine-process.ts";
import { digestQuery } from "./digest.ts";
import { readParquetSql } from "./duckdb.ts";
import type { Engine, EngineSettings, Outcome, ReadJob } from "./engines.ts";

/** Where the drivers of the engines are, whose parts ours are made of. */
export const ENGINE_SUPPORT: string = join(import.meta.dirname, "../../test/engines/support");

/** A process with hudi-rs. */
export class HudiRsEngine implements Engine {
  readonly name = "hudi-rs";
  readonly variant: string;
  readonly #process: EngineProcess;
  readonly #folder: string;
  readonly #streams: boolean;

  private constructor(
    engineProcess: EngineProcess,
    parts: { variant: string; folder: string; streams: boolean },
  ) {
    this.#process = engineProcess;
    this.variant = parts.variant;
    this.#folder = parts.folder;
    this.#streams = parts.streams;
  }

  /** Starts hudi-rs, which hands over all batches at once, or one after the other. */
  static async start(settings: EngineSettings, streams: boolean): Promise<HudiRsEngine> {
    const python = await provisionPython();
    const engineProcess = new EngineProcess({
      command: python.pythonPath,
      args: [join(import.meta.dirname, "hudi_rs_bench.py")],
      env: {
        ...process.env,
        HUDI_LAKE_ENGINE_SUPPORT: ENGINE_SUPPORT,
        PYTHONDONTWRITEBYTECODE: "1",
      },
    });
    const variant = `${python.hudiRsVersion} ${streams ? "stream" : "read"}`;
    return new HudiRsEngine(engineProcess, { variant, folder: settings.folder, streams });
  }

  load(): Promise<void> {
    throw new Error("this release of hudi-rs does not write");
  }

  write(): Promise<Outcome> {
    throw new Error("this release of hudi-rs does not write");
  }

  async read({ tablePath, columns, after }: ReadJob): Promise<Outcome> {
    const answer = await this.#process.request("read", {
      path: tablePath,
      columns,
      after: after ?? null,
      streams: this.#streams,
    });
    return { ...(answer as Omit<Outcome, "files">), files: [] };
  }

  async digestRead({ tablePath, columns, after }: ReadJob): Promise<string> {
    const into = join(this.#folder, "hudi-rs-read.parquet");
    await this.#process.request("dump", {
      path: tablePath,
      columns,
      after: after ?? null,
      into,
      streams: this.#streams,
    });
    const digest = await digestQuery(`SELECT * FROM ${readParquetSql([into])}`, columns);
    await rm(into);
    return digest;
  }

  async closeTables(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#process.stop();
  }
}
