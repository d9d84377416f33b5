// Reads single rows of a base file by position: what a write has to know of stored rows beforehand.
import type { ColumnBatch } from "../format/column-batch.ts";
import { emptyBatch } from "../format/column-batch.ts";
import { concatBatchSteps } from "../format/column-concat.ts";
import { gatherBatchSteps } from "../format/column-gather.ts";
import type { Field } from "../format/schema.ts";
import { runInTurns } from "../runtime/steps.ts";
import type { Storage } from "../storage/storage.ts";
import { type BaseFileRef, batchRowsOf, openBaseFile } from "./base-file.ts";

/** Which rows and columns of a base file are read: plain data. */
export interface ReadRowsTask {
  readonly kind: "read-rows";
  readonly file: BaseFileRef;
  /** Rows of the file, ascending. */
  readonly positions: Int32Array;
  readonly fields: readonly Field[];
}

/** The rows at the positions, in their order. Columns that the file lacks are null. */
export async function readRows(
  storage: Storage,
  task: ReadRowsTask,
  signal?: AbortSignal,
): Promise<ColumnBatch> {
  const { positions, fields } = task;
  const schema = { name: "rows", fields };
  // The file is merged into next, so a small one may be fetched whole.
  const reader = await openBaseFile(storage, task.file, { signal, readsAll: true });
  const parts: ColumnBatch[] = [];
  let next = 0;
  let start = 0;
  for (let group = 0; group < reader.rowGroups.length; group += 1) {
    const { rowCount } = reader.rowGroups[group] as { rowCount: number };
    const end = start + rowCount;
    if (next < positions.length && (positions[next] as number) < end) {
      for await (const batch of reader.readBatches(group, fields, {
        signal,
        batchRows: batchRowsOf(reader),
      })) {
        const first = next;
        while (next < positions.length && (positions[next] as number) < start + batch.rowCount) {
          next += 1;
        }
        const rows = positions.slice(first, next).map((position) => position - start);
        if (rows.length > 0) parts.push(await runInTurns(gatherBatchSteps(batch, rows), signal));
        start += batch.rowCount;
      }
    }
    start = end;
  }
  if (parts.length === 0) return emptyBatch(schema);
  const all = await runInTurns(concatBatchSteps(parts), signal);
  return { ...all, schema };
}
