// What a replace commit takes out of the table: every file group that its partitions had when it began.
// Rules: spec/protocol/commit.md TX-16 to TX-18.
import { fileGroupKey } from "../file-group/file-slice.ts";
import { loadFileSystemView } from "../file-group/file-system-view.ts";
import type { ActiveTimeline } from "../timeline/active-timeline.ts";
import type { TableContext } from "../timeline/table-context.ts";
import type { OperationType } from "./operation-type.ts";

/** Whose file groups are replaced: those of partitions, or of the whole table. */
export type ReplacedScope = ReadonlySet<string> | "table";

/** File groups by partition; a partition that had none is listed as well. */
export type ReplacedGroups = ReadonlyMap<string, readonly string[]>;

const NOTHING: ReadonlySet<string> = new Set();

/** What an operation replaces that has rows of these partitions. */
export function replacedScope(
  operation: OperationType,
  partitions: ReadonlySet<string>,
): ReplacedScope {
  switch (operation) {
    case "INSERT_OVERWRITE_TABLE":
      return "table";
    case "INSERT_OVERWRITE":
    case "DELETE_PARTITION":
      return partitions;
    default:
      return NOTHING;
  }
}

/** The file groups of a scope as the write's own timeline shows them. */
export async function loadReplacedGroups(
  context: TableContext,
  timeline: ActiveTimeline,
  scope: ReplacedScope,
  signal?: AbortSignal,
): Promise<ReplacedGroups> {
  const replaced = new Map<string, string[]>();
  if (scope !== "table" && scope.size === 0) return replaced;
  const partitions = scope === "table" ? undefined : [...scope].sort();
  for (const partition of partitions ?? []) replaced.set(partition, []);
  const view = await loadFileSystemView(context, timeline, { partitions, signal });
  for (const { partitionPath, fileId } of view.slices) {
    const list = replaced.get(partitionPath) ?? [];
    replaced.set(partitionPath, list);
    list.push(fileId);
  }
  return replaced;
}

/** The replaced file groups, as keys. */
export function replacedKeys(replaced: ReplacedGroups): string[] {
  return [...replaced].flatMap(([partition, ids]) => ids.map((id) => fileGroupKey(partition, id)));
}
