// Checks the files of the timeline, and gathers what they say of data files for the checks after it.
// Rules: spec/protocol/verify.md VF-4 to VF-6, spec/format/commit-metadata.md CM-8, action-plans.md AP-8.
import { fileGroupKey } from "../file-group/file-slice.ts";
import { parseAvroSchema } from "../format/avro-schema.ts";
import type { TableSchema } from "../format/schema.ts";
import { timelineFolder } from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import {
  type ActiveTimeline,
  instantPath,
  loadActiveTimeline,
} from "../timeline/active-timeline.ts";
import { wasArchived } from "../timeline/archived-timeline.ts";
import { type CommitMetadata, parseCommitMetadata } from "../timeline/commit-metadata.ts";
import { type Instant, parseInstantFileName } from "../timeline/instant.ts";
import type { TableContext } from "../timeline/table-context.ts";
import type { FindingList } from "./verify-findings.ts";
import { type PlannedFiles, verifyPlans } from "./verify-plans.ts";

const FILES_AT_ONCE = 16;

/** A data file as a completed write tells of it. */
export interface StatedFile {
  readonly instant: Instant;
  readonly partitionPath: string;
  readonly fileId: string;
  readonly sizeBytes: number;
  readonly rowCount: number;
  readonly isLog: boolean;
}

/** What the timeline says, as far as it can be read. */
export interface StatedTable extends PlannedFiles {
  readonly timeline: ActiveTimeline;
  /** By path. */
  readonly files: ReadonlyMap<string, StatedFile>;
  /** Times of completed writes whose metadata could not be read. */
  readonly unread: ReadonlySet<string>;
  /** Columns that each completed write states, by its time. */
  readonly schemas: ReadonlyMap<string, TableSchema>;
  /** File groups that replace commits took out, by `fileGroupKey`. */
  readonly replaced: ReadonlySet<string>;
  /** Whether every write looked its keys up, so that none of them can stand twice. */
  readonly looksUpKeys: boolean;
  readonly hasArchive: boolean;
}

/** Operations that bring no key in without looking it up. */
const LOOKING_UP: ReadonlySet<string> = new Set([
  "UPSERT",
  "UPSERT_PREPPED",
  "DELETE",
  "DELETE_PREPPED",
  "DELETE_PARTITION",
  "COMPACT",
  "LOG_COMPACT",
  "CLUSTER",
  "ALTER_SCHEMA",
]);

/** Reads every file of the timeline once. */
export async function verifyTimeline(
  context: TableContext,
  findings: FindingList,
  signal: AbortSignal | undefined,
): Promise<StatedTable> {
  const timeline = await loadActiveTimeline(context, signal);
  await verifyStates(context, findings, signal);
  const stated = {
    files: new Map<string, StatedFile>(),
    unread: new Set<string>(),
    schemas: new Map<string, TableSchema>(),
    replaced: new Set<string>(),
  };
  const texts = new Map<string, TableSchema | undefined>();
  const isBucketed = context.config.index.kind === "bucket";
  let looksUpKeys = true;
  await mapConcurrently(
    timeline.completedWrites(),
    FILES_AT_ONCE,
    async (instant) => {
      const metadata = await readMetadata(context, instant, findings, signal);
      if (!metadata) {
        stated.unread.add(instant.time);
        return;
      }
      const { operationType } = metadata;
      const meetsKeys =
        LOOKING_UP.has(operationType) || (isBucketed && !/OVER/.test(operationType));
      if (!meetsKeys) looksUpKeys = false;
      gatherFiles(metadata, instant, stated.files);
      for (const [partitionPath, fileIds] of metadata.partitionToReplaceFileIds) {
        for (const fileId of fileIds) stated.replaced.add(fileGroupKey(partitionPath, fileId));
      }
      const schema = await readSchema(context, instant, metadata, texts, findings);
      if (schema) stated.schemas.set(instant.time, schema);
    },
    signal,
  );
  const planned = await verifyPlans(context, timeline, findings, signal);
  const hasArchive = await wasArchived(context, signal);
  return { timeline, ...stated, ...planned, looksUpKeys: looksUpKeys && !hasArchive, hasArchive };
}

