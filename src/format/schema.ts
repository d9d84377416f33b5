// Logical types, fields with stable ids, and table schemas. Rules: spec/format/schema.md.
import { HudiError } from "../errors.ts";

/** A logical type without parameters. */
export type PlainTypeName =
  | "string"
  | "boolean"
  | "int"
  | "long"
  | "float"
  | "double"
  | "bytes"
  | "date"
  | "timestamp-micros";

/** The logical type of a column. A decimal holds `precision` digits, `scale` of them fractional. */
export type ColumnType =
  | { readonly kind: PlainTypeName }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "struct"; readonly fields: readonly Field[] }
  | { readonly kind: "list"; readonly element: Field }
  /** Keys are texts; `value` is the field of a value. */
  | { readonly kind: "map"; readonly value: Field };

/** A type whose values hold other values. */
export type NestedType = Extract<ColumnType, { readonly kind: "struct" | "list" | "map" }>;

/** Whether values of a type hold other values. */
export function isNested(type: ColumnType): type is NestedType {
  return type.kind === "struct" || type.kind === "list" || type.kind === "map";
}

/** The fields of the columns inside a column: those of a struct, the element of a list, the entry of a map. */
export function childFields(type: NestedType): readonly Field[] {
  switch (type.kind) {
    case "struct":
      return type.fields;
    case "list":
      return [type.element];
    case "map": {
      const key: Field = { id: 0, name: "key", type: { kind: "string" }, nullable: false };
      const entry: ColumnType = { kind: "struct", fields: [key, type.value] };
      return [{ id: 0, name: "key_value", type: entry, nullable: false }];
    }
  }
}

/** One column. `id` stays the same for the life of the column, whatever its name and place. */
export interface Field {
  readonly id: number;
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
}

/** Columns in order, without the meta columns of Hudi. */
export interface TableSchema {
  /** Name of the Avro record, for example `trips_record`. */
  readonly name: string;
  readonly fields: readonly Field[];
  /** The greatest id that a column of the table ever had, one that was dropped included. */
  readonly lastFieldId?: number | undefined;
}

const PLAIN_TYPES: ReadonlySet<string> = new Set<PlainTypeName>([
  "string",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
  "date",
  "timestamp-micros",
]);

/** The largest precision whose unscaled value fits into `widthBytes` bytes of two's complement. */
export function maxDecimalPrecision(widthBytes: number): number {
  return Math.floor((8 * widthBytes - 1) * Math.log10(2));
}

/** The smallest number of bytes that hold any decimal of this precision (5 for 10, 7 for 15). */
export function decimalWidthBytes(precision: number): number {
  let width = 1;
  while (maxDecimalPrecision(width) < precision) width += 1;
  return width;
}

/**
 * Parses a type of the field list: a type name, `decimal(p,s)`, each with a trailing `?` when the
 * column may hold null. Throws `INVALID` or `UNSUPPORTED` naming the column.
 */
export function parseFieldType(
  column: string,
  text: string,
): { readonly type: ColumnType; readonly nullable: boolean } {
  if (typeof text !== "string") {
    throw new HudiError(
      "INVALID",
      `cannot use type of column ${column}: found ${typeof text}, expected a type name such as "string?"`,
    );
  }
  const nullable = text.endsWith("?");
  const name = nullable ? text.slice(0, -1) : text;
  if (PLAIN_TYPES.has(name)) return { type: { kind: name as PlainTypeName }, nullable };
  const nested = /^(list|map|struct)<(.*)>$/s.exec(name);
  if (nested) {
    const type = parseNestedType(column, nested[1] as string, nested[2] as string);
    return { type, nullable };
  }
  const decimal = /^decimal\((\d{1,3}),\s*(\d{1,3})\)$/.exec(name);
  if (decimal) {
    return { type: createDecimalType(column, Number(decimal[1]), Number(decimal[2])), nullable };
  }
  throw new HudiError(
    "UNSUPPORTED",
    `cannot use type "${text}" of column ${column}: expected one of ${[...PLAIN_TYPES].join(", ")}, decimal(p,s), list<t>, map<t>, struct<name:t,...>`,
  );
}

function parseNestedType(column: string, kind: string, inside: string): ColumnType {
  const child = (name: string, text: string, id: number): Field => {
    if (!FIELD_NAME.test(name)) throw unfitName(`${column}.${name}`);
    return { id, name, ...parseFieldType(`${column}.${name}`, text.trim()) };
  };
  if (kind === "list") return { kind: "list", element: child("element", inside, 0) };
  if (kind === "map") return { kind: "map", value: child("value", inside, 1) };
  const parts = splitTypes(inside).map((part) => part.split(/:(.*)/s));
  const fields = parts.map(([name = "", text = ""], id) => child(name.trim(), text, id));
  const names = fields.map(({ name }) => name.toLowerCase());
  const twin = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twin >= 0) {
    throw new HudiError(
      "INVALID",
      `cannot use type of column ${column}: found ${fields[twin]?.name} twice, which catalogs do not keep apart`,
    );
  }
  return { kind: "struct", fields };
}

