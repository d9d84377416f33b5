// Insert, upsert, delete and apply as one straight line: key, begin, tag, plan, write, complete; and
// again from fresh state when another writer won. Rules: spec/protocol/commit.md.
import { HudiError } from "../errors.ts";
import type { WrittenFile } from "../file-group/base-file-writer.ts";
import type { FileSlice } from "../file-group/file-slice.ts";
import { fileGroupKey } from "../file-group/file-slice.ts";
import { type FileSystemView, loadFileSystemView } from "../file-group/file-system-view.ts";
import { loadTableSchema, rememberTableSchema } from "../file-group/table-schema.ts";
import type { TaskRunner } from "../file-group/task-runner.ts";
import { formatAvroSchema, isSameSchema } from "../format/avro-schema.ts";
import { takeNumbers } from "../format/column-gather.ts";
import type { TableSchema } from "../format/schema.ts";
import { tagLocations } from "../indexing/tag-locations.ts";
import { markerPath, splitDataPath } from "../layout/table-paths.ts";
import { type ActiveTimeline, loadActiveTimeline } from "../timeline/active-timeline.ts";
import {
  formatCommitMetadata,
  formatWorkloadProfile,
  NO_PREVIOUS_COMMIT,
  type WorkloadProfile,
  type WriteStat,
} from "../timeline/commit-metadata.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { checkConflicts, loadPlannedGroups } from "./conflict-check.ts";
import {
  type FileGroupWork,
  planWork,
  touchedGroups,
  type WorkPlan,
  writeBaseFiles,
} from "./copy-on-write.ts";
import type { IncomingRecords } from "./incoming-records.ts";
import { removeWrittenFiles } from "./marker-files.ts";
import { createPartitionMetafiles } from "./partition-metafiles.ts";
import { WriteTransaction } from "./transaction.ts";
import { WriteConflict } from "./write-conflict.ts";
import type { WriteSettings } from "./write-settings.ts";

/** Hudi's name of what a write does. */
export type OperationType = "UPSERT" | "INSERT" | "BULK_INSERT" | "DELETE";

/** One write. */
export interface WriteRequest {
  readonly operation: OperationType;
  /** Columns of the table, as the commit records them. */
  readonly schema: TableSchema;
  readonly records: IncomingRecords;
  /** The timeline as of a moment ago. */
  readonly known: ActiveTimeline;
  /** More rows of an insert, each batch to new file groups; they can be read once only. */
  readonly rest?: AsyncIterable<IncomingRecords> | undefined;
  /** Keys and values kept in the commit, such as offsets of a source. */
  readonly extraMetadata?: ReadonlyMap<string, string> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A completed write. */
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
}

/** Carries a write out, trying again under a new instant while other writers win. */
export async function executeWrite(
  environment: WriteEnvironment,
  request: WriteRequest,
): Promise<Commit> {
  const { context, settings } = environment;
  let { known } = request;
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await attemptWrite(environment, request, known, attempt);
    } catch (error) {
      if (!(error instanceof WriteConflict) || attempt >= settings.conflictRetries) throw error;
      // Losers come back at different times, so that one of them wins.
      const { clock, random } = context.runtime;
      await clock.sleep((random.bytes(1)[0] as number) * Math.min(attempt + 1, 8), request.signal);
      known = await loadActiveTimeline(context, request.signal);
    }
  }
}

