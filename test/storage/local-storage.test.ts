import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import { systemRuntime } from "../../src/runtime/runtime.ts";
import { acquireClaim } from "../../src/storage/local-claims.ts";
import { linkFailure, writeFailure } from "../../src/storage/local-errors.ts";
import { LocalStorage } from "../../src/storage/local-storage.ts";
import { findProcessState, loadProcessIdentity } from "../../src/storage/process-identity.ts";
import type { StorageError } from "../../src/storage/storage.ts";
import { isOutcomeUnknown } from "../../src/storage/storage.ts";
import { describeStorageContract, TIMEOUT_MS } from "./storage.contract.ts";

const makeFolder = (): Promise<string> => mkdtemp(join(tmpdir(), "hudi-lake-local-"));

describeStorageContract("local", async () => {
  const root = await makeFolder();
  return {
    open: () => new LocalStorage(root),
    close: () => rm(root, { recursive: true, force: true }),
  };
});

const CHILD = fileURLToPath(new URL("local-child.ts", import.meta.url));
const text = (value: string): Uint8Array => Buffer.from(value);

/** Runs local-child.ts to its end; resolves with its output and the signal that ended it. */
function runChild(...args: string[]): Promise<{ output: string; signal: string | null }> {
  const child: ChildProcess = spawn(process.execPath, [CHILD, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let errors = "";
  child.stdout?.on("data", (chunk) => (output += chunk));
  child.stderr?.on("data", (chunk) => (errors += chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0 || signal) resolve({ output, signal });
      else reject(new Error(`the child ended with ${code}: ${errors}`));
    });
  });
}

