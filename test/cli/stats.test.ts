// `lake stats`: text on a terminal, one document for programs.
import { afterAll, expect, test } from "vitest";
import { jsonLines, lake, lakeDone, Workspace } from "./support/lake-run.ts";

const space = new Workspace();
afterAll(() => space.remove());

const FIELDS = { id: "long", city: "string", note: "string" };

async function write(table: string, rows: readonly object[]): Promise<string> {
  const { stdout } = await lakeDone(["write", table, "--json"], { stdin: jsonLines(rows) });
  return (JSON.parse(stdout) as { instant: string }).instant;
}

test("stats prints numbers, a histogram and partitions (CLI-17)", async () => {
  const table = await space.table(FIELDS, ["--partition-by", "city"]);
  const rows = Array.from({ length: 1_500 }, (_, id) => ({ id, city: "Oslo", note: `note ${id}` }));
  const first = await write(table, [...rows, { id: -1, city: "Rome", note: "n" }]);
  const second = await write(table, [{ id: 3, city: "Oslo", note: "changed" }]);
  const { stdout } = await lakeDone(["stats", table], { terminal: 80 });
  expect(stdout).toMatch(
    /^rows {9}1,501\nsize {9}[\d.]+ (KiB|MiB) in 2 file groups of 2 partitions\n/,
  );
  expect(stdout).toContain("\nsmall files  2 below 100 MiB, target 120 MiB\n");
  expect(stdout).toMatch(/\nold files {4}1 file, \d/);
  expect(stdout).toContain(`\ncommits      2, ${first} to ${second}\npending      none\n`);
  expect(stdout).toContain("\nindex        bloom\n");
  expect(stdout).toMatch(/\n *0 B – 12.0 MiB +2 {2}█{10,40}…?\n/);
  expect(stdout).toMatch(/\nOslo +1,500 +[\d.]+ KiB +1 +1\nRome/);
  for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  const one = (await lakeDone(["stats", table, "--partitions", "1"])).stdout;
  expect(one).not.toContain("Rome");
  expect(one).toMatch(/\nand 1 smaller partition\n$/);
});

test("the document of stats has every number, in bytes (CLI-17)", async () => {
  const table = await space.table(FIELDS, ["--index", "bucket", "--buckets", "2"]);
  const instant = await write(table, [
    { id: 1, city: "Oslo", note: "a" },
    { id: 2, city: "Rome", note: "b" },
  ]);
  const document = JSON.parse((await lakeDone(["stats", table, "--json"])).stdout);
  const { files, sizeBytes } = JSON.parse((await lakeDone(["files", table, "--json"])).stdout);
  expect(document).toEqual({
    table,
    rows: 2,
    bytes: sizeBytes,
    fileGroups: files.length,
    smallFiles: files.length,
    logFiles: 0,
    logBytes: 0,
    maxFileBytes: 125_829_120,
    smallFileBytes: 104_857_600,
    averageRowBytes: expect.any(Number),
    sizes: [{ fromBytes: 0, toBytes: 12_582_912, fileGroups: files.length, bytes: sizeBytes }],
    partitionCount: 1,
    partitions: [
      {
        partition: "",
        rows: 2,
        bytes: sizeBytes,
        fileGroups: files.length,
        smallFiles: files.length,
        logFiles: 0,
        logBytes: 0,
      },
    ],
    oldFiles: { count: 0, bytes: 0 },
    index: { kind: "bucket", buckets: 2 },
    commits: 1,
    oldestInstant: instant,
    newestInstant: instant,
    pending: [],
  });
});

test("stats of an empty table, of none, and with a wrong flag (CLI-17)", async () => {
  const table = await space.table(FIELDS);
  expect((await lakeDone(["stats", table])).stdout).toMatch(
    /^rows {9}0\nsize {9}0 B in 0 file groups\n/,
  );
  expect(JSON.parse((await lakeDone(["stats", table, "--json"])).stdout)).toMatchObject({
    oldestInstant: null,
    newestInstant: null,
    sizes: [],
  });
  expect((await lake(["stats", space.path("none")])).code).toBe(1);
  expect((await lake(["stats", table, "--partitions", "few"])).code).toBe(2);
});
