// Writers that died half-way: Spark rolls back ours, eagerly, lazily and by name, and we roll back
// Spark's, whatever its markers. Afterwards nothing of the dead is left and both go on.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { HudiTable } from "../../src/index.ts";
import { openStorage } from "../../src/storage/open-storage.ts";
import type { ObjectWriter, Storage } from "../../src/storage/storage.ts";
import { baseSlices } from "../support/base-slices.ts";
import { DEATHS, type Death, DOOMED, SHORT_LEASE, writeAndDie } from "./support/doomed-writer.ts";
import { BY_REGION, defineEdgeTable, makeEdgeRow } from "./support/edge-rows.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { Exchange } from "./support/exchange.ts";
import { HudiRsReader } from "./support/hudi-rs-reader.ts";
import { formatSparkColumns } from "./support/lake-rows.ts";
import { writeStep } from "./support/lake-writer.ts";
import { type SparkKillPoint, SparkSession } from "./support/spark-session.ts";
import {
  findOrphans,
  listDataFiles,
  listFilesOfInstant,
  listTimelineFiles,
} from "./support/table-files.ts";

const REGIONS = ["north", "us west", null];
/** A pending write counts as dead at once, with a heartbeat or without. */
const IMPATIENT = {
  heartbeat: { intervalMs: 60_000, expireMs: 1_500, expireWithoutHeartbeatMs: 1 },
  lease: SHORT_LEASE,
};
const PATIENT = { lease: SHORT_LEASE };

let directory: string;
let hudiRs: HudiRsReader;
let running: SparkSession | undefined;
let exchange: Exchange;
let tables = 0;

let isRunning = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-rollback-"));
  const started = await startIfAvailable("Spark and hudi-rs", async () => {
    hudiRs = await HudiRsReader.start();
    await openSpark();
    return true;
  });
  isRunning = started ?? false;
});

beforeEach(({ skip }) => skip(!isRunning, "Spark or hudi-rs did not run"));

