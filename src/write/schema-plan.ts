// Whether the columns of a table may change as asked, seen from the files that it has.
// Rules: spec/format/evolution.md, EV-3 to EV-6 and EV-8.
import { HudiError } from "../errors.ts";
import { openBaseFile } from "../file-group/base-file.ts";
import { type FileSlice, hasBaseFile } from "../file-group/file-slice.ts";
import { loadFileSystemView } from "../file-group/file-system-view.ts";
import { loadTableSchema } from "../file-group/table-schema.ts";
import type { ParquetFileReader } from "../format/parquet-reader.ts";
import type { Field, TableSchema } from "../format/schema.ts";
import { type EngineName, KNOWN_ENGINES, listReaderLimits } from "../layout/reader-limits.ts";
import {
  applySchemaChanges,
  type EvolvedSchema,
  type SchemaChange,
  type SchemaEffect,
} from "../layout/schema-change.ts";
import type { TableConfig } from "../layout/table-config.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import type { ActiveTimeline } from "../timeline/active-timeline.ts";
import type { TableContext } from "../timeline/table-context.ts";

/** How far a change of the schema may go. */
export interface SchemaPlanOptions {
  /** Whether every base file is written anew with the new columns. */
  readonly rewrite?: boolean | undefined;
  /** Engines that must read old and new files side by side; default all that are known. */
  readonly readers?: readonly EngineName[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A change of the schema that may be carried out. */
export interface SchemaPlan extends EvolvedSchema {
  /** The columns that it starts from. */
  readonly base: TableSchema;
  /** The latest base file of every file group. */
  readonly slices: readonly FileSlice[];
}

/**
 * Applies the changes to the columns that a timeline shows, and checks them against the base files.
 * Throws `INVALID` for changes that would lose data, and `UNSUPPORTED` naming the engine that would
 * not read the table rightly.
 */
export async function planSchemaChange(
  context: TableContext,
  timeline: ActiveTimeline,
  changes: readonly SchemaChange[],
  options: SchemaPlanOptions,
): Promise<SchemaPlan> {
  const { rewrite, readers, signal } = options;
  requireKnownEngines(readers);
  const base = await loadTableSchema(context, timeline, undefined, signal);
  const evolved = applySchemaChanges(base, changes, protectedColumns(context.config));
  const { slices } = await loadFileSystemView(context, timeline, { signal });
  const plan = { ...evolved, base, slices };
  if (slices.length === 0) return plan;
  const required = evolved.effects.find(({ isRequired }) => isRequired);
  if (required) {
    throw new HudiError(
      "INVALID",
      `cannot add column ${JSON.stringify(required.path)}: rows of the table have no value for it, expected a type that allows null, such as "string?"`,
    );
  }
  // A rewrite leaves no old file: then every engine sees new ones only.
  if (rewrite) return plan;
  const [limit] = listReaderLimits(evolved.effects, readers);
  if (limit) {
    const { engine, effect, fact } = limit;
    const remedy = engine
      ? "rewrite the files with rewrite: true, or leave that engine out with readers"
      : "rewrite the files with rewrite: true";
    throw new HudiError(
      "UNSUPPORTED",
      `cannot ${effect.kind} column ${JSON.stringify(effect.path)}: ${fact}; ${remedy}`,
    );
  }
  await refuseLeftovers(context, slices, evolved.effects, signal);
  return plan;
}

function requireKnownEngines(readers: readonly EngineName[] = []): void {
  const unknown = [...readers].find((engine) => !KNOWN_ENGINES.includes(engine));
  if (unknown === undefined) return;
  throw new HudiError(
    "INVALID",
    `cannot evolve table: found reader ${JSON.stringify(unknown)}, expected some of ${KNOWN_ENGINES.join(", ")}`,
  );
}

/** The columns that the properties of a table name. */
function protectedColumns(config: TableConfig): Parameters<typeof applySchemaChanges>[2] {
  const { recordKeyFields, partitionFields, orderingField } = config;
  return {
    recordKey: recordKeyFields,
    partition: partitionFields,
    ordering: orderingField === undefined ? [] : [orderingField],
  };
}

/**
 * Refuses a new column under a name that base files still have a column under, which was dropped: its
 * values would come back.
 */
export async function refuseLeftovers(
  context: TableContext,
  slices: readonly FileSlice[],
  effects: readonly SchemaEffect[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const added = effects.filter(({ kind }) => kind === "add").map(({ path }) => path);
  if (added.length === 0) return;
  await mapConcurrently(
    slices.filter(hasBaseFile),
    16,
    async ({ baseFile }) => {
      const reader = await openBaseFile(context.storage, baseFile, { signal });
      const path = added.find((one) => hasColumn(reader, one));
      if (path === undefined) return;
      throw new HudiError(
        "INVALID",
        `cannot add column ${JSON.stringify(path)}: ${baseFile.path} holds values of a dropped column of that name, which would come back; use another name, or evolve with rewrite: true`,
        { path: baseFile.path },
      );
    },
    signal,
  );
}

/** Whether a file has a column; names that differ in case only are one for some engines. */
function hasColumn(reader: ParquetFileReader, path: string): boolean {
  const steps = path.toLowerCase().split(".");
  if (steps.length === 1) {
    return [...reader.describeColumns().keys()].some((name) => name.toLowerCase() === steps[0]);
  }
  let fields: readonly Field[] = reader.schema.fields;
  for (const step of steps) {
    const field = fields.find(({ name }) => name.toLowerCase() === step);
    if (!field) return false;
    fields = fieldsInside(field);
  }
  return true;
}

function fieldsInside({ type }: Field): readonly Field[] {
  if (type.kind === "struct") return type.fields;
  if (type.kind === "list") return [type.element];
  return type.kind === "map" ? [type.value] : [];
}
