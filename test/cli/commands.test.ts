import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { HudiTable } from "../../src/hudi-table.ts";
import { jsonLines, lake, lakeDone, Workspace } from "./support/lake-run.ts";

const space = new Workspace();
afterAll(() => space.remove());

const FIELDS = { id: "long", city: "string", fare: "decimal(6,2)?", ts: "timestamp-micros" };

function trip(id: number, city: string, fare: string | null, minute = 0): object {
  return { id, city, fare, ts: `2024-01-01T00:${String(minute).padStart(2, "0")}:00.000000Z` };
}

interface Committed {
  readonly instant: string;
  readonly inserted: number;
  readonly updated: number;
  readonly deleted: number;
  readonly rowsRead: number;
}

async function write(
  table: string,
  rows: readonly object[],
  ...flags: string[]
): Promise<Committed> {
  const { stdout } = await lakeDone(["write", table, "--json", ...flags], {
    stdin: jsonLines(rows),
  });
  return JSON.parse(stdout) as Committed;
}

async function read(table: string, ...flags: string[]): Promise<Record<string, unknown>[]> {
  const { stdout } = await lakeDone(["read", table, "--format", "jsonl", ...flags]);
  return stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

const ids = (rows: readonly Record<string, unknown>[]): number[] =>
  rows.map((row) => row.id as number).sort((a, b) => a - b);

describe("lake create", () => {
  test("makes the table that its flags describe", async () => {
    const schema = space.file("create.json", JSON.stringify(FIELDS));
    const path = space.path("created");
    const flags = "--record-key id --partition-by city --ordering-field ts --hive-style".split(" ");
    const argv = ["create", path, "--schema", schema, ...flags, "--index", "simple"];
    const { stdout, stderr } = await lakeDone(argv);
    expect(stdout).toBe(
      `created created at ${path}: copy-on-write, key id, partitions by city, ordering field ts, simple index\n`,
    );
    expect(stderr).toBe("");
    const table = await HudiTable.open(path);
    expect(table.config).toMatchObject({
      name: "created",
      version: 6,
      recordKeyFields: ["id"],
      partitionFields: ["city"],
      orderingField: "ts",
      hiveStyle: true,
      urlEncode: false,
      timelineZone: "UTC",
      index: { kind: "simple" },
    });
    expect((await table.schema()).fields.map((field) => field.type.kind)).toEqual([
      "long",
      "string",
      "decimal",
      "timestamp-micros",
    ]);
    await table[Symbol.asyncDispose]();
    const again = await lake(argv);
    expect(again.code).toBe(1);
    expect(again.stderr).toMatch(/^lake: ALREADY_EXISTS: .*\n$/);
  });

  test("takes several columns, and points in time; another table's settings by --property", async () => {
    const schema = space.file(
      "keys.json",
      JSON.stringify({ id: "long", city: "string?", ms: "long?" }),
    );
    const path = space.path("keyed");
    const keys = "--record-key id,city --partition-by city,ms:timestamp --output-zone Asia/Tokyo";
    const times = "--timestamp-type EPOCHMILLISECONDS --output-format yyyy/MM/dd";
    const flags = `${keys} ${times}`.split(" ");
    const { stdout } = await lakeDone(["create", path, "--schema", schema, ...flags]);
    expect(stdout).toContain("key id, city, partitions by city, ms, bloom index");
    const rows = space.file("keyed.jsonl", '{"id": 1, "city": "oslo", "ms": 1709164800123}\n');
    await lakeDone(["write", path, "--input", rows]);
    const table = await HudiTable.open(path);
    expect((await table.files()).map(({ partitionPath }) => partitionPath)).toEqual([
      "oslo/2024/02/29",
    ]);
    await table[Symbol.asyncDispose]();
    const wrong = ["write", path, "--input", rows, "--property"];
    expect(await lake([...wrong, "x"])).toMatchObject({ code: 2 });
    const { code, stderr } = await lake([...wrong, "hoodie.keygen.timebased.output.timezone=UTC"]);
    expect([code, stderr]).toEqual([1, expect.stringContaining("is Asia/Tokyo in the table")]);
    await lakeDone(["delete-partitions", path, "oslo/2024/02/29"]);
    expect((await lakeDone(["read", path, "--format", "jsonl"])).stdout).toBe("");
  });

  test("takes an Avro record schema, and says what it made as JSON (CLI-8)", async () => {
    const record = {
      type: "record",
      name: "trip",
      fields: [
        { name: "_hoodie_commit_time", type: ["null", "string"], default: null },
        { name: "id", type: "string" },
        {
          name: "fare",
          type: ["null", { type: "bytes", logicalType: "decimal", precision: 8, scale: 3 }],
        },
        { name: "day", type: { type: "int", logicalType: "date" } },
        { name: "__proto__", type: ["null", "double"] },
      ],
    };
    const schema = space.file("trip.avsc", JSON.stringify(record));
    const path = space.path("from-avro");
    const flags = ["--name", "trips", "--record-key", "id", "--url-encode", "--time-zone", "local"];
    const { stdout } = await lakeDone(["create", path, "--schema", schema, ...flags, "--json"]);
    const made = JSON.parse(stdout);
    expect(Object.entries(made.fields)).toEqual([
      ["id", "string"],
      ["fare", "decimal(8,3)?"],
      ["day", "date"],
      ["__proto__", "double?"],
    ]);
    expect(made).toMatchObject({
      table: path,
      name: "trips",
      urlEncode: true,
      timelineZone: "LOCAL",
    });
  });

  test("refuses what makes no table", async () => {
    const schema = space.file("plain.json", JSON.stringify(FIELDS));
    const create = (...flags: string[]): ReturnType<typeof lake> =>
      lake(["create", space.path("never"), "--schema", schema, ...flags]);
    expect(await create("--record-key", "nope")).toMatchObject({ code: 1 });
    expect(await create("--record-key", "id", "--type", "mixed")).toMatchObject({ code: 2 });
    expect(await create("--record-key", "id,id")).toMatchObject({ code: 2 });
    const timed = ["--record-key", "id", "--partition-by", "ts:timestamp"];
    expect((await create(...timed)).stderr).toContain("--timestamp-type");
    expect(await create("--record-key", "id", "--partition-by", "city:x")).toMatchObject({
      code: 2,
    });
    expect(await create("--record-key", "id", "--index", "bucket")).toMatchObject({ code: 2 });
    expect(await create("--record-key", "id", "--partition-by", "fare")).toMatchObject({ code: 1 });
    const unnamed = ["create", space.path("0-0"), "--schema", schema, "--record-key", "id"];
    const { code, stderr } = await lake(unnamed);
    expect(code).toBe(2);
    expect(stderr).toContain("say its name with --name");
    const absent = [
      "create",
      space.path("x"),
      "--schema",
      space.path("no.json"),
      "--record-key",
      "id",
    ];
    expect((await lake(absent)).stderr).toContain("NOT_FOUND: cannot read schema file");
  });
});

describe("lake write", () => {
  test("upserts, inserts and deletes, and prints the instant and the counts", async () => {
    const table = await space.table(FIELDS, ["--partition-by", "city", "--ordering-field", "ts"]);
    const first = await lakeDone(["write", table], {
      stdin: jsonLines([trip(1, "Oslo", "1.00", 5), trip(2, "Bergen", null)]),
    });
    expect(first.stdout).toMatch(/^\d{17} commit: 2 inserted, 0 updated, 0 deleted\n$/);
    expect(first.stderr).toBe("");
    const older = await write(table, [trip(1, "Oslo", "9.00", 1), trip(3, "Oslo", "3.00")]);
    expect(older).toMatchObject({ inserted: 1, rowsRead: 2 });
    expect(await read(table, "--where", "id = 1", "--columns", "fare")).toEqual([{ fare: "1.00" }]);
    expect(await write(table, [trip(4, "Oslo", "4.00")], "--op", "insert")).toMatchObject({
      inserted: 1,
    });
    expect(await write(table, [trip(5, "Rome", "5.00")], "--op", "bulk-insert")).toMatchObject({
      inserted: 1,
    });
    const gone = await write(
      table,
      [
        { id: 1, city: "Oslo" },
        { id: 99, city: "Oslo" },
      ],
      "--op",
      "delete",
    );
    expect(gone).toMatchObject({ deleted: 1, rowsRead: 2 });
    expect(ids(await read(table))).toEqual([2, 3, 4, 5]);
  });

  test.each(["jsonl", "csv", "parquet", "arrow"])(
    "deletes what a %s of keys or rows names",
    async (format) => {
      const table = await space.table(FIELDS, ["--partition-by", "city"]);
      await write(
        table,
        [1, 2, 3, 4].map((id) => trip(id, "Oslo", "1.00")),
      );
      const keys = await lakeDone([
        "read",
        table,
        "--columns",
        "city,id",
        "--where",
        "id = 2",
        "--format",
        format,
      ]);
      const rows = await lakeDone([
        "read",
        table,
        "--meta",
        "--where",
        "id = 3",
        "--format",
        format,
      ]);
      const flags = ["--op", "delete", "--format", format];
      await lakeDone(["write", table, ...flags], { stdin: keys.bytes });
      await lakeDone(["write", table, ...flags], { stdin: rows.bytes });
      expect(ids(await read(table))).toEqual([1, 4]);
    },
  );

  test("replaces partitions, the table, and deletes partitions", async () => {
    const table = await space.table(FIELDS, ["--partition-by", "city", "--hive-style"]);
    await write(table, [trip(1, "Oslo", "1.00"), trip(2, "Rome", "2.00"), trip(3, "Bonn", "3.00")]);
    const commit = await write(table, [trip(4, "Oslo", "4.00")], "--op", "insert-overwrite");
    expect(commit).toMatchObject({ action: "replacecommit", inserted: 1 });
    expect(ids(await read(table))).toEqual([2, 3, 4]);
    const { stdout } = await lakeDone(["delete-partitions", table, "city=Rome", "city=Nowhere"]);
    expect(stdout).toMatch(/^\d{17} replacecommit: 2 partitions deleted\n$/);
    expect(ids(await read(table))).toEqual([3, 4]);
    await write(table, [trip(9, "Rome", null)], "--op", "insert-overwrite-table");
    expect(ids(await read(table))).toEqual([9]);
    const { code, stderr } = await lake(["delete-partitions", table, "../other"]);
    expect(code).toBe(1);
    expect(stderr).toContain('INVALID: cannot delete partition "../other"');
  });

  test.each(["jsonl", "csv"])(
    "keeps what rows of a %s leave out, with --partial",
    async (format) => {
      const table = await space.table(FIELDS, ["--partition-by", "city", "--ordering-field", "ts"]);
      await write(table, [trip(1, "Oslo", "1.00", 1), trip(2, "Oslo", "2.00", 2)]);
      const stdin =
        format === "csv"
          ? "id,city,fare\n1,Oslo,9.00\n2,Oslo,\n"
          : jsonLines([
              { id: 1, city: "Oslo", fare: "9.00" },
              { id: 2, city: "Oslo", fare: null },
            ]);
      await lakeDone(["write", table, "--partial", "--format", format], { stdin });
      expect(await read(table)).toEqual([trip(1, "Oslo", "9.00", 1), trip(2, "Oslo", null, 2)]);
      const fresh = await lake(["write", table, "--partial"], {
        stdin: jsonLines([{ id: 3, city: "Oslo" }]),
      });
      expect(fresh.code).toBe(1);
      expect(fresh.stderr).toContain("leaves out column ts (timestamp-micros)");
      const wrong = await lake(["write", table, "--partial", "--op", "insert"], { stdin });
      expect(wrong.code).toBe(2);
    },
  );

  test("finds keys by every index, in whatever partition a global one has them", async () => {
    for (const index of ["global-bloom", "global-simple", "bucket"]) {
      const buckets = index === "bucket" ? ["--buckets", "2"] : [];
      const flags = ["--partition-by", "city", "--index", index, ...buckets];
      const table = await space.table(FIELDS, flags);
      await write(table, [trip(1, "Oslo", "1.00"), trip(2, "Rome", "2.00")]);
      await write(table, [trip(1, index === "bucket" ? "Oslo" : "Rome", "5.00")]);
      expect(ids(await read(table))).toEqual([1, 2]);
      if (index === "bucket") continue;
      await write(table, [{ id: 1 }], "--op", "delete");
      expect(ids(await read(table))).toEqual([2]);
    }
    for (const flags of [["--index", "bucket"], ["--buckets", "3"], ["--no-move-keys"]]) {
      const schema = space.file("index.json", JSON.stringify(FIELDS));
      const argv = ["create", space.path("no"), "--schema", schema, "--record-key", "id", ...flags];
      expect((await lake(argv)).code).toBe(2);
    }
  });

  test("a delete without its key column names the line", async () => {
    const table = await space.table(FIELDS, ["--partition-by", "city"]);
    const { code, stderr } = await lake(["write", table, "--op", "delete"], {
      stdin: '{"id":1}\n',
    });
    expect(code).toBe(1);
    expect(stderr).toContain("line 1 of standard input: column city (string): found nothing");
  });

  test("tells the format by the extension, and Arrow files from streams", async () => {
    const table = await space.table(FIELDS);
    await write(table, [trip(1, "Oslo", "1.00"), trip(2, "Rome", null)]);
    for (const format of ["jsonl", "csv", "parquet", "arrow"]) {
      const copy = await space.table(FIELDS);
      const { bytes } = await lakeDone(["read", table, "--format", format]);
      const input = space.file(`rows.${format}`, bytes);
      await lakeDone(["write", copy, "--input", input]);
      expect(await read(copy)).toEqual(await read(table));
    }
    const { tableFromIPC, tableToIPC } = await import("apache-arrow");
    const { bytes } = await lakeDone(["read", table, "--format", "arrow"]);
    const input = space.file("file-format.arrow", tableToIPC(tableFromIPC(bytes), "file"));
    const copy = await space.table(FIELDS);
    expect((await lakeDone(["write", copy, "--input", input])).stdout).toContain("2 inserted");
    const { code, stderr } = await lake(["write", copy, "--input", space.file("rows.txt", "")]);
    expect(code).toBe(2);
    expect(stderr).toContain("say it with --format");
  });

  test("writes data files with the codec asked for", async () => {
    const table = await space.table({ id: "long", text: "string" });
    const rows = Array.from({ length: 500 }, (_, id) => ({ id, text: `${id} `.repeat(250) }));
    await write(table, rows, "--codec", "uncompressed");
    const plain = JSON.parse((await lakeDone(["files", table, "--json"])).stdout).sizeBytes;
    await write(table, rows, "--codec", "zstd");
    const packed = JSON.parse((await lakeDone(["files", table, "--json"])).stdout).sizeBytes;
    expect(plain - packed).toBeGreaterThan(300_000);
  });

  test("a terminal on standard input is no input (CLI-3)", async () => {
    const { PassThrough } = await import("node:stream");
    const stdin = Object.assign(new PassThrough(), { isTTY: true });
    const { code, stderr } = await lake(["write", space.path("any")], { stdin });
    expect(code).toBe(2);
    expect(stderr).toContain("name a file with --input");
  });
});

describe("lake read and lake incremental", () => {
  let table = "";
  const commits: Committed[] = [];

  beforeAll(async () => {
    table = await space.table(FIELDS, ["--partition-by", "city"]);
    commits.push(await write(table, [trip(1, "Oslo", "1.50"), trip(2, "Bergen", null)]));
    commits.push(await write(table, [trip(2, "Bergen", "2.50"), trip(3, "Oslo", "3.50")]));
  });

  test("print jsonl to a pipe and a table with a summary to a terminal (CLI-1)", async () => {
    const piped = await lakeDone(["read", table, "--columns", "id,city"]);
    expect(piped.stdout.split("\n").filter(Boolean).sort()).toEqual([
      '{"id":1,"city":"Oslo"}',
      '{"id":2,"city":"Bergen"}',
      '{"id":3,"city":"Oslo"}',
    ]);
    expect(piped.stderr).toBe("");
    const argv = ["read", table, "--columns", "id,fare,city", "--where", "city = 'Oslo'"];
    const shown = await lakeDone(argv, { terminal: 80 });
    expect(shown.stdout.split("\n").slice(0, 2)).toEqual(["id  fare  city", "──  ────  ────"]);
    expect(shown.stdout.split("\n").slice(2).sort()).toEqual([
      "",
      " 1  1.50  Oslo",
      " 3  3.50  Oslo",
    ]);
    expect(shown.stderr).toBe(`2 rows as of ${commits[1]?.instant}\n`);
  });

  test("print CSV with a header even where there are no rows (CLI-13)", async () => {
    const { stdout } = await lakeDone(["read", table, "--where", "id > 7", "--format", "csv"]);
    expect(stdout).toBe("id,city,fare,ts\n");
  });

  test("read filters, columns, a limit and meta columns", async () => {
    const where = "(fare >= 2.5 and not city in ('Rome')) or fare is null";
    expect(ids(await read(table, "--where", where))).toEqual([2, 3]);
    expect(await read(table, "--limit", "2")).toHaveLength(2);
    expect(await read(table, "--limit", "0")).toEqual([]);
    const [row] = await read(table, "--where", "id = 3", "--meta");
    expect(Object.keys(row as object)).toEqual([
      "_hoodie_commit_time",
      "_hoodie_commit_seqno",
      "_hoodie_record_key",
      "_hoodie_partition_path",
      "_hoodie_file_name",
      ...Object.keys(FIELDS),
    ]);
    expect(row).toMatchObject({
      _hoodie_commit_time: commits[1]?.instant,
      _hoodie_record_key: "3",
    });
    const named = await read(
      table,
      "--columns",
      "id,_hoodie_commit_time",
      "--where",
      `_hoodie_commit_time = '${commits[0]?.instant}'`,
    );
    expect(named).toEqual([{ id: 1, _hoodie_commit_time: commits[0]?.instant }]);
  });

  test("read as of an instant or a time", async () => {
    const first = commits[0]?.instant as string;
    expect(await read(table, "--as-of", first, "--where", "id = 2", "--columns", "fare")).toEqual([
      { fare: null },
    ]);
    expect(ids(await read(table, "--as-of", first, "--meta"))).toEqual([1, 2]);
    expect(await read(table, "--as-of", "2001-01-01")).toEqual([]);
    expect(ids(await read(table, "--as-of", "2999-01-01T00:00:00Z"))).toEqual([1, 2, 3]);
    const { stdout } = await lakeDone([
      "read",
      table,
      "--as-of",
      first,
      "--json",
      "--columns",
      "id",
    ]);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ rowCount: 2, asOf: first });
    expect(ids(document.rows)).toEqual([1, 2]);
  });

  test("an incremental read ends with the instant to continue from (CLI-8)", async () => {
    const [first, second] = commits.map((commit) => commit.instant) as [string, string];
    const flags = ["--columns", "id"];
    const all = await lakeDone(["incremental", table, ...flags]);
    expect(all.stdout.split("\n").filter(Boolean).sort()).toEqual([
      '{"id":1}',
      '{"id":2}',
      '{"id":3}',
    ]);
    expect(all.stderr).toBe(`${second}\n`);
    const later = await lakeDone(["incremental", table, "--after", first, ...flags], {
      terminal: 80,
    });
    expect(later.stdout.trim().split(/\s+/).slice(2).sort()).toEqual(["2", "3"]);
    expect(later.stderr).toBe(`2 rows changed; continue after\n${second}\n`);
    const none = await lakeDone(["incremental", table, "--after", second, ...flags, "--json"]);
    expect(JSON.parse(none.stdout)).toEqual({ rows: [], rowCount: 0, after: second, upTo: second });
    const early = await lakeDone([
      "incremental",
      table,
      "--after",
      "000",
      "--up-to",
      first,
      ...flags,
    ]);
    expect(early.stderr).toBe(`${first}\n`);
    expect(early.stdout.split("\n").filter(Boolean).sort()).toEqual(['{"id":1}', '{"id":2}']);
    const dated = await lakeDone(["incremental", table, "--after", "2001-01-01", ...flags]);
    expect(dated.stdout.split("\n").filter(Boolean)).toHaveLength(3);
    const filtered = await lakeDone([
      "incremental",
      table,
      "--after",
      first,
      "--where",
      "city = 'Oslo'",
      "--meta",
      ...flags,
    ]);
    expect(JSON.parse(filtered.stdout)).toMatchObject({ id: 3, _hoodie_commit_time: second });
  });

  test("changes end with the instant to continue from (CLI-8, CLI-22)", async () => {
    const [first, second] = commits.map((commit) => commit.instant) as [string, string];
    const all = await lakeDone(["changes", table, "--after", "000"]);
    expect(all.stderr).toBe(`${second}\n`);
    const lines = all.stdout.split("\n").filter(Boolean);
    const told = lines.map((line) => JSON.parse(line));
    expect(told.map(({ instant, op, key }) => `${instant} ${op} ${key.id}`).sort()).toEqual([
      `${first} insert 1`,
      `${first} insert 2`,
      `${second} insert 3`,
      `${second} update 2`,
    ]);
    expect(lines.find((line) => line.includes('"op":"update"'))).toBe(
      `{"instant":"${second}","op":"update","key":{"id":2},` +
        `"before":${JSON.stringify(trip(2, "Bergen", null))},"after":${JSON.stringify(trip(2, "Bergen", "2.50"))}}`,
    );
    const shown = await lakeDone(["changes", table, "--after", first], { terminal: 120 });
    expect(shown.stderr).toBe(`3 lines of changes; continue after\n${second}\n`);
    const cells = shown.stdout
      .split("\n")
      .slice(2, -1)
      .map((line) => line.split(/ {2,}/).slice(1));
    expect(cells.map(([op, id, , fare]) => `${op} ${id} ${fare}`).sort()).toEqual([
      "insert 3 3.50",
      "update of 2 null",
      "update to 2 2.50",
    ]);
    const none = await lakeDone(["changes", table, "--after", second, "--up-to", second, "--json"]);
    expect(JSON.parse(none.stdout)).toEqual({ rows: [], rowCount: 0, after: second, upTo: second });
    const document = await lakeDone(["changes", table, "--after", first, "--json"]);
    expect(JSON.parse(document.stdout).rows).toHaveLength(2);
    expect(await lake(["changes", table])).toMatchObject({ code: 2, stdout: "" });
    const parquet = await lake(["changes", table, "--after", first, "--format", "parquet"]);
    expect([parquet.code, parquet.stderr]).toEqual([2, expect.stringContaining("jsonl, table")]);
    const empty = await lakeDone(["changes", await space.table(FIELDS), "--after", "000"]);
    expect([empty.stdout, empty.stderr]).toEqual(["", "000\n"]);
  });

  test("a table without commits has no rows and begins at 000 (CLI-8)", async () => {
    const empty = await space.table(FIELDS);
    const shown = await lakeDone(["read", empty], { terminal: 80 });
    expect(shown.stdout).toContain("id  city  fare  ts");
    expect(shown.stderr).toBe("0 rows: the table has no commits\n");
    expect(JSON.parse((await lakeDone(["read", empty, "--json"])).stdout)).toEqual({
      rows: [],
      rowCount: 0,
      asOf: null,
    });
    expect((await lakeDone(["incremental", empty])).stderr).toBe("000\n");
    expect((await lakeDone(["read", empty, "--format", "arrow"])).bytes.length).toBeGreaterThan(
      100,
    );
    const parquet = await lakeDone(["read", empty, "--format", "parquet"]);
    expect(parquet.stdout.slice(0, 4)).toBe("PAR1");
    expect((await lakeDone(["timeline", empty])).stdout).toBe(
      "no instants: the table has no commits yet\n",
    );
    expect((await lakeDone(["files", empty])).stdout).toBe("0 file groups, 0 B\n");
  });

  test.each([
    [["--columns", "nope"], 1, "INVALID: cannot find column nope"],
    [
      ["--where", "nope = 1"],
      1,
      'INVALID: cannot use --where at character 1: unknown column "nope"',
    ],
    [["--where", "id = 'x'"], 1, "column id is long and found 'x'"],
    [["--where", "id ="], 2, "cannot understand --where at character 5"],
    [["--columns", "id,id"], 2, "Found id twice"],
    [["--columns", ""], 2, "Expected names with commas between"],
    [["--limit", "many"], 2, "Expected a whole number from 0"],
    [["--as-of", "yesterday"], 2, "Expected an instant, a date or an ISO time"],
    [["--format", "xml"], 2, "Allowed choices are table, jsonl, csv, parquet, arrow"],
    [["--formt", "csv"], 2, "unknown option '--formt' (Did you mean --format?)"],
    [["extra"], 2, "too many arguments for 'read'"],
  ])("read %j ends with code %i (CLI-3)", async (flags, code, message) => {
    const result = await lake(["read", table, ...flags]);
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr).toContain(message);
    expect(result.stderr).toMatch(/^lake: INVALID: .*\n$/);
  });
});

