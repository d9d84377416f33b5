// Bad input through the public API: each gets a clear error, and nothing is lost. After every refusal
// the table reads as before, no write is pending, nothing lies about, and the next write goes through.
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { inspect } from "node:util";
import {
  Field,
  Int32,
  makeData,
  RecordBatch,
  Schema,
  Struct,
  tableFromArrays,
  Utf8,
} from "apache-arrow";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Change, HudiError, HudiTable, type TableOptions } from "../src/index.ts";
import { SimulatedClock } from "../src/runtime/clock.ts";
import { seededRandom } from "../src/runtime/random.ts";
import { LocalStorage } from "../src/storage/local-storage.ts";
import { MemoryStorage } from "../src/storage/memory-storage.ts";
import { S3Storage } from "../src/storage/s3-storage.ts";
import type { Storage } from "../src/storage/storage.ts";
import { S3Stub, type StubFault, type StubRequest } from "./storage/s3-stub.ts";
import { SMALL_WRITES, START_MS } from "./support/memory-table.ts";
import { rowTexts } from "./support/row-text.ts";

const SECRETS = {
  AWS_ACCESS_KEY_ID: "AKIACANARYCANARYCANA",
  AWS_SECRET_ACCESS_KEY: "canary-of-the-environment",
  AWS_SESSION_TOKEN: "canary-session-token",
};
const saved = new Map<string, string | undefined>();
beforeAll(() => {
  for (const [name, value] of Object.entries(SECRETS)) {
    saved.set(name, process.env[name]);
    process.env[name] = value;
  }
});
afterAll(() => {
  for (const [name, value] of saved) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
});

type Row = Record<string, unknown>;
type Table = HudiTable<Row>;

const FIELDS = {
  id: "string",
  city: "string?",
  flag: "boolean?",
  small: "int?",
  big: "long?",
  ratio: "double?",
  day: "date?",
  moment: "timestamp-micros?",
  price: "decimal(5,2)?",
  at: "long",
} as const;

const good = (id: string, more: Row = {}): Row => ({
  id,
  city: "lisbon",
  flag: true,
  small: 1,
  big: 2n,
  ratio: 0.5,
  day: "2024-02-29",
  moment: 3n,
  price: "1.50",
  at: 1n,
  ...more,
});

/** A place for a table, with a look past the table at what lies there. */
interface Place {
  readonly location: string;
  readonly storage: Storage;
  readonly options: TableOptions;
  remove(): Promise<void>;
}

const places: Place[] = [];
afterEach(async () => {
  for (const place of places.splice(0)) await place.remove();
});

async function makePlace(kind: "memory" | "local"): Promise<Place> {
  const runtime = { clock: new SimulatedClock(START_MS), random: seededRandom(1) };
  const directory = kind === "local" ? await mkdtemp(join(tmpdir(), "hudi-lake-bad-")) : "";
  const storage = kind === "local" ? new LocalStorage(directory, { runtime }) : new MemoryStorage();
  const place: Place = {
    location: kind === "local" ? directory : "memory:",
    storage,
    options: { storage, runtime, workers: { count: 0 }, write: SMALL_WRITES },
    remove: async () => {
      if (kind === "local") await rm(directory, { recursive: true, force: true });
    },
  };
  places.push(place);
  return place;
}

/** A table with a few rows in two partitions. */
async function makeTable(place: Place, more: object = {}): Promise<Table> {
  const table = (await HudiTable.create(
    place.location,
    {
      name: "bad_input",
      type: "copy-on-write",
      fields: FIELDS,
      recordKey: "id",
      partitionBy: "city",
      orderingField: "at",
      ...more,
    },
    place.options,
  )) as unknown as Table;
  await table.upsert([good("a"), good("b"), good("c", { city: "oslo" })]);
  return table;
}

const thrownBy = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => undefined,
    (error: unknown) => error,
  );

interface Expected {
  readonly code: HudiError["code"];
  readonly message: RegExp;
  readonly path?: string;
}

function requireClear(error: unknown, { code, message, path }: Expected): void {
  expect(error).toBeInstanceOf(HudiError);
  expect(error).toMatchObject({ code, ...(path === undefined ? {} : { path }) });
  const text = (error as HudiError).message;
  expect(text).toMatch(message);
  expect(text).toMatch(/^cannot [a-z]/);
  expect(text).not.toMatch(/\n|\.$/);
  const all = inspect(error, { depth: 10, showHidden: true });
  for (const secret of Object.values(SECRETS)) expect(all).not.toContain(secret);
}

