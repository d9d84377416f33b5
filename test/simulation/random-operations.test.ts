// Random histories of partial rows, marked rows, moves and overwrites on tables with every kind of
// index, against the model. HUDI_LAKE_SOAK runs so many times more.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import type { HudiTable } from "../../src/hudi-table.ts";
import type { Change } from "../../src/layout/change.ts";
import type { IndexDefinition } from "../../src/layout/index-definition.ts";
import { createMemoryTable, type MemoryTable } from "../support/memory-table.ts";
import { ModelRefusal, ModelTable } from "../support/model-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";
import { findFileFaults, findTimelineFaults } from "../support/store-checks.ts";
import { applyTo, type WriteCall } from "./write-history.ts";

const SOAK = Number(process.env.HUDI_LAKE_SOAK ?? 1);
const SEED = Number(process.env.HUDI_LAKE_SEED ?? 1);
const RUNS = Math.ceil(40 * SOAK);

const FIELDS = {
  id: "string",
  code: "int?",
  part: "string?",
  area: "int?",
  version: "long",
  size: "int",
  note: "string?",
  price: "decimal(7,2)?",
  _hoodie_is_deleted: "boolean?",
} as const;
type Column = keyof typeof FIELDS;

/** What a table of the histories is. */
interface Shape {
  readonly name: string;
  readonly index: IndexDefinition;
  readonly isOrdered: boolean;
  readonly isPartitioned: boolean;
  /** Two key columns and two partition columns. */
  readonly isDouble?: boolean;
}

const SHAPES: readonly Shape[] = [
  { name: "bloom", index: { kind: "bloom" }, isOrdered: true, isPartitioned: true },
  { name: "bloom, unordered", index: { kind: "bloom" }, isOrdered: false, isPartitioned: true },
  {
    name: "simple, one partition",
    index: { kind: "simple" },
    isOrdered: true,
    isPartitioned: false,
  },
  {
    name: "bucket",
    index: { kind: "bucket", buckets: 3 },
    isOrdered: true,
    isPartitioned: true,
  },
  { name: "global bloom", index: { kind: "global-bloom" }, isOrdered: true, isPartitioned: true },
  {
    name: "global simple, unordered",
    index: { kind: "global-simple" },
    isOrdered: false,
    isPartitioned: true,
  },
  {
    name: "global bloom that moves nothing",
    index: { kind: "global-bloom", updatePartitionPath: false },
    isOrdered: true,
    isPartitioned: true,
  },
  ...(["bloom", "global-bloom"] as const).map((kind): Shape => {
    const name = `${kind}, two key and two partition columns`;
    return { name, index: { kind }, isOrdered: true, isPartitioned: true, isDouble: true };
  }),
  {
    name: "bucket, two key and two partition columns",
    index: { kind: "bucket", buckets: 3 },
    isOrdered: false,
    isPartitioned: true,
    isDouble: true,
  },
];

type Step = WriteCall | { readonly kind: "partial"; readonly rows: readonly AnyRow[] } | Undo;
interface Undo {
  readonly kind: "rollback";
}

function keysOf({ isDouble }: Shape): Column[] {
  return isDouble ? ["id", "code"] : ["id"];
}

function placesOf({ isPartitioned, isDouble }: Shape): Column[] {
  if (isDouble) return ["part", "area"];
  return isPartitioned ? ["part"] : [];
}

function columnsOf(shape: Shape): Column[] {
  const own = new Set([...keysOf(shape), ...placesOf(shape)]);
  const shared: Column[] = ["id", "code", "part", "area"];
  return (Object.keys(FIELDS) as Column[]).filter(
    (name) => own.has(name) || !shared.includes(name),
  );
}

function pick(row: AnyRow, names: readonly string[]): AnyRow {
  return Object.fromEntries(names.map((name) => [name, row[name]]));
}

function isGlobal({ index }: Shape): boolean {
  return index.kind.startsWith("global");
}

function rowOf(shape: Shape): fc.Arbitrary<AnyRow> {
  const values: Readonly<Record<Column, fc.Arbitrary<unknown>>> = {
    id: fc.integer({ min: 0, max: shape.isDouble ? 3 : 7 }).map((n) => `key${n}`),
    code: fc.constantFrom(1, 2, null),
    part: fc.constantFrom("p", "q", null),
    area: fc.constantFrom(7, -7, null),
    version: fc.bigInt({ min: 0n, max: 4n }),
    size: fc.integer({ min: 0, max: 99 }),
    note: fc.constantFrom("x", "yy", "", null),
    price: fc.constantFrom("1.00", "-3.25", null),
    _hoodie_is_deleted: fc.constantFrom(true, false, false, false, null, null),
  };
  return fc.record(Object.fromEntries(columnsOf(shape).map((name) => [name, values[name]])));
}

