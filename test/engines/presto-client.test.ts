// The client of Presto and Trino against answers of a stand-in: no digit of a moment is lost.

import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";

import type { EngineRow } from "./support/engine-rows.ts";
import { runPrestoStatement } from "./support/presto-client.ts";

/** The rows of an answer with these texts in a column of that type, and what was asked with. */
async function ask(
  dialect: "Presto" | "Trino",
  type: string,
  texts: readonly string[],
): Promise<{ rows: EngineRow[]; headers: IncomingHttpHeaders }> {
  let headers: IncomingHttpHeaders = {};
  const server = createServer((request, response) => {
    headers = request.headers;
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify({ columns: [{ name: "t", type }], data: texts.map((t) => [t]) }));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  try {
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const session = { dialect, catalog: "hudi", schema: "lake" };
    return { rows: (await runPrestoStatement(url, "SELECT t", session)).rows, headers };
  } finally {
    server.close();
  }
}

test.each([
  ["timestamp(3)", "1969-12-31 23:59:59.999", -1_000n],
  ["timestamp(6)", "1969-12-31 23:59:59.999999", -1n],
  ["timestamp(6)", "2024-02-28 23:06:40.123000", 1709161600123000n],
  ["timestamp(9)", "2024-02-28 23:06:40.123456000", 1709161600123456n],
  ["timestamp(9)", "9999-12-31 23:59:59.999999000", 253402300799999999n],
  ["timestamp(9)", "0001-01-01 00:00:00.000000000", -62135596800000000n],
])("a %s of %s is %i microseconds", async (type, text, micros) => {
  expect((await ask("Trino", type, [text])).rows).toEqual([{ t: micros }]);
});

test("a moment that microseconds do not hold is refused", async () => {
  const asked = ask("Trino", "timestamp(9)", ["2024-02-28 23:06:40.123456789"]);
  await expect(asked).rejects.toThrow("cannot parse the timestamp 2024-02-28 23:06:40.123456789");
});

test("each is asked under its own names, and Trino for whole timestamps", async () => {
  const { headers: presto } = await ask("Presto", "varchar", []);
  expect(presto).toMatchObject({ "x-presto-user": "hudi-lake", "x-presto-time-zone": "UTC" });
  const { headers: trino } = await ask("Trino", "varchar", []);
  expect(trino).toMatchObject({
    "x-trino-user": "hudi-lake",
    "x-trino-catalog": "hudi",
    "x-trino-client-capabilities": "PARAMETRIC_DATETIME",
  });
  expect(Object.keys(trino).filter((name) => name.startsWith("x-presto"))).toEqual([]);
});
