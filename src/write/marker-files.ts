// Markers: which data files a write named before it wrote them. Ours are direct markers; those of
// Spark's timeline server are read as well. Rules: spec/protocol/rollback.md, RB-2.
import {
  dataPath,
  type MarkerKind,
  markerFolder,
  parseBaseFileName,
  parseMarkerPath,
  requireDataPath,
  splitDataPath,
} from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import type { TableContext } from "../timeline/table-context.ts";

/** The markers of one write. */
export interface Markers {
  /** Objects of the marker folder, to be deleted in the end. */
  readonly paths: readonly string[];
  /** Data files that the write may have created. */
  readonly files: readonly MarkedFile[];
}

/** A data file that a marker names. */
export interface MarkedFile {
  readonly partitionPath: string;
  /** Of the kind `APPEND` the base file that a log goes with (see `logMarkerPath`). */
  readonly fileName: string;
  readonly kind: MarkerKind;
}

/** Reads the marker folder of an instant. */
export async function loadMarkers(
  context: TableContext,
  instant: string,
  signal?: AbortSignal,
): Promise<Markers> {
  const folder = markerFolder(instant);
  const objects = await context.storage.list(folder, { signal });
  const paths = objects.map((object) => object.path);
  const files = paths.flatMap((path) => parseMarkerPath(instant, path) ?? []);
  const batched = paths.filter((path) => /^MARKERS\d+$/.test(path.slice(folder.length + 1)));
  const lines = await mapConcurrently(
    batched,
    8,
    async (path) => {
      const { bytes } = await context.storage.read(path, { signal });
      return Buffer.from(bytes).toString("utf8").split("\n");
    },
    signal,
  );
  for (const line of lines.flat()) {
    const match = /^(.+)\.marker\.(CREATE|MERGE|APPEND)$/.exec(line.trim());
    if (!match) continue;
    files.push({ ...splitDataPath(match[1] as string), kind: match[2] as MarkerKind });
  }
  for (const file of files) {
    requireDataPath(
      file.partitionPath === "" ? file.fileName : `${file.partitionPath}/${file.fileName}`,
      folder,
    );
  }
  return { paths, files };
}

/**
 * Removes the data files of a write that its own process gives up: those that markers name, and those
 * that a listing of the partitions shows. Who took this writer for dead has removed its markers too.
 */
export async function removeWrittenFiles(
  context: TableContext,
  instant: string,
  partitions: Iterable<string>,
): Promise<void> {
  const isOwn = (fileName: string): boolean => parseBaseFileName(fileName)?.instant === instant;
  const markers = await loadMarkers(context, instant);
  const named = markers.files.filter((file) => isOwn(file.fileName));
  const listed = await mapConcurrently(partitions, 16, async (partitionPath) => {
    const { objects } = await context.storage.listFolder(partitionPath);
    return objects.map(({ path }) => path).filter((path) => isOwn(splitDataPath(path).fileName));
  });
  const paths = named.map((file) => dataPath(file.partitionPath, file.fileName));
  await context.storage.delete([...new Set([...paths, ...listed.flat()])]);
}
