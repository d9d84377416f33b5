// The types of an Avro schema in JSON, looked at one by one: names resolved, nesting bounded, nothing
// generated. Rules: spec/format/avro.md.
import { HudiError } from "../errors.ts";

export type AvroJson = null | boolean | number | string | readonly AvroJson[] | AvroJsonObject;
export interface AvroJsonObject {
  readonly [key: string]: AvroJson | undefined;
}

const MAX_SCHEMA_DEPTH = 64;

/** Named types by full name, and the way there. */
export interface AvroScope {
  readonly path: string;
  readonly types: Map<string, AvroJsonObject>;
  readonly namespace: string;
  readonly place: string;
  readonly depth: number;
}

/** The one type of a union that is not null, and which branch null is; -1 where it is none. */
export function unionOf(
  branches: readonly AvroJson[],
  scope: AvroScope,
): { readonly present: AvroJson; readonly nullIndex: number } {
  const isNull = (branch: AvroJson): boolean =>
    branch === "null" || asObject(branch)?.type === "null";
  const present = branches.filter((branch) => !isNull(branch));
  if (present.length !== 1 || branches.length > 2) {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot read ${scope.path}: column ${scope.place} is a union of several types`,
      { path: scope.path },
    );
  }
  return { present: present[0] as AvroJson, nullIndex: branches.findIndex(isNull) };
}

/** The object of a type, whose `type` names what it is; a name stands for the type it was given to. */
export function resolveType(json: AvroJson, scope: AvroScope): AvroJsonObject {
  if (typeof json === "string") {
    const named = scope.types.get(qualify(json, scope.namespace)) ?? scope.types.get(json);
    return named ?? { type: json };
  }
  const object = asObject(json);
  if (!object) throw refuseSchema(scope, `column ${scope.place} has no type`);
  if (typeof object.type === "object" && object.type !== null && !Array.isArray(object.type)) {
    return resolveType(object.type as AvroJson, insideType(scope, ""));
  }
  const { name } = object;
  if (typeof name === "string") {
    const namespace = typeof object.namespace === "string" ? object.namespace : scope.namespace;
    scope.types.set(qualify(name, namespace), object);
  }
  return object;
}

/** The scope of the fields of a record. Throws where records hold each other without end. */
export function enterRecord(json: AvroJsonObject, scope: AvroScope): AvroScope {
  const own = typeof json.namespace === "string" ? json.namespace : scope.namespace;
  const name = typeof json.name === "string" ? qualify(json.name, own) : "";
  const dot = name.lastIndexOf(".");
  return { ...insideType(scope, ""), namespace: dot < 0 ? own : name.slice(0, dot) };
}

export function insideType(scope: AvroScope, step: string): AvroScope {
  if (scope.depth >= MAX_SCHEMA_DEPTH) throw refuseSchema(scope, "the schema is nested too deep");
  return { ...scope, place: scope.place + step, depth: scope.depth + 1 };
}

export function recordFields(
  json: AvroJsonObject,
  scope: AvroScope,
): { readonly name: string; readonly type: AvroJson }[] {
  const entries = Array.isArray(json.fields) ? (json.fields as readonly AvroJson[]) : [];
  if (entries.length === 0) throw refuseSchema(scope, `record ${String(json.name)} has no fields`);
  return entries.map((entry) => {
    const field = asObject(entry);
    if (typeof field?.name !== "string") throw refuseSchema(scope, "a field has no name");
    return { name: field.name, type: requireJson(field.type, scope) };
  });
}

export function requireSize(json: AvroJsonObject, scope: AvroScope): number {
  const { size } = json;
  if (typeof size === "number" && Number.isInteger(size) && size > 0) return size;
  throw refuseSchema(scope, `column ${scope.place} has no size`);
}

export function requireJson(json: AvroJson | undefined, scope: AvroScope): AvroJson {
  if (json === undefined) throw refuseSchema(scope, `column ${scope.place} lacks a type`);
  return json;
}

export function qualify(name: string, namespace: string): string {
  return name.includes(".") || namespace === "" ? name : `${namespace}.${name}`;
}

export function refuseSchema(scope: AvroScope, fact: string): HudiError {
  return new HudiError("CORRUPT", `cannot read Avro schema of ${scope.path}: ${fact}`, {
    path: scope.path,
  });
}

export function asObject(json: AvroJson | undefined): AvroJsonObject | undefined {
  return typeof json === "object" && json !== null && !Array.isArray(json)
    ? (json as AvroJsonObject)
    : undefined;
}
