// Checks `hoodie.properties` itself, and that the timeline lies where the version says.
// Rules: spec/format/table-layout.md, TBL-1 to TBL-5.
import { isHudiError } from "../errors.ts";
import { parseTableConfig } from "../layout/table-config.ts";
import { PROPERTIES_BACKUP_PATH, PROPERTIES_PATH, timelineFolder } from "../layout/table-paths.ts";
import { parseInstantFileName } from "../timeline/instant.ts";
import type { TableContext } from "../timeline/table-context.ts";
import type { FindingList } from "./verify-findings.ts";

/** Checks the file that an open table was, or was not, read from. */
export async function verifyProperties(
  { storage, config }: TableContext,
  findings: FindingList,
  signal: AbortSignal | undefined,
): Promise<void> {
  const remedy = `restore it from ${PROPERTIES_BACKUP_PATH} or a copy`;
  try {
    const { bytes } = await storage.read(PROPERTIES_PATH, { signal });
    parseTableConfig(Buffer.from(bytes).toString("latin1"), storage.location);
  } catch (error) {
    if (!isHudiError(error) || error.retryable) throw error;
    const rule =
      error.code === "NOT_FOUND" ? "TBL-5" : error.message.includes("checksum") ? "TBL-3" : "TBL-4";
    const found =
      error.code === "NOT_FOUND"
        ? `it is missing, only ${PROPERTIES_BACKUP_PATH} is there`
        : error.message;
    findings.add({ rule, severity: "error", path: PROPERTIES_PATH, found, remedy });
  }
  await verifyLayout(storage, config.layout, findings, signal);
}

/** Instants in the folder of the other layout are those of a table of another version. */
async function verifyLayout(
  storage: TableContext["storage"],
  layout: 1 | 2,
  findings: FindingList,
  signal: AbortSignal | undefined,
): Promise<void> {
  const other = layout === 1 ? 2 : 1;
  const folder = timelineFolder(other);
  const { objects } = await storage.listFolder(folder, { signal });
  const strays = objects.filter(
    ({ path }) => parseInstantFileName(path.slice(folder.length + 1), other) !== undefined,
  );
  const [first] = strays;
  if (!first) return;
  findings.add({
    rule: "TBL-1",
    severity: "error",
    path: first.path,
    found: `${strays.length} files of instants lie in ${folder}, expected none: the version of the table has its timeline in ${timelineFolder(layout)}`,
    remedy: `set hoodie.table.version and hoodie.timeline.layout.version to what wrote them, or finish the upgrade`,
  });
}
