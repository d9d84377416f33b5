// Files of a local storage before they have a name that callers can see: written whole, with a
// modification time that no other version has, and synced. Rules: spec/protocol/storage.md, ST-20.
import { createHash } from "node:crypto";
import type { BigIntStats } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { lstat, mkdir, open, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { bestEffort } from "../runtime/concurrency.ts";
import { createFraction, createUuid } from "../runtime/random.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { isMissing } from "./local-errors.ts";
import { writeAll } from "./local-file-bytes.ts";
import type { LocalFolders } from "./local-folders.ts";
import { findProcessState, loadProcessIdentity } from "./process-identity.ts";
import { STAGING_FOLDER } from "./storage-path.ts";

/** A whole and synced file under a temporary name. */
export interface StagedFile {
  readonly fullPath: string;
  readonly stats: BigIntStats;
}

/** A file that is being written under a temporary name. */
export interface StagingFile {
  readonly fullPath: string;
  readonly handle: FileHandle;
}

const FOREIGN_AGE_MS = 24 * 60 * 60 * 1000;
// The system keeps whole microseconds of a time that is set, and may round one down.
const STEP_MICROS = 4;

/** The temporary files of one storage. */
export class LocalStaging {
  readonly #folders: LocalFolders;
  readonly #runtime: Runtime;
  #isSwept = false;
  #lastMicros = 0;

  constructor(folders: LocalFolders, runtime: Runtime) {
    this.#folders = folders;
    this.#runtime = runtime;
  }

  /** The folder of temporary files; it may not exist. */
  async folder(): Promise<string> {
    return join(await this.#folders.loadRoot(), STAGING_FOLDER, "temporary");
  }

  /** Begins a file. The first one removes what dead processes left behind. */
  async create(): Promise<StagingFile> {
    const folder = await this.folder();
    if (!this.#isSwept) {
      this.#isSwept = true;
      await bestEffort(() => this.#sweep(folder));
    }
    const owner = await loadOwnerName();
    const fullPath = join(folder, `${owner}-${createUuid(this.#runtime.random)}`);
    try {
      return { fullPath, handle: await open(fullPath, "wx") };
    } catch (error) {
      if (!isMissing(error)) throw error;
      await mkdir(folder, { recursive: true });
      return { fullPath, handle: await open(fullPath, "wx") };
    }
  }

  /** Writes a whole file. */
  async stage(bytes: Uint8Array): Promise<StagedFile> {
    const file = await this.create();
    try {
      await writeAll(file.handle, bytes);
    } catch (error) {
      await this.discard(file);
      throw error;
    }
    return this.seal(file);
  }

  /** Ends a file: gives it its modification time, syncs and closes it. */
  async seal(file: StagingFile): Promise<StagedFile> {
    try {
      const seconds = this.#issueModifiedMicros() / 1e6;
      await file.handle.utimes(seconds, seconds);
      await file.handle.sync();
      const stats = await file.handle.stat({ bigint: true });
      await file.handle.close();
      return { fullPath: file.fullPath, stats };
    } catch (error) {
      await this.discard(file);
      throw error;
    }
  }

  /** Moves the modification time of a staged file beyond that of the file it replaces. */
  async outdate(file: StagedFile, replaced: BigIntStats): Promise<StagedFile> {
    if (file.stats.mtimeNs > replaced.mtimeNs) return file;
    const seconds = Number(replaced.mtimeNs / 1000n + BigInt(STEP_MICROS)) / 1e6;
    const handle = await open(file.fullPath, "r+");
    try {
      await handle.utimes(seconds, seconds);
      await handle.sync();
      return { fullPath: file.fullPath, stats: await handle.stat({ bigint: true }) };
    } finally {
      await handle.close();
    }
  }

  async discard(file: StagingFile): Promise<void> {
    await bestEffort(() => file.handle.close());
    await this.remove(file.fullPath);
  }

  async remove(fullPath: string): Promise<void> {
    await bestEffort(() => unlink(fullPath));
  }

  /**
   * A modification time in microseconds that no other file of this handle has. The file system may
   * reuse the inode of a removed file at once, and its own times stand still for milliseconds, so
   * that they would not tell two quick replacements apart.
   */
  #issueModifiedMicros(): number {
    const { clock, random } = this.#runtime;
    const nowMicros = Math.floor((clock.now() + createFraction(random)) * 1000);
    this.#lastMicros = Math.max(nowMicros, this.#lastMicros + STEP_MICROS);
    return this.#lastMicros;
  }

  async #sweep(folder: string): Promise<void> {
    const self = await loadProcessIdentity();
    const ownMachine = (await loadOwnerName()).split("-")[0];
    for (const name of await readdir(folder)) {
      const [machine, pid, start] = name.split("-");
      const fullPath = join(folder, name);
      const isLeft =
        machine === ownMachine
          ? (await findProcessState({ ...self, pid: Number(pid), start: start ?? "" })) === "dead"
          : this.#runtime.clock.now() - Number((await lstat(fullPath)).mtimeMs) > FOREIGN_AGE_MS;
      if (isLeft) await this.remove(fullPath);
    }
  }
}

/** `<machine, boot and namespace>-<process number>-<start>`: who writes a temporary file. */
async function loadOwnerName(): Promise<string> {
  const { host, boot, pidNamespace, pid, start } = await loadProcessIdentity();
  const machine = createHash("sha256").update(JSON.stringify([host, boot, pidNamespace]));
  return `${machine.digest("hex").slice(0, 16)}-${pid}-${start}`;
}
