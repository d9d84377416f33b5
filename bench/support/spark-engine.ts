// Spark with the Hudi bundle as an engine of the benchmark. The JVM is started before anything is
// timed; CPU time and memory are those of the JVM and of the Python driver above it.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { provisionHudiBundle, provisionPython } from "../../test/engines/support/engine-cache.ts";
import { EngineProcess } from "../../test/engines/support/engine-process.ts";
import type { DataFile } from "./dataset.ts";
import { DEFINITION } from "./dataset.ts";
import { digestQuery } from "./digest.ts";
import { quoteSql } from "./duckdb.ts";
import type { Engine, EngineSettings, Outcome, ReadJob, TableKind, WriteJob } from "./engines.ts";
import { ENGINE_SUPPORT } from "./hudi-rs-engine.ts";
import type { TableState } from "./lake-engine.ts";
import type { Sample } from "./measure.ts";
import { readTreeCpuMs, readTreePeakBytes, resetTreePeak } from "./process-usage.ts";

const BUNDLE = "0.15.0";
const CORES = 2;
/** The largest heap of the JVM. */
const HEAP = "4g";

/** A process with Spark. */
export class SparkEngine implements Engine {
  readonly name = "spark";
  readonly variant: string = `Hudi ${BUNDLE}, local[${CORES}]`;
  readonly #process: EngineProcess;
  readonly #directory: string;
  readonly #settings: EngineSettings;
  readonly #describe: (tablePath: string) => Promise<TableState>;
  readonly #kind: TableKind | undefined;
  #rowCount = 0;

  private constructor(
    engineProcess: EngineProcess,
    directory: string,
    settings: EngineSettings,
    describe: (tablePath: string) => Promise<TableState>,
    kind: TableKind | undefined,
  ) {
    this.#kind = kind;
    this.#process = engineProcess;
    this.#directory = directory;
    this.#settings = settings;
    this.#describe = describe;
  }

  /** Starts Spark. `describe` tells which files a table consists of after a write. */
  static async start(
    settings: EngineSettings,
    describe: (tablePath: string) => Promise<TableState>,
    kind?: TableKind,
  ): Promise<SparkEngine> {
    const python = await provisionPython();
    const bundle = await provisionHudiBundle(BUNDLE);
    const directory = await mkdtemp(join(tmpdir(), "hudi-lake-bench-spark-"));
    const engineProcess = new EngineProcess({
      command: python.pythonPath,
      args: [join(import.meta.dirname, "spark_bench.py")],
      cwd: directory,
      env: sparkEnvironment(python.directory, python.pythonPath),
    });
    const engine = new SparkEngine(engineProcess, directory, settings, describe, kind);
    try {
      await engineProcess.request("start", {
        jar: bundle.jarPath,
        master: `local[${CORES}]`,
        time_zone: "UTC",
        heap: HEAP,
        conf: {},
      });
      return engine;
    } catch (error) {
      await engine.stop();
      throw error;
    }
  }

  async load(files: readonly DataFile[]): Promise<void> {
    const paths = files.map((file) => file.parquetPath);
    const answer = await this.#process.request("load", { paths, partitions: CORES });
    this.#rowCount = (answer as { rowCount: number }).rowCount;
  }