async function attemptWrite(
  environment: WriteEnvironment,
  request: WriteRequest,
  known: ActiveTimeline,
  attempt: number,
): Promise<Commit> {
  const { context, settings } = environment;
  const { signal } = request;
  const transaction = await WriteTransaction.begin(context, "commit", settings, known, signal);
  const written: WrittenFile[] = [];
  const partitions = new Set<string>();
  const source = request.rest?.[Symbol.asyncIterator]();
  let hasReadOn = false;
  let isReading = false;
  try {
    await requireSameSchema(context, request, transaction);
    const view = await loadView(environment, request, transaction);
    const plan = await tagAndPlan(environment, request, transaction, view);
    await transaction.start(formatWorkloadProfile(profileOf(request, plan)), signal);
    for (const { partitionPath } of plan.work) partitions.add(partitionPath);
    await createPartitionMetafiles(context, transaction.instant.time, view, plan, signal);
    const first = await writeFiles(environment, request, transaction, plan, attempt);
    written.push(...first);
    while (source) {
      isReading = true;
      const next = await source.next();
      isReading = false;
      if (next.done) break;
      hasReadOn = true;
      const records = next.value;
      const more = { ...request, records };
      for (const path of records.partitions.paths) partitions.add(path);
      written.push(...(await writeMore(environment, more, transaction, view, attempt)));
    }
    await completeWrite(environment, request, transaction, plan, written);
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
    action: "commit",
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
  const { schema, signal } = request;
  const now = await loadTableSchema(context, transaction.timeline, undefined, signal);
  if (isSameSchema(now, schema)) return;
  throw new HudiError(
    "CONFLICT",
    `cannot write commit ${transaction.instant.time}: the columns of the table were changed by another writer meanwhile; write the rows again with the columns it has now`,
    { instant: transaction.instant.time },
  );
}

/** The slices of the partitions that the rows belong to. */
async function loadView(
  environment: WriteEnvironment,
  request: WriteRequest,
  transaction: WriteTransaction,
): Promise<FileSystemView> {
  const { signal, records } = request;
  const { paths, partitionOfRow } = records.partitions;
  const isUsed = new Uint8Array(paths.length);
  const { length } = records.entries.keyRows;
  for (let row = 0; length > 0 && row < partitionOfRow.length; row += 1) {
    isUsed[partitionOfRow[row] as number] = 1;
  }
  const partitions = paths.filter((_, partition) => isUsed[partition] === 1);
  return loadFileSystemView(environment.context, transaction.timeline, { partitions, signal });
}

async function tagAndPlan(
  environment: WriteEnvironment,
  request: WriteRequest,
  transaction: WriteTransaction,
  view: FileSystemView,
): Promise<WorkPlan> {
  const { context, runner, settings } = environment;
  const { operation, records, signal } = request;
  const looksUp = operation === "UPSERT" || operation === "DELETE";
  const wanted = {
    keys: records.keys,
    partitions: records.partitions,
    rows: records.entries.keyRows,
  };
  const tagged = looksUp
    ? await tagLocations(runner, context.config.index.kind, view.slices, wanted, signal)
    : [];
  const planned = await loadPlannedGroups(context, transaction.timeline, signal);
  const reserved = new Set([...planned.values()].flat());
  const isReserved = (slice: FileSlice): boolean =>
    reserved.has(fileGroupKey(slice.partitionPath, slice.fileId));
  const small = operation === "BULK_INSERT" ? [] : view.slices;
  return planWork(context, settings, records, tagged, small, isReserved, signal);
}

/** The inflight file: what will be touched, for the conflict checks of other engines. */
function profileOf(request: WriteRequest, plan: WorkPlan): WorkloadProfile {
  const partitions = new Map<string, { numInserts: number; fileGroups: WorkloadProfileGroup[] }>();
  for (const item of plan.work) {
    const entry = partitions.get(item.partitionPath) ?? { numInserts: 0, fileGroups: [] };
    partitions.set(item.partitionPath, entry);
    if (!item.slice) {
      entry.numInserts += item.inserts.length;
      continue;
    }
    entry.fileGroups.push({
      fileId: item.slice.fileId,
      prevCommit: item.slice.baseFile.instant,
      numUpdateWrites: item.positions.length,
      numInserts: item.inserts.length,
    });
  }
  return { operationType: request.operation, partitions };
}

interface WorkloadProfileGroup {
  readonly fileId: string;
  readonly prevCommit: string;
  readonly numUpdateWrites: number;
  readonly numInserts: number;
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
  const written = await writeBaseFiles(
    {
      context,
      runner,
      instant,
      attempt,
      settings: {
        codec: settings.codec,
        avroSchema,
        maxFileBytes: settings.maxFileBytes,
        bloom: settings.bloom,
      },
      beforeFile: () => transaction.requireAlive(),
      signal: request.signal,
    },
    request.records,
    context.config.orderingField,
    plan.work,
  );
  for (const file of written) {
    const { fileName } = splitDataPath(file.path);
    const kind = file.previousInstant === undefined ? "CREATE" : "MERGE";
    transaction.addMarker(markerPath(instant, file.partitionPath, fileName, kind));
  }
  return written;
}

/** The Avro namespace that Hudi gives the records of a table. */
export function schemaNamespace(context: TableContext): string {
  return `hoodie.${context.config.name}`;
}

async function completeWrite(
  environment: WriteEnvironment,
  request: WriteRequest,
  transaction: WriteTransaction,
  plan: WorkPlan,
  written: readonly WrittenFile[],
): Promise<void> {
  const { context, runner } = environment;
  const { records, signal, operation } = request;
  const looksUp = operation === "UPSERT" || operation === "DELETE";
  const footprint = {
    instant: transaction.instant.time,
    schema: request.schema,
    touched: touchedGroups(plan.work as readonly FileGroupWork[]),
    absentKeys: looksUp
      ? {
          keys: records.keys,
          partitions: records.partitions,
          rows: takeNumbers(records.entries.keyRows, plan.absent),
        }
      : undefined,
  };
  const schema = formatAvroSchema(request.schema, { namespace: schemaNamespace(context) });
  const metadata = formatCommitMetadata({
    operationType: operation,
    compacted: false,
    partitionToWriteStats: groupStats(written),
    partitionToReplaceFileIds: new Map(),
    extraMetadata: new Map([...(request.extraMetadata ?? []), ["schema", schema]]),
  });
  await transaction.complete(
    {
      check: (now) => checkConflicts(context, runner, transaction.timeline, now, footprint, signal),
      content: async () => metadata,
    },
    signal,
  );
}

function groupStats(written: readonly WrittenFile[]): Map<string, WriteStat[]> {
  const stats = new Map<string, WriteStat[]>();
  for (const file of written) {
    const list = stats.get(file.partitionPath) ?? [];
    stats.set(file.partitionPath, list);
    list.push({
      fileId: file.fileId,
      path: file.path,
      prevCommit: file.previousInstant ?? NO_PREVIOUS_COMMIT,
      partitionPath: file.partitionPath,
      numWrites: file.rowCount,
      numDeletes: file.deleteCount,
      numUpdateWrites: file.updateCount,
      numInserts: file.insertCount,
      totalWriteBytes: file.sizeBytes,
      fileSizeInBytes: file.sizeBytes,
      totalWriteErrors: 0,
    });
  }
  return stats;
}
