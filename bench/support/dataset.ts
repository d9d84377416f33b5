// The data of the benchmark: typed rows that follow from their number alone, made once by DuckDB as
// Parquet for every engine, and as Arrow beside it for the writers that take record batches.
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readParquet } from "parquet-wasm";
import type { Fields, TableDefinition } from "../../src/index.ts";
import { Duckdb, quoteSql, readParquetSql } from "./duckdb.ts";

/** The columns: a key of 36 random characters, about 250 bytes a row with the five meta columns. */
export const FIELDS = {
  id: "string",
  city: "string?",
  status: "string?",
  note: "string?",
  amount: "long?",
  quantity: "int?",
  price: "double?",
  active: "boolean?",
  day: "date?",
  moment: "timestamp-micros?",
  updated_at: "long",
} as const satisfies Fields;

/** The names of the columns, in order. */
export const COLUMNS: readonly string[] = Object.keys(FIELDS);

/** The table of every workload. */
export const DEFINITION: TableDefinition<typeof FIELDS> = {
  name: "orders",
  type: "copy-on-write",
  fields: FIELDS,
  recordKey: "id",
  orderingField: "updated_at",
};

/** Which rows a set of changes updates: any of the table, or those that came last. */
export type Spread = "uniform" | "recent";

/** Rows in one Parquet file and the same in one Arrow file. */
export interface DataFile {
  readonly parquetPath: string;
  readonly arrowPath: string;
  readonly rowCount: number;
}

/** Change the number when the rows change, so that files of older runs are not taken for new. */
const GENERATION = 4;
const WORDS =
  "order parcel window morning invoice river signal paper customer garden metal engine harbour " +
  "station letter cotton bridge market copper silver winter summer bottle candle ladder mirror " +
  "basket circle branch velvet marble orchard lantern anchor saddle thunder meadow pepper ribbon " +
  "canvas timber coffee button planet rocket island forest castle tunnel pocket helmet magnet " +
  "hammer feather compass blanket whistle chimney barrel cradle pillow locket trumpet glacier";
const STALE_IN = 100;
const RECENT_ROWS = 250_000;

/** Makes the files that a workload asks for, once for each folder. */
export class Dataset {
  readonly #folder: string;
  readonly partRows: number;

  constructor(folder: string, partRows: number) {
    this.#folder = join(folder, `data-${GENERATION}`);
    this.partRows = partRows;
  }

