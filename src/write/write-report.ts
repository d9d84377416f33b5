// What a write says of itself on the timeline: its workload profile before, its write stats after.
// Rules: spec/format/commit-metadata.md, CM-2 and CM-4.
import type { WrittenFile } from "../file-group/base-file-writer.ts";
import {
  NO_PREVIOUS_COMMIT,
  type WorkloadProfile,
  type WriteStat,
} from "../timeline/commit-metadata.ts";
import type { WorkPlan } from "./work-plan.ts";

/** The inflight file: what will be touched, for the conflict checks of other engines. */
export function profileOf(operationType: string, plan: WorkPlan): WorkloadProfile {
  const partitions = new Map<string, { numInserts: number; fileGroups: WorkloadProfileGroup[] }>();
  for (const item of plan.work) {
    const entry = partitions.get(item.partitionPath) ?? { numInserts: 0, fileGroups: [] };
    partitions.set(item.partitionPath, entry);
    if (!item.slice) {
      entry.numInserts += item.inserts.length;
      continue;
    }
    entry.fileGroups.push({
      fileId: item.slice.fileId,
      prevCommit: item.slice.baseInstant,
      numUpdateWrites: item.log ? item.entries.length + item.inserts.length : item.positions.length,
      numInserts: item.log ? 0 : item.inserts.length,
    });
  }
  return { operationType, partitions };
}

interface WorkloadProfileGroup {
  readonly fileId: string;
  readonly prevCommit: string;
  readonly numUpdateWrites: number;
  readonly numInserts: number;
}

/** The write stats of the files, by partition. */
export function groupStats(written: readonly WrittenFile[]): Map<string, WriteStat[]> {
  const stats = new Map<string, WriteStat[]>();
  for (const file of written) {
    const list = stats.get(file.partitionPath) ?? [];
    stats.set(file.partitionPath, list);
    list.push({
      fileId: file.fileId,
      path: file.path,
      prevCommit: file.previousInstant ?? NO_PREVIOUS_COMMIT,
      partitionPath: file.partitionPath,
      numWrites: file.rowCount,
      numDeletes: file.deleteCount,
      numUpdateWrites: file.updateCount,
      numInserts: file.insertCount,
      totalWriteBytes: file.sizeBytes,
      fileSizeInBytes: file.sizeBytes,
      totalWriteErrors: 0,
      ...(file.log && {
        logVersion: file.log.version,
        logOffset: 0,
        baseFile: file.log.baseFile,
        logFiles: file.log.logFiles,
      }),
    });
  }
  return stats;
}
