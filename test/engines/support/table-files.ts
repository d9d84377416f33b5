// What lies in the folder of a local table: data files and timeline files, read without the library,
// so that nothing that a writer left behind escapes a test.

import { readdir } from "node:fs/promises";
import { join, relative, sep } from "node:path";

/** Paths of all base files below a table, whatever the timeline says of them. */
export async function listDataFiles(path: string): Promise<string[]> {
  const files = await listFiles(path);
  return files.filter((file) => !file.startsWith(".hoodie/") && file.endsWith(".parquet"));
}

/** Names in the timeline folder of a table of version 6, without checksum files and folders. */
export async function listTimelineFiles(path: string): Promise<string[]> {
  const entries = await readdir(join(path, ".hoodie"), { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  return names.filter((name) => /^\d{17}\./.test(name)).sort();
}

/** Everything below a table that names an instant: data, markers, timeline, heartbeat. */
export async function listFilesOfInstant(path: string, instant: string): Promise<string[]> {
  const files = await listFiles(path);
  return files.filter((file) => file.includes(instant) && !/(^|\/)\.[^/]*\.crc$/.test(file));
}

/** Base files whose instant has not completed and did not leave the active timeline either. */
export async function findOrphans(path: string): Promise<string[]> {
  const timeline = await listTimelineFiles(path);
  const completed = new Set(
    timeline.map((name) => /^(\d+)\.(?:commit|deltacommit|replacecommit)$/.exec(name)?.[1]),
  );
  const first = timeline[0]?.slice(0, 17) ?? "";
  return (await listDataFiles(path)).filter((file) => {
    const instant = /_(\d{17})\.parquet$/.exec(file)?.[1] ?? "";
    return !completed.has(instant) && instant >= first;
  });
}

async function listFiles(path: string): Promise<string[]> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .sort();
}
