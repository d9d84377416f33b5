// Listings of a local storage: walks folders, and refuses links rather than hide what is behind.
import type { BigIntStats, Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { isMissing, linkRefused } from "./local-errors.ts";
import type { LocalFolders } from "./local-folders.ts";
import type { FolderListing, ListOptions, StorageOptions, StoredObject } from "./storage.ts";
import { compareUtf8, folderPrefix, isStagingPath, sortByPath } from "./storage-path.ts";

const PARALLEL_CALLS = 16;

/** The tag of a file: inode, modification time and size. */
export function formatTag(stats: BigIntStats): string {
  return [stats.ino, stats.mtimeNs, stats.size].map((part) => part.toString(36)).join("-");
}

export function describeFile(path: string, stats: BigIntStats): StoredObject {
  const modifiedMs = Number(stats.mtimeNs / 1_000_000n);
  return { path, sizeBytes: Number(stats.size), modifiedMs, tag: formatTag(stats) };
}

/** The objects under a folder, or directly in it, in UTF-8 order of their paths. */
export async function listFiles(
  folders: LocalFolders,
  folder: string,
  options: ListOptions,
): Promise<readonly StoredObject[]> {
  const { recursive = true, startAfter, signal } = options;
  const paths: string[] = [];
  const waiting = [folder];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    signal?.throwIfAborted();
    const entries = await readEntries(folders, next);
    paths.push(...entries.files);
    if (recursive) waiting.push(...entries.folders);
  }
  const wanted =
    startAfter === undefined ? paths : paths.filter((path) => compareUtf8(path, startAfter) > 0);
  return sortByPath(await describeFiles(folders, wanted, signal));
}

/** The objects and folders directly in a folder. Folders that hold nothing are no folders. */
export async function listLocalFolder(
  folders: LocalFolders,
  folder: string,
  options: StorageOptions,
): Promise<FolderListing> {
  const entries = await readEntries(folders, folder);
  const objects = sortByPath(await describeFiles(folders, entries.files, options.signal));
  const held = await mapConcurrently(
    entries.folders,
    PARALLEL_CALLS,
    async (path) => ((await holdsObject(folders, path)) ? path : undefined),
    options.signal,
  );
  const prefixLength = folderPrefix(folder).length;
  const names = held.filter((path) => path !== undefined).map((path) => path.slice(prefixLength));
  return { objects, folders: names.sort(compareUtf8) };
}

async function holdsObject(folders: LocalFolders, folder: string): Promise<boolean> {
  const entries = await readEntries(folders, folder);
  if (entries.files.length > 0) return true;
  for (const path of entries.folders) if (await holdsObject(folders, path)) return true;
  return false;
}

/** Paths of the files and folders in a folder; none if it is missing or no folder. */
async function readEntries(
  folders: LocalFolders,
  folder: string,
): Promise<{ readonly files: readonly string[]; readonly folders: readonly string[] }> {
  const { fullPath, stats } = await folders.find(folder);
  if (!stats?.isDirectory()) return { files: [], folders: [] };
  const found = { files: [] as string[], folders: [] as string[] };
  for (const entry of await readFolder(fullPath)) {
    const path = folderPrefix(folder) + entry.name;
    if (isStagingPath(path)) continue;
    if (entry.isFile()) found.files.push(path);
    else if (entry.isDirectory()) found.folders.push(path);
    else throw linkRefused(folders.root, path);
  }
  return found;
}

async function readFolder(fullPath: string): Promise<Dirent[]> {
  try {
    return await readdir(fullPath, { withFileTypes: true });
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Files that are removed while they are listed are left out. */
async function describeFiles(
  folders: LocalFolders,
  paths: readonly string[],
  signal: AbortSignal | undefined,
): Promise<StoredObject[]> {
  const root = await folders.loadRoot();
  const found = await mapConcurrently(
    paths,
    PARALLEL_CALLS,
    async (path) => {
      try {
        return describeFile(path, await lstat(join(root, path), { bigint: true }));
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },
    signal,
  );
  return found.filter((object) => object !== undefined);
}
