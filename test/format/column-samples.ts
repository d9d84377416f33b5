// Columns and batches of random values of every type, for tests of what works on columns.
import fc from "fast-check";
import type { Column, ColumnBatch } from "../../src/format/column-batch.ts";
import { createColumnBuilder } from "../../src/format/column-builder.ts";
import { createValueReader } from "../../src/format/row-batch.ts";
import { createTableSchema, type Field, type TableSchema } from "../../src/format/schema.ts";

/** One column of each type, nullable. */
export const ALL_TYPES = {
  text: "string?",
  flag: "boolean?",
  small: "int?",
  big: "long?",
  single: "float?",
  ratio: "double?",
  blob: "bytes?",
  day: "date?",
  moment: "timestamp-micros?",
  price: "decimal(10,2)?",
  amount: "decimal(38,10)?",
  digest: "fixed(3)?",
  size: "enum(SMALL,LARGE,x_1)?",
  clock: "time-millis?",
  exactClock: "time-micros?",
  instant: "timestamp-millis?",
} as const;

export const ALL_SCHEMA: TableSchema = createTableSchema("all", ALL_TYPES);

function digits(precision: number, scale: number): fc.Arbitrary<string> {
  const most = 10n ** BigInt(precision) - 1n;
  return fc.bigInt({ min: -most, max: most }).map((unscaled) => {
    const text = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, "0");
    const whole = text.slice(0, text.length - scale);
    return `${unscaled < 0n ? "-" : ""}${whole}.${text.slice(text.length - scale)}`;
  });
}

const MS_A_DAY = 86_400_000;

/** A value of a field as rows hold it, without null. */
export function someValueOf(field: Field): fc.Arbitrary<unknown> {
  switch (field.type.kind) {
    case "string":
      return fc.string({ unit: "grapheme", maxLength: 12 });
    case "boolean":
      return fc.boolean();
    case "int":
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    case "long":
    case "timestamp-millis":
    case "timestamp-micros":
    case "local-timestamp-millis":
    case "local-timestamp-micros":
      return fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    case "time-millis":
      return fc.integer({ min: 0, max: 86_399_999 });
    case "time-micros":
      return fc.bigInt({ min: 0n, max: 86_399_999_999n });
    case "fixed": {
      const { length } = field.type;
      return fc.uint8Array({ minLength: length, maxLength: length });
    }
    case "enum":
      return fc.constantFrom(...field.type.symbols);
    case "float":
      return fc.float();
    case "bytes":
      return fc.uint8Array({ maxLength: 12 });
    case "double":
      return fc.double();
    case "date":
      return fc.integer({ min: -700_000, max: 2_900_000 }).map((day) => new Date(day * MS_A_DAY));
    case "decimal":
      return digits(field.type.precision, field.type.scale);
    case "struct": {
      const values = field.type.fields.map((child) => [child.name, someOrNull(child)] as const);
      return fc.record(Object.fromEntries(values), { noNullPrototype: false });
    }
    case "list":
      return fc.array(someOrNull(field.type.element), { maxLength: 4 });
    case "map":
      return fc.dictionary(fc.string({ maxLength: 3 }), someOrNull(field.type.value), {
        maxKeys: 4,
        noNullPrototype: false,
      });
  }
}

/** A value of a field, or null if it allows that. */
export function someOrNull(field: Field): fc.Arbitrary<unknown> {
  const value = someValueOf(field);
  return field.nullable ? fc.option(value, { nil: null }) : value;
}

/** Values of a field, nulls among them if it allows them. */
export function valuesOf(field: Field, maxLength = 40): fc.Arbitrary<unknown[]> {
  const value = someValueOf(field);
  const some = field.nullable ? fc.option(value, { nil: null }) : value;
  return fc.array(some, { maxLength });
}

/** A column of these values. */
export function columnOf(field: Field, values: readonly unknown[]): Column {
  const builder = createColumnBuilder(field);
  for (const value of values) builder.append(value);
  return builder.finish();
}

/** What a column holds, as rows hold it. */
export function valuesIn(field: Field, column: Column): unknown[] {
  const read = createValueReader(field, column);
  return Array.from({ length: column.rowCount }, (_, row) => read(row));
}

/** A batch with these columns. */
export function batchOf(
  schema: TableSchema,
  columns: Readonly<Record<string, readonly unknown[]>>,
): ColumnBatch {
  const built = schema.fields.map((field) => columnOf(field, columns[field.name] ?? []));
  return { schema, rowCount: built[0]?.rowCount ?? 0, columns: built };
}

/** Values of one length for each column of a schema. */
export function columnsOf(
  schema: TableSchema,
  maxRows = 30,
): fc.Arbitrary<Record<string, unknown[]>> {
  return fc.integer({ min: 0, max: maxRows }).chain((rows) =>
    fc.record(
      Object.fromEntries(
        schema.fields.map((field) => [
          field.name,
          fc.array(
            field.nullable ? fc.option(someValueOf(field), { nil: null }) : someValueOf(field),
            {
              minLength: rows,
              maxLength: rows,
            },
          ),
        ]),
      ),
    ),
  );
}
