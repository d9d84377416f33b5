// Changes, commit by commit: what each kind of write gives, where a range may begin and end, and what is
// said of history that is gone. Random histories: test/simulation/random-changes.test.ts.
import { beforeEach, describe, expect, test } from "vitest";
import { HudiTable } from "../../src/hudi-table.ts";
import type { Change } from "../../src/layout/change.ts";
import { batchChanges } from "../../src/read/change-batch.ts";
import { planChanges } from "../../src/read/change-plan.ts";
import { readCommitChanges } from "../../src/read/commit-changes.ts";
import { encodeCleanMetadata } from "../../src/timeline/clean-plan.ts";
import { loadTableConfig } from "../../src/timeline/table-properties.ts";
import type { CountedTable } from "./counted-table.ts";
import { createCountedTable, dataFilesOf, regroup } from "./counted-table.ts";

interface Row {
  id: string;
  city: string;
  n: number;
}

const DEFINITION = {
  fields: { id: "string", city: "string", n: "int" },
  recordKey: "id",
  partitionBy: "city",
} as const;

let made: CountedTable<Row>;
let table: HudiTable<Row>;
beforeEach(async () => {
  await open({});
});

/** Begins with a table of its own; with an index that finds keys in every partition, or of another type. */
async function open(more: object): Promise<void> {
  made = await createCountedTable({ ...DEFINITION, ...more });
  table = made.table;
}

const row = (id: string, n: number, city = "x"): Row => ({ id, city, n });
const text = (one: Partial<Row> | undefined): string => `${one?.city}/${one?.id}:${one?.n}`;

/** A change as text: `+` what is new, `-` what is gone, `->` between two versions. */
function changeText({ op, before, after }: Change<Row>): string {
  if (op === "insert") return `+${text(after)}`;
  if (op === "delete") return `-${text(before)}`;
  return `${text(before)} -> ${text(after)}`;
}

async function pull(range: { after?: string; upTo?: string } = {}): Promise<string[]> {
  const changes = await table.changes(range).toArray();
  const byCommit = Map.groupBy(changes, ({ instant }) => instant);
  expect([...byCommit.keys()].sort()).toEqual([...byCommit.keys()]);
  return [...byCommit.values()].flatMap((own) => own.map(changeText).sort());
}

async function commit(writing: Promise<{ readonly instant: string }>): Promise<string> {
  made.clock.advance(1000);
  return (await writing).instant;
}

const upsert = (...rows: Row[]): Promise<string> => commit(table.upsert(rows));

describe.each(["copy-on-write", "merge-on-read"])("of a table that is %s", (type) => {
  const bucket = { kind: "bucket", buckets: 1 };

  test("each key of each commit is told, with the row before and after (CH-1, CH-2)", async () => {
    await open({ type, index: bucket });
    const first = await upsert(row("a", 1), row("b", 1));
    const second = await upsert(row("b", 2), row("c", 2));
    await upsert(row("b", 3));
    const last = await commit(
      table.delete([
        { id: "b", city: "x" },
        { id: "none", city: "x" },
      ]),
    );
    await upsert(row("b", 5));
    expect(await pull()).toEqual([
      "+x/a:1",
      "+x/b:1",
      "+x/c:2",
      "x/b:1 -> x/b:2",
      "x/b:2 -> x/b:3",
      "-x/b:3",
      "+x/b:5",
    ]);
    expect(await pull({ after: first, upTo: second })).toEqual(["+x/c:2", "x/b:1 -> x/b:2"]);
    const changes = await table.changes({ after: second }).toArray();
    expect(changes[1]).toEqual({
      op: "delete",
      key: { id: "b" },
      before: row("b", 3),
      instant: last,
    });
    expect(changes[2]).toMatchObject({ op: "insert", key: { id: "b" }, after: row("b", 5) });
    expect(changes[2]).not.toHaveProperty("before");
  });

  test("a row that lost and a delete that found nothing are no change (CH-3)", async () => {
    await open({ type, index: bucket, orderingField: "n" });
    const first = await upsert(row("a", 5), row("b", 1));
    await upsert(row("a", 4), row("b", 2));
    await commit(table.delete([{ id: "none", city: "x" }]));
    await upsert(row("a", 0));
    expect(await pull({ after: first })).toEqual(["x/b:1 -> x/b:2"]);
  });

  test("what an overwrite or a deletion of partitions took out is deleted, what came back updated (CH-5, CH-6)", async () => {
    await open({ type });
    const rows = [row("a", 1), row("b", 1), row("c", 1, "y"), row("d", 1, "z")];
    const first = await upsert(...rows);
    await commit(table.insertOverwrite([row("b", 2), row("e", 2)]));
    await commit(table.deletePartitions(["z"]));
    await commit(table.insertOverwriteTable([row("c", 4), row("f", 4)]));
    const expected = [
      "+x/e:2",
      "-x/a:1",
      "x/b:1 -> x/b:2",
      "-z/d:1",
      "+x/f:4",
      "-x/b:2",
      "-x/e:2",
      "y/c:1 -> x/c:4",
    ];
    expect(await pull({ after: first })).toEqual(expected);
  });

  test("a key that moves to another partition is one update (CH-6)", async () => {
    await open({ type, index: { kind: "global-bloom" } });
    const first = await upsert(row("a", 1), row("b", 1, "y"));
    await upsert(row("a", 2, "y"), row("b", 2, "x"), row("c", 2));
    expect(await pull({ after: first })).toEqual(["+x/c:2", "x/a:1 -> y/a:2", "y/b:1 -> x/b:2"]);
  });
});

