// The binary as a process of its own: exit codes, pipes and signals as a shell sees them.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { jsonLines, lakeDone, startLake, Workspace, waitForLake } from "./support/lake-run.ts";

// A process of its own takes its time on a machine that is busy.
vi.setConfig({ testTimeout: 60_000 });

const space = new Workspace();
afterAll(() => space.remove());

let table = "";
beforeAll(async () => {
  table = await space.table({ id: "long", text: "string?" });
  const rows = Array.from({ length: 5000 }, (_, id) => ({ id, text: `text ${id} `.repeat(10) }));
  await lakeDone(["write", table, "--op", "bulk-insert"], { stdin: jsonLines(rows) });
});

test("read | write between two processes, and exit code 0", async () => {
  const copy = await space.table({ id: "long", text: "string?" });
  const reader = startLake(["read", table]);
  const writer = startLake(["write", copy, "--json"]);
  reader.stdout?.pipe(writer.stdin as NodeJS.WritableStream);
  const [read, written] = await Promise.all([waitForLake(reader), waitForLake(writer)]);
  expect(read).toMatchObject({ code: 0, stderr: "" });
  expect(written.code).toBe(0);
  expect(JSON.parse(written.stdout)).toMatchObject({ rowsRead: 5000, inserted: 5000 });
});

test("a reader that leaves early is no failure (CLI-7)", async () => {
  const child = startLake(["read", table]);
  child.stdout?.once("data", () => child.stdout?.destroy());
  expect(await waitForLake(child)).toMatchObject({ code: 0, stderr: "" });
});

test("a wrong command line ends with 2, a missing table with 1 (CLI-2)", async () => {
  const [usage, missing] = await Promise.all([
    waitForLake(startLake(["read", table, "--bogus"])),
    waitForLake(startLake(["timeline", space.root])),
  ]);
  expect(usage).toMatchObject({ code: 2, stdout: "" });
  expect(missing).toMatchObject({ code: 1, stdout: "" });
});

test("SIGINT while rows are awaited ends with 130 and leaves nothing pending (CLI-5)", async () => {
  const target = await space.table({ id: "long", text: "string?" });
  const child = startLake(["write", target]);
  // More than a pipe holds: when it is gone, the command is reading rows.
  const rows = Array.from({ length: 3000 }, (_, id) => ({ id, text: "x".repeat(100) }));
  await new Promise((resolve) => child.stdin?.write(jsonLines(rows), resolve));
  child.kill("SIGINT");
  const result = await waitForLake(child);
  expect(result).toMatchObject({ code: 130, stdout: "" });
  expect(result.stderr).toMatch(/^lake: INTERRUPTED: /);
  expect((await lakeDone(["timeline", target])).stdout).toContain("no instants");
});

test("SIGTERM ends a read whose reader stalls (CLI-5)", async () => {
  const child = startLake(["read", table]);
  await new Promise((resolve) => child.stdout?.once("readable", resolve));
  child.kill("SIGTERM");
  expect(await new Promise((resolve) => child.on("exit", resolve))).toBe(130);
});
