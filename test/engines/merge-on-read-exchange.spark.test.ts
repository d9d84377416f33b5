// Spark and we write one merge-on-read table in turns, with every kind of write and every type, where
// updates go to logs. After every write both hold what the model holds; so they do while a compaction
// that Spark planned is pending, and after Spark has carried it out.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { TableDefinition } from "../../src/index.ts";
import { BY_REGION, defineEdgeTable } from "./support/edge-rows.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { Exchange } from "./support/exchange.ts";
import { makeWideRow, ROUNDS, stepsOfRound, WIDE_FIELDS } from "./support/exchange-steps.ts";
import type { WriteStep } from "./support/expected-table.ts";
import { range, SMALL_BLOOM } from "./support/shape-builder.ts";
import { SparkSession } from "./support/spark-session.ts";
import { findOrphans } from "./support/table-files.ts";

let directory: string;
let spark: SparkSession;
let isRunning = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-log-exchange-"));
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

const MERGE_ON_READ = {
  "hoodie.datasource.write.table.type": "MERGE_ON_READ",
  "hoodie.compact.inline": "false",
  "hoodie.compact.schedule.inline": "false",
};

const TABLES: readonly { readonly name: string; readonly index?: TableDefinition["index"] }[] = [
  { name: "logs_of_bloom_index" },
  { name: "logs_of_bucket_index", index: { kind: "bucket", buckets: 3 } },
];

describe.each(TABLES)("$name: Spark and we in turns", ({ name, index }) => {
  let exchange: Exchange;

  beforeAll(async () => {
    const definition = defineEdgeTable(name, {
      type: "merge-on-read",
      fields: WIDE_FIELDS,
      ...BY_REGION,
      index,
    });
    exchange = await Exchange.create({
      path: join(directory, name),
      definition,
      table: { write: { bloom: SMALL_BLOOM } },
      sparkOptions: MERGE_ON_READ,
    });
  });
  afterAll(() => exchange?.close());

  const pendingActions = async (): Promise<string[]> => {
    const instants = await exchange.table.timeline();
    return instants.filter(({ state }) => state !== "completed").map(({ action }) => action);
  };

  test.each(range(0, ROUNDS, (round) => round))("round %i", async (round) => {
    const { ours, theirs } = stepsOfRound(exchange, round);
    await exchange.writeOurs(ours());
    await exchange.agree(spark);
    await exchange.writeSpark(spark, theirs());
    await exchange.agree(spark);
    expect(await findOrphans(exchange.path)).toEqual([]);
    expect(await pendingActions()).toEqual([]);
  });

  /** Updates and new rows, told apart by `turn`. */
  const changes = (turn: number): WriteStep & { kind: "upsert" } => {
    const at = BigInt(5_000 + turn);
    const first = 1_000 + turn * 10;
    return {
      kind: "upsert",
      rows: [
        ...exchange.pickRows(4, turn).map((row) => ({ ...row, at, note: `turn ${turn}` })),
        ...range(first, first + 3, (number) => makeWideRow(number, at)),
      ],
    };
  };
  const deletions = (turn: number): WriteStep & { kind: "delete" } => ({
    kind: "delete",
    keys: exchange.pickRows(2, turn + 1).map((row) => ({ ...row, at: BigInt(5_000 + turn) })),
  });
  // The operation `run` would plan another compaction and leave this one pending.
  const compact = (operation: "schedule" | "execute"): Promise<unknown> => {
    const settings = { ...exchange.sparkOptions(), "hoodie.compact.inline.max.delta.commits": "1" };
    const options = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
    return spark.sql(
      `call run_compaction(op => '${operation}', path => '${exchange.path}', ` +
        `options => '${options.join(",")}')`,
    );
  };

  test("both go on while a compaction of Spark is pending, and after it (DC-4, DC-5)", async () => {
    await exchange.writeOurs(changes(0));
    await compact("schedule");
    expect(await pendingActions()).toEqual(["compaction"]);
    await exchange.agree(spark);
    await exchange.writeOurs(changes(1));
    await exchange.agree(spark);
    await exchange.writeSpark(spark, changes(2));
    await exchange.agree(spark);
    await exchange.writeOurs(deletions(3));
    await exchange.agree(spark);
    await exchange.writeSpark(spark, deletions(4));
    await exchange.agree(spark);
    expect(await pendingActions()).toEqual(["compaction"]);
    await compact("execute");
    expect(await pendingActions()).toEqual([]);
    await exchange.agree(spark);
    await exchange.writeOurs(changes(5));
    await exchange.writeSpark(spark, changes(6));
    await exchange.agree(spark);
    expect(await findOrphans(exchange.path)).toEqual([]);
  });
});
