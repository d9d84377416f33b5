// Avro schemas of the timeline files that this library writes, with the names, order and defaults of
// Hudi 0.15, which is what its readers resolve against. Rules: spec/format/action-plans.md AP-1.

export const STRING: object = { type: "string", "avro.java.string": "String" };
export const TEXTS: object = { type: "array", items: STRING };
const OPTIONAL_STRING = ["null", STRING];
export const VERSION: object = { name: "version", type: ["int", "null"], default: 1 };

export function mapOf(values: unknown): object {
  return { type: "map", values, "avro.java.string": "String" };
}

export function optional(name: string, type: unknown): object {
  return { name, type: ["null", type], default: null };
}

export function record(name: string, fields: readonly object[]): object {
  return { type: "record", name, fields };
}

export function planRecord(name: string, fields: readonly object[]): object {
  return { type: "record", name, namespace: "org.apache.hudi.avro.model", fields };
}

const INSTANT_INFO = record("HoodieInstantInfo", [
  { name: "commitTime", type: STRING },
  { name: "action", type: STRING },
]);

/** `<t>.rollback.requested`. */
export const ROLLBACK_PLAN_SCHEMA: object = planRecord("HoodieRollbackPlan", [
  optional("instantToRollback", INSTANT_INFO),
  optional("RollbackRequests", {
    type: "array",
    items: record("HoodieRollbackRequest", [
      { name: "partitionPath", type: STRING },
      { name: "fileId", type: OPTIONAL_STRING, default: null },
      { name: "latestBaseInstant", type: OPTIONAL_STRING, default: null },
      { name: "filesToBeDeleted", type: { ...TEXTS, default: [] }, default: [] },
      optional("logBlocksToBeDeleted", mapOf("long")),
    ]),
  }),
  VERSION,
]);

const ROLLBACK_METADATA_FIELDS: readonly object[] = [
  { name: "startRollbackTime", type: STRING },
  { name: "timeTakenInMillis", type: "long" },
  { name: "totalFilesDeleted", type: "int" },
  { name: "commitsRollback", type: TEXTS },
  {
    name: "partitionMetadata",
    type: mapOf(
      record("HoodieRollbackPartitionMetadata", [
        { name: "partitionPath", type: STRING },
        { name: "successDeleteFiles", type: TEXTS },
        { name: "failedDeleteFiles", type: TEXTS },
        optional("rollbackLogFiles", mapOf("long")),
        optional("logFilesFromFailedCommit", mapOf("long")),
      ]),
    ),
  },
  VERSION,
  {
    name: "instantsRollback",
    type: { type: "array", items: INSTANT_INFO, default: [] },
    default: [],
  },
];

/** `<t>.rollback`. */
export const ROLLBACK_METADATA_SCHEMA: object = planRecord(
  "HoodieRollbackMetadata",
  ROLLBACK_METADATA_FIELDS,
);

const SLICE_INFO = record("HoodieSliceInfo", [
  optional("dataFilePath", STRING),
  optional("deltaFilePaths", TEXTS),
  { name: "fileId", type: OPTIONAL_STRING },
  optional("partitionPath", STRING),
  optional("bootstrapFilePath", STRING),
  VERSION,
]);

const CLUSTERING_GROUP = record("HoodieClusteringGroup", [
  optional("slices", { type: "array", items: SLICE_INFO }),
  optional("metrics", mapOf("double")),
  { name: "numOutputFileGroups", type: ["int", "null"], default: 1 },
  optional("extraMetadata", mapOf(STRING)),
  VERSION,
]);

const CLUSTERING_PLAN = record("HoodieClusteringPlan", [
  optional("inputGroups", { type: "array", items: CLUSTERING_GROUP }),
  optional(
    "strategy",
    record("HoodieClusteringStrategy", [
      optional("strategyClassName", STRING),
      optional("strategyParams", mapOf(STRING)),
      VERSION,
    ]),
  ),
  optional("extraMetadata", mapOf(STRING)),
  VERSION,
  optional("preserveHoodieMetadata", "boolean"),
]);

/** `<t>.replacecommit.requested`. */
export const REQUESTED_REPLACE_SCHEMA: object = planRecord("HoodieRequestedReplaceMetadata", [
  optional("operationType", STRING),
  optional("clusteringPlan", CLUSTERING_PLAN),
  optional("extraMetadata", mapOf(STRING)),
  VERSION,
]);

const DOUBLES = mapOf("double");

