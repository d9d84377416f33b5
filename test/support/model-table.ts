// A table in memory with Hudi's merge rules, one change after the other, as plainly as can be: what
// real tables are compared with. Rules: spec/format/merge-rules.md.
import type { Change } from "../../src/write/row-source.ts";
import { placeText, valueText } from "./row-text.ts";

export type ModelRow = Readonly<Record<string, unknown>>;

/** What identifies a row, and which of two versions of it is the newer one. */
export interface ModelRules {
  readonly recordKey: string;
  readonly partitionBy?: string | undefined;
  readonly orderingField?: string | undefined;
  /** Compares two ordering values; needed where there is an ordering field. */
  readonly compare?: ((a: never, b: never) => number) | undefined;
}

interface Stored {
  readonly row: ModelRow;
  readonly writtenBy: string;
}

/** A row that comes in, or a delete of its key; ordered ones lose against a newer stored row. */
interface Step {
  readonly row: ModelRow;
  readonly removes: boolean;
  readonly isOrdered: boolean;
}

/** Rows by key, each key within its partition. `by` names the commit that writes. */
export class ModelTable {
  readonly #rules: ModelRules;
  /** Several where `insert`, which looks no key up, was given a key again. */
  #stored: Map<string, readonly Stored[]> = new Map();

  constructor(rules: ModelRules) {
    this.#rules = rules;
  }

  copy(): ModelTable {
    const copy = new ModelTable(this.#rules);
    copy.#stored = new Map(this.#stored);
    return copy;
  }

  insert(rows: Iterable<ModelRow>, by = ""): void {
    for (const row of rows) {
      const place = this.#placeOf(row);
      this.#stored.set(place, [...(this.#stored.get(place) ?? []), { row, writtenBy: by }]);
    }
  }

  upsert(rows: Iterable<ModelRow>, by = ""): void {
    const isOrdered = this.#rules.orderingField !== undefined;
    this.#take(
      Array.from(rows, (row) => ({ row, removes: false, isOrdered })),
      by,
    );
  }

  /** Removes keys whatever is stored. */
  delete(keys: Iterable<ModelRow>): void {
    this.#take(
      Array.from(keys, (row) => ({ row, removes: true, isOrdered: false })),
      "",
    );
  }

  /** A delete with an ordering value loses against a newer row; a move is a delete and an insert. */
  apply(changes: Iterable<Change<ModelRow>>, by = ""): void {
    const { orderingField = "", partitionBy = "" } = this.#rules;
    const steps: Step[] = [];
    for (const { op, key, before, after } of changes) {
      const old: ModelRow = { ...before, ...key };
      const ordering = op === "delete" ? old[orderingField] : after?.[orderingField];
      const removed = { ...after, ...old, [orderingField]: ordering };
      const isOrdered = ordering !== undefined && ordering !== null;
      const from = before?.[partitionBy];
      const moves = from !== undefined && valueText(from) !== valueText(after?.[partitionBy]);
      if (op === "delete") steps.push({ row: removed, removes: true, isOrdered });
      else {
        if (moves)
          steps.push({ row: { ...removed, [partitionBy]: from }, removes: true, isOrdered });
        steps.push({ row: after as ModelRow, removes: false, isOrdered });
      }
    }
    this.#take(steps, by);
  }

  /** The rows, of these commits only if they are named. */
  rows(writtenBy?: ReadonlySet<string>): ModelRow[] {
    const all = [...this.#stored.values()].flat();
    return all.filter((stored) => writtenBy?.has(stored.writtenBy) ?? true).map(({ row }) => row);
  }

  #take(steps: readonly Step[], by: string): void {
    for (const [place, ofKey] of Map.groupBy(steps, (step) => this.#placeOf(step.row))) {
      // Copies of one key go their own ways, each as if it were alone.
      const copies: readonly (Stored | undefined)[] = this.#stored.get(place) ?? [undefined];
      const left = copies.map((copy) =>
        ofKey.reduce((now, step) => this.#step(now, step, by), copy),
      );
      const present = left.filter((copy) => copy !== undefined);
      if (present.length === 0) this.#stored.delete(place);
      else this.#stored.set(place, present);
    }
  }

  #step(stored: Stored | undefined, step: Step, by: string): Stored | undefined {
    const { orderingField = "", compare } = this.#rules;
    const values = [stored?.row[orderingField], step.row[orderingField]] as [never, never];
    if (stored && step.isOrdered && compare && compare(...values) > 0) return stored;
    return step.removes ? undefined : { row: step.row, writtenBy: by };
  }

  #placeOf(row: ModelRow): string {
    return placeText(row, this.#rules.recordKey, this.#rules.partitionBy);
  }
}
