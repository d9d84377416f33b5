// The flags that several commands share: how they are declared, and what their values become.
import { type Command, InvalidArgumentError, Option } from "commander";
import type { ParquetCodec } from "../format/parquet-writer.ts";
import { parseAsOf } from "../timeline/instant-time.ts";
import { INPUT_FORMATS } from "./input/read-input.ts";
import { ROW_FORMATS, type RowFormat } from "./output/row-writer.ts";
import { checkUsage, UsageError } from "./usage-error.ts";

/** Flags of every command. */
export interface CommonFlags {
  readonly json?: true;
  readonly verbose?: true;
  readonly endpoint?: string;
  readonly region?: string;
  readonly pathStyle?: true;
  /** Of commands that write. */
  readonly property?: readonly string[];
}

/** Flags of every command that prints rows. */
export interface RowFlags extends CommonFlags {
  readonly columns?: readonly string[];
  readonly where?: string;
  readonly meta?: true;
  readonly format?: RowFormat;
  readonly codec: ParquetCodec;
}

/** Declares the flags of every command; they stand last in the help. */
export function addCommonFlags(command: Command): Command {
  return command
    .optionsGroup("Output:")
    .option("--json", "print one JSON document instead of text")
    .option("--verbose", "show the stack of an error")
    .helpOption("-h, --help", "show this help")
    .optionsGroup("Amazon S3 and compatibles (credentials come from the AWS environment):")
    .option("--endpoint <url>", "URL of a compatible store, such as http://127.0.0.1:9000")
    .option("--region <name>", "region of the bucket")
    .option("--path-style", "put the bucket into the path, not the host name");
}

/** The flag `--property` of commands that write. */
export function propertyOption(): Option {
  const description = "a setting of keys that the table itself lacks, by Hudi's name";
  return new Option("--property <key=value...>", description);
}

/** The settings that `--property` names. */
export function readProperties(texts: readonly string[]): Record<string, string> {
  const entries = texts.map((text): [string, string] => {
    const at = text.indexOf("=");
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
    throw new UsageError(`cannot use --property ${text}: expected key=value`);
  });
  return Object.fromEntries(entries);
}

/** Declares which rows and columns are read and how they are printed. */
export function addRowFlags(command: Command): Command {
  return command
    .optionsGroup("Rows:")
    .option("--columns <names>", "only these columns, in this order: a,b,c", parseNames)
    .option("--where <filter>", "only rows that pass: \"city = 'Oslo' and fare > 10\"")
    .option("--meta", "add the five _hoodie_ columns in front")
    .addOption(
      new Option("--format <format>", "default: table on a terminal, jsonl elsewhere").choices(
        ROW_FORMATS,
      ),
    )
    .addOption(codecOption("compression of --format parquet"));
}

/** The flag `--codec`. */
export function codecOption(description: string): Option {
  const codecs: readonly ParquetCodec[] = ["snappy", "zstd", "gzip", "uncompressed"];
  return new Option("--codec <codec>", description).choices(codecs).default("zstd");
}

/** The flag `--format` of what comes in. */
export function inputFormatOption(): Option {
  const description = "default: by the extension, jsonl on standard input";
  return new Option("--format <format>", description).choices(INPUT_FORMATS);
}

/** A list of distinct names: `a,b`. */
export function parseNames(text: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (names.includes("")) throw new InvalidArgumentError("Expected names with commas between.");
  if (twice !== undefined) throw new InvalidArgumentError(`Found ${twice} twice.`);
  return names;
}

/** A whole number from 0. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(count)) {
    throw new InvalidArgumentError("Expected a whole number from 0.");
  }
  return count;
}

/** The instant before every other, where a table has none. */
export const FIRST_INSTANT = "000";

/** An instant, a date or an ISO time; checked here, resolved once the zone of the table is known. */
export function parseInstantFlag(text: string): string {
  if (/^0+$/.test(text)) return text;
  try {
    checkUsage(() => parseAsOf(text, "UTC"));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const forms = "20261120072044123, 2026-11-20 or 2026-11-20T07:20:44Z";
    throw new InvalidArgumentError(`Expected an instant, a date or an ISO time: ${forms}.`);
  }
  return text;
}

/** The instant that a checked flag means for a table. */
export function resolveInstant(text: string, zone: "UTC" | "LOCAL"): string {
  return /^0+$/.test(text) ? FIRST_INSTANT : parseAsOf(text, zone);
}
