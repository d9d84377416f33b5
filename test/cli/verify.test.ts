// `lake verify`: findings on standard output, one a line, and an exit code.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { jsonLines, lake, lakeDone, Workspace } from "./support/lake-run.ts";

const space = new Workspace();
afterAll(() => space.remove());

test("verify tells findings one a line and ends with code 1 when one is an error (VF-15)", async () => {
  const table = await space.table({ id: "long", note: "string" });
  const rows = [
    { id: 1, note: "a" },
    { id: 2, note: "b" },
  ];
  await lakeDone(["write", table], { stdin: jsonLines(rows) });
  const sound = await lakeDone(["verify", table], { terminal: 80 });
  expect(sound.stdout).toMatch(
    /^checked 1 instant, 1 partition, \d files?, 1 file group, 2 rows: nothing is wrong\n$/,
  );
  const file = readdirSync(table).find((name) => name.endsWith(".parquet")) as string;
  const bytes = readFileSync(join(table, file));
  writeFileSync(join(table, file), bytes.fill(0xff, 4, 20));
  const { code, stdout, stderr } = await lake(["verify", table]);
  expect(code).toBe(1);
  expect(stdout.split("\n")[0]).toMatch(
    new RegExp(`^error {3}PQ-3 {4}${file}: .*; restore the file`),
  );
  expect(stdout).toMatch(/\nchecked .*: 1 error, 0 warnings\n$/);
  expect(stderr).toMatch(/^lake: CORRUPT: verified table .*: found 1 error and 0 warnings/);
  expect((await lakeDone(["verify", "--quick", table])).stdout).toMatch(
    /1 file group: nothing is wrong/,
  );
  const document = JSON.parse((await lake(["verify", "--json", table])).stdout);
  expect(document).toMatchObject({
    table,
    level: "full",
    errors: 1,
    findings: [{ rule: "PQ-3", severity: "error", path: file }],
    checked: { rows: 2 },
  });
});

test("properties that cannot be read are a finding (VF-15)", async () => {
  const table = await space.table({ id: "long" });
  const path = join(table, ".hoodie/hoodie.properties");
  writeFileSync(path, readFileSync(path, "utf8").replace(/checksum=\d+/, "checksum=1"));
  const { code, stdout } = await lake(["verify", table]);
  expect(code).toBe(1);
  expect(stdout).toMatch(/^error {3}TBL-3 {3}\.hoodie\/hoodie\.properties: /);
  expect((await lake(["verify", space.path("none")])).stdout).toBe("");
});
