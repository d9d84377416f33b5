// What a write is about to do: where its keys are, what its rows amount to, which file group takes them.
// Rules: spec/format/indexing.md, spec/format/file-sizing.md, spec/protocol/delta-commit.md.
import { type FileSlice, fileGroupKey } from "../file-group/file-slice.ts";
import type { FileSystemView } from "../file-group/file-system-view.ts";
import { tableMergeRules } from "../file-group/table-merge-rules.ts";
import { takeNumbers } from "../format/column-gather.ts";
import { type TaggedSlice, tagLocations } from "../indexing/tag-locations.ts";
import type { TableConfig } from "../layout/table-config.ts";
import { planBucketLogs, planBuckets } from "./bucket-plan.ts";
import { loadPlannedGroups, pendingCompactions } from "./conflict-check.ts";
import type { IncomingRecords } from "./incoming-records.ts";
import { planLogs } from "./merge-on-read.ts";
import { type OperationType, operationTraits } from "./operation-type.ts";
import { resolveRecords, storedFields } from "./resolve-records.ts";
import type { WriteTransaction } from "./transaction.ts";
import { planWork, type WorkPlan } from "./work-plan.ts";
import type { WriteEnvironment, WriteRequest } from "./write-operation.ts";

/** A write that is ready to be carried out. */
export interface PreparedWrite {
  readonly plan: WorkPlan;
  /** The rows as they are to be written. */
  readonly records: IncomingRecords;
  /** File groups that were looked at and must not change meanwhile, as keys. */
  readonly readGroups: readonly string[];
  /** Rows of the request whose keys no file holds; undefined when they were not looked up. */
  readonly absentRows: Int32Array | undefined;
}

/** Finds the keys of a write, makes its rows whole, and assigns them to file groups. */
export async function planWrite(
  environment: WriteEnvironment,
  request: WriteRequest,
  transaction: WriteTransaction,
  view: FileSystemView,
): Promise<PreparedWrite> {
  const { context, runner } = environment;
  const { config } = context;
  const { operation, records, signal } = request;
  const looksUp = needsLookUp(config, operation, records);
  const wanted = {
    keys: records.keys,
    partitions: records.partitions,
    rows: records.entries.keyRows,
  };
  const { slices, visible } = view;
  const logs = records.unresolved && {
    ...{ visible, rules: tableMergeRules(config, request.schema) },
    fields: storedFields(config, records),
  };
  const found = looksUp ? await tagLocations(runner, config, slices, wanted, signal, logs) : [];
  const resolved = records.unresolved
    ? await resolveRecords(runner, config, records, found, signal)
    : { records, tagged: found, readGroups: [], absentRows: undefined };
  const { tagged, readGroups } = resolved;
  const rows = resolved.records;
  const plan = await assignRows(environment, request, transaction, view, rows, tagged);
  const absentRows = resolved.absentRows ?? takeNumbers(records.entries.keyRows, plan.absent);
  return { plan, records: rows, readGroups, absentRows: looksUp ? absentRows : undefined };
}

/** Which file group takes which rows. */
async function assignRows(
  { context, settings }: WriteEnvironment,
  { operation, signal }: WriteRequest,
  { timeline }: WriteTransaction,
  view: FileSystemView,
  records: IncomingRecords,
  tagged: readonly TaggedSlice[],
): Promise<WorkPlan> {
  const { config } = context;
  const { action, fillsSmallFiles } = operationTraits(operation);
  const isBucketed = config.index.kind === "bucket";
  const logs = config.type === "merge-on-read" && action !== "replacecommit";
  const planned = await loadPlannedGroups(context, timeline, signal);
  if (isBucketed) {
    const slices = action === "replacecommit" ? [] : view.slices;
    const plan =
      logs && !records.isResolved
        ? await planBucketLogs(config, records, slices, signal)
        : await planBuckets(config, records, tagged, slices, signal);
    if (!logs) return plan;
    return planLogs(plan, pendingCompactions(planned), isBucketed);
  }
  const reserved = new Set([...planned.values()].flat());
  const isReserved = (slice: FileSlice): boolean =>
    reserved.has(fileGroupKey(slice.partitionPath, slice.fileId));
  const small = fillsSmallFiles ? view.slices : [];
  const plan = await planWork(context, settings, records, tagged, small, isReserved, signal);
  return logs ? planLogs(plan, pendingCompactions(planned), isBucketed) : plan;
}

/**
 * In a bucket every key has its place, so that an insert meets it as well. A log of a bucket takes
 * changes in without that it is known what is stored, but for rows that lack columns.
 */
function needsLookUp(
  { index, type }: TableConfig,
  operation: OperationType,
  { unresolved }: IncomingRecords,
): boolean {
  const { looksUp, action } = operationTraits(operation);
  if (index.kind !== "bucket" || action === "replacecommit") return looksUp;
  return type === "copy-on-write" || unresolved !== undefined;
}
