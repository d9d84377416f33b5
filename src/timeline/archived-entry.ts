// One state of an instant as the archive keeps it, with the schema of Hudi 0.15.
// Rules: spec/protocol/archive.md ARC-3.

import type { AvroRecord, AvroValue } from "../format/avro-closures.ts";
import { decodeAvroFile } from "../format/avro-file.ts";
import { parseBoundedJson } from "../format/bounded-json.ts";
import {
  findFlag,
  findNumber,
  findText,
  readEntries,
  readTextMap,
  requireRecord,
  requireRecords,
  requireTexts,
  type UntypedRecord,
} from "../format/untyped-fields.ts";
import type { Instant } from "./instant.ts";
import type { InstantTime } from "./instant-time.ts";

/** A file of the timeline folder that goes to the archive. */
export interface ArchivedState {
  readonly instant: Instant;
  /** When the file was written, as an instant time. */
  readonly transitionTime: InstantTime;
  /** What the file holds; of an empty one whose plan stands in the request, that. */
  readonly content: Uint8Array;
  /** For messages. */
  readonly path: string;
}

/** The record of a state. Throws `CORRUPT` for a completed state that cannot be read. */
export function createArchivedEntry(state: ArchivedState): AvroRecord {
  const { instant, transitionTime } = state;
  return {
    commitTime: instant.time,
    actionType: instant.action,
    version: null,
    actionState: instant.state.toUpperCase(),
    stateTransitionTime: transitionTime,
    ...describe(state),
  };
}

/** The field of the entry that holds what the file said, if there is one for it. */
function describe(state: ArchivedState): AvroRecord {
  const { instant, content, path } = state;
  const isCompleted = instant.state === "completed";
  const isCommit = instant.action === "commit" || instant.action === "deltacommit";
  // A commit's request is empty, and so is what another process left half deleted.
  if (content.length === 0 && !isCompleted && !isCommit) return {};
  switch (instant.action) {
    case "commit":
    case "deltacommit":
      return { hoodieCommitMetadata: commitRecord(content, path) };
    case "replacecommit":
      if (isCompleted) return { hoodieReplaceCommitMetadata: replaceRecord(content, path) };
      return instant.state === "inflight"
        ? { HoodieInflightReplaceMetadata: commitRecord(content, path) }
        : { hoodieRequestedReplaceMetadata: planRecord(content, path) };
    case "clean":
      return isCompleted
        ? { hoodieCleanMetadata: planRecord(content, path) }
        : { hoodieCleanerPlan: planRecord(content, path) };
    case "rollback":
      return isCompleted ? { hoodieRollbackMetadata: planRecord(content, path) } : {};
    case "compaction":
      return { hoodieCompactionPlan: planRecord(content, path) };
    default:
      return {};
  }
}

/** The one record of an Avro file, which has the fields of the entry's or, of an older release, fewer. */
function planRecord(content: Uint8Array, path: string): AvroValue {
  const { records } = decodeAvroFile(content, path);
  return requireRecord(records[0], "the record", path) as AvroRecord;
}

const STAT_TEXTS = ["fileId", "path", "prevCommit", "partitionPath"] as const;
const STAT_NUMBERS = [
  "numWrites",
  "numDeletes",
  "numUpdateWrites",
  "totalWriteBytes",
  "totalWriteErrors",
  "totalLogRecords",
  "totalUpdatedRecordsCompacted",
  "numInserts",
  "totalLogBlocks",
  "totalCorruptLogBlock",
  "totalRollbackBlocks",
  "fileSizeInBytes",
] as const;

/** Hudi empties this entry in whatever it archives. */
const ROLLING_STATISTICS = "ROLLING_STAT";

function commitRecord(content: Uint8Array, path: string): AvroRecord {
  const root: UntypedRecord =
    content.length === 0
      ? {}
      : requireRecord(parseBoundedJson(content, path), "commit metadata", path);
  const stats = new Map<string, AvroValue>();
  for (const [partition, list] of readEntries(root, "partitionToWriteStats", path)) {
    const records = requireRecords(list, "partitionToWriteStats", path);
    stats.set(
      partition,
      records.map((stat) => statRecord(stat, path)),
    );
  }
  const isCompaction = findFlag(root, "compacted", path) === true;
  return {
    partitionToWriteStats: stats,
    extraMetadata: new Map([...readTextMap(root, "extraMetadata", path), [ROLLING_STATISTICS, ""]]),
    version: null,
    operationType: isCompaction ? "COMPACT" : (findText(root, "operationType", path) ?? "UNKNOWN"),
  };
}

function statRecord(stat: UntypedRecord, path: string): AvroRecord {
  const record: AvroRecord = {};
  for (const name of STAT_TEXTS) record[name] = findText(stat, name, path) ?? null;
  for (const name of STAT_NUMBERS) record[name] = findNumber(stat, name, path) ?? 0;
  return record;
}

function replaceRecord(content: Uint8Array, path: string): AvroRecord {
  const replaced = new Map<string, AvroValue>();
  const root: UntypedRecord = requireRecord(
    parseBoundedJson(content, path),
    "commit metadata",
    path,
  );
  for (const [partition, ids] of readEntries(root, "partitionToReplaceFileIds", path)) {
    replaced.set(partition, requireTexts(ids, "partitionToReplaceFileIds", path));
  }
  return { ...commitRecord(content, path), partitionToReplaceFileIds: replaced };
}
