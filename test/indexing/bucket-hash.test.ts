import { describe, expect, test } from "vitest";
import {
  bucketFileIdPrefix,
  bucketOfFileId,
  bucketsOfKeys,
} from "../../src/indexing/bucket-hash.ts";
import { runAtOnce } from "../../src/runtime/steps.ts";

function bucketOf(key: string, buckets: number, fields: readonly string[] = ["id"]): number {
  const data = Buffer.from(key);
  const column = {
    layout: "bytes",
    rowCount: 1,
    validity: undefined,
    offsets: Int32Array.of(0, data.length),
    data,
  } as const;
  return runAtOnce(bucketsOfKeys(column, buckets, fields))[0] as number;
}

/** So many buckets that the hash itself is seen. */
const ALL = 0x7fff_ffff;

describe("the bucket of a key is that of Hudi 0.15 (IX-8)", () => {
  test.each([
    ["a", 31 + 97],
    ["hello", 31 + 99_162_322],
    ["Aa", 31 + 2_112],
    ["BB", 31 + 2_112],
    ["", 31],
    // Its hash is -2147483648: the sign is cut off.
    ["polygenelubricants", 31],
    ["é", 31 + 233],
    // Outside the basic plane a character counts as two units.
    ["🚀", 31 + 55_357 * 31 + 56_960],
  ])("of %j", (key, hash) => {
    expect(bucketOf(key, ALL)).toBe(hash % ALL);
    expect(bucketOf(key, 8)).toBe(hash % 8);
  });

  test("a key with a colon is taken for a list of columns and values", () => {
    expect(bucketOf("id:hello", ALL)).toBe(31 + 99_162_322);
    expect(bucketOf("id:a,other:b", ALL)).toBe(31 + 97);
    expect(bucketOf("id:a,other:b", ALL, ["id", "other"])).toBe((31 + 97) * 31 + 98);
    expect(bucketOf("id:__empty__", ALL)).toBe(31);
    expect(bucketOf("id:__null__", ALL)).toBe(31);
    // Nothing of it names a hashed column.
    expect(bucketOf("12:30", ALL)).toBe(1);
    expect(bucketOf("a,12:30", ALL)).toBe(31 + 97);
    expect(bucketOf("id:a,,", ALL)).toBe(31 + 97);
  });
});

test("the file id of a bucket begins with its number in eight digits (IX-8)", () => {
  const prefix = bucketFileIdPrefix(17, "6f1c2d3e-0000-4000-8000-000000000000");
  expect(prefix).toBe("00000017-0000-4000-8000-000000000000");
  expect(bucketOfFileId(`${prefix}-0`)).toBe(17);
});
