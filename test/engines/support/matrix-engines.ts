// The engines of the matrix behind one interface: start in a time zone, read a table of a shape, and
// say how the engine itself changes what it shows.

import { HudiTable, type TableDefinition } from "../../../src/index.ts";
import { defineTable } from "../../../src/layout/table-definition.ts";
import { timestampProperties } from "../../../src/layout/timestamp-settings.ts";
import { makeEdgeRow } from "./edge-rows.ts";
import { canonicalRows, type EngineRow, type EngineValue } from "./engine-rows.ts";
import { type Filter, formatSqlFilter, type SqlDialect, toPredicate } from "./filters.ts";
import { HudiRsReader } from "./hudi-rs-reader.ts";
import { collectEngineRows, formatSparkColumns } from "./lake-rows.ts";
import { keyNames, partitionNames, type Shape, timestampPartitions } from "./shape-builder.ts";
import { SparkSession, type SparkWrite } from "./spark-session.ts";

/** Where the engines of one run live. */
export interface EngineWorld {
  readonly timeZone: string;
  /** A folder for what engines keep on disk. */
  readonly directory: string;
}

/** What an engine found in a table, and what it must find by its own rules. */
export interface EngineReading {
  readonly rows: readonly EngineRow[];
  readonly expected: readonly EngineRow[];
  /** How the engine differs from the table by its own rules; empty where it does not. */
  readonly notes: readonly string[];
}

/** How a merge-on-read table is asked: with its logs, or for its base files alone. */
export type LogQuery = "real-time" | "read-optimized";

/** One column of the matrix. */
export interface MatrixEngine {
  readonly name: string;
  /** Reads the table of a shape that must hold these rows; a merge-on-read table in one of two ways. */
  read(
    shape: Shape,
    path: string,
    expected: readonly EngineRow[],
    query?: LogQuery,
  ): Promise<EngineReading>;
  /** For each filter the keys of the rows that pass it; absent in an engine without filters. */
  find?(shape: Shape, path: string, filters: readonly Filter[]): Promise<string[][]>;
  stop(): Promise<void>;
}

/** Starts the engine; throws where it cannot be had. */
export type StartEngine = (world: EngineWorld) => Promise<MatrixEngine>;

const EMPTY_PARTITION =
  "The engine takes the partition column from the folder, where an empty text and a null are one: it shows null.";
const FOLDER_AS_TIME =
  "Spark shows the text of the folder in place of a column that a timestamp-based key generator formats.";
const FOLDER_AS_NULL =
  "Spark shows null in place of a timestamp that a custom key generator formats.";
const REBASE_SETTING = "spark.sql.parquet.datetimeRebaseModeInRead";
const ANCIENT_DAYS = `Spark reads ancient days back from its own upsert with ${REBASE_SETTING}=CORRECTED only; from our files it does without.`;
const REFUSED_TYPE =
  "Spark's upsert refuses the table, because it would change the type of a column; what it reads is shown.";
const WITHOUT_ORDERING =
  "Spark's upsert needs hoodie.combine.before.upsert=false on a table without an ordering field.";

/** One query for all filters; `from` names the table. */
export function formatFindQuery(
  { definition }: Shape,
  from: string,
  filters: readonly Filter[],
  dialect: SqlDialect,
): string {
  return filters
    .map(
      (filter, index) =>
        `SELECT ${index} AS filter, CAST(${keyNames(definition)[0]} AS ${dialect === "spark" ? "string" : "varchar"}) AS found ` +
        `FROM ${from} WHERE ${formatSqlFilter(filter, dialect)}`,
    )
    .join(" UNION ALL ");
}

/** For each filter the keys that such a query gave. */
export function groupFound(rows: readonly EngineRow[], filters: readonly Filter[]): string[][] {
  return filters.map((_, index) =>
    rows.filter((row) => Number(row.filter) === index).map((row) => String(row.found)),
  );
}

/** Our own reader. */
export const startLake: StartEngine = async () => ({
  name: "hudi-lake",
  read: async (_, path, expected, query) => {
    const table = await HudiTable.open(path);
    try {
      const scan = table.read({ readOptimized: query === "read-optimized" });
      return {
        rows: await collectEngineRows(scan, await table.schema()),
        expected,
        notes: [],
      };
    } finally {
      await table[Symbol.asyncDispose]();
    }
  },
  async find({ definition }, path, filters) {
    const [recordKey = ""] = keyNames(definition);
    const table = await HudiTable.open(path);
    try {
      const found: string[][] = [];
      for (const filter of filters) {
        const where = toPredicate(filter);
        const rows = await table.read({ columns: [recordKey], where }).toArray();
        found.push(rows.map((row) => String(row[recordKey])));
      }
      return found;
    } finally {
      await table[Symbol.asyncDispose]();
    }
  },
  stop: async () => {},
});

