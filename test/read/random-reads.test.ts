// Random filters and projections on a table of every type, with several partitions, files and row
// groups: rows and Arrow batches against a plain evaluation, row by row.
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { createTableSchema } from "../../src/format/schema.ts";
import type { HudiTable } from "../../src/index.ts";
import { ALL_TYPES, columnsOf } from "../format/column-samples.ts";
import { rowTexts } from "../support/row-text.ts";
import { createCountedTable, dataFilesOf, regroup } from "./counted-table.ts";
import { evaluate, predicateOver, type Row, rowsOf } from "./plain-filter.ts";

const FIELDS = { id: "string", part: "int?", ...ALL_TYPES } as const;
const schema = createTableSchema("t", FIELDS);

let table: HudiTable<Row>;
let rows: Row[];
let columns: Record<string, unknown[]>;

beforeAll(async () => {
  const sample = columnsOf(schema, 120).filter((some) => (some.id?.length ?? 0) >= 90);
  [columns] = fc.sample(sample, { numRuns: 1, seed: 11 }) as [Record<string, unknown[]>];
  const parts = [null, -1, 2, 30];
  columns.part = (columns.part ?? []).map((_, n) => parts[n % parts.length]);
  columns.id = (columns.id ?? []).map((_, n) => `k${n}`);
  rows = rowsOf(columns);
  const made = await createCountedTable({
    fields: FIELDS,
    recordKey: "id",
    partitionBy: "part",
    hiveStyle: true,
  });
  table = made.table as unknown as HudiTable<Row>;
  await table.bulkInsert(rows.slice(0, 40));
  await table.bulkInsert(rows.slice(40));
  for (const path of dataFilesOf(made.store)) await regroup(made.store, path, 5);
});

test("any filter gives the rows for which it is true (PR-1, PR-3, PR-4)", async () => {
  const predicates = predicateOver(schema, columns);
  await fc.assert(
    fc.asyncProperty(predicates, async (where) => {
      const expected = rows.filter((row) => evaluate(where, row) === true);
      expect(rowTexts(await table.read({ where }).toArray())).toEqual(rowTexts(expected));
    }),
    { numRuns: 40 },
  );
});

test("any projection gives its columns, in its order, of the same rows (PR-6)", async () => {
  const names = fc.uniqueArray(fc.constantFrom(...Object.keys(FIELDS)), { minLength: 1 });
  await fc.assert(
    fc.asyncProperty(names, predicateOver(schema, columns), async (wanted, where) => {
      const all = await table.read({ where }).toArray();
      const some = await table.read({ where, columns: wanted }).toArray();
      expect(some.map((row) => Object.keys(row))).toEqual(all.map(() => wanted));
      expect(some).toEqual(all.map((row) => Object.fromEntries(wanted.map((n) => [n, row[n]]))));
      let count = 0;
      for await (const batch of table.read({ where, columns: wanted }).batches()) {
        expect(batch.schema.fields.map(({ name }) => name)).toEqual(wanted);
        count += batch.numRows;
      }
      expect(count).toBe(all.length);
    }),
    { numRuns: 12 },
  );
});
