// Incremental reads: what changed between two instants, where a range may end, and what is fetched.

import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { extractTableFixture } from "../../fixtures/tables/table-fixtures.ts";
import { HudiTable } from "../../src/index.ts";
import { createMemoryTable } from "../support/memory-table.ts";
import { rowTexts } from "../support/row-text.ts";
import {
  type CountedTable,
  chunksOf,
  countTouches,
  createCountedTable,
  dataFilesOf,
  regroup,
} from "./counted-table.ts";

interface Row {
  id: string;
  city: string;
  n: number;
}

let made: CountedTable<Row>;
beforeEach(async () => {
  made = await createCountedTable({
    fields: { id: "string", city: "string", n: "int" },
    recordKey: "id",
    partitionBy: "city",
  });
});

const row = (id: string, n: number, city = "x"): Row => ({ id, city, n });

/** The changes of a range, as `id:n`. */
async function pull(range: { after?: string; upTo?: string }): Promise<string[]> {
  const rows = await made.table.incremental(range).toArray();
  return rows.map(({ id, n }) => `${id}:${n}`).sort();
}

const upsert = async (...rows: Row[]): Promise<string> => (await made.table.upsert(rows)).instant;
const pend = (instant: string, action = "commit"): void =>
  void made.store.put(`.hoodie/${instant}.${action}.requested`, new Uint8Array(0), undefined);

describe("a range (IN-1)", () => {
  test("has the commits after one instant, up to and with another", async () => {
    const first = await upsert(row("a", 1), row("b", 1));
    const second = await upsert(row("b", 2), row("c", 2));
    const third = await upsert(row("d", 3, "y"));
    expect(await pull({ after: first })).toEqual(["b:2", "c:2", "d:3"]);
    expect(await pull({ after: first, upTo: second })).toEqual(["b:2", "c:2"]);
    expect(await pull({ after: second, upTo: third })).toEqual(["d:3"]);
    expect(await pull({ after: third })).toEqual([]);
    expect(await pull({ after: second, upTo: first })).toEqual([]);
  });

  test("without a beginning is the snapshot at its end (IN-6)", async () => {
    const first = await upsert(row("a", 1), row("b", 1));
    await upsert(row("b", 2));
    expect(await pull({})).toEqual(["a:1", "b:2"]);
    expect(await pull({ upTo: first })).toEqual(["a:1", "b:1"]);
    expect(await pull({ upTo: "1" })).toEqual([]);
    expect(await made.table.incremental({ upTo: "1" }).upTo).toBe("");
  });

  test("says where it ends, to be passed on as the next beginning", async () => {
    expect(await made.table.incremental({}).upTo).toBe("");
    expect(await made.table.incremental({ after: "" }).upTo).toBe("");
    const first = await upsert(row("a", 1));
    expect(await made.table.incremental({ after: "" }).upTo).toBe(first);
    const second = await upsert(row("b", 2));
    expect(await made.table.incremental({ after: first }).upTo).toBe(second);
    expect(await made.table.incremental({ after: first, upTo: "29991231235959999" }).upTo).toBe(
      second,
    );
    expect(await made.table.incremental({ after: second }).upTo).toBe(second);
    expect(await made.table.incremental({ after: "29991231235959999" }).upTo).toBe(
      "29991231235959999",
    );
  });

  test("fourteen digits mean the last millisecond of their second (TL-1)", async () => {
    const first = await upsert(row("a", 1));
    made.clock.advance(5000);
    const second = await upsert(row("b", 2));
    expect(await pull({ after: first.slice(0, 14) })).toEqual(["b:2"]);
    expect(await pull({ after: "0", upTo: first.slice(0, 14) })).toEqual(["a:1"]);
    expect(second > first).toBe(true);
  });

  test.each([
    { after: "2026-01-15" },
    { after: "yesterday" },
    { after: "0", upTo: "2026-01-15T12:00:00Z" },
    { after: new Date(0) },
    { after: null },
    { after: 20_260_115 },
    { after: "202601151200000001" },
  ])("%j is no range of instants", async (range) => {
    await expect(pull(range as { after: string })).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(/cannot read incrementally: .*expected an instant such as/),
    });
  });
});

