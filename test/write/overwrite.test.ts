// Insert overwrite and deletion of partitions: what the timeline says of them, what readers see before
// and after, and what a write that comes in between does.
import { describe, expect, test } from "vitest";
import { HudiTable } from "../../src/hudi-table.ts";
import { decodeRequestedReplace } from "../../src/timeline/replace-plan.ts";
import { createMemoryTable, type MemoryTable, processOptions } from "../support/memory-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";
import {
  findFileFaults,
  findTimelineFaults,
  loadMetadata,
  timelineFiles,
} from "../support/store-checks.ts";

const row = (id: string, region: string, value: number): AnyRow => ({
  id,
  region,
  value: BigInt(value),
});

const FIRST = [row("a", "eu", 1), row("b", "eu", 2), row("c", "us", 3)];

async function createTable(): Promise<MemoryTable<AnyRow> & { first: string }> {
  const created = (await createMemoryTable({
    fields: { id: "string", region: "string?", value: "long" },
    recordKey: "id",
    partitionBy: "region",
  })) as unknown as MemoryTable<AnyRow>;
  const { instant } = await created.table.upsert(FIRST);
  created.clock.advance(1000);
  return { ...created, first: instant };
}

async function readRows(table: HudiTable<AnyRow>, asOf?: string): Promise<string[]> {
  return rowTexts(await table.read({ asOf }).toArray());
}

describe("an insert overwrite", () => {
  test("replaces the partitions of its rows and leaves the others (TX-16)", async () => {
    const { table, store, first } = await createTable();
    const rows = [row("b", "eu", 20), row("d", "asia", 4)];
    const commit = await table.insertOverwrite(rows);
    expect(commit).toMatchObject({ action: "replacecommit", inserted: 2, updated: 0, deleted: 0 });
    expect(await readRows(table)).toEqual(rowTexts([...rows, row("c", "us", 3)]));
    expect(await readRows(table, first)).toEqual(rowTexts(FIRST));
    const changed = await table.incremental({ after: first }).toArray();
    expect(rowTexts(changed)).toEqual(rowTexts(rows));
    expect([...findTimelineFaults(store), ...findFileFaults(store)]).toEqual([]);
  });

  test("names on the timeline what it replaced, as Hudi does (TX-17, CM-3, AP-4)", async () => {
    const { table, store } = await createTable();
    const before = await table.files();
    const { instant } = await table.insertOverwrite([row("b", "eu", 20), row("d", "asia", 4)]);
    const metadata = loadMetadata(store, instant);
    const ofEu = before.filter((slice) => slice.partitionPath === "eu").map(({ fileId }) => fileId);
    expect(metadata.operationType).toBe("INSERT_OVERWRITE");
    expect([...metadata.partitionToReplaceFileIds]).toEqual([
      ["asia", []],
      ["eu", ofEu],
    ]);
    expect([...metadata.partitionToWriteStats.keys()].sort()).toEqual(["asia", "eu"]);
    const states = timelineFiles(store).filter(({ time }) => time === instant);
    expect(states.map(({ action, state }) => `${action} ${state}`).sort()).toEqual([
      "replacecommit completed",
      "replacecommit inflight",
      "replacecommit requested",
    ]);
    const path = `.hoodie/${instant}.replacecommit.requested`;
    const bytes = store.find(path)?.bytes as Uint8Array;
    expect(decodeRequestedReplace(bytes, path)).toEqual({
      operationType: undefined,
      clustering: undefined,
    });
    expect(Buffer.from(bytes.subarray(0, 4)).toString("latin1")).toBe("Obj\x01");
  });

  test("of no rows replaces nothing; of the table it empties it (TX-16)", async () => {
    const { table } = await createTable();
    await table.insertOverwrite([]);
    expect(await readRows(table)).toEqual(rowTexts(FIRST));
    await table.insertOverwriteTable([]);
    expect(await readRows(table)).toEqual([]);
    await table.upsert([row("e", "eu", 5)]);
    expect(await readRows(table)).toEqual(rowTexts([row("e", "eu", 5)]));
  });

  test("of the table replaces every partition (TX-16)", async () => {
    const { table, store, first } = await createTable();
    const { instant } = await table.insertOverwriteTable([row("z", "mars", 9)]);
    expect(await readRows(table)).toEqual(rowTexts([row("z", "mars", 9)]));
    expect(await readRows(table, first)).toEqual(rowTexts(FIRST));
    const replaced = loadMetadata(store, instant).partitionToReplaceFileIds;
    expect([...replaced.keys()].sort()).toEqual(["eu", "us"]);
  });

  test("that comes in pieces replaces once (TX-16)", async () => {
    const { table, clock, store } = await createTable();
    const small = processOptions(store, { clock, seed: 9, write: { insertBatchBytes: 2_000 } });
    const writer = await HudiTable.open<AnyRow>("memory:", small);
    const rows = Array.from({ length: 9_000 }, (_, at) =>
      row(`k${at}`, at < 100 ? "us" : "eu", at),
    );
    await writer.insertOverwrite(rows);
    expect(await readRows(table)).toEqual(rowTexts(rows));
    expect((await table.files()).length).toBeGreaterThan(2);
  });

  test("can be rolled back, which brings back what it replaced (RB-6)", async () => {
    const { table, store } = await createTable();
    const { instant } = await table.insertOverwriteTable([row("z", "mars", 9)]);
    await table.rollback(instant);
    expect(await readRows(table)).toEqual(rowTexts(FIRST));
    expect([...findTimelineFaults(store), ...findFileFaults(store)]).toEqual([]);
  });
});

