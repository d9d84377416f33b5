// The schema of a table as of an instant: that of the newest commit that carries one.
// Rules: spec/format/schema.md, SC-4.
import { HudiError, isHudiError } from "../errors.ts";
import { parseAvroSchema } from "../format/avro-schema.ts";
import type { TableSchema } from "../format/schema.ts";
import { PROPERTIES_PATH } from "../layout/table-paths.ts";
import { type ActiveTimeline, instantPath } from "../timeline/active-timeline.ts";
import type { InstantTime } from "../timeline/instant-time.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { loadCommitMetadata } from "./file-system-view.ts";

/** The newest commit whose schema is known; what a commit says never changes. */
const known = new WeakMap<
  TableContext,
  { readonly time: InstantTime; readonly schema: TableSchema }
>();

/** Keeps the schema of a commit, so that the next write need not read it. */
export function rememberTableSchema(
  context: TableContext,
  time: InstantTime,
  schema: TableSchema,
): void {
  known.set(context, { time, schema });
}

/** Reads the newest commit with a schema, then the schema the table was created with. */
export async function loadTableSchema(
  context: TableContext,
  timeline: ActiveTimeline,
  asOf?: InstantTime,
  signal?: AbortSignal,
): Promise<TableSchema> {
  const instants = timeline
    .completedWrites()
    .filter((instant) => asOf === undefined || instant.time <= asOf)
    .reverse();
  for (const instant of instants) {
    const remembered = known.get(context);
    if (remembered?.time === instant.time) return remembered.schema;
    const metadata = await loadCommitMetadata(context, instant, signal);
    const text = metadata.extraMetadata.get("schema");
    if (!text) continue;
    const schema = parseSchema(text, instantPath(context, instant));
    if (asOf === undefined) rememberTableSchema(context, instant.time, schema);
    return schema;
  }
  const { createSchema } = context.config;
  if (createSchema) return parseSchema(createSchema, PROPERTIES_PATH);
  throw new HudiError(
    "CORRUPT",
    `cannot read table ${context.storage.location}: no commit and no property holds its schema`,
  );
}

/** The columns that a schema text of a file means; errors name the file. */
function parseSchema(text: string, path: string): TableSchema {
  try {
    return parseAvroSchema(text);
  } catch (error) {
    if (!isHudiError(error)) throw error;
    throw new HudiError(error.code, `${error.message}; the schema stands in ${path}`, {
      path,
      cause: error,
    });
  }
}
