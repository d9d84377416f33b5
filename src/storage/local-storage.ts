// Storage in a directory. An object appears by a link (create) or a rename (replace) of a whole,
// synced temporary file. Rules: spec/protocol/storage.md, ST-20 to ST-27.
import { createHash } from "node:crypto";
import { constants } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { link, open, rename, unlink } from "node:fs/promises";
import { join } from "node:path";
import { bestEffort, mapConcurrently } from "../runtime/concurrency.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { systemRuntime } from "../runtime/runtime.ts";
import { acquireClaim } from "./local-claims.ts";
import {
  errorNumber,
  ignoreMissing,
  linkFailure,
  readFailure,
  systemError,
  writeFailure,
} from "./local-errors.ts";
import { readBytes } from "./local-file-bytes.ts";
import { LocalFolders } from "./local-folders.ts";
import { describeFile, formatTag, listFiles, listLocalFolder } from "./local-listing.ts";
import type { StagedFile } from "./local-staging.ts";
import { LocalStaging } from "./local-staging.ts";
import { LocalObjectWriter } from "./local-writer.ts";
import type {
  ByteRange,
  FolderListing,
  ListOptions,
  ObjectWriter,
  PutOptions,
  Storage,
  StorageOptions,
  StoredContent,
  StoredObject,
} from "./storage.ts";
import { requireByteRange } from "./storage-failures.ts";
import { requireFolderPath, requireStoragePath, STAGING_FOLDER } from "./storage-path.ts";

/** Options of a local storage. */
export interface LocalStorageOptions {
  readonly runtime?: Runtime;
  /** How long a replacement waits for another process that is replacing, default 10,000 ms. */
  readonly claimWaitMs?: number;
  /** Awaited at each step of a write, for crash tests. */
  readonly onStep?: (step: LocalStep) => void | Promise<void>;
}

/** Points of a write: its file is whole; it is visible; it is visible and durable. */
export type LocalStep = "staged" | "published" | "durable";

const PARALLEL_CALLS = 16;
const REMEMBERED_WRITES = 4096;

/** A directory as a storage. */
export class LocalStorage implements Storage {
  readonly location: string;
  readonly leaseKind: "numbered" = "numbered";
  readonly localFolder: string | undefined;
  readonly #runtime: Runtime;
  readonly #claimWaitMs: number;
  readonly #onStep: (step: LocalStep) => void | Promise<void>;
  readonly #folders: LocalFolders;
  readonly #staging: LocalStaging;
  readonly #writeIds: Map<string, { readonly tag: string; readonly writeId: string }> = new Map();

  constructor(root: string, options: LocalStorageOptions = {}) {
    this.#runtime = options.runtime ?? systemRuntime;
    this.#claimWaitMs = options.claimWaitMs ?? 10_000;
    this.#onStep = options.onStep ?? (() => {});
    this.#folders = new LocalFolders(root);
    this.#staging = new LocalStaging(this.#folders, this.#runtime);
    this.location = this.#folders.root;
    // A thread of its own would neither follow another clock nor tell its steps.
    const isPlain = this.#runtime === systemRuntime && options.onStep === undefined;
    this.localFolder = isPlain ? root : undefined;
  }

