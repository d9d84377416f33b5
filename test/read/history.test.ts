// Reads of the past: as of an instant, a time or a Date; and what they say when that past is gone.
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { extractTableFixture } from "../../fixtures/tables/table-fixtures.ts";
import { HudiTable } from "../../src/index.ts";
import type { SimulatedClock } from "../../src/runtime/clock.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import { createMemoryTable } from "../support/memory-table.ts";
import { dataFilesOf } from "./counted-table.ts";

interface Row {
  id: string;
  n: number;
}

let clock: SimulatedClock;
let store: MemoryStore;
let table: HudiTable<Row>;
const instants: string[] = [];
const timesMs: number[] = [];

beforeEach(async () => {
  ({ clock, store, table } = await createMemoryTable({
    fields: { id: "string", n: "int" },
    recordKey: "id",
  }));
  instants.length = 0;
  timesMs.length = 0;
  for (const n of [1, 2, 3]) {
    clock.advance(60_000);
    timesMs.push(clock.now());
    const { instant } = await table.upsert([
      { id: "a", n },
      { id: `k${n}`, n },
    ]);
    instants.push(instant);
  }
});

const STATES = [
  ["a:1", "k1:1"],
  ["a:2", "k1:1", "k2:2"],
  ["a:3", "k1:1", "k2:2", "k3:3"],
];
const at = (index: number): string => instants[index] as string;
const timeAt = (index: number): Date => new Date(timesMs[index] as number);

async function rowsAsOf(asOf: string | Date): Promise<string[]> {
  return (await table.read({ asOf }).toArray()).map(({ id, n }) => `${id}:${n}`).sort();
}

describe("as of (FSV-3, TL-4)", () => {
  test("an instant: the state that its commit left", async () => {
    for (const [index, state] of STATES.entries()) {
      expect(await rowsAsOf(at(index))).toEqual(state);
      expect(await table.read({ asOf: at(index) }).upTo).toBe(instants[index]);
    }
  });

  test("a Date or an ISO time: the state of that moment", async () => {
    for (const [index, state] of STATES.entries()) {
      const moment = timeAt(index);
      expect(await rowsAsOf(moment)).toEqual(state);
      expect(await rowsAsOf(moment.toISOString())).toEqual(state);
      expect(await rowsAsOf(new Date(moment.getTime() + 59_999))).toEqual(state);
      expect(await rowsAsOf(moment.toISOString().replace("Z", "+00:00"))).toEqual(state);
    }
  });

  test("a moment before the first commit: nothing", async () => {
    expect(await rowsAsOf(new Date(0))).toEqual([]);
    expect(await rowsAsOf("20000101")).toEqual([]);
    expect(await table.read({ asOf: "20000101" }).upTo).toBe("");
  });

  test("a later moment than all: the newest state", async () => {
    expect(await rowsAsOf("2999-01-01")).toEqual(STATES[2]);
  });

  test("what is no time is refused when the read begins", async () => {
    const scan = table.read({ asOf: "yesterday" });
    await expect(scan.toArray()).rejects.toMatchObject({
      code: "INVALID",
      message: expect.stringMatching(/yesterday.*expected an instant/),
    });
  });

  test("the schema is that of the time (SC-4)", async () => {
    const path = `.hoodie/${at(2)}.commit`;
    const text = Buffer.from(store.find(path)?.bytes ?? []).toString();
    const wider = text.replaceAll('\\"name\\":\\"n\\"', '\\"name\\":\\"renamed\\"');
    expect(wider).not.toBe(text);
    store.put(path, Buffer.from(wider), undefined);
    expect(Object.keys((await table.read({ asOf: at(1) }).toArray())[0] ?? {})).toEqual([
      "id",
      "n",
    ]);
    await expect(table.read({ asOf: at(2) }).toArray()).rejects.toThrow(/renamed/);
  });

  test("a pending write does not count, whenever it began", async () => {
    store.put(".hoodie/20260115120130000.commit.requested", new Uint8Array(0), undefined);
    expect(await rowsAsOf("20260115120130000")).toEqual(STATES[0]);
    expect(await rowsAsOf(at(2))).toEqual(STATES[2]);
  });
});

