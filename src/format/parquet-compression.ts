// Compression of single page bodies outside the decoder: gzip and zstd by Node's zlib, and just enough
// of Snappy to store a short block and to check a long one. Rules: spec/format/parquet.md, PQ-4.
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CODEC } from "./parquet-codes.ts";
import { ThriftError } from "./thrift-compact.ts";

/** Undoes gzip or zstd. The output is at most `size` bytes, and grows with what is really there. */
export function decompressBody(body: Uint8Array, size: number, codec: number): Uint8Array {
  const options = {
    maxOutputLength: Math.max(1, size),
    chunkSize: Math.min(Math.max(1024, size), 1024 + body.length * 16),
  };
  try {
    return codec === CODEC.gzip ? gunzipSync(body, options) : zstdDecompressSync(body, options);
  } catch (cause) {
    throw new ThriftError(`a page does not unpack (${(cause as Error).message})`, { cause });
  }
}

/** One block, compressed with any codec of ours. Snappy stores it as it is: for short blocks. */
export function compressBody(body: Uint8Array, codec: number): Uint8Array {
  switch (codec) {
    case CODEC.gzip:
      return gzipSync(body);
    case CODEC.zstd:
      return zstdCompressSync(body, { params: { [constants.ZSTD_c_compressionLevel]: 1 } });
    case CODEC.snappy:
      return storeSnappy(body);
    default:
      return body;
  }
}

function storeSnappy(body: Uint8Array): Uint8Array {
  const prefix: number[] = [];
  let rest = body.length;
  while (rest >= 128) {
    prefix.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  prefix.push(rest);
  const last = body.length - 1;
  if (last < 60) {
    if (last >= 0) prefix.push(last << 2);
  } else {
    // Tag 63: the length of the literal follows in four bytes.
    prefix.push(63 << 2, last & 0xff, (last >> 8) & 0xff, (last >> 16) & 0xff, last >>> 24);
  }
  const result = new Uint8Array(prefix.length + body.length);
  result.set(prefix);
  result.set(body, prefix.length);
  return result;
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

/** A Snappy block that is a single literal, or undefined for any other. */
export function readStoredSnappy(block: Uint8Array): Uint8Array | undefined {
  const length = snappyLength(block);
  let at = 0;
  while ((block[at] ?? 0) >= 128) at += 1;
  at += 1;
  const tag = block[at];
  if (tag === undefined || length < 1 || (tag & 3) !== 0) return undefined;
  const code = tag >> 2;
  const lengthBytes = code < 60 ? 0 : code - 59;
  const body = block.subarray(at + 1 + lengthBytes);
  let stated = code < 60 ? code : 0;
  for (let index = 0; index < lengthBytes; index += 1) {
    stated += (block[at + 1 + index] ?? 0) * 256 ** index;
  }
  return stated === length - 1 && body.length === length ? body : undefined;
}
