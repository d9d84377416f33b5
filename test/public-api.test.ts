// The public names: adding or removing one is a decision, made here.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as api from "../src/index.ts";
import { typeCheck } from "./type-check.ts";

const VALUES = ["HudiError", "HudiTable", "MemoryStorage", "MemoryStore", "isHudiError"];
const TYPES = [
  "Abortable",
  "Action",
  "ArchiveOptions",
  "ArchiveReport",
  "AvroRecordSchema",
  "BaseFile",
  "Change",
  "CleanOptions",
  "CleanReport",
  "CleanedFile",
  "Clock",
  "ClusterOptions",
  "ClusteredGroup",
  "Clustering",
  "ColumnPath",
  "ColumnPlace",
  "ColumnType",
  "Commit",
  "CommitMetadata",
  "CompareOperator",
  "DecimalName",
  "EngineName",
  "EnumName",
  "EvolveOptions",
  "Field",
  "Fields",
  "FileGroupStats",
  "FileSlice",
  "Finding",
  "FindingSeverity",
  "FixedName",
  "HudiErrorCode",
  "IndexDefinition",
  "Instant",
  "InstantRange",
  "InstantState",
  "KeyGenerator",
  "KeyGeneratorKind",
  "LogFile",
  "LogicalName",
  "LogicalTypes",
  "PartitionColumn",
  "PartitionField",
  "PartitionStats",
  "Predicate",
  "Random",
  "ReadOptions",
  "RowOf",
  "RowWriteOptions",
  "Runtime",
  "Scan",
  "SchemaChange",
  "SchemaSource",
  "SchemaTableDefinition",
  "SizeBin",
  "SnapshotRead",
  "Source",
  "StatsOptions",
  "Storage",
  "StorageSettings",
  "TableConfig",
  "TableDefinition",
  "TableOptions",
  "TableSchema",
  "TableStats",
  "TimestampPartition",
  "TimestampType",
  "TimestampUnit",
  "UpsertOptions",
  "VerifyLevel",
  "VerifyOptions",
  "VerifyProgress",
  "VerifyReport",
  "Where",
  "WorkerOptions",
  "WriteOptions",
  "WriteSettings",
  "WriteStat",
];

/** The names that a barrel exports as types. */
function findTypeNames(text: string): string[] {
  return [...text.matchAll(/export (type )?\{([^}]*)\}/g)].flatMap(([, isType, list]) =>
    (list as string)
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "" && (isType !== undefined || name.startsWith("type ")))
      .map((name) => name.replace(/^type /, "")),
  );
}

describe("the package exports", () => {
  test("these values and no others", () => {
    expect(Object.keys(api).sort()).toEqual(VALUES);
  });

  test("these types and no others", () => {
    const text = readFileSync(join(import.meta.dirname, "../src/index.ts"), "utf8");
    expect(findTypeNames(text).sort()).toEqual(TYPES);
    expect(findTypeNames('export { a, type B } from "x";\nexport type { C, D } from "y";')).toEqual(
      ["B", "C", "D"],
    );
  });

  test("a table with these members and no others", () => {
    const members = Object.getOwnPropertyNames(api.HudiTable.prototype).sort();
    expect(members).toEqual([
      "apply",
      "archive",
      "bulkInsert",
      "changes",
      "checkpoint",
      "clean",
      "close",
      "cluster",
      "commitMetadata",
      "config",
      "constructor",
      "delete",
      "deletePartitions",
      "evolve",
      "files",
      "incremental",
      "insert",
      "insertOverwrite",
      "insertOverwriteTable",
      "location",
      "read",
      "rollback",
      "schema",
      "stats",
      "timeline",
      "upsert",
      "verify",
    ]);
    expect(Object.getOwnPropertySymbols(api.HudiTable.prototype)).toEqual([Symbol.asyncDispose]);
    const statics = Object.getOwnPropertyNames(api.HudiTable);
    expect(
      statics.filter((name) => !["length", "name", "prototype"].includes(name)).sort(),
    ).toEqual(["create", "open"]);
  });
});

describe("the types", () => {
  const text = readFileSync(join(import.meta.dirname, "public-api.test-d.ts"), "utf8");
  const right = text.replace('"../src/index.ts"', '"hudi-lake"');
  const wrong = right
    .replace("small: number;", "small: string;")
    .replace("// @ts-expect-error: nor in a filter\n", "")
    .replace('columns: ["id", "fare"]', 'columns: ["id", "note"]');

  test("hold what public-api.test-d.ts says, and are seen to be wrong when they are", () => {
    const errors = typeCheck({ "right.ts": right, "wrong.ts": wrong });
    expect(errors["right.ts"]).toEqual([]);
    // Each of the three edits is found: a type, a name, a call that ought to be refused.
    const found = errors["wrong.ts"].join("\n");
    expect(found).toMatch(/TS2345/);
    expect(found).toMatch(/fare/);
    expect(found).toMatch(/TS2578/);
  }, 20_000);
});

describe("errors", () => {
  test("know their kind and whether to try again", () => {
    const error = new api.HudiError("CONFLICT", "cannot x", { path: "p", instant: "i", cause: 7 });
    expect(error).toMatchObject({
      name: "HudiError",
      code: "CONFLICT",
      path: "p",
      instant: "i",
      cause: 7,
    });
    expect(error.retryable).toBe(true);
    expect(new api.HudiError("UNAVAILABLE", "m").retryable).toBe(true);
    expect(new api.HudiError("CORRUPT", "m").retryable).toBe(false);
    expect(new api.HudiError("COMMIT_STATE_UNKNOWN", "m").retryable).toBe(false);
    expect("cause" in new api.HudiError("INVALID", "m")).toBe(false);
    expect([api.isHudiError(error), api.isHudiError(error, "CORRUPT")]).toEqual([true, false]);
    expect([api.isHudiError(new Error("m")), api.isHudiError(undefined)]).toEqual([false, false]);
  });
});
