// Spark and we write one table in turns: upserts, deletes, stale rows, cleaning and archiving. After
// every write both sides, and hudi-rs beside them, hold what the model holds.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import {
  HudiTable,
  type LogicalName,
  type TableDefinition,
  type WriteSettings,
} from "../../src/index.ts";
import { META_FIELDS } from "../../src/layout/record-key.ts";
import { defineEdgeTable, EDGE_FIELDS, makeEdgeRow } from "./support/edge-rows.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { canonicalRows, type EngineRow, type EngineValue } from "./support/engine-rows.ts";
import { Exchange } from "./support/exchange.ts";
import { HudiRsReader } from "./support/hudi-rs-reader.ts";
import { collectEngineRows, formatSparkColumns } from "./support/lake-rows.ts";
import { writeStep } from "./support/lake-writer.ts";
import { TWO_ORDER_KEYS } from "./support/shapes.ts";
import { SparkSession } from "./support/spark-session.ts";
import { findOrphans, listDataFiles, listTimelineFiles } from "./support/table-files.ts";

const ROUNDS = 10;
const REGIONS = ["north", "us west", "ü é", null];
const COLUMNS = [...META_FIELDS, ...Object.keys(EDGE_FIELDS)];

let directory: string;
let spark: SparkSession;
let hudiRs: HudiRsReader;
let isRunning = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-exchange-"));
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

function create(
  definition: TableDefinition,
  sparkOptions: Readonly<Record<string, string>> = {},
  settings: Partial<WriteSettings> = {},
): Promise<Exchange> {
  const bloom = { entries: 1_000, falsePositiveRate: 1e-9, maxEntries: 100_000 };
  const write = { bloom, ...settings };
  const path = join(directory, definition.name);
  return Exchange.create({ path, definition, table: { write }, sparkOptions });
}

const BY_REGION = { partitionBy: "region", hiveStyle: true } as const;
/** What Spark does when nobody tells it otherwise, and history that is short. */
const CLEANING = {
  "hoodie.embed.timeline.server": "true",
  "hoodie.clean.automatic": "true",
  "hoodie.cleaner.commits.retained": "2",
  "hoodie.keep.min.commits": "3",
  "hoodie.keep.max.commits": "4",
};

/** What a commit changed, as we give it and as Spark and hudi-rs give it, meta columns included. */
async function compareIncremental(exchange: Exchange, after: string, upTo: string): Promise<void> {
  const range = { columns: COLUMNS, after, upTo };
  const ours = canonicalRows(await collectEngineRows(exchange.table.incremental(range)));
  const fromSpark = await spark.readTable(exchange.path, {
    incremental: { begin: after, end: upTo },
    metaColumns: true,
  });
  expect(ours).toEqual(canonicalRows(fromSpark));
  const fromRust = await hudiRs.incremental(exchange.path, after, upTo, { metaColumns: true });
  expect(ours).toEqual(canonicalRows(fromRust));
}

const EXCHANGES = [
  { name: "nonpartitioned", table: {}, sparkOptions: {} },
  { name: "partitioned", table: BY_REGION, sparkOptions: {} },
  {
    name: "complex_keys",
    table: { recordKey: ["id", "small"], partitionBy: ["region", "day"], hiveStyle: true } as const,
    sparkOptions: {},
  },
  { name: "cleaned_and_archived", table: BY_REGION, sparkOptions: CLEANING },
];

