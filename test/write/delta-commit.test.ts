// Writes of merge-on-read tables: which logs they add, what stands in these, and what they look at.
import { describe, expect, test } from "vitest";
import { findLogFile, type LogFile } from "../../src/file-group/log-file.ts";
import { readLogBlocks } from "../../src/format/log-block-reader.ts";
import { HudiTable, MemoryStorage, type TableOptions } from "../../src/index.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import type { Fault, StorageCall } from "../../src/storage/memory-faults.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { parseCommitMetadata, type WriteStat } from "../../src/timeline/commit-metadata.ts";
import { encodeCompactionPlan } from "../../src/timeline/compaction-plan.ts";
import { SMALL_WRITES, START_MS } from "../support/memory-table.ts";

interface Row {
  readonly id: string;
  readonly at: bigint;
  readonly note: string | null;
}

const row = (id: string, at: number, note: string | null = null): Row => ({
  id,
  at: BigInt(at),
  note,
});

/** A merge-on-read table of one bucket, or with another index, and what it makes of the store. */
class Lab {
  readonly clock = new SimulatedClock(START_MS);
  readonly store = new MemoryStore(this.clock);
  readonly calls: StorageCall[] = [];
  /** What goes wrong with a call. */
  fault: ((call: StorageCall) => Fault | undefined) | undefined;
  #seed = 0;

