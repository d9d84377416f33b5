// Random histories of changing columns and rows: whatever came before, the table reads as a model that
// keeps columns by identity instead of by name, now and as of every instant before.
import fc from "fast-check";
import { expect, test } from "vitest";
import { HudiTable } from "../../src/hudi-table.ts";
import { isHudiError, type SchemaChange } from "../../src/index.ts";
import { createMemoryTable, processOptions } from "../support/memory-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";

/** A column of the model: `token` is what it stays, whatever its name. */
interface ModelColumn {
  readonly token: number;
  readonly name: string;
  readonly type: string;
}

interface ModelState {
  readonly columns: readonly ModelColumn[];
  /** By key: values by token, and the instant that wrote the row. */
  readonly rows: ReadonlyMap<
    string,
    { readonly values: ReadonlyMap<number, unknown>; readonly by: string }
  >;
}

const ID: ModelColumn = { token: 0, name: "id", type: "string" };
const AT: ModelColumn = { token: 1, name: "at", type: "long" };
const NAMES = ["a", "b", "c", "d"];
const TYPES = [
  "int?",
  "long?",
  "float?",
  "double?",
  "decimal(6,2)?",
  "string?",
  "list<int?>?",
  "struct<x:int?,y:string?>?",
  "map<long?>?",
];
const WIDER: Readonly<Record<string, readonly string[]>> = {
  "int?": ["long?", "double?", "decimal(12,2)?", "string?"],
  "float?": ["double?"],
  "decimal(6,2)?": ["decimal(9,2)?", "decimal(30,2)?"],
  "decimal(9,2)?": ["decimal(20,2)?"],
  "string?": ["bytes?"],
};

/** A value of a type, by a number; some are null. */
function cellOf(type: string, n: number): unknown {
  if (n % 5 === 0) return null;
  if (type.startsWith("decimal")) return `${n % 100}.25`;
  switch (type) {
    case "int?":
      return n;
    case "long?":
      return BigInt(n) << 33n;
    case "float?":
      return n / 4;
    case "double?":
      return n / 3;
    case "string?":
      return `text ${n}`;
    case "bytes?":
      return new Uint8Array([n & 255, 1, 255]);
    case "list<int?>?":
      return [n, null, n + 1];
    case "map<long?>?":
      return { k: BigInt(n), l: null };
    default:
      return { x: n % 3 === 0 ? null : n, y: `y${n}` };
  }
}

/** A value after its column was given a wider type. */
function widened(value: unknown, to: string): unknown {
  if (value === null) return null;
  if (to === "long?") return BigInt(value as number);
  if (to === "decimal(12,2)?") return `${value}.00`;
  if (to === "string?") return String(value);
  if (to === "bytes?") return new Uint8Array(Buffer.from(value as string));
  return value;
}

function shown({ columns, rows }: ModelState, since = ""): AnyRow[] {
  return [...rows.values()]
    .filter(({ by }) => by > since)
    .map(({ values }) =>
      Object.fromEntries(columns.map(({ name, token }) => [name, values.get(token) ?? null])),
    );
}

type Step = readonly [kind: number, a: number, b: number, c: number];

