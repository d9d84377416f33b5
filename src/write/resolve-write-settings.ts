// Settings of writing as a caller gives them, checked: a wrong one would be found only when a file is
// written that nobody can read.
import { HudiError } from "../errors.ts";
import type { ParquetCodec } from "../format/parquet-writer.ts";
import { DEFAULT_WRITE_SETTINGS, type WriteSettings } from "./write-settings.ts";

const CODECS: readonly ParquetCodec[] = ["snappy", "gzip", "zstd", "uncompressed"];

/** The settings with their defaults. Throws `INVALID` naming the one that is wrong. */
export function resolveWriteSettings(given: Partial<WriteSettings> = {}): WriteSettings {
  const stated = Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  ) as Partial<WriteSettings>;
  const settings = { ...DEFAULT_WRITE_SETTINGS, ...stated };
  if (!CODECS.includes(settings.codec)) {
    throw invalid("codec", settings.codec, `one of ${CODECS.join(", ")}`);
  }
  const { bloom } = settings;
  requireNumber("maxFileBytes", settings.maxFileBytes, 1);
  requireNumber("smallFileBytes", settings.smallFileBytes, 0);
  requireNumber("insertBatchBytes", settings.insertBatchBytes, 1);
  requireNumber("maxLogFileBytes", settings.maxLogFileBytes, 1);
  requireNumber("conflictRetries", settings.conflictRetries, 0);
  requireNumber("bloom.entries", bloom?.entries, 1);
  requireNumber("bloom.maxEntries", bloom?.maxEntries, 1);
  const rate = bloom?.falsePositiveRate;
  if (!(typeof rate === "number" && rate > 0 && rate < 1)) {
    throw invalid("bloom.falsePositiveRate", rate, "a number between 0 and 1");
  }
  for (const group of ["lease", "heartbeat"] as const) {
    for (const name of Object.keys(DEFAULT_WRITE_SETTINGS[group])) {
      const values = settings[group] as unknown as Readonly<Record<string, unknown>> | undefined;
      requireNumber(`${group}.${name}`, values?.[name], 0);
    }
  }
  return settings;
}

function requireNumber(name: string, value: unknown, least: number): void {
  if (typeof value === "number" && Number.isFinite(value) && value >= least) return;
  throw invalid(name, value, `a number from ${least}`);
}

function invalid(name: string, value: unknown, expected: string): HudiError {
  const found = typeof value === "string" ? JSON.stringify(value) : String(value);
  return new HudiError(
    "INVALID",
    `cannot open table: setting write.${name} is ${found}, expected ${expected}`,
  );
}
