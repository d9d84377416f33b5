// Arrow IPC at the edge of the command: the batches of a file or stream that comes in, and the bytes
// of a stream that goes out, one batch at a time.
import { type FileHandle, open } from "node:fs/promises";
import type { AsyncByteQueue, RecordBatch, Schema } from "apache-arrow";
import { HudiError, isHudiError } from "../errors.ts";
import { toArrowBatch } from "../format/arrow-batch.ts";
import { type ColumnBatch, emptyBatch } from "../format/column-batch.ts";
import type { TableSchema } from "../format/schema.ts";

/** Where Arrow bytes come from: a file that can be read anywhere in it, or a stream. */
export interface ArrowBytes {
  readonly path: string | undefined;
  chunks(): AsyncIterable<Uint8Array>;
}

/** The record batches of an Arrow file or stream, whichever it is. Throws what the reader throws. */
export async function* readArrowBatches(source: ArrowBytes): AsyncGenerator<RecordBatch> {
  const { RecordBatchReader } = await import("apache-arrow");
  let file: FileHandle | undefined;
  try {
    // The file format has its footer at the end, so a file is read through its handle.
    file = source.path === undefined ? undefined : await openIfFileFormat(source.path);
    const reader = await (file
      ? RecordBatchReader.from(file)
      : RecordBatchReader.from(source.chunks()));
    await reader.open();
    // An input without any bytes opens as a stream that has ended.
    if (!reader.schema) throw new Error("it holds no schema");
    yield* reader;
  } finally {
    await file?.close();
  }
}

/** The schema of an Arrow file or stream. Throws `CORRUPT` for another file. */
export async function readArrowSchema(path: string): Promise<Schema> {
  const { RecordBatchReader } = await import("apache-arrow");
  const file = await open(path, "r");
  try {
    const reader = await RecordBatchReader.from(file);
    await reader.open();
    if (reader.schema) return reader.schema;
    throw new HudiError("CORRUPT", `cannot read ${path}: found no schema of Arrow`, { path });
  } catch (cause) {
    if (isHudiError(cause)) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new HudiError("CORRUPT", `cannot read ${path}: found no Arrow file (${reason})`, {
      path,
      cause,
    });
  } finally {
    await file.close();
  }
}

const FILE_MAGIC = "ARROW1";

async function openIfFileFormat(path: string): Promise<FileHandle | undefined> {
  const file = await open(path, "r");
  const { buffer, bytesRead } = await file.read(
    Buffer.alloc(FILE_MAGIC.length),
    0,
    FILE_MAGIC.length,
    0,
  );
  if (bytesRead === FILE_MAGIC.length && buffer.toString("latin1") === FILE_MAGIC) return file;
  await file.close();
  return undefined;
}

/** Encodes batches of one schema as an Arrow IPC stream. */
export interface ArrowStreamEncoder {
  /** The bytes of a batch; those of the schema come before the first one. */
  encode(batch: ColumnBatch): Promise<Uint8Array[]>;
  /** The bytes that end the stream; a stream without rows still says its schema. */
  finish(): Promise<Uint8Array[]>;
}

/** An encoder that holds no more than one batch. */
export async function createArrowStreamEncoder(schema: TableSchema): Promise<ArrowStreamEncoder> {
  const { AsyncByteQueue: Queue, RecordBatchStreamWriter } = await import("apache-arrow");
  const pending: Uint8Array[] = [];
  const queue: AsyncByteQueue = new Queue();
  queue.write = (bytes) => {
    pending.push(bytes as Uint8Array);
  };
  const writer = new RecordBatchStreamWriter();
  writer.reset(queue);
  let hasSchema = false;
  const encode = async (batch: ColumnBatch): Promise<Uint8Array[]> => {
    writer.write(await toArrowBatch({ ...batch, schema }));
    hasSchema = true;
    return pending.splice(0);
  };
  return {
    encode,
    async finish() {
      const head = hasSchema ? [] : await encode(emptyBatch(schema));
      writer.finish();
      return [...head, ...pending.splice(0)];
    },
  };
}
