// TableSchema to Avro record JSON and back, as commits and `hoodie.properties` carry it.
// Rules: spec/format/schema.md.
import { HudiError } from "../errors.ts";
import { parseBoundedJson } from "./bounded-json.ts";
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
  const fields = avroFields(`${options.namespace}.${schema.name}`, schema.fields);
  return JSON.stringify({
    type: "record",
    name: schema.name,
    namespace: options.namespace,
    fields: [...meta, ...fields],
    // What other engines do not know they leave alone.
    ...(schema.lastFieldId !== undefined && { "last-field-id": schema.lastFieldId }),
  });
}

function avroFields(namespace: string, fields: readonly Field[]): Json[] {
  return fields.map((field) => ({
    name: field.name,
    type: avroUnion(namespace, field.name, field),
    ...(field.nullable && { default: null }),
    "field-id": field.id,
  }));
}

function avroUnion(namespace: string, name: string, { type, nullable }: Field): Json {
  const present = avroType(namespace, name, type);
  return nullable ? ["null", present] : present;
}

/** Named types are called as Spark calls them: elements and values by the column that they stand in. */
function avroType(namespace: string, name: string, type: ColumnType): Json {
  switch (type.kind) {
    case "list":
      return { type: "array", items: avroUnion(namespace, name, type.element) };
    case "map":
      return { type: "map", values: avroUnion(namespace, name, type.value) };
    case "struct":
      return {
        type: "record",
        name,
        namespace,
        fields: avroFields(`${namespace}.${name}`, type.fields),
      };
    case "date":
      return { type: "int", logicalType: "date" };
    case "timestamp-micros":
      return { type: "long", logicalType: "timestamp-micros" };
    case "decimal":
      return {
        type: "fixed",
        name: "fixed",
        namespace: `${namespace}.${name}`,
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
  const columns: { readonly name: string; readonly type: Json; readonly id: number | undefined }[] =
    [];
  const names = new Set<string>();
  const taken = new Set<number>();
  for (const entry of record.fields as readonly Json[]) {
    const field = asObject(entry);
    if (typeof field?.name !== "string" || field.type === undefined) {
      throw new HudiError("CORRUPT", "cannot read Avro schema: found a field without name or type");
    }
    const { name, type } = field;
    if (META_COLUMNS.includes(name) || name === "_hoodie_operation") continue;
    if (names.has(name)) {
      throw new HudiError("CORRUPT", `cannot read Avro schema: found column ${name} twice`);
    }
    names.add(name);
    const id = findFieldId(field["field-id"], taken);
    if (id !== undefined) taken.add(id);
    columns.push({ name, type, id });
  }
  const fields = columns.map(({ name, type, id }, index): Field => {
    const own = id ?? freeId(taken, index);
    taken.add(own);
    return { id: own, name, ...parseAvroType(name, type) };
  });
  const name = typeof record.name === "string" ? record.name : "record";
  const last = findFieldId(record["last-field-id"], new Set());
  return last === undefined ? { name, fields } : { name, fields, lastFieldId: last };
}

/** The id that a field states, unless another field before it states the same. */
function findFieldId(stated: Json | undefined, taken: ReadonlySet<number>): number | undefined {
  return typeof stated === "number" &&
    Number.isSafeInteger(stated) &&
    stated >= 0 &&
    !taken.has(stated)
    ? stated
    : undefined;
}

function freeId(taken: ReadonlySet<number>, from: number): number {
  let id = from;
  while (taken.has(id)) id += 1;
  return id;
}

function parseJson(text: string): Json {
  return parseBoundedJson(Buffer.from(text, "utf8"), "Avro schema") as Json;
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
  if (name === "array")
    return { kind: "list", element: avroChild(column, "element", outer?.items) };
  if (name === "map") return { kind: "map", value: avroChild(column, "value", outer?.values) };
  if (name === "record") return parseStructType(column, outer?.fields);
  if (logical === "decimal" && (name === "fixed" || name === "bytes")) {
    return parseDecimalType(column, outer?.precision, outer?.scale ?? 0);
  }
  if (name === "int" && logical === "date") return { kind: "date" };
  if (name === "long" && logical === "timestamp-micros") return { kind: "timestamp-micros" };
  if (logical === undefined || logical === null) {
    if (name === "string" || name === "boolean" || name === "int") return { kind: name };
    if (name === "long" || name === "float" || name === "double" || name === "bytes") {
      return { kind: name };
    }
  }
  throw unsupportedType(column, json);
}

function avroChild(column: string, name: string, json: Json | undefined): Field {
  if (json === undefined) {
    throw new HudiError("CORRUPT", `cannot read Avro schema: column ${column} lacks its ${name}`);
  }
  const id = name === "value" ? 1 : 0;
  return { id, name, ...parseAvroType(`${column}.${name}`, json) };
}

function parseStructType(column: string, json: Json | undefined): ColumnType {
  const entries = Array.isArray(json) ? (json as readonly Json[]) : [];
  const names = new Set<string>();
  const taken = new Set<number>();
  const fields = entries.map((entry, index): Field => {
    const field = asObject(entry);
    if (typeof field?.name !== "string" || field.type === undefined || names.has(field.name)) {
      throw new HudiError(
        "CORRUPT",
        `cannot read Avro schema: found a field without name or type, or one twice, in column ${column}`,
      );
    }
    names.add(field.name);
    const id = findFieldId(field["field-id"], taken) ?? freeId(taken, index);
    taken.add(id);
    return { id, name: field.name, ...parseAvroType(`${column}.${field.name}`, field.type) };
  });
  if (fields.length === 0) throw unsupportedType(column, json ?? null);
  return { kind: "struct", fields };
}

function parseDecimalType(column: string, precision: Json | undefined, scale: Json): ColumnType {
  try {
    return createDecimalType(column, Number(precision), Number(scale));
  } catch (cause) {
    throw new HudiError("CORRUPT", `cannot read Avro schema: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function unsupportedType(column: string, json: Json): HudiError {
  return new HudiError(
    "UNSUPPORTED",
    `cannot use type ${JSON.stringify(json)} of column ${column}: expected string, bytes, boolean, int, long, float, double, date, timestamp-micros or decimal`,
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
