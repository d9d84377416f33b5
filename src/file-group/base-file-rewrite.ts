// Writes the next base file of a file group with the same rows under other columns: what a change of
// the schema asks for where engines could not read the old file. Rules: spec/format/evolution.md, EV-7.
import type { BytesColumn } from "../format/column-batch.ts";
import type { Field, TableSchema } from "../format/schema.ts";
import { type StoredColumn, toColumn } from "../format/stored-column.ts";
import { addMetaFields } from "../layout/record-key.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import type { Storage } from "../storage/storage.ts";
import { type BaseFileRef, batchRowsOf, openBaseFile } from "./base-file.ts";
import {
  describeOutput,
  KEY_COLUMN,
  openOutput,
  type WriteTarget,
  type WrittenFile,
} from "./base-file-writer.ts";
import { continueKeyIndex } from "./key-index.ts";
import { FILE_NAME_COLUMN } from "./meta-columns.ts";

/** Rewrites a base file under other columns: plain data. */
export interface RewriteTask extends WriteTarget {
  readonly kind: "rewrite";
  readonly fileId: string;
  readonly base: BaseFileRef;
  readonly baseInstant: string;
  /** Columns of the new file, without meta columns. */
  readonly schema: TableSchema;
  /** The same columns as the old file names them. */
  readonly source: readonly Field[];
}

/** Carries a rewrite out. Rows keep their order and their meta columns, but for the file name. */
export async function rewriteBaseFile(
  storage: Storage,
  task: RewriteTask,
  signal?: AbortSignal,
): Promise<WrittenFile> {
  const { base, fileId } = task;
  const reader = await openBaseFile(storage, base, { signal, readsAll: true });
  const schema = addMetaFields(task.schema);
  const source = addMetaFields({ name: schema.name, fields: task.source }).fields.filter(
    (_, number) => number !== FILE_NAME_COLUMN,
  );
  const file = await openOutput(storage, task, fileId, schema, signal, "MERGE");
  try {
    const index = continueKeyIndex(reader, base.path, task.settings.bloom);
    for (let group = 0; group < reader.rowGroups.length; group += 1) {
      const options = { signal, batchRows: batchRowsOf(reader) };
      for await (const read of reader.readStoredBatches(group, source, options)) {
        const columns = read.columns.slice();
        if (index.collectsAll) {
          index.add(toColumn(columns[KEY_COLUMN] as StoredColumn) as BytesColumn);
        }
        columns.splice(FILE_NAME_COLUMN, 0, columns[0] as StoredColumn);
        await file.writeOwned({ schema, rowCount: read.rowCount, columns });
        await yieldToHost(signal);
      }
    }
    const summary = await file.close(index);
    return {
      ...describeOutput(task, fileId, file.path, summary),
      previousInstant: task.baseInstant,
      insertCount: 0,
      updateCount: 0,
      deleteCount: 0,
    };
  } catch (error) {
    await file.abort();
    throw error;
  }
}