test("a row that logs bring back is told as the table shows it (CH-3)", async () => {
  await open({ type: "merge-on-read", index: { kind: "bucket", buckets: 1 }, orderingField: "n" });
  await upsert(row("a", 5));
  const second = await commit(table.delete([{ id: "a", city: "x" }]));
  // Among the logs it is the newest, but older than the row of the base file, which no deletion hides then.
  const third = await upsert(row("a", 1));
  expect((await table.read().toArray()).map(text)).toEqual(["x/a:5"]);
  expect(await pull({ after: second, upTo: third })).toEqual(["+x/a:5"]);
  await upsert(row("a", 7));
  await commit(
    table.apply([
      { op: "delete", key: { id: "a", city: "x" } },
      { op: "insert", key: { id: "a" }, after: row("a", 2) },
    ]),
  );
  expect((await table.read().toArray()).map(text)).toEqual(["x/a:5"]);
  expect(await pull({ after: third })).toEqual(["x/a:5 -> x/a:7", "x/a:7 -> x/a:5"]);
});

test("a clustering is no change: it moves rows to other file groups (CH-7)", async () => {
  const first = await upsert(row("a", 1), row("b", 1));
  const moved = await commit(table.insertOverwrite([row("a", 1), row("b", 1)]));
  const path = `.hoodie/${moved}.replacecommit`;
  const metadata = Buffer.from(made.store.find(path)?.bytes ?? []).toString();
  expect(await pull({ after: first })).toHaveLength(2);
  const clustered = metadata.replace('"INSERT_OVERWRITE"', '"CLUSTER"');
  made.store.put(path, Buffer.from(clustered), undefined);
  await upsert(row("b", 2));
  expect(await pull({ after: first })).toEqual(["x/b:1 -> x/b:2"]);
});

test("a key that an insert brought in twice is an update (CH-8)", async () => {
  const first = await upsert(row("a", 1));
  await commit(table.insert([row("a", 2), row("b", 2)]));
  expect(await pull({ after: first })).toEqual(["+x/b:2", "x/a:1 -> x/a:2"]);
});

test("a change of the columns, its rewrite of every file included, is none; columns are those of the end (CH-4, CH-7)", async () => {
  await upsert(row("a", 1));
  const second = await upsert(row("b", 1));
  await commit(table.evolve([{ add: "note", type: "string?" }], { rewrite: true }));
  expect(await pull({ after: second })).toEqual([]);
  expect((await table.changes({ upTo: second }).toArray())[0]?.after).not.toHaveProperty("note");
  expect((await table.changes().toArray())[0]?.after).toMatchObject({ id: "a", note: null });
});

test("row groups and files of any number give the same (CH-3)", async () => {
  const rows = Array.from({ length: 40 }, (_, n) => row(`k${String(n).padStart(2, "0")}`, n));
  const first = await upsert(...rows);
  const second = await upsert(
    ...[3, 17, 18, 39].map((n) => row(`k${String(n).padStart(2, "0")}`, 100)),
  );
  await commit(
    table.delete([5, 25].map((n) => ({ id: `k${String(n).padStart(2, "0")}`, city: "x" }))),
  );
  const whole = await pull({ after: first });
  expect(whole).toHaveLength(6);
  for (const path of dataFilesOf(made.store)) await regroup(made.store, path, 7);
  const reader = await HudiTable.open<Row>("memory:", made.options);
  const sized = (await reader.changes({ after: first }).toArray()).map(changeText);
  expect(sized.sort()).toEqual([...whole].sort());
  const batches: string[] = [];
  for await (const batch of reader.changes({ after: second }).batches()) {
    batches.push(batch.schema.fields.map(({ name }) => name).join());
    expect(
      batch
        .toArray()
        .map((one) => one?.toJSON().before.toJSON().id)
        .sort(),
    ).toEqual(["k05", "k25"]);
    expect(batch.getChild("after")?.nullCount).toBe(2);
  }
  expect(batches).toEqual(["instant,op,key,before,after"]);
});

