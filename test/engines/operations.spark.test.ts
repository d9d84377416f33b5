// Spark and we replace partitions, move keys and fill buckets of one table in turns. After every write
// both sides, and hudi-rs beside them, hold what the model holds.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { TableDefinition } from "../../src/index.ts";
import { SHORT_LEASE, writeAndDie } from "./support/doomed-writer.ts";
import { BY_REGION, defineEdgeTable, EDGE_FIELDS, makeEdgeRow } from "./support/edge-rows.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { canonicalRows, type EngineRow, type EngineValue } from "./support/engine-rows.ts";
import { Exchange } from "./support/exchange.ts";
import type { WriteStep } from "./support/expected-table.ts";
import { HudiRsReader } from "./support/hudi-rs-reader.ts";
import { collectEngineRows } from "./support/lake-rows.ts";
import { range } from "./support/shape-builder.ts";
import { SparkSession } from "./support/spark-session.ts";
import { findOrphans, listTimelineFiles } from "./support/table-files.ts";

const REGIONS = ["north", "us west", null];
const MARKED_FIELDS = { ...EDGE_FIELDS, _hoodie_is_deleted: "boolean" } as const;

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

function create(name: string, more: Partial<TableDefinition> = {}): Promise<Exchange> {
  const bloom = { entries: 1_000, falsePositiveRate: 1e-9, maxEntries: 100_000 };
  const definition = defineEdgeTable(name, { ...BY_REGION, ...more });
  const write = { bloom, lease: SHORT_LEASE };
  return Exchange.create({ path: join(directory, name), definition, table: { write } });
}

/** A row whose place is given by its region. */
function placed(index: number, at: bigint, region: EngineValue, note = `at ${at}`): EngineRow {
  return makeEdgeRow(index, at, { region, note });
}

function placedRows(from: number, to: number, at: bigint): EngineRow[] {
  return range(from, to, (index) => placed(index, at, REGIONS[index % REGIONS.length] ?? null));
}

describe("replace commits in turns", () => {
  test("what one side replaces the other neither reads nor finds again", async () => {
    const exchange = await create("in_turns");
    const agree = (): Promise<void> => exchange.agree(spark, hudiRs);
    const first = await exchange.writeOurs({ kind: "upsert", rows: placedRows(0, 12, 10n) });
    await exchange.writeSpark(spark, {
      kind: "insertOverwrite",
      rows: [...range(20, 24, (index) => placed(index, 20n, "north")), placed(30, 20n, "new")],
    });
    await agree();
    const before = canonicalRows(exchange.expected.rows);
    const second = await exchange.writeOurs({ kind: "upsert", rows: placedRows(0, 6, 30n) });
    await agree();
    await exchange.writeOurs({
      kind: "insertOverwrite",
      rows: range(40, 44, (index) => placed(index, 5n, index % 2 === 0 ? "north" : null)),
    });
    await agree();
    await exchange.writeSpark(spark, { kind: "upsert", rows: placedRows(0, 3, 40n) });
    await agree();
    await exchange.writeOurs({ kind: "deletePartitions", values: ["us west", null] });
    await agree();
    await exchange.writeSpark(spark, { kind: "upsert", rows: placedRows(40, 50, 50n) });
    await agree();
    await exchange.writeOurs({ kind: "insertOverwriteTable", rows: placedRows(0, 5, 60n) });
    await agree();
    await exchange.writeSpark(spark, { kind: "upsert", rows: placedRows(3, 8, 70n) });
    await agree();
    // The past is still there, for us and for Spark.
    const asOf = (await exchange.table.timeline())
      .filter(({ state, time }) => state === "completed" && time > first && time < second)
      .at(-1)?.time as string;
    const ours = await collectEngineRows(exchange.table.read({ asOf }));
    expect(canonicalRows(ours)).toEqual(before);
    expect(canonicalRows(await spark.readTable(exchange.path, { asOf }))).toEqual(before);
    expect(await findOrphans(exchange.path)).toEqual([]);
    await exchange.close();
  });

  test("an insert overwrite of ours that died is rolled back by Spark", async () => {
    const exchange = await create("died");
    await exchange.writeOurs({ kind: "upsert", rows: placedRows(0, 12, 10n) });
    await writeAndDie(exchange.path, "before-completion", {}, "insertOverwriteTable");
    const names = await listTimelineFiles(exchange.path);
    const pending = names.filter((name) => name.includes("replacecommit"));
    expect(pending.map((name) => name.slice(17)).sort()).toEqual([
      ".replacecommit.inflight",
      ".replacecommit.requested",
    ]);
    await exchange.agree(spark, hudiRs);
    await exchange.writeSpark(spark, { kind: "upsert", rows: placedRows(6, 15, 20n) });
    await exchange.agree(spark, hudiRs);
    const left = (await listTimelineFiles(exchange.path)).filter((name) =>
      name.includes("replace"),
    );
    expect(left).toEqual([]);
    expect(await findOrphans(exchange.path)).toEqual([]);
    await exchange.writeOurs({ kind: "insertOverwrite", rows: [placed(50, 30n, "north")] });
    await exchange.agree(spark, hudiRs);
    await exchange.close();
  });
});

