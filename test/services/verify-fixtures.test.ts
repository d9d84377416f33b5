// A check of a sound table finds nothing: every fixture, whatever engine, version and type.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { extractTableFixture, listTableFixtures } from "../../fixtures/tables/table-fixtures.ts";
import { systemRuntime } from "../../src/runtime/runtime.ts";
import { verifyTable } from "../../src/services/verify-table.ts";
import { openStorage } from "../../src/storage/open-storage.ts";
import { loadTableConfig } from "../../src/timeline/table-properties.ts";

const NAMES = await listTableFixtures();
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-verify-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test.each(NAMES)("nothing is found in %s (VF-3)", async (name) => {
  const storage = openStorage(await extractTableFixture(name, directory), {
    runtime: systemRuntime,
  });
  const context = { storage, config: await loadTableConfig(storage), runtime: systemRuntime };
  const report = await verifyTable(context);
  expect(report).toMatchObject({ findings: [], errors: 0, warnings: 0, omitted: 0 });
  expect(report.checked.files).toBeGreaterThan(0);
  expect(report.checked.fileGroups).toBeGreaterThan(0);
});
