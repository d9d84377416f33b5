// The work on one file group as plain data, so that it runs in a worker thread or in place.
import { type Column, type ColumnBatch, transferableBuffers } from "../format/column-batch.ts";
import type { Storage } from "../storage/storage.ts";
import { type FindKeysTask, type FoundKeys, findKeys } from "./base-file-keys.ts";
import {
  type CreateTask,
  createBaseFiles,
  type MergeTask,
  mergeBaseFile,
  type WrittenFile,
} from "./base-file-writer.ts";

/** Any work on one file group. */
export type FileGroupTask = FindKeysTask | MergeTask | CreateTask;

/** What a task gives back. */
export interface FileGroupResults {
  readonly "find-keys": FoundKeys;
  readonly merge: WrittenFile | undefined;
  readonly create: readonly WrittenFile[];
}

/** Carries a task out. */
export async function runFileGroupTask<T extends FileGroupTask>(
  storage: Storage,
  task: T,
  signal?: AbortSignal,
): Promise<FileGroupResults[T["kind"]]> {
  const result = await runTask(storage, task, signal);
  return result as FileGroupResults[T["kind"]];
}

function runTask(
  storage: Storage,
  task: FileGroupTask,
  signal: AbortSignal | undefined,
): Promise<FileGroupResults[FileGroupTask["kind"]]> {
  switch (task.kind) {
    case "find-keys":
      return findKeys(storage, task, signal);
    case "merge":
      return mergeBaseFile(storage, task, signal);
    case "create":
      return createBaseFiles(storage, task, signal);
  }
}

/** Bytes that a task works through, roughly: whether it is worth a worker thread. */
export function estimateTaskBytes(task: FileGroupTask): number {
  switch (task.kind) {
    case "find-keys":
      return task.file.sizeBytes / 4 + task.keys.data.length;
    case "merge":
      return task.base.sizeBytes + batchBytes(task.changes.batch);
    case "create":
      return batchBytes(task.batch);
  }
}

function batchBytes(batch: ColumnBatch): number {
  return transferableBuffers(batch).reduce((sum, buffer) => sum + buffer.byteLength, 0);
}

/** The buffers of a task that only this task uses: they move to the worker instead of being copied. */
export function taskTransfers(task: FileGroupTask): ArrayBuffer[] {
  const columns: Column[] =
    task.kind === "find-keys"
      ? [task.keys]
      : [task.keys, ...(task.kind === "merge" ? task.changes.batch : task.batch).columns];
  const schema = { name: "", fields: [] };
  return transferableBuffers({ schema, rowCount: 0, columns });
}
