// Changes the columns of a table in one commit: an empty one that carries the new schema, or one that
// writes every base file anew. Rules: spec/format/evolution.md EV-7, spec/protocol/commit.md.
import { HudiError } from "../errors.ts";
import type { WrittenFile } from "../file-group/base-file-writer.ts";
import { type FileSlice, fileGroupKey, hasBaseFile } from "../file-group/file-slice.ts";
import { rememberTableSchema } from "../file-group/table-schema.ts";
import { formatAvroSchema } from "../format/avro-schema.ts";
import type { SchemaChange } from "../layout/schema-change.ts";
import { markerPath, splitDataPath } from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, loadActiveTimeline } from "../timeline/active-timeline.ts";
import { formatCommitMetadata, formatWorkloadProfile } from "../timeline/commit-metadata.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { checkConflicts, loadPlannedGroups } from "./conflict-check.ts";
import { removeWrittenFiles } from "./marker-files.ts";
import { operationAction } from "./operation-type.ts";
import { retryConflicts } from "./retry-conflicts.ts";
import { planSchemaChange, type SchemaPlan, type SchemaPlanOptions } from "./schema-plan.ts";
import { checkpointEntries, requireWritable, type WriteOptions } from "./table-writer.ts";
import { WriteTransaction } from "./transaction.ts";
import { NONE } from "./work-plan.ts";
import { type Commit, schemaNamespace, type WriteEnvironment } from "./write-operation.ts";
import { groupStats, profileOf } from "./write-report.ts";

/** Options of a change of the schema. */
export interface EvolveOptions extends WriteOptions, SchemaPlanOptions {}

/** Changes the columns of a table; the commit counts no rows. */
export async function evolveTable(
  environment: WriteEnvironment,
  changes: readonly SchemaChange[],
  options: EvolveOptions,
): Promise<Commit> {
  requireWritable(environment);
  const { context } = environment;
  const { signal } = options;
  const known = await loadActiveTimeline(context, signal);
  const attempt = (now: ActiveTimeline, number: number): Promise<Commit> =>
    attemptEvolution(environment, changes, options, now, number);
  return retryConflicts(environment, known, attempt, signal);
}

async function attemptEvolution(
  environment: WriteEnvironment,
  changes: readonly SchemaChange[],
  options: EvolveOptions,
  known: ActiveTimeline,
  attempt: number,
): Promise<Commit> {
  const { context, settings } = environment;
  const { signal } = options;
  const action = operationAction("ALTER_SCHEMA", context.config.type);
  // What is refused leaves no trace on the timeline.
  const asked = await planSchemaChange(context, known, changes, options);
  await refusePlannedGroups(context, known, asked, options);
  const transaction = await WriteTransaction.begin(context, action, settings, known, signal);
  const { time } = transaction.instant;
  const partitions = new Set<string>();
  try {
    // Again, since others may have completed before this one began.
    const plan = await planSchemaChange(context, transaction.timeline, changes, options);
    const slices = options.rewrite ? plan.slices : [];
    refuseLogs(slices);
    for (const { partitionPath } of slices) partitions.add(partitionPath);
    const work = slices.map((slice) => ({
      ...{ partitionPath: slice.partitionPath, slice },
      ...{ entries: NONE, positions: NONE, inserts: NONE },
    }));
    const profile = profileOf("ALTER_SCHEMA", { work, absent: NONE });
    await transaction.start(formatWorkloadProfile(profile), signal);
    const written = await rewriteFiles(
      environment,
      transaction,
      { ...plan, slices },
      attempt,
      signal,
    );
    await completeEvolution(environment, transaction, plan, written, options);
    rememberTableSchema(context, time, plan.schema);
  } catch (error) {
    await transaction.giveUp(error, () => removeWrittenFiles(context, time, partitions));
    throw error;
  }
  return { instant: time, action, inserted: 0, updated: 0, deleted: 0 };
}