describe("a past that is gone (IN-6)", () => {
  /** Takes the first commit off the timeline, as archival does. */
  const archive = (): void => {
    for (const path of [...store.paths()].filter((p) => p.startsWith(`.hoodie/${at(0)}`))) {
      store.delete([path]);
    }
    store.put(".hoodie/archived/.commits_.archive.1_1-0-1", Buffer.from("x"), undefined);
  };
  const expired = (message: RegExp): object =>
    expect.objectContaining({ code: "EXPIRED", message: expect.stringMatching(message) });

  test("before the active timeline is EXPIRED, and the earliest instant is named", async () => {
    archive();
    await expect(table.read({ asOf: at(0) }).toArray()).rejects.toThrow(
      expired(new RegExp(`as of ${at(0)}.*earliest instant.*${at(1)}`)),
    );
    await expect(table.incremental({ after: at(0) }).toArray()).rejects.toThrow(
      expired(new RegExp(`after ${at(0)}.*earliest instant.*${at(1)}`)),
    );
    await expect(table.incremental({ after: "" }).toArray()).rejects.toThrow(expired(/./));
    expect(await rowsAsOf(at(1))).toEqual(STATES[1]);
    expect(await table.incremental({ after: at(1) }).toArray()).toHaveLength(2);
  });

  test("archived rows are in the newest state all the same (FSV-2)", async () => {
    archive();
    expect(await rowsAsOf(at(2))).toEqual(STATES[2]);
    expect((await table.read().toArray()).length).toBe(4);
  });

  test("checksums of Hadoop beside an empty archive are no archive", async () => {
    store.put(".hoodie/archived/.x.crc", Buffer.from("x"), undefined);
    expect(await rowsAsOf(new Date(0))).toEqual([]);
  });

  test("an incremental read whose files were cleaned is EXPIRED, not short", async () => {
    const files = dataFilesOf(store);
    expect(files).toHaveLength(3);
    // What a cleaner leaves: the newest version.
    store.delete(files.filter((path) => !path.includes(at(2))));
    await expect(table.incremental({ after: "", upTo: at(1) }).toArray()).rejects.toThrow(
      expired(new RegExp(`commit ${at(1)}.*was cleaned`)),
    );
    expect(await table.incremental({ after: at(1) }).toArray()).toHaveLength(2);
    expect(await table.incremental({ after: at(0), upTo: at(2) }).toArray()).toHaveLength(3);
  });
});

describe("a table that Spark cleaned and archived (IN-6, FSV-3)", () => {
  const name = "v6_cow_nonpartitioned_archived_8i7u";
  let directory: string;
  let path: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "hudi-lake-history-"));
    path = await extractTableFixture(name, directory);
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  test("is whole as of both instants that it kept, and EXPIRED before", async () => {
    await using spark = await HudiTable.open(path);
    const [first, second] = (await spark.timeline()).filter((i) => i.action === "commit");
    expect(await spark.read({ asOf: first?.time }).toArray()).toHaveLength(8);
    expect(await spark.read({ asOf: second?.time }).toArray()).toHaveLength(8);
    const before = String(BigInt(first?.time ?? 0) - 1n);
    await expect(spark.read({ asOf: before }).toArray()).rejects.toMatchObject({ code: "EXPIRED" });
    const since = spark.incremental({ after: before });
    await expect(since.toArray()).rejects.toMatchObject({ code: "EXPIRED" });
  });

  test.each(["completed", "begun"])(
    "is EXPIRED where a clean that has %s took files of an instant that the timeline still shows",
    async (state) => {
      const copy = await mkdtemp(join(directory, "copy-"));
      await cp(path, copy, { recursive: true });
      const [older, first, clean] = ["20261120092117193", "20261120092118354", "20261120092119834"];
      // Archival lags behind cleaning where it keeps more commits.
      const timeline = join(copy, ".hoodie");
      await cp(join(timeline, `${first}.commit`), join(timeline, `${older}.commit`));
      if (state === "begun") await rm(join(timeline, `${clean}.clean`));
      await using spark = await HudiTable.open(copy);
      await expect(spark.read({ asOf: older }).toArray()).rejects.toMatchObject({
        code: "EXPIRED",
        message: expect.stringMatching(
          new RegExp(`as of ${older}: base file .*parquet was cleaned since`),
        ),
      });
      expect(await spark.read({ asOf: first }).toArray()).toHaveLength(8);
      expect(await spark.read().toArray()).toHaveLength(8);
    },
  );
});