/** Markers and heartbeats that nobody removed. */
async function findLeftovers(storage: Storage): Promise<string[]> {
  const objects = await storage.list("");
  const paths = objects.map(({ path }) => path);
  return paths.filter((path) => /^\.hoodie\/(\.temp|\.heartbeat)\//.test(path));
}

/** Refuses a call, and shows that it changed nothing. */
async function requireRefused(
  place: Place,
  table: Table,
  call: () => Promise<unknown>,
  expected: Expected,
): Promise<void> {
  const rows = rowTexts(await table.read().toArray());
  const timeline = await table.timeline();
  const files = (await place.storage.list("")).map(({ path }) => path);
  requireClear(await thrownBy(call()), expected);
  expect(await table.timeline()).toEqual(timeline);
  expect(timeline.filter(({ state }) => state !== "completed")).toEqual([]);
  expect(rowTexts(await table.read().toArray())).toEqual(rows);
  const left = (await place.storage.list("")).map(({ path }) => path);
  expect(left.filter((path) => !files.includes(path) && !path.includes("/.locks/"))).toEqual([]);
  await requireNextWrite(place, table, rows);
}

/** The next write goes through, and its row is there beside the others. */
async function requireNextWrite(
  place: Place,
  table: Table,
  before: readonly string[],
  isTidy = true,
): Promise<void> {
  const next = good("the next write", { city: "porto" });
  await table.upsert([next]);
  const rows = rowTexts(await table.read().toArray());
  expect(rows).toHaveLength(before.length + 1);
  expect(rows.filter((row) => before.includes(row))).toHaveLength(before.length);
  if (isTidy) expect(await findLeftovers(place.storage)).toEqual([]);
}

const WRITES: Record<string, (table: Table, rows: Row[]) => Promise<unknown>> = {
  upsert: (table, rows) => table.upsert(rows),
  insert: (table, rows) => table.insert(rows),
  bulkInsert: (table, rows) => table.bulkInsert(rows),
  "upsert of an async source": (table, rows) =>
    table.upsert(
      (async function* () {
        yield* rows;
      })(),
    ),
  apply: (table, rows) =>
    table.apply(
      rows.map((after) => ({ op: "update", key: { id: after?.id }, after }) as Change<Row>),
    ),
};

describe.each(["memory", "local"] as const)("rows, on %s storage", (kind) => {
  const { small: _, ...withoutSmall } = good("x");
  test.each<[string, Row, RegExp]>([
    ["an unknown column", good("x", { cost: 1 }), /unknown column "cost", expected id, city/],
    [
      "a missing column",
      withoutSmall,
      /column small \(int\?\): found nothing, expected a value or null/,
    ],
    ["a null key", good("x", { id: null }), /column id \(string\): found null/],
    ["an empty key", good(""), /record key id is empty, expected a value/],
    ["a null ordering value", good("x", { at: null }), /column at \(long\): found null/],
    [
      "a decimal that does not fit",
      good("x", { price: "1000.00" }),
      /column price \(decimal\(5,2\)\?\).*at most 3 digits, a point and 2/,
    ],
    [
      "a partition value with ..",
      good("x", { city: "a..b" }),
      /partition column city.*\.\..*one folder name/,
    ],
    [
      "a partition value with /",
      good("x", { city: "../../etc" }),
      /partition column city.*\/.*one folder name/,
    ],
    ["half a surrogate pair", good("x", { city: "\uD83D" }), /column city .*well-formed/],
  ])("%s", async (_title, bad, message) => {
    const place = await makePlace(kind);
    const table = await makeTable(place);
    const rows = [good("n0"), good("n1"), bad];
    const named = new RegExp(`row 2: .*${message.source}`);
    const call = (): Promise<unknown> => table.upsert(rows);
    await requireRefused(place, table, call, { code: "INVALID", message: named });
  });
});

describe.each(Object.keys(WRITES))("rows, through %s", (name) => {
  const write = WRITES[name] as (typeof WRITES)[string];

  test("the bad one is named, and nothing of the good ones before it is written", async () => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const rows = Array.from({ length: 3000 }, (_, n) => good(`n${n}`));
    rows[2500] = good("bad", { small: "1" });
    const expected = { code: "INVALID", message: /(row|change) 2500: column small/ } as const;
    await requireRefused(place, table, () => write(table, rows), expected);
  });

  test.each<[string, unknown, RegExp]>([
    ["null", null, /./],
    ["a text", "a", /./],
    ["an array", ["a"], /./],
  ])("%s is no row", async (_title, bad, message) => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const call = (): Promise<unknown> => write(table, [good("x"), bad as Row]);
    await requireRefused(place, table, call, { code: "INVALID", message });
  });
});

describe("wrong types, and values beyond the range of theirs (SC-3)", () => {
  const beyond: Record<string, unknown[]> = {
    id: [7, true, {}, Symbol("s")],
    flag: [1, "true", 0n],
    small: ["1", 1.5, 2 ** 31, -(2 ** 31) - 1, 1n, Number.NaN],
    big: ["1", 2 ** 53, 2n ** 63n, -(2n ** 63n) - 1n, 1.5],
    ratio: ["1", 1n],
    day: ["2023-02-29", "29.02.2024", new Date(1), new Date(Number.NaN), 19_000],
    moment: ["2024-01-01T00:00:00Z", 1_700_000_000, 2n ** 63n, new Date(Number.NaN)],
    price: [1.5, "1e2", "1000", "0.001", "", "NaN"],
  };
  const cases = Object.entries(beyond).flatMap(([column, values]) =>
    values.map((value) => [column, inspect(value), value] as const),
  );

  test.each(cases)("%s: %s", async (column, _title, value) => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const error = await thrownBy(table.upsert([good("x"), good("y", { [column]: value })]));
    const message = new RegExp(`row 1: column ${column} \\(.*\\): found .*, expected .`);
    requireClear(error, { code: "INVALID", message });
    expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
  });
});