  options(write: TableOptions["write"] = {}): TableOptions {
    this.#seed += 1;
    const chooseFault = (call: StorageCall): Fault | undefined => {
      this.calls.push(call);
      return this.fault?.(call);
    };
    return {
      storage: new MemoryStorage(this.store, { chooseFault }),
      runtime: { clock: this.clock, random: seededRandom(this.#seed) },
      workers: { count: 0 },
      write: { ...SMALL_WRITES, ...write },
    };
  }

  async create(
    index: "bucket" | "bloom" = "bucket",
    write: TableOptions["write"] = {},
  ): Promise<HudiTable<Row>> {
    return HudiTable.create<Row>(
      "memory:",
      {
        name: "logs",
        type: "merge-on-read",
        fields: { id: "string", at: "long", note: "string?" },
        recordKey: "id",
        orderingField: "at",
        index: index === "bucket" ? { kind: "bucket", buckets: 1 } : { kind: "bloom" },
      } as never,
      this.options(write),
    );
  }

  logs(): LogFile[] {
    return [...this.store.paths()].flatMap((path) => findLogFile(path, this.sizeOf(path)) ?? []);
  }

  sizeOf(path: string): number {
    return this.store.find(path)?.bytes.length ?? 0;
  }

  async blocks(log: LogFile): Promise<string[]> {
    const bytes = this.store.find(log.path)?.bytes as Uint8Array;
    const types: string[] = [];
    const readRange = async (start: number, end: number): Promise<Uint8Array> =>
      bytes.slice(start, end);
    for await (const block of readLogBlocks({
      path: log.path,
      sizeBytes: bytes.length,
      readRange,
    })) {
      types.push(block.type);
    }
    return types;
  }

  stats(instant: string): readonly WriteStat[] {
    const path = `.hoodie/${instant}.deltacommit`;
    const { partitionToWriteStats } = parseCommitMetadata(
      this.store.find(path)?.bytes as Uint8Array,
      path,
    );
    return [...partitionToWriteStats.values()].flat();
  }
}

/** What the storage was asked, from a call on. */
const methodsSince = (lab: Lab, from: number): string[] =>
  lab.calls.slice(from).map(({ method, path }) => `${method} ${path}`);

test("a write adds one log to a slice: next version, own token, instant of the slice (DC-1, DC-4)", async () => {
  const lab = new Lab();
  const table = await lab.create();
  const { instant: first } = await table.upsert([row("a", 1), row("b", 1)]);
  expect(lab.logs()).toEqual([]);
  lab.clock.advance(1000);
  const second = await table.upsert([row("a", 2)]);
  lab.clock.advance(1000);
  await table.upsert([row("b", 2), row("c", 1)]);
  expect(second).toMatchObject({ action: "deltacommit", updated: 1 });
  const logs = lab.logs();
  expect(logs.map(({ version, instant }) => [version, instant])).toEqual([
    [1, first],
    [2, first],
  ]);
  expect(new Set(logs.map(({ writeToken }) => writeToken)).size).toBe(2);
  const [stat] = lab.stats(second.instant);
  expect(stat).toMatchObject({
    path: logs[0]?.path,
    prevCommit: first,
    numUpdateWrites: 1,
    fileSizeInBytes: logs[0]?.sizeBytes,
    logVersion: 1,
    logOffset: 0,
    logFiles: [logs[0]?.fileName],
  });
  expect(stat?.baseFile).toMatch(/\.parquet$/);
});

test("two writers who saw the same slice write to different files (DC-1)", async () => {
  const lab = new Lab();
  const table = await lab.create();
  await table.upsert([row("a", 1)]);
  const [one, other] = [
    await HudiTable.open<Row>("memory:", lab.options()),
    await HudiTable.open<Row>("memory:", lab.options()),
  ];
  await Promise.all([one.upsert([row("a", 2, "one")]), other.upsert([row("b", 2, "other")])]);
  const rows = await table.read({ columns: ["id", "note"] }).toArray();
  expect(rows.sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
    { id: "a", note: "one" },
    { id: "b", note: "other" },
  ]);
  expect(new Set(lab.logs().map(({ writeToken }) => writeToken)).size).toBe(lab.logs().length);
});

test("a log that is full is followed by another one (DC-1)", async () => {
  const lab = new Lab();
  const table = await lab.create("bucket", { maxLogFileBytes: 1 });
  await table.upsert([row("a", 1)]);
  const { instant } = await table.apply([
    { op: "update", key: { id: "a" }, after: row("a", 2) },
    { op: "delete", key: { id: "b" } },
  ]);
  expect(lab.logs().map(({ version }) => version)).toEqual([1, 2]);
  expect(lab.stats(instant).map(({ numWrites, numDeletes }) => [numWrites, numDeletes])).toEqual([
    [1, 0],
    [0, 1],
  ]);
  expect(lab.stats(instant)[1]?.logFiles).toHaveLength(2);
  expect(await table.read().toArray()).toEqual([row("a", 2)]);
});

test("a log holds deletions to come back from, rows, and deletions (DC-2)", async () => {
  const lab = new Lab();
  const table = await lab.create();
  await table.upsert([row("a", 5), row("b", 5)]);
  await table.upsert([row("a", 9)]);
  await table.apply([
    { op: "delete", key: { id: "a" } },
    { op: "insert", key: { id: "a" }, after: row("a", 7, "back") },
    { op: "delete", key: { id: "b" } },
  ]);
  const [first, second] = lab.logs() as [LogFile, LogFile];
  expect(await lab.blocks(first)).toEqual(["avro"]);
  expect(await lab.blocks(second)).toEqual(["delete", "avro", "delete"]);
  expect(await table.read().toArray()).toEqual([row("a", 7, "back")]);
});

test("a bucket takes changes in without a look at what is stored (DC-3)", async () => {
  const lab = new Lab();
  const table = await lab.create();
  await table.upsert([row("a", 1), row("b", 1)]);
  const from = lab.calls.length;
  await table.upsert([row("a", 2), row("new", 1)]);
  await table.delete([{ id: "b" }]);
  expect(methodsSince(lab, from).filter((call) => /^read.*parquet/.test(call))).toEqual([]);
  expect(lab.logs()).toHaveLength(2);
});

test("new keys of the other indexes go into base files, updates into logs (DC-3)", async () => {
  const lab = new Lab();
  const table = await lab.create("bloom");
  await table.upsert([row("a", 1), row("b", 1)]);
  // A small file without logs takes new rows in.
  await table.upsert([row("c", 1)]);
  expect([(await table.files()).length, lab.logs().length]).toEqual([1, 0]);
  await table.upsert([row("a", 2)]);
  // One with logs does not, as its new keys would be found in no base file.
  expect(await table.upsert([row("a", 3), row("d", 1)])).toMatchObject({ inserted: 1, updated: 1 });
  const files = await table.files();
  expect(files.map(({ logFiles }) => logFiles.length).sort()).toEqual([0, 2]);
  expect((await table.read().toArray()).map(({ id, at }) => `${id}${at}`).sort()).toEqual([
    ...["a3", "b1", "c1", "d1"],
  ]);
});

describe("while a compaction is pending", () => {
  async function plan(lab: Lab, table: HudiTable<Row>): Promise<string> {
    const [slice] = await table.files();
    const time = "20260115120130000";
    const content = await encodeCompactionPlan(
      {
        operations: [
          {
            partitionPath: "",
            fileId: slice?.fileId as string,
            baseInstant: slice?.baseInstant as string,
            dataFile: slice?.baseFile?.fileName,
            logFiles: slice?.logFiles.map(({ fileName }) => fileName) ?? [],
            metrics: new Map(),
          },
        ],
      },
      new Uint8Array(16),
    );
    await new MemoryStorage(lab.store).put(`.hoodie/${time}.compaction.requested`, content);
    return time;
  }

  test("logs bear its instant, and are read with the slice before it (DC-4, DC-5, FSV-6)", async () => {
    const lab = new Lab();
    const table = await lab.create();
    await table.upsert([row("a", 1), row("b", 1)]);
    lab.clock.advance(1000);
    await table.upsert([row("a", 2)]);
    const time = await plan(lab, table);
    lab.clock.advance(200_000);
    await table.upsert([row("b", 3)]);
    expect(lab.logs().map(({ instant, version }) => [instant === time, version])).toEqual([
      [false, 1],
      [true, 1],
    ]);
    expect((await table.read().toArray()).map(({ id, at }) => `${id}${at}`).sort()).toEqual([
      "a2",
      "b3",
    ]);
    const [slice] = await table.files();
    expect(slice?.logFiles).toHaveLength(2);
  });

  test("that was planned since the write began, the write is done again (DC-5)", async () => {
    const lab = new Lab();
    const table = await lab.create();
    await table.upsert([row("a", 1)]);
    lab.clock.advance(1000);
    let isPlanned = false;
    async function* rows(): AsyncGenerator<Row> {
      yield row("a", 2);
    }
    const options = lab.options();
    const storage = options.storage as MemoryStorage;
    const createWriter = storage.createWriter.bind(storage);
    storage.createWriter = (path, given) => {
      const upload = createWriter(path, given);
      if (isPlanned) return upload;
      isPlanned = true;
      const close = upload.close.bind(upload);
      upload.close = async () => {
        await plan(lab, table);
        lab.clock.advance(200_000);
        return close();
      };
      return upload;
    };
    const other = await HudiTable.open<Row>("memory:", options);
    await other.upsert(rows());
    expect(
      lab
        .logs()
        .map(({ instant }) => instant)
        .at(-1),
    ).toBe("20260115120130000");
    expect(await table.read().toArray()).toEqual([row("a", 2)]);
  });
});

test("rows that lack columns are made whole from base file and logs (DC-6)", async () => {
  for (const index of ["bucket", "bloom"] as const) {
    const lab = new Lab();
    const table = await lab.create(index);
    await table.upsert([row("a", 1, "stored"), row("b", 1, "stored")]);
    await table.upsert([row("a", 2, "logged")]);
    await table.upsert(
      [
        { id: "a", at: 3n },
        { id: "b", at: 3n },
      ],
      { partial: true },
    );
    const rows = await table.read().toArray();
    expect(rows.sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
      row("a", 3, "logged"),
      row("b", 3, "stored"),
    ]);
    await table.delete([{ id: "a" }]);
    await table.upsert([{ id: "a", at: 9n }], { partial: true });
    expect((await table.read().toArray()).find(({ id }) => id === "a")).toEqual(row("a", 9));
  }
});

