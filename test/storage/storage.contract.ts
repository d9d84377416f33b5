// What every storage promises. One suite, run over memory, directories, S3 and a remote thread.
import { randomBytes, randomUUID } from "node:crypto";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import type { Storage, StoredObject } from "../../src/storage/storage.ts";
import { compareUtf8 } from "../../src/storage/storage-path.ts";

/** A store under test. Each call of `open` is another handle ("process") on the same content. */
export interface StorageWorld {
  open(): Storage | Promise<Storage>;
  close(): Promise<void>;
}

export interface ContractOptions {
  /** How many random cases the property tests try. */
  readonly runs?: number;
}

/** Generous, since the machine may be busy; nothing here waits by itself. */
export const TIMEOUT_MS = 60_000;

const text = (value: string): Uint8Array => Buffer.from(value, "utf8");
const read = async (storage: Storage, path: string): Promise<string> =>
  Buffer.from((await storage.read(path)).bytes).toString("utf8");
const pathsOf = (objects: readonly StoredObject[]): string[] => objects.map(({ path }) => path);

export const HOSTILE_PATHS: readonly string[] = [
  "",
  "/",
  "/etc/passwd",
  "..",
  "../outside",
  "a/../../outside",
  "a/..",
  ".",
  "./a",
  "a/./b",
  "a//b",
  "a/",
  "a\\b",
  "..\\outside",
  "a\0b",
  "\ud800",
  "a/\udc00",
  ".hoodie/.hudi-lake",
  ".hoodie/.hudi-lake/claims/x",
];

/** Names that are awkward and allowed. */
export const AWKWARD_NAMES: readonly string[] = [
  "with space",
  "plus+plus",
  "percent%2Fencoded",
  "%2e%2e",
  "..hidden",
  "...",
  "city=São Paulo",
  "colon:and,comma",
  "quote'\"<>&",
  "日本語",
  "emoji-🦉",
  "\uffee",
  "__proto__",
  "constructor",
  "a=b&c?d#e",
  "~tilde*star|pipe",
];

