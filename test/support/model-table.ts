// A table in memory with Hudi's merge rules, one change after the other, as plainly as can be: what
// real tables are compared with. Rules: spec/format/merge-rules.md, spec/format/indexing.md.
import type { Change } from "../../src/layout/change.ts";
import { placeText, valueText } from "./row-text.ts";

export type ModelRow = Readonly<Record<string, unknown>>;

/** What identifies a row, and which of two versions of it is the newer one. */
export interface ModelRules {
  readonly recordKey: string | readonly string[];
  readonly partitionBy?: string | readonly string[] | undefined;
  readonly orderingField?: string | undefined;
  /** Compares two ordering values; needed where there is an ordering field. */
  readonly compare?: ((a: never, b: never) => number) | undefined;
  /** A key is found wherever it is: `moves` to the partition of its new row, or `stays`. */
  readonly global?: "moves" | "stays" | undefined;
  /** Every column and whether it may be null; needed for rows that lack some. */
  readonly columns?: Readonly<Record<string, "nullable" | "required">> | undefined;
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

/** The column that deletes the key of a row in which it is true. */
const DELETE_MARK = "_hoodie_is_deleted";

/** What the table must refuse: a new row that lacks a column which needs a value. */
export class ModelRefusal extends Error {}

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
      if (row[DELETE_MARK] === true) continue;
      const place = this.#placeOf(row);
      this.#stored.set(place, [...(this.#stored.get(place) ?? []), { row, writtenBy: by }]);
    }
  }

  /** Rows may lack columns, which then stay as they are. A marked row deletes like a newer row. */
  upsert(rows: Iterable<ModelRow>, by = ""): void {
    const { orderingField } = this.#rules;
    const steps = Array.from(rows, (row): Step => {
      const isOrdered = orderingField !== undefined && row[orderingField] !== undefined;
      return { row, removes: row[DELETE_MARK] === true, isOrdered };
    });
    this.#take(steps, by, true);
  }

  /** Removes keys whatever is stored. */
  delete(keys: Iterable<ModelRow>): void {
    this.#take(
      Array.from(keys, (row) => ({ row, removes: true, isOrdered: false })),
      "",
      false,
    );
  }

  /** A delete with an ordering value loses against a newer row; a move is a delete and an insert. */
  apply(changes: Iterable<Change<ModelRow>>, by = ""): void {
    const { orderingField = "", global } = this.#rules;
    const steps: Step[] = [];
    for (const { op, key, before, after, unchanged } of changes) {
      const old: ModelRow = { ...before, ...key };
      const ordering = op === "delete" ? old[orderingField] : after?.[orderingField];
      const removed = { ...after, ...old, [orderingField]: ordering };
      const isOrdered = ordering !== undefined && ordering !== null;
      const from = this.#placeColumns(before ?? {});
      const moves = Object.entries(from).some(
        ([name, value]) => valueText(value) !== valueText(after?.[name]),
      );
      if (op === "delete") steps.push({ row: removed, removes: true, isOrdered });
      else {
        if (moves && global === undefined)
          steps.push({ row: { ...removed, ...from }, removes: true, isOrdered });
        const row = Object.fromEntries(
          Object.entries(after as ModelRow).filter(([name]) => !unchanged?.includes(name)),
        );
        steps.push({
          row,
          removes: row[DELETE_MARK] === true,
          isOrdered: orderingField !== "" && row[orderingField] !== undefined,
        });
      }
    }
    this.#take(steps, by, false);
  }

  /** Replaces the partitions of the rows by them, or the whole table. */
  overwrite(rows: readonly ModelRow[], scope: "partitions" | "table", by = ""): void {
    if (scope === "table") this.#stored.clear();
    else this.deletePartitions(rows);
    this.insert(rows, by);
  }

  /** Removes the rows of the partitions that these rows belong to. */
  deletePartitions(named: readonly ModelRow[]): void {
    const gone = new Set(named.map((row) => this.#partitionOf(row)));
    for (const [place, copies] of this.#stored) {
      this.#put(
        place,
        copies.filter(({ row }) => !gone.has(this.#partitionOf(row))),
      );
    }
  }

  /** Gives every row a column, null. */
  addColumn(name: string): void {
    for (const [place, copies] of this.#stored) {
      this.#stored.set(
        place,
        copies.map((copy) => ({ ...copy, row: { ...copy.row, [name]: null } })),
      );
    }
  }

  /** The rows, of these commits only if they are named. */
  rows(writtenBy?: ReadonlySet<string>): ModelRow[] {
    const all = [...this.#stored.values()].flat();
    return all.filter((stored) => writtenBy?.has(stored.writtenBy) ?? true).map(({ row }) => row);
  }

  /** In a batch that keeps graves a delete goes on to beat older rows behind it. */
  #take(steps: readonly Step[], by: string, keepsGraves: boolean): void {
    for (const [place, ofKey] of Map.groupBy(steps, (step) => this.#placeOf(step.row))) {
      const copies = this.#stored.get(place) ?? [];
      const run = (from: readonly Stored[]): readonly Stored[] =>
        this.#takeAll(from, ofKey, by, keepsGraves);
      // Within a partition copies of one key go their own ways, each as if it were alone.
      const areAlone = this.#rules.global === undefined && copies.length > 0;
      this.#put(place, areAlone ? copies.flatMap((copy) => run([copy])) : run(copies));
    }
  }

  #takeAll(
    copies: readonly Stored[],
    steps: readonly Step[],
    by: string,
    keepsGraves: boolean,
  ): readonly Stored[] {
    let now = copies;
    let grave: Step | undefined;
    for (const step of steps) {
      if (grave && this.#isNewer(grave.row, step)) continue;
      now = this.#takeOne(now, step, by);
      if (keepsGraves && step.removes && step.isOrdered) grave = step;
    }
    return now;
  }

  #takeOne(copies: readonly Stored[], step: Step, by: string): readonly Stored[] {
    const { global, partitionBy } = this.#rules;
    if (step.removes) return copies.filter((copy) => this.#isNewer(copy.row, step));
    const isAnywhere = global === undefined || global === "stays" || partitionBy === undefined;
    const left: Stored[] = [];
    let moved: Stored | undefined;
    for (const copy of copies) {
      const place = this.#placeColumns(copy.row);
      const row = { ...copy.row, ...step.row, ...(global === "stays" && place) };
      const isHome = isAnywhere || this.#partitionOf(copy.row) === this.#partitionOf(row);
      if (this.#isNewer(copy.row, step)) left.push(copy);
      else if (isHome) left.push({ row, writtenBy: by });
      else moved ??= copy;
    }
    if (left.length > 0) return left;
    return [{ row: { ...this.#nothing(), ...moved?.row, ...step.row }, writtenBy: by }];
  }

  #nothing(): ModelRow {
    const columns = Object.entries(this.#rules.columns ?? {});
    return Object.fromEntries(
      columns.map(([name, kind]) => [name, kind === "nullable" ? null : undefined]),
    );
  }

  #isNewer(stored: ModelRow, step: Step): boolean {
    const { orderingField = "", compare } = this.#rules;
    if (!step.isOrdered || !compare) return false;
    const [a, b] = [stored[orderingField], step.row[orderingField]] as [never, never];
    return a !== null && a !== undefined && compare(a, b) > 0;
  }

  #put(place: string, copies: readonly Stored[]): void {
    const lacks = copies.some(({ row }) => Object.values(row).includes(undefined));
    if (lacks) throw new ModelRefusal(`a new row of ${place} lacks a column`);
    if (copies.length === 0) this.#stored.delete(place);
    else this.#stored.set(place, copies);
  }

  /** The partition columns that a row has. */
  #placeColumns(row: ModelRow): ModelRow {
    const names = [this.#rules.partitionBy ?? []].flat();
    return Object.fromEntries(
      names.filter((name) => row[name] !== undefined).map((name) => [name, row[name]]),
    );
  }

  #partitionOf(row: ModelRow): string {
    const { partitionBy } = this.#rules;
    return placeText({ ...row, "": "" }, "", partitionBy);
  }

  #placeOf(row: ModelRow): string {
    const { recordKey, partitionBy, global } = this.#rules;
    return placeText(row, recordKey, global === undefined ? partitionBy : undefined);
  }
}
