import { afterAll, describe, expect, test } from "vitest";
import { LineSplitter } from "../../src/cli/input/line-splitter.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import { jsonLines, lake, lakeDone, Workspace } from "./support/lake-run.ts";

const space = new Workspace();
afterAll(() => space.remove());

const FIELDS = {
  id: "long",
  city: "string",
  fare: "decimal(6,2)?",
  n: "int?",
  d: "double?",
  ok: "boolean?",
  day: "date?",
  ts: "timestamp-micros?",
};
const trips = space.table(FIELDS, ["--partition-by", "city", "--ordering-field", "n"]);
const ROW = { id: 1, city: "Oslo", fare: null, n: 0, d: null, ok: null, day: null, ts: null };
const GOOD = JSON.stringify(ROW);

async function refuse(argv: readonly string[], stdin?: string | Uint8Array): Promise<string> {
  const { code, stdout, stderr } = await lake(argv, stdin === undefined ? {} : { stdin });
  expect(stdout).toBe("");
  expect(code).toBe(1);
  expect(stderr.split("\n")).toHaveLength(2);
  return stderr;
}

const lineWith = (values: object): string => JSON.stringify({ ...ROW, ...values });

describe("a bad JSON line is named and nothing is written (CLI-10)", () => {
  test.each([
    ["no JSON", "{id:1}", "found no valid JSON"],
    ["a torn line", GOOD.slice(0, -5), "found no valid JSON"],
    ["a list", "[1]", "found no JSON object"],
    ["null", "null", "found no JSON object"],
    ["an unknown column", lineWith({ fair: 1 }), 'unknown column "fair", expected id, city, fare'],
    ["a hostile key", `{"__proto__":{"x":1},${GOOD.slice(1)}`, 'unknown column "__proto__"'],
    [
      "a missing column",
      JSON.stringify({ id: 1 }),
      "column city (string): found nothing, expected a value",
    ],
    [
      "a missing nullable column",
      lineWith({ fare: undefined }),
      "column fare (decimal(6,2)?): found nothing, expected a value or null",
    ],
    ["null where none may be", lineWith({ city: null }), "column city (string): found null"],
    [
      "a text for a long",
      lineWith({ id: "1" }),
      'column id (long): found "1", expected an integer',
    ],
    ["a fraction for a long", lineWith({ id: 1.5 }), "column id (long): found 1.5"],
    [
      "a long of 65 bits",
      GOOD.replace('"id":1', '"id":9223372036854775808'),
      "9223372036854775808",
    ],
    ["a huge exponent", GOOD.replace('"id":1', '"id":1e30'), "column id (long): found 1e+30"],
    ["an int too large", lineWith({ n: 2_147_483_648 }), "column n (int?): found 2147483648"],
    [
      "a number for a text",
      lineWith({ city: 5 }),
      "column city (string): found 5, expected a text",
    ],
    ["half a surrogate", lineWith({ city: "\ud800" }), "found half a surrogate pair"],
    ["a number for a boolean", lineWith({ ok: 1 }), "expected true or false"],
    ["a text for a double", lineWith({ d: "1.5" }), 'column d (double?): found "1.5"'],
    [
      "a double too large",
      GOOD.replace('"d":null', '"d":1e999'),
      "column d (double?): found Infinity",
    ],
    ["a day that is none", lineWith({ day: "2023-02-29" }), 'found "2023-02-29", expected a day'],
    ["a number for a day", lineWith({ day: 19000 }), "found 19000, expected a day as yyyy-MM-dd"],
    [
      "a time without zone",
      lineWith({ ts: "2024-01-01T00:00:00" }),
      "expected a time with its zone",
    ],
    [
      "a decimal that does not fit",
      lineWith({ fare: "12345.00" }),
      "expected a text of at most 4 digits",
    ],
    ["a decimal too exact", lineWith({ fare: "1.234" }), 'found "1.234", expected'],
    ["a decimal number too exact", lineWith({ fare: 1.234 }), 'found "1.234", expected'],
    ["an object", lineWith({ d: {} }), "found an object"],
    [
      "a partition with ..",
      lineWith({ city: "../up" }),
      'partition column city has the value "../up"',
    ],
    ["a partition with /", lineWith({ city: "a/b" }), "it holds / or \\"],
    ["an ordering value of null", lineWith({ n: null }), "ordering field n is null"],
  ])("%s", async (_, line, message) => {
    const table = await trips;
    const stderr = await refuse(["write", table], `${GOOD}\n\n${line}\n${GOOD}\n`);
    expect(stderr).toMatch(/^lake: INVALID: cannot use line 3 of standard input: /);
    expect(stderr).toContain(message);
    const opened = await HudiTable.open(table);
    expect(await opened.timeline()).toEqual([]);
    await opened[Symbol.asyncDispose]();
  });

  test("an empty record key", async () => {
    const table = await space.table({ id: "string", v: "int" });
    const stderr = await refuse(["write", table], jsonLines([{ id: "", v: 1 }]));
    expect(stderr).toContain("cannot use line 1 of standard input: record key id is empty");
  });

  test("bytes that are no UTF-8", async () => {
    const bytes = Buffer.concat([Buffer.from(`${GOOD}\n`), Buffer.from([0x22, 0xff, 0x0a])]);
    const stderr = await refuse(["write", await trips], bytes);
    expect(stderr).toContain("cannot use line 2 of standard input: found bytes that are no UTF-8");
  });

  test("the file is named, and a deep nest is no crash", async () => {
    const input = space.file("deep.jsonl", `{"fare":1,"n":${"[".repeat(100_000)}`);
    const stderr = await refuse(["write", await trips, "--input", input]);
    expect(stderr).toContain(`line 1 of ${input}: found no valid JSON`);
    const closed = space.file(
      "closed.jsonl",
      `{"id":1,"city":"a","fare":1,"n":${"[".repeat(50_000)}${"]".repeat(50_000)}}`,
    );
    expect(await refuse(["write", await trips, "--input", closed])).toContain("line 1 of");
  });
});

