// Storage in memory, for tests and simulation: several handles share one store, and every call can
// be counted, held back or made to fail. Rules: spec/protocol/storage.md, ST-30 to ST-33.
import type { Fault, StorageCall, StorageMethod } from "./memory-faults.ts";
import { describeFault, injectedFailure, ProcessDied } from "./memory-faults.ts";
import type { MemoryObject } from "./memory-store.ts";
import { MemoryStore } from "./memory-store.ts";
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
import { objectNotFound, requireByteRange, writerEnded } from "./storage-failures.ts";
import {
  compareUtf8,
  folderPrefix,
  requireFolderPath,
  requireStoragePath,
  sortByPath,
} from "./storage-path.ts";

/** Options of one handle on a memory store. */
export interface MemoryStorageOptions {
  /** A label for the call log and messages; stands for a process. */
  readonly process?: string;
  readonly leaseKind?: Storage["leaseKind"];
  /** Calls are pushed here as they begin. Handles that share a log give one order of all calls. */
  readonly callLog?: StorageCall[];
  /** Awaited before each call takes effect; the effect itself is atomic. Explores schedules. */
  readonly beforeCall?: (call: StorageCall) => void | Promise<void>;
  /** Asked after `beforeCall`; a returned fault happens to this call. */
  readonly chooseFault?: (call: StorageCall) => Fault | undefined;
}

/** A step on the store, and the part of it that a `partly` fault lets happen. */
interface Step<T> {
  readonly method: StorageMethod;
  readonly path: string;
  readonly isWrite: boolean;
  readonly apply: () => T;
  readonly applyPartly?: () => void;
}

/** One process's handle on a `MemoryStore`. */
export class MemoryStorage implements Storage {
  readonly location: string = "memory:";
  readonly leaseKind: Storage["leaseKind"];
  readonly store: MemoryStore;
  readonly #options: MemoryStorageOptions;
  readonly #process: string;
  #callCount = 0;
  #isDead = false;

  constructor(store: MemoryStore = new MemoryStore(), options: MemoryStorageOptions = {}) {
    this.store = store;
    this.leaseKind = options.leaseKind ?? "conditional";
    this.#options = options;
    this.#process = options.process ?? "main";
  }

  /** How many calls this handle has made. */
  get callCount(): number {
    return this.#callCount;
  }

  /** Ends the process of this handle: its calls, those under way included, throw `ProcessDied`. */
  kill(): void {
    this.#isDead = true;
  }

