// Writes the next base file of a file group, or the first ones of new file groups.
// Rules: spec/format/base-file.md, spec/format/file-sizing.md FS-2 and spec/protocol/commit.md TX-6.
import { type BytesColumn, type ColumnBatch, sliceTexts } from "../format/column-batch.ts";
import { openParquetWriter } from "../format/open-parquet-writer.ts";
import type { ParquetFileReader } from "../format/parquet-reader.ts";
import type { ParquetCodec, ParquetFileSummary, ParquetWriter } from "../format/parquet-writer.ts";
import type { TableSchema } from "../format/schema.ts";
import {
  endOfRows,
  releaseColumn,
  rowBytes,
  type StoredBatch,
  type StoredColumn,
  toColumn,
} from "../format/stored-column.ts";
import { gatherStored, IncomingColumn, takeRows } from "../format/stored-gather.ts";
import { dataPath, formatBaseFileName, markerPath } from "../layout/table-paths.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import type { ObjectWriter, Storage } from "../storage/storage.ts";
import {
  type BaseFileRef,
  batchRowsOf,
  FOOTER_AVRO_SCHEMA,
  FOOTER_CALENDAR,
  openBaseFile,
} from "./base-file.ts";
import {
  type BaseFileMergePlan,
  findOrdering,
  type IncomingChanges,
  isUnchanged,
  planBaseFileMerge,
  type RowsPlan,
} from "./base-file-merge.ts";
import { FileSizer, measureStoredShare } from "./file-sizer.ts";
import { continueKeyIndex, createKeyIndex, type KeyIndex } from "./key-index.ts";
import { addMetaColumns, FILE_NAME_COLUMN, withFileName } from "./meta-columns.ts";

/** How base files are written; the same for all files of a table. Plain data. */
export interface BaseFileSettings {
  readonly codec: ParquetCodec;
  /** Avro schema of the whole file, meta columns included. */
  readonly avroSchema: string;
  /** Size that new file groups come near to, in bytes. */
  readonly maxFileBytes: number;
  readonly bloom: {
    readonly entries: number;
    readonly falsePositiveRate: number;
    readonly maxEntries: number;
  };
}

/** What a file written by a write has in common with the others of the write. */
export interface WriteTarget {
  readonly instant: string;
  readonly partitionPath: string;
  readonly writeToken: string;
  readonly taskNumber: number;
  readonly settings: BaseFileSettings;
}

/** Merges rows into the base file of a file group: plain data. */
export interface MergeTask extends WriteTarget {
  readonly kind: "merge";
  readonly fileId: string;
  readonly base: BaseFileRef;
  readonly baseInstant: string;
  readonly changes: IncomingChanges;
  readonly keys: BytesColumn;
}

/** Writes rows into new file groups: plain data. */
export interface CreateTask extends WriteTarget {
  readonly kind: "create";
  /** File ids are this, a dash and a counter. */
  readonly fileIdPrefix: string;
  readonly batch: ColumnBatch;
  readonly keys: BytesColumn;
}

/** One data file as written; the numbers of its write stat. */
export interface WrittenFile {
  readonly fileId: string;
  readonly path: string;
  readonly partitionPath: string;
  /** Instant of the slice that this file follows or is added to, or undefined for a new file group. */
  readonly previousInstant: string | undefined;
  readonly rowCount: number;
  readonly insertCount: number;
  readonly updateCount: number;
  readonly deleteCount: number;
  readonly sizeBytes: number;
  /** Only of a log file. */
  readonly log?: {
    readonly fileName: string;
    readonly version: number;
    /** Name of the base file that it lies on; "" without one. */
    readonly baseFile: string;
    /** The logs of the slice, this one last. */
    readonly logFiles: readonly string[];
  };
}

/** Carries a merge out. Undefined when no row changes, in which case nothing is written. */
export async function mergeBaseFile(
  storage: Storage,
  task: MergeTask,
  signal?: AbortSignal,
): Promise<WrittenFile | undefined> {
  const { base, changes, keys } = task;
  const reader = await openBaseFile(storage, base, { signal, readsAll: true });
  const plan = await planBaseFileMerge(reader, changes, findOrdering(changes), signal);
  if (isUnchanged(plan)) return undefined;
  const incoming = addMetaColumns(changes.batch, keys, task);
  const file = await openOutput(storage, task, task.fileId, incoming.schema, signal, "MERGE");
  try {
    const index = continueKeyIndex(reader, base.path, task.settings.bloom);
    await copyMerged(reader, plan, incoming, file, index, signal);
    const summary = await file.close(index);
    return {
      ...describeOutput(task, task.fileId, file.path, summary),
      previousInstant: task.baseInstant,
      insertCount: plan.appends.length,
      updateCount: plan.replacedCount,
      deleteCount: plan.removedCount,
    };
  } catch (error) {
    await file.abort();
    throw error;
  }
}