describe("keys and changes", () => {
  const cases: [string, (table: Table) => Promise<unknown>, RegExp][] = [
    ["a key without the key column", (t) => t.delete([{ city: "oslo" }]), /row 0: column id/],
    ["a key without the partition column", (t) => t.delete([{ id: "a" }]), /row 0: column city/],
    ["a null key", (t) => t.delete([{ id: null, city: "oslo" }]), /row 0: column id/],
    ["a key of another type", (t) => t.delete([{ id: 7, city: "oslo" }]), /row 0: column id/],
    ["an empty key", (t) => t.delete([{ id: "", city: "oslo" }]), /row 0: record key id is empty/],
    ["no list of keys", (t) => t.delete(7 as never), /found number, expected an iterable/],
    ["a text for rows", (t) => t.upsert("abc" as never), /found string, expected an iterable/],
    [
      "nothing for rows",
      (t) => t.upsert(undefined as never),
      /found undefined, expected an iterable/,
    ],
    ["one row for rows", (t) => t.upsert(good("x") as never), /found object, expected an iterable/],
    [
      "an unknown op",
      (t) => t.apply([{ op: "merge", key: {} } as never]),
      /change 0: op is "merge"/,
    ],
    [
      "a change without a key",
      (t) => t.apply([{ op: "delete" } as never]),
      /change 0: key is missing/,
    ],
    [
      "an insert without a row",
      (t) => t.apply([{ op: "insert", key: { id: "x" } }]),
      /change 0: after is missing/,
    ],
    [
      "a change of the key",
      (t) => t.apply([{ op: "update", key: { id: "a" }, after: good("b") }]),
      /change 0: key and after differ in id; a key change is a delete/,
    ],
    ["a change that is none", (t) => t.apply([null as never]), /change 0: op is/],
    [
      "a delete without a partition",
      (t) => t.apply([{ op: "delete", key: { id: "a" } }]),
      /change 0: column city/,
    ],
    [
      "a checkpoint that is no text",
      (t) => t.upsert([good("x")], { checkpoint: { offset: 1 as never } }),
      /checkpoint entry offset/,
    ],
    [
      "a checkpoint in the place of the schema",
      (t) => t.upsert([good("x")], { checkpoint: { schema: "{}" } }),
      /checkpoint entry schema/,
    ],
  ];
  test.each(cases)("%s", async (_title, call, message) => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    await requireRefused(place, table, () => call(table), { code: "INVALID", message });
  });

  test("a source that throws: its own error, and nothing written", async () => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const rows = rowTexts(await table.read().toArray());
    const source = (function* () {
      yield good("x");
      throw new RangeError("the source broke");
    })();
    await expect(table.upsert(source)).rejects.toThrow(new RangeError("the source broke"));
    expect(rowTexts(await table.read().toArray())).toEqual(rows);
    await requireNextWrite(place, table, rows);
  });
});

describe("Arrow record batches", () => {
  const SIMPLE = { id: "string", n: "int" } as const;
  const makeSimple = async (place: Place): Promise<Table> => {
    const table = (await HudiTable.create(
      place.location,
      { name: "arrow", type: "copy-on-write", fields: SIMPLE, recordKey: "id" },
      place.options,
    )) as unknown as Table;
    await table.upsert([{ id: "a", n: 1 }]);
    return table;
  };
  const schema = new Schema([new Field("id", new Utf8(), true), new Field("n", new Int32(), true)]);
  const batchOf = (id: object, n: object, length: number): RecordBatch => {
    const children = [
      makeData({ type: new Utf8(), length, nullCount: 0, ...id } as never),
      makeData({ type: new Int32(), length, nullCount: 0, ...n } as never),
    ];
    const data = makeData({
      type: new Struct(schema.fields),
      length,
      nullCount: 0,
      children,
    } as never);
    return new RecordBatch(schema, data as never);
  };
  const ids = { valueOffsets: Int32Array.of(0, 1, 2), data: Buffer.from("xy") };
  const ns = { data: Int32Array.of(1, 2) };

  test.each<[string, () => unknown, HudiError["code"], RegExp]>([
    [
      "values shorter than the rows",
      () => batchOf(ids, { data: Int32Array.of(1) }, 2),
      "INVALID",
      /column n \(int\): .*short/,
    ],
    [
      "offsets shorter than the rows",
      () => batchOf({ ...ids, valueOffsets: Int32Array.of(0, 1) }, ns, 2),
      "INVALID",
      /column id \(string\): .*short/,
    ],
    [
      "offsets beyond the data",
      () => batchOf({ ...ids, valueOffsets: Int32Array.of(0, 1, 999_999) }, ns, 2),
      "INVALID",
      /column id \(string\): its (offsets|values)/,
    ],
    [
      "offsets that go back",
      () => batchOf({ ...ids, valueOffsets: Int32Array.of(0, 2, 1) }, ns, 2),
      "INVALID",
      /column id \(string\): its (offsets|values)/,
    ],
    [
      "negative offsets",
      () => batchOf({ ...ids, valueOffsets: Int32Array.of(-5, 1, 2) }, ns, 2),
      "INVALID",
      /column id \(string\): its (offsets|values)/,
    ],
    [
      "bytes that are no UTF-8",
      () => batchOf({ ...ids, data: Buffer.of(0xff, 0xfe) }, ns, 2),
      "INVALID",
      /column id .*UTF-8|column id/,
    ],
    [
      "a null key",
      () => tableFromArrays({ id: ["x", null], n: Int32Array.of(1, 2) } as never),
      "INVALID",
      /column id .*null in row 1/,
    ],
    [
      "an unknown column",
      () => tableFromArrays({ id: ["x"], n: Int32Array.of(1), cost: Int32Array.of(1) }),
      "INVALID",
      /unknown column "cost"/,
    ],
    ["a missing column", () => tableFromArrays({ id: ["x"] }), "INVALID", /lacks column n/],
    [
      "another type",
      () => tableFromArrays({ id: ["x"], n: Float64Array.of(1.5) }),
      "INVALID",
      /column n/,
    ],
  ])("with %s", async (_title, make, code, message) => {
    const place = await makePlace("memory");
    const table = await makeSimple(place);
    const before = await table.read().toArray();
    requireClear(await thrownBy(table.upsert(make() as never)), { code, message });
    expect(await table.read().toArray()).toEqual(before);
    expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
    await table.upsert(batchOf(ids, ns, 2) as never);
    expect(await table.read().toArray()).toHaveLength(3);
  });
});

