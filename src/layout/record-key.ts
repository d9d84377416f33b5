// The record key of each row, as bytes; the names of the meta columns.
// Rules: spec/format/record-key.md, RK-1, RK-2, RK-7 to RK-10 and RK-14.

import { HudiError } from "../errors.ts";
import { ByteCopier } from "../format/byte-copier.ts";
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  isPresent,
} from "../format/column-batch.ts";
import type { Field, TableSchema } from "../format/schema.ts";
import type { Steps } from "../runtime/steps.ts";
import type { KeyGenerator } from "./key-generator.ts";
import { formatColumn, requireKeyColumn, requireKeyPath } from "./key-text.ts";

/** The meta columns, in the order in which every base file begins. */
export const META_FIELDS: readonly string[] = [
  "_hoodie_commit_time",
  "_hoodie_commit_seqno",
  "_hoodie_record_key",
  "_hoodie_partition_path",
  "_hoodie_file_name",
];

/** What stands in a list of columns for a value that is null, and for one that is empty. */
export const NULL_PLACEHOLDER = "__null__";
export const EMPTY_PLACEHOLDER = "__empty__";

/** Rows worked through between two steps. */
const ROWS_A_STEP = 65_536;
/** What the offsets of a column reach. */
const MOST_BYTES = 0x7fff_ffff;

/** The meta columns as fields, followed by the columns of the table. */
export function addMetaFields(schema: TableSchema): TableSchema {
  const meta = META_FIELDS.map(
    (name, index): Field => ({ id: -1 - index, name, type: { kind: "string" }, nullable: true }),
  );
  return { name: schema.name, fields: [...meta, ...schema.fields] };
}

/** What record keys are made by. */
export interface KeyScheme {
  readonly recordKeyFields: readonly string[];
  readonly keyGenerator: Pick<KeyGenerator, "keyText" | "hasLogicalTimestamps">;
}

/**
 * The record key of each row, in the text form that Hudi gives the types of the key columns: the bare
 * value, or a list of `column:value`. Throws `INVALID` naming the row that has no key.
 */
export function* recordKeys(
  batch: ColumnBatch,
  scheme: KeyScheme,
  describeRow: (row: number) => string,
): Steps<BytesColumn> {
  const parts: KeyPart[] = [];
  for (const name of scheme.recordKeyFields) {
    const column = requireKeyColumn(batch, name);
    const field = requireKeyPath(batch.schema, name);
    const { hasLogicalTimestamps } = scheme.keyGenerator;
    parts.push({ name, column, texts: yield* formatColumn(field, column, hasLogicalTimestamps) });
  }
  const [first] = parts;
  if (first && parts.length === 1 && scheme.keyGenerator.keyText !== "fields") {
    return yield* requireTexts(first, describeRow);
  }
  return yield* joinParts(parts, batch.rowCount, describeRow);
}

/** One key column and its values as text. */
interface KeyPart {
  readonly name: string;
  readonly column: Column;
  readonly texts: BytesColumn;
}

function* requireTexts(
  { name, column, texts }: KeyPart,
  describeRow: (row: number) => string,
): Steps<BytesColumn> {
  for (let row = 0; row < texts.rowCount; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    if (!isPresent(column, row) || texts.offsets[row] === texts.offsets[row + 1]) {
      throw new HudiError(
        "INVALID",
        `cannot use ${describeRow(row)}: record key ${name} is ${isPresent(column, row) ? "empty" : "null"}, expected a value`,
      );
    }
  }
  return texts;
}

/** `a:1,b:x` for each row, made of bytes. Separators in values are not escaped, as in Hudi. */
function* joinParts(
  parts: readonly KeyPart[],
  rowCount: number,
  describeRow: (row: number) => string,
): Steps<BytesColumn> {
  const offsets = new Int32Array(rowCount + 1);
  const writers = parts.map((part, index) => new PartWriter(part, index > 0));
  let size = 0;
  for (let row = 0; row < rowCount; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    let hasValue = false;
    for (const writer of writers) {
      size += writer.lengthOf(row);
      hasValue ||= writer.hasValue(row);
    }
    if (!hasValue) throw keyWithoutValue(parts, describeRow(row));
    if (size > MOST_BYTES) throw keysTooLong(describeRow(row));
    offsets[row + 1] = size;
  }
  const data = new Uint8Array(size);
  for (const writer of writers) writer.open(data);
  for (let row = 0; row < rowCount; row += 1) {
    if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    let at = offsets[row] as number;
    for (const writer of writers) at = writer.write(row, at);
  }
  return { layout: "bytes", rowCount, validity: undefined, offsets, data };
}

/** Writes what one column gives the keys. */
class PartWriter {
  readonly #part: KeyPart;
  /** The column's name with a colon, followed by each of the placeholders. */
  readonly #fixed: Uint8Array;
  readonly #prefixBytes: number;
  #fixedCopier: ByteCopier | undefined;
  #textCopier: ByteCopier | undefined;

  constructor(part: KeyPart, isLater: boolean) {
    this.#part = part;
    const prefix = Buffer.from(`${isLater ? "," : ""}${part.name}:`, "utf8");
    this.#prefixBytes = prefix.length;
    this.#fixed = Buffer.concat([prefix, Buffer.from(NULL_PLACEHOLDER + EMPTY_PLACEHOLDER)]);
  }

  hasValue(row: number): boolean {
    return isPresent(this.#part.column, row) && this.#textBytes(row) > 0;
  }

  lengthOf(row: number): number {
    const { column } = this.#part;
    if (!isPresent(column, row)) return this.#prefixBytes + NULL_PLACEHOLDER.length;
    return this.#prefixBytes + (this.#textBytes(row) || EMPTY_PLACEHOLDER.length);
  }

  open(target: Uint8Array): void {
    this.#fixedCopier = new ByteCopier(this.#fixed, target);
    this.#textCopier = new ByteCopier(this.#part.texts.data, target);
  }

  /** Returns where the next part begins. */
  write(row: number, at: number): number {
    const { column, texts } = this.#part;
    const prefix = this.#prefixBytes;
    const nullBytes = NULL_PLACEHOLDER.length;
    if (!isPresent(column, row)) {
      this.#fixedCopier?.copy(0, prefix + nullBytes, at);
      return at + prefix + nullBytes;
    }
    this.#fixedCopier?.copy(0, prefix, at);
    const length = this.#textBytes(row);
    if (length > 0) this.#textCopier?.copy(texts.offsets[row] as number, length, at + prefix);
    else this.#fixedCopier?.copy(prefix + nullBytes, EMPTY_PLACEHOLDER.length, at + prefix);
    return at + prefix + (length || EMPTY_PLACEHOLDER.length);
  }

  #textBytes(row: number): number {
    const { offsets } = this.#part.texts;
    return (offsets[row + 1] as number) - (offsets[row] as number);
  }
}

function keyWithoutValue(parts: readonly KeyPart[], row: string): HudiError {
  const names = parts.map(({ name }) => name).join(", ");
  return new HudiError(
    "INVALID",
    `cannot use ${row}: record key ${names} is null or empty, expected a value${parts.length > 1 ? " in one of them" : ""}`,
  );
}

function keysTooLong(row: string): HudiError {
  return new HudiError(
    "INVALID",
    `cannot use ${row}: the record keys up to it have more than ${MOST_BYTES} bytes, expected fewer rows in a write`,
  );
}
