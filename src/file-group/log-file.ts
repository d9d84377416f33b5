// One log file of a file slice, and the order in which the logs of a slice are read.
// Rules: spec/format/file-naming.md, spec/format/log-file.md LOG-11.
import {
  dataPath,
  type LogFileName,
  parseLogFileName,
  splitDataPath,
} from "../layout/table-paths.ts";
import type { InstantTime } from "../timeline/instant-time.ts";

/** One log file. */
export interface LogFile {
  readonly path: string;
  readonly fileName: string;
  readonly fileId: string;
  /**
   * In layout 1 that of the slice that the log belongs to; in layout 2 that of the delta commit that
   * wrote it.
   */
  readonly instant: InstantTime;
  /** Counts the logs of one slice, from 1. */
  readonly version: number;
  readonly writeToken: string;
  readonly sizeBytes: number;
}

/** The log file of that path, or undefined where its name is none. */
export function findLogFile(path: string, sizeBytes: number): LogFile | undefined {
  const { partitionPath, fileName } = splitDataPath(path);
  const name: LogFileName | undefined = parseLogFileName(fileName);
  return name && { path: dataPath(partitionPath, fileName), fileName, sizeBytes, ...name };
}

/** The order of logs: by instant, then version, then write token. */
export function compareLogFiles(a: LogFile, b: LogFile): number {
  if (a.instant !== b.instant) return a.instant < b.instant ? -1 : 1;
  if (a.version !== b.version) return a.version - b.version;
  return a.writeToken < b.writeToken ? -1 : a.writeToken > b.writeToken ? 1 : 0;
}
