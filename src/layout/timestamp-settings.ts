// How the timestamp-based key generator makes folders of the values of a column: from properties and
// to properties. Rules: spec/format/record-key.md, RK-13 to RK-17.
import { HudiError } from "../errors.ts";
import { type DatePattern, parseInputPattern, parseOutputPattern } from "./date-pattern.ts";
import { openTimeZone, type TimeZone } from "./time-zone.ts";

/** What the values of the column are, by Hudi's names. */
export type TimestampType =
  | "UNIX_TIMESTAMP"
  | "EPOCHMILLISECONDS"
  | "EPOCHMICROSECONDS"
  | "SCALAR"
  | "DATE_STRING"
  | "MIXED";

/** The unit of `SCALAR` values. */
export type TimestampUnit =
  | "NANOSECONDS"
  | "MICROSECONDS"
  | "MILLISECONDS"
  | "SECONDS"
  | "MINUTES"
  | "HOURS"
  | "DAYS";

/** A partition column whose folders are formatted points in time. */
export interface TimestampPartition<Name extends string = string> {
  /** A number (`int`, `long`, `float`, `double`, `decimal`), `date`, `timestamp-micros` or `string` column. */
  readonly field: Name;
  /** What its values are; numbers, or with `DATE_STRING` and `MIXED` texts. */
  readonly type: TimestampType;
  /** Of `SCALAR` values; default `SECONDS`. */
  readonly unit?: TimestampUnit | undefined;
  /** Patterns of texts, of which the first that fits counts, such as `yyyy-MM-dd'T'HH:mm:ssZ`. */
  readonly inputFormat?: string | readonly string[] | undefined;
  /** What stands between patterns in the properties; default a comma. */
  readonly inputDelimiter?: string | undefined;
  /** Zone of texts that name none; default `UTC`. */
  readonly inputZone?: string | undefined;
  /** Pattern of the folders, such as `yyyy/MM/dd`. */
  readonly outputFormat: string;
  /** Zone of the folders; default `UTC`. */
  readonly outputZone?: string | undefined;
}

/** The settings of a table's timestamp-based partition columns. */
export interface TimestampSettings {
  readonly type: TimestampType;
  readonly unit: TimestampUnit;
  readonly inputFormats: readonly DatePattern[];
  readonly outputFormat: DatePattern;
  /** Undefined: that of a text that names one, else that of the process. */
  readonly inputZone: TimeZone | undefined;
  /** Undefined: that of the text, else that of the process. */
  readonly outputZone: TimeZone | undefined;
}

const TYPES: readonly TimestampType[] = [
  "UNIX_TIMESTAMP",
  "EPOCHMILLISECONDS",
  "EPOCHMICROSECONDS",
  "SCALAR",
  "DATE_STRING",
  "MIXED",
];

/** Units of numbers: how many nanoseconds one has. */
export const UNIT_NANOS: Readonly<Record<TimestampUnit, bigint>> = {
  NANOSECONDS: 1n,
  MICROSECONDS: 1_000n,
  MILLISECONDS: 1_000_000n,
  SECONDS: 1_000_000_000n,
  MINUTES: 60_000_000_000n,
  HOURS: 3_600_000_000_000n,
  DAYS: 86_400_000_000_000n,
};

const PREFIX = "hoodie.keygen.timebased.";
/** Tables of older writers have their settings under this one. */
const OLD_PREFIX = "hoodie.deltastreamer.keygen.timebased.";
const PARSER = "hoodie.keygen.datetime.parser.class";

/** The properties that keep the settings of a partition column. */
export function timestampProperties(partition: TimestampPartition): [string, string][] {
  const { type, unit = "SECONDS", inputFormat, inputDelimiter = ",", outputFormat } = partition;
  const { inputZone = "UTC", outputZone = "UTC" } = partition;
  const formats = typeof inputFormat === "string" ? [inputFormat] : (inputFormat ?? []);
  const properties: [string, string][] = [["timestamp.type", type]];
  if (type === "SCALAR") properties.push(["timestamp.scalar.time.unit", unit]);
  if (formats.length > 0) {
    properties.push(["input.dateformat", formats.join(inputDelimiter)]);
    properties.push(["input.dateformat.list.delimiter.regex", escapeRegex(inputDelimiter)]);
  }
  properties.push(["output.dateformat", outputFormat]);
  if (inputZone === outputZone) properties.push(["timezone", outputZone]);
  else properties.push(["input.timezone", inputZone], ["output.timezone", outputZone]);
  return properties.map(([name, value]) => [PREFIX + name, value]);
}

