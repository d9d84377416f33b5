// The write calls of a table: turns what a caller hands in into write requests.
import { HudiError } from "../errors.ts";
import { loadTableSchema } from "../file-group/table-schema.ts";
import { type ColumnBatch, emptyBatch } from "../format/column-batch.ts";
import type { TableSchema } from "../format/schema.ts";
import type { Change } from "../layout/change.ts";
import { topColumn } from "../layout/key-text.ts";
import { findNeededChanges } from "../layout/needed-changes.ts";
import { rowPartitions } from "../layout/partition-path.ts";
import type { EngineName } from "../layout/reader-limits.ts";
import { isGlobalIndex, type TableConfig } from "../layout/table-config.ts";
import { requireDataPath } from "../layout/table-paths.ts";
import { runInTurns } from "../runtime/steps.ts";
import { loadActiveTimeline } from "../timeline/active-timeline.ts";
import { BatchCollector, describeRow } from "./batch-collector.ts";
import { type IncomingRecords, keyRecords } from "./incoming-records.ts";
import { settleKeyText } from "./key-text-probe.ts";
import type { OperationType } from "./operation-type.ts";
import {
  readChangeSource,
  readKeySource,
  readPartialSource,
  readRowSource,
  type Source,
} from "./row-source.ts";
import { planSchemaChange } from "./schema-plan.ts";
import {
  type Commit,
  executeWrite,
  type WriteEnvironment,
  type WriteRequest,
} from "./write-operation.ts";

/** Options of a write. */
export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  /** Kept in the commit's extra metadata, atomically with the rows. */
  readonly checkpoint?: Readonly<Record<string, string>> | undefined;
}

/** Options of a write that brings rows. */
export interface RowWriteOptions extends WriteOptions {
  /**
   * Columns of the rows, with their types as in the field list of a definition. Those that the table
   * lacks are added to its end, wider types are taken over and nulls allowed, all in the commit of
   * the rows. Refused as `evolve` would refuse it; with another writer's change it is a `CONFLICT`.
   */
  readonly evolve?: Readonly<Record<string, string>> | undefined;
  /** Engines that must read the table after such a change; default all that are known. */
  readonly readers?: readonly EngineName[] | undefined;
}

/** Options of an upsert. */
export interface UpsertOptions extends RowWriteOptions {
  /** Rows may leave columns out, which keep their stored values. Missing is not null. */
  readonly partial?: boolean | undefined;
}

