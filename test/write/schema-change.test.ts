// Another engine adds a column while a write reads its rows.
import { expect, test } from "vitest";
import { formatAvroSchema } from "../../src/format/avro-schema.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { HudiTable } from "../../src/index.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { formatCommitMetadata } from "../../src/timeline/commit-metadata.ts";

const FIELDS = { id: "string", value: "int" } as const;

async function openTable(store: MemoryStore, clock: SimulatedClock): Promise<HudiTable> {
  const options = {
    storage: new MemoryStorage(store),
    runtime: { clock, random: seededRandom(7) },
    workers: { count: 0 },
    write: { bloom: { entries: 100, falsePositiveRate: 0.01, maxEntries: 1000 } },
  };
  return HudiTable.create(
    "memory",
    { name: "t", type: "copy-on-write", fields: FIELDS, recordKey: "id" },
    options,
  ).catch(() => HudiTable.open("memory", options)) as Promise<HudiTable>;
}

/** A commit of another engine that adds a column and writes no file. */
async function addColumn(store: MemoryStore, instant: string): Promise<void> {
  const storage = new MemoryStorage(store);
  const schema = createTableSchema("t_record", { ...FIELDS, added: "string?" });
  const content = formatCommitMetadata({
    operationType: "ALTER_SCHEMA",
    compacted: false,
    partitionToWriteStats: new Map(),
    partitionToReplaceFileIds: new Map(),
    extraMetadata: new Map([["schema", formatAvroSchema(schema, { namespace: "hoodie.t" })]]),
  });
  await storage.put(`.hoodie/${instant}.commit.requested`, new Uint8Array(0));
  await storage.put(`.hoodie/${instant}.inflight`, new Uint8Array(0));
  await storage.put(`.hoodie/${instant}.commit`, content);
}

test("rows that were read with old columns are refused, and nothing is left pending (CF-7)", async () => {
  const clock = new SimulatedClock(Date.UTC(2026, 10, 20));
  const store = new MemoryStore(clock);
  const table = await openTable(store, clock);
  await table.upsert([{ id: "a", value: 1 }]);
  clock.advance(1000);
  async function* rows(): AsyncGenerator<Record<string, unknown>> {
    yield { id: "a", value: 2 };
    await addColumn(store, "20261120000000500");
  }
  await expect(table.upsert(rows())).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringContaining("columns of the table were changed"),
  });
  const instants = await table.timeline();
  expect(instants.filter((instant) => instant.state !== "completed")).toEqual([]);
  await table.upsert([{ id: "a", value: 3, added: "kept" }]);
  expect(await table.read().toArray()).toEqual([{ id: "a", value: 3, added: "kept" }]);
});