test("a long and a decimal are read from their digits, not through a double (CLI-11)", async () => {
  const table = await space.table(FIELDS);
  const line = GOOD.replace('"id":1', '"id":9007199254740993').replace(
    '"fare":null',
    '"fare":0.10',
  );
  await lakeDone(["write", table], { stdin: line });
  const { stdout } = await lakeDone(["read", table, "--columns", "id,fare"]);
  expect(stdout).toBe('{"id":9007199254740993,"fare":"0.10"}\n');
  const rounded = GOOD.replace('"id":1', '"id":9007199254740993.5');
  expect(await refuse(["write", table], rounded)).toContain(
    "column id (long): found 9007199254740994",
  );
});

describe("lines", () => {
  test("are cut wherever the chunks end, without their carriage returns", () => {
    const bytes = Buffer.from("\ufeffa\r\né\n\n last");
    for (let size = 1; size <= bytes.length; size += 1) {
      const splitter = new LineSplitter("x");
      const lines: string[] = [];
      for (let at = 0; at < bytes.length; at += size) {
        lines.push(...splitter.push(bytes.subarray(at, at + size)));
      }
      lines.push(...splitter.finish());
      expect(lines).toEqual(["a", "é", "", " last"]);
    }
  });

  test("that never end are refused at the bound, not held", () => {
    const splitter = new LineSplitter("x", 100);
    splitter.push(Buffer.from(`ok\n${"y".repeat(60)}`));
    expect(() => splitter.push(Buffer.from("y".repeat(60)))).toThrow(
      "cannot use line 2 of x: it is longer than 100 bytes",
    );
  });
});

describe("a bad CSV line is named (CLI-13)", () => {
  const HEADER = "id,city,fare,n,d,ok,day,ts";

  test.each([
    ["an unknown column", "id,city,fair\n", 'the header of standard input: unknown column "fair"'],
    ["a column twice", "id,id,city\n", "found column id twice"],
    ["a missing column", "id,city\n", "the header of standard input: it lacks column fare"],
    ["nothing", "", "standard input: it is empty, expected a header line"],
    [
      "too few fields",
      `${HEADER}\n1,Oslo\n`,
      "line 2 of standard input: found 2 fields, expected 8",
    ],
    ["too many fields", `${HEADER}\n1,Oslo,,1,,,,,\n`, "found 9 fields, expected 8"],
    ["a text for a long", `${HEADER}\nx,Oslo,,1,,,,\n`, 'column id (long): found "x"'],
    ["a blank for a long", `${HEADER}\n ,Oslo,,1,,,,\n`, 'column id (long): found " "'],
    ["a null key", `${HEADER}\n,Oslo,,1,,,,\n`, 'column id (long): found ""'],
    ["an int with a fraction", `${HEADER}\n1,Oslo,,1.0,,,,\n`, 'column n (int?): found "1.0"'],
    ["a double too large", `${HEADER}\n1,Oslo,,1,1e999,,,\n`, 'column d (double?): found "1e999"'],
    [
      "an unclosed quote",
      `${HEADER}\n1,"Oslo,,1,,,,\n\n`,
      "line 2 of standard input: found a quote that does not end",
    ],
    ["text behind a quote", `${HEADER}\n1,"Os"lo,,1,,,,\n`, 'found "lo" behind a closing quote'],
    ["a quote inside", `${HEADER}\n1,Os"lo,,1,,,,\n`, "found a quote inside a field"],
    [
      "a line behind line breaks in quotes",
      `${HEADER}\n1,"a\nb\nc",,1,,,,\n2,,,1,,,,\nx,Oslo,,1,,,,\n`,
      "line 2 of standard input: partition column city",
    ],
  ])("%s", async (_, text, message) => {
    expect(await refuse(["write", await trips, "--format", "csv"], text)).toContain(message);
  });

  test("records count their lines, those inside quotes too", async () => {
    const table = await space.table({ id: "long", v: "string?" });
    const text = 'id,v\r\n1,"a\r\nb"\r\n\r\n2,x\r\nbad,y\r\n';
    expect(await refuse(["write", table, "--format", "csv"], text)).toContain(
      "cannot use line 6 of",
    );
  });
});

