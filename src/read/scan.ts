// A query that has not run. Iterating it runs it, row group by row group, and stops on abort.
import type { RecordBatch } from "apache-arrow";
import type { ColumnBatch } from "../format/column-batch.ts";
import { batchRows } from "../format/row-batch.ts";
import type { TableSchema } from "../format/schema.ts";
import type { Storage } from "../storage/storage.ts";
import type { ReadPlan } from "./read-plan.ts";
import { scanSchema, scanSlices } from "./slice-scan.ts";

/** A lazy result: rows when iterated, or Arrow record batches. Iterating again reads the same instant. */
export interface Scan<T> extends AsyncIterable<T> {
  /** Arrow record batches, one for each row group that has rows. */
  batches(): AsyncIterable<RecordBatch>;
  toArray(): Promise<T[]>;
  /** The last instant that the read includes; "" for a table without commits. */
  readonly upTo: Promise<string>;
}

/** A scan that hands out batches as this library holds them. */
export interface ColumnScan<T> extends Scan<T> {
  /** The columns of the result, in order. */
  readonly schema: Promise<TableSchema>;
  columnBatches(): AsyncGenerator<ColumnBatch>;
}

/** A scan over a plan that is made when it is first needed. */
export class PlannedScan<T> implements ColumnScan<T> {
  readonly #storage: Storage;
  readonly #plan: () => Promise<ReadPlan>;
  readonly #signal: AbortSignal | undefined;
  #planned: Promise<ReadPlan> | undefined;

  constructor(storage: Storage, plan: () => Promise<ReadPlan>, signal?: AbortSignal) {
    this.#storage = storage;
    this.#plan = plan;
    this.#signal = signal;
  }

  get upTo(): Promise<string> {
    return this.#load().then((plan) => plan.upTo);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for await (const batch of this.columnBatches()) {
      for (const row of batchRows(batch)) yield row as T;
    }
  }

  async *batches(): AsyncGenerator<RecordBatch> {
    const { toArrowBatch } = await import("../format/arrow-batch.ts");
    for await (const batch of this.columnBatches()) yield await toArrowBatch(batch);
  }

  async toArray(): Promise<T[]> {
    const rows: T[] = [];
    for await (const batch of this.columnBatches()) {
      for (const row of batchRows(batch)) rows.push(row as T);
    }
    return rows;
  }

  /** The columns of the result, in order. */
  get schema(): Promise<TableSchema> {
    return this.#load().then((plan) => scanSchema(plan.schema, plan.columns));
  }

  /** The batches as this library holds them. */
  async *columnBatches(): AsyncGenerator<ColumnBatch> {
    const plan = await this.#load();
    yield* scanSlices(this.#storage, plan.slices, { ...plan, signal: this.#signal });
  }

  #load(): Promise<ReadPlan> {
    this.#planned ??= this.#plan();
    return this.#planned;
  }
}
