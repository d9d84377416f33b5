// The Avro closures against avsc, and against schemas and bytes that mean harm.
// Rules: spec/format/avro.md.
import avsc from "avsc";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AvroReader, AvroWriter } from "../../src/format/avro-binary.ts";
import type { AvroCodec, AvroValue } from "../../src/format/avro-closures.ts";
import { parseAvroCodec } from "../../src/format/avro-codec.ts";

interface Case {
  readonly schema: unknown;
  readonly ours: AvroValue;
  readonly avscs: unknown;
}

function createCodec(schema: unknown): AvroCodec {
  return parseAvroCodec(JSON.stringify(schema), "p/file");
}

function encode(codec: AvroCodec, value: AvroValue): Buffer {
  const writer = new AvroWriter();
  codec.encode(writer, value);
  return Buffer.from(writer.finish());
}

function decode(schema: unknown, bytes: Uint8Array): AvroValue {
  return createCodec(schema).decode(new AvroReader(bytes, "p/file"));
}

/** avsc with longs as bigint, so that all 64 bits pass. */
const longType = avsc.types.LongType.__with({
  fromBuffer: (buffer: Buffer) => buffer.readBigInt64LE(),
  toBuffer: (value: bigint) => {
    const buffer = Buffer.alloc(8);
    buffer.writeBigInt64LE(value);
    return buffer;
  },
  fromJSON: BigInt,
  toJSON: Number,
  isValid: (value: unknown) => typeof value === "bigint",
  compare: (a: bigint, b: bigint) => (a === b ? 0 : a < b ? -1 : 1),
});

let named = 0;
const nextName = (): string => {
  named += 1;
  return `N${named}`;
};

const anyLong = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt(-70n, 70n),
);
const same =
  (schema: unknown) =>
  (value: AvroValue): Case => ({ schema, ours: value, avscs: value });
const primitive: fc.Arbitrary<Case> = fc.oneof(
  fc.boolean().map(same("boolean")),
  fc.integer().map(same({ type: "int", logicalType: "date" })),
  anyLong.map((value) => ({
    schema: "long",
    ours: Number.isSafeInteger(Number(value)) ? Number(value) : value,
    avscs: value,
  })),
  fc.float().map(same("float")),
  fc.double().map(same("double")),
  fc.string({ unit: "grapheme" }).map(same({ type: "string", "avro.java.string": "String" })),
  fc.uint8Array().map((bytes) => ({ schema: "bytes", ours: bytes, avscs: Buffer.from(bytes) })),
  fc.uint8Array({ minLength: 3, maxLength: 3 }).map((bytes) => ({
    schema: { type: "fixed", name: nextName(), size: 3 },
    ours: bytes,
    avscs: Buffer.from(bytes),
  })),
  fc
    .constantFrom("A", "B")
    .map((symbol) => same({ type: "enum", name: nextName(), symbols: ["A", "B"] })(symbol)),
);

function wrapForAvsc(name: string, value: unknown): unknown {
  return { [name]: value };
}

function branchName(schema: unknown): string {
  if (typeof schema === "string") return schema;
  const { type, name } = schema as { type: string; name?: string };
  return name === undefined ? type : `ns.${name}`;
}

