// Spark and we write one table in turns, with every kind of write and every type, under each kind of
// index. After every write both sides, and hudi-rs beside them, hold what the model holds.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { TableDefinition, WriteSettings } from "../../src/index.ts";
import { BY_REGION, defineEdgeTable } from "./support/edge-rows.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { Exchange } from "./support/exchange.ts";
import { ROUNDS, stepsOfRound, WIDE_FIELDS } from "./support/exchange-steps.ts";
import { HudiRsReader } from "./support/hudi-rs-reader.ts";
import { SMALL_BLOOM } from "./support/shape-builder.ts";
import { SparkSession } from "./support/spark-session.ts";
import { findOrphans } from "./support/table-files.ts";

let directory: string;
let spark: SparkSession;
let hudiRs: HudiRsReader;
let isRunning = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-operations-"));
  const started = await startIfAvailable("Spark and hudi-rs", async () => {
    spark = await SparkSession.start({ bundle: "0.15.0" });
    hudiRs = await HudiRsReader.start();
    return true;
  });
  isRunning = started ?? false;
});

beforeEach(({ skip }) => skip(!isRunning, "Spark or hudi-rs did not run"));

afterAll(async () => {
  await hudiRs?.stop();
  await spark?.stop();
  await rm(directory, { recursive: true, force: true });
});

const TABLES: readonly {
  readonly name: string;
  readonly index?: TableDefinition["index"];
  readonly codec: WriteSettings["codec"];
}[] = [
  { name: "bloom_index", codec: "zstd" },
  { name: "simple_index", index: { kind: "simple" }, codec: "snappy" },
  { name: "bucket_index", index: { kind: "bucket", buckets: 3 }, codec: "zstd" },
  { name: "global_bloom_index", index: { kind: "global-bloom" }, codec: "gzip" },
  { name: "global_simple_index", index: { kind: "global-simple" }, codec: "zstd" },
];

describe.each(TABLES)("$name, $codec: Spark and we in turns", ({ name, index, codec }) => {
  let exchange: Exchange;

  beforeAll(async () => {
    const definition = defineEdgeTable(name, { fields: WIDE_FIELDS, ...BY_REGION, index });
    exchange = await Exchange.create({
      path: join(directory, name),
      definition,
      table: { write: { bloom: SMALL_BLOOM, codec } },
    });
  });
  afterAll(() => exchange?.close());

  test.each(Array.from({ length: ROUNDS }, (_, round) => round))("round %i", async (round) => {
    const { ours, theirs } = stepsOfRound(exchange, round);
    await exchange.writeOurs(ours());
    await exchange.agree(spark, hudiRs);
    await exchange.writeSpark(spark, theirs());
    await exchange.agree(spark, hudiRs);
    expect(await findOrphans(exchange.path)).toEqual([]);
    expect((await exchange.table.timeline()).filter((i) => i.state !== "completed")).toEqual([]);
  });
});
