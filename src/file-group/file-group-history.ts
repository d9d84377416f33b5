// The versions of file groups over time: what a group held when a commit was the newest one, and which
// files of that are gone. Rules: spec/protocol/changes.md CH-9.
import { dataPath, parseBaseFileName, splitDataPath } from "../layout/table-paths.ts";
import type { StoredObject } from "../storage/storage.ts";
import type { ActiveTimeline } from "../timeline/active-timeline.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import {
  type FileGroup,
  type FileSlice,
  fileGroupKey,
  groupFiles,
  sliceFiles,
} from "./file-slice.ts";
import { findArchived, findSlice, listPartitionFolders } from "./file-system-view.ts";
import { findLogFile } from "./log-file.ts";
import {
  createVisibilityTest,
  type InstantTest,
  type VisibleInstants,
} from "./visible-instants.ts";

/** A moment of a table: the commits that had completed by then, the newest of them among them. */
export interface TableMoment {
  readonly visible: VisibleInstants;
  readonly isVisible: InstantTest;
}

/** What is looked at. */
export interface FileGroupHistoryOptions {
  readonly partitions: readonly string[];
  /** Paths of data files that were there once; other names among them are passed over. */
  readonly known: Iterable<string>;
  readonly signal?: AbortSignal | undefined;
}

/** Every version of the file groups of some partitions, whether its files are still there or not. */
export class FileGroupHistory {
  readonly #context: TableContext;
  readonly #timeline: ActiveTimeline;
  readonly #groups: ReadonlyMap<string, FileGroup>;
  readonly #missing: ReadonlySet<string>;
  readonly #archivedBefore: InstantTime | undefined;

  constructor(
    context: TableContext,
    timeline: ActiveTimeline,
    groups: ReadonlyMap<string, FileGroup>,
    missing: ReadonlySet<string>,
    archivedBefore: InstantTime | undefined,
  ) {
    this.#context = context;
    this.#timeline = timeline;
    this.#groups = groups;
    this.#missing = missing;
    this.#archivedBefore = archivedBefore;
  }

  /** The moment at which these writes had completed, and no other of the timeline. */
  momentOf(completed: readonly InstantTime[]): TableMoment {
    const visible = { completed, archivedBefore: this.#archivedBefore, upTo: undefined };
    return { visible, isVisible: createVisibilityTest(visible) };
  }

  /** The slice of a group at a moment; files that are gone are in it. Logs begin at `asOf` at the latest. */
  findSlice(
    partitionPath: string,
    fileId: string,
    { isVisible }: TableMoment,
    asOf: InstantTime,
  ): FileSlice | undefined {
    const group = this.#groups.get(fileGroupKey(partitionPath, fileId));
    return group && findSlice(this.#context, this.#timeline, group, isVisible, asOf);
  }

  /** A file of a slice that is gone. */
  findMissing(slice: FileSlice): string | undefined {
    return sliceFiles(slice).find(({ path }) => this.#missing.has(path))?.path;
  }
}

/** Lists the partitions, and puts the files that are known beside those that are there. */
export async function loadFileGroupHistory(
  context: TableContext,
  timeline: ActiveTimeline,
  { partitions, known, signal }: FileGroupHistoryOptions,
): Promise<FileGroupHistory> {
  const listings = await listPartitionFolders(context, { partitions, signal });
  const present = new Set(listings.flatMap(({ objects }) => objects.map((object) => object.path)));
  const missing = new Set<string>();
  for (const path of known) if (!present.has(path) && isDataFile(path)) missing.add(path);
  const lost = Map.groupBy(missing, (path) => splitDataPath(path).partitionPath);
  const groups = new Map<string, FileGroup>();
  for (const { partitionPath, objects } of listings) {
    const gone = (lost.get(partitionPath) ?? []).map(
      (path): StoredObject => ({ path, sizeBytes: 0, modifiedMs: 0, tag: "" }),
    );
    for (const group of groupFiles(partitionPath, [...objects, ...gone])) {
      groups.set(fileGroupKey(partitionPath, group.fileId), group);
    }
  }
  const archivedBefore = await findArchived(context, timeline, listings, signal);
  return new FileGroupHistory(context, timeline, groups, missing, archivedBefore);
}

function isDataFile(path: string): boolean {
  const { partitionPath, fileName } = splitDataPath(path);
  if (dataPath(partitionPath, fileName) !== path) return false;
  return parseBaseFileName(fileName) !== undefined || findLogFile(path, 0) !== undefined;
}
