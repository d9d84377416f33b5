// TableSchema to Avro record JSON and back, as commits and `hoodie.properties` carry it.
// Rules: spec/format/schema.md.
import { HudiError } from "../errors.ts";
import {
  type ColumnType,
  createDecimalType,
  decimalWidthBytes,
  type Field,
  formatType,
  type TableSchema,
} from "./schema.ts";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The five meta columns that a schema with meta fields begins with. */
export const META_COLUMNS: readonly string[] = [
  "_hoodie_commit_time",
  "_hoodie_commit_seqno",
  "_hoodie_record_key",
  "_hoodie_partition_path",
  "_hoodie_file_name",
];

/** Avro JSON of a schema, without meta columns unless asked for. */
export function formatAvroSchema(
  schema: TableSchema,
  options: { readonly namespace: string; readonly metaColumns?: boolean },
): string {
  const meta = options.metaColumns
    ? META_COLUMNS.map((name) => ({ name, type: ["null", "string"], doc: "", default: null }))
    : [];
  const fields = schema.fields.map((field) => {
    const type = avroType(schema, options.namespace, field);
    return field.nullable
      ? { name: field.name, type: ["null", type], default: null, "field-id": field.id }
      : { name: field.name, type, "field-id": field.id };
  });
  return JSON.stringify({
    type: "record",
    name: schema.name,
    namespace: options.namespace,
    fields: [...meta, ...fields],
  });
}

function avroType(schema: TableSchema, namespace: string, field: Field): Json {
  const { type } = field;
  switch (type.kind) {
    case "date":
      return { type: "int", logicalType: "date" };
    case "timestamp-micros":
      return { type: "long", logicalType: "timestamp-micros" };
    case "decimal":
      return {
        type: "fixed",
        name: "fixed",
        namespace: `${namespace}.${schema.name}.${field.name}`,
        size: decimalWidthBytes(type.precision),
        logicalType: "decimal",
        precision: type.precision,
        scale: type.scale,
      };
    default:
      return type.kind;
  }
}

/**
 * Reads Avro record JSON. Meta columns are left out. Throws `CORRUPT` when the text is no record
 * schema and `UNSUPPORTED` naming the column whose type this library does not handle.
 */
export function parseAvroSchema(text: string): TableSchema {
  const json = parseJson(text);
  const record = asObject(json);
  if (record?.type !== "record" || !Array.isArray(record.fields)) {
    throw new HudiError("CORRUPT", "cannot read Avro schema: found no record with fields");
  }
  const fields: Field[] = [];
  const taken = new Set<number>();
  for (const entry of record.fields as readonly Json[]) {
    const field = asObject(entry);
    if (typeof field?.name !== "string" || field.type === undefined) {
      throw new HudiError("CORRUPT", "cannot read Avro schema: found a field without name or type");
    }
    if (META_COLUMNS.includes(field.name) || field.name === "_hoodie_operation") continue;
    const stated = field["field-id"];
    const id =
      typeof stated === "number" && Number.isInteger(stated) && !taken.has(stated)
        ? stated
        : freeId(taken, fields.length);
    taken.add(id);
    fields.push({ id, name: field.name, ...parseAvroType(field.name, field.type) });
  }
  return { name: typeof record.name === "string" ? record.name : "record", fields };
}

function freeId(taken: ReadonlySet<number>, from: number): number {
  let id = from;
  while (taken.has(id)) id += 1;
  return id;
}

function parseJson(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (cause) {
    throw new HudiError("CORRUPT", "cannot read Avro schema: the text is not JSON", { cause });
  }
}

function asObject(json: Json | undefined): { readonly [key: string]: Json } | undefined {
  return typeof json === "object" && json !== null && !Array.isArray(json)
    ? (json as { readonly [key: string]: Json })
    : undefined;
}

function parseAvroType(column: string, json: Json): Pick<Field, "type" | "nullable"> {
  if (!Array.isArray(json)) return { type: parsePresentType(column, json), nullable: false };
  const present = (json as readonly Json[]).filter((branch) => branch !== "null");
  if (present.length !== 1) throw unsupportedType(column, json);
  return {
    type: parsePresentType(column, present[0] as Json),
    nullable: present.length < json.length,
  };
}

function parsePresentType(column: string, json: Json): ColumnType {
  const outer = asObject(json);
  if (outer && typeof outer.type === "object") return parsePresentType(column, outer.type as Json);
  const name = outer ? outer.type : json;
  const logical = outer?.logicalType;
  if (logical === "decimal" && (name === "fixed" || name === "bytes")) {
    return createDecimalType(column, Number(outer?.precision), Number(outer?.scale ?? 0));
  }
  if (name === "int" && logical === "date") return { kind: "date" };
  if (name === "long" && logical === "timestamp-micros") return { kind: "timestamp-micros" };
  if (logical === undefined || logical === null) {
    if (name === "string" || name === "boolean" || name === "int") return { kind: name };
    if (name === "long" || name === "double") return { kind: name };
  }
  throw unsupportedType(column, json);
}

function unsupportedType(column: string, json: Json): HudiError {
  return new HudiError(
    "UNSUPPORTED",
    `cannot use type ${JSON.stringify(json)} of column ${column}: expected string, boolean, int, long, double, date, timestamp-micros or decimal`,
  );
}

/** Whether two schemas have the same columns, types and nullability in the same order. */
export function isSameSchema(a: TableSchema, b: TableSchema): boolean {
  return (
    a.fields.length === b.fields.length &&
    a.fields.every((field, index) => {
      const other = b.fields[index] as Field;
      return (
        field.name === other.name &&
        field.nullable === other.nullable &&
        formatType(field.type) === formatType(other.type)
      );
    })
  );
}
