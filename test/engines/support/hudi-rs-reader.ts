// Reads tables with hudi-rs (the `hudi` Python package) in a long-lived child process.

import { join } from "node:path";

import { provisionPython } from "./engine-cache.ts";
import { EngineProcess } from "./engine-process.ts";
import { decodeEngineRows, type EngineRow, type EngineTableJson } from "./engine-rows.ts";

/** A filter of hudi-rs: column, operator (`=`, `!=`, `<`, `<=`, `>`, `>=`, `IN`, `NOT IN`), text. */
export type HudiRsFilter = readonly [column: string, operator: string, value: string];

/** How a snapshot is read. */
export interface HudiRsReadOptions {
  /** Storage and Hudi options of the table, for example an S3 endpoint. */
  readonly options?: Readonly<Record<string, string>>;
  /** Reads the table as it was at this instant. */
  readonly asOf?: string;
  readonly columns?: readonly string[];
  readonly filters?: readonly HudiRsFilter[];
  /** Gives the five `_hoodie_` columns as well; they are left out otherwise. */
  readonly metaColumns?: boolean;
}

/** A running hudi-rs. Errors of the engine arrive as `EngineError`. */
export class HudiRsReader {
  readonly #process: EngineProcess;

  constructor(engineProcess: EngineProcess) {
    this.#process = engineProcess;
  }

  /** Starts the driver, which is provisioned at first use. */
  static async start(): Promise<HudiRsReader> {
    const python = await provisionPython();
    return new HudiRsReader(
      new EngineProcess({
        command: python.pythonPath,
        args: [join(import.meta.dirname, "hudi_rs_server.py")],
        env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
      }),
    );
  }

  /** The rows of a snapshot, now or at an earlier instant. */
  read(path: string, options: HudiRsReadOptions = {}): Promise<EngineRow[]> {
    return this.#read(path, options, null, null);
  }

  /** The rows that were written in the instants after `begin` up to and with `end`. */
  incremental(
    path: string,
    begin: string,
    end?: string,
    options: HudiRsReadOptions = {},
  ): Promise<EngineRow[]> {
    return this.#read(path, options, begin, end ?? null);
  }

  /** The base files that a snapshot reads, as paths below the table. */
  async files(path: string, options: Readonly<Record<string, string>> = {}): Promise<string[]> {
    const described = await this.#process.request("describe", { path, options });
    return (described as { files: string[] }).files;
  }

  /** The process id of the driver, for measurements of CPU time and memory. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Ends the driver. */
  stop(): Promise<void> {
    return this.#process.stop();
  }

  async #read(
    path: string,
    options: HudiRsReadOptions,
    begin: string | null,
    end: string | null,
  ): Promise<EngineRow[]> {
    const table = await this.#process.request("read", {
      path,
      options: options.options ?? {},
      as_of: options.asOf ?? null,
      columns: options.columns ?? null,
      filters: options.filters ?? [],
      begin,
      end,
      meta_columns: options.metaColumns ?? false,
    });
    return decodeEngineRows(table as EngineTableJson);
  }
}