test("the marker of a log precedes it and names the base file of its token (DC-7)", async () => {
  const lab = new Lab();
  const table = await lab.create();
  const { instant: base } = await table.upsert([row("a", 1)]);
  const from = lab.calls.length;
  const { instant } = await table.upsert([row("a", 2)]);
  const [log] = lab.logs() as [LogFile];
  const marker = `.hoodie/.temp/${instant}/${log.fileId}_${log.writeToken}_${base}.parquet.marker.APPEND`;
  const calls = methodsSince(lab, from);
  expect(calls.indexOf(`put ${marker}`)).toBeGreaterThan(-1);
  expect(calls.indexOf(`put ${marker}`)).toBeLessThan(calls.indexOf(`createWriter ${log.path}`));
  expect([...lab.store.paths()].filter((path) => path.includes(".temp"))).toEqual([]);
});

test("a table without a named index that looks like buckets is not written (IX-10)", async () => {
  const lab = new Lab();
  const table = await lab.create();
  await table.upsert([row("a", 1)]);
  const storage = new MemoryStorage(lab.store);
  const path = ".hoodie/hoodie.properties";
  const text = Buffer.from((await storage.read(path)).bytes).toString();
  const unnamed = text.split("\n").filter((line) => !/index/.test(line));
  await storage.put(path, Buffer.from(unnamed.join("\n")));
  const open = (properties: Record<string, string>): Promise<HudiTable<Row>> =>
    HudiTable.open<Row>("memory:", { ...lab.options(), properties });
  await expect((await open({})).upsert([row("a", 2)])).rejects.toMatchObject({
    code: "UNSUPPORTED",
    message: expect.stringMatching(/hoodie.index.type/),
  });
  const named = await open({
    "hoodie.index.type": "BUCKET",
    "hoodie.bucket.index.num.buckets": "1",
  });
  await named.upsert([row("a", 2)]);
  expect(await named.read().toArray()).toEqual([row("a", 2)]);
});

