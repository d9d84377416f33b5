// What a data block holds: a version, a number of records, and each record behind its length. Records
// come and go as rows of columns. Rules: spec/format/log-file.md, LOG-7 and LOG-8.
import { HudiError } from "../errors.ts";
import { createAvroColumnDecoder } from "./avro-column-decoder.ts";
import { AvroCursor } from "./avro-cursor.ts";
import { createRowEncoder } from "./avro-row-encoder.ts";
import { ByteWriter } from "./byte-writer.ts";
import type { ColumnBatch } from "./column-batch.ts";
import type { Field, TableSchema } from "./schema.ts";

/** The version of the contents of data and delete blocks. */
export const LOG_CONTENT_VERSION = 3;

/** The content of a data block with the rows `from` to `to` of a batch, meta columns included. */
export function encodeAvroContent(batch: ColumnBatch, from: number, to: number): Uint8Array {
  const out = new ByteWriter(64 * 1024);
  writeInt32(out, LOG_CONTENT_VERSION);
  writeInt32(out, to - from);
  const encode = createRowEncoder(batch);
  for (let row = from; row < to; row += 1) {
    const start = out.length;
    writeInt32(out, 0);
    encode(row, out);
    setInt32(out, start, out.length - start - 4);
  }
  return out.view();
}

/** The content of a data block with records that are encoded already. */
export function encodeRecordContent(records: readonly Uint8Array[]): Uint8Array {
  const head = Buffer.alloc(8);
  head.writeInt32BE(LOG_CONTENT_VERSION);
  head.writeInt32BE(records.length, 4);
  const parts = records.flatMap((record) => {
    const length = Buffer.alloc(4);
    length.writeInt32BE(record.length);
    return [length, record];
  });
  return Buffer.concat([head, ...parts]);
}

function writeInt32(out: ByteWriter, value: number): void {
  out.reserve(4);
  setInt32(out, out.length, value);
  out.length += 4;
}

function setInt32({ bytes }: ByteWriter, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Where the records of a data block come from. */
export interface AvroContent {
  readonly content: Uint8Array;
  /** The schema in the header of the block. */
  readonly schemaText: string;
  /** For messages. */
  readonly path: string;
}

/** Decodes columns of every record of a data block; at most `batchRows` of them a batch. */
export function* decodeAvroContent(
  { content, schemaText, path }: AvroContent,
  schema: TableSchema,
  wanted: readonly Field[],
  batchRows: number,
): Generator<ColumnBatch> {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  requireContentVersion(view, path);
  const cursor = new AvroCursor(content, path);
  cursor.skip(4);
  const count = view.getInt32(cursor.skip(4));
  // Every record has a length of four bytes.
  if (count < 0 || count > cursor.left / 4) {
    throw cursor.corrupt(`found ${count} records with ${cursor.left} bytes left`);
  }
  for (let done = 0; done < count; ) {
    const rowCount = Math.min(batchRows, count - done);
    const decoder = createAvroColumnDecoder(schemaText, wanted, path);
    for (let row = 0; row < rowCount; row += 1) {
      const length = view.getInt32(cursor.skip(4));
      const start = cursor.at;
      if (length < 0 || length > cursor.left) {
        throw cursor.corrupt(`found a record of ${length} bytes with ${cursor.left} left`);
      }
      decoder.decode(cursor);
      if (cursor.at !== start + length) {
        throw cursor.corrupt(`found a record of ${cursor.at - start} bytes, expected ${length}`);
      }
    }
    done += rowCount;
    yield { schema: { name: schema.name, fields: wanted }, rowCount, columns: decoder.finish() };
  }
  if (cursor.left > 0) throw cursor.corrupt(`found ${cursor.left} bytes behind the last record`);
}

/** Throws `UNSUPPORTED` for the contents of versions that only early releases wrote. */
export function requireContentVersion(view: DataView, path: string): void {
  const version = view.byteLength < 4 ? undefined : view.getInt32(0);
  if (version === LOG_CONTENT_VERSION) return;
  throw new HudiError(
    version === 1 || version === 2 ? "UNSUPPORTED" : "CORRUPT",
    `cannot read log block of ${path}: its content has version ${version}, expected ${LOG_CONTENT_VERSION}`,
    { path },
  );
}
