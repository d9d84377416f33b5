// Runs Apache Spark with a Hudi bundle in a long-lived child process: SQL, reads and writes of
// Hudi tables, and a write that dies half-way.

import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join, relative } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { type HudiBundleVersion, provisionHudiBundle, provisionPython } from "./engine-cache.ts";
import { EngineProcess } from "./engine-process.ts";
import { decodeEngineRows, type EngineRow, type EngineTableJson } from "./engine-rows.ts";

/** How a session is started. */
export interface SparkSessionOptions {
  readonly bundle: HudiBundleVersion;
  /** The zone of the JVM, of the session and of the process, for example `America/Los_Angeles`. */
  readonly timeZone?: string;
  /** Spark's master; `local[2]` by default. */
  readonly master?: string;
  /** The JVM's largest heap in Java's notation; `2g` by default. */
  readonly heap?: string;
  /** More Spark settings. */
  readonly conf?: Readonly<Record<string, string>>;
}

/** How a table is read. */
export interface SparkReadOptions {
  /** Options of the Hudi data source. */
  readonly options?: Readonly<Record<string, string>>;
  /** Reads the table as it was at this instant. */
  readonly asOf?: string;
  readonly columns?: readonly string[];
  /** Reads what was written in the range, by the rules of this bundle's incremental query. */
  readonly incremental?: { readonly begin: string; readonly end?: string };
  /** Gives the five `_hoodie_` columns as well; they are left out otherwise. */
  readonly metaColumns?: boolean;
}

/** Spark's save modes. */
export type SparkSaveMode = "append" | "overwrite" | "errorifexists" | "ignore";

/** One write through the Hudi data source. */
export interface SparkWrite {
  /** The table's folder. */
  readonly path: string;
  /** The rows, or the path of a Parquet file that holds them. */
  readonly rows: readonly EngineRow[] | string;
  /** The columns of `rows` in Spark's notation: `id STRING NOT NULL, n BIGINT`; "" with a path. */
  readonly schema: string;
  /** Options of the Hudi data source, the table's name included. */
  readonly options: Readonly<Record<string, string>>;
  readonly mode: SparkSaveMode;
  /** Partitions of the input frame, 1 by default. */
  readonly inputPartitions?: number;
}

/** Where a write is killed: as soon as one data file appears, or after all of them are written. */
export type SparkKillPoint = "first-data-file" | "before-completion";

/** What a killed write left behind. */
export interface KilledWrite {
  /** The instant whose requested and inflight files stand without a completed one. */
  readonly instant: string;
  /** Data files of the instant, as paths below the table; the last may be torn. */
  readonly dataFiles: readonly string[];
}

/** A running Spark. Errors of the engine arrive as `EngineError` with Java's classes and messages. */
export class SparkSession {
  readonly #process: EngineProcess;
  readonly #directory: string;
  #jvmPid = 0;
  #files = 0;

  constructor(engineProcess: EngineProcess, directory: string) {
    this.#process = engineProcess;
    this.#directory = directory;
  }

  /** Starts Spark; Spark and the bundle are provisioned at first use. */
  static async start(options: SparkSessionOptions): Promise<SparkSession> {
    const python = await provisionPython();
    const bundle = await provisionHudiBundle(options.bundle);
    const directory = await mkdtemp(join(tmpdir(), "hudi-lake-spark-"));
    const engineProcess = new EngineProcess({
      command: python.pythonPath,
      args: [join(import.meta.dirname, "spark_server.py")],
      cwd: directory,
      env: sparkEnvironment(python.directory, python.pythonPath, options.timeZone),
    });
    const session = new SparkSession(engineProcess, directory);
    try {
      const started = await engineProcess.request("start", {
        jar: bundle.jarPath,
        master: options.master ?? "local[2]",
        time_zone: options.timeZone ?? null,
        heap: options.heap ?? "2g",
        conf: options.conf ?? {},
      });
      session.#jvmPid = (started as { jvmPid: number }).jvmPid;
      return session;
    } catch (error) {
      await session.stop();
      throw error;
    }
  }

  /** The process id of the JVM, for measurements of CPU time and memory. */
  get jvmPid(): number {
    return this.#jvmPid;
  }

  /** The last lines that Spark logged. */
  get log(): string {
    return this.#process.log;
  }

  /** Runs one statement, procedure calls included, and gives its rows. */
  async sql(text: string): Promise<EngineRow[]> {
    return decodeEngineRows(await this.sqlTable(text));
  }

