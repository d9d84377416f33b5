// What a table must hold after a list of writes: the rules of the writes over a plain map, with
// nothing of the library in it.

import type { EngineRow, EngineValue } from "./engine-rows.ts";

/** One change as `apply` takes it, its rows in the form of the engine drivers. */
export interface ExpectedChange {
  readonly op: "insert" | "update" | "delete";
  readonly key: EngineRow;
  readonly before?: EngineRow;
  readonly after?: EngineRow;
  readonly unchanged?: readonly string[];
}

/** One write call. */
export type WriteStep =
  | { readonly kind: "insert" | "bulkInsert" | "upsert"; readonly rows: readonly EngineRow[] }
  | {
      readonly kind: "partial" | "insertOverwrite" | "insertOverwriteTable";
      readonly rows: readonly EngineRow[];
    }
  | { readonly kind: "deletePartitions"; readonly values: readonly EngineValue[] }
  | { readonly kind: "delete"; readonly keys: readonly EngineRow[] }
  | { readonly kind: "apply"; readonly changes: readonly ExpectedChange[] };

/** Which columns decide where a row belongs and which version of it wins. */
export interface ExpectedTableOptions {
  /** Columns; a field of a struct is named `user.id`, where the struct is JSON text. */
  readonly key: string | readonly string[];
  readonly partition?: string | readonly string[] | undefined;
  /** The folder of a row where it is not told by the values of the partition columns. */
  readonly folderOf?: ((row: EngineRow) => string) | undefined;
  readonly ordering?: string | undefined;
  /** Whether a key is found in whatever partition it is, and moves to that of its new row. */
  readonly isGlobal?: boolean | undefined;
}

/** The rows of a table by partition and key. */
export class ExpectedTable {
  readonly #options: ExpectedTableOptions;
  readonly #rows: Map<string, EngineRow> = new Map();
  readonly #partitions: readonly string[];

  constructor(options: ExpectedTableOptions) {
    this.#options = options;
    this.#partitions = [options.partition ?? []].flat();
  }

  /** The rows as they are now. */
  get rows(): EngineRow[] {
    return [...this.#rows.values()];
  }

  /** Carries one write out. */
  write(step: WriteStep): void {
    switch (step.kind) {
      case "insert":
      case "bulkInsert":
        for (const row of step.rows) this.#insert(row);
        break;
      case "upsert":
        for (const row of step.rows) this.#put(row);
        break;
      case "partial":
        for (const row of step.rows) this.#put({ ...this.#rows.get(this.#place(row)), ...row });
        break;
      case "insertOverwrite":
        this.#empty(new Set(step.rows.map((row) => this.#folder(row))));
        for (const row of step.rows) this.#insert(row);
        break;
      case "insertOverwriteTable":
        this.#rows.clear();
        for (const row of step.rows) this.#insert(row);
        break;
      case "deletePartitions":
        this.#empty(
          new Set(step.values.map((value) => this.#folder({ [this.#partitions[0] ?? ""]: value }))),
        );
        break;
      case "delete":
        for (const key of step.keys) this.#rows.delete(this.#place(key));
        break;
      case "apply":
        for (const change of step.changes) this.#apply(change);
    }
  }

  /** Writes are not looked up by an insert: here every key of one is new. */
  #insert(row: EngineRow): void {
    const place = this.#place(row);
    if (this.#rows.has(place)) throw new Error(`key ${place} is inserted twice`);
    this.#rows.set(place, row);
  }

  /** A row that is marked as deleted is a version like any other, but is not stored. */
  #put(row: EngineRow): void {
    if (!this.#isNewest(row)) return;
    if (row._hoodie_is_deleted === true) this.#rows.delete(this.#place(row));
    else this.#rows.set(this.#place(row), row);
  }

  #empty(folders: ReadonlySet<string>): void {
    for (const [place, row] of this.#rows) {
      if (folders.has(this.#folder(row))) this.#rows.delete(place);
    }
  }

  #apply({ op, key, before, after, unchanged = [] }: ExpectedChange): void {
    if (op === "delete") {
      const row = { ...before, ...key };
      if (this.#isNewest(row)) this.#rows.delete(this.#place(row));
      return;
    }
    if (after === undefined) throw new Error(`a change of ${op} has no row`);
    if (!this.#options.isGlobal && before !== undefined) {
      const old = this.#partitions.map((name) => [name, before[name] ?? null]);
      const left = { ...after, ...Object.fromEntries(old) };
      const hasMoved = this.#folder(left) !== this.#folder(after);
      if (hasMoved && this.#isNewest(left)) this.#rows.delete(this.#place(left));
    }
    const stored = this.#rows.get(this.#place(after));
    const kept = unchanged.map((name) => [name, stored?.[name] ?? null]);
    this.#put({ ...after, ...Object.fromEntries(kept) });
  }

  /** An equal ordering value replaces; a row that is gone has none. */
  #isNewest(row: EngineRow): boolean {
    const { ordering } = this.#options;
    const stored = this.#rows.get(this.#place(row));
    const value = ordering === undefined ? undefined : row[ordering];
    if (stored === undefined || ordering === undefined || value === undefined) return true;
    return !isGreater(stored[ordering] ?? null, value);
  }

  #place(row: EngineRow): string {
    const { key, isGlobal } = this.#options;
    const values = [key].flat().map((name) => String(valueAt(row, name)));
    return JSON.stringify([isGlobal ? "" : this.#folder(row), values]);
  }

  /** An empty partition value and a null are one folder. */
  #folder(row: EngineRow): string {
    const { folderOf } = this.#options;
    if (folderOf) return folderOf(row);
    return JSON.stringify(this.#partitions.map((name) => String(row[name] ?? "")));
  }
}

function valueAt(row: EngineRow, path: string): unknown {
  const [first = "", ...inner] = path.split(".");
  let value: unknown = inner.length === 0 ? row[first] : JSON.parse(String(row[first] ?? null));
  for (const name of inner) value = (value as Record<string, unknown> | null)?.[name] ?? null;
  return value;
}

function isGreater(a: EngineValue, b: EngineValue): boolean {
  if (a === null || b === null) return false;
  return a > b;
}
