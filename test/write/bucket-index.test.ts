// Tables with a bucket index: one file group for each bucket of a partition.
import { describe, expect, test } from "vitest";
import { HudiTable } from "../../src/hudi-table.ts";
import { createMemoryTable, type MemoryTable, processOptions } from "../support/memory-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";
import { findFileFaults, loadMetadata } from "../support/store-checks.ts";

const row = (number: number, value: number, region = "eu"): AnyRow => ({
  id: `key ${number}`,
  region,
  value: BigInt(value),
});
const rows = (count: number, value: number): AnyRow[] =>
  Array.from({ length: count }, (_, number) => row(number, value));

async function createTable(buckets = 3): Promise<MemoryTable<AnyRow>> {
  const created = await createMemoryTable(
    {
      fields: { id: "string", region: "string", value: "long" },
      recordKey: "id",
      partitionBy: "region",
      index: { kind: "bucket", buckets },
    },
    // Files are full after a row: a bucket goes on in its own all the same.
    { write: { maxFileBytes: 1, smallFileBytes: 0, insertBatchBytes: 1 } },
  );
  return created as unknown as MemoryTable<AnyRow>;
}

async function readRows(table: HudiTable<AnyRow>): Promise<string[]> {
  return rowTexts(await table.read().toArray());
}

async function bucketsOf(table: HudiTable<AnyRow>): Promise<string[]> {
  const slices = await table.files();
  return slices.map((slice) => `${slice.partitionPath} ${slice.fileId.slice(0, 9)}`).sort();
}

describe("a table with a bucket index", () => {
  test("has one file group for each bucket, whatever is written (IX-8)", async () => {
    const { table, store } = await createTable();
    const EU = ["eu 00000000-", "eu 00000001-", "eu 00000002-"];
    await table.upsert(rows(10, 1));
    expect(await bucketsOf(table)).toEqual(EU);
    const ids = (await table.files()).map(({ fileId }) => fileId);
    const commit = await table.upsert(rows(30, 2));
    expect(commit).toMatchObject({ inserted: 20, updated: 10, deleted: 0 });
    await table.delete(rows(5, 0));
    expect((await table.files()).map(({ fileId }) => fileId)).toEqual(ids);
    expect(await readRows(table)).toEqual(rowTexts(rows(30, 2).slice(5)));
    await table.upsert([row(1, 1, "us")]);
    expect((await bucketsOf(table)).length).toBe(4);
    expect(findFileFaults(store)).toEqual([]);
  });

  test("meets keys in inserts as well, as Hudi does (IX-9)", async () => {
    const { table } = await createTable();
    await table.insert(rows(6, 1));
    await table.bulkInsert([...rows(8, 2), row(0, 3)]);
    expect(await readRows(table)).toEqual(rowTexts([row(0, 3), ...rows(8, 2).slice(1)]));
    expect((await bucketsOf(table)).length).toBe(3);
  });

  test("is overwritten by new file groups of the same buckets (IX-9, TX-16)", async () => {
    const { table, store } = await createTable();
    await table.upsert(rows(10, 1));
    const before = (await table.files()).map(({ fileId }) => fileId);
    const { instant } = await table.insertOverwrite(rows(12, 5));
    const after = (await table.files()).map(({ fileId }) => fileId);
    expect(after.filter((id) => before.includes(id))).toEqual([]);
    expect((await bucketsOf(table)).length).toBe(3);
    expect(loadMetadata(store, instant).partitionToReplaceFileIds.get("eu")?.length).toBe(3);
    await table.upsert(rows(3, 6));
    expect(await readRows(table)).toEqual(rowTexts([...rows(3, 6), ...rows(12, 5).slice(3)]));
    await table.deletePartitions(["eu"]);
    await table.upsert(rows(2, 7));
    expect(await readRows(table)).toEqual(rowTexts(rows(2, 7)));
  });

  test("takes partial rows (MR-11)", async () => {
    const { table } = await createTable();
    await table.upsert(rows(10, 1));
    await table.upsert([{ id: "key 3", region: "eu" }], { partial: true });
    expect(await readRows(table)).toEqual(rowTexts(rows(10, 1)));
  });

  test("gives a new bucket to one of two writers (CF-9)", async () => {
    const { table, store, clock } = await createTable(1);
    let inflights = 0;
    const options = processOptions(store, {
      clock,
      seed: 5,
      beforeCall: async ({ method, path }) => {
        if (method !== "createIfAbsent" || !path.endsWith(".inflight")) return;
        inflights += 1;
        if (inflights === 1) await table.upsert([row(1, 1)]);
      },
    });
    const slow = await HudiTable.open<AnyRow>("memory:", options);
    await slow.upsert([row(2, 2)]);
    expect(inflights).toBe(2);
    expect(await bucketsOf(table)).toEqual(["eu 00000000-"]);
    expect(await readRows(table)).toEqual(rowTexts([row(1, 1), row(2, 2)]));
  });

  test("says so in its properties, as Hudi does (IX-8)", async () => {
    const { table, store } = await createTable(7);
    const bytes = store.find(".hoodie/hoodie.properties")?.bytes ?? new Uint8Array();
    const text = Buffer.from(bytes).toString();
    for (const line of [
      "hoodie.index.type=BUCKET",
      "hoodie.index.bucket.engine=SIMPLE",
      "hoodie.bucket.index.num.buckets=7",
      "hoodie.bucket.index.hash.field=id",
    ]) {
      expect(text).toContain(`${line}\n`);
    }
    expect(table.config.index).toEqual({ kind: "bucket", buckets: 7 });
  });

  test.each([0, -1, 1.5, Number.NaN, 100_001, "3"])(
    "is refused with %j buckets (IX-8)",
    async (n) => {
      await expect(createTable(n as number)).rejects.toMatchObject({
        code: "INVALID",
        message: expect.stringContaining("buckets, expected 1 to 100000"),
      });
    },
  );

  test.each([
    ["hoodie.index.bucket.engine=CONSISTENT_HASHING", /engine of its bucket index/],
    ["hoodie.bucket.index.num.buckets=", /how many buckets/],
    ["hoodie.index.type=RECORD_INDEX", /its index is RECORD_INDEX/],
  ])("is not written with %s (TBL-10)", async (line, message) => {
    const { store, clock } = await createTable();
    const path = ".hoodie/hoodie.properties";
    const text = Buffer.from(store.find(path)?.bytes ?? []).toString("latin1");
    store.put(path, Buffer.from(`${text}${line}\n`, "latin1"), undefined);
    const table = await HudiTable.open<AnyRow>("memory:", processOptions(store, { clock }));
    await expect(table.upsert(rows(1, 1))).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(message),
    });
  });
});
