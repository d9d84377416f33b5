// Presto beside Spark on tables that Spark wrote: the harness registers every shape rightly and
// loses no digit, so that a later difference is the table's and not the harness's.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative, sep } from "node:path";

import { PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { canonicalRows, type EngineRow } from "./support/engine-rows.ts";
import { MinioServer } from "./support/minio-server.ts";
import { PrestoError, truncateToPrestoMicros } from "./support/presto-client.ts";
import { findPartitioning } from "./support/presto-metastore.ts";
import { PrestoServer } from "./support/presto-server.ts";
import { SparkSession } from "./support/spark-session.ts";

const COLUMNS = [
  { name: "id", type: "string" },
  { name: "flag", type: "boolean" },
  { name: "small", type: "int" },
  { name: "large", type: "long" },
  { name: "ratio", type: "double" },
  { name: "day", type: "date" },
  { name: "at", type: "timestamp" },
  { name: "price", type: "decimal(9,2)" },
  { name: "exact", type: "decimal(18,4)" },
  { name: "wide", type: "decimal(38,10)" },
  { name: "region", type: "string" },
  { name: "version", type: "long" },
];
const SCHEMA = COLUMNS.map(
  ({ name, type }) => `${name} ${type === "long" ? "bigint" : type}`,
).join();
const SHAPES = [
  { name: "unpartitioned", partitioned: false, hiveStyle: false },
  { name: "hive_style", partitioned: true, hiveStyle: true },
  { name: "plain_folders", partitioned: true, hiveStyle: false },
];
const REGIONS = ["eu", "us west", "10%", "é#1"];

let directory: string;
let spark: SparkSession;
let minio: MinioServer;
let presto: PrestoServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-presto-"));
  minio = await MinioServer.start({ dataDir: join(directory, "minio") });
  // Another zone than UTC, so that a shift by the zone would show.
  spark = await SparkSession.start({
    bundle: "0.15.0",
    timeZone: "America/Los_Angeles",
    // Spark refuses the ancient dates of the rows below in files that do not say who wrote them.
    conf: { "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED" },
  });
  presto = await PrestoServer.start({ dataDir: join(directory, "presto"), s3: minio });
});

