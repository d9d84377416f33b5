import { describe, expect, it } from "vitest";
import {
  compareRows,
  fixturePath,
  loadFinalRows,
  ORDERS,
  type OrderRow,
} from "../../fixtures/kafka/debezium-postgres/orders.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import {
  type BatchLimits,
  batchChanges,
  type Checkpoint,
  createDebeziumDecoder,
  formatCheckpoint,
  type IngestedCommit,
  ingestChanges,
  JsonLinesSource,
  type RecordSource,
  resumeFrom,
  type SourceRecord,
} from "../../src/ingest/index.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { collect, envelope, record } from "./support.ts";

const TIMEOUT_MS = 60_000;
const TOPIC = "shop.public.orders";
const stream = new JsonLinesSource(fixturePath("events.jsonl.gz"));

const createOrders = (store: MemoryStore): Promise<HudiTable<OrderRow>> =>
  HudiTable.create("memory:", ORDERS, { storage: new MemoryStorage(store) });

const openOrders = (store: MemoryStore): Promise<HudiTable<OrderRow>> =>
  HudiTable.open<OrderRow>("memory:", { storage: new MemoryStorage(store) });

const ingest = async (
  into: HudiTable<OrderRow>,
  from: RecordSource,
  limits: BatchLimits & { signal?: AbortSignal } = {},
): Promise<IngestedCommit[]> =>
  collect(ingestChanges({ from, into, decode: await createDebeziumDecoder(into), ...limits }));

const differences = async (table: HudiTable<OrderRow>, name: string): Promise<string[]> =>
  compareRows(await table.read().toArray(), loadFinalRows(name)).slice(0, 5);

const listSource = (records: readonly SourceRecord[]): RecordSource => ({
  async *read(start: Checkpoint) {
    for (const one of records) {
      if (one.offset >= (start.get(one.topic)?.get(one.partition) ?? 0n)) yield one;
    }
  },
});

/** A source that stops its job when it comes to an offset. */
const stopAt = (offset: bigint, stop: AbortController): RecordSource => ({
  async *read(start: Checkpoint) {
    for await (const one of stream.read(start)) {
      if (one.offset === offset) stop.abort(new Error("the process died"));
      yield one;
    }
  },
});

describe("the captured stream", { timeout: TIMEOUT_MS }, () => {
  it("becomes the rows that PostgreSQL held (ING-4, ING-10)", async () => {
    const table = await createOrders(new MemoryStore());
    const commits = await ingest(table, stream, { maxRecords: 2000 });
    expect(commits.map((commit) => commit.recordCount)).toEqual([...Array(6).fill(2000), 1229]);
    expect(commits.reduce((sum, commit) => sum + commit.changeCount, 0)).toBe(12_029);
    expect(await differences(table, "final-rows.jsonl.gz")).toEqual([]);
  });

  it("with schemas becomes them too (ING-4)", async () => {
    const table = await createOrders(new MemoryStore());
    const source = new JsonLinesSource(fixturePath("events-with-schema.jsonl.gz"));
    await ingest(table, source, { maxRecords: 150 });
    expect(await differences(table, "final-rows-with-schema.jsonl.gz")).toEqual([]);
  });

  it("is gone on with after its process died in a batch (ING-16, ING-17)", async () => {
    const store = new MemoryStore();
    const stop = new AbortController();
    const first = await createOrders(store);
    const dying = ingest(first, stopAt(7000n, stop), { maxRecords: 3000, signal: stop.signal });
    await expect(dying).rejects.toThrow("the process died");

    const second = await openOrders(store);
    const { checkpoint, instant } = await resumeFrom(second);
    expect(formatCheckpoint(checkpoint)).toBe(`{"${TOPIC}":{"0":6000}}`);
    expect(instant).toBe((await second.timeline()).at(-1)?.time);
    const commits = await ingest(second, stream, { maxRecords: 4000 });
    expect(commits[0]?.ranges[0]?.firstOffset).toBe(6000n);
    expect(await differences(second, "final-rows.jsonl.gz")).toEqual([]);
    expect(await ingest(second, stream)).toEqual([]);
  });

  it("may deliver batches twice and three times (ING-17)", async () => {
    const table = await createOrders(new MemoryStore());
    const decode = await createDebeziumDecoder(table);
    for await (const batch of batchChanges(stream.read(new Map()), { decode, maxRecords: 3500 })) {
      await table.apply(batch.changes);
      const once = await table.read().toArray();
      await table.apply(batch.changes);
      expect(await table.read().toArray()).toEqual(once);
    }
    expect(await differences(table, "final-rows.jsonl.gz")).toEqual([]);
  });

  it("keeps the newest version of a key whose older one is delivered late (ING-13, ING-17)", async () => {
    const table = await createOrders(new MemoryStore());
    await ingest(table, stream, { maxRecords: 7000 });
    const rows = await table.read().toArray();
    const alive = new Set(rows.map((row) => row.id));
    const decode = await createDebeziumDecoder(table);
    const late = [];
    for await (const one of stream.read(new Map())) {
      const change = decode(one);
      if (change && alive.has(change.key.id as bigint)) late.push(change);
    }
    expect(late.length).toBeGreaterThan(9_000);
    await table.apply(late);
    expect(await table.read().toArray()).toEqual(rows);
  });
});