describe("rows (IN-4)", () => {
  test("that changed twice come once, in their version at the end", async () => {
    const first = await upsert(row("a", 1));
    const second = await upsert(row("a", 2));
    await upsert(row("a", 3), row("b", 3));
    expect(await pull({ after: first })).toEqual(["a:3", "b:3"]);
    expect(await pull({ after: first, upTo: second })).toEqual(["a:2"]);
  });

  test("that were changed after the end are not in it", async () => {
    const first = await upsert(row("a", 1), row("b", 1));
    const second = await upsert(row("a", 2));
    await upsert(row("a", 3));
    expect(await pull({ after: first, upTo: second })).toEqual(["a:2"]);
  });

  test("that were deleted do not come, those beside them not either", async () => {
    const first = await upsert(row("a", 1), row("b", 1), row("c", 1));
    await made.table.delete([{ id: "b", city: "x" }]);
    expect(await pull({ after: first })).toEqual([]);
    await upsert(row("c", 2));
    expect(await pull({ after: first })).toEqual(["c:2"]);
  });

  test("take projection and filter like any other read (PR-1)", async () => {
    const first = await upsert(row("a", 1));
    await upsert(row("b", 2), row("c", 3), row("d", 4, "y"));
    const scan = made.table.incremental({ after: first, columns: ["id"], where: { n: { gt: 2 } } });
    expect(rowTexts(await scan.toArray())).toEqual(rowTexts([{ id: "c" }, { id: "d" }]));
    const batches = made.table.incremental({ after: first, where: { city: "y" } }).batches();
    const sizes: number[] = [];
    for await (const batch of batches) sizes.push(batch.numRows);
    expect(sizes).toEqual([1]);
    const refused = made.table.incremental({ after: first, columns: ["none" as "id"] });
    await expect(refused.toArray()).rejects.toMatchObject({ code: "INVALID" });
  });

  test("of pulls one after the other are all the rows there ever were, each once a change", async () => {
    const step = fc.array(
      fc.tuple(fc.constantFrom("a", "b", "c", "d", "e"), fc.constantFrom("x", "y")),
      {
        minLength: 1,
        maxLength: 4,
      },
    );
    const steps = fc.array(fc.record({ rows: step, pulls: fc.boolean() }), {
      minLength: 1,
      maxLength: 6,
    });
    await fc.assert(
      fc.asyncProperty(steps, async (history) => {
        const { table } = await createMemoryTable({
          fields: { id: "string", city: "string", n: "int" },
          recordKey: "id",
          partitionBy: "city",
        });
        const pulled = new Map<string, number>();
        let after = "";
        const take = async (): Promise<void> => {
          const scan = table.incremental({ after });
          for await (const { id, city, n } of scan) {
            expect(n).toBeGreaterThan(pulled.get(`${city} ${id}`) ?? -1);
            pulled.set(`${city} ${id}`, n);
          }
          after = await scan.upTo;
        };
        const model = new Map<string, number>();
        for (const [n, { rows, pulls }] of history.entries()) {
          await table.upsert(rows.map(([id, city]) => ({ id, city, n })));
          for (const [id, city] of rows) model.set(`${city} ${id}`, n);
          if (pulls) await take();
        }
        await take();
        expect(pulled).toEqual(model);
      }),
      { numRuns: 12 },
    );
  });
});

