// The digest that makes outputs comparable: number of rows, and the sum of a hash over all columns
// of each row, computed by DuckDB over whatever files or rows an engine left. Order does not count.
import { COLUMNS } from "./dataset.ts";
import { Duckdb, readParquetSql } from "./duckdb.ts";

/** Digest of a query that yields the columns of the table. */
export async function digestQuery(sql: string, columns = COLUMNS): Promise<string> {
  const duckdb = await Duckdb.open(2);
  try {
    return await digestWith(duckdb, sql, columns);
  } finally {
    duckdb.close();
  }
}

/** The same with a database that is open already. */
export async function digestWith(
  duckdb: Duckdb,
  sql: string,
  columns: readonly string[] = COLUMNS,
): Promise<string> {
  const values = columns.map(comparableSql).join(", ");
  const rows = await duckdb.query(
    `SELECT count(*)::VARCHAR AS n, coalesce(sum(hash(${values})::HUGEINT), 0)::VARCHAR AS s FROM (${sql})`,
  );
  const { n, s } = rows[0] as { n: string; s: string };
  return `${n}:${s}`;
}

// Engines store these two in different ways that mean the same.
function comparableSql(column: string): string {
  if (column === "moment") return "epoch_us(moment)::BIGINT";
  if (column === "day") return "(day::DATE - DATE '1970-01-01')::INTEGER";
  return column;
}

/** Digest of base files, whose record-key column must repeat the key. Throws where it does not. */
export async function digestBaseFiles(paths: readonly string[]): Promise<string> {
  const duckdb = await Duckdb.open(2);
  try {
    const files = readParquetSql(paths);
    const wrong = await duckdb.query(`SELECT count(*)::INTEGER AS n FROM ${files}
      WHERE _hoodie_record_key IS DISTINCT FROM id OR _hoodie_commit_time IS NULL
         OR _hoodie_commit_seqno IS NULL OR _hoodie_file_name IS NULL`);
    const found = Number((wrong[0] as { n: number }).n);
    if (found > 0) throw new Error(`${found} rows have wrong meta columns, expected none`);
    return await digestWith(duckdb, `SELECT * FROM ${files}`);
  } finally {
    duckdb.close();
  }
}

/** Throws when an output differs from what it must be; no time of such a run counts. */
export function requireSameDigest(what: string, found: string, expected: string): void {
  if (found !== expected) {
    throw new Error(
      `${what}: found the digest ${found}, expected ${expected} (rows:sum of hashes)`,
    );
  }
}