async function copyMerged(
  reader: ParquetFileReader,
  plan: BaseFileMergePlan,
  incoming: StoredBatch,
  file: OutputFile,
  index: KeyIndex,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { schema } = incoming;
  const isStored = (_: unknown, number: number): boolean => number !== FILE_NAME_COLUMN;
  const stored = schema.fields.filter(isStored);
  const sources = incoming.columns.filter(isStored).map((column) => new IncomingColumn(column));
  for (let group = 0; group < plan.rowGroups.length; group += 1) {
    const plans = plan.rowGroups[group] as readonly RowsPlan[];
    let at = 0;
    const options = { signal, batchRows: batchRowsOf(reader) };
    for await (const read of reader.readStoredBatches(group, stored, options)) {
      const picks = plans[at] as RowsPlan;
      at += 1;
      const columns = read.columns.map((column, number) => {
        if (picks === "kept") return column;
        const gathered = gatherStored(column, sources[number] as IncomingColumn, picks);
        releaseColumn(column);
        return gathered;
      });
      const rowCount = picks === "kept" ? read.rowCount : picks.length;
      if (index.collectsAll)
        index.add(toColumn(columns[KEY_COLUMN] as StoredColumn) as BytesColumn);
      // The stored file name is never read: every row gets the name of the new file.
      columns.splice(FILE_NAME_COLUMN, 0, columns[0] as StoredColumn);
      await file.writeOwned({ schema, rowCount, columns });
      await yieldToHost(signal);
    }
  }
  if (plan.appends.length > 0) {
    const columns = incoming.columns.map((column) => takeRows(column, plan.appends));
    index.add(columns[KEY_COLUMN] as BytesColumn);
    await file.writeOwned({ schema, rowCount: plan.appends.length, columns });
  }
}

/** Writes rows into as many new file groups as their size asks for. */
export async function createBaseFiles(
  storage: Storage,
  task: CreateTask,
  signal?: AbortSignal,
): Promise<WrittenFile[]> {
  const incoming = addMetaColumns(task.batch, task.keys, task);
  const { columns, rowCount } = incoming;
  const sizer = await createSizer(incoming, task.settings, signal);
  const written: WrittenFile[] = [];
  let start = 0;
  while (start < rowCount) {
    const fileId = `${task.fileIdPrefix}-${written.length}`;
    const file = await openOutput(storage, task, fileId, incoming.schema, signal, "CREATE");
    try {
      const index = createKeyIndex(task.settings.bloom);
      const named = file.name(incoming);
      let leftBytes = rowBytes(columns, start, rowCount);
      sizer.begin(leftBytes);
      do {
        // One row group after the other, so that a file ends near the size that is asked for.
        const most = Math.min(rowCount, start + ROW_GROUP_ROWS);
        const bytes = Math.min(ROW_GROUP_BYTES, Math.max(sizer.roomBytes, MIN_GROUP_BYTES));
        const end = Math.max(start + 1, endOfRows(columns, start, most, bytes));
        index.add(sliceTexts(task.keys, start, end));
        const before = file.storedBytes;
        await file.writeRowGroup(named, start, end);
        sizer.add(rowBytes(columns, start, end), file.storedBytes - before);
        start = end;
        leftBytes = rowBytes(columns, start, rowCount);
        await yieldToHost(signal);
      } while (start < rowCount && !sizer.isFull(leftBytes));
      const summary = await file.close(index);
      sizer.end(summary.sizeBytes);
      written.push({
        ...describeOutput(task, fileId, file.path, summary),
        previousInstant: undefined,
        insertCount: summary.rowCount,
        updateCount: 0,
        deleteCount: 0,
      });
    } catch (error) {
      await file.abort();
      throw error;
    }
  }
  return written;
}

