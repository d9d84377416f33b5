// What a clean will delete and what it deleted; `<t>.clean.requested` and `<t>.clean`.
// Rules: spec/format/action-plans.md.
import { encodeAvroFile } from "../format/avro-file.ts";
import {
  findField,
  findFlag,
  findNumber,
  findText,
  readEntries,
  readTexts,
  requireRecord,
  requireRecords,
  requireText,
  requireTexts,
} from "../format/untyped-fields.ts";
import { decodePlanFile } from "./plan-file.ts";
import { CLEAN_METADATA_SCHEMA, CLEAN_PLAN_SCHEMA } from "./plan-schemas.ts";

/** What is kept, by Hudi's name. */
export type CleanPolicy =
  | "KEEP_LATEST_COMMITS"
  | "KEEP_LATEST_FILE_VERSIONS"
  | "KEEP_LATEST_BY_HOURS";

/** The earliest commit that keeps its files. */
export interface RetainedInstant {
  readonly time: string;
  /** Spelled as on the timeline, for example `commit`. */
  readonly action: string;
}

/** A clean that was scheduled. */
export interface CleanPlan {
  readonly policy: string;
  /** Commits before this one lose files; undefined when the policy keeps by number of versions. */
  readonly earliestToRetain: RetainedInstant | undefined;
  /** The newest completed write when the plan was made; empty when unknown. */
  readonly lastCompleted: string;
  /** Files by partition path, as they stand in the plan: absolute, of old plans names alone. */
  readonly filesToBeDeleted: ReadonlyMap<string, readonly string[]>;
  readonly partitionsToBeDeleted: readonly string[];
}

/** A completed clean. */
export interface CleanMetadata {
  /** The clean's own instant. */
  readonly startTime: string;
  readonly timeTakenMs: number;
  readonly policy: string;
  /** Commits before this one may have lost files; empty when unknown. */
  readonly earliestCommitToRetain: string;
  readonly lastCompleted: string;
  /** Names of deleted files by partition path. */
  readonly deletedFiles: ReadonlyMap<string, readonly string[]>;
  readonly deletedPartitions: readonly string[];
}

/** Reads `<t>.clean.requested`. Throws `CORRUPT` naming the file. */
export function decodeCleanPlan(bytes: Uint8Array, path: string): CleanPlan {
  const plan = decodePlanFile(bytes, "HoodieCleanerPlan", path);
  const earliest = findField(plan, "earliestInstantToRetain");
  const files = new Map<string, readonly string[]>();
  for (const [partition, names] of readEntries(plan, "filesToBeDeletedPerPartition", path)) {
    files.set(partition, requireTexts(names, "filesToBeDeletedPerPartition", path));
  }
  for (const [partition, infos] of readEntries(plan, "filePathsToBeDeletedPerPartition", path)) {
    const paths = requireRecords(infos, "filePathsToBeDeletedPerPartition", path).map((info) =>
      requireText(info, "filePath", path),
    );
    files.set(partition, [...(files.get(partition) ?? []), ...paths]);
  }
  const retained =
    earliest === undefined ? undefined : requireRecord(earliest, "earliestInstantToRetain", path);
  return {
    policy: findText(plan, "policy", path) ?? "",
    earliestToRetain: retained && {
      time: requireText(retained, "timestamp", path),
      action: findText(retained, "action", path) ?? "",
    },
    lastCompleted: findText(plan, "lastCompletedCommitTimestamp", path) ?? "",
    filesToBeDeleted: files,
    partitionsToBeDeleted: readTexts(plan, "partitionsToBeDeleted", path),
  };
}

/** The bytes of `<t>.clean.requested`, whose files are absolute; `syncMarker` is 16 random bytes. */
export function encodeCleanPlan(plan: CleanPlan, syncMarker: Uint8Array): Promise<Uint8Array> {
  const { earliestToRetain } = plan;
  const record = {
    earliestInstantToRetain: earliestToRetain
      ? { timestamp: earliestToRetain.time, action: earliestToRetain.action, state: "COMPLETED" }
      : null,
    lastCompletedCommitTimestamp: plan.lastCompleted,
    policy: plan.policy,
    filesToBeDeletedPerPartition: new Map<string, readonly string[]>(),
    version: 2,
    filePathsToBeDeletedPerPartition: new Map(
      Array.from(plan.filesToBeDeleted, ([partitionPath, paths]) => [
        partitionPath,
        paths.map((filePath) => ({ filePath, isBootstrapBaseFile: false })),
      ]),
    ),
    partitionsToBeDeleted: plan.partitionsToBeDeleted,
    extraMetadata: new Map<string, string>(),
  };
  return encodeAvroFile(CLEAN_PLAN_SCHEMA, record, syncMarker);
}

/** Reads `<t>.clean`. Throws `CORRUPT` naming the file. */
export function decodeCleanMetadata(bytes: Uint8Array, path: string): CleanMetadata {
  const metadata = decodePlanFile(bytes, "HoodieCleanMetadata", path);
  const deletedFiles = new Map<string, readonly string[]>();
  const deletedPartitions: string[] = [];
  let policy = "";
  for (const [partition, value] of readEntries(metadata, "partitionMetadata", path)) {
    const record = requireRecord(value, "partitionMetadata", path);
    deletedFiles.set(partition, readTexts(record, "successDeleteFiles", path));
    if (findFlag(record, "isPartitionDeleted", path)) deletedPartitions.push(partition);
    policy = findText(record, "policy", path) ?? policy;
  }
  return {
    startTime: findText(metadata, "startCleanTime", path) ?? "",
    timeTakenMs: findNumber(metadata, "timeTakenInMillis", path) ?? 0,
    policy,
    earliestCommitToRetain: findText(metadata, "earliestCommitToRetain", path) ?? "",
    lastCompleted: findText(metadata, "lastCompletedCommitTimestamp", path) ?? "",
    deletedFiles,
    deletedPartitions,
  };
}

/** The bytes of `<t>.clean`; `syncMarker` is 16 random bytes. */
export function encodeCleanMetadata(
  metadata: CleanMetadata,
  syncMarker: Uint8Array,
): Promise<Uint8Array> {
  const { policy, deletedFiles, deletedPartitions } = metadata;
  const partitionMetadata = new Map(
    Array.from(deletedFiles, ([partitionPath, names]) => [
      partitionPath,
      {
        partitionPath,
        policy,
        deletePathPatterns: names,
        successDeleteFiles: names,
        failedDeleteFiles: [],
        isPartitionDeleted: deletedPartitions.includes(partitionPath),
      },
    ]),
  );
  const files = [...deletedFiles.values()];
  const record = {
    startCleanTime: metadata.startTime,
    timeTakenInMillis: metadata.timeTakenMs,
    totalFilesDeleted: files.reduce((sum, names) => sum + names.length, 0),
    earliestCommitToRetain: metadata.earliestCommitToRetain,
    lastCompletedCommitTimestamp: metadata.lastCompleted,
    partitionMetadata,
    version: 2,
    bootstrapPartitionMetadata: new Map<string, string>(),
    extraMetadata: new Map<string, string>(),
  };
  return encodeAvroFile(CLEAN_METADATA_SCHEMA, record, syncMarker);
}
