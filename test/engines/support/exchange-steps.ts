// One write of every kind, by turns: what we and Spark do in each round of an exchange over a table of
// every type.

import type { Fields } from "../../../src/index.ts";
import { EDGE_FIELDS, makeEdgeRow } from "./edge-rows.ts";
import type { EngineRow } from "./engine-rows.ts";
import type { Exchange, SparkStep } from "./exchange.ts";
import type { WriteStep } from "./expected-table.ts";
import { range } from "./shape-builder.ts";
import { makeNestedRow, NESTED_FIELDS } from "./shapes.ts";

/** Every type, and the mark of deleted rows. */
export const WIDE_FIELDS: Fields = {
  ...EDGE_FIELDS,
  ...NESTED_FIELDS,
  _hoodie_is_deleted: "boolean?",
};

const REGIONS = ["north", "us west", "ü é", null];

/** Row `index` of `WIDE_FIELDS` in the version that `at` orders. */
export function makeWideRow(index: number, at: bigint, change: EngineRow = {}): EngineRow {
  const { id: _id, at: _at, price: _price, ...nested } = makeNestedRow(index, at);
  const region = REGIONS[index % REGIONS.length] ?? null;
  return { ...nested, ...makeEdgeRow(index, at, { region }), _hoodie_is_deleted: null, ...change };
}

/** How many rounds `stepsOfRound` has steps for. */
export const ROUNDS = 10;

/** What we write and what Spark writes in a round; the second step sees what the first one left. */
export function stepsOfRound(
  exchange: Exchange,
  round: number,
): { readonly ours: () => WriteStep; readonly theirs: () => SparkStep } {
  const at = BigInt(1_000 + round * 10);
  const first = 20 + round * 20;
  const created = (from: number, change: EngineRow = {}): EngineRow[] =>
    range(first + from, first + from + 6, (index) => makeWideRow(index, at, change));
  const updated = (seed: number, version: bigint): EngineRow[] =>
    exchange.pickRows(6, seed).map((row, index) => {
      const { tags = null, blob = null } = makeNestedRow(index + 1, version);
      return { ...row, at: version, note: `updated at ${version}`, tags, blob };
    });
  const upsert = (seed: number, version: bigint, from: number): WriteStep & { kind: "upsert" } => {
    const [stale, moved, ...others] = updated(seed, version);
    const { isGlobal } = exchange;
    return {
      kind: "upsert",
      rows: [
        ...(stale ? [{ ...stale, at: -1n, note: "stale, must not be seen" }] : []),
        ...(moved ? [isGlobal ? { ...moved, region: "moved" } : moved] : []),
        ...others,
        ...created(from),
      ],
    };
  };
  const ours: readonly (() => WriteStep)[] = [
    () => upsert(1, at, 0),
    () => ({ kind: "partial", rows: updated(2, at).map(pickSome) }),
    () => changes(exchange.pickRows(6, 3), at, created(0)),
    () => ({ kind: "insertOverwrite", rows: created(0, { region: "north" }) }),
    () => ({ kind: "bulkInsert", rows: created(0) }),
    () => ({ kind: "deletePartitions", values: ["us west", null] }),
    () => ({ kind: "insert", rows: created(0) }),
    () => ({ kind: "insertOverwriteTable", rows: range(0, 20, (index) => makeWideRow(index, at)) }),
    () => ({ kind: "delete", keys: exchange.pickRows(4, 5) }),
    () => ({ kind: "upsert", rows: updated(6, at).map(markEveryOther) }),
  ];
  const theirs: readonly (() => SparkStep)[] = [
    () => upsert(11, at + 2n, 10),
    () => ({ kind: "insert", rows: created(10) }),
    () => ({
      kind: "delete",
      keys: exchange.pickRows(3, 12).map((row) => ({ ...row, at: at + 2n })),
    }),
    () => upsert(13, at + 2n, 10),
    () => ({ kind: "insertOverwrite", rows: created(10, { region: "ü é" }) }),
    () => upsert(14, at + 2n, 10),
    () => ({ kind: "deletePartitions", values: ["north"] }),
    () => upsert(15, at + 2n, 10),
    () => ({ kind: "insertOverwriteTable", rows: [...created(0), ...created(10)] }),
    () => ({ kind: "upsert", rows: updated(16, at + 2n).map(markEveryOther) }),
  ];
  const [mine, his] = [ours[round], theirs[round]];
  if (!mine || !his) throw new Error(`there is no round ${round}, expected one below ${ROUNDS}`);
  return { ours: mine, theirs: his };
}

/** Leaves columns out: every other row others. */
function pickSome(row: EngineRow, index: number): EngineRow {
  const { id = null, region = null, at = null, note = null, tags = null, price = null } = row;
  return index % 2 === 0 ? { id, region, at, note } : { id, region, at, tags, price, note: null };
}

function markEveryOther(row: EngineRow, index: number): EngineRow {
  return { ...row, _hoodie_is_deleted: index % 2 === 0 };
}

/** An update that leaves columns as they are, one that moves its row, a delete, and an insert. */
function changes(
  rows: readonly EngineRow[],
  at: bigint,
  created: readonly EngineRow[],
): WriteStep & { kind: "apply" } {
  const keyOf = ({ id }: EngineRow): EngineRow => ({ id: id ?? null });
  return {
    kind: "apply",
    changes: [
      ...rows.map((before, index) => {
        const key = keyOf(before);
        if (index % 3 === 0) return { op: "delete", key, before: { ...before, at } } as const;
        const after = { ...before, at, note: "changed", deep: null };
        return index % 3 === 1
          ? ({ op: "update", key, before, after, unchanged: ["deep", "price"] } as const)
          : ({ op: "update", key, before, after: { ...after, region: "elsewhere" } } as const);
      }),
      ...created.map((after) => ({ op: "insert", key: keyOf(after), after }) as const),
    ],
  };
}
