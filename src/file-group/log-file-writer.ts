// Writes what a delta commit does to one file slice: a new log file with rows and deletions.
// Rules: spec/format/log-file.md LOG-3, spec/protocol/delta-commit.md DC-1 and DC-2.
import { type BytesColumn, type ColumnBatch, sliceTexts } from "../format/column-batch.ts";
import { gatherBatchSteps } from "../format/column-gather.ts";
import { encodeLogBlock, type LogBlockType, type LogHeaderKey } from "../format/log-block.ts";
import { encodeAvroContent } from "../format/log-content.ts";
import { type DeletedKeys, encodeDeletes } from "../format/log-deletes.ts";
import type { Field } from "../format/schema.ts";
import { endOfRows, type StoredBatch, toColumn } from "../format/stored-column.ts";
import { dataPath, formatLogFileName, logMarkerPath } from "../layout/table-paths.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import { runInTurns } from "../runtime/steps.ts";
import type { ObjectWriter, Storage } from "../storage/storage.ts";
import type { WrittenFile } from "./base-file-writer.ts";
import { addMetaColumns, withFileName } from "./meta-columns.ts";

/** How log files are written; the same for all of a table. Plain data. */
export interface LogFileSettings {
  /** Avro schema of the rows, meta columns included. */
  readonly avroSchema: string;
  /** A log file that has reached this size is followed by another one. */
  readonly maxLogFileBytes: number;
}

/** Writes rows and deletions into a new log of a slice: plain data. */
export interface AppendTask {
  readonly kind: "append";
  readonly instant: string;
  readonly partitionPath: string;
  /** Unlike that of any other writer, so that two of them never write to one file. */
  readonly writeToken: string;
  readonly taskNumber: number;
  readonly settings: LogFileSettings;
  readonly fileId: string;
  /** The instant of the slice, which the log bears in its name. */
  readonly baseInstant: string;
  /** Name of the base file of the slice; "" without one. */
  readonly baseFileName: string;
  /** The logs of the slice, by name. */
  readonly logFileNames: readonly string[];
  readonly version: number;
  readonly orderingField: Field | undefined;
  /** Keys that are deleted before the rows come, which their rows then need not exceed. */
  readonly graves: DeletedKeys;
  readonly batch: ColumnBatch;
  readonly keys: BytesColumn;
  readonly deletes: DeletedKeys;
}

/** Rows of a data block take about so many bytes, which are held in memory. */
const BLOCK_BYTES = 16 * 1024 * 1024;
const BLOCK_ROWS = 65_536;

/** Writes the log, or several where one is full. */
export async function appendToLog(
  storage: Storage,
  task: AppendTask,
  signal?: AbortSignal,
): Promise<WrittenFile[]> {
  const { graves, deletes, batch, keys, orderingField, partitionPath } = task;
  const log = new LogOutput(storage, task, signal);
  try {
    const addDeletes = async (deleted: DeletedKeys): Promise<void> => {
      if (deleted.keys.rowCount === 0) return;
      await log.add("delete", [encodeDeletes(deleted, orderingField, partitionPath)]);
      log.counts.deletes += deleted.keys.rowCount;
    };
    if (graves.keys.rowCount > 0) {
      await log.add("delete", [encodeDeletes(graves, orderingField, partitionPath)]);
    }
    const rows = withFileName(addMetaColumns(batch, keys, task), task.fileId);
    for (let from = 0; from < batch.rowCount; ) {
      const most = Math.min(batch.rowCount, from + BLOCK_ROWS);
      const to = Math.max(from + 1, endOfRows(rows.columns, from, most, BLOCK_BYTES));
      const block = await plainRows(rows, from, to, signal);
      await log.add("avro", [encodeAvroContent(block, 0, to - from)]);
      log.counts.rows += to - from;
      from = to;
      await yieldToHost(signal);
    }
    await addDeletes(deletes);
    await log.close();
    return log.written;
  } catch (error) {
    await log.abort();
    throw error;
  }
}

