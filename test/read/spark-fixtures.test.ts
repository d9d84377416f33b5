// Tables that Spark wrote, read by us with Node alone: every fixture gives the rows that Spark itself
// exported, and where the version allows it the next write goes on from there.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import {
  type ExpectationKind,
  extractTableFixture,
  listTableFixtures,
  loadExpectation,
  type TableExpectation,
} from "../../fixtures/tables/table-fixtures.ts";
import { readLogBlocks } from "../../src/format/log-block-reader.ts";
import type { TableSchema } from "../../src/format/schema.ts";
import { HudiTable, type Scan, type TableOptions } from "../../src/index.ts";
import { META_FIELDS } from "../../src/layout/record-key.ts";
import { canonicalRows, type EngineRow } from "../engines/support/engine-rows.ts";
import { collectEngineRows, toLakeRow } from "../engines/support/lake-rows.ts";

const NAMES = await listTableFixtures();
const KINDS: readonly ExpectationKind[] = ["snapshot", "as-of", "incremental"];
/** Where versions 8 and 9 have logs with some columns only. */
const PARTIAL = "mor_nonpartitioned_partialupdates_4i2u";
const isRefused = (name: string): boolean => /^v[89]/.test(name) && name.endsWith(PARTIAL);
const CASES = NAMES.flatMap((name) => {
  const kinds = name.includes("_mor_") ? [...KINDS, "optimized" as const] : KINDS;
  const read = kinds.filter((kind) => kind !== "snapshot" || !isRefused(name));
  return read.map((kind) => ({ name, kind }));
});
/** An expired write is one that is a moment old. */
const IMPATIENT: TableOptions = {
  write: { heartbeat: { intervalMs: 60_000, expireMs: 120_000, expireWithoutHeartbeatMs: 1 } },
};

let directory: string;
const paths = new Map<string, string>();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "hudi-lake-fixtures-"));
  for (const name of NAMES) {
    paths.set(name, await extractTableFixture(name, join(directory, "read")));
  }
});

afterAll(() => rm(directory, { recursive: true, force: true }));

/** A copy of a fixture that a test may write to. */
function copyFixture(name: string): Promise<string> {
  return mkdtemp(join(directory, "write-")).then((into) => extractTableFixture(name, into));
}

function columnsOf(expected: TableExpectation): string[] {
  return expected.columns.map(({ name }) => name);
}

function completionOf(expected: TableExpectation, instant: string | undefined): string {
  const found = expected.instants.find(({ requested }) => requested === instant);
  return found?.completion ?? "";
}

/** The read that an expectation describes; incremental ranges are completion times where there are any. */
function startRead(
  table: HudiTable,
  kind: ExpectationKind,
  expected: TableExpectation,
): Scan<object> {
  const columns = columnsOf(expected);
  if (kind === "snapshot") return table.read({ columns });
  if (kind === "optimized") return table.read({ columns, readOptimized: true });
  if (kind === "as-of") return table.read({ columns, asOf: expected.asOf });
  const after = completionOf(expected, expected.begin);
  return table.incremental({ columns, after, upTo: completionOf(expected, expected.end) });
}

/**
 * What changed in a merge-on-read table Spark reads from the files of the range alone, so that it shows
 * a row in a log which loses against one that was stored before (IN-8).
 */
function withoutStale(table: HudiTable, rows: readonly EngineRow[]): readonly EngineRow[] {
  if (table.config.type === "copy-on-write") return rows;
  return rows.filter(({ note }) => !/^stale/.test(String(note)));
}

/** Here a rollback bears a greater instant than the last write, whose rows Hudi 0.15 hides (LOG-15). */
const HIDDEN = "v6_mor_hivestyle_rolledback_6i2u";

/** The rows of a fixture: those that Spark shows, and those that it hides. */
async function loadRows(name: string, kind?: ExpectationKind): Promise<TableExpectation> {
  const expected = await loadExpectation(name, kind);
  if (name !== HIDDEN || (kind ?? "snapshot") !== "snapshot") return expected;
  const { rows: hidden } = await loadExpectation(name, "incremental");
  const isHidden = (row: EngineRow): boolean => hidden.some(({ id }) => id === row.id);
  return { ...expected, rows: [...expected.rows.filter((row) => !isHidden(row)), ...hidden] };
}

