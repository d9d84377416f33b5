// The drivers themselves: exact values on their way into Spark and out of Spark and hudi-rs, typed
// errors, and a write that is killed half-way and rolled back by the next one.

import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";

import { EngineError } from "./support/engine-process.ts";
import { canonicalRows, type EngineRow } from "./support/engine-rows.ts";
import { HudiRsReader } from "./support/hudi-rs-reader.ts";
import { SparkSession, type SparkWrite } from "./support/spark-session.ts";

const schema =
  "id STRING NOT NULL, region STRING, at BIGINT, flag BOOLEAN, small INT, ratio DOUBLE, day DATE, " +
  "moment TIMESTAMP, price DECIMAL(10,2), amount DECIMAL(20,4)";

function makeRow(id: string, region: string, small: number): EngineRow {
  return {
    id,
    region,
    at: 9007199254740993n,
    flag: small % 2 === 0,
    small,
    ratio: small === 1 ? "NaN" : -0,
    day: "1899-12-31",
    moment: -1234567n,
    price: "12345678.90",
    amount: small === 2 ? null : "1234567890123456.7891",
  };
}

const rows = [
  makeRow('quote " and \\', "north", 1),
  makeRow("ключ 🚀", "south", 2),
  makeRow(" ", "north", 3),
];
let directory: string;
let write: SparkWrite;
let hudiRs: HudiRsReader;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-drivers-"));
  hudiRs = await HudiRsReader.start();
  write = {
    path: join(directory, "trips"),
    rows,
    schema,
    options: {
      "hoodie.table.name": "trips",
      "hoodie.datasource.write.recordkey.field": "id",
      "hoodie.datasource.write.partitionpath.field": "region",
      "hoodie.datasource.write.precombine.field": "at",
      "hoodie.datasource.write.payload.class":
        "org.apache.hudi.common.model.DefaultHoodieRecordPayload",
      "hoodie.embed.timeline.server": "false",
      "hoodie.metadata.enable": "false",
    },
    mode: "append",
  };
});

afterAll(async () => {
  await hudiRs?.stop();
  await rm(directory, { recursive: true, force: true });
});

test("rows come back from Spark and from hudi-rs as they were written", async () => {
  const spark = await SparkSession.start({ bundle: "0.15.0", timeZone: "America/Los_Angeles" });
  try {
    await spark.write(write);
    expect(canonicalRows(await spark.readTable(write.path))).toEqual(canonicalRows(rows));
    expect(canonicalRows(await hudiRs.read(write.path))).toEqual(canonicalRows(rows));
  } finally {
    await spark.stop();
  }
});

test("an error of the engine names the class and the message of every cause", async () => {
  const spark = await SparkSession.start({ bundle: "0.15.0" });
  try {
    const failed = spark.readTable(join(directory, "absent"));
    await expect(failed).rejects.toThrow(EngineError);
    await expect(failed).rejects.toMatchObject({ className: "java.io.FileNotFoundException" });
    await expect(hudiRs.read(join(directory, "absent"))).rejects.toThrow(/hoodie.properties/);
  } finally {
    await spark.stop();
  }
});

test("a killed write leaves its inflight instant, which the next write rolls back", async () => {
  const changed = { ...write, rows: rows.map((row) => ({ ...row, small: 99 })) };
  const doomed = await SparkSession.start({ bundle: "0.15.0" });
  const killed = await doomed.killDuringWrite(changed, "before-completion");
  expect(killed.dataFiles.length).toBe(2);

  const spark = await SparkSession.start({ bundle: "0.15.0" });
  try {
    expect(canonicalRows(await spark.readTable(write.path))).toEqual(canonicalRows(rows));
    await spark.write({ ...write, rows: rows.slice(0, 1) });
    expect(canonicalRows(await spark.readTable(write.path))).toEqual(canonicalRows(rows));
    const timeline = await readdir(join(write.path, ".hoodie"));
    expect(timeline.filter((name) => name.startsWith(killed.instant))).toEqual([]);
    expect(timeline.filter((name) => name.endsWith(".rollback"))).toHaveLength(1);
  } finally {
    await spark.stop();
  }
});
