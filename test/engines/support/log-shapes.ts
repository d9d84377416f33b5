// The shapes of merge-on-read tables: what differs in index, partitioning, types, ordering and history,
// each with the answers of engines that cannot read it as it is.

import type { HudiTable, TableDefinition } from "../../../src/index.ts";
import { EDGE_FIELDS, makeEdgeRow } from "./edge-rows.ts";
import type { EngineRow } from "./engine-rows.ts";
import type { WriteStep } from "./expected-table.ts";
import {
  type MakeRow,
  partitioned,
  range,
  type Shape,
  type ShapeParts,
  shape,
} from "./shape-builder.ts";
import {
  DECIMAL_FIELDS,
  GLOBAL_STEPS,
  MARKED_FIELDS,
  makeDecimalRow,
  makeNestedRow,
  makeRequiredRow,
  makeTimeRow,
  NESTED_FIELDS,
  PARTIAL_STEPS,
  REGIONS,
  REQUIRED_FIELDS,
  TIME_FIELDS,
} from "./shapes.ts";

/** Something that changes no row: a service, or a change of columns. */
export interface ServiceStep {
  readonly kind: "service";
  readonly run: (table: HudiTable) => Promise<unknown>;
}

/** What an engine answers that cannot read a table as it is. */
export type KnownAnswer =
  | { readonly note: string; readonly fails: RegExp }
  | {
      readonly note: string;
      readonly shows: (rows: readonly EngineRow[], base: readonly EngineRow[]) => EngineRow[];
    };

/** A shape whose history has services between its writes. */
export interface LogShape extends Shape {
  readonly history: readonly (WriteStep | ServiceStep)[];
  /** Whether the logs say what the base files do not. */
  readonly isLogged: boolean;
  /** By the name of the column of the matrix. */
  readonly answers: Readonly<Record<string, KnownAnswer>>;
}

interface LogShapeParts extends Omit<ShapeParts, "steps"> {
  readonly history: LogShape["history"];
  readonly isLogged?: boolean;
  readonly answers?: LogShape["answers"];
}

function logShape({ history, isLogged, answers, ...parts }: LogShapeParts): LogShape {
  const steps = history.filter((step): step is WriteStep => step.kind !== "service");
  const table = { ...parts.table, type: "merge-on-read" as const };
  return {
    ...shape({ ...parts, table, steps }),
    history,
    isLogged: isLogged ?? true,
    answers: answers ?? {},
  };
}

const inRegions = partitioned("region", REGIONS);
const BY_REGION = { partitionBy: "region", hiveStyle: true } as const;
const BUCKETS = { index: { kind: "bucket", buckets: 3 } } as const;

/**
 * What logs are made of: updates, versions that lose against the base file and against a log, new rows,
 * deletions, and rows that come back. Those are newer than the base file's, which would win otherwise,
 * and no deletion is older than its row (MR-15).
 */
function loggedHistory(make: MakeRow): WriteStep[] {
  const keyOf = ({ id, region }: EngineRow): EngineRow => ({
    id: id ?? null,
    region: region ?? null,
  });
  const [first, gone, added] = [make(1, 100n), make(2, 100n), make(30, 300n)];
  return [
    { kind: "upsert", rows: range(0, 20, (index) => make(index, 100n)) },
    {
      kind: "upsert",
      rows: [
        ...range(5, 15, (index) => make(index, 200n, { note: "updated" })),
        make(0, 50n, { note: "stale, must not be seen" }),
      ],
    },
    {
      kind: "upsert",
      rows: [
        ...range(5, 8, (index) => make(index, 150n, { note: "out of order, must not be seen" })),
        ...range(8, 10, (index) => make(index, 200n, { note: "equal, so it replaces" })),
      ],
    },
    { kind: "upsert", rows: range(20, 26, (index) => make(index, 200n)) },
    { kind: "delete", keys: [3, 12, 21].map((index) => make(index, 0n)) },
    {
      kind: "upsert",
      rows: [
        ...[3, 12].map((index) => make(index, 400n, { note: "back" })),
        make(13, 300n, { note: "updated again" }),
      ],
    },
    {
      kind: "apply",
      changes: [
        { op: "insert", key: keyOf(added), after: added },
        {
          op: "update",
          key: keyOf(first),
          before: first,
          after: make(1, 300n, { note: "changed", price: "1.00" }),
        },
        { op: "delete", key: keyOf(gone) },
      ],
    },
  ];
}

const PRESTO_RT = "PrestoDB rt";

/**
 * PrestoDB 0.287 reads the logs of a slice from the newest to the oldest. So of equal ordering values
 * the older row wins, and without an ordering field the oldest; a deletion takes away what was written
 * after it, and what was logged before it comes back. `changed` are the numbers of the rows of
 * `loggedHistory` to which that happens.
 */
