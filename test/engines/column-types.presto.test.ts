// A type that PrestoDB does not read, pinned: the day it does, decision 0014 and the README change.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";

import { HudiTable } from "../../src/index.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { PrestoServer } from "./support/presto-server.ts";

let directory: string;
let presto: PrestoServer | undefined;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-presto-types-"));
  const dataDir = join(directory, "presto");
  presto = await startIfAvailable("PrestoDB", () => PrestoServer.start({ dataDir }));
});

beforeEach(({ skip }) => skip(!presto, "PrestoDB did not run"));

afterAll(async () => {
  await presto?.stop();
  await rm(directory, { recursive: true, force: true });
});

test("PrestoDB refuses a fixed column by name and reads the others", async () => {
  const location = join(directory, "fixed_column");
  const table = await HudiTable.create(location, {
    name: "fixed_column",
    type: "copy-on-write",
    fields: { id: "string", digest: "fixed(3)?" },
    recordKey: "id",
  });
  await table.upsert([{ id: "a", digest: Uint8Array.of(1, 2, 3) }]);
  await table.close();
  await presto?.registerHudiTable({
    name: "fixed_column",
    location,
    columns: [
      { name: "id", type: "string" },
      { name: "digest", type: "binary" },
    ],
  });
  expect(await presto?.query("SELECT id FROM fixed_column")).toEqual([{ id: "a" }]);
  await expect(presto?.query("SELECT digest FROM fixed_column")).rejects.toThrow(
    /FIXED_LEN_BYTE_ARRAY/,
  );
});
