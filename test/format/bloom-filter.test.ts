// Bloom filters against those that Hudi's own classes built. Rules: spec/format/bloom-filter.md.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { setBit } from "../../src/format/bitmap.ts";
import {
  type BloomFilter,
  type BloomFilterTypeCode,
  createBloomFilter,
  decodeBloomFilter,
} from "../../src/format/bloom-filter.ts";
import type { BytesColumn } from "../../src/format/column-batch.ts";

interface Vector {
  readonly type: BloomFilterTypeCode;
  readonly entries: number;
  readonly rate: number;
  readonly maxEntries: number;
  readonly rule: "short" | "words" | "uuid" | "mixed" | "number";
  readonly count: number;
  readonly falsePositivesOf1000: number;
  readonly length: number;
  readonly sha256: string;
  readonly text?: string;
}

const vectors = JSON.parse(
  readFileSync(new URL("../../fixtures/bloom/vectors.json", import.meta.url), "utf8"),
) as readonly Vector[];

const WORDS = ["é", "日本語", "😀 emoji", "naïve-ключ", "~", "ÿÿÿ", "a,b:c"];

/** The key that fixtures/bloom/MakeBloomVectors.java makes of the same rule and number. */
function makeKey(rule: Vector["rule"], i: number): string {
  if (rule === "short") return "k".repeat(i + 1);
  if (rule === "words") return `${WORDS[i % 7]}${i}`;
  if (rule === "mixed") return `${["ключ-", "key:", ""][i % 3]}${i * 7919}`;
  if (rule === "number") return String(i);
  const scattered = Math.imul(i, 2654435761) >>> 0;
  return `${scattered.toString(16).padStart(8, "0")}-0000-4000-8000-${i.toString(16).padStart(12, "0")}`;
}

function createColumn(keys: readonly (string | null)[]): BytesColumn {
  const parts = keys.map((key) => Buffer.from(key ?? ""));
  const offsets = new Int32Array(keys.length + 1);
  const validity = new Uint8Array((keys.length + 7) >> 3);
  for (const [row, part] of parts.entries()) {
    offsets[row + 1] = (offsets[row] as number) + part.length;
    if (keys[row] !== null) setBit(validity, row);
  }
  const data = Uint8Array.from(Buffer.concat(parts));
  return { layout: "bytes", rowCount: keys.length, validity, offsets, data };
}

function makeColumn(rule: Vector["rule"], from: number, to: number): BytesColumn {
  return createColumn(Array.from({ length: to - from }, (_, i) => makeKey(rule, from + i)));
}

