// Values of structs, lists and maps as one text, which is equal for equal values of any engine; names
// of maps are sorted, those of structs keep their place.

import type { Field } from "../../../src/format/schema.ts";
import { childFields, isNested, type NestedType } from "../../../src/format/schema.ts";
import { parseExactJson } from "../../../src/ingest/exact-json.ts";

/** The text of a value of the API. */
export function formatNested(value: unknown, field: Field): string {
  if (value === null || value === undefined) return "null";
  const { type } = field;
  if (type.kind === "timestamp-millis") return formatLeaf((value as bigint) * 1000n);
  if (!isNested(type)) return formatLeaf(value);
  const fields = childFields(type);
  if (Array.isArray(value)) {
    return `[${value.map((item) => formatNested(item, fields[0] as Field)).join(",")}]`;
  }
  const object = value as Record<string, unknown>;
  if (type.kind === "struct") {
    const parts = fields.map(
      (child) => `${JSON.stringify(child.name)}:${formatNested(object[child.name], child)}`,
    );
    return `{${parts.join(",")}}`;
  }
  const item = (type as { readonly value: Field }).value;
  const parts = Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${formatNested(object[key], item)}`);
  return `{${parts.join(",")}}`;
}

function formatLeaf(value: unknown): string {
  if (value instanceof Date) return JSON.stringify(value.toISOString().slice(0, 10));
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString("base64"));
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** The value of the API that such a text stands for. */
export function parseNested(text: string, field: Field): unknown {
  return convert(parseExactJson(text), field);
}

function convert(value: unknown, field: Field): unknown {
  if (value === null) return null;
  const { type } = field;
  if (!isNested(type)) {
    if (type.kind === "timestamp-millis") return BigInt(value as number) / 1000n;
    if (type.kind === "long" || type.kind === "timestamp-micros" || type.kind === "time-micros") {
      return BigInt(value as number);
    }
    return type.kind === "bytes" || type.kind === "fixed"
      ? Buffer.from(value as string, "base64")
      : value;
  }
  const fields = childFields(type);
  if (Array.isArray(value)) return value.map((item) => convert(item, fields[0] as Field));
  const object = value as Record<string, unknown>;
  const fieldOf = (name: string): Field =>
    type.kind === "struct"
      ? (fields.find((child) => child.name === name) as Field)
      : (type as { readonly value: Field }).value;
  return Object.fromEntries(
    Object.entries(object).map(([name, item]) => [name, convert(item, fieldOf(name))]),
  );
}

/** The type in Hive's notation, which Spark and Presto's metastore read. */
export function formatNestedType(type: NestedType, formatType: (field: Field) => string): string {
  const fields = childFields(type);
  switch (type.kind) {
    case "list":
      return `array<${formatType(fields[0] as Field)}>`;
    case "map":
      return `map<string,${formatType(type.value)}>`;
    case "struct":
      return `struct<${fields.map((child) => `${child.name}:${formatType(child)}`).join(",")}>`;
  }
}
