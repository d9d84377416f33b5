// Finding the file groups of keys: both kinds of index against a plain search.
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { createBaseFiles } from "../../src/file-group/base-file-writer.ts";
import type { BaseFileSlice, FileSlice } from "../../src/file-group/file-slice.ts";
import { createTaskRunner, type TaskRunner } from "../../src/file-group/task-runner.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { bucketsOfKeys } from "../../src/indexing/bucket-hash.ts";
import {
  type IndexedTable,
  type TaggedSlice,
  tagLocations,
} from "../../src/indexing/tag-locations.ts";
import type { IndexConfig } from "../../src/layout/table-config.ts";
import { runAtOnce } from "../../src/runtime/steps.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import {
  batchOfRows,
  createTaskOf,
  encodeBaseFile,
  keysOf,
} from "../file-group/base-file-samples.ts";

const schema = createTableSchema("t", { id: "string" });
const KINDS = ["bloom", "simple"] as const;

let storage: MemoryStorage;
let runner: TaskRunner;
beforeEach(() => {
  storage = new MemoryStorage();
  runner = createTaskRunner(storage, { count: 0 });
});

/** A file slice that holds these keys, with key range and filter or without. */
async function makeSlice(
  partitionPath: string,
  fileId: string,
  keys: readonly string[],
  indexed = true,
): Promise<BaseFileSlice> {
  const rows = keys.map((id) => ({ id }));
  const name = `${fileId}-0_0-0-0_20260102000000000.parquet`;
  const path = `${partitionPath}/${name}`;
  if (indexed && rows.length > 0) {
    const task = createTaskOf(schema, rows, { fileIdPrefix: fileId, partitionPath });
    await createBaseFiles(storage, task);
  } else {
    await storage.put(path, await encodeBaseFile(schema, rows, { groupRows: 2 }));
  }
  const sizeBytes = (await storage.findObject(path))?.sizeBytes ?? 0;
  const baseFile = { path, fileName: name, instant: "20260102000000000", sizeBytes };
  return {
    partitionPath,
    fileId: `${fileId}-0`,
    baseInstant: baseFile.instant,
    baseFile,
    logFiles: [],
  };
}

function tableWith(index: IndexConfig): IndexedTable {
  return { index, partitionFields: ["part"], bucketHashFields: ["id"] };
}

/** Looks keys up, each in its partition; some of the rows only if they are named. */
function tag(
  kind: (typeof KINDS)[number],
  slices: readonly FileSlice[],
  wanted: readonly (readonly [partition: string, key: string])[],
  rows: readonly number[] = [...wanted.keys()],
): Promise<TaggedSlice[]> {
  const paths = [...new Set(wanted.map(([partition]) => partition))];
  return tagLocations(runner, tableWith({ kind }), slices, {
    keys: keysOf(
      batchOfRows(
        schema,
        wanted.map(([, id]) => ({ id })),
      ),
    ),
    partitions: {
      paths,
      partitionOfRow: Int32Array.from(wanted, ([partition]) => paths.indexOf(partition)),
    },
    rows: Int32Array.from(rows),
  });
}

/** What was found, as `entry: file id @ position`. */
function found(tagged: readonly TaggedSlice[]): string[] {
  return tagged
    .flatMap(({ slice, entries, positions }) =>
      Array.from(entries, (entry, at) => `${entry}: ${slice.fileId} @ ${positions[at]}`),
    )
    .sort();
}

describe.each(KINDS)("the index %s (IX-1)", (kind) => {
  test("says for each key in which rows of which slices it stands, or that it is new (IX-2)", async () => {
    const slices = [
      await makeSlice("p", "a", ["k1", "k2", "k3"]),
      await makeSlice("p", "b", ["k4", "k2"]),
    ];
    const tagged = await tag(kind, slices, [
      ["p", "k2"],
      ["p", "new"],
      ["p", "k4"],
    ]);
    expect(found(tagged)).toEqual(["0: a-0 @ 1", "0: b-0 @ 1", "2: b-0 @ 0"]);
    expect(tagged.map(({ fileRowCount }) => fileRowCount)).toEqual([3, 2]);
    expect(tagged.every(({ fileDataBytes }) => fileDataBytes > 0)).toBe(true);
  });

  test("looks in the partition of the row only (IX-1, RK-8)", async () => {
    const slices = [await makeSlice("p", "a", ["k"]), await makeSlice("q", "b", ["k"])];
    expect(found(await tag(kind, slices, [["q", "k"]]))).toEqual(["0: b-0 @ 0"]);
    expect(found(await tag(kind, slices, [["r", "k"]]))).toEqual([]);
    expect(await tag(kind, slices, [])).toEqual([]);
  });

  test("asks every slice of the partition, however old, large or empty (IX-3)", async () => {
    const slices = [
      await makeSlice("p", "a", []),
      await makeSlice("p", "b", ["x"], false),
      await makeSlice("p", "c", ["k"], false),
    ];
    const tagged = await tag(kind, slices, [["p", "k"]]);
    expect(tagged.map(({ slice }) => slice.fileId)).toEqual(["a-0", "b-0", "c-0"]);
    expect(found(tagged)).toEqual(["0: c-0 @ 0"]);
  });

  test("counts only the rows that are named, and by their place among them", async () => {
    const slices = [await makeSlice("p", "a", ["k0", "k1", "k2"])];
    const wanted = ["k0", "k1", "k2"].map((key) => ["p", key] as const);
    expect(found(await tag(kind, slices, wanted, [2, 0]))).toEqual(["0: a-0 @ 2", "1: a-0 @ 0"]);
  });

  test("finds what a plain search finds", async () => {
    const key = fc.stringMatching(/^[ab]{1,3}$/);
    const partition = fc.constantFrom("p", "q");
    const file = fc.record({
      partition,
      keys: fc.array(key, { maxLength: 8 }),
      indexed: fc.boolean(),
    });
    const cases = fc.tuple(
      fc.array(file, { maxLength: 4 }),
      fc.uniqueArray(fc.tuple(partition, key), { selector: String, maxLength: 12 }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([files, wanted]) => {
        const slices: FileSlice[] = [];
        for (const [at, { partition: path, keys, indexed }] of files.entries()) {
          slices.push(await makeSlice(path, `f${at}`, keys, indexed));
        }
        const expected = wanted.flatMap(([path, text], entry) =>
          files.flatMap((one, at) =>
            one.partition === path
              ? one.keys.flatMap((k, position) =>
                  k === text ? [`${entry}: f${at}-0 @ ${position}`] : [],
                )
              : [],
          ),
        );
        expect(found(await tag(kind, slices, wanted))).toEqual(expected.sort());
      }),
      { numRuns: 25 },
    );
  });

  test("an abort ends the search with its reason", async () => {
    const slices = [await makeSlice("p", "a", ["k"])];
    const signal = AbortSignal.abort(new Error("enough"));
    const wanted = {
      keys: keysOf(batchOfRows(schema, [{ id: "k" }])),
      partitions: { paths: ["p"], partitionOfRow: Int32Array.of(0) },
      rows: Int32Array.of(0),
    };
    await expect(tagLocations(runner, tableWith({ kind }), slices, wanted, signal)).rejects.toThrow(
      "enough",
    );
  });
});

