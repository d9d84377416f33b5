// Changes of columns before real engines: which of them read old and new files side by side. Where the
// library says that an engine does not, it does not, and after a rewrite every engine does.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { HudiTable, type TableSchema } from "../../src/index.ts";
import {
  type EngineName,
  KNOWN_ENGINES,
  listReaderLimits,
} from "../../src/layout/reader-limits.ts";
import { applySchemaChanges } from "../../src/layout/schema-change.ts";
import { startIfAvailable } from "./support/engine-availability.ts";
import { canonicalRows, type EngineRow } from "./support/engine-rows.ts";
import { EVOLUTION_CASES, type EvolutionCase } from "./support/evolution-cases.ts";
import { HudiRsReader } from "./support/hudi-rs-reader.ts";
import {
  formatSparkColumns,
  type LakeRow,
  listEngineColumns,
  toEngineRow,
} from "./support/lake-rows.ts";
import { sparkWriteOptions } from "./support/matrix-engines.ts";
import { PrestoServer } from "./support/presto-server.ts";
import { SMALL_BLOOM } from "./support/shape-builder.ts";
import { SparkSession } from "./support/spark-session.ts";

let directory: string;
let spark: SparkSession;
let hudiRs: HudiRsReader;
let presto: PrestoServer;
let isRunning = false;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-evolution-"));
  const started = await startIfAvailable("Spark, hudi-rs and Presto", async () => {
    spark = await SparkSession.start({ bundle: "0.15.0" });
    hudiRs = await HudiRsReader.start();
    presto = await PrestoServer.start({ dataDir: join(directory, "presto") });
    return true;
  });
  isRunning = started ?? false;
});

beforeEach(({ skip }) => skip(!isRunning, "an engine did not run"));

afterAll(async () => {
  await presto?.stop();
  await hudiRs?.stop();
  await spark?.stop();
  await rm(directory, { recursive: true, force: true });
});

const OPTIONS = { workers: { count: 0 }, write: { bloom: SMALL_BLOOM } };

/** The table of a case with two rows of before, changed, with one of after in a file of its own. */
async function changeTable(
  one: EvolutionCase,
  name: string,
  rewrite: boolean,
): Promise<{ readonly table: HudiTable<LakeRow>; readonly base: TableSchema }> {
  const { fields, changes, old, fresh } = one;
  const created = await HudiTable.create(
    join(directory, name),
    { ...DEFINITION, name, fields },
    OPTIONS,
  );
  const table = created as unknown as HudiTable<LakeRow>;
  const base = await table.schema();
  await table.bulkInsert(["k0", "k1"].map((id) => ({ id, at: 1n, ...old })));
  await table.evolve(changes, { rewrite, readers: [] });
  await table.bulkInsert([{ id: "k2", at: 1n, ...fresh }]);
  return { table, base };
}

const DEFINITION = { type: "copy-on-write", recordKey: "id", orderingField: "at" } as const;

function rowsOf({ shown, fresh }: EvolutionCase): LakeRow[] {
  return [
    { id: "k0", at: 1n, ...shown },
    { id: "k1", at: 1n, ...shown },
    { id: "k2", at: 1n, ...fresh },
  ];
}

async function registerPresto(table: HudiTable<LakeRow>, name: string): Promise<string> {
  const columns = listEngineColumns(await table.schema());
  await presto.registerHudiTable({ name, location: table.location, columns });
  return columns.map((column) => `"${column.name}"`).join(", ");
}

/** What an engine reads of a table. */
async function readBy(
  engine: EngineName,
  table: HudiTable<LakeRow>,
  name: string,
): Promise<EngineRow[]> {
  if (engine === "spark") return spark.readTable(table.location);
  if (engine === "hudi-rs") return hudiRs.read(table.location);
  return presto.query(`SELECT ${await registerPresto(table, name)} FROM ${name}`);
}

/** The keys of the rows that pass a filter, or undefined where the engine is not asked. */
async function findBy(
  engine: EngineName,
  table: HudiTable<LakeRow>,
  name: string,
  filter: string | undefined,
): Promise<unknown[] | undefined> {
  if (filter === undefined || engine === "hudi-rs") return undefined;
  const query = `SELECT id FROM ${name} WHERE ${filter}`;
  if (engine === "presto") return (await presto.query(query)).map(({ id }) => id);
  await spark.sql(`CREATE TABLE IF NOT EXISTS ${name} USING hudi LOCATION '${table.location}'`);
  return (await spark.sql(query)).map(({ id }) => id);
}

/** Rows of a table as texts, in no order. */
function textsOf(rows: readonly LakeRow[], schema: TableSchema): string {
  return canonicalRows(rows.map((row) => toEngineRow(row, schema))).join("\n");
}

/** What an engine makes of the table as it is, filters included: "right", or what is wrong. */
async function tryReading(
  engine: EngineName,
  table: HudiTable<LakeRow>,
  name: string,
  one: EvolutionCase,
): Promise<string> {
  const schema = await table.schema();
  try {
    const rows = canonicalRows(await readBy(engine, table, name)).join("\n");
    if (rows !== textsOf(rowsOf(one), schema)) return `reads ${rows}`;
    const found = await findBy(engine, table, name, one.filter);
    if (found && found.sort().join() !== "k0,k1") return `finds ${found.join()}`;
    return "right";
  } catch (error) {
    return `fails: ${(error as Error).message.slice(0, 300)}`;
  }
}

