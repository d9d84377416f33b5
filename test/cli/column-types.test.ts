// Every type through the command: schemas of tables, values that do not fit, filters.
import * as arrow from "apache-arrow";
import { afterAll, describe, expect, test } from "vitest";
import { formatAvroSchema } from "../../src/format/avro-schema.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { lake, lakeDone, Workspace } from "./support/lake-run.ts";

const space = new Workspace();
afterAll(() => space.remove());

const FIELDS = {
  id: "string",
  digest: "fixed(2)?",
  size: "enum(SMALL,LARGE)?",
  clock: "time-millis?",
  exact: "time-micros?",
  at: "timestamp-millis?",
  deep: "struct<digest:fixed(2)?,sizes:list<enum(A,B)?>?,at:timestamp-millis?>?",
};

const LINES = [
  '{"id":"a","digest":"gAA=","size":"SMALL","clock":"00:00:00.000","exact":"23:59:59.999999","at":"2024-02-29T12:00:00.123Z","deep":{"digest":"AQI=","sizes":["A",null],"at":"1969-12-31T23:59:59.999Z"}}',
  '{"id":"b","digest":null,"size":null,"clock":null,"exact":null,"at":null,"deep":null}',
  "",
].join("\n");

const key = ["--record-key", "id"];

async function create(path: string, schema: string): Promise<Record<string, unknown>> {
  const { stdout } = await lakeDone(["create", path, "--schema", schema, ...key, "--json"]);
  return JSON.parse(stdout).fields;
}

describe("lake create --schema (CLI-21)", () => {
  test("takes a field list or an Avro schema of any type", async () => {
    const list = space.file("types.json", JSON.stringify(FIELDS));
    expect(await create(space.path("from_list"), list)).toEqual(FIELDS);
    const avro = formatAvroSchema(createTableSchema("t", FIELDS), { namespace: "x" });
    expect(await create(space.path("from_avro"), space.file("t.avsc", avro))).toEqual(FIELDS);
  });

  test("takes the columns of an Arrow or Parquet file, without meta columns", async () => {
    const source = await space.table(FIELDS);
    await lakeDone(["write", source, "--format", "jsonl"], { stdin: LINES });
    // Arrow knows no enum, and Parquet no symbols and no times of ours.
    const text = {
      size: "string?",
      deep: "struct<digest:fixed(2)?,sizes:list<string?>?,at:timestamp-millis?>?",
    };
    const expected = {
      arrow: { ...FIELDS, ...text },
      parquet: { ...FIELDS, ...text, clock: "int?", exact: "long?" },
    };
    for (const format of ["arrow", "parquet"] as const) {
      const { bytes } = await lakeDone(["read", source, "--meta", "--format", format]);
      const file = space.file(`columns.${format}`, bytes);
      const path = space.path(`from_${format}`);
      expect(await create(path, file)).toEqual(expected[format]);
      await lakeDone(["write", path, "--format", format], { stdin: bytes });
      const back = await lakeDone(["read", path, "--format", "jsonl"]);
      const lines = LINES.replace('"00:00:00.000"', "0").replace(
        '"23:59:59.999999"',
        "86399999999",
      );
      expect(back.stdout).toBe(format === "arrow" ? LINES : lines);
    }
  });

  test.each([
    [
      "t.avsc",
      '{"type":"record","name":"r","fields":[{"name":"c","type":{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}}]}',
      "holds itself",
    ],
    [
      "t.avsc",
      '{"type":"record","name":"r","fields":[{"name":"c","type":{"type":"long","logicalType":"local-timestamp-micros"}}]}',
      "local-timestamp-micros of column c: tables of version 6",
    ],
    ["t.json", '{"c":"local-timestamp-millis"}', "local-timestamp-millis of column c"],
    ["t.json", '{"c":"enum(A,A)"}', 'symbol "A"'],
    ["t.json", '{"c":"fixed(0)"}', "fixed(0) of column c"],
    ["t.arrow", "ARROW1 and no more", "no Arrow file"],
    ["t.parquet", "PAR1 and no more", "t.parquet"],
  ])("%s with %s is refused by name", async (name, text, message) => {
    const schema = space.file(name, text);
    const { code, stderr } = await lake([
      "create",
      space.path("never"),
      "--schema",
      schema,
      ...key,
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("INTERNAL");
  });
});

test("a name inside a type that would read back as another type is refused (CLI-21)", async () => {
  const inner = new arrow.Struct([new arrow.Field("a:int,b", new arrow.Int32(), true)]);
  const outer = new arrow.Schema([new arrow.Field("c", inner, true)]);
  const bytes = Buffer.from(arrow.tableToIPC(new arrow.Table(outer), "file"));
  const schema = space.file("names.arrow", bytes);
  const { stderr } = await lake(["create", space.path("never"), "--schema", schema, ...key]);
  expect(stderr).toContain("INVALID: cannot use schema file");
  expect(stderr).toContain('"c.a:int,b"');
});

describe("values of each type (CLI-9, CLI-12)", () => {
  const BAD: [string, string, string][] = [
    ["digest", "AQ==", "found 1 bytes, expected 2 bytes in base64"],
    ["digest", "!!", "bytes in base64"],
    ["size", "small", "expected one of SMALL, LARGE"],
    ["clock", "24:00:00", "a time of the day"],
    ["clock", "12:00:00.1234", "at most three digits"],
    ["exact", "12:00:00.1234567", "at most six digits"],
    ["at", "2024-02-29T12:00:00", "a time with its zone"],
    ["at", "2024-02-29T12:00:00.1234Z", "at most three digits"],
  ];

  test.each(BAD)("%s takes no %s, in JSON, CSV or a filter", async (column, value, message) => {
    const path = await space.table({ id: "string", [column]: FIELDS[column as "at"] });
    const json = JSON.stringify({ id: "a", [column]: value });
    const lines = await lake(["write", path, "--format", "jsonl"], { stdin: json });
    expect(lines.stderr).toContain("INVALID: cannot use line 1 of standard input");
    expect(lines.stderr).toContain(`column ${column}`);
    expect(lines.stderr).toContain(message);
    const csv = await lake(["write", path, "--format", "csv"], {
      stdin: `id,${column}\na,${value}\n`,
    });
    expect(csv.stderr).toContain(message);
    const where = await lake(["read", path, "--where", `${column} = '${value}'`]);
    // A filter reads a time without a zone as UTC.
    const isZoneless = value === "2024-02-29T12:00:00";
    expect(where.code).toBe(isZoneless ? 0 : 1);
    const number = await lake(["write", path, "--format", "jsonl"], {
      stdin: `{"id":"a","${column}":5}`,
    });
    expect(number.stderr).toContain(`column ${column}`);
  });

  test("filters compare each type in its order", async () => {
    const path = await space.table(FIELDS);
    await lakeDone(["write", path, "--format", "jsonl"], { stdin: LINES });
    for (const where of [
      "digest = 'gAA='",
      "digest > 'f/8='",
      "size in ('SMALL', 'LARGE')",
      "size like 'S%'",
      "clock < '00:00:00.001'",
      "exact > '23:59:59'",
      "at = '2024-02-29T13:00:00.123+01:00'",
      "at between '2024-02-29' and '2024-03-01'",
    ]) {
      const { stdout } = await lakeDone([
        "read",
        path,
        "--columns",
        "id",
        "--where",
        where,
        "--format",
        "csv",
      ]);
      expect([where, stdout]).toEqual([where, "id\na\n"]);
    }
  });
});
