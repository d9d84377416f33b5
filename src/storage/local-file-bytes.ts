// Moves bytes between memory and an open file, in pieces that an abort can come between.
import type { FileHandle } from "node:fs/promises";

const PIECE_BYTES = 8 * 1024 * 1024;

/**
 * Reads from `start` up to `end`, or to the end of the file if that comes first, into a buffer of
 * its own. `end` must not lie beyond the size that the file was seen to have.
 */
export async function readBytes(
  handle: FileHandle,
  start: number,
  end: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(Math.max(0, end - start));
  let filled = 0;
  while (filled < bytes.byteLength) {
    signal?.throwIfAborted();
    const length = Math.min(PIECE_BYTES, bytes.byteLength - filled);
    const { bytesRead } = await handle.read(bytes, filled, length, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled === bytes.byteLength ? bytes : Buffer.from(bytes.subarray(0, filled));
}

/** Writes all bytes where the file stands. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength; ) {
    const length = Math.min(PIECE_BYTES, bytes.byteLength - at);
    const { bytesWritten } = await handle.write(bytes, at, length);
    at += bytesWritten;
  }
}
