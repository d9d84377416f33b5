import { describe, expect, it } from "vitest";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import type { Fault, StorageCall } from "../../src/storage/memory-faults.ts";
import { ProcessDied } from "../../src/storage/memory-faults.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { isOutcomeUnknown, StorageError } from "../../src/storage/storage.ts";
import { describeStorageContract } from "./storage.contract.ts";

describeStorageContract("memory", () => {
  const store = new MemoryStore();
  return { open: () => new MemoryStorage(store), close: async () => {} };
});

const text = (value: string): Uint8Array => Buffer.from(value);

describe("the memory storage", () => {
  const failing = (store: MemoryStore, fault: Fault, nth = 0): MemoryStorage =>
    new MemoryStorage(store, {
      chooseFault: ({ index }) => (index === nth ? fault : undefined),
    });
  const thrownBy = (call: Promise<unknown>): Promise<unknown> =>
    call.then(
      () => undefined,
      (error: unknown) => error,
    );

  const writes: Record<string, (storage: Storage) => Promise<unknown>> = {
    put: (storage) => storage.put("p", text("new")),
    createIfAbsent: (storage) => storage.createIfAbsent("p", text("new")),
    createWriter: async (storage) => {
      const writer = storage.createWriter("p");
      await writer.write(text("new"));
      await writer.close();
    },
  };

  describe.each(Object.entries(writes))("%s", (_, write) => {
    it.each<[Fault, boolean, "not-applied" | "unknown" | "death"]>([
      ["not-applied", false, "not-applied"],
      ["unknown", true, "unknown"],
      ["unknown-not-applied", false, "unknown"],
      ["dies-before", false, "death"],
      ["dies-after", true, "death"],
    ])("with the fault %s applies %s and ends %s (ST-31)", async (fault, isApplied, ends) => {
      const store = new MemoryStore();
      const storage = failing(store, fault);
      const error = await thrownBy(write(storage));
      expect(store.find("p") !== undefined).toBe(isApplied);
      if (ends === "death") {
        expect(error).toBeInstanceOf(ProcessDied);
        expect(isOutcomeUnknown(error)).toBe(true);
        expect(await thrownBy(storage.list(""))).toBeInstanceOf(ProcessDied);
      } else {
        expect(error).toBeInstanceOf(StorageError);
        expect((error as StorageError).storageOutcome).toBe(ends);
        expect(await storage.list("")).toHaveLength(isApplied ? 1 : 0);
      }
    });
  });

  it("lets a write arrive after its caller was told that the outcome is unknown (ST-31)", async () => {
    const store = new MemoryStore();
    const storage = failing(store, "unknown-late");
    expect(isOutcomeUnknown(await thrownBy(storage.createIfAbsent("p", text("late"))))).toBe(true);
    expect(store.find("p")).toBeUndefined();
    expect(await storage.createIfAbsent("p", text("other"))).toBe("created");
    expect(store.applyLateChanges()).toBe(1);
    expect(Buffer.from((await storage.read("p")).bytes).toString()).toBe("other");
  });

  it.each<Fault>(["unknown-partly", "dies-partly"])(
    "removes half of the paths with the fault %s (ST-31)",
    async (fault) => {
      const store = new MemoryStore();
      for (const path of ["a", "b", "c", "d"]) store.put(path, text(path), undefined);
      await thrownBy(failing(store, fault).delete(["a", "b", "c", "d"]));
      expect([...store.paths()]).toEqual(["c", "d"]);
    },
  );

  it("fails reads as well, and the n-th call only (ST-31)", async () => {
    const store = new MemoryStore();
    store.put("a", text("x"), undefined);
    const storage = failing(store, "not-applied", 2);
    await storage.read("a");
    await storage.findObject("a");
    expect(await thrownBy(storage.list(""))).toBeInstanceOf(StorageError);
    await storage.list("");
    expect(storage.callCount).toBe(4);
  });

  it("logs the calls of several processes in one order (ST-30)", async () => {
    const store = new MemoryStore();
    const callLog: StorageCall[] = [];
    const one = new MemoryStorage(store, { process: "one", callLog });
    const two = new MemoryStorage(store, { process: "two", callLog });
    await one.put("a", text("x"));
    await two.read("a");
    await one.delete(["a", "b"]);
    expect(
      callLog.map((c) => `${c.process} ${c.index} ${c.method} ${c.path} ${c.isWrite}`),
    ).toEqual(["one 0 put a true", "two 0 read a false", "one 1 delete a true"]);
  });

  it("takes effect only when it is let through (ST-32)", async () => {
    const store = new MemoryStore();
    const gates = new Map<string, () => void>();
    const open = (process: string): MemoryStorage =>
      new MemoryStorage(store, {
        process,
        beforeCall: () => new Promise((resolve) => gates.set(process, resolve)),
      });
    const first = open("first").createIfAbsent("a", text("first"));
    const second = open("second").createIfAbsent("a", text("second"));
    await Promise.resolve();
    gates.get("second")?.();
    expect(await second).toBe("created");
    gates.get("first")?.();
    expect(await first).toBe("exists");
  });

  it("fails a call that is held back when its process is killed (ST-32)", async () => {
    const store = new MemoryStore();
    let release = (): void => {};
    const storage = new MemoryStorage(store, {
      beforeCall: () => new Promise<void>((resolve) => (release = resolve)),
    });
    const call = thrownBy(storage.put("a", text("x")));
    storage.kill();
    release();
    expect(await call).toBeInstanceOf(ProcessDied);
    expect(store.find("a")).toBeUndefined();
  });

  it("dates objects by the clock of the store, and copies are apart (ST-33)", async () => {
    const clock = new SimulatedClock(1_000);
    const store = new MemoryStore(clock);
    const storage = new MemoryStorage(store, { leaseKind: "numbered" });
    await storage.put("a", text("x"));
    clock.advance(500);
    const copy = new MemoryStorage(store.copy());
    await copy.put("b", text("y"));
    expect((await storage.findObject("a"))?.modifiedMs).toBe(1_000);
    expect((await copy.findObject("b"))?.modifiedMs).toBe(1_500);
    expect((await copy.findObject("a"))?.tag).toBe((await storage.findObject("a"))?.tag);
    expect(await storage.findObject("b")).toBeUndefined();
    expect(storage.leaseKind).toBe("numbered");
  });
});
