// Worker threads: the same results as in place, errors and aborts across threads, and what happens
// when there are none or one dies.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { estimateTaskBytes, taskTransfers } from "../../src/file-group/file-group-task.ts";
import { createTaskRunner, type TaskRunner } from "../../src/file-group/task-runner.ts";
import { createWorkerPool, findWorkerEntry } from "../../src/file-group/worker-pool.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import { createTaskOf, type Row, readBaseFile } from "./base-file-samples.ts";

const schema = createTableSchema("t", { id: "string", text: "string" });
const rowsOf = (count: number): Row[] =>
  Array.from({ length: count }, (_, at) => ({ id: `k${at}`, text: "x".repeat(1000) }));
/** More than the size from which a thread is worth its start. */
const LARGE = 5000;

let storage: MemoryStorage;
beforeEach(() => {
  storage = new MemoryStorage();
});
const folder = mkdtempSync(join(tmpdir(), "hudi-lake-worker-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function withRunner<T>(
  options: Parameters<typeof createTaskRunner>[1],
  use: (runner: TaskRunner) => Promise<T>,
): Promise<T> {
  const runner = createTaskRunner(storage, options);
  try {
    return await use(runner);
  } finally {
    await runner.close();
  }
}

describe("a runner with threads", () => {
  test("writes what one without writes", async () => {
    expect(estimateTaskBytes(createTaskOf(schema, rowsOf(LARGE)))).toBeGreaterThan(4 * 1024 * 1024);
    const written = [];
    for (const count of [1, 0]) {
      written.push(
        await withRunner({ count }, (runner) =>
          runner.run(createTaskOf(schema, rowsOf(LARGE), { writeToken: `${count}-0-0` })),
        ),
      );
    }
    const [inThread, inPlace] = written.map((files) => files[0]);
    // Their names differ, and with them by a few bytes how well they are compressed.
    const { sizeBytes = 0 } = inThread ?? {};
    expect(Math.abs(sizeBytes - (inPlace?.sizeBytes ?? 0))).toBeLessThan(20);
    expect({ ...inThread, path: "" }).toEqual({ ...inPlace, path: "", sizeBytes });
    const rows = await readBaseFile(storage, inThread?.path ?? "");
    expect(rows.map(({ id }) => id)).toEqual(rowsOf(LARGE).map(({ id }) => id));
  });

  test("runs several tasks at once, more than it has threads", async () => {
    await withRunner({ count: 2 }, async (runner) => {
      expect(runner.concurrency).toBe(2);
      const tasks = [0, 1, 2, 3].map((n) =>
        createTaskOf(schema, rowsOf(LARGE), { fileIdPrefix: `g${n}` }),
      );
      const written = await Promise.all(tasks.map((task) => runner.run(task)));
      expect(written.map((files) => files[0]?.fileId)).toEqual(["g0-0", "g1-0", "g2-0", "g3-0"]);
    });
  });

  test("gives the errors of a thread as its own", async () => {
    const failing = new MemoryStorage(new MemoryStore(), {
      chooseFault: (call) => (call.method === "createWriter" ? "unknown" : undefined),
    });
    storage = failing;
    await withRunner({ count: 1 }, async (runner) => {
      await expect(runner.run(createTaskOf(schema, rowsOf(LARGE)))).rejects.toMatchObject({
        code: "UNAVAILABLE",
        storageOutcome: "unknown",
      });
    });
  });

  test.each(["before it is taken", "while the thread writes"])(
    "stops a task on an abort %s, and takes the next",
    async (when) => {
      const abort = new AbortController();
      storage = new MemoryStorage(new MemoryStore(), {
        beforeCall: (call) => {
          if (call.method === "put" && when.startsWith("while")) abort.abort(new Error("enough"));
        },
      });
      await withRunner({ count: 1 }, async (runner) => {
        const running = runner.run(createTaskOf(schema, rowsOf(LARGE)), abort.signal);
        if (when.startsWith("before")) abort.abort(new Error("enough"));
        await expect(running).rejects.toThrow("enough");
        expect([...storage.store.paths()].filter((path) => !path.startsWith("."))).toEqual([]);
        const again = createTaskOf(schema, rowsOf(LARGE), { fileIdPrefix: "again" });
        expect(await runner.run(again)).toHaveLength(1);
      });
    },
  );

  test("does small tasks in place, so that no thread is started for them", async () => {
    await withRunner({ count: 1, entry: new URL("file:///nowhere/worker.js") }, async (runner) => {
      expect(await runner.run(createTaskOf(schema, rowsOf(3)))).toHaveLength(1);
    });
  });

  test("tells of a thread that dies, and goes on with another", async () => {
    const path = join(folder, "dies.mjs");
    writeFileSync(
      path,
      "import { parentPort } from 'node:worker_threads';\nparentPort.once('message', () => process.exit(3));\n",
    );
    await withRunner({ count: 1, entry: pathToFileURL(path) }, async (runner) => {
      for (let time = 0; time < 2; time += 1) {
        await expect(runner.run(createTaskOf(schema, rowsOf(LARGE)))).rejects.toMatchObject({
          code: "UNAVAILABLE",
          message: expect.stringMatching(/worker thread ended with 3; retry/),
        });
      }
    });
  });

  test("tells of a script that is not there", async () => {
    const entry = pathToFileURL(join(folder, "none.mjs"));
    const pool = createWorkerPool(storage, entry, 1);
    await expect(pool.run(createTaskOf(schema, rowsOf(1)))).rejects.toMatchObject({
      code: "UNAVAILABLE",
      message: expect.stringMatching(/cannot finish a task/),
    });
    await pool.close();
  });
});

describe("a runner without threads", () => {
  test("is one where none are wanted", async () => {
    await withRunner({ count: 0 }, async (runner) => {
      expect(runner.concurrency).toBe(1);
      expect(await runner.run(createTaskOf(schema, rowsOf(3)))).toHaveLength(1);
    });
  });

  test("the script beside the source is found", () => {
    expect(findWorkerEntry()?.pathname).toMatch(/src\/file-group\/file-group-worker\.ts$/);
  });
});

test("a task moves the buffers of its rows to the thread", () => {
  const task = createTaskOf(schema, rowsOf(10));
  const transfer = taskTransfers(task);
  expect(new Set(transfer).size).toBe(transfer.length);
  const moved = structuredClone(task, { transfer });
  expect(moved.batch.rowCount).toBe(10);
  expect(transfer.every((buffer) => buffer.byteLength === 0)).toBe(true);
});
