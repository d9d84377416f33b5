// Writes the JSON files of Trino's file metastore, so that its `hudi` connector finds a Hudi table
// that exists already: the connector itself makes no tables.

import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

import {
  formatHiveColumns,
  formatPartitionFolder,
  hudiInputFormat,
  PRESTO_SCHEMA,
  type PrestoTable,
} from "./presto-metastore.ts";

const SCHEMA_FILE = ".trinoSchema";

/** Creates an empty schema in the metastore folder. */
export async function createTrinoSchema(
  metastorePath: string,
  schema: string = PRESTO_SCHEMA,
): Promise<void> {
  await mkdir(join(metastorePath, schema), { recursive: true });
  await writeJson(join(metastorePath, `.${schema}${SCHEMA_FILE}`), {
    ownerName: "hudi-lake",
    ownerType: "USER",
    parameters: {},
  });
}

/** Registers a table, or replaces its registration: columns, partitions and all. */
export async function registerTrinoTable(
  metastorePath: string,
  table: PrestoTable,
  schema: string = PRESTO_SCHEMA,
): Promise<void> {
  const path = join(metastorePath, schema, table.name);
  const { dataColumns, partitionColumns } = formatHiveColumns(table);
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true });
  for (const partition of table.partitions ?? []) {
    const folder = formatPartitionFolder(table, partition);
    await mkdir(join(path, folder), { recursive: true });
    await writeJson(join(path, folder, SCHEMA_FILE), {
      columns: dataColumns.map((column) => ({ ...column, properties: {} })),
      parameters: {},
      storageFormat: "PARQUET",
      serdeParameters: {},
      externalLocation: formatLocation(table.location, partition.path),
      columnStatistics: {},
    });
  }
  await writeJson(join(path, SCHEMA_FILE), {
    owner: "hudi-lake",
    tableType: "EXTERNAL_TABLE",
    dataColumns,
    partitionColumns,
    parameters: { EXTERNAL: "TRUE" },
    originalStorageFormat: {
      serde: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe",
      inputFormat: hudiInputFormat(table.kind),
      outputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
    },
    serdeParameters: {},
    externalLocation: formatLocation(table.location, ""),
    columnStatistics: {},
  });
}

// Trino's local file system takes such a path as it is: a space or a percent sign stands for itself.
function formatLocation(location: string, path: string): string {
  const base = location.startsWith("/") ? `local://${location}` : location;
  return path === "" ? base : `${base.replace(/\/+$/, "")}/${path}`;
}

async function writeJson(path: string, value: object): Promise<void> {
  await writeFile(path, `${JSON.stringify(value, null, 2)}\n`);
}
