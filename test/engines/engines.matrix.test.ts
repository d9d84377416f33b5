// Every shape of table that we write, read by every engine and compared row for row with what the
// writes must leave. The matrix of the results is printed at the end and, where HUDI_LAKE_MATRIX
// names a file, written there as markdown. With CI=true an engine that did not run is a failure.

import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import { HudiTable } from "../../src/index.ts";
import { REQUIRES_ENGINES } from "./support/engine-availability.ts";
import { canonicalRows, type EngineRow } from "./support/engine-rows.ts";
import { type Filter, listFilters, passesFilter } from "./support/filters.ts";
import { listEngineColumns } from "./support/lake-rows.ts";
import { writeShapeInZone } from "./support/lake-writer.ts";
import { EngineMatrix, publishMatrix } from "./support/matrix.ts";
import {
  type EngineReading,
  type EngineWorld,
  type MatrixEngine,
  SparkEngine,
  startHudiRs,
  startLake,
} from "./support/matrix-engines.ts";
import { PRESTO, startPresto, startTrino, TRINO } from "./support/metastore-engines.ts";
import { expectTable, keyNames, type Shape } from "./support/shape-builder.ts";
import { SHAPES } from "./support/shapes.ts";

/** What a column of the matrix does with a table that we wrote. */
type Look = (shape: Shape, path: string, expected: readonly EngineRow[]) => Promise<EngineReading>;

const LAKE = "hudi-lake";
const HUDI_RS = "hudi-rs";
const SPARK = "Spark 3.5, Hudi 0.15.0";
const SPARK_UPSERT = "Spark upserts after us";
/** In this order: the last one writes to the table. */
const COLUMNS = [LAKE, HUDI_RS, PRESTO, TRINO, SPARK, SPARK_UPSERT];
const ZONES = ["UTC", "America/Los_Angeles"];
/**
 * A Spark that has issued an instant in UTC spins for hours when it is to issue one in a zone west
 * of it: its instants grow by process, not by table.
 */
const LOCAL_FIRST = [...SHAPES].sort((a, b) => Number(isLocal(b)) - Number(isLocal(a)));

function isLocal({ definition }: Shape): boolean {
  return definition.timelineZone === "LOCAL";
}