test("a read-optimized read shows base files alone (FSV-6)", async () => {
  const lab = new Lab();
  const table = await lab.create();
  await table.upsert([row("a", 1)]);
  await table.upsert([row("a", 2), row("b", 1)]);
  expect(await table.read({ readOptimized: true }).toArray()).toEqual([row("a", 1)]);
  expect(await table.read().toArray()).toHaveLength(2);
});

describe("a row that comes back after a logged deletion", () => {
  test("loses against a newer one in the base file, which shows again (MR-19)", async () => {
    const table = await new Lab().create();
    await table.upsert([row("a", 100, "stored"), row("b", 100, "stored")]);
    await table.delete([{ id: "a" }, { id: "b" }]);
    expect(await table.read().toArray()).toEqual([]);
    await table.upsert([row("a", 50, "older"), row("b", 100, "as new")]);
    const rows = (await table.read().toArray()).sort((a, b) => (a.id < b.id ? -1 : 1));
    expect(rows).toEqual([row("a", 100, "stored"), row("b", 100, "as new")]);
  });
});

test("a write that is given up leaves its log, and rolls itself back (DC-8)", async () => {
  const lab = new Lab();
  const table = await lab.create();
  await table.upsert([row("a", 1, "stored")]);
  lab.fault = ({ isWrite, path }) =>
    isWrite && path.endsWith(".deltacommit") ? "not-applied" : undefined;
  await expect(table.upsert([row("a", 2, "given up")])).rejects.toThrow();
  lab.fault = undefined;
  // The second log is the command that undoes the first.
  expect(lab.logs().map(({ version }) => version)).toEqual([1, 2]);
  expect(await table.read().toArray()).toEqual([row("a", 1, "stored")]);
  lab.clock.advance(48 * 3_600_000);
  await table.upsert([row("b", 1)]);
  expect(await table.read().toArray()).toEqual([row("a", 1, "stored"), row("b", 1)]);
  const rollbacks = (await table.timeline()).filter(({ action }) => action === "rollback");
  expect(rollbacks.map(({ state }) => state)).toEqual(["completed"]);
});
