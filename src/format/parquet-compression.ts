// Compression of page bodies: gzip and zstd by Node's zlib, Snappy by a small WebAssembly module.
// Rules: spec/format/parquet.md, PQ-4.
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { snappyUncompressor } from "hysnappy";
import { KernelWork } from "./kernel.ts";
import { CODEC } from "./parquet-codes.ts";
import { ThriftError } from "./thrift-compact.ts";

/** The memory of an instance never shrinks, so one that has worked on a larger body is let go. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024;

let uncompressSnappy: ((body: Uint8Array, size: number) => Uint8Array) | undefined;

/** Undoes a codec. The output is at most `size` bytes. Throws `ThriftError` for a damaged body. */
export function unpackBody(body: Uint8Array, size: number, codec: number): Uint8Array {
  try {
    switch (codec) {
      case CODEC.none:
        return body;
      case CODEC.snappy:
        return unpackSnappy(body, size);
      default: {
        const options = {
          maxOutputLength: Math.max(1, size),
          chunkSize: Math.min(Math.max(1024, size), 1024 + body.length * 16),
        };
        return asBytes(
          codec === CODEC.gzip ? gunzipSync(body, options) : zstdDecompressSync(body, options),
        );
      }
    }
  } catch (cause) {
    throw new ThriftError(`a page does not unpack (${(cause as Error).message})`, { cause });
  }
}

/** The same bytes as what they are typed as: `slice` of a Buffer makes no copy. */
function asBytes({ buffer, byteOffset, length }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

function unpackSnappy(body: Uint8Array, size: number): Uint8Array {
  uncompressSnappy ??= snappyUncompressor();
  try {
    return uncompressSnappy(body, size);
  } finally {
    if (body.length + size > MAX_KEPT_BYTES) uncompressSnappy = undefined;
  }
}

/** A body compressed with any codec of ours. */
export function packBody(body: Uint8Array, codec: number): Uint8Array {
  switch (codec) {
    case CODEC.gzip:
      return asBytes(gzipSync(body, { chunkSize: roomFor(body) }));
    case CODEC.zstd:
      return asBytes(zstdCompressSync(body, { params: ZSTD_PARAMS, chunkSize: roomFor(body) }));
    case CODEC.snappy:
      return packSnappy(body);
    default:
      return body;
  }
}

function packSnappy(body: Uint8Array): Uint8Array {
  const most = body.length + Math.ceil(body.length / 6) + 32;
  const work = new KernelWork(3, body.length + most + SNAPPY_TABLE_BYTES);
  const source = work.place(body);
  const table = work.reserve(SNAPPY_TABLE_BYTES);
  const target = work.reserve(most);
  return work.view(target, work.run.packSnappy(source, body.length, target, table)).slice();
}

const SNAPPY_TABLE_BYTES = 32 * 1024;

const ZSTD_PARAMS = { [constants.ZSTD_c_compressionLevel]: 1 } as const;

/** Room for a packed body in one piece: pieces would be made one after the other, then joined. */
function roomFor(body: Uint8Array): number {
  return Math.max(1024, body.length + (body.length >> 7) + 512);
}

/** The length that a Snappy block states, or -1 if it states none. */
export function snappyLength(body: Uint8Array): number {
  let length = 0;
  for (let index = 0; index < 5 && index < body.length; index += 1) {
    const byte = body[index] as number;
    length += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return length;
  }
  return -1;
}