describe.each(EXCHANGES)("$name: Spark and we in turns", ({ name, table, sparkOptions }) => {
  let exchange: Exchange;
  const instants: string[] = [];

  beforeAll(async () => {
    exchange = await create(defineEdgeTable(name, table), sparkOptions);
  });
  afterAll(() => exchange?.close());

  test.each(Array.from({ length: ROUNDS }, (_, round) => round))("round %i", async (round) => {
    const at = BigInt(1_000 + round * 10);
    const newest = (await exchange.table.timeline()).at(-1)?.time;
    const first = await exchange.writeOurs(exchange.upsertStep(round * 2, at, REGIONS));
    instants.push(await exchange.writeOurs(exchange.deleteStep(round * 2, at + 1n)));
    await exchange.agree(spark, hudiRs);
    if (newest !== undefined) await compareIncremental(exchange, newest, first);

    await exchange.writeSpark(spark, exchange.upsertStep(round * 2 + 1, at + 2n, REGIONS));
    await exchange.writeSpark(spark, exchange.deleteStep(round * 2 + 1, at + 3n));
    await exchange.agree(spark, hudiRs);
    expect(await findOrphans(exchange.path)).toEqual([]);
    expect((await exchange.table.timeline()).filter((i) => i.state !== "completed")).toEqual([]);
  });

  test("keys that we reuse after Spark deleted them, and it after us, come back once", async () => {
    const [ours, theirs] = exchange.pickRows(2, 5) as [
      Record<string, never>,
      Record<string, never>,
    ];
    await exchange.writeOurs({ kind: "delete", keys: [ours] });
    await exchange.writeSpark(spark, { kind: "delete", keys: [theirs] });
    await exchange.writeSpark(spark, { kind: "upsert", rows: [{ ...ours, at: 1n, note: "back" }] });
    await exchange.writeOurs({ kind: "upsert", rows: [{ ...theirs, at: 1n, note: "back" }] });
    await exchange.agree(spark, hudiRs);
  });

  if (sparkOptions !== CLEANING) return;
  test("Spark cleaned our old files and archived our commits, and time travel says so", async () => {
    const timeline = await listTimelineFiles(exchange.path);
    const isActive = (instant: string): boolean =>
      timeline.some((file) => file.startsWith(instant));
    expect(isActive(instants[0] as string)).toBe(false);
    expect(timeline.some((file) => file.endsWith(".clean"))).toBe(true);
    const files = await listDataFiles(exchange.path);
    const current = await exchange.table.files();
    expect(files.length).toBeLessThan(current.length * 6);
    const old = { asOf: instants[0] as string };
    await expect(exchange.table.read(old).toArray()).rejects.toMatchObject({ code: "EXPIRED" });
    const range = { after: instants[0] as string };
    const changed = exchange.table.incremental(range).toArray();
    await expect(changed).rejects.toMatchObject({ code: "EXPIRED" });
  });
});

test("Spark SQL updates, merges and deletes in a table of ours", async () => {
  const exchange = await create(defineEdgeTable("by_sql", BY_REGION));
  try {
    const rows = [0, 1, 2, 3].map((index) => makeEdgeRow(index, 1n, { region: "north" }));
    await exchange.writeOurs({ kind: "upsert", rows });
    await spark.sql(`CREATE TABLE by_sql USING hudi LOCATION '${exchange.path}'`);
    await spark.sql("SET hoodie.metadata.enable=false");
    await spark.sql("UPDATE by_sql SET note = 'by update', at = 2 WHERE id = 'plain'");
    await spark.sql("DELETE FROM by_sql WHERE id = 'slash/and\\\\back'");
    await spark.sql(
      "MERGE INTO by_sql AS t USING (SELECT 'with space ' AS id, 'north' AS region, 3L AS at, " +
        "'by merge' AS note) AS s ON t.id = s.id " +
        "WHEN MATCHED THEN UPDATE SET t.note = s.note, t.at = s.at",
    );
    const [first, second, third] = rows as [object, object, object];
    exchange.expected.write({
      kind: "upsert",
      rows: [
        { ...first, note: "by update", at: 2n },
        { ...second, note: "by merge", at: 3n },
      ],
    });
    exchange.expected.write({ kind: "delete", keys: [{ ...third }] });
    await exchange.agree(spark, hudiRs);
    await exchange.writeOurs(exchange.upsertStep(4, 10n, REGIONS));
    await exchange.agree(spark, hudiRs);
  } finally {
    await exchange.close();
  }
});

