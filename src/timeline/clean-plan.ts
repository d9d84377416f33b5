// What a clean will delete and what it deleted; `<t>.clean.requested` and `<t>.clean`.
// Rules: spec/format/action-plans.md.
import {
  findField,
  findText,
  readEntries,
  readTexts,
  requireRecord,
  requireRecords,
  requireText,
  requireTexts,
} from "../format/untyped-fields.ts";
import { decodePlanFile } from "./plan-file.ts";

/** A clean that was scheduled. */
export interface CleanPlan {
  /** Commits before this one lose files; undefined when the policy keeps by number of versions. */
  readonly earliestInstantToRetain: string | undefined;
  /** Files by partition path, as they stand in the plan: absolute, of old plans names alone. */
  readonly filesToBeDeleted: ReadonlyMap<string, readonly string[]>;
  readonly partitionsToBeDeleted: readonly string[];
}

/** A completed clean. */
export interface CleanMetadata {
  /** Commits before this one may have lost files; empty when unknown. */
  readonly earliestCommitToRetain: string;
  /** Deleted files by partition path, as they stand in the file. */
  readonly deletedFiles: ReadonlyMap<string, readonly string[]>;
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
  return {
    earliestInstantToRetain:
      earliest === undefined
        ? undefined
        : findText(requireRecord(earliest, "earliestInstantToRetain", path), "timestamp", path),
    filesToBeDeleted: files,
    partitionsToBeDeleted: readTexts(plan, "partitionsToBeDeleted", path),
  };
}

/** Reads `<t>.clean`. Throws `CORRUPT` naming the file. */
export function decodeCleanMetadata(bytes: Uint8Array, path: string): CleanMetadata {
  const metadata = decodePlanFile(bytes, "HoodieCleanMetadata", path);
  const deletedFiles = new Map<string, readonly string[]>();
  for (const [partition, value] of readEntries(metadata, "partitionMetadata", path)) {
    const record = requireRecord(value, "partitionMetadata", path);
    deletedFiles.set(partition, readTexts(record, "successDeleteFiles", path));
  }
  return {
    earliestCommitToRetain: findText(metadata, "earliestCommitToRetain", path) ?? "",
    deletedFiles,
  };
}
