// What a commit wrote: write stats by partition, replaced file groups, schema and other extra
// metadata. JSON up to table version 6, Avro from 8 on. Rules: spec/format/commit-metadata.md.

import { HudiError } from "../errors.ts";
import { decodeAvroFile, isAvroFile } from "../format/avro-file.ts";
import { parseBoundedJson } from "../format/bounded-json.ts";
import {
  findField,
  findFlag,
  findNumber,
  findNumberMap,
  findText,
  readEntries,
  readTextMap,
  readTexts,
  requireRecord,
  requireRecords,
  requireTexts,
  type UntypedRecord,
} from "../format/untyped-fields.ts";

/** `prevCommit` of a file group that did not exist before. */
export const NO_PREVIOUS_COMMIT = "null";

/** How long the parts of a write took, in milliseconds. */
export interface WriteDurations {
  readonly scanMs: number;
  readonly upsertMs: number;
  readonly createMs: number;
}

/** What one write did to one file group. */
export interface WriteStat {
  /** Empty in a workload profile for inserts whose group is not chosen yet. */
  readonly fileId: string;
  /** Relative to the table: partition and file name. Empty in a workload profile. */
  readonly path: string;
  /** The instant of the group's previous base file, or `NO_PREVIOUS_COMMIT`. */
  readonly prevCommit: string;
  readonly partitionPath: string;
  /** Rows of the new file; of a rewritten file all of them. */
  readonly numWrites: number;
  readonly numDeletes: number;
  readonly numUpdateWrites: number;
  readonly numInserts: number;
  readonly totalWriteBytes: number;
  readonly fileSizeInBytes: number;
  readonly totalWriteErrors: number;
  /** Change data files of this write: path relative to the table, and size in bytes. */
  readonly cdcStats?: ReadonlyMap<string, number>;
  readonly minEventTime?: number;
  readonly maxEventTime?: number;
  readonly durations?: WriteDurations;
  /** Only of a log file: its version, where its blocks begin, and the slice it belongs to. */
  readonly logVersion?: number;
  readonly logOffset?: number;
  readonly baseFile?: string;
  readonly logFiles?: readonly string[];
}

/** The content of a commit, delta commit or replace commit, and of their inflight files. */
export interface CommitMetadata {
  /** Hudi's name of the operation, for example `UPSERT`. */
  readonly operationType: string;
  /** Whether this commit is a finished compaction. */
  readonly compacted: boolean;
  readonly partitionToWriteStats: ReadonlyMap<string, readonly WriteStat[]>;
  /** File groups by partition that this commit took out of the table. */
  readonly partitionToReplaceFileIds: ReadonlyMap<string, readonly string[]>;
  readonly extraMetadata: ReadonlyMap<string, string>;
}

/** What a write is about to do, partition by partition; conflict checks of other writers read it. */
export interface WorkloadProfile {
  readonly operationType: string;
  readonly partitions: ReadonlyMap<string, PartitionWorkload>;
}

/** Planned rows of one partition: inserts as a whole, updates by the file group they fall into. */
export interface PartitionWorkload {
  readonly numInserts: number;
  readonly fileGroups: ReadonlyArray<{
    readonly fileId: string;
    /** Instant of the base file that is about to be replaced. */
    readonly prevCommit: string;
    readonly numUpdateWrites: number;
    /** Inserts that go into this group. */
    readonly numInserts?: number;
  }>;
}

const EMPTY_METADATA: CommitMetadata = {
  operationType: "UNKNOWN",
  compacted: false,
  partitionToWriteStats: new Map(),
  partitionToReplaceFileIds: new Map(),
  extraMetadata: new Map(),
};

/** Operations whose commit says what it replaced even where that is nothing. */
const REPLACING: ReadonlySet<string> = new Set([
  "INSERT_OVERWRITE",
  "INSERT_OVERWRITE_TABLE",
  "DELETE_PARTITION",
]);