/** Columns that a row may leave out. */
function optionalColumns(shape: Shape): Column[] {
  const required = [...keysOf(shape), ...(isGlobal(shape) ? [] : placesOf(shape))];
  return columnsOf(shape).filter((name) => !required.includes(name));
}

function someColumns(shape: Shape): fc.Arbitrary<Column[]> {
  const names = optionalColumns(shape);
  const places = placesOf(shape);
  // Partition columns are left out together.
  const some = fc.subarray(names).map((left) => {
    const isPlaced = !left.some((name) => places.includes(name));
    return isPlaced ? left : [...new Set([...left, ...places])];
  });
  return fc.oneof(fc.constant<Column[]>([]), some, fc.constant<Column[]>(["note"]));
}

function partialRowOf(shape: Shape): fc.Arbitrary<AnyRow> {
  return fc.tuple(rowOf(shape), someColumns(shape)).map(([row, missing]) => {
    const entries = Object.entries(row).filter(([name]) => !missing.includes(name as Column));
    return Object.fromEntries(entries);
  });
}

/** The columns that say which row is meant. */
function placedKey(shape: Shape): Column[] {
  return [...keysOf(shape), ...(isGlobal(shape) ? [] : placesOf(shape))];
}

function changeOf(shape: Shape): fc.Arbitrary<Change<AnyRow>> {
  const row = rowOf(shape);
  const place = (old: AnyRow): AnyRow => pick(old, placedKey(shape));
  return fc.oneof(
    {
      weight: 4,
      arbitrary: fc.tuple(row, someColumns(shape)).map(([after, unchanged]) => ({
        op: "update" as const,
        key: pick(after, keysOf(shape)),
        after,
        unchanged,
      })),
    },
    {
      weight: 2,
      arbitrary: fc.tuple(row, row).map(([before, after]) => ({
        op: "update" as const,
        key: pick(after, keysOf(shape)),
        before: { ...before, ...pick(after, keysOf(shape)) },
        after,
      })),
    },
    { weight: 1, arbitrary: row.map((old) => ({ op: "delete" as const, key: place(old) })) },
    {
      weight: 1,
      arbitrary: row.map((old) => ({ op: "delete" as const, key: place(old), before: old })),
    },
  );
}

function stepOf(shape: Shape): fc.Arbitrary<Step> {
  const rows = fc.array(rowOf(shape), { maxLength: 5 });
  const unique = fc.uniqueArray(rowOf(shape), {
    selector: (one) => JSON.stringify(pick(one, keysOf(shape))),
    maxLength: 5,
  });
  const kindOf =
    (kind: Exclude<Step["kind"], "apply" | "rollback">) =>
    (list: readonly AnyRow[]): Step => ({ kind, rows: list });
  const partial = fc.array(partialRowOf(shape), { maxLength: 5 }).map(kindOf("partial"));
  const changes = fc.array(changeOf(shape), { maxLength: 5 });
  const keys = rows.map((list) => list.map((one) => pick(one, placedKey(shape))));
  return fc.oneof(
    { weight: 3, arbitrary: rows.map(kindOf("upsert")) },
    { weight: 4, arbitrary: partial },
    { weight: 4, arbitrary: changes.map((list): Step => ({ kind: "apply", changes: list })) },
    { weight: 1, arbitrary: keys.map(kindOf("delete")) },
    // An insert looks nothing up, so that a key would come to stand in several partitions.
    ...(isGlobal(shape) ? [] : [{ weight: 1, arbitrary: rows.map(kindOf("insert")) }]),
    ...(isGlobal(shape) ? [] : [{ weight: 1, arbitrary: rows.map(kindOf("insertOverwrite")) }]),
    { weight: 1, arbitrary: unique.map(kindOf("insertOverwriteTable")) },
    { weight: 1, arbitrary: fc.constant<Step>({ kind: "rollback" }) },
  );
}

/** What a step does to the model; a bucket meets keys in inserts as well. */
function applyStep(model: ModelTable, step: Exclude<Step, Undo>, shape: Shape, by: string): void {
  const isBucketed = shape.index.kind === "bucket";
  if (step.kind === "partial") model.upsert(step.rows, by);
  else if (isBucketed && step.kind === "insert") model.upsert(step.rows, by);
  else applyTo(model, step, by);
}

