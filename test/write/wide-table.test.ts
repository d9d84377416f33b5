// A table of a thousand columns, many of them five levels deep: what an upsert needs besides its own rows does
// not grow with the number of columns. The large form is the workload `wide` of the benchmark.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ChildProgram } from "../../bench/support/child-program.ts";
import { SOURCE_ENTRY } from "../../bench/support/library.ts";
import type { WideAnswer, WideCall } from "../../bench/support/wide-program.ts";

const folder = mkdtempSync(join(tmpdir(), "wide-"));
afterAll(() => rmSync(folder, { recursive: true }));

async function write(call: WideCall): Promise<WideAnswer> {
  const url = new URL("../../bench/support/wide-program.ts", import.meta.url);
  const program = ChildProgram.start("wide", url, [SOURCE_ENTRY]);
  try {
    return await program.call<WideAnswer>("write", call);
  } finally {
    await program.stop();
  }
}

test("a thousand columns, five levels deep, are upserted within 256 MiB (PQ-8)", async () => {
  const tablePath = join(folder, "table");
  const base = { tablePath, columns: 1000, at: 1, step: 1, workers: 0 };
  await write({ ...base, kind: "create", rowCount: 400 });
  const change = { ...base, at: 2, step: 100, rowCount: 4 };
  const { sample, updated, inserted } = await write({ ...change, kind: "upsert" });
  expect({ updated, inserted }).toEqual({ updated: 4, inserted: 0 });
  expect(sample.peakBytes - sample.baselineBytes).toBeLessThan(256 * 2 ** 20);
}, 120_000);
