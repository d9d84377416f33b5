// Tables in which a key stands once, in whatever partition: rows move, or stay where they are.
import { describe, expect, test } from "vitest";
import { HudiTable } from "../../src/hudi-table.ts";
import { createMemoryTable, type MemoryTable, processOptions } from "../support/memory-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";
import { findFileFaults, loadMetadata } from "../support/store-checks.ts";

const row = (id: string, region: string, version: number, note = "n"): AnyRow => ({
  id,
  region,
  version: BigInt(version),
  note,
});

const KINDS = ["global-bloom", "global-simple"] as const;

async function createTable(
  kind: (typeof KINDS)[number] = "global-bloom",
  updatePartitionPath?: boolean,
): Promise<MemoryTable<AnyRow>> {
  const created = (await createMemoryTable({
    fields: { id: "string", region: "string", version: "long", note: "string?" },
    recordKey: "id",
    partitionBy: "region",
    orderingField: "version",
    index: { kind, updatePartitionPath },
  })) as unknown as MemoryTable<AnyRow>;
  await created.table.upsert([row("a", "eu", 5), row("b", "eu", 5), row("c", "us", 5)]);
  created.clock.advance(1000);
  return created;
}

async function readRows(table: HudiTable<AnyRow>): Promise<string[]> {
  return rowTexts(await table.read().toArray());
}

async function partitionsOf(table: HudiTable<AnyRow>): Promise<string[]> {
  const columns = ["id", "_hoodie_partition_path"] as never[];
  const rows = await table.read({ columns }).toArray();
  return (rows as AnyRow[]).map((r) => `${r.id} ${r._hoodie_partition_path}`).sort();
}

describe.each(KINDS)("with the index %s", (kind) => {
  test("a key that comes with another partition moves there in one commit (IX-6)", async () => {
    const { table, store } = await createTable(kind);
    const { instant, ...counts } = await table.upsert([
      row("a", "us", 6),
      row("c", "us", 6),
      row("d", "asia", 1),
    ]);
    expect(counts).toMatchObject({ action: "commit", inserted: 2, updated: 1, deleted: 1 });
    const expected = [row("a", "us", 6), row("b", "eu", 5), row("c", "us", 6), row("d", "asia", 1)];
    expect(await readRows(table)).toEqual(rowTexts(expected));
    expect(await partitionsOf(table)).toEqual(["a us", "b eu", "c us", "d asia"]);
    expect(loadMetadata(store, instant).partitionToWriteStats.size).toBe(3);
    expect(findFileFaults(store)).toEqual([]);
  });

  test("an older row moves nothing, and is not inserted either (IX-6, MR-1)", async () => {
    const { table } = await createTable(kind);
    const commit = await table.upsert([row("a", "us", 4)]);
    expect(commit).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
    expect(await partitionsOf(table)).toEqual(["a eu", "b eu", "c us"]);
  });

  test("without moves a key is updated where it is, its partition column too (IX-7)", async () => {
    const { table } = await createTable(kind, false);
    const commit = await table.upsert([row("a", "us", 6, "new"), row("d", "asia", 1)]);
    expect(commit).toMatchObject({ inserted: 1, updated: 1, deleted: 0 });
    const expected = [row("a", "eu", 6, "new"), row("b", "eu", 5), row("c", "us", 5)];
    expect(await readRows(table)).toEqual(rowTexts([...expected, row("d", "asia", 1)]));
    expect(await partitionsOf(table)).toEqual(["a eu", "b eu", "c us", "d asia"]);
    const inEurope = await table.read({ where: { region: "eu" } }).toArray();
    expect(inEurope.length).toBe(2);
  });

  test("rows are deleted by their key alone (IX-6)", async () => {
    const { table } = await createTable(kind);
    const commit = await table.delete([{ id: "a" }, { id: "c", region: "elsewhere" }, { id: "x" }]);
    expect(commit).toMatchObject({ deleted: 2 });
    expect(await partitionsOf(table)).toEqual(["b eu"]);
  });

  test("changes of one key in several partitions amount to one row (IX-6, MR-6)", async () => {
    const { table } = await createTable(kind);
    await table.apply([
      { op: "update", key: { id: "a" }, after: row("a", "us", 6) },
      { op: "update", key: { id: "a" }, after: row("a", "asia", 7) },
      { op: "update", key: { id: "b" }, after: row("b", "us", 6) },
      { op: "update", key: { id: "b" }, after: row("b", "eu", 7, "back") },
      { op: "delete", key: { id: "c" } },
      { op: "insert", key: { id: "c" }, after: row("c", "eu", 1) },
    ]);
    const expected = [row("a", "asia", 7), row("b", "eu", 7, "back"), row("c", "eu", 1)];
    expect(await readRows(table)).toEqual(rowTexts(expected));
  });

  test("a partial row without its partition column stays where it is (IX-6, MR-11)", async () => {
    const { table } = await createTable(kind);
    await table.upsert([{ id: "a", version: 6n, note: "x" }], { partial: true });
    await table.upsert([{ id: "b", region: "us", version: 6n }], { partial: true });
    const expected = [row("a", "eu", 6, "x"), row("b", "us", 6), row("c", "us", 5)];
    expect(await readRows(table)).toEqual(rowTexts(expected));
    await expect(
      table.upsert([{ id: "new", version: 6n }], { partial: true }),
    ).rejects.toMatchObject({ code: "INVALID", message: expect.stringContaining("region") });
  });

  test("the table says so in its properties, as Hudi does (IX-1)", async () => {
    const { table, store } = await createTable(kind, false);
    const bytes = store.find(".hoodie/hoodie.properties")?.bytes ?? new Uint8Array();
    const text = Buffer.from(bytes).toString();
    const name = kind === "global-bloom" ? "bloom" : "simple";
    expect(text).toContain(`hoodie.index.type=GLOBAL_${name.toUpperCase()}\n`);
    expect(text).toContain(`hoodie.${name}.index.update.partition.path=false\n`);
    expect(table.config.index).toEqual({ kind, updatePartitionPath: false });
  });
});