  async write(job: WriteJob): Promise<Outcome> {
    const { tablePath, kind } = job;
    const isNew = kind === "bulk-insert";
    if (isNew) await mkdir(tablePath, { recursive: true });
    const sample = await this.#measure("write", {
      path: tablePath,
      options: { ...hudiOptions(kind, this.#settings.codec), ...kindOptions(this.#kind) },
      mode: isNew ? "overwrite" : "append",
    });
    const { files } = await this.#describe(tablePath);
    return { sample, rowCount: this.#rowCount, files };
  }

  async read({ tablePath, columns, after }: ReadJob): Promise<Outcome> {
    const sample = await this.#measure("read", { path: tablePath, columns, after: after ?? null });
    return { sample, rowCount: 0, files: [] };
  }

  async digestRead({ tablePath, columns, after }: ReadJob): Promise<string> {
    const into = join(this.#directory, "dump");
    await this.#process.request("dump", { path: tablePath, columns, after: after ?? null, into });
    const files = quoteSql(join(into, "*.parquet"));
    return digestQuery(`SELECT * FROM read_parquet(${files})`, columns);
  }

  async closeTables(): Promise<void> {}

  async stop(): Promise<void> {
    await this.#process.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #measure(method: string, params: object): Promise<Sample> {
    const pid = this.#process.pid as number;
    await this.#process.request("collectGarbage");
    const baselineBytes = resetTreePeak(pid);
    const before = readTreeCpuMs(pid);
    const answer = await this.#process.request(method, params);
    const cpuMs = readTreeCpuMs(pid) - before;
    const wallMs = (answer as { seconds: number }).seconds * 1000;
    return { wallMs, cpuMs, peakBytes: readTreePeakBytes(pid), baselineBytes };
  }
}

/** The same key, ordering rule, index and codec as ours; services that we have not are off. */
function hudiOptions(kind: WriteJob["kind"], codec: string): Record<string, string> {
  return {
    "hoodie.table.name": DEFINITION.name,
    "hoodie.datasource.write.operation": kind === "upsert" ? "upsert" : "bulk_insert",
    "hoodie.datasource.write.recordkey.field": String(DEFINITION.recordKey),
    "hoodie.datasource.write.partitionpath.field": "",
    "hoodie.datasource.write.keygenerator.class":
      "org.apache.hudi.keygen.NonpartitionedKeyGenerator",
    "hoodie.datasource.write.precombine.field": DEFINITION.orderingField ?? "",
    "hoodie.datasource.write.payload.class":
      "org.apache.hudi.common.model.DefaultHoodieRecordPayload",
    "hoodie.parquet.compression.codec": codec,
    "hoodie.index.type": "BLOOM",
    "hoodie.metadata.enable": "false",
    "hoodie.embed.timeline.server": "false",
    "hoodie.clean.automatic": "false",
    "hoodie.archive.automatic": "false",
    "hoodie.insert.shuffle.parallelism": String(CORES),
    "hoodie.upsert.shuffle.parallelism": String(CORES),
    "hoodie.bulkinsert.shuffle.parallelism": String(CORES),
    "hoodie.bloom.index.parallelism": String(CORES),
  };
}

/** Options of another kind of table than a copy-on-write one with a bloom index. */
function kindOptions(kind: TableKind | undefined): Record<string, string> {
  if (!kind) return {};
  return {
    "hoodie.datasource.write.table.type": kind.type.replaceAll("-", "_").toUpperCase(),
    "hoodie.index.type": "BUCKET",
    "hoodie.index.bucket.engine": "SIMPLE",
    "hoodie.bucket.index.num.buckets": String(kind.buckets),
    "hoodie.bucket.index.hash.field": String(DEFINITION.recordKey),
    "hoodie.compact.inline": "false",
    "hoodie.compact.schedule.inline": "false",
  };
}

function sparkEnvironment(pythonDirectory: string, pythonPath: string): NodeJS.ProcessEnv {
  const { SPARK_HOME: _home, PYSPARK_SUBMIT_ARGS: _args, PYTHONPATH: _path, ...rest } = process.env;
  return {
    ...rest,
    HUDI_LAKE_ENGINE_SUPPORT: ENGINE_SUPPORT,
    HUDI_LAKE_SPARK_LOG_LEVEL: "ERROR",
    PATH: `${join(pythonDirectory, "bin")}${delimiter}${process.env.PATH ?? ""}`,
    PYSPARK_PYTHON: pythonPath,
    PYTHONDONTWRITEBYTECODE: "1",
    SPARK_LOCAL_IP: "127.0.0.1",
    SPARK_LOCAL_HOSTNAME: "localhost",
  };
}
