// What a rollback did; `<t>.rollback`. Rules: spec/format/action-plans.md.
import { encodeAvroFile } from "../format/avro-file.ts";
import {
  findNumber,
  findNumberMap,
  readEntries,
  readRecords,
  readTexts,
  requireRecord,
  requireText,
} from "../format/untyped-fields.ts";
import { decodePlanFile } from "./plan-file.ts";
import { ROLLBACK_METADATA_SCHEMA } from "./plan-schemas.ts";
import { type PlannedInstant, parsePlannedInstant } from "./rollback-plan.ts";

/** What a rollback did in one partition. */
export interface RolledBackPartition {
  /** Absolute, as in the plan. */
  readonly successDeleteFiles: readonly string[];
  /** Files that could not be deleted, absolute. */
  readonly failedDeleteFiles: readonly string[];
  /** Log files with the rollback's own blocks, and their size in bytes. */
  readonly rollbackLogFiles?: ReadonlyMap<string, number>;
  /** Log files of the rolled back instant, and their size in bytes. */
  readonly logFilesFromFailedCommit?: ReadonlyMap<string, number>;
}

/** A completed rollback. */
export interface RollbackMetadata {
  /** The rollback's own instant. */
  readonly startRollbackTime: string;
  readonly timeTakenMs: number;
  readonly totalFilesDeleted: number;
  readonly instantsRollback: readonly PlannedInstant[];
  /** By partition path. */
  readonly partitions: ReadonlyMap<string, RolledBackPartition>;
}

/** Reads `<t>.rollback`. Throws `CORRUPT` naming the file. */
export function decodeRollbackMetadata(bytes: Uint8Array, path: string): RollbackMetadata {
  const metadata = decodePlanFile(bytes, "HoodieRollbackMetadata", path);
  const partitions = new Map<string, RolledBackPartition>();
  for (const [partition, value] of readEntries(metadata, "partitionMetadata", path)) {
    const record = requireRecord(value, "partitionMetadata", path);
    const rollbackLogFiles = findNumberMap(record, "rollbackLogFiles", path);
    const logFilesFromFailedCommit = findNumberMap(record, "logFilesFromFailedCommit", path);
    partitions.set(partition, {
      successDeleteFiles: readTexts(record, "successDeleteFiles", path),
      failedDeleteFiles: readTexts(record, "failedDeleteFiles", path),
      ...(rollbackLogFiles && { rollbackLogFiles }),
      ...(logFilesFromFailedCommit && { logFilesFromFailedCommit }),
    });
  }
  return {
    startRollbackTime: requireText(metadata, "startRollbackTime", path),
    timeTakenMs: findNumber(metadata, "timeTakenInMillis", path) ?? 0,
    totalFilesDeleted: findNumber(metadata, "totalFilesDeleted", path) ?? 0,
    instantsRollback: readRecords(metadata, "instantsRollback", path).map((instant) =>
      parsePlannedInstant(instant, path),
    ),
    partitions,
  };
}

/** The bytes of `<t>.rollback`; `syncMarker` is 16 random bytes. */
export function encodeRollbackMetadata(
  metadata: RollbackMetadata,
  syncMarker: Uint8Array,
): Promise<Uint8Array> {
  const partitionMetadata = new Map(
    Array.from(metadata.partitions, ([partitionPath, partition]) => [
      partitionPath,
      {
        partitionPath,
        successDeleteFiles: partition.successDeleteFiles,
        failedDeleteFiles: partition.failedDeleteFiles,
        rollbackLogFiles: partition.rollbackLogFiles ?? new Map<string, number>(),
        logFilesFromFailedCommit: partition.logFilesFromFailedCommit ?? new Map<string, number>(),
      },
    ]),
  );
  const record = {
    startRollbackTime: metadata.startRollbackTime,
    timeTakenInMillis: metadata.timeTakenMs,
    totalFilesDeleted: metadata.totalFilesDeleted,
    commitsRollback: metadata.instantsRollback.map((instant) => instant.time),
    partitionMetadata,
    version: 1,
    instantsRollback: metadata.instantsRollback.map(({ time, action }) => ({
      commitTime: time,
      action,
    })),
  };
  return encodeAvroFile(ROLLBACK_METADATA_SCHEMA, record, syncMarker);
}