/** Rows of a batch with every column in the form that records are encoded from. */
async function plainRows(
  { schema, rowCount, columns }: StoredBatch,
  from: number,
  to: number,
  signal: AbortSignal | undefined,
): Promise<ColumnBatch> {
  if (from === 0 && to === rowCount) return { schema, rowCount, columns: columns.map(toColumn) };
  const rows = Int32Array.from({ length: to - from }, (_, row) => from + row);
  const plain = columns.map((column) =>
    column.layout === "dictionary"
      ? toColumn({ ...column, rowCount: to - from, indexes: column.indexes.subarray(from, to) })
      : column.layout === "bytes"
        ? sliceTexts(column, from, to)
        : undefined,
  );
  const rest = columns.flatMap((column, at) => (plain[at] ? [] : [toColumn(column)]));
  const fields = schema.fields.filter((_, at) => !plain[at]);
  const gathered = await runInTurns(
    gatherBatchSteps({ schema: { ...schema, fields }, rowCount, columns: rest }, rows),
    signal,
  );
  let next = 0;
  const all = plain.map((column) => column ?? gathered.columns[next++]);
  return { schema, rowCount: to - from, columns: all as ColumnBatch["columns"] };
}

/** The log file in the making, and those that are finished. */
class LogOutput {
  readonly written: WrittenFile[] = [];
  readonly counts = { rows: 0, deletes: 0 };
  readonly #storage: Storage;
  readonly #task: AppendTask;
  readonly #signal: AbortSignal | undefined;
  #upload: ObjectWriter | undefined;
  #fileName = "";
  #bytes = 0;

  constructor(storage: Storage, task: AppendTask, signal: AbortSignal | undefined) {
    this.#storage = storage;
    this.#task = task;
    this.#signal = signal;
  }

  async add(
    type: LogBlockType & ("avro" | "delete"),
    content: readonly Uint8Array[],
  ): Promise<void> {
    const { instant, settings } = this.#task;
    if (this.#bytes >= settings.maxLogFileBytes) await this.close();
    const upload = this.#upload ?? (await this.#open());
    const header = new Map<LogHeaderKey, string>([
      ["instant", instant],
      ["schema", settings.avroSchema],
    ]);
    for (const part of encodeLogBlock({ type, header, content })) {
      await upload.write(part);
      this.#bytes += part.length;
    }
  }

  async #open(): Promise<ObjectWriter> {
    const { instant, partitionPath, fileId, baseInstant, writeToken, version } = this.#task;
    const signal = this.#signal;
    const number = version + this.written.length;
    this.#fileName = formatLogFileName({
      fileId,
      instant: baseInstant,
      version: number,
      writeToken,
    });
    const marker = logMarkerPath(instant, partitionPath, this.#fileName);
    await this.#storage.put(marker, new Uint8Array(0), { signal });
    this.#upload = this.#storage.createWriter(dataPath(partitionPath, this.#fileName), { signal });
    return this.#upload;
  }

  async close(): Promise<void> {
    if (!this.#upload) return;
    await this.#upload.close();
    const { partitionPath, fileId, baseInstant, version } = this.#task;
    const logVersion = version + this.written.length;
    const earlier = this.written.map(({ log }) => log?.fileName ?? "");
    const logFiles = [...this.#task.logFileNames, ...earlier, this.#fileName];
    this.written.push({
      fileId,
      path: dataPath(partitionPath, this.#fileName),
      partitionPath,
      previousInstant: baseInstant,
      rowCount: this.counts.rows,
      insertCount: 0,
      updateCount: this.counts.rows,
      deleteCount: this.counts.deletes,
      sizeBytes: this.#bytes,
      log: {
        fileName: this.#fileName,
        version: logVersion,
        baseFile: this.#task.baseFileName,
        logFiles,
      },
    });
    this.#upload = undefined;
    this.#bytes = 0;
    this.counts.rows = 0;
    this.counts.deletes = 0;
  }

  async abort(): Promise<void> {
    await this.#upload?.abort();
  }
}
