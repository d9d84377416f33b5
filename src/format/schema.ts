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
  | "time-millis"
  | "time-micros"
  | "timestamp-millis"
  | "timestamp-micros"
  | LocalTimestampName;

/** Times of a wall clock, which name no moment: read only. */
export type LocalTimestampName = "local-timestamp-millis" | "local-timestamp-micros";

/**
 * The logical type of a column. A decimal holds `precision` digits, `scale` of them fractional; a fixed
 * `length` bytes; an enum one of its symbols.
 */
export type ColumnType =
  | { readonly kind: PlainTypeName }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "fixed"; readonly length: number }
  | { readonly kind: "enum"; readonly symbols: readonly string[] }
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

/** The bytes of every value of a decimal or a fixed. */
export function fixedWidthBytes(type: ColumnType): number {
  if (type.kind === "fixed") return type.length;
  return decimalWidthBytes((type as { readonly precision: number }).precision);
}

/** Whether values of a type are texts in UTF-8. */
export function isText(type: ColumnType): boolean {
  return type.kind === "string" || type.kind === "enum";
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
  "time-millis",
  "time-micros",
  "timestamp-millis",
  "timestamp-micros",
  "local-timestamp-millis",
  "local-timestamp-micros",
]);

/** Types inside each other at most: the Avro schema of a deeper one exceeds the bounds of JSON that is read. */
export const MAX_TYPE_DEPTH = 14;

/**
 * Parses a type of the field list: a type name, `decimal(p,s)`, `fixed(n)`, `enum(A,B)`, `list<t>`,
 * `map<t>`, `struct<a:t,b:t>`, each with a trailing `?` when the column may hold null. Throws `INVALID`
 * or `UNSUPPORTED` naming the column.
 */
export function parseFieldType(
  column: string,
  text: string,
  depth: number = 0,
): { readonly type: ColumnType; readonly nullable: boolean } {
  if (typeof text !== "string") {
    throw new HudiError(
      "INVALID",
      `cannot use type of column ${column}: found ${typeof text}, expected a type name such as "string?"`,
    );
  }
  if (depth > MAX_TYPE_DEPTH) throw tooDeep(column);
  const nullable = text.endsWith("?");
  const name = nullable ? text.slice(0, -1) : text;
  if (PLAIN_TYPES.has(name)) return { type: { kind: name as PlainTypeName }, nullable };
  const nested = /^(list|map|struct)<(.*)>$/s.exec(name);
  if (nested) {
    const type = parseNestedType(column, nested[1] as string, nested[2] as string, depth + 1);
    return { type, nullable };
  }
  const fixed = /^fixed\((\d{1,9})\)$/.exec(name);
  if (fixed) return { type: createFixedType(column, Number(fixed[1])), nullable };
  const symbols = /^enum\(([^()]*)\)$/.exec(name);
  if (symbols) {
    const names = (symbols[1] as string).split(",").map((symbol) => symbol.trim());
    return { type: createEnumType(column, names), nullable };
  }
  const decimal = /^decimal\((\d{1,3}),\s*(\d{1,3})\)$/.exec(name);
  if (decimal) {
    return { type: createDecimalType(column, Number(decimal[1]), Number(decimal[2])), nullable };
  }
  throw new HudiError(
    "UNSUPPORTED",
    `cannot use type "${text.slice(0, 200)}" of column ${column}: expected one of ${TYPE_NAMES}`,
  );
}

/** The types of a field list, for messages. */
export const TYPE_NAMES: string = [
  ...[...PLAIN_TYPES].filter((name) => !name.startsWith("local-")),
  "decimal(p,s)",
  "fixed(n)",
  "enum(A,B)",
  "list<t>",
  "map<t>",
  "struct<name:t,...>",
].join(", ");

/** The error for types that hold types without an end. */
export function tooDeep(column: string): HudiError {
  const name = column.length > 60 ? `${column.slice(0, 60)}...` : column;
  return new HudiError(
    "UNSUPPORTED",
    `cannot use type of column ${name}: found more than ${MAX_TYPE_DEPTH} types inside each other`,
  );
}

