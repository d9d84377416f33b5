// Rows whose column `_hoodie_is_deleted` is true.
import { describe, expect, test } from "vitest";
import type { HudiTable } from "../../src/hudi-table.ts";
import { createMemoryTable } from "../support/memory-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";

const row = (id: string, version: number, deleted: boolean | null = false): AnyRow => ({
  id,
  version: BigInt(version),
  _hoodie_is_deleted: deleted,
});

async function createTable(rows: readonly AnyRow[]): Promise<HudiTable<AnyRow>> {
  const { table } = await createMemoryTable({
    fields: { id: "string", version: "long", _hoodie_is_deleted: "boolean?" },
    recordKey: "id",
    orderingField: "version",
  });
  const open = table as unknown as HudiTable<AnyRow>;
  await open.upsert(rows);
  return open;
}

async function readRows(table: HudiTable<AnyRow>): Promise<string[]> {
  return rowTexts(await table.read().toArray());
}

describe("a row that is marked as deleted", () => {
  test("deletes its key in an upsert, and is stored by nothing (MR-14)", async () => {
    const table = await createTable([row("a", 1), row("b", 1, null), row("c", 1, true)]);
    expect(await readRows(table)).toEqual(rowTexts([row("a", 1), row("b", 1, null)]));
    const commit = await table.upsert([row("a", 1, true), row("none", 1, true)]);
    expect(commit).toMatchObject({ inserted: 0, updated: 0, deleted: 1 });
    expect(await readRows(table)).toEqual(rowTexts([row("b", 1, null)]));
    await table.insert([row("d", 1), row("e", 1, true)]);
    await table.bulkInsert([row("f", 1), row("g", 1, true)]);
    expect(await readRows(table)).toEqual(rowTexts([row("b", 1, null), row("d", 1), row("f", 1)]));
    await table.insertOverwriteTable([row("h", 1), row("i", 1, true)]);
    expect(await readRows(table)).toEqual(rowTexts([row("h", 1)]));
  });

  test("loses against a newer stored row (MR-14)", async () => {
    const table = await createTable([row("a", 5)]);
    await table.upsert([row("a", 4, true)]);
    expect(await readRows(table)).toEqual(rowTexts([row("a", 5)]));
    await table.upsert([row("a", 5, true)]);
    expect(await readRows(table)).toEqual([]);
  });

  test("beats older rows of its upsert, wherever they stand, as in Hudi (MR-14)", async () => {
    const table = await createTable([row("a", 1), row("b", 1)]);
    await table.upsert([row("a", 3, true), row("a", 2), row("b", 3, true), row("b", 3)]);
    expect(await readRows(table)).toEqual(rowTexts([row("b", 3)]));
  });

  test("in changes frees its key for what comes behind it (MR-14, MR-5)", async () => {
    const table = await createTable([row("a", 1)]);
    await table.apply([
      { op: "update", key: { id: "a" }, after: row("a", 3, true) },
      { op: "insert", key: { id: "a" }, after: row("a", 2) },
    ]);
    expect(await readRows(table)).toEqual(rowTexts([row("a", 2)]));
  });

  test("is one in a partial row that says no more (MR-14)", async () => {
    const table = await createTable([row("a", 1), row("b", 1)]);
    await table.upsert([{ id: "a", version: 2n, _hoodie_is_deleted: true }], { partial: true });
    await table.upsert([{ id: "b", _hoodie_is_deleted: true }], { partial: true });
    expect(await readRows(table)).toEqual([]);
  });

  test("needs an ordering value (MR-3)", async () => {
    const { table } = await createMemoryTable({
      fields: { id: "string", version: "long?", _hoodie_is_deleted: "boolean" },
      recordKey: "id",
      orderingField: "version",
    });
    await expect(
      table.upsert([{ id: "a", version: null, _hoodie_is_deleted: true }]),
    ).rejects.toMatchObject({ code: "INVALID", message: expect.stringContaining("row 0") });
  });

  test("is none where the column is no boolean, which is refused on create (SC-2)", async () => {
    await expect(
      createMemoryTable({
        fields: { id: "string", _hoodie_is_deleted: "string" },
        recordKey: "id",
      }),
    ).rejects.toMatchObject({ code: "INVALID" });
  });
});