/** Rows in logs keep the columns that they were logged with. */
function refuseLogs(slices: readonly FileSlice[]): void {
  const slice = slices.find(({ logFiles }) => logFiles.length > 0);
  if (!slice) return;
  throw new HudiError(
    "UNSUPPORTED",
    `cannot rewrite file group ${slice.fileId} of partition ${JSON.stringify(slice.partitionPath)}: it has logs, expected base files only; compact the table first`,
  );
}

/** A clustering that is planned or under way will write its file groups with the old columns. */
async function refusePlannedGroups(
  context: TableContext,
  timeline: ActiveTimeline,
  { slices }: SchemaPlan,
  { rewrite, signal }: EvolveOptions,
): Promise<void> {
  if (!rewrite) return;
  const own = new Set(slices.map((slice) => fileGroupKey(slice.partitionPath, slice.fileId)));
  for (const [{ action, time }, groups] of await loadPlannedGroups(context, timeline, signal)) {
    if (!groups.some((group) => own.has(group))) continue;
    throw new HudiError(
      "CONFLICT",
      `cannot rewrite the files of table ${context.storage.location}: ${action} ${time} is to write some of them; let it end first`,
      { instant: time },
    );
  }
}

async function rewriteFiles(
  environment: WriteEnvironment,
  transaction: WriteTransaction,
  { schema, source, slices }: SchemaPlan,
  attempt: number,
  signal: AbortSignal | undefined,
): Promise<WrittenFile[]> {
  const { context, runner, settings } = environment;
  const instant = transaction.instant.time;
  const avroSchema = formatAvroSchema(schema, {
    namespace: schemaNamespace(context),
    metaColumns: true,
  });
  const { codec, maxFileBytes, bloom } = settings;
  return mapConcurrently(
    slices.filter(hasBaseFile),
    runner.concurrency,
    async ({ partitionPath, fileId, baseFile }, taskNumber) => {
      transaction.requireAlive();
      const { path, sizeBytes, instant: baseInstant } = baseFile;
      const file = await runner.run(
        {
          kind: "rewrite",
          instant,
          partitionPath,
          writeToken: `${taskNumber}-${attempt}-${taskNumber}`,
          taskNumber,
          settings: { codec, avroSchema, maxFileBytes, bloom },
          fileId,
          base: { path, sizeBytes },
          baseInstant,
          schema,
          source,
        },
        signal,
      );
      const { fileName } = splitDataPath(file.path);
      transaction.addMarker(markerPath(instant, partitionPath, fileName, "MERGE"));
      return file;
    },
    signal,
  );
}

async function completeEvolution(
  { context, runner }: WriteEnvironment,
  transaction: WriteTransaction,
  plan: SchemaPlan,
  written: readonly WrittenFile[],
  options: EvolveOptions,
): Promise<void> {
  const { signal, rewrite } = options;
  const { timeline, instant } = transaction;
  const footprint = {
    instant: instant.time,
    // What others write with the old columns meanwhile stays readable, as older files do.
    schema: plan.base,
    changesSchema: true,
    logged: new Map<string, string>(),
    touched: new Set(written.map((file) => fileGroupKey(file.partitionPath, file.fileId))),
    buckets: new Set<string>(),
    // New file groups of others would be left with the old columns.
    overwritten: rewrite ? ("table" as const) : new Set<string>(),
    absentKeys: undefined,
  };
  const schema = formatAvroSchema(plan.schema, { namespace: schemaNamespace(context) });
  const metadata = formatCommitMetadata({
    operationType: "ALTER_SCHEMA",
    compacted: false,
    partitionToWriteStats: groupStats(written),
    partitionToReplaceFileIds: new Map(),
    extraMetadata: new Map([...checkpointEntries(options), ["schema", schema]]),
  });
  await transaction.complete(
    {
      check: (now) => checkConflicts(context, runner, timeline, now, footprint, signal),
      content: async () => metadata,
    },
    signal,
  );
}
