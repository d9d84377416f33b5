// Which commits of a range changed rows, and of which file groups: what each held before and after.
// Rules: spec/protocol/changes.md, CH-1 to CH-3 and CH-9.
import type { HudiError } from "../errors.ts";
import type { TableMoment } from "../file-group/file-group-history.ts";
import { type FileGroupHistory, loadFileGroupHistory } from "../file-group/file-group-history.ts";
import type { FileSlice } from "../file-group/file-slice.ts";
import { findFirstWrite, loadCommitMetadata } from "../file-group/file-system-view.ts";
import { loadTableSchema } from "../file-group/table-schema.ts";
import type { TableSchema } from "../format/schema.ts";
import { dataPath, parseBaseFileName, splitDataPath } from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, loadActiveTimeline } from "../timeline/active-timeline.ts";
import { wasArchived } from "../timeline/archived-timeline.ts";
import { type CommitMetadata, NO_PREVIOUS_COMMIT } from "../timeline/commit-metadata.ts";
import type { Instant } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import {
  cursorOf,
  findEnd,
  findOpenWrite,
  orderCommits,
  parseCursor,
  pinTimeline,
  requireCommitTimes,
} from "./commit-range.ts";
import { expired, loadRemovedFiles } from "./read-history.ts";
import { planLogReading } from "./read-plan.ts";
import type { LogReading } from "./slice-scan.ts";
import { requireReadable } from "./snapshot-query.ts";

/** A half-open range of commits: `after` is left out, `upTo` included. */
export interface ChangesOptions {
  /** Default: from the beginning of the table. */
  readonly after?: InstantTime | undefined;
  /** Default: the newest instant that no pending write can come before. */
  readonly upTo?: InstantTime | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Bytes of replaced files whose keys are held at a time; a commit with more is read in passes. */
  readonly passBytes?: number | undefined;
}

/** The keys of so many bytes of files take a few hundred MiB at most. */
const PASS_BYTES = 128 * 1024 * 1024;

/** The changes of a range, not read yet. */
export interface ChangePlan {
  /** Columns of the table as of the end of the range. */
  readonly schema: TableSchema;
  /** The columns that make the record key; none where the keys of rows are made up. */
  readonly keyFields: readonly string[];
  /** In the order in which they are given. */
  readonly commits: readonly CommitPlan[];
  readonly upTo: InstantTime;
  readonly passBytes: number;
}

/** The file groups that one commit touched. */
export interface CommitPlan {
  readonly instant: InstantTime;
  readonly groups: readonly GroupChange[];
}

/** A file group before and after a commit. */
export interface GroupChange {
  readonly partitionPath: string;
  readonly before: SliceState | undefined;
  /** Undefined where the commit replaced the group. */
  readonly after: SliceState | undefined;
  /** Whether the commit wrote logs alone, which name every key that it can have changed. */
  readonly hasLogsOnly: boolean;
}

/** A slice and how its logs are read, where it has some. */
export interface SliceState {
  readonly slice: FileSlice;
  readonly logs: LogReading | undefined;
}

/** Operations that change no row. */
const SERVICES: ReadonlySet<string> = new Set(["COMPACT", "LOG_COMPACT", "CLUSTER", "INDEX"]);

/** Commits whose metadata is read at the same time. */
const READS_AT_ONCE = 16;

/** A commit and what it says. */
interface Written {
  readonly instant: Instant;
  readonly metadata: CommitMetadata;
}

/**
 * Plans the reading of changes. Throws `EXPIRED` naming the earliest instant that works as `after` where
 * history was archived or cleaned, and `INVALID` for a bound that is no instant.
 */
export async function planChanges(
  context: TableContext,
  options: ChangesOptions,
): Promise<ChangePlan> {
  const { signal } = options;
  const after = parseCursor("after", options.after) ?? "";
  const last = parseCursor("upTo", options.upTo);
  requireReadable(context);
  requireCommitTimes(context);
  const timeline = await loadActiveTimeline(context, signal);
  const open = await findOpenWrite(context, timeline, signal);
  const end = findEnd(context, orderCommits(context, timeline), last, open);
  const upTo = end ? cursorOf(context, end) : "";
  const pinned = pinTimeline(context, timeline, upTo);
  const schema = await loadTableSchema(context, pinned, undefined, signal);
  const written = await loadWritten(context, pinned, signal);
  const archived = await findArchivedEnd(context, pinned, after, signal);
  const from = archived ?? after;
  const inRange = written.filter(({ instant }) => cursorOf(context, instant) > from);
  const history = await loadHistory(context, pinned, written, inRange, signal);
  const planner = new CommitPlanner(context, schema, history);
  const commits = inRange.map((commit) => planner.plan(commit, written));
  const lost = commits.findLast(({ missing }) => missing !== undefined);
  if (lost?.missing !== undefined || archived !== undefined) {
    const earliest = lost ? lost.cursor : (archived as InstantTime);
    throw lostHistory(after, lost?.missing ?? "commits before it were archived", earliest);
  }
  return {
    schema,
    keyFields: context.config.recordKeyFields,
    commits: commits.filter(({ groups }) => groups.length > 0),
    upTo: upTo > after ? upTo : after,
    passBytes: options.passBytes ?? PASS_BYTES,
  };
}

/** The error of changes that cannot be told any more. */
function lostHistory(after: InstantTime, fact: string, earliest: InstantTime): HudiError {
  const what = `what changed after ${after === "" ? "the beginning" : after}`;
  return expired(what, `${fact}; the earliest instant that works is ${earliest}`, earliest);
}

