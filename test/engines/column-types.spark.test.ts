// Types that Spark does not have, as engines see them in tables that we wrote, and what Spark's upsert
// does to them. The faults are pinned here: the day one is mended, its test fails and decision 0014 and
// the README change.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

import { type Fields, HudiTable, type TableDefinition } from "../../src/index.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { canonicalRows, type EngineRow } from "./support/engine-rows.ts";
import { HudiRsReader } from "./support/hudi-rs-reader.ts";
import { collectEngineRows, formatSparkColumns, toLakeRow } from "./support/lake-rows.ts";
import { sparkWriteOptions } from "./support/matrix-engines.ts";
import { SMALL_BLOOM } from "./support/shape-builder.ts";
import { SparkSession } from "./support/spark-session.ts";

let directory: string;
let spark: SparkSession;
let hudiRs: HudiRsReader;
let isRunning = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-column-types-"));
  const started = await startIfAvailable("Spark and hudi-rs", async () => {
    spark = await SparkSession.start({ bundle: "0.15.0" });
    hudiRs = await HudiRsReader.start();
    return true;
  });
  isRunning = started ?? false;
});

beforeEach(({ skip }) => skip(!isRunning, "Spark or hudi-rs did not run"));

afterAll(async () => {
  await hudiRs?.stop();
  await spark?.stop();
  await rm(directory, { recursive: true, force: true });
});

/** A table of one column beside the key, with two commits. */
async function write(
  name: string,
  type: string,
  values: readonly EngineRow["v"][],
): Promise<Table> {
  const path = join(directory, name);
  const fields = { id: "string", at: "long", v: type } as Fields;
  const definition: TableDefinition = {
    name,
    type: "copy-on-write",
    fields,
    recordKey: "id",
    orderingField: "at",
  };
  const rows = values.map((v, index): EngineRow => ({ id: `k${index}`, at: 1n, v: v ?? null }));
  const table = await HudiTable.create(path, definition, { write: { bloom: SMALL_BLOOM } });
  const schema = await table.schema();
  await table.upsert(rows.map((row) => toLakeRow(row, schema)) as never);
  const changed = { ...rows[0], at: 2n } as EngineRow;
  await table.upsert([toLakeRow(changed, schema)] as never);
  await table.close();
  const upsert = async (row: EngineRow): Promise<void> => {
    const columns = formatSparkColumns(schema);
    const options = sparkWriteOptions({ definition });
    await spark.write({ path, rows: [row], schema: columns, options, mode: "append" });
  };
  return { path, rows: [changed, ...rows.slice(1)], upsert };
}

interface Table {
  readonly path: string;
  readonly rows: readonly EngineRow[];
  /** Spark's own upsert of one row. */
  upsert(row: EngineRow): Promise<void>;
}

async function readOurs(path: string): Promise<EngineRow[]> {
  const table = await HudiTable.open(path);
  const rows = await collectEngineRows(table.read(), await table.schema());
  await table.close();
  return rows;
}

describe("fixed", () => {
  test("is read by Spark and hudi-rs, and Spark refuses to upsert it", async () => {
    const values = ["AQL/", "AAAA", null].map((text) => text);
    const { path, rows, upsert } = await write("fixed_column", "fixed(3)?", values);
    for (const found of [await spark.readTable(path), await hudiRs.read(path)]) {
      expect(canonicalRows(found)).toEqual(canonicalRows(rows));
    }
    await expect(upsert({ id: "k1", at: 3n, v: "AQID" })).rejects.toThrow(/writer type: FIXED/);
    expect(canonicalRows(await readOurs(path))).toEqual(canonicalRows(rows));
  });
});

describe("timestamp-millis", () => {
  test("of rows that Spark's upsert copies lose three digits", async () => {
    const values = [1_700_000_000_123_000n, 1_700_000_000_456_000n, null];
    const { path, rows, upsert } = await write("millis_column", "timestamp-millis?", values);
    for (const found of [await spark.readTable(path), await hudiRs.read(path)]) {
      expect(canonicalRows(found)).toEqual(canonicalRows(rows));
    }
    const changed = { id: "k0", at: 3n, v: 1_700_000_000_999_000n };
    await upsert(changed);
    // The number stays and is taken for microseconds.
    const damaged = [changed, { ...rows[1], v: 1_700_000_000_456n }, rows[2] as EngineRow];
    expect(canonicalRows(await spark.readTable(path))).toEqual(canonicalRows(damaged));
    expect(canonicalRows(await readOurs(path))).toEqual(canonicalRows(damaged));
  });
});

describe("time-micros", () => {
  test("is a number to Spark, and its upsert makes a long of it", async () => {
    const { path, rows, upsert } = await write("time_column", "time-micros?", [
      0n,
      86_399_999_999n,
    ]);
    expect(canonicalRows(await spark.readTable(path))).toEqual(canonicalRows(rows));
    const changed = { id: "k0", at: 3n, v: 5n };
    await upsert(changed);
    const expected = canonicalRows([changed, rows[1] as EngineRow]);
    expect(canonicalRows(await spark.readTable(path))).toEqual(expected);
    expect(canonicalRows(await readOurs(path))).toEqual(expected);
    const table = await HudiTable.open(path);
    expect((await table.schema()).fields[2]?.type.kind).toBe("long");
    await table.close();
  });
});
