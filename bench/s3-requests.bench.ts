// The requests of one commit on an object store, one by one, and how long the commit takes when each
// request takes 30 ms: a one-row upsert into an open table of one partition and one small base file.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { HudiTable, StorageSettings } from "../src/index.ts";
import { MinioServer } from "../test/engines/support/minio-server.ts";
import type { BenchContext, Workload } from "./support/bench-context.ts";
import { DEFINITION } from "./support/dataset.ts";
import { LatencyProxy } from "./support/latency-proxy.ts";

const SEED_ROWS = 20_000;
const DELAY_MS = 30;
const TIMED_COMMITS = 7;

interface Request {
  readonly method: string;
  readonly operation: string;
  readonly key: string;
}

/** What a request is for, by its key. */
function purposeOf({ key, operation }: Request, prefix: string): string {
  const path = key.slice(prefix.length + 1);
  if (path.includes("probe-")) return "probe of conditional writes";
  if (operation === "DeleteObjects") return "removal of markers and heartbeat";
  if (path.startsWith(".hoodie/.locks")) return "lease";
  if (path.startsWith(".hoodie/.heartbeat")) return "heartbeat";
  if (path.startsWith(".hoodie/.temp")) return "markers";
  if (path.startsWith(".hoodie/hoodie.properties")) return "table properties";
  if (path.endsWith(".parquet")) return "data";
  if (path.endsWith(".hoodie_partition_metadata")) return "partition metafile";
  if (operation.startsWith("List")) {
    return path.startsWith(".hoodie") ? "listing of the timeline" : "listing of the partition";
  }
  return path.startsWith(".hoodie/") ? "timeline" : "other";
}

function makeRow(index: number, updatedAt: number): Record<string, unknown> {
  return {
    id: `${index.toString(16).padStart(8, "0")}-0000-4000-8000-${String(index).padStart(12, "0")}`,
    city: `city-${index % 50}`,
    status: "new",
    note: `order ${index} of the morning`,
    amount: BigInt(index) * 1_000n,
    quantity: index % 1000,
    price: index / 100,
    active: index % 3 === 0,
    day: new Date(Date.UTC(2024, 0, 1 + (index % 300))),
    moment: 1_700_000_000_000_000n + BigInt(index),
    updated_at: BigInt(updatedAt),
  };
}

async function run(context: BenchContext): Promise<void> {
  const dataDir = join(context.folder, "minio");
  await mkdir(dataDir, { recursive: true });
  const minio = await MinioServer.start({ dataDir });
  try {
    await minio.createBucket("bench");
    await measureRequests(context, minio);
  } finally {
    await minio.stop();
  }
}

async function measureRequests(context: BenchContext, minio: MinioServer): Promise<void> {
  const lake = (await import(context.library)) as typeof import("../src/index.ts");
  const prefix = "orders";
  let requests: Request[] = [];
  const storage = (endpoint: string): StorageSettings => ({
    endpoint,
    region: minio.region,
    credentials: { accessKeyId: minio.accessKeyId, secretAccessKey: minio.secretAccessKey },
    onRequest: (sent) => requests.push(sent),
  });
  const location = `s3://bench/${prefix}`;
  const table = (await lake.HudiTable.create(location, DEFINITION, {
    storage: storage(minio.endpoint),
  })) as unknown as HudiTable;
  const seed = Array.from({ length: SEED_ROWS }, (_, index) => makeRow(index, 1));

  const watch = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    requests = [];
    await work();
    requests.forEach((sent, index) => {
      const key = sent.key.slice(prefix.length + 1);
      const purpose = purposeOf(sent, prefix);
      context.record({ kind: "request", case: name, number: index + 1, ...sent, key, purpose });
    });
    context.progress(`${name}: ${requests.length} requests`);
  };
  await watch("bulk insert into a new table, the first commit of a process", async () => {
    await table.bulkInsert(seed);
    await table[Symbol.asyncDispose]();
  });
  let opened: HudiTable | undefined;
  await watch("open", async () => {
    opened = await lake.HudiTable.open(location, { storage: storage(minio.endpoint) });
  });
  const open = opened as unknown as HudiTable;
  let version = 2;
  const upsertOne = (target: HudiTable): Promise<unknown> => {
    version += 1;
    return target.upsert([makeRow(7, version)]);
  };
  await watch("first one-row upsert of an open table", () => upsertOne(open));
  await watch("one-row upsert", () => upsertOne(open));
  await watch("snapshot read of 3 columns", () =>
    open.read({ columns: ["id", "city", "price"] }).toArray(),
  );
  const [first] = await open
    .read({ columns: ["updated_at"], where: { id: makeRow(7, 0).id } })
    .toArray();
  if (first?.updated_at !== BigInt(version)) throw new Error("the upserts left another row");
  await open[Symbol.asyncDispose]();
  await measureLatency(context, minio.endpoint, async (endpoint) => {
    const remote = await lake.HudiTable.open(location, { storage: storage(endpoint) });
    return { commit: () => upsertOne(remote), close: () => remote[Symbol.asyncDispose]() };
  });
}

/** Wall time of a commit when every request takes a while longer. */
async function measureLatency(
  context: BenchContext,
  target: string,
  open: (endpoint: string) => Promise<{
    commit: () => Promise<unknown>;
    close: () => PromiseLike<void>;
  }>,
): Promise<void> {
  const proxies = new Map<string, LatencyProxy>();
  for (const delayMs of [0, DELAY_MS]) {
    proxies.set(`${delayMs} ms a request`, await LatencyProxy.start(target, delayMs));
  }
  const tables = new Map<string, Awaited<ReturnType<typeof open>>>();
  try {
    for (const [variant, proxy] of proxies) tables.set(variant, await open(proxy.endpoint));
    for (let round = -1; round < TIMED_COMMITS; round += 1) {
      for (const [variant, table] of tables) {
        const startMs = performance.now();
        await table.commit();
        const value = performance.now() - startMs;
        if (round < 0) continue;
        const place = { case: "one-row upsert", engine: "ours", variant, round };
        context.record({ kind: "value", ...place, name: "wall", unit: "ms", value });
      }
    }
  } finally {
    for (const table of tables.values()) await table.close();
    for (const proxy of proxies.values()) await proxy.stop();
  }
}

/** Requests of a commit. */
export const workload: Workload = {
  name: "s3-requests",
  title: "requests of a one-row upsert on MinIO, one by one",
  run,
};
