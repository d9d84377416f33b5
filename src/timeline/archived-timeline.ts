// The archived timeline: where instants go that leave the active one.
// Rules: spec/format/table-layout.md FSV-3, spec/format/archive.md.
import { AvroWriter } from "../format/avro-binary.ts";
import type { AvroRecord } from "../format/avro-closures.ts";
import { parseAvroCodec } from "../format/avro-codec.ts";
import { encodeLogBlock, type LogHeaderKey } from "../format/log-block.ts";
import { encodeRecordContent } from "../format/log-content.ts";
import { timelineFolder } from "../layout/table-paths.ts";
import { createUuid } from "../runtime/random.ts";
import { isOutcomeUnknown, type StoredObject } from "../storage/storage.ts";
import { ARCHIVED_ENTRY_SCHEMA } from "./archived-entry-schema.ts";
import type { TableContext } from "./table-context.ts";

/** Whether instants have left the active timeline. One listing. */
export async function wasArchived(context: TableContext, signal?: AbortSignal): Promise<boolean> {
  const objects = await listArchive(context, signal);
  // Hadoop leaves checksum files beside others; they are none of the archive's own.
  return objects.some((object) => !object.path.endsWith(".crc"));
}

/** The folder of archived instants. */
function archiveFolder({ config }: TableContext): string {
  const [property, usual] =
    config.layout === 1
      ? ["hoodie.archivelog.folder", "archived"]
      : ["hoodie.timeline.history.path", "history"];
  const stated = config.properties.get(property) ?? usual;
  const name = /^\w+$/.test(stated) ? stated : usual;
  return `${timelineFolder(config.layout)}/${name}`;
}

async function listArchive(
  context: TableContext,
  signal: AbortSignal | undefined,
): Promise<readonly StoredObject[]> {
  const { objects } = await context.storage.listFolder(archiveFolder(context), { signal });
  return objects;
}

/** Entries of one block; Hudi's own number. */
const ENTRIES_A_BLOCK = 10;
/** Hudi appends to the newest file of this token, where the store can do that. */
const FILE_NAME = /^\.commits_\.archive\.(\d+)(?:_[\d-]+)?$/;
const MAX_ATTEMPTS = 8;

/**
 * Writes entries into a new file behind all that are there, whole, and returns its path. Only while the
 * lease is held; a file that a failure left is as good as any, because entries may stand twice.
 */
export async function createArchiveFile(
  context: TableContext,
  entries: readonly AvroRecord[],
  signal?: AbortSignal,
): Promise<string> {
  const content = encodeArchive(entries);
  const { storage, runtime } = context;
  let tried = 0;
  for (let attempt = 1; ; attempt += 1) {
    const numbers = (await listArchive(context, signal)).map(({ path }) =>
      Number(FILE_NAME.exec(path.slice(path.lastIndexOf("/") + 1))?.[1] ?? 0),
    );
    tried = Math.max(tried, ...numbers) + 1;
    const path = `${archiveFolder(context)}/.commits_.archive.${tried}_1-0-1`;
    try {
      const writeId = createUuid(runtime.random);
      if ((await storage.createIfAbsent(path, content, { writeId, signal })) === "created") {
        return path;
      }
    } catch (error) {
      if (!isOutcomeUnknown(error) || attempt >= MAX_ATTEMPTS || signal?.aborted) throw error;
    }
  }
}

/** The bytes of an archive file. */
function encodeArchive(entries: readonly AvroRecord[]): Uint8Array {
  const schemaText = JSON.stringify(ARCHIVED_ENTRY_SCHEMA);
  const codec = parseAvroCodec(schemaText, "a schema of this library");
  const parts: Uint8Array[] = [];
  for (let from = 0; from < entries.length; from += ENTRIES_A_BLOCK) {
    const records = entries.slice(from, from + ENTRIES_A_BLOCK).map((entry) => {
      const writer = new AvroWriter();
      codec.encode(writer, entry);
      return writer.finish();
    });
    const header = new Map<LogHeaderKey, string>([["schema", schemaText]]);
    parts.push(
      ...encodeLogBlock({ type: "avro", header, content: [encodeRecordContent(records)] }),
    );
  }
  return Buffer.concat(parts);
}
