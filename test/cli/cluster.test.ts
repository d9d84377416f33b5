// `lake cluster`: a plan to look at, one go, and two steps.
import { afterAll, expect, test } from "vitest";
import { jsonLines, lake, lakeDone, Workspace } from "./support/lake-run.ts";

const space = new Workspace();
afterAll(() => space.remove());

test("cluster shows its plan, takes both steps or one of them, and says what it did (CL-1, CL-4)", async () => {
  const table = await space.table({ id: "long", city: "string" }, ["--partition-by", "city"]);
  for (const id of [3, 1, 2]) {
    const stdin = jsonLines([{ id, city: "Oslo" }]);
    await lakeDone(["write", table, "--op", "bulk-insert"], { stdin });
  }
  const sorted = ["--sort-by", "id"];
  const plan = await lakeDone(["cluster", table, "--dry-run"]);
  expect(plan.stdout).toBe("Oslo: 3 files into one\nplanned\n");
  const scheduled = JSON.parse(
    (await lakeDone(["cluster", table, "--schedule", "--json", ...sorted])).stdout,
  );
  expect(scheduled).toMatchObject({
    table,
    state: "scheduled",
    groups: [{ partitionPath: "Oslo" }],
  });
  const executed = await lakeDone(["cluster", table, "--execute", scheduled.instant]);
  expect(executed.stdout).toMatch(
    /^Oslo: 3 files into one\nclustered 3 rows into 1 file of .* at \d{17}\n$/,
  );
  expect((await lakeDone(["read", table, "--columns", "id"])).stdout).toBe(
    '{"id":1}\n{"id":2}\n{"id":3}\n',
  );
  expect((await lakeDone(["cluster", table])).stdout).toBe("nothing to cluster\n");
  expect((await lake(["cluster", table, "--schedule", "--execute"])).code).toBe(2);
});
