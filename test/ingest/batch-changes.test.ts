import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  advanceCheckpoint,
  batchChanges,
  type Checkpoint,
  formatCheckpoint,
  type IngestBatch,
  parseCheckpoint,
  resumeFrom,
  type SourceRecord,
} from "../../src/ingest/index.ts";
import type { Change } from "../../src/layout/change.ts";
import { collect as collectAll, record } from "./support.ts";

type Row = Record<string, unknown>;
const decode = (one: SourceRecord): Change<Row> | undefined =>
  one.value === null ? undefined : { op: "insert", key: {}, after: { offset: one.offset } };
const collect = (
  records: readonly SourceRecord[],
  options: { maxRecords?: number; maxBytes?: number; start?: Checkpoint } = {},
): Promise<IngestBatch<Row>[]> => collectAll(batchChanges(records, { decode, ...options }));
const offsets = (...list: number[]): SourceRecord[] =>
  list.map((offset) => record({ offset: BigInt(offset), value: "12345678" }));

describe("batches", () => {
  it("end with the record that reaches the bound of records (ING-3)", async () => {
    const batches = await collect(offsets(0, 1, 2, 3, 4), { maxRecords: 2 });
    expect(batches.map((batch) => batch.changes.map((change) => change.after?.offset))).toEqual([
      [0n, 1n],
      [2n, 3n],
      [4n],
    ]);
  });

  it("end with the record that reaches the bound of bytes (ING-3)", async () => {
    const batches = await collect(offsets(0, 1, 2), { maxBytes: 20 });
    expect(batches.map((batch) => [batch.recordCount, batch.sizeBytes])).toEqual([
      [2, 32],
      [1, 16],
    ]);
  });

  it("carry the range of each partition and the checkpoint behind it (ING-3, ING-15)", async () => {
    const records = [
      record({ offset: 5n, value: "x" }),
      record({ offset: 0n, partition: 2 }),
      record({ offset: 9n, value: "x" }),
      record({ offset: 3n, topic: "u" }),
    ];
    const start = new Map([
      [
        "t",
        new Map([
          [0, 4n],
          [1, 77n],
        ]),
      ],
    ]);
    const [first, second] = await collect(records, { maxRecords: 3, start });
    expect(first?.ranges).toEqual([
      { topic: "t", partition: 0, firstOffset: 5n, nextOffset: 10n },
      { topic: "t", partition: 2, firstOffset: 0n, nextOffset: 1n },
    ]);
    expect(formatCheckpoint(first?.checkpoint ?? new Map())).toBe('{"t":{"0":10,"1":77,"2":1}}');
    expect(second?.changes).toEqual([]);
    expect(formatCheckpoint(second?.checkpoint ?? new Map())).toBe(
      '{"t":{"0":10,"1":77,"2":1},"u":{"0":4}}',
    );
  });

  it("take no offset that is not greater than the one before (ING-3)", async () => {
    await expect(collect(offsets(0, 1, 1))).rejects.toThrow(
      /record 1 of topic t, partition 0: it comes behind offset 1/,
    );
    await expect(collect(offsets(0, 1, 1), { maxRecords: 1 })).rejects.toThrow(/behind offset 1/);
    const start = new Map([["t", new Map([[0, 4n]])]]);
    await expect(collect(offsets(3), { start })).rejects.toMatchObject({ code: "INVALID" });
  });

  it("of which a record cannot be decoded are not yielded (ING-3)", async () => {
    const seen: number[] = [];
    const failing = async (): Promise<void> => {
      const options = {
        maxRecords: 2,
        decode: (one: SourceRecord) => {
          if (one.offset === 3n) throw new Error("poison");
          return decode(one);
        },
      };
      for await (const batch of batchChanges(offsets(0, 1, 2, 3), options))
        seen.push(batch.recordCount);
    };
    await expect(failing()).rejects.toThrow("poison");
    expect(seen).toEqual([2]);
  });

  it("have bounds of at least one, and stop on abort", async () => {
    await expect(collect(offsets(0), { maxRecords: 0 })).rejects.toMatchObject({ code: "INVALID" });
    await expect(collect(offsets(0), { maxBytes: Number.NaN })).rejects.toMatchObject({
      code: "INVALID",
    });
    const stop = new AbortController();
    stop.abort(new Error("enough"));
    const batches = batchChanges(offsets(0), { decode, signal: stop.signal });
    await expect(batches.next()).rejects.toThrow("enough");
  });
});

describe("a checkpoint", { timeout: 60_000 }, () => {
  it("comes back from its text, whatever the names and offsets (ING-15)", () => {
    const partitions = fc.uniqueArray(
      fc.tuple(fc.nat(), fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })),
      { selector: ([partition]) => partition, minLength: 1 },
    );
    const topics = fc.uniqueArray(fc.tuple(fc.string({ unit: "binary" }), partitions), {
      selector: ([topic]) => topic,
    });
    fc.assert(
      fc.property(topics, (list) => {
        const checkpoint = new Map(list.map(([topic, offsets]) => [topic, new Map(offsets)]));
        const text = formatCheckpoint(checkpoint);
        expect(parseCheckpoint(text, "test")).toEqual(checkpoint);
        expect(Object.keys(JSON.parse(text)).length).toBe(list.length);
      }),
    );
  });

  it.each([
    "",
    "[]",
    "null",
    '{"t":5}',
    '{"t":{"0":-1}}',
    '{"t":{"0":1.5}}',
    '{"t":{"0":"1"}}',
    '{"t":{"x":1}}',
    '{"t":{"0":9223372036854775808}}',
    '{"t":{"0":1}',
    '{"__proto__":{"0":{}}}',
  ])("of the text %s is CORRUPT and names its place (ING-15)", (text) => {
    let thrown: unknown;
    try {
      parseCheckpoint(text, "entry k of commit 1");
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toMatchObject({ code: "CORRUPT" });
    expect(String(thrown)).toContain("entry k of commit 1");
  });

  it("is not changed when it is advanced (ING-15)", () => {
    const before = new Map([["t", new Map([[0, 4n]])]]);
    const range = { topic: "t", partition: 0, firstOffset: 4n, nextOffset: 9n };
    expect(formatCheckpoint(advanceCheckpoint(before, [range]))).toBe('{"t":{"0":9}}');
    expect(formatCheckpoint(before)).toBe('{"t":{"0":4}}');
  });

  it("that no commit carries is empty, and one that is damaged is refused (ING-16)", async () => {
    expect(await resumeFrom({ checkpoint: async () => undefined })).toEqual({
      checkpoint: new Map(),
      instant: undefined,
    });
    const damaged = { checkpoint: async () => ({ instant: "20260101", value: "5" }) };
    await expect(resumeFrom(damaged, { key: "k" })).rejects.toThrow(/entry k of commit 20260101/);
  });
});