/** The JSON of table version 6, with the fields and nulls that Hudi 0.15 writes. */
export function formatCommitMetadata(metadata: CommitMetadata): Uint8Array {
  const stats = formatMap(metadata.partitionToWriteStats, (list) =>
    JSON.stringify(list.map(toStatJson)),
  );
  const replaced =
    metadata.partitionToReplaceFileIds.size === 0 && !REPLACING.has(metadata.operationType)
      ? ""
      : `,"partitionToReplaceFileIds":${formatMap(metadata.partitionToReplaceFileIds, (ids) => JSON.stringify(ids))}`;
  const extra = formatMap(metadata.extraMetadata, (text) => JSON.stringify(text));
  return Buffer.from(
    `{"partitionToWriteStats":${stats},"compacted":${metadata.compacted},"extraMetadata":${extra},` +
      `"operationType":${JSON.stringify(metadata.operationType)}${replaced}}`,
  );
}

/** The JSON of an inflight file of table version 6. */
export function formatWorkloadProfile(profile: WorkloadProfile): Uint8Array {
  const planned = (
    stat: Pick<WriteStat, "fileId" | "prevCommit"> & Partial<WriteStat>,
  ): Record<string, unknown> => ({
    ...toStatJson({ ...NOTHING_WRITTEN, ...stat }),
    path: null,
    partitionPath: null,
  });
  const stats = formatMap(profile.partitions, ({ numInserts, fileGroups }) =>
    JSON.stringify([
      planned({ fileId: "", prevCommit: NO_PREVIOUS_COMMIT, numInserts }),
      ...fileGroups.map(planned),
    ]),
  );
  return Buffer.from(
    `{"partitionToWriteStats":${stats},"compacted":false,"extraMetadata":{},` +
      `"operationType":${JSON.stringify(profile.operationType)}}`,
  );
}

const NOTHING_WRITTEN: WriteStat = {
  fileId: "",
  path: "",
  prevCommit: NO_PREVIOUS_COMMIT,
  partitionPath: "",
  numWrites: 0,
  numDeletes: 0,
  numUpdateWrites: 0,
  numInserts: 0,
  totalWriteBytes: 0,
  fileSizeInBytes: 0,
  totalWriteErrors: 0,
};

/** An object of JSON text by text: an object in memory would reorder keys such as "10". */
function formatMap<T>(map: ReadonlyMap<string, T>, formatValue: (value: T) => string): string {
  const entries = Array.from(map, ([key, value]) => `${JSON.stringify(key)}:${formatValue(value)}`);
  return `{${entries.join(",")}}`;
}

function toStatJson(stat: WriteStat): Record<string, unknown> {
  const { durations } = stat;
  const common = {
    fileId: stat.fileId,
    path: stat.path,
    cdcStats: stat.cdcStats ? toJsonObject(stat.cdcStats) : null,
    prevCommit: stat.prevCommit,
    numWrites: stat.numWrites,
    numDeletes: stat.numDeletes,
    numUpdateWrites: stat.numUpdateWrites,
    numInserts: stat.numInserts,
    totalWriteBytes: stat.totalWriteBytes,
    totalWriteErrors: stat.totalWriteErrors,
    tempPath: null,
    partitionPath: stat.partitionPath,
    totalLogRecords: 0,
    totalLogFilesCompacted: 0,
    totalLogSizeCompacted: 0,
    totalUpdatedRecordsCompacted: 0,
    totalLogBlocks: 0,
    totalCorruptLogBlock: 0,
    totalRollbackBlocks: 0,
    fileSizeInBytes: stat.fileSizeInBytes,
    minEventTime: stat.minEventTime ?? null,
    maxEventTime: stat.maxEventTime ?? null,
    runtimeStats: durations
      ? {
          totalScanTime: durations.scanMs,
          totalUpsertTime: durations.upsertMs,
          totalCreateTime: durations.createMs,
        }
      : null,
  };
  if (stat.logVersion === undefined) return common;
  return {
    ...common,
    logVersion: stat.logVersion,
    logOffset: stat.logOffset ?? 0,
    baseFile: stat.baseFile ?? "",
    logFiles: stat.logFiles ?? [],
  };
}

function toJsonObject(map: ReadonlyMap<string, number>): Record<string, number> {
  const object: Record<string, number> = Object.create(null);
  for (const [key, value] of map) object[key] = value;
  return object;
}

/**
 * Reads a completed or inflight file of a commit, in JSON or in Avro. An empty file is the metadata
 * of nothing. Fields that this library does not know are ignored. Throws `CORRUPT` naming the file.
 */
