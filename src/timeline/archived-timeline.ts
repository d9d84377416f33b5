// The archived timeline: where instants go that leave the active one.
// Rules: spec/format/table-layout.md, FSV-3.
import { timelineFolder } from "../layout/table-paths.ts";
import type { TableContext } from "./table-context.ts";

/** Whether instants have left the active timeline. One listing. */
export async function wasArchived(context: TableContext, signal?: AbortSignal): Promise<boolean> {
  const { storage, config } = context;
  const [property, usual] =
    config.layout === 1
      ? ["hoodie.archivelog.folder", "archived"]
      : ["hoodie.timeline.history.path", "history"];
  const stated = config.properties.get(property) ?? usual;
  const name = /^\w+$/.test(stated) ? stated : usual;
  const { objects } = await storage.listFolder(`${timelineFolder(config.layout)}/${name}`, {
    signal,
  });
  // Hadoop leaves checksum files beside others; they are none of the archive's own.
  return objects.some((object) => !object.path.endsWith(".crc"));
}
