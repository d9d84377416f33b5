// Every path and file-name grammar below the base path of a table. Nobody else joins these strings.
// Rules: spec/format/table-layout.md and spec/format/file-naming.md.
import { HudiError } from "../errors.ts";

/** The folder of everything that is not data. */
export const META_FOLDER = ".hoodie";
export const PROPERTIES_PATH = ".hoodie/hoodie.properties";
export const PROPERTIES_BACKUP_PATH = ".hoodie/hoodie.properties.backup";
/** The lock object of Hudi 1.x. */
export const LEASE_PATH = ".hoodie/.locks/table_lock.json";
export const LOCKS_FOLDER = ".hoodie/.locks";
export const HEARTBEAT_FOLDER = ".hoodie/.heartbeat";
export const METADATA_TABLE_FOLDER = ".hoodie/metadata";
export const PARTITION_METAFILE = ".hoodie_partition_metadata";

/** The folder of instants: layout 1 up to table version 6, layout 2 from version 8. */
export function timelineFolder(layout: 1 | 2): string {
  return layout === 1 ? ".hoodie" : ".hoodie/timeline";
}

export function timelinePath(layout: 1 | 2, fileName: string): string {
  return `${timelineFolder(layout)}/${fileName}`;
}

export function heartbeatPath(instant: string): string {
  return `${HEARTBEAT_FOLDER}/${instant}`;
}

export function markerFolder(instant: string): string {
  return `.hoodie/.temp/${instant}`;
}

/** What a writer is about to do with a data file. */
export type MarkerKind = "CREATE" | "MERGE" | "APPEND";

/** The direct marker of a data file: `.hoodie/.temp/<instant>/<partition>/<file>.marker.<kind>`. */
export function markerPath(
  instant: string,
  partitionPath: string,
  fileName: string,
  kind: MarkerKind,
): string {
  return `${markerFolder(instant)}/${dataPath(partitionPath, fileName)}.marker.${kind}`;
}

/**
 * The marker of a log file, which as in Hudi names the base file that a writer of the log's token would
 * leave in the slice.
 */
export function logMarkerPath(instant: string, partitionPath: string, logFileName: string): string {
  const name = parseLogFileName(logFileName);
  if (!name) throw new Error(`${logFileName} is no log file`);
  return markerPath(instant, partitionPath, formatBaseFileName(name), "APPEND");
}

/** The data file that a marker path names, or undefined when the path is no direct marker. */
export function parseMarkerPath(
  instant: string,
  path: string,
):
  | { readonly partitionPath: string; readonly fileName: string; readonly kind: MarkerKind }
  | undefined {
  const prefix = `${markerFolder(instant)}/`;
  const match = /^(.+)\.marker\.(CREATE|MERGE|APPEND)$/.exec(path.slice(prefix.length));
  if (!path.startsWith(prefix) || !match) return undefined;
  return { ...splitDataPath(match[1] as string), kind: match[2] as MarkerKind };
}

/** Path of a data file: partition and name, or the name alone in a table without partitions. */
export function dataPath(partitionPath: string, fileName: string): string {
  return partitionPath === "" ? fileName : `${partitionPath}/${fileName}`;
}

export function splitDataPath(path: string): {
  readonly partitionPath: string;
  readonly fileName: string;
} {
  const slash = path.lastIndexOf("/");
  return { partitionPath: path.slice(0, Math.max(slash, 0)), fileName: path.slice(slash + 1) };
}

export function partitionMetafilePath(partitionPath: string): string {
  return dataPath(partitionPath, PARTITION_METAFILE);
}

/** Levels below the base path: 0 for a table without partitions. */
export function partitionDepth(partitionPath: string): number {
  return partitionPath === "" ? 0 : partitionPath.split("/").length;
}

/** The parts of `<fileId>_<writeToken>_<instant>.parquet`. */
export interface BaseFileName {
  readonly fileId: string;
  readonly writeToken: string;
  readonly instant: string;
}

export function formatBaseFileName(name: BaseFileName): string {
  return `${name.fileId}_${name.writeToken}_${name.instant}.parquet`;
}

/** Parses a base-file name; undefined for any other file. */
export function parseBaseFileName(fileName: string): BaseFileName | undefined {
  const match = /^([^_]+)_([^_]+)_(\d{17}|\d{14})\.parquet$/.exec(fileName);
  if (!match) return undefined;
  return {
    fileId: match[1] as string,
    writeToken: match[2] as string,
    instant: match[3] as string,
  };
}

/** The parts of `.<fileId>_<instant>.log.<version>_<writeToken>`. */
export interface LogFileName {
  readonly fileId: string;
  readonly instant: string;
  readonly version: number;
  readonly writeToken: string;
}

export function formatLogFileName(name: LogFileName): string {
  return `.${name.fileId}_${name.instant}.log.${name.version}_${name.writeToken}`;
}

/** Parses a log-file name; undefined for any other file, change logs (`.cdc`) included. */
export function parseLogFileName(fileName: string): LogFileName | undefined {
  const match = /^\.(.+)_(\d+)\.log\.(\d+)(?:_(\d+-\d+-\d+))?$/.exec(fileName);
  if (!match) return undefined;
  return {
    fileId: match[1] as string,
    instant: match[2] as string,
    version: Number(match[3]),
    writeToken: match[4] ?? "",
  };
}

/** Text of a partition metafile. */
export function formatPartitionMetafile(instant: string, partitionPath: string): string {
  return `#partition metadata\ncommitTime=${instant}\npartitionDepth=${partitionDepth(partitionPath)}\n`;
}

/**
 * Guards a path that comes from a file on storage before it is joined or deleted: it must stay
 * below the table and outside `.hoodie`. Throws `CORRUPT`.
 */
export function requireDataPath(path: string, source: string): string {
  const segments = path.split("/");
  const bad =
    segments.some((segment) => segment === "" || segment === "." || segment === "..") ||
    segments[0] === META_FOLDER ||
    path.includes("\\") ||
    path.includes("\0");
  if (bad) {
    throw new HudiError(
      "CORRUPT",
      `cannot use path ${JSON.stringify(path)} of ${source}: expected a data file below the table`,
      { path: source },
    );
  }
  return path;
}
