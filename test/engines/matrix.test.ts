// The matrix itself: what it prints, and what it does not let pass.

import { expect, test } from "vitest";

import { EngineMatrix } from "./support/matrix.ts";

const SHAPES = ["plain", "wide"];
const ENGINES = ["ours", "theirs"];

function fill(): EngineMatrix {
  const matrix = new EngineMatrix("Shapes", SHAPES, ENGINES);
  for (const shape of SHAPES) {
    for (const engine of ENGINES) {
      matrix.record(shape, engine, { kind: "equal", rowCount: 3, notes: [] });
    }
  }
  return matrix;
}

test("a matrix without cells is not whole", () => {
  expect(new EngineMatrix("Nothing", [], []).listGaps(true)).toEqual(["it has no cells"]);
  expect(new EngineMatrix("No engine", SHAPES, []).listGaps(true)).toEqual(["it has no cells"]);
});

test("a matrix of equal cells is whole, and one with a missing cell is not", () => {
  expect(fill().listGaps(false)).toEqual([]);
  const empty = new EngineMatrix("Shapes", SHAPES, ENGINES);
  expect(empty.listGaps(true)).toContain("wide × theirs: missing");
  expect(empty.listGaps(true)).toHaveLength(4);
});

test("an engine that did not run is allowed only where that is said", () => {
  const matrix = fill();
  matrix.record("plain", "theirs", { kind: "not-run", reason: "no Java" });
  expect(matrix.listGaps(true)).toEqual([]);
  expect(matrix.listGaps(false)).toEqual(["plain × theirs: not run: no Java"]);
});

test.each(["different", "failed"] as const)("a cell that %s is never let pass", (kind) => {
  const matrix = fill();
  matrix.record("wide", "theirs", { kind, reason: "2 rows\nexpected 3" });
  expect(matrix.listGaps(true)).toEqual([`wide × theirs: ${kind.toUpperCase()}: 2 rows`]);
});

test("a cell outside of the matrix is an error", () => {
  const cell = { kind: "not-run", reason: "" } as const;
  expect(() => fill().record("round", "ours", cell)).toThrow(/no cell for round and ours/);
});

test("the table has a row for each shape, and a footnote is given once", () => {
  const matrix = fill();
  const cell = { kind: "equal", rowCount: 1, notes: ["Cut to days.", "Nulls last."] } as const;
  matrix.record("plain", "theirs", cell);
  matrix.record("wide", "theirs", { ...cell, notes: ["Nulls last."] });
  expect(matrix.format()).toBe(
    [
      "## Shapes",
      "",
      "| shape | ours       | theirs            |",
      "|-------|------------|-------------------|",
      "| plain | ok, 3 rows | ok, 1 row [1] [2] |",
      "| wide  | ok, 3 rows | ok, 1 row [2]     |",
      "",
      "1. Cut to days.",
      "2. Nulls last.",
      "",
    ].join("\n"),
  );
});
