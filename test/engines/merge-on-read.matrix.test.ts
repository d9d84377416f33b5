// Every shape of merge-on-read table that we write, read by every engine with its logs (rt) and for its
// base files alone (ro), and compared row for row: with what the writes must leave, and with what
// pyarrow finds in the base files. An engine that cannot read a shape is held to the answer it gives.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { HudiTable } from "../../src/index.ts";
import { readBaseFileRows } from "./support/base-file-rows.ts";
import { REQUIRES_ENGINES } from "./support/engine-availability.ts";
import { canonicalRows, type EngineRow } from "./support/engine-rows.ts";
import { writeStep } from "./support/lake-writer.ts";
import { type KnownAnswer, LOG_SHAPES, type LogShape } from "./support/log-shapes.ts";
import { EngineMatrix, publishMatrix } from "./support/matrix.ts";
import {
  type EngineWorld,
  type LogQuery,
  type MatrixEngine,
  SparkEngine,
  type StartEngine,
  startHudiRs,
  startLake,
} from "./support/matrix-engines.ts";
import { PRESTO, startPresto, startTrino, TRINO } from "./support/metastore-engines.ts";
import { PyarrowReader } from "./support/pyarrow-reader.ts";
import { expectTable } from "./support/shape-builder.ts";

interface Column {
  readonly name: string;
  readonly engine: string;
  readonly query: LogQuery;
  /** What it is compared with: Trino has no reader of logs and takes either table for base files. */
  readonly holds: "logs" | "base files";
}

const LAKE = "hudi-lake";
const HUDI_RS = "hudi-rs";
const SPARK = "Spark 3.5, Hudi 0.15.0";
const ENGINES: readonly (readonly [string, StartEngine])[] = [
  [LAKE, startLake],
  [SPARK, SparkEngine.start],
  [PRESTO, startPresto],
  [HUDI_RS, startHudiRs],
  [TRINO, startTrino],
];
const RT = { query: "real-time", holds: "logs" } as const;
const RO = { query: "read-optimized", holds: "base files" } as const;
const COLUMNS: readonly Column[] = [
  ...[LAKE, SPARK, PRESTO].flatMap((engine): Column[] => [
    { name: `${engine} rt`, engine, ...RT },
    { name: `${engine} ro`, engine, ...RO },
  ]),
  { name: HUDI_RS, engine: HUDI_RS, ...RT },
  { name: `${TRINO} rt`, engine: TRINO, query: "real-time", holds: "base files" },
  { name: `${TRINO} ro`, engine: TRINO, ...RO },
];

const matrix = new EngineMatrix(
  "Merge-on-read tables that hudi-lake wrote: with their logs (rt), and their base files alone (ro)",
  LOG_SHAPES.map(({ name }) => name),
  COLUMNS.map(({ name }) => name),
);
const engines = new Map<string, MatrixEngine>();
const reasons = new Map<string, string>();
let pyarrow: PyarrowReader | undefined;
let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-logs-"));
  const world: EngineWorld = { timeZone: "UTC", directory };
  const start = async (name: string, startEngine: () => Promise<unknown>): Promise<void> => {
    await startEngine().catch((error) => reasons.set(name, String(error)));
  };
  for (const [name, startEngine] of ENGINES) {
    await start(name, async () => engines.set(name, await startEngine(world)));
  }
  await start("pyarrow", async () => {
    pyarrow = await PyarrowReader.start();
  });
});

afterAll(async () => {
  for (const engine of engines.values()) await engine.stop();
  await pyarrow?.stop();
  await rm(directory, { recursive: true, force: true });
  await publishMatrix(matrix, false);
});

/** Creates the table of a shape and carries its history out; gives its columns. */
async function writeHistory(shape: LogShape, path: string): Promise<string[]> {
  const table = await HudiTable.create(path, shape.definition, { write: shape.write });
  await using opened = table as HudiTable;
  for (const step of shape.history) {
    if (step.kind === "service") await step.run(opened);
    else await writeStep(opened, step);
  }
  return (await opened.schema()).fields.map(({ name }) => name);
}

function withColumns(rows: readonly EngineRow[], names: readonly string[]): EngineRow[] {
  return rows.map((row) => Object.fromEntries(names.map((name) => [name, row[name] ?? null])));
}

describe.each(LOG_SHAPES.map((shape) => ({ ...shape })))("$name", (shape) => {
  const path = (): string => join(directory, shape.name);
  let merged: EngineRow[];
  let stored: EngineRow[] | undefined;

  beforeAll(async () => {
    const names = await writeHistory(shape, path());
    merged = withColumns(expectTable(shape).rows, names);
    stored = pyarrow && withColumns(await readBaseFileRows(path(), pyarrow), names);
  });

  test("its logs say what the base files do not", ({ skip }) => {
    if (!stored) return skip("pyarrow did not run");
    const isEqual = String(canonicalRows(merged)) === String(canonicalRows(stored));
    expect(isEqual).toBe(!shape.isLogged);
  });

  const note = (column: Column, answer: KnownAnswer): void =>
    matrix.record(shape.name, column.name, {
      kind: "equal",
      rowCount: 0,
      notes: [answer.note],
    });

  test.for(COLUMNS)("$name agrees row for row", async (column, { skip }) => {
    const { name, query, holds } = column;
    const engine = engines.get(column.engine);
    if (!engine || !stored) {
      const reason = reasons.get(engine ? "pyarrow" : column.engine) ?? "it did not start";
      matrix.record(shape.name, name, { kind: "not-run", reason });
      if (REQUIRES_ENGINES) throw new Error(`${name} did not run: ${reason}`);
      return skip(`${name} did not run`);
    }
    const answer = shape.answers[name];
    const held = holds === "logs" ? merged : stored;
    try {
      if (answer && "fails" in answer) {
        await expect(engine.read(shape, path(), held, query)).rejects.toThrow(answer.fails);
        note(column, answer);
        return;
      }
      const expected = answer ? answer.shows(merged, stored) : held;
      const reading = await engine.read(shape, path(), expected, query);
      const rows = canonicalRows(reading.rows);
      const wanted = canonicalRows(reading.expected);
      expect(rows).toEqual(wanted);
      const notes = [...(answer ? [answer.note] : []), ...reading.notes];
      matrix.record(shape.name, name, { kind: "equal", rowCount: rows.length, notes });
    } catch (error) {
      const reason = (error as Error).name === "AssertionError" ? "other rows" : String(error);
      matrix.record(shape.name, name, { kind: "different", reason });
      throw error;
    }
  });
});

test("the matrix is whole", () => {
  expect(matrix.listGaps(!REQUIRES_ENGINES)).toEqual([]);
});
