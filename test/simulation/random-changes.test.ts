// Random histories of tables of both types with every kind of index: what `changes` gives of each commit
// against the change list of the model, and applied to a second table.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HudiTable } from "../../src/hudi-table.ts";
import type { Change } from "../../src/layout/change.ts";
import type { IndexDefinition } from "../../src/layout/index-definition.ts";
import type { TableType } from "../../src/layout/table-config.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { processOptions, START_MS } from "../support/memory-table.ts";
import { ModelTable } from "../support/model-table.ts";
import { type AnyRow, rowText, rowTexts } from "../support/row-text.ts";
import { applyTo, type WriteCall } from "./write-history.ts";

const SOAK = Number(process.env.HUDI_LAKE_SOAK ?? 1);
const SEED = Number(process.env.HUDI_LAKE_SEED ?? 1);
const RUNS = Math.ceil(8 * SOAK);

const FIELDS = { id: "string", part: "string", version: "long", note: "string?" } as const;
const COLUMNS = {
  id: "required",
  part: "required",
  version: "required",
  note: "nullable",
} as const;

interface Shape {
  readonly type: TableType;
  readonly index: IndexDefinition;
  readonly isOrdered: boolean;
}

const INDEXES: readonly IndexDefinition[] = [
  { kind: "bloom" },
  { kind: "bucket", buckets: 2 },
  { kind: "global-simple" },
];
const SHAPES: readonly Shape[] = (["copy-on-write", "merge-on-read"] as const).flatMap((type) =>
  INDEXES.map((index, at): Shape => ({ type, index, isOrdered: at < 2 })),
);

type Step =
  | WriteCall
  | { readonly kind: "partial"; readonly rows: readonly AnyRow[] }
  | { readonly kind: "rollback" };

const rowOf = fc.record({
  id: fc.constantFrom("a", "b", "c", "d"),
  part: fc.constantFrom("p", "q"),
  version: fc.bigInt({ min: 0n, max: 4n }),
  note: fc.constantFrom("x", "y", null),
});
const keyOf = ({ id, part }: AnyRow): AnyRow => ({ id, part });

function changeOf(row: AnyRow, other: AnyRow, op: "update" | "move" | "delete"): Change<AnyRow> {
  const { id } = row;
  if (op === "delete") return { op, key: keyOf(row) };
  if (op === "update") return { op, key: { id }, after: row };
  return {
    op: "update",
    key: { id },
    before: { ...other, id },
    after: row,
  };
}

function stepOf({ index, type }: Shape): fc.Arbitrary<Step> {
  const rows = fc.array(rowOf, { minLength: 1, maxLength: 4 });
  const unique = fc.uniqueArray(rowOf, { selector: ({ id }) => id, maxLength: 4 });
  const ops = fc.constantFrom("update" as const, "move" as const, "delete" as const);
  const changes = fc.array(fc.tuple(rowOf, rowOf, ops), { maxLength: 4 });
  const isGlobal = index.kind.startsWith("global");
  const call = (
    kind: "upsert" | "partial" | "insertOverwriteTable" | "insertOverwrite" | "delete",
  ) => {
    return (list: readonly AnyRow[]): Step => ({ kind, rows: list });
  };
  return fc.oneof(
    { weight: 6, arbitrary: rows.map(call("upsert")) },
    { weight: 2, arbitrary: rows.map((list) => call("delete")(list.map(keyOf))) },
    {
      weight: 3,
      arbitrary: changes.map(
        (list): Step => ({ kind: "apply", changes: list.map((one) => changeOf(...one)) }),
      ),
    },
    {
      weight: 2,
      arbitrary: rows.map((list) => call("partial")(list.map(({ note: _, ...rest }) => rest))),
    },
    // It looks nothing up, so that a key would come to stand in several partitions.
    ...(isGlobal ? [] : [{ weight: 2, arbitrary: unique.map(call("insertOverwrite")) }]),
    { weight: 1, arbitrary: unique.map(call("insertOverwriteTable")) },
    {
      weight: 1,
      arbitrary: rows.map((list): Step => ({ kind: "deletePartitions", rows: list })),
    },
    // A completed delta commit is not taken back.
    ...(type === "copy-on-write"
      ? [{ weight: 1, arbitrary: fc.constant<Step>({ kind: "rollback" }) }]
      : []),
  );
}