/** What is known before the first file: rows that may need several are measured. */
async function createSizer(
  incoming: StoredBatch,
  { maxFileBytes, codec, bloom, avroSchema }: BaseFileSettings,
  signal: AbortSignal | undefined,
): Promise<FileSizer> {
  const isOne = rowBytes(incoming.columns, 0, incoming.rowCount) <= maxFileBytes / 2;
  const share = isOne ? 1 : await measureStoredShare(incoming, codec, signal);
  const entries = isOne ? [] : createKeyIndex(bloom).footer();
  const footerBytes = entries.reduce((sum, [, value]) => sum + value.length, avroSchema.length);
  return new FileSizer(maxFileBytes, share, footerBytes);
}

/** The numbers of a written file that do not depend on what became of its rows. */
export function describeOutput(
  task: WriteTarget,
  fileId: string,
  path: string,
  summary: ParquetFileSummary,
): Pick<WrittenFile, "fileId" | "path" | "partitionPath" | "rowCount" | "sizeBytes"> {
  return {
    fileId,
    path,
    partitionPath: task.partitionPath,
    rowCount: summary.rowCount,
    sizeBytes: summary.sizeBytes,
  };
}

const ROW_GROUP_ROWS = 131_072;
const ROW_GROUP_BYTES = 64 * 1024 * 1024;
/** Values of the last row group of a file at least, where there are so many. */
const MIN_GROUP_BYTES = 16 * 1024;

/** Index of the record key among the meta columns. */
export const KEY_COLUMN = 2;

/** A base file in the making. */
export class OutputFile {
  readonly path: string;
  readonly #fileName: string;
  readonly #upload: ObjectWriter;
  readonly #writer: ParquetWriter;
  readonly #progress: { bytes: number };
  readonly #avroSchema: string;

  constructor(parts: {
    path: string;
    fileName: string;
    upload: ObjectWriter;
    writer: ParquetWriter;
    progress: { bytes: number };
    avroSchema: string;
  }) {
    this.path = parts.path;
    this.#fileName = parts.fileName;
    this.#upload = parts.upload;
    this.#writer = parts.writer;
    this.#progress = parts.progress;
    this.#avroSchema = parts.avroSchema;
  }

  /** Bytes of the row groups that are written. */
  get storedBytes(): number {
    return this.#progress.bytes;
  }

  /** The batch with this file's name in each row. */
  name(batch: StoredBatch): StoredBatch {
    return withFileName(batch, this.#fileName);
  }

  /** Writes rows of a batch that bears the file's name, as row groups of their own. */
  async writeRowGroup(batch: StoredBatch, from: number, to: number): Promise<void> {
    await this.#writer.write(batch, from, to);
    await this.#writer.endRowGroup();
  }

  /** Names and writes a batch that is used by nobody else. */
  writeOwned(batch: StoredBatch): Promise<void> {
    return this.#writer.writeOwned(this.name(batch));
  }

  async close(index: KeyIndex): Promise<ParquetFileSummary> {
    const footer = new Map([
      [FOOTER_AVRO_SCHEMA, this.#avroSchema],
      FOOTER_CALENDAR,
      ...index.footer(),
    ]);
    const summary = await this.#writer.close(footer);
    await this.#upload.close();
    return summary;
  }

  async abort(): Promise<void> {
    await this.#upload.abort();
  }
}

/** Leaves the marker of a file and opens the file. */
export async function openOutput(
  storage: Storage,
  task: WriteTarget,
  fileId: string,
  schema: TableSchema,
  signal: AbortSignal | undefined,
  kind: "CREATE" | "MERGE",
): Promise<OutputFile> {
  const { instant, partitionPath, writeToken, settings } = task;
  const fileName = formatBaseFileName({ fileId, writeToken, instant });
  const path = dataPath(partitionPath, fileName);
  // The marker comes first, so that a rollback finds whatever of the file there is.
  await storage.put(markerPath(instant, partitionPath, fileName, kind), new Uint8Array(0), {
    signal,
  });
  const upload = storage.createWriter(path, { signal });
  const progress = { bytes: 0 };
  try {
    const writer = await openParquetWriter(
      async (bytes) => {
        progress.bytes += bytes.length;
        await upload.write(bytes);
      },
      {
        schema,
        codec: settings.codec,
        rowGroupRows: ROW_GROUP_ROWS,
        rowGroupBytes: ROW_GROUP_BYTES,
      },
    );
    const { avroSchema } = settings;
    return new OutputFile({
      path,
      fileName,
      upload,
      writer,
      progress,
      avroSchema,
    });
  } catch (error) {
    await upload.abort();
    throw error;
  }
}
