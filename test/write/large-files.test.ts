// Merges of files of several row groups, whose buffers are large enough to be given back while the work
// goes on: nothing that is still needed may be among them.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { HudiTable } from "../../src/hudi-table.ts";

const ROWS = 150_000;
/** Long enough that a row group is cut by its bytes. */
const PADDING = "é".repeat(210);
const DAY_MS = 86_400_000;

interface WideRow {
  id: string;
  flag: boolean | null;
  small: number | null;
  big: bigint | null;
  ratio: number | null;
  day: Date | null;
  moment: bigint | null;
  price: string | null;
  note: string | null;
  city: string | null;
}

/** A version of a row: each column has nulls, one repeats, one never does. */
function rowOf(n: number, version: number): WideRow {
  const seed = n * 31 + version;
  const unless = <T>(step: number, value: T): T | null => (seed % step === 0 ? null : value);
  return {
    id: `key ${n}`,
    flag: unless(11, seed % 3 === 0),
    small: unless(7, seed),
    big: unless(5, BigInt(seed) * 1_000_000_007n),
    ratio: unless(13, seed / 7),
    day: unless(17, new Date((seed % 30_000) * DAY_MS)),
    moment: unless(19, BigInt(seed) * 1_000_003n),
    price: unless(23, `${seed}.${String(version).padStart(2, "0")}`),
    note: unless(29, `${seed} ${PADDING}`),
    city: unless(3, `city ${seed % 50}`),
  };
}

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-large-"));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

test("rows of large files come through updates, deletes and inserts (BASE-6, CB-5)", async () => {
  const options = { workers: { count: 0 } };
  const table = await HudiTable.create<Record<keyof WideRow, never>>(
    join(directory, "wide"),
    {
      name: "wide",
      type: "copy-on-write",
      fields: {
        id: "string",
        flag: "boolean?",
        small: "int?",
        big: "long?",
        ratio: "double?",
        day: "date?",
        moment: "timestamp-micros?",
        price: "decimal(12,2)?",
        note: "string?",
        city: "string?",
      },
      recordKey: "id",
    } as never,
    options,
  );
  const expected = new Map<string, WideRow>();
  const batch = (from: number, to: number, step: number, version: number): WideRow[] => {
    const rows: WideRow[] = [];
    for (let n = from; n < to; n += step) rows.push(rowOf(n, version));
    for (const row of rows) expected.set(row.id, row);
    return rows;
  };
  await table.bulkInsert(batch(0, ROWS, 1, 0) as never);
  // Some batches of rows are kept whole, others are changed; new rows are appended.
  await table.upsert([...batch(0, ROWS / 2, 9, 1), ...batch(ROWS, ROWS + 20_000, 1, 1)] as never);
  const gone = batch(40_000, 60_000, 3, 1).map(({ id }) => id);
  for (const id of gone) expected.delete(id);
  await table.delete(gone.map((id) => ({ id })) as never);
  await table.upsert(batch(ROWS - 1000, ROWS + 1000, 1, 2) as never);
  let seen = 0;
  for await (const row of table.read() as AsyncIterable<WideRow>) {
    const wanted = expected.get(row.id);
    // Comparing with the matcher of the test runner would take longer than all the rest.
    if (!wanted || !isSame(row, wanted)) expect(row).toEqual(wanted);
    seen += 1;
  }
  expect(seen).toBe(expected.size);
  await table.close();
}, 60_000);

function isSame(a: WideRow, b: WideRow): boolean {
  return (Object.keys(b) as (keyof WideRow)[]).every((name) => {
    const [x, y] = [a[name], b[name]];
    return x instanceof Date && y instanceof Date ? x.getTime() === y.getTime() : x === y;
  });
}
