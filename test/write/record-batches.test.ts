// Arrow record batches as what comes in: whole rows, keys alone, rows before and after them.
import { tableFromArrays } from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { HudiTable, Source } from "../../src/index.ts";
import { createMemoryTable } from "../support/memory-table.ts";

const FIELDS = { id: "string", n: "int", note: "string?" } as const;
type Row = { id: string; n: number; note: string | null };

const batch = (columns: Record<string, unknown>): never =>
  tableFromArrays(columns as never).batches[0] as never;
const whole = (ids: readonly string[]): never =>
  batch({
    id: [...ids],
    n: Int32Array.from(ids, (_, index) => index),
    note: ids.map(() => "as it came"),
  });

async function tableOf(ids: readonly string[]): Promise<HudiTable<Row>> {
  const { table } = await createMemoryTable({ fields: FIELDS, recordKey: "id" });
  if (ids.length > 0) await table.upsert(ids.map((id) => ({ id, n: 0, note: null })));
  return table as unknown as HudiTable<Row>;
}

async function idsOf(table: HudiTable<Row>): Promise<string[]> {
  return (await table.read().toArray()).map((row) => row.id).sort();
}

describe("record batches", () => {
  test("stand between rows in the order in which they come", async () => {
    const table = await tableOf([]);
    const row = (id: string, n: number): Row => ({ id, n, note: null });
    const source = [row("a", 7), whole(["b", "a"]), row("b", 9)] as Source<never>;
    expect(await table.upsert(source)).toMatchObject({ inserted: 2 });
    const rows = (await table.read().toArray()).sort((x, y) => (x.id < y.id ? -1 : 1));
    expect(rows).toEqual([
      { id: "a", n: 1, note: "as it came" },
      { id: "b", n: 9, note: null },
    ]);
  });

  test("with every column delete their keys", async () => {
    const table = await tableOf(["a", "b", "c"]);
    expect(await table.delete(whole(["c", "a"]))).toMatchObject({ deleted: 2 });
    expect(await idsOf(table)).toEqual(["b"]);
  });

  test("with the key alone delete as well, beside keys that are objects", async () => {
    const table = await tableOf(["a", "b", "c"]);
    const keys = [batch({ id: ["c"] }), { id: "a" }] as Source<never>;
    expect(await table.delete(keys)).toMatchObject({ deleted: 2 });
    expect(await idsOf(table)).toEqual(["b"]);
  });

  test.each([
    ["no key", batch({ note: ["x"] }), /at row 0: found no column id, expected it$/],
    ["an unknown column", batch({ id: ["a"], other: ["x"] }), /column "?other/],
    ["a key of another type", batch({ id: Int32Array.of(1) }), /column id/],
  ])("with %s delete nothing", async (_, keys, message) => {
    const table = await tableOf(["a"]);
    await expect(table.delete(keys)).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(message),
    });
    expect(await idsOf(table)).toEqual(["a"]);
  });

  test("are no changes", async () => {
    const table = await tableOf(["a"]);
    await expect(table.apply([whole(["a"])] as never)).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(/^cannot use change 0: found an Arrow record batch/),
    });
  });

  test("and rows of more than one part are one batch, and a bad row has its own number", async () => {
    const table = await tableOf([]);
    const rows = Array.from({ length: 70_000 }, (_, n) => ({ id: `k${n}`, n, note: null }));
    expect(await table.upsert(rows)).toMatchObject({ inserted: 70_000 });
    const bad = rows.with(65_999, { id: "x", n: "text" as never, note: null });
    await expect(table.upsert(bad)).rejects.toMatchObject({
      message: expect.stringMatching(/row 65999:/),
    });
    await expect(table.upsert(rows.with(69_999, { id: "", n: 0, note: null }))).rejects.toThrow(
      /row 69999: record key id is empty/,
    );
  });
});
