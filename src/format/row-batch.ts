// Rows to column batches and back: the edge of the API. Below it there are no row objects.
// What a value may be: spec/format/schema.md, SC-3.

import { HudiError, isHudiError } from "../errors.ts";
import { isBitSet } from "./bitmap.ts";
import {
  type Column,
  type ColumnBatch,
  isPresent,
  type ListColumn,
  type StructColumn,
} from "./column-batch.ts";
import { createColumnBuilder } from "./column-builder.ts";
import { formatDecimal, readBigEndian } from "./decimal-builder.ts";
import type { ColumnBuilder } from "./nullable-builder.ts";
import { childFields, type Field, type NestedType, type TableSchema } from "./schema.ts";

/** How messages name a row of a batch. */
export type RowDescriber = (row: number) => string;

/** Collects rows into one batch. */
export class RowBatchBuilder {
  readonly #schema: TableSchema;
  readonly #builders: readonly ColumnBuilder[];
  readonly #known: ReadonlySet<string>;
  readonly #describe: RowDescriber;
  #rowCount = 0;

  /** `describe` names a row of the batch in messages; it is asked only when one is refused. */
  constructor(schema: TableSchema, describe: RowDescriber = (row) => `row ${row}`) {
    this.#describe = describe;
    this.#schema = schema;
    this.#builders = schema.fields.map(createColumnBuilder);
    this.#known = new Set(schema.fields.map((field) => field.name));
  }

  get rowCount(): number {
    return this.#rowCount;
  }

  /** Bytes held so far, roughly. */
  get sizeBytes(): number {
    return this.#builders.reduce((sum, builder) => sum + builder.sizeBytes, 0);
  }

  /**
   * Adds a whole row. Throws `INVALID` naming the row and the column for an unknown or missing
   * column and for a value that is not of the column's type; the builder is then spent.
   */
  append(row: unknown): void {
    const values = this.#requireRow(row);
    const { fields } = this.#schema;
    for (let index = 0; index < fields.length; index += 1) {
      this.#place(index, values[(fields[index] as Field).name]);
    }
    this.#rowCount += 1;
  }

