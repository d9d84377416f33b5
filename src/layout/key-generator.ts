// The key generator of a table: which one its properties name, and what it needs.
// Rules: spec/format/record-key.md, RK-10 to RK-14 and RK-18.
import { isHudiError } from "../errors.ts";
import { parseTimestampSettings, type TimestampSettings } from "./timestamp-settings.ts";

/** The key generators of Hudi. */
export type KeyGeneratorKind = "simple" | "complex" | "non-partitioned" | "timestamp" | "custom";

/** A partition column, and what its folders are made of: the text of its value, or a formatted time. */
export interface PartitionField {
  readonly name: string;
  readonly kind: "simple" | "timestamp";
}

/** How a table makes record keys and partition paths. */
export interface KeyGenerator {
  readonly kind: KeyGeneratorKind;
  /**
   * Whether a record key is the bare text of its value or a list of `column:value`. Unknown for a
   * complex key of one column, of which the properties do not tell.
   */
  readonly keyText: "value" | "fields" | "unknown";
  /** None where it is not known what makes the folders. */
  readonly partitions: readonly PartitionField[];
  /** Settings of the timestamp-based columns; the type is unknown where the properties do not tell. */
  readonly timestamps:
    | (Omit<TimestampSettings, "type"> & { readonly type: TimestampSettings["type"] | undefined })
    | undefined;
  /** Timestamps count as points in time, not as numbers (Hudi: consistent logical timestamp). */
  readonly hasLogicalTimestamps: boolean;
  /** Why keys cannot be made, as a fact and a remedy. */
  readonly refusal: readonly [string, string] | undefined;
}

/** The class of each key generator, as Hudi names it. */
export const KEY_GENERATOR_CLASSES: Readonly<Record<KeyGeneratorKind, string>> = {
  simple: "org.apache.hudi.keygen.SimpleKeyGenerator",
  complex: "org.apache.hudi.keygen.ComplexKeyGenerator",
  "non-partitioned": "org.apache.hudi.keygen.NonpartitionedKeyGenerator",
  timestamp: "org.apache.hudi.keygen.TimestampBasedKeyGenerator",
  custom: "org.apache.hudi.keygen.CustomKeyGenerator",
};

export const KEY_GENERATOR_CLASS = "hoodie.table.keygenerator.class";
/** Tables of version 8 and later name the generator so. */
const KEY_GENERATOR_TYPE = "hoodie.table.keygenerator.type";
/** How a complex key of one column is written; later releases of Hudi keep it under this name. */
export const COMPLEX_KEY_ENCODING = "hoodie.table.complex.keygenerator.encoding";
/** The partition columns with their kinds, which `hoodie.table.partition.fields` of version 6 lacks. */
export const PARTITION_KINDS = "hoodie.datasource.write.partitionpath.field";
export const LOGICAL_TIMESTAMPS =
  "hoodie.datasource.write.keygenerator.consistent.logical.timestamp.enabled";

const CLASSES =
  "SimpleKeyGenerator, ComplexKeyGenerator, NonpartitionedKeyGenerator, TimestampBasedKeyGenerator and CustomKeyGenerator are written";

const KINDS_BY_NAME: ReadonlyMap<string, KeyGeneratorKind> = new Map([
  ["SIMPLE", "simple"],
  ["COMPLEX", "complex"],
  ["NONPARTITIONED", "non-partitioned"],
  ["NON_PARTITION", "non-partitioned"],
  ["TIMESTAMPBASED", "timestamp"],
  ["TIMESTAMP", "timestamp"],
  ["CUSTOM", "custom"],
]);

/** What the key generator rests on besides the properties. */
export interface KeyColumns {
  readonly version: number;
  readonly recordKeyFields: readonly string[];
  /** As stored: names, of later versions with `:simple` or `:timestamp` behind them. */
  readonly partitionFields: readonly string[];
}

