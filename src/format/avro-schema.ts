// TableSchema to Avro record JSON and back, as commits and `hoodie.properties` carry it.
// Rules: spec/format/schema.md.
import { HudiError } from "../errors.ts";
import { parseBoundedJson } from "./bounded-json.ts";
import {
  type ColumnType,
  createDecimalType,
  createEnumType,
  createFixedType,
  decimalWidthBytes,
  type Field,
  formatType,
  type PlainTypeName,
  type TableSchema,
  TYPE_NAMES,
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
    case "time-millis":
      return { type: "int", logicalType: type.kind };
    case "time-micros":
    case "timestamp-millis":
    case "timestamp-micros":
    case "local-timestamp-millis":
    case "local-timestamp-micros":
      return { type: "long", logicalType: type.kind };
    case "fixed":
      return { type: "fixed", name: "fixed", namespace: `${namespace}.${name}`, size: type.length };
    case "enum":
      return { type: "enum", name, namespace, symbols: type.symbols };
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
 * schema and `UNSUPPORTED` naming the column whose type this library does not handle, a record that
 * holds itself, or a schema that unfolds to more types than any table has.
 */
export function parseAvroSchema(text: string): TableSchema {
  const json = parseJson(text);
  const record = asObject(json);
  if (record?.type !== "record" || !Array.isArray(record.fields)) {
    throw new HudiError("CORRUPT", "cannot read Avro schema: found no record with fields");
  }
  const scope = innerScope(ROOT_SCOPE(), record);
  openType(scope, "the table", record);
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
    return { id: own, name, ...parseAvroType(name, type, scope) };
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

/** What is known while a schema is read: named types by full name, and the namespace. */
interface Scope {
  readonly namespace: string;
  readonly types: Map<string, NamedType>;
  /** Types met so far, those behind names counted each time. */
  readonly met: { count: number };
}

/** A type that has a name; `type` is missing while its fields are read. */
interface NamedType {
  readonly type: ColumnType | undefined;
  readonly count: number;
}

/** Types that a schema unfolds to at most. */
const MAX_TYPES = 100_000;

const ROOT_SCOPE = (): Scope => ({ namespace: "", types: new Map(), met: { count: 0 } });

type JsonObject = { readonly [key: string]: Json };

/** The full name of a named type, or undefined where it has none. */
function fullName(scope: Scope, { name, namespace }: JsonObject): string | undefined {
  if (typeof name !== "string" || name === "") return undefined;
  if (name.includes(".")) return name;
  const own = typeof namespace === "string" ? namespace : scope.namespace;
  return own === "" ? name : `${own}.${name}`;
}

/** The scope inside a record. */
function innerScope(scope: Scope, record: JsonObject): Scope {
  const name = fullName(scope, record);
  if (name === undefined) return scope;
  return { ...scope, namespace: name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : "" };
}

function openType(scope: Scope, column: string, definition: JsonObject): void {
  const name = fullName(scope, definition);
  if (name !== undefined) scope.types.set(name, { type: undefined, count: 0 });
  countTypes(scope, column, 1);
}

function countTypes({ met }: Scope, column: string, count: number): void {
  met.count += count;
  if (met.count <= MAX_TYPES) return;
  throw new HudiError(
    "UNSUPPORTED",
    `cannot use type of column ${column}: the schema unfolds to more than ${MAX_TYPES} types`,
  );
}

function parseAvroType(column: string, json: Json, scope: Scope): Pick<Field, "type" | "nullable"> {
  if (!Array.isArray(json)) {
    return { type: parsePresentType(column, json, scope), nullable: false };
  }
  const isNull = (branch: Json): boolean => branch === "null" || asObject(branch)?.type === "null";
  const present = (json as readonly Json[]).filter((branch) => !isNull(branch));
  if (present.length !== 1) throw unsupportedType(column, json);
  return {
    type: parsePresentType(column, present[0] as Json, scope),
    nullable: present.length < json.length,
  };
}

function parsePresentType(column: string, json: Json, scope: Scope): ColumnType {
  const outer = asObject(json);
  if (outer && typeof outer.type === "object") {
    return parsePresentType(column, outer.type as Json, scope);
  }
  if (outer?.type === "record" || outer?.type === "enum" || outer?.type === "fixed") {
    return parseNamedType(column, outer, scope);
  }
  const name = outer ? outer.type : json;
  const known = typeof name === "string" ? findNamedType(column, name, scope) : undefined;
  if (known) return known;
  countTypes(scope, column, 1);
  const logical = outer?.logicalType ?? undefined;
  if (name === "array") {
    return { kind: "list", element: avroChild(column, "element", outer?.items, scope) };
  }
  if (name === "map") {
    return { kind: "map", value: avroChild(column, "value", outer?.values, scope) };
  }
  if (logical === "decimal" && name === "bytes") {
    return parseDecimalType(column, outer?.precision, outer?.scale ?? 0);
  }
  if (typeof logical === "string" && LOGICAL_TYPES.get(logical) === name) {
    return { kind: logical as PlainTypeName };
  }
  if (logical === undefined && typeof name === "string" && PRIMITIVES.has(name)) {
    return { kind: name as PlainTypeName };
  }
  throw unsupportedType(column, json);
}

const PRIMITIVES: ReadonlySet<string> = new Set([
  "string",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
]);

/** Logical types, each with the primitive that it is made of. */
const LOGICAL_TYPES: ReadonlyMap<string, string> = new Map([
  ["date", "int"],
  ["time-millis", "int"],
  ["time-micros", "long"],
  ["timestamp-millis", "long"],
  ["timestamp-micros", "long"],
  ["local-timestamp-millis", "long"],
  ["local-timestamp-micros", "long"],
]);

function findNamedType(column: string, name: string, scope: Scope): ColumnType | undefined {
  const full = fullName(scope, { name }) as string;
  const known = scope.types.get(full) ?? scope.types.get(name);
  // A record may be called as a kind of type is.
  if (!known || PRIMITIVES.has(name) || name === "array" || name === "map") return undefined;
  if (known.type === undefined) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot use type ${JSON.stringify(name.slice(0, 100))} of column ${column}: found a record that holds itself`,
    );
  }
  countTypes(scope, column, known.count);
  return known.type;
}

function parseNamedType(column: string, json: JsonObject, scope: Scope): ColumnType {
  const before = scope.met.count;
  openType(scope, column, json);
  const type = parseDefinition(column, json, scope);
  const name = fullName(scope, json);
  if (name !== undefined) scope.types.set(name, { type, count: scope.met.count - before });
  return type;
}

function parseDefinition(column: string, json: JsonObject, scope: Scope): ColumnType {
  if (json.type === "record") return parseStructType(column, json.fields, innerScope(scope, json));
  if (json.type === "enum") {
    const symbols = Array.isArray(json.symbols) ? (json.symbols as readonly Json[]) : [];
    return fromFile(() => createEnumType(column, symbols.map(String)));
  }
  if (json.logicalType === "decimal") {
    return parseDecimalType(column, json.precision, json.scale ?? 0);
  }
  if (json.logicalType === undefined) return createFixedType(column, Number(json.size));
  throw unsupportedType(column, json);
}

function avroChild(column: string, name: string, json: Json | undefined, scope: Scope): Field {
  if (json === undefined) {
    throw new HudiError("CORRUPT", `cannot read Avro schema: column ${column} lacks its ${name}`);
  }
  const id = name === "value" ? 1 : 0;
  return { id, name, ...parseAvroType(`${column}.${name}`, json, scope) };
}

function parseStructType(column: string, json: Json | undefined, scope: Scope): ColumnType {
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
    const { name, type } = field;
    const id = findFieldId(field["field-id"], taken) ?? freeId(taken, index);
    taken.add(id);
    return { id, name, ...parseAvroType(`${column}.${name}`, type, scope) };
  });
  if (fields.length === 0) throw unsupportedType(column, json ?? null);
  return { kind: "struct", fields };
}

function parseDecimalType(column: string, precision: Json | undefined, scale: Json): ColumnType {
  return fromFile(() => createDecimalType(column, Number(precision), Number(scale)));
}

/** What is wrong with the parts of a type is wrong with the file. */
function fromFile(create: () => ColumnType): ColumnType {
  try {
    return create();
  } catch (cause) {
    throw new HudiError("CORRUPT", `cannot read Avro schema: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function unsupportedType(column: string, json: Json): HudiError {
  return new HudiError(
    "UNSUPPORTED",
    `cannot use type ${JSON.stringify(json).slice(0, 200)} of column ${column}: expected one of ${TYPE_NAMES}, or null and one of them`,
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
