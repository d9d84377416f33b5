// Changes as columns: instant, op, key, and the row before and after as structs.
// Rules: spec/protocol/changes.md, CH-4.
import { bitmapBytes, setBit } from "../format/bitmap.ts";
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  nullColumn,
  requireColumn,
  type StructColumn,
} from "../format/column-batch.ts";
import { gatherColumn } from "../format/column-gather.ts";
import { createRowReader } from "../format/row-batch.ts";
import { type Field, requireField, type TableSchema } from "../format/schema.ts";
import type { Change } from "../layout/change.ts";
import { topColumn } from "../layout/key-text.ts";
import { META_FIELDS } from "../layout/record-key.ts";
import { fieldOf } from "./slice-scan.ts";

/** The column that holds the record key as Hudi writes it. */
export const RECORD_KEY = META_FIELDS[2] as string;

const OPS = ["insert", "update", "delete"] as const;

/** Rows before and after: a change for each entry, -1 where a change has no such row. */
export interface ChangedRows {
  /** Columns of the table, and the record key of Hudi among them. */
  readonly before: ColumnBatch;
  readonly beforeRows: Int32Array;
  readonly after: ColumnBatch;
  readonly afterRows: Int32Array;
}

/** The columns of changes of a table. */
export function changeSchema(schema: TableSchema, keyFields: readonly string[]): TableSchema {
  const names = new Set(keyFields.map(topColumn));
  const keys =
    names.size > 0
      ? [...names].map((name) => requireField(schema, name))
      : [fieldOf(schema, RECORD_KEY)];
  // A row that is not there has no values, whatever its columns ask for.
  const optional = schema.fields.map((field) => ({ ...field, nullable: true }));
  const struct = (
    id: number,
    name: string,
    fields: readonly Field[],
    nullable: boolean,
  ): Field => ({
    id,
    name,
    type: { kind: "struct", fields },
    nullable,
  });
  const text = { type: { kind: "string" }, nullable: false } as const;
  return {
    name: `${schema.name}_change`,
    fields: [
      { id: 0, name: "instant", ...text },
      { id: 1, name: "op", ...text },
      struct(2, "key", keys, false),
      struct(3, "before", optional, true),
      struct(4, "after", optional, true),
    ],
  };
}

/** Changes of one commit as a batch of `changeSchema`. */
export function makeChangeBatch(
  schema: TableSchema,
  instant: string,
  rows: ChangedRows,
): ColumnBatch {
  const { before, beforeRows, after, afterRows } = rows;
  const rowCount = afterRows.length;
  const ops = afterRows.map((row, at) => (row < 0 ? 2 : (beforeRows[at] as number) < 0 ? 0 : 1));
  const keyPicks = afterRows.map((row, at) => (row < 0 ? ~(beforeRows[at] as number) : row));
  const [, , key, old, fresh] = schema.fields as [Field, Field, Field, Field, Field];
  const keys = innerFields(key).map(({ name }) =>
    gatherColumn(requireColumn(after, name), requireColumn(before, name), keyPicks),
  );
  const struct = (children: readonly Column[], validity?: Uint8Array): StructColumn => ({
    layout: "struct",
    rowCount,
    validity,
    children,
  });
  const image = (field: Field, batch: ColumnBatch, picks: Int32Array): StructColumn =>
    struct(
      innerFields(field).map(({ name, type }) =>
        gatherColumn(requireColumn(batch, name), nullColumn(type, 1), picks.map(orNull)),
      ),
      presence(picks),
    );
  return {
    schema,
    rowCount,
    columns: [
      chosenTexts([instant], new Int32Array(rowCount)),
      chosenTexts(OPS, ops),
      struct(keys),
      image(old, before, beforeRows),
      image(fresh, after, afterRows),
    ],
  };
}

/** The pick of the one row of nulls for a row that is not there. */
function orNull(row: number): number {
  return row < 0 ? ~0 : row;
}

function presence(rows: Int32Array): Uint8Array | undefined {
  if (rows.every((row) => row >= 0)) return undefined;
  const bits = new Uint8Array(bitmapBytes(rows.length));
  for (let at = 0; at < rows.length; at += 1) if ((rows[at] as number) >= 0) setBit(bits, at);
  return bits;
}

function innerFields({ type }: Field): readonly Field[] {
  return type.kind === "struct" ? type.fields : [];
}

/** A text for each row, by its number. */
function chosenTexts(texts: readonly string[], numbers: Int32Array): BytesColumn {
  const parts = texts.map((text) => Buffer.from(text));
  const data = Buffer.concat(parts);
  const offsets = new Int32Array(parts.length + 1);
  for (const [index, { length }] of parts.entries()) {
    offsets[index + 1] = (offsets[index] as number) + length;
  }
  const column = { layout: "bytes", rowCount: parts.length, validity: undefined } as const;
  return gatherColumn({ ...column, offsets, data }, undefined, numbers);
}

/** The changes of a batch as objects, made one by one. */
export function* batchChanges(batch: ColumnBatch): Generator<Change<Record<string, unknown>>> {
  const [readHead, readKey, readBefore, readAfter] = [
    createRowReader(batch.schema.fields.slice(0, 2), batch.columns.slice(0, 2)),
    ...[2, 3, 4].map((index) =>
      createRowReader(
        innerFields(batch.schema.fields[index] as Field),
        (batch.columns[index] as StructColumn).children,
      ),
    ),
  ] as [RowReader, RowReader, RowReader, RowReader];
  for (let row = 0; row < batch.rowCount; row += 1) {
    const { op, instant } = readHead(row) as { op: Change<object>["op"]; instant: string };
    const key = readKey(row);
    if (op === "insert") yield { op, key, after: readAfter(row), instant };
    else if (op === "delete") yield { op, key, before: readBefore(row), instant };
    else yield { op, key, before: readBefore(row), after: readAfter(row), instant };
  }
}

type RowReader = ReturnType<typeof createRowReader>;
