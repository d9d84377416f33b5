// Writes the JSON files of Presto's file metastore, so that its `hudi` connector finds a Hudi table
// that exists already. Plain DDL cannot do it: the connector knows a Hudi table by an input format
// that no `CREATE TABLE` of Presto gives.

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { META_FIELDS } from "../../../src/layout/record-key.ts";

import type { EngineColumn } from "./engine-rows.ts";

/** The schema of all tables that are registered without one of their own. */
export const PRESTO_SCHEMA = "lake";

/** One partition of a table. */
export interface PrestoPartition {
  /**
   * The values of the partition columns, unescaped; null for Hive's default partition. Presto takes
   * the columns' values from here alone, never from the data files.
   */
  readonly values: readonly (string | null)[];
  /** The partition's folder below the table, as it is on storage. */
  readonly path: string;
}

/** How the connector reads a table. `real-time` merges log files, the others read base files. */
export type PrestoQueryKind = "copy-on-write" | "read-optimized" | "real-time";

/** A Hudi table as Presto shall see it. */
export interface PrestoTable {
  /** The table's name in lower case. */
  readonly name: string;
  /** The table's folder: an absolute path, or a URI such as `s3://bucket/table`. */
  readonly location: string;
  /** All data columns, partition columns included; the five `_hoodie_` columns are added. */
  readonly columns: readonly EngineColumn[];
  /** The partition columns in order; those that are no data columns are strings. */
  readonly partitionColumns?: readonly string[];
  /** The partitions; needed with partition columns. `findPartitioning` gives both for a local table. */
  readonly partitions?: readonly PrestoPartition[];
  /** `copy-on-write` by default. */
  readonly kind?: PrestoQueryKind;
}

const SCHEMA_FILE = ".prestoSchema";
const METAFILE = /^\.hoodie_partition_metadata(\.\w+)?$/;
const DEFAULT_PARTITION = "__HIVE_DEFAULT_PARTITION__";

/** Creates an empty schema in the metastore folder. */
export async function createPrestoSchema(
  metastorePath: string,
  schema: string = PRESTO_SCHEMA,
): Promise<void> {
  const path = join(metastorePath, schema);
  await mkdir(path, { recursive: true });
  await writeJson(path, { ownerName: "hudi-lake", ownerType: "USER", parameters: {} });
}

/** Registers a table, or replaces its registration: columns, partitions and all. */
export async function registerPrestoTable(
  metastorePath: string,
  table: PrestoTable,
  schema: string = PRESTO_SCHEMA,
): Promise<void> {
  const path = join(metastorePath, schema, table.name);
  const { dataColumns, partitionColumns } = formatHiveColumns(table);
  const storage = describeStorage(table.kind ?? "copy-on-write");
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true });
  for (const partition of table.partitions ?? []) {
    const folder = formatPartitionFolder(table, partition);
    await mkdir(join(path, folder), { recursive: true });
    await writeJson(join(path, folder), {
      columns: dataColumns,
      parameters: {},
      ...storage,
      externalLocation: formatLocation(table.location, partition.path),
      columnStatistics: {},
      eligibleToIgnore: false,
      sealedPartition: true,
    });
  }
  await writeJson(path, {
    owner: "hudi-lake",
    tableType: "EXTERNAL_TABLE",
    dataColumns,
    partitionColumns,
    parameters: { EXTERNAL: "TRUE" },
    ...storage,
    externalLocation: formatLocation(table.location, ""),
    columnStatistics: {},
  });
}

/** The columns of a table in Hive's types, those of its data files and those of its folders. */
export function formatHiveColumns(table: PrestoTable): {
  readonly dataColumns: readonly EngineColumn[];
  readonly partitionColumns: readonly EngineColumn[];
} {
  const columns = [
    ...META_FIELDS.map((name) => ({ name, type: "string" })),
    ...table.columns.map(({ name, type }) => ({ name, type: formatHiveType(name, type) })),
  ];
  const names = table.partitionColumns ?? [];
  const dataColumns = columns.filter(({ name }) => !names.includes(name));
  const partitionColumns = names.map(
    (name) => columns.find((column) => column.name === name) ?? { name, type: "string" },
  );
  return { dataColumns, partitionColumns };
}

