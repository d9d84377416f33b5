// Cleaning and archival in turns: we do both on what we and Spark wrote, Spark reads the archive, goes on
// and does both itself. After every step both sides hold what the model holds.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { defineEdgeTable } from "./support/edge-rows.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { Exchange } from "./support/exchange.ts";
import { SparkSession } from "./support/spark-session.ts";
import { listTimelineFiles } from "./support/table-files.ts";

const REGIONS = ["north", "us west", null];
const BY_REGION = { partitionBy: "region", hiveStyle: true } as const;
/** Spark neither cleans nor archives. */
const IDLE = { "hoodie.clean.automatic": "false", "hoodie.archive.automatic": "false" };
/** Spark does both with every write. */
const BUSY = {
  "hoodie.clean.automatic": "true",
  "hoodie.archive.automatic": "true",
  "hoodie.cleaner.commits.retained": "2",
  "hoodie.keep.min.commits": "3",
  "hoodie.keep.max.commits": "4",
};

let directory: string;
let spark: SparkSession;
let isRunning = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-services-"));
  const started = await startIfAvailable("Spark", async () => {
    spark = await SparkSession.start({ bundle: "0.15.0" });
    return true;
  });
  isRunning = started ?? false;
});

beforeEach(({ skip }) => skip(!isRunning, "Spark did not run"));

afterAll(async () => {
  await spark?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Commits of the archive as Spark lists them, oldest first. */
async function showArchived(name: string, path: string): Promise<string[]> {
  await spark.sql(`create table if not exists ${name} using hudi location '${path}'`);
  const rows = await spark.sql(
    `call show_archived_commits(table => '${name}', limit => 1000, start_ts => '20000101000000000', end_ts => '29990101000000000')`,
  );
  return [...new Set(rows.map((row) => String(row.commit_time)))].sort();
}

const TABLES = [
  { name: "cow", table: BY_REGION, isLogged: false },
  {
    name: "mor",
    table: { ...BY_REGION, type: "merge-on-read", index: { kind: "bucket", buckets: 1 } },
    isLogged: true,
  },
] as const;

describe.each(TABLES)("$name", ({ name, table, isLogged }) => {
  let exchange: Exchange;

  beforeAll(async () => {
    exchange = await Exchange.create({
      path: join(directory, name),
      definition: defineEdgeTable(name, table as never),
      sparkOptions: IDLE,
    });
  });
  afterAll(() => exchange?.close());

  test("what we cleaned and archived of ours and Spark's is listed by Spark, which goes on (CLN-8, ARC-1, ARC-3)", async () => {
    for (let seed = 0; seed < 6; seed += 1) {
      const at = BigInt(1_000 + seed * 10);
      if (seed % 2 === 0) await exchange.writeOurs(exchange.upsertStep(seed, at, REGIONS));
      else await exchange.writeSpark(spark, exchange.upsertStep(seed, at, REGIONS));
    }
    // A new base file for every group, so that what lies before it is of the past.
    await exchange.writeOurs({
      ...exchange.upsertStep(7, 1_070n, REGIONS),
      kind: "insertOverwriteTable",
    });
    await exchange.writeOurs(exchange.upsertStep(8, 1_080n, REGIONS));
    const cleaned = await exchange.table.clean({ keepCommits: 1 });
    expect(cleaned.files.length).toBeGreaterThan(0);
    expect(cleaned.files.some(({ path }) => path.includes(".log."))).toBe(isLogged);
    await exchange.agree(spark);
    const archived = await exchange.table.archive({ minCommits: 2, maxCommits: 3 });
    const times = archived.instants.filter(({ action }) => action.includes("commit"));
    expect(times.length, archived.heldBy).toBeGreaterThan(3);
    await exchange.agree(spark);
    expect(await showArchived(name, exchange.path)).toEqual(times.map(({ time }) => time));

    for (let seed = 9; seed < 13; seed += 1) {
      const at = BigInt(1_000 + seed * 10);
      await exchange.writeSpark(spark, exchange.upsertStep(seed, at, REGIONS), BUSY);
      await exchange.writeOurs(exchange.upsertStep(seed + 10, at + 1n, REGIONS));
      await exchange.agree(spark);
    }
    const timeline = await listTimelineFiles(exchange.path);
    expect(timeline.filter((file) => /\.(clean|archive)$/.test(file)).length).toBeGreaterThan(0);
    const archivedBySpark = await showArchived(name, exchange.path);
    if (!isLogged) expect(archivedBySpark.length).toBeGreaterThan(times.length);
    await exchange.table.clean({ keepCommits: 2 });
    await exchange.table.archive({ minCommits: 2, maxCommits: 3 });
    await exchange.agree(spark);
    await exchange.writeSpark(spark, exchange.upsertStep(30, 2_000n, REGIONS), BUSY);
    await exchange.agree(spark);
  });
});
