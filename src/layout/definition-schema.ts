// The columns of a new table, however its definition says them: a field list, Avro, Arrow.
// Rules: spec/format/schema.md, SC-11.
import { HudiError, isHudiError } from "../errors.ts";
import { type ArrowSchema, fromArrowSchema, isArrowSchema } from "../format/arrow-schema.ts";
import { parseAvroSchema } from "../format/avro-schema.ts";
import {
  checkTableSchema,
  createTableSchema,
  requireField,
  type TableSchema,
} from "../format/schema.ts";

/** A record schema of Avro, as text or as what `JSON.parse` makes of it; or a schema of apache-arrow. */
export type SchemaSource = string | AvroRecordSchema | ArrowSchema;

/** A record schema of Avro in JSON. */
export interface AvroRecordSchema {
  readonly type: "record";
  readonly name: string;
  readonly fields: readonly object[];
}

/** The schema of a new table. Throws `INVALID` or `UNSUPPORTED` naming the column. */
export function resolveSchema(
  name: string,
  definition: { readonly fields?: unknown; readonly schema?: unknown },
): TableSchema {
  const { fields, schema } = definition;
  if ((fields === undefined) === (schema === undefined)) {
    const found = fields === undefined ? "neither" : "both";
    throw new HudiError(
      "INVALID",
      `cannot create schema ${name}: found ${found} of fields and schema, expected one`,
    );
  }
  if (schema !== undefined) return checkTableSchema(renumber(parseSource(name, schema)));
  if (typeof fields !== "object" || fields === null || Array.isArray(fields)) {
    throw new HudiError(
      "INVALID",
      `cannot create schema ${name}: found fields of ${typeof fields}, expected an object of column names and types`,
    );
  }
  return createTableSchema(name, fields as Record<string, string>);
}

function parseSource(name: string, schema: unknown): TableSchema {
  if (isArrowSchema(schema)) return fromArrowSchema(name, schema);
  const text = typeof schema === "string" ? schema : stringify(name, schema);
  try {
    return { ...parseAvroSchema(text), name };
  } catch (error) {
    // A schema that comes in is an argument, not a file of the table.
    if (!isHudiError(error, "CORRUPT")) throw error;
    throw new HudiError("INVALID", error.message, { cause: error });
  }
}

function stringify(name: string, schema: unknown): string {
  try {
    return JSON.stringify(schema) ?? "undefined";
  } catch (cause) {
    throw new HudiError(
      "INVALID",
      `cannot create schema ${name}: found an object that is no JSON, expected an Avro record or an Arrow schema`,
      { cause },
    );
  }
}

/** Ids begin anew with a table, in the order of its columns. */
function renumber({ name, fields }: TableSchema): TableSchema {
  return { name, fields: fields.map((field, id) => ({ ...field, id })) };
}

/**
 * Checks that versions of a row can be ordered by a column; throws `INVALID`. Engines order bytes in
 * different ways, and symbols by their text or their place.
 */
export function requireOrderingField(schema: TableSchema, name: string): void {
  const { type } = requireField(schema, name);
  if (!UNORDERED.has(type.kind)) return;
  throw new HudiError(
    "INVALID",
    `cannot use column ${name} as ordering field: found type ${type.kind}, which engines order in different ways; use a number, a time or a text`,
  );
}

const UNORDERED: ReadonlySet<string> = new Set(["enum", "fixed", "bytes", "struct", "list", "map"]);