const anyCase: fc.Arbitrary<Case> = fc.letrec<{ any: Case; record: Case; nested: Case }>((tie) => ({
  any: fc.oneof({ maxDepth: 4, withCrossShrink: true }, primitive, tie("nested"), tie("record")),
  nested: fc.oneof(
    fc.tuple(tie("any"), fc.nat(3)).map(([item, count]) => ({
      schema: { type: "array", items: item.schema },
      ours: Array.from({ length: count }, () => item.ours),
      avscs: Array.from({ length: count }, () => item.avscs),
    })),
    fc
      .tuple(tie("any"), fc.constantFrom("__proto__", "constructor", "", "ключ"))
      .map(([item, key]) => {
        const avscs: Record<string, unknown> = Object.create(null);
        avscs[key] = item.avscs;
        return {
          schema: { type: "map", values: item.schema },
          ours: new Map([[key, item.ours]]),
          avscs,
        };
      }),
    fc.tuple(primitive, fc.boolean(), fc.boolean()).map(([item, isNull, nullFirst]) => ({
      schema: nullFirst ? ["null", item.schema] : [item.schema, "null"],
      ours: isNull ? null : item.ours,
      avscs: isNull ? null : wrapForAvsc(branchName(item.schema), item.avscs),
    })),
    primitive
      .filter(({ schema }) => branchName(schema) !== "boolean")
      .map((item) => ({
        schema: ["null", "boolean", item.schema],
        ours: { branch: branchName(item.schema), value: item.ours },
        avscs: wrapForAvsc(branchName(item.schema), item.avscs),
      })),
  ),
  record: fc.array(tie("any"), { minLength: 1, maxLength: 4 }).map((fields) => ({
    schema: {
      type: "record",
      name: nextName(),
      fields: fields.map((field, at) => ({ name: `f${at}`, type: field.schema })),
    },
    ours: Object.fromEntries(fields.map((field, at) => [`f${at}`, field.ours])),
    avscs: Object.fromEntries(fields.map((field, at) => [`f${at}`, field.avscs])),
  })),
})).any;