test("a key that stands in several partitions ends in the one of its new row (IX-6)", async () => {
  const { table } = await createTable();
  await table.bulkInsert([row("a", "us", 1), row("a", "asia", 9), row("b", "us", 1)]);
  await table.upsert([row("a", "us", 6), row("b", "asia", 6)]);
  const rows = [row("a", "us", 6), row("a", "asia", 9), row("b", "asia", 6), row("c", "us", 5)];
  expect(await readRows(table)).toEqual(rowTexts(rows));
});

test("two writers that insert one key into different partitions write it once (CF-4, IX-6)", async () => {
  const { table, store, clock } = await createTable();
  let inflights = 0;
  const options = processOptions(store, {
    clock,
    seed: 5,
    beforeCall: async ({ method, path }) => {
      if (method !== "createIfAbsent" || !path.endsWith(".inflight")) return;
      inflights += 1;
      if (inflights === 1) await table.upsert([row("new", "us", 1), row("a", "us", 6)]);
    },
  });
  const slow = await HudiTable.open<AnyRow>("memory:", options);
  await slow.upsert([row("new", "asia", 2)]);
  expect(inflights).toBe(2);
  expect(await partitionsOf(table)).toEqual(["a us", "b eu", "c us", "new asia"]);
});

test("a file group that was only looked at must not change meanwhile (IX-5)", async () => {
  const { table, store, clock } = await createTable();
  let inflights = 0;
  const options = processOptions(store, {
    clock,
    seed: 5,
    beforeCall: async ({ method, path }) => {
      if (method !== "createIfAbsent" || !path.endsWith(".inflight")) return;
      inflights += 1;
      if (inflights === 1) await table.delete([{ id: "a" }]);
    },
  });
  const slow = await HudiTable.open<AnyRow>("memory:", options);
  // Older than the stored row, which goes: then there is nothing that is newer.
  await slow.upsert([row("a", "us", 4)]);
  expect(inflights).toBe(2);
  expect(await partitionsOf(table)).toEqual(["a us", "b eu", "c us"]);
});

test("without partitions a global index is the plain one (IX-6)", async () => {
  const { table } = await createMemoryTable({
    fields: { id: "string", value: "long" },
    recordKey: "id",
    index: { kind: "global-simple" },
  });
  await table.upsert([{ id: "a", value: 1n }]);
  await table.upsert([{ id: "a", value: 2n }]);
  expect(await table.read().toArray()).toEqual([{ id: "a", value: 2n }]);
});
