// Compares the files of the partitions with what the timeline says of them, and gives the slices that
// readers see. Rules: spec/protocol/verify.md VF-6 to VF-9, table-layout.md TBL-9, FSV-2 and FSV-5.
import { type FileSlice, fileGroupKey, groupFiles } from "../file-group/file-slice.ts";
import {
  findArchived,
  findSlice,
  listPartitionFolders,
  type PartitionListing,
} from "../file-group/file-system-view.ts";
import { createVisibilityTest, type VisibleInstants } from "../file-group/visible-instants.ts";
import {
  PARTITION_METAFILE,
  parseBaseFileName,
  parseLogFileName,
  partitionDepth,
  partitionMetafilePath,
  splitDataPath,
} from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import type { StoredObject } from "../storage/storage.ts";
import type { TableContext } from "../timeline/table-context.ts";
import type { FindingList } from "./verify-findings.ts";
import type { StatedFile, StatedTable } from "./verify-timeline.ts";

/** What readers see of a table. */
export interface SeenTable {
  /** By partition, in the order of their paths. */
  readonly partitions: ReadonlyMap<string, readonly FileSlice[]>;
  readonly visible: VisibleInstants;
  /** Tells whether an instant is one that the table knows, or could not know yet. */
  readonly isKnown: (instant: string) => boolean;
  readonly fileCount: number;
}

/** Lists the partitions and compares. */
export async function verifyFiles(
  context: TableContext,
  stated: StatedTable,
  findings: FindingList,
  signal: AbortSignal | undefined,
): Promise<SeenTable> {
  const { timeline } = stated;
  const listings = await listPartitionFolders(context, { signal });
  const archivedBefore = await findArchived(context, timeline, listings, signal);
  const visible: VisibleInstants = {
    completed: timeline.completedWrites().map(({ time }) => time),
    archivedBefore,
    upTo: undefined,
  };
  const times = new Set(timeline.instants.map(({ time }) => time));
  const newest = timeline.usedTimes().reduce((a, b) => (a < b ? b : a), "");
  // What is greater than all may have begun since the timeline was listed.
  const isKnown = (instant: string): boolean =>
    times.has(instant) ||
    instant > newest ||
    (archivedBefore !== undefined && instant < archivedBefore);
  const present = new Map<string, number>();
  const partitions = new Map<string, readonly FileSlice[]>();
  let fileCount = 0;
  for (const listing of listings) {
    const { partitionPath } = listing;
    const objects = listing.objects.filter((object) => !isForeign(object, findings));
    for (const { path, sizeBytes } of objects) present.set(path, sizeBytes);
    fileCount += objects.length;
    for (const object of objects) verifyName(context, object, stated, isKnown, findings);
    const slices: FileSlice[] = [];
    for (const group of groupFiles(partitionPath, objects)) {
      if (stated.replaced.has(fileGroupKey(partitionPath, group.fileId))) continue;
      const test = createVisibilityTest(visible);
      const slice = findSlice(context, timeline, withoutStrayLogs(context, group), test, undefined);
      if (slice) slices.push(slice);
    }
    if (slices.length > 0) partitions.set(partitionPath, slices);
  }
  verifyStated(stated, present, findings);
  verifyNeeded(stated, present, findings);
  await mapConcurrently(listings, 16, (listing) =>
    verifyMetafile(context, listing, findings, signal),
  );
  return { partitions, visible, isKnown, fileCount };
}

/** A copy-on-write table has no logs; those that there are have been told. */
function withoutStrayLogs<G extends { readonly logFiles: readonly unknown[] }>(
  { config }: TableContext,
  group: G,
): G {
  return config.type === "copy-on-write" ? { ...group, logFiles: [] } : group;
}

/** Whether a Parquet or log file has a name that is none of Hudi's. */
function isForeign({ path }: StoredObject, findings: FindingList): boolean {
  const { fileName } = splitDataPath(path);
  const isOwn = fileName.startsWith(PARTITION_METAFILE) || fileName.endsWith(".crc");
  const isLog = fileName.startsWith(".") && fileName.includes(".log.");
  if (isOwn || (isLog && (parseLogFileName(fileName) || fileName.endsWith(".cdc")))) return false;
  const isData = isLog || (!fileName.startsWith(".") && fileName.includes(".parquet"));
  if (!isData || parseBaseFileName(fileName)) return false;
  findings.add({
    rule: "FSV-5",
    severity: "error",
    path,
    found: `the name is none of a ${isLog ? "log" : "base"} file, expected ${isLog ? ".<fileId>_<instant>.log.<version>_<token>" : "<fileId>_<token>_<instant>.parquet"}`,
    remedy: "move it out of the table: engines refuse the partition",
  });
  return true;
}

/** Whether the instant in a name is known, and its write names the file. */
function verifyName(
  context: TableContext,
  { path }: StoredObject,
  stated: StatedTable,
  isKnown: (instant: string) => boolean,
  findings: FindingList,
): void {
  const { fileName, partitionPath } = splitDataPath(path);
  const base = fileName.startsWith(".") ? undefined : parseBaseFileName(fileName);
  const name = base ?? parseLogFileName(fileName);
  if (!name) return;
  const { instant, fileId } = name;
  const place = { path, instant, partitionPath, fileId };
  if (!base && context.config.type === "copy-on-write") {
    const found = "it is a log file, expected base files only in a copy-on-write table";
    const remedy = "find out which writer takes the table for merge-on-read";
    findings.add({ ...place, rule: "FSV-5", severity: "error", found, remedy });
  }
  if (!isKnown(instant)) {
    const found = `nothing on the timeline knows its instant ${instant}; readers pass over it`;
    const remedy = "remove it once no writer runs: a write that failed has left it";
    findings.add({ ...place, rule: "VF-8", severity: "warning", found, remedy });
    return;
  }
  const isComplete = stated.timeline.findCompletedWrite(instant) && !stated.unread.has(instant);
  if (!base || !isComplete || stated.files.has(path)) return;
  const found = `its write ${instant} has completed and does not name it; readers may take it for the file of its group`;
  const remedy = "move it out of the table";
  findings.add({ ...place, rule: "VF-8", severity: "error", found, remedy });
}

