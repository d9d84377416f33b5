// Every write as one straight line: key, begin, tag, plan, write, complete; and again from fresh state
// when another writer won. Rules: spec/protocol/commit.md.
import { HudiError } from "../errors.ts";
import type { WrittenFile } from "../file-group/base-file-writer.ts";
import { type FileSystemView, loadFileSystemView } from "../file-group/file-system-view.ts";
import { loadTableSchema, rememberTableSchema } from "../file-group/table-schema.ts";
import type { TaskRunner } from "../file-group/task-runner.ts";
import { formatAvroSchema, isSameSchema } from "../format/avro-schema.ts";
import { requireField, type TableSchema } from "../format/schema.ts";
import { isGlobalIndex } from "../layout/table-config.ts";
import { logMarkerPath, markerPath, splitDataPath } from "../layout/table-paths.ts";
import type { ActiveTimeline } from "../timeline/active-timeline.ts";
import { formatCommitMetadata, formatWorkloadProfile } from "../timeline/commit-metadata.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { requireNamedIndex, touchedBuckets } from "./bucket-plan.ts";
import { checkConflicts } from "./conflict-check.ts";
import type { IncomingRecords } from "./incoming-records.ts";
import { removeWrittenFiles } from "./marker-files.ts";
import { type OperationType, operationAction, operationTraits } from "./operation-type.ts";
import { createPartitionMetafiles } from "./partition-metafiles.ts";
import { type PreparedWrite, planWrite } from "./plan-write.ts";
import {
  loadReplacedGroups,
  type ReplacedGroups,
  replacedKeys,
  replacedScope,
} from "./replaced-groups.ts";
import { retryConflicts } from "./retry-conflicts.ts";
import { refuseLeftovers, type SchemaPlan } from "./schema-plan.ts";
import { WriteTransaction } from "./transaction.ts";
import { loggedGroups, planWork, touchedGroups, type WorkPlan } from "./work-plan.ts";
import { WriteConflict } from "./write-conflict.ts";
import { writeFileGroups } from "./write-file-groups.ts";
import { groupStats, profileOf } from "./write-report.ts";
import type { WriteSettings } from "./write-settings.ts";