  /** The first `rowCount` rows, in files of `partRows`. */
  async base(rowCount: number): Promise<readonly DataFile[]> {
    const files: DataFile[] = [];
    for (let from = 0; from < rowCount; from += this.partRows) {
      const to = Math.min(rowCount, from + this.partRows);
      const numbers = `SELECT i, 0 AS version FROM range(${from}, ${to}) t(i) ORDER BY i`;
      files.push(await this.#make(`rows-${from}-${to}`, numbers, to - from));
    }
    return files;
  }

  /**
   * Changes to a table of `baseRows`: 95 of 100 update a row and 5 insert one; of the updates one
   * in a hundred is older than the row it meets and must lose.
   */
  changes(baseRows: number, changeCount: number, spread: Spread): Promise<DataFile> {
    const inserts = Math.floor(changeCount / 20);
    const window = Math.min(baseRows, Math.max(RECENT_ROWS, 2 * changeCount));
    const first = spread === "uniform" ? 0 : baseRows - window;
    const numbers = `SELECT i, 1 AS version FROM (
        (SELECT i FROM range(${first}, ${baseRows}) t(i) ORDER BY hash(i, 42) LIMIT ${changeCount - inserts})
        UNION ALL SELECT i FROM range(${baseRows}, ${baseRows + inserts}) t(i)
      ) ORDER BY hash(i, 43)`;
    return this.#make(`changes-${baseRows}-${changeCount}-${spread}`, numbers, changeCount);
  }

  /** The first `rowCount` rows with the five meta columns of a base file in front. */
  async whole(rowCount: number): Promise<DataFile> {
    const base = await this.base(rowCount);
    const instant = "20260101000000000";
    const name = `whole-${rowCount}`;
    const [parquetPath, arrowPath] = [".parquet", ".arrow"].map((extension) =>
      join(this.#folder, `${name}${extension}`),
    ) as [string, string];
    if (!existsSync(parquetPath)) {
      await copyToParquet(
        `SELECT '${instant}' AS _hoodie_commit_time,
          concat('${instant}_0_', row_number() OVER () - 1) AS _hoodie_commit_seqno,
          id AS _hoodie_record_key, '' AS _hoodie_partition_path,
          '6f1c9e0a-4d7b-4c52-9f3e-2b8a5d1e7c40-0_0-0-0_${instant}.parquet' AS _hoodie_file_name,
          * FROM ${readParquetSql(base.map((file) => file.parquetPath))}`,
        parquetPath,
      );
    }
    if (!existsSync(arrowPath)) await convertToArrow(parquetPath, arrowPath);
    return { parquetPath, arrowPath, rowCount };
  }

  async #make(name: string, numbersSql: string, rowCount: number): Promise<DataFile> {
    await mkdir(this.#folder, { recursive: true });
    const parquetPath = join(this.#folder, `${name}.parquet`);
    const arrowPath = join(this.#folder, `${name}.arrow`);
    if (!existsSync(parquetPath)) await writeRows(numbersSql, parquetPath);
    if (!existsSync(arrowPath)) await convertToArrow(parquetPath, arrowPath);
    return { parquetPath, arrowPath, rowCount };
  }
}

async function writeRows(numbersSql: string, path: string): Promise<void> {
  await copyToParquet(rowsSql(numbersSql), path);
}

async function copyToParquet(query: string, path: string): Promise<void> {
  const duckdb = await Duckdb.open(2);
  try {
    await duckdb.run(`COPY (${query}) TO ${quoteSql(`${path}.new`)}
      (FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 122880)`);
    await rename(`${path}.new`, path);
  } finally {
    duckdb.close();
  }
}

function rowsSql(numbersSql: string): string {
  return `
    WITH numbers AS MATERIALIZED (${numbersSql}),
    drawn AS (
      SELECT i, version, md5(concat('order-', i)) AS m,
        hash(i, version, 1) AS h1, hash(i, version, 2) AS h2, hash(i, version, 3) AS h3
      FROM numbers
    )
    SELECT
      m[1:8] || '-' || m[9:12] || '-' || m[13:16] || '-' || m[17:20] || '-' || m[21:32] AS id,
      'city-' || (h1 % 50) AS city,
      ['new', 'paid', 'packed', 'shipped', 'returned'][1 + (h2 % 5)::INTEGER] AS status,
      ${noteSql()} AS note,
      (h1 % 100000000000)::BIGINT AS amount,
      (h2 % 1000)::INTEGER AS quantity,
      (h3 % 10000000)::DOUBLE / 100 AS price,
      h1 % 3 = 0 AS active,
      DATE '2020-01-01' + (i % 2000)::INTEGER AS day,
      make_timestamptz((1600000000000000 + (h2 % 100000000000000))::BIGINT) AS moment,
      1700000000000 + i + CASE
        WHEN version = 0 THEN 0 WHEN hash(i, 44) % ${STALE_IN} = 0 THEN -1 ELSE 1000000000
      END AS updated_at
    FROM drawn`;
}

/** A text of 8 to 21 words, or null in one of five rows; each word is drawn from bits of its own. */
function noteSql(): string {
  const words = `[${WORDS.split(" ").map(quoteSql).join(", ")}]`;
  const drawn = Array.from({ length: 21 }, (_, index) => {
    const bits = `((h${index < 10 ? 1 : 2} >> ${(index % 10) * 6}) % 64)`;
    const word = `${words}[1 + ${bits}::INTEGER]`;
    return index < 8 ? word : `CASE WHEN h3 % 14 >= ${index - 7} THEN ${word} END`;
  });
  return `CASE WHEN h3 % 5 = 0 THEN NULL ELSE concat_ws(' ', ${drawn.join(", ")}) END`;
}

async function convertToArrow(parquetPath: string, arrowPath: string): Promise<void> {
  const table = readParquet(await readFile(parquetPath), { batchSize: 65_536 });
  await writeFile(`${arrowPath}.new`, table.intoIPCStream());
  await rename(`${arrowPath}.new`, arrowPath);
}

/** What a table holds after changes by the ordering rule, as a query over the inputs. */
export function expectedRowsSql(base: readonly DataFile[], changes?: DataFile): string {
  const stored = `SELECT * FROM ${readParquetSql(base.map((file) => file.parquetPath))}`;
  if (!changes) return stored;
  const wins = "(b.id IS NULL OR c.updated_at >= b.updated_at)";
  const columns = COLUMNS.map(
    (name) => `CASE WHEN c.id IS NOT NULL AND ${wins} THEN c.${name} ELSE b.${name} END AS ${name}`,
  );
  return `SELECT ${columns.join(", ")} FROM (${stored}) b
    FULL JOIN ${readParquetSql([changes.parquetPath])} c ON b.id = c.id`;
}