/** What the completed writes of a timeline say, in the order in which their changes come. */
function loadWritten(
  context: TableContext,
  timeline: ActiveTimeline,
  signal: AbortSignal | undefined,
): Promise<Written[]> {
  return mapConcurrently(
    orderCommits(context, timeline),
    READS_AT_ONCE,
    async (instant) => ({
      instant,
      metadata: await loadCommitMetadata(context, instant, signal),
    }),
    signal,
  );
}

/** The instant from which on no commit was archived, where that is later than `after`. */
async function findArchivedEnd(
  context: TableContext,
  timeline: ActiveTimeline,
  after: InstantTime,
  signal: AbortSignal | undefined,
): Promise<InstantTime | undefined> {
  const first = findFirstWrite(timeline);
  if (!first || after >= cursorOf(context, first)) return undefined;
  return (await wasArchived(context, signal)) ? cursorOf(context, first) : undefined;
}

/** The files of the partitions that a range touched, those that are gone among them. */
async function loadHistory(
  context: TableContext,
  timeline: ActiveTimeline,
  written: readonly Written[],
  inRange: readonly Written[],
  signal: AbortSignal | undefined,
): Promise<FileGroupHistory> {
  const partitions = new Set<string>();
  for (const { metadata } of inRange) {
    if (isService(metadata)) continue;
    for (const [partition, stats] of metadata.partitionToWriteStats) {
      if (stats.length > 0) partitions.add(partition);
    }
    for (const [partition] of metadata.partitionToReplaceFileIds) partitions.add(partition);
  }
  const known = new Set<string>();
  if (partitions.size > 0) {
    for (const { metadata } of written) {
      for (const [partition, stats] of metadata.partitionToWriteStats) {
        for (const { path, baseFile } of stats) {
          known.add(path);
          if (baseFile) known.add(dataPath(partition, baseFile));
        }
      }
    }
    const cleans = timeline.instants.filter(({ action }) => action === "clean");
    const removed = await mapConcurrently(
      cleans,
      READS_AT_ONCE,
      (clean) => loadRemovedFiles(context, clean, signal),
      signal,
    );
    for (const [partition, paths] of removed.flat()) {
      for (const path of paths) known.add(dataPath(partition, splitDataPath(path).fileName));
    }
  }
  return loadFileGroupHistory(context, timeline, { partitions: [...partitions], known, signal });
}

/** Services move rows and change none. */
function isService({ compacted, operationType }: CommitMetadata): boolean {
  return compacted || SERVICES.has(operationType);
}

/** A commit that is planned, and what of it is gone. */
interface PlannedCommit extends CommitPlan {
  readonly cursor: InstantTime;
  readonly missing: string | undefined;
}

/** Finds the slices before and after commits. */
class CommitPlanner {
  readonly #context: TableContext;
  readonly #schema: TableSchema;
  readonly #history: FileGroupHistory;

  constructor(context: TableContext, schema: TableSchema, history: FileGroupHistory) {
    this.#context = context;
    this.#schema = schema;
    this.#history = history;
  }

  plan(commit: Written, written: readonly Written[]): PlannedCommit {
    const { metadata, instant } = commit;
    const cursor = cursorOf(this.#context, instant);
    const planned = { instant: instant.time, cursor, groups: [], missing: undefined };
    if (isService(metadata)) return planned;
    const times = written.map((other) => other.instant.time);
    const position = written.indexOf(commit);
    const before = this.#history.momentOf(times.slice(0, position));
    const after = this.#history.momentOf(times.slice(0, position + 1));
    const groups: GroupChange[] = [];
    let missing: string | undefined;
    const look = (partition: string, fileId: string, moment: TableMoment) => {
      const slice = this.#history.findSlice(partition, fileId, moment, instant.time);
      const path = slice && this.#history.findMissing(slice);
      if (path !== undefined) missing ??= `${path} was cleaned`;
      return slice && this.#stateOf(slice, moment);
    };
    const gone = (partition: string, fileId: string): void => {
      const place = `file group ${fileId} of partition ${JSON.stringify(partition)}`;
      missing ??= `what ${place} held before ${instant.time} was cleaned`;
    };
    for (const [partition, stats] of metadata.partitionToWriteStats) {
      for (const [fileId, ofGroup] of Map.groupBy(stats, (stat) => stat.fileId)) {
        const old = look(partition, fileId, before);
        const base = ofGroup.find(({ path }) => isBaseFile(path));
        const since = base?.prevCommit ?? NO_PREVIOUS_COMMIT;
        const isKnown = since !== NO_PREVIOUS_COMMIT && since !== "";
        if (isKnown && (old?.slice.baseInstant ?? "") < since) gone(partition, fileId);
        groups.push({
          partitionPath: partition,
          before: old,
          after: look(partition, fileId, after),
          hasLogsOnly: base === undefined,
        });
      }
    }
    for (const [partition, fileIds] of metadata.partitionToReplaceFileIds) {
      for (const fileId of fileIds) {
        const old = look(partition, fileId, before);
        if (!old) gone(partition, fileId);
        groups.push({
          partitionPath: partition,
          before: old,
          after: undefined,
          hasLogsOnly: false,
        });
      }
    }
    return { ...planned, groups, missing };
  }

  #stateOf(slice: FileSlice, { visible }: TableMoment): SliceState {
    return { slice, logs: planLogReading(this.#context, this.#schema, [slice], visible) };
  }
}

function isBaseFile(path: string): boolean {
  return parseBaseFileName(splitDataPath(path).fileName) !== undefined;
}