describe("lake timeline, files and rollback", () => {
  test("timeline and files are aligned tables with a summary", async () => {
    const table = await space.table(FIELDS, ["--partition-by", "city"]);
    const first = await write(
      table,
      [trip(1, "Oslo", null), trip(2, "Rome", null)],
      "--op",
      "bulk-insert",
    );
    const second = await write(table, [trip(1, "Oslo", "1.00")]);
    const timeline = await lakeDone(["timeline", table], { terminal: 80 });
    const lines = timeline.stdout.split("\n");
    expect(lines[0]).toMatch(
      /^instant {12}action {2}state {6}op {8}added {2}updated {2}deleted {5}size$/,
    );
    expect(lines[2]).toMatch(new RegExp(`^${first.instant}  commit  completed  bulk-in… +2 +0 +0`));
    expect(lines[3]).toMatch(new RegExp(`^${second.instant}  commit  completed  upsert +0 +1 +0`));
    expect(lines.slice(-2)).toEqual(["2 instants, 2 completed commits, 0 pending", ""]);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
    const newest = await lakeDone(["timeline", table, "--limit", "1"]);
    expect(newest.stdout).not.toContain(first.instant);
    expect(newest.stdout).toContain("2 instants, the newest 1 shown");
    const document = JSON.parse((await lakeDone(["timeline", table, "--json"])).stdout);
    expect(document.instants).toHaveLength(2);
    expect(document.instants[1]).toMatchObject({
      instant: second.instant,
      action: "commit",
      state: "completed",
      operation: "upsert",
      updated: 1,
      files: 1,
    });
    const files = await lakeDone(["files", table], { terminal: 80 });
    expect(files.stdout).toMatch(/^partition {2}file group {30}instant {12} +size\n/);
    expect(files.stdout).toMatch(
      new RegExp(`\nOslo {7}[0-9a-f-]{36}-0 {2}${second.instant} +[\\d.]+ KiB\n`),
    );
    expect(files.stdout).toMatch(/\n2 file groups, 2 partitions, [\d.]+ KiB\n$/);
    const list = JSON.parse((await lakeDone(["files", table, "--json"])).stdout);
    expect(list).toMatchObject({ table, partitions: 2 });
    expect(list.files[0].path).toMatch(/^Oslo\/.*\.parquet$/);
    expect(list.sizeBytes).toBe(list.files[0].sizeBytes + list.files[1].sizeBytes);
  });

  test("rollback undoes the newest commit and nothing below it", async () => {
    const table = await space.table(FIELDS);
    const first = await write(table, [trip(1, "Oslo", "1.00")]);
    const second = await write(table, [trip(1, "Oslo", "2.00"), trip(2, "Rome", null)]);
    const refused = await lake(["rollback", table, first.instant]);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain(`${second.instant} was completed after it`);
    const { stdout } = await lakeDone(["rollback", table, second.instant]);
    expect(stdout).toBe(`rolled back ${second.instant}\n`);
    expect(await read(table, "--columns", "fare")).toEqual([{ fare: "1.00" }]);
    const gone = await lake(["rollback", table, second.instant]);
    expect(gone.stderr).toMatch(/^lake: NOT_FOUND: /);
    const { stdout: document } = await lakeDone(["rollback", table, first.instant, "--json"]);
    expect(JSON.parse(document)).toEqual({ rolledBack: first.instant });
    expect(await read(table)).toEqual([]);
    expect(await lake(["rollback", table, "yesterday"])).toMatchObject({ code: 2 });
    const timeline = await lakeDone(["timeline", table]);
    expect(timeline.stdout).toContain("rollback  completed");
  });

  test("a commit that cannot be read is a warning beside the others", async () => {
    const table = await space.table(FIELDS);
    const first = await write(table, [trip(1, "Oslo", "1.00")]);
    const second = await write(table, [trip(1, "Oslo", "2.00")]);
    const { writeFileSync } = await import("node:fs");
    writeFileSync(`${table}/.hoodie/${first.instant}.commit`, '{"partitionToWriteStats": ');
    const { stdout, stderr } = await lakeDone(["timeline", table]);
    expect(stderr).toMatch(/^lake: warning: cannot read .*\.commit/);
    expect(stdout).toContain(first.instant);
    expect(stdout).toMatch(new RegExp(`${second.instant}  commit  completed  upsert`));
  });
});