describe.each(["memory", "local"] as const)("places that are no table, on %s storage", (kind) => {
  test("an empty one is NOT_FOUND, and says to create a table", async () => {
    const place = await makePlace(kind);
    const error = await thrownBy(HudiTable.open(place.location, place.options));
    requireClear(error, {
      code: "NOT_FOUND",
      message: /cannot open table .*: found no .hoodie\/hoodie.properties, .*create it first/,
    });
    expect((error as Error).message).toContain(place.storage.location);
    await makeTable(place);
  });

  test("one with other files is none either, and they stay", async () => {
    const place = await makePlace(kind);
    await place.storage.put("notes/readme.txt", Buffer.from("mine"));
    requireClear(await thrownBy(HudiTable.open(place.location, place.options)), {
      code: "NOT_FOUND",
      message: /create it first/,
    });
    const table = await makeTable(place, { partitionBy: undefined });
    expect(await table.read().toArray()).toHaveLength(3);
    expect(Buffer.from((await place.storage.read("notes/readme.txt")).bytes).toString()).toBe(
      "mine",
    );
  });

  test("one with a table takes no second one", async () => {
    const place = await makePlace(kind);
    const table = await makeTable(place);
    const again = (): Promise<unknown> => makeTable(place, { name: "another" });
    await requireRefused(place, table, again, {
      code: "ALREADY_EXISTS",
      message: /cannot create table .*open it instead/,
    });
  });
});

describe("damaged hoodie.properties (TBL-3, TBL-4, TBL-5)", () => {
  const PATH = ".hoodie/hoodie.properties";
  const edits: [string, (text: string) => string, HudiError["code"], RegExp][] = [
    ["empty", () => "", "CORRUPT", /lacks hoodie.table.name/],
    ["cut in half", (text) => text.slice(0, text.length / 2), "CORRUPT", /lacks hoodie.table/],
    ["cut in its last line", (text) => text.slice(0, -3), "CORRUPT", /lacks hoodie.table.version/],
    [
      "with a wrong checksum",
      (text) => text.replace(/(checksum=)\d+/, "$11"),
      "CORRUPT",
      /checksum is 1, expected \d+/,
    ],
    [
      "with another name",
      (text) => text.replace("name=bad_input", "name=other"),
      "CORRUPT",
      /checksum/,
    ],
    [
      "without its type",
      (text) => text.replace(/hoodie.table.type=.*\n/, ""),
      "CORRUPT",
      /lacks hoodie.table.type/,
    ],
    [
      "without its layout",
      (text) => text.replace(/hoodie.timeline.layout.version=.*\n/, ""),
      "CORRUPT",
      /layout.version/,
    ],
    ["of bytes that mean nothing", () => "\0\u0001\u0002=\uFFFF", "CORRUPT", /lacks/],
    [
      "of version 5",
      (text) => text.replace("version=6", "version=5"),
      "UNSUPPORTED",
      /found hoodie.table.version 5, expected 6, 8 or 9/,
    ],
    [
      "of version 7",
      (text) => text.replace("version=6", "version=7"),
      "UNSUPPORTED",
      /found hoodie.table.version 7/,
    ],
    [
      "of a version that is no number",
      (text) => text.replace("version=6", "version=six"),
      "UNSUPPORTED",
      /version six/,
    ],
  ];

  test.each(edits)(
    "%s: an error that names it, and the table is back with the file",
    async (_title, edit, code, message) => {
      const place = await makePlace("memory");
      const table = await makeTable(place);
      const before = rowTexts(await table.read().toArray());
      const { bytes } = await place.storage.read(PATH);
      const text = Buffer.from(bytes).toString("latin1");
      await place.storage.put(PATH, Buffer.from(edit(text), "latin1"));
      requireClear(await thrownBy(HudiTable.open(place.location, place.options)), {
        code,
        message,
        path: PATH,
      });
      // A writer that has the table open finds out before it commits.
      const write = await thrownBy(table.upsert([good("late")]));
      expect(write).toMatchObject({ code });
      expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
      await place.storage.put(PATH, bytes);
      const again = (await HudiTable.open(place.location, place.options)) as Table;
      expect(rowTexts(await again.read().toArray())).toEqual(before);
      await requireNextWrite(place, again, before);
    },
  );

  test.each(edits.filter(([, , code]) => code === "CORRUPT"))(
    "%s: the backup stands in for it",
    async (_title, edit) => {
      const place = await makePlace("memory");
      const table = await makeTable(place);
      const before = rowTexts(await table.read().toArray());
      const { bytes } = await place.storage.read(PATH);
      await place.storage.put(`${PATH}.backup`, bytes);
      const text = Buffer.from(bytes).toString("latin1");
      await place.storage.put(PATH, Buffer.from(edit(text), "latin1"));
      const again = (await HudiTable.open(place.location, place.options)) as Table;
      expect(rowTexts(await again.read().toArray())).toEqual(before);
    },
  );
});

