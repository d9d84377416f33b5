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
import type { Shape } from "./shape-builder.ts";
import { TRINO_VERSION, TrinoServer } from "./trino-server.ts";

const MILLISECONDS_CUT =
  "Presto cuts a timestamp to whole milliseconds, and so is the expectation.";

export const PRESTO = "PrestoDB";
export const TRINO = `Trino ${TRINO_VERSION}`;

const DEFAULT_PARTITION_TEXT = String.raw`Trino's Hudi connector shows the partition of nulls as the text \N.`;
const DEFAULT_PARTITION_OUT = String.raw`Trino's Hudi connector takes the partition of nulls for the text \N, which is no value of a column of another type, while its filters take it for null: that partition is not registered.`;

/** How an engine differs from a table by its own rules. */
interface Habits {
  readonly isCutToMillis?: boolean;
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
    showPartitions: showEmptyPartitionAsNull,
  });
};

export const startTrino: StartEngine = async ({ directory, timeZone }) => {
  const trino = await TrinoServer.start({ dataDir: join(directory, "trino"), timeZone });
  return readThrough(TRINO, trino, {
    showPartitions: showTrinoPartitions,
  });
};

function showTrinoPartitions(shape: Shape, given: readonly EngineRow[]): ShownPartitions {
  const { partitionBy, fields } = shape.definition;
  const { rows } = showEmptyPartitionAsNull(shape, given);
  if (partitionBy === undefined || !rows.some((row) => row[partitionBy] === null)) {
    return { rows, notes: [] };
  }
  if (shape.isFiltered || !/^string\??$/.test(String((fields as Fields)[partitionBy]))) {
    return {
      rows: rows.filter((row) => row[partitionBy] !== null),
      notes: [DEFAULT_PARTITION_OUT],
      isDefaultOut: true,
    };
  }
  const shown = rows.map((row) =>
    row[partitionBy] === null ? { ...row, [partitionBy]: String.raw`\N` } : row,
  );
  return { rows: shown, notes: [DEFAULT_PARTITION_TEXT] };
}

function readThrough(
  name: string,
  server: Pick<PrestoServer | TrinoServer, "query" | "registerHudiTable" | "stop">,
  { isCutToMillis = false, showPartitions }: Habits,
): MatrixEngine {
  return {
    name,
    async read(shape, path, expected) {
      const table = await HudiTable.open(path);
      const columns = listEngineColumns(await table.schema());
      await table[Symbol.asyncDispose]();
      const shown = showPartitions(shape, expected);
      const { partitions = [], ...partitioning } = await findLowerCasePartitioning(path);
      await server.registerHudiTable({
        name: shape.name,
        location: path,
        columns: columns.map((column) => ({ ...column, name: column.name.toLowerCase() })),
        ...partitioning,
        partitions: partitions.filter(({ value }) => value !== null || !shown.isDefaultOut),
      });
      const list = columns.map((column) => `"${column.name.toLowerCase()}"`).join(", ");
      const answer = await server.query(`SELECT ${list} FROM ${shape.name}`);
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
        notes: [...shown.notes, ...(isCut ? [MILLISECONDS_CUT] : [])],
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

/** The partitioning of a table as Presto and Trino name its column. */
async function findLowerCasePartitioning(
  path: string,
): Promise<Awaited<ReturnType<typeof findPartitioning>>> {
  const { partitionColumn, partitions } = await findPartitioning(path);
  if (partitionColumn === undefined || partitions === undefined) return {};
  return { partitionColumn: partitionColumn.toLowerCase(), partitions };
}
