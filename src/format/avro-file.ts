// Avro object container files: the timeline's plans and metadata, and all commits from table version
// 8 on. Rules: spec/format/avro.md.
import { inflateRawSync } from "node:zlib";
import { HudiError } from "../errors.ts";
import { AvroReader, AvroWriter } from "./avro-binary.ts";
import type { AvroCodec, AvroRecord, AvroValue } from "./avro-closures.ts";
import { parseAvroCodec } from "./avro-codec.ts";

const MAGIC = Uint8Array.of(0x4f, 0x62, 0x6a, 0x01);
const SYNC_BYTES = 16;
/** All blocks of a file unpacked, at most: what one timeline file may cost in memory. */
const MAX_UNPACKED_BYTES = 256 * 1024 * 1024;

/** What a container holds. */
export interface AvroFile {
  readonly schemaText: string;
  /** Full name of the schema's type. */
  readonly typeName: string;
  readonly records: readonly AvroValue[];
}

/** Whether bytes begin as an Avro container does. */
export function isAvroFile(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length && MAGIC.every((byte, at) => bytes[at] === byte);
}

/**
 * Reads a whole container with the schema it carries. Throws `CORRUPT` naming the path and the byte,
 * `UNSUPPORTED` for a codec other than null and deflate.
 */
export function decodeAvroFile(bytes: Uint8Array, path: string): AvroFile {
  const reader = new AvroReader(bytes, path);
  if (!isAvroFile(bytes)) throw reader.corrupt("found no Avro container");
  reader.take(MAGIC.length);
  const header = readHeader(reader);
  const schemaText = decodeText(header.get("avro.schema"));
  if (schemaText === undefined) throw reader.corrupt("found no avro.schema in the header");
  const codecName = decodeText(header.get("avro.codec")) ?? "null";
  if (codecName !== "null" && codecName !== "deflate") {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot read ${path}: found codec ${JSON.stringify(codecName)}, expected null or deflate`,
      { path },
    );
  }
  const codec = parseAvroCodec(schemaText, path);
  const sync = reader.take(SYNC_BYTES);
  const records: AvroValue[] = [];
  let unpackedLeft = MAX_UNPACKED_BYTES;
  while (reader.left > 0) {
    const count = reader.readLong();
    const packed = reader.readBytes();
    const data = codecName === "null" ? packed : inflate(packed, unpackedLeft, reader);
    unpackedLeft -= data.length;
    if (typeof count !== "number" || count < 0 || count > data.length || unpackedLeft < 0) {
      throw reader.corrupt(`found a block of ${count} records in ${data.length} bytes`);
    }
    const block = new AvroReader(data, path);
    for (let record = 0; record < count; record += 1) records.push(codec.decode(block));
    if (block.left > 0) throw block.corrupt(`found ${block.left} bytes after the last record`);
    if (Buffer.compare(reader.take(SYNC_BYTES), sync) !== 0) {
      throw reader.corrupt("found another sync marker than in the header");
    }
  }
  return { schemaText, typeName: codec.name, records };
}

function readHeader(reader: AvroReader): ReadonlyMap<string, Uint8Array> {
  const entries = new Map<string, Uint8Array>();
  for (let count = reader.readBlockCount(); count > 0; count = reader.readBlockCount()) {
    for (let entry = 0; entry < count; entry += 1)
      entries.set(reader.readText(), reader.readBytes());
  }
  return entries;
}

function decodeText(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}

function inflate(packed: Uint8Array, maxOutputLength: number, reader: AvroReader): Uint8Array {
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, maxOutputLength) });
  } catch (cause) {
    throw reader.corrupt("found a deflated block that does not unpack", cause);
  }
}

const codecs = new WeakMap<object, AvroCodec>();

/**
 * A container with one record and no codec entry, as Hudi writes them. `syncMarker` is 16 random
 * bytes of the caller. Throws `INVALID` when the record is none of the schema.
 */
export async function encodeAvroFile(
  schema: object,
  record: AvroRecord,
  syncMarker: Uint8Array,
): Promise<Uint8Array> {
  if (syncMarker.length !== SYNC_BYTES) {
    const found = `found a sync marker of ${syncMarker.length} bytes, expected ${SYNC_BYTES}`;
    throw new HudiError("INVALID", `cannot encode Avro file: ${found}`);
  }
  const body = new AvroWriter();
  codecOf(schema).encode(body, record);
  const data = body.finish();
  const writer = new AvroWriter();
  writer.append(MAGIC);
  writer.writeLong(1);
  writer.writeText("avro.schema");
  writer.writeText(JSON.stringify(schema));
  writer.writeLong(0);
  writer.append(syncMarker);
  writer.writeLong(1);
  writer.writeBytes(data);
  writer.append(syncMarker);
  return writer.finish();
}

function codecOf(schema: object): AvroCodec {
  const known = codecs.get(schema);
  if (known) return known;
  const codec = parseAvroCodec(JSON.stringify(schema), "a schema of this library");
  codecs.set(schema, codec);
  return codec;
}