/** `<t>.compaction.requested`. */
export const COMPACTION_PLAN_SCHEMA: object = planRecord("HoodieCompactionPlan", [
  optional("operations", {
    type: "array",
    items: record("HoodieCompactionOperation", [
      { name: "baseInstantTime", type: OPTIONAL_STRING },
      optional("deltaFilePaths", TEXTS),
      optional("dataFilePath", STRING),
      { name: "fileId", type: OPTIONAL_STRING },
      optional("partitionPath", STRING),
      optional("metrics", DOUBLES),
      optional("bootstrapFilePath", STRING),
    ]),
  }),
  optional("extraMetadata", mapOf(STRING)),
  VERSION,
  optional(
    "strategy",
    record("HoodieCompactionStrategy", [
      optional("compactorClassName", STRING),
      optional("strategyParams", mapOf(STRING)),
      VERSION,
    ]),
  ),
  { name: "preserveHoodieMetadata", type: ["boolean", "null"], default: false },
]);

/** Maps that Hudi gives a default of their own, which readers pass over. */
const EXTRA_OF_CLEANS = optional("extraMetadata", { ...mapOf(STRING), default: null });

/** `<t>.clean.requested`. */
export const CLEAN_PLAN_SCHEMA: object = planRecord("HoodieCleanerPlan", [
  optional(
    "earliestInstantToRetain",
    record("HoodieActionInstant", [
      { name: "timestamp", type: STRING },
      { name: "action", type: STRING },
      { name: "state", type: STRING },
    ]),
  ),
  { name: "lastCompletedCommitTimestamp", type: STRING, default: "" },
  { name: "policy", type: STRING },
  optional("filesToBeDeletedPerPartition", mapOf(TEXTS)),
  VERSION,
  optional(
    "filePathsToBeDeletedPerPartition",
    mapOf({
      type: "array",
      items: record("HoodieCleanFileInfo", [
        optional("filePath", STRING),
        optional("isBootstrapBaseFile", "boolean"),
      ]),
    }),
  ),
  optional("partitionsToBeDeleted", TEXTS),
  EXTRA_OF_CLEANS,
]);

/** `<t>.clean`. */
export const CLEAN_METADATA_SCHEMA: object = planRecord("HoodieCleanMetadata", [
  { name: "startCleanTime", type: STRING },
  { name: "timeTakenInMillis", type: "long" },
  { name: "totalFilesDeleted", type: "int" },
  { name: "earliestCommitToRetain", type: STRING },
  { name: "lastCompletedCommitTimestamp", type: STRING, default: "" },
  {
    name: "partitionMetadata",
    type: mapOf(
      record("HoodieCleanPartitionMetadata", [
        { name: "partitionPath", type: STRING },
        { name: "policy", type: STRING },
        { name: "deletePathPatterns", type: TEXTS },
        { name: "successDeleteFiles", type: TEXTS },
        { name: "failedDeleteFiles", type: TEXTS },
        optional("isPartitionDeleted", "boolean"),
      ]),
    ),
  },
  VERSION,
  optional("bootstrapPartitionMetadata", {
    ...mapOf("HoodieCleanPartitionMetadata"),
    default: null,
  }),
  EXTRA_OF_CLEANS,
]);

/** `<t>.savepoint`. */
export const SAVEPOINT_SCHEMA: object = planRecord("HoodieSavepointMetadata", [
  { name: "savepointedBy", type: STRING },
  { name: "savepointedAt", type: "long" },
  { name: "comments", type: STRING },
  {
    name: "partitionMetadata",
    type: mapOf(
      record("HoodieSavepointPartitionMetadata", [
        { name: "partitionPath", type: STRING },
        { name: "savepointDataFile", type: TEXTS },
      ]),
    ),
  },
  VERSION,
]);

/** `<t>.restore.requested`. */
export const RESTORE_PLAN_SCHEMA: object = planRecord("HoodieRestorePlan", [
  {
    name: "instantsToRollback",
    type: { type: "array", items: INSTANT_INFO, default: null },
    default: [],
  },
  { ...VERSION, default: 2 },
  optional("savepointToRestoreTimestamp", STRING),
]);

/** `<t>.restore`. */
export const RESTORE_METADATA_SCHEMA: object = planRecord("HoodieRestoreMetadata", [
  { name: "startRestoreTime", type: STRING },
  { name: "timeTakenInMillis", type: "long" },
  { name: "instantsToRollback", type: TEXTS },
  {
    name: "hoodieRestoreMetadata",
    type: mapOf({
      type: "array",
      items: ["null", record("HoodieRollbackMetadata", ROLLBACK_METADATA_FIELDS)],
      default: null,
    }),
  },
  VERSION,
  {
    name: "restoreInstantInfo",
    type: { type: "array", items: "HoodieInstantInfo", default: null },
    default: [],
  },
]);