class History {
  readonly table: HudiTable<AnyRow>;
  readonly advance: () => void;
  state: ModelState = { columns: [ID, AT], rows: new Map() };
  readonly past: { readonly instant: string; readonly state: ModelState }[] = [];
  #tokens = 2;
  #dropped = new Set<string>();
  #version = 0n;
  readonly #ids = new Map<number, number>([
    [0, 0],
    [1, 1],
  ]);

  constructor(table: HudiTable<AnyRow>, advance: () => void) {
    this.table = table;
    this.advance = advance;
  }

  async take([kind, a, b, c]: Step): Promise<void> {
    const own = this.state.columns.filter(({ token }) => token > 1);
    const column = own[a % Math.max(1, own.length)];
    const free = NAMES.filter((name) => !own.some((one) => one.name === name));
    const name = free[b % Math.max(1, free.length)];
    const place = this.#placeOf(c);
    switch (kind) {
      case 0:
        if (name !== undefined) await this.#add(name, TYPES[a % TYPES.length] as string, c);
        return;
      case 1: {
        const wider = WIDER[column?.type ?? ""] ?? [];
        const to = wider[b % Math.max(1, wider.length)];
        if (column && to !== undefined) await this.#widen(column, to);
        return;
      }
      case 2:
        if (column && place.after !== column.name) await this.#move(column, c);
        return;
      case 3:
        if (column) await this.#drop(column, b % 4 === 0);
        return;
      case 4:
        if (column && name !== undefined) await this.#rename(column, name);
        return;
      case 5:
        return this.#delete(a);
      default:
        return this.#upsert(a, b, c);
    }
  }

  #placeOf(c: number): { readonly first?: true; readonly after?: string } {
    const { columns } = this.state;
    if (c % 3 === 0) return { first: true };
    return c % 3 === 1 ? {} : { after: columns[c % columns.length]?.name as string };
  }

  #insert(columns: readonly ModelColumn[], column: ModelColumn, c: number): readonly ModelColumn[] {
    const { first, after } = this.#placeOf(c);
    if (first) return [column, ...columns];
    const at = columns.findIndex((one) => one.name === after);
    return at < 0 ? [...columns, column] : columns.toSpliced(at + 1, 0, column);
  }

  async #commit(
    change: SchemaChange,
    columns: readonly ModelColumn[],
    rewrite: boolean,
  ): Promise<void> {
    const { instant } = await this.table.evolve([change], { rewrite, readers: [] });
    if (rewrite) this.#dropped.clear();
    this.#keep(instant, { ...this.state, columns });
  }

  #keep(instant: string, state: ModelState): void {
    this.state = state;
    this.past.push({ instant, state });
    this.advance();
  }

  async #add(name: string, type: string, c: number): Promise<void> {
    const column = { token: this.#tokens++, name, type };
    const columns = this.#insert(this.state.columns, column, c);
    const change = { add: name, type, ...this.#placeOf(c) };
    try {
      await this.#commit(change, columns, false);
    } catch (error) {
      if (!isHudiError(error, "INVALID") || !this.#dropped.has(name)) throw error;
      expect(error.message).toContain("would come back");
      await this.#commit(change, columns, true);
    }
  }

  async #widen(column: ModelColumn, to: string): Promise<void> {
    const columns = this.state.columns.map((one) => (one === column ? { ...one, type: to } : one));
    const rows = new Map(
      Array.from(this.state.rows, ([id, { values, by }]) => {
        const value = widened(values.get(column.token) ?? null, to);
        return [id, { values: new Map([...values, [column.token, value]]), by }];
      }),
    );
    const { instant } = await this.table.evolve([{ widen: column.name, to }], { readers: [] });
    this.#keep(instant, { columns, rows });
  }

  async #move(column: ModelColumn, c: number): Promise<void> {
    const others = this.state.columns.filter((one) => one !== column);
    const change = { move: column.name, ...this.#placeOf(c) };
    await this.#commit(change, this.#insert(others, column, c), false);
  }

  async #drop(column: ModelColumn, rewrite: boolean): Promise<void> {
    const columns = this.state.columns.filter((one) => one !== column);
    await this.#commit({ drop: column.name }, columns, rewrite);
    if (!rewrite) this.#dropped.add(column.name);
  }

  async #rename(column: ModelColumn, to: string): Promise<void> {
    const columns = this.state.columns.map((one) => (one === column ? { ...one, name: to } : one));
    await this.#commit({ rename: column.name, to }, columns, true);
  }

  async #delete(a: number): Promise<void> {
    const id = `k${a % 6}`;
    const { instant } = await this.table.delete([{ id }]);
    const rows = new Map(this.state.rows);
    rows.delete(id);
    this.#keep(instant, { ...this.state, rows });
  }

  async #upsert(a: number, b: number, c: number): Promise<void> {
    this.#version += 1n;
    const incoming = new Map<string, ReadonlyMap<number, unknown>>();
    for (let index = 0; index <= a % 3; index += 1) {
      const id = `k${(b + index) % 6}`;
      const values = this.state.columns.map(({ token, type }): [number, unknown] =>
        token === 0
          ? [0, id]
          : token === 1
            ? [1, this.#version]
            : [token, cellOf(type, (c + token + index) % 100)],
      );
      incoming.set(id, new Map(values));
    }
    const rows = shown({
      columns: this.state.columns,
      rows: new Map(Array.from(incoming, ([id, values]) => [id, { values, by: "x" }])),
    });
    const { instant } = await this.table.upsert(rows);
    const next = Array.from(incoming, ([id, values]) => [id, { values, by: instant }] as const);
    this.#keep(instant, { ...this.state, rows: new Map([...this.state.rows, ...next]) });
  }

  /** Ids belong to a column for life, and to no other one ever. */
  async checkIds(): Promise<void> {
    const { fields } = await this.table.schema();
    expect(fields.map(({ name }) => name)).toEqual(this.state.columns.map(({ name }) => name));
    for (const [index, { token }] of this.state.columns.entries()) {
      const id = fields[index]?.id as number;
      expect(this.#ids.get(token) ?? id).toBe(id);
      for (const [other, known] of this.#ids) if (other !== token) expect(known).not.toBe(id);
      this.#ids.set(token, id);
    }
  }
}

const steps = fc.array(
  fc.tuple(
    fc.constantFrom(0, 0, 1, 1, 2, 3, 4, 5, 6, 6, 6),
    ...([fc.nat(1000), fc.nat(1000), fc.nat(1000)] as const),
  ),
  { minLength: 3, maxLength: 14 },
);

test("any history of columns and rows reads as the model (EV-1, EV-3, EV-5, SC-5)", async () => {
  await fc.assert(
    fc.asyncProperty(steps, fc.boolean(), fc.nat(1000), async (list, newGroups, pick) => {
      const write = newGroups ? { smallFileBytes: 0 } : {};
      const { clock, store, table } = await createMemoryTable(
        { fields: { id: "string", at: "long" }, recordKey: "id", orderingField: "at" },
        { write } as never,
      );
      const history = new History(table as unknown as HudiTable<AnyRow>, () => clock.advance(1000));
      await history.take([6, 2, 0, 1]);
      for (const step of list) {
        await history.take(step as Step);
        await history.checkIds();
      }
      const { state, past } = history;
      const fresh = await HudiTable.open<AnyRow>(
        "memory:",
        processOptions(store, { clock, seed: 5 }),
      );
      expect(rowTexts(await fresh.read().toArray())).toEqual(rowTexts(shown(state)));
      const then = past[pick % past.length] as (typeof past)[number];
      const asOf = await fresh.read({ asOf: then.instant }).toArray();
      expect(rowTexts(asOf)).toEqual(rowTexts(shown(then.state)));
      const pulled = await fresh.incremental({ after: then.instant }).toArray();
      expect(rowTexts(pulled)).toEqual(rowTexts(shown(state, then.instant)));
      const column = state.columns[pick % state.columns.length] as ModelColumn;
      const where = { kind: "is-null", column: column.name } as const;
      const found = await fresh.read({ where }).toArray();
      const isNull = (row: AnyRow): boolean => row[column.name] === null;
      expect(rowTexts(found)).toEqual(rowTexts(shown(state).filter(isNull)));
    }),
    { numRuns: 200 },
  );
}, 60_000);
