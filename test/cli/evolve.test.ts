// `lake evolve`: the texts of changes, what is printed, what is wrong usage and what is refused.
import { afterAll, describe, expect, test } from "vitest";
import { HudiTable } from "../../src/hudi-table.ts";
import { jsonLines, lake, lakeDone, Workspace } from "./support/lake-run.ts";

const space = new Workspace();
afterAll(() => space.remove());

async function createTable(name: string): Promise<string> {
  const schema = space.file(
    `${name}.json`,
    JSON.stringify({ id: "string", seats: "int", fare: "decimal(6,2)?", tags: "list<int?>?" }),
  );
  const path = space.path(name);
  await lakeDone(["create", path, "--schema", schema, "--record-key", "id"]);
  const rows = [{ id: "a", seats: 1, fare: "1.50", tags: [1] }];
  await lakeDone(["write", path], { stdin: jsonLines(rows) });
  return path;
}

async function columnsOf(path: string): Promise<string[]> {
  const table = await HudiTable.open(path);
  const { fields } = await table.schema();
  await table.close();
  return fields.map(({ name, type }) => `${name} ${type.kind}`);
}

test("changes columns in the order of its arguments (CLI-18)", async () => {
  const path = await createTable("changed");
  const changes = [
    "add note string? after id",
    "add first decimal(8, 2)? first",
    "widen seats long",
    "nullable seats",
    "move fare last",
    "drop tags",
  ];
  const readers = ["--readers", "none"];
  const { stdout } = await lakeDone(["evolve", path, ...changes, ...readers]);
  expect(stdout).toMatch(/^\d{17} commit: 6 changes\n$/);
  expect(await columnsOf(path)).toEqual([
    "first decimal",
    "id string",
    "note string",
    "seats long",
    "fare decimal",
  ]);
  const { stdout: rows } = await lakeDone(["read", path, "--format", "jsonl"]);
  expect(rows).toBe('{"first":null,"id":"a","note":null,"seats":1,"fare":"1.50"}\n');
});

test("rewrites where it is told to, and prints a document (CLI-8, CLI-18)", async () => {
  const path = await createTable("renamed");
  const refused = await lake(["evolve", path, "rename seats places"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/^lake: UNSUPPORTED: cannot rename column "seats": /);
  const argv = ["evolve", path, "rename seats places", "widen places float inexact"];
  const { stdout } = await lakeDone([...argv, "--rewrite", "--json"]);
  expect(JSON.parse(stdout)).toEqual({
    instant: expect.stringMatching(/^\d{17}$/),
    changes: [
      { rename: "seats", to: "places" },
      { widen: "places", to: "float", inexact: true },
    ],
    rewritten: true,
  });
  expect(await columnsOf(path)).toContain("places float");
});

describe("is wrong usage before the table is opened (CLI-3, CLI-18)", () => {
  test.each([
    ["no change", []],
    ["an unknown verb", ["remove seats"]],
    ["a verb alone", ["drop"]],
    ["a type that is missing", ["add note"]],
    ["a place without a type", ["add note first"]],
    ["a place that is missing", ["move seats"]],
    ["words too many", ["drop seats now"]],
    ["a rename of two", ["rename seats a b"]],
    ["an empty text", [""]],
    ["an unknown engine", ["drop seats", "--readers", "hive"]],
  ])("%s", async (_, args) => {
    const { code, stderr } = await lake(["evolve", space.path("nowhere"), ...args]);
    expect(stderr).toMatch(/^lake: /);
    expect(code).toBe(2);
  });
});
