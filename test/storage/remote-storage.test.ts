import { randomBytes } from "node:crypto";
import { MessageChannel, Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HudiError } from "../../src/errors.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { decodeFailure, encodeFailure } from "../../src/storage/remote-protocol.ts";
import { RemoteStorage } from "../../src/storage/remote-storage.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { isOutcomeUnknown, StorageError } from "../../src/storage/storage.ts";
import { describeStorage, serveStorage } from "../../src/storage/storage-server.ts";
import { describeStorageContract } from "./storage.contract.ts";

function connect(storage: Storage): { remote: RemoteStorage; stop: () => void } {
  const { port1, port2 } = new MessageChannel();
  const stop = serveStorage(storage, port1);
  return { remote: new RemoteStorage(port2, describeStorage(storage)), stop };
}

describeStorageContract("memory through a port", () => {
  const store = new MemoryStore();
  return { open: () => connect(new MemoryStorage(store)).remote, close: async () => {} };
});

const text = (value: string): Uint8Array => Buffer.from(value);
const thrownBy = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a storage through a port", () => {
  let store: MemoryStore;
  beforeEach(() => {
    store = new MemoryStore();
  });

  it.each(["not-applied", "unknown"] as const)(
    "carries a failure with the outcome %s (ST-71)",
    async (fault) => {
      const { remote } = connect(new MemoryStorage(store, { chooseFault: () => fault }));
      const error = await thrownBy(remote.put("a", text("x")));
      expect(error).toBeInstanceOf(StorageError);
      expect(error).toMatchObject({ storageOutcome: fault, code: "UNAVAILABLE", path: "a" });
      expect(isOutcomeUnknown(error)).toBe(fault === "unknown");
      await remote.close();
    },
  );

  it("makes errors anew with class, code, names and causes (ST-71)", () => {
    const cause = Object.assign(new TypeError("deep"), { cause: "a string" });
    const error = new HudiError("CORRUPT", "bad bytes", { path: "p", instant: "2026", cause });
    const copy = decodeFailure(structuredClone(encodeFailure(error)));
    expect(copy).toBeInstanceOf(HudiError);
    expect(copy).not.toBeInstanceOf(StorageError);
    expect(copy).toMatchObject({
      code: "CORRUPT",
      message: "bad bytes",
      path: "p",
      instant: "2026",
    });
    expect(copy.cause).toMatchObject({ name: "TypeError", message: "deep" });
    const endless = new Error("round");
    endless.cause = endless;
    expect(decodeFailure(encodeFailure(endless)).message).toBe("round");
  });

  it("aborts the call on the other side, and throws the caller's reason at once (ST-72)", async () => {
    let other: AbortSignal | undefined;
    const slow = new MemoryStorage(store);
    slow.read = (_path, options) => {
      other = options?.signal;
      return new Promise((_, reject) => {
        other?.addEventListener("abort", () => reject(other?.reason), { once: true });
      });
    };
    const { remote } = connect(slow);
    const stop = new AbortController();
    const reading = thrownBy(remote.read("a", { signal: stop.signal }));
    while (!other) await new Promise((resolve) => setImmediate(resolve));
    const reason = new Error("enough");
    stop.abort(reason);
    expect(await reading).toBe(reason);
    while (!other.aborted) await new Promise((resolve) => setImmediate(resolve));
    await remote.close();
  });

  it("hands over the buffer of a written piece instead of copying it (ST-73)", async () => {
    const { remote } = connect(new MemoryStorage(store));
    const writer = remote.createWriter("w");
    const whole = new Uint8Array(randomBytes(1000));
    const expected = Buffer.from(whole);
    const shared = new Uint8Array(2000);
    await writer.write(whole);
    await writer.write(shared.subarray(500, 600));
    await writer.close();
    expect(whole.byteLength).toBe(0);
    expect(shared.byteLength).toBe(2000);
    const { bytes } = await remote.read("w");
    expect(Buffer.from(bytes).equals(Buffer.concat([expected, Buffer.alloc(100)]))).toBe(true);
    expect(bytes.buffer.byteLength).toBe(1100);
    await remote.close();
  });

  it("holds back a writer as the storage does (ST-73)", async () => {
    let release = (): void => {};
    const slow = new MemoryStorage(store);
    slow.createWriter = () => ({
      write: () => new Promise<void>((resolve) => (release = resolve)),
      close: async () => ({ sizeBytes: 0 }),
      abort: async () => {},
    });
    const { remote } = connect(slow);
    let isWritten = false;
    const writing = remote
      .createWriter("w")
      .write(new Uint8Array(1))
      .then(() => (isWritten = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isWritten).toBe(false);
    release();
    await writing;
    await remote.close();
  });

  it("ends calls with an unknown outcome, and gives writers up, when the port closes (ST-74)", async () => {
    let isAborted = false;
    const storage = new MemoryStorage(store, { beforeCall: () => new Promise(() => {}) });
    storage.createWriter = () => ({
      write: async () => {},
      close: async () => ({ sizeBytes: 0 }),
      abort: async () => {
        isAborted = true;
      },
    });
    const { remote, stop } = connect(storage);
    const writer = remote.createWriter("w");
    await writer.write(new Uint8Array(1));
    const putting = thrownBy(remote.put("a", text("x")));
    await new Promise((resolve) => setImmediate(resolve));
    stop();
    expect(isOutcomeUnknown(await putting)).toBe(true);
    expect(isAborted).toBe(true);
    const later = await thrownBy(remote.put("a", text("x")));
    expect(later).toMatchObject({ storageOutcome: "not-applied" });
  });

  describe("of a worker", () => {
    let worker: Worker | undefined;
    afterEach(() => worker?.terminate());

    /** Starts the worker; resolves with what it reports. */
    const start = async (storage: Storage, isIdle: boolean): Promise<unknown> => {
      const { port1, port2 } = new MessageChannel();
      serveStorage(storage, port1);
      worker = new Worker(new URL("remote-worker.ts", import.meta.url), {
        workerData: { port: port2, description: describeStorage(storage), isIdle },
        transferList: [port2],
      });
      return new Promise((resolve, reject) => {
        worker?.once("message", resolve);
        worker?.once("error", reject);
      });
    };
    const exitCode = (): Promise<unknown> =>
      new Promise((resolve) => worker?.once("exit", resolve));

    it("does not keep it alive while it is idle (ST-70)", async () => {
      expect(await start(new MemoryStorage(store), true)).toBe("idle");
      expect(await exitCode()).toBe(0);
    });

    it("reads and writes what the host has (ST-70)", async () => {
      const storage = new MemoryStorage(store);
      await storage.put("in", text("from the host"));
      expect(await start(storage, false)).toEqual({
        location: "memory:",
        text: "from the host",
        listed: ["in", "out"],
        missing: "NOT_FOUND",
      });
      expect(Buffer.from((await storage.read("out")).bytes).toString()).toBe("from the worker");
      expect(await exitCode()).toBe(0);
    });
  });
});
