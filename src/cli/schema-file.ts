// The file of `lake create --schema`: a field list as JSON, or an Avro record schema.
import { readFile } from "node:fs/promises";
import { HudiError } from "../errors.ts";
import { parseAvroSchema } from "../format/avro-schema.ts";
import { parseBoundedJson } from "../format/bounded-json.ts";
import { formatFieldType, parseFieldType } from "../format/schema.ts";
import type { Fields } from "../layout/table-definition.ts";
import { inputError } from "./input/input-source.ts";

/** Reads the columns of a new table. Throws `INVALID` or `UNSUPPORTED` naming file and column. */
export async function loadSchemaFile(path: string): Promise<Fields> {
  const json = parseJson(await readSchemaFile(path), path);
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw refuse(path, "it holds no JSON object", FIELD_LIST);
  }
  const entries = isAvroRecord(json) ? readAvroFields(json, path) : Object.entries(json);
  for (const [column, type] of entries) {
    if (typeof type !== "string") {
      throw refuse(path, `the type of column ${JSON.stringify(column)} is no text`, FIELD_LIST);
    }
    parseFieldType(column, type);
  }
  // Made from entries, so that a column named __proto__ is one.
  return Object.fromEntries(entries) as Fields;
}

const FIELD_LIST = 'a field list such as {"id": "string", "fare": "double?"} or an Avro record';

async function readSchemaFile(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
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

function isAvroRecord(json: object): boolean {
  const { type, fields } = json as { readonly type?: unknown; readonly fields?: unknown };
  return type === "record" && Array.isArray(fields);
}

function readAvroFields(json: object, path: string): [string, unknown][] {
  try {
    const { fields } = parseAvroSchema(JSON.stringify(json));
    return fields.map((field) => [field.name, formatFieldType(field)]);
  } catch (error) {
    if (!(error instanceof HudiError)) throw error;
    const code = error.code === "CORRUPT" ? "INVALID" : error.code;
    throw new HudiError(code, `cannot use schema file ${path}: ${error.message}`, {
      path,
      cause: error,
    });
  }
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
