// Assigns keyed records to the buckets that their keys hash to: one file group each.
// Rules: spec/format/indexing.md IX-8 and IX-9.
import { type FileSlice, fileGroupKey } from "../file-group/file-slice.ts";
import { bucketKey, bucketsOfKeys } from "../indexing/bucket-hash.ts";
import type { TaggedSlice } from "../indexing/tag-locations.ts";
import type { TableConfig } from "../layout/table-config.ts";
import { runInTurns } from "../runtime/steps.ts";
import type { IncomingRecords } from "./incoming-records.ts";
import { type FileGroupWork, NONE, planTagged, splitAbsent, type WorkPlan } from "./work-plan.ts";

/** Plans the buckets that a write touches; `slices` are those that new rows may be added to. */
export async function planBuckets(
  config: TableConfig,
  records: IncomingRecords,
  tagged: readonly TaggedSlice[],
  slices: readonly FileSlice[],
  signal?: AbortSignal,
): Promise<WorkPlan> {
  const { absent, insertsOf } = await splitAbsent(records, tagged, signal);
  const work = planTagged(tagged);
  const created: FileGroupWork[] = [];
  const sliceOf = new Map(
    slices.map((slice) => [bucketKey(slice.partitionPath, slice.fileId), slice]),
  );
  const { buckets = 1 } = config.index;
  const bucketOfRow = await runInTurns(
    bucketsOfKeys(records.keys, buckets, config.bucketHashFields),
    signal,
  );
  for (const [partition, inserts] of insertsOf.entries()) {
    const partitionPath = records.partitions.paths[partition] as string;
    const byBucket = Map.groupBy(
      inserts,
      (entry) => bucketOfRow[records.entries.finalRows[entry] as number] as number,
    );
    for (const [bucket, entries] of byBucket) {
      const slice = sliceOf.get(fileGroupKey(partitionPath, String(bucket)));
      const item = { partitionPath, inserts: Int32Array.from(entries) };
      if (slice) {
        const { entries: found, positions } = work.get(slice) ?? { entries: NONE, positions: NONE };
        work.set(slice, { ...item, slice, entries: found, positions });
      } else {
        created.push({ ...item, slice: undefined, entries: NONE, positions: NONE, bucket });
      }
    }
  }
  return { work: [...work.values(), ...created], absent };
}

/** The buckets that a plan writes, as `bucketKey`; none without a bucket index. */
export function touchedBuckets(work: readonly FileGroupWork[], { index }: TableConfig): string[] {
  if (index.kind !== "bucket") return [];
  return work.flatMap(({ partitionPath, slice, bucket }) => {
    if (slice) return [bucketKey(partitionPath, slice.fileId)];
    return bucket === undefined ? [] : [fileGroupKey(partitionPath, String(bucket))];
  });
}