/** Refuses to write where this library cannot keep the table whole. Throws `UNSUPPORTED`. */
export function requireWritable(environment: WriteEnvironment): void {
  environment.requireOpen();
  const { config, storage } = environment.context;
  const refuse = (found: string, remedy: string): never => {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot write table ${storage.location}: ${found}; ${remedy}`,
    );
  };
  if (config.version !== 6)
    refuse(`it has version ${config.version}`, "only version 6 is written, read it instead");
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
  refuseUnknownIndex(config, refuse);
  refuseForeignFeatures(config, refuse);
  refuseUnknownKeys(config, refuse);
}

/** Keys that cannot be made as other engines make them. */
function refuseUnknownKeys(
  config: TableConfig,
  refuse: (found: string, remedy: string) => never,
): void {
  const { keyGenerator, partitionFields, index } = config;
  if (keyGenerator.refusal) refuse(...keyGenerator.refusal);
  const { timestamps } = keyGenerator;
  if (timestamps && timestamps.type === undefined) {
    refuse(
      "nothing says what the timestamps of its partition column are",
      'open it with the property hoodie.keygen.timebased.timestamp.type, for example "EPOCHMILLISECONDS"',
    );
  }
  const nested = partitionFields.find((name) => name !== topColumn(name));
  if (isGlobalIndex(config) && index.updatePartitionPath === false && nested !== undefined) {
    refuse(
      `its index leaves keys where they are and its partition column ${nested} lies in a struct`,
      "one that moves keys is written",
    );
  }
}

function refuseUnknownIndex(
  { properties, index }: TableConfig,
  refuse: (found: string, remedy: string) => never,
): void {
  const type = properties.get("hoodie.index.type")?.toUpperCase() ?? "";
  const known = ["", "BLOOM", "SIMPLE", "GLOBAL_BLOOM", "GLOBAL_SIMPLE", "BUCKET"];
  if (!known.includes(type)) {
    refuse(`its index is ${type}`, `${known.slice(1).join(", ")} are written`);
  }
  if (index.kind !== "bucket") return;
  const engine = properties.get("hoodie.index.bucket.engine")?.toUpperCase() ?? "SIMPLE";
  if (engine !== "SIMPLE") {
    refuse(`the engine of its bucket index is ${engine}`, "SIMPLE is written");
  }
  if (index.buckets === undefined) {
    refuse(
      "it does not say how many buckets its index has",
      "expected hoodie.bucket.index.num.buckets in its properties",
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

/** Writes rows: `UPSERT` by key, the others without a look-up. */
export async function writeRows(
  environment: WriteEnvironment,
  operation: Exclude<OperationType, "DELETE" | "DELETE_PARTITION" | "ALTER_SCHEMA">,
  rows: Source<unknown>,
  options: RowWriteOptions,
): Promise<Commit> {
  requireWritable(environment);
  const { signal } = options;
  const { config, schema, known, evolution } = await loadStart(environment, options);
  // A bucket takes its rows at once: it may get one file in a commit only.
  const isBucketed = config.index.kind === "bucket";
  const folds = operation === "UPSERT" || (isBucketed && !operation.startsWith("INSERT_OVERWRITE"));
  const isWhole = operation === "UPSERT" || isBucketed;
  const batches = readRowSource(rows, {
    schema,
    signal,
    ...(isWhole ? {} : { batchBytes: environment.settings.insertBatchBytes }),
  });
  let firstRow = 0;
  const key = async (batch: ColumnBatch): Promise<IncomingRecords> => {
    const offset = firstRow;
    firstRow += batch.rowCount;
    const name = (row: number): string => describeRow(offset + row);
    const fold = folds ? "latest" : "none";
    return keyRecords({ config, batch, fold, describeRow: name }, signal);
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
      evolution,
      records: await key(first),
      rest: isWhole ? undefined : rest(),
      extraMetadata,
      signal,
    });
  } finally {
    // Closes the source of a write that failed before it had read all of it.
    await batches.return(undefined);
  }
}

/** Writes rows by key that may lack columns, which then stay as they are stored. */
export async function upsertPartial(
  environment: WriteEnvironment,
  rows: Source<unknown>,
  options: RowWriteOptions,
): Promise<Commit> {
  requireWritable(environment);
  const { signal } = options;
  const { config, schema, known, evolution } = await loadStart(environment, options);
  const { batch, shapes } = await readPartialSource(rows, config, { schema, signal });
  return executeWrite(environment, {
    operation: "UPSERT",
    schema,
    known,
    evolution,
    records: await keyRecords({ config, batch, shapes, fold: "latest", describeRow }, signal),
    extraMetadata: checkpointEntries(options),
    signal,
  });
}

/** Deletes rows by key, whatever their ordering value. */
export async function deleteRows(
  environment: WriteEnvironment,
  keys: Source<unknown>,
  options: WriteOptions,
): Promise<Commit> {
  requireWritable(environment);
  const { signal } = options;
  const { config, schema, known } = await loadStart(environment, { signal });
  const batch = await readKeySource(keys, config, { schema, signal });
  const deletes = new Uint8Array(batch.rowCount).fill(1);
  const records = await keyRecords(
    { config, batch, deletes, fold: "in-order", describeRow },
    signal,
  );
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

/** Partitions to delete: their paths as they are stored, or values of the partition columns. */
export type PartitionList = Iterable<string | Readonly<Record<string, unknown>>>;

/** Removes every row of partitions; one that is not there is no error. */
export async function deletePartitions(
  environment: WriteEnvironment,
  partitions: PartitionList,
  options: WriteOptions,
): Promise<Commit> {
  requireWritable(environment);
  const { signal } = options;
  const { config, schema, known } = await loadStart(environment, { signal });
  const paths = await resolvePartitions(config, schema, partitions, signal);
  const batch = emptyBatch(schema);
  return executeWrite(environment, {
    operation: "DELETE_PARTITION",
    schema,
    known,
    records: await keyRecords({ config, batch, fold: "none", describeRow }, signal),
    partitions: paths,
    extraMetadata: checkpointEntries(options),
    signal,
  });
}

/** The paths of the partitions that are named, each once. Throws `INVALID` for what names none. */
async function resolvePartitions(
  config: TableConfig,
  schema: TableSchema,
  partitions: PartitionList,
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const refuse = (what: string, fact: string): never => {
    throw new HudiError("INVALID", `cannot delete ${what}: ${fact}`);
  };
  const { partitionFields } = config;
  if (partitionFields.length === 0) {
    refuse("partitions", "the table has none; insertOverwriteTable of no rows empties it");
  }
  if (typeof partitions === "string" || !(Symbol.iterator in Object(partitions))) {
    refuse("partitions", `found ${typeof partitions}, expected a list of paths or of values`);
  }
  const paths: string[] = [];
  const values = new BatchCollector(schema, (row) => `partition ${row} of those given by value`);
  const required = new Set(partitionFields.map(topColumn));
  for (const partition of partitions) {
    if (typeof partition !== "string") {
      const surplus = Object.keys(partition ?? {}).find((name) => !required.has(name));
      if (surplus !== undefined) {
        const expected = partitionFields.join(", ");
        refuse("partitions", `found a value of ${surplus}, expected ${expected}`);
      }
      values.appendPartial(partition, required);
    } else if (!isPartitionPath(partition)) {
      refuse(`partition ${JSON.stringify(partition)}`, "expected the path of a partition folder");
    } else paths.push(partition);
  }
  const batch = await values.flush(signal);
  const named = await runInTurns(rowPartitions(batch, config, describeRow), signal);
  return [...new Set([...paths, ...named.paths])];
}

function isPartitionPath(path: string): boolean {
  try {
    return requireDataPath(path, "partitions") === path;
  } catch {
    return false;
  }
}

/** Applies changes in order, in one commit. */
export async function applyChanges(
  environment: WriteEnvironment,
  changes: Source<Change<Record<string, unknown>>>,
  options: RowWriteOptions,
): Promise<Commit> {
  requireWritable(environment);
  const { signal } = options;
  const { config, schema, known, evolution } = await loadStart(environment, options);
  const { batch, shapes, deletes, changeOfRow } = await readChangeSource(changes, config, {
    schema,
    signal,
  });
  const name = (row: number): string => `change ${changeOfRow[row]}`;
  const records = await keyRecords(
    { config, batch, shapes, deletes, fold: "in-order", describeRow: name },
    signal,
  );
  return executeWrite(environment, {
    operation: "UPSERT",
    schema,
    known,
    evolution,
    records,
    extraMetadata: checkpointEntries(options),
    signal,
  });
}

interface WriteStart extends Pick<WriteRequest, "schema" | "known" | "evolution"> {
  readonly config: TableConfig;
}

/**
 * Where a write starts from: one listing, the schema of the newest commit, changed if asked, and how
 * keys are written.
 */
async function loadStart(
  { context }: WriteEnvironment,
  { evolve, readers, signal }: RowWriteOptions,
): Promise<WriteStart> {
  const known = await loadActiveTimeline(context, signal);
  const schema = await loadTableSchema(context, known, undefined, signal);
  const config = await settleKeyText(context, known, signal);
  const changes = evolve === undefined ? [] : findNeededChanges(schema, evolve);
  if (changes.length === 0) return { config, schema, known };
  const plan = await planSchemaChange(context, known, changes, { readers, signal });
  return { config, schema: plan.schema, known, evolution: plan };
}

/** What a commit keeps besides its own; throws `INVALID` for an entry that it cannot. */
export function checkpointEntries(options: WriteOptions): ReadonlyMap<string, string> {
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
