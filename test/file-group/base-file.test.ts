// Base files as they are opened and searched: what is fetched, and what footers rule out.

import { beforeEach, describe, expect, test } from "vitest";
import { openBaseFile, WHOLE_FILE_BYTES } from "../../src/file-group/base-file.ts";
import { findKeys } from "../../src/file-group/base-file-keys.ts";
import { createBaseFiles } from "../../src/file-group/base-file-writer.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import { MemoryStore as Store } from "../../src/storage/memory-store.ts";
import { readRowGroup } from "../format/parquet-samples.ts";
import { type CountedStorage, countCalls } from "../read/counted-storage.ts";
import {
  batchOfRows,
  createTaskOf,
  encodeBaseFile,
  keysOf,
  type Row,
} from "./base-file-samples.ts";

const schema = createTableSchema("t", { id: "string", n: "int", text: "string" });
const PATH = "a_0-0-0_20260101000000000.parquet";

let store: MemoryStore;
let counted: CountedStorage;
beforeEach(() => {
  store = new Store();
  counted = countCalls(new MemoryStorage(store));
});

const rowsOf = (count: number, first = 0): Row[] =>
  Array.from({ length: count }, (_, at) => ({
    id: `k${String(first + at).padStart(4, "0")}`,
    n: at,
    // Long enough that chunks lie apart.
    text: `${at} `.repeat(200),
  }));

async function put(bytes: Uint8Array): Promise<{ path: string; sizeBytes: number }> {
  await counted.storage.put(PATH, bytes);
  return { path: PATH, sizeBytes: bytes.length };
}

/** Looks keys up; the result as pairs of key and position. */
async function search(
  file: { path: string; sizeBytes: number },
  keys: readonly string[],
  useFooter = false,
): Promise<[string, number][]> {
  const batch = batchOfRows(
    schema,
    keys.map((id) => ({ id, n: 0, text: "" })),
  );
  const found = await findKeys(counted.storage, {
    kind: "find-keys",
    file,
    keys: keysOf(batch),
    useFooter,
  });
  return Array.from(found.positions, (position, at) => [
    keys[found.rows[at] as number] as string,
    position,
  ]);
}

describe("opening (BASE-5)", () => {
  test("fetches the footer, then the chunks that are asked for", async () => {
    const file = await put(await encodeBaseFile(schema, rowsOf(2000), { groupRows: 500 }));
    const reader = await openBaseFile(counted.storage, file);
    expect(counted.ranges).toHaveLength(1);
    const [tail] = counted.ranges;
    expect(tail?.end).toBe(file.sizeBytes);
    counted.ranges.length = 0;
    const field = reader.schema.fields.find(({ name }) => name === "n");
    if (!field) throw new Error("no column");
    await readRowGroup(reader, 2, [field]);
    const chunk = reader.findChunkRange(2, "n");
    for (const range of counted.ranges) {
      expect(range.start).toBeGreaterThanOrEqual(chunk?.start ?? Infinity);
      expect(range.end).toBeLessThanOrEqual(chunk?.end ?? 0);
    }
  });

  test("fetches a small file whole, by one request, where every column is read", async () => {
    const file = await put(await encodeBaseFile(schema, rowsOf(2000), { groupRows: 500 }));
    expect(file.sizeBytes).toBeLessThan(WHOLE_FILE_BYTES);
    const reader = await openBaseFile(counted.storage, file, { readsAll: true });
    for (let group = 0; group < 4; group += 1) {
      await readRowGroup(reader, group, reader.schema.fields);
    }
    expect(counted.ranges).toEqual([{ path: PATH, start: 0, end: file.sizeBytes }]);
  });

  test("does not fetch a large file whole", async () => {
    const file = await put(await encodeBaseFile(schema, rowsOf(20), { groupRows: 5 }));
    const claimed = { ...file, sizeBytes: WHOLE_FILE_BYTES + 1 };
    await expect(openBaseFile(counted.storage, claimed, { readsAll: true })).rejects.toThrow();
    expect(counted.ranges[0]?.start).toBeGreaterThan(0);
  });
});

describe("damage (BASE-6)", () => {
  test.each([0, 1, 4, 11, 12, 100, 5000])(
    "a file of %i bytes of what it was is CORRUPT",
    async (left) => {
      const whole = await encodeBaseFile(schema, rowsOf(50), { groupRows: 20 });
      await counted.storage.put(PATH, whole.subarray(0, left));
      const opened = openBaseFile(counted.storage, { path: PATH, sizeBytes: whole.length });
      await expect(opened).rejects.toMatchObject({
        code: "CORRUPT",
        path: PATH,
        message: expect.stringMatching(/found \d+ bytes, expected \d+; restore the file or roll/),
      });
    },
  );

  test.each([0, 1, 11, 12, 5000])(
    "a file of %i bytes that was cut before it was listed is CORRUPT",
    async (left) => {
      const whole = await encodeBaseFile(schema, rowsOf(50), { groupRows: 20 });
      const file = await put(whole.subarray(0, left));
      await expect(openBaseFile(counted.storage, file)).rejects.toMatchObject({
        code: "CORRUPT",
        path: PATH,
      });
    },
  );

  test("a file that is gone is NOT_FOUND", async () => {
    const opened = openBaseFile(counted.storage, { path: PATH, sizeBytes: 100 });
    await expect(opened).rejects.toMatchObject({ code: "NOT_FOUND" });
  });
});