test("a commit that replaces more than is held at a time is read in passes (CH-11)", async () => {
  const rows = Array.from({ length: 30 }, (_, n) => row(`k${n}`, n, n % 2 ? "x" : "y"));
  const first = await upsert(...rows);
  await commit(
    table.insertOverwriteTable(rows.slice(10).map((one) => ({ ...one, city: "x", n: -1 }))),
  );
  const { storage } = made.counted;
  const config = await loadTableConfig(storage);
  const context = { storage, config, runtime: made.options.runtime as never };
  const plan = await planChanges(context, { after: first, passBytes: 300 });
  const found: string[] = [];
  for (const one of plan.commits) {
    for await (const batch of readCommitChanges(storage, plan, one)) {
      for (const change of batchChanges(batch))
        found.push(changeText(change as unknown as Change<Row>));
    }
  }
  expect(found).toHaveLength(30);
  const expected = await pull({ after: first });
  expect(found).not.toEqual(expected);
  expect(found.sort()).toEqual(expected.sort());
});

describe("a range (CH-1)", () => {
  test("says where it ends, and can be gone on from", async () => {
    expect(await table.changes().upTo).toBe("");
    const first = await upsert(row("a", 1));
    const second = await upsert(row("a", 2));
    const scan = table.changes({ after: first });
    await upsert(row("a", 3));
    expect(await scan.upTo).not.toBe(second);
    expect(await table.changes({ upTo: first }).upTo).toBe(first);
    const bound = table.changes({ upTo: second });
    expect(await bound.upTo).toBe(second);
    await upsert(row("a", 4));
    expect(await bound.toArray()).toHaveLength(2);
    expect(await pull({ after: await bound.upTo })).toEqual(["x/a:2 -> x/a:3", "x/a:3 -> x/a:4"]);
    const late = table.changes({ after: "29991231235959999" });
    expect([await late.toArray(), await late.upTo]).toEqual([[], "29991231235959999"]);
    expect(await pull({ after: second, upTo: first })).toEqual([]);
  });

  test("ends before a pending write, and has none that was rolled back (CH-7)", async () => {
    const first = await upsert(row("a", 1));
    await table.rollback(await upsert(row("a", 2)));
    made.clock.advance(1000);
    const pending = String(BigInt(await upsert(row("a", 3))) + 5n);
    made.store.put(`.hoodie/${pending}.commit.requested`, new Uint8Array(0), undefined);
    made.clock.advance(1000);
    await upsert(row("a", 4));
    const scan = table.changes({ after: first, upTo: "29991231235959999" });
    expect((await scan.toArray()).map(changeText)).toEqual(["x/a:1 -> x/a:3"]);
    expect((await scan.upTo) < pending).toBe(true);
  });

  test("with a bound that is no instant is refused", async () => {
    for (const range of [{ after: "yesterday" }, { upTo: "2026-01-01" }, { after: 5 }]) {
      const refused = expect(table.changes(range as object).toArray()).rejects;
      await refused.toMatchObject({ code: "INVALID" });
    }
    await table.close();
    await expect(table.changes().toArray()).rejects.toMatchObject({ code: "INVALID" });
  });

  test("stops when it is aborted", async () => {
    await upsert(row("a", 1));
    await upsert(row("a", 2));
    const stop = new AbortController();
    const seen: string[] = [];
    const reading = async (): Promise<void> => {
      for await (const change of table.changes({ signal: stop.signal })) {
        seen.push(changeText(change));
        stop.abort(new Error("enough"));
      }
    };
    await expect(reading()).rejects.toThrow("enough");
    expect(seen).toEqual(["+x/a:1"]);
  });
});