  /** Runs one statement and gives its columns with their types and its rows in the JSON form. */
  async sqlTable(text: string): Promise<EngineTableJson> {
    return (await this.#process.request("sql", { text })) as EngineTableJson;
  }

  /** The rows of a Hudi table. */
  async readTable(path: string, options: SparkReadOptions = {}): Promise<EngineRow[]> {
    return decodeEngineRows(await this.exportTable(path, options));
  }

  /** The rows of a Hudi table with their columns' types, in the JSON form. */
  async exportTable(path: string, options: SparkReadOptions = {}): Promise<EngineTableJson> {
    return (await this.#process.request("readTable", {
      path,
      options: options.options ?? {},
      as_of: options.asOf ?? null,
      columns: options.columns ?? null,
      begin: options.incremental?.begin ?? null,
      end: options.incremental?.end ?? null,
      meta_columns: options.metaColumns ?? false,
    })) as EngineTableJson;
  }

  /**
   * Writes rows into a Hudi table; the operation is `hoodie.datasource.write.operation` of the
   * options, upsert by default. Gives the seconds that Spark took for the save alone.
   */
  async write(write: SparkWrite): Promise<{ readonly seconds: number }> {
    const params = await this.#prepareWrite(write);
    return (await this.#process.request("write", params)) as { seconds: number };
  }

  /** Deletes the keys that the rows name, with the `delete` operation of the Hudi data source. */
  async delete(write: Omit<SparkWrite, "mode">): Promise<void> {
    const options = { ...write.options, "hoodie.datasource.write.operation": "delete" };
    await this.write({ ...write, options, mode: "append" });
  }

  /**
   * Begins a write and kills this whole session, JVM included, in the middle of it: the instant
   * is inflight, at least one data file of it exists, and it has not completed. The session cannot
   * be used afterwards.
   */
  async killDuringWrite(write: SparkWrite, at: SparkKillPoint): Promise<KilledWrite> {
    const before = new Set((await findInflightInstants(write.path)).map((one) => one.instant));
    const params = await this.#prepareWrite(write);
    const hanging = this.#process.request("hangBeforeCompletion", params);
    try {
      if (at === "before-completion") await hanging;
      else await Promise.race([hanging, waitForDataFile(write.path, before)]);
    } finally {
      hanging.catch(() => {});
      await this.kill();
    }
    const left = (await findInflightInstants(write.path)).find((one) => !before.has(one.instant));
    if (left === undefined) throw new Error(`no inflight instant was left in ${write.path}`);
    return { instant: left.instant, dataFiles: await findDataFiles(write.path, left.instant) };
  }

  /** Kills Spark at once, as a crash would. */
  async kill(): Promise<void> {
    this.#process.kill();
    await this.#process.ended;
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Ends Spark in good order. */
  async stop(): Promise<void> {
    await this.#process.stop();
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #prepareWrite(write: SparkWrite): Promise<object> {
    const isPath = typeof write.rows === "string";
    return {
      path: write.path,
      rows_path: isPath ? null : await this.#writeRowsFile(write.rows),
      parquet_path: isPath ? write.rows : null,
      schema_ddl: write.schema,
      partitions: write.inputPartitions ?? 1,
      options: write.options,
      mode: write.mode,
    };
  }

  async #writeRowsFile(rows: readonly EngineRow[]): Promise<string> {
    const directory = join(this.#directory, "rows");
    await mkdir(directory, { recursive: true });
    const path = join(directory, `rows-${this.#files++}.json`);
    await writeFile(path, rows.map(formatRowLine).join(""));
    return path;
  }
}

// Every value is text on the way to Spark, where it is cast; a JSON number would lose digits.
function formatRowLine(row: EngineRow): string {
  const texts = Object.entries(row).map(([name, value]) => [
    name,
    value === null ? null : Object.is(value, -0) ? "-0.0" : String(value),
  ]);
  return `${JSON.stringify(Object.fromEntries(texts))}\n`;
}

function sparkEnvironment(
  pythonDirectory: string,
  pythonPath: string,
  timeZone: string | undefined,
): NodeJS.ProcessEnv {
  const {
    SPARK_HOME: _home,
    PYSPARK_SUBMIT_ARGS: _args,
    PYTHONPATH: _path,
    ...inherited
  } = process.env;
  return {
    ...inherited,
    ...(timeZone === undefined ? {} : { TZ: timeZone }),
    PATH: `${join(pythonDirectory, "bin")}${delimiter}${process.env.PATH ?? ""}`,
    PYSPARK_PYTHON: pythonPath,
    PYTHONDONTWRITEBYTECODE: "1",
    SPARK_LOCAL_IP: "127.0.0.1",
    SPARK_LOCAL_HOSTNAME: "localhost",
  };
}

interface InflightInstant {
  readonly instant: string;
}

/** Instants of layout 1 or 2 that are inflight and neither completed nor rolled back. */
async function findInflightInstants(path: string): Promise<InflightInstant[]> {
  const names: string[] = [];
  for (const folder of [".hoodie", join(".hoodie", "timeline")]) {
    names.push(...(await readdir(join(path, folder)).catch(() => [])));
  }
  const completed = new Set(
    names
      .map((name) => /^(\d+)(?:_\d+)?\.(?:commit|deltacommit|replacecommit)$/.exec(name)?.[1])
      .filter((instant) => instant !== undefined),
  );
  return names
    .map((name) => /^(\d+)\.(?:(?:deltacommit|replacecommit)\.)?inflight$/.exec(name)?.[1])
    .filter((instant) => instant !== undefined && !completed.has(instant))
    .map((instant) => ({ instant: instant ?? "" }));
}

async function findDataFiles(path: string, instant: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(`_${instant}.parquet`))
    .map((entry) => relative(path, join(entry.parentPath, entry.name)))
    .filter((file) => !file.startsWith(".hoodie"))
    .sort();
}

async function waitForDataFile(path: string, before: ReadonlySet<string>): Promise<void> {
  for (;;) {
    for (const { instant } of await findInflightInstants(path)) {
      if (!before.has(instant) && (await findDataFiles(path, instant)).length > 0) return;
    }
    await sleep(1);
  }
}
