import { PassThrough, Readable, Writable } from "node:stream";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  displayWidth,
  escapeControls,
  formatCount,
  formatSize,
} from "../../src/cli/output/display-text.ts";
import { formatTable, type TableColumn } from "../../src/cli/output/text-table.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { systemRuntime } from "../../src/runtime/runtime.ts";
import { CapturedOutput, jsonLines, lake, lakeDone, Workspace } from "./support/lake-run.ts";

const space = new Workspace();
afterAll(() => space.remove());

const ROWS = 5000;
let table = "";

beforeAll(async () => {
  table = await space.table({ id: "long", text: "string" });
  const opened = await HudiTable.open(table);
  await opened.bulkInsert(
    Array.from({ length: ROWS }, (_, id) => ({ id: BigInt(id), text: `row ${id} `.repeat(8) })),
  );
  await opened[Symbol.asyncDispose]();
});

/** Takes one chunk a turn and keeps count of what waits for it. */
class SlowOutput extends Writable {
  bytes = 0;
  mostWaiting = 0;

  constructor() {
    super({ highWaterMark: 16 * 1024 });
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.bytes += chunk.length;
    this.mostWaiting = Math.max(this.mostWaiting, this.writableLength);
    void nextTurn().then(done);
  }
}

/** An input that hands out its first rows when it is asked for them, and then waits. */
class WaitingInput extends Readable {
  readonly asked: Promise<void>;
  #ask: () => void = () => {};
  #first: string | undefined;

  constructor(first: string) {
    super();
    this.#first = first;
    this.asked = new Promise((resolve) => {
      this.#ask = resolve;
    });
  }

