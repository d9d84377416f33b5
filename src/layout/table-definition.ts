// What a caller says of a new table, checked and turned into its properties.
import { HudiError } from "../errors.ts";
import { formatAvroSchema } from "../format/avro-schema.ts";
import type { TableSchema } from "../format/schema.ts";
import { requireOrderingField, resolveSchema, type SchemaSource } from "./definition-schema.ts";
import { defineIndex, type IndexDefinition } from "./index-definition.ts";
import { defineKeys, type KeyDefinition } from "./key-definition.ts";
import { createTableProperties, type TableType } from "./table-config.ts";

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

/** A column of the field list, or a field of a struct in one. */
export type ColumnPath<F extends Fields> = (keyof F & string) | `${keyof F & string}.${string}`;

/** A new table. */
export interface TableDefinition<F extends Fields = Fields> {
  readonly name: string;
  /** Whether updates rewrite base files, or are logged beside them until a compaction. */
  readonly type: TableType;
  readonly fields: F;
  /** One column or several; a field of a struct is named `user.id`. */
  readonly recordKey: KeyDefinition<ColumnPath<F>>["recordKey"];
  /** The folders that rows lie in: by values of columns, or by points in time. */
  readonly partitionBy?: KeyDefinition<ColumnPath<F>>["partitionBy"];
  /** Which of Hudi's key generators; default what keys and partitions ask for. */
  readonly keyGenerator?: KeyDefinition["keyGenerator"];
  /** How a complex key of one column is written; default `value-only`, as Hudi 0.15 has it. */
  readonly complexKeyEncoding?: KeyDefinition["complexKeyEncoding"];
  /** Timestamps in keys are texts in the zone of the process, as Java has them; default false. */
  readonly consistentLogicalTimestamps?: KeyDefinition["consistentLogicalTimestamps"];
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
  const { name, orderingField } = definition;
  if (typeof name !== "string" || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new HudiError(
      "INVALID",
      `cannot create table ${JSON.stringify(name)}: expected a name of letters, digits and _, not starting with a digit`,
    );
  }
  const { type } = definition;
  if (type !== "copy-on-write" && type !== "merge-on-read") {
    throw new HudiError(
      "INVALID",
      `cannot create table ${name}: found type ${JSON.stringify(type)}, expected copy-on-write or merge-on-read`,
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
  const keys = defineKeys(name, schema, definition);
  if (orderingField !== undefined) requireOrderingField(schema, orderingField);
  const index = defineIndex(name, definition.index ?? { kind: "bloom" });
  return createTableProperties({
    name,
    type,
    ...keys,
    orderingField,
    hiveStyle: definition.hiveStyle ?? false,
    urlEncode: definition.urlEncode ?? false,
    timelineZone,
    createSchema: formatAvroSchema(schema, { namespace: `hoodie.${name}` }),
    index,
  });
}
