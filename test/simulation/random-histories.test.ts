// Random histories of one writer against the model: every state that the table ever had, every
// difference between two of them, filters and projections. HUDI_LAKE_SOAK runs so many times more.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HudiTable } from "../../src/hudi-table.ts";
import type { Change } from "../../src/layout/change.ts";
import { createMemoryTable, type MemoryTable } from "../support/memory-table.ts";
import { ModelTable } from "../support/model-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";
import { findFileFaults, findTimelineFaults } from "../support/store-checks.ts";
import {
  filterOf,
  type GeneratedFilter,
  type HistoryShape,
  ORDERED_TYPES,
  PARTITION_TYPES,
  PLAIN_FIELDS,
  type Step,
  stepOf,
} from "./row-generators.ts";
import { applyTo, type WriteCall } from "./write-history.ts";

const SOAK = Number(process.env.HUDI_LAKE_SOAK ?? 1);
const SEED = Number(process.env.HUDI_LAKE_SEED ?? 1);
const RUNS = Math.ceil(12 * SOAK);

/** A commit of the history and the table after it. */
interface Version {
  readonly instant: string;
  readonly model: ModelTable;
}

class History {
  readonly versions: Version[] = [];
  fileGroups = 0;
  readonly #table: MemoryTable<AnyRow>;
  readonly #empty: ModelTable;

  constructor(table: MemoryTable<AnyRow>, empty: ModelTable) {
    this.#table = table;
    this.#empty = empty;
  }

  get table(): HudiTable<AnyRow> {
    return this.#table.table;
  }

  get model(): ModelTable {
    return this.versions.at(-1)?.model ?? this.#empty;
  }

  async take(step: Step): Promise<void> {
    const { clock, store } = this.#table;
    clock.advance(1000);
    if (step.kind === "rollback") {
      const newest = this.versions.pop();
      if (newest) await this.table.rollback(newest.instant);
    } else {
      const model = this.model.copy();
      const { instant } = await this.#write(step);
      applyTo(model, step as WriteCall, instant);
      this.versions.push({ instant, model });
    }
    expect(await this.#rows()).toEqual(rowTexts(this.model.rows()));
    expect([...findTimelineFaults(store), ...findFileFaults(store)]).toEqual([]);
    this.fileGroups = Math.max(this.fileGroups, (await this.table.files()).length);
  }

  #write(step: Exclude<Step, { kind: "rollback" }>): Promise<{ readonly instant: string }> {
    if (step.kind === "apply") return this.table.apply(step.changes as readonly Change<AnyRow>[]);
    return this.table[step.kind](step.rows);
  }

  async #rows(asOf?: string): Promise<string[]> {
    return rowTexts(await this.table.read({ asOf }).toArray());
  }

  /** Every earlier state is still there, and so is every difference to the newest one. */
  async checkPast(): Promise<void> {
    for (const [index, { instant, model }] of this.versions.entries()) {
      expect(await this.#rows(instant), `as of ${instant}`).toEqual(rowTexts(model.rows()));
      const later = new Set(this.versions.slice(index + 1).map((version) => version.instant));
      const pulled = await this.table.incremental({ after: instant }).toArray();
      expect(rowTexts(pulled), `after ${instant}`).toEqual(rowTexts(this.model.rows(later)));
      const upTo = this.versions[Math.floor((index + this.versions.length) / 2)] as Version;
      const between = this.versions.filter((v) => v.instant > instant && v.instant <= upTo.instant);
      const part = await this.table.incremental({ after: instant, upTo: upTo.instant }).toArray();
      const expected = upTo.model.rows(new Set(between.map((version) => version.instant)));
      expect(rowTexts(part), `from ${instant} to ${upTo.instant}`).toEqual(rowTexts(expected));
    }
  }

  /** Filters and projections agree with doing the same on all rows. */
  async checkFilter({ where, keeps }: GeneratedFilter): Promise<void> {
    const columns = ["id", "price", "note"] as const;
    const project = (row: AnyRow): AnyRow => ({ id: row.id, price: row.price, note: row.note });
    const seen = await this.table.read({ where, columns }).toArray();
    expect(rowTexts(seen)).toEqual(rowTexts(this.model.rows().filter(keeps).map(project)));
  }
}

async function createHistory(shape: HistoryShape, index: "bloom" | "simple"): Promise<History> {
  const { ordering, partition } = shape;
  const created = await createMemoryTable(
    {
      fields: {
        id: "string",
        ...(partition && { part: `${partition.type}?` as const }),
        ...(ordering && { version: ordering.type }),
        ...PLAIN_FIELDS,
      },
      recordKey: "id",
      ...(partition && { partitionBy: "part" as never }),
      ...(ordering && { orderingField: "version" as never }),
      index: { kind: index },
    },
    // A file of three rows is small, one of a dozen is not: file groups fill up and new ones begin.
    { write: { maxFileBytes: 4_500, smallFileBytes: 4_400 } },
  );
  const rules = {
    recordKey: "id",
    partitionBy: partition && "part",
    orderingField: ordering && "version",
    compare: ordering?.compare,
  };
  return new History(created as unknown as MemoryTable<AnyRow>, new ModelTable(rules));
}

describe("a table and the model agree after every step of a random history", () => {
  const shapes: readonly (readonly [string, HistoryShape])[] = [
    ["without an ordering field", { ordering: undefined, partition: PARTITION_TYPES[0] }],
    ["without an ordering field and partitions", { ordering: undefined, partition: undefined }],
    ...ORDERED_TYPES.map((ordering, index): readonly [string, HistoryShape] => [
      `ordered by a ${ordering.type}`,
      { ordering, partition: [...PARTITION_TYPES, undefined][index % 5] },
    ]),
  ];
  it.each(shapes)(
    "%s (MR-1, MR-2, MR-4, MR-5, MR-6, MR-7, MR-8, MR-9, TX-16, TX-17, IN-1, IN-4, IN-7, PR-1)",
    { timeout: 60_000 * SOAK },
    async (_, shape) => {
      let steps = 0;
      let mostGroups = 0;
      const property = fc.asyncProperty(
        fc.array(stepOf(shape), { minLength: 2, maxLength: 7 }),
        fc.array(filterOf(), { minLength: 2, maxLength: 4 }),
        fc.constantFrom("bloom" as const, "simple" as const),
        async (history, filters, index) => {
          const run = await createHistory(shape, index);
          for (const step of history) await run.take(step);
          await run.checkPast();
          for (const filter of filters) await run.checkFilter(filter);
          steps += history.length;
          mostGroups = Math.max(mostGroups, run.fileGroups);
        },
      );
      await fc.assert(property, { numRuns: RUNS, seed: SEED });
      console.log(`${RUNS} histories of ${steps} steps, up to ${mostGroups} file groups`);
      expect(mostGroups).toBeGreaterThan(shape.partition ? 2 : 1);
    },
  );
});
