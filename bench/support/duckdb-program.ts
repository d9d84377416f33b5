// DuckDB in a process of its own as the native floor: it writes the same columns as a base file has,
// and rewrites base files with changes as the copy-on-write merge does, without Hudi's index,
// footer, markers or commit. Its argument is the number of threads.
import { mkdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { serveCalls } from "./child-program.ts";
import { COLUMNS } from "./dataset.ts";
import { Duckdb, quoteSql, readParquetSql } from "./duckdb.ts";
import { measure, type Sample } from "./measure.ts";

/** What a call of the program answers. */
export interface DuckdbAnswer {
  readonly sample: Sample;
  readonly rowCount: number;
  /** The files that hold the table afterwards, for writes. */
  readonly files: readonly string[];
}

const INSTANT = "20260101000000000";

const [, , threads = "1"] = process.argv;
const duckdb = await Duckdb.open(Number(threads));

async function load(params: { paths: string[] }): Promise<void> {
  await duckdb.run(
    `CREATE OR REPLACE TABLE input AS SELECT * FROM ${readParquetSql(params.paths)}`,
  );
}

async function countInput(): Promise<number> {
  const [row] = await duckdb.query("SELECT count(*)::INTEGER AS n FROM input");
  return Number(row?.n);
}

/** The five meta columns of rows that this write brings in. */
function newMetaSql(fileName: string): string {
  return `'${INSTANT}' AS _hoodie_commit_time,
    concat('${INSTANT}_0_', row_number() OVER ()) AS _hoodie_commit_seqno,
    id AS _hoodie_record_key, '' AS _hoodie_partition_path,
    ${quoteSql(fileName)} AS _hoodie_file_name`;
}

function copySql(query: string, path: string, codec: string): string {
  return `COPY (${query}) TO ${quoteSql(path)}
    (FORMAT parquet, COMPRESSION ${codec}, ROW_GROUP_SIZE 122880)`;
}

/** Loads the rows with the meta columns of a base file, all of them as they are stored. */
async function loadWhole(params: { path: string }): Promise<void> {
  await duckdb.run(
    `CREATE OR REPLACE TABLE input AS SELECT * FROM ${readParquetSql([params.path])}`,
  );
}

/** Encodes the loaded rows and nothing else. */
async function encode(params: { path: string; codec: string }): Promise<DuckdbAnswer> {
  const { path, codec } = params;
  const options = codec === "zstd" ? "zstd, COMPRESSION_LEVEL 1" : codec;
  const rowCount = await countInput();
  const { sample } = await measure(() => duckdb.run(copySql("FROM input", path, options)));
  return { sample, rowCount, files: [path] };
}

interface WriteCall {
  /** An empty folder for the output. */
  readonly into: string;
  readonly codec: string;
  /** The base files to rewrite; absent for a bulk insert. */
  readonly baseFiles?: readonly string[];
}

async function write(params: WriteCall): Promise<DuckdbAnswer> {
  await rm(params.into, { recursive: true, force: true });
  await mkdir(params.into, { recursive: true });
  const rowCount = await countInput();
  const { sample, result } = await measure(async () =>
    params.baseFiles === undefined
      ? await bulkInsert(params)
      : await rewrite(params, params.baseFiles),
  );
  return { sample, rowCount, files: result };
}

async function bulkInsert({ into, codec }: WriteCall): Promise<string[]> {
  const path = join(into, "new.parquet");
  const query = `SELECT ${newMetaSql("new.parquet")}, ${COLUMNS.join(", ")} FROM input`;
  await duckdb.run(copySql(query, path, codec));
  return [path];
}

/** Finds the keys, then rewrites the files that hold any; new keys go to the last of those. */
async function rewrite(params: WriteCall, baseFiles: readonly string[]): Promise<string[]> {
  await duckdb.run(`CREATE OR REPLACE TEMP TABLE tagged AS
    SELECT b.filename AS file, c.id FROM ${readParquetSql(baseFiles, ", filename = true")} b
    JOIN input c ON b._hoodie_record_key = c.id`);
  const touched = await duckdb.query("SELECT DISTINCT file FROM tagged ORDER BY file");
  const last = touched.at(-1)?.file;
  const files = new Set(baseFiles);
  for (const { file } of touched) {
    const path = String(file);
    files.delete(path);
    files.add(await rewriteFile(params, path, file === last));
  }
  await duckdb.run("DROP TABLE tagged");
  return [...files];
}

async function rewriteFile(params: WriteCall, file: string, takesNew: boolean): Promise<string> {
  const name = `new-${basename(file)}`;
  const path = join(params.into, name);
  const wins = "c.id IS NOT NULL AND c.updated_at >= b.updated_at";
  const pick = (column: string, fresh: string): string =>
    `CASE WHEN ${wins} THEN ${fresh} ELSE b.${column} END AS ${column}`;
  const merged = `SELECT ${pick("_hoodie_commit_time", `'${INSTANT}'`)},
      ${pick("_hoodie_commit_seqno", `concat('${INSTANT}_0_', c.rowid)`)},
      b._hoodie_record_key, b._hoodie_partition_path, ${quoteSql(name)} AS _hoodie_file_name,
      ${COLUMNS.map((column) => pick(column, `c.${column}`)).join(", ")}
    FROM ${readParquetSql([file])} b
    LEFT JOIN (SELECT rowid, * FROM input) c ON b._hoodie_record_key = c.id`;
  const added = `SELECT ${newMetaSql(name)}, ${COLUMNS.join(", ")} FROM input
    ANTI JOIN tagged ON input.id = tagged.id`;
  const query = takesNew ? `${merged} UNION ALL ${added}` : merged;
  await duckdb.run(copySql(query, path, params.codec));
  return path;
}

interface ReadCall {
  readonly baseFiles: readonly string[];
  readonly columns: readonly string[];
  readonly after?: string;
}

/** Streams data chunks, DuckDB's columnar vectors, without making JavaScript values of them. */
async function read(params: ReadCall): Promise<DuckdbAnswer> {
  const { sample, result } = await measure(async () => {
    let rowCount = 0;
    const stream = await duckdb.connection.stream(readSql(params));
    for (;;) {
      const chunk = await stream.fetchChunk();
      if (!chunk || chunk.rowCount === 0) return rowCount;
      rowCount += chunk.rowCount;
      for (let column = 0; column < chunk.columnCount; column += 1) chunk.getColumnVector(column);
    }
  });
  return { sample, rowCount: result, files: [] };
}

function readSql({ columns, baseFiles, after }: ReadCall): string {
  const filter = after === undefined ? "" : ` WHERE _hoodie_commit_time > ${quoteSql(after)}`;
  return `SELECT ${columns.join(", ")} FROM ${readParquetSql(baseFiles)}${filter}`;
}

serveCalls({ load, loadWhole, encode, write, read });
