// Reads single Parquet files with pyarrow, the reader of C++, in a long-lived child process.

import { join } from "node:path";

import { provisionPython } from "./engine-cache.ts";
import { EngineProcess } from "./engine-process.ts";
import { decodeEngineRows, type EngineRow, type EngineTableJson } from "./engine-rows.ts";

/** What pyarrow says of a column chunk. Bounds are texts, a moment in microseconds. */
export interface ArrowChunk {
  /** The path of the leaf, for example `tags.list.element`. */
  readonly path: string;
  readonly codec: string;
  readonly valueCount: number;
  readonly nullCount: number | null;
  readonly min: string | null;
  readonly max: string | null;
  readonly encodings: readonly string[];
  readonly hasColumnIndex: boolean;
  readonly hasOffsetIndex: boolean;
}

/** What pyarrow says of a file. */
export interface ArrowFile {
  readonly rowCount: number;
  readonly createdBy: string;
  readonly entries: Readonly<Record<string, string>>;
  readonly rowGroups: readonly {
    readonly rowCount: number;
    readonly chunks: readonly ArrowChunk[];
  }[];
}

/** A filter of pyarrow: column, operator, number or text. */
export type ArrowFilter = readonly [column: string, operator: string, value: string | number];

/** A running pyarrow. Its errors arrive as `EngineError`. */
export class PyarrowReader {
  readonly #process: EngineProcess;

  constructor(engineProcess: EngineProcess) {
    this.#process = engineProcess;
  }

  /** Starts the driver, which is provisioned at first use. */
  static async start(): Promise<PyarrowReader> {
    const python = await provisionPython();
    return new PyarrowReader(
      new EngineProcess({
        command: python.pythonPath,
        args: [join(import.meta.dirname, "pyarrow_server.py")],
        env: { ...process.env, PYTHONDONTWRITEBYTECODE: "1" },
      }),
    );
  }

  /** The rows of a file, or those that pass the filters, with all columns or some. */
  async read(
    path: string,
    filters: readonly ArrowFilter[] = [],
    columns: readonly string[] | null = null,
  ): Promise<EngineRow[]> {
    const table = await this.#process.request("read", { path, columns, filters });
    return decodeEngineRows(table as EngineTableJson);
  }

  /** What the footer of a file says. */
  async describe(path: string): Promise<ArrowFile> {
    return (await this.#process.request("describe", { path })) as ArrowFile;
  }

  /** Ends the driver. */
  stop(): Promise<void> {
    return this.#process.stop();
  }
}