describe("rows that are marked as deleted", () => {
  const marked = (index: number, at: bigint, deleted: boolean): EngineRow => ({
    ...placed(index, at, REGIONS[index % REGIONS.length] ?? null),
    _hoodie_is_deleted: deleted,
  });
  const steps: readonly (WriteStep & { kind: "upsert" })[] = [
    { kind: "upsert", rows: range(0, 10, (index) => marked(index, 10n, index === 9)) },
    {
      kind: "upsert",
      rows: [
        marked(0, 20n, true),
        marked(1, 5n, true),
        // Older rows on either side of one that deletes, and an equal one behind it.
        ...[marked(2, 20n, true), marked(2, 15n, false)],
        ...[marked(3, 15n, false), marked(3, 20n, true)],
        ...[marked(4, 20n, true), marked(4, 20n, false)],
        ...[marked(5, 20n, false), marked(5, 20n, true)],
        ...[marked(10, 20n, true), marked(10, 15n, false)],
        ...[marked(6, 30n, false), marked(6, 20n, true)],
      ],
    },
    { kind: "upsert", rows: [marked(0, 1n, false), marked(2, 1n, false)] },
  ];

  test("amount to the same in batches of ours and of Spark", async () => {
    const ours = await create("marked_by_us", { fields: MARKED_FIELDS });
    const theirs = await create("marked_by_spark", { fields: MARKED_FIELDS });
    for (const step of steps) {
      await ours.writeOurs(step);
      await theirs.writeSpark(spark, step);
      const rows = canonicalRows(await collectEngineRows(ours.table.read()));
      expect(rows).toEqual(canonicalRows(await collectEngineRows(theirs.table.read())));
      expect(rows).toEqual(canonicalRows(await spark.readTable(ours.path)));
    }
    await ours.close();
    await theirs.close();
  });
});

describe.each(["global-bloom", "global-simple"] as const)("a table with the index %s", (kind) => {
  test.each([true, false])("moves keys as Spark does: %s", async (updatePartitionPath) => {
    const index = { kind, updatePartitionPath };
    const name = `${kind.replace("-", "_")}_${updatePartitionPath}`;
    const [ours, theirs] = [
      await create(`${name}_ours`, { index }),
      await create(`${name}_spark`, { index }),
    ];
    const property = `hoodie.${kind.slice(7)}.index.update.partition.path`;
    const options = { [property]: String(updatePartitionPath) };
    const steps: readonly (WriteStep & { kind: "upsert" })[] = [
      { kind: "upsert", rows: placedRows(0, 12, 10n) },
      {
        kind: "upsert",
        rows: [
          ...range(0, 4, (index) => placed(index, 20n, "moved")),
          ...range(4, 8, (index) => placed(index, 5n, "moved", "stale")),
          ...range(20, 22, (index) => placed(index, 20n, "moved")),
        ],
      },
      { kind: "upsert", rows: range(0, 3, (index) => placed(index, 30n, "north")) },
    ];
    for (const [at, step] of steps.entries()) {
      await ours.writeOurs(step);
      await theirs.writeSpark(spark, step, options);
      const rows = canonicalRows(await spark.readTable(ours.path));
      expect(rows, `after step ${at}`).toEqual(canonicalRows(await spark.readTable(theirs.path)));
      expect(rows).toEqual(canonicalRows(await collectEngineRows(ours.table.read())));
      expect(rows).toEqual(canonicalRows(await hudiRs.read(ours.path)));
    }
    // Now in turns on one table: each finds what the other moved.
    const more = (from: number, at: bigint, region: string): WriteStep & { kind: "upsert" } => ({
      kind: "upsert",
      rows: range(from, from + 6, (index) => placed(index, at, region)),
    });
    await ours.writeSpark(spark, more(0, 40n, "by Spark"), options);
    await ours.writeOurs(more(3, 50n, "by us"));
    await ours.writeSpark(spark, more(6, 60n, "by Spark"), options);
    const keys = canonicalRows(await spark.readTable(ours.path, { columns: ["id"] }));
    expect(new Set(keys).size).toBe(keys.length);
    expect(keys.length).toBe(14);
    await ours.close();
    await theirs.close();
  });
});

describe("a table with a bucket index", () => {
  test("is filled in turns, one file group for each bucket", async () => {
    const exchange = await create("buckets", { index: { kind: "bucket", buckets: 5 } });
    const rows = (from: number, to: number, at: bigint): EngineRow[] => placedRows(from, to, at);
    // Hudi finds the buckets of our keys, and we those of its keys: no key stands twice.
    await exchange.writeOurs({ kind: "upsert", rows: rows(0, 8, 10n) });
    await exchange.writeSpark(spark, { kind: "upsert", rows: rows(4, 20, 20n) });
    await exchange.agree(spark, hudiRs);
    await exchange.writeOurs({ kind: "upsert", rows: rows(10, 40, 30n) });
    await exchange.agree(spark, hudiRs);
    await exchange.writeSpark(spark, { kind: "insertOverwrite", rows: rows(30, 50, 5n) });
    await exchange.agree(spark, hudiRs);
    await exchange.writeOurs({ kind: "upsert", rows: rows(40, 60, 40n) });
    await exchange.writeSpark(spark, { kind: "upsert", rows: rows(30, 60, 50n) });
    await exchange.agree(spark, hudiRs);
    await exchange.writeOurs({ kind: "delete", keys: rows(30, 35, 0n) });
    await exchange.agree(spark, hudiRs);
    const places = (await exchange.table.files()).map(
      ({ partitionPath, fileId }) => `${partitionPath} ${fileId.slice(0, 8)}`,
    );
    expect(new Set(places).size).toBe(places.length);
    await exchange.close();
  });
});
