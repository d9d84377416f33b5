import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { createColumnBuilder } from "../../src/format/column-builder.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { DebeziumJsonDecoder } from "../../src/ingest/debezium-json.ts";
import { DebeziumRowMapper, type DebeziumRowOptions } from "../../src/ingest/debezium-rows.ts";
import { createValueDecoder, parseIsoMicros } from "../../src/ingest/debezium-values.ts";
import type { JsonValue, SourceRecord } from "../../src/ingest/index.ts";
import type { Change } from "../../src/layout/change.ts";
import { envelope, record, withSchema } from "./support.ts";

type Row = Record<string, unknown>;

const mapperOf = (
  fields: Record<string, string>,
  options: DebeziumRowOptions & { partition?: string; ordering?: string } = {},
): DebeziumRowMapper =>
  new DebeziumRowMapper(
    createTableSchema("t", fields),
    {
      recordKeyFields: ["id"],
      partitionFields: options.partition === undefined ? [] : [options.partition],
      orderingField: options.ordering ?? (fields._event_lsn ? "_event_lsn" : undefined),
    },
    options,
  );

const mapAll = (mapper: DebeziumRowMapper, records: readonly SourceRecord[]): Change<Row>[] => {
  const decoder = new DebeziumJsonDecoder();
  return records.flatMap((one) => {
    const event = decoder.decode(one);
    return event ? [mapper.map(event)] : [];
  });
};

const mapOne = (mapper: DebeziumRowMapper, parts: Partial<SourceRecord>): Change<Row> =>
  mapAll(mapper, [record(parts)])[0] as Change<Row>;

