// Random types with others inside them, and values of them with the hostile ones among them.
import fc from "fast-check";
import type { ColumnBatch } from "../../src/format/column-batch.ts";
import { formatDecimal } from "../../src/format/decimal-builder.ts";
import { openParquetFile } from "../../src/format/parquet-reader.ts";
import { batchRows, RowBatchBuilder } from "../../src/format/row-batch.ts";
import { createTableSchema, type Field, type TableSchema } from "../../src/format/schema.ts";
import { someValueOf } from "./column-samples.ts";
import { memorySource, readRowGroup } from "./parquet-samples.ts";

const LEAVES = [
  "string",
  "boolean",
  "int",
  "long",
  "float",
  "double",
  "bytes",
  "date",
  "timestamp-micros",
  "decimal(1,0)",
  "decimal(9,2)",
  "decimal(18,18)",
  "decimal(38,10)",
] as const;

/** The text of a type, up to five levels deep. */
export const typeText: fc.Arbitrary<string> = fc.letrec<{ type: string; nullable: string }>(
  (tie) => ({
    nullable: fc
      .tuple(tie("type"), fc.boolean())
      .map(([type, isNullable]) => (isNullable ? `${type}?` : type)),
    type: fc.oneof(
      { maxDepth: 5, depthSize: "small" },
      fc.constantFrom(...LEAVES),
      tie("nullable").map((inside) => `list<${inside}>`),
      tie("nullable").map((inside) => `map<${inside}>`),
      fc
        .array(tie("nullable"), { minLength: 1, maxLength: 3 })
        .map((parts) => `struct<${parts.map((part, at) => `f${at}:${part}`).join(",")}>`),
    ),
  }),
).nullable;

const long = "long text ".repeat(20);

/** Values at the edges of a type. */
function edgesOf(field: Field): readonly unknown[] {
  switch (field.type.kind) {
    case "string":
      return ["", "\0", "\u{10ffff}".repeat(20), `${"a".repeat(62)}\u20ac`, long, `${long}!`];
    case "bytes":
      return [new Uint8Array(0), new Uint8Array(80).fill(0xff), new Uint8Array(70).fill(0x80)];
    case "int":
      return [-(2 ** 31), 2 ** 31 - 1, 0];
    case "long":
      return [-(2n ** 63n), 2n ** 63n - 1n, 0n];
    case "timestamp-micros":
      // The year 1, the last microsecond of 9999, and years beyond.
      return [-62_135_596_800_000_000n, 253_402_300_799_999_999n, 9_000_000_000_000_000_000n, -1n];
    case "float":
    case "double":
      return [Number.NaN, -0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    case "date":
      return [-719_162, -1, 0, 2_932_896, 4_000_000].map((day) => new Date(day * 86_400_000));
    default:
      return [];
  }
}

/** A value of a field, or null if it allows that; what is inside has edges too. */
function anyValueOf(field: Field): fc.Arbitrary<unknown> {
  const value = wholeValueOf(field);
  return field.nullable ? fc.option(value, { nil: null, freq: 4 }) : value;
}

function wholeValueOf(field: Field): fc.Arbitrary<unknown> {
  const { type } = field;
  switch (type.kind) {
    case "struct":
      return fc.tuple(...type.fields.map(anyValueOf)).map((values) => {
        const names = type.fields.map(({ name }) => name);
        return Object.fromEntries(names.map((name, at) => [name, values[at]]));
      });
    case "list":
      return fc.array(anyValueOf(type.element), { maxLength: 3, size: "max" });
    case "map": {
      const entry = fc.tuple(fc.constantFrom("", "a", "b", "k\u{1f600}"), anyValueOf(type.value));
      return fc.array(entry, { maxLength: 3, size: "max" }).map(Object.fromEntries);
    }
    case "decimal": {
      const most = 10n ** BigInt(type.precision) - 1n;
      const unscaled = fc.oneof(
        fc.bigInt({ min: -most, max: most }),
        fc.constantFrom(most, -most, 0n, -1n),
      );
      return unscaled.map((value) => formatDecimal(value, type.scale));
    }
    default: {
      const edges = edgesOf(field);
      if (edges.length === 0) return someValueOf(field);
      return fc.oneof(
        { weight: 2, arbitrary: someValueOf(field) },
        { weight: 1, arbitrary: fc.constantFrom(...edges) },
      );
    }
  }
}

export type Row = Readonly<Record<string, unknown>>;

/** Rows of a schema; of some columns all values are the same. */
export function rowsOf(schema: TableSchema, maxRows: number): fc.Arbitrary<Row[]> {
  const names = schema.fields.map(({ name }) => name);
  return fc.integer({ min: 0, max: maxRows }).chain((count) => {
    const columns = schema.fields.map((field) => {
      const value = anyValueOf(field);
      return fc.oneof(
        { weight: 4, arbitrary: fc.array(value, { minLength: count, maxLength: count }) },
        { weight: 1, arbitrary: value.map((one) => Array<unknown>(count).fill(one)) },
      );
    });
    return fc
      .tuple(...columns)
      .map((lists) =>
        Array.from({ length: count }, (_, row) =>
          Object.fromEntries(names.map((name, at) => [name, lists[at]?.[row]])),
        ),
      );
  });
}

/** A random schema with rows of it. */
export function tableSample(
  maxColumns: number,
  maxRows: number,
): fc.Arbitrary<{ readonly schema: TableSchema; readonly rows: readonly Row[] }> {
  return fc.array(typeText, { minLength: 1, maxLength: maxColumns, size: "max" }).chain((types) => {
    const schema = schemaOf(types);
    return rowsOf(schema, maxRows).map((rows) => ({ schema, rows }));
  });
}

export function schemaOf(types: readonly string[]): TableSchema {
  return createTableSchema("t", Object.fromEntries(types.map((type, at) => [`c${at}`, type])));
}

/** Rows as a batch of columns. */
export function toBatch(schema: TableSchema, rows: readonly unknown[]): ColumnBatch {
  const builder = new RowBatchBuilder(schema);
  for (const row of rows) builder.append(row);
  return builder.finish();
}

/** All rows of a file. */
export async function readRows(bytes: Uint8Array, schema: TableSchema): Promise<unknown[]> {
  const file = await openParquetFile(memorySource(bytes));
  const rows: unknown[] = [];
  for (const group of file.rowGroups.keys()) {
    rows.push(...batchRows(await readRowGroup(file, group, schema.fields)));
  }
  return rows;
}

/** Values as tests compare them: no prototypes, every bit of a number. */
export function plain(value: unknown): unknown {
  if (value === undefined) return null;
  if (value instanceof Date) return `date ${value.getTime()}`;
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number") return Object.is(value, -0) ? "-0" : String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value).map(([name, inside]) => [name, plain(inside)]);
}
