// Clustering and Spark on one table: Spark reads what we clustered and writes on, carries our plan out, and
// we read what it clustered and carry its plan out. Every check of the format passes in between.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { BY_REGION, defineEdgeTable, makeEdgeRow } from "./support/edge-rows.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { Exchange } from "./support/exchange.ts";
import { HudiRsReader } from "./support/hudi-rs-reader.ts";
import { SparkSession } from "./support/spark-session.ts";

const REGIONS = ["north", "us west", null];
const NO_METADATA = "hoodie.metadata.enable=false";

let directory: string;
let hudiRs: HudiRsReader | undefined;
let spark: SparkSession;
let exchange: Exchange | undefined;
let isRunning = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-clustering-"));
  const started = await startIfAvailable("Spark and hudi-rs", async () => {
    hudiRs = await HudiRsReader.start();
    spark = await SparkSession.start({ bundle: "0.15.0" });
    return true;
  });
  isRunning = started ?? false;
});

beforeEach(({ skip }) => skip(!isRunning, "Spark or hudi-rs did not run"));

afterAll(async () => {
  await exchange?.close();
  await hudiRs?.stop();
  await spark?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** A table whose partitions have three small file groups each. */
async function createTable(type: "copy-on-write" | "merge-on-read"): Promise<Exchange> {
  await exchange?.close();
  const definition = defineEdgeTable(`clustered_${type.replaceAll("-", "_")}`, {
    ...BY_REGION,
    type,
  } as never);
  exchange = await Exchange.create({
    path: join(directory, definition.name),
    definition,
    table: {
      write: {
        smallFileBytes: 100_000_000,
        bloom: { entries: 1_000, falsePositiveRate: 1e-9, maxEntries: 100_000 },
      },
    },
  });
  await bulkInsert(exchange, 0, 3);
  return exchange;
}

/** New file groups, one for each partition and write. */
async function bulkInsert(made: Exchange, from: number, count: number): Promise<void> {
  for (let write = from; write < from + count; write += 1) {
    const rows = Array.from({ length: 9 }, (_, offset) => {
      const region = REGIONS[offset % REGIONS.length] ?? null;
      return makeEdgeRow(1_000 + write * 9 + offset, 1n, { region });
    });
    await made.writeOurs({ kind: "bulkInsert", rows });
  }
}

async function expectAgreement(made: Exchange): Promise<void> {
  // Deletions with an ordering value of a long are beyond hudi-rs.
  const isWhole = made.table.config.type === "copy-on-write";
  await made.agree(spark, isWhole ? hudiRs : undefined);
  expect((await made.table.verify()).findings).toEqual([]);
}

describe.each(["copy-on-write", "merge-on-read"] as const)("a %s table", (type) => {
  test("is clustered by us and by Spark in turns, also where one schedules and the other executes (CL-2, CL-4, CL-8)", async () => {
    const made = await createTable(type);
    const { table, path } = made;
    const first = await table.cluster({ sortBy: ["price", "id"] });
    expect(first).toMatchObject({ state: "completed", files: 3, rows: 27 });
    await expectAgreement(made);

    // Spark finds the keys in the new files, and none twice.
    await made.writeSpark(spark, made.upsertStep(1, 20n, REGIONS));
    await made.writeSpark(spark, made.deleteStep(2, 30n));
    await made.writeOurs(made.upsertStep(3, 40n, REGIONS));
    await expectAgreement(made);

    // Our plan, carried out by Spark.
    await bulkInsert(made, 3, 2);
    const ours = await table.cluster({ only: "schedule", sortBy: ["id"] });
    expect(ours.state).toBe("scheduled");
    await spark.sql(
      `call run_clustering(path => '${path}', op => 'execute', instants => '${ours.instant}', options => '${NO_METADATA}')`,
    );
    const executed = (await table.timeline()).find(({ time }) => time === ours.instant);
    expect(executed).toMatchObject({ action: "replacecommit", state: "completed" });
    await expectAgreement(made);
    await made.writeOurs(made.upsertStep(4, 50n, REGIONS));

    // Spark's plan, carried out by us.
    await bulkInsert(made, 5, 2);
    await spark.sql(
      `call run_clustering(path => '${path}', op => 'schedule', order => 'id', options => '${NO_METADATA}')`,
    );
    const waiting = (await table.timeline()).find(
      ({ action, state }) => action === "replacecommit" && state === "requested",
    );
    expect(await table.cluster({ only: "execute" })).toMatchObject({
      state: "completed",
      instant: waiting?.time,
    });
    await expectAgreement(made);

    // And both go on.
    await made.writeSpark(spark, made.upsertStep(6, 60n, REGIONS));
    await made.writeOurs(made.deleteStep(7, 70n));
    await made.writeSpark(spark, made.deleteStep(8, 80n));
    await expectAgreement(made);
  });
});
