// The engines under one contract: load an input, write it, read a table; each in a process of its
// own that lives for one workload, so that every engine is as warm as the others.
import type { TableOptions } from "../../src/index.ts";
import type { DataFile } from "./dataset.ts";
import type { Sample } from "./measure.ts";

/** The engines that can be asked for. */
export const ENGINE_NAMES = ["ours", "duckdb", "spark", "hudi-rs", "parquet-wasm"] as const;
export type EngineName = (typeof ENGINE_NAMES)[number];

/** What results are recorded under. */
export interface Contestant {
  readonly name: EngineName;
  /** What distinguishes configurations of one engine, such as the form of the input. */
  readonly variant: string;
}

/** What a piece of work did. */
export interface Outcome {
  readonly sample: Sample;
  readonly rowCount: number;
  /** The base files that hold the table afterwards; for writes. */
  readonly files: readonly string[];
}

/** A write: into a new table or over an existing one. */
export interface WriteJob {
  readonly kind: "bulk-insert" | "upsert";
  /** The table's folder: empty for a bulk insert. */
  readonly tablePath: string;
  /** The base files of that table, by absolute path. */
  readonly baseFiles: readonly string[];
  /** The table is written again afterwards, so that an engine may leave it open. */
  readonly isRepeated?: boolean;
}

/** What kind of table a workload is about; without it a copy-on-write table with a bloom index. */
export interface TableKind {
  readonly type: "copy-on-write" | "merge-on-read";
  /** The file groups of a bucket index. */
  readonly buckets: number;
}

/** A read of columns: the snapshot, or what was committed after an instant. */
export interface ReadJob {
  readonly tablePath: string;
  readonly columns: readonly string[];
  readonly after?: string | undefined;
  /** Base files alone. */
  readonly readOptimized?: boolean | undefined;
  readonly baseFiles: readonly string[];
}

/** One engine in one configuration. */
export interface Engine extends Contestant {
  load(files: readonly DataFile[]): Promise<void>;
  /** Makes the table that upserts go into; absent where they go into a copy of one of ours. */
  buildOwn?(tablePath: string, files: readonly DataFile[]): Promise<void>;
  write(job: WriteJob): Promise<Outcome>;
  read(job: ReadJob): Promise<Outcome>;
  /** The digest of the rows that `read` hands over. */
  digestRead(job: ReadJob): Promise<string>;
  /** Lets go of tables that were left open. */
  closeTables(): Promise<void>;
  stop(): Promise<void>;
}

/** What all engines of a run have in common. */
export interface EngineSettings {
  /** Address of the library's entry, built or source. */
  readonly library: string;
  readonly codec: "snappy" | "zstd";
  /** Worker threads of ours; Spark and DuckDB get as many cores. */
  readonly workers: number;
  /** A folder for what an engine leaves. */
  readonly folder: string;
}

/** The options that every table of ours is opened with. */
export function tableOptions(settings: Pick<EngineSettings, "codec" | "workers">): TableOptions {
  return { workers: { count: settings.workers }, write: { codec: settings.codec } };
}
