// The files that a savepoint keeps from being cleaned; `<t>.savepoint`.
// Rules: spec/format/action-plans.md.
import { encodeAvroFile } from "../format/avro-file.ts";
import {
  findNumber,
  findText,
  readEntries,
  readTexts,
  requireRecord,
} from "../format/untyped-fields.ts";
import { decodePlanFile } from "./plan-file.ts";
import { SAVEPOINT_SCHEMA } from "./plan-schemas.ts";

/** A savepoint. */
export interface SavepointMetadata {
  readonly user: string;
  readonly comments: string;
  /** Milliseconds since the epoch. */
  readonly createdMs: number;
  /** File names by partition path. */
  readonly files: ReadonlyMap<string, readonly string[]>;
}

/** Reads `<t>.savepoint`. Throws `CORRUPT` naming the file. */
export function decodeSavepointMetadata(bytes: Uint8Array, path: string): SavepointMetadata {
  const metadata = decodePlanFile(bytes, "HoodieSavepointMetadata", path);
  const files = new Map<string, readonly string[]>();
  for (const [partition, value] of readEntries(metadata, "partitionMetadata", path)) {
    const record = requireRecord(value, "partitionMetadata", path);
    files.set(partition, readTexts(record, "savepointDataFile", path));
  }
  return {
    user: findText(metadata, "savepointedBy", path) ?? "",
    comments: findText(metadata, "comments", path) ?? "",
    createdMs: findNumber(metadata, "savepointedAt", path) ?? 0,
    files,
  };
}

/** The bytes of `<t>.savepoint`; `syncMarker` is 16 random bytes. */
export function encodeSavepointMetadata(
  savepoint: SavepointMetadata,
  syncMarker: Uint8Array,
): Promise<Uint8Array> {
  const partitionMetadata = new Map(
    Array.from(savepoint.files, ([partitionPath, names]) => [
      partitionPath,
      { partitionPath, savepointDataFile: names },
    ]),
  );
  const record = {
    savepointedBy: savepoint.user,
    savepointedAt: savepoint.createdMs,
    comments: savepoint.comments,
    partitionMetadata,
    version: 1,
  };
  return encodeAvroFile(SAVEPOINT_SCHEMA, record, syncMarker);
}