/** The rows without the meta columns, as the API takes them. */
function dataRows(rows: readonly EngineRow[]): EngineRow[] {
  return rows.map((row) =>
    Object.fromEntries(Object.entries(row).filter(([name]) => !META_FIELDS.includes(name))),
  );
}

/**
 * The rows of a scan as Spark shows them: it takes the partition column from the path, where an
 * empty text and a null are one folder. We give what the file holds.
 */
async function collectAsSpark(table: HudiTable, scan: Scan<object>): Promise<EngineRow[]> {
  const rows = await collectEngineRows(scan, await table.schema());
  return rows.map((row) => (row.region === "" ? { ...row, region: null } : row));
}

/**
 * Of a column that a timestamp-based key generator formats Spark shows the folder, which comes last; of
 * one that a custom key generator formats it shows what the text of the folder is as a time: null.
 */
function showFolders(table: HudiTable, rows: readonly EngineRow[]): EngineRow[] {
  const { kind: generator, partitions, timestamps } = table.config.keyGenerator;
  const name = partitions.find(({ kind }) => kind === "timestamp")?.name;
  if (name === undefined) return [...rows];
  const depth = timestamps?.outputFormat.text.split("/").length ?? 1;
  return rows.map((row) => {
    const folder = String(row._hoodie_partition_path).split("/").slice(-depth).join("/");
    return { ...row, [name]: generator === "custom" ? null : folder };
  });
}

function readData(table: HudiTable): Promise<EngineRow[]> {
  return collectAsSpark(table, table.read());
}

const CUSTOM = {
  "hoodie.datasource.write.partitionpath.field": "region:simple,moment:timestamp",
  "hoodie.keygen.timebased.timestamp.type": "SCALAR",
  "hoodie.keygen.timebased.timestamp.scalar.time.unit": "MICROSECONDS",
  "hoodie.keygen.timebased.output.dateformat": "yyyyMMdd",
  "hoodie.keygen.timebased.timezone": "UTC",
};

const BUCKETS = {
  "hoodie.index.type": "BUCKET",
  "hoodie.bucket.index.num.buckets": "2",
  "hoodie.bucket.index.hash.field": "id",
};

/** What a fixture needs that Hudi 0.15 does not keep in the properties. */
function openFixture(name: string, path: string, options: TableOptions = {}): Promise<HudiTable> {
  return HudiTable.open(path, {
    ...options,
    ...(name.includes("custom") && { properties: CUSTOM }),
    ...(name.includes("bucket") && { properties: BUCKETS }),
  });
}

/** The rows that Spark shows, or where it shows folders in place of values those that the files hold. */
async function expectedData(name: string, table: HudiTable): Promise<EngineRow[]> {
  const shown = dataRows((await loadRows(name)).rows);
  const { partitions } = table.config.keyGenerator;
  if (!partitions.some(({ kind }) => kind === "timestamp")) return shown;
  const held = await readData(table);
  expect(held.map(({ id }) => id).sort()).toEqual(shown.map(({ id }) => id).sort());
  return held;
}

test("there are fixtures of versions 6, 8 and 9", () => {
  for (const version of ["v6", "v8", "v9"]) {
    expect(NAMES.filter((name) => name.startsWith(version)).length).toBeGreaterThan(1);
  }
});

test.each(CASES)(
  "$name: $kind gives the rows that Spark exported, meta columns included (FSV-6, IN-8)",
  async ({ name, kind }) => {
    const expected = await loadRows(name, kind);
    expect(expected.rows.length).toBeGreaterThan(0);
    await using table = await openFixture(name, paths.get(name) as string);
    const found = await collectAsSpark(table, startRead(table, kind, expected));
    const rows = kind === "incremental" ? found : showFolders(table, found);
    const shown = kind === "incremental" ? withoutStale(table, expected.rows) : expected.rows;
    expect(canonicalRows(rows)).toEqual(canonicalRows(shown));
  },
);