describe("inputs that are not what they seem", () => {
  test("a missing file is named", async () => {
    const stderr = await refuse(["write", await trips, "--input", space.path("none.jsonl")]);
    expect(stderr).toMatch(
      /^lake: NOT_FOUND: cannot read input .*none\.jsonl: there is no such file/,
    );
  });

  test("a folder is no input", async () => {
    const stderr = await refuse(["write", await trips, "--input", space.root, "--format", "jsonl"]);
    expect(stderr).toContain("it is a folder, expected a file");
  });

  test("a truncated Parquet file is named", async () => {
    const table = await space.table({ id: "long" });
    await lakeDone(["write", table], { stdin: '{"id":1}\n' });
    const { bytes } = await lakeDone(["read", table, "--format", "parquet"]);
    const torn = space.file("torn.parquet", bytes.subarray(0, bytes.length - 3));
    const stderr = await refuse(["write", table, "--input", torn]);
    expect(stderr).toContain(`lake: CORRUPT: cannot read Parquet file ${torn}`);
    expect(stderr).toContain("check the input");
    expect(await refuse(["write", table, "--format", "parquet"], "PAR1 no")).toContain(
      "cannot read Parquet file standard input",
    );
  });

  test("Arrow bytes that are none, torn or missing are named", async () => {
    const table = await space.table({ id: "long" });
    await lakeDone(["write", table], { stdin: '{"id":1}\n' });
    const { bytes } = await lakeDone(["read", table, "--format", "arrow"]);
    for (const bad of [
      Buffer.from("no arrow at all, really"),
      bytes.subarray(0, 200),
      Buffer.alloc(0),
    ]) {
      expect(await refuse(["write", table, "--format", "arrow"], bad)).toContain(
        "lake: CORRUPT: cannot read standard input: found no Arrow IPC file or stream",
      );
    }
  });

  test("columns of Parquet and Arrow are checked as well", async () => {
    const narrow = await space.table({ id: "long" });
    const wide = await space.table({ id: "long", extra: "int?" });
    await lakeDone(["write", narrow], { stdin: '{"id":1}\n' });
    await lakeDone(["write", wide], { stdin: '{"id":1,"extra":null}\n' });
    for (const format of ["parquet", "arrow"]) {
      const few = await lakeDone(["read", narrow, "--format", format]);
      const many = await lakeDone(["read", wide, "--format", format]);
      expect(await refuse(["write", wide, "--format", format], few.bytes)).toContain(
        "it lacks column extra",
      );
      expect(await refuse(["write", narrow, "--format", format], many.bytes)).toContain(
        'unknown column "extra"',
      );
    }
  });

  test.each([
    ["no JSON", "{", "it is no JSON"],
    ["a list", "[]", "it holds no JSON object"],
    ["a type that is no text", '{"id":5}', 'the type of column "id" is no text'],
    ["an unknown type", '{"id":"uuid"}', 'cannot use type "uuid" of column id'],
    [
      "an Avro type",
      '{"type":"record","name":"r","fields":[{"name":"a","type":["int","string"]}]}',
      "of column a",
    ],
    ["no columns", "{}", "found no fields"],
  ])("a schema file with %s", async (_, text, message) => {
    const schema = space.file("bad.json", text);
    const argv = ["create", space.path("never"), "--schema", schema, "--record-key", "id"];
    expect(await refuse(argv)).toContain(message);
  });
});
