// File groups and file slices: what one listing of a partition holds. Rules: spec/format/file-naming.md,
// spec/format/table-layout.md FSV-6.
import { HudiError } from "../errors.ts";
import { dataPath, parseBaseFileName, splitDataPath } from "../layout/table-paths.ts";
import type { StoredObject } from "../storage/storage.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import { compareLogFiles, findLogFile, type LogFile } from "./log-file.ts";

/** One base file. */
export interface BaseFile {
  readonly path: string;
  readonly fileName: string;
  readonly instant: InstantTime;
  readonly sizeBytes: number;
}

/** A base file and the logs on top of it; either may be missing, never both. */
export interface FileSlice {
  readonly partitionPath: string;
  readonly fileId: string;
  /** The instant that the slice begins with: that of its base file, else of its first log. */
  readonly baseInstant: InstantTime;
  readonly baseFile: BaseFile | undefined;
  /** In the order in which they are read. */
  readonly logFiles: readonly LogFile[];
}

/** A slice with a base file. */
export type BaseFileSlice = FileSlice & { readonly baseFile: BaseFile };

/** Every version of one file group, oldest first. */
export interface FileGroup {
  readonly partitionPath: string;
  readonly fileId: string;
  readonly baseFiles: readonly BaseFile[];
  readonly logFiles: readonly LogFile[];
}

/** What identifies a file group in a set or map. */
export function fileGroupKey(partitionPath: string, fileId: string): string {
  return `${partitionPath}\n${fileId}`;
}

/** Whether a slice has a base file. */
export function hasBaseFile(slice: FileSlice): slice is BaseFileSlice {
  return slice.baseFile !== undefined;
}

/** The files of a slice, the base file first. */
export function sliceFiles({ baseFile, logFiles }: FileSlice): readonly (BaseFile | LogFile)[] {
  return baseFile ? [baseFile, ...logFiles] : logFiles;
}

/** Bytes of a slice, logs included. */
export function sliceBytes(slice: FileSlice): number {
  return sliceFiles(slice).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/**
 * Groups the objects of one partition folder. Throws `CORRUPT` for a Parquet file with a foreign
 * name, which other engines refuse as well.
 */
export function groupFiles(partitionPath: string, objects: readonly StoredObject[]): FileGroup[] {
  const groups = new Map<string, { baseFiles: BaseFile[]; logFiles: LogFile[] }>();
  const groupOf = (fileId: string): { baseFiles: BaseFile[]; logFiles: LogFile[] } => {
    const group = groups.get(fileId) ?? { baseFiles: [], logFiles: [] };
    groups.set(fileId, group);
    return group;
  };
  for (const { path, sizeBytes } of objects) {
    const { fileName } = splitDataPath(path);
    if (fileName.startsWith(".")) {
      const log = findLogFile(path, sizeBytes);
      if (log) groupOf(log.fileId).logFiles.push(log);
      continue;
    }
    if (!fileName.includes(".parquet")) continue;
    const name = parseBaseFileName(fileName);
    if (!name) {
      throw new HudiError(
        "CORRUPT",
        `cannot list partition ${JSON.stringify(partitionPath)}: ${path} is no base file of Hudi, expected <fileId>_<token>_<instant>.parquet; move it out of the table`,
        { path },
      );
    }
    groupOf(name.fileId).baseFiles.push({ path, fileName, instant: name.instant, sizeBytes });
  }
  return [...groups].map(([fileId, { baseFiles, logFiles }]) => ({
    partitionPath,
    fileId,
    baseFiles: baseFiles.sort((a, b) =>
      a.instant < b.instant ? -1 : a.instant > b.instant ? 1 : 0,
    ),
    logFiles: logFiles.sort(compareLogFiles),
  }));
}

/** The base file that a path of a write stat names, as a slice of its own. */
export function requireBaseFile(path: string, sizeBytes: number, source: string): BaseFileSlice {
  const { partitionPath, fileName } = splitDataPath(path);
  const name = parseBaseFileName(fileName);
  if (!name) {
    throw new HudiError("CORRUPT", `cannot use ${source}: ${path} is no base file of Hudi`, {
      path: source,
    });
  }
  return {
    partitionPath,
    fileId: name.fileId,
    baseInstant: name.instant,
    baseFile: {
      path: dataPath(partitionPath, fileName),
      fileName,
      instant: name.instant,
      sizeBytes,
    },
    logFiles: [],
  };
}
