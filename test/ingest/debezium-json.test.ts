import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { DebeziumJsonDecoder } from "../../src/ingest/debezium-json.ts";
import type { ChangeEvent } from "../../src/ingest/index.ts";
import { envelope, loadLines, loadRecords, record, withSchema } from "./support.ts";

const decode = (parts: Parameters<typeof record>[0]): ChangeEvent | undefined =>
  new DebeziumJsonDecoder().decode(record(parts));

const thrownBy = (call: () => unknown): unknown => {
  try {
    call();
  } catch (error) {
    return error;
  }
  return undefined;
};

/** Parses with a reviver throughout: slow, and by another way than the decoder. */
const parseSlowly = (text: string): unknown =>
  JSON.parse(text, ((_: string, value: unknown, context: { source?: string }) =>
    typeof value === "number" &&
    !Number.isSafeInteger(value) &&
    /^-?\d+$/.test(context.source ?? "")
      ? BigInt(context.source as string)
      : value) as (key: string, value: unknown) => unknown);

type Json = Record<string, unknown>;
const unwrap = (value: unknown): Json => {
  const object = value as Json;
  return (object?.schema === undefined ? object : object.payload) as Json;
};
const format = (value: unknown): string =>
  JSON.stringify(value ?? null, (_, v) => (typeof v === "bigint" ? `${v}n` : v));

describe.each(["events.jsonl.gz", "events-with-schema.jsonl.gz"])(
  "the decoder on %s",
  { timeout: 60_000 },
  (name) => {
    it("yields every change with the columns, the key and the position that a slow exact parse finds (ING-4)", async () => {
      const records = await loadRecords(name);
      const lines = loadLines(name).map((line) => parseSlowly(line) as Json);
      expect(records.length).toBe(lines.length);
      const decoder = new DebeziumJsonDecoder();
      const counts: Record<string, number> = {};
      for (const [index, one] of records.entries()) {
        const event = decoder.decode(one);
        const line = lines[index] as Json;
        if (line.value === null) {
          expect(event).toBeUndefined();
          continue;
        }
        const expected = unwrap(line.value);
        const source = expected.source as Json;
        counts[expected.op as string] = (counts[expected.op as string] ?? 0) + 1;
        const found = [event?.key, event?.after, event?.before, event?.position, event?.timestamps];
        const wanted = [
          unwrap(line.key),
          expected.after,
          expected.before,
          { lsn: BigInt(source.lsn as number), transactionId: BigInt(source.txId as number) },
          { sourceMs: source.ts_ms, capturedMs: expected.ts_ms },
        ];
        if (format(found) !== format(wanted)) expect(found).toEqual(wanted);
        if (event?.isSnapshot !== (expected.op === "r") || event?.sourceTable?.table !== "orders") {
          expect.fail(`record ${index}: wrong snapshot mark or table`);
        }
      }
      expect(counts).toEqual(
        name === "events.jsonl.gz"
          ? { r: 1500, c: 3562, u: 5767, d: 1200 }
          : { r: 60, c: 85, u: 191, d: 44 },
      );
    });

    it("decodes bytes as it decodes text (ING-1)", async () => {
      const records = (await loadRecords(name)).slice(0, 100);
      const [texts, bytes] = [new DebeziumJsonDecoder(), new DebeziumJsonDecoder()];
      const toBytes = (content: unknown): Uint8Array | null =>
        content === null ? null : Buffer.from(content as string);
      for (const one of records) {
        const raw = { ...one, key: toBytes(one.key), value: toBytes(one.value) };
        const { origin: _, ...event } = bytes.decode(raw) ?? { origin: undefined };
        const { origin: __, ...expected } = texts.decode(one) ?? { origin: undefined };
        expect(event).toEqual(expected);
      }
    });
  },
);