  /** Adds a row of which only some columns are known; the others are null. */
  appendPartial(row: unknown, required: ReadonlySet<string>): void {
    const values = this.#requireRow(row);
    const { fields } = this.#schema;
    for (let index = 0; index < fields.length; index += 1) {
      const { name } = fields[index] as Field;
      const value = values[name];
      if (value === undefined || (value === null && !required.has(name))) {
        if (required.has(name)) this.#place(index, value);
        (this.#builders[index] as ColumnBuilder).appendNull();
      } else {
        this.#place(index, value);
      }
    }
    this.#rowCount += 1;
  }

  /** Adds a row of which the columns with a set byte are taken; the others are null for now. */
  appendGiven(row: unknown, given: Uint8Array): void {
    const values = this.#requireRow(row);
    const { fields } = this.#schema;
    for (let index = 0; index < fields.length; index += 1) {
      if (given[index] === 1) this.#place(index, values[(fields[index] as Field).name]);
      else (this.#builders[index] as ColumnBuilder).appendNull();
    }
    this.#rowCount += 1;
  }

  finish(): ColumnBatch {
    const columns = this.#builders.map((builder) => builder.finish());
    return { schema: this.#schema, rowCount: this.#rowCount, columns };
  }

  #requireRow(row: unknown): Record<string, unknown> {
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw new HudiError(
        "INVALID",
        `cannot use ${this.#describe(this.#rowCount)}: found no object, expected a row`,
      );
    }
    for (const name in row) {
      if (!this.#known.has(name)) {
        throw new HudiError(
          "INVALID",
          `cannot use ${this.#describe(this.#rowCount)}: unknown column ${JSON.stringify(name)}, expected ${[...this.#known].join(", ")}`,
        );
      }
    }
    return row as Record<string, unknown>;
  }

  #place(index: number, value: unknown): void {
    try {
      (this.#builders[index] as ColumnBuilder).append(value);
    } catch (error) {
      if (!isHudiError(error)) throw error;
      throw new HudiError(
        error.code,
        `cannot use ${this.#describe(this.#rowCount)}: ${error.message}`,
        { cause: error },
      );
    }
  }
}

/** Reads the value of one row as the API gives it. */
export type ValueReader = (row: number) => unknown;

/** A reader of single values of a column: null for a null. */
export function createValueReader(field: Field, column: Column): ValueReader {
  const present = createPresentReader(field, column);
  if (!column.validity) return present;
  return (row) => (isPresent(column, row) ? present(row) : null);
}

function createPresentReader(field: Field, column: Column): ValueReader {
  switch (column.layout) {
    case "bits":
      return (row) => isBitSet(column.values, row);
    case "int32":
      return field.type.kind === "date"
        ? (row) => new Date((column.values[row] as number) * 86_400_000)
        : (row) => column.values[row];
    case "int64":
    case "float32":
    case "float64":
      return (row) => column.values[row];
    case "bytes": {
      const { data } = column;
      if (field.type.kind === "bytes") {
        return (row) => data.slice(column.offsets[row], column.offsets[row + 1]);
      }
      const text = Buffer.from(data.buffer, data.byteOffset, data.length);
      const { offsets } = column;
      return (row) => text.toString("utf8", offsets[row], offsets[row + 1]);
    }
    case "struct":
    case "list":
      return createNestedReader(field, column);
    case "fixed": {
      const { data, widthBytes } = column;
      if (field.type.kind === "fixed") {
        return (row) => data.slice(row * widthBytes, (row + 1) * widthBytes);
      }
      const scale = field.type.kind === "decimal" ? field.type.scale : 0;
      return (row) => formatDecimal(readBigEndian(data, row * widthBytes, widthBytes), scale);
    }
  }
}

/** Values of structs and maps: no name among them is special. */
function createNestedReader(field: Field, column: StructColumn | ListColumn): ValueReader {
  const fields = childFields(field.type as NestedType);
  if (column.layout === "struct") {
    const readers = column.children.map((child, index) =>
      createValueReader(fields[index] as Field, child),
    );
    return (row) => {
      const object = Object.create(null);
      for (let index = 0; index < fields.length; index += 1) {
        object[(fields[index] as Field).name] = (readers[index] as ValueReader)(row);
      }
      return object;
    };
  }
  const { offsets, child } = column;
  if (field.type.kind === "list") {
    const read = createValueReader(fields[0] as Field, child);
    return (row) => {
      const start = offsets[row] as number;
      const length = (offsets[row + 1] as number) - start;
      return Array.from({ length }, (_, item) => read(start + item));
    };
  }
  const [key, value] = childFields((fields[0] as Field).type as NestedType) as [Field, Field];
  const [keys, values] = (child as StructColumn).children as [Column, Column];
  const readKey = createValueReader(key, keys);
  const readValue = createValueReader(value, values);
  return (row) => {
    const object = Object.create(null);
    for (let item = offsets[row] as number; item < (offsets[row + 1] as number); item += 1) {
      object[readKey(item) as string] = readValue(item);
    }
    return object;
  };
}

/** A reader of rows as objects, a member a column. */
export function createRowReader(
  fields: readonly Field[],
  columns: readonly Column[],
): (row: number) => Record<string, unknown> {
  const readers = columns.map((column, index) => createValueReader(fields[index] as Field, column));
  const names = fields.map((field) => field.name);
  const isHostile = names.includes("__proto__");
  return (row) => {
    const object: Record<string, unknown> = isHostile ? Object.create(null) : {};
    for (let index = 0; index < names.length; index += 1) {
      object[names[index] as string] = (readers[index] as ValueReader)(row);
    }
    return object;
  };
}

/** The rows of a batch as objects, made one by one. */
export function* batchRows(batch: ColumnBatch): Generator<Record<string, unknown>> {
  const read = createRowReader(batch.schema.fields, batch.columns);
  for (let row = 0; row < batch.rowCount; row += 1) yield read(row);
}
