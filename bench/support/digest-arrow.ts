// The digest of Arrow data: its values are handed to DuckDB one by one, which hashes them like those
// of any other engine.
import {
  BIGINT,
  BOOLEAN,
  DATE,
  DOUBLE,
  DuckDBDataChunk,
  DuckDBDateValue,
  DuckDBTimestampTZValue,
  type DuckDBType,
  type DuckDBValue,
  INTEGER,
  TIMESTAMPTZ,
  VARCHAR,
} from "@duckdb/node-api";
import type { RecordBatch, Table } from "apache-arrow";
import type { LogicalName } from "../../src/index.ts";
import { FIELDS } from "./dataset.ts";
import { digestWith } from "./digest.ts";
import { Duckdb } from "./duckdb.ts";

const TYPES: Readonly<Partial<Record<LogicalName, DuckDBType>>> = {
  string: VARCHAR,
  long: BIGINT,
  int: INTEGER,
  double: DOUBLE,
  boolean: BOOLEAN,
  date: DATE,
  "timestamp-micros": TIMESTAMPTZ,
};
const CHUNK_ROWS = 2048;
const MS_PER_DAY = 86_400_000;

/** The digest of the named columns. */
export async function digestArrowTable(table: Table, columns: readonly string[]): Promise<string> {
  const duckdb = await Duckdb.open(2);
  try {
    const types = columns.map(requireType);
    await duckdb.run(
      `CREATE TABLE found (${columns.map((name, index) => `${name} ${types[index]}`).join(", ")})`,
    );
    const appender = await duckdb.connection.createAppender("found");
    for (const batch of table.batches) {
      for (let from = 0; from < batch.numRows; from += CHUNK_ROWS) {
        const part = batch.slice(from, Math.min(batch.numRows, from + CHUNK_ROWS));
        const chunk = DuckDBDataChunk.create(types, part.numRows);
        chunk.setColumns(columns.map((name) => readValues(part, name)));
        appender.appendDataChunk(chunk);
      }
    }
    appender.closeSync();
    return await digestWith(duckdb, "SELECT * FROM found", columns);
  } finally {
    duckdb.close();
  }
}

function logicalName(column: string): LogicalName {
  const declared = FIELDS[column as keyof typeof FIELDS];
  return declared.replace("?", "") as LogicalName;
}

function requireType(column: string): DuckDBType {
  const type = TYPES[logicalName(column)];
  if (!type) throw new Error(`column ${column} has no type of DuckDB`);
  return type;
}

function readValues(batch: RecordBatch, name: string): DuckDBValue[] {
  const vector = batch.getChild(name);
  if (!vector) throw new Error(`the batch lacks column ${name}`);
  const kind = logicalName(name);
  const micros = kind === "timestamp-micros" ? vector.data[0]?.values : undefined;
  return Array.from({ length: batch.numRows }, (_, row): DuckDBValue => {
    if (!vector.isValid(row)) return null;
    if (micros) return new DuckDBTimestampTZValue((micros as BigInt64Array)[row] as bigint);
    const value = vector.get(row);
    return kind === "date" ? new DuckDBDateValue(Number(value) / MS_PER_DAY) : value;
  });
}
