// The rows of an input in any of its formats, as a source that a write takes.
import { extname } from "node:path";
import { UsageError } from "../usage-error.ts";
import { readArrow, readParquet } from "./batch-input.ts";
import { readCsv } from "./csv-input.ts";
import type { InputSource } from "./input-source.ts";
import { readJsonLines } from "./jsonl-input.ts";
import type { RowShape } from "./row-shape.ts";

/** The formats in which rows come in. */
export const INPUT_FORMATS = ["jsonl", "csv", "parquet", "arrow"] as const;
export type InputFormat = (typeof INPUT_FORMATS)[number];

const EXTENSIONS: ReadonlyMap<string, InputFormat> = new Map([
  [".jsonl", "jsonl"],
  [".ndjson", "jsonl"],
  [".json", "jsonl"],
  [".csv", "csv"],
  [".parquet", "parquet"],
  [".arrow", "arrow"],
  [".arrows", "arrow"],
  [".ipc", "arrow"],
]);

/** The format of an input: as asked for, else by the extension, JSON lines on standard input. */
export function resolveInputFormat(input: string, asked: InputFormat | undefined): InputFormat {
  if (asked) return asked;
  if (input === "-") return "jsonl";
  const format = EXTENSIONS.get(extname(input).toLowerCase());
  if (format) return format;
  throw new UsageError(
    `cannot tell the format of input ${input} by its extension: expected .jsonl, .csv, .parquet or .arrow; say it with --format`,
  );
}

/** Rows or Arrow record batches, read while they are consumed. */
export function readInput(
  source: InputSource,
  format: InputFormat,
  shape: RowShape,
  signal: AbortSignal,
): AsyncIterable<unknown> {
  switch (format) {
    case "jsonl":
      return readJsonLines(source, shape);
    case "csv":
      return readCsv(source, shape);
    case "parquet":
      return readParquet(source, shape, signal);
    case "arrow":
      return readArrow(source, shape, signal);
  }
}