afterAll(async () => {
  await presto?.stop();
  await spark?.stop();
  await minio?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** A row with every type; number 0 is null wherever it may be. */
function makeRow(number: number, version: bigint): EngineRow {
  const id = `key ${number} é中😀`;
  const region = REGIONS[number % REGIONS.length] ?? null;
  if (number === 0) {
    const nulls = Object.fromEntries(COLUMNS.map(({ name }) => [name, null]));
    return { ...nulls, id, region, version };
  }
  return {
    id,
    flag: number % 2 === 0,
    small: [-2147483648, 2147483647, number][number % 3] ?? null,
    large: [-9223372036854775808n, 9223372036854775807n, 9007199254740993n][number % 3] ?? null,
    ratio: ["NaN", "Infinity", "-Infinity", -0, 0.1, 1e300, 5e-324][number % 7] ?? null,
    day: ["0001-01-01", "1969-12-31", "2024-02-29", "9999-12-31"][number % 4] ?? null,
    at: [-2177452799999999n, -1n, 1710066601123456n, 253402300799999999n][number % 4] ?? null,
    price: ["-0.01", "1234567.89", "0.00"][number % 3] ?? null,
    exact: ["-12345678901234.5678", "0.0001"][number % 2] ?? null,
    wide: ["1234567890123456789012345678.0123456789", "-0.0000123400"][number % 2] ?? null,
    region,
    version,
  };
}

function makeOptions(shape: (typeof SHAPES)[number]): Record<string, string> {
  return {
    "hoodie.table.name": shape.name,
    "hoodie.datasource.write.recordkey.field": "id",
    "hoodie.datasource.write.precombine.field": "version",
    "hoodie.datasource.write.payload.class":
      "org.apache.hudi.common.model.DefaultHoodieRecordPayload",
    "hoodie.datasource.write.partitionpath.field": shape.partitioned ? "region" : "",
    "hoodie.datasource.write.hive_style_partitioning": String(shape.hiveStyle),
    "hoodie.datasource.write.partitionpath.urlencode": String(shape.hiveStyle),
    "hoodie.datasource.write.keygenerator.class": shape.partitioned
      ? "org.apache.hudi.keygen.SimpleKeyGenerator"
      : "org.apache.hudi.keygen.NonpartitionedKeyGenerator",
    "hoodie.metadata.enable": "false",
    "hoodie.upsert.shuffle.parallelism": "2",
    "hoodie.delete.shuffle.parallelism": "2",
  };
}

/** The rows as Presto can show them. */
function asPrestoRows(rows: readonly EngineRow[]): EngineRow[] {
  return rows.map((row) => {
    const at = row.at;
    return typeof at === "bigint" ? { ...row, at: truncateToPrestoMicros(at) } : row;
  });
}

describe.each(SHAPES)("a table that Spark wrote, $name", (shape) => {
  let path: string;
  const select = `SELECT ${COLUMNS.map(({ name }) => name).join()} FROM ${shape.name}`;

  test("reads equal in Presto after inserts, upserts and deletes", async () => {
    path = join(directory, "tables", shape.name);
    const first = Array.from({ length: 30 }, (_, n) => makeRow(n, 1n));
    const second = Array.from({ length: 10 }, (_, n) => makeRow(n + 25, 2n));
    const deleted = first.slice(5, 9).map((row) => ({ ...row, version: 3n }));
    const write = { path, schema: SCHEMA, options: makeOptions(shape) };
    await spark.write({ ...write, rows: first, mode: "overwrite" });
    await spark.write({ ...write, rows: second, mode: "append" });
    await spark.delete({ ...write, rows: deleted });

    await presto.registerHudiTable({ name: shape.name, location: path, columns: COLUMNS });
    const expected = asPrestoRows([
      ...first.filter((_, n) => n < 25 && (n < 5 || n >= 9)),
      ...second,
    ]);
    expect(canonicalRows(await presto.query(select))).toEqual(canonicalRows(expected));
    const fromSpark = asPrestoRows(await spark.readTable(path));
    expect(canonicalRows(fromSpark)).toEqual(canonicalRows(expected));
  });

  test("gives the commit time and the partition path of each row as Spark does", async () => {
    const meta = "SELECT id, _hoodie_commit_time, _hoodie_partition_path, _hoodie_file_name FROM";
    const fromSpark = await spark.readTable(path, {
      metaColumns: true,
      columns: ["id", "_hoodie_commit_time", "_hoodie_partition_path", "_hoodie_file_name"],
    });
    const fromPresto = await presto.query(`${meta} ${shape.name}`);
    expect(canonicalRows(fromPresto)).toEqual(canonicalRows(fromSpark));
  });

  test("filters by the partition column and by a key", async () => {
    const region = await presto.query(`${select} WHERE region = '10%'`);
    expect(region).toHaveLength(8);
    const one = await presto.query(`${select} WHERE id = 'key 29 é中😀'`);
    expect(canonicalRows(one)).toEqual(canonicalRows(asPrestoRows([makeRow(29, 2n)])));
  });

  test("shows a later partition once it is registered again", async () => {
    const row = { ...makeRow(100, 1n), region: "later" };
    const options = makeOptions(shape);
    await spark.write({ path, schema: SCHEMA, options, rows: [row], mode: "append" });
    await presto.registerHudiTable({ name: shape.name, location: path, columns: COLUMNS });
    const found = await presto.query(`${select} WHERE region = 'later'`);
    expect(canonicalRows(found)).toEqual(canonicalRows(asPrestoRows([row])));
  });

  test("reads equal from MinIO", async () => {
    const bucket = shape.name.replaceAll("_", "-");
    await minio.createBucket(bucket);
    await copyToBucket(path, bucket, "table");
    const name = `${shape.name}_in_s3`;
    const local = await findPartitioning(path);
    const location = `s3://${bucket}/table`;
    await presto.registerHudiTable({ name, location, columns: COLUMNS, ...local });
    const fromBucket = await presto.query(select.replace(/\w+$/, name));
    expect(canonicalRows(fromBucket)).toEqual(canonicalRows(await presto.query(select)));
  });
});

test("a statement that Presto refuses raises its error by name", async () => {
  const failed = presto.query("SELECT nothing FROM nowhere");
  await expect(failed).rejects.toThrow(PrestoError);
  await expect(failed).rejects.toThrow("hudi.lake.nowhere does not exist");
  await expect(failed).rejects.toMatchObject({ errorName: "SYNTAX_ERROR" });
});

test("a value comes with all its digits, whatever its type", async () => {
  const rows = await presto.query(
    "SELECT 9223372036854775807 AS large, -9007199254740993 AS negative, 1e300 AS huge, " +
      "nan() AS none, infinity() AS more, decimal '12345678901234567890.10' AS exact, decimal '-0.0000000001' AS tiny, " +
      "timestamp '1969-12-31 23:59:59.999' AS before, date '1582-10-10' AS gap, " +
      "CAST(NULL AS bigint) AS missing, '中😀' AS text, 7 AS small",
  );
  const expected: EngineRow = {
    large: 9223372036854775807n,
    negative: -9007199254740993n,
    huge: 1e300,
    none: "NaN",
    more: "Infinity",
    exact: "12345678901234567890.10",
    tiny: "-0.0000000001",
    before: -1000n,
    gap: "1582-10-10",
    missing: null,
    text: "中😀",
    small: 7,
  };
  expect(canonicalRows(rows)).toEqual(canonicalRows([expected]));
});

async function copyToBucket(from: string, bucket: string, prefix: string): Promise<void> {
  const client = new S3Client(minio.clientConfig);
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  for (const entry of entries.filter((one) => one.isFile() && !one.name.endsWith(".crc"))) {
    const file = join(entry.parentPath, entry.name);
    const Key = `${prefix}/${relative(from, file).split(sep).join("/")}`;
    await client.send(new PutObjectCommand({ Bucket: bucket, Key, Body: await readFile(file) }));
  }
  client.destroy();
}
