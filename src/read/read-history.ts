// Whether the past that a read asks for is still there: archival takes instants off the timeline, and
// cleaning takes file slices away. Rules: spec/format/table-layout.md FSV-3, spec/protocol/incremental.md IN-6.
import { HudiError } from "../errors.ts";
import { fileGroupKey } from "../file-group/file-slice.ts";
import type { FileSystemView } from "../file-group/file-system-view.ts";
import { parseBaseFileName, parseLogFileName, splitDataPath } from "../layout/table-paths.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import { type ActiveTimeline, instantPath, readInstant } from "../timeline/active-timeline.ts";
import { decodeCleanMetadata, decodeCleanPlan } from "../timeline/clean-plan.ts";
import type { Instant } from "../timeline/instant.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";

/** The error of asking for a past that is gone. */
export function expired(what: string, fact: string, instant: InstantTime): HudiError {
  return new HudiError(
    "EXPIRED",
    `cannot read ${what}: ${fact}, expected a later instant; start from a newer snapshot`,
    { instant },
  );
}

/**
 * Throws `EXPIRED` when files that the state at `asOf` consists of were cleaned since. Asked for states
 * of the past only, because the newest slices are never cleaned. Looks at cleans after `asOf` only:
 * what an earlier one removed had a later version by then.
 */
export async function requireSlices(
  context: TableContext,
  timeline: ActiveTimeline,
  asOf: InstantTime,
  view: FileSystemView,
  keepPartition: (path: string, isWhole: boolean) => boolean,
  signal?: AbortSignal,
): Promise<void> {
  const cleans = timeline.instants.filter((i) => i.action === "clean" && i.time > asOf);
  const present = new Map(
    view.slices.map((slice) => [
      fileGroupKey(slice.partitionPath, slice.fileId),
      slice.baseFile?.instant ?? "",
    ]),
  );
  const removed = await mapConcurrently(
    cleans,
    8,
    (clean) => loadRemovedFiles(context, clean, signal),
    signal,
  );
  for (const [partitionPath, paths] of removed.flat()) {
    if (!keepPartition(partitionPath, true)) continue;
    for (const path of paths) {
      const { fileName } = splitDataPath(path);
      const base = parseBaseFileName(fileName);
      const file = base ?? parseLogFileName(fileName);
      if (!file || file.instant > asOf) continue;
      const key = fileGroupKey(partitionPath, file.fileId);
      const held = present.get(key) ?? "";
      // A log goes with the base file that it lies on, so only a later one makes up for it.
      const isHeld = base ? held >= file.instant : held > file.instant;
      if (view.replacedGroups.has(key) || isHeld) continue;
      throw expired(
        `as of ${asOf}`,
        `${base ? "base" : "log"} file ${path} was cleaned since`,
        asOf,
      );
    }
  }
}

/** The files that a clean took or is about to take away, by partition. */
export async function loadRemovedFiles(
  context: TableContext,
  clean: Instant,
  signal: AbortSignal | undefined,
): Promise<readonly (readonly [string, readonly string[]])[]> {
  if (clean.state === "completed") {
    const bytes = await readInstant(context, clean, signal);
    return [...decodeCleanMetadata(bytes, instantPath(context, clean)).deletedFiles];
  }
  const requested = { ...clean, state: "requested" } as const;
  const bytes = await readInstant(context, requested, signal);
  return [...decodeCleanPlan(bytes, instantPath(context, requested)).filesToBeDeleted];
}