describe("the decoder", { timeout: 60_000 }, () => {
  it("keeps integers of 64 bits exact in key, row and position, and only there (ING-5)", () => {
    const value = envelope("c", {
      after: '{"id":9007199254740993,"n":-9223372036854775808,"d":1.0E21,"i":5}',
      source: '{"lsn":9223372036854775807,"txId":9007199254740995,"ts_ms":1}',
    });
    const event = decode({ key: '{"id":9007199254740993}', value });
    expect(event?.key).toEqual({ id: 9007199254740993n });
    expect(event?.after).toEqual({ id: 9007199254740993n, n: -(2n ** 63n), d: 1e21, i: 5 });
    expect(event?.position).toEqual({
      lsn: 2n ** 63n - 1n,
      transactionId: 9007199254740995n,
    });
  });

  it("keeps integers exact behind a schema that it has met before (ING-5)", () => {
    const decoder = new DebeziumJsonDecoder();
    const value = withSchema(envelope("c", { after: '{"id":9007199254740993}' }), "");
    const key = '{"schema":{"type":"struct"},"payload":{"id":9007199254740993}}';
    for (const offset of [1n, 2n, 3n]) {
      const event = decoder.decode(record({ offset, key, value }));
      expect([event?.key.id, event?.after?.id]).toEqual([9007199254740993n, 9007199254740993n]);
    }
  });

  it("reads the types that a schema declares once, and again when the schema changes (ING-4)", () => {
    const decoder = new DebeziumJsonDecoder();
    const payload = envelope("c", { after: '{"id":1}' });
    const one = withSchema(payload, '{"type":"int64","field":"id"}');
    const two = withSchema(payload, '{"type":"int64","name":"n","field":"id"}');
    const types = [one, one, two, one, payload].map(
      (value) => decoder.decode(record({ value }))?.declaredTypes,
    );
    expect(types[0]).toBe(types[1]);
    expect([...(types[0] ?? [])]).toEqual([["id", { type: "int64", name: undefined }]]);
    expect([...(types[2] ?? [])]).toEqual([["id", { type: "int64", name: "n" }]]);
    expect([...(types[3] ?? [])]).toEqual([...(types[0] ?? [])]);
    expect(types[4]).toBeUndefined();
    const three = withSchema(payload, '{"type":"int64","name":"m","field":"id"}');
    const next = [two, three].map((value) => decoder.decode(record({ value }))?.declaredTypes);
    expect(next.map((declared) => declared?.get("id")?.name)).toEqual(["n", "m"]);
  });

  it("is not misled by a payload that is named in the schema, or by what stands behind it (ING-4)", () => {
    const decoder = new DebeziumJsonDecoder();
    const payload = (id: number): string => envelope("c", { after: `{"id":${id}}` });
    const schema = '{"parameters":{"payload":"x"},"fields":[]}';
    const values = [1, 2, 3].map((id) => `{"schema":${schema},"payload":${payload(id)}}`);
    const events = values.map((value) => decoder.decode(record({ value })));
    expect(events.map((event) => event?.after?.id)).toEqual([1, 2, 3]);
    expect(events[2]?.declaredTypes).toBe(events[0]?.declaredTypes);
    const behind = `{"schema":${schema},"payload":1,"payload":${payload(4)}}`;
    expect(decoder.decode(record({ value: behind }))?.after?.id).toBe(4);
    const torn = `{"schema":${schema},"payload":${payload(5)}} }`;
    expect(thrownBy(() => decoder.decode(record({ value: torn })))).toMatchObject({
      code: "INVALID",
    });
  });

  it("takes a key of columns named schema and payload as it is (ING-4)", () => {
    const value = envelope("c", { after: '{"schema":"s","payload":1}' });
    expect(decode({ key: '{"schema":"s","payload":1}', value })?.key).toEqual({
      schema: "s",
      payload: 1,
    });
  });

  it("leaves out the tombstone right behind its delete, and takes any other for a delete (ING-6)", () => {
    const decoder = new DebeziumJsonDecoder();
    const gone = envelope("d", { before: '{"id":1}' });
    expect(decoder.decode(record({ offset: 1n, value: gone }))?.kind).toBe("delete");
    expect(decoder.decode(record({ offset: 2n }))).toBeUndefined();
    expect(decoder.decode(record({ offset: 3n }))).toMatchObject({
      op: "delete",
      kind: "tombstone",
      key: { id: 1 },
      position: undefined,
    });
    expect(decoder.decode(record({ offset: 4n, value: gone }))?.kind).toBe("delete");
    expect(decoder.decode(record({ offset: 5n, partition: 1 }))?.kind).toBe("tombstone");
    expect(decoder.decode(record({ offset: 5n, key: '{"id":2}' }))?.kind).toBe("tombstone");
    const empty = '{"schema":null,"payload":null}';
    expect(decoder.decode(record({ offset: 5n, value: empty }))).toBeUndefined();
  });

  it("leaves out a logical message, which need not have a key (ING-7)", () => {
    expect(decode({ key: null, value: envelope("m") })).toBeUndefined();
  });

  it("refuses a truncate by the name of its table (ING-7)", () => {
    const error = thrownBy(() => decode({ key: null, value: envelope("t"), offset: 99n }));
    expect(isHudiError(error, "UNSUPPORTED")).toBe(true);
    expect(String(error)).toMatch(
      /record 99 of topic t, partition 0.*truncates table d\.public\.x/,
    );
  });

  it("takes a key change apart as the stream has it (ING-8)", async () => {
    const records = (await loadRecords("events.jsonl.gz")).slice(1610, 1613);
    const decoder = new DebeziumJsonDecoder();
    const events = records.map((one) => decoder.decode(one));
    expect(events.map((event) => event && [event.op, event.key.id])).toEqual([
      ["delete", 1155],
      undefined,
      ["insert", 2525],
    ]);
  });

  it.each([
    ["no JSON", { value: '{"before":null,' }, /its value is no JSON/],
    [
      "a key that is no JSON",
      { key: "1}", value: envelope("c", { after: "{}" }) },
      /its key is no JSON/,
    ],
    ["a value that is a list", { value: "[1]" }, /its value is a list/],
    ["a flattened row", { value: '{"id":1}' }, /has no op.*ExtractNewRecordState/],
    ["an op of another kind", { value: '{"op":"x"}' }, /its op is string "x"/],
    ["an op that is no text", { value: '{"op":{"a":1}}' }, /its op is an object/],
    ["no key", { key: null, value: envelope("c", { after: "{}" }) }, /has no key/],
    ["neither key nor value", { key: null, value: null }, /neither key nor value/],
    [
      "a key that is a number",
      { key: "5", value: envelope("c", { after: "{}" }) },
      /its key is number 5/,
    ],
    ["no after", { value: envelope("u") }, /its after is missing/],
    [
      "an after that is a text",
      { value: envelope("u", { after: '"x"' }) },
      /its after is string "x"/,
    ],
    [
      "no source",
      { value: envelope("c", { after: "{}", source: "null" }) },
      /its source is missing/,
    ],
    [
      "a position that is no integer",
      { value: envelope("c", { after: "{}", source: '{"lsn":1.5}' }) },
      /its source\.lsn is number 1\.5/,
    ],
    [
      "a position of more than 64 bits",
      { value: envelope("c", { after: "{}", source: '{"lsn":9223372036854775808}' }) },
      /its source\.lsn is bigint 9223372036854775808/,
    ],
    [
      "bytes that are no UTF-8",
      { value: Uint8Array.of(0x22, 0xff, 0x22) },
      /its value is no UTF-8/,
    ],
    [
      "a hundred thousand levels",
      { value: envelope("c", { after: `{"a":${"[".repeat(1e5)}${"]".repeat(1e5)}}` }) },
      /nests too deep/,
    ],
  ])("refuses %s and says where (ING-14)", (_, parts, message) => {
    const error = thrownBy(() => decode(parts));
    expect(isHudiError(error, "INVALID")).toBe(true);
    expect(String(error)).toMatch(message);
    expect(String(error)).toMatch(/record 7 of topic t, partition 0/);
    expect(String(error)).not.toMatch(/[\n\r]/);
  });

  it("takes hostile names for data and changes no prototype (ING-14)", () => {
    const row = '{"__proto__":{"polluted":1},"constructor":2,"hasOwnProperty":3,"toString":null}';
    const value = `{"__proto__":{"op":"c"},"before":null,"after":${row},"source":{"__proto__":1},"op":"u"}`;
    const event = decode({ key: '{"__proto__":1}', value });
    expect(Object.keys(event?.after ?? {})).toEqual([
      "__proto__",
      "constructor",
      "hasOwnProperty",
      "toString",
    ]);
    expect(Object.keys(event?.key ?? {})).toEqual(["__proto__"]);
    expect(({} as Json).polluted).toBeUndefined();
    expect(thrownBy(() => decode({ value: '{"__proto__":{"op":"c"}}' }))).toMatchObject({
      code: "INVALID",
    });
  });

  it("gives a typed error or an event for any JSON and any damage to a record (ING-14)", async () => {
    const captured = (await loadRecords("events.jsonl.gz")).filter((one) => one.value !== null);
    const damaged = fc
      .tuple(fc.nat(captured.length - 1), fc.nat(900), fc.nat(900), fc.string({ maxLength: 5 }))
      .map(([index, from, length, text]) => {
        const value = captured[index]?.value as string;
        return value.slice(0, from) + text + value.slice(from + length);
      });
    const made = fc.json().map((row) => envelope("c", { after: row, before: row, source: row }));
    const key = fc.oneof(fc.constant('{"id":1}'), fc.json(), fc.string());
    fc.assert(
      fc.property(fc.oneof(damaged, made, fc.json(), fc.string()), key, (value, keyText) => {
        try {
          const event = decode({ value, key: keyText });
          if (event) expect(["insert", "update", "delete"]).toContain(event.op);
        } catch (error) {
          expect(isHudiError(error)).toBe(true);
          expect((error as Error).message).not.toMatch(/[\n\r]/);
        }
      }),
      { numRuns: 1000 },
    );
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  it("parses a value of 1 MiB and one of a million digits in a moment (ING-14)", () => {
    const text = "x".repeat(1024 * 1024);
    expect(decode({ value: envelope("c", { after: `{"a":"${text}"}` }) })?.after?.a).toBe(text);
    const digits = "9".repeat(1_000_000);
    const startMs = performance.now();
    const after = `{"a":${digits},"b":9007199254740993}`;
    const event = decode({ value: envelope("c", { after }) });
    expect(performance.now() - startMs).toBeLessThan(2000);
    expect(event?.after).toEqual({ a: Number.POSITIVE_INFINITY, b: 9007199254740993n });
  });
});
