// Folders of a local storage: finds a path without following links, creates folders that survive a
// power loss, and removes the marker folders that a delete left empty.
import type { BigIntStats } from "node:fs";
import { lstat, mkdir, open, realpath, rmdir, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { errorNumber, isMissing, linkRefused, systemError } from "./local-errors.ts";
import { parentFolder } from "./storage-path.ts";

/** Where a path lies, and what is there. */
export interface LocalEntry {
  readonly fullPath: string;
  /** Absent if there is nothing. */
  readonly stats: BigIntStats | undefined;
}

/** Markers of one write each: short-lived, and removed with their folders. */
const MARKERS_FOLDER = ".hoodie/.temp";
const MAX_ATTEMPTS = 8;

/** The folders below one root. */
export class LocalFolders {
  readonly root: string;
  #realRoot: string | undefined;
  readonly #durable: Set<string> = new Set();

  constructor(root: string) {
    this.root = resolve(root);
  }

  /** The root without links in it. The root itself may be reached through links, nothing below. */
  async loadRoot(): Promise<string> {
    this.#realRoot ??= await realpath(this.root).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    return this.#realRoot ?? this.root;
  }

  /** Finds a path segment by segment. Throws `UNSUPPORTED` at a link or a special file. */
  async find(path: string): Promise<LocalEntry> {
    const root = await this.loadRoot();
    const fullPath = join(root, path);
    let stats = await findStats(root);
    let at = root;
    for (const segment of path === "" ? [] : path.split("/")) {
      if (!stats?.isDirectory()) return { fullPath, stats: undefined };
      at = join(at, segment);
      stats = await findStats(at);
      if (stats && !stats.isFile() && !stats.isDirectory()) throw linkRefused(this.root, path);
    }
    return { fullPath, stats };
  }

  /**
   * Runs a step that puts a file in place, after its folder exists; once more if the folder is
   * removed in between, as empty marker folders are.
   */
  async publish<T>(path: string, step: (fullPath: string) => Promise<T>): Promise<T> {
    const folder = parentFolder(path);
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#ensureFolder(folder);
        return await step(join(await this.loadRoot(), path));
      } catch (error) {
        if (errorNumber(error) !== "ENOENT" || attempt === MAX_ATTEMPTS) throw error;
        this.#durable.clear();
      }
    }
  }

  /** Makes the names in the folder of a path survive a power loss. */
  async syncParent(path: string): Promise<void> {
    if (isMarkerPath(path)) return;
    await syncFolder(join(await this.loadRoot(), parentFolder(path)));
  }

  /**
   * Removes the checksum that Hadoop's local file system keeps beside a file (`.<name>.crc`): one
   * that does not fit makes the file unreadable for Spark, a missing one does not.
   */
  async removeChecksum(path: string): Promise<void> {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const root = await this.loadRoot();
    await unlink(join(root, parentFolder(path), `.${name}.crc`)).catch((error) => {
      if (!isMissing(error)) throw error;
    });
  }

  /** Removes the marker folders above a removed path as far as they are empty. */
  async removeEmptyParents(path: string): Promise<void> {
    const root = await this.loadRoot();
    for (let at = parentFolder(path); isMarkerPath(at); at = parentFolder(at)) {
      try {
        await rmdir(join(root, at));
      } catch (error) {
        if (!isMissing(error)) return;
      }
    }
  }

  async #ensureFolder(folder: string): Promise<void> {
    if (this.#durable.has(folder)) return;
    if (folder === "") {
      await this.#ensureRoot();
    } else {
      await this.#ensureFolder(parentFolder(folder));
      await this.#createFolder(folder);
    }
    if (!isMarkerPath(folder)) this.#durable.add(folder);
  }

  async #ensureRoot(): Promise<void> {
    const first = await mkdir(this.root, { recursive: true });
    if (first === undefined) return;
    for (let at = this.root; at.length >= first.length; at = dirname(at)) {
      await syncFolder(dirname(at));
    }
  }

  // The parent is synced even if another process created the folder: that one may not have come
  // to it yet, and what is published here must not hang on it.
  async #createFolder(folder: string): Promise<void> {
    const fullPath = join(await this.loadRoot(), folder);
    try {
      await mkdir(fullPath);
    } catch (error) {
      if (errorNumber(error) !== "EEXIST") throw error;
      const stats = await findStats(fullPath);
      if (stats?.isFile()) throw systemError("ENOTDIR", "mkdir");
      if (stats && !stats.isDirectory()) throw linkRefused(this.root, folder);
    }
    await this.syncParent(folder);
  }
}

function isMarkerPath(path: string): boolean {
  return path.startsWith(`${MARKERS_FOLDER}/`);
}

async function findStats(fullPath: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(fullPath, { bigint: true });
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** Writes the entries of a folder to the disk. Windows has no such call. */
export async function syncFolder(fullPath: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(fullPath, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