describe("history that is gone is EXPIRED, and the instant from which on it works is named (CH-9)", () => {
  const expired = (instant: string, message: RegExp) => ({
    code: "EXPIRED",
    instant,
    message: expect.stringMatching(message),
  });

  test("where older files were cleaned", async () => {
    await upsert(row("a", 1));
    const second = await upsert(row("a", 2));
    const third = await upsert(row("a", 3));
    await upsert(row("b", 1, "y"));
    const [oldest = "", next = ""] = dataFilesOf(made.store)
      .filter((path) => path.startsWith("x/"))
      .sort(byInstant);
    made.store.delete([oldest]);
    const message = new RegExp(`${second}, expected`);
    for (const after of ["", "0", undefined]) {
      const lost = table.changes(after === undefined ? {} : { after }).toArray();
      await expect(lost).rejects.toMatchObject(expired(second, message));
    }
    expect(await pull({ after: second })).toEqual(["x/a:2 -> x/a:3", "+y/b:1"]);
    made.store.delete([next]);
    await expect(pull({ after: second })).rejects.toMatchObject(expired(third, /was cleaned/));
    expect(await pull({ after: third })).toEqual(["+y/b:1"]);
  });

  test("where a replaced file group was cleaned, or one that came to nothing since", async () => {
    const first = await upsert(row("a", 1), row("b", 1, "y"));
    const [old = ""] = dataFilesOf(made.store).filter((path) => path.startsWith("x/"));
    const replaced = await commit(table.insertOverwrite([row("a", 2)]));
    await upsert(row("a", 3));
    made.store.delete([old]);
    await expect(pull({ after: first })).rejects.toMatchObject(expired(replaced, /was cleaned/));
    expect(await pull({ after: replaced })).toEqual(["x/a:2 -> x/a:3"]);
  });

  test("where all that tells of a cleaned file is the clean", async () => {
    const first = await upsert(row("a", 1));
    const second = await upsert(row("a", 2));
    const replaced = await commit(table.insertOverwrite([row("a", 3)]));
    await upsert(row("a", 4));
    made.store.put(".hoodie/archived/.commits_.archive.1_1-0-1", new Uint8Array(1), undefined);
    const paths = [...made.store.paths()];
    for (const instant of [first, second]) {
      made.store.delete(paths.filter((path) => path.startsWith(`.hoodie/${instant}`)));
    }
    // The clean took the newer file of the group, and failed to take the older one.
    const newer = paths.find((path) => path.endsWith(`_${second}.parquet`)) as string;
    made.store.delete([newer]);
    const held = String(BigInt(replaced) - 1n);
    const empty = `{"partitionToWriteStats":{},"compacted":false,"extraMetadata":{},"operationType":"UPSERT"}`;
    made.store.put(`.hoodie/${held}.commit`, Buffer.from(empty), undefined);
    const clean = await encodeCleanMetadata(
      {
        startTime: String(BigInt(replaced) + 1n),
        timeTakenMs: 1,
        policy: "KEEP_LATEST_COMMITS",
        earliestCommitToRetain: replaced,
        lastCompleted: replaced,
        deletedFiles: new Map([["x", [newer.slice(2)]]]),
        deletedPartitions: [],
      },
      new Uint8Array(16),
    );
    made.store.put(`.hoodie/${String(BigInt(replaced) + 1n)}.clean`, clean, undefined);
    const lost = expired(replaced, new RegExp(`${newer} was cleaned`));
    await expect(pull({ after: held })).rejects.toMatchObject(lost);
    expect(await pull({ after: replaced })).toEqual(["x/a:3 -> x/a:4"]);
  });

  test("where commits were archived, one that a savepoint holds notwithstanding", async () => {
    const first = await upsert(row("a", 1));
    const second = await upsert(row("a", 2));
    const third = await upsert(row("a", 3));
    await upsert(row("a", 4));
    made.store.put(".hoodie/archived/.commits_.archive.1_1-0-1", new Uint8Array(1), undefined);
    const states = (instant: string): string[] =>
      [...made.store.paths()].filter((path) => path.startsWith(`.hoodie/${instant}`));
    made.store.delete(states(second));
    made.store.put(`.hoodie/${first}.savepoint`, new Uint8Array(0), undefined);
    await expect(pull({ after: first })).rejects.toMatchObject(expired(third, /archived/));
    await expect(pull()).rejects.toMatchObject(expired(third, /archived/));
    expect(await pull({ after: third })).toEqual(["x/a:3 -> x/a:4"]);
  });

  test("where files vanish during the read", async () => {
    await upsert(row("a", 1));
    const second = await upsert(row("a", 2));
    await upsert(row("a", 3));
    const scan = table.changes();
    await scan.upTo;
    const [oldest = ""] = dataFilesOf(made.store).sort(byInstant);
    made.store.delete([oldest]);
    await expect(scan.toArray()).rejects.toMatchObject(expired(second, /was cleaned/));
  });
});

function byInstant(a: string, b: string): number {
  const instant = (path: string): string => path.slice(path.lastIndexOf("_"));
  return instant(a) < instant(b) ? -1 : 1;
}

test("applied to a table without an ordering field they make a copy of it (CH-10)", async () => {
  await open({ orderingField: "n" });
  await upsert(row("a", 5), row("b", 5, "y"));
  await commit(table.insertOverwrite([row("a", 1)]));
  await upsert(row("a", 3), row("c", 0));
  const copy = (await createCountedTable(DEFINITION)).table;
  const changes = await table.changes().toArray();
  for (const own of Map.groupBy(changes, ({ instant }) => instant).values()) await copy.apply(own);
  const rows = await copy.read().toArray();
  expect(rows.map(text).sort()).toEqual((await table.read().toArray()).map(text).sort());
});