export function describeStorageContract(
  name: string,
  openWorld: () => StorageWorld | Promise<StorageWorld>,
  options: ContractOptions = {},
): void {
  describe(`the storage contract, ${name}`, { timeout: TIMEOUT_MS }, () => {
    let world: StorageWorld;
    let storage: Storage;
    // Each test works in a folder of its own, so that one world serves all of them.
    let folder: string;

    beforeAll(async () => {
      world = await openWorld();
      storage = await world.open();
    });
    afterAll(async () => {
      await storage?.close();
      await world?.close();
    });
    beforeEach(() => {
      folder = `t-${randomUUID()}`;
    });
    const at = (path: string): string => `${folder}/${path}`;

    describe("put and read", () => {
      it("gives back the bytes that were put, with a tag (ST-5)", async () => {
        const bytes = randomBytes(70_000);
        await storage.put(at("a"), bytes);
        const content = await storage.read(at("a"));
        expect(Buffer.from(content.bytes).equals(bytes)).toBe(true);
        expect(content.tag).not.toBe("");
      });

      it("keeps an object of no bytes", async () => {
        await storage.put(at("empty"), new Uint8Array(0));
        expect((await storage.read(at("empty"))).bytes.byteLength).toBe(0);
        expect((await storage.findObject(at("empty")))?.sizeBytes).toBe(0);
        expect((await storage.readRange(at("empty"), { start: 0, end: 9 })).byteLength).toBe(0);
      });

      it("replaces the whole object and its tag", async () => {
        await storage.put(at("a"), text("a longer first content"));
        const before = await storage.read(at("a"));
        await storage.put(at("a"), text("second"));
        const after = await storage.read(at("a"));
        expect(Buffer.from(after.bytes).toString()).toBe("second");
        expect(after.tag).not.toBe(before.tag);
      });

      it("neither keeps nor gives out bytes that somebody else holds (ST-3)", async () => {
        const bytes = Buffer.from("original");
        await storage.put(at("a"), bytes);
        bytes.fill(0);
        const first = await storage.read(at("a"));
        first.bytes.fill(1);
        (await storage.readRange(at("a"), { start: 0, end: 4 })).fill(2);
        expect(await read(storage, at("a"))).toBe("original");
      });

      it("leaves the passed buffer usable (ST-3)", async () => {
        const bytes = new Uint8Array([1, 2, 3]);
        await storage.put(at("a"), bytes);
        await storage.createIfAbsent(at("b"), bytes);
        expect([...bytes]).toEqual([1, 2, 3]);
      });

      it("tells that an object is missing (ST-5)", async () => {
        for (const call of [
          () => storage.read(at("none")),
          () => storage.readRange(at("none"), { start: 0, end: 1 }),
          () => storage.read(at("none/below")),
        ]) {
          const error = await call().catch((thrown: unknown) => thrown);
          expect(isHudiError(error, "NOT_FOUND"), String(error)).toBe(true);
          expect(String(error)).toContain("none");
        }
        expect(await storage.findObject(at("none"))).toBeUndefined();
        expect(await storage.loadWriteId(at("none"))).toBeUndefined();
      });

      it("is seen by another handle at once", async () => {
        const other = await world.open();
        await storage.put(at("a"), text("shared"));
        expect(await read(other, at("a"))).toBe("shared");
        await other.close();
      });

      it("says the same of an object in every answer", async () => {
        await storage.put(at("a"), text("12345"));
        const { tag } = await storage.read(at("a"));
        const found = await storage.findObject(at("a"));
        expect(found).toMatchObject({ path: at("a"), sizeBytes: 5, tag });
        const [listed] = await storage.list(folder);
        expect(listed).toMatchObject({ path: at("a"), sizeBytes: 5, tag });
        expect(Math.abs(Date.now() - (listed?.modifiedMs ?? 0))).toBeLessThan(60_000);
      });
    });

    describe("ranges", () => {
      it("reads exactly the half-open range, cut to the object (ST-6)", async () => {
        const bytes = randomBytes(1000);
        await storage.put(at("a"), bytes);
        const bound = fc.integer({ min: 0, max: 1200 });
        await fc.assert(
          fc.asyncProperty(bound, bound, async (one, other) => {
            const range = { start: Math.min(one, other), end: Math.max(one, other) };
            const part = await storage.readRange(at("a"), range);
            expect(Buffer.from(part).equals(bytes.subarray(range.start, range.end))).toBe(true);
          }),
          { numRuns: options.runs ?? 100 },
        );
      });

      it("refuses a range that is none", async () => {
        await storage.put(at("a"), text("abc"));
        for (const range of [
          { start: -1, end: 2 },
          { start: 2, end: 1 },
          { start: 0.5, end: 2 },
          { start: 0, end: Number.NaN },
          { start: 0, end: Number.POSITIVE_INFINITY },
        ]) {
          await expect(storage.readRange(at("a"), range)).rejects.toMatchObject({
            code: "INVALID",
          });
        }
      });
    });

    describe("paths", () => {
      it.each(HOSTILE_PATHS)("refuses the path %j in every call (ST-1)", async (path) => {
        const calls: Record<string, () => unknown> = {
          read: () => storage.read(path),
          readRange: () => storage.readRange(path, { start: 0, end: 1 }),
          emptyRange: () => storage.readRange(path, { start: 0, end: 0 }),
          findObject: () => storage.findObject(path),
          put: () => storage.put(path, text("x")),
          createIfAbsent: () => storage.createIfAbsent(path, text("x")),
          replaceIfUnchanged: () => storage.replaceIfUnchanged(path, text("x"), "tag"),
          createWriter: () => storage.createWriter(path),
          delete: () => storage.delete([at("kept"), path]),
          loadWriteId: () => storage.loadWriteId(path),
          ...(path !== "" && {
            list: () => storage.list(path),
            listFolder: () => storage.listFolder(path),
          }),
        };
        await storage.put(at("kept"), text("kept"));
        for (const [method, call] of Object.entries(calls)) {
          const error = await (async () => call())().catch((thrown: unknown) => thrown);
          expect(isHudiError(error, "INVALID"), `${method}: ${error}`).toBe(true);
        }
        expect(await read(storage, at("kept"))).toBe("kept");
      });

      it("keeps awkward names as they are (ST-1)", async () => {
        for (const awkward of AWKWARD_NAMES) {
          await storage.put(at(`${awkward}/${awkward}`), text(awkward));
        }
        const listed = pathsOf(await storage.list(folder));
        expect(listed).toEqual(
          AWKWARD_NAMES.map((each) => at(`${each}/${each}`)).sort(compareUtf8),
        );
        for (const awkward of AWKWARD_NAMES) {
          expect(await read(storage, at(`${awkward}/${awkward}`))).toBe(awkward);
        }
        const { folders } = await storage.listFolder(folder);
        expect(folders).toEqual([...AWKWARD_NAMES].sort(compareUtf8));
        await storage.delete(listed);
        expect(await storage.list(folder)).toEqual([]);
      });
    });

    describe("listings", () => {
      it("lists what lies below a folder, in the order of UTF-8 (ST-7)", async () => {
        const names = ["b", "a/2", "a/10", "a-b/1", "a.b", "A", "ä", "z/z/z", "\uffee", "🦉"];
        for (const each of names) await storage.put(at(each), text(each));
        await storage.put(`${folder}-beside/x`, text("x"));
        const expected = names.map(at).sort((l, r) => Buffer.compare(text(l), text(r)));
        expect(pathsOf(await storage.list(folder))).toEqual(expected);
        expect(pathsOf(await storage.list(at("a")))).toEqual([at("a/10"), at("a/2")]);
      });

      it("lists the objects directly in a folder", async () => {
        for (const each of ["x", "a/1", "a-b/1", "y"]) await storage.put(at(each), text(each));
        const direct = await storage.list(folder, { recursive: false });
        expect(pathsOf(direct)).toEqual([at("x"), at("y")]);
        const { objects, folders } = await storage.listFolder(folder);
        expect(pathsOf(objects)).toEqual([at("x"), at("y")]);
        expect(folders).toEqual(["a", "a-b"]);
      });

      it("begins after a path, whether it exists or not (ST-7)", async () => {
        const names = ["1", "2.", "2-", "2/a", "2/b", "3", "10"];
        for (const each of names) await storage.put(at(each), text(each));
        const all = names.map(at).sort(compareUtf8);
        for (const startAfter of [...all, at("0"), at("2/aa"), at("9"), folder]) {
          const expected = all.filter((path) => compareUtf8(path, startAfter) > 0);
          expect(pathsOf(await storage.list(folder, { startAfter })), startAfter).toEqual(expected);
        }
        const direct = await storage.list(folder, { startAfter: at("2-"), recursive: false });
        expect(pathsOf(direct)).toEqual([at("2."), at("3")]);
      });

      it("finds nothing in a folder that is missing, or is an object", async () => {
        await storage.put(at("object"), text("x"));
        for (const path of [at("missing"), at("missing/deeper"), at("object")]) {
          expect(await storage.list(path)).toEqual([]);
          expect(await storage.listFolder(path)).toEqual({ objects: [], folders: [] });
        }
      });

      it("lists the root", async () => {
        await storage.put(at("in-root"), text("x"));
        expect(pathsOf(await storage.list(""))).toContain(at("in-root"));
        expect((await storage.listFolder("")).folders).toContain(folder);
      });

      it("has no folder that holds no object (ST-7)", async () => {
        await storage.put(at("a/b/c"), text("x"));
        await storage.delete([at("a/b/c")]);
        expect(await storage.listFolder(folder)).toEqual({ objects: [], folders: [] });
      });

      it("never shows the files that the storage itself works with (ST-4)", async () => {
        await storage.put(at("a"), text("x"));
        await storage.createIfAbsent(at("b"), text("x"));
        const { tag } = await storage.read(at("b"));
        await storage.replaceIfUnchanged(at("b"), text("y"), tag);
        await storage.probeConditionalWrites();
        const strange = pathsOf(await storage.list("")).filter((p) => p.includes(".hudi-lake"));
        expect(strange).toEqual([]);
        const inside = (await storage.listFolder(".hoodie")).folders;
        expect(inside).not.toContain(".hudi-lake");
      });
    });

    describe("createIfAbsent", () => {
      it("creates once and then leaves the object alone (ST-10)", async () => {
        expect(await storage.createIfAbsent(at("a"), text("first"))).toBe("created");
        expect(await storage.createIfAbsent(at("a"), text("second"))).toBe("exists");
        expect(await read(storage, at("a"))).toBe("first");
        await storage.delete([at("a")]);
        expect(await storage.createIfAbsent(at("a"), text("third"))).toBe("created");
      });

      it("has one winner among racing callers on several handles (ST-10)", async () => {
        const handles = await Promise.all([1, 2, 3].map(() => world.open()));
        for (let round = 0; round < 5; round++) {
          const path = at(`race/${round}`);
          const results = await Promise.all(
            Array.from({ length: 24 }, (_, index) =>
              (handles[index % handles.length] as Storage).createIfAbsent(path, text(`${index}`)),
            ),
          );
          const winners = results.flatMap((result, index) => (result === "created" ? [index] : []));
          expect(winners).toHaveLength(1);
          expect(await read(storage, path)).toBe(`${winners[0]}`);
        }
        await Promise.all(handles.map((handle) => handle.close()));
      });
    });

    describe("replaceIfUnchanged", () => {
      it("replaces only what has the tag (ST-11)", async () => {
        await storage.put(at("a"), text("one"));
        const { tag: first } = await storage.read(at("a"));
        const replaced = await storage.replaceIfUnchanged(at("a"), text("two"), first);
        expect(replaced).not.toBe("changed");
        const second = (replaced as { tag: string }).tag;
        expect(second).toBe((await storage.read(at("a"))).tag);
        expect(second).not.toBe(first);
        expect(await storage.replaceIfUnchanged(at("a"), text("three"), first)).toBe("changed");
        expect(await read(storage, at("a"))).toBe("two");
      });

      it("counts a missing object as changed", async () => {
        await storage.put(at("a"), text("one"));
        const { tag } = await storage.read(at("a"));
        await storage.delete([at("a")]);
        expect(await storage.replaceIfUnchanged(at("a"), text("two"), tag)).toBe("changed");
        expect(await storage.findObject(at("a"))).toBeUndefined();
      });

      it("never repeats a tag in quick replacements (ST-11)", async () => {
        await storage.put(at("a"), text("0000"));
        let { tag } = await storage.read(at("a"));
        const tags = new Set([tag]);
        for (let count = 1; count <= 60; count++) {
          const content = text(String(count).padStart(4, "0"));
          const result = await storage.replaceIfUnchanged(at("a"), content, tag);
          tag = (result as { tag: string }).tag;
          tags.add(tag);
        }
        expect(tags.size).toBe(61);
      });

      it("has one winner for each version among racing callers (ST-11)", async () => {
        const handles = await Promise.all([1, 2, 3].map(() => world.open()));
        await storage.put(at("a"), text("start"));
        for (let round = 0; round < 5; round++) {
          const { tag } = await storage.read(at("a"));
          const results = await Promise.all(
            Array.from({ length: 12 }, (_, index) =>
              (handles[index % handles.length] as Storage).replaceIfUnchanged(
                at("a"),
                text(`${round}-${index}`),
                tag,
              ),
            ),
          );
          const winners = results.flatMap((result, index) => (result === "changed" ? [] : [index]));
          expect(winners).toHaveLength(1);
          expect(await read(storage, at("a"))).toBe(`${round}-${winners[0]}`);
        }
        await Promise.all(handles.map((handle) => handle.close()));
      });

      it("loses no increment of a counter that several handles share (ST-11)", async () => {
        const handles = await Promise.all([1, 2, 3].map(() => world.open()));
        await storage.put(at("counter"), text("0"));
        const increment = async (handle: Storage): Promise<void> => {
          for (;;) {
            const { bytes, tag } = await handle.read(at("counter"));
            const next = String(Number(Buffer.from(bytes).toString()) + 1);
            const result = await handle.replaceIfUnchanged(at("counter"), text(next), tag);
            if (result !== "changed") return;
          }
        };
        await Promise.all(
          handles.map(async (handle) => {
            for (let count = 0; count < 8; count++) await increment(handle);
          }),
        );
        expect(await read(storage, at("counter"))).toBe("24");
        await Promise.all(handles.map((handle) => handle.close()));
      });

      it("shows a reader one version or the other, never a mixture (ST-12)", async () => {
        const version = (fill: number): Buffer => Buffer.alloc(300_000, fill);
        await storage.put(at("a"), version(0));
        let isDone = false;
        const watch = (async () => {
          while (!isDone) {
            const { bytes } = await storage.read(at("a"));
            expect(bytes.byteLength).toBe(300_000);
            expect(Buffer.from(bytes).equals(version(bytes[0] as number))).toBe(true);
          }
        })();
        for (let fill = 1; fill <= 10; fill++) {
          const { tag } = await storage.read(at("a"));
          await storage.replaceIfUnchanged(at("a"), version(fill), tag);
        }
        isDone = true;
        await watch;
      });
    });

    describe("createWriter", () => {
      it("shows the object when it is closed, and not before (ST-13)", async () => {
        const writer = storage.createWriter(at("w"));
        await writer.write(Buffer.from("hello "));
        expect(await storage.findObject(at("w"))).toBeUndefined();
        await writer.write(Buffer.from("world"));
        expect(await writer.close()).toEqual({ sizeBytes: 11 });
        expect(await read(storage, at("w"))).toBe("hello world");
      });

      it("writes an object of no bytes", async () => {
        expect(await storage.createWriter(at("w")).close()).toEqual({ sizeBytes: 0 });
        expect((await storage.findObject(at("w")))?.sizeBytes).toBe(0);
      });

      it("leaves nothing when it is aborted, and refuses more (ST-13)", async () => {
        const writer = storage.createWriter(at("w"));
        await writer.write(randomBytes(100));
        await writer.abort();
        await writer.abort();
        await expect(writer.write(randomBytes(1))).rejects.toMatchObject({ code: "INVALID" });
        await expect(writer.close()).rejects.toMatchObject({ code: "INVALID" });
        expect(await storage.list(folder)).toEqual([]);
      });

      it("cannot be closed twice", async () => {
        const writer = storage.createWriter(at("w"));
        await writer.write(Buffer.from("once"));
        await writer.close();
        await expect(writer.close()).rejects.toMatchObject({ code: "INVALID" });
        await writer.abort();
        expect(await read(storage, at("w"))).toBe("once");
      });

      it.each([8 * 1024 * 1024, 8 * 1024 * 1024 + 1, 20 * 1024 * 1024 + 12_345])(
        "writes %i random bytes in pieces of any size, whole",
        async (sizeBytes) => {
          const bytes = randomBytes(sizeBytes);
          const writer = storage.createWriter(at("big"), { writeId: "big-write" });
          for (
            let from = 0, step = 1;
            from < sizeBytes;
            from += step, step = (step * 7) % 5_000_003
          ) {
            await writer.write(Uint8Array.from(bytes.subarray(from, from + step)));
          }
          expect(await writer.close()).toEqual({ sizeBytes });
          const back = await storage.read(at("big"));
          expect(Buffer.from(back.bytes).equals(bytes)).toBe(true);
          const range = { start: sizeBytes - 5000, end: sizeBytes + 5000 };
          const tail = Buffer.from(await storage.readRange(at("big"), range));
          expect(tail.equals(bytes.subarray(range.start))).toBe(true);
          expect(await storage.loadWriteId(at("big"))).toBe("big-write");
        },
      );

      it("puts a large object whole", async () => {
        const bytes = randomBytes(17 * 1024 * 1024);
        await storage.put(at("big"), bytes);
        expect(Buffer.from((await storage.read(at("big"))).bytes).equals(bytes)).toBe(true);
      });
    });

    describe("delete", () => {
      it("removes what is there and does not mind what is not (ST-14)", async () => {
        for (const each of ["a", "b/c", "kept"]) await storage.put(at(each), text(each));
        await storage.delete([at("a"), at("b/c"), at("none"), at("none/deeper"), at("a")]);
        expect(pathsOf(await storage.list(folder))).toEqual([at("kept")]);
        await storage.delete([at("a")]);
        await storage.delete([]);
      });

      it("does not remove what lies below a path", async () => {
        await storage.put(at("a/b"), text("x"));
        await storage.delete([at("a")]);
        expect(await read(storage, at("a/b"))).toBe("x");
      });

      it("removes many objects", async () => {
        const paths = Array.from({ length: 60 }, (_, index) => at(`many/${index % 7}/${index}`));
        await Promise.all(paths.map((path) => storage.put(path, new Uint8Array(0))));
        expect(await storage.list(folder)).toHaveLength(60);
        await storage.delete(paths);
        expect(await storage.list(folder)).toEqual([]);
      });
    });

    describe("write ids", () => {
      it("tells the writer which write is there (ST-15)", async () => {
        await storage.put(at("put"), text("x"), { writeId: "id-put" });
        expect(await storage.loadWriteId(at("put"))).toBe("id-put");
        await storage.createIfAbsent(at("created"), text("x"), { writeId: "id-created" });
        await storage.createIfAbsent(at("created"), text("x"), { writeId: "id-late" });
        expect(await storage.loadWriteId(at("created"))).not.toBe("id-late");
        const { tag } = await storage.read(at("put"));
        await storage.replaceIfUnchanged(at("put"), text("y"), tag, { writeId: "id-replaced" });
        expect(await storage.loadWriteId(at("put"))).toBe("id-replaced");
        await storage.put(at("put"), text("z"), { writeId: "id-last" });
        expect(await storage.loadWriteId(at("put"))).toBe("id-last");
        const other = await world.open();
        await other.put(at("put"), text("foreign"), { writeId: "id-foreign" });
        expect(await storage.loadWriteId(at("put"))).not.toBe("id-last");
        await other.close();
      });
    });

    describe("abort", () => {
      it("throws the reason of a signal that has aborted, from every call (ST-16)", async () => {
        const reason = new Error("stopped by the caller");
        const signal = AbortSignal.abort(reason);
        await storage.put(at("a"), text("x"));
        const { tag } = await storage.read(at("a"));
        const calls: (() => Promise<unknown>)[] = [
          () => storage.read(at("a"), { signal }),
          () => storage.readRange(at("a"), { start: 0, end: 1 }, { signal }),
          () => storage.readRange(at("a"), { start: 0, end: 0 }, { signal }),
          () => storage.findObject(at("a"), { signal }),
          () => storage.list(folder, { signal }),
          () => storage.listFolder(folder, { signal }),
          () => storage.put(at("a"), text("y"), { signal }),
          () => storage.createIfAbsent(at("b"), text("y"), { signal }),
          () => storage.replaceIfUnchanged(at("a"), text("y"), tag, { signal }),
          () => storage.createWriter(at("a"), { signal }).write(Buffer.from("y")),
          () => storage.createWriter(at("a"), { signal }).close(),
          () => storage.delete([at("a")], { signal }),
          () => storage.probeConditionalWrites({ signal }),
        ];
        for (const [index, call] of calls.entries()) {
          const thrown = await call().catch((error: unknown) => error);
          expect(thrown, `call ${index}`).toBe(reason);
        }
        expect(await read(storage, at("a"))).toBe("x");
        expect(pathsOf(await storage.list(folder))).toEqual([at("a")]);
      });

      it("stops a large write that is under way, and nothing is visible (ST-16)", async () => {
        const stop = new AbortController();
        const writer = storage.createWriter(at("w"), { signal: stop.signal });
        await writer.write(randomBytes(9 * 1024 * 1024));
        const reason = new Error("enough");
        stop.abort(reason);
        const thrown = await writer.write(randomBytes(10)).catch((error: unknown) => error);
        expect(thrown).toBe(reason);
        await writer.abort();
        expect(await storage.list(folder)).toEqual([]);
      });
    });

    it("passes its own probe of conditional writes (ST-17)", async () => {
      await storage.probeConditionalWrites();
      await storage.probeConditionalWrites();
    });

    it("names where it is, without a secret", () => {
      expect(storage.location).not.toBe("");
      expect(["conditional", "numbered"]).toContain(storage.leaseKind);
    });
  });
}
