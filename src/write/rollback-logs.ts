// Undoes what an instant logged: a command block in a log of its own takes the blocks of the instant
// off. The logs stay where they are, since plans may name them. Rules: spec/protocol/rollback.md RB-9.

import { isHudiError } from "../errors.ts";
import { fileGroupKey } from "../file-group/file-slice.ts";
import { loadCommitMetadata } from "../file-group/file-system-view.ts";
import { findLogFile, type LogFile } from "../file-group/log-file.ts";
import { encodeLogBlock, rollbackCommand } from "../format/log-block.ts";
import {
  dataPath,
  formatLogFileName,
  parseBaseFileName,
  parseLogFileName,
  requireDataPath,
  splitDataPath,
} from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import type { Instant } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { loadMarkers } from "./marker-files.ts";

/** The logs of a slice to which an instant may have added one. */
export interface LoggedSlice {
  readonly partitionPath: string;
  readonly fileId: string;
  /** What the logs bear in their names. */
  readonly baseInstant: InstantTime;
  /** In no order. */
  readonly logFiles: readonly LogFile[];
}

/** The slices that an instant logged to, by its markers and its metadata; those without a log are left out. */
export async function findLoggedSlices(
  context: TableContext,
  target: Instant,
  signal?: AbortSignal,
): Promise<LoggedSlice[]> {
  if (context.config.type !== "merge-on-read") return [];
  const markers = await loadMarkers(context, target.time, signal);
  const named = markers.files.flatMap(({ partitionPath, fileName, kind }) => {
    const name = kind === "APPEND" ? parseBaseFileName(fileName) : parseLogFileName(fileName);
    return name ? [{ partitionPath, fileId: name.fileId, baseInstant: name.instant }] : [];
  });
  const written = await findWrittenLogs(context, target, signal);
  const slices = new Map(
    [...named, ...written].map((slice) => {
      const key = `${fileGroupKey(slice.partitionPath, slice.fileId)}\n${slice.baseInstant}`;
      return [key, slice] as const;
    }),
  );
  const found = await mapConcurrently(
    [...slices.values()],
    16,
    async (slice): Promise<LoggedSlice> => {
      const { objects } = await context.storage.listFolder(slice.partitionPath, { signal });
      const logs = objects.flatMap(({ path, sizeBytes }) => findLogFile(path, sizeBytes) ?? []);
      const isOwn = ({ fileId, instant }: LogFile): boolean =>
        fileId === slice.fileId && instant === slice.baseInstant;
      return { ...slice, logFiles: logs.filter(isOwn) };
    },
    signal,
  );
  return found.filter(({ logFiles }) => logFiles.length > 0);
}

async function findWrittenLogs(
  context: TableContext,
  target: Instant,
  signal: AbortSignal | undefined,
): Promise<Omit<LoggedSlice, "logFiles">[]> {
  if (target.state !== "completed") return [];
  try {
    const metadata = await loadCommitMetadata(context, target, signal);
    return [...metadata.partitionToWriteStats.values()].flat().flatMap(({ path }) => {
      const { partitionPath, fileName } = splitDataPath(requireDataPath(path, target.time));
      const name = parseLogFileName(fileName);
      return name ? [{ partitionPath, fileId: name.fileId, baseInstant: name.instant }] : [];
    });
  } catch (error) {
    // Another process has taken it back already, and has logged commands where its markers are gone.
    if (isHudiError(error, "NOT_FOUND")) return [];
    throw error;
  }
}

/** A log that was written by a rollback. */
export interface RollbackLog {
  readonly partitionPath: string;
  readonly path: string;
  readonly sizeBytes: number;
}

/** Write tokens are numbers of 31 bits to every reader. */
const TOKEN_LIMIT = 0x7fff_ffff;

/** Adds a command to each slice; one more does no harm where another process was there before. */
export function appendRollbackCommands(
  context: TableContext,
  rollbackTime: InstantTime,
  target: Instant,
  slices: readonly LoggedSlice[],
  signal?: AbortSignal,
): Promise<RollbackLog[]> {
  const { storage, runtime } = context;
  const bytes = new Uint8Array(
    Buffer.concat(encodeLogBlock(rollbackCommand(rollbackTime, target.time))),
  );
  return mapConcurrently(
    slices,
    16,
    async ({ partitionPath, fileId, baseInstant, logFiles }) => {
      const version = logFiles.reduce((most, log) => Math.max(most, log.version), 0) + 1;
      const random = runtime.random.bytes(4);
      const token = new DataView(random.buffer, random.byteOffset).getUint32(0) % TOKEN_LIMIT;
      const name = { fileId, instant: baseInstant, version, writeToken: `0-0-${token}` };
      const path = dataPath(partitionPath, formatLogFileName(name));
      await storage.put(path, bytes, { signal });
      return { partitionPath, path, sizeBytes: bytes.length };
    },
    signal,
  );
}
