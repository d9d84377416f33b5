// The request of a replace commit: empty for an insert overwrite, the plan for a clustering;
// `<t>.replacecommit.requested`, from table version 8 also `<t>.clustering.requested`.
// Rules: spec/format/action-plans.md.
import { encodeAvroFile } from "../format/avro-file.ts";
import {
  findField,
  findText,
  readRecords,
  requireRecord,
  requireText,
} from "../format/untyped-fields.ts";
import { decodePlanFile } from "./plan-file.ts";
import { REQUESTED_REPLACE_SCHEMA } from "./plan-schemas.ts";

/** A file group that a clustering reads and will replace. */
export interface ClusteredFileGroup {
  readonly partitionPath: string;
  readonly fileId: string;
}

/** A replace commit that was requested. */
export interface RequestedReplace {
  /** Hudi's name of the operation, for example `CLUSTER`; absent for an insert overwrite. */
  readonly operationType: string | undefined;
  /** Input of the clustering; undefined when this is none. */
  readonly clustering: readonly ClusteredFileGroup[] | undefined;
}

/** Reads the request; an empty file asks for nothing. Throws `CORRUPT` naming the file. */
export function decodeRequestedReplace(bytes: Uint8Array, path: string): RequestedReplace {
  if (bytes.length === 0) return { operationType: undefined, clustering: undefined };
  const request = decodePlanFile(bytes, "HoodieRequestedReplaceMetadata", path);
  const plan = findField(request, "clusteringPlan");
  return {
    operationType: findText(request, "operationType", path),
    clustering: plan === undefined ? undefined : parseClusteringPlan(plan, path),
  };
}

function parseClusteringPlan(value: unknown, path: string): readonly ClusteredFileGroup[] {
  const plan = requireRecord(value, "clusteringPlan", path);
  return readRecords(plan, "inputGroups", path)
    .flatMap((group) => readRecords(group, "slices", path))
    .map((slice) => ({
      partitionPath: findText(slice, "partitionPath", path) ?? "",
      fileId: requireText(slice, "fileId", path),
    }));
}

/** The request of an insert overwrite, in which nothing is set; `syncMarker` is 16 random bytes. */
export function encodeRequestedReplace(syncMarker: Uint8Array): Promise<Uint8Array> {
  const record = { operationType: null, clusteringPlan: null, extraMetadata: null, version: null };
  return encodeAvroFile(REQUESTED_REPLACE_SCHEMA, record, syncMarker);
}
