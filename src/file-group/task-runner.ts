// Where tasks on file groups run: in place, or in worker threads that share the host's storage.
// Decision: spec/decisions/0006-worker-threads.md.
import { availableParallelism } from "node:os";
import type { Storage } from "../storage/storage.ts";
import {
  estimateTaskBytes,
  type FileGroupResults,
  type FileGroupTask,
  runFileGroupTask,
} from "./file-group-task.ts";
import { createWorkerPool, findWorkerEntry, type WorkerPool } from "./worker-pool.ts";

/** Runs tasks on file groups. */
export interface TaskRunner {
  /** How many tasks are worth starting at once. */
  readonly concurrency: number;
  /** A task's buffers may be gone for the caller afterwards. */
  run<T extends FileGroupTask>(task: T, signal?: AbortSignal): Promise<FileGroupResults[T["kind"]]>;
  close(): Promise<void>;
}

/** Worker threads of an open table. */
export interface WorkerOptions {
  /** Threads at most; 0 runs everything in place. Default: one less than the processors, 1 to 4. */
  readonly count?: number | undefined;
  /** The worker's script, where a bundler moved it; `hudi-lake/worker` is its source. */
  readonly entry?: URL | undefined;
}

/** A smaller task is done in place: starting and feeding a thread would cost more. */
const WORKER_TASK_BYTES = 4 * 1024 * 1024;

/** A runner over the storage of an open table. Threads start with the first task worth one. */
export function createTaskRunner(storage: Storage, options: WorkerOptions = {}): TaskRunner {
  const wanted = options.count ?? Math.max(1, Math.min(4, availableParallelism() - 1));
  const entry = wanted > 0 ? (options.entry ?? findWorkerEntry()) : undefined;
  const count = entry ? wanted : 0;
  let pool: WorkerPool | undefined;
  return {
    concurrency: Math.max(1, count),
    run(task, signal) {
      if (!entry || estimateTaskBytes(task) < WORKER_TASK_BYTES) {
        return runFileGroupTask(storage, task, signal);
      }
      pool ??= createWorkerPool(storage, entry, count);
      return pool.run(task, signal);
    },
    async close() {
      await pool?.close();
      pool = undefined;
    },
  };
}