function parseNestedType(column: string, kind: string, inside: string, depth: number): ColumnType {
  const child = (name: string, text: string, id: number): Field => {
    return { id, name, ...parseFieldType(`${column}.${name}`, text.trim(), depth) };
  };
  if (kind === "list") return { kind: "list", element: child("element", inside, 0) };
  if (kind === "map") return { kind: "map", value: child("value", inside, 1) };
  const parts = splitTypes(inside).map((part) => part.split(/:(.*)/s));
  const fields = parts.map(([name = "", text = ""], id) => child(name.trim(), text, id));
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
    case "fixed":
      return `fixed(${type.length})`;
    case "enum":
      return `enum(${type.symbols.join(",")})`;
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

/** The longest fixed: readers of columns make room for wider values without bytes that back it. */
export const MAX_FIXED_LENGTH = 256;

/** A checked fixed type of 1 to 256 bytes. */
export function createFixedType(column: string, length: number): ColumnType {
  if (Number.isInteger(length) && length >= 1 && length <= MAX_FIXED_LENGTH) {
    return { kind: "fixed", length };
  }
  throw new HudiError(
    "UNSUPPORTED",
    `cannot use type fixed(${length}) of column ${column}: expected 1 to ${MAX_FIXED_LENGTH} bytes, or bytes`,
  );
}

/** A checked enum type: names of Avro, each once. */
export function createEnumType(column: string, symbols: readonly string[]): ColumnType {
  const bad = symbols.findIndex(
    (symbol, index) => !FIELD_NAME.test(symbol) || symbols.indexOf(symbol) !== index,
  );
  if (symbols.length > 0 && bad < 0) return { kind: "enum", symbols };
  const found = bad < 0 ? "no symbols" : `symbol ${JSON.stringify(symbols[bad]?.slice(0, 60))}`;
  throw new HudiError(
    "INVALID",
    `cannot use type enum of column ${column}: found ${found}, expected names of letters, digits and _, each once`,
  );
}

const FIELD_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * A schema from a field list. Ids follow the order. Throws `INVALID` or `UNSUPPORTED` as
 * `checkTableSchema` does, and for texts that are no type.
 */
export function createTableSchema(
  name: string,
  fields: Readonly<Record<string, string>>,
): TableSchema {
  const parsed = Object.entries(fields).map(([column, text], id): Field => {
    return { id, name: column, ...parseFieldType(column, text) };
  });
  return checkTableSchema({ name, fields: parsed });
}

/**
 * The schema, if a new table may have it. Throws `INVALID` for names that Avro does not allow, names
 * reserved for Hudi's meta columns, and names that differ in case only; `UNSUPPORTED` for local times.
 */
export function checkTableSchema(schema: TableSchema): TableSchema {
  const { fields } = schema;
  if (fields.length === 0) {
    throw new HudiError("INVALID", "cannot create schema: found no fields, expected at least one");
  }
  for (const { name, type } of fields) {
    const isDeleteMark = name === "_hoodie_is_deleted" && type.kind === "boolean";
    if (name.startsWith("_hoodie_") && !isDeleteMark) {
      throw new HudiError(
        "INVALID",
        `cannot use column name ${name}: _hoodie_ is reserved, but for _hoodie_is_deleted of type boolean`,
      );
    }
  }
  checkFields("", fields, 0);
  return schema;
}

function checkFields(outer: string, fields: readonly Field[], depth: number): void {
  const seen = new Map<string, string>();
  for (const { name, type } of fields) {
    const path = `${outer}${name}`;
    if (!FIELD_NAME.test(name)) throw unfitName(path);
    const twin = seen.get(name.toLowerCase());
    if (twin !== undefined) {
      throw new HudiError(
        "INVALID",
        `cannot use column names ${outer}${twin} and ${path}: they are the same or differ in case only, which catalogs do not keep apart`,
      );
    }
    seen.set(name.toLowerCase(), name);
    checkType(path, type, depth);
  }
}

function checkType(path: string, type: ColumnType, depth: number): void {
  if (depth > MAX_TYPE_DEPTH) throw tooDeep(path);
  const inner = depth + 1;
  if (type.kind === "struct") checkFields(`${path}.`, type.fields, inner);
  else if (type.kind === "list") checkType(`${path}.element`, type.element.type, inner);
  else if (type.kind === "map") checkType(`${path}.value`, type.value.type, inner);
  else if (type.kind === "local-timestamp-millis" || type.kind === "local-timestamp-micros") {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot use type ${type.kind} of column ${path}: tables of version 6 hold no local times, expected ${type.kind.slice("local-".length)}`,
    );
  }
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