afterAll(async () => {
  await exchange?.close();
  await hudiRs?.stop();
  await running?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** The session; a new one after a kill. */
async function openSpark(): Promise<SparkSession> {
  running ??= await SparkSession.start({ bundle: "0.15.0" });
  return running;
}

/** A new partitioned table with two commits of ours and one of Spark. */
async function createTable(write: typeof IMPATIENT | typeof PATIENT): Promise<Exchange> {
  await exchange?.close();
  tables += 1;
  const definition = defineEdgeTable(`table_${tables}`, BY_REGION);
  const bloom = { entries: 1_000, falsePositiveRate: 1e-9, maxEntries: 100_000 };
  exchange = await Exchange.create({
    path: join(directory, definition.name),
    definition,
    table: { write: { ...write, bloom } },
    sparkOptions: { "hoodie.embed.timeline.server": "true" },
  });
  await exchange.writeOurs(exchange.upsertStep(0, 10n, REGIONS));
  await exchange.writeSpark(await openSpark(), exchange.upsertStep(1, 20n, REGIONS));
  await exchange.writeOurs(exchange.upsertStep(2, 30n, REGIONS));
  return exchange;
}

/** The instants that have begun and not completed, from the names of the timeline's files. */
async function listPendingInstants(path: string): Promise<string[]> {
  const names = await listTimelineFiles(path);
  const isPending = (instant: string): boolean =>
    !names.some(
      (name) =>
        /^\d+\.(commit|replacecommit|rollback|clean)$/.test(name) && name.startsWith(instant),
    );
  return [...new Set(names.map((name) => name.slice(0, 17)))].filter(isPending);
}

/** Nothing of the dead write is left but the record of its rollback; everybody agrees on the rest. */
async function expectGone(instant: string): Promise<void> {
  const { path, table } = exchange;
  const left = await listFilesOfInstant(path, instant);
  // A heartbeat that nobody renews holds nothing up; Spark lets it lie.
  expect(left.filter((file) => !file.startsWith(".hoodie/.heartbeat/"))).toEqual([]);
  expect(await listPendingInstants(path)).toEqual([]);
  expect(await findOrphans(path)).toEqual([]);
  const rollbacks = (await listTimelineFiles(path)).filter((name) => name.endsWith(".rollback"));
  expect(rollbacks).toHaveLength(1);
  await exchange.agree(await openSpark(), hudiRs);
  const ours = (await baseSlices(table)).map((slice) => slice.baseFile.path).sort();
  expect(await hudiRs.files(path)).toEqual(ours);
}

/** Both sides write once more, and agree. */
async function goOn(): Promise<void> {
  const spark = await openSpark();
  await exchange.writeOurs(exchange.upsertStep(7, 70n, [...REGIONS, "west"]));
  await exchange.writeSpark(spark, exchange.upsertStep(8, 80n, [...REGIONS, "west"]));
  await exchange.writeOurs(exchange.deleteStep(9, 90n));
  await exchange.agree(spark, hudiRs);
  expect(await findOrphans(exchange.path)).toEqual([]);
}

describe.each(DEATHS.filter((death) => death !== "after-completion"))(
  "a write of ours that died: %s",
  (death: Death) => {
    let pending: string;

    beforeEach(async () => {
      await createTable(PATIENT);
      await writeAndDie(exchange.path, death);
      [pending = ""] = await listPendingInstants(exchange.path);
      expect(pending).not.toBe("");
    });

    test("nobody sees it, and the next write of Spark rolls it back", async () => {
      const spark = await openSpark();
      await exchange.agree(spark, hudiRs);
      await exchange.writeSpark(spark, exchange.upsertStep(3, 40n, [...REGIONS, "west"]));
      await expectGone(pending);
      await goOn();
    });
  },
);

describe("a write of ours that died before its completion", () => {
  test("is rolled back by a lazy Spark once its heartbeat has expired", async () => {
    await createTable(PATIENT);
    await writeAndDie(exchange.path, "before-completion");
    const [pending = ""] = await listPendingInstants(exchange.path);
    const spark = await openSpark();
    const lazy = {
      "hoodie.cleaner.policy.failed.writes": "LAZY",
      "hoodie.client.heartbeat.interval_in_ms": "1000",
      "hoodie.client.heartbeat.tolerable.misses": "2",
    };
    await sleep(3_000);
    await exchange.writeSpark(spark, exchange.upsertStep(3, 40n, REGIONS), lazy);
    await expectGone(pending);
    await goOn();
  });

  test("is left alone by a lazy Spark while its heartbeat is fresh", async () => {
    await createTable(PATIENT);
    await writeAndDie(exchange.path, "before-completion");
    const [pending = ""] = await listPendingInstants(exchange.path);
    const spark = await openSpark();
    const lazy = { "hoodie.cleaner.policy.failed.writes": "LAZY" };
    await exchange.writeSpark(spark, exchange.upsertStep(3, 40n, REGIONS), lazy);
    expect(await listPendingInstants(exchange.path)).toEqual([pending]);
    await exchange.agree(spark, hudiRs);
  });

  test("is rolled back by Spark by name", async () => {
    await createTable(PATIENT);
    await writeAndDie(exchange.path, "before-completion");
    const [pending = ""] = await listPendingInstants(exchange.path);
    const spark = await openSpark();
    await rollBackByName(spark, pending);
    await expectGone(pending);
    await goOn();
  });
});

test("a living write of ours that an eager Spark rolls back starts anew, and nothing is lost", async () => {
  await createTable(PATIENT);
  const spark = await openSpark();
  const { path } = exchange;
  let interruptions = 0;
  const storage = afterEachDataFile(openStorage(path), async () => {
    interruptions += 1;
    if (interruptions > 1) return;
    const [pending = ""] = await listPendingInstants(path);
    // Far from our file groups, so that no conflict check can tell what happened.
    const rows = [makeEdgeRow(600, 40n, { region: "west" })];
    await exchange.writeSpark(spark, { kind: "upsert", rows });
    expect(await listFilesOfInstant(path, pending)).toEqual([`.hoodie/.heartbeat/${pending}`]);
  });
  const table = (await HudiTable.open(path, { storage, workers: { count: 0 } })) as HudiTable;
  const step = exchange.upsertStep(4, 50n, REGIONS);
  await writeStep(table, step);
  exchange.expected.write(step);
  expect(interruptions).toBeGreaterThan(1);
  expect(await findOrphans(path)).toEqual([]);
  await goOn();
});

/** A storage that runs `task` after each data file is finished. */
function afterEachDataFile(storage: Storage, task: () => Promise<void>): Storage {
  return new Proxy(storage, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (name === "createWriter") {
        return (...args: Parameters<Storage["createWriter"]>): ObjectWriter => {
          const writer = target.createWriter(...args);
          const close: ObjectWriter["close"] = async () => {
            const closed = await writer.close();
            await task();
            return closed;
          };
          return { write: (bytes) => writer.write(bytes), abort: () => writer.abort(), close };
        };
      }
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

test("a commit of ours whose writer died right after it is kept by Spark", async () => {
  await createTable(PATIENT);
  const before = exchange.expected.rows;
  await writeAndDie(exchange.path, "after-completion");
  exchange.expected.write({
    kind: "upsert",
    rows: [
      ...before.map((row) => ({ ...row, at: 1_000_000n, note: DOOMED })),
      makeEdgeRow(500, 1_000_000n, { note: DOOMED, region: "west" }),
    ],
  });
  const spark = await openSpark();
  await exchange.agree(spark, hudiRs);
  await goOn();
  const rollbacks = (await listTimelineFiles(exchange.path)).filter((n) => n.includes("rollback"));
  expect(rollbacks).toEqual([]);
});

test("Spark undoes our newest completed commit by name, and we undo Spark's", async () => {
  await createTable(PATIENT);
  const spark = await openSpark();
  const definition = { key: "id", partition: "region", ordering: "at" };
  const Model = exchange.expected.constructor as new (
    options: typeof definition,
  ) => typeof exchange.expected;
  const undo = async (
    work: () => Promise<string>,
    roll: (instant: string) => Promise<void>,
  ): Promise<void> => {
    const before = new Model(definition);
    before.write({ kind: "insert", rows: exchange.expected.rows });
    const instant = await work();
    await roll(instant);
    Object.assign(exchange, { expected: before });
    expect(await findOrphans(exchange.path)).toEqual([]);
    await exchange.agree(spark, hudiRs);
  };
  await undo(
    () => exchange.writeOurs(exchange.upsertStep(3, 40n, REGIONS)),
    (instant) => rollBackByName(spark, instant),
  );
  await undo(
    async () => {
      await exchange.writeSpark(spark, exchange.upsertStep(4, 50n, REGIONS));
      return (await exchange.table.timeline()).at(-1)?.time ?? "";
    },
    (instant) => exchange.table.rollback(instant),
  );
  await goOn();
});

async function rollBackByName(spark: SparkSession, instant: string): Promise<void> {
  const name = `table_${tables}`;
  await spark.sql(`CREATE TABLE ${name} USING hudi LOCATION '${exchange.path}'`);
  await spark.sql(`CALL rollback_to_instant(table => '${name}', instant_time => '${instant}')`);
}

const SPARK_DEATHS: readonly {
  readonly name: string;
  readonly at: SparkKillPoint;
  readonly options: Readonly<Record<string, string>>;
  readonly waitMs: number;
}[] = [
  {
    name: "direct markers, all data written",
    at: "before-completion",
    options: { "hoodie.write.markers.type": "DIRECT", "hoodie.embed.timeline.server": "false" },
    waitMs: 50,
  },
  {
    name: "markers of the timeline server, a torn data file",
    at: "first-data-file",
    options: {},
    waitMs: 50,
  },
  {
    name: "a lazy one that left a heartbeat",
    at: "before-completion",
    options: { "hoodie.cleaner.policy.failed.writes": "LAZY" },
    waitMs: IMPATIENT.heartbeat.expireMs + 500,
  },
];

describe.each(SPARK_DEATHS)("a write of Spark that died: $name", ({ at, options, waitMs }) => {
  test("nobody sees it, and our next write rolls it back", async () => {
    await createTable(IMPATIENT);
    const doomed = await openSpark();
    running = undefined;
    const step = exchange.upsertStep(5, 1_000_000n, [...REGIONS, "west"]);
    const killed = await doomed.killDuringWrite(
      {
        path: exchange.path,
        rows: step.rows.map((row) => ({ ...row, note: DOOMED })),
        schema: formatSparkColumns(await exchange.table.schema()),
        options: { ...exchange.sparkOptions(), ...options },
        mode: "append",
      },
      at,
    );
    expect(killed.dataFiles.length).toBeGreaterThan(0);
    await exchange.agree(await openSpark(), hudiRs);
    await sleep(waitMs);
    await exchange.writeOurs(exchange.upsertStep(6, 60n, REGIONS));
    await expectGone(killed.instant);
    expect((await listDataFiles(exchange.path)).length).toBeGreaterThan(0);
    await goOn();
  });
});