const thrownBy = (call: () => unknown): Error => {
  try {
    call();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
};

/** Maps `{"id":1,"v":<json>}` to a table whose column `v` has the type. */
const mapValue = (type: string, json: string, options?: DebeziumRowOptions): unknown =>
  mapOne(mapperOf({ id: "long", v: type }, options), {
    value: envelope("c", { after: `{"id":1,"v":${json}}` }),
  }).after?.v;

describe("values by the type of the column (ING-10)", { timeout: 60_000 }, () => {
  it.each<[string, string, unknown]>([
    ["string", '""', ""],
    ["string", '"Київ \\uD83C\\uDF81"', "Київ 🎁"],
    ["string?", "null", null],
    ["boolean", "true", true],
    ["int", "-2147483648", -2147483648],
    ["long", "9007199254740993", 9007199254740993n],
    ["long", "-9223372036854775808", -(2n ** 63n)],
    ["long", "12", 12n],
    ["double", "1.0E-7", 1e-7],
    ["double", "4.9E-324", 5e-324],
    ["double", "1.7976931348623157E308", Number.MAX_VALUE],
    ["double", "38.0", 38],
    ["double", "-0.0", -0],
    ["double", "9007199254740993", 9007199254740992],
    ["double", '"NaN"', Number.NaN],
    ["double", '"-Infinity"', Number.NEGATIVE_INFINITY],
    ["date", "-16171", new Date("1925-09-23T00:00:00Z")],
    ["date", '"1925-09-23"', new Date("1925-09-23T00:00:00Z")],
    ["date", '"1925-09-23Z"', new Date("1925-09-23T00:00:00Z")],
    ["timestamp-micros", "-1397121806172447", -1397121806172447n],
    ["timestamp-micros", '"1970-01-01T00:00:00Z"', 0n],
    ["timestamp-millis", "-5000", -5n],
    ["timestamp-millis", '"1970-01-01T00:00:00.005Z"', 5n],
    ["time-millis", "86399999", 86_399_999],
    ["time-millis", '"12:00:00"', 43_200_000],
    ["time-micros", "86399999999", 86_399_999_999n],
    ["time-micros", '"23:59:59.999999"', 86_399_999_999n],
    ["fixed(3)", '"AQL/"', Uint8Array.of(1, 2, 255)],
    ["enum(SMALL,LARGE)", '"LARGE"', "LARGE"],
    ["timestamp-micros", '"1969-12-31T23:59:59.999999Z"', -1n],
    ["timestamp-micros", '"2026-01-05T10:00:00.5+02:00"', 1767600000500000n],
    ["decimal(12,2)", '"-0.01"', "-0.01"],
    ["decimal(12,2)", '"9999999999.99"', "9999999999.99"],
    ["decimal(12,2)", '"5"', "5"],
    ["decimal(3,0)", '"-123"', "-123"],
    ["decimal(2,2)", '"0.25"', "0.25"],
  ])("takes for %s the JSON %s", (type, json, expected) => {
    expect(mapValue(type, json)).toStrictEqual(expected);
  });

  it.each<[string, string]>([
    ["string", "5"],
    ["string", "null"],
    ["string", '"\\uD83C"'],
    ["string", '{"a":1}'],
    ["boolean", "0"],
    ["boolean", '"true"'],
    ["int", "2147483648"],
    ["int", "1.5"],
    ["int", '"1"'],
    ["long", "9223372036854775808"],
    ["long", "1e19"],
    ["long", "0.5"],
    ["long", `"1"`],
    ["long", "9".repeat(400)],
    ["double", "1e999"],
    ["double", '"1.5"'],
    ["double", "true"],
    ["date", "1.5"],
    ["date", "100000001"],
    ["date", '"2025-02-30"'],
    ["timestamp-micros", "0.5"],
    ["timestamp-millis", "1"],
    ["timestamp-millis", '"1970-01-01T00:00:00.0001Z"'],
    ["time-millis", "86400000"],
    ["time-millis", "-1"],
    ["time-millis", '"24:00:00"'],
    ["time-micros", "0.5"],
    ["time-micros", "86400000000"],
    ["fixed(3)", '"AQI="'],
    ["fixed(3)", "5"],
    ["enum(SMALL,LARGE)", '"small"'],
    ["enum(SMALL,LARGE)", "0"],
    ["timestamp-micros", '"2025-02-30T00:00:00Z"'],
    ["timestamp-micros", '"2025-01-01T24:00:00Z"'],
    ["timestamp-micros", '"2025-01-01T00:00:00.0000001Z"'],
    ["timestamp-micros", '"+292278994-08-17T07:12:55.807Z"'],
    ["timestamp-micros", '"2025-01-01"'],
    ["decimal(12,2)", "1.5"],
    ["decimal(12,2)", '"1.555"'],
    ["decimal(12,2)", '"10000000000.00"'],
    ["decimal(12,2)", '"1E+3"'],
    ["decimal(12,2)", '"NaN"'],
    ["decimal(12,2)", '".5"'],
    ["decimal(12,2)", '"AfQ="'],
    ["decimal(12,2)", '""'],
    ["decimal(3,0)", '"1.0"'],
    ["decimal(12,2)", `"${"0".repeat(1000)}"`],
  ])("refuses for %s the JSON %s and names record and column", (type, json) => {
    const error = thrownBy(() => mapValue(type, json));
    expect(isHudiError(error, "INVALID")).toBe(true);
    expect(error.message).toMatch(/cannot map record 7 of topic t, partition 0: column v \(/);
    expect(error.message.length).toBeLessThan(400);
  });

  it("agrees with the platform on every ISO time of a microsecond", () => {
    const micros = fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n });
    fc.assert(
      fc.property(micros, (value) => {
        const fraction = ((value % 1_000_000n) + 1_000_000n) % 1_000_000n;
        const text = new Date(Number((value - fraction) / 1000n)).toISOString().slice(0, 19);
        expect(parseIsoMicros(`${text}.${String(fraction).padStart(6, "0")}Z`)).toBe(value);
      }),
    );
  });

  it("never gives a value that the table refuses", () => {
    const types = [
      "string",
      "boolean",
      "int",
      "long",
      "double",
      "date",
      "timestamp-micros",
      "timestamp-millis",
      "time-millis",
      "time-micros",
      "fixed(3)",
      "enum(A,B)",
      "decimal(12,2)",
      "decimal(38,38)",
      "decimal(5,0)",
    ];
    const value = fc.oneof(
      fc.jsonValue(),
      fc.bigInt(),
      fc.double(),
      fc.integer(),
      fc.string({ unit: "binary" }),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.stringMatching(/^[+-]?\d{0,13}\.?\d{0,40}$/),
    );
    fc.assert(
      fc.property(fc.constantFrom(...types), value, (type, json) => {
        const [, field] = createTableSchema("t", { id: "long", v: type }).fields;
        if (!field) throw new Error("no field");
        const decoder = createValueDecoder(field, undefined, "micros");
        if (json === null) return;
        const decoded = decoder.decode(json as JsonValue);
        if (decoded !== undefined) createColumnBuilder(field).append(decoded);
      }),
      { numRuns: 2000 },
    );
  });

  it("counts timestamps in the unit that the schema declares, else in that of the option", () => {
    const mapper = mapperOf({ id: "long", v: "timestamp-micros" });
    const after = '{"id":1,"v":1500}';
    const declare = (name: string): string =>
      withSchema(envelope("c", { after }), `{"type":"int64","name":"${name}","field":"v"}`);
    const value = (text: string): unknown => mapOne(mapper, { value: text }).after?.v;
    expect(value(declare("io.debezium.time.Timestamp"))).toBe(1_500_000n);
    expect(value(declare("io.debezium.time.MicroTimestamp"))).toBe(1500n);
    expect(value(declare("org.apache.kafka.connect.data.Timestamp"))).toBe(1_500_000n);
    expect(() => value(declare("io.debezium.time.NanoTimestamp"))).toThrow(/microseconds/);
    expect(mapValue("timestamp-micros", "1500", { epochUnits: { v: "millis" } })).toBe(1_500_000n);
    expect(() => mapValue("long", "1", { epochUnits: { x: "millis" } })).toThrow(/find column x/);
  });

  it("counts the key of a tombstone in the unit that its own schema declares", () => {
    const mapper = mapperOf({ id: "timestamp-micros" });
    const field = '{"type":"int64","name":"io.debezium.time.Timestamp","field":"id"}';
    const key = `{"schema":{"type":"struct","fields":[${field}]},"payload":{"id":1500}}`;
    expect(mapOne(mapper, { key })).toEqual({ op: "delete", key: { id: 1_500_000n } });
  });

  it("refuses a decimal that the schema declares as bytes, though its base64 may look like digits", () => {
    const declared = '{"type":"bytes","name":"org.apache.kafka.connect.data.Decimal","field":"v"}';
    const value = withSchema(envelope("c", { after: '{"id":1,"v":"1234"}' }), declared);
    const mapper = mapperOf({ id: "long", v: "decimal(12,2)" });
    expect(() => mapOne(mapper, { value })).toThrow(/decimal\.handling\.mode=string/);
  });
});

