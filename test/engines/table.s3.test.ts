// A table in an object store, against a real MinIO: written and read by us, read by hudi-rs, written
// by two processes at once under the lease of conditional requests, and rolled back after a crash.

import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { HudiTable, type StorageSettings } from "../../src/index.ts";
import { SHORT_LEASE, writeAndDie } from "./support/doomed-writer.ts";
import { BY_REGION, defineEdgeTable, makeEdgeRow } from "./support/edge-rows.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { canonicalRows } from "./support/engine-rows.ts";
import { ExpectedTable, type WriteStep } from "./support/expected-table.ts";
import { HudiRsReader } from "./support/hudi-rs-reader.ts";
import { collectEngineRows } from "./support/lake-rows.ts";
import { writeStep } from "./support/lake-writer.ts";
import { MinioServer } from "./support/minio-server.ts";

const BUCKET = "lake";
const REGIONS = ["north", "us west", "ü é", null];

let directory: string;
let minio: MinioServer;
let hudiRs: HudiRsReader;
let storage: StorageSettings;
let hudiRsOptions: Record<string, string>;

let isRunning = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-table-s3-"));
  const started = await startIfAvailable("MinIO and hudi-rs", async () => {
    minio = await MinioServer.start({ dataDir: join(directory, "minio") });
    await minio.createBucket(BUCKET);
    hudiRs = await HudiRsReader.start();
    return true;
  });
  isRunning = started ?? false;
  if (!isRunning) return;
  const { endpoint, region, accessKeyId, secretAccessKey } = minio;
  storage = { endpoint, region, credentials: { accessKeyId, secretAccessKey } };
  hudiRsOptions = {
    aws_endpoint: endpoint,
    aws_region: region,
    aws_access_key_id: accessKeyId,
    aws_secret_access_key: secretAccessKey,
    aws_allow_http: "true",
  };
});

beforeEach(({ skip }) => skip(!isRunning, "MinIO or hudi-rs did not run"));

afterAll(async () => {
  await hudiRs?.stop();
  await minio?.stop();
  await rm(directory, { recursive: true, force: true });
});

const runNode = promisify(execFile);

function makeRow(index: number, at: bigint, note?: string): ReturnType<typeof makeEdgeRow> {
  const region = REGIONS[index % REGIONS.length] ?? null;
  return makeEdgeRow(index, at, note === undefined ? { region } : { region, note });
}

function makeRows(from: number, to: number, at: bigint, note?: string) {
  return Array.from({ length: to - from }, (_, offset) => makeRow(from + offset, at, note));
}

async function createTable(location: string): Promise<HudiTable> {
  const table = await HudiTable.create(location, defineEdgeTable("trips", BY_REGION), {
    storage,
    write: {
      lease: SHORT_LEASE,
      heartbeat: { intervalMs: 60_000, expireMs: 1_000, expireWithoutHeartbeatMs: 1 },
    },
  });
  return table as HudiTable;
}

const STEPS: readonly WriteStep[] = [
  { kind: "bulkInsert", rows: makeRows(0, 20, 1n) },
  { kind: "upsert", rows: [...makeRows(10, 30, 2n, "updated"), makeRow(0, 0n, "stale")] },
  { kind: "delete", keys: makeRows(4, 7, 0n) },
];

function expectRows(steps: readonly WriteStep[]): string[] {
  const expected = new ExpectedTable({ key: "id", partition: "region", ordering: "at" });
  for (const step of steps) expected.write(step);
  return canonicalRows(expected.rows);
}