function newestFirst(
  make: MakeRow,
  changed: {
    readonly updated: readonly number[];
    readonly gone: readonly number[];
    readonly back?: readonly number[];
  },
): LogShape["answers"] {
  const { updated, gone, back = [] } = changed;
  return {
    [PRESTO_RT]: {
      note: "PrestoDB reads the logs of a slice newest first: where several hold a key, the wrong version may win until a compaction.",
      shows: (rows) => {
        const others = [...updated, ...gone].map((index) => make(index, 0n).id);
        return [
          ...rows.filter(({ id }) => !others.includes(id ?? null)),
          ...updated.map((index) => make(index, 200n, { note: "updated" })),
          ...back.map((index) => make(index, 200n)),
        ];
      },
    },
  };
}

/** Rows of a type: inserts, updates beside a stale one, more inserts, deletions. */
function typedHistory(make: (index: number, version: bigint) => EngineRow): WriteStep[] {
  return [
    { kind: "upsert", rows: range(0, 20, (index) => make(index, 1n)) },
    { kind: "upsert", rows: [...range(10, 20, (index) => make(index, 2n)), make(0, 0n)] },
    { kind: "upsert", rows: range(20, 30, (index) => make(index, 2n)) },
    { kind: "delete", keys: range(5, 8, (index) => make(index, 0n)) },
  ];
}

const INDEXES: readonly (readonly [string, Partial<TableDefinition>])[] = [
  ["bloom", {}],
  ["simple", { index: { kind: "simple" } }],
  ["bucket", BUCKETS],
];

/** A bucket logs its new rows as well. */
const backIn = (index: string): number[] => (index === "bucket" ? [21] : []);

const HISTORIES: readonly LogShape[] = INDEXES.flatMap(([index, table]) => [
  logShape({
    name: `log_${index}`,
    table,
    history: loggedHistory(makeEdgeRow),
    answers: newestFirst(makeEdgeRow, { updated: [8, 9, 12], gone: [3], back: backIn(index) }),
  }),
  logShape({
    name: `log_${index}_in_regions`,
    table: { ...table, ...BY_REGION },
    history: loggedHistory(inRegions),
    answers: newestFirst(inRegions, { updated: [8, 9, 12], gone: [3], back: backIn(index) }),
  }),
]);

const SPARK_RT = "Spark 3.5, Hudi 0.15.0 rt";
// Which of the two it is depends on the split that comes first.
const UNREAD: KnownAnswer = {
  note: "PrestoDB does not read a slice with logs where a list is asked for, or a date or timestamp orders the rows.",
  fails: /Hive3Shim|is not a group/,
};

const TYPES: readonly LogShape[] = [
  logShape({
    name: "log_decimals",
    fields: DECIMAL_FIELDS,
    table: BUCKETS,
    history: typedHistory(makeDecimalRow),
  }),
  logShape({
    name: "log_nested_columns",
    fields: NESTED_FIELDS,
    history: typedHistory(makeNestedRow),
    answers: { [PRESTO_RT]: UNREAD },
  }),
  logShape({
    name: "log_required_columns",
    fields: REQUIRED_FIELDS,
    history: typedHistory(makeRequiredRow),
    answers: { [PRESTO_RT]: UNREAD },
  }),
  logShape({
    name: "log_times",
    fields: TIME_FIELDS,
    history: typedHistory(makeTimeRow),
    answers: {
      [PRESTO_RT]: UNREAD,
      [SPARK_RT]: {
        note: "Spark takes a timestamp-millis of a base file a thousandfold where it merges logs, and fails on the overflow.",
        fails: /long overflow/,
      },
    },
  }),
];

const OLDER: KnownAnswer = {
  note: "A row that comes back after a logged deletion, older than the base file's, loses against that.",
  shows: (_, base) => base.filter(({ id }) => id !== makeEdgeRow(1, 0n).id),
};