/** Texts between commas that stand in no brackets. */
function splitTypes(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at <= text.length; at += 1) {
    const char = text[at];
    if (char === "<" || char === "(") depth += 1;
    else if (char === ">" || char === ")") depth -= 1;
    else if (char === undefined || (char === "," && depth === 0)) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return parts;
}

function unfitName(column: string): HudiError {
  return new HudiError(
    "INVALID",
    `cannot use column name ${JSON.stringify(column)}: expected letters, digits and _, not starting with a digit`,
  );
}

/** A checked decimal type: 1 to 38 digits, scale at most the precision. */
export function createDecimalType(column: string, precision: number, scale: number): ColumnType {
  const isWhole = Number.isInteger(precision) && Number.isInteger(scale);
  if (!isWhole || precision < 1 || precision > 38 || scale < 0 || scale > precision) {
    throw new HudiError(
      "INVALID",
      `cannot use type decimal(${precision},${scale}) of column ${column}: expected a precision of 1 to 38 and a scale of at most the precision`,
    );
  }
  return { kind: "decimal", precision, scale };
}

/** The text of a type in the field list: the inverse of `parseFieldType`. */
export function formatFieldType(field: Pick<Field, "type" | "nullable">): string {
  const name = typeName(field.type);
  return field.nullable ? `${name}?` : name;
}

function typeName(type: ColumnType): string {
  switch (type.kind) {
    case "decimal":
      return `decimal(${type.precision},${type.scale})`;
    case "list":
      return `list<${formatFieldType(type.element)}>`;
    case "map":
      return `map<${formatFieldType(type.value)}>`;
    case "struct":
      return `struct<${type.fields.map((child) => `${child.name}:${formatFieldType(child)}`).join(",")}>`;
    default:
      return type.kind;
  }
}

const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * A schema from a field list. Ids follow the order. Throws `INVALID` for names that Avro does not
 * allow, names reserved for Hudi's meta columns, and names that differ in case only.
 */
export function createTableSchema(
  name: string,
  fields: Readonly<Record<string, string>>,
): TableSchema {
  const seen = new Map<string, string>();
  const result = Object.entries(fields).map(([column, text], id): Field => {
    if (!FIELD_NAME.test(column)) throw unfitName(column);
    const isDeleteMark = column === "_hoodie_is_deleted" && /^boolean\??$/.test(text);
    if (column.startsWith("_hoodie_") && !isDeleteMark) {
      throw new HudiError(
        "INVALID",
        `cannot use column name ${column}: _hoodie_ is reserved, but for _hoodie_is_deleted of type boolean`,
      );
    }
    const twin = seen.get(column.toLowerCase());
    if (twin !== undefined) {
      throw new HudiError(
        "INVALID",
        `cannot use column names ${twin} and ${column}: they differ in case only, which catalogs do not keep apart`,
      );
    }
    seen.set(column.toLowerCase(), column);
    return { id, name: column, ...parseFieldType(column, text) };
  });
  if (result.length === 0) {
    throw new HudiError("INVALID", "cannot create schema: found no fields, expected at least one");
  }
  return { name, fields: result };
}

/** The greatest id that a column of the table has, or is known to have had. */
export function lastFieldId(schema: TableSchema): number {
  const greatest = (fields: readonly Field[]): number =>
    fields.reduce((most, { id, type }) => {
      const inside = isNested(type) ? greatest(childFields(type)) : 0;
      return Math.max(most, id, inside);
    }, 0);
  return Math.max(greatest(schema.fields), schema.lastFieldId ?? 0);
}

/** The field of that name, or undefined. */
export function findField(schema: TableSchema, name: string): Field | undefined {
  return schema.fields.find((field) => field.name === name);
}

/** The field of that name; throws `INVALID` listing the columns there are. */
export function requireField(schema: TableSchema, name: string): Field {
  const field = findField(schema, name);
  if (field) return field;
  const columns = schema.fields.map((f) => f.name).join(", ");
  throw new HudiError("INVALID", `cannot find column ${name}: the table has ${columns}`);
}

/** The schema cut to these columns, in the order asked for. */
export function projectSchema(schema: TableSchema, columns: readonly string[]): TableSchema {
  return { name: schema.name, fields: columns.map((name) => requireField(schema, name)) };
}

/** Whether two types hold the same values. */
export function isSameType(a: ColumnType, b: ColumnType): boolean {
  return typeName(a) === typeName(b);
}

/** The text of a type alone, for messages. */
export function formatType(type: ColumnType): string {
  return formatFieldType({ type, nullable: false });
}
