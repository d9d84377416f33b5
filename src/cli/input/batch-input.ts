// Parquet files and Arrow IPC files or streams as sources of a write: columns are handed on as they
// are, and become rows only for a delete, which reads keys.
import { createWriteStream } from "node:fs";
import { type FileHandle, mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import type { RecordBatch } from "apache-arrow";
import { HudiError, isHudiError } from "../../errors.ts";
import { fromArrowBatch, toArrowBatch } from "../../format/arrow-batch.ts";
import type { ColumnBatch } from "../../format/column-batch.ts";
import { openParquetFile } from "../../format/parquet-reader.ts";
import { batchRows } from "../../format/row-batch.ts";
import type { Field } from "../../format/schema.ts";
import { readArrowBatches } from "../arrow-stream.ts";
import { type InputProgress, type InputSource, inputError } from "./input-source.ts";
import { matchColumns, type RowShape } from "./row-shape.ts";

/** Rows of a batch at most: what is held at a time. */
const BATCH_ROWS = 32 * 1024;

/** The rows of a Parquet file, as record batches or, for keys, as row objects. */
export async function* readParquet(
  source: InputSource,
  shape: RowShape,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const spool = source.path === undefined ? await spoolToFile(source, signal) : undefined;
  let file: FileHandle | undefined;
  try {
    file = await open(spool?.path ?? (source.path as string), "r");
    const { size: sizeBytes } = await file.stat();
    const readRange = createRangeReader(file, source, spool === undefined);
    const reader = await openParquetFile({ path: source.name, sizeBytes, readRange }, { signal });
    const names = [...reader.describeColumns().keys()];
    const fields = wantedFields(names, shape, source.name);
    for (let group = 0; group < reader.rowGroups.length; group += 1) {
      for await (const batch of reader.readBatches(group, fields, {
        signal,
        batchRows: BATCH_ROWS,
      })) {
        yield* handOn(batch, shape, source.progress);
      }
    }
  } catch (error) {
    throw explainDamage(inputError(error, source.name), source.name);
  } finally {
    await file?.close();
    await spool?.remove();
  }
}

/** What the reader advises is meant for files of a table, not for one that comes in. */
function explainDamage(error: unknown, name: string): unknown {
  if (!isHudiError(error, "CORRUPT")) return error;
  const [found = ""] = error.message.split("; ");
  return new HudiError("CORRUPT", `${found}; check the input ${name}`, {
    path: name,
    cause: error,
  });
}

function createRangeReader(
  file: FileHandle,
  { progress }: InputSource,
  isCounted: boolean,
): (start: number, end: number) => Promise<Uint8Array> {
  return async (start, end) => {
    const bytes = new Uint8Array(end - start);
    const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
    if (isCounted) progress.bytes += bytesRead;
    return bytes.subarray(0, bytesRead);
  };
}

/** A Parquet file has its footer at the end: one that comes through a pipe is kept on disk first. */
async function spoolToFile(
  source: InputSource,
  signal: AbortSignal,
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), "lake-input-"));
  const path = join(folder, "input.parquet");
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    await pipeline(source.chunks(), createWriteStream(path, { mode: 0o600 }), { signal });
  } catch (error) {
    await remove();
    signal.throwIfAborted();
    throw error;
  }
  return { path, remove };
}

/** The rows of an Arrow IPC file or stream, as record batches or, for keys, as row objects. */
export async function* readArrow(
  source: InputSource,
  shape: RowShape,
  signal: AbortSignal,
): AsyncGenerator<unknown> {
  const batches = readArrowBatches(source)[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await nextBatch(batches, source.name, signal);
      if (!next) return;
      yield* handOn(projectBatch(next, shape, source), shape, source.progress);
    }
  } finally {
    await batches.return?.(undefined);
  }
}

async function nextBatch(
  batches: AsyncIterator<RecordBatch>,
  name: string,
  signal: AbortSignal,
): Promise<RecordBatch | undefined> {
  try {
    const { done, value } = await batches.next();
    return done ? undefined : value;
  } catch (cause) {
    signal.throwIfAborted();
    const known = inputError(cause, name);
    if (isHudiError(known)) throw known;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HudiError(
      "CORRUPT",
      `cannot read ${name}: found no Arrow IPC file or stream (${reason})`,
      { cause },
    );
  }
}

function projectBatch(batch: RecordBatch, shape: RowShape, source: InputSource): ColumnBatch {
  const names = batch.schema.fields.map((field) => field.name);
  const fields = wantedFields(names, shape, source.name);
  const wanted = new Set(fields.map((field) => field.name));
  const indices = names.flatMap((name, index) => (wanted.has(name) ? [index] : []));
  const place = `${source.name} from row ${source.progress.rows} on`;
  return fromArrowBatch(batch.selectAt(indices), { name: shape.schema.name, fields }, place);
}

/** The columns of the table that the input has, in the order of the table. */
function wantedFields(names: readonly string[], shape: RowShape, place: string): Field[] {
  const matched = new Set(matchColumns(names, shape, place));
  return shape.schema.fields.filter((field) => matched.has(field));
}

async function* handOn(
  batch: ColumnBatch,
  shape: RowShape,
  progress: InputProgress,
): AsyncGenerator<unknown> {
  progress.rows += batch.rowCount;
  if (shape.required.size === shape.schema.fields.length) yield await toArrowBatch(batch);
  else yield* batchRows(batch);
}
