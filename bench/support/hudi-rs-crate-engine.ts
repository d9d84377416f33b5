// hudi-rs, through its crates, as an engine of the benchmark. It writes no version 6, so its upserts go
// into tables that it made itself; it reads tables of any version.
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { tableFromIPC } from "apache-arrow";
import { EngineProcess } from "../../test/engines/support/engine-process.ts";
import { type DataFile, DEFINITION } from "./dataset.ts";
import { digestArrowTable } from "./digest-arrow.ts";
import type { Engine, EngineSettings, Outcome, ReadJob, WriteJob } from "./engines.ts";
import { HUDI_RS_CRATE_VERSION, provisionHudiRsProgram } from "./hudi-rs-program.ts";
import type { TableState } from "./lake-engine.ts";
import type { Sample } from "./measure.ts";

/** What distinguishes the configurations of hudi-rs, each with the words that name it. */
const CONFIGURATIONS = {
  "simple index": { hasMetadataTable: false, streams: false },
  "record index": { hasMetadataTable: true, streams: false },
  read: { hasMetadataTable: false, streams: false },
  stream: { hasMetadataTable: false, streams: true },
} as const;

/**
 * Writes with or without a metadata table, where the record index is; reads of all batches at once or
 * of one after the other.
 */
export type HudiRsConfiguration = keyof typeof CONFIGURATIONS;

/** A process with hudi-rs. */
export class HudiRsCrateEngine implements Engine {
  readonly name = "hudi-rs";
  readonly variant: string;
  readonly #process: EngineProcess;
  readonly #settings: EngineSettings;
  readonly #configuration: HudiRsConfiguration;
  readonly #describe: (tablePath: string) => Promise<TableState>;

  private constructor(
    engineProcess: EngineProcess,
    settings: EngineSettings,
    configuration: HudiRsConfiguration,
    describe: (tablePath: string) => Promise<TableState>,
  ) {
    this.#process = engineProcess;
    this.#settings = settings;
    this.#configuration = configuration;
    this.#describe = describe;
    this.variant = `${HUDI_RS_CRATE_VERSION} ${configuration}`;
  }

  /** Starts hudi-rs. `describe` tells which files a table consists of after a write. */
  static async start(
    settings: EngineSettings,
    configuration: HudiRsConfiguration,
    describe: (tablePath: string) => Promise<TableState>,
  ): Promise<HudiRsCrateEngine> {
    const command = await provisionHudiRsProgram();
    const engineProcess = new EngineProcess({ command, args: [] });
    return new HudiRsCrateEngine(engineProcess, settings, configuration, describe);
  }

  async load(files: readonly DataFile[]): Promise<void> {
    await this.#process.request("load", { paths: files.map((file) => file.arrowPath) });
  }

  async buildOwn(tablePath: string, files: readonly DataFile[]): Promise<void> {
    await rm(tablePath, { recursive: true, force: true });
    await this.#process.request("build", {
      path: tablePath,
      definition: this.#definition(),
      paths: files.map((file) => file.arrowPath),
    });
  }

  async write(job: WriteJob): Promise<Outcome> {
    const answer = await this.#process.request("write", {
      path: job.tablePath,
      definition: this.#definition(),
      kind: job.kind,
      keepsOpen: job.isRepeated ?? false,
    });
    const { sample, rowCount } = answer as { sample: Sample; rowCount: number };
    return { sample, rowCount, files: (await this.#describe(job.tablePath)).files };
  }

  async read(job: ReadJob): Promise<Outcome> {
    const answer = await this.#process.request("read", this.#readParams(job));
    const { sample, rowCount } = answer as { sample: Sample; rowCount: number };
    return { sample, rowCount, files: [] };
  }

  async digestRead(job: ReadJob): Promise<string> {
    const into = join(this.#settings.folder, "hudi-rs-read.arrow");
    await this.#process.request("dump", { ...this.#readParams(job), into });
    const digest = await digestArrowTable(tableFromIPC(await readFile(into)), job.columns);
    await rm(into);
    return digest;
  }

  async closeTables(): Promise<void> {
    await this.#process.request("closeTables");
  }

  async stop(): Promise<void> {
    await this.#process.stop();
  }

  #readParams({ tablePath, columns, after }: ReadJob): object {
    const { streams } = CONFIGURATIONS[this.#configuration];
    return { path: tablePath, columns, after: after ?? null, streams };
  }

  /** The same key, ordering rule and codec as ours. */
  #definition(): object {
    return {
      name: DEFINITION.name,
      recordKey: DEFINITION.recordKey,
      orderingField: DEFINITION.orderingField,
      hasMetadataTable: CONFIGURATIONS[this.#configuration].hasMetadataTable,
      options: { "hoodie.parquet.compression.codec": this.#settings.codec },
    };
  }
}