describe("a deletion of partitions", () => {
  test("takes paths and values, and forgives what is not there (TX-18)", async () => {
    const { table, store, first } = await createTable();
    await table.upsert([row("n", null as never, 7), row("d", "asia", 4)]);
    const { instant, action } = await table.deletePartitions([
      "us",
      { region: "asia" },
      { region: null as never },
      { region: "nowhere" },
    ]);
    expect(action).toBe("replacecommit");
    expect(await readRows(table)).toEqual(rowTexts(FIRST.slice(0, 2)));
    expect(await readRows(table, first)).toEqual(rowTexts(FIRST));
    const metadata = loadMetadata(store, instant);
    expect(metadata.operationType).toBe("DELETE_PARTITION");
    expect(metadata.partitionToWriteStats.size).toBe(0);
    expect([...metadata.partitionToReplaceFileIds.keys()].sort()).toEqual([
      "__HIVE_DEFAULT_PARTITION__",
      "asia",
      "nowhere",
      "us",
    ]);
  });

  test.each([
    [["../elsewhere"], /expected the path of a partition folder/],
    [[".hoodie"], /expected the path of a partition folder/],
    [[""], /expected the path of a partition folder/],
    [[{ region: "eu", id: "a" }], /found a value of id, expected region/],
    [[{}], /partition 0 of those given by value: column region/],
    [["eu", { region: 5 }], /column region/],
    ["eu", /found string, expected a list/],
  ])("refuses %j (TX-18)", async (partitions, message) => {
    const { table } = await createTable();
    await expect(table.deletePartitions(partitions as never)).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(message),
    });
    expect(await readRows(table)).toEqual(rowTexts(FIRST));
  });

  test("is refused in a table without partitions (TX-18)", async () => {
    const { table } = await createMemoryTable({ fields: { id: "string" }, recordKey: "id" });
    await expect(table.deletePartitions(["x"])).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringContaining("insertOverwriteTable"),
    });
  });
});

/** Runs `other` as another process while `table` is about to complete its write. */
async function writeBetween(
  created: MemoryTable<AnyRow>,
  write: (table: HudiTable<AnyRow>) => Promise<unknown>,
  other: (table: HudiTable<AnyRow>) => Promise<unknown>,
): Promise<{ readonly retries: number }> {
  const { store, clock, table } = created;
  let inflights = 0;
  const options = processOptions(store, {
    clock,
    seed: 5,
    beforeCall: async ({ method, path }) => {
      if (method !== "createIfAbsent" || !path.endsWith(".inflight")) return;
      inflights += 1;
      if (inflights === 1) await other(table);
    },
  });
  const slow = await HudiTable.open<AnyRow>("memory:", options);
  await write(slow);
  return { retries: inflights - 1 };
}

describe("writes that overlap", () => {
  test("an overwrite begins again after rows came to its partition, and replaces them too (CF-8)", async () => {
    const created = await createTable();
    const { retries } = await writeBetween(
      created,
      (table) => table.insertOverwrite([row("z", "eu", 9)]),
      (table) => table.bulkInsert([row("new", "eu", 8)]),
    );
    expect(retries).toBe(1);
    expect(await readRows(created.table)).toEqual(rowTexts([row("z", "eu", 9), row("c", "us", 3)]));
  });

  test("a deletion of partitions sees rows of a partition that was new (CF-8)", async () => {
    const created = await createTable();
    const { retries } = await writeBetween(
      created,
      (table) => table.deletePartitions(["asia", "eu"]),
      (table) => table.upsert([row("new", "asia", 8)]),
    );
    expect(retries).toBe(1);
    expect(await readRows(created.table)).toEqual(rowTexts([row("c", "us", 3)]));
  });

  test("an upsert begins again after its file group was replaced (CF-1)", async () => {
    const created = await createTable();
    const { retries } = await writeBetween(
      created,
      (table) => table.upsert([row("a", "eu", 100)]),
      (table) => table.insertOverwrite([row("z", "eu", 9)]),
    );
    expect(retries).toBe(1);
    const expected = [row("a", "eu", 100), row("z", "eu", 9), row("c", "us", 3)];
    expect(await readRows(created.table)).toEqual(rowTexts(expected));
  });

  test("writes to other partitions do not disturb each other (CF-8)", async () => {
    const created = await createTable();
    const { retries } = await writeBetween(
      created,
      (table) => table.insertOverwrite([row("z", "eu", 9)]),
      (table) => table.upsert([row("c", "us", 30)]),
    );
    expect(retries).toBe(0);
    expect(await readRows(created.table)).toEqual(
      rowTexts([row("z", "eu", 9), row("c", "us", 30)]),
    );
  });

  test("two overwrites of one empty partition come one after the other (CF-8)", async () => {
    const created = await createTable();
    const { retries } = await writeBetween(
      created,
      (table) => table.insertOverwrite([row("y", "mars", 1)]),
      (table) => table.insertOverwrite([row("z", "mars", 2)]),
    );
    expect(retries).toBe(1);
    expect(await readRows(created.table)).toEqual(rowTexts([...FIRST, row("y", "mars", 1)]));
  });
});