/** The folder of the metastore that stands for a partition. */
export function formatPartitionFolder(table: PrestoTable, partition: PrestoPartition): string {
  return (table.partitionColumns ?? [])
    .map((name, at) => `${name}=${escapePartition(partition.values[at] ?? null)}`)
    .join("/");
}

/** A partition column for folders that hold the value of no column. */
const FOLDER_COLUMN = "lake_folder";

/**
 * The partition columns of a local table, from its `hoodie.properties`, and its partitions; or one
 * column (`asFolders`) that holds the path of the folder.
 */
export async function findPartitioning(
  tablePath: string,
  asFolders = false,
): Promise<{
  readonly partitionColumns?: readonly string[];
  readonly partitions?: PrestoPartition[];
}> {
  const text = await readFile(join(tablePath, ".hoodie", "hoodie.properties"), "utf8");
  const isSet = (key: string, value: string): boolean =>
    text.split("\n").includes(`${key}=${value}`);
  const fields = /^hoodie\.table\.partition\.fields=(\S+)/m.exec(text)?.[1]?.split(",") ?? [];
  if (fields.length === 0) return {};
  const isHive = isSet("hoodie.datasource.write.hive_style_partitioning", "true");
  const isEscaped = isSet("hoodie.datasource.write.partitionpath.urlencode", "true");
  const entries = await readdir(tablePath, { recursive: true, withFileTypes: true });
  const partitions = entries
    .filter((entry) => entry.isFile() && METAFILE.test(entry.name))
    .map((entry) => relative(tablePath, entry.parentPath).split(sep).join("/"))
    .sort()
    .map((path): PrestoPartition => {
      if (asFolders) return { path, values: [path] };
      const parts = fields.length === 1 ? [path] : path.split("/");
      const values = fields.map((name, at) =>
        parsePartitionValue(parts[at]?.slice(isHive ? name.length + 1 : 0) ?? "", isEscaped),
      );
      return { path, values };
    });
  return { partitionColumns: asFolders ? [FOLDER_COLUMN] : fields, partitions };
}

function parsePartitionValue(text: string, isEscaped: boolean): string | null {
  if (text === DEFAULT_PARTITION) return null;
  if (!isEscaped) return text;
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
}

/** The class by which Hive, Presto and Trino know how a Hudi table is read. */
export function hudiInputFormat(kind: PrestoQueryKind = "copy-on-write"): string {
  const name =
    kind === "real-time" ? "realtime.HoodieParquetRealtimeInputFormat" : "HoodieParquetInputFormat";
  return `org.apache.hudi.hadoop.${name}`;
}

function describeStorage(kind: PrestoQueryKind): object {
  return {
    storageFormat: {
      serDe: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
      inputFormat: hudiInputFormat(kind),
      outputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    },
    storageParameters: {},
    serdeParameters: { "hoodie.query.as.ro.table": String(kind === "read-optimized") },
  };
}

function formatHiveType(name: string, type: string): string {
  if (type === "long") return "bigint";
  if (/^(array|map|struct)</.test(type)) return type;
  if (/^(string|boolean|int|float|double|date|timestamp|binary|decimal\(\d+,\d+\))$/.test(type)) {
    return type;
  }
  throw new Error(`cannot register column ${name}: no Hive type for ${type}`);
}

// A Hadoop path, not a URL: a space or a percent sign stands for itself.
function formatLocation(location: string, path: string): string {
  const base = location.startsWith("/") ? `file:${location}` : location;
  return path === "" ? base : `${base.replace(/\/+$/, "")}/${path}`;
}

/** Hive's escaping of partition names, which Presto and Trino undo when they list the folders. */
function escapePartition(value: string | null): string {
  if (value === null || value === "") return DEFAULT_PARTITION;
  return Array.from(value, (char) =>
    /["#%'*/:=?\\{[\]^]/.test(char) || char < " " || char === "\x7f"
      ? `%${char.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`
      : char,
  ).join("");
}

async function writeJson(folder: string, value: object): Promise<void> {
  await writeFile(join(folder, SCHEMA_FILE), `${JSON.stringify(value, null, 2)}\n`);
}
