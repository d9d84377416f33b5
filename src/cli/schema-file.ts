// The file of `lake create --schema`: a field list as JSON, an Avro record schema, or an Arrow or Parquet
// file whose columns are taken. Rules: spec/protocol/cli.md, CLI-21.
import { open, readFile } from "node:fs/promises";
import { HudiError, isHudiError } from "../errors.ts";
import { fromArrowSchema } from "../format/arrow-schema.ts";
import { parseBoundedJson } from "../format/bounded-json.ts";
import { openParquetFile } from "../format/parquet-reader.ts";
import { checkTableSchema, type Field, formatFieldType, parseFieldType } from "../format/schema.ts";
import { type AvroRecordSchema, resolveSchema } from "../layout/definition-schema.ts";
import type { Fields } from "../layout/table-definition.ts";
import { readArrowSchema } from "./arrow-stream.ts";
import { inputError } from "./input/input-source.ts";
import { isMetaColumn } from "./input/row-shape.ts";

/** The part of a definition that says the columns. */
export type SchemaPart = { readonly fields: Fields } | { readonly schema: AvroRecordSchema };

/** Reads the columns of a new table. Throws `INVALID` or `UNSUPPORTED` naming file and column. */
export async function loadSchemaFile(path: string): Promise<SchemaPart> {
  const head = await readSchemaFile(path, HEAD_BYTES);
  try {
    if (head.startsWith("PAR1")) return { fields: listFields(await readParquetColumns(path)) };
    // A stream of Arrow begins with a mark that no text begins with.
    if (head === "ARROW1" || head.startsWith("\u00ff\u00ff\u00ff\u00ff")) {
      return { fields: listFields(fromArrowSchema("schema", await readArrowSchema(path)).fields) };
    }
  } catch (cause) {
    throw inFile(cause, path);
  }
  return readJsonSchema(Buffer.from(await readSchemaFile(path), "latin1"), path);
}

const HEAD_BYTES = 6;

function readJsonSchema(bytes: Uint8Array, path: string): SchemaPart {
  const json = parseJson(bytes, path);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw refuse(path, "it holds no JSON object", FIELD_LIST);
  }
  if (isAvroRecord(json)) {
    try {
      resolveSchema("schema", { schema: json });
    } catch (cause) {
      throw inFile(cause, path);
    }
    return { schema: json };
  }
  const entries = Object.entries(json);
  for (const [column, type] of entries) {
    if (typeof type !== "string") {
      throw refuse(path, `the type of column ${JSON.stringify(column)} is no text`, FIELD_LIST);
    }
    parseFieldType(column, type);
  }
  return { fields: Object.fromEntries(entries) as Fields };
}

const FIELD_LIST = 'a field list such as {"id": "string", "fare": "double?"} or an Avro record';

/** A field list. Made from entries, so that a column named __proto__ is one; the meta columns of Hudi are left out. */
export function listFields(fields: readonly Field[]): Fields {
  const own = fields.filter(({ name }) => !isMetaColumn(name));
  // A name with a colon or a bracket in it would be read back as something else.
  checkTableSchema({ name: "schema", fields: own });
  return Object.fromEntries(own.map((field) => [field.name, formatFieldType(field)])) as Fields;
}

async function readParquetColumns(path: string): Promise<readonly Field[]> {
  const file = await open(path, "r");
  try {
    const { size: sizeBytes } = await file.stat();
    const readRange = async (start: number, end: number): Promise<Uint8Array> => {
      const bytes = new Uint8Array(end - start);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, start);
      return bytes.subarray(0, bytesRead);
    };
    const reader = await openParquetFile({ path, sizeBytes, readRange });
    for (const [name, type] of reader.describeColumns()) {
      const isKnown = reader.schema.fields.some((field) => field.name === name);
      if (isKnown || isMetaColumn(name)) continue;
      throw new HudiError(
        "UNSUPPORTED",
        `cannot use column ${name}: found ${type}, which no table holds`,
      );
    }
    return reader.schema.fields;
  } finally {
    await file.close();
  }
}

function inFile(error: unknown, path: string): unknown {
  if (!isHudiError(error)) return error;
  const code = error.code === "CORRUPT" ? "INVALID" : error.code;
  const message = `cannot use schema file ${path}: ${error.message}`;
  return new HudiError(code, message, { path, cause: error });
}

/** The file, or its first bytes, each a character. */
async function readSchemaFile(path: string, maxBytes?: number): Promise<string> {
  try {
    if (maxBytes === undefined) return await readFile(path, "latin1");
    const file = await open(path, "r");
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(maxBytes), 0, maxBytes, 0);
      return buffer.toString("latin1", 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    const known = inputError(error, path);
    if (!(known instanceof HudiError)) throw error;
    throw new HudiError(
      known.code,
      `cannot read schema file ${path}: it cannot be opened, expected a readable file; check --schema`,
      {
        path,
        cause: error,
      },
    );
  }
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return parseBoundedJson(bytes, path);
  } catch (cause) {
    throw refuse(path, `it is no JSON (${(cause as Error).message})`, FIELD_LIST, cause);
  }
}

function isAvroRecord(json: object): json is AvroRecordSchema {
  const { type, fields } = json as { readonly type?: unknown; readonly fields?: unknown };
  return type === "record" && Array.isArray(fields);
}

function refuse(path: string, found: string, expected: string, cause?: unknown): HudiError {
  return new HudiError(
    "INVALID",
    `cannot use schema file ${path}: ${found}, expected ${expected}`,
    {
      path,
      cause,
    },
  );
}
