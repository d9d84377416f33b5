// What the base files of a table hold, found without the library: the newest completed base file of
// each file group that no replace commit took out, read by pyarrow.

import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import type { EngineRow } from "./engine-rows.ts";
import type { PyarrowReader } from "./pyarrow-reader.ts";
import { listDataFiles, listTimelineFiles } from "./table-files.ts";

const BASE_FILE = /^(.+)_[\d-]+_(\d{17})\.parquet$/;

/** The rows of a table of version 6 for a reader that knows no logs; columns that a file lacks stay out. */
export async function readBaseFileRows(path: string, pyarrow: PyarrowReader): Promise<EngineRow[]> {
  const timeline = await listTimelineFiles(path);
  const completed = timeline
    .map((name) => /^(\d+)\.(commit|deltacommit|replacecommit)$/.exec(name))
    .filter((match) => match !== null);
  const instants = new Set(completed.map(([, instant]) => instant));
  const replaced = new Set<string>();
  for (const [name, , action] of completed) {
    if (action !== "replacecommit") continue;
    for (const group of await readReplacedGroups(join(path, ".hoodie", name))) replaced.add(group);
  }
  const newest = new Map<string, { readonly file: string; readonly instant: string }>();
  for (const file of await listDataFiles(path)) {
    const [, fileId = "", instant = ""] = BASE_FILE.exec(basename(file)) ?? [];
    const folder = dirname(file);
    const group = `${folder === "." ? "" : folder}\n${fileId}`;
    const isArchived = instant < (timeline[0]?.slice(0, 17) ?? "");
    if ((!instants.has(instant) && !isArchived) || replaced.has(group)) continue;
    if (instant > (newest.get(group)?.instant ?? "")) newest.set(group, { file, instant });
  }
  const rows: EngineRow[] = [];
  for (const { file } of newest.values()) {
    for (const row of await pyarrow.read(join(path, file))) {
      const names = Object.keys(row).filter(
        (name) => !name.startsWith("_hoodie_") || name === "_hoodie_is_deleted",
      );
      rows.push(Object.fromEntries(names.map((name) => [name, row[name] ?? null])));
    }
  }
  return rows;
}

async function readReplacedGroups(path: string): Promise<string[]> {
  const { partitionToReplaceFileIds } = JSON.parse(await readFile(path, "utf8"));
  const byPartition = Object.entries(partitionToReplaceFileIds as Record<string, string[]>);
  return byPartition.flatMap(([partition, ids]) => ids.map((id) => `${partition}\n${id}`));
}
