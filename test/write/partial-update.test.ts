// Rows that leave columns out: what stays, what is refused, several of one key in one write.
import * as arrow from "apache-arrow";
import { describe, expect, test } from "vitest";
import type { HudiTable } from "../../src/hudi-table.ts";
import { createMemoryTable, type MemoryTable } from "../support/memory-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";

const STORED: AnyRow = { id: "a", region: "eu", version: 5n, size: 1, note: "kept", rest: "r" };

async function createTable(
  settings: { readonly index?: { readonly kind: "global-bloom" } } = {},
): Promise<MemoryTable<AnyRow>> {
  const created = (await createMemoryTable({
    fields: {
      id: "string",
      region: "string",
      version: "long",
      size: "int",
      note: "string?",
      rest: "string?",
    },
    recordKey: "id",
    partitionBy: "region",
    orderingField: "version",
    ...settings,
  })) as unknown as MemoryTable<AnyRow>;
  await created.table.upsert([STORED]);
  created.clock.advance(1000);
  return created;
}

async function readRows(table: HudiTable<AnyRow>): Promise<string[]> {
  return rowTexts(await table.read().toArray());
}

const partial = { partial: true } as const;
const KEY = { id: "a", region: "eu" };

describe("an upsert of partial rows", () => {
  test("keeps what a row leaves out, and takes null for null (MR-11)", async () => {
    const { table } = await createTable();
    const commit = await table.upsert([{ ...KEY, version: 6n, rest: null }], partial);
    expect(commit).toMatchObject({ inserted: 0, updated: 1, deleted: 0 });
    expect(await readRows(table)).toEqual(rowTexts([{ ...STORED, version: 6n, rest: null }]));
  });

  test("counts undefined as left out (MR-11)", async () => {
    const { table } = await createTable();
    await table.upsert([{ ...KEY, version: 6n, note: undefined, size: 2 }], partial);
    expect(await readRows(table)).toEqual(rowTexts([{ ...STORED, version: 6n, size: 2 }]));
  });

  test("keeps the stored ordering value where a row has none, and then applies in any case (MR-11)", async () => {
    const { table } = await createTable();
    await table.upsert([{ ...KEY, note: "new" }], partial);
    expect(await readRows(table)).toEqual(rowTexts([{ ...STORED, note: "new" }]));
  });

  test("that are older than the stored row changes nothing (MR-1, MR-10)", async () => {
    const { table } = await createTable();
    const before = await table.files();
    const commit = await table.upsert([{ ...KEY, version: 4n, note: "stale" }], partial);
    expect(commit).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
    expect(await readRows(table)).toEqual(rowTexts([STORED]));
    expect(await table.files()).toEqual(before);
  });

  test("folds several rows of one key in their order (MR-6, MR-11)", async () => {
    const { table } = await createTable();
    const rows = [
      { ...KEY, version: 6n, note: "first", size: 7 },
      { ...KEY, version: 5n, rest: "too old by now" },
      { ...KEY, version: 6n, note: "second" },
      { id: "new", region: "eu", version: 1n, size: 3 },
      { id: "new", region: "eu", version: 2n, rest: "x" },
    ];
    await table.upsert(rows, partial);
    expect(await readRows(table)).toEqual(
      rowTexts([
        { ...STORED, version: 6n, note: "second", size: 7 },
        { id: "new", region: "eu", version: 2n, size: 3, note: null, rest: "x" },
      ]),
    );
  });

  test("refuses a new key that leaves out what needs a value, naming row and column (MR-12)", async () => {
    const { table } = await createTable();
    const rows = [
      { ...KEY, version: 9n },
      { id: "new", region: "eu", version: 1n, note: "x" },
    ];
    await expect(table.upsert(rows, partial)).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(/cannot use row 1: .*leaves out column size \(int\)/),
    });
    await expect(
      table.upsert([{ id: "new", region: "eu", size: 1 }], partial),
    ).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(/cannot use row 0: .*leaves out column version \(long\)/),
    });
    expect(await readRows(table)).toEqual(rowTexts([STORED]));
  });

  test.each([
    [{ id: "a" }, /cannot use row 0: column region .*found nothing/],
    [{ region: "eu" }, /cannot use row 0: column id .*found nothing/],
    [{ ...KEY, size: null }, /cannot use row 0: column size .*found null/],
    [{ ...KEY, other: 1 }, /unknown column "other"/],
    [5, /found no object/],
  ])("refuses %j (MR-11)", async (row, message) => {
    const { table } = await createTable();
    await expect(table.upsert([row] as never, partial)).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(message),
    });
  });

  test("takes Arrow record batches of some columns (MR-11)", async () => {
    const { table } = await createTable();
    const columns = { id: ["a"], region: ["eu"], version: BigInt64Array.of(6n), note: [null] };
    const batch = arrow.tableFromArrays({
      ...columns,
      note: arrow.vectorFromArray([null], new arrow.Utf8()) as never,
      id: arrow.vectorFromArray(["a"], new arrow.Utf8()) as never,
      region: arrow.vectorFromArray(["eu"], new arrow.Utf8()) as never,
    });
    await table.upsert(batch.batches as never, partial);
    expect(await readRows(table)).toEqual(rowTexts([{ ...STORED, version: 6n, note: null }]));
  });

  test("of a key that stands twice updates both rows, each with its own columns (MR-11)", async () => {
    const { table } = await createTable();
    const twin = { ...STORED, version: 1n, size: 2, note: "twin" };
    await table.bulkInsert([twin]);
    await table.upsert([{ ...KEY, version: 3n, rest: "new" }], partial);
    expect(await readRows(table)).toEqual(
      rowTexts([STORED, { ...twin, version: 3n, rest: "new" }]),
    );
  });

  test("columns with names that every object has are left out as well (MR-11)", async () => {
    const { table } = await createMemoryTable({
      fields: { id: "string", constructor: "string?", toString: "string?" },
      recordKey: "id",
    } as never);
    const open = table as unknown as HudiTable<AnyRow>;
    const whole = { id: "a", constructor: "c", toString: "t" } as unknown as AnyRow;
    await open.upsert([whole]);
    await open.upsert([{ id: "a", toString: "u" } as unknown as AnyRow], partial);
    const [row] = await open.read().toArray();
    expect({ ...row }).toEqual({ id: "a", constructor: "c", toString: "u" });
  });
});

