// Which blocks of the logs of a slice count: those of completed writes that no command block rolled
// back, in the order in which they were written. Rules: spec/format/log-file.md LOG-11 to LOG-14.
import { HudiError } from "../errors.ts";
import { ROLLBACK_COMMAND } from "../format/log-block.ts";
import { type LogBlock, readLogBlocks } from "../format/log-block-reader.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import type { Storage } from "../storage/storage.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import { compareLogFiles, type LogFile } from "./log-file.ts";

/** A block with rows or deletions. */
export interface LiveBlock {
  readonly file: LogFile;
  readonly block: LogBlock;
  /** The write that wrote it. */
  readonly instant: InstantTime;
}

/** Bytes of a log file that hold no block. */
export interface CorruptRange {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** What a scan found. */
export interface LogScan {
  /** Oldest first. */
  readonly blocks: readonly LiveBlock[];
  readonly corrupt: readonly CorruptRange[];
}

/** Which blocks a scan looks for. */
export interface LogScanOptions {
  /** Whether a write has completed, and is one that the read shows. */
  readonly isVisible: (instant: InstantTime) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Files that are walked at the same time. */
const FILES_AT_ONCE = 4;

/** Walks the logs of a slice; contents are not read. Throws `CORRUPT` and `UNSUPPORTED` by file and byte. */
export async function scanLogFiles(
  storage: Storage,
  files: readonly LogFile[],
  options: LogScanOptions,
): Promise<LogScan> {
  const ordered = [...files].sort(compareLogFiles);
  const { signal } = options;
  const found = await mapConcurrently(
    ordered,
    FILES_AT_ONCE,
    async (file) => {
      const blocks: LogBlock[] = [];
      const { path, sizeBytes } = file;
      const readRange = (start: number, end: number, abort?: AbortSignal): Promise<Uint8Array> =>
        storage.readRange(path, { start, end }, { signal: abort ?? signal });
      for await (const block of readLogBlocks({ path, sizeBytes, readRange }, signal)) {
        blocks.push(block);
      }
      return { file, blocks };
    },
    signal,
  );
  const live: LiveBlock[] = [];
  const corrupt: CorruptRange[] = [];
  for (const { file, blocks } of found) {
    for (const block of blocks) {
      if (block.type === "corrupt") {
        corrupt.push({ path: file.path, offset: block.offset, sizeBytes: block.sizeBytes });
      } else if (block.type === "command") {
        rollBack(live, file, block);
      } else {
        const instant = requireHeader(file, block, "instant");
        if (options.isVisible(instant)) live.push({ file, block, instant });
      }
    }
  }
  return { blocks: withoutCompacted(live), corrupt };
}

/** Takes the newest blocks off that the command is about. */
function rollBack(live: LiveBlock[], file: LogFile, block: LogBlock): void {
  const command = block.header.get("command");
  if (command !== ROLLBACK_COMMAND) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot read log block at byte ${block.offset} of ${file.path}: found command ${command}, which this version does not know`,
      { path: file.path },
    );
  }
  const target = requireHeader(file, block, "target-instant");
  while (live.at(-1)?.instant === target) live.pop();
}

/**
 * A log compaction writes blocks for those of several instants; the latter are then left out, and the
 * former stand where the newest of them stood.
 */
function withoutCompacted(live: readonly LiveBlock[]): readonly LiveBlock[] {
  const replacedBy = new Map<InstantTime, InstantTime>();
  for (const { block, instant } of live) {
    for (const replaced of block.header.get("compacted-instants")?.split(",") ?? []) {
      replacedBy.set(replaced.trim(), instant);
    }
  }
  if (replacedBy.size === 0) return live;
  const places = new Map<InstantTime, number>();
  const kept: { readonly entry: LiveBlock; readonly index: number }[] = [];
  for (const [index, entry] of live.entries()) {
    const final = finalReplacement(replacedBy, entry.instant);
    if (final === undefined) kept.push({ entry, index });
    else if (!entry.block.header.has("compacted-instants")) places.set(final, index);
  }
  return kept
    .map(({ entry, index }) => ({ entry, place: places.get(entry.instant) ?? index }))
    .sort((a, b) => a.place - b.place)
    .map(({ entry }) => entry);
}

/** The instant whose blocks stand for those of an instant in the end; undefined where it stands itself. */
function finalReplacement(
  replacedBy: ReadonlyMap<InstantTime, InstantTime>,
  instant: InstantTime,
): InstantTime | undefined {
  const seen = new Set<InstantTime>();
  let final = replacedBy.get(instant);
  for (let next = final; next !== undefined && !seen.has(next); next = replacedBy.get(next)) {
    seen.add(next);
    final = next;
  }
  return final;
}

function requireHeader(
  file: LogFile,
  block: LogBlock,
  key: "instant" | "target-instant",
): InstantTime {
  const value = block.header.get(key);
  if (value !== undefined && /^\d+$/.test(value)) return value;
  throw new HudiError(
    "CORRUPT",
    `cannot read log block at byte ${block.offset} of ${file.path}: its header ${key} is ${value === undefined ? "missing" : JSON.stringify(value.slice(0, 40))}, expected an instant`,
    { path: file.path },
  );
}
