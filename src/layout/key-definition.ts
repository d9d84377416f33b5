// The record key and the partitions that a caller asks for, checked.
// Rules: spec/format/record-key.md, RK-2, RK-10 to RK-14 and RK-18.
import { HudiError } from "../errors.ts";
import type { TableSchema } from "../format/schema.ts";
import {
  COMPLEX_KEY_ENCODING,
  inferKind,
  KEY_GENERATOR_CLASS,
  KEY_GENERATOR_CLASSES,
  type KeyGeneratorKind,
  LOGICAL_TIMESTAMPS,
  PARTITION_KINDS,
  parseKeyGenerator,
} from "./key-generator.ts";
import { requireKeyField } from "./key-text.ts";
import type { NewTableConfig } from "./table-config.ts";
import { type TimestampPartition, timestampProperties } from "./timestamp-settings.ts";
import { requireTimestampField } from "./timestamp-texts.ts";

/** A partition column: its values make the folders, or the points in time that they stand for do. */
export type PartitionColumn<Name extends string = string> = Name | TimestampPartition<Name>;

/** Keys and partitions of a new table. */
export interface KeyDefinition<Name extends string = string> {
  readonly recordKey: Name | readonly Name[];
  readonly partitionBy?: PartitionColumn<Name> | readonly PartitionColumn<Name>[] | undefined;
  readonly keyGenerator?: KeyGeneratorKind | undefined;
  readonly complexKeyEncoding?: "value-only" | "field-prefixed" | undefined;
  readonly consistentLogicalTimestamps?: boolean | undefined;
}

type KeyConfig = Pick<
  NewTableConfig,
  "recordKeyFields" | "partitionFields" | "keyGenerator" | "keyProperties"
>;

/** The key generator of a new table. Throws `INVALID` naming what is wrong. */
export function defineKeys(
  table: string,
  schema: TableSchema,
  definition: KeyDefinition,
): KeyConfig {
  const { recordKey, partitionBy = [], complexKeyEncoding = "value-only" } = definition;
  const recordKeyFields = requireNames(table, "record key", asList(recordKey));
  if (recordKeyFields.length === 0) throw invalid(table, "it has no record key, expected a column");
  for (const name of recordKeyFields) requireKeyField(schema, name, "record key");
  const columns = asList(partitionBy);
  const names = columns.map((column) => (typeof column === "object" ? column?.field : column));
  const partitionFields = requireNames(table, "partition column", names);
  const times = columns.filter((column) => typeof column === "object");
  for (const column of columns) {
    if (typeof column === "string") requirePartitionField(schema, column);
    else requireTimestampField(schema, column.field, column.type);
  }
  const kind = definition.keyGenerator ?? chooseKind(recordKeyFields.length, columns);
  const properties = new Map([
    ...propertiesOfTimes(table, times),
    ...kindProperties(kind, columns),
    ...(definition.consistentLogicalTimestamps ? [[LOGICAL_TIMESTAMPS, "true"] as const] : []),
  ]);
  if (kind === "complex" && recordKeyFields.length === 1) {
    properties.set(COMPLEX_KEY_ENCODING, formatEncoding(table, complexKeyEncoding));
  } else if (definition.complexKeyEncoding !== undefined) {
    throw invalid(
      table,
      "complexKeyEncoding is given, expected a complex key of one column with it",
    );
  }
  if (!Object.hasOwn(KEY_GENERATOR_CLASSES, kind)) {
    const known = Object.keys(KEY_GENERATOR_CLASSES).join(", ");
    throw invalid(table, `found key generator ${JSON.stringify(kind)}, expected ${known}`);
  }
  requireFit(table, kind, properties, recordKeyFields, partitionFields, times.length);
  return { recordKeyFields, partitionFields, keyGenerator: kind, keyProperties: [...properties] };
}

function asList<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? value : [value as T];
}

function requireNames(table: string, role: string, names: readonly unknown[]): string[] {
  const result: string[] = [];
  for (const name of names) {
    if (typeof name !== "string") {
      throw invalid(table, `found ${typeof name} as ${role}, expected the name of a column`);
    }
    if (result.includes(name)) throw invalid(table, `found ${role} ${name} twice, expected once`);
    result.push(name);
  }
  return result;
}

/** As Hudi infers it, but for points in time, which are asked for. */
function chooseKind(keyCount: number, columns: readonly PartitionColumn[]): KeyGeneratorKind {
  const names = columns.map((column) => (typeof column === "string" ? column : column.field));
  if (columns.every((column) => typeof column === "string")) return inferKind(keyCount, names);
  return keyCount === 1 && columns.length === 1 ? "timestamp" : "custom";
}

/** Hudi has one set of settings for all columns of a table. */
function propertiesOfTimes(
  table: string,
  times: readonly TimestampPartition[],
): readonly [string, string][] {
  const [first, ...others] = times.map((time) => timestampProperties(time));
  if (others.some((other) => String(other) !== String(first))) {
    throw invalid(
      table,
      "its timestamp-based partition columns differ in their settings, expected one for all, as Hudi keeps them",
    );
  }
  return first ?? [];
}

/** Version 6 keeps the names of partition columns only: of a custom generator their kinds stand beside them. */
function kindProperties(
  kind: KeyGeneratorKind,
  columns: readonly PartitionColumn[],
): readonly [string, string][] {
  if (kind !== "custom") return [];
  const texts = columns.map((column) =>
    typeof column === "string" ? `${column}:simple` : `${column.field}:timestamp`,
  );
  return [[PARTITION_KINDS, texts.join(",")]];
}

function formatEncoding(table: string, encoding: unknown): string {
  if (encoding === "value-only") return "VALUE_ONLY";
  if (encoding === "field-prefixed") return "FIELD_PREFIXED";
  throw invalid(
    table,
    `complexKeyEncoding is ${JSON.stringify(encoding)}, expected value-only or field-prefixed`,
  );
}

/** What is written has to be read back as it was meant. */
function requireFit(
  table: string,
  kind: KeyGeneratorKind,
  properties: ReadonlyMap<string, string>,
  recordKeyFields: readonly string[],
  partitionFields: readonly string[],
  timeCount: number,
): void {
  const stored = new Map(properties).set(KEY_GENERATOR_CLASS, KEY_GENERATOR_CLASSES[kind]);
  const columns = { version: 6, recordKeyFields, partitionFields };
  const { refusal, partitions } = parseKeyGenerator(stored, columns);
  if (refusal) throw invalid(table, refusal.join("; "));
  const found = partitions.filter((partition) => partition.kind === "timestamp").length;
  const isSingle = kind === "simple" || kind === "timestamp";
  if (found === timeCount && (!isSingle || partitionFields.length === 1)) return;
  throw invalid(
    table,
    `key generator ${kind} does not go with its partition columns, expected ${kind === "timestamp" ? "one with a type and an output format" : "the custom or the timestamp one for points in time"}`,
  );
}

function invalid(table: string, fact: string): HudiError {
  return new HudiError("INVALID", `cannot create table ${table}: ${fact}`);
}

/** A timestamp makes folders that Spark reads as null and that Presto refuses. */
function requirePartitionField(schema: TableSchema, name: string): void {
  const { type } = requireKeyField(schema, name, "partition column");
  if (type.kind !== "timestamp-micros") return;
  throw new HudiError(
    "INVALID",
    `cannot use column ${name} as partition column: found type timestamp-micros, which engines do not read back from a folder; partition by a date or a text`,
  );
}