describe("a job", { timeout: TIMEOUT_MS }, () => {
  const row = (offset: bigint, id: number, lsn: number, op = "c"): SourceRecord => {
    const after = `{"id":${id},"v":"v${lsn}"}`;
    const rows = op === "d" ? { before: after } : { after };
    const source = `{"lsn":${lsn}}`;
    return record({ offset, key: `{"id":${id}}`, value: envelope(op, { ...rows, source }) });
  };
  const create = (): Promise<HudiTable<{ id: bigint; v: string; _event_lsn: bigint }>> =>
    HudiTable.create(
      "memory:",
      {
        name: "t",
        type: "copy-on-write",
        fields: { id: "long", v: "string", _event_lsn: "long" },
        recordKey: "id",
        orderingField: "_event_lsn",
      },
      { storage: new MemoryStorage(new MemoryStore()) },
    );
  type Small = Awaited<ReturnType<typeof create>>;
  const run = async (
    into: Small,
    records: readonly SourceRecord[],
    checkpointKey?: string,
  ): Promise<IngestedCommit[]> => {
    const decode = await createDebeziumDecoder(into);
    return collect(
      ingestChanges({ from: listSource(records), into, decode, checkpointKey, maxRecords: 2 }),
    );
  };
  const values = async (table: Small): Promise<string[]> =>
    (await table.read().toArray()).map((one) => one.v).sort();

  it("commits the offsets of records that change nothing (ING-18)", async () => {
    const table = await create();
    const messages = [0n, 1n, 2n].map((offset) =>
      record({ offset, key: null, value: '{"op":"m"}' }),
    );
    const commits = await run(table, messages);
    expect(commits.map((commit) => commit.changeCount)).toEqual([0, 0]);
    expect(formatCheckpoint((await resumeFrom(table)).checkpoint)).toBe('{"t":{"0":3}}');
    await run(table, [...messages, row(3n, 1, 10)]);
    expect(await values(table)).toEqual(["v10"]);
  });

  it("finds its offsets behind the commits of others (ING-16)", async () => {
    const table = await create();
    await run(table, [row(0n, 1, 10)]);
    await table.upsert([{ id: 9n, v: "other", _event_lsn: 1n }]);
    const commits = await run(table, [row(0n, 1, 99), row(1n, 2, 11)]);
    expect(commits.map((commit) => commit.recordCount)).toEqual([1]);
    expect(await values(table)).toEqual(["other", "v10", "v11"]);
  });

  it("forgets what a rollback took back, and takes it again (ING-16)", async () => {
    const table = await create();
    const records = [row(0n, 1, 10), row(1n, 2, 11), row(2n, 3, 12)];
    const commits = await run(table, records);
    await table.rollback(commits[1]?.instant ?? "");
    expect(formatCheckpoint((await resumeFrom(table)).checkpoint)).toBe('{"t":{"0":2}}');
    await run(table, records);
    expect(await values(table)).toEqual(["v10", "v11", "v12"]);
  });

  it("does not see the offsets of another job (ING-15)", async () => {
    const table = await create();
    await run(table, [row(0n, 1, 10)], "one");
    await run(table, [row(0n, 2, 11)], "two");
    expect(await values(table)).toEqual(["v10", "v11"]);
    expect((await resumeFrom(table)).instant).toBeUndefined();
  });

  it("applies a lone tombstone whatever version is stored (ING-6)", async () => {
    const table = await create();
    await run(table, [row(0n, 1, 10), row(1n, 2, 11), record({ offset: 5n })]);
    expect(await values(table)).toEqual(["v11"]);
  });

  it("brings a deleted key back on a redelivery only until its delete comes again (ING-17)", async () => {
    const table = await create();
    const records = [row(0n, 1, 10), row(1n, 2, 11), row(2n, 1, 12, "d"), row(3n, 3, 13)];
    await run(table, records);
    expect(await values(table)).toEqual(["v11", "v13"]);
    const decode = await createDebeziumDecoder(table);
    const changes = records.flatMap((one) => decode(one) ?? []);
    await table.apply(changes.slice(0, 2));
    expect(await values(table)).toEqual(["v10", "v11", "v13"]);
    await table.apply(changes.slice(2));
    expect(await values(table)).toEqual(["v11", "v13"]);
  });

  it("commits nothing of a batch with a record that does not fit, and says which (ING-3, ING-12)", async () => {
    const table = await create();
    const bad = record({ offset: 3n, value: envelope("c", { after: '{"id":1,"v":5}' }) });
    await expect(run(table, [row(0n, 1, 10), row(1n, 2, 11), row(2n, 3, 12), bad])).rejects.toThrow(
      /record 3 of topic t, partition 0: column v/,
    );
    expect(await values(table)).toEqual(["v10", "v11"]);
    expect(formatCheckpoint((await resumeFrom(table)).checkpoint)).toBe('{"t":{"0":2}}');
  });
});
