// Avro schemas of the timeline files that this library writes, with the names, order and defaults of
// Hudi 0.15, which is what its readers resolve against. Rules: spec/format/action-plans.md AP-1.

const STRING = { type: "string", "avro.java.string": "String" };
const TEXTS = { type: "array", items: STRING };
const OPTIONAL_STRING = ["null", STRING];
const VERSION = { name: "version", type: ["int", "null"], default: 1 };

function mapOf(values: unknown): object {
  return { type: "map", values, "avro.java.string": "String" };
}

function optional(name: string, type: unknown): object {
  return { name, type: ["null", type], default: null };
}

function record(name: string, fields: readonly object[]): object {
  return { type: "record", name, fields };
}

function planRecord(name: string, fields: readonly object[]): object {
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

/** `<t>.rollback`. */
export const ROLLBACK_METADATA_SCHEMA: object = planRecord("HoodieRollbackMetadata", [
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
]);

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