describe("a table with a metadata table (TBL-8)", () => {
  const PATH = ".hoodie/hoodie.properties";
  const addMetadataTable = async (place: Place): Promise<void> => {
    const { bytes } = await place.storage.read(PATH);
    const text = `hoodie.table.metadata.partitions=files\n${Buffer.from(bytes).toString("latin1")}`;
    await place.storage.put(PATH, Buffer.from(text, "latin1"));
    await place.storage.put(".hoodie/metadata/.hoodie/hoodie.properties", Buffer.from("x"));
  };

  test("is read, refused for writing, and written once it is dropped", async () => {
    const place = await makePlace("memory");
    await makeTable(place);
    await addMetadataTable(place);
    const table = (await HudiTable.open(place.location, place.options)) as Table;
    expect(await table.read().toArray()).toHaveLength(3);
    for (const call of [
      table.upsert([good("x")]),
      table.insert([good("x")]),
      table.bulkInsert([good("x")]),
      table.delete([{ id: "a", city: "lisbon" }]),
      table.apply([{ op: "delete", key: { id: "a", city: "lisbon" } }]),
    ]) {
      requireClear(await thrownBy(call), {
        code: "UNSUPPORTED",
        message:
          /cannot write table memory:: it has a metadata table \(files\).*open it with metadataTable: "drop"/,
      });
    }
    expect(await table.timeline()).toHaveLength(1);
    const dropped = (await HudiTable.open(place.location, {
      ...place.options,
      metadataTable: "drop",
    })) as Table;
    const before = rowTexts(await dropped.read().toArray());
    expect(await place.storage.list(".hoodie/metadata")).toEqual([]);
    await requireNextWrite(place, dropped, before);
  });

  test("that somebody switches on while a write runs stops it, and its files go (TX-9)", async () => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const rows = rowTexts(await table.read().toArray());
    const { bytes } = await place.storage.read(PATH);
    const source = (async function* () {
      yield good("x");
      await addMetadataTable(place);
    })();
    requireClear(await thrownBy(table.upsert(source)), {
      code: "UNSUPPORTED",
      message: /metadata table on \(files\); open the table with metadataTable: "drop"/,
    });
    expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
    expect(rowTexts(await table.read().toArray())).toEqual(rows);
    await place.storage.put(PATH, bytes);
    await requireNextWrite(place, table, rows);
  });
});

describe("data files", () => {
  const filesOf = async (place: Place, city: string): Promise<string[]> =>
    (await place.storage.list(city))
      .map(({ path }) => path)
      .filter((path) => path.endsWith(".parquet"));

  test("a torn file of a write that never completed is passed over, and goes with its rollback (FSV-2)", async () => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const before = rowTexts(await table.read().toArray());
    const torn = "lisbon/0a-0_0-0-0_20260115115959999.parquet";
    await place.storage.put(".hoodie/20260115115959999.commit.requested", new Uint8Array(0));
    await place.storage.put(torn, Buffer.from("PAR1 and then nothing"));
    expect(rowTexts(await table.read().toArray())).toEqual(before);
    await table.rollback("20260115115959999");
    expect(await filesOf(place, "lisbon")).not.toContain(torn);
    await requireNextWrite(place, table, before);
  });

  test.each(["part-00000-abc.snappy.parquet", "data.parquet"])(
    "a foreign file, %s, in a partition is named, with what to do (FSV-5)",
    async (name) => {
      const place = await makePlace("memory");
      const table = await makeTable(place);
      const before = rowTexts(await table.read().toArray());
      const path = `oslo/${name}`;
      await place.storage.put(path, Buffer.from("PAR1"));
      const expected = {
        code: "CORRUPT",
        path,
        message: /"oslo": oslo.*move it out of the table/,
      } as const;
      requireClear(await thrownBy(table.read().toArray()), expected);
      requireClear(await thrownBy(table.upsert([good("x", { city: "oslo" })])), expected);
      expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
      expect(await table.read({ where: { city: "lisbon" } }).toArray()).toHaveLength(2);
      await place.storage.delete([path]);
      expect(rowTexts(await table.read().toArray())).toEqual(before);
      await requireNextWrite(place, table, before);
    },
  );

  test("other files in a partition are passed over (FSV-5)", async () => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const before = rowTexts(await table.read().toArray());
    for (const name of ["_SUCCESS", "notes.txt", ".f.parquet.crc", ".DS_Store"]) {
      await place.storage.put(`oslo/${name}`, Buffer.from("x"));
    }
    expect(rowTexts(await table.read().toArray())).toEqual(before);
    await requireNextWrite(place, table, before);
  });

  test.each([0, 4, 11, 100, 700])(
    "a base file cut to %i bytes is named; others are read (BASE-6)",
    async (left) => {
      const place = await makePlace("memory");
      const table = await makeTable(place);
      const before = rowTexts(await table.read().toArray());
      const [path = ""] = await filesOf(place, "oslo");
      const { bytes } = await place.storage.read(path);
      await place.storage.put(path, bytes.subarray(0, left));
      const expected = { code: "CORRUPT", path, message: new RegExp(path) } as const;
      requireClear(await thrownBy(table.read().toArray()), expected);
      requireClear(await thrownBy(table.upsert([good("c", { city: "oslo", at: 9n })])), expected);
      requireClear(await thrownBy(table.delete([{ id: "c", city: "oslo" }])), expected);
      expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
      expect(await findLeftovers(place.storage)).toEqual([]);
      expect(await table.read({ where: { city: "lisbon" } }).toArray()).toHaveLength(2);
      await table.upsert([good("a", { at: 9n })]);
      await place.storage.put(path, bytes);
      expect(await table.read().toArray()).toHaveLength(before.length);
    },
  );

  test("a base file that is gone is told, with what to do", async () => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const scan = table.read()[Symbol.asyncIterator]();
    await scan.next();
    await scan.next();
    const [path = ""] = await filesOf(place, "oslo");
    const { bytes } = await place.storage.read(path);
    await place.storage.delete([path]);
    requireClear(await thrownBy(scan.next()), {
      code: "EXPIRED",
      path,
      message: /read again from a newer snapshot/,
    });
    await place.storage.put(path, bytes);
    expect(await table.read().toArray()).toHaveLength(3);
  });
});

