// A pool of worker threads that carry out tasks on file groups over the host's storage.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { MessageChannel, Worker } from "node:worker_threads";
import { HudiError } from "../errors.ts";
import { decodeFailure, type RemoteFailure } from "../storage/remote-protocol.ts";
import { type Storage, StorageError } from "../storage/storage.ts";
import { describeStorage, serveStorage } from "../storage/storage-server.ts";
import { type FileGroupResults, type FileGroupTask, taskTransfers } from "./file-group-task.ts";

/** From the host to a worker. */
export type WorkerRequest =
  | { readonly id: number; readonly task: FileGroupTask }
  | { readonly id: number; readonly abort: true };

/** From a worker to the host. */
export type WorkerReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: RemoteFailure };

/** Threads that take tasks in turn. */
export interface WorkerPool {
  run<T extends FileGroupTask>(task: T, signal?: AbortSignal): Promise<FileGroupResults[T["kind"]]>;
  close(): Promise<void>;
}

/** The worker's script beside this one; undefined where a bundler left it behind. */
export function findWorkerEntry(): URL | undefined {
  // Bundles in CommonJS have no URL of their own.
  const here: string | undefined = import.meta.url;
  if (!here?.startsWith("file:")) return undefined;
  const extension = here.endsWith(".ts") ? "ts" : "js";
  const entry = new URL(`./file-group-worker.${extension}`, here);
  return existsSync(fileURLToPath(entry)) ? entry : undefined;
}

/** A pool of at most `count` threads. They do not keep the process alive while they are idle. */
export function createWorkerPool(storage: Storage, entry: URL, count: number): WorkerPool {
  const idle: PoolWorker[] = [];
  const all = new Set<PoolWorker>();
  const waiting: ((worker: PoolWorker) => void)[] = [];
  let isClosed = false;
  const take = (): Promise<PoolWorker> | PoolWorker => {
    if (isClosed) throw new HudiError("INVALID", "cannot start a task: the table was closed");
    for (let free = idle.pop(); free; free = idle.pop()) {
      if (!free.isDead) return free;
      all.delete(free);
    }
    if (all.size < count) {
      const worker = new PoolWorker(storage, entry);
      all.add(worker);
      return worker;
    }
    return new Promise((resolve) => waiting.push(resolve));
  };
  const give = (worker: PoolWorker): void => {
    if (worker.isDead) {
      all.delete(worker);
      const next = waiting.shift();
      if (next) next(isClosed ? worker : (take() as PoolWorker));
      return;
    }
    const next = waiting.shift();
    if (next) next(worker);
    else idle.push(worker);
  };
  return {
    async run(task, signal) {
      signal?.throwIfAborted();
      const worker = await take();
      try {
        return await worker.run(task, signal);
      } finally {
        give(worker);
      }
    },
    async close() {
      isClosed = true;
      await Promise.all([...all].map((worker) => worker.close()));
      all.clear();
      idle.length = 0;
    },
  };
}

class PoolWorker {
  isDead = false;
  readonly #worker: Worker;
  readonly #stopServing: () => void;
  #pending: { resolve: (value: unknown) => void; reject: (error: unknown) => void } | undefined;
  #lastId = 0;

  constructor(storage: Storage, entry: URL) {
    const { port1, port2 } = new MessageChannel();
    this.#stopServing = serveStorage(storage, port1);
    this.#worker = new Worker(entry, {
      workerData: { port: port2, storage: describeStorage(storage) },
      transferList: [port2],
    });
    this.#worker.unref();
    this.#worker.on("message", (reply: WorkerReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#die(error));
    this.#worker.on("exit", (code) => this.#die(new Error(`worker thread ended with ${code}`)));
  }

  async run<T extends FileGroupTask>(
    task: T,
    signal: AbortSignal | undefined,
  ): Promise<FileGroupResults[T["kind"]]> {
    if (this.isDead) throw deadWorker(new Error("the table was closed"));
    // The abort may have come while the task waited for this worker.
    signal?.throwIfAborted();
    this.#lastId += 1;
    const id = this.#lastId;
    const onAbort = (): void =>
      this.#worker.postMessage({ id, abort: true } satisfies WorkerRequest);
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#worker.ref();
    try {
      return await new Promise<FileGroupResults[T["kind"]]>((resolve, reject) => {
        this.#pending = { resolve: resolve as (value: unknown) => void, reject };
        this.#worker.postMessage({ id, task } satisfies WorkerRequest, taskTransfers(task));
      });
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      throw error;
    } finally {
      this.#pending = undefined;
      this.#worker.unref();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  async close(): Promise<void> {
    this.isDead = true;
    this.#stopServing();
    await this.#worker.terminate();
  }

  #settle(reply: WorkerReply): void {
    if (reply.id !== this.#lastId) return;
    if ("failure" in reply) this.#pending?.reject(decodeFailure(reply.failure));
    else this.#pending?.resolve(reply.result);
  }

  #die(cause: unknown): void {
    if (!this.isDead) this.#stopServing();
    this.isDead = true;
    this.#pending?.reject(deadWorker(cause));
  }
}

/** What the thread had under way in the storage is not known. */
function deadWorker(cause: unknown): StorageError {
  const { message } = cause as Error;
  return new StorageError("unknown", `cannot finish a task: ${message}; retry`, { cause });
}
