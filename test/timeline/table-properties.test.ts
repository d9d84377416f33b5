// The life of hoodie.properties: created once, read from its backup, freed of the metadata table.
import { beforeEach, describe, expect, test } from "vitest";
import { defineTable } from "../../src/layout/table-definition.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import type { Fault, StorageCall } from "../../src/storage/memory-faults.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import {
  createTable,
  dropMetadataTable,
  loadTableConfig,
} from "../../src/timeline/table-properties.ts";

const PATH = ".hoodie/hoodie.properties";
const BACKUP = ".hoodie/hoodie.properties.backup";
const runtime = { clock: new SimulatedClock(0), random: seededRandom(1) };
const definition = {
  name: "trips",
  type: "copy-on-write",
  fields: { id: "string" },
  recordKey: "id",
} as const;

let store: MemoryStore;
let storage: MemoryStorage;
beforeEach(() => {
  store = new MemoryStore(runtime.clock);
  storage = new MemoryStorage(store);
});

const create = (on: MemoryStorage = storage, name = "trips"): Promise<void> =>
  createTable(on, defineTable({ ...definition, name }), runtime);
const textAt = (path: string): string => Buffer.from(store.find(path)?.bytes ?? []).toString();
const move = (from: string, to: string): void => {
  store.put(to, store.find(from)?.bytes as Uint8Array, undefined);
  store.delete([from]);
};
const withFault = (chooseFault: (call: StorageCall) => Fault | undefined): MemoryStorage =>
  new MemoryStorage(store, { chooseFault });
const failsOn = (method: string, fault: Fault): MemoryStorage =>
  withFault((call) => (call.method === method ? fault : undefined));

describe("creation (TBL-7)", () => {
  test("a folder with properties is a table (TBL-1)", async () => {
    await create();
    expect([...store.paths()]).toEqual([PATH]);
    expect((await loadTableConfig(storage)).name).toBe("trips");
  });

  test("of several creators one wins, and the others change nothing", async () => {
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => create(storage, `trips${n}`)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const winner = outcomes.findIndex(({ status }) => status === "fulfilled");
    expect((await loadTableConfig(storage)).name).toBe(`trips${winner + 1}`);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") {
        expect(outcome.reason).toMatchObject({ code: "ALREADY_EXISTS" });
        expect(outcome.reason.message).toMatch(/memory:.*open it instead/);
      }
    }
  });

  test("a table in the middle of an update is there already (TBL-5)", async () => {
    await create();
    move(PATH, BACKUP);
    await expect(create(storage, "another")).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect((await loadTableConfig(storage)).name).toBe("trips");
  });

  test("an unknown outcome is settled by looking whose properties are there", async () => {
    await create(failsOn("createIfAbsent", "unknown"));
    expect((await loadTableConfig(storage)).name).toBe("trips");
  });

  test("an unknown outcome with the properties of another is ALREADY_EXISTS", async () => {
    await create();
    const again = create(failsOn("createIfAbsent", "unknown-not-applied"), "another");
    await expect(again).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
    expect((await loadTableConfig(storage)).name).toBe("trips");
  });

  test("an unknown outcome with nothing there stays unknown", async () => {
    const failed = create(failsOn("createIfAbsent", "unknown-not-applied"));
    await expect(failed).rejects.toMatchObject({ code: "UNAVAILABLE", storageOutcome: "unknown" });
  });

  test("a refusal is told as it is", async () => {
    const failed = create(failsOn("createIfAbsent", "not-applied"));
    await expect(failed).rejects.toMatchObject({ code: "UNAVAILABLE" });
    await create();
  });
});

