// The work on one file group as plain data, so that it runs in a worker thread or in place.
import { type Column, type ColumnBatch, transferableBuffers } from "../format/column-batch.ts";
import { rowBytes } from "../format/stored-column.ts";
import type { Storage } from "../storage/storage.ts";
import { type FindKeysTask, type FoundKeys, findKeys } from "./base-file-keys.ts";
import { type RewriteTask, rewriteBaseFile } from "./base-file-rewrite.ts";
import { type ReadRowsTask, readRows } from "./base-file-rows.ts";
import {
  type CreateTask,
  createBaseFiles,
  type MergeTask,
  mergeBaseFile,
  type WrittenFile,
} from "./base-file-writer.ts";
import { type AppendTask, appendToLog } from "./log-file-writer.ts";
import { type ClusterTask, clusterBaseFiles } from "./slice-clustering.ts";
import { type FindRowsTask, type FoundRows, findRows } from "./slice-rows.ts";

/** Any work on one file group. */
export type FileGroupTask =
  | FindKeysTask
  | ReadRowsTask
  | MergeTask
  | CreateTask
  | RewriteTask
  | ClusterTask
  | AppendTask
  | FindRowsTask;

/** What a task gives back. */
export interface FileGroupResults {
  readonly "find-keys": FoundKeys;
  readonly "read-rows": ColumnBatch;
  readonly merge: WrittenFile | undefined;
  readonly create: readonly WrittenFile[];
  readonly rewrite: WrittenFile;
  readonly cluster: WrittenFile;
  readonly append: readonly WrittenFile[];
  readonly "find-rows": FoundRows;
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
    case "read-rows":
      return readRows(storage, task, signal);
    case "merge":
      return mergeBaseFile(storage, task, signal);
    case "create":
      return createBaseFiles(storage, task, signal);
    case "rewrite":
      return rewriteBaseFile(storage, task, signal);
    case "cluster":
      return clusterBaseFiles(storage, task, signal);
    case "append":
      return appendToLog(storage, task, signal);
    case "find-rows":
      return findRows(storage, task, signal);
  }
}

/** Bytes that a task works through, roughly: whether it is worth a worker thread. */
export function estimateTaskBytes(task: FileGroupTask): number {
  switch (task.kind) {
    case "find-keys":
      return task.file.sizeBytes / 4 + task.keys.data.length;
    case "read-rows":
      return task.file.sizeBytes / 2;
    case "find-rows":
      return task.source.logFiles.reduce((sum, log) => sum + log.sizeBytes, task.keys.data.length);
    case "merge":
      return (
        task.base.sizeBytes + rowBytes(task.changes.batch.columns, 0, task.changes.batch.rowCount)
      );
    case "rewrite":
      return task.base.sizeBytes;
    case "cluster":
      return task.inputs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    case "create":
    case "append":
      return rowBytes(task.batch.columns, 0, task.batch.rowCount);
  }
}

/** The buffers of a task that only this task uses: they move to the worker instead of being copied. */
export function taskTransfers(task: FileGroupTask): ArrayBuffer[] {
  const columns = taskColumns(task);
  const schema = { name: "", fields: [] };
  return transferableBuffers({ schema, rowCount: 0, columns });
}

function taskColumns(task: FileGroupTask): readonly Column[] {
  switch (task.kind) {
    case "find-keys":
    case "find-rows":
      return [task.keys];
    case "read-rows":
    case "rewrite":
    case "cluster":
      return [];
    case "merge":
      return [task.keys, ...task.changes.batch.columns];
    case "create":
      return [task.keys, ...task.batch.columns];
    case "append": {
      const deleted = [task.graves, task.deletes].flatMap(({ keys, ordering }) =>
        ordering ? [keys, ordering] : [keys],
      );
      return [task.keys, ...task.batch.columns, ...deleted];
    }
  }
}
