// Numbers of a table: rows by footers, sizes against the target, what readers do not see.
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { HudiTable } from "../../src/hudi-table.ts";
import { baseSlices } from "../support/base-slices.ts";
import { createMemoryTable, SMALL_WRITES } from "../support/memory-table.ts";
import { createCountedTable } from "./counted-table.ts";

const TABLE = {
  fields: { id: "string", region: "string", text: "string" },
  recordKey: "id",
  partitionBy: "region",
} as const;
type Row = { id: string; region: string; text: string };

/** A row whose text does not compress well. */
function row(id: string, region: string, length = 10): Row {
  const parts: string[] = [];
  for (let at = 0; parts.length * 64 < length; at += 1) {
    parts.push(createHash("sha256").update(`${id} ${at}`).digest("hex"));
  }
  return { id, region, text: parts.join("").slice(0, length) };
}

async function sizesOf(table: HudiTable<Row>): Promise<number[]> {
  return (await baseSlices(table)).map(({ baseFile }) => baseFile.sizeBytes);
}
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe("the numbers of a table", () => {
  test("are those of its newest state, by partition and in total (FS-7)", async () => {
    const { table } = await createMemoryTable(TABLE);
    const first = await table.upsert([row("a", "eu"), row("b", "eu"), row("c", "us", 5_000)]);
    const last = await table.upsert([row("b", "eu"), row("d", "us")]);
    const stats = await table.stats();
    const sizes = await sizesOf(table);
    expect(stats).toMatchObject({
      rows: 4,
      bytes: sum(sizes),
      fileGroups: 2,
      smallFiles: 2,
      partitionCount: 2,
      commits: 2,
      oldestInstant: first.instant,
      newestInstant: last.instant,
      pending: [],
      index: { kind: "bloom" },
      maxFileBytes: 120 * 1024 * 1024,
      smallFileBytes: 100 * 1024 * 1024,
    });
    expect(stats.partitions.map(({ partitionPath, rows }) => [partitionPath, rows])).toEqual([
      ["us", 2],
      ["eu", 2],
    ]);
    expect(sum(stats.partitions.map(({ bytes }) => bytes))).toBe(stats.bytes);
    expect(stats.averageRowBytes).toBeGreaterThan(10);
    expect(stats.averageRowBytes).toBeLessThan(stats.bytes / 4);
  });

  test("are none where there is nothing (FS-7)", async () => {
    const { table } = await createMemoryTable(TABLE);
    expect(await table.stats()).toMatchObject({
      rows: 0,
      bytes: 0,
      fileGroups: 0,
      averageRowBytes: 0,
      sizes: [],
      partitions: [],
      partitionCount: 0,
      commits: 0,
      oldestInstant: undefined,
      newestInstant: undefined,
      oldFiles: { count: 0, bytes: 0 },
    });
  });

  test("tell sizes in tenths of the target, and what is larger than twice of it (FS-7)", async () => {
    const write = { ...SMALL_WRITES, maxFileBytes: 10_000, smallFileBytes: 8_000 };
    const { table } = await createMemoryTable(TABLE, { write });
    await table.bulkInsert([row("a", "eu"), row("b", "us")]);
    await table.bulkInsert([row("c", "eu", 60_000)]);
    const { sizes, smallFiles, fileGroups } = await table.stats();
    const files = await sizesOf(table);
    for (const { fromBytes, toBytes, fileGroups: count, bytes } of sizes) {
      const inside = files.filter((size) => size >= fromBytes && size < toBytes);
      expect([count, bytes]).toEqual([inside.length, sum(inside)]);
    }
    expect(sum(sizes.map((bin) => bin.fileGroups))).toBe(fileGroups);
    expect(sizes.at(-1)).toMatchObject({ fromBytes: 20_000, toBytes: Infinity, fileGroups: 1 });
    expect(smallFiles).toBe(2);
    expect(sizes[1]).toMatchObject({ fromBytes: 1_000, toBytes: 2_000 });
  });

  test("tell apart what no reader sees: older versions, replaced groups, files of the dead (FS-8)", async () => {
    const { table, store } = await createMemoryTable(TABLE);
    await table.upsert([row("a", "eu"), row("b", "us")]);
    const [old] = (await baseSlices(table)).filter(({ partitionPath }) => partitionPath === "eu");
    await table.upsert([row("a", "eu", 20)]);
    expect((await table.stats()).oldFiles).toEqual({ count: 1, bytes: old?.baseFile.sizeBytes });
    await table.insertOverwrite([row("n", "us")]);
    store.put(
      `eu/${"0".repeat(36)}-0_0-0-0_20260115115959000.parquet`,
      Buffer.alloc(77),
      undefined,
    );
    store.put(".hoodie/20260115115959000.commit.requested", Buffer.alloc(0), undefined);
    const { oldFiles, rows, pending, fileGroups } = await table.stats();
    const every = [...store.paths()].filter((path) => path.endsWith(".parquet"));
    const bytes = sum(every.map((path) => store.find(path)?.bytes.length ?? 0));
    expect(oldFiles).toEqual({ count: 3, bytes: bytes - sum(await sizesOf(table)) });
    expect([rows, fileGroups]).toEqual([2, 2]);
    expect(pending).toMatchObject([{ time: "20260115115959000", state: "requested" }]);
  });

  test("list the largest partitions, as many as are asked for (FS-8)", async () => {
    const { table } = await createMemoryTable(TABLE);
    const regions = Array.from({ length: 105 }, (_, at) => `r${at}`);
    await table.upsert(regions.map((region, at) => row(region, region, at === 50 ? 900 : 3)));
    const { partitions, partitionCount, rows } = await table.stats();
    expect([partitions.length, partitionCount, rows]).toEqual([100, 105, 105]);
    const few = await table.stats({ partitionLimit: 1 });
    expect(few.partitions.map(({ partitionPath }) => partitionPath)).toEqual(["r50"]);
    expect(few.rows).toBe(105);
    await expect(table.stats({ partitionLimit: -1 })).rejects.toMatchObject({ code: "INVALID" });
    await expect(table.stats({ partitionLimit: 1.5 })).rejects.toThrow(/partitionLimit is 1.5/);
  });

  test("need the footers of files and no data (FS-7)", async () => {
    const { table, counted } = await createCountedTable(TABLE);
    const rows = Array.from({ length: 2_000 }, (_, at) => row(`k${at * 7919}`, "eu", 600));
    await table.upsert(rows);
    const [size = 0] = await sizesOf(table);
    counted.ranges.length = 0;
    expect((await table.stats()).rows).toBe(2_000);
    expect(counted.ranges).toHaveLength(1);
    const [{ start, end }] = counted.ranges as [(typeof counted.ranges)[0]];
    expect([start > 0, end]).toEqual([true, size]);
  });

  test("can be given up (FS-7)", async () => {
    const { table } = await createMemoryTable(TABLE);
    await table.upsert([row("a", "eu")]);
    const signal = AbortSignal.abort(new Error("enough"));
    await expect(table.stats({ signal })).rejects.toThrow("enough");
  });
});