describe("the backup (TBL-5)", () => {
  test("is read where the file is missing", async () => {
    await create();
    move(PATH, BACKUP);
    expect((await loadTableConfig(storage)).name).toBe("trips");
  });

  test.each([
    ["empty", ""],
    ["cut short", "hoodie.table.name=trips\nhoodie.table.ver"],
    ["not text", "\0\0\0"],
  ])("is read where the file is %s", async (_, damaged) => {
    await create();
    move(PATH, BACKUP);
    store.put(PATH, Buffer.from(damaged), undefined);
    expect((await loadTableConfig(storage)).name).toBe("trips");
  });

  test("without it damage is told, with what is wrong and what to do", async () => {
    store.put(PATH, Buffer.from("hoodie.table.name=trips\n"), undefined);
    await expect(loadTableConfig(storage)).rejects.toMatchObject({
      code: "CORRUPT",
      path: PATH,
      message: expect.stringMatching(
        /memory:.*lacks hoodie.table.version; restore it from .*backup/,
      ),
    });
  });

  test("damaged itself, beside a file that is missing, is damage and no place for a new table", async () => {
    store.put(BACKUP, Buffer.from("hoodie.table.name=trips\n"), undefined);
    await expect(loadTableConfig(storage)).rejects.toMatchObject({ code: "CORRUPT", path: BACKUP });
    await expect(create()).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  });

  test("does not stand in for a file of another version", async () => {
    await create();
    store.put(BACKUP, store.find(PATH)?.bytes as Uint8Array, undefined);
    const other = textAt(PATH).replace("hoodie.table.version=6", "hoodie.table.version=5");
    store.put(PATH, Buffer.from(other), undefined);
    await expect(loadTableConfig(storage)).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  test("neither: the location is no table, and the error says to create one", async () => {
    await expect(loadTableConfig(storage)).rejects.toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringMatching(/memory:.*found no .*hoodie.properties.*create it first/),
    });
  });

  test("a storage that does not answer is no proof that there is no table", async () => {
    await create();
    move(PATH, BACKUP);
    const deaf = withFault((call) => (call.path === BACKUP ? "not-applied" : undefined));
    await expect(loadTableConfig(deaf)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    const abort = AbortSignal.abort(new Error("enough"));
    await expect(loadTableConfig(storage, abort)).rejects.toThrow("enough");
  });
});

describe("dropping the metadata table (TBL-8)", () => {
  test("takes the properties off first, then the folder, and keeps all else", async () => {
    await create();
    const before = textAt(PATH);
    const listed = before.replace(
      "hoodie.table.version",
      "hoodie.table.metadata.partitions=files\nhoodie.table.metadata.partitions.inflight=stats\nmine=yes\nhoodie.table.version",
    );
    store.put(PATH, Buffer.from(listed), undefined);
    for (const name of ["hoodie.properties", "files/a.hfile", "deep/er/b"]) {
      store.put(`.hoodie/metadata/${name}`, Buffer.from("x"), undefined);
    }
    const callLog: StorageCall[] = [];
    const logged = new MemoryStorage(store, { callLog });
    await dropMetadataTable(logged, await loadTableConfig(storage), runtime);
    expect(callLog.filter(({ isWrite }) => isWrite).map(({ method }) => method)).toEqual([
      "put",
      "delete",
    ]);
    expect([...store.paths()]).toEqual([PATH]);
    const config = await loadTableConfig(storage);
    expect(config.metadataPartitions).toEqual([]);
    expect(config.properties.get("mine")).toBe("yes");
    expect([...config.properties.keys()].some((key) => key.includes("metadata"))).toBe(false);
  });

  test("left half-way leaves a table without one", async () => {
    await create();
    const listed = textAt(PATH).replace(
      "hoodie.table.version",
      "hoodie.table.metadata.partitions=files\nhoodie.table.version",
    );
    store.put(PATH, Buffer.from(listed), undefined);
    store.put(".hoodie/metadata/files/a.hfile", Buffer.from("x"), undefined);
    const config = await loadTableConfig(storage);
    const failed = dropMetadataTable(failsOn("delete", "not-applied"), config, runtime);
    await expect(failed).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect((await loadTableConfig(storage)).metadataPartitions).toEqual([]);
  });
});