function createLike(vector: Vector): BloomFilter {
  return createBloomFilter({
    typeCode: vector.type,
    entries: vector.entries,
    falsePositiveRate: vector.rate,
    maxEntries: vector.maxEntries,
  });
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

function isAllZero(text: string, headerBytes: number): boolean {
  return Buffer.from(text, "base64")
    .subarray(headerBytes)
    .every((byte) => byte === 0);
}

function nameOf({ type, rule, count, entries, maxEntries }: Vector): string {
  return `${type} of ${count} ${rule} keys in rows of ${entries} up to ${maxEntries}`;
}

describe("filters that Hudi built", () => {
  test.each(vectors.map((vector) => [nameOf(vector), vector] as const))(
    "%s is built byte for byte (BF-1, BF-2, BF-3, BF-4, BF-5)",
    (_, vector) => {
      const filter = createLike(vector);
      filter.addKeys(makeColumn(vector.rule, 0, vector.count));
      const text = filter.encode();
      if (vector.text !== undefined) expect(text).toBe(vector.text);
      expect([text.length, sha256(text)]).toEqual([vector.length, vector.sha256]);
      const absent = makeColumn(vector.rule, vector.count, vector.count + 1000);
      expect(filter.testKeys(absent)).toHaveLength(vector.falsePositivesOf1000);
    },
  );

  test.each(vectors.map((vector) => [nameOf(vector), vector] as const))(
    "%s goes on from its own text as if it had never stopped (BF-6)",
    (_, vector) => {
      const filter = createLike(vector);
      const half = vector.count >> 1;
      filter.addKeys(makeColumn(vector.rule, 0, half));
      const resumed = decodeBloomFilter(filter.encode(), vector.type, "f.parquet", vector);
      resumed.addKeys(makeColumn(vector.rule, half, vector.count));
      const again = decodeBloomFilter(resumed.encode(), vector.type, "f.parquet");
      expect(sha256(again.encode())).toBe(vector.sha256);
    },
  );

  test("a filter far beyond its maximum resumes its turns at any key (BF-5, BF-6)", () => {
    const vector = vectors.find((v) => v.maxEntries === 25 && v.count === 57) as Vector;
    let filter = createLike(vector);
    for (let i = 0; i < vector.count; i += 1) {
      filter.addKeys(makeColumn(vector.rule, i, i + 1));
      filter = decodeBloomFilter(filter.encode(), vector.type, "f.parquet", vector);
    }
    expect(filter.encode()).toBe(vector.text ?? expect.fail());
  });
});

describe("membership", () => {
  test("no key that was added is denied, whatever its bytes (BF-7)", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ minLength: 1, maxLength: 70, unit: "grapheme" }), { minLength: 1 }),
        fc.constantFrom<BloomFilterTypeCode>("SIMPLE", "DYNAMIC_V0"),
        (keys, typeCode) => {
          const filter = createBloomFilter({ typeCode, entries: 4, maxEntries: 10 });
          const column = createColumn(keys);
          filter.addKeys(column);
          expect([...filter.testKeys(column)]).toEqual(keys.map((_, row) => row));
          const read = decodeBloomFilter(filter.encode(), typeCode, "f.parquet");
          expect([...read.testKeys(column)]).toEqual(keys.map((_, row) => row));
        },
      ),
    );
  });

  test("only the rows asked for are added and tested (BF-7)", () => {
    const column = createColumn(["a", "b", "c", null, "", "a"]);
    const filter = createBloomFilter();
    filter.addKeys(column, Int32Array.of(0, 2));
    expect([...filter.testKeys(column)]).toEqual([0, 2, 5]);
    expect([...filter.testKeys(column, Int32Array.of(5, 4, 3, 1))]).toEqual([5]);
    const b = Buffer.from("xbx");
    expect(filter.mayContain(b, 1, 2)).toBe(false);
    filter.addKey(b, 1, 2);
    expect(filter.mayContain(b, 1, 2)).toBe(true);
    expect(filter.mayContain(b, 1, 1)).toBe(false);
  });

  test("a null is contained in nothing, whatever bytes lie under it (BF-8)", () => {
    const column = createColumn(["a", "b"]);
    const filter = createBloomFilter();
    filter.addKeys(column);
    expect([...filter.testKeys({ ...column, validity: Uint8Array.of(0b10) })]).toEqual([1]);
  });

  test("keys of equal and of mixed lengths give the same bits together and one by one (BF-4)", () => {
    const lengths = fc.array(fc.uint8Array({ minLength: 1, maxLength: 9 }), {
      minLength: 1,
      maxLength: 40,
    });
    fc.assert(
      fc.property(lengths, (keys) => {
        const together = createBloomFilter({ entries: 1000 });
        const single = createBloomFilter({ entries: 1000 });
        const offsets = Int32Array.of(
          0,
          ...keys.map((_, i) => keys.slice(0, i + 1).reduce((n, k) => n + k.length, 0)),
        );
        const data = Uint8Array.from(keys.flatMap((key) => [...key]));
        together.addKeys({
          layout: "bytes",
          rowCount: keys.length,
          validity: undefined,
          offsets,
          data,
        });
        for (const key of keys) single.addKey(key, 0, key.length);
        expect(together.encode()).toBe(single.encode());
      }),
    );
  });

  test("a null or an empty key is refused before any key is added (BF-8)", () => {
    for (const bad of [null, ""]) {
      const filter = createBloomFilter();
      expect(() => filter.addKeys(createColumn(["a", bad]))).toThrow(
        expect.objectContaining({ code: "INVALID", message: expect.stringContaining("row 1") }),
      );
      expect(isAllZero(filter.encode(), 38)).toBe(true);
    }
  });
});

