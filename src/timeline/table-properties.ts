// Creates a table and reads what one is: the life of `hoodie.properties`.
// Rules: spec/format/table-layout.md, TBL-1 to TBL-9.
import { HudiError, isHudiError } from "../errors.ts";
import { formatProperties, parseTableConfig, type TableConfig } from "../layout/table-config.ts";
import {
  METADATA_TABLE_FOLDER,
  PROPERTIES_BACKUP_PATH,
  PROPERTIES_PATH,
} from "../layout/table-paths.ts";
import { createUuid } from "../runtime/random.ts";
import type { Runtime } from "../runtime/runtime.ts";
import type { Storage } from "../storage/storage.ts";
import { isOutcomeUnknown } from "../storage/storage.ts";

/**
 * Writes the properties of a new table. Throws `ALREADY_EXISTS` where there is one, be it in the
 * middle of an update, when only the backup of its properties is there, and `UNSUPPORTED` on a
 * storage whose conditional writes cannot be trusted.
 */
export async function createTable(
  storage: Storage,
  properties: ReadonlyMap<string, string>,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<void> {
  const content = Buffer.from(formatProperties(properties, runtime.clock.now()), "latin1");
  const writeId = createUuid(runtime.random);
  const exists = (): HudiError =>
    new HudiError(
      "ALREADY_EXISTS",
      `cannot create table ${storage.location}: there is one already; open it instead`,
      {
        path: PROPERTIES_PATH,
      },
    );
  // A store that ignores the condition would replace the properties of a table that is there.
  await storage.probeConditionalWrites({ signal });
  if (await storage.findObject(PROPERTIES_BACKUP_PATH, { signal })) throw exists();
  try {
    const outcome = await storage.createIfAbsent(PROPERTIES_PATH, content, { writeId, signal });
    if (outcome === "exists") throw exists();
  } catch (error) {
    if (!isOutcomeUnknown(error)) throw error;
    const found = await storage.loadWriteId(PROPERTIES_PATH);
    if (found === writeId) return;
    if (found !== undefined) throw exists();
    throw error;
  }
}

/**
 * Reads the properties of a table, from the backup where an update was interrupted. Throws
 * `NOT_FOUND` when the location is no table and `CORRUPT` when no file of it is whole.
 */
export async function loadTableConfig(
  storage: Storage,
  signal?: AbortSignal,
): Promise<TableConfig> {
  const { location } = storage;
  const parse = async (path: string): Promise<TableConfig> =>
    parseTableConfig(await readText(storage, path, signal), location, path);
  try {
    return await parse(PROPERTIES_PATH);
  } catch (error) {
    if (!isHudiError(error, "NOT_FOUND") && !isHudiError(error, "CORRUPT")) throw error;
    try {
      return await parse(PROPERTIES_BACKUP_PATH);
    } catch (other) {
      if (isHudiError(other, "CORRUPT")) throw error.code === "CORRUPT" ? error : other;
      if (!isHudiError(other, "NOT_FOUND")) throw other;
      if (error.code === "CORRUPT") throw error;
      throw new HudiError(
        "NOT_FOUND",
        `cannot open table ${location}: found no ${PROPERTIES_PATH}, expected the base path of a Hudi table; create it first`,
        { path: PROPERTIES_PATH, cause: error },
      );
    }
  }
}

async function readText(
  storage: Storage,
  path: string,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { bytes } = await storage.read(path, { signal });
  return Buffer.from(bytes).toString("latin1");
}

/**
 * Switches the metadata table off, as Hudi does: first the properties, so that no reader lists from
 * it any more, then its folder. Only under the lease of the table.
 */
export async function dropMetadataTable(
  storage: Storage,
  config: TableConfig,
  runtime: Runtime,
  signal?: AbortSignal,
): Promise<void> {
  const properties = new Map(config.properties);
  properties.delete("hoodie.table.metadata.partitions");
  properties.delete("hoodie.table.metadata.partitions.inflight");
  const content = Buffer.from(formatProperties(properties, runtime.clock.now()), "latin1");
  await storage.put(PROPERTIES_PATH, content, { signal });
  const objects = await storage.list(METADATA_TABLE_FOLDER, { signal });
  await storage.delete(
    objects.map((object) => object.path),
    { signal },
  );
}
