// A block of a log file: its type, its header in text, and the bytes that frame it.
// Rules: spec/format/log-file.md, LOG-1 to LOG-3.
import { HudiError } from "../errors.ts";

/** What a block holds, in the order of the numbers that stand in the file. */
export const LOG_BLOCK_TYPES = [
  "command",
  "delete",
  "corrupt",
  "avro",
  "hfile",
  "parquet",
  "cdc",
] as const;
export type LogBlockType = (typeof LOG_BLOCK_TYPES)[number];

/** What a header says, in the order of the numbers that stand in the file. */
export const LOG_HEADER_KEYS = [
  "instant",
  "target-instant",
  "schema",
  "command",
  "compacted-instants",
  "record-positions",
  "block-identifier",
  "is-partial",
  "base-instant-of-positions",
] as const;
export type LogHeaderKey = (typeof LOG_HEADER_KEYS)[number];
export type LogBlockHeader = ReadonlyMap<LogHeaderKey, string>;

/** Every block begins with these bytes. */
// The bytes of `#HUDI#`.
export const LOG_MAGIC: Uint8Array = Uint8Array.of(0x23, 0x48, 0x55, 0x44, 0x49, 0x23);
/** Bytes of the magic and of the length behind it. */
export const LOG_PREFIX_BYTES: number = LOG_MAGIC.length + 8;
/** The number at the end of a block, which repeats its length. */
export const LOG_SUFFIX_BYTES = 8;
/** The version of the framing; every release that is still read writes this one. */
export const LOG_FORMAT_VERSION = 1;
/** The value of `command` that rolls an instant back. */
export const ROLLBACK_COMMAND = "0";
/** Readers of Hudi keep lengths in 32 bits. */
export const MAX_LOG_BLOCK_BYTES = 0x7fff_ffff;

/** A block as it is to be written. */
export interface NewLogBlock {
  readonly type: Exclude<LogBlockType, "corrupt">;
  readonly header: LogBlockHeader;
  /** The content, in parts that follow each other; none for a command. */
  readonly content: readonly Uint8Array[];
}

/** The bytes of a block, in parts that follow each other; the content is not copied. */
export function encodeLogBlock({ type, header, content }: NewLogBlock): Uint8Array[] {
  const head = encodeTextMap(header);
  const contentBytes = content.reduce((sum, part) => sum + part.length, 0);
  // What counts is what follows the length: version, type, header, content with its length, an empty
  // footer, and the number at the end.
  const length = 4 + 4 + head.length + 8 + contentBytes + 4 + LOG_SUFFIX_BYTES;
  if (length > MAX_LOG_BLOCK_BYTES) {
    throw new HudiError(
      "INVALID",
      `cannot write a log block of ${length} bytes: expected at most ${MAX_LOG_BLOCK_BYTES}`,
    );
  }
  const before = Buffer.alloc(LOG_PREFIX_BYTES + 8 + head.length + 8);
  before.set(LOG_MAGIC);
  let at = before.writeBigInt64BE(BigInt(length), LOG_MAGIC.length);
  at = before.writeInt32BE(LOG_FORMAT_VERSION, at);
  at = before.writeInt32BE(LOG_BLOCK_TYPES.indexOf(type), at);
  before.set(head, at);
  before.writeBigInt64BE(BigInt(contentBytes), at + head.length);
  const after = Buffer.alloc(4 + LOG_SUFFIX_BYTES);
  after.writeBigInt64BE(BigInt(length + LOG_MAGIC.length), 4);
  return [new Uint8Array(before), ...content, new Uint8Array(after)];
}

/** The block that rolls the blocks of an instant back. */
export function rollbackCommand(rollbackInstant: string, targetInstant: string): NewLogBlock {
  return {
    type: "command",
    header: new Map<LogHeaderKey, string>([
      ["instant", rollbackInstant],
      ["target-instant", targetInstant],
      ["command", ROLLBACK_COMMAND],
    ]),
    content: [],
  };
}

/** A number of entries, then for each a number for its key, a length, and text in UTF-8. */
function encodeTextMap(header: LogBlockHeader): Buffer {
  const parts: Buffer[] = [int32(header.size)];
  for (const [key, value] of header) {
    const text = Buffer.from(value, "utf8");
    parts.push(int32(LOG_HEADER_KEYS.indexOf(key)), int32(text.length), text);
  }
  return Buffer.concat(parts);
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