describe("finding keys (BASE-7)", () => {
  test("the key column decides, in every row group", async () => {
    const file = await put(await encodeBaseFile(schema, rowsOf(100), { groupRows: 30 }));
    const keys = ["k0099", "k0000", "none", "k0030", "k0029", ""].filter((key) => key !== "");
    expect(await search(file, keys)).toEqual([
      ["k0000", 0],
      ["k0029", 29],
      ["k0030", 30],
      ["k0099", 99],
    ]);
    expect(await search(file, [])).toEqual([]);
  });

  test("the footer may only rule keys out: with it and without it the same are found", async () => {
    const [written] = await createBaseFiles(counted.storage, createTaskOf(schema, rowsOf(90, 10)));
    if (!written) throw new Error("no file");
    const file = { path: written.path, sizeBytes: written.sizeBytes };
    const keys = ["k0005", "k0010", "k0055", "k0099", "k0100", "kxxxx", "a"];
    expect(await search(file, keys, true)).toEqual(await search(file, keys, false));
    expect(await search(file, keys, true)).toHaveLength(3);
  });

  test("keys outside the range, or that the filter denies, cost no look at the key column", async () => {
    const [written] = await createBaseFiles(counted.storage, createTaskOf(schema, rowsOf(90, 10)));
    if (!written) throw new Error("no file");
    const reader = await openBaseFile(counted.storage, written);
    const chunk = reader.findChunkRange(0, "_hoodie_record_key") ?? { start: 0, end: 0 };
    // With its key column damaged, a search succeeds only if it leaves the column alone.
    const bytes = Buffer.from(store.find(written.path)?.bytes ?? []).fill(
      0xff,
      chunk.start,
      chunk.end,
    );
    store.put(written.path, bytes, undefined);
    expect(await search(written, ["a", "zzz", "k0050x"], true)).toEqual([]);
    await expect(search(written, ["a"], false)).rejects.toMatchObject({ code: "CORRUPT" });
    await expect(search(written, ["k0050"], true)).rejects.toMatchObject({ code: "CORRUPT" });
  });

  test("the filter is asked only where few keys are looked for", async () => {
    const damaged = new Map([
      ["org.apache.hudi.bloomfilter", "no filter"],
      ["hoodie_bloom_filter_type_code", "DYNAMIC_V0"],
    ]);
    const rows = rowsOf(30);
    const file = await put(await encodeBaseFile(schema, rows, { footer: damaged }));
    // Many keys: the filter is not even decoded.
    expect(await search(file, ["k0001", "k0002", "k0003", "x"], true)).toHaveLength(3);
    // Few keys: it is, and this one is damaged.
    await expect(search(file, ["k0001"], true)).rejects.toMatchObject({
      code: "CORRUPT",
      message: expect.stringMatching(new RegExp(PATH)),
    });
    expect(await search(file, ["k0001"], false)).toEqual([["k0001", 1]]);
  });

  test("a key that stands in several rows is found in all of them (BASE-8)", async () => {
    const rows = ["a", "b", "a", "c", "a"].map((id, n) => ({ id, n, text: "" }));
    const file = await put(await encodeBaseFile(schema, rows, { groupRows: 2 }));
    expect(await search(file, ["b", "a"])).toEqual([
      ["a", 0],
      ["b", 1],
      ["a", 2],
      ["a", 4],
    ]);
  });

  test("more matches than a first guess has room for", async () => {
    const rows = Array.from({ length: 5000 }, (_, n) => ({ id: `k${n % 3}`, n, text: "" }));
    const file = await put(await encodeBaseFile(schema, rows, { groupRows: 1000 }));
    const found = await search(file, ["k1", "k2"]);
    expect(found).toHaveLength(3333);
    expect(found.every(([key, position]) => key === `k${position % 3}`)).toBe(true);
  });

  test("a file without record keys cannot be searched", async () => {
    const file = await put(await encodeBaseFile(schema, rowsOf(3), { withMeta: false }));
    await expect(search(file, ["k0001"])).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(/_hoodie_record_key/),
    });
  });

  test("an abort ends the search", async () => {
    const file = await put(await encodeBaseFile(schema, rowsOf(100), { groupRows: 10 }));
    const batch = batchOfRows(schema, [{ id: "k0001", n: 0, text: "" }]);
    const task = { kind: "find-keys", file, keys: keysOf(batch), useFooter: false } as const;
    const abort = AbortSignal.abort(new Error("enough"));
    await expect(findKeys(counted.storage, task, abort)).rejects.toThrow("enough");
  });
});
