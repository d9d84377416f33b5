// Collects rows and Arrow record batches into one column batch. Rows are built in parts, which are
// joined at the end: a builder that grows to millions of rows would stall the host at each step.
import { type ArrowBatch, fromArrowBatch, fromPartialArrowBatch } from "../format/arrow-batch.ts";
import type { ColumnBatch } from "../format/column-batch.ts";
import { concatBatchSteps } from "../format/column-concat.ts";
import { RowBatchBuilder } from "../format/row-batch.ts";
import type { TableSchema } from "../format/schema.ts";
import { rowBytes } from "../format/stored-column.ts";
import { runInTurns } from "../runtime/steps.ts";

/** Rows of a part. */
const PART_ROWS = 32_768;

/** How messages name a row of a source. */
export function describeRow(row: number): string {
  return `row ${row}`;
}

/** Rows and record batches in the order in which they came, until they are flushed. */
export class BatchCollector {
  readonly #schema: TableSchema;
  readonly #describe: (row: number) => string;
  #parts: ColumnBatch[] = [];
  #partBytes = 0;
  /** Made with the first row of a part: record batches need none. */
  #builder: RowBatchBuilder | undefined;
  #rowCount = 0;

  /** `describe` names a row in messages, counted over everything that was added. */
  constructor(schema: TableSchema, describe: (row: number) => string = describeRow) {
    this.#schema = schema;
    this.#describe = describe;
  }

  /** Rows that were ever added. */
  get rowCount(): number {
    return this.#rowCount;
  }

  /** Bytes held, roughly. */
  get sizeBytes(): number {
    return this.#partBytes + (this.#builder?.sizeBytes ?? 0);
  }

  get isEmpty(): boolean {
    return !this.#builder && this.#parts.length === 0;
  }

  /** Adds a whole row; throws `INVALID` naming it. */
  append(row: unknown): void {
    this.#open().append(row);
    this.#countRow();
  }

  /** Adds a row of which the required columns must be there and others may; throws `INVALID`. */
  appendPartial(row: unknown, required: ReadonlySet<string>): void {
    this.#open().appendPartial(row, required);
    this.#countRow();
  }

  /** Adds a row of which the columns with a set byte are taken; throws `INVALID` naming it. */
  appendGiven(row: unknown, given: Uint8Array): void {
    this.#open().appendGiven(row, given);
    this.#countRow();
  }

  /**
   * Adds a record batch; of all columns, or of the required ones at least. A `strict` one holds nulls
   * only in columns that allow them. Throws `INVALID` naming the column.
   */
  addArrow(item: ArrowBatch, required?: ReadonlySet<string>, strict: boolean = false): void {
    this.#closeBuilder();
    const label = `Arrow record batch at ${this.#describe(this.#rowCount)}`;
    const part = required
      ? fromPartialArrowBatch(item, this.#schema, required, label, strict)
      : fromArrowBatch(item, this.#schema, label);
    this.#rowCount += part.rowCount;
    this.#addPart(part);
  }

  /** Everything that was added since the last flush, as one batch. */
  flush(signal?: AbortSignal): Promise<ColumnBatch> {
    if (this.#parts.length === 0) this.#open();
    this.#closeBuilder();
    const parts = this.#parts;
    this.#parts = [];
    this.#partBytes = 0;
    return runInTurns(concatBatchSteps(parts), signal);
  }

  #countRow(): void {
    this.#rowCount += 1;
    if (this.#open().rowCount >= PART_ROWS) this.#closeBuilder();
  }

  #closeBuilder(): void {
    if (this.#builder) this.#addPart(this.#builder.finish());
    this.#builder = undefined;
  }

  #addPart(part: ColumnBatch): void {
    this.#parts.push(part);
    this.#partBytes += rowBytes(part.columns, 0, part.rowCount);
  }

  #open(): RowBatchBuilder {
    const first = this.#rowCount;
    this.#builder ??= new RowBatchBuilder(this.#schema, (row) => this.#describe(first + row));
    return this.#builder;
  }
}
