// Checks a whole table against the rules of the format and says what is wrong; changes nothing.
// Rules: spec/protocol/verify.md.
import { HudiError, isHudiError } from "../errors.ts";
import { type FileSlice, hasBaseFile } from "../file-group/file-slice.ts";
import type { LogMergeRules } from "../file-group/log-merge.ts";
import { tableMergeRules } from "../file-group/table-merge-rules.ts";
import { loadTableSchema } from "../file-group/table-schema.ts";
import { requireOneFileABucket } from "../indexing/bucket-hash.ts";
import { timelineFolder } from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { type FileCheck, verifyBaseFile } from "./verify-base-file.ts";
import { type SeenTable, verifyFiles } from "./verify-files.ts";
import { type Finding, FindingList } from "./verify-findings.ts";
import { verifyKeys } from "./verify-keys.ts";
import { verifyLogs } from "./verify-logs.ts";
import { verifyProperties } from "./verify-properties.ts";
import { verifyTimeline } from "./verify-timeline.ts";

/** How far a check goes: `quick` reads the timeline, footers and frames of logs, `full` every row. */
export type VerifyLevel = "quick" | "full";

/** What to check. */
export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Default `full`. */
  readonly level?: VerifyLevel | undefined;
  /** Called as file groups are done. */
  readonly onProgress?: ((progress: VerifyProgress) => void) | undefined;
  /** Keys that are held at a time; default two million. More of them cost further passes. */
  readonly keysAtOnce?: number | undefined;
}

/** How far a check is. */
export interface VerifyProgress {
  readonly fileGroups: number;
  readonly ofFileGroups: number;
}

/** What was checked and found. */
export interface VerifyReport {
  readonly level: VerifyLevel;
  /** Errors first, each in the order of paths; at most 1,000. */
  readonly findings: readonly Finding[];
  /** Findings beyond those. */
  readonly omitted: number;
  readonly errors: number;
  readonly warnings: number;
  readonly checked: {
    readonly instants: number;
    readonly partitions: number;
    readonly files: number;
    readonly fileGroups: number;
    /** Rows of base files that readers see. */
    readonly rows: number;
  };
}

/** File groups that are read at the same time. */
const GROUPS_AT_ONCE = 4;
/** How often a check begins anew because writers went on meanwhile. */
const MOST_ROUNDS = 4;

/** Checks the table as it is. Throws what the storage throws. */
export async function verifyTable(
  context: TableContext,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const { level = "full" } = options;
  if (level !== "quick" && level !== "full") {
    throw new HudiError(
      "INVALID",
      `cannot verify table ${context.storage.location}: found level ${String(level)}, expected quick or full`,
    );
  }
  for (let round = 1; ; round += 1) {
    const before = await listTimeline(context, options.signal);
    const report = await verifyOnce(context, level, options);
    // What writers, cleans and rollbacks did meanwhile looks like damage to a check that began before.
    const isSteady =
      report.findings.length === 0 || before === (await listTimeline(context, options.signal));
    if (isSteady || round === MOST_ROUNDS) return report;
  }
}

async function listTimeline(
  { storage, config }: TableContext,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { objects } = await storage.listFolder(timelineFolder(config.layout), { signal });
  return objects.map(({ path, tag }) => `${path} ${tag}`).join("\n");
}

async function verifyOnce(
  context: TableContext,
  level: VerifyLevel,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const { signal } = options;
  const findings = new FindingList();
  await verifyProperties(context, findings, signal);
  const stated = await verifyTimeline(context, findings, signal);
  const seen = await verifyFiles(context, stated, findings, signal);
  verifyBuckets(context, seen, findings);
  const readsRows = level === "full";
  const check: FileCheck = { context, stated, seen, findings, readsRows, signal };
  const { rowCounts, rows } = await verifySlices(check, options);
  if (readsRows && context.config.populatesMetaFields) {
    await verifyAllKeys(check, rowCounts, options);
  }
  const { errors, warnings, omitted } = findings;
  const fileGroups = [...seen.partitions.values()].reduce((sum, { length }) => sum + length, 0);
  const instants = stated.timeline.instants.length;
  const partitions = seen.partitions.size;
  const checked = { instants, partitions, files: seen.fileCount, fileGroups, rows };
  return { level, findings: findings.list(), omitted, errors, warnings, checked };
}

/** Whether each bucket has one file group. */
function verifyBuckets({ config }: TableContext, seen: SeenTable, findings: FindingList): void {
  const { kind, buckets } = config.index;
  if (kind !== "bucket" || buckets === undefined) return;
  for (const [partitionPath, slices] of seen.partitions) {
    try {
      requireOneFileABucket(slices, buckets);
    } catch (error) {
      if (!isHudiError(error, "CORRUPT")) throw error;
      const remedy = "move the rows of one group to the other, or overwrite the partition";
      findings.add({
        rule: "IX-9",
        severity: "error",
        path: slices[0]?.baseFile?.path,
        partitionPath,
        found: error.message,
        remedy,
      });
    }
  }
}

/** Checks the files of every slice; gives rows of base files by partition. */
async function verifySlices(
  check: FileCheck,
  { onProgress, signal }: VerifyOptions,
): Promise<{ readonly rowCounts: ReadonlyMap<string, number>; readonly rows: number }> {
  const slices = [...check.seen.partitions.values()].flat();
  const rowCounts = new Map<string, number>();
  let done = 0;
  let rows = 0;
  await mapConcurrently(
    slices,
    GROUPS_AT_ONCE,
    async (slice) => {
      const { partitionPath } = slice;
      const rowCount = hasBaseFile(slice) ? await verifyBaseFile(check, slice) : 0;
      if (slice.logFiles.length > 0) await verifyLogs(check, slice);
      rows += rowCount;
      rowCounts.set(partitionPath, (rowCounts.get(partitionPath) ?? 0) + rowCount);
      done += 1;
      onProgress?.({ fileGroups: done, ofFileGroups: slices.length });
    },
    signal,
  );
  return { rowCounts, rows };
}

/** Whether keys stand once: in their partition, or with a global index in the table. */
async function verifyAllKeys(
  check: FileCheck,
  rowCounts: ReadonlyMap<string, number>,
  { keysAtOnce }: VerifyOptions,
): Promise<void> {
  const { context, seen } = check;
  const rules = await findMergeRules(check);
  const stated = context.config.properties.get("hoodie.index.type")?.toLowerCase() ?? "";
  const scopes: [string, readonly FileSlice[]][] = stated.startsWith("global")
    ? [["", [...seen.partitions.values()].flat()]]
    : [...seen.partitions];
  const total = [...rowCounts.values()].reduce((sum, count) => sum + count, 0);
  for (const [partitionPath, slices] of scopes) {
    const rowCount = stated.startsWith("global") ? total : (rowCounts.get(partitionPath) ?? 0);
    await verifyKeys(check, { slices, rowCount }, { rules, keysAtOnce });
  }
}

/** How logs are merged; undefined where this library cannot. */
async function findMergeRules({
  context,
  stated,
  signal,
}: FileCheck): Promise<LogMergeRules | undefined> {
  try {
    const schema = await loadTableSchema(context, stated.timeline, undefined, signal);
    return tableMergeRules(context.config, schema);
  } catch (error) {
    if (isHudiError(error) && !error.retryable) return undefined;
    throw error;
  }
}
