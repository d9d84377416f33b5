// Which engines read old and new files of a changed table side by side, as found by trying each of them
// (Spark 3.5 with Hudi 0.15.0, hudi-rs 0.5.0, PrestoDB 0.287). Rules: spec/format/evolution.md, EV-8.
import type { ColumnType } from "../format/schema.ts";
import type { SchemaEffect } from "./schema-change.ts";
import { findWidening } from "./type-widening.ts";

/** An engine of which is known how it reads tables whose columns changed. */
export type EngineName = "spark" | "hudi-rs" | "presto";

/** Every engine of the matrix. */
export const KNOWN_ENGINES: readonly EngineName[] = ["spark", "hudi-rs", "presto"];

/** Why a change cannot be left to the readers. Without an engine none reads it, this library included. */
export interface ReaderLimit {
  readonly engine: EngineName | undefined;
  readonly effect: SchemaEffect;
  readonly fact: string;
}

/** What speaks against leaving old files as they are, for these engines. */
export function listReaderLimits(
  effects: readonly SchemaEffect[],
  engines: readonly EngineName[] = KNOWN_ENGINES,
): ReaderLimit[] {
  return effects.flatMap((effect): ReaderLimit[] => {
    if (effect.kind === "rename") {
      const fact = "engines find columns in files by name, so that old rows would show null";
      return [{ engine: undefined, effect, fact }];
    }
    return engines.flatMap((engine): ReaderLimit[] => {
      const fact = LIMITS[engine](effect);
      return fact === undefined ? [] : [{ engine, effect, fact }];
    });
  });
}

const LIMITS: Readonly<Record<EngineName, (effect: SchemaEffect) => string | undefined>> = {
  spark: ({ path, from, to }) => (from && to ? sparkLimit(path, from, to) : undefined),
  "hudi-rs": () => undefined,
  presto: ({ from, to }) => (from && to ? prestoLimit(from, to) : undefined),
};

function sparkLimit(path: string, from: ColumnType, to: ColumnType): string | undefined {
  if (path.includes(".")) {
    return "Spark fails on old files in which a column inside another has a narrower type";
  }
  return from.kind === "bytes" && to.kind === "string"
    ? "an upsert by Spark spoils the bytes of old rows that it keeps"
    : undefined;
}

function prestoLimit(from: ColumnType, to: ColumnType): string | undefined {
  if (to.kind === "decimal") {
    if (from.kind !== "decimal")
      return "Presto reads whole numbers of old files without their scale";
    const crosses = from.precision <= SHORT_DIGITS && to.precision > SHORT_DIGITS;
    return crosses
      ? `Presto fails on decimals of at most ${SHORT_DIGITS} digits in old files where the table has more`
      : undefined;
  }
  if (from.kind === "float" && to.kind === "double") {
    return "Presto reads floats of old files as other doubles than Spark and hudi-rs do";
  }
  if (to.kind === "string" && findWidening(from, to) === "exact") {
    return `Presto fails on a ${from.kind} in old files where the table has a string`;
  }
  return undefined;
}

/** Digits that Presto keeps in 64 bits. */
const SHORT_DIGITS = 18;