/** The states that each instant has files of. */
async function verifyStates(
  context: TableContext,
  findings: FindingList,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { storage, config } = context;
  const folder = timelineFolder(config.layout);
  const { objects } = await storage.listFolder(folder, { signal });
  const instants = objects.flatMap(({ path }) => {
    const instant = parseInstantFileName(path.slice(folder.length + 1), config.layout);
    return instant ? [{ path, instant }] : [];
  });
  const isThere = new Set(objects.map(({ path }) => path));
  for (const { path, instant } of instants) {
    // A savepoint is never requested.
    if (instant.state !== "inflight" || instant.action === "savepoint") continue;
    const request = instantPath(context, { ...instant, state: "requested" });
    if (isThere.has(request)) continue;
    findings.add({
      rule: "VF-4",
      severity: "error",
      path,
      instant: instant.time,
      found: `instant ${instant.time} is inflight and was not requested, expected ${request}`,
      remedy: "roll it back; where a rollback refuses it, remove the file once no writer runs",
    });
  }
  verifyTimes(instants, findings);
}

/** A savepoint has the time of the commit that it saves; nothing else shares one. */
function verifyTimes(
  instants: readonly { readonly path: string; readonly instant: Instant }[],
  findings: FindingList,
): void {
  const completed = new Map<string, string>();
  for (const { path, instant } of instants) {
    if (instant.state !== "completed" || instant.action === "savepoint") continue;
    const other = completed.get(instant.time);
    completed.set(instant.time, path);
    if (other === undefined) continue;
    findings.add({
      rule: "VF-5",
      severity: "error",
      path,
      instant: instant.time,
      found: `${other} has completed at the same time, expected one action a time`,
      remedy: "find out which of the two wrote data files; restore the table to before both",
    });
  }
}

async function readMetadata(
  context: TableContext,
  instant: Instant,
  findings: FindingList,
  signal: AbortSignal | undefined,
): Promise<CommitMetadata | undefined> {
  const path = instantPath(context, instant);
  const remedy = "restore the file from a copy, or restore the table to before it";
  const place = { rule: "CM-8", path, instant: instant.time, remedy };
  const bytes = await findings.catch(
    place,
    async () => (await context.storage.read(path, { signal })).bytes,
  );
  if (!bytes) return undefined;
  if (bytes.length === 0) {
    const found = "it has 0 bytes, expected the metadata of a completed write";
    findings.add({ ...place, rule: "VF-6", severity: "error", found });
    return undefined;
  }
  return findings.catch(place, () => parseCommitMetadata(bytes, path));
}

function gatherFiles(
  metadata: CommitMetadata,
  instant: Instant,
  files: Map<string, StatedFile>,
): void {
  for (const [partitionPath, stats] of metadata.partitionToWriteStats) {
    for (const stat of stats) {
      const { path, fileId, fileSizeInBytes: sizeBytes, numWrites: rowCount } = stat;
      if (path === "") continue;
      const isLog = !path.endsWith(".parquet");
      files.set(path, { instant, partitionPath, fileId, sizeBytes, rowCount, isLog });
    }
  }
}

async function readSchema(
  context: TableContext,
  instant: Instant,
  { extraMetadata }: CommitMetadata,
  known: Map<string, TableSchema | undefined>,
  findings: FindingList,
): Promise<TableSchema | undefined> {
  const text = extraMetadata.get("schema");
  if (!text) return undefined;
  if (known.has(text)) return known.get(text);
  const schema = await findings.catch(
    {
      rule: "SC-4",
      path: instantPath(context, instant),
      instant: instant.time,
      remedy: "restore the file from a copy: readers take the columns of the table from it",
    },
    () => parseAvroSchema(text),
  );
  known.set(text, schema);
  return schema;
}