const placeOf = (row: AnyRow): string => `${row.part} ${row.id}`;

/** The rows of a table, and which of them the commit wrote that led there. */
interface State {
  readonly rows: readonly AnyRow[];
  readonly written: readonly AnyRow[];
}

/** The changes between two states, as text; a row that moves is a delete and an insert. */
function expectedChanges(
  before: readonly AnyRow[],
  { rows, written }: State,
): { readonly texts: string[]; readonly moves: number } {
  const old = new Map(before.map((row) => [placeOf(row), row]));
  const now = new Map(rows.map((row) => [placeOf(row), row]));
  const gone = [...old].filter(([place]) => !now.has(place)).map(([, row]) => row);
  const added = written.filter((row) => !old.has(placeOf(row)));
  const texts = [
    ...gone.map((row) => `delete ${rowText(row)}`),
    ...written.map((row) => {
      const known = old.get(placeOf(row));
      return known ? `update ${rowText(known)} to ${rowText(row)}` : `insert ${rowText(row)}`;
    }),
  ];
  const count = (rows: readonly AnyRow[], id: unknown): number =>
    rows.filter((row) => row.id === id).length;
  const moves = [...new Set(gone.map(({ id }) => id))].map((id) =>
    Math.min(count(gone, id), count(added, id)),
  );
  return { texts: texts.sort(), moves: moves.reduce((sum, each) => sum + each, 0) };
}

/** Changes as the same text, and how many of them move a row. */
function foundChanges(changes: readonly Change<AnyRow>[]): {
  readonly texts: string[];
  readonly moves: number;
} {
  let moves = 0;
  const texts = changes.flatMap(({ op, key, before, after }) => {
    expect(key).toEqual({ id: (after ?? before)?.id });
    if (op === "delete") return [`delete ${rowText(before as AnyRow)}`];
    if (op === "insert") return [`insert ${rowText(after as AnyRow)}`];
    const [old, now] = [before as AnyRow, after as AnyRow];
    if (placeOf(old) === placeOf(now)) return [`update ${rowText(old)} to ${rowText(now)}`];
    moves += 1;
    return [`delete ${rowText(old)}`, `insert ${rowText(now)}`];
  });
  return { texts: texts.sort(), moves };
}

function createTable(
  shape: Shape,
  isOrdered: boolean,
): [Promise<HudiTable<AnyRow>>, SimulatedClock] {
  const clock = new SimulatedClock(START_MS);
  const definition = {
    name: "changing",
    type: shape.type,
    fields: FIELDS,
    recordKey: "id" as const,
    partitionBy: "part" as const,
    ...(isOrdered && { orderingField: "version" as const }),
    index: shape.index,
  };
  const write = { maxFileBytes: 4_500, smallFileBytes: 4_400, codec: "uncompressed" as const };
  const options = processOptions(new MemoryStore(clock), { clock, write });
  const table = HudiTable.create("memory:", definition, options);
  return [table as unknown as Promise<HudiTable<AnyRow>>, clock];
}

function writeStep(
  table: HudiTable<AnyRow>,
  step: Exclude<Step, { kind: "rollback" }>,
): Promise<{ readonly instant: string }> {
  if (step.kind === "apply") return table.apply(step.changes);
  if (step.kind === "partial") return table.upsert(step.rows, { partial: true });
  if (step.kind === "deletePartitions") {
    return table.deletePartitions(step.rows.map(({ part }) => ({ part })));
  }
  return table[step.kind](step.rows);
}