test("keys that Java and UTF-8 order differently are found by both sides", async () => {
  const exchange = await create(defineEdgeTable("two_orders"));
  try {
    const rows = (prefix: string, at: bigint): EngineRow[] =>
      TWO_ORDER_KEYS.map((key, index) => makeEdgeRow(index, at, { id: `${prefix}${key}` }));
    await exchange.writeSpark(spark, { kind: "upsert", rows: rows("", 1n) });
    await exchange.writeOurs({ kind: "upsert", rows: rows("", 2n) });
    await exchange.agree(spark, hudiRs);
    await exchange.writeSpark(spark, { kind: "upsert", rows: rows("", 3n) });
    await exchange.agree(spark, hudiRs);
    // Written through Spark's own rows, a file has its key range in the order of UTF-8.
    await exchange.writeSpark(spark, { kind: "bulkInsert", rows: rows("b", 4n) });
    await exchange.writeOurs({ kind: "upsert", rows: rows("b", 5n) });
    await exchange.agree(spark, hudiRs);
    await exchange.writeSpark(spark, { kind: "upsert", rows: rows("b", 6n) });
    await exchange.agree(spark, hudiRs);
  } finally {
    await exchange.close();
  }
});

const ORDERINGS: readonly {
  readonly type: LogicalName;
  readonly values: readonly EngineValue[];
}[] = [
  { type: "int", values: [-2147483648, -1, 0, 2147483647] },
  { type: "double", values: ["-Infinity", -1.5, -0, 0, 5e-324, "Infinity", "NaN"] },
  { type: "string", values: ["", "B", "a", "é", "～", "🚀"] },
  { type: "date", values: ["1900-01-01", "1969-12-31", "1970-01-01", "9999-12-31"] },
  { type: "timestamp-micros", values: [-1n, 0n, 1n, 253402300799999999n] },
  { type: "decimal(20,4)", values: ["-10.0000", "-9.0000", "0.0000", "0.0001", "100.0000"] },
];

test.each(ORDERINGS)(
  "an ordering field of type $type decides alike for Spark and us",
  async ({ type, values }) => {
    const name = `ordered_by_${type.replaceAll(/\W/g, "_")}`;
    const pairs = values.flatMap((stored) => values.map((incoming) => [stored, incoming] as const));
    const rows = (side: 0 | 1, note: string): EngineRow[] =>
      pairs.map((pair, index) => ({ id: `pair ${index}`, at: pair[side], note }));
    const fields = { id: "string", at: type, note: "string" } as const;
    const [mixed, alone] = [
      await create(defineEdgeTable(name, { fields })),
      await create(defineEdgeTable(`${name}_alone`, { fields })),
    ];
    try {
      for (const exchange of [mixed, alone]) {
        await writeStep(exchange.table, { kind: "upsert", rows: rows(0, "stored") });
      }
      await mixed.writeSpark(spark, { kind: "upsert", rows: rows(1, "incoming") });
      await writeStep(alone.table, { kind: "upsert", rows: rows(1, "incoming") });
      const describeRows = async (exchange: Exchange): Promise<string[]> =>
        (await collectEngineRows(exchange.table.read()))
          .map(({ id, at, note }) => {
            const [stored, incoming] = pairs[Number(String(id).slice(5))] ?? [];
            return `stored ${String(stored)}, incoming ${String(incoming)}: ${note} ${String(at)}`;
          })
          .sort();
      expect(await describeRows(alone)).toEqual(await describeRows(mixed));
    } finally {
      await mixed.close();
      await alone.close();
    }
  },
);