/**
 * The settings that properties hold. Throws `INVALID` naming what is missing or wrong; the type may
 * be missing, because Hudi 0.15 does not keep it.
 */
export function parseTimestampSettings(
  properties: ReadonlyMap<string, string>,
): Omit<TimestampSettings, "type"> & { readonly type: TimestampType | undefined } {
  const get = (name: string): string | undefined =>
    properties.get(PREFIX + name) ?? properties.get(OLD_PREFIX + name);
  const parser = properties.get(PARSER) ?? "";
  if (
    parser !== "" &&
    !/^org\.apache\.hudi\.keygen\.parser\.HoodieDateTimeParser(Impl)?$/.test(parser)
  ) {
    throw invalid(`${PARSER} is ${parser}`, "that of Hudi");
  }
  const stated = oneOf(TYPES, get("timestamp.type"), `${PREFIX}timestamp.type`);
  const units = Object.keys(UNIT_NANOS) as TimestampUnit[];
  const unitText = get("timestamp.scalar.time.unit")?.toUpperCase();
  const statedUnit = oneOf(units, unitText, `${PREFIX}timestamp.scalar.time.unit`);
  const output = get("output.dateformat") ?? "";
  if (output === "") throw invalid(`${PREFIX}output.dateformat is missing`, "a date format");
  const zone = get("timezone");
  const inputFormats = splitFormats(
    get("input.dateformat"),
    get("input.dateformat.list.delimiter.regex"),
  );
  // Only numbers of one kind have a unit of their own, and only texts a format.
  const inferred = statedUnit ? "SCALAR" : inputFormats.length > 0 ? "DATE_STRING" : undefined;
  const type = stated ?? inferred;
  if ((type === "DATE_STRING" || type === "MIXED") && inputFormats.length === 0) {
    throw invalid(`${PREFIX}input.dateformat is missing`, `a date format, which ${type} needs`);
  }
  return {
    type,
    unit: statedUnit ?? "SECONDS",
    inputFormats,
    outputFormat: requireFolderPattern(parseOutputPattern(output)),
    inputZone: openZone(zone ?? get("input.timezone")),
    outputZone: openZone(zone ?? get("output.timezone")),
  };
}

function oneOf<T extends string>(
  known: readonly T[],
  text: string | undefined,
  key: string,
): T | undefined {
  if (text === undefined || text === "") return undefined;
  const found = known.find((one) => one === text);
  if (found !== undefined) return found;
  throw invalid(`${key} is ${JSON.stringify(text)}`, `one of ${known.join(", ")}`);
}

function openZone(name: string | undefined): TimeZone | undefined {
  return name === undefined || name.trim() === "" ? undefined : openTimeZone(name.trim());
}

/** The delimiter is a regular expression to Java; only one that stands for a text is taken. */
function splitFormats(text: string | undefined, delimiter: string | undefined): DatePattern[] {
  if (text === undefined || text.trim() === "") return [];
  const regex = delimiter?.trim() || ",";
  const literal = regex.replace(/\\([^A-Za-z0-9])/g, "$1");
  if (escapeRegex(literal) !== regex) {
    throw invalid(`the delimiter of input formats is ${JSON.stringify(regex)}`, "a plain text");
  }
  return text.split(literal).map((format) => parseInputPattern(format.trim()));
}

function escapeRegex(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");
}

/** Every folder that the pattern makes has to have a name, and no path may leave the table. */
function requireFolderPattern(pattern: DatePattern): DatePattern {
  for (const part of pattern.parts) {
    if (part.kind === "text" && /[\\\p{Cc}]|\.\.|\/[/._]/u.test(part.text)) {
      throw invalid(
        `output format ${JSON.stringify(pattern.text)} holds what makes no folder`,
        "names",
      );
    }
  }
  const [first, last] = [pattern.parts[0], pattern.parts.at(-1)];
  const opens = first?.kind === "text" && /^([/._]|metadata\/)/.test(first.text);
  if (opens || (last?.kind === "text" && last.text.endsWith("/"))) {
    throw invalid(
      `output format ${JSON.stringify(pattern.text)} begins or ends with what makes no folder`,
      "names between slashes",
    );
  }
  return pattern;
}

function invalid(fact: string, expected: string): HudiError {
  return new HudiError(
    "INVALID",
    `cannot use timestamp-based key generator: ${fact}, expected ${expected}`,
  );
}