export const startHudiRs: StartEngine = async () => {
  const reader = await HudiRsReader.start();
  return {
    name: "hudi-rs",
    read: async (_, path, expected) => ({ rows: await reader.read(path), expected, notes: [] }),
    stop: () => reader.stop(),
  };
};

/** What Spark is asked with for the base files of a merge-on-read table alone. */
export const SPARK_READ_OPTIMIZED: Readonly<Record<string, string>> = {
  "hoodie.datasource.query.type": "read_optimized",
};

/** Spark, for reads and for `SPARK_UPSERT`, which share a session. */
export class SparkEngine implements MatrixEngine {
  readonly name = "Spark 3.5, Hudi 0.15.0";
  readonly spark: SparkSession;

  constructor(spark: SparkSession) {
    this.spark = spark;
  }

  static async start({ timeZone }: EngineWorld): Promise<SparkEngine> {
    return new SparkEngine(await SparkSession.start({ bundle: "0.15.0", timeZone }));
  }

  async read(
    shape: Shape,
    path: string,
    expected: readonly EngineRow[],
    query?: LogQuery,
  ): Promise<EngineReading> {
    const shown = showEmptyPartitionAsNull(shape, expected);
    const timed = showFoldersAsTimes(shape, shown.rows);
    const notes = [...shown.notes, ...timed.notes];
    const options = query === "read-optimized" ? SPARK_READ_OPTIMIZED : {};
    return { rows: await this.spark.readTable(path, { options }), expected: timed.rows, notes };
  }

  async find(shape: Shape, path: string, filters: readonly Filter[]): Promise<string[][]> {
    const { name } = shape;
    await this.spark.sql(`CREATE TABLE IF NOT EXISTS ${name} USING hudi LOCATION '${path}'`);
    const rows = await this.spark.sql(formatFindQuery(shape, name, filters, "spark"));
    return groupFound(rows, filters);
  }

  /**
   * Lets Spark update every row of the table and insert one, finding our keys by its bloom index,
   * then reads the table with Spark and with us.
   */
  async upsertAndRead(
    shape: Shape,
    path: string,
    expected: readonly EngineRow[],
  ): Promise<EngineReading> {
    const changed = changeEveryRow(shape, expected);
    const table = await HudiTable.open(path);
    try {
      const schema = formatSparkColumns(await table.schema());
      // A key that Spark does not find goes to a new file and shows as a second row; in the file
      // where it is already it would be merged with the first one silently.
      const options = { ...sparkWriteOptions(shape), "hoodie.parquet.small.file.limit": "0" };
      const notes = shape.definition.orderingField === undefined ? [WITHOUT_ORDERING] : [];
      const write = { path, rows: changed, schema, options, mode: "append" } as const;
      if (shape.sparkRefusal) {
        await requireRefusal(this.spark.write(write), shape.sparkRefusal);
        const reading = await this.read(shape, path, expected);
        return { ...reading, notes: [REFUSED_TYPE, ...reading.notes] };
      }
      await this.spark.write(write);
      if (shape.hasAncientDays) {
        await this.spark.sql(`SET ${REBASE_SETTING}=CORRECTED`);
        notes.push(ANCIENT_DAYS);
      }
      const reading = await this.read(shape, path, changed);
      const ours = await collectEngineRows(table.read(), await table.schema());
      const isSame = String(canonicalRows(ours)) === String(canonicalRows(changed));
      // What Spark reads is shown where we agree with the expectation, else what we read.
      return {
        ...(isSame ? reading : { rows: ours, expected: changed }),
        notes: [...notes, ...reading.notes],
      };
    } finally {
      await this.spark.sql(`RESET ${REBASE_SETTING}`);
      await table[Symbol.asyncDispose]();
    }
  }

  stop(): Promise<void> {
    return this.spark.stop();
  }
}

async function requireRefusal(write: Promise<unknown>, message: RegExp): Promise<void> {
  try {
    await write;
  } catch (error) {
    if (message.test(String(error))) return;
    throw error;
  }
  throw new Error(`Spark's upsert went through, expected ${message}`);
}