test("Spark overwrites a partition and clusters file groups of ours, and we go on", async () => {
  const exchange = await create(defineEdgeTable("replaced", BY_REGION), {}, { smallFileBytes: 0 });
  try {
    for (const seed of [0, 1, 2]) {
      await exchange.writeOurs(exchange.upsertStep(seed, BigInt(10 + seed), REGIONS));
    }
    const { expected, path } = exchange;
    const isNorth = ({ region }: EngineRow): boolean => region === "north";
    const rows = [50, 51].map((index) => makeEdgeRow(index, 20n, { region: "north" }));
    await spark.write({
      path,
      rows,
      schema: formatSparkColumns(await exchange.table.schema()),
      options: {
        ...exchange.sparkOptions(),
        "hoodie.datasource.write.operation": "insert_overwrite",
      },
      mode: "append",
    });
    expected.write({ kind: "delete", keys: expected.rows.filter(isNorth) });
    expected.write({ kind: "insert", rows });
    await exchange.agree(spark, hudiRs);
    await exchange.writeOurs(exchange.upsertStep(3, 30n, REGIONS));
    await exchange.agree(spark, hudiRs);

    await spark.sql(`CREATE TABLE replaced USING hudi LOCATION '${path}'`);
    await spark.sql("SET hoodie.metadata.enable=false");
    // Else its clustering writes decimals as integers, which its next upsert takes for whole numbers.
    await spark.sql("SET hoodie.parquet.writelegacyformat.enabled=true");
    await spark.sql("CALL run_clustering(table => 'replaced', op => 'schedule')");
    await exchange.agree(spark, hudiRs);
    // What is planned to be rewritten is not to be written meanwhile, by Hudi's rule.
    const hasty = await HudiTable.open(path, { write: { conflictRetries: 0 } });
    const update = { kind: "upsert", rows: expected.rows.filter(isNorth) } as const;
    await expect(writeStep(hasty, update)).rejects.toMatchObject({ code: "CONFLICT" });
    await hasty[Symbol.asyncDispose]();
    await exchange.agree(spark, hudiRs);
    await spark.sql("CALL run_clustering(table => 'replaced', op => 'execute')");
    await exchange.agree(spark, hudiRs);
    const newest = (await exchange.table.timeline()).at(-1);
    expect(newest).toMatchObject({ action: "replacecommit", state: "completed" });
    const instant = await exchange.writeOurs(exchange.upsertStep(4, 40n, REGIONS));
    await exchange.agree(spark, hudiRs);
    await compareIncremental(exchange, newest?.time ?? "", instant);
    await exchange.writeSpark(spark, exchange.upsertStep(5, 50n, REGIONS));
    await exchange.agree(spark, hudiRs);
  } finally {
    await spark.sql("RESET hoodie.parquet.writelegacyformat.enabled");
    await exchange.close();
  }
});

test("a metadata table that Spark switches on stops us, and is dropped and made anew", async () => {
  const exchange = await create(defineEdgeTable("metadata_table", BY_REGION));
  try {
    await exchange.writeOurs(exchange.upsertStep(0, 10n, REGIONS));
    const withMetadata = { "hoodie.metadata.enable": "true" };
    await exchange.writeSpark(spark, exchange.upsertStep(1, 20n, REGIONS), withMetadata);
    await exchange.agree(spark, hudiRs);

    const step = exchange.upsertStep(2, 30n, REGIONS);
    // A table that was opened before learns it at completion, one that is opened now at once.
    await expect(exchange.table.upsert([])).rejects.toMatchObject({ code: "UNSUPPORTED" });
    const refused = await HudiTable.open(exchange.path);
    await expect(refused.upsert([])).rejects.toThrow(/metadataTable: "drop"/);
    await refused[Symbol.asyncDispose]();

    const dropped = await HudiTable.open(exchange.path, { metadataTable: "drop" });
    const again = new Exchange(
      { path: exchange.path, definition: defineEdgeTable("metadata_table", BY_REGION) },
      dropped,
    );
    again.expected.write({ kind: "upsert", rows: exchange.expected.rows });
    await again.writeOurs(step);
    await again.agree(spark, hudiRs);
    await again.writeSpark(spark, again.upsertStep(3, 40n, REGIONS), withMetadata);
    await again.agree(spark, hudiRs);
    const throughMetadata = await spark.readTable(exchange.path, { options: withMetadata });
    expect(canonicalRows(throughMetadata)).toEqual(canonicalRows(again.expected.rows));
    await again.close();
  } finally {
    await exchange.close();
  }
});
