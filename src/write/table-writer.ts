// The write calls of a table: turns what a caller hands in into write requests.
import { HudiError } from "../errors.ts";
import { loadTableSchema } from "../file-group/table-schema.ts";
import type { ColumnBatch } from "../format/column-batch.ts";
import type { TableSchema } from "../format/schema.ts";
import type { TableConfig } from "../layout/table-config.ts";
import { type ActiveTimeline, loadActiveTimeline } from "../timeline/active-timeline.ts";
import { describeRow } from "./batch-collector.ts";
import { type IncomingRecords, keyRecords } from "./incoming-records.ts";
import {
  type Change,
  readChangeSource,
  readKeySource,
  readRowSource,
  type Source,
} from "./row-source.ts";
import { type Commit, executeWrite, type WriteEnvironment } from "./write-operation.ts";

/** Options of a write. */
export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Kept in the commit's extra metadata, atomically with the rows. */
  readonly checkpoint?: Readonly<Record<string, string>> | undefined;
}

/** Refuses to write where this library cannot keep the table whole. Throws `UNSUPPORTED`. */
export function requireWritable(environment: WriteEnvironment): void {
  const { config, storage } = environment.context;
  const refuse = (found: string, remedy: string): never => {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot write table ${storage.location}: ${found}; ${remedy}`,
    );
  };
  if (config.version !== 6)
    refuse(`it has version ${config.version}`, "only version 6 is written, read it instead");
  if (config.type !== "copy-on-write")
    refuse("it is merge-on-read", "only copy-on-write is written");
  if (config.metadataPartitions.length > 0) {
    refuse(
      `it has a metadata table (${config.metadataPartitions.join(", ")}), which this library does not maintain`,
      'open it with metadataTable: "drop" to switch that off',
    );
  }
  if (!config.populatesMetaFields)
    refuse("hoodie.populate.meta.fields is false", "rows could not be found again");
  if (!config.keepsPartitionColumns)
    refuse("it drops partition columns", "only tables that keep them are written");
  if (config.index.kind === "bucket") refuse("its index is bucket", "bloom and simple are written");
  if (config.recordKeyFields.length !== 1) {
    refuse(`its record key has ${config.recordKeyFields.length} fields`, "one is written");
  }
  if (config.partitionFields.length > 1) {
    refuse(`it has ${config.partitionFields.length} partition columns`, "one or none is written");
  }
  refuseForeignFeatures(config, refuse);
  const keyGenerator = config.properties.get("hoodie.table.keygenerator.class") ?? "";
  if (keyGenerator !== "" && !/\.(Simple|Nonpartitioned)(Avro)?KeyGenerator$/.test(keyGenerator)) {
    refuse(
      `its key generator is ${keyGenerator}`,
      "SimpleKeyGenerator and NonpartitionedKeyGenerator are written",
    );
  }
}

const OVERWRITE = "OverwriteWithLatestAvroPayload";

/** Features that other engines keep up in every commit, and that this library would leave behind. */
function refuseForeignFeatures(
  { properties, orderingField, baseFileFormat }: TableConfig,
  refuse: (found: string, remedy: string) => never,
): void {
  const value = (key: string): string => properties.get(key) ?? "";
  if (baseFileFormat !== "PARQUET")
    refuse(`its base files are ${baseFileFormat}`, "PARQUET is written");
  if (value("hoodie.table.cdc.enabled").toLowerCase() === "true") {
    refuse("hoodie.table.cdc.enabled is true", "change files are not written");
  }
  if (value("hoodie.bootstrap.base.path") !== "") {
    refuse("it was bootstrapped", "only tables that hold their own rows are written");
  }
  const index = value("hoodie.index.type").toUpperCase();
  if (!["", "BLOOM", "SIMPLE", "BUCKET"].includes(index)) {
    refuse(`its index is ${index}`, "bloom and simple are written");
  }
  const payload = value("hoodie.compaction.payload.class");
  const isKnown = ["", "DefaultHoodieRecordPayload", "EventTimeAvroPayload", OVERWRITE].some(
    (name) => (name === "" ? payload === "" : payload.endsWith(`.${name}`)),
  );
  if (!isKnown) refuse(`its payload is ${payload}`, "DefaultHoodieRecordPayload is written");
  if (payload.endsWith(`.${OVERWRITE}`) && orderingField !== undefined) {
    refuse(
      `its payload is ${payload}, which replaces newer rows by older ones`,
      "DefaultHoodieRecordPayload is written where there is an ordering field",
    );
  }
}

/** Writes rows: `UPSERT` by key, `INSERT` and `BULK_INSERT` without a look-up. */
export async function writeRows(
  environment: WriteEnvironment,
  operation: "UPSERT" | "INSERT" | "BULK_INSERT",
  rows: Source<unknown>,
  options: WriteOptions,
): Promise<Commit> {
  requireWritable(environment);
  const { signal } = options;
  const { schema, known } = await loadStart(environment, signal);
  const isUpsert = operation === "UPSERT";
  const batches = readRowSource(rows, {
    schema,
    signal,
    ...(isUpsert ? {} : { batchBytes: environment.settings.insertBatchBytes }),
  });
  let firstRow = 0;
  const key = async (batch: ColumnBatch): Promise<IncomingRecords> => {
    const offset = firstRow;
    firstRow += batch.rowCount;
    const { config } = environment.context;
    const name = (row: number): string => describeRow(offset + row);
    return keyRecords({ config, batch, fold: isUpsert, describeRow: name }, signal);
  };
  async function* rest(): AsyncGenerator<IncomingRecords> {
    for await (const batch of batches) yield await key(batch);
  }
  const extraMetadata = checkpointEntries(options);
  try {
    const first = (await batches.next()).value as ColumnBatch;
    return await executeWrite(environment, {
      operation,
      schema,
      known,
      records: await key(first),
      rest: isUpsert ? undefined : rest(),
      extraMetadata,
      signal,
    });
  } finally {
    // Closes the source of a write that failed before it had read all of it.
    await batches.return(undefined);
  }
}

/** Deletes rows by key, whatever their ordering value. */
export async function deleteRows(
  environment: WriteEnvironment,
  keys: Source<unknown>,
  options: WriteOptions,
): Promise<Commit> {
  requireWritable(environment);
  const { signal } = options;
  const { config } = environment.context;
  const { schema, known } = await loadStart(environment, signal);
  const batch = await readKeySource(keys, config, { schema, signal });
  const deletes = new Uint8Array(batch.rowCount).fill(1);
  const records = await keyRecords({ config, batch, deletes, fold: true, describeRow }, signal);
  const forced = { ...records.entries, thresholdRows: records.entries.thresholdRows.map(() => -1) };
  return executeWrite(environment, {
    operation: "DELETE",
    schema,
    known,
    records: { ...records, entries: forced },
    extraMetadata: checkpointEntries(options),
    signal,
  });
}

/** Applies changes in order, in one commit. */
export async function applyChanges(
  environment: WriteEnvironment,
  changes: Source<Change<Record<string, unknown>>>,
  options: WriteOptions,
): Promise<Commit> {
  requireWritable(environment);
  const { signal } = options;
  const { config } = environment.context;
  const { schema, known } = await loadStart(environment, signal);
  const { batch, deletes, changeOfRow } = await readChangeSource(changes, config, {
    schema,
    signal,
  });
  const name = (row: number): string => `change ${changeOfRow[row]}`;
  const records = await keyRecords(
    { config, batch, deletes, fold: true, describeRow: name },
    signal,
  );
  return executeWrite(environment, {
    operation: "UPSERT",
    schema,
    known,
    records,
    extraMetadata: checkpointEntries(options),
    signal,
  });
}

/** Where a write starts from: one listing, and the schema of the newest commit. */
async function loadStart(
  environment: WriteEnvironment,
  signal: AbortSignal | undefined,
): Promise<{ readonly schema: TableSchema; readonly known: ActiveTimeline }> {
  const known = await loadActiveTimeline(environment.context, signal);
  const schema = await loadTableSchema(environment.context, known, undefined, signal);
  return { schema, known };
}

function checkpointEntries(options: WriteOptions): ReadonlyMap<string, string> {
  const entries = Object.entries(options.checkpoint ?? {});
  for (const [key, value] of entries) {
    if (typeof value === "string" && key !== "schema") continue;
    throw new HudiError(
      "INVALID",
      `cannot keep checkpoint entry ${key}: expected a text under a key other than schema`,
    );
  }
  return new Map(entries);
}
