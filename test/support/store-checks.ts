// What must hold of a store that a table lies in, whatever happened to the processes that wrote it.
import { HudiTable } from "../../src/hudi-table.ts";
import { parseBaseFileName, splitDataPath } from "../../src/layout/table-paths.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import { parseCommitMetadata } from "../../src/timeline/commit-metadata.ts";
import { type Instant, isWriteAction, parseInstantFileName } from "../../src/timeline/instant.ts";
import { decodeRollbackPlan } from "../../src/timeline/rollback-plan.ts";
import type { ProcessOptions } from "./memory-table.ts";
import { processOptions } from "./memory-table.ts";
import { type AnyRow, rowTexts } from "./row-text.ts";

/** Every state of every instant that has a file. */
export function timelineFiles(store: MemoryStore): Instant[] {
  return [...store.paths()]
    .filter((path) => /^\.hoodie\/[^/]+$/.test(path))
    .map((path) => parseInstantFileName(path.slice(".hoodie/".length), 1))
    .filter((instant) => instant !== undefined);
}

/** Times of the completed commits and replace commits, ascending. */
export function completedCommits(store: MemoryStore): string[] {
  return timelineFiles(store)
    .filter(({ action, state }) => isWriteAction(action) && state === "completed")
    .map(({ time }) => time)
    .sort();
}

/** What an instant lacks, has twice or shares: empty for a legal timeline. */
export function findTimelineFaults(store: MemoryStore): string[] {
  const files = timelineFiles(store);
  const has = (time: string, action: string, state: string): boolean =>
    files.some((f) => f.time === time && f.action === action && f.state === state);
  const hasArchive = [...store.paths()].some((path) => path.includes(".commits_.archive."));
  const faults = files.flatMap(({ time, action, state }) => {
    // An archival that died has taken earlier states of completed instants away, but not these yet.
    if (hasArchive && has(time, action, "completed")) return [];
    const needed = { requested: undefined, inflight: "requested", completed: "inflight" }[state];
    return needed === undefined || has(time, action, needed)
      ? []
      : [`${time}.${action} is ${state} but not ${needed}`];
  });
  for (const [time, sharing] of Map.groupBy(files, (file) => file.time)) {
    const actions = new Set(sharing.map((file) => file.action));
    if (actions.size > 1) faults.push(`${time} is used by ${[...actions].join(" and ")}`);
  }
  return faults;
}

/** The instants that rollbacks on the timeline name, in whatever state these are. */
export function rolledBackInstants(store: MemoryStore): string[] {
  return timelineFiles(store)
    .filter(({ action, state }) => action === "rollback" && state === "requested")
    .map(({ time }) => {
      const bytes = store.find(`.hoodie/${time}.rollback.requested`)?.bytes as Uint8Array;
      return decodeRollbackPlan(bytes, time).instantToRollback.time;
    });
}

/** Base files in the store, as paths. */
export function baseFiles(store: MemoryStore): string[] {
  return [...store.paths()].filter((path) => path.includes(".parquet") && !path.startsWith("."));
}

/** Base files of instants that are not completed, and completed instants whose files are not there. */
export function findFileFaults(store: MemoryStore): string[] {
  const completed = completedCommits(store);
  const orphans = baseFiles(store)
    .filter((path) => {
      const name = parseBaseFileName(splitDataPath(path).fileName);
      return !name || !completed.includes(name.instant);
    })
    .map((path) => `${path} belongs to no completed commit`);
  const missing = completed.flatMap((time) =>
    commitStats(store, time)
      .filter((stat) => store.find(stat.path)?.bytes.length !== stat.sizeBytes)
      .map((stat) => `${stat.path} of commit ${time} is missing or has another size`),
  );
  return [...orphans, ...missing];
}

function commitStats(store: MemoryStore, time: string): { path: string; sizeBytes: number }[] {
  const metadata = loadMetadata(store, time);
  return [...metadata.partitionToWriteStats.values()]
    .flat()
    .map((stat) => ({ path: stat.path, sizeBytes: stat.fileSizeInBytes }));
}

/** What a completed commit of the store says. */
export function loadMetadata(
  store: MemoryStore,
  time: string,
): ReturnType<typeof parseCommitMetadata> {
  for (const action of ["commit", "deltacommit", "replacecommit"]) {
    const path = `.hoodie/${time}.${action}`;
    const object = store.find(path);
    if (object) return parseCommitMetadata(object.bytes, path);
  }
  throw new Error(`there is no commit ${time}`);
}

/** Everything that a process which has just started reads. */
export async function readAfresh(
  store: MemoryStore,
  options: ProcessOptions,
): Promise<{ readonly rows: string[]; readonly table: HudiTable<AnyRow> }> {
  const table = await HudiTable.open<AnyRow>("memory:", processOptions(store, options));
  return { rows: rowTexts(await table.read().toArray()), table };
}

/**
 * Pulls the whole history in two parts, of which the first ends with the commit of that number, and
 * lets the pulled rows replace each other by key. Right for a table from which nothing was deleted.
 */
export async function pullEverything(
  table: HudiTable<AnyRow>,
  keyOf: (row: AnyRow) => string,
  commitNumber: number,
): Promise<string[]> {
  const pulled = new Map<string, AnyRow>();
  const commits = (await table.timeline()).filter(
    ({ action, state }) => isWriteAction(action) && state === "completed",
  );
  let after = "0";
  for (const upTo of [commits.at(commitNumber)?.time, undefined]) {
    const scan = table.incremental({ after, upTo });
    for await (const row of scan) pulled.set(keyOf(row), row);
    after = await scan.upTo;
  }
  return rowTexts(pulled.values());
}