describe("rows", () => {
  it("of one schema after the other are decoded each by its own", () => {
    const mapper = mapperOf({ id: "long", v: "timestamp-micros" });
    const after = '{"id":1,"v":1500}';
    const millis = '{"type":"int64","name":"io.debezium.time.Timestamp","field":"v"}';
    const records = [
      envelope("c", { after }),
      withSchema(envelope("c", { after }), millis),
    ].flatMap((value) => [record({ value }), record({ value })]);
    const values = mapAll(mapper, [...records, ...records]).map((change) => change.after?.v);
    expect(values).toEqual([
      1500n,
      1500n,
      1_500_000n,
      1_500_000n,
      1500n,
      1500n,
      1_500_000n,
      1_500_000n,
    ]);
  });

  it("with a value that the source left out are refused by the name of the column (ING-11)", () => {
    const placeholder = '"__debezium_unavailable_value"';
    for (const type of ["string?", "decimal(12,2)?"]) {
      const error = thrownBy(() => mapValue(type, placeholder));
      expect(isHudiError(error, "UNSUPPORTED")).toBe(true);
      expect(error.message).toMatch(
        /record 7 of topic t.*column v .*partial updates.*REPLICA IDENTITY FULL/,
      );
    }
    expect(mapValue("string", placeholder, { unavailableValue: "gone" })).toBe(
      "__debezium_unavailable_value",
    );
    expect(() => mapValue("string", '"gone"', { unavailableValue: "gone" })).toThrow(/left out/);
  });

  it("with an unknown or a missing column are refused by its name (ING-12)", () => {
    const mapper = mapperOf({ id: "long", v: "string?" });
    const map = (after: string): unknown => mapOne(mapper, { value: envelope("c", { after }) });
    expect(() => map('{"id":1,"v":null,"w":1}')).toThrow(
      /record 7 of topic t.*its after has the unknown column string "w"/,
    );
    expect(() => map('{"id":1}')).toThrow(/record 7 of topic t.*its after lacks column v/);
    expect(() => map('{"id":1,"v":null,"__proto__":1}')).toThrow(
      /unknown column string "__proto__"/,
    );
  });

  it("find no column in the prototype of objects (ING-14)", () => {
    const fields = { id: "long", constructor: "string?", toString: "long?", __proto__x: "string?" };
    const map = (after: string): Change<Row> =>
      mapOne(mapperOf(fields), { value: envelope("c", { after }) });
    expect(() => map('{"id":1,"toString":1,"__proto__x":null}')).toThrow(
      /lacks column constructor/,
    );
    const row = map('{"id":1,"toString":5,"constructor":"c","__proto__x":null}').after;
    expect(row).toEqual({ id: 1n, constructor: "c", toString: 5n, __proto__x: null });
  });

  it("keep a column named __proto__ as data (ING-14)", () => {
    const fields = Object.fromEntries([
      ["id", "long"],
      ["__proto__", "string?"],
    ]);
    const after = '{"id":1,"__proto__":"text"}';
    const row = mapOne(mapperOf(fields), { value: envelope("c", { after }) }).after;
    expect(Object.entries(row ?? {})).toEqual([
      ["id", 1n],
      ["__proto__", "text"],
    ]);
    expect(() => mapOne(mapperOf(fields), { value: envelope("c", { after: '{"id":1}' }) })).toThrow(
      /lacks column __proto__/,
    );
  });

  it("whose key differs from the key of the record are refused (ING-8)", () => {
    const mapper = mapperOf({ id: "long" });
    const value = envelope("u", { after: '{"id":2}' });
    expect(() => mapOne(mapper, { value })).toThrow(/its key and its after differ in id/);
    const day = mapperOf({ id: "date" });
    expect(mapOne(day, { value: envelope("u", { after: '{"id":1}' }) }).op).toBe("update");
    expect(() => mapOne(day, { value })).toThrow(/differ in id/);
  });

  it("of a source table with a wider or another key are refused (ING-12)", () => {
    const mapper = mapperOf({ id: "long", b: "long" });
    const value = envelope("c", { after: '{"id":1,"b":2}' });
    expect(() => mapOne(mapper, { value, key: '{"id":1,"b":2}' })).toThrow(
      /its key has column string "b"/,
    );
    expect(() => mapOne(mapper, { value, key: "{}" })).toThrow(/its key lacks column id/);
    expect(() => mapOne(mapper, { value, key: '{"id":null}' })).toThrow(
      /column id \(long\) is null/,
    );
  });
});

