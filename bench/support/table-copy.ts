// Copies of a table by hard links, for files of a table never change; and the removal of versions that
// a later write has replaced, so that rounds do not fill the disk.
import { cp, link, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** Replaces `to` by a copy of the table at `from`. What Hudi replaces in place is copied. */
export async function copyTable(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isFile()) await link(source, target);
    else await cp(source, target, { recursive: true });
  }
}

/** Removes base files of a table without partitions that are not among its latest ones. */
export async function removeOldVersions(
  tablePath: string,
  latest: readonly string[],
): Promise<void> {
  const kept = new Set(latest);
  for (const name of await readdir(tablePath)) {
    const path = join(tablePath, name);
    if (name.endsWith(".parquet") && !kept.has(path)) await rm(path);
  }
}
