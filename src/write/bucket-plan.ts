// Assigns keyed records to the buckets that their keys hash to: one file group each.
// Rules: spec/format/indexing.md IX-8 and IX-9.
import { HudiError } from "../errors.ts";
import { type FileSlice, fileGroupKey } from "../file-group/file-slice.ts";
import { bucketKey, bucketsOfKeys, requireOneFileABucket } from "../indexing/bucket-hash.ts";
import { groupByPlace, type TaggedSlice } from "../indexing/tag-locations.ts";
import { INDEX_TYPE, type TableConfig } from "../layout/table-config.ts";
import { runInTurns } from "../runtime/steps.ts";
import type { TableContext } from "../timeline/table-context.ts";
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

/**
 * Plans the logs of buckets: no key is looked up, a bucket takes every change of its keys. Deletions of
 * keys whose bucket has no file group yet leave nothing.
 */
export async function planBucketLogs(
  config: TableConfig,
  { keys, partitions, entries }: IncomingRecords,
  slices: readonly FileSlice[],
  signal?: AbortSignal,
): Promise<WorkPlan> {
  const { keyRows, finalRows } = entries;
  const { paths, partitionOfRow } = partitions;
  const { buckets = 1 } = config.index;
  requireOneFileABucket(slices, buckets);
  const sliceOf = new Map(
    slices.map((slice) => [bucketKey(slice.partitionPath, slice.fileId), slice]),
  );
  const bucketOfRow = await runInTurns(
    bucketsOfKeys(keys, buckets, config.bucketHashFields),
    signal,
  );
  const places = await runInTurns(
    groupByPlace(
      keyRows,
      (row) => (partitionOfRow[row] as number) * buckets + (bucketOfRow[row] as number),
      paths.length * buckets,
    ),
    signal,
  );
  const work: FileGroupWork[] = [];
  for (const [place, ofPlace] of places) {
    const partitionPath = paths[Math.floor(place / buckets)] as string;
    const bucket = place % buckets;
    const slice = sliceOf.get(fileGroupKey(partitionPath, String(bucket)));
    const item = { partitionPath, slice, entries: NONE, positions: NONE };
    const inserts = slice ? ofPlace : ofPlace.filter((entry) => (finalRows[entry] as number) >= 0);
    if (inserts.length > 0) work.push({ ...item, inserts, ...(slice ? {} : { bucket }) });
  }
  return { work, absent: NONE };
}

/** File ids of buckets begin with their number in eight digits; those of others are random. */
const BUCKET_ID = /^0000\d{4}-/;

/**
 * Hudi up to 0.15 does not keep the index of a table in its properties. Throws `UNSUPPORTED` where no
 * index is named and the file groups look like buckets: another index would store their keys again.
 */
export function requireNamedIndex(
  { config, storage }: Pick<TableContext, "config" | "storage">,
  slices: readonly FileSlice[],
): void {
  if (config.properties.has(INDEX_TYPE)) return;
  if (slices.length === 0 || !slices.every(({ fileId }) => BUCKET_ID.test(fileId))) return;
  throw new HudiError(
    "UNSUPPORTED",
    `cannot write table ${storage.location}: its properties name no index, and file groups such as ${slices[0]?.fileId} look like those of a bucket index; open it with the properties ${INDEX_TYPE} and, for BUCKET, hoodie.bucket.index.num.buckets`,
  );
}

/** The buckets that a plan writes, as `bucketKey`; none without a bucket index. */
export function touchedBuckets(work: readonly FileGroupWork[], { index }: TableConfig): string[] {
  if (index.kind !== "bucket") return [];
  return work.flatMap(({ partitionPath, slice, bucket }) => {
    if (slice) return [bucketKey(partitionPath, slice.fileId)];
    return bucket === undefined ? [] : [fileGroupKey(partitionPath, String(bucket))];
  });
}
