// Rows, changes and filters of every type for random histories, with the comparisons that Hudi makes.
import fc from "fast-check";
import type { LogicalName } from "../../src/layout/table-definition.ts";
import type { AnyRow } from "../support/row-text.ts";

/** A type that an ordering field can have: its values and their order. */
export interface OrderedType {
  readonly type: LogicalName;
  readonly values: fc.Arbitrary<unknown>;
  readonly compare: (a: never, b: never) => number;
}

function compareDirectly<T>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Java's order of doubles: -0 before 0, NaN last. */
function compareDoubles(a: number, b: number): number {
  const rank = (value: number): number => (Number.isNaN(value) ? 1 : 0);
  if (rank(a) + rank(b) > 0) return rank(a) - rank(b);
  return compareDirectly(a, b) || compareDirectly(Object.is(b, -0), Object.is(a, -0));
}

function compareUtf8(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function compareDecimals(a: string, b: string): number {
  return compareDirectly(BigInt(a.replace(".", "")), BigInt(b.replace(".", "")));
}

const DAY_MS = 86_400_000;

/** A decimal text of two fractional digits. */
function decimalText(cents: number): string {
  const digits = String(Math.abs(cents)).padStart(3, "0");
  return `${cents < 0 ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** Few values of each type, so that ties, older and newer ones are all common. */
export const ORDERED_TYPES: readonly OrderedType[] = [
  {
    type: "string",
    values: fc.constantFrom("a", "b", "ab", "é", "z", "🙂", ""),
    compare: compareUtf8,
  },
  { type: "boolean", values: fc.boolean(), compare: compareDirectly },
  { type: "int", values: fc.integer({ min: -3, max: 3 }), compare: compareDirectly },
  {
    type: "long",
    values: fc.constantFrom(-(2n ** 63n), -1n, 0n, 1n, 2n ** 53n, 2n ** 53n + 1n),
    compare: compareDirectly,
  },
  {
    type: "double",
    values: fc.constantFrom(-1.5, -0, 0, 0.1, Number.NaN, Number.POSITIVE_INFINITY),
    compare: compareDoubles,
  },
  {
    type: "date",
    values: fc.integer({ min: -2, max: 2 }).map((day) => new Date(day * DAY_MS)),
    compare: (a: Date, b: Date) => a.getTime() - b.getTime(),
  },
  {
    type: "timestamp-micros",
    values: fc.constantFrom(-1n, 0n, 1n, 1_700_000_000_000_001n),
    compare: compareDirectly,
  },
  {
    type: "decimal(9,2)",
    values: fc.integer({ min: -120, max: 120 }).map(decimalText),
    compare: compareDecimals,
  },
];

/** Columns that say nothing of key, partition or order: nullable, of every type. */
export const PLAIN_FIELDS = {
  note: "string?",
  amount: "long?",
  ratio: "double?",
  flag: "boolean?",
  count: "int?",
  day: "date?",
  price: "decimal(7,2)?",
} as const;

const PLAIN_VALUES: Readonly<Record<keyof typeof PLAIN_FIELDS, fc.Arbitrary<unknown>>> = {
  note: fc.constantFrom("", "x", "yy", "ä", "long enough to matter"),
  amount: fc.bigInt({ min: -3n, max: 3n }),
  ratio: fc.constantFrom(-1.25, 0, 0.5, 1e300),
  flag: fc.boolean(),
  count: fc.integer({ min: -2, max: 2 }),
  day: fc.integer({ min: 0, max: 3 }).map((day) => new Date(day * DAY_MS)),
  price: fc.integer({ min: -300, max: 300 }).map(decimalText),
};

const PLAIN_COMPARISONS: Readonly<Record<string, (a: never, b: never) => number>> = {
  note: compareUtf8,
  amount: compareDirectly,
  ratio: compareDirectly,
  flag: compareDirectly,
  count: compareDirectly,
  day: (a: Date, b: Date) => a.getTime() - b.getTime(),
  price: compareDecimals,
};

const KEY_COUNT = 12;
const key: fc.Arbitrary<string> = fc.integer({ min: 0, max: KEY_COUNT - 1 }).map((n) => `key${n}`);

/** A type that a partition column can have, with few values. */
export interface PartitionType {
  readonly type: LogicalName;
  readonly values: fc.Arbitrary<unknown>;
}

export const PARTITION_TYPES: readonly PartitionType[] = [
  { type: "string", values: fc.constantFrom("p", "q q", "") },
  { type: "int", values: fc.integer({ min: -1, max: 1 }) },
  { type: "date", values: fc.integer({ min: 0, max: 2 }).map((day) => new Date(day * DAY_MS)) },
  { type: "boolean", values: fc.boolean() },
];

/** What a table of a history looks like. */
export interface HistoryShape {
  readonly ordering: OrderedType | undefined;
  readonly partition: PartitionType | undefined;
}

/** A whole row. */
export function rowOf(shape: HistoryShape): fc.Arbitrary<AnyRow> {
  const plain = Object.fromEntries(
    Object.entries(PLAIN_VALUES).map(([name, values]) => [name, fc.option(values, { freq: 4 })]),
  );
  return fc.record({
    id: key,
    ...(shape.partition && { part: fc.option(shape.partition.values, { freq: 3 }) }),
    ...(shape.ordering && { version: shape.ordering.values }),
    ...plain,
  });
}

/** A step of a history. */
export type Step =
  | {
      readonly kind:
        | "upsert"
        | "insert"
        | "bulkInsert"
        | "insertOverwrite"
        | "insertOverwriteTable";
      readonly rows: readonly AnyRow[];
    }
  | { readonly kind: "delete" | "deletePartitions"; readonly rows: readonly AnyRow[] }
  | { readonly kind: "apply"; readonly changes: readonly GeneratedChange[] }
  | { readonly kind: "rollback" };

/** A change, its key taken from the row it carries. */
export interface GeneratedChange {
  readonly op: "insert" | "update" | "delete";
  readonly key: AnyRow;
  readonly before?: AnyRow;
  readonly after?: AnyRow;
}

function changeOf(shape: HistoryShape): fc.Arbitrary<GeneratedChange> {
  const row = rowOf(shape);
  const placeOf = ({ id, part }: AnyRow): AnyRow => (shape.partition ? { id, part } : { id });
  const write = fc
    .tuple(fc.constantFrom("insert", "update"), row)
    .map(([op, after]): GeneratedChange => ({ op: op as "insert", key: { id: after.id }, after }));
  const move = fc.tuple(row, row).map(
    ([before, after]): GeneratedChange => ({
      op: "update",
      key: { id: after.id },
      before: { ...before, id: after.id },
      after,
    }),
  );
  const forced = row.map((old): GeneratedChange => ({ op: "delete", key: placeOf(old) }));
  const ordered = row.map(
    (old): GeneratedChange => ({ op: "delete", key: { id: old.id }, before: old }),
  );
  return fc.oneof(write, write, move, forced, ordered);
}

function partitionsOf({ values }: PartitionType): fc.Arbitrary<Step> {
  const named = fc.option(values, { freq: 3 }).map((part): AnyRow => ({ part }));
  return fc.array(named, { maxLength: 2 }).map((rows) => ({ kind: "deletePartitions", rows }));
}

/** A step; rollbacks of the newest commit are rare. */
export function stepOf(shape: HistoryShape): fc.Arbitrary<Step> {
  const rows = fc.array(rowOf(shape), { maxLength: 6 });
  const rowsFor = (kind: Exclude<Step["kind"], "apply" | "rollback">): fc.Arbitrary<Step> =>
    rows.map((list) => ({ kind, rows: list }));
  const keys = fc.array(rowOf(shape), { maxLength: 4 }).map(
    (list): Step => ({
      kind: "delete",
      rows: list.map(({ id, part }) => (shape.partition ? { id, part } : { id })),
    }),
  );
  const changes = fc
    .array(changeOf(shape), { maxLength: 6 })
    .map((list): Step => ({ kind: "apply", changes: list }));
  return fc.oneof(
    { weight: 4, arbitrary: rowsFor("upsert") },
    { weight: 1, arbitrary: rowsFor("insert") },
    { weight: 1, arbitrary: rowsFor("bulkInsert") },
    { weight: 2, arbitrary: keys },
    { weight: 4, arbitrary: changes },
    { weight: 1, arbitrary: rowsFor("insertOverwrite") },
    { weight: 1, arbitrary: rowsFor("insertOverwriteTable") },
    ...(shape.partition ? [{ weight: 1, arbitrary: partitionsOf(shape.partition) }] : []),
    { weight: 1, arbitrary: fc.constant<Step>({ kind: "rollback" }) },
  );
}

const OPERATORS = ["eq", "ne", "lt", "lte", "gt", "gte"] as const;

/** A filter as the API takes it, and the same filter done naively. */
export interface GeneratedFilter {
  readonly where: Readonly<Record<string, unknown>>;
  readonly keeps: (row: AnyRow) => boolean;
}

/** One or two tests on plain columns, joined by "and". */
export function filterOf(): fc.Arbitrary<GeneratedFilter> {
  const names = Object.keys(PLAIN_VALUES) as (keyof typeof PLAIN_VALUES)[];
  const test = fc.constantFrom(...names).chain((name) =>
    fc.oneof(
      fc.constant<GeneratedFilter>({ where: { [name]: null }, keeps: (row) => row[name] === null }),
      fc.array(PLAIN_VALUES[name], { maxLength: 3 }).map(
        (list): GeneratedFilter => ({
          where: { [name]: { in: list } },
          keeps: (row) => list.some((value) => compareColumn(name, row[name], value) === 0),
        }),
      ),
      fc.tuple(fc.constantFrom(...OPERATORS), PLAIN_VALUES[name]).map(([operator, value]) => ({
        where: { [name]: { [operator]: value } },
        keeps: (row: AnyRow) => holds(operator, compareColumn(name, row[name], value)),
      })),
    ),
  );
  return fc.array(test, { minLength: 1, maxLength: 2 }).map((tests) => ({
    where: Object.assign({}, ...tests.map(({ where }) => where)),
    keeps: (row) => onePerColumn(tests).every(({ keeps }) => keeps(row)),
  }));
}

/** Of two tests on one column the later one is in the `where` object. */
function onePerColumn(tests: readonly GeneratedFilter[]): readonly GeneratedFilter[] {
  return [...new Map(tests.map((test) => [Object.keys(test.where)[0], test])).values()];
}

function compareColumn(name: string, a: unknown, b: unknown): number | undefined {
  if (a === null || a === undefined) return undefined;
  return PLAIN_COMPARISONS[name]?.(a as never, b as never);
}

function holds(operator: (typeof OPERATORS)[number], difference: number | undefined): boolean {
  if (difference === undefined) return false;
  const tests = {
    eq: difference === 0,
    ne: difference !== 0,
    lt: difference < 0,
    lte: difference <= 0,
    gt: difference > 0,
    gte: difference >= 0,
  };
  return tests[operator];
}
