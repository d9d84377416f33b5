// Trino's own answers through the harness: no digit is lost on the way, and tables are found on disk
// and in an object store.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { HudiTable } from "../../src/index.ts";
import { BY_REGION, defineEdgeTable, makeEdgeRow } from "./support/edge-rows.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { canonicalRows, type EngineRow } from "./support/engine-rows.ts";
import { listEngineColumns } from "./support/lake-rows.ts";
import { writeStep } from "./support/lake-writer.ts";
import { MinioServer } from "./support/minio-server.ts";
import { PrestoError } from "./support/presto-client.ts";
import { TrinoServer } from "./support/trino-server.ts";

let directory: string;
let minio: MinioServer;
let trino: TrinoServer;
let isRunning = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-trino-"));
  const started = await startIfAvailable("MinIO and Trino", async () => {
    minio = await MinioServer.start({ dataDir: join(directory, "minio") });
    trino = await TrinoServer.start({ dataDir: join(directory, "trino"), s3: minio });
    return true;
  });
  isRunning = started ?? false;
});
beforeEach(({ skip }) => skip(!isRunning, "MinIO or Trino did not run"));
afterAll(async () => {
  await trino?.stop();
  await minio?.stop();
  await rm(directory, { recursive: true, force: true });
});

test("a value comes with all its digits, whatever its type", async () => {
  const rows = await trino.query(
    "SELECT 9223372036854775807 AS large, -9007199254740993 AS negative, 1e300 AS huge, " +
      "nan() AS none, -infinity() AS least, decimal '12345678901234567890.10' AS exact, " +
      "timestamp '1969-12-31 23:59:59.999999' AS before, timestamp '9999-12-31 23:59:59.999' AS far, " +
      "date '1582-10-10' AS gap, CAST(NULL AS bigint) AS missing, '中😀' AS text, 7 AS small, " +
      "array[CAST(row(9007199254740993, 'a') AS row(n bigint, t varchar)), null] AS nested, " +
      "map(array['b', 'a'], array[1.50, null]) AS named",
  );
  const expected: EngineRow = {
    large: 9223372036854775807n,
    negative: -9007199254740993n,
    huge: 1e300,
    none: "NaN",
    least: "-Infinity",
    exact: "12345678901234567890.10",
    before: -1n,
    far: 253402300799999000n,
    gap: "1582-10-10",
    missing: null,
    text: "中😀",
    small: 7,
    nested: '[{"n":9007199254740993,"t":"a"},null]',
    named: '{"a":null,"b":"1.50"}',
  };
  expect(canonicalRows(rows)).toEqual(canonicalRows([expected]));
});

test("a statement that Trino refuses raises its error by name", async () => {
  const failed = trino.query("SELECT nothing FROM nowhere");
  await expect(failed).rejects.toThrow(PrestoError);
  await expect(failed).rejects.toMatchObject({ errorName: "TABLE_NOT_FOUND" });
});

test("a table of ours in MinIO is read, and a later partition once it is registered again", async () => {
  const { endpoint, region, accessKeyId, secretAccessKey } = minio;
  const storage = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
  await minio.createBucket("lake");
  const location = "s3://lake/rides";
  const definition = defineEdgeTable("rides", BY_REGION);
  const table = (await HudiTable.create(location, definition, { storage })) as HudiTable;
  const expected: EngineRow[] = [];
  try {
    const columns = listEngineColumns(await table.schema());
    const names = columns.map(({ name }) => name).join(", ");
    const partitions: { path: string; values: string[] }[] = [];
    for (const value of ["us west", "10%", "ü é"]) {
      const first = expected.length;
      const rows = [0, 1, 2, 3].map((at) => makeEdgeRow(first + at, 1n, { region: value }));
      await writeStep(table, { kind: "upsert", rows });
      expected.push(...rows);
      partitions.push({ path: `region=${value}`, values: [value] });
      const partitioning = { partitionColumns: ["region"], partitions };
      await trino.registerHudiTable({ name: "rides", location, columns, ...partitioning });
      const found = await trino.query(`SELECT ${names} FROM rides`);
      expect(canonicalRows(found)).toEqual(canonicalRows(expected));
    }
  } finally {
    await table[Symbol.asyncDispose]();
  }
});
