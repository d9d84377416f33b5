// What a pending clustering will write anew: the request of a replace commit of kind `CLUSTER`.
// Rules: spec/format/action-plans.md AP-1 and AP-4, spec/protocol/clustering.md CL-2.
import { encodeAvroFile } from "../format/avro-file.ts";
import {
  findField,
  findFlag,
  findNumber,
  findText,
  readEntries,
  readRecords,
  readTextMap,
  readTexts,
  requireRecord,
  requireText,
} from "../format/untyped-fields.ts";
import { decodePlanFile } from "./plan-file.ts";
import { REQUESTED_REPLACE_SCHEMA } from "./plan-schemas.ts";

/** A file slice that a clustering reads. */
export interface ClusteredSlice {
  readonly partitionPath: string;
  readonly fileId: string;
  /** Absolute; empty for a slice without base file. */
  readonly dataFile: string;
  readonly logFiles: readonly string[];
}

/** File slices of one partition that are written anew together. */
export interface ClusteringGroup {
  readonly slices: readonly ClusteredSlice[];
  /** What its strategy weighed, by Hudi's names. */
  readonly metrics: ReadonlyMap<string, number>;
  readonly outputFileGroups: number;
}

/** A clustering that was scheduled. */
export interface ClusteringPlan {
  readonly groups: readonly ClusteringGroup[];
  /** The class that carries it out in Spark. */
  readonly strategy: string;
  readonly parameters: ReadonlyMap<string, string>;
  /** Whether rows keep their meta columns, but for the file name. */
  readonly keepsMetaColumns: boolean;
}

/** Reads the plan; undefined where the request is none of a clustering. Throws `CORRUPT` naming the file. */
export function decodeClusteringPlan(bytes: Uint8Array, path: string): ClusteringPlan | undefined {
  if (bytes.length === 0) return undefined;
  const request = decodePlanFile(bytes, "HoodieRequestedReplaceMetadata", path);
  const value = findField(request, "clusteringPlan");
  if (value === undefined) return undefined;
  const plan = requireRecord(value, "clusteringPlan", path);
  const stated = findField(plan, "strategy");
  const strategy = stated === undefined ? undefined : requireRecord(stated, "strategy", path);
  return {
    groups: readRecords(plan, "inputGroups", path).map((group) => ({
      slices: readRecords(group, "slices", path).map((slice) => ({
        partitionPath: findText(slice, "partitionPath", path) ?? "",
        fileId: requireText(slice, "fileId", path),
        dataFile: findText(slice, "dataFilePath", path) ?? "",
        logFiles: readTexts(slice, "deltaFilePaths", path),
      })),
      metrics: new Map(
        [...readEntries(group, "metrics", path)].flatMap(([name, metric]) =>
          typeof metric === "number" ? [[name, metric] as const] : [],
        ),
      ),
      outputFileGroups: findNumber(group, "numOutputFileGroups", path) ?? 1,
    })),
    strategy: (strategy && findText(strategy, "strategyClassName", path)) ?? "",
    parameters: strategy ? readTextMap(strategy, "strategyParams", path) : new Map(),
    keepsMetaColumns: findFlag(plan, "preserveHoodieMetadata", path) ?? false,
  };
}

/** The bytes of `<t>.replacecommit.requested`; `syncMarker` is 16 random bytes. */
export function encodeClusteringPlan(
  plan: ClusteringPlan,
  syncMarker: Uint8Array,
): Promise<Uint8Array> {
  const nothing = new Map<string, string>();
  const record = {
    operationType: "CLUSTER",
    clusteringPlan: {
      inputGroups: plan.groups.map(({ slices, metrics, outputFileGroups }) => ({
        slices: slices.map(({ partitionPath, fileId, dataFile, logFiles }) => ({
          dataFilePath: dataFile,
          deltaFilePaths: logFiles,
          fileId,
          partitionPath,
          bootstrapFilePath: "",
          version: 1,
        })),
        metrics,
        numOutputFileGroups: outputFileGroups,
        extraMetadata: null,
        version: 1,
      })),
      strategy: {
        strategyClassName: plan.strategy,
        strategyParams: plan.parameters,
        version: 1,
      },
      extraMetadata: nothing,
      version: 1,
      preserveHoodieMetadata: plan.keepsMetaColumns,
    },
    extraMetadata: nothing,
    version: 1,
  };
  return encodeAvroFile(REQUESTED_REPLACE_SCHEMA, record, syncMarker);
}