test("a block of a later instant ends no log: what Spark hides behind a rollback is read (LOG-15)", async () => {
  const shown = dataRows((await loadExpectation(HIDDEN)).rows);
  const { instants, rows: changed } = await loadExpectation(HIDDEN, "incremental");
  const newest = instants.at(-1)?.requested ?? "";
  expect(shown.map(({ note }) => note)).not.toContain("updated");
  await using table = await openFixture(HIDDEN, paths.get(HIDDEN) as string);
  const rollback = (await table.timeline()).find(({ action }) => action === "rollback");
  expect((rollback?.time ?? "") > newest).toBe(true);
  const rows = await readData(table);
  const found = rows.filter(({ note }) => note === "updated");
  expect(canonicalRows(found)).toEqual(canonicalRows(dataRows(changed)));
  // One more write, and Spark shows them as well.
  const later = await loadExpectation("v6_mor_hivestyle_rolledback_6i3u");
  const notes = later.rows.map(({ note }) => note).filter((note) => /^updated/.test(String(note)));
  expect(notes.sort()).toEqual(["updated", "updated", "updated later"]);
});

describe.each(["v8", "v9"])("%s", (version) => {
  const find = async (name: string, pattern: RegExp): Promise<string[]> => {
    const entries = await readdir(paths.get(name) as string, { recursive: true });
    return entries.filter((entry) => pattern.test(entry));
  };

  test("logs have positions of records, which are not needed (LOG-16)", async () => {
    const name = `${version}_mor_nonpartitioned_8i3u1d`;
    await using table = await openFixture(name, paths.get(name) as string);
    const [log] = await find(name, /\.log\.1_[^.]*$/);
    const bytes = await readFile(join(paths.get(name) as string, log as string));
    const readRange = async (start: number, end: number): Promise<Uint8Array> =>
      bytes.subarray(start, end);
    const source = { path: log as string, sizeBytes: bytes.length, readRange };
    const headers: string[] = [];
    for await (const { header } of readLogBlocks(source)) headers.push(...header.keys());
    expect(headers).toContain("record-positions");
    expect(await readData(table)).toHaveLength((await loadExpectation(name)).rows.length);
  });

  test("a rollback has deleted the logs of its target (FSV-7)", async () => {
    const name = `${version}_mor_hivestyle_rolledback_6i2u`;
    const { instants } = await loadExpectation(name);
    const logs = await find(name, /\.log\.\d+_[^.]*$/);
    expect(logs.length).toBeGreaterThan(0);
    const completed = instants.map(({ requested }) => requested);
    expect(logs.filter((log) => !completed.some((time) => log.includes(time)))).toEqual([]);
  });

  test("rows of some columns only are refused by name, other reads work (LOG-17)", async () => {
    const name = `${version}_${PARTIAL}`;
    await using table = await openFixture(name, paths.get(name) as string);
    await expect(table.read().toArray()).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringMatching(/rows that hold some columns only/),
    });
  });
});

test("a rollback of version 6 leaves the logs of its target and adds a command (FSV-7)", async () => {
  const entries = await readdir(paths.get(HIDDEN) as string, { recursive: true });
  const versions = entries.flatMap((entry) => /\.log\.(\d+)_[^.]*$/.exec(entry)?.[1] ?? []);
  expect(versions.sort()).toEqual(["1", "1", "2", "2", "3", "3"]);
});

describe.each(NAMES.filter((name) => !isRefused(name)))("%s", (name) => {
  test("Arrow batches hold as many rows, and the schema has the columns that Spark sees", async () => {
    const expected = await loadExpectation(name);
    await using table = await HudiTable.open(paths.get(name) as string);
    let rowCount = 0;
    for await (const batch of table.read().batches()) rowCount += batch.numRows;
    expect(rowCount).toBe(expected.rows.length);
    const { fields } = await table.schema();
    const names = columnsOf(expected).filter((column) => !META_FIELDS.includes(column));
    // Spark puts the partition column last, wherever it is in the table.
    expect(fields.map((field) => field.name).sort()).toEqual(names.sort());
  });

  test("versions 8 and 9 are not written", async () => {
    await using table = await HudiTable.open(paths.get(name) as string);
    if (table.config.version === 6) return;
    await expect(table.upsert([])).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });
});