describe("the local storage", { timeout: TIMEOUT_MS }, () => {
  let root: string;
  let storage: LocalStorage;
  const read = async (path: string): Promise<string> =>
    Buffer.from((await storage.read(path)).bytes).toString();
  const temporaryFiles = (): Promise<string[]> =>
    readdir(join(root, ".hoodie/.hudi-lake/temporary")).catch(() => []);

  beforeEach(async () => {
    root = join(await makeFolder(), "table");
    storage = new LocalStorage(root);
  });
  afterEach(() => rm(join(root, ".."), { recursive: true, force: true }));

  describe("several processes", () => {
    it("create each name once between them (ST-10)", async () => {
      const children = await Promise.all(
        [1, 2, 3].map(() => runChild("createMany", root, "race", "60")),
      );
      const created = children.flatMap(({ output }) => JSON.parse(output) as number[]);
      expect(created).toHaveLength(60);
      expect(new Set(created).size).toBe(60);
    });

    it("lose no increment of a counter between them (ST-24)", async () => {
      await storage.put("counter", text("0"));
      await Promise.all([1, 2, 3].map(() => runChild("increment", root, "counter", "20")));
      expect(await read("counter")).toBe("60");
    });
  });

  describe("a process that dies", () => {
    it.each([
      ["createIfAbsent", "staged", false],
      ["createIfAbsent", "published", true],
      ["createIfAbsent", "durable", true],
      ["put", "staged", false],
      ["put", "published", true],
      ["createWriter", "staged", false],
      ["createWriter", "published", true],
    ])(
      "in %s when it is %s leaves the object %s, and nothing else (ST-21)",
      async (method, step, isThere) => {
        const { signal } = await runChild("dieAt", root, step, method, "a/b");
        expect(signal).toBe("SIGKILL");
        const listed = (await storage.list("")).map(({ path }) => path);
        expect(listed).toEqual(isThere ? ["a/b"] : []);
        if (isThere) expect(await read("a/b")).toBe("from the dead");
        const second = await storage.createIfAbsent("a/b", text("second"));
        expect(second).toBe(isThere ? "exists" : "created");
        await storage.put("other", text("x"));
        expect(await temporaryFiles()).toEqual([]);
      },
    );

    it.each(["staged", "published"])(
      "in replaceIfUnchanged when it is %s leaves one version, and the next goes on (ST-24)",
      async (step) => {
        await storage.put("a", text("old"));
        await runChild("dieAt", root, step, "replaceIfUnchanged", "a");
        expect(await read("a")).toBe(step === "staged" ? "old" : "from the dead");
        const { tag } = await storage.read("a");
        expect(await storage.replaceIfUnchanged("a", text("next"), tag)).not.toBe("changed");
        expect(await read("a")).toBe("next");
      },
    );
  });

  describe("claims", () => {
    const options = { runtime: systemRuntime, waitMs: 300, subject: "x", signal: undefined };

    it("are held by one at a time, and a dead holder is succeeded once (ST-24)", async () => {
      const claim = join(root, "claim");
      for (let round = 0; round < 3; round++) {
        await runChild("dieClaiming", claim);
        let held = 0;
        let most = 0;
        await Promise.all(
          Array.from({ length: 8 }, async () => {
            const mine = await acquireClaim(claim, { ...options, waitMs: 20_000 });
            held += 1;
            most = Math.max(most, held);
            await new Promise((resolve) => setTimeout(resolve, 2));
            held -= 1;
            await mine.release();
          }),
        );
        expect(most).toBe(1);
        expect(await readdir(root)).toEqual([]);
      }
    });

    it("are succeeded also when the successor died before it took over (ST-24)", async () => {
      const claim = join(root, "claim");
      await runChild("dieClaiming", claim);
      const { nonce } = JSON.parse(await readlink(claim)) as { nonce: string };
      await runChild("dieClaiming", `${claim}.${nonce}`);
      const mine = await acquireClaim(claim, options);
      expect(await readdir(root)).toEqual(["claim"]);
      await mine.release();
      expect(await readdir(root)).toEqual([]);
    });

    it("of a living or an unknown holder are waited for, then named (ST-24)", async () => {
      const claim = join(root, "claim");
      await acquireClaim(claim, options);
      const busy = acquireClaim(claim, options);
      await expect(busy).rejects.toMatchObject({
        code: "UNAVAILABLE",
        storageOutcome: "not-applied",
      });
      await expect(busy).rejects.toThrow(`process ${process.pid}`);
      const strange = join(root, "strange");
      await symlink("no claim of ours", strange);
      await expect(acquireClaim(strange, options)).rejects.toThrow("an unknown process");
    });

    it("stop waiting when the signal aborts", async () => {
      const claim = join(root, "claim");
      await acquireClaim(claim, options);
      const reason = new Error("stopped");
      const stop = new AbortController();
      const waiting = acquireClaim(claim, { ...options, waitMs: 60_000, signal: stop.signal });
      stop.abort(reason);
      await expect(waiting).rejects.toBe(reason);
    });

    it("judge a process by boot, namespace, number and start", async () => {
      const self = await loadProcessIdentity();
      expect(await findProcessState(self)).toBe("alive");
      expect(await findProcessState({ ...self, pid: 2 ** 22 + 1 })).toBe("dead");
      expect(await findProcessState({ ...self, boot: "an earlier one" })).toBe("dead");
      const elsewhere = { ...self, boot: "another", host: "another machine" };
      expect(await findProcessState(elsewhere)).toBe("unknown");
      expect(await findProcessState({ ...self, pidNamespace: "pid:[1]" })).toBe("unknown");
      if (self.start !== "") {
        expect(await findProcessState({ ...self, start: `${self.start}0` })).toBe("dead");
      }
    });
  });

  describe("links and special files", () => {
    beforeEach(async () => {
      await mkdir(join(root, "real"), { recursive: true });
      await writeFile(join(root, "../secret"), "secret");
    });

    it("are refused by every call, inside the storage or out of it (ST-26)", async () => {
      await symlink("../secret", join(root, "file-link"));
      await symlink("..", join(root, "folder-link"));
      for (const call of [
        () => storage.read("file-link"),
        () => storage.readRange("folder-link/secret", { start: 0, end: 3 }),
        () => storage.findObject("folder-link/secret"),
        () => storage.put("file-link", text("x")),
        () => storage.put("folder-link/new", text("x")),
        () => storage.createIfAbsent("file-link", text("x")),
        () => storage.createIfAbsent("folder-link/new", text("x")),
        () => storage.replaceIfUnchanged("file-link", text("x"), "tag"),
        () => storage.createWriter("folder-link/new").close(),
        () => storage.delete(["folder-link/secret"]),
        () => storage.delete(["file-link"]),
        () => storage.list("folder-link"),
        () => storage.list(""),
        () => storage.listFolder(""),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: "UNSUPPORTED" });
      }
      expect(existsSync(join(root, "../secret"))).toBe(true);
      expect(existsSync(join(root, "../new"))).toBe(false);
      expect(await temporaryFiles()).toEqual([]);
    });

    it("above the root are followed", async () => {
      await symlink(root, join(root, "../alias"));
      const alias = new LocalStorage(join(root, "../alias"));
      await alias.put("real/a", text("x"));
      expect(await read("real/a")).toBe("x");
    });
  });

  describe("folders", () => {
    it("that stand where an object is written are refused, and so are objects above one", async () => {
      await storage.put("a/b", text("x"));
      for (const call of [
        () => storage.put("a", text("x")),
        () => storage.createIfAbsent("a", text("x")),
        () => storage.createWriter("a").close(),
        () => storage.put("a/b/c", text("x")),
        () => storage.createIfAbsent("a/b/c", text("x")),
      ]) {
        await expect(call()).rejects.toMatchObject({
          code: "INVALID",
          storageOutcome: "not-applied",
        });
      }
      await expect(storage.read("a")).rejects.toMatchObject({ code: "NOT_FOUND" });
      expect(await storage.findObject("a")).toBeUndefined();
      expect(await temporaryFiles()).toEqual([]);
    });

    it("of markers go with their last marker, other folders stay (ST-27)", async () => {
      const markers = ["city=a/1.marker.CREATE", "city=a/2.marker.CREATE", "3.marker.CREATE"];
      const paths = markers.map((name) => `.hoodie/.temp/20260101000000000/${name}`);
      for (const path of paths) await storage.put(path, new Uint8Array(0));
      await storage.put("city=a/data", text("x"));
      await storage.delete(paths.slice(0, 2));
      expect(await readdir(join(root, ".hoodie/.temp/20260101000000000"))).toEqual([
        "3.marker.CREATE",
      ]);
      await storage.delete([...paths, "city=a/data"]);
      expect(await readdir(join(root, ".hoodie/.temp"))).toEqual([]);
      expect(existsSync(join(root, "city=a"))).toBe(true);
    });

    it("lose the checksum that Hadoop keeps beside a replaced or deleted file (ST-28)", async () => {
      for (const change of ["put", "replace", "delete"] as const) {
        await storage.put("folder/data", text(`before ${change}`));
        await writeFile(join(root, "folder/.data.crc"), "stale");
        const tag = (await storage.findObject("folder/data"))?.tag as string;
        if (change === "put") await storage.put("folder/data", text("after"));
        if (change === "replace") await storage.replaceIfUnchanged("folder/data", text("new"), tag);
        if (change === "delete") await storage.delete(["folder/data"]);
        expect(existsSync(join(root, "folder/.data.crc"))).toBe(false);
      }
    });

    it("of markers may vanish while markers are written (ST-27)", async () => {
      const other = new LocalStorage(root);
      const path = (name: string): string => `.hoodie/.temp/1/p/${name}`;
      const write = async (handle: LocalStorage, name: string): Promise<void> => {
        for (let count = 0; count < 40; count++) {
          await handle.put(path(name), new Uint8Array(0));
          await handle.delete([path(name)]);
        }
      };
      await Promise.all([write(storage, "a"), write(other, "b"), write(storage, "c")]);
      expect(await storage.list(".hoodie/.temp")).toEqual([]);
    });

    it("come back when the whole table was removed behind a handle", async () => {
      await storage.put("a/b/c", text("x"));
      await rm(root, { recursive: true });
      expect(await storage.list("")).toEqual([]);
      expect(await storage.createIfAbsent("a/b/c", text("y"))).toBe("created");
      expect(await read("a/b/c")).toBe("y");
    });
  });

  it("gives different tags to versions that share inode, size and moment (ST-25)", async () => {
    const handle = new LocalStorage(root, {
      runtime: { clock: new SimulatedClock(1_700_000_000_000), random: seededRandom(1) },
    });
    const tags = new Set<string>();
    for (let count = 0; count < 60; count++) {
      await handle.delete(["a"]);
      await handle.createIfAbsent("a", text("same"));
      tags.add((await handle.read("a")).tag);
    }
    expect(tags.size).toBe(60);
    const { modifiedMs = 0 } = (await handle.findObject("a")) ?? {};
    expect(Math.floor(modifiedMs / 1000)).toBe(1_700_000_000);
  });

  it("dates a replacement after what it replaces, also when the clock goes back (ST-25)", async () => {
    const clock = new SimulatedClock(1_700_000_000_000);
    const dated = new LocalStorage(root, { runtime: { clock, random: seededRandom(1) } });
    await dated.put("a", text("x"));
    const before = await dated.findObject("a");
    const early = new LocalStorage(root, {
      runtime: { clock: new SimulatedClock(1_600_000_000_000), random: seededRandom(2) },
    });
    const result = await early.replaceIfUnchanged("a", text("y"), before?.tag ?? "");
    const after = await early.findObject("a");
    expect(after?.tag).toBe((result as { tag: string }).tag);
    expect(after?.modifiedMs).toBeGreaterThanOrEqual(before?.modifiedMs ?? Number.NaN);
  });

  it("has nothing on the disk but objects and its own folder (ST-20)", async () => {
    await storage.put("p/a", text("x"));
    await storage.createIfAbsent(".hoodie/b", text("x"));
    const { tag } = await storage.read("p/a");
    await storage.replaceIfUnchanged("p/a", text("y"), tag);
    await storage.probeConditionalWrites();
    await storage.createWriter("p/c").close();
    const found = await readdir(root, { recursive: true });
    expect(found.sort()).toEqual([
      ".hoodie",
      ".hoodie/.hudi-lake",
      ".hoodie/.hudi-lake/claims",
      ".hoodie/.hudi-lake/temporary",
      ".hoodie/b",
      "p",
      "p/a",
      "p/c",
    ]);
  });

  it("removes temporary files of dead processes, and of others after a day (ST-21)", async () => {
    const folder = join(root, ".hoodie/.hudi-lake/temporary");
    await mkdir(folder, { recursive: true });
    await storage.put("x", text("x"));
    const [own] = [await loadProcessIdentity()];
    await writeFile(join(folder, "0000000000000000-1-1-old"), "x");
    await utimes(join(folder, "0000000000000000-1-1-old"), 1, 1);
    await writeFile(join(folder, "0000000000000000-1-1-new"), "x");
    await new LocalStorage(root).put("y", text("y"));
    expect(own.pid).toBe(process.pid);
    expect(await temporaryFiles()).toEqual(["0000000000000000-1-1-new"]);
  });

  it("does not know the write ids of other handles (ST-15)", async () => {
    await storage.put("a", text("x"), { writeId: "mine" });
    expect(await new LocalStorage(root).loadWriteId("a")).toBeUndefined();
  });

  it("reports a missing right, and nothing was written", async () => {
    if (process.getuid?.() === 0) return;
    await storage.put("a/b", text("x"));
    await chmod(join(root, "a"), 0o500);
    await expect(storage.put("a/c", text("x"))).rejects.toMatchObject({
      code: "UNAVAILABLE",
      storageOutcome: "not-applied",
    });
    await chmod(join(root, "a"), 0o700);
  });

  describe("errors of the system", () => {
    const system = (code: string): Error => Object.assign(new Error(code), { code, syscall: "x" });
    const outcome = (error: unknown): string => (error as StorageError).storageOutcome;

    it("mean what they mean at the stage of the write (ST-23)", () => {
      expect(outcome(writeFailure("/r", "p", "before", system("EIO")))).toBe("not-applied");
      expect(outcome(writeFailure("/r", "p", "publishing", system("EIO")))).toBe("unknown");
      expect(outcome(writeFailure("/r", "p", "publishing", system("EACCES")))).toBe("not-applied");
      expect(outcome(writeFailure("/r", "p", "after", system("EACCES")))).toBe("unknown");
      expect(String(writeFailure("/r", "p", "before", system("ENOSPC")))).toContain("no space");
    });

    it("pass through when they are none", () => {
      const reason = Object.assign(new Error("mine"), { code: "EACCES" });
      expect(writeFailure("/r", "p", "before", reason)).toBe(reason);
    });

    it.each(["EPERM", "EXDEV", "ENOTSUP"])(
      "of a file system without links (%s) refuse the write (ST-22)",
      (code) => {
        const error = linkFailure("/r", "p", system(code));
        expect(error).toMatchObject({ code: "UNSUPPORTED", storageOutcome: "not-applied" });
      },
    );
  });

  it("leaves an unknown outcome when a step after the publication fails (ST-23)", async () => {
    const broken = new LocalStorage(root, {
      onStep: (step) => {
        if (step === "published")
          throw Object.assign(new Error("io"), { code: "EIO", syscall: "fsync" });
      },
    });
    const error = await broken
      .createIfAbsent("a", text("x"), { writeId: "w" })
      .catch((thrown: unknown) => thrown);
    expect(isOutcomeUnknown(error)).toBe(true);
    expect(await broken.loadWriteId("a")).toBe("w");
    expect(await temporaryFiles()).toEqual([]);
  });
});