  override _read(): void {
    if (this.#first === undefined) this.#ask();
    else this.push(this.#first);
    this.#first = undefined;
  }
}

describe("a reader of the output", () => {
  test.each(["jsonl", "csv", "table", "parquet", "arrow"])(
    "that is slow is waited for, so that little is held: %s (CLI-6)",
    async (format) => {
      const stdout = new SlowOutput();
      const flags = format === "parquet" ? ["--codec", "uncompressed"] : [];
      await lakeDone(["read", table, "--format", format, ...flags], { stdout });
      expect(stdout.bytes).toBeGreaterThan(50_000);
      // Binary formats hand on a whole column chunk or buffer at a time.
      const piece = ["parquet", "arrow"].includes(format) ? stdout.bytes : 150_000;
      expect(stdout.mostWaiting).toBeLessThanOrEqual(piece + 16 * 1024);
    },
  );

  test.each(["jsonl", "csv", "table", "parquet", "arrow"])(
    "that leaves ends the run quietly: %s (CLI-7)",
    async (format) => {
      const stdout = new Writable({
        write: (_chunk, _encoding, done) =>
          done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" })),
      });
      expect(await lake(["read", table, "--format", format], { stdout })).toMatchObject({
        code: 0,
        stderr: "",
      });
    },
  );

  test("that leaves an incremental read gets no instant to continue from (CLI-7)", async () => {
    const stdout = new PassThrough({ highWaterMark: 10 });
    stdout.once("data", () => stdout.destroy());
    expect(await lake(["incremental", table], { stdout })).toMatchObject({ code: 0, stderr: "" });
  });

  test("that fails otherwise fails the run", async () => {
    const stdout = new Writable({
      write: (_chunk, _encoding, done) =>
        done(Object.assign(new Error("no space left"), { code: "ENOSPC" })),
    });
    const { code, stderr } = await lake(["read", table], { stdout });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^lake: UNAVAILABLE: cannot write output: no space left/);
  });

  test("that stalls does not outlast the signal (CLI-5)", async () => {
    const stop = new AbortController();
    const stdout = new Writable({ highWaterMark: 10, write: () => stop.abort() });
    const { code, stderr } = await lake(["read", table], { stdout, signal: stop.signal });
    expect(code).toBe(130);
    expect(stderr).toMatch(/^lake: INTERRUPTED: /);
  });
});

describe("an interruption (CLI-5)", () => {
  test.each(["upsert", "insert"])(
    "of an input that never ends leaves the table as it was: %s",
    async (op) => {
      const target = await space.table({ id: "long", text: "string" });
      const stop = new AbortController();
      const stdin = new WaitingInput(jsonLines([{ id: 1, text: "a" }]));
      const run = lake(["write", target, "--op", op], { stdin, signal: stop.signal });
      await stdin.asked;
      stop.abort();
      expect(await run).toMatchObject({ code: 130, stdout: "" });
      expect(stdin.destroyed).toBe(true);
      const timeline = JSON.parse((await lakeDone(["timeline", target, "--json"])).stdout);
      expect(timeline.instants.filter((i: { state: string }) => i.state !== "completed")).toEqual(
        [],
      );
      expect((await lakeDone(["read", target])).stdout).toBe("");
    },
  );

  test("before the beginning does nothing", async () => {
    const signal = AbortSignal.abort();
    for (const argv of [
      ["read", table],
      ["timeline", table],
      ["write", table],
    ]) {
      expect(await lake(argv, { signal, stdin: "" })).toMatchObject({ code: 130, stdout: "" });
    }
  });
});

describe("progress (CLI-1)", () => {
  test("is drawn on a terminal while rows come in, and gone at the end", async () => {
    const target = await space.table({ id: "long", text: "string" });
    const clock = new SimulatedClock(Date.UTC(2024, 0, 1));
    const stdin = new WaitingInput(
      jsonLines([
        { id: 1, text: "a" },
        { id: 2, text: "b" },
      ]),
    );
    const run = lake(["write", target], {
      stdin,
      terminal: 80,
      runtime: { ...systemRuntime, clock },
    });
    await stdin.asked;
    for (let turn = 0; turn < 20; turn += 1) await nextTurn();
    clock.advance(150);
    stdin.push(jsonLines([{ id: 3, text: "c" }]));
    stdin.push(null);
    const { code, stderr, stdout } = await run;
    expect(code).toBe(0);
    expect(stderr).toContain("\r\u001b[Kread 2 rows, 40 B");
    expect(stderr.endsWith("\r\u001b[K")).toBe(true);
    expect(stdout).toMatch(/3 inserted/);
  });

  test("counts the files that are written", async () => {
    const { countDataFiles } = await import("../../src/cli/progress.ts");
    const { MemoryStorage } = await import("../../src/storage/memory-storage.ts");
    const counter = { files: 0, bytes: 0 };
    const storage = countDataFiles(new MemoryStorage(), counter);
    for (const path of ["a/x.parquet", "a/y.parquet", "a/z.txt"]) {
      const writer = storage.createWriter(path);
      await writer.write(new Uint8Array(10));
      await writer.close();
    }
    expect(counter).toEqual({ files: 2, bytes: 20 });
    expect((await storage.list("a")).map((object) => object.path)).toHaveLength(3);
  });
});

describe("tables (CLI-16)", () => {
  const COLUMNS: TableColumn[] = [
    { name: "id", align: "right" },
    { name: "text", align: "left", isCut: true },
    { name: "n", align: "right" },
  ];

  test("are aligned by what a terminal shows, with hostile text made harmless", () => {
    const rows = [
      ["1", "plain", "10"],
      ["22", "東京", "2"],
      ["3", "a\nb\u001b[31m", "3"],
    ];
    expect(formatTable(COLUMNS, rows, undefined).split("\n")).toEqual([
      "id  text             n",
      "──  ──────────────  ──",
      " 1  plain           10",
      "22  東京             2",
      " 3  a\\nb\\u001b[31m   3",
      "",
    ]);
  });

  test("cut text, keep numbers, and name the columns without room", () => {
    const rows = [["1234567890", "a text that is far too long", "42"]];
    const lines = formatTable(COLUMNS, rows, 30).split("\n");
    expect(lines[2]).toBe("1234567890  a text that i…  42");
    const narrow = formatTable(COLUMNS, rows, 20);
    expect(narrow).toContain("1234567890  a text …");
    expect(narrow).toContain("(no room for n)");
  });

  test("grow with later rows where nothing has to fit, and cut them on a terminal", async () => {
    const target = await space.table({ id: "long", text: "string" });
    const rows = Array.from({ length: 300 }, (_, id) => ({
      id,
      text: id < 299 ? "x" : "y".repeat(40),
    }));
    await lakeDone(["write", target, "--op", "bulk-insert"], { stdin: jsonLines(rows) });
    const piped = await lakeDone(["read", target, "--format", "table"]);
    expect(piped.stdout).toContain("y".repeat(40));
    const shown = await lakeDone(["read", target], { terminal: 80 });
    expect(shown.stdout).not.toContain("y".repeat(40));
    expect(shown.stdout.split("\n")).toHaveLength(303);
  });

  test("sizes, counts and widths read well", () => {
    expect([0, 999, 1000, 1536, 104_857_600, 3e12].map(formatSize)).toEqual([
      "0 B",
      "999 B",
      "1.0 KiB",
      "1.5 KiB",
      "100 MiB",
      "2.7 TiB",
    ]);
    expect(formatCount(1_234_567)).toBe("1,234,567");
    expect(["abc", "東京", "e\u0301", "😀"].map(displayWidth)).toEqual([3, 4, 1, 2]);
    expect(escapeControls("a\tb\u0000")).toBe("a\\tb\\u0000");
  });

  test("a terminal is not fed binary formats (CLI-3)", async () => {
    const { code, stderr } = await lake(["read", table, "--format", "parquet"], { terminal: 80 });
    expect(code).toBe(2);
    expect(stderr).toContain("send it to a file");
  });
});

test("a result is printed once the stream takes it", async () => {
  const stdout = new CapturedOutput();
  await lakeDone(["files", table, "--json"], { stdout });
  expect(JSON.parse(stdout.bytes.toString("utf8")).files).toHaveLength(1);
});
