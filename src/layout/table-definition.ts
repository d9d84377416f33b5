// What a caller says of a new table, checked and turned into its properties.
import { HudiError } from "../errors.ts";
import { formatAvroSchema } from "../format/avro-schema.ts";
import type { TableSchema } from "../format/schema.ts";
import { requireOrderingField, resolveSchema, type SchemaSource } from "./definition-schema.ts";
import { defineIndex, type IndexDefinition } from "./index-definition.ts";
import { requireKeyField } from "./record-key.ts";
import { createTableProperties } from "./table-config.ts";

/** The values of a row, by the type of the column. */
export interface LogicalTypes {
  string: string;
  boolean: boolean;
  int: number;
  long: bigint;
  /** Rounded to single precision. */
  float: number;
  double: number;
  bytes: Uint8Array;
  /** Midnight UTC. */
  date: Date;
  /** Milliseconds since midnight. */
  "time-millis": number;
  /** Microseconds since midnight. */
  "time-micros": bigint;
  /** Milliseconds since the epoch. */
  "timestamp-millis": bigint;
  /** Microseconds since the epoch. */
  "timestamp-micros": bigint;
}
/** A decimal of `p` digits, `s` of them fractional; its value is a text with the full scale. */
export type DecimalName = `decimal(${number},${number})`;
/** Bytes of a given length: 1 to 256. */
export type FixedName = `fixed(${number})`;
/** One of some symbols, such as `enum(SMALL,LARGE)`. */
export type EnumName = `enum(${string})`;
/** Types with others inside, such as `list<int?>`, `map<string>` and `struct<a:int,b:list<long>?>`. */
export type NestedName = `list<${string}>` | `map<${string}>` | `struct<${string}>`;
export type LogicalName = keyof LogicalTypes | DecimalName | FixedName | EnumName | NestedName;
type SymbolsOf<S extends string> = S extends `${infer First},${infer Rest}`
  ? Trimmed<First> | SymbolsOf<Rest>
  : Trimmed<S>;
type Trimmed<S extends string> = S extends ` ${infer T}` | `${infer T} ` ? Trimmed<T> : S;
/** Columns in order; a `?` behind the type allows null. */
export type Fields = Readonly<Record<string, LogicalName | `${LogicalName}?`>>;
type ValueOfName<N> = N extends keyof LogicalTypes
  ? LogicalTypes[N]
  : N extends DecimalName
    ? string
    : N extends FixedName
      ? Uint8Array
      : N extends `enum(${infer S})`
        ? SymbolsOf<S>
        : N extends `list<${infer E}>`
          ? ValueOf<E>[]
          : N extends `map<${infer V}>`
            ? Record<string, ValueOf<V>>
            : N extends `struct<${string}>`
              ? Record<string, unknown>
              : never;
type ValueOf<T> = T extends `${infer N}?` ? ValueOfName<N> | null : ValueOfName<T>;
/** The row that a field list describes. */
export type RowOf<F extends Fields> = { -readonly [K in keyof F]: ValueOf<F[K]> };

/** A new table. */
export interface TableDefinition<F extends Fields = Fields> {
  readonly name: string;
  readonly type: "copy-on-write";
  readonly fields: F;
  readonly recordKey: keyof F & string;
  readonly partitionBy?: (keyof F & string) | undefined;
  /** Of two versions of a row the one with the greater value wins; an equal one replaces. */
  readonly orderingField?: (keyof F & string) | undefined;
  /** How rows are found by key; default `bloom`. */
  readonly index?: IndexDefinition | undefined;
  /** Partition folders named `column=value`; default false. */
  readonly hiveStyle?: boolean | undefined;
  /** Percent-encode partition values, which allows `/` in them; default false. */
  readonly urlEncode?: boolean | undefined;
  /** Zone of the instants: `UTC`, or `LOCAL` for that of each writer. Default `UTC`. */
  readonly timelineZone?: "UTC" | "LOCAL" | undefined;
}

/** A new table whose columns come from an Avro or Arrow schema. `Row` says what rows are, where known. */
export type SchemaTableDefinition<Row extends object = Record<string, unknown>> = Omit<
  TableDefinition<{ readonly [K in keyof Row & string]: "string" }>,
  "fields"
> & { readonly schema: SchemaSource; readonly fields?: undefined };

/** The properties of a table. Throws `INVALID` naming what is wrong. */
export function defineTable(
  definition: TableDefinition | SchemaTableDefinition,
): Map<string, string> {
  const { name, recordKey, partitionBy, orderingField } = definition;
  if (typeof name !== "string" || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new HudiError(
      "INVALID",
      `cannot create table ${JSON.stringify(name)}: expected a name of letters, digits and _, not starting with a digit`,
    );
  }
  if (definition.type !== "copy-on-write") {
    throw new HudiError(
      "UNSUPPORTED",
      `cannot create table ${name}: found type ${definition.type}, expected copy-on-write`,
    );
  }
  const timelineZone = definition.timelineZone ?? "UTC";
  if (timelineZone !== "UTC" && timelineZone !== "LOCAL") {
    throw new HudiError(
      "INVALID",
      `cannot create table ${name}: found time zone ${JSON.stringify(timelineZone)}, expected UTC or LOCAL`,
    );
  }
  const schema: TableSchema = resolveSchema(`${name}_record`, definition);
  requireKeyField(schema, recordKey, "record key");
  if (partitionBy !== undefined) requirePartitionField(schema, partitionBy);
  if (orderingField !== undefined) requireOrderingField(schema, orderingField);
  const index = defineIndex(name, definition.index ?? { kind: "bloom" });
  return createTableProperties({
    name,
    recordKeyField: recordKey,
    partitionField: partitionBy,
    orderingField,
    hiveStyle: definition.hiveStyle ?? false,
    urlEncode: definition.urlEncode ?? false,
    timelineZone,
    createSchema: formatAvroSchema(schema, { namespace: `hoodie.${name}` }),
    index,
  });
}

/** A timestamp makes folders that Spark reads as null and that Presto refuses. */
function requirePartitionField(schema: TableSchema, name: string): void {
  const { type } = requireKeyField(schema, name, "partition column");
  if (type.kind !== "timestamp-micros") return;
  throw new HudiError(
    "INVALID",
    `cannot use column ${name} as partition column: found type timestamp-micros, which engines do not read back from a folder; partition by a date or a text`,
  );
}
