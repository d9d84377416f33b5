// Presto and Trino as columns of the matrix: each is told of a table through a metastore of files.

import { join } from "node:path";

import { type Fields, HudiTable } from "../../../src/index.ts";
import { canonicalRows, type EngineColumn, type EngineRow } from "./engine-rows.ts";
import { listEngineColumns } from "./lake-rows.ts";
import {
  formatFindQuery,
  groupFound,
  type MatrixEngine,
  type StartEngine,
  showEmptyPartitionAsNull,
} from "./matrix-engines.ts";
import { truncateToPrestoMicros } from "./presto-client.ts";
import { findPartitioning } from "./presto-metastore.ts";
import { PrestoServer } from "./presto-server.ts";
import { partitionNames, type Shape, timestampPartitions } from "./shape-builder.ts";
import { TRINO_VERSION, TrinoServer } from "./trino-server.ts";

const MILLISECONDS_CUT =
  "Presto cuts a timestamp to whole milliseconds, and so is the expectation.";

const TIMES = ["date", "timestamp"];
const WITHOUT_TIMES =
  "PrestoDB fails on dates and timestamps where it merges logs (a class of Hive 3 is missing): these columns are not asked for.";

const OWN_COLUMN =
  "Presto and Trino need a partition column of its own for folders that are formatted points in time.";

export const PRESTO = "PrestoDB";
export const TRINO = `Trino ${TRINO_VERSION}`;

const DEFAULT_PARTITION_TEXT = String.raw`Trino's Hudi connector shows the partition of nulls as the text \N.`;
const DEFAULT_PARTITION_OUT = String.raw`Trino's Hudi connector takes the partition of nulls for the text \N, which is no value of a column of another type, while its filters take it for null: that partition is not registered.`;

/** What Hive appends to the names of the two tables that a merge-on-read table is to it. */
const SUFFIXES = { "real-time": "rt", "read-optimized": "ro" } as const;

/** How an engine differs from a table by its own rules. */
interface Habits {
  readonly isCutToMillis?: boolean;
  /** Whether a query of merged logs fails that names a date or a timestamp. */
  readonly isTimelessInLogs?: boolean;
  readonly showPartitions: (shape: Shape, rows: readonly EngineRow[]) => ShownPartitions;
}

/** The rows of the partitions that an engine reads, as it shows them. */
interface ShownPartitions {
  readonly rows: readonly EngineRow[];
  readonly notes: readonly string[];
  /** Whether the partition of nulls is not registered. */
  readonly isDefaultOut?: boolean;
}

export const startPresto: StartEngine = async ({ directory, timeZone }) => {
  const presto = await PrestoServer.start({ dataDir: join(directory, "presto"), timeZone });
  return readThrough(PRESTO, presto, {
    isCutToMillis: true,
    isTimelessInLogs: true,
    showPartitions: showEmptyPartitionAsNull,
  });
};

// Trino shows a point in time as the wall clock of its own zone, which tells no two of them apart in an
// hour of autumn: so it runs in UTC, wherever the writer is.
export const startTrino: StartEngine = async ({ directory }) => {
  const trino = await TrinoServer.start({ dataDir: join(directory, "trino"), timeZone: "UTC" });
  return readThrough(TRINO, trino, {
    showPartitions: showTrinoPartitions,
  });
};

function showTrinoPartitions(shape: Shape, given: readonly EngineRow[]): ShownPartitions {
  const { definition } = shape;
  const { rows } = showEmptyPartitionAsNull(shape, given);
  // Folders of points in time are registered under a column of their own.
  const names = timestampPartitions(definition).length > 0 ? [] : partitionNames(definition);
  const isNull = (row: EngineRow): boolean => names.some((name) => row[name] === null);
  if (!rows.some(isNull)) return { rows, notes: [] };
  const isText = (name: string): boolean =>
    /^string\??$/.test(String((definition.fields as Fields)[name]));
  if (shape.isFiltered || !names.every(isText)) {
    return {
      rows: rows.filter((row) => !isNull(row)),
      notes: [DEFAULT_PARTITION_OUT],
      isDefaultOut: true,
    };
  }
  const shown = rows.map((row) => {
    const nulls = names.filter((name) => row[name] === null);
    return { ...row, ...Object.fromEntries(nulls.map((name) => [name, String.raw`\N`])) };
  });
  return { rows: shown, notes: [DEFAULT_PARTITION_TEXT] };
}