export function parseCommitMetadata(bytes: Uint8Array, path: string): CommitMetadata {
  if (bytes.length === 0) return EMPTY_METADATA;
  const root = requireRecord(loadRoot(bytes, path), "commit metadata", path);
  const partitionToWriteStats = new Map<string, readonly WriteStat[]>();
  for (const [partition, list] of readEntries(root, "partitionToWriteStats", path)) {
    const place = `write stats of ${partition}`;
    partitionToWriteStats.set(
      partition,
      requireRecords(list, place, path).map((stat) => parseStat(stat, partition, path)),
    );
  }
  const partitionToReplaceFileIds = new Map<string, readonly string[]>();
  for (const [partition, ids] of readEntries(root, "partitionToReplaceFileIds", path)) {
    partitionToReplaceFileIds.set(partition, requireTexts(ids, "partitionToReplaceFileIds", path));
  }
  return {
    operationType: findText(root, "operationType", path) ?? "UNKNOWN",
    compacted: findFlag(root, "compacted", path) ?? false,
    partitionToWriteStats,
    partitionToReplaceFileIds,
    extraMetadata: readTextMap(root, "extraMetadata", path),
  };
}

function loadRoot(bytes: Uint8Array, path: string): unknown {
  if (!isAvroFile(bytes)) return parseBoundedJson(bytes, path);
  const { records } = decodeAvroFile(bytes, path);
  if (records.length !== 1) {
    const found = `found ${records.length} records of commit metadata, expected one`;
    throw new HudiError("CORRUPT", `cannot read ${path}: ${found}`, { path });
  }
  return records[0];
}

function parseStat(stat: UntypedRecord, partition: string, path: string): WriteStat {
  const number = (name: string): number => findNumber(stat, name, path) ?? 0;
  return {
    fileId: findText(stat, "fileId", path) ?? "",
    path: findText(stat, "path", path) ?? "",
    prevCommit: findText(stat, "prevCommit", path) ?? NO_PREVIOUS_COMMIT,
    partitionPath: findText(stat, "partitionPath", path) ?? partition,
    numWrites: number("numWrites"),
    numDeletes: number("numDeletes"),
    numUpdateWrites: number("numUpdateWrites"),
    numInserts: number("numInserts"),
    totalWriteBytes: number("totalWriteBytes"),
    fileSizeInBytes: number("fileSizeInBytes"),
    totalWriteErrors: number("totalWriteErrors"),
    ...parseRareFields(stat, path),
    ...parseLogFields(stat, path),
  };
}

function parseRareFields(
  stat: UntypedRecord,
  path: string,
): Pick<WriteStat, "cdcStats" | "minEventTime" | "maxEventTime" | "durations"> {
  const cdcStats = findNumberMap(stat, "cdcStats", path);
  const minEventTime = findNumber(stat, "minEventTime", path);
  const maxEventTime = findNumber(stat, "maxEventTime", path);
  const runtime = findField(stat, "runtimeStats");
  const durations = runtime === undefined ? undefined : parseDurations(runtime, path);
  return {
    ...(cdcStats && { cdcStats }),
    ...(minEventTime !== undefined && { minEventTime }),
    ...(maxEventTime !== undefined && { maxEventTime }),
    ...(durations && { durations }),
  };
}

function parseDurations(value: unknown, path: string): WriteDurations {
  const runtime = requireRecord(value, "runtimeStats", path);
  return {
    scanMs: findNumber(runtime, "totalScanTime", path) ?? 0,
    upsertMs: findNumber(runtime, "totalUpsertTime", path) ?? 0,
    createMs: findNumber(runtime, "totalCreateTime", path) ?? 0,
  };
}

function parseLogFields(
  stat: UntypedRecord,
  path: string,
): Pick<WriteStat, "logVersion" | "logOffset" | "baseFile" | "logFiles"> {
  const logVersion = findNumber(stat, "logVersion", path);
  if (logVersion === undefined) return {};
  return {
    logVersion,
    logOffset: findNumber(stat, "logOffset", path) ?? 0,
    baseFile: findText(stat, "baseFile", path) ?? "",
    logFiles: readTexts(stat, "logFiles", path),
  };
}
