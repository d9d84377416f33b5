// What a pending compaction will rewrite; `<t>.compaction.requested`, and the same of a log
// compaction. Rules: spec/format/action-plans.md.
import { encodeAvroFile } from "../format/avro-file.ts";
import {
  findText,
  readEntries,
  readRecords,
  readTexts,
  requireText,
} from "../format/untyped-fields.ts";
import { decodePlanFile } from "./plan-file.ts";
import { COMPACTION_PLAN_SCHEMA } from "./plan-schemas.ts";

/** One file slice that a compaction merges into a new base file of the same group. */
export interface CompactionOperation {
  readonly partitionPath: string;
  readonly fileId: string;
  /** The instant of the slice: that of its base file, or of its first log. */
  readonly baseInstant: string;
  /** Name of the base file, if there is one. */
  readonly dataFile: string | undefined;
  /** Names of the log files, in the order of the plan. */
  readonly logFiles: readonly string[];
  /** What its strategy weighed, by Hudi's names. */
  readonly metrics: ReadonlyMap<string, number>;
}

/** A compaction that was scheduled. */
export interface CompactionPlan {
  readonly operations: readonly CompactionOperation[];
}

/** Reads `<t>.compaction.requested`. Throws `CORRUPT` naming the file. */
export function decodeCompactionPlan(bytes: Uint8Array, path: string): CompactionPlan {
  const plan = decodePlanFile(bytes, "HoodieCompactionPlan", path);
  return {
    operations: readRecords(plan, "operations", path).map((operation) => ({
      partitionPath: findText(operation, "partitionPath", path) ?? "",
      fileId: requireText(operation, "fileId", path),
      baseInstant: requireText(operation, "baseInstantTime", path),
      dataFile: findText(operation, "dataFilePath", path),
      logFiles: readTexts(operation, "deltaFilePaths", path),
      metrics: new Map(
        [...readEntries(operation, "metrics", path)].flatMap(([name, value]) =>
          typeof value === "number" ? [[name, value] as const] : [],
        ),
      ),
    })),
  };
}

/** The bytes of `<t>.compaction.requested`; `syncMarker` is 16 random bytes. */
export function encodeCompactionPlan(
  plan: CompactionPlan,
  syncMarker: Uint8Array,
): Promise<Uint8Array> {
  const record = {
    operations: plan.operations.map((operation) => ({
      baseInstantTime: operation.baseInstant,
      deltaFilePaths: operation.logFiles,
      dataFilePath: operation.dataFile ?? null,
      fileId: operation.fileId,
      partitionPath: operation.partitionPath,
      metrics: operation.metrics,
      bootstrapFilePath: null,
    })),
    extraMetadata: null,
    version: 2,
    strategy: null,
    preserveHoodieMetadata: false,
  };
  return encodeAvroFile(COMPACTION_PLAN_SCHEMA, record, syncMarker);
}