/** The values of columns that the table has. */
function withKnown(schema: TableSchema, row: EngineRow): EngineRow {
  const names = new Set(schema.fields.map(({ name }) => name));
  return Object.fromEntries(Object.entries(row).filter(([name]) => names.has(name)));
}

/** Tables of SQL with an ordering field have a payload that writes do not take. */
const UNWRITTEN = /metadatatable|partialupdates/;
const WRITABLE = NAMES.filter((name) => name.startsWith("v6_") && !UNWRITTEN.test(name));

describe.each(WRITABLE)("writing goes on in %s", (name) => {
  test("an update, a delete and an insert land beside the rows of Spark", async () => {
    const path = await copyFixture(name);
    await using table = await openFixture(name, path, IMPATIENT);
    const schema = await table.schema();
    const expected = await expectedData(name, table);
    const [first, second, ...rest] = expected as [EngineRow, EngineRow, ...EngineRow[]];
    const newer = withKnown(schema, { at: 1_000_000n, small: 4711 });
    const updated = { ...first, ...newer };
    const inserted = { ...first, id: "inserted", ...newer };
    await table.upsert([updated, inserted].map((row) => toLakeRow(row, schema)));
    const { recordKeyFields, partitionFields } = table.config;
    const key = [...recordKeyFields, ...partitionFields].map((name) => [
      name,
      second[name] ?? null,
    ]);
    await table.delete([toLakeRow(Object.fromEntries(key), schema)]);
    const rows = await readData(table);
    expect(canonicalRows(rows)).toEqual(canonicalRows([updated, inserted, ...rest]));
  });

  test("an older version of a row does not replace the one of Spark", async () => {
    const path = await copyFixture(name);
    await using table = await openFixture(name, path, IMPATIENT);
    const schema = await table.schema();
    const expected = await expectedData(name, table);
    const stale = expected.map((row) => ({
      ...row,
      ...withKnown(schema, { at: 0n, small: 4711 }),
    }));
    await table.upsert(stale.map((row) => toLakeRow(row, schema)));
    expect(canonicalRows(await readData(table))).toEqual(canonicalRows(expected));
  });
});

describe.each(NAMES.filter((name) => name.includes("killed")))("%s", (name) => {
  const pendingOf = async (table: HudiTable): Promise<string[]> =>
    (await table.timeline()).filter(({ state }) => state !== "completed").map(({ time }) => time);
  const filesOf = async (path: string, instant: string): Promise<string[]> => {
    const entries = await readdir(path, { recursive: true });
    return entries.filter((entry) => entry.includes(instant) && !entry.endsWith(".crc"));
  };

  test("a living writer is left alone: the pending write stays while it may be alive", async () => {
    const path = await copyFixture(name);
    await using table = await HudiTable.open(path);
    const [pending] = await pendingOf(table);
    await table.delete([{ id: "no such key", region: "north" }]);
    expect(await pendingOf(table)).toEqual([pending]);
    expect((await filesOf(path, pending as string)).length).toBeGreaterThan(2);
  });

  test("the next write rolls the dead one back, data files, markers and all (LOG-15)", async () => {
    const path = await copyFixture(name);
    const expected = dataRows((await loadExpectation(name)).rows);
    await using table = await HudiTable.open(path, IMPATIENT);
    const schema = await table.schema();
    const [pending] = await pendingOf(table);
    expect(pending).toBeDefined();
    const row = { ...(expected[0] as EngineRow), id: "after the crash", region: "west" };
    const { instant } = await table.upsert([toLakeRow(row, schema)]);
    expect(await pendingOf(table)).toEqual([]);
    expect(await filesOf(path, pending as string)).toEqual([]);
    const rollbacks = (await table.timeline()).filter(({ action }) => action === "rollback");
    expect(rollbacks.map(({ state }) => state)).toEqual(["completed"]);
    expect((rollbacks[0]?.time ?? "") < instant).toBe(true);
    expect(canonicalRows(await readData(table))).toEqual(canonicalRows([...expected, row]));
  });
});