const OPERATIONS: readonly LogShape[] = [
  logShape({
    name: "log_without_ordering_field",
    table: { ...BY_REGION, orderingField: undefined },
    history: loggedHistory(inRegions),
    answers: newestFirst(inRegions, { updated: [5, 6, 7, 8, 9, 12, 13], gone: [3] }),
  }),
  logShape({
    name: "log_deletions_in_order",
    history: [
      { kind: "upsert", rows: range(0, 10, (index) => makeEdgeRow(index, 100n)) },
      {
        kind: "apply",
        changes: range(0, 4, (index) => {
          const { id = null } = makeEdgeRow(index, 100n);
          return { op: "delete", key: { id }, before: makeEdgeRow(index, 150n) };
        }),
      },
    ],
  }),
  logShape({ name: "log_partial_updates", table: BY_REGION, history: PARTIAL_STEPS }),
  logShape({
    name: "log_partial_updates_in_buckets",
    table: { ...BY_REGION, ...BUCKETS },
    history: PARTIAL_STEPS,
  }),
  logShape({
    name: "log_marked_rows",
    fields: MARKED_FIELDS,
    history: [
      {
        kind: "upsert",
        rows: range(0, 12, (index) => makeEdgeRow(index, 100n, { _hoodie_is_deleted: false })),
      },
      {
        kind: "upsert",
        rows: range(0, 6, (index) =>
          makeEdgeRow(index, 200n, { _hoodie_is_deleted: index !== 4, note: "marked" }),
        ),
      },
    ],
  }),
  logShape({
    name: "log_global_bloom_moves",
    table: { ...BY_REGION, index: { kind: "global-bloom" } },
    history: GLOBAL_STEPS,
  }),
  logShape({
    name: "log_small_file_inserts",
    history: [
      { kind: "upsert", rows: range(0, 5, (index) => makeEdgeRow(index, 100n)) },
      { kind: "upsert", rows: range(5, 10, (index) => makeEdgeRow(index, 100n)) },
      { kind: "upsert", rows: range(0, 3, (index) => makeEdgeRow(index, 200n)) },
      { kind: "insert", rows: range(10, 13, (index) => makeEdgeRow(index, 100n)) },
      { kind: "upsert", rows: range(9, 12, (index) => makeEdgeRow(index, 200n)) },
    ],
  }),
  logShape({
    name: "log_rolled_over",
    table: BUCKETS,
    write: { maxLogFileBytes: 1_000 },
    history: [
      { kind: "bulkInsert", rows: range(0, 400, (index) => makeEdgeRow(index, 1n)) },
      ...range(2, 6, (version): WriteStep => {
        const rows = range(0, 400, (index) => makeEdgeRow(index, BigInt(version)));
        return { kind: "upsert", rows: rows.filter((_, index) => index % version === 0) };
      }),
    ],
  }),
  logShape({
    name: "log_emptied_by_deletes",
    history: [
      { kind: "upsert", rows: range(0, 8, (index) => makeEdgeRow(index, 1n)) },
      { kind: "delete", keys: range(0, 8, (index) => makeEdgeRow(index, 1n)) },
    ],
  }),
  logShape({
    name: "log_row_back_older",
    table: BUCKETS,
    history: [
      { kind: "upsert", rows: range(0, 4, (index) => makeEdgeRow(index, 100n)) },
      { kind: "delete", keys: [0, 1].map((index) => makeEdgeRow(index, 0n)) },
      { kind: "upsert", rows: [0, 2].map((index) => makeEdgeRow(index, 50n, { note: "older" })) },
    ],
    // The row of the base file shows again, to every reader (MR-19).
    answers: {
      ...newestFirst(makeEdgeRow, { updated: [], gone: [0] }),
      ...Object.fromEntries(["hudi-lake rt", SPARK_RT, "hudi-rs"].map((name) => [name, OLDER])),
    },
  }),
  logShape({ name: "log_no_commit_yet", isLogged: false, history: [] }),
];

const REPLACED: readonly LogShape[] = [
  logShape({
    name: "log_insert_overwritten",
    table: BY_REGION,
    history: [
      ...loggedHistory(inRegions),
      {
        kind: "insertOverwrite",
        rows: range(100, 108, (index) =>
          inRegions(index, 1n, { region: ["north", "new"][index % 2] ?? null }),
        ),
      },
      {
        kind: "upsert",
        rows: [100, 102].map((index) => inRegions(index, 2n, { region: "north" })),
      },
    ],
    answers: newestFirst(inRegions, { updated: [8, 9], gone: [3] }),
  }),
  logShape({
    name: "log_buckets_overwritten",
    table: BUCKETS,
    history: [
      ...loggedHistory(makeEdgeRow),
      { kind: "insertOverwriteTable", rows: range(5, 25, (index) => makeEdgeRow(index, 1n)) },
      { kind: "upsert", rows: range(0, 8, (index) => makeEdgeRow(index, 2n)) },
    ],
  }),
  logShape({
    name: "log_partitions_deleted",
    table: BY_REGION,
    history: [
      ...loggedHistory(inRegions),
      { kind: "deletePartitions", values: ["north", null] },
      { kind: "upsert", rows: range(0, 3, (index) => inRegions(index, 900n)) },
    ],
    answers: newestFirst(inRegions, { updated: [8], gone: [2] }),
  }),
  logShape({
    name: "log_column_added",
    fields: EDGE_FIELDS,
    table: BUCKETS,
    history: [
      ...loggedHistory(makeEdgeRow),
      { kind: "service", run: (table) => table.evolve([{ add: "extra", type: "string?" }]) },
      {
        kind: "upsert",
        rows: range(0, 8, (index) => makeEdgeRow(index, 900n, { extra: `added ${index}` })),
      },
    ],
    answers: newestFirst(makeEdgeRow, { updated: [8, 9, 12], gone: [2, 3], back: [21] }),
  }),
];

/** Shapes after table services; a service that the library gets is given a shape here. */
const SERVICED: readonly LogShape[] = [];

/** Every merge-on-read shape of the matrix. */
export const LOG_SHAPES: readonly LogShape[] = [
  ...HISTORIES,
  ...TYPES,
  ...OPERATIONS,
  ...REPLACED,
  ...SERVICED,
];
