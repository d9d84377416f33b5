// File groups and file slices: what one listing of a partition holds. Rules: spec/format/file-naming.md.
import { HudiError } from "../errors.ts";
import {
  dataPath,
  parseBaseFileName,
  parseLogFileName,
  splitDataPath,
} from "../layout/table-paths.ts";
import type { StoredObject } from "../storage/storage.ts";
import type { InstantTime } from "../timeline/instant-time.ts";

/** One base file. */
export interface BaseFile {
  readonly path: string;
  readonly fileName: string;
  readonly instant: InstantTime;
  readonly sizeBytes: number;
}

/** A base file with the place it belongs to. */
export interface FileSlice {
  readonly partitionPath: string;
  readonly fileId: string;
  readonly baseFile: BaseFile;
}

/** Every version of one file group, oldest first. */
export interface FileGroup {
  readonly partitionPath: string;
  readonly fileId: string;
  readonly baseFiles: readonly BaseFile[];
}

/** What identifies a file group in a set or map. */
export function fileGroupKey(partitionPath: string, fileId: string): string {
  return `${partitionPath}\n${fileId}`;
}

/**
 * Groups the objects of one partition folder. Throws `CORRUPT` for a Parquet file with a foreign
 * name, which other engines refuse as well, and `UNSUPPORTED` for log files.
 */
export function groupFiles(partitionPath: string, objects: readonly StoredObject[]): FileGroup[] {
  const groups = new Map<string, BaseFile[]>();
  for (const object of objects) {
    const { fileName } = splitDataPath(object.path);
    if (fileName.startsWith(".")) {
      if (parseLogFileName(fileName)) throw unsupportedLog(object.path);
      continue;
    }
    if (!fileName.includes(".parquet")) continue;
    const name = parseBaseFileName(fileName);
    if (!name) {
      throw new HudiError(
        "CORRUPT",
        `cannot list partition ${JSON.stringify(partitionPath)}: ${object.path} is no base file of Hudi, expected <fileId>_<token>_<instant>.parquet; move it out of the table`,
        { path: object.path },
      );
    }
    const files = groups.get(name.fileId) ?? [];
    groups.set(name.fileId, files);
    files.push({ path: object.path, fileName, instant: name.instant, sizeBytes: object.sizeBytes });
  }
  return [...groups].map(([fileId, files]) => ({
    partitionPath,
    fileId,
    baseFiles: files.sort((a, b) => (a.instant < b.instant ? -1 : a.instant > b.instant ? 1 : 0)),
  }));
}

function unsupportedLog(path: string): HudiError {
  return new HudiError(
    "UNSUPPORTED",
    `cannot read log file ${path}: merge-on-read file slices are not supported, expected base files only`,
    { path },
  );
}

/** The base file that a path of a write stat names. */
export function requireBaseFile(path: string, sizeBytes: number, source: string): FileSlice {
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
    baseFile: {
      path: dataPath(partitionPath, fileName),
      fileName,
      instant: name.instant,
      sizeBytes,
    },
  };
}
