// Changes of tables that Spark wrote: taken one after the other they lead from snapshot to snapshot.
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { extractTableFixture } from "../../fixtures/tables/table-fixtures.ts";
import { HudiTable } from "../../src/index.ts";
import { isWriteAction } from "../../src/timeline/instant.ts";
import { rowText, rowTexts } from "../support/row-text.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-changes-"));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

interface Told {
  readonly insert?: number;
  readonly update?: number;
  readonly delete?: number;
}

const FIXTURES: readonly (readonly [string, Told])[] = [
  ["v6_mor_hivestyle_8i3u1d", { insert: 8, update: 3, delete: 1 }],
  ["v6_mor_nonpartitioned_bucket_8i3u1d", { insert: 8, update: 3, delete: 1 }],
  ["v6_mor_nonpartitioned_compacted_8i7u", { insert: 8, update: 7 }],
  ["v6_mor_nonpartitioned_marks_6i3u3d", { insert: 7, update: 1, delete: 3 }],
  ["v6_mor_nonpartitioned_nested_4i2u", { insert: 4, update: 2 }],
  ["v6_mor_nonpartitioned_parquetlogs_8i3u1d", { insert: 8, update: 3, delete: 1 }],
  ["v6_cow_hivestyle_insertoverwrite_8i2o", { insert: 9, update: 2, delete: 3 }],
  ["v6_cow_hivestyle_rolledback_6i2u", { insert: 6, update: 2 }],
  ["v8_cow_hivestyle_insertoverwrite_8i2o", { insert: 9, update: 2, delete: 3 }],
  ["v9_cow_hivestyle_8i3u1d", { insert: 8, update: 3, delete: 1 }],
];

test.each(FIXTURES)("%s (CH-2, CH-5, CH-7)", async (name, expected) => {
  const path = await extractTableFixture(name, join(directory, name));
  await using table = await HudiTable.open(path);
  const changes = Map.groupBy(await table.changes().toArray(), ({ instant }) => instant);
  const told: Record<string, number> = {};
  const rows = new Set<string>();
  for (const { time, action, state } of await table.timeline()) {
    if (!isWriteAction(action) || state !== "completed") continue;
    const own = changes.get(time) ?? [];
    for (const { op, before } of own) {
      told[op] = (told[op] ?? 0) + 1;
      if (before) expect(rows.delete(rowText(before)), `${op} of what was there`).toBe(true);
    }
    for (const { after } of own) if (after) rows.add(rowText(after));
    expect([...rows].sort(), time).toEqual(rowTexts(await table.read({ asOf: time }).toArray()));
  }
  expect(told).toEqual(expected);
});

describe("a table that Spark cleaned and archived (CH-9)", () => {
  const [older, first, clean] = ["20261120092117193", "20261120092118354", "20261120092119834"];

  test.each(["completed", "begun"])(
    "tells from where on it works, the clean being %s",
    async (state) => {
      const path = await extractTableFixture(
        "v6_cow_nonpartitioned_archived_8i7u",
        join(directory, state),
      );
      await using table = await HudiTable.open(path);
      const lost = { code: "EXPIRED", instant: first };
      await expect(table.changes().toArray()).rejects.toMatchObject(lost);
      await expect(table.changes({ after: older }).toArray()).rejects.toMatchObject(lost);
      expect((await table.changes({ after: first }).toArray()).map(({ op }) => op)).toEqual([
        "update",
      ]);
      // Archival lags behind cleaning where it keeps more commits.
      const timeline = join(path, ".hoodie");
      await cp(join(timeline, `${first}.commit`), join(timeline, `${older}.commit`));
      if (state === "begun") await rm(join(timeline, `${clean}.clean`));
      const cleaned = { ...lost, message: expect.stringContaining("was cleaned") };
      await expect(table.changes({ after: older }).toArray()).rejects.toMatchObject(cleaned);
    },
  );
});