describe("a pending write (IN-3)", () => {
  test("ends every range before it, whatever end was asked for", async () => {
    const first = await upsert(row("a", 1));
    made.clock.advance(10);
    const pending = String(BigInt(first) + 5n);
    pend(pending);
    const late = await upsert(row("b", 2));
    expect(late > pending).toBe(true);
    for (const upTo of [undefined, late, "29991231235959999"]) {
      const range = { after: first, ...(upTo === undefined ? {} : { upTo }) };
      expect(await pull(range)).toEqual([]);
      expect(await made.table.incremental(range).upTo).toBe(first);
    }
    expect(await pull({})).toEqual(["a:1"]);
    // The snapshot does not wait.
    expect(await made.table.read().toArray()).toHaveLength(2);
  });

  test("that completes late is not skipped by who pulls on", async () => {
    const seen: string[] = [];
    let after = "";
    const take = async (): Promise<void> => {
      const scan = made.table.incremental({ after });
      for await (const { id } of scan) seen.push(id);
      after = await scan.upTo;
    };
    const first = await upsert(row("a", 1));
    await take();
    made.clock.advance(10);
    const slow = String(BigInt(first) + 5n);
    pend(slow);
    const fast = await upsert(row("b", 2));
    await take();
    // The slow writer completes below the fast one: its file and its commit appear.
    const metadata = Buffer.from(made.store.find(`.hoodie/${fast}.commit`)?.bytes ?? []).toString();
    const [path = ""] = dataFilesOf(made.store).filter((file) => file.includes(fast));
    const bytes = Buffer.from(made.store.find(path)?.bytes ?? []);
    const other = bytes.toString("latin1").replaceAll(fast, slow);
    const slowPath = path.replace(fast, slow).replace(/\/[^_]+_/, "/other-0_");
    made.store.put(slowPath, Buffer.from(other, "latin1"), undefined);
    const stats = metadata
      .replaceAll(path, slowPath)
      .replace(/"fileId":"[^"]+"/, '"fileId":"other-0"');
    made.store.put(`.hoodie/${slow}.commit`, Buffer.from(stats), undefined);
    await take();
    await take();
    // The row of the fast writer, and the copy of it that stands for one of the slow writer.
    expect(seen).toEqual(["a", "b", "b"]);
    expect(after).toBe(fast);
  });

  test("that a listing in pieces did not show is not skipped", async () => {
    const first = await upsert(row("a", 1));
    // As many instants as make a listing long.
    for (let n = 1; n <= 100; n += 1) pend(String(BigInt(first) + BigInt(n)), "savepoint");
    made.clock.advance(1_000);
    const slow = String(BigInt(first) + 900n);
    const fast = await upsert(row("b", 2));
    let listings = 0;
    const { storage } = made.counted;
    const reader = await HudiTable.open<Row>("memory:", {
      ...made.options,
      storage: new Proxy(storage, {
        get: (target, name) => {
          if (name !== "listFolder") return Reflect.get(target, name, target);
          return async (path: string) => {
            const listed = await target.listFolder(path);
            if (path === ".hoodie") {
              listings += 1;
              // It was requested while the listing was under way, before what it shows completed.
              if (listings === 1) pend(slow);
            }
            return listed;
          };
        },
      }),
    });
    const scan = reader.incremental({ after: first });
    expect(await scan.toArray()).toEqual([]);
    expect(await scan.upTo).toBe(first);
    made.store.delete([`.hoodie/${slow}.commit.requested`]);
    expect(await reader.incremental({ after: first }).upTo).toBe(fast);
  });

  test("of a clean, a savepoint or an index ends nothing", async () => {
    const first = await upsert(row("a", 1));
    made.clock.advance(10);
    for (const [n, action] of ["clean", "savepoint", "indexing"].entries()) {
      pend(String(BigInt(first) + BigInt(n) + 1n), action);
    }
    const second = await upsert(row("b", 2));
    expect(await pull({ after: first })).toEqual(["b:2"]);
    expect(await made.table.incremental({ after: first }).upTo).toBe(second);
  });
});

describe("what is read (IN-5)", () => {
  test("files of other groups and partitions are not", async () => {
    const first = await upsert(row("a", 1), row("b", 1, "y"), row("c", 1, "z"));
    const second = await upsert(row("b", 2, "y"));
    made.counted.ranges.length = 0;
    made.counted.listed.length = 0;
    expect(await pull({ after: first })).toEqual(["b:2"]);
    expect(made.counted.listed.filter((folder) => !folder.startsWith(".hoodie"))).toEqual(["y"]);
    expect(new Set(made.counted.ranges.map(({ path }) => path))).toEqual(
      new Set(dataFilesOf(made.store).filter((path) => path.includes(second))),
    );
  });

  test("partitions that the filter rules out are not (PR-4)", async () => {
    const first = await upsert(row("a", 1), row("b", 1, "y"));
    await upsert(row("a", 2), row("b", 2, "y"));
    made.counted.listed.length = 0;
    const rows = await made.table.incremental({ after: first, where: { city: "y" } }).toArray();
    expect(rows).toEqual([row("b", 2, "y")]);
    expect(made.counted.listed.filter((folder) => !folder.startsWith(".hoodie"))).toEqual(["y"]);
  });

  test("row groups without a commit of the range are skipped", async () => {
    const { table, store, counted } = await createCountedTable({
      fields: { id: "string", blob: "string", pad: "string" },
      recordKey: "id",
    });
    const wide = (n: number, blob: string) => ({
      id: `k${n}`,
      blob,
      pad: `${n}`.padEnd(200_000, `${n}`),
    });
    const { instant } = await table.upsert(Array.from({ length: 20 }, (_, n) => wide(n, "old")));
    await table.upsert([wide(7, "new"), wide(99, "new")]);
    const [, path = ""] = dataFilesOf(store);
    await regroup(store, path, 5);
    counted.ranges.length = 0;
    const rows = await table.incremental({ after: instant, columns: ["id", "blob"] }).toArray();
    expect(rows).toEqual([
      { id: "k7", blob: "new" },
      { id: "k99", blob: "new" },
    ]);
    const touches = async (column: string): Promise<number[]> =>
      (await chunksOf(store, path, column)).map((chunk) => countTouches(counted.ranges, [chunk]));
    // The end of the file is fetched with its footer.
    expect((await touches("blob")).slice(0, 3)).toEqual([0, 1, 0]);
    expect((await touches("_hoodie_commit_time")).slice(0, 3)).toEqual([0, 1, 0]);
  });
});