describe.each(ZONES)("tables written in the zone %s", (timeZone) => {
  const shapes = timeZone === "UTC" ? SHAPES : LOCAL_FIRST.filter((shape) => shape.isCore);
  const matrix = new EngineMatrix(
    `Tables that hudi-lake wrote in the zone ${timeZone}`,
    shapes.map(({ name }) => name),
    COLUMNS,
  );
  const looks = new Map<string, Look>();
  const reasons = new Map<string, string>();
  const running: MatrixEngine[] = [];
  let directory: string;

  async function start(
    columns: readonly string[],
    startEngine: () => Promise<{ engine: MatrixEngine; looks: readonly Look[] }>,
  ): Promise<void> {
    try {
      const { engine, looks: found } = await startEngine();
      running.push(engine);
      for (const [index, column] of columns.entries()) looks.set(column, found[index] as Look);
    } catch (error) {
      for (const column of columns) reasons.set(column, String(error));
    }
  }

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "hudi-lake-matrix-"));
    await mkdir(join(directory, "tables"));
    const world: EngineWorld = { timeZone, directory };
    const plain: [string, typeof startLake][] = [
      [LAKE, startLake],
      [HUDI_RS, startHudiRs],
      [PRESTO, startPresto],
      [TRINO, startTrino],
    ];
    for (const [column, startEngine] of plain) {
      await start([column], async () => {
        const engine = await startEngine(world);
        return { engine, looks: [engine.read] };
      });
    }
    await start([SPARK, SPARK_UPSERT], async () => {
      const engine = await SparkEngine.start(world);
      const read: Look = (shape, path, expected) => engine.read(shape, path, expected);
      const upsert: Look = (shape, path, rows) => engine.upsertAndRead(shape, path, rows);
      return { engine, looks: [read, upsert] };
    });
  });

  afterAll(async () => {
    for (const engine of running) await engine.stop();
    await rm(directory, { recursive: true, force: true });
    await publishMatrix(matrix, timeZone === ZONES[0]);
  });

  describe.each(shapes.map((shape) => ({ ...shape })))("$name", (shape) => {
    const path = (): string => join(directory, "tables", shape.name);
    const expected = expectTable(shape).rows;

    beforeAll(() => writeShapeInZone(shape, path(), timeZone));

    const filtering = shape.isFiltered ? [LAKE, PRESTO, TRINO, SPARK] : [];
    test.for(filtering)(
      "%s finds every row that a filter on a column asks for",
      async (column, { skip }) => {
        const engine = running.find(({ name }) => name === column);
        if (!engine?.find) return skip(`${column} did not run`);
        const table = await HudiTable.open(path());
        const columns = listEngineColumns(await table.schema());
        await table[Symbol.asyncDispose]();
        const { expected: shown } = await engine.read(shape, path(), expected);
        const filters = listFilters(columns, shown);
        expect(filters.length).toBeGreaterThan(20);
        const found = await engine.find(shape, path(), filters);
        const [recordKey = ""] = keyNames(shape.definition);
        const describeFound = (keys: (filter: Filter, index: number) => string[]): string[] =>
          filters.map((filter, index) => {
            const { column: name, operator, value } = filter;
            return `${name} ${operator} ${String(value)}: ${keys(filter, index).sort().join(", ")}`;
          });
        expect(describeFound((_, index) => found[index] ?? [])).toEqual(
          describeFound((filter) =>
            shown.filter((row) => passesFilter(filter, row)).map((row) => String(row[recordKey])),
          ),
        );
      },
    );

    test.for(COLUMNS)("%s agrees row for row", async (column, { skip }) => {
      const look = looks.get(column);
      if (!look) {
        const reason = reasons.get(column) ?? "it did not start";
        matrix.record(shape.name, column, { kind: "not-run", reason });
        if (REQUIRES_ENGINES) throw new Error(`${column} did not run: ${reason}`);
        return skip(`${column} did not run`);
      }
      try {
        const reading = await look(shape, path(), expected);
        const rows = canonicalRows(reading.rows);
        const wanted = canonicalRows(reading.expected);
        const isEqual = rows.length === wanted.length && rows.every((row, i) => row === wanted[i]);
        matrix.record(
          shape.name,
          column,
          isEqual
            ? { kind: "equal", rowCount: rows.length, notes: reading.notes }
            : { kind: "different", reason: `${rows.length} rows, expected ${wanted.length}` },
        );
        expect(rows).toEqual(wanted);
      } catch (error) {
        const isCompared = (error as Error).name === "AssertionError";
        if (!isCompared) {
          matrix.record(shape.name, column, { kind: "failed", reason: String(error) });
        }
        throw error;
      }
    });

    test("the instants are the wall clock of the zone", async () => {
      const table = await HudiTable.open(path());
      const timeline = await table.timeline();
      const zone = table.config.timelineZone === "UTC" ? "UTC" : timeZone;
      await table[Symbol.asyncDispose]();
      const wall = new Intl.DateTimeFormat("sv-SE", {
        timeZone: zone,
        dateStyle: "short",
        timeStyle: "medium",
      });
      const earliest = wall.format(Date.now() - 3_600_000).replace(/\D/g, "");
      const latest = wall.format(Date.now() + 60_000).replace(/\D/g, "");
      for (const { time } of timeline) {
        expect(time.slice(0, 14) >= earliest && time.slice(0, 14) <= latest).toBe(true);
      }
    });
  });

  test("the matrix is whole", () => {
    expect(matrix.listGaps(!REQUIRES_ENGINES)).toEqual([]);
  });
});