/** One write. */
export interface WriteRequest {
  readonly operation: OperationType;
  /** Columns of the table, as the commit records them. */
  readonly schema: TableSchema;
  /** Where the write changes the columns: those that it starts from, and how they change. */
  readonly evolution?: Pick<SchemaPlan, "base" | "effects"> | undefined;
  readonly records: IncomingRecords;
  /** The timeline as of a moment ago. */
  readonly known: ActiveTimeline;
  /** More rows of an insert, each batch to new file groups; they can be read once only. */
  readonly rest?: AsyncIterable<IncomingRecords> | undefined;
  /** Partitions that are replaced whether or not rows belong to them. */
  readonly partitions?: readonly string[] | undefined;
  /** Keys and values kept in the commit, such as offsets of a source. */
  readonly extraMetadata?: ReadonlyMap<string, string> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A completed write. Rows of file groups that were replaced as a whole are in none of the counts. */
export interface Commit {
  readonly instant: string;
  readonly action: "commit" | "deltacommit" | "replacecommit";
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
}

/** What writing stands on. */
export interface WriteEnvironment {
  readonly context: TableContext;
  readonly runner: TaskRunner;
  readonly settings: WriteSettings;
  /** Throws `INVALID` once the table was closed. */
  readonly requireOpen: () => void;
}

/** Carries a write out, trying again under a new instant while other writers win. */
export async function executeWrite(
  environment: WriteEnvironment,
  request: WriteRequest,
): Promise<Commit> {
  const attempt = (known: ActiveTimeline, number: number): Promise<Commit> =>
    attemptWrite(environment, request, known, number);
  return retryConflicts(environment, request.known, attempt, request.signal);
}

async function attemptWrite(
  environment: WriteEnvironment,
  request: WriteRequest,
  known: ActiveTimeline,
  attempt: number,
): Promise<Commit> {
  const { context, settings } = environment;
  const { signal } = request;
  const action = operationAction(request.operation, context.config.type);
  const transaction = await WriteTransaction.begin(context, action, settings, known, signal);
  const written: WrittenFile[] = [];
  const partitions = new Set([...(request.partitions ?? []), ...usedPartitions(request.records)]);
  const source = request.rest?.[Symbol.asyncIterator]();
  let hasReadOn = false;
  let isReading = false;
  try {
    await requireSameSchema(context, request, transaction);
    const view = await loadView(environment, request, transaction);
    requireNamedIndex(context, view.slices);
    const prepared = await planWrite(environment, request, transaction, view);
    const { plan, records: whole } = prepared;
    const profile = profileOf(request.operation, plan);
    await transaction.start(formatWorkloadProfile(profile), signal);
    for (const { partitionPath } of plan.work) partitions.add(partitionPath);
    await createPartitionMetafiles(context, transaction.instant.time, view, plan, signal);
    const ready = { ...request, records: whole };
    const first = await writeFiles(environment, ready, transaction, plan, attempt);
    written.push(...first);
    while (source) {
      isReading = true;
      const next = await source.next();
      isReading = false;
      if (next.done) break;
      hasReadOn = true;
      const records = next.value;
      const more = { ...request, records };
      for (const path of usedPartitions(records)) partitions.add(path);
      written.push(...(await writeMore(environment, more, transaction, view, attempt)));
    }
    await completeWrite(environment, request, transaction, prepared, { written, partitions });
    rememberTableSchema(context, transaction.instant.time, request.schema);
  } catch (error) {
    const { time } = transaction.instant;
    // A source that fails says nothing of the storage: every call of the write has ended.
    const failure = isReading ? undefined : error;
    await transaction.giveUp(failure, () => removeWrittenFiles(context, time, partitions));
    // Rows that were read on cannot be had again, so the caller has to start over.
    if (error instanceof WriteConflict && hasReadOn) {
      throw new HudiError("CONFLICT", error.message, { instant: error.instant, cause: error });
    }
    throw error;
  }
  const sum = (count: (file: WrittenFile) => number): number =>
    written.reduce((total, file) => total + count(file), 0);
  return {
    instant: transaction.instant.time,
    action,
    inserted: sum((file) => file.insertCount),
    updated: sum((file) => file.updateCount),
    deleted: sum((file) => file.deleteCount),
  };
}

/** Writes a later batch of an insert into new file groups. */
async function writeMore(
  environment: WriteEnvironment,
  request: WriteRequest,
  transaction: WriteTransaction,
  view: FileSystemView,
  attempt: number,
): Promise<WrittenFile[]> {
  const { context, settings } = environment;
  const { records, signal } = request;
  const plan = await planWork(context, settings, records, [], [], () => false, signal);
  await createPartitionMetafiles(context, transaction.instant.time, view, plan, signal);
  return writeFiles(environment, request, transaction, plan, attempt);
}

/**
 * The rows were read with the columns that the table had then. Where another engine has changed them
 * since, rewriting its file groups with the old ones would lose what it wrote.
 */
async function requireSameSchema(
  context: TableContext,
  request: WriteRequest,
  transaction: WriteTransaction,
): Promise<void> {
  const { evolution, signal } = request;
  const schema = evolution?.base ?? request.schema;
  const now = await loadTableSchema(context, transaction.timeline, undefined, signal);
  if (isSameSchema(now, schema)) {
    if (!evolution) return;
    // Others may have completed since the change was planned.
    const { slices } = await loadFileSystemView(context, transaction.timeline, { signal });
    return refuseLeftovers(context, slices, evolution.effects, signal);
  }
  throw new HudiError(
    "CONFLICT",
    `cannot write commit ${transaction.instant.time}: the columns of the table were changed by another writer meanwhile; write the rows again with the columns it has now`,
    { instant: transaction.instant.time },
  );
}

/** The slices of the partitions that the rows belong to, or of all that a key may be in. */
async function loadView(
  environment: WriteEnvironment,
  request: WriteRequest,
  transaction: WriteTransaction,
): Promise<FileSystemView> {
  const { signal, records, operation } = request;
  const { context } = environment;
  const isEverywhere = isGlobalIndex(context.config) && operationTraits(operation).looksUp;
  const partitions = isEverywhere ? undefined : usedPartitions(records);
  return loadFileSystemView(context, transaction.timeline, { partitions, signal });
}

/** The partitions that rows belong to. */
function usedPartitions({ partitions }: IncomingRecords): string[] {
  const { paths, partitionOfRow } = partitions;
  const isUsed = new Uint8Array(paths.length);
  for (let row = 0; row < partitionOfRow.length; row += 1) {
    isUsed[partitionOfRow[row] as number] = 1;
  }
  return paths.filter((_, partition) => isUsed[partition] === 1);
}

async function writeFiles(
  environment: WriteEnvironment,
  request: WriteRequest,
  transaction: WriteTransaction,
  plan: WorkPlan,
  attempt: number,
): Promise<WrittenFile[]> {
  const { context, runner, settings } = environment;
  const instant = transaction.instant.time;
  const avroSchema = formatAvroSchema(request.schema, {
    namespace: schemaNamespace(context),
    metaColumns: true,
  });
  const { orderingField } = context.config;
  const { codec, maxFileBytes, bloom, maxLogFileBytes } = settings;
  const written = await writeFileGroups(
    {
      context,
      runner,
      instant,
      attempt,
      settings: { codec, avroSchema, maxFileBytes, bloom, maxLogFileBytes },
      orderingField:
        orderingField === undefined ? undefined : requireField(request.schema, orderingField),
      beforeFile: () => transaction.requireAlive(),
      signal: request.signal,
    },
    request.records,
    plan.work,
  );
  for (const file of written) transaction.addMarker(markerOf(file, instant));
  return written;
}

/** The marker that was left before a file was begun. */
function markerOf(
  { path, partitionPath, previousInstant, log }: WrittenFile,
  instant: string,
): string {
  const { fileName } = splitDataPath(path);
  if (log) return logMarkerPath(instant, partitionPath, fileName);
  const kind = previousInstant === undefined ? "CREATE" : "MERGE";
  return markerPath(instant, partitionPath, fileName, kind);
}

/** The Avro namespace that Hudi gives the records of a table. */
export function schemaNamespace(context: TableContext): string {
  return `hoodie.${context.config.name}`;
}

/** What a write has done when it comes to its completion. */
interface WriteResult {
  readonly written: readonly WrittenFile[];
  /** Partitions that its rows belong to, or that it was told to replace. */
  readonly partitions: ReadonlySet<string>;
}

async function completeWrite(
  environment: WriteEnvironment,
  request: WriteRequest,
  transaction: WriteTransaction,
  prepared: PreparedWrite,
  result: WriteResult,
): Promise<void> {
  const { context, runner } = environment;
  const { records, signal, operation } = request;
  const { timeline } = transaction;
  const { plan, readGroups, absentRows } = prepared;
  const overwritten = replacedScope(operation, result.partitions);
  const replaced = await loadReplacedGroups(context, timeline, overwritten, signal);
  const { keys, partitions } = records;
  const footprint = {
    instant: transaction.instant.time,
    schema: request.evolution?.base ?? request.schema,
    changesSchema: request.evolution !== undefined,
    logged: loggedGroups(plan.work),
    touched: new Set([...touchedGroups(plan.work), ...readGroups, ...replacedKeys(replaced)]),
    buckets: new Set(touchedBuckets(plan.work, context.config)),
    overwritten,
    absentKeys: absentRows && { keys, partitions, rows: absentRows },
  };
  const metadata = describeCommit(context, request, result.written, replaced);
  await transaction.complete(
    {
      check: (now) => checkConflicts(context, runner, timeline, now, footprint, signal),
      content: async () => metadata,
    },
    signal,
  );
}

function describeCommit(
  context: TableContext,
  request: WriteRequest,
  written: readonly WrittenFile[],
  replaced: ReplacedGroups,
): Uint8Array {
  const schema = formatAvroSchema(request.schema, { namespace: schemaNamespace(context) });
  return formatCommitMetadata({
    operationType: request.operation,
    compacted: false,
    partitionToWriteStats: groupStats(written),
    partitionToReplaceFileIds: replaced,
    extraMetadata: new Map([...(request.extraMetadata ?? []), ["schema", schema]]),
  });
}