async function writeStep(
  table: HudiTable<AnyRow>,
  step: Exclude<Step, Undo>,
): Promise<{ readonly instant: string }> {
  if (step.kind === "apply") return table.apply(step.changes);
  if (step.kind === "partial") return table.upsert(step.rows, { partial: true });
  return table[step.kind](step.rows);
}

async function createTable(shape: Shape): Promise<[MemoryTable<AnyRow>, ModelTable]> {
  const fields = Object.fromEntries(columnsOf(shape).map((name) => [name, FIELDS[name]]));
  const created = await createMemoryTable(
    {
      fields: fields as typeof FIELDS,
      recordKey: keysOf(shape),
      ...(shape.isPartitioned && { partitionBy: placesOf(shape) }),
      ...(shape.isOrdered && { orderingField: "version" }),
      index: shape.index,
    },
    { write: { maxFileBytes: 4_000, smallFileBytes: 3_800 } },
  );
  const stays = shape.index.kind.startsWith("global") && "updatePartitionPath" in shape.index;
  const model = new ModelTable({
    recordKey: keysOf(shape),
    partitionBy: shape.isPartitioned ? placesOf(shape) : undefined,
    orderingField: shape.isOrdered ? "version" : undefined,
    compare: (a: bigint, b: bigint) => (a < b ? -1 : a > b ? 1 : 0),
    global: isGlobal(shape) ? (stays ? "stays" : "moves") : undefined,
    columns: Object.fromEntries(
      columnsOf(shape).map((name) => [name, FIELDS[name].endsWith("?") ? "nullable" : "required"]),
    ),
  });
  return [created as unknown as MemoryTable<AnyRow>, model];
}

interface Counts {
  steps: number;
  refused: number;
  moved: number;
}

async function runHistory(shape: Shape, steps: readonly Step[], counts: Counts): Promise<void> {
  const [{ table, clock, store }, empty] = await createTable(shape);
  const versions: { readonly instant: string; readonly model: ModelTable }[] = [];
  const readRows = async (asOf?: string): Promise<string[]> =>
    rowTexts(await table.read({ asOf }).toArray());
  for (const step of steps) {
    clock.advance(1000);
    counts.steps += 1;
    if (step.kind === "rollback") {
      const newest = versions.pop();
      if (newest) await table.rollback(newest.instant);
    } else {
      const model = (versions.at(-1)?.model ?? empty).copy();
      let refusal: unknown;
      try {
        applyStep(model, step, shape, "");
      } catch (error) {
        if (!(error instanceof ModelRefusal)) throw error;
        refusal = error;
      }
      try {
        const { instant } = await writeStep(table, step);
        expect(refusal, "the model refuses what the table took").toBeUndefined();
        const named = (versions.at(-1)?.model ?? empty).copy();
        applyStep(named, step, shape, instant);
        versions.push({ instant, model: named });
      } catch (error) {
        if (refusal === undefined || !isHudiError(error, "INVALID")) throw error;
        counts.refused += 1;
      }
    }
    const expected = rowTexts((versions.at(-1)?.model ?? empty).rows());
    expect(await readRows()).toEqual(expected);
    expect([...findTimelineFaults(store), ...findFileFaults(store)]).toEqual([]);
  }
  const last = versions.at(-1)?.model;
  for (const [index, { instant, model }] of versions.entries()) {
    expect(await readRows(instant), `as of ${instant}`).toEqual(rowTexts(model.rows()));
    const later = new Set(versions.slice(index + 1).map((version) => version.instant));
    const pulled = await table.incremental({ after: instant }).toArray();
    expect(rowTexts(pulled), `after ${instant}`).toEqual(rowTexts(last?.rows(later) ?? []));
  }
}

describe("a table and the model agree after partial rows, marks and moves", () => {
  it.each(SHAPES)(
    "with the index $name (MR-6, MR-11, MR-12, MR-13, MR-14, IX-6, IX-7, IX-8, IX-9, TX-16)",
    { timeout: 60_000 * SOAK },
    async (shape) => {
      const counts: Counts = { steps: 0, refused: 0, moved: 0 };
      const history = fc.array(stepOf(shape), { minLength: 2, maxLength: 7 });
      const property = fc.asyncProperty(history, (steps) => runHistory(shape, steps, counts));
      await fc.assert(property, { numRuns: RUNS, seed: SEED });
      console.log(`${RUNS} histories of ${counts.steps} steps, ${counts.refused} refused`);
      expect(counts.refused).toBeGreaterThan(0);
      expect(counts.refused).toBeLessThan(counts.steps / 2);
    },
  );
});
