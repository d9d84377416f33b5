// Rows in the format asked for, batch by batch onto an output.
import type { ColumnBatch } from "../../format/column-batch.ts";
import type { ParquetCodec } from "../../format/parquet-writer.ts";
import type { TableSchema } from "../../format/schema.ts";
import type { MaybeTerminal } from "../lake-io.ts";
import { UsageError } from "../usage-error.ts";
import type { ByteOutput } from "./byte-output.ts";

/** The formats in which rows are printed. */
export const ROW_FORMATS = ["table", "jsonl", "csv", "parquet", "arrow"] as const;
export type RowFormat = (typeof ROW_FORMATS)[number];

/** Prints batches of one schema. */
export interface RowWriter {
  write(batch: ColumnBatch): Promise<void>;
  /** Ends the output; without rows it still says its columns where the format can. */
  close(): Promise<void>;
  /** What a reader should know of what is not shown, for standard error. */
  readonly note?: string | undefined;
}

/** How rows are printed. */
export interface RowWriterOptions {
  readonly format: RowFormat;
  readonly schema: TableSchema;
  readonly codec: ParquetCodec;
  /** Width of the terminal; undefined for no limit. */
  readonly width: number | undefined;
}

/** The format asked for, else a table on a terminal and JSON lines elsewhere. */
export function resolveRowFormat(asked: RowFormat | undefined, stdout: MaybeTerminal): RowFormat {
  const isTerminal = stdout.isTTY ?? false;
  if (isTerminal && (asked === "parquet" || asked === "arrow")) {
    throw new UsageError(
      `cannot print ${asked} on a terminal: send it to a file with > rows.${asked}`,
    );
  }
  return asked ?? (isTerminal ? "table" : "jsonl");
}

/** Opens a writer; its code is loaded when it is asked for. */
export async function openRowWriter(
  output: ByteOutput,
  options: RowWriterOptions,
): Promise<RowWriter> {
  switch (options.format) {
    case "jsonl": {
      const { JsonLinesWriter } = await import("./json-rows.ts");
      return new JsonLinesWriter(output, options.schema);
    }
    case "csv": {
      const { CsvWriter } = await import("./csv-rows.ts");
      return new CsvWriter(output, options.schema);
    }
    case "table": {
      const { TableWriter } = await import("./table-rows.ts");
      return new TableWriter(output, options.schema, options.width);
    }
    default: {
      const { openArrowWriter, openParquetRowWriter } = await import("./binary-rows.ts");
      const open = options.format === "arrow" ? openArrowWriter : openParquetRowWriter;
      return open(output, options);
    }
  }
}
