import { PassThrough } from "node:stream";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { createJsonFormatter } from "../../src/cli/row-text.ts";
import { createJsonReader } from "../../src/cli/row-values.ts";
import { createColumnBuilder } from "../../src/format/column-builder.ts";
import type { Field } from "../../src/format/schema.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import { lakeDone, Workspace } from "./support/lake-run.ts";

const space = new Workspace();
afterAll(() => space.remove());

const FIELDS = {
  id: "long",
  s: "string?",
  b: "boolean?",
  i: "int?",
  l: "long?",
  d: "double?",
  day: "date?",
  ts: "timestamp-micros?",
  dec: "decimal(38,10)?",
  whole: "decimal(5,0)?",
  must: "string",
  __proto__x: "string?",
  f: "float?",
  raw: "bytes?",
  digest: "fixed(3)?",
  size: "enum(SMALL,x_1)?",
  clock: "time-millis?",
  exactClock: "time-micros?",
  tsms: "timestamp-millis?",
  longs: "list<long?>?",
  named: "map<list<double?>?>?",
  deep: "struct<dec:decimal(9,2)?,day:date?,ts:timestamp-micros?,raw:bytes?,f:float?,l:long?>?",
  deeper:
    "struct<digest:fixed(3)?,sizes:list<enum(A,B)?>?,clocks:map<time-millis?>?,exact:time-micros?,ms:timestamp-millis?>?",
};

type Row = Record<string, unknown>;

const EMPTY: Row = {
  s: null,
  b: null,
  i: null,
  l: null,
  d: null,
  day: null,
  ts: null,
  dec: null,
  whole: null,
  must: "",
  __proto__x: null,
  f: null,
  raw: null,
  digest: null,
  size: null,
  clock: null,
  exactClock: null,
  tsms: null,
  longs: null,
  named: null,
  deep: null,
  deeper: null,
};

/** Values that lose something in careless hands, each in a row of its own. */
const HOSTILE: readonly Row[] = [
  {},
  ...[
    "",
    " ",
    "null",
    "NaN",
    'a"b',
    "a,b",
    "a\nb",
    "a\r\nb\r",
    "\t\u0000\u001b[31m",
    "\u2028\u2029\u0085",
    "\ufeffBOM",
    "😀 Ærø 東京 \u0301",
    "\\n\\u0000",
    "{}",
    "'",
    "=1+1",
    "x".repeat(100_000),
  ].flatMap((s) => [{ s }, { must: s }]),
  { b: true },
  { b: false },
  ...[0, 2_147_483_647, -2_147_483_648].map((i) => ({ i })),
  ...[0n, 9_007_199_254_740_993n, 2n ** 63n - 1n, -(2n ** 63n), 1_000_000_000_000_000_000n].map(
    (l) => ({ l }),
  ),
  ...[
    0,
    -0,
    0.1,
    1 / 3,
    5e-324,
    1.7976931348623157e308,
    1e21,
    123_456_789_012_345_680_000,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ].map((d) => ({ d })),
  ...[0, -1, 19_782, -719_162, 2_932_896, 2_932_897, -719_529, 100_000_000].map((days) => ({
    day: new Date(days * 86_400_000),
  })),
  ...[0n, -1n, 1_704_067_200_123_456n, 2n ** 63n - 1n, -(2n ** 63n)].map((ts) => ({ ts })),
  ...[
    "0.0000000000",
    "-0.0000000001",
    "9999999999999999999999999999.9999999999",
    "-9999999999999999999999999999.9999999999",
  ].map((dec) => ({ dec })),
  { whole: "99999" },
  { whole: "-1" },
  { __proto__x: "polluted" },
  ...[0, -0, 1 / 3, 1e-45, 3.4028234663852886e38, Number.NaN, Number.NEGATIVE_INFINITY].map(
    (f) => ({
      f: Math.fround(f),
    }),
  ),
  ...[[], [0], [255, 0, 34, 44, 10]].map((raw) => ({ raw: Uint8Array.from(raw) })),
  ...[
    [0, 0, 0],
    [255, 34, 10],
  ].map((digest) => ({ digest: Uint8Array.from(digest) })),
  { size: "SMALL" },
  { size: "x_1" },
  ...[0, 1, 86_399_999].map((clock) => ({ clock })),
  ...[0n, 1n, 86_399_999_999n].map((exactClock) => ({ exactClock })),
  ...[0n, -1n, 1_704_067_200_123n, 2n ** 63n - 1n, -(2n ** 63n)].map((tsms) => ({ tsms })),
  {
    deeper: {
      digest: Uint8Array.of(0, 10, 255),
      sizes: ["A", null, "B"],
      clocks: { noon: 43_200_000, none: null },
      exact: 86_399_999_999n,
      ms: -(2n ** 63n),
    },
  },
  { deeper: { digest: null, sizes: [], clocks: {}, exact: null, ms: null } },
  ...[[], [null], [9_007_199_254_740_993n, -(2n ** 63n), 0n]].map((longs) => ({ longs })),
  ...[{}, { "": null }, { 'a"b,\n': [null, -0.5, 1e21], constructor: [] }].map((named) => ({
    named,
  })),
  ...[
    { dec: null, day: null, ts: null, raw: null, f: null, l: null },
    {
      dec: "-0.01",
      day: new Date(-719_162 * 86_400_000),
      ts: 2n ** 63n - 1n,
      raw: Uint8Array.of(0, 255),
      f: Math.fround(0.1),
      l: 2n ** 63n - 1n,
    },
  ].map((deep) => ({ deep })),
];

