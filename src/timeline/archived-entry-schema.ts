// The Avro schema of the archive's entries, word for word that of Hudi 0.15. Rules: spec/protocol/archive.md ARC-2.
import {
  CLEAN_METADATA_SCHEMA,
  CLEAN_PLAN_SCHEMA,
  COMPACTION_PLAN_SCHEMA,
  mapOf,
  optional,
  planRecord,
  REQUESTED_REPLACE_SCHEMA,
  ROLLBACK_METADATA_SCHEMA,
  record,
  SAVEPOINT_SCHEMA,
  STRING,
  TEXTS,
  VERSION,
} from "./plan-schemas.ts";

const TEXT_MAP = mapOf(STRING);
const WRITE_STATS = "HoodieWriteStat";

function longs(...names: readonly string[]): object[] {
  return names.map((name) => optional(name, "long"));
}

function texts(...names: readonly string[]): object[] {
  return names.map((name) => optional(name, STRING));
}

const WRITE_STAT = record(WRITE_STATS, [
  ...texts("fileId", "path", "prevCommit"),
  ...longs("numWrites", "numDeletes", "numUpdateWrites", "totalWriteBytes", "totalWriteErrors"),
  ...texts("partitionPath"),
  ...longs("totalLogRecords", "totalLogFiles", "totalUpdatedRecordsCompacted", "numInserts"),
  ...longs("totalLogBlocks", "totalCorruptLogBlock", "totalRollbackBlocks", "fileSizeInBytes"),
]);

const COMMIT = record("HoodieCommitMetadata", [
  optional("partitionToWriteStats", mapOf({ type: "array", items: WRITE_STAT })),
  optional("extraMetadata", { ...TEXT_MAP, default: null }),
  VERSION,
  optional("operationType", STRING),
]);

/** What no writer of version 6 fills in any more. */
const OLD_COMPACTION = record("HoodieCompactionMetadata", [
  {
    name: "partitionToCompactionWriteStats",
    type: [
      "null",
      mapOf({
        type: "array",
        items: record("HoodieCompactionWriteStat", [
          ...texts("partitionPath"),
          ...longs("totalLogRecords", "totalLogFiles", "totalUpdatedRecordsCompacted"),
          optional("hoodieWriteStat", WRITE_STATS),
        ]),
      }),
    ],
  },
]);

const REPLACE_COMMIT = record("HoodieReplaceCommitMetadata", [
  optional("partitionToWriteStats", mapOf({ type: "array", items: WRITE_STATS })),
  optional("extraMetadata", TEXT_MAP),
  VERSION,
  optional("operationType", STRING),
  optional("partitionToReplaceFileIds", mapOf(TEXTS)),
]);

const INDEXING = record("HoodieIndexCommitMetadata", [
  VERSION,
  optional("operationType", STRING),
  optional("indexPartitionInfos", {
    type: "array",
    items: record("HoodieIndexPartitionInfo", [
      VERSION,
      ...texts("metadataPartitionPath", "indexUptoInstant"),
    ]),
  }),
]);

/** One state of an instant. */
export const ARCHIVED_ENTRY_SCHEMA: object = planRecord("HoodieArchivedMetaEntry", [
  optional("hoodieCommitMetadata", COMMIT),
  optional("hoodieCleanMetadata", CLEAN_METADATA_SCHEMA),
  optional("hoodieCompactionMetadata", OLD_COMPACTION),
  optional("hoodieRollbackMetadata", ROLLBACK_METADATA_SCHEMA),
  optional("hoodieSavePointMetadata", SAVEPOINT_SCHEMA),
  ...texts("commitTime", "actionType"),
  VERSION,
  optional("hoodieCompactionPlan", COMPACTION_PLAN_SCHEMA),
  optional("hoodieCleanerPlan", CLEAN_PLAN_SCHEMA),
  ...texts("actionState"),
  optional("hoodieReplaceCommitMetadata", REPLACE_COMMIT),
  optional("hoodieRequestedReplaceMetadata", REQUESTED_REPLACE_SCHEMA),
  optional("HoodieInflightReplaceMetadata", "HoodieCommitMetadata"),
  optional("hoodieIndexCommitMetadata", INDEXING),
  ...texts("stateTransitionTime"),
]);