describe("files of the timeline (CM-7, CM-8)", () => {
  const commitOf = async (place: Place): Promise<string> =>
    (await place.storage.list(".hoodie"))
      .map(({ path }) => path)
      .find((path) => path.endsWith(".commit")) ?? "";
  const hostile: [string, (text: string) => string][] = [
    ["of 0 bytes", () => ""],
    ["cut in half", (text) => text.slice(0, text.length / 2)],
    ["that is no JSON", () => "commit"],
    ["that is null", () => "null"],
    ["that is a list", () => "[]"],
    [
      "with stats that are no list",
      (text) => text.replace(/("lisbon":)\[/, '$1{"a":[').replace(/\],("oslo")/, "]},$1"),
    ],
    ["with stats that are a number", () => '{"partitionToWriteStats":7}'],
    [
      "with a size that is a text",
      (text) => text.replace(/"fileSizeInBytes":\d+/, '"fileSizeInBytes":"big"'),
    ],
    [
      "with extra metadata that is a list",
      (text) => text.replace(/"extraMetadata":\{.*?\}(,"operationType")/s, '"extraMetadata":[]$1'),
    ],
    ["with a schema that is none", (text) => text.replace(/"schema":"/, '"schema":"{')],
    ["nested a thousand deep", () => "[".repeat(1000)],
    ["that is not UTF-8", () => "\u00ff\u00fe"],
  ];

  test.each(hostile)(
    "a commit %s is CORRUPT and named, and harms nothing",
    async (_title, edit) => {
      const place = await makePlace("memory");
      const table = await makeTable(place);
      const before = rowTexts(await table.read().toArray());
      const path = await commitOf(place);
      const { bytes } = await place.storage.read(path);
      const text = Buffer.from(bytes).toString("latin1");
      expect(edit(text)).not.toBe(text);
      await place.storage.put(path, Buffer.from(edit(text), "latin1"));
      const afresh = (await HudiTable.open(place.location, place.options)) as Table;
      for (const call of [
        () => afresh.read().toArray(),
        () => afresh.incremental({ after: "0" }).toArray(),
        () => afresh.upsert([good("x")]),
      ]) {
        const error = await thrownBy(call());
        requireClear(error, { code: "CORRUPT", message: /./ });
        expect(`${(error as HudiError).path} ${(error as Error).message}`).toContain(path);
      }
      expect(await afresh.timeline()).toHaveLength(1);
      await place.storage.put(path, bytes);
      const again = (await HudiTable.open(place.location, place.options)) as Table;
      expect(rowTexts(await again.read().toArray())).toEqual(before);
      await requireNextWrite(place, again, before);
    },
  );

  test("hostile names in a commit are data", async () => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const before = rowTexts(await table.read().toArray());
    const path = await commitOf(place);
    const { bytes } = await place.storage.read(path);
    const text = Buffer.from(bytes)
      .toString()
      .replace(
        /^\{/,
        '{"__proto__":{"operationType":"x","polluted":true},"constructor":{"prototype":{"polluted":true}},',
      )
      .replace('"extraMetadata":{', '"extraMetadata":{"__proto__":"mine","constructor":"yours",')
      .replace(
        '"partitionToWriteStats":{',
        '"partitionToWriteStats":{"__proto__":[],"toString":[],',
      );
    await place.storage.put(path, Buffer.from(text));
    const again = (await HudiTable.open(place.location, place.options)) as Table;
    expect(rowTexts(await again.read().toArray())).toEqual(before);
    expect(await again.incremental({ after: "0" }).toArray()).toHaveLength(3);
    const [instant] = await again.timeline();
    if (!instant) throw new Error("no instant");
    const metadata = await again.commitMetadata(instant);
    expect(metadata.operationType).toBe("UPSERT");
    expect(metadata.extraMetadata.get("__proto__")).toBe("mine");
    expect(await again.checkpoint("__proto__")).toEqual({ instant: instant.time, value: "mine" });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    await requireNextWrite(place, again, before);
  });

  test("files that are no instants are passed over (TL-9)", async () => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const before = rowTexts(await table.read().toArray());
    for (const name of [
      "notes.txt",
      "20260115.commit",
      "20260115120000000_20260115120000001.commit",
      "x.commit",
      "20260115120000000.__proto__",
    ]) {
      await place.storage.put(`.hoodie/${name}`, Buffer.from("x"));
    }
    expect(await table.timeline()).toHaveLength(1);
    expect(rowTexts(await table.read().toArray())).toEqual(before);
    await requireNextWrite(place, table, before);
  });

  test.each(["rollback", "compaction", "clustering", "replacecommit"])(
    "a damaged plan of a pending %s stops a writer, names the file, and the table goes on without it",
    async (action) => {
      const place = await makePlace("memory");
      const table = await makeTable(place);
      const before = rowTexts(await table.read().toArray());
      const path = `.hoodie/29990101000000000.${action}.requested`;
      await place.storage.put(path, Buffer.from('{"__proto__":1}'));
      const error = await thrownBy(table.upsert([good("x")]));
      requireClear(error, { code: "CORRUPT", message: /29990101000000000/ });
      expect(rowTexts(await table.read().toArray())).toEqual(before);
      await place.storage.delete([path]);
      expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
      await requireNextWrite(place, table, before);
    },
  );

  test.each([
    '{"__proto__":{"expired":true}}',
    "",
    "[]",
    '{"expired":"no","validUntil":1,"owner":""}',
  ])("a lock object that holds %j is named, with what to do (LK-1)", async (text) => {
    const place = await makePlace("memory");
    const table = await makeTable(place);
    const before = rowTexts(await table.read().toArray());
    const path = ".hoodie/.locks/table_lock.json";
    const { bytes } = await place.storage.read(path);
    await place.storage.put(path, Buffer.from(text));
    requireClear(await thrownBy(table.upsert([good("x")])), {
      code: "CORRUPT",
      path,
      message: /table_lock.json.*remove it while no writer runs/,
    });
    expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
    await place.storage.put(path, bytes);
    await requireNextWrite(place, table, before);
  });
});

describe("an endpoint that fails", () => {
  const CREDENTIALS = {
    accessKeyId: SECRETS.AWS_ACCESS_KEY_ID,
    secretAccessKey: SECRETS.AWS_SECRET_ACCESS_KEY,
    sessionToken: SECRETS.AWS_SESSION_TOKEN,
  };
  let stub: S3Stub;
  afterEach(() => stub.stop());

  async function makeBucketTable(): Promise<{ place: Place; table: Table }> {
    stub = await S3Stub.start();
    const runtime = { clock: new SimulatedClock(START_MS), random: seededRandom(1) };
    const storage = new S3Storage({
      bucket: "lake",
      prefix: "trips",
      endpoint: stub.endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: CREDENTIALS,
      runtime,
    });
    const place: Place = {
      location: "s3://lake/trips",
      storage,
      options: { storage, runtime, workers: { count: 0 }, write: SMALL_WRITES },
      remove: () => storage.close(),
    };
    places.push(place);
    return { place, table: await makeTable(place) };
  }

  const OPERATIONS = ["PutObject", "GetObject", "ListObjectsV2", "DeleteObjects"];
  const ONCE: [string, StubFault][] = [
    ["409", { status: 409, code: "ConditionalRequestConflict" }],
    ["503", { status: 503, code: "SlowDown" }],
    ["503 after the effect", { status: 503, code: "SlowDown", isApplied: true }],
    ["a dropped request", "drop-before"],
    ["a dropped reply", "drop-after"],
    ["a reply cut short", "truncate"],
  ];
  const cases = OPERATIONS.flatMap((operation) =>
    ONCE.filter(([name]) => operation === "GetObject" || name !== "a reply cut short").map(
      ([name, fault]) => [name, operation, fault] as const,
    ),
  );

  test.each(cases)(
    "with %s once at every %s: the write is there once",
    async (_name, operation, fault) => {
      const { place, table } = await makeBucketTable();
      const struck = new Set<string>();
      stub.plan = (request) => {
        const what = `${request.operation} ${request.key}`;
        if (request.operation !== operation || struck.has(what)) return undefined;
        struck.add(what);
        return fault;
      };
      const commit = await table.upsert([good("a", { small: 7, at: 2n }), good("x")]);
      expect(struck.size).toBeGreaterThan(0);
      stub.plan = () => undefined;
      expect(commit).toMatchObject({ inserted: 1, updated: 1, deleted: 0 });
      const rows = await table.read().toArray();
      expect(rows.map(({ id, small }) => `${id}:${small}`).sort()).toEqual([
        "a:7",
        "b:1",
        "c:1",
        "x:1",
      ]);
      expect((await table.timeline()).map(({ state }) => state)).toEqual([
        "completed",
        "completed",
      ]);
      await requireNextWrite(place, table, rowTexts(rows));
    },
  );

  test.each([
    [
      "403 for every read",
      "GetObject",
      { status: 403, code: "AccessDenied" },
      /read s3:\/\/lake\/trips\/.*access was denied \(403 AccessDenied\), expected s3:GetObject; check/,
    ],
    [
      "403 for every listing",
      "ListObjectsV2",
      { status: 403, code: "AccessDenied" },
      /list s3:\/\/lake\/trips.*expected s3:ListBucket/,
    ],
    [
      "503 for every listing",
      "ListObjectsV2",
      { status: 503, code: "SlowDown" },
      /list s3:\/\/lake\/trips.*503 SlowDown/,
    ],
    [
      "no reply to any listing",
      "ListObjectsV2",
      "drop-before",
      /list s3:\/\/lake\/trips.*did not answer/,
    ],
  ] as [string, string, StubFault, RegExp][])(
    "with %s: UNAVAILABLE, and all is as it was",
    async (_name, operation, fault, message) => {
      const { place, table } = await makeBucketTable();
      const before = rowTexts(await table.read().toArray());
      stub.plan = (request) => (request.operation === operation ? fault : undefined);
      const calls =
        operation === "GetObject" ? [() => HudiTable.open(place.location, place.options)] : [];
      for (const call of [
        ...calls,
        () => table.read().toArray(),
        () => table.upsert([good("x")]),
      ]) {
        requireClear(await thrownBy(call()), { code: "UNAVAILABLE", message });
      }
      stub.plan = () => undefined;
      expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
      expect(rowTexts(await table.read().toArray())).toEqual(before);
      await requireNextWrite(place, table, before);
    },
  );

  /** The keys that a write puts, in order, with what varies left out. */
  async function putsOfAnUpsert(): Promise<number> {
    const { table } = await makeBucketTable();
    stub.requests.length = 0;
    await table.upsert([good("a", { at: 2n })]);
    const count = stub.operations.filter((name) => name === "PutObject").length;
    await stub.stop();
    return count;
  }

  const REFUSALS: [string, StubFault, HudiError["code"]][] = [
    ["403", { status: 403, code: "AccessDenied" }, "UNAVAILABLE"],
    ["409 every time", { status: 409, code: "ConditionalRequestConflict" }, "UNAVAILABLE"],
  ];

  test.each(REFUSALS)(
    "with %s at any put of a write, from then on until it is given up: an error that names the object, and nothing pending",
    async (_name, fault, code) => {
      const puts = await putsOfAnUpsert();
      expect(puts).toBeGreaterThan(5);
      for (let first = 0; first < puts; first += 1) {
        const { place, table } = await makeBucketTable();
        const before = rowTexts(await table.read().toArray());
        let count = 0;
        stub.plan = (request: StubRequest) => {
          if (request.operation !== "PutObject") return undefined;
          count += 1;
          return count > first ? fault : undefined;
        };
        const error = await thrownBy(table.upsert([good("a", { at: 2n })]));
        stub.plan = () => undefined;
        const after = rowTexts(await table.read().toArray());
        if (error === undefined) {
          // What comes after the commit may fail; the commit stands.
          expect(after).not.toEqual(before);
        } else {
          requireClear(error, { code, message: /s3:\/\/lake\/trips\/\S+/ });
          expect([first, after]).toEqual([first, before]);
          const pending = (await table.timeline()).filter(({ state }) => state !== "completed");
          expect([first, pending]).toEqual([first, []]);
        }
        // A heartbeat whose request was refused stays behind; nothing reads it.
        await requireNextWrite(place, table, after, false);
        await stub.stop();
      }
      stub = await S3Stub.start();
    },
    30_000,
  );

  test("a store that ignores conditions takes no table and no write, and is named (LK-9, ST-51)", async () => {
    const { place } = await makeBucketTable();
    const before = new Map(stub.objects);
    const bad = await S3Stub.start();
    try {
      bad.manners = { ignoresIfNoneMatch: true };
      for (const [key, object] of before) bad.objects.set(key, object);
      const runtime = { clock: new SimulatedClock(START_MS), random: seededRandom(2) };
      const storage = { endpoint: bad.endpoint, credentials: CREDENTIALS };
      const options = { storage, runtime, workers: { count: 0 } };
      const definition = {
        name: "t",
        type: "copy-on-write",
        fields: { id: "string" },
        recordKey: "id",
      } as const;
      const refusal = {
        code: "UNSUPPORTED",
        message: /cannot trust several writers to s3:\/\/lake/,
      } as const;
      requireClear(await thrownBy(HudiTable.create(place.location, definition, options)), refusal);
      const table = (await HudiTable.open(place.location, options)) as Table;
      requireClear(await thrownBy(table.upsert([good("x")])), refusal);
      expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
      expect(await table.read().toArray()).toHaveLength(3);
      for (const [key, { tag }] of before)
        expect([key, bad.objects.get(key)?.tag]).toEqual([key, tag]);
      await table[Symbol.asyncDispose]();
    } finally {
      await bad.stop();
    }
  });
});

test("the tests see what lies on a disk, too", async () => {
  const place = await makePlace("local");
  await makeTable(place);
  const names = await readdir(join(place.location, ".hoodie"));
  expect(names).toContain("hoodie.properties");
  expect(await readFile(join(place.location, ".hoodie/hoodie.properties"), "latin1")).toContain(
    "bad_input",
  );
  expect(dirname(place.location)).toBe(tmpdir());
});
