// Reads an Avro schema into the closures that decode and encode its values. No code is generated, so
// a schema may come from a file. Rules: spec/format/avro.md.
import { HudiError } from "../errors.ts";
import {
  type AvroCodec,
  createArrayCodec,
  createBranchCodec,
  createEnumCodec,
  createFixedCodec,
  createMapCodec,
  createOptionCodec,
  createPrimitiveCodec,
  createRecordCodec,
} from "./avro-closures.ts";

type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** What is known while a schema is read: types by full name, the namespace and the way there. */
interface Scope {
  readonly path: string;
  readonly types: Map<string, AvroCodec>;
  readonly namespace: string;
  readonly place: string;
  readonly depth: number;
}

const MAX_SCHEMA_CHARACTERS = 1024 * 1024;
const MAX_SCHEMA_DEPTH = 64;

/**
 * Reads a schema in JSON, found in the file `path`. Throws `CORRUPT`, and `UNSUPPORTED` for types
 * whose values take no byte (a `null` outside a union, a record without fields), because their
 * number could not be held against the bytes there are.
 */
export function parseAvroCodec(schemaText: string, path: string): AvroCodec {
  if (schemaText.length > MAX_SCHEMA_CHARACTERS) {
    const found = `found ${schemaText.length} characters, expected at most ${MAX_SCHEMA_CHARACTERS}`;
    throw new HudiError("CORRUPT", `cannot read Avro schema of ${path}: ${found}`, { path });
  }
  let json: Json;
  try {
    json = JSON.parse(schemaText) as Json;
  } catch (cause) {
    const message = `cannot read Avro schema of ${path}: the text is not JSON`;
    throw new HudiError("CORRUPT", message, { path, cause });
  }
  return parseType(json, { path, types: new Map(), namespace: "", place: "root", depth: 0 });
}

function parseType(json: Json | undefined, scope: Scope): AvroCodec {
  if (scope.depth > MAX_SCHEMA_DEPTH) throw refuseSchema(scope, "found types nested too deep");
  if (typeof json === "string") return findNamed(json, scope);
  if (Array.isArray(json)) return parseUnion(json, scope);
  const object = asObject(json);
  if (!object)
    throw refuseSchema(scope, `found ${JSON.stringify(json)?.slice(0, 80)}, expected a type`);
  switch (object.type) {
    case "record":
    case "error":
      return parseRecord(object, scope);
    case "enum":
      return parseEnum(object, scope);
    case "fixed":
      return parseFixed(object, scope);
    case "array":
      return createArrayCodec(parseType(object.items, inner(scope, "[]")), scope.place);
    case "map":
      return createMapCodec(parseType(object.values, inner(scope, "{}")), scope.place);
    default:
      return parseType(object.type, inner(scope, ""));
  }
}

function inner(scope: Scope, step: string): Scope {
  return { ...scope, place: scope.place + step, depth: scope.depth + 1 };
}

function findNamed(name: string, scope: Scope): AvroCodec {
  const primitive = createPrimitiveCodec(name, scope.place);
  if (primitive) return primitive;
  if (name === "null") {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot read Avro schema of ${scope.path}: found null outside a union in ${scope.place}`,
      { path: scope.path },
    );
  }
  const found = scope.types.get(qualify(name, scope.namespace)) ?? scope.types.get(name);
  if (!found) throw refuseSchema(scope, `found unknown type ${JSON.stringify(name.slice(0, 80))}`);
  return found;
}

function parseUnion(branches: readonly Json[], scope: Scope): AvroCodec {
  const codecs = branches.map((branch): AvroCodec | undefined => {
    if (Array.isArray(branch)) throw refuseSchema(scope, "found a union in a union");
    return branch === "null" || asObject(branch)?.type === "null"
      ? undefined
      : parseType(branch, inner(scope, ""));
  });
  const present = codecs.filter((codec) => codec !== undefined);
  if (present.length === 0) throw refuseSchema(scope, "found a union without a type");
  const nullIndex = codecs.indexOf(undefined);
  return present.length === 1
    ? createOptionCodec(codecs, nullIndex, scope.place)
    : createBranchCodec(codecs, nullIndex, scope.place);
}

function parseRecord(json: JsonObject, scope: Scope): AvroCodec {
  const name = readName(json, scope);
  const fields: Array<{ readonly name: string; readonly codec: AvroCodec }> = [];
  const codec = createRecordCodec(name, fields);
  defineType(codec, scope);
  const namespace = name.includes(".") ? name.slice(0, name.lastIndexOf(".")) : "";
  if (!Array.isArray(json.fields)) throw refuseSchema(scope, `found record ${name} without fields`);
  const taken = new Set<string>();
  for (const entry of json.fields as readonly Json[]) {
    const field = asObject(entry);
    if (typeof field?.name !== "string" || field.name === "" || taken.has(field.name)) {
      throw refuseSchema(scope, `found a field of ${name} without a name of its own`);
    }
    taken.add(field.name);
    const place = `${name}.${field.name}`;
    const fieldScope = { ...scope, namespace, place, depth: scope.depth + 1 };
    fields.push({ name: field.name, codec: parseType(field.type, fieldScope) });
  }
  if (fields.length === 0) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot read Avro schema of ${scope.path}: found record ${name} with no fields`,
      { path: scope.path },
    );
  }
  return codec;
}

function parseEnum(json: JsonObject, scope: Scope): AvroCodec {
  const symbols = Array.isArray(json.symbols) ? (json.symbols as readonly Json[]) : [];
  if (symbols.length === 0 || !symbols.every((symbol) => typeof symbol === "string")) {
    throw refuseSchema(scope, "found an enum without symbols");
  }
  const codec = createEnumCodec(readName(json, scope), symbols as readonly string[], scope.place);
  defineType(codec, scope);
  return codec;
}

function parseFixed(json: JsonObject, scope: Scope): AvroCodec {
  const { size } = json;
  if (typeof size !== "number" || !Number.isInteger(size) || size < 1 || size > 0x7fff_ffff) {
    throw refuseSchema(scope, "found a fixed without a size of at least one byte");
  }
  const codec = createFixedCodec(readName(json, scope), size, scope.place);
  defineType(codec, scope);
  return codec;
}

function defineType(codec: AvroCodec, scope: Scope): void {
  if (scope.types.has(codec.name)) throw refuseSchema(scope, `found type ${codec.name} twice`);
  scope.types.set(codec.name, codec);
}

function readName(json: JsonObject, scope: Scope): string {
  if (typeof json.name !== "string" || json.name === "") {
    throw refuseSchema(scope, `found a ${String(json.type)} without a name`);
  }
  const { namespace } = json;
  return qualify(json.name, typeof namespace === "string" ? namespace : scope.namespace);
}

function qualify(name: string, namespace: string): string {
  return name.includes(".") || namespace === "" ? name : `${namespace}.${name}`;
}

function refuseSchema(scope: Scope, found: string): HudiError {
  const { path, place } = scope;
  const message = `cannot read Avro schema of ${path}: ${found} in ${place}`;
  return new HudiError("CORRUPT", message, { path });
}

function asObject(json: Json | undefined): JsonObject | undefined {
  return typeof json === "object" && json !== null && !Array.isArray(json)
    ? (json as JsonObject)
    : undefined;
}