describe("the command as a whole", () => {
  const { version } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  ) as { version: string };

  test("says its version and its commands", async () => {
    expect(await lake(["--version"])).toMatchObject({
      code: 0,
      stdout: `${version}\n`,
      stderr: "",
    });
    const { code, stdout } = await lake(["--help"]);
    expect(code).toBe(0);
    for (const name of "create write read incremental changes timeline files rollback".split(" ")) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
      const help = await lake([name, "--help"], { terminal: 80 });
      expect(help).toMatchObject({ code: 0, stderr: "" });
      expect(help.stdout).toContain(`Usage: lake ${name}`);
      for (const line of help.stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
      expect((await lake(["help", name])).stdout).toContain(`Usage: lake ${name}`);
    }
  });

  test.each([
    [[], "found no command"],
    [["reed"], "unknown command 'reed' (Did you mean read?)"],
    [["read"], "missing required argument 'table'"],
    [
      ["write", "x", "--op", "merge"],
      "Allowed choices are upsert, insert, bulk-insert, insert-overwrite, insert-overwrite-table, delete",
    ],
    [["create", "x"], "required option '--schema <file>' not specified"],
    [["read", "x", "--format"], "option '--format <format>' argument missing"],
  ])("%j is wrong usage (CLI-2, CLI-3)", async (argv, message) => {
    const result = await lake(argv);
    expect(result).toMatchObject({ code: 2, stdout: "" });
    expect(result.stderr).toContain(message);
    expect(result.stderr.trimEnd()).not.toContain("\n");
  });

  test("a location that is no table is named, with a stack only when asked for (CLI-4)", async () => {
    for (const name of ["read", "incremental", "timeline", "files", "write"]) {
      const { code, stderr } = await lake([name, space.root]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^lake: NOT_FOUND: cannot open table .*\n$/);
    }
    const { stderr } = await lake(["read", space.root, "--verbose"]);
    expect(stderr).toMatch(/\n {4}at /);
    expect(stderr).toContain("caused by ");
    expect((await lake(["read", "gs://bucket/x"])).stderr).toMatch(/^lake: UNSUPPORTED: /);
  });

  test("with --json an error is a JSON line on standard error (CLI-4)", async () => {
    const { stdout, stderr, code } = await lake(["read", space.root, "--json"]);
    expect({ stdout, code }).toEqual({ stdout: "", code: 1 });
    expect(JSON.parse(stderr).error).toMatchObject({ code: "NOT_FOUND", retryable: false });
    const usage = await lake(["read", "x", "--limit", "-1", "--json"]);
    expect(usage.code).toBe(2);
    expect(JSON.parse(usage.stderr).error.code).toBe("INVALID");
  });
});