  async read(path: string, options?: StorageOptions): Promise<StoredContent> {
    return this.#look("read", path, options, () => {
      const object = this.#require(path);
      return { bytes: Uint8Array.from(object.bytes), tag: object.tag };
    });
  }

  async readRange(path: string, range: ByteRange, options?: StorageOptions): Promise<Uint8Array> {
    requireStoragePath(path);
    if (requireByteRange(path, range) === 0) {
      options?.signal?.throwIfAborted();
      return new Uint8Array(0);
    }
    return this.#look("readRange", path, options, () =>
      this.#require(path).bytes.slice(range.start, range.end),
    );
  }

  async findObject(path: string, options?: StorageOptions): Promise<StoredObject | undefined> {
    return this.#look("findObject", path, options, () => {
      const object = this.store.find(path);
      return object && describeObject(path, object);
    });
  }

  async list(folder: string, options?: ListOptions): Promise<readonly StoredObject[]> {
    requireFolderPath(folder);
    const { recursive = true, startAfter } = options ?? {};
    const prefix = folderPrefix(folder);
    const apply = () =>
      this.#objectsBelow(prefix).filter(
        ({ path }) =>
          (recursive || !path.includes("/", prefix.length)) &&
          (startAfter === undefined || compareUtf8(path, startAfter) > 0),
      );
    return this.#run({ method: "list", path: folder, isWrite: false, apply }, options);
  }

  async listFolder(folder: string, options?: StorageOptions): Promise<FolderListing> {
    requireFolderPath(folder);
    const prefix = folderPrefix(folder);
    const apply = () => {
      const objects: StoredObject[] = [];
      const folders = new Set<string>();
      for (const object of this.#objectsBelow(prefix)) {
        const slash = object.path.indexOf("/", prefix.length);
        if (slash < 0) objects.push(object);
        else folders.add(object.path.slice(prefix.length, slash));
      }
      return { objects, folders: [...folders].sort(compareUtf8) };
    };
    return this.#run({ method: "listFolder", path: folder, isWrite: false, apply }, options);
  }

  async put(path: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    await this.#change("put", path, options, () => this.store.put(path, bytes, options?.writeId));
  }

  async createIfAbsent(
    path: string,
    bytes: Uint8Array,
    options?: PutOptions,
  ): Promise<"created" | "exists"> {
    return this.#change("createIfAbsent", path, options, () =>
      this.store.createIfAbsent(path, bytes, options?.writeId),
    );
  }

  async replaceIfUnchanged(
    path: string,
    bytes: Uint8Array,
    tag: string,
    options?: PutOptions,
  ): Promise<{ readonly tag: string } | "changed"> {
    return this.#change("replaceIfUnchanged", path, options, () =>
      this.store.replaceIfUnchanged(path, bytes, tag, options?.writeId),
    );
  }

  createWriter(path: string, options?: PutOptions): ObjectWriter {
    requireStoragePath(path);
    return new MemoryObjectWriter(path, options, (bytes) =>
      this.#change("createWriter", path, options, () =>
        this.store.put(path, bytes, options?.writeId),
      ),
    );
  }

  async delete(paths: readonly string[], options?: StorageOptions): Promise<void> {
    for (const path of paths) requireStoragePath(path);
    if (paths.length === 0) return;
    const step = {
      method: "delete",
      path: paths[0] as string,
      isWrite: true,
      apply: () => this.store.delete(paths),
      applyPartly: () => this.store.delete(paths.slice(0, Math.ceil(paths.length / 2))),
    } as const;
    await this.#run(step, options);
  }

  async loadWriteId(path: string, options?: StorageOptions): Promise<string | undefined> {
    return this.#look("loadWriteId", path, options, () => this.store.find(path)?.writeId);
  }

  async probeConditionalWrites(options?: StorageOptions): Promise<void> {
    const apply = () => {};
    await this.#run({ method: "probeConditionalWrites", path: "", isWrite: false, apply }, options);
  }

  async close(): Promise<void> {}

  #look<T>(
    method: StorageMethod,
    path: string,
    options: StorageOptions | undefined,
    apply: () => T,
  ): Promise<T> {
    requireStoragePath(path);
    return this.#run({ method, path, isWrite: false, apply }, options);
  }

  #change<T>(
    method: StorageMethod,
    path: string,
    options: StorageOptions | undefined,
    apply: () => T,
  ): Promise<T> {
    requireStoragePath(path);
    return this.#run({ method, path, isWrite: true, apply }, options);
  }

  async #run<T>(step: Step<T>, options: StorageOptions | undefined): Promise<T> {
    options?.signal?.throwIfAborted();
    this.#requireAlive();
    const call: StorageCall = {
      index: this.#callCount++,
      process: this.#process,
      method: step.method,
      path: step.path,
      isWrite: step.isWrite,
    };
    this.#options.callLog?.push(call);
    await this.#options.beforeCall?.(call);
    this.#requireAlive();
    options?.signal?.throwIfAborted();
    const fault = this.#options.chooseFault?.(call);
    return fault === undefined ? step.apply() : this.#fail(call, step, fault);
  }

  #fail<T>(call: StorageCall, step: Step<T>, fault: Fault): never {
    const { applied, ends } = describeFault(fault);
    if (applied === "yes") step.apply();
    if (applied === "partly") step.applyPartly?.();
    if (applied === "late") this.store.addLateChange(step.apply);
    if (ends !== "death") throw injectedFailure(call, ends);
    this.kill();
    throw new ProcessDied(this.#process);
  }

  #requireAlive(): void {
    if (this.#isDead) throw new ProcessDied(this.#process);
  }

  #require(path: string): MemoryObject {
    const object = this.store.find(path);
    if (!object) throw objectNotFound(this.location, path);
    return object;
  }

  #objectsBelow(prefix: string): StoredObject[] {
    const found: StoredObject[] = [];
    for (const path of this.store.paths()) {
      if (path.startsWith(prefix)) {
        found.push(describeObject(path, this.store.find(path) as MemoryObject));
      }
    }
    return sortByPath(found);
  }
}

function describeObject(path: string, object: MemoryObject): StoredObject {
  const { bytes, modifiedMs, tag } = object;
  return { path, sizeBytes: bytes.byteLength, modifiedMs, tag };
}

class MemoryObjectWriter implements ObjectWriter {
  readonly #path: string;
  readonly #options: PutOptions | undefined;
  readonly #publish: (bytes: Uint8Array) => Promise<unknown>;
  #parts: Uint8Array[] = [];
  #state: "open" | "closed" | "aborted" = "open";

  constructor(
    path: string,
    options: PutOptions | undefined,
    publish: (bytes: Uint8Array) => Promise<unknown>,
  ) {
    this.#path = path;
    this.#options = options;
    this.#publish = publish;
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#state !== "open") throw writerEnded(this.#path, this.#state);
    this.#options?.signal?.throwIfAborted();
    this.#parts.push(bytes);
  }

  async close(): Promise<{ readonly sizeBytes: number }> {
    if (this.#state !== "open") throw writerEnded(this.#path, this.#state);
    this.#state = "closed";
    const bytes = Buffer.concat(this.#parts.splice(0));
    await this.#publish(bytes);
    return { sizeBytes: bytes.byteLength };
  }

  async abort(): Promise<void> {
    this.#state = "aborted";
    this.#parts = [];
  }
}
