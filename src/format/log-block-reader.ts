// Walks the blocks of one log file. A block that is cut off or overwritten is passed over up to the
// next one, as Hudi does, and told; nothing is believed that the bytes do not bear out.
// Rules: spec/format/log-file.md, LOG-1 to LOG-6.
import { HudiError } from "../errors.ts";
import type { FileSource } from "./file-source.ts";
import {
  LOG_BLOCK_TYPES,
  LOG_FORMAT_VERSION,
  LOG_HEADER_KEYS,
  LOG_MAGIC,
  LOG_PREFIX_BYTES,
  LOG_SUFFIX_BYTES,
  type LogBlockHeader,
  type LogBlockType,
  type LogHeaderKey,
  MAX_LOG_BLOCK_BYTES,
} from "./log-block.ts";
import { LogWindow } from "./log-window.ts";

/** A block of a log file. Its content is read only when it is asked for. */
export interface LogBlock {
  readonly type: LogBlockType;
  /** Where the block begins in its file. */
  readonly offset: number;
  /** From its magic up to the next block, or to the end of the file. */
  readonly sizeBytes: number;
  /** Empty for a corrupt block. */
  readonly header: LogBlockHeader;
  readonly contentBytes: number;
  /** The content; the buffer may be shared with other blocks and must not be changed. */
  readContent(signal?: AbortSignal): Promise<Uint8Array>;
}

/** Readers of the framing of version 1 take no block without version, type, maps and lengths. */
const LEAST_BLOCK_BYTES = 4 + 4 + 4 + 8 + 4 + LOG_SUFFIX_BYTES;
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The blocks in the order of the file. Throws `CORRUPT` where the file does not begin with a block or
 * a block whose frame is whole holds nonsense, `UNSUPPORTED` for a type, a version or a key of a header
 * that is not known, because it may change what the block means.
 */
export async function* readLogBlocks(
  source: FileSource,
  signal?: AbortSignal,
): AsyncGenerator<LogBlock> {
  const window = new LogWindow(source, signal);
  let at = 0;
  while (at < source.sizeBytes) {
    const frame = await findFrame(window, at);
    if (frame === undefined) {
      // A file that was cut off inside its first bytes is one whose writer died; Hudi reads nothing of it.
      const isTorn = source.sizeBytes < LOG_MAGIC.length;
      if (at === 0 && !isTorn && !(await window.holdsMagic(0))) {
        throw refuse(source.path, at, "it does not begin with #HUDI#");
      }
      const next = await window.findMagic(at + LOG_MAGIC.length);
      yield corruptBlock(at, next - at);
      at = next;
    } else {
      yield await readBlock(window, at, frame);
      at = frame.end;
    }
  }
}

/** The parts of a block whose frame is whole. */
interface Frame {
  /** Where its version stands. */
  readonly start: number;
  /** Where the next block begins. */
  readonly end: number;
}

/** Whether a whole block stands here: both of its lengths agree, and a block or the end follows. */
async function findFrame(window: LogWindow, at: number): Promise<Frame | undefined> {
  const start = at + LOG_PREFIX_BYTES;
  if (start > window.sizeBytes || !(await window.holdsMagic(at))) return undefined;
  const length = await window.readLong(at + LOG_MAGIC.length);
  if (length < LEAST_BLOCK_BYTES || length > MAX_LOG_BLOCK_BYTES) return undefined;
  const end = start + length;
  if (end > window.sizeBytes) return undefined;
  const repeated = await window.readLong(end - LOG_SUFFIX_BYTES);
  if (repeated !== length + LOG_MAGIC.length) return undefined;
  if (end < window.sizeBytes && !(await window.holdsMagic(end))) return undefined;
  return { start, end };
}

function corruptBlock(offset: number, sizeBytes: number): LogBlock {
  return {
    type: "corrupt",
    offset,
    sizeBytes,
    header: new Map(),
    contentBytes: 0,
    readContent: async () => new Uint8Array(0),
  };
}

async function readBlock(window: LogWindow, offset: number, frame: Frame): Promise<LogBlock> {
  const { path } = window;
  const last = frame.end - LOG_SUFFIX_BYTES;
  const version = await window.readInt(frame.start);
  if (version !== LOG_FORMAT_VERSION) throw unsupported(path, offset, `format version ${version}`);
  const ordinal = await window.readInt(frame.start + 4);
  const type = LOG_BLOCK_TYPES[ordinal];
  if (type === undefined || type === "corrupt") {
    throw unsupported(path, offset, `block type ${ordinal}`);
  }
  const head = await readTextMap(window, frame.start + 8, last, offset);
  if (head.end + 8 > last) throw refuse(path, offset, "its header leaves no room for a content");
  const contentBytes = await window.readLong(head.end);
  const contentStart = head.end + 8;
  if (contentBytes < 0 || contentStart + contentBytes + 4 > last) {
    throw refuse(
      path,
      offset,
      `its content claims ${contentBytes} bytes, of which ${Math.max(0, last - contentStart)} are there`,
    );
  }
  const foot = await readTextMap(window, contentStart + contentBytes, last, offset);
  if (foot.header.size > 0) throw unsupported(path, offset, "a footer with entries");
  if (foot.end !== last) throw refuse(path, offset, `${last - foot.end} bytes follow its footer`);
  return {
    type,
    offset,
    sizeBytes: frame.end - offset,
    header: head.header,
    contentBytes,
    readContent: (signal) => window.read(contentStart, contentBytes, signal),
  };
}

/** The entries of a header or footer, and where they end. */
async function readTextMap(
  window: LogWindow,
  start: number,
  limit: number,
  offset: number,
): Promise<{ readonly header: LogBlockHeader; readonly end: number }> {
  const { path } = window;
  const need = (at: number, bytes: number): void => {
    if (at + bytes > limit) throw refuse(path, offset, "its header or footer is cut off");
  };
  need(start, 4);
  const count = await window.readInt(start);
  if (count < 0 || count > LOG_HEADER_KEYS.length) {
    throw unsupported(path, offset, `${count} entries of a header`);
  }
  const header = new Map<LogHeaderKey, string>();
  let at = start + 4;
  for (let entry = 0; entry < count; entry += 1) {
    need(at, 8);
    const ordinal = await window.readInt(at);
    const length = await window.readInt(at + 4);
    const key = LOG_HEADER_KEYS[ordinal];
    if (key === undefined) throw unsupported(path, offset, `header key ${ordinal}`);
    if (length < 0) throw refuse(path, offset, `header ${key} claims ${length} bytes`);
    need(at + 8, length);
    const bytes = await window.read(at + 8, length);
    try {
      header.set(key, utf8.decode(bytes));
    } catch {
      throw refuse(path, offset, `header ${key} is no UTF-8`);
    }
    at += 8 + length;
  }
  return { header, end: at };
}

function refuse(path: string, offset: number, fact: string): HudiError {
  return new HudiError("CORRUPT", `cannot read log block at byte ${offset} of ${path}: ${fact}`, {
    path,
  });
}

function unsupported(path: string, offset: number, found: string): HudiError {
  return new HudiError(
    "UNSUPPORTED",
    `cannot read log block at byte ${offset} of ${path}: found ${found}, which this version does not know`,
    { path },
  );
}