describe.each(NAMES.filter((name) => name.startsWith("v6_") && name.includes("metadatatable")))(
  "%s",
  (name) => {
    test("is not written while its metadata table stands", async () => {
      const path = await copyFixture(name);
      await using table = await HudiTable.open(path);
      const failed = table.delete([{ id: "k1", region: "north" }]);
      await expect(failed).rejects.toMatchObject({ code: "UNSUPPORTED" });
      await expect(failed).rejects.toThrow(/metadataTable: "drop"/);
    });

    test("is written once the metadata table is dropped", async () => {
      const path = await copyFixture(name);
      const expected = dataRows((await loadExpectation(name)).rows);
      await using table = await HudiTable.open(path, { metadataTable: "drop" });
      const schema = await table.schema();
      const row = { ...(expected[0] as EngineRow), id: "without metadata table" };
      await table.upsert([toLakeRow(row, schema)]);
      expect(canonicalRows(await readData(table))).toEqual(canonicalRows([...expected, row]));
      const left = await readdir(join(path, ".hoodie", "metadata"), {
        recursive: true,
        withFileTypes: true,
      }).catch(() => []);
      expect(left.filter((entry) => entry.isFile())).toEqual([]);
    });
  },
);

test("rows whose commit was archived stay visible", async () => {
  const name = "v6_cow_hivestyle_urlencoded_6i1u";
  const path = await copyFixture(name);
  const expected = await loadExpectation(name);
  const [first, second] = expected.instants;
  const timeline = join(path, ".hoodie");
  for (const file of await readdir(timeline)) {
    if (file.startsWith(first?.requested ?? "-")) await rm(join(timeline, file));
  }
  await mkdir(join(timeline, "archived"), { recursive: true });
  await writeFile(join(timeline, "archived", ".commits_.archive.1_1-0-1"), "");
  await using table = await HudiTable.open(path);
  expect((await table.timeline()).map(({ time }) => time)).toEqual([second?.requested]);
  expect(canonicalRows(await readData(table))).toEqual(canonicalRows(dataRows(expected.rows)));
});

describe("a timeline in the zone of its writers", () => {
  const name = "v6_cow_hivestyle_losangeles_8i3u1d";
  const zone = process.env.TZ;
  beforeAll(() => {
    process.env.TZ = "America/Los_Angeles";
  });
  afterAll(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

  /** The moment that digits mean in Los Angeles, found without the code under test. */
  function momentOf(instant: string): Date {
    const part = (from: number, to: number): number => Number(instant.slice(from, to));
    return new Date(
      ...([part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12)] as const),
      ...([part(12, 14), part(14, 17)] as const),
    );
  }

  test("a Date as of which is read means the wall clock of the zone", async () => {
    const expected = await loadExpectation(name, "as-of");
    await using table = await HudiTable.open(paths.get(name) as string);
    expect(table.config.timelineZone).toBe("LOCAL");
    const asOf = momentOf(expected.asOf as string);
    const rows = await collectEngineRows(table.read({ columns: columnsOf(expected), asOf }));
    expect(canonicalRows(rows)).toEqual(canonicalRows(expected.rows));
    const before = new Date(asOf.getTime() - 1);
    const none = await collectEngineRows(table.read({ asOf: before }));
    expect(canonicalRows(none)).not.toEqual(canonicalRows(dataRows(expected.rows)));
  });

  test("the instant of the next commit is the wall clock of the zone", async () => {
    await using table = await HudiTable.open(await copyFixture(name));
    const { instant } = await table.delete([{ id: "no such key", region: "north" }]);
    const newest = (await loadExpectation(name)).instants.at(-1)?.requested ?? "";
    expect(instant > newest).toBe(true);
    const aheadMs = Math.abs(momentOf(instant).getTime() - Date.now());
    expect(aheadMs < 60_000 || instant === String(BigInt(newest) + 1n)).toBe(true);
  });
});