describe("a change with unchanged columns", () => {
  test("keeps them, whatever its row says (MR-11)", async () => {
    const { table } = await createTable();
    const after = { ...STORED, version: 6n, size: 9, note: "not to be taken" };
    await table.apply([{ op: "update", key: KEY, after, unchanged: ["note"] }]);
    expect(await readRows(table)).toEqual(rowTexts([{ ...after, note: "kept" }]));
  });

  test("may lack them, and only them (MR-11)", async () => {
    const { table } = await createTable();
    const after: AnyRow = { ...KEY, version: 6n, size: 1 };
    await table.apply([{ op: "update", key: KEY, after, unchanged: ["note", "rest"] }]);
    expect(await readRows(table)).toEqual(rowTexts([{ ...STORED, version: 6n }]));
    await expect(
      table.apply([{ op: "update", key: KEY, after, unchanged: ["note"] }]),
    ).rejects.toMatchObject({ code: "INVALID", message: expect.stringContaining("column rest") });
  });

  test("comes after others of its key (MR-6, MR-11)", async () => {
    const { table } = await createTable();
    const at = (version: bigint, note: string): AnyRow => ({ ...STORED, version, note });
    await table.apply([
      { op: "update", key: KEY, after: at(6n, "six") },
      { op: "update", key: KEY, after: { ...at(7n, "no"), size: 7 }, unchanged: ["note"] },
      { op: "delete", key: KEY },
      { op: "insert", key: KEY, after: at(8n, "eight"), unchanged: ["rest"] },
    ]);
    expect(await readRows(table)).toEqual(rowTexts([{ ...at(8n, "eight"), rest: null }]));
  });

  test("that moves its row takes them from before, or is refused (MR-13)", async () => {
    const { table } = await createTable();
    const after = { ...STORED, region: "us", version: 6n };
    const move = { op: "update", key: { id: "a" }, after, unchanged: ["note"] } as const;
    await expect(table.apply([{ ...move, before: { region: "eu" } }])).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(/cannot use change 0: .*leaves column note unchanged/),
    });
    await table.apply([{ ...move, before: { region: "eu", note: "from before" } }]);
    expect(await readRows(table)).toEqual(rowTexts([{ ...after, note: "from before" }]));
  });

  test("that moves its row keeps them where a global index finds it (MR-13, IX-6)", async () => {
    const { table } = await createTable({ index: { kind: "global-bloom" } });
    const after = { ...STORED, region: "us", version: 6n, note: "no" };
    await table.apply([{ op: "update", key: { id: "a" }, after, unchanged: ["note"] }]);
    expect(await readRows(table)).toEqual(rowTexts([{ ...after, note: "kept" }]));
  });

  test.each([
    [["nope"], /unchanged names column "nope", expected one of id/],
    [["region"], /unchanged names region, which says what row is meant/],
    ["note", /unchanged is string, expected a list/],
  ])("with unchanged %j is refused (MR-11)", async (unchanged, message) => {
    const { table } = await createTable();
    const change = { op: "update", key: KEY, after: STORED, unchanged };
    await expect(table.apply([change] as never)).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(message),
    });
  });
});
