// DuckDB for the harness: one database in memory with a chosen number of threads.
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";

/** An open database. */
export class Duckdb {
  readonly connection: DuckDBConnection;
  readonly #instance: DuckDBInstance;

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection) {
    this.#instance = instance;
    this.connection = connection;
  }

  /** Opens an empty database; it spills nowhere and downloads nothing. */
  static async open(threads: number): Promise<Duckdb> {
    const instance = await DuckDBInstance.create(":memory:", {
      threads: String(threads),
      autoinstall_known_extensions: "false",
      autoload_known_extensions: "false",
    });
    const connection = await instance.connect();
    await connection.run("SET TimeZone = 'UTC'");
    return new Duckdb(instance, connection);
  }

  async run(sql: string): Promise<void> {
    await this.connection.run(sql);
  }

  /** The rows of a query, every value as JSON. */
  async query(sql: string): Promise<Record<string, unknown>[]> {
    const reader = await this.connection.runAndReadAll(sql);
    return reader.getRowObjectsJson() as Record<string, unknown>[];
  }

  close(): void {
    this.connection.closeSync();
    this.#instance.closeSync();
  }
}

/** A text as a literal of SQL. */
export function quoteSql(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The table function that reads Parquet files. */
export function readParquetSql(paths: readonly string[], options = ""): string {
  return `read_parquet([${paths.map(quoteSql).join(", ")}]${options})`;
}
