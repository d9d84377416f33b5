// The files that a savepoint keeps from being cleaned; `<t>.savepoint`.
// Rules: spec/format/action-plans.md.
import { readEntries, readTexts, requireRecord } from "../format/untyped-fields.ts";
import { decodePlanFile } from "./plan-file.ts";

/** A savepoint: file names by partition path. */
export interface SavepointMetadata {
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
  return { files };
}