test("we and hudi-rs read what we wrote: now, earlier, and what changed between", async () => {
  const location = `s3://${BUCKET}/plain`;
  await using table = await createTable(location);
  const instants: string[] = [];
  for (const step of STEPS) instants.push((await writeStep(table, step)).instant);
  const [first, second, third] = instants as [string, string, string];

  await using reader = await HudiTable.open(location, { storage });
  const read = async (options = {}): Promise<string[]> =>
    canonicalRows(await collectEngineRows(reader.read(options)));
  expect(await read()).toEqual(expectRows(STEPS));
  expect(canonicalRows(await hudiRs.read(location, { options: hudiRsOptions }))).toEqual(
    expectRows(STEPS),
  );
  expect(await read({ asOf: first })).toEqual(expectRows(STEPS.slice(0, 1)));
  const asOf = { options: hudiRsOptions, asOf: second };
  expect(canonicalRows(await hudiRs.read(location, asOf))).toEqual(expectRows(STEPS.slice(0, 2)));

  const changed = reader.incremental({ after: first, upTo: third });
  const fromRust = await hudiRs.incremental(location, first, third, { options: hudiRsOptions });
  expect(canonicalRows(await collectEngineRows(changed))).toEqual(canonicalRows(fromRust));

  await table.rollback(third);
  expect(await read()).toEqual(expectRows(STEPS.slice(0, 2)));
  expect(canonicalRows(await hudiRs.read(location, { options: hudiRsOptions }))).toEqual(
    expectRows(STEPS.slice(0, 2)),
  );
});

test("two processes at once lose nothing and insert nothing twice", async () => {
  const location = `s3://${BUCKET}/shared`;
  const fields = { id: "string", at: "long", writer: "string" } as const;
  const definition = { name: "shared", type: "copy-on-write", fields, recordKey: "id" } as const;
  await using table = await HudiTable.create(location, definition, { storage });
  const script = join(import.meta.dirname, "support", "concurrent-writer.ts");
  const writers = ["left", "right"];
  const commits = 6;
  const outputs = await Promise.all(
    writers.map((name) =>
      runNode(process.execPath, [script, location, name, String(commits), JSON.stringify(storage)]),
    ),
  );
  const instants = outputs.flatMap(({ stdout }) => JSON.parse(stdout) as string[]);
  expect(new Set(instants).size).toBe(writers.length * commits);

  const timeline = await table.timeline();
  expect(timeline.filter(({ state }) => state !== "completed")).toEqual([]);
  const completed = timeline.filter(({ action }) => action === "commit").map(({ time }) => time);
  expect(completed.sort()).toEqual(instants.sort());
  const ids = (await table.read({ columns: ["id"] }).toArray()).map(({ id }) => id).sort();
  const wanted = [
    "always",
    ...Array.from({ length: commits }, (_, step) => [
      `common ${step}`,
      ...writers.map((name) => `own ${name} ${step}`),
    ]).flat(),
  ];
  expect(ids).toEqual(wanted.sort());
  const fromRust = await hudiRs.read(location, { options: hudiRsOptions });
  expect(fromRust.map(({ id }) => id).sort()).toEqual(wanted);
});

test.each(["after-first-data-file", "before-completion"] as const)(
  "a write that died (%s) is invisible and rolled back by the next one",
  async (death) => {
    const location = `s3://${BUCKET}/${death}`;
    await using table = await createTable(location);
    await writeStep(table, STEPS[0] as WriteStep);
    await writeAndDie(location, death, storage);
    const [pending] = (await table.timeline()).filter(({ state }) => state !== "completed");
    expect(pending).toBeDefined();
    const read = async (): Promise<string[]> =>
      canonicalRows(await collectEngineRows(table.read()));
    expect(await read()).toEqual(expectRows(STEPS.slice(0, 1)));

    // The store's clock counts in seconds.
    await new Promise((done) => setTimeout(done, 3_000));
    await writeStep(table, STEPS[1] as WriteStep);
    const actions = (await table.timeline()).map(({ action, state }) => `${action} ${state}`);
    expect(actions).toEqual(["commit completed", "rollback completed", "commit completed"]);
    expect(await read()).toEqual(expectRows(STEPS.slice(0, 2)));
    const fromRust = await hudiRs.read(location, { options: hudiRsOptions });
    expect(canonicalRows(fromRust)).toEqual(expectRows(STEPS.slice(0, 2)));
  },
);
