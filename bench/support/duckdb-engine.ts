// DuckDB as an engine of the benchmark: the native floor, with no table format above it.
import { join } from "node:path";
import { ChildProgram } from "./child-program.ts";
import type { DataFile } from "./dataset.ts";
import { digestQuery } from "./digest.ts";
import { quoteSql, readParquetSql } from "./duckdb.ts";
import type { DuckdbAnswer } from "./duckdb-program.ts";
import type { Engine, EngineSettings, Outcome, ReadJob, WriteJob } from "./engines.ts";

/** A process with DuckDB. */
export class DuckdbEngine implements Engine {
  readonly name = "duckdb";
  readonly variant: string;
  readonly #program: ChildProgram;
  readonly #settings: EngineSettings;

  private constructor(program: ChildProgram, variant: string, settings: EngineSettings) {
    this.#program = program;
    this.variant = variant;
    this.#settings = settings;
  }

  static start(settings: EngineSettings, threads: number): DuckdbEngine {
    const variant = threads === 1 ? "1 thread" : `${threads} threads`;
    const program = ChildProgram.start(
      `DuckDB (${variant})`,
      new URL("./duckdb-program.ts", import.meta.url),
      [String(threads)],
    );
    return new DuckdbEngine(program, variant, settings);
  }

  async load(files: readonly DataFile[]): Promise<void> {
    await this.#program.call("load", { paths: files.map((file) => file.parquetPath) });
  }

  async write(job: WriteJob): Promise<Outcome> {
    const { codec } = this.#settings;
    const into = join(job.tablePath, "duckdb");
    const baseFiles = job.kind === "upsert" ? job.baseFiles : undefined;
    return this.#program.call<DuckdbAnswer>("write", { into, codec, baseFiles });
  }

  async read(job: ReadJob): Promise<Outcome> {
    const { baseFiles, columns, after } = job;
    return this.#program.call<DuckdbAnswer>("read", { baseFiles, columns, after });
  }

  async digestRead({ baseFiles, columns, after }: ReadJob): Promise<string> {
    const filter = after === undefined ? "" : ` WHERE _hoodie_commit_time > ${quoteSql(after)}`;
    return digestQuery(`SELECT * FROM ${readParquetSql(baseFiles)}${filter}`, columns);
  }

  async closeTables(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#program.stop();
  }
}
