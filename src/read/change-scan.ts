// The changes of a range as a lazy result: commit by commit, batch by batch.
// Rules: spec/protocol/changes.md, CH-1, CH-9 and CH-10.
import { HudiError, isHudiError } from "../errors.ts";
import type { ArrowBatch } from "../format/arrow-batch.ts";
import type { ColumnBatch } from "../format/column-batch.ts";
import type { TableSchema } from "../format/schema.ts";
import type { TableContext } from "../timeline/table-context.ts";
import { batchChanges, changeSchema } from "./change-batch.ts";
import { type ChangePlan, type ChangesOptions, planChanges } from "./change-plan.ts";
import { readCommitChanges } from "./commit-changes.ts";
import type { ColumnScan } from "./scan.ts";

/** A scan of changes, planned when it is first needed. */
export class ChangeScan<T> implements ColumnScan<T> {
  readonly #context: TableContext;
  readonly #options: ChangesOptions;
  readonly #requireOpen: () => void;
  #planned: Promise<ChangePlan> | undefined;

  constructor(context: TableContext, options: ChangesOptions, requireOpen: () => void) {
    this.#context = context;
    this.#options = options;
    this.#requireOpen = requireOpen;
  }

  get upTo(): Promise<string> {
    return this.#load().then((plan) => plan.upTo);
  }

  get schema(): Promise<TableSchema> {
    return this.#load().then(({ schema, keyFields }) => changeSchema(schema, keyFields));
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for await (const batch of this.columnBatches()) {
      for (const change of batchChanges(batch)) yield change as T;
    }
  }

  async *batches(): AsyncGenerator<ArrowBatch> {
    const { toArrowBatch } = await import("../format/arrow-batch.ts");
    for await (const batch of this.columnBatches()) yield await toArrowBatch(batch);
  }

  async toArray(): Promise<T[]> {
    const changes: T[] = [];
    for await (const change of this) changes.push(change);
    return changes;
  }

  async *columnBatches(): AsyncGenerator<ColumnBatch> {
    const plan = await this.#load();
    const { signal } = this.#options;
    for (const commit of plan.commits) {
      signal?.throwIfAborted();
      try {
        yield* readCommitChanges(this.#context.storage, plan, commit, signal);
      } catch (error) {
        throw await this.#explain(error);
      }
    }
  }

  /** A file that vanished was cleaned meanwhile: a plan made now knows from where on it would work. */
  async #explain(error: unknown): Promise<unknown> {
    if (!isHudiError(error, "NOT_FOUND") && !isHudiError(error, "EXPIRED")) return error;
    try {
      await planChanges(this.#context, this.#options);
    } catch (found) {
      if (isHudiError(found, "EXPIRED")) return found;
    }
    const path = error.path ?? "a file";
    return new HudiError(
      "EXPIRED",
      `cannot read what changed: ${path} was cleaned or rolled back since the read began; start from a newer snapshot`,
      { path: error.path, cause: error },
    );
  }

  async #plan(): Promise<ChangePlan> {
    this.#requireOpen();
    return planChanges(this.#context, this.#options);
  }

  #load(): Promise<ChangePlan> {
    this.#planned ??= this.#plan();
    return this.#planned;
  }
}
