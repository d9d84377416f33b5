// The public names, and nothing else.
export { HudiError, type HudiErrorCode, isHudiError } from "./errors.ts";
export type { BaseFile, FileSlice } from "./file-group/file-slice.ts";
export type { LogFile } from "./file-group/log-file.ts";
export type { WorkerOptions } from "./file-group/task-runner.ts";
export type { ColumnType, Field, TableSchema } from "./format/schema.ts";
export { HudiTable } from "./hudi-table.ts";
export type { Change } from "./layout/change.ts";
export type { ColumnPlace } from "./layout/column-tree.ts";
export type { AvroRecordSchema, SchemaSource } from "./layout/definition-schema.ts";
export type { IndexDefinition } from "./layout/index-definition.ts";
export type { PartitionColumn } from "./layout/key-definition.ts";
export type {
  KeyGenerator,
  KeyGeneratorKind,
  PartitionField,
} from "./layout/key-generator.ts";
export type { EngineName } from "./layout/reader-limits.ts";
export type { SchemaChange } from "./layout/schema-change.ts";
export type { TableConfig } from "./layout/table-config.ts";
export type {
  ColumnPath,
  DecimalName,
  EnumName,
  Fields,
  FixedName,
  LogicalName,
  LogicalTypes,
  RowOf,
  SchemaTableDefinition,
  TableDefinition,
} from "./layout/table-definition.ts";
export type {
  TimestampPartition,
  TimestampType,
  TimestampUnit,
} from "./layout/timestamp-settings.ts";
export type { CompareOperator, Predicate } from "./read/predicate.ts";
export type { Scan } from "./read/scan.ts";
export type {
  FileGroupStats,
  PartitionStats,
  SizeBin,
  StatsOptions,
  TableStats,
} from "./read/table-stats.ts";
export type { Clock } from "./runtime/clock.ts";
export type { Random } from "./runtime/random.ts";
export type { Runtime } from "./runtime/runtime.ts";
export type { ArchiveOptions, ArchiveReport } from "./services/archive.ts";
export type { CleanedFile, CleanOptions, CleanReport } from "./services/clean.ts";
export type { ClusteredGroup, Clustering, ClusterOptions } from "./services/clustering.ts";
export type { Finding, FindingSeverity } from "./services/verify-findings.ts";
export type {
  VerifyLevel,
  VerifyOptions,
  VerifyProgress,
  VerifyReport,
} from "./services/verify-table.ts";
export { MemoryStorage } from "./storage/memory-storage.ts";
export { MemoryStore } from "./storage/memory-store.ts";
export type { StorageSettings } from "./storage/open-storage.ts";
export type { Storage } from "./storage/storage.ts";
export type {
  Abortable,
  InstantRange,
  ReadOptions,
  SnapshotRead,
  TableOptions,
  Where,
} from "./table-options.ts";
export type { CommitMetadata, WriteStat } from "./timeline/commit-metadata.ts";
export type { Action, Instant, InstantState } from "./timeline/instant.ts";
export type { EvolveOptions } from "./write/evolve-table.ts";
export type { Source } from "./write/row-source.ts";
export type { RowWriteOptions, UpsertOptions, WriteOptions } from "./write/table-writer.ts";
export type { Commit } from "./write/write-operation.ts";
export type { WriteSettings } from "./write/write-settings.ts";