/** Options of Spark's writes into the table of a shape. */
export function sparkWriteOptions({
  definition,
}: Pick<Shape, "definition">): SparkWrite["options"] {
  const { name, orderingField, hiveStyle, urlEncode, index } = definition;
  const recordKey = keyNames(definition).join(",");
  const times = timestampPartitions(definition);
  return {
    "hoodie.table.name": name,
    "hoodie.datasource.write.recordkey.field": recordKey,
    ...sparkKeyOptions(definition),
    ...Object.fromEntries(times.slice(0, 1).flatMap((time) => timestampProperties(time))),
    "hoodie.datasource.write.hive_style_partitioning": String(hiveStyle ?? false),
    "hoodie.datasource.write.partitionpath.urlencode": String(urlEncode ?? false),
    ...(orderingField === undefined
      ? // Spark looks for a column `ts` otherwise, and fails where there is none.
        { "hoodie.combine.before.upsert": "false" }
      : {
          "hoodie.datasource.write.precombine.field": orderingField,
          "hoodie.datasource.write.payload.class":
            "org.apache.hudi.common.model.DefaultHoodieRecordPayload",
        }),
    "hoodie.metadata.enable": "false",
    "hoodie.embed.timeline.server": "false",
    // Another kind than hoodie.properties has is refused.
    "hoodie.index.type": (index?.kind ?? "bloom").toUpperCase().replace("-", "_"),
    ...(index?.kind === "bucket" && {
      "hoodie.bucket.index.num.buckets": String(index.buckets),
      "hoodie.bucket.index.hash.field": recordKey,
    }),
    "hoodie.upsert.shuffle.parallelism": "2",
    "hoodie.bloom.index.parallelism": "2",
  };
}

/** The key generator that the library chooses for a table, and its partition columns as Spark names them. */
function sparkKeyOptions(definition: TableDefinition): Record<string, string> {
  const properties = defineTable(definition);
  const names = properties.get("hoodie.table.partition.fields") ?? "";
  return {
    "hoodie.datasource.write.keygenerator.class":
      properties.get("hoodie.table.keygenerator.class") ?? "",
    "hoodie.datasource.write.partitionpath.field":
      properties.get("hoodie.datasource.write.partitionpath.field") ?? names,
  };
}

/** Every row changed where it has a note, and one row more. */
function changeEveryRow(shape: Shape, rows: readonly EngineRow[]): EngineRow[] {
  const [recordKey = ""] = keyNames(shape.definition);
  const changed = rows.map((row) => ("note" in row ? { ...row, note: "by Spark" } : row));
  const like = changed[0] ?? makeEdgeRow(0, 1n);
  if (!recordKey.includes(".")) {
    return [...changed, { ...like, [recordKey]: newKey(like[recordKey] ?? null) }];
  }
  const [column = "", field = ""] = recordKey.split(".");
  const struct = { ...JSON.parse(String(like[column])), [field]: "inserted by Spark" };
  return [...changed, { ...like, [column]: JSON.stringify(struct) }];
}

/** A key of the same type that no shape uses. */
function newKey(like: EngineValue): EngineValue {
  if (typeof like === "number") return 4242;
  if (typeof like === "bigint") return 4242n;
  return /^\d{4}-\d\d-\d\d$/.test(String(like)) ? "2001-01-01" : "inserted by Spark";
}

/**
 * Spark shows the text of the folder for the column that points in time are made of; beside another
 * partition column it shows what that text is as a value of the column: no time, so null.
 */
function showFoldersAsTimes(
  { definition, folderOf }: Shape,
  rows: readonly EngineRow[],
): { readonly rows: readonly EngineRow[]; readonly notes: readonly string[] } {
  const [time] = timestampPartitions(definition);
  if (!time || !folderOf) return { rows, notes: [] };
  if (partitionNames(definition).length > 1) {
    return { rows: rows.map((row) => ({ ...row, [time.field]: null })), notes: [FOLDER_AS_NULL] };
  }
  const depth = time.outputFormat.split("/").length;
  const shown = rows.map((row) => ({
    ...row,
    [time.field]: folderOf(row).split("/").slice(-depth).join("/"),
  }));
  return { rows: shown, notes: [FOLDER_AS_TIME] };
}

/** Spark, Presto and Trino read the partition columns off the path of the folder. */
export function showEmptyPartitionAsNull(
  { definition }: Shape,
  rows: readonly EngineRow[],
): { readonly rows: readonly EngineRow[]; readonly notes: readonly string[] } {
  const names = partitionNames(definition);
  if (!rows.some((row) => names.some((name) => row[name] === ""))) return { rows, notes: [] };
  const shown = rows.map((row) => {
    const empty = names.filter((name) => row[name] === "");
    return { ...row, ...Object.fromEntries(empty.map((name) => [name, null])) };
  });
  return { rows: shown, notes: [EMPTY_PARTITION] };
}