describe("columns of the event (ING-13)", () => {
  const all = {
    id: "long",
    _event_lsn: "long",
    _event_tx_id: "long?",
    _change_operation_type: "string",
    _event_origin_ts_ms: "long",
    _upstream_event_processed_ts_ms: "long?",
  };

  it("are filled where they have the names of Hudi's own source", () => {
    const value = envelope("r", { after: '{"id":1}' });
    expect(mapOne(mapperOf(all), { value })).toEqual({
      op: "insert",
      key: { id: 1n },
      before: undefined,
      after: {
        id: 1n,
        _event_lsn: 100n,
        _event_tx_id: 5n,
        _change_operation_type: "r",
        _event_origin_ts_ms: 1000n,
        _upstream_event_processed_ts_ms: 2000n,
      },
    });
  });

  it("may have other names, and then no default is filled", () => {
    const mapper = mapperOf(
      { id: "long", pos: "long", _event_lsn: "long?" },
      { eventColumns: { pos: "lsn" }, ordering: "pos" },
    );
    const value = envelope("c", { after: '{"id":1,"_event_lsn":null}' });
    expect(mapOne(mapper, { value }).after).toEqual({ id: 1n, pos: 100n, _event_lsn: null });
  });

  it("are not found in the row of the event", () => {
    const value = envelope("c", { after: '{"id":1,"_event_lsn":3}' });
    expect(() => mapOne(mapperOf({ id: "long", _event_lsn: "long" }), { value })).toThrow(
      /unknown column string "_event_lsn"/,
    );
  });

  it("state the ordering value of a delete, but of no tombstone (ING-6)", () => {
    const mapper = mapperOf(all);
    const value = envelope("d", { before: '{"id":1,"x":"bogus"}' });
    const changes = mapAll(mapper, [record({ value }), record({ offset: 9n })]);
    expect(changes).toEqual([
      { op: "delete", key: { id: 1n, _event_lsn: 100n } },
      { op: "delete", key: { id: 1n } },
    ]);
  });

  it("that the event lacks are null where they may be, and never the ordering field", () => {
    const source = '{"lsn":null,"txId":null,"ts_ms":1}';
    const value = envelope("c", { after: '{"id":1}', source });
    const map = (fields: Record<string, string>, ordering?: string): unknown =>
      mapOne(mapperOf(fields, ordering === undefined ? {} : { ordering }), { value }).after;
    expect(map({ id: "long", _event_tx_id: "long?" })).toEqual({ id: 1n, _event_tx_id: null });
    expect(() => map({ id: "long", _event_tx_id: "long" })).toThrow(
      /has no transactionId for column _event_tx_id/,
    );
    expect(() => map({ id: "long", _event_lsn: "long?" })).toThrow(
      /has no lsn for column _event_lsn/,
    );
  });

  it("have to be columns of the table with the right type", () => {
    const fields = { id: "long", pos: "string" };
    expect(() => mapperOf(fields, { eventColumns: { x: "lsn" } })).toThrow(/cannot find column x/);
    expect(() => mapperOf(fields, { eventColumns: { pos: "lsn" } })).toThrow(
      /cannot fill column pos with lsn: found type string, expected long/,
    );
    expect(() => mapperOf(fields, { eventColumns: { pos: "toString" as "op" } })).toThrow(
      /expected one of lsn, transactionId/,
    );
    expect(() => mapperOf(fields, { eventColumns: { id: "lsn" } })).toThrow(
      /cannot fill record key id/,
    );
  });
});

