// Partition metafiles: how other engines find the partitions of a table.
// Rules: spec/format/table-layout.md.
import type { FileSystemView } from "../file-group/file-system-view.ts";
import { formatPartitionMetafile, partitionMetafilePath } from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { isOutcomeUnknown } from "../storage/storage.ts";
import type { TableContext } from "../timeline/table-context.ts";
import type { WorkPlan } from "./work-plan.ts";

/** Creates the metafiles that the partitions of a plan do not have yet. */
export async function createPartitionMetafiles(
  context: TableContext,
  instant: string,
  view: FileSystemView,
  plan: WorkPlan,
  signal: AbortSignal | undefined,
): Promise<void> {
  const missing = new Set(plan.work.map((item) => item.partitionPath));
  for (const known of view.knownPartitions) missing.delete(known);
  await mapConcurrently(
    missing,
    16,
    (partitionPath) => createPartitionMetafile(context, instant, partitionPath, signal),
    signal,
  );
}

async function createPartitionMetafile(
  { storage }: TableContext,
  instant: string,
  partitionPath: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = partitionMetafilePath(partitionPath);
  const content = Buffer.from(formatPartitionMetafile(instant, partitionPath));
  try {
    await storage.createIfAbsent(path, content, { signal });
  } catch (error) {
    // Whoever wrote the one that is there, it serves.
    if (!isOutcomeUnknown(error) || signal?.aborted) throw error;
    if (!(await storage.findObject(path, { signal }))) throw error;
  }
}