/** Lets Spark update one old row beside which another stays, and insert one. */
async function trySparkUpsert(
  table: HudiTable<LakeRow>,
  name: string,
  one: EvolutionCase,
): Promise<string> {
  const schema = await table.schema();
  const isInt = one.fresh.at === undefined;
  const changed = ["k1", "k3"].map((id) => ({
    ...{ id, ...one.fresh },
    at: isInt ? 2n : 9_000_000_001n,
  }));
  const [kept, , fresh] = rowsOf(one) as [LakeRow, LakeRow, LakeRow];
  const expected = textsOf([kept, fresh, ...changed], schema);
  try {
    await spark.write({
      path: table.location,
      rows: changed.map((row) => toEngineRow(row, schema)),
      schema: formatSparkColumns(schema),
      options: sparkWriteOptions({ definition: { ...DEFINITION, name, fields: one.fields } }),
      mode: "append",
    });
  } catch (error) {
    return `fails to upsert: ${(error as Error).message.slice(0, 300)}`;
  }
  const seen = canonicalRows(await spark.readTable(table.location)).join("\n");
  if (seen !== expected) return `reads after its upsert ${seen}`;
  const ours = textsOf(await table.read().toArray(), schema);
  return ours === expected ? "right" : `leaves us ${ours}`;
}

describe.each(EVOLUTION_CASES.map((one) => ({ ...one })))("$name", (one) => {
  test("is read by us and by those engines that the library does not name (EV-4, EV-8)", async () => {
    const { name } = one;
    const { table, base } = await changeTable(one, name, false);
    expect(textsOf(await table.read().toArray(), await table.schema())).toBe(
      textsOf(rowsOf(one), await table.schema()),
    );
    const columns = { recordKey: ["id"], partition: [], ordering: ["at"] };
    const { effects } = applySchemaChanges(base, one.changes, columns);
    const wrong: string[] = [];
    for (const engine of ["presto", "hudi-rs", "spark"] as const) {
      let verdict = await tryReading(engine, table, name, one);
      if (engine === "spark" && verdict === "right") {
        verdict = await trySparkUpsert(table, name, one);
      }
      if (verdict === "right") continue;
      console.log(`${name}: ${engine} ${verdict}`);
      wrong.push(engine);
    }
    await table.close();
    const named = listReaderLimits(effects).map(({ engine }) => engine);
    expect(wrong.sort()).toEqual([...new Set(named)].sort());
  });

  test("is read by every engine after a rewrite, and Spark writes on (EV-7)", async () => {
    const name = `${one.name}_rewritten`;
    const { table } = await changeTable(one, name, true);
    for (const engine of KNOWN_ENGINES) {
      expect(`${engine} ${await tryReading(engine, table, name, one)}`).toBe(`${engine} right`);
    }
    expect(await trySparkUpsert(table, name, one)).toBe("right");
    await table.close();
  });
});

describe("what Spark changes by writing", () => {
  const fields = { id: "string", at: "long", v: "int?", z: "string?" } as const;

  async function createOld(name: string): Promise<{ table: HudiTable<LakeRow>; first: string }> {
    const path = join(directory, name);
    const created = await HudiTable.create(path, { ...DEFINITION, name, fields }, OPTIONS);
    const table = created as unknown as HudiTable<LakeRow>;
    const rows = ["k0", "k1"].map((id) => ({ id, at: 1n, v: 7, z: "old" }));
    const { instant } = await table.bulkInsert(rows);
    return { table, first: instant };
  }

  test("is read by us, now, as it was and by what changed (EV-4, EV-5)", async () => {
    const name = "widened";
    const { table, first } = await createOld(name);
    const row = (id: string): EngineRow => ({
      ...{ id, at: 2n, v: 9_000_000_000n },
      z: "new",
      n: "x",
    });
    await spark.write({
      path: table.location,
      rows: [row("k1"), row("k2")],
      schema: `id STRING NOT NULL, at BIGINT NOT NULL, v BIGINT, z STRING, n STRING`,
      options: {
        ...sparkWriteOptions({ definition: { ...DEFINITION, name, fields } }),
      },
      mode: "append",
    });
    const schema = await table.schema();
    const shown = (rows: readonly LakeRow[]): string => textsOf(rows, schema);
    const changed = ["k1", "k2"].map(row);
    const kept = { id: "k0", at: 1n, v: 7n, z: "old", n: null };
    expect(shown(await table.read().toArray())).toBe(shown([kept, ...changed]));
    expect(canonicalRows(await spark.readTable(table.location)).join("\n")).toBe(
      shown([kept, ...changed]),
    );
    const pulled = await table.incremental({ after: first }).toArray();
    expect(shown(pulled)).toBe(shown(changed));
    const before = await table.read({ asOf: first }).toArray();
    expect(before).toEqual(["k0", "k1"].map((id) => ({ id, at: 1n, v: 7, z: "old" })));
    await table.upsert([{ ...kept, at: 3n, n: "ours" }]);
    expect(canonicalRows(await spark.readTable(table.location)).join("\n")).toBe(
      shown([{ ...kept, at: 3n, n: "ours" }, ...changed]),
    );
    await table.close();
  });
});