function readThrough(
  name: string,
  server: Pick<PrestoServer | TrinoServer, "query" | "registerHudiTable" | "stop">,
  { isCutToMillis = false, isTimelessInLogs = false, showPartitions }: Habits,
): MatrixEngine {
  return {
    name,
    async read(shape, path, expected, query) {
      const registered = query === undefined ? shape.name : `${shape.name}_${SUFFIXES[query]}`;
      const table = await HudiTable.open(path);
      const all = listEngineColumns(await table.schema());
      await table[Symbol.asyncDispose]();
      const isTimeless = isTimelessInLogs && query === "real-time";
      const columns = isTimeless ? all.filter(({ type }) => !TIMES.includes(type)) : all;
      const names = columns.map(({ name }) => name);
      const shown = showPartitions(shape, pickColumns(expected, names));
      const { partitions = [], ...partitioning } = await findLowerCasePartitioning(shape, path);
      await server.registerHudiTable({
        name: registered,
        kind: query ?? "copy-on-write",
        location: path,
        columns: all.map((column) => ({ ...column, name: column.name.toLowerCase() })),
        ...partitioning,
        partitions: partitions.filter(
          ({ values }) => !shown.isDefaultOut || values.every((value) => value !== null),
        ),
      });
      const list = columns.map((column) => `"${column.name.toLowerCase()}"`).join(", ");
      const answer = await server.query(`SELECT ${list} FROM ${registered}`);
      // Presto and Trino know names in lower case only.
      const rows = answer.map((row) =>
        Object.fromEntries(
          columns.map((column) => [column.name, row[column.name.toLowerCase()] ?? null]),
        ),
      );
      const cut = isCutToMillis ? cutTimestamps(shown.rows, columns) : shown.rows;
      const isCut = String(canonicalRows(cut)) !== String(canonicalRows(shown.rows));
      return {
        rows,
        expected: cut,
        notes: [
          ...shown.notes,
          ...(isCut ? [MILLISECONDS_CUT] : []),
          ...(names.length < all.length ? [WITHOUT_TIMES] : []),
          ...(timestampPartitions(shape.definition).length > 0 ? [OWN_COLUMN] : []),
        ],
      };
    },
    async find(shape, _, filters) {
      const found: string[][] = [];
      // Presto takes a hundred stages in a query.
      for (let start = 0; start < filters.length; start += 40) {
        const some = filters.slice(start, start + 40);
        const rows = await server.query(formatFindQuery(shape, shape.name, some, "presto"));
        found.push(...groupFound(rows, some));
      }
      return found;
    },
    stop: () => server.stop(),
  };
}

function pickColumns(rows: readonly EngineRow[], names: readonly string[]): EngineRow[] {
  return rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name] ?? null])));
}

function cutTimestamps(rows: readonly EngineRow[], columns: readonly EngineColumn[]): EngineRow[] {
  return rows.map((row) =>
    Object.fromEntries(
      columns.map(({ name, type }) => {
        const value = row[name] ?? null;
        const isTime = type === "timestamp" && typeof value === "bigint";
        return [name, isTime ? truncateToPrestoMicros(value) : value];
      }),
    ),
  );
}

/** The partitioning of a table as Presto and Trino name its columns. */
async function findLowerCasePartitioning(
  shape: Shape,
  path: string,
): Promise<Awaited<ReturnType<typeof findPartitioning>>> {
  const isTimed = timestampPartitions(shape.definition).length > 0;
  const { partitionColumns, partitions } = await findPartitioning(path, isTimed);
  if (partitionColumns === undefined || partitions === undefined) return {};
  return { partitionColumns: partitionColumns.map((name) => name.toLowerCase()), partitions };
}
