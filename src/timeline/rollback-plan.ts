// The plan of a rollback: which instant goes, and which files with it; `<t>.rollback.requested`.
// Rules: spec/format/action-plans.md.
import { encodeAvroFile } from "../format/avro-file.ts";
import {
  findField,
  findNumberMap,
  findText,
  readRecords,
  readTexts,
  requireRecord,
  requireText,
  type UntypedRecord,
} from "../format/untyped-fields.ts";
import { decodePlanFile } from "./plan-file.ts";
import { ROLLBACK_PLAN_SCHEMA } from "./plan-schemas.ts";

/** An instant as plans name it. */
export interface PlannedInstant {
  readonly time: string;
  /** Spelled as on the timeline, for example `commit`. */
  readonly action: string;
}

/** Files of one partition that the rolled back instant left: of one file group, or of several. */
export interface RollbackRequest {
  readonly partitionPath: string;
  /** The file group; empty when the files are of several. */
  readonly fileId: string;
  /** Instant of the base file that the files are or belong to; empty when they are of several. */
  readonly latestBaseInstant: string;
  /** Absolute: Hudi deletes them by the name that stands here. */
  readonly filesToBeDeleted: readonly string[];
  /** Log files that hold blocks of the instant, absolute, and their size in bytes. */
  readonly logBlocksToBeDeleted: ReadonlyMap<string, number>;
}

/** A rollback that was requested. */
export interface RollbackPlan {
  readonly instantToRollback: PlannedInstant;
  readonly requests: readonly RollbackRequest[];
}

/** Reads `<t>.rollback.requested`. Throws `CORRUPT` naming the file. */
export function decodeRollbackPlan(bytes: Uint8Array, path: string): RollbackPlan {
  const plan = decodePlanFile(bytes, "HoodieRollbackPlan", path);
  const instant = requireRecord(findField(plan, "instantToRollback"), "instantToRollback", path);
  return {
    instantToRollback: parsePlannedInstant(instant, path),
    requests: readRecords(plan, "RollbackRequests", path).map((request) => ({
      partitionPath: requireText(request, "partitionPath", path),
      fileId: findText(request, "fileId", path) ?? "",
      latestBaseInstant: findText(request, "latestBaseInstant", path) ?? "",
      filesToBeDeleted: readTexts(request, "filesToBeDeleted", path),
      logBlocksToBeDeleted: findNumberMap(request, "logBlocksToBeDeleted", path) ?? new Map(),
    })),
  };
}

/** The instant of a `HoodieInstantInfo`. */
export function parsePlannedInstant(record: UntypedRecord, path: string): PlannedInstant {
  return {
    time: requireText(record, "commitTime", path),
    action: requireText(record, "action", path),
  };
}

/** The bytes of `<t>.rollback.requested`; `syncMarker` is 16 random bytes. */
export function encodeRollbackPlan(
  plan: RollbackPlan,
  syncMarker: Uint8Array,
): Promise<Uint8Array> {
  const { time, action } = plan.instantToRollback;
  const record = {
    instantToRollback: { commitTime: time, action },
    RollbackRequests: plan.requests.map((request) => ({ ...request })),
    version: 1,
  };
  return encodeAvroFile(ROLLBACK_PLAN_SCHEMA, record, syncMarker);
}