describe("what a file may say", () => {
  const sound = (): string => {
    const filter = createBloomFilter({ entries: 10, falsePositiveRate: 0.01 });
    filter.addKeys(createColumn(["a", "b"]));
    return filter.encode();
  };
  const patched = (at: number, value: number): string => {
    const bytes = Buffer.from(sound(), "base64");
    bytes.writeInt32BE(value, at);
    return bytes.toString("base64");
  };

  const patchedTwice = (first: number, second: number, value: number): string => {
    const bytes = Buffer.from(patched(first, value), "base64");
    bytes.writeInt32BE(value, second);
    return bytes.toString("base64");
  };

  test("a type code in small letters and none at all are read as Hudi reads them (BF-1)", () => {
    expect(decodeBloomFilter(sound(), "dynamic_v0", "f.parquet").typeCode).toBe("DYNAMIC_V0");
    const simple = createBloomFilter({ typeCode: "SIMPLE" });
    expect(decodeBloomFilter(simple.encode(), undefined, "f.parquet").typeCode).toBe("SIMPLE");
    expect(() => decodeBloomFilter(sound(), "DYNAMIC_V1", "f.parquet")).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED", path: "f.parquet" }),
    );
  });

  test.each([
    ["a billion hashes", patched(4, 1_000_000_000), "CORRUPT"],
    ["no hashes", patched(4, 0), "CORRUPT"],
    ["two billion bits", patched(9, 0x7fff_ffff), "CORRUPT"],
    ["negative bits", patched(9, -8), "CORRUPT"],
    ["two billion rows", patched(21, 0x7fff_ffff), "CORRUPT"],
    ["no rows", patched(21, 0), "CORRUPT"],
    ["no keys a row", patched(13, 0), "CORRUPT"],
    ["a negative number of keys", patched(17, -1), "CORRUPT"],
    ["another number of hashes in the row", patched(29, 6), "CORRUPT"],
    ["an unknown version", patched(0, 7), "UNSUPPORTED"],
    ["nothing", "", "CORRUPT"],
    ["half a header", "/////wAAAAc=", "CORRUPT"],
    ["a header alone", "/////wAAAAcBAAAAYA==", "CORRUPT"],
    ["a billion hashes everywhere", patchedTwice(4, 29, 1_000_000_000), "CORRUPT"],
    [
      "characters that are not base64",
      `${sound().slice(0, -8)}!!!!${sound().slice(-8)}`,
      "CORRUPT",
    ],
    ["no base64", `${"!".repeat(60)}`, "CORRUPT"],
  ])(
    "a filter that declares %s is refused by name, without taking its word (BF-9)",
    (_, text, code) => {
      expect(() => decodeBloomFilter(text, "DYNAMIC_V0", "p/f.parquet")).toThrow(
        expect.objectContaining({
          code,
          path: "p/f.parquet",
          message: expect.stringContaining("p/f.parquet"),
        }),
      );
    },
  );

  test("every truncation is refused (BF-9)", () => {
    const bytes = Buffer.from(sound(), "base64");
    for (let length = 0; length < bytes.length; length += 1) {
      const text = bytes.subarray(0, length).toString("base64");
      expect(() => decodeBloomFilter(text, "DYNAMIC_V0", "f.parquet")).toThrow("f.parquet");
    }
  });

  test.each([
    { entries: 0 },
    { entries: 1.5 },
    { falsePositiveRate: 0 },
    { falsePositiveRate: 1 },
    { entries: 2_000_000_000 },
    { maxEntries: Number.NaN },
  ])("sizes %j that make no filter are refused (BF-2)", (options) => {
    expect(() => createBloomFilter(options)).toThrow(expect.objectContaining({ code: "INVALID" }));
  });
});