  async read(path: string, options?: StorageOptions): Promise<StoredContent> {
    return this.#withFile(path, options, async (handle) => {
      const stats = await handle.stat({ bigint: true });
      const bytes = await readBytes(handle, 0, Number(stats.size), options?.signal);
      return { bytes, tag: formatTag(stats) };
    });
  }

  async readRange(path: string, range: ByteRange, options?: StorageOptions): Promise<Uint8Array> {
    requireStoragePath(path);
    if (requireByteRange(path, range) === 0) {
      options?.signal?.throwIfAborted();
      return new Uint8Array(0);
    }
    return this.#withFile(path, options, async (handle) => {
      const { size } = await handle.stat();
      return readBytes(handle, range.start, Math.min(range.end, size), options?.signal);
    });
  }

  async findObject(path: string, options?: StorageOptions): Promise<StoredObject | undefined> {
    requireStoragePath(path);
    options?.signal?.throwIfAborted();
    const { stats } = await this.#reading(path, this.#folders.find(path));
    return stats?.isFile() ? describeFile(path, stats) : undefined;
  }

  async list(folder: string, options: ListOptions = {}): Promise<readonly StoredObject[]> {
    requireFolderPath(folder);
    options.signal?.throwIfAborted();
    return this.#reading(folder, listFiles(this.#folders, folder, options));
  }

  async listFolder(folder: string, options: StorageOptions = {}): Promise<FolderListing> {
    requireFolderPath(folder);
    options.signal?.throwIfAborted();
    return this.#reading(folder, listLocalFolder(this.#folders, folder, options));
  }

  async put(path: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    requireStoragePath(path);
    options?.signal?.throwIfAborted();
    await this.#replace(path, await this.#stage(path, bytes), options);
  }

  async createIfAbsent(
    path: string,
    bytes: Uint8Array,
    options?: PutOptions,
  ): Promise<"created" | "exists"> {
    requireStoragePath(path);
    options?.signal?.throwIfAborted();
    const { stats } = await this.#reading(path, this.#folders.find(path));
    if (stats?.isFile()) return "exists";
    const staged = await this.#stage(path, bytes);
    try {
      options?.signal?.throwIfAborted();
      this.#rememberWriteId(path, staged, options);
      const isCreated = await this.#link(path, staged);
      if (isCreated) await this.#makeDurable(path);
      return isCreated ? "created" : "exists";
    } finally {
      await this.#staging.remove(staged.fullPath);
    }
  }

  async replaceIfUnchanged(
    path: string,
    bytes: Uint8Array,
    tag: string,
    options?: PutOptions,
  ): Promise<{ readonly tag: string } | "changed"> {
    requireStoragePath(path);
    options?.signal?.throwIfAborted();
    if ((await this.findObject(path))?.tag !== tag) return "changed";
    const staged = await this.#stage(path, bytes);
    try {
      const claim = await acquireClaim(await this.#claimPath(path), {
        runtime: this.#runtime,
        waitMs: this.#claimWaitMs,
        subject: path,
        signal: options?.signal,
      });
      try {
        const { stats } = await this.#reading(path, this.#folders.find(path));
        if (!stats || formatTag(stats) !== tag) return "changed";
        const dated = await this.#staging.outdate(staged, stats);
        await this.#replace(path, dated, options);
        return { tag: formatTag(dated.stats) };
      } finally {
        await bestEffort(() => claim.release());
      }
    } catch (error) {
      throw writeFailure(this.location, path, "before", error);
    } finally {
      await this.#staging.remove(staged.fullPath);
    }
  }

  createWriter(path: string, options?: PutOptions): ObjectWriter {
    requireStoragePath(path);
    return new LocalObjectWriter({
      path,
      location: this.location,
      staging: this.#staging,
      signal: options?.signal,
      publish: async (staged) => {
        await this.#onStep("staged");
        await this.#replace(path, staged, options);
      },
    });
  }

  async delete(paths: readonly string[], options?: StorageOptions): Promise<void> {
    for (const path of paths) requireStoragePath(path);
    let removedCount = 0;
    const remove = async (path: string): Promise<void> => {
      const { fullPath, stats } = await this.#folders.find(path);
      if (stats?.isFile()) {
        await unlink(fullPath).catch(ignoreMissing);
        removedCount += 1;
        await this.#folders.removeChecksum(path);
      }
      await this.#folders.removeEmptyParents(path);
    };
    const failing = async (path: string): Promise<void> => {
      try {
        await remove(path);
      } catch (error) {
        throw writeFailure(this.location, path, removedCount > 0 ? "after" : "publishing", error);
      }
    };
    await mapConcurrently(paths, PARALLEL_CALLS, failing, options?.signal);
    await this.#syncParents(paths);
  }

  async loadWriteId(path: string, options?: StorageOptions): Promise<string | undefined> {
    const written = this.#writeIds.get(requireStoragePath(path));
    if (!written) return undefined;
    const object = await this.findObject(path, options);
    return object?.tag === written.tag ? written.writeId : undefined;
  }

  /** Makes sure that the file system has hard links, and that a link never replaces. */
  async probeConditionalWrites(options?: StorageOptions): Promise<void> {
    options?.signal?.throwIfAborted();
    const subject = `${STAGING_FOLDER}/probe`;
    const staged = await this.#stage(subject, new Uint8Array(0));
    const linked = `${staged.fullPath}-linked`;
    try {
      await link(staged.fullPath, linked);
      await link(staged.fullPath, linked);
    } catch (error) {
      if (errorNumber(error) === "EEXIST") return;
      throw linkFailure(this.location, subject, error);
    } finally {
      await this.#staging.remove(linked);
      await this.#staging.remove(staged.fullPath);
    }
    throw linkFailure(this.location, subject, systemError("ENOTSUP", "link"));
  }

  async close(): Promise<void> {}

  async #stage(path: string, bytes: Uint8Array): Promise<StagedFile> {
    try {
      const staged = await this.#staging.stage(bytes);
      await this.#onStep("staged");
      return staged;
    } catch (error) {
      throw writeFailure(this.location, path, "before", error);
    }
  }

  /** Renames a staged file into place; the file is gone afterwards, whatever happens. */
  async #replace(path: string, staged: StagedFile, options: PutOptions | undefined): Promise<void> {
    try {
      options?.signal?.throwIfAborted();
      const { stats } = await this.#folders.find(path);
      if (stats?.isDirectory()) throw systemError("EISDIR", "rename");
      this.#rememberWriteId(path, staged, options);
      // Before the new content is there, so that no reader ever meets the old checksum with it.
      if (stats) await this.#folders.removeChecksum(path);
      await this.#folders.publish(path, (fullPath) => rename(staged.fullPath, fullPath));
    } catch (error) {
      throw writeFailure(this.location, path, "publishing", error);
    } finally {
      await this.#staging.remove(staged.fullPath);
    }
    await this.#makeDurable(path);
  }

  /** Links a staged file into place. Whatever the system answered, its own inode there is success. */
  async #link(path: string, staged: StagedFile): Promise<boolean> {
    try {
      await this.#folders.publish(path, (fullPath) => link(staged.fullPath, fullPath));
      return true;
    } catch (error) {
      const { stats } = await this.#reading(path, this.#folders.find(path));
      if (stats?.ino === staged.stats.ino && stats.dev === staged.stats.dev) return true;
      if (errorNumber(error) === "EEXIST" && !stats?.isDirectory()) return false;
      if (stats?.isDirectory())
        throw writeFailure(this.location, path, "before", systemError("EISDIR", "rename"));
      throw linkFailure(this.location, path, error);
    }
  }

  async #makeDurable(path: string): Promise<void> {
    try {
      await this.#onStep("published");
      await this.#folders.syncParent(path);
      await this.#onStep("durable");
    } catch (error) {
      throw writeFailure(this.location, path, "after", error);
    }
  }

  async #claimPath(path: string): Promise<string> {
    const name = createHash("sha256").update(path).digest("hex").slice(0, 32);
    return join(await this.#folders.loadRoot(), STAGING_FOLDER, "claims", name);
  }

  #rememberWriteId(path: string, staged: StagedFile, options: PutOptions | undefined): void {
    if (options?.writeId === undefined) return;
    this.#writeIds.delete(path);
    this.#writeIds.set(path, { tag: formatTag(staged.stats), writeId: options.writeId });
    const [oldest] = this.#writeIds.keys();
    if (this.#writeIds.size > REMEMBERED_WRITES) this.#writeIds.delete(oldest as string);
  }

  async #syncParents(paths: readonly string[]): Promise<void> {
    const folders = new Map(paths.map((path) => [path.slice(0, path.lastIndexOf("/") + 1), path]));
    for (const path of folders.values()) {
      try {
        await this.#folders.syncParent(path).catch(ignoreMissing);
      } catch (error) {
        throw writeFailure(this.location, path, "after", error);
      }
    }
  }

  async #withFile<T>(
    path: string,
    options: StorageOptions | undefined,
    use: (handle: FileHandle) => Promise<T>,
  ): Promise<T> {
    requireStoragePath(path);
    options?.signal?.throwIfAborted();
    const handle = await this.#reading(path, this.#open(path));
    try {
      return await this.#reading(path, use(handle));
    } finally {
      await handle.close();
    }
  }

  /** Opens a file without following a link, and without waiting for the writer of a pipe. */
  async #open(path: string): Promise<FileHandle> {
    const { fullPath, stats } = await this.#folders.find(path);
    if (!stats?.isFile()) throw systemError("ENOENT", "open");
    const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;
    return open(fullPath, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  }

  async #reading<T>(path: string, call: Promise<T>): Promise<T> {
    try {
      return await call;
    } catch (error) {
      throw readFailure(this.location, path, error);
    }
  }
}