/** Decoded values with prototypes and views made alike, for comparison. */
function normalise(value: unknown): unknown {
  if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString("hex")}`;
  if (value instanceof Map) return ["map", ...Array.from(value, ([k, v]) => [k, normalise(v)])];
  if (Array.isArray(value)) return value.map(normalise);
  if (typeof value !== "object" || value === null) return Object.is(value, -0) ? "-0" : value;
  return ["record", ...Object.entries(value).map(([k, v]) => [k, normalise(v)])];
}

describe("values", () => {
  test("any value of any schema has the bytes that avsc gives it, and comes back (AV-1, AV-4, AV-5)", () => {
    fc.assert(
      fc.property(anyCase, ({ schema, ours, avscs }) => {
        const wrapped = {
          type: "record",
          name: "Root",
          namespace: "ns",
          fields: [{ name: "v", type: schema }],
        };
        const codec = createCodec(wrapped);
        const oracle = avsc.Type.forSchema(wrapped as avsc.schema.AvroSchema, {
          wrapUnions: true,
          registry: { long: longType },
        });
        const bytes = encode(codec, { v: ours });
        expect(bytes.toString("hex")).toBe(oracle.toBuffer({ v: avscs }).toString("hex"));
        const read = codec.decode(new AvroReader(bytes, "p/file"));
        expect(normalise(read)).toEqual(normalise({ v: ours }));
      }),
      { numRuns: 300 },
    );
  });

  test("longs are numbers as long as that is exact, else bigints (AV-4)", () => {
    for (const value of [
      0,
      -1,
      63,
      -64,
      64,
      2 ** 27,
      -(2 ** 27),
      2 ** 28,
      2 ** 53 - 1,
      -(2 ** 53) + 1,
    ]) {
      expect(decode("long", encode(createCodec("long"), value))).toBe(value);
      expect(encode(createCodec("long"), BigInt(value))).toEqual(
        encode(createCodec("long"), value),
      );
    }
    for (const value of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
      expect(decode("long", encode(createCodec("long"), value))).toBe(value);
    }
  });

  test("a record has no prototype, and hostile names in it and in maps are data (AV-5)", () => {
    const schema = {
      type: "record",
      name: "R",
      fields: [
        { name: "__proto__", type: "string" },
        { name: "constructor", type: { type: "map", values: "int" } },
      ],
    };
    const value = Object.assign(Object.create(null), { constructor: new Map([["__proto__", 1]]) });
    Reflect.set(value, "__proto__", "x");
    const read = decode(schema, encode(createCodec(schema), value)) as Record<string, unknown>;
    expect(Object.getPrototypeOf(read)).toBe(null);
    expect(Object.entries(read)).toEqual([
      ["__proto__", "x"],
      ["constructor", new Map([["__proto__", 1]])],
    ]);
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });

  test("a name is found in its own namespace, in that of its record, and as it stands (AV-6)", () => {
    const schema = {
      type: "record",
      name: "a.b.Outer",
      fields: [
        {
          name: "inner",
          type: { type: "record", name: "Inner", fields: [{ name: "x", type: "int" }] },
        },
        { name: "again", type: "Inner" },
        { name: "full", type: "a.b.Inner" },
        { name: "own", type: { type: "enum", name: "E", namespace: "c", symbols: ["S"] } },
        { name: "other", type: "c.E" },
        { name: "next", type: ["null", "Outer"] },
      ],
    };
    const inner = { x: 5 };
    const leaf = { inner, again: inner, full: inner, own: "S", other: "S", next: null };
    const value = { ...leaf, next: leaf };
    const read = decode(schema, encode(createCodec(schema), value));
    expect(normalise(read)).toEqual(normalise(value));
    expect(createCodec(schema).name).toBe("a.b.Outer");
  });

  test("blocks that state their size are read, as other writers make them (AV-2)", () => {
    const items = Uint8Array.of(3, 4, 2, 4, 1, 2, 6, 0);
    expect(decode({ type: "array", items: "int" }, items)).toEqual([1, 2, 3]);
  });

  test.each([
    ["boolean", 1],
    ["int", 2 ** 31],
    ["int", 1.5],
    ["long", 2 ** 53],
    ["long", 2n ** 63n],
    ["string", null],
    ["bytes", "x"],
    ["double", "1"],
    [{ type: "array", items: "int" }, { a: 1 }],
    [{ type: "map", values: "int" }, { a: 1 }],
    [{ type: "fixed", name: "F", size: 2 }, Uint8Array.of(1)],
    [{ type: "enum", name: "E", symbols: ["A"] }, "B"],
    [{ type: "record", name: "R", fields: [{ name: "x", type: "int" }] }, {}],
    [["null", "int", "string"], 5],
    [["int", "string"], null],
  ])("encoding %j refuses %s by place and expectation (AV-7)", (schema, value) => {
    expect(() => encode(createCodec(schema), value as AvroValue)).toThrow(
      expect.objectContaining({
        code: "INVALID",
        message: expect.stringMatching(/^cannot encode \S+/),
      }),
    );
  });
});

describe("schemas that mean harm", () => {
  const nested = (depth: number): unknown =>
    depth === 0 ? "int" : { type: "array", items: nested(depth - 1) };

  test.each([
    ["no JSON", "{"],
    ["a type that is a number", "7"],
    ["an unknown name", '"Missing"'],
    ["a record without fields", '{"type":"record","name":"R"}'],
    ["a field without a type", '{"type":"record","name":"R","fields":[{"name":"x"}]}'],
    [
      "a field twice",
      '{"type":"record","name":"R","fields":[{"name":"x","type":"int"},{"name":"x","type":"int"}]}',
    ],
    [
      "a name twice",
      '[{"type":"fixed","name":"R","size":1},{"type":"enum","name":"R","symbols":["A"]}]',
    ],
    ["a union in a union", '[["int"]]'],
    ["an empty union", "[]"],
    ["a fixed of no bytes", '{"type":"fixed","name":"F","size":0}'],
    ["a fixed of half a byte", '{"type":"fixed","name":"F","size":0.5}'],
    ["types 100 deep", JSON.stringify(nested(100))],
    ["JSON a hundred thousand deep", `${'{"type":'.repeat(100_000)}1${"}".repeat(100_000)}`],
    ["a type in 2 MiB of text", `${" ".repeat(2 * 1024 * 1024)}"int"`],
  ])("%s is refused (AV-8)", (_, text) => {
    expect(() => parseAvroCodec(text, "p/file")).toThrow(
      expect.objectContaining({
        code: "CORRUPT",
        path: "p/file",
        message: expect.stringContaining("p/file"),
      }),
    );
  });

  test.each([
    ["a null on its own", '"null"'],
    ["an array of nulls", '{"type":"array","items":"null"}'],
    ["a record of nothing", '{"type":"record","name":"R","fields":[]}'],
  ])("%s takes no bytes and is not supported (AV-8)", (_, text) => {
    expect(() => parseAvroCodec(text, "p/file")).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED" }),
    );
  });

  test("a record that holds itself without end stops at a bounded depth (AV-3)", () => {
    const schema = { type: "record", name: "R", fields: [{ name: "r", type: "R" }] };
    expect(() => decode(schema, new Uint8Array(0))).toThrow(
      expect.objectContaining({ code: "CORRUPT" }),
    );
  });

  test("values side by side are no depth (AV-3)", () => {
    const record = {
      type: "record",
      name: "R",
      fields: [{ name: "m", type: { type: "map", values: "int" } }],
    };
    const schema = { type: "array", items: record };
    const value = Array.from({ length: 500 }, () => ({ m: new Map([["a", 1]]) }));
    expect(decode(schema, encode(createCodec(schema), value))).toHaveLength(500);
  });

  test("a list that holds itself is as deep as allowed and no deeper (AV-3)", () => {
    const schema = { type: "record", name: "R", fields: [{ name: "next", type: ["null", "R"] }] };
    const chain = (length: number): Uint8Array => {
      const bytes = new Uint8Array(length).fill(2);
      bytes[length - 1] = 0;
      return bytes;
    };
    expect(() => decode(schema, chain(64))).not.toThrow();
    expect(() => decode(schema, chain(65))).toThrow(expect.objectContaining({ code: "CORRUPT" }));
  });
});

describe("bytes that mean harm", () => {
  const huge = [0xfe, 0xff, 0xff, 0xff, 0x0f];
  test.each([
    ["a text of 2 GiB", "string", huge],
    ["a text of negative length", "string", [0x01]],
    ["bytes of 2 GiB", "bytes", huge],
    ["an array of 2 billion ints", { type: "array", items: "int" }, huge],
    ["a map of 2 billion ints", { type: "map", values: "int" }, huge],
    [
      "an array of minus 2^63 items",
      { type: "array", items: "int" },
      [...Array(9).fill(0xff), 0x01, 0x02, 0x02],
    ],
    [
      "an array block longer than the bytes",
      { type: "array", items: "int" },
      [0x01, 0x7e, 0x02, 0x00],
    ],
    ["a branch that is not there", ["null", "int"], [0x04]],
    ["a negative branch", ["null", "int"], [0x01]],
    ["a symbol that is not there", { type: "enum", name: "E", symbols: ["A"] }, [0x02]],
    ["a boolean of 2", "boolean", [0x02]],
    ["an int of 33 bits", "int", [0xfe, 0xff, 0xff, 0xff, 0x1f]],
    ["a long of 11 bytes", "long", Array(11).fill(0x80)],
    ["a long of 65 bits", "long", [...Array(9).fill(0xff), 0x02]],
    ["a text that is not UTF-8", "string", [0x04, 0xc3, 0x28]],
    ["half a double", "double", [0, 0, 0, 0]],
    ["half a fixed", { type: "fixed", name: "F", size: 4 }, [0, 0]],
  ])("%s is refused with file and byte (AV-2, AV-3)", (_, schema, bytes) => {
    expect(() => decode(schema, Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({
        code: "CORRUPT",
        path: "p/file",
        message: expect.stringMatching(/^cannot read p\/file: found .* at byte \d+$/),
      }),
    );
  });

  test("a number of items beyond the bytes is refused before the first item (AV-2)", () => {
    const bytes = Uint8Array.of(0x08, 0x02, 0x02, 0x00);
    expect(() => decode({ type: "array", items: "int" }, bytes)).toThrow(
      "a block of 4 items with 3 bytes left",
    );
  });

  test("every truncation of a record is refused (AV-2)", () => {
    const schema = {
      type: "record",
      name: "R",
      fields: [
        { name: "text", type: "string" },
        { name: "list", type: { type: "array", items: "long" } },
        { name: "map", type: { type: "map", values: ["null", "double"] } },
      ],
    };
    const value = { text: "текст", list: [1, 2 ** 40], map: new Map([["a", 1.5]]) };
    const bytes = encode(createCodec(schema), value);
    expect(() => decode(schema, bytes)).not.toThrow();
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => decode(schema, bytes.subarray(0, length))).toThrow(
        expect.objectContaining({ code: "CORRUPT" }),
      );
    }
  });
});
