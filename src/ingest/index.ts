// The public names of `hudi-lake/ingest`, and nothing else.
export {
  type BatchLimits,
  type BatchOptions,
  batchChanges,
  type IngestBatch,
  type RecordDecoder,
} from "./batch-changes.ts";
export type {
  ChangeEvent,
  ChangeKind,
  DeclaredType,
  SourcePosition,
  SourceTable,
} from "./change-event.ts";
export {
  advanceCheckpoint,
  type Checkpoint,
  type CheckpointKeeper,
  DEFAULT_CHECKPOINT_KEY,
  formatCheckpoint,
  nextOffset,
  type OffsetRange,
  parseCheckpoint,
  type ResumePoint,
  resumeFrom,
} from "./checkpoint.ts";
export { DebeziumJsonDecoder } from "./debezium-json.ts";
export {
  DEFAULT_EVENT_COLUMNS,
  DebeziumRowMapper,
  type DebeziumRowOptions,
  type EventAttribute,
} from "./debezium-rows.ts";
export type { EpochUnit } from "./debezium-values.ts";
export type { JsonObject, JsonValue } from "./exact-json.ts";
export {
  createDebeziumDecoder,
  type IngestedCommit,
  type IngestOptions,
  ingestChanges,
} from "./ingest-job.ts";
export { JsonLinesSource } from "./json-lines-source.ts";
export type { RawContent, RecordHeader, RecordSource, SourceRecord } from "./record-source.ts";
