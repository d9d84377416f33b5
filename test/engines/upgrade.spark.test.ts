// Newer Hudi on tables of ours: it reads them as they are, and a write of it upgrades them. Then we
// still read what both wrote, and refuse to write.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { HudiTable } from "../../src/index.ts";
import { BY_REGION, defineEdgeTable } from "./support/edge-rows.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { canonicalRows } from "./support/engine-rows.ts";
import { Exchange } from "./support/exchange.ts";
import { collectEngineRows } from "./support/lake-rows.ts";
import { SparkSession } from "./support/spark-session.ts";

const REGIONS = ["north", "us west", null];
const UPGRADES = [
  { bundle: "1.0.2", version: 8 },
  { bundle: "1.1.1", version: 9 },
] as const;

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-upgrade-"));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

describe.each(UPGRADES)("Hudi $bundle", ({ bundle, version }) => {
  let spark: SparkSession | undefined;
  let exchange: Exchange;

  beforeAll(async () => {
    spark = await startIfAvailable(`Spark with Hudi ${bundle}`, () =>
      SparkSession.start({ bundle }),
    );
    const name = `upgraded_to_${version}`;
    exchange = await Exchange.create({
      path: join(directory, name),
      definition: defineEdgeTable(name, BY_REGION),
    });
    for (const seed of [0, 1, 2]) {
      await exchange.writeOurs(exchange.upsertStep(seed, BigInt(10 + seed), REGIONS));
    }
  });

  afterAll(async () => {
    await exchange?.close();
    await spark?.stop();
  });

  beforeEach(({ skip }) => skip(spark === undefined, "Spark did not run"));

  test("reads a table of ours, now and as it was", async () => {
    const engine = spark as SparkSession;
    await exchange.agree(engine);
    const asOf = (await exchange.table.timeline())[1]?.time ?? "";
    const ours = canonicalRows(await collectEngineRows(exchange.table.read({ asOf })));
    expect(canonicalRows(await engine.readTable(exchange.path, { asOf }))).toEqual(ours);
  });

  test("goes on writing it in version 6 while it is told to, and so do we", async () => {
    const engine = spark as SparkSession;
    const stay = { "hoodie.write.table.version": "6", "hoodie.write.auto.upgrade": "false" };
    await exchange.writeSpark(engine, exchange.upsertStep(3, 30n, REGIONS), stay);
    await exchange.agree(engine);
    await exchange.writeOurs(exchange.upsertStep(4, 40n, REGIONS));
    await exchange.agree(engine);
  });

  test("upgrades it by a write, after which we read and do not write", async () => {
    const engine = spark as SparkSession;
    const before = (await exchange.table.timeline()).at(-1)?.time ?? "";
    await exchange.writeSpark(engine, exchange.upsertStep(5, 50n, REGIONS));
    const upgraded = await HudiTable.open(exchange.path);
    try {
      expect(upgraded.config.version).toBe(version);
      const rows = canonicalRows(await collectEngineRows(upgraded.read()));
      expect(rows).toEqual(canonicalRows(exchange.expected.rows));
      expect(canonicalRows(await engine.readTable(exchange.path))).toEqual(rows);
      const asOf = canonicalRows(await collectEngineRows(upgraded.read({ asOf: before })));
      expect(asOf).toEqual(canonicalRows(await engine.readTable(exchange.path, { asOf: before })));
      await expect(upgraded.upsert([])).rejects.toMatchObject({ code: "UNSUPPORTED" });
      // A table that was opened before the upgrade must not write by what it knew.
      await expect(exchange.table.upsert([])).rejects.toMatchObject({ code: "UNSUPPORTED" });
      expect(canonicalRows(await engine.readTable(exchange.path))).toEqual(rows);
    } finally {
      await upgraded[Symbol.asyncDispose]();
    }
  });
});