describe("tables with completion times (IN-2)", () => {
  const name = "v8_cow_nonpartitioned_8i3u1d";

  /** The fixture with its second and third commit completed in the other order. */
  async function openCrossed(
    use: (table: HudiTable, completions: string[]) => Promise<void>,
  ): Promise<void> {
    const directory = await mkdtemp(join(tmpdir(), "hudi-lake-incremental-"));
    try {
      const path = await extractTableFixture(name, directory);
      await using table = await HudiTable.open(path);
      const writes = (await table.timeline()).filter((i) => i.action === "commit");
      await use(
        table,
        writes.map((i) => i.completionTime as string),
      );
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }

  test("are measured in them, and a pending write holds nothing back (IN-3)", async () => {
    await openCrossed(async (table, completions) => {
      const [first = "", second = "", third = "", last = ""] = completions;
      const ids = async (range: { after?: string; upTo?: string }): Promise<number> =>
        (await table.incremental(range).toArray()).length;
      const scan = table.incremental({ after: first, upTo: third });
      expect(await scan.upTo).toBe(third);
      expect(await ids({ after: first, upTo: second })).toBeGreaterThan(0);
      expect(await ids({ after: last })).toBe(0);
      // An instant lies between the completion times of its neighbours.
      const requested = (await table.timeline())[1]?.time ?? "";
      expect(requested > first && requested < second).toBe(true);
      expect(await ids({ after: requested, upTo: second })).toBe(
        await ids({ after: first, upTo: second }),
      );
      const timeline = join(table.location.replace(/^file:\/\//, ""), ".hoodie/timeline");
      const names = await readdir(timeline);
      const pending = names.find((file) => file.startsWith(`${requested}_`)) ?? "";
      await rename(join(timeline, pending), join(timeline, `${pending}.hidden`));
      expect(await table.incremental({ after: first }).upTo).toBe(last);
    });
  });

  test("without a beginning are read as they were when the range ends, whatever the order of requests", async () => {
    await openCrossed(async (table, completions) => {
      const [first = "", second = "", third = ""] = completions;
      const timeline = join(table.location.replace(/^file:\/\//, ""), ".hoodie/timeline");
      const names = (await readdir(timeline)).filter((name) => /^\d+_\d+\.commit$/.test(name));
      const file = (completion: string): string =>
        names.find((one) => one.includes(`_${completion}.`)) as string;
      const before = await table.incremental({ upTo: second }).toArray();
      // The first commit now completes after the third: until then it is not there, later it is.
      const late = String(BigInt(third) + 1n);
      await rename(join(timeline, file(first)), join(timeline, file(first).replace(first, late)));
      const upToSecond = table.incremental({ upTo: second });
      const rows = await upToSecond.toArray();
      expect(await upToSecond.upTo).toBe(second);
      // The second commit rewrote the one file of the table, so its rows are there.
      expect(rows).toHaveLength(before.length);
      const next = table.incremental({ after: second, upTo: late });
      expect(await next.upTo).toBe(late);
      expect((await next.toArray()).length).toBeGreaterThan(0);
    });
  });
});