/** The key generator that properties mean; what cannot be used is told by `refusal`. */
export function parseKeyGenerator(
  properties: ReadonlyMap<string, string>,
  columns: KeyColumns,
): KeyGenerator {
  const { recordKeyFields } = columns;
  const names = columns.partitionFields.map((text) => text.split(":")[0] as string);
  const stated = properties.get(KEY_GENERATOR_CLASS) ?? properties.get(KEY_GENERATOR_TYPE) ?? "";
  const known = KINDS_BY_NAME.get(
    stated
      .replace(/^.*\./, "")
      .replace(/(Avro)?KeyGenerator$/, "")
      .toUpperCase(),
  );
  const kind = known ?? inferKind(recordKeyFields.length, columns.partitionFields);
  const partitions = findPartitions(properties, columns.partitionFields, kind);
  const base = {
    kind,
    keyText: findKeyText(properties, columns, kind),
    partitions: partitions ?? [],
    timestamps: undefined,
    hasLogicalTimestamps: properties.get(LOGICAL_TIMESTAMPS)?.toLowerCase() === "true",
  };
  const found = stated === "" || known ? undefined : `its key generator is ${stated}`;
  if (found !== undefined) return { ...base, partitions: [], refusal: [found, CLASSES] };
  if (!partitions) return { ...base, refusal: kindsUnknown(names) };
  const tooMany = findSurplus(kind, partitions.length);
  if (tooMany) return { ...base, partitions: [], refusal: tooMany };
  const misfit = findMisfit(kind, recordKeyFields.length);
  if (misfit) return { ...base, refusal: misfit };
  if (!partitions.some((partition) => partition.kind === "timestamp")) {
    return { ...base, refusal: undefined };
  }
  try {
    return { ...base, timestamps: parseTimestampSettings(properties), refusal: undefined };
  } catch (error) {
    if (!isHudiError(error, "INVALID")) throw error;
    return { ...base, refusal: [error.message, "only settings that are known are written"] };
  }
}

/** As Hudi infers it where nothing is stated. */
export function inferKind(keyCount: number, partitionFields: readonly string[]): KeyGeneratorKind {
  if (partitionFields.length === 0) return "non-partitioned";
  if (partitionFields.some((text) => text.includes(":"))) return "custom";
  return keyCount <= 1 && partitionFields.length === 1 ? "simple" : "complex";
}

/** The partition columns with their kinds; undefined where a custom generator does not tell them. */
function findPartitions(
  properties: ReadonlyMap<string, string>,
  stored: readonly string[],
  kind: KeyGeneratorKind,
): PartitionField[] | undefined {
  const texts = (properties.get(PARTITION_KINDS) ?? "").split(",").map((text) => text.trim());
  const isOther = kind !== "custom";
  const result: PartitionField[] = [];
  for (const [index, text] of stored.entries()) {
    const [name = "", own] = text.split(":");
    const [other, more] = texts[index]?.split(":") ?? [];
    const stated = (own ?? (other === name ? more : undefined))?.toLowerCase();
    if (isOther) result.push({ name, kind: kind === "timestamp" ? "timestamp" : "simple" });
    else if (stated === "simple" || stated === "timestamp") result.push({ name, kind: stated });
    else return undefined;
  }
  return result;
}

function kindsUnknown(names: readonly string[]): readonly [string, string] {
  const example = names.map((name) => `${name}:simple`).join(",");
  return [
    "its key generator is CustomKeyGenerator and nothing says which partition columns are timestamps",
    `open it with the property ${PARTITION_KINDS}, for example ${example}`,
  ];
}

function findKeyText(
  properties: ReadonlyMap<string, string>,
  { version, recordKeyFields }: KeyColumns,
  kind: KeyGeneratorKind,
): KeyGenerator["keyText"] {
  if (recordKeyFields.length > 1) return "fields";
  if (kind !== "complex") return "value";
  const stated = properties.get(COMPLEX_KEY_ENCODING)?.trim().toUpperCase();
  if (stated === "VALUE_ONLY") return "value";
  if (stated === "FIELD_PREFIXED" || version >= 9) return "fields";
  return "unknown";
}

function isSingle(kind: KeyGeneratorKind): boolean {
  return kind === "simple" || kind === "timestamp";
}

/** More partition columns than Hudi's generator of that kind can have. */
function findSurplus(
  kind: KeyGeneratorKind,
  partitionCount: number,
): readonly [string, string] | undefined {
  const most = kind === "non-partitioned" ? 0 : isSingle(kind) ? 1 : Number.POSITIVE_INFINITY;
  if (partitionCount <= most) return undefined;
  return [
    `its key generator is ${KEY_GENERATOR_CLASSES[kind]} and it has ${partitionCount} partition columns`,
    most === 0 ? "none is written with it" : "one is written with it",
  ];
}

/** A number of key columns that Hudi's generator of that kind cannot have. */
function findMisfit(
  kind: KeyGeneratorKind,
  keyCount: number,
): readonly [string, string] | undefined {
  if (keyCount === 0) return ["its record key has 0 fields", "one or more are written"];
  if (!isSingle(kind) || keyCount === 1) return undefined;
  return [
    `its key generator is ${KEY_GENERATOR_CLASSES[kind]} and its record key has ${keyCount} fields`,
    "one is written with it",
  ];
}
