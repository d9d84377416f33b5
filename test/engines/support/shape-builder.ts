// What the shapes of the matrix are built with: a definition with the usual answers, lists of writes
// with a history worth reading, and the table that they must leave.

import type {
  Fields,
  PartitionColumn,
  TableDefinition,
  TimestampPartition,
  WriteSettings,
} from "../../../src/index.ts";
import { EDGE_FIELDS, makeEdgeRow } from "./edge-rows.ts";
import type { EngineRow, EngineValue } from "./engine-rows.ts";
import { ExpectedTable, type WriteStep } from "./expected-table.ts";

/** One shape. */
export interface Shape {
  readonly name: string;
  readonly definition: TableDefinition;
  readonly write: Partial<WriteSettings>;
  readonly steps: readonly WriteStep[];
  /** Core shapes are run in a second time zone as well. */
  readonly isCore: boolean;
  /** Whether every column is filtered on as well: worth it where there are many files. */
  readonly isFiltered: boolean;
  /** The folder of a row, where points in time make it. */
  readonly folderOf: ((row: EngineRow) => string) | undefined;
  /** Whether it has days before 1582, which Spark does not read back from files of its own upsert. */
  readonly hasAncientDays: boolean;
  /** What Spark's own upsert fails with, because of a type that Spark does not have. */
  readonly sparkRefusal: RegExp | undefined;
}

/** Makes row `index` in the version that `at` orders. */
export type MakeRow = (index: number, at: bigint, change?: EngineRow) => EngineRow;

/** Hudi sizes a bloom filter for 60,000 keys, which makes a footer of 430 KB. */
export const SMALL_BLOOM: WriteSettings["bloom"] = {
  entries: 1_000,
  falsePositiveRate: 1e-9,
  maxEntries: 100_000,
};

/** What `make` gives for the numbers from `from` up to and without `to`. */
export function range<T>(from: number, to: number, make: (index: number) => T): T[] {
  return Array.from({ length: to - from }, (_, offset) => make(from + offset));
}

/** Five commits: inserts, updates beside a stale row and inserts into small files, deletes, changes. */
export function manyCommits(make: MakeRow): WriteStep[] {
  return [
    { kind: "upsert", rows: range(0, 20, (index) => make(index, 100n)) },
    {
      kind: "upsert",
      rows: [
        ...range(5, 15, (index) => make(index, 200n, { note: "updated" })),
        make(0, 50n, { note: "stale, must not be seen" }),
        ...range(20, 30, (index) => make(index, 200n)),
      ],
    },
    { kind: "delete", keys: [3, 12, 25].map((index) => make(index, 0n)) },
    changesStep(make),
    { kind: "upsert", rows: [make(3, 10n, { note: "back, older than it was" })] },
  ];
}

function changesStep(make: MakeRow): WriteStep {
  const keyOf = ({ id }: EngineRow): EngineRow => ({ id: id ?? null });
  const [first, gone, kept, added] = [make(1, 100n), make(2, 100n), make(4, 100n), make(30, 300n)];
  const updated = make(1, 300n, { note: "changed", price: "1.00" });
  return {
    kind: "apply",
    changes: [
      { op: "insert", key: keyOf(added), after: added },
      { op: "update", key: keyOf(first), before: first, after: updated },
      { op: "delete", key: keyOf(gone), before: gone },
      { op: "delete", key: keyOf(kept), before: { ...kept, at: 1n } },
    ],
  };
}

/** Spreads rows over the values of a partition column. */
export function partitioned(column: string, values: readonly EngineValue[]): MakeRow {
  return (index, at, change = {}) =>
    makeEdgeRow(index, at, { [column]: values[index % values.length] ?? null, ...change });
}

/** What is told of a shape; the rest are the usual answers. */
export interface ShapeParts extends Partial<Omit<Shape, "definition" | "steps">> {
  readonly name: string;
  readonly fields?: Fields;
  readonly table?: Partial<TableDefinition>;
  readonly steps: readonly WriteStep[];
}

/** A shape with a table of `EDGE_FIELDS`, key `id` and ordering field `at`, where not told otherwise. */
export function shape(parts: ShapeParts): Shape {
  const { name, fields = EDGE_FIELDS, table, steps } = parts;
  return {
    name,
    definition: {
      name,
      type: "copy-on-write",
      fields,
      recordKey: "id",
      orderingField: "at",
      ...table,
    },
    write: { bloom: SMALL_BLOOM, ...parts.write },
    steps,
    isCore: parts.isCore ?? false,
    isFiltered: parts.isFiltered ?? false,
    folderOf: parts.folderOf,
    hasAncientDays: parts.hasAncientDays ?? false,
    sparkRefusal: parts.sparkRefusal,
  };
}

/** Two commits of rows that carry no note: inserts, then updates and more inserts. */
export function twoCommits(make: (index: number, version: bigint) => EngineRow): WriteStep[] {
  return [
    { kind: "upsert", rows: range(0, 20, (index) => make(index, 1n)) },
    {
      kind: "upsert",
      rows: [...range(10, 30, (index) => make(index, 2n)), make(0, 0n)],
    },
    { kind: "delete", keys: range(5, 8, (index) => make(index, 0n)) },
  ];
}

/** The table that the writes of a shape must leave. */
export function expectTable({ definition, steps, folderOf }: Shape): ExpectedTable {
  const table = new ExpectedTable({
    key: definition.recordKey,
    partition: partitionNames(definition),
    folderOf,
    ordering: definition.orderingField,
    isGlobal: definition.index?.kind.startsWith("global") === true,
  });
  for (const step of steps) table.write(step);
  return table;
}

/** The key columns of a table. */
export function keyNames({ recordKey }: Pick<TableDefinition, "recordKey">): string[] {
  return [recordKey].flat();
}

/** The partition columns of a table. */
export function partitionNames({ partitionBy }: Pick<TableDefinition, "partitionBy">): string[] {
  return listPartitions(partitionBy).map((column) =>
    typeof column === "string" ? column : column.field,
  );
}

/** The partition columns whose folders are points in time. */
export function timestampPartitions({
  partitionBy,
}: Pick<TableDefinition, "partitionBy">): TimestampPartition[] {
  return listPartitions(partitionBy).filter((column) => typeof column !== "string");
}

function listPartitions(partitionBy: TableDefinition["partitionBy"]): PartitionColumn[] {
  return partitionBy === undefined ? [] : ([partitionBy].flat() as PartitionColumn[]);
}