test("bloom asks the footer before it reads keys, simple does not (IX-1, BASE-7)", async () => {
  const slice = await makeSlice(
    "p",
    "a",
    Array.from({ length: 40 }, (_, at) => `k${at}`),
  );
  const bytes = Buffer.from((await storage.read(slice.baseFile.path)).bytes);
  // The first column chunks go; the footer stays.
  bytes.fill(0xff, 4, 400);
  await storage.put(slice.baseFile.path, bytes);
  expect(found(await tag("bloom", [slice], [["p", "outside"]]))).toEqual([]);
  await expect(tag("simple", [slice], [["p", "outside"]])).rejects.toMatchObject({
    code: "CORRUPT",
  });
});

test.each(["global-bloom", "global-simple"] as const)(
  "the index %s finds a key in whatever partition it is (IX-6)",
  async (kind) => {
    const slices = [
      await makeSlice("p", "g1", ["k1", "k2"]),
      await makeSlice("q", "g2", ["k3", "k1"]),
    ];
    const wanted = {
      keys: keysOf(batchOfRows(schema, [{ id: "k1" }, { id: "k4" }, { id: "k3" }])),
      partitions: { paths: ["elsewhere"], partitionOfRow: Int32Array.of(0, 0, 0) },
      rows: Int32Array.of(0, 1, 2),
    };
    const tagged = await tagLocations(runner, tableWith({ kind }), slices, wanted);
    expect(found(tagged)).toEqual(["0: g1-0 @ 0", "0: g2-0 @ 1", "2: g2-0 @ 0"]);
  },
);

test("a bucket index looks a key up in the file of its bucket alone (IX-8)", async () => {
  const index = { kind: "bucket", buckets: 4 } as const;
  const keys = Array.from({ length: 20 }, (_, at) => `k${at}`);
  const wanted = {
    keys: keysOf(
      batchOfRows(
        schema,
        keys.map((id) => ({ id })),
      ),
    ),
    partitions: { paths: ["p"], partitionOfRow: new Int32Array(20) },
    rows: Int32Array.from(keys.keys()),
  };
  const bucketOf = runAtOnce(bucketsOfKeys(wanted.keys, 4, ["id"]));
  // Every file holds every key, so that a look into a wrong one would show.
  const slices = await Promise.all(
    [0, 1, 2, 3].map((bucket) => makeSlice("p", `0000000${bucket}-aaaa`, keys)),
  );
  const tagged = await tagLocations(runner, tableWith(index), slices, wanted);
  for (const { slice, entries } of tagged) {
    const bucket = Number(slice.fileId.slice(0, 8));
    expect([...entries].map((entry) => bucketOf[entry])).toEqual([...entries].map(() => bucket));
  }
  expect(tagged.reduce((sum, { entries }) => sum + entries.length, 0)).toBe(20);
});

test("two file groups of one bucket, and an id without a bucket, are refused (IX-9)", async () => {
  const index = { kind: "bucket", buckets: 4 } as const;
  const wanted = {
    keys: keysOf(batchOfRows(schema, [{ id: "k1" }])),
    partitions: { paths: ["p"], partitionOfRow: Int32Array.of(0) },
    rows: Int32Array.of(0),
  };
  const twins = [
    await makeSlice("p", "00000001-aaaa", ["k1"]),
    await makeSlice("p", "00000001-bbbb", ["k1"]),
  ];
  await expect(tagLocations(runner, tableWith(index), twins, wanted)).rejects.toMatchObject({
    code: "CORRUPT",
    message: expect.stringContaining("belong to one bucket"),
  });
  const beyond = [await makeSlice("p", "00000004-cccc", ["k1"])];
  await expect(tagLocations(runner, tableWith(index), beyond, wanted)).rejects.toMatchObject({
    code: "CORRUPT",
    message: expect.stringContaining("belongs to bucket 4"),
  });
  const foreign = [await makeSlice("p", "abc", ["k1"])];
  await expect(tagLocations(runner, tableWith(index), foreign, wanted)).rejects.toMatchObject({
    code: "CORRUPT",
    message: expect.stringContaining("begins with no bucket number"),
  });
});