const ROWS: readonly Row[] = HOSTILE.map((row, index) => ({ id: BigInt(index), ...EMPTY, ...row }));

async function readRows(path: string): Promise<Row[]> {
  const table = await HudiTable.open(path);
  const rows = await table.read().toArray();
  await table[Symbol.asyncDispose]();
  return rows.sort((a, b) => ((a.id as bigint) < (b.id as bigint) ? -1 : 1));
}

async function tableOfHostileRows(): Promise<string> {
  const path = await space.table(FIELDS);
  const table = await HudiTable.open(path);
  await table.bulkInsert(ROWS);
  await table[Symbol.asyncDispose]();
  return path;
}

describe("rows that pass through text and back", () => {
  const source = tableOfHostileRows();

  test("the table holds what was written", async () => {
    expect(await readRows(await source)).toEqual(ROWS);
  });

  test.each(["jsonl", "csv", "parquet", "arrow"])(
    "lake read --format %s | lake write is lossless (CLI-9, CLI-12, CLI-13)",
    async (format) => {
      const copy = await space.table(FIELDS);
      const pipe = new PassThrough({ highWaterMark: 1024 });
      const reading = lakeDone(["read", await source, "--format", format], { stdout: pipe }).then(
        () => pipe.end(),
      );
      const writing = lakeDone(["write", copy, "--format", format, "--op", "insert"], {
        stdin: pipe,
      });
      await Promise.all([reading, writing]);
      const rows = await readRows(copy);
      expect(rows).toEqual(ROWS);
      // Equality of numbers is blind to the sign of zero.
      expect(rows.filter((row) => Object.is(row.d, -0))).toHaveLength(1);
    },
  );

  test("meta columns on the way are left out and made anew (CLI-10)", async () => {
    for (const format of ["jsonl", "csv", "parquet", "arrow"]) {
      const copy = await space.table(FIELDS);
      const { bytes } = await lakeDone(["read", await source, "--meta", "--format", format]);
      await lakeDone(["write", copy, "--format", format], { stdin: bytes });
      expect(await readRows(copy)).toEqual(ROWS);
    }
  });

  test("the JSON document holds the same rows as the lines (CLI-8)", async () => {
    const lines = await lakeDone(["read", await source, "--format", "jsonl"]);
    const document = await lakeDone(["read", await source, "--json"]);
    const parsed = JSON.parse(document.stdout) as { rows: unknown[]; rowCount: number };
    expect(parsed.rowCount).toBe(ROWS.length);
    expect(parsed.rows).toEqual(
      lines.stdout
        .trimEnd()
        .split("\n")
        .map((l) => JSON.parse(l)),
    );
  });
});

test("every double keeps its bits through JSON, NaN aside (CLI-9)", () => {
  const field: Field = { id: 0, name: "d", type: { kind: "double" }, nullable: false };
  const read = createJsonReader(field);
  fc.assert(
    fc.property(fc.double(), (value) => {
      const builder = createColumnBuilder(field);
      builder.append(value);
      const text = createJsonFormatter(field, builder.finish())(0);
      expect(Object.is(read(JSON.parse(text)), value)).toBe(true);
    }),
  );
});