/** What a snapshot shows: written is a row that was not there, or with another commit time. */
async function readState(
  table: HudiTable<AnyRow>,
  asOf: string,
  before: readonly AnyRow[],
): Promise<State> {
  const columns = [...Object.keys(FIELDS), "_hoodie_commit_time"];
  const shown = await table.read({ asOf, columns }).toArray();
  const times = new Map(before.map((row) => [placeOf(row), timeOf.get(row)]));
  const rows: AnyRow[] = [];
  const written: AnyRow[] = [];
  for (const { _hoodie_commit_time: time, ...row } of shown) {
    timeOf.set(row, time);
    rows.push(row);
    if (times.get(placeOf(row)) !== time) written.push(row);
  }
  return { rows, written };
}

const timeOf = new WeakMap<AnyRow, unknown>();

interface Counts {
  changes: number;
  moves: number;
}

async function runHistory(shape: Shape, steps: readonly Step[], counts: Counts): Promise<void> {
  const [creating, clock] = createTable(shape, shape.isOrdered);
  const table = await creating;
  // A row that was overwritten may have come back older, so a copy takes changes in their order.
  const copy = await createTable({ ...shape, type: "copy-on-write" }, false)[0];
  const empty = new ModelTable({
    recordKey: "id",
    partitionBy: "part",
    ...(shape.isOrdered && {
      orderingField: "version",
      compare: (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0),
    }),
    global: shape.index.kind.startsWith("global") ? "moves" : undefined,
    columns: COLUMNS,
  });
  const versions: { readonly instant: string; readonly model: ModelTable }[] = [];
  for (const step of steps) {
    clock.advance(1000);
    if (step.kind === "rollback") {
      const newest = versions.pop();
      if (newest) await table.rollback(newest.instant);
      continue;
    }
    const { instant } = await writeStep(table, step);
    const model = (versions.at(-1)?.model ?? empty).copy();
    if (step.kind === "partial") model.upsert(step.rows, instant);
    else applyTo(model, step, instant);
    versions.push({ instant, model });
  }
  const all = await table.changes().toArray();
  const instants = [...new Set(all.map(({ instant }) => instant))];
  expect(instants).toEqual(
    versions.map(({ instant }) => instant).filter((i) => instants.includes(i)),
  );
  let before: readonly AnyRow[] = [];
  for (const { instant, model } of versions) {
    const own = all.filter((change) => change.instant === instant);
    // In logs a deletion takes newer rows away, and older ones come back: the model does not have that.
    const state =
      shape.type === "merge-on-read" && shape.isOrdered
        ? await readState(table, instant, before)
        : { rows: model.rows(), written: model.rows(new Set([instant])) };
    expect(foundChanges(own)).toEqual(expectedChanges(before, state));
    counts.changes += own.length;
    counts.moves += foundChanges(own).moves;
    await copy.apply(own);
    expect(rowTexts(await copy.read().toArray())).toEqual(rowTexts(state.rows));
    before = state.rows;
  }
  // A reader that stopped anywhere goes on where it was.
  const middle = versions[Math.floor(versions.length / 2)]?.instant ?? "";
  const [first, rest] = [table.changes({ upTo: middle }), table.changes({ after: middle })];
  expect([...(await first.toArray()), ...(await rest.toArray())]).toEqual(middle === "" ? [] : all);
}

describe("changes are those of the model, commit by commit, and make a copy of the table", () => {
  it.each(SHAPES)(
    "of a table that is $type with the index $index.kind (CH-1, CH-2, CH-3, CH-5, CH-6)",
    { timeout: 60_000 * SOAK },
    async (shape) => {
      const counts: Counts = { changes: 0, moves: 0 };
      const history = fc.array(stepOf(shape), { minLength: 2, maxLength: 7 });
      const property = fc.asyncProperty(history, (steps) => runHistory(shape, steps, counts));
      await fc.assert(property, { numRuns: RUNS, seed: SEED });
      expect(counts.changes).toBeGreaterThan(RUNS * 2);
      if (shape.index.kind === "global-simple") expect(counts.moves).toBeGreaterThan(0);
    },
  );
});
