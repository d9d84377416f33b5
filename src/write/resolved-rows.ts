// Collects row versions and makes whole rows of them, column by column.
// Rules: spec/format/merge-rules.md MR-11 and MR-12.
import { HudiError } from "../errors.ts";
import type { BytesColumn, Column, ColumnBatch } from "../format/column-batch.ts";
import { gatherColumnSteps } from "../format/column-gather.ts";
import { type Field, formatFieldType } from "../format/schema.ts";
import { topColumn } from "../layout/key-text.ts";
import type { TableConfig } from "../layout/table-config.ts";
import { runInTurns, type Steps } from "../runtime/steps.ts";
import { givesColumn, type IncomingRecords } from "./incoming-records.ts";
import type { RowPick, RowVersion } from "./key-resolver.ts";

/** Rows put together between two steps. */
const ROWS_A_STEP = 65_536;

/** Row versions in the order in which they were added. */
export class ResolvedRows {
  readonly #config: TableConfig;
  readonly #records: IncomingRecords;
  readonly #stored: ColumnBatch;
  readonly #versions: RowVersion[] = [];
  readonly #removals: number[] = [];

  /** `stored` has the columns that rows may leave out, in any order. */
  constructor(config: TableConfig, records: IncomingRecords, stored: ColumnBatch) {
    this.#config = config;
    this.#records = records;
    this.#stored = stored;
  }

  /** Adds a version and returns the number of its row. */
  add(version: RowVersion): number {
    this.#versions.push(version);
    return this.#versions.length - 1;
  }

  /** Adds the key of an incoming row whose stored row goes, and returns its number among those. */
  addRemoval(row: number): number {
    this.#removals.push(row);
    return this.#removals.length - 1;
  }

  /** Rows of whole versions; the keys of removals come behind theirs. */
  get rowCount(): number {
    return this.#versions.length;
  }

  /**
   * The whole rows with their keys and partitions. Throws `INVALID` naming the row and the column
   * where a new row leaves a column out that needs a value.
   */
  async finish(
    signal?: AbortSignal,
  ): Promise<Pick<IncomingRecords, "batch" | "keys" | "partitions">> {
    const { batch, keys, partitions } = this.#records;
    const versions = this.#versions;
    const columns: Column[] = [];
    for (const [at, field] of batch.schema.fields.entries()) {
      columns.push(await runInTurns(this.#gather(at, field), signal));
    }
    const keyRows = Int32Array.from([
      ...versions.map(({ rows }) => rows[0] as number),
      ...this.#removals,
    ]);
    const last = partitions.paths.length - 1;
    return {
      batch: { schema: batch.schema, rowCount: versions.length, columns },
      keys: (await runInTurns(gatherColumnSteps(keys, undefined, keyRows), signal)) as BytesColumn,
      partitions: {
        paths: partitions.paths,
        // Rows that take the place of stored ones are told by their file where they belong.
        partitionOfRow: Int32Array.from(versions, ({ partition }) => Math.min(partition, last)),
      },
    };
  }

  *#gather(at: number, field: Field): Steps<Column> {
    const { batch } = this.#records;
    const incoming = batch.columns[at] as Column;
    const stored = this.#stored.schema.fields.findIndex(({ name }) => name === field.name);
    const isPlace = this.#config.partitionFields.some((name) => topColumn(name) === field.name);
    const picks = new Int32Array(this.#versions.length);
    for (const [row, version] of this.#versions.entries()) {
      picks[row] = this.#pick(version, at, field, isPlace);
      if (row % ROWS_A_STEP === ROWS_A_STEP - 1) yield;
    }
    const first = this.#stored.columns[stored] ?? incoming;
    return yield* gatherColumnSteps(first, incoming, picks);
  }

  #pick(version: RowVersion, at: number, field: Field, isPlace: boolean): RowPick {
    const { unresolved } = this.#records;
    if (isPlace && version.place !== undefined) return version.place;
    for (let index = version.rows.length - 1; index >= 0; index -= 1) {
      const row = version.rows[index] as number;
      if (givesColumn(unresolved?.shapes, row, at)) return ~row;
    }
    if (version.base >= 0) return version.base;
    const row = version.rows.at(-1) as number;
    if (!field.nullable || field.name === this.#config.orderingField) {
      throw new HudiError(
        "INVALID",
        `cannot use ${unresolved?.describeRow(row)}: its key is not in the table and it leaves out column ${field.name} (${formatFieldType(field)}), expected a value`,
      );
    }
    // What is left out was read as null.
    return ~row;
  }
}
