// The meta columns of rows that a write brings in.
import { expect, test } from "vitest";
import { addMetaColumns, withFileName } from "../../src/file-group/meta-columns.ts";
import { batchRows } from "../../src/format/row-batch.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { type StoredBatch, toColumn } from "../../src/format/stored-column.ts";
import { batchOfRows, keysOf } from "./base-file-samples.ts";

const schema = createTableSchema("t", { id: "string", n: "int" });
const values = { instant: "20260102000000000", taskNumber: 3, partitionPath: "city=x" };
const plainRows = (batch: StoredBatch) => [
  ...batchRows({ ...batch, columns: batch.columns.map(toColumn) }),
];
const rowsOf = (count: number) => Array.from({ length: count }, (_, n) => ({ id: `k${n}`, n }));

test("say instant, number of the row, key and partition of what is written (RK-7, RK-9)", () => {
  const batch = batchOfRows(schema, rowsOf(2));
  const named = withFileName(addMetaColumns(batch, keysOf(batch), values), "f.parquet");
  expect(plainRows(named)).toEqual([
    {
      _hoodie_commit_time: "20260102000000000",
      _hoodie_commit_seqno: "20260102000000000_3_0",
      _hoodie_record_key: "k0",
      _hoodie_partition_path: "city=x",
      _hoodie_file_name: "f.parquet",
      id: "k0",
      n: 0,
    },
    {
      _hoodie_commit_time: "20260102000000000",
      _hoodie_commit_seqno: "20260102000000000_3_1",
      _hoodie_record_key: "k1",
      _hoodie_partition_path: "city=x",
      _hoodie_file_name: "f.parquet",
      id: "k1",
      n: 1,
    },
  ]);
});

test.each([0, 1, 10, 11, 101, 1000])(
  "rows of a batch of %i are numbered through (RK-9)",
  (count) => {
    const batch = batchOfRows(schema, rowsOf(count));
    const rows = plainRows(addMetaColumns(batch, keysOf(batch), values));
    expect(rows.map((row) => row._hoodie_commit_seqno)).toEqual(
      rows.map((_, at) => `20260102000000000_3_${at}`),
    );
  },
);

test("a batch that gets a file name leaves the one it came from alone (CB-1)", () => {
  const batch = batchOfRows(schema, rowsOf(1));
  const unnamed = addMetaColumns(batch, keysOf(batch), values);
  withFileName(unnamed, "f.parquet");
  expect(plainRows(unnamed)[0]?._hoodie_file_name).toBe("");
});