describe("old rows (ING-9)", () => {
  const fields = { id: "long", v: "string?" };

  it("are not used under the default replica identity", () => {
    const value = envelope("u", { before: '{"id":1,"v":"old"}', after: '{"id":1,"v":"new"}' });
    expect(mapOne(mapperOf(fields), { value }).before).toBeUndefined();
    expect(mapOne(mapperOf(fields, { replicaIdentity: "full" }), { value }).before).toEqual({
      id: 1n,
      v: "old",
    });
  });

  it("say under the full identity in which partition a deleted row was", () => {
    const value = envelope("d", { before: '{"id":1,"v":"berlin"}' });
    const options = { partition: "v" };
    const mapper = mapperOf(fields, { ...options, replicaIdentity: "full" });
    expect(mapOne(mapper, { value }).key).toEqual({ id: 1n, v: "berlin" });
    const error = thrownBy(() => mapOne(mapperOf(fields, options), { value }));
    expect(isHudiError(error, "UNSUPPORTED")).toBe(true);
    expect(error.message).toMatch(/record 7 of topic t.*column v.*REPLICA IDENTITY FULL/);
  });

  it("are needed for a tombstone and for an update of a partitioned table", () => {
    const mapper = mapperOf(fields, { partition: "v", replicaIdentity: "full" });
    expect(thrownBy(() => mapOne(mapper, {}))).toMatchObject({ code: "UNSUPPORTED" });
    const value = envelope("u", { after: '{"id":1,"v":"new"}' });
    expect(thrownBy(() => mapOne(mapper, { value }))).toMatchObject({ code: "UNSUPPORTED" });
    const keyed = mapOne(mapper, { value, key: '{"id":1,"v":"new"}' });
    expect(keyed).toMatchObject({ op: "update", key: { id: 1n, v: "new" } });
    const gone = mapOne(mapper, { key: '{"id":1,"v":"old"}' });
    expect(gone).toEqual({ op: "delete", key: { id: 1n, v: "old" } });
  });
});