/** The files that completed writes name. */
function verifyStated(
  stated: StatedTable,
  present: ReadonlyMap<string, number>,
  findings: FindingList,
): void {
  const newestBase = new Map<string, string>();
  for (const { instant, partitionPath, fileId, isLog } of stated.files.values()) {
    const key = fileGroupKey(partitionPath, fileId);
    if (!isLog && instant.time > (newestBase.get(key) ?? "")) newestBase.set(key, instant.time);
  }
  for (const [path, file] of stated.files) {
    const { partitionPath, fileId, instant } = file;
    const sizeBytes = present.get(path);
    const place = { path, instant: instant.time, partitionPath, fileId };
    if (sizeBytes === undefined) {
      const key = fileGroupKey(partitionPath, fileId);
      const isLive =
        !stated.replaced.has(key) && sliceInstant(path, file) >= (newestBase.get(key) ?? "");
      if (!isLive && (stated.hasArchive || stated.cleaned.has(path))) continue;
      const found = isLive
        ? `it is missing; ${instant.action} ${instant.time} wrote it and readers need it`
        : `it is missing; ${instant.action} ${instant.time} wrote it and no clean removed it`;
      const remedy = "restore it from a copy, or restore the table to before that write";
      findings.add({
        ...place,
        rule: "VF-6",
        severity: isLive ? "error" : "warning",
        found,
        remedy,
      });
    } else if (sizeBytes < file.sizeBytes || (!file.isLog && sizeBytes > file.sizeBytes)) {
      const found = `it has ${sizeBytes} bytes, expected ${file.sizeBytes} as its write ${instant.time} says`;
      const remedy = "restore it from a copy, or restore the table to before that write";
      findings.add({ ...place, rule: "VF-7", severity: "error", found, remedy });
    }
  }
}

/** What the newest base file is compared with: whether a file lies in the slice that readers see. */
function sliceInstant(path: string, { isLog, instant }: StatedFile): string {
  if (!isLog) return instant.time;
  if (instant.completionTime !== undefined) return instant.completionTime;
  return parseLogFileName(splitDataPath(path).fileName)?.instant ?? instant.time;
}

/** What plans and savepoints count on. */
function verifyNeeded(
  stated: StatedTable,
  present: ReadonlyMap<string, number>,
  findings: FindingList,
): void {
  for (const { path, by } of stated.needed) {
    if (present.has(path)) continue;
    const isSaved = by.action === "savepoint";
    findings.add({
      rule: "VF-9",
      severity: "error",
      path,
      instant: by.time,
      found: `it is missing; ${by.action} ${by.time} ${isSaved ? "keeps" : "will read"} it`,
      remedy: isSaved ? "delete the savepoint: it cannot be restored" : "unschedule the plan",
    });
  }
  const groups = new Set(
    [...present.keys()].flatMap((path) => {
      const { partitionPath, fileName } = splitDataPath(path);
      const name = parseBaseFileName(fileName) ?? parseLogFileName(fileName);
      return name ? [fileGroupKey(partitionPath, name.fileId)] : [];
    }),
  );
  for (const { partitionPath, fileId, by } of stated.clustered) {
    if (groups.has(fileGroupKey(partitionPath, fileId))) continue;
    findings.add({
      rule: "VF-9",
      severity: "error",
      instant: by.time,
      partitionPath,
      fileId,
      found: `the file group is missing; clustering ${by.time} will read it`,
      remedy: "roll the clustering back",
    });
  }
}

/** The file by which Java engines find a partition. */
async function verifyMetafile(
  { storage }: TableContext,
  { partitionPath, objects }: PartitionListing,
  findings: FindingList,
  signal: AbortSignal | undefined,
): Promise<void> {
  const names = objects.map(({ path }) => splitDataPath(path).fileName);
  const path = partitionMetafilePath(partitionPath);
  const depth = partitionDepth(partitionPath);
  const remedy = `write it anew: commitTime=<first instant> and partitionDepth=${depth}`;
  const add = (found: string): void =>
    findings.add({ rule: "TBL-9", severity: "error", path, partitionPath, found, remedy });
  if (!names.includes(PARTITION_METAFILE)) {
    const isOtherFormat = names.some((name) => name.startsWith(`${PARTITION_METAFILE}.`));
    const holdsData = names.some((name) => parseBaseFileName(name) ?? parseLogFileName(name));
    if (holdsData && !isOtherFormat) add("it is missing: Java engines do not see the partition");
    return;
  }
  const bytes = await findings.catch(
    { rule: "TBL-9", path, partitionPath, remedy },
    async () => (await storage.read(path, { signal })).bytes,
  );
  if (!bytes) return;
  const text = Buffer.from(bytes).toString("latin1");
  const found = /^\s*partitionDepth\s*[=:]\s*(\d+)\s*$/m.exec(text)?.[1];
  if (found === undefined) add("it does not say partitionDepth: engines fail on it");
  else if (Number(found) !== depth) add(`partitionDepth is ${found}, expected ${depth}`);
  else if (!/^\s*commitTime\s*[=:]\s*\d+\s*$/m.test(text)) add("it does not say commitTime");
}
