// Presto and Trino as columns of the matrix: each is told of a table through a metastore of files.

import { join } from "node:path";

import { HudiTable } from "../../../src/index.ts";
import { canonicalRows, type EngineColumn, type EngineRow } from "./engine-rows.ts";
import { listEngineColumns } from "./lake-rows.ts";
import {
  formatFindQuery,
  groupFound,
  type MatrixEngine,
  type StartEngine,
  showEmptyPartitionAsNull,
} from "./matrix-engines.ts";
import { roundToTrinoMicros, truncateToPrestoMicros } from "./presto-client.ts";
import { findPartitioning } from "./presto-metastore.ts";
import { PrestoServer } from "./presto-server.ts";
import { TRINO_VERSION, TrinoServer } from "./trino-server.ts";

const MILLISECONDS_CUT =
  "Presto cuts a timestamp to whole milliseconds, and so is the expectation.";
const MILLISECONDS_ROUNDED =
  "Trino's Hudi connector rounds a timestamp to the nearest millisecond, and so is the expectation.";

export const PRESTO = "PrestoDB";
export const TRINO = `Trino ${TRINO_VERSION}`;

export const startPresto: StartEngine = async ({ directory, timeZone }) => {
  const presto = await PrestoServer.start({ dataDir: join(directory, "presto"), timeZone });
  return readThrough(PRESTO, presto, {
    micros: truncateToPrestoMicros,
    note: MILLISECONDS_CUT,
  });
};

export const startTrino: StartEngine = async ({ directory, timeZone }) => {
  const trino = await TrinoServer.start({ dataDir: join(directory, "trino"), timeZone });
  return readThrough(TRINO, trino, {
    micros: roundToTrinoMicros,
    note: MILLISECONDS_ROUNDED,
  });
};

function readThrough(
  name: string,
  server: Pick<PrestoServer | TrinoServer, "query" | "registerHudiTable" | "stop">,
  shows: { readonly micros: (micros: bigint) => bigint; readonly note: string },
): MatrixEngine {
  return {
    name,
    async read(shape, path, expected) {
      const table = await HudiTable.open(path);
      const columns = listEngineColumns(await table.schema());
      await table[Symbol.asyncDispose]();
      await server.registerHudiTable({
        name: shape.name,
        location: path,
        columns: columns.map((column) => ({ ...column, name: column.name.toLowerCase() })),
        ...(await findLowerCasePartitioning(path)),
      });
      const list = columns.map((column) => `"${column.name.toLowerCase()}"`).join(", ");
      const answer = await server.query(`SELECT ${list} FROM ${shape.name}`);
      // Presto and Trino know names in lower case only.
      const rows = answer.map((row) =>
        Object.fromEntries(
          columns.map((column) => [column.name, row[column.name.toLowerCase()] ?? null]),
        ),
      );
      const shown = showEmptyPartitionAsNull(shape, expected);
      const cut = cutTimestamps(shown.rows, columns, shows.micros);
      const isCut = String(canonicalRows(cut)) !== String(canonicalRows(shown.rows));
      return {
        rows,
        expected: cut,
        notes: [...shown.notes, ...(isCut ? [shows.note] : [])],
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

function cutTimestamps(
  rows: readonly EngineRow[],
  columns: readonly EngineColumn[],
  showMicros: (micros: bigint) => bigint,
): EngineRow[] {
  return rows.map((row) =>
    Object.fromEntries(
      columns.map(({ name, type }) => {
        const value = row[name] ?? null;
        const isTime = type === "timestamp" && typeof value === "bigint";
        return [name, isTime ? showMicros(value) : value];
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
