// Logical types, fields with stable ids, and table schemas. Rules: spec/format/schema.md.
import { HudiError } from "../errors.ts";

/** A logical type without parameters. */
export type PlainTypeName =
  | "string"
  | "boolean"
  | "int"
  | "long"
  | "double"
  | "date"
  | "timestamp-micros";

/** The logical type of a column. A decimal holds `precision` digits, `scale` of them fractional. */
export type ColumnType =
  | { readonly kind: PlainTypeName }
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number };

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
}

const PLAIN_TYPES: ReadonlySet<string> = new Set<PlainTypeName>([
  "string",
  "boolean",
  "int",
  "long",
  "double",
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
  const decimal = /^decimal\((\d{1,3}),\s*(\d{1,3})\)$/.exec(name);
  if (decimal) {
    return { type: createDecimalType(column, Number(decimal[1]), Number(decimal[2])), nullable };
  }
  throw new HudiError(
    "UNSUPPORTED",
    `cannot use type "${text}" of column ${column}: expected one of ${[...PLAIN_TYPES].join(", ")}, decimal(p,s)`,
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
  const { type } = field;
  const name = type.kind === "decimal" ? `decimal(${type.precision},${type.scale})` : type.kind;
  return field.nullable ? `${name}?` : name;
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
    if (!FIELD_NAME.test(column)) {
      throw new HudiError(
        "INVALID",
        `cannot use column name ${JSON.stringify(column)}: expected letters, digits and _, not starting with a digit`,
      );
    }
    if (column.startsWith("_hoodie_")) {
      throw new HudiError("INVALID", `cannot use column name ${column}: _hoodie_ is reserved`);
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
  if (a.kind === "decimal" && b.kind === "decimal") {
    return a.precision === b.precision && a.scale === b.scale;
  }
  return a.kind === b.kind;
}

/** The text of a type alone, for messages. */
export function formatType(type: ColumnType): string {
  return formatFieldType({ type, nullable: false });
}
