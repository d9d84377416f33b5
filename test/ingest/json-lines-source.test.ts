import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { JsonLinesSource, type SourceRecord } from "../../src/ingest/index.ts";
import { splitJsonMembers } from "../../src/ingest/json-members.ts";
import { collect } from "./support.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "hudi-lake-lines-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

let files = 0;
const store = (content: string | Uint8Array): string => {
  files += 1;
  const path = join(folder, `${files}.jsonl`);
  writeFileSync(path, content);
  return path;
};
const line = (offset: number | string, rest = '"key":{"id":1},"value":{"a":1}'): string =>
  `{"topic":"t","partition":0,"offset":${offset},${rest}}`;
const read = (paths: string | string[], start = new Map()): Promise<SourceRecord[]> =>
  collect(new JsonLinesSource(paths).read(start));
const readError = async (content: string | Uint8Array): Promise<unknown> => {
  try {
    await read(store(content));
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("JSON lines", () => {
  it("give key, value and headers as the text that stands in the line (ING-2)", async () => {
    const headers = '"headers":{"h":{"n":9007199254740993},"e":null},"timestamp":1700000000000';
    const rest = `"key" : {"id": 9223372036854775807} , "value":{"x":1.0E-7, "t":"a\\"}{b"},${headers}`;
    expect(await read(store(line("9007199254740993", rest)))).toEqual([
      {
        topic: "t",
        partition: 0,
        offset: 9007199254740993n,
        key: '{"id": 9223372036854775807}',
        value: '{"x":1.0E-7, "t":"a\\"}{b"}',
        headers: [
          { name: "h", value: '{"n":9007199254740993}' },
          { name: "e", value: null },
        ],
        timestampMs: 1700000000000,
      },
    ]);
  });

  it("may be gzipped, empty, in several files, and end without a line feed (ING-2)", async () => {
    const one = store(gzipSync(`${line(0)}\n\n${line(1)}`));
    const two = store(`${line(2, '"value":null,"key":{"id":1}')}\n`);
    const records = await read([one, two, store("")]);
    expect(records.map((record) => [record.offset, record.value])).toEqual([
      [0n, '{"a":1}'],
      [1n, '{"a":1}'],
      [2n, null],
    ]);
  });

  it("begin at the offset asked for (ING-1)", async () => {
    const path = store([0, 1, 2, 3].map((offset) => line(offset)).join("\n"));
    const start = new Map([["t", new Map([[0, 2n]])]]);
    expect((await read(path, start)).map((record) => record.offset)).toEqual([2n, 3n]);
    const other = new Map([["t", new Map([[1, 2n]])]]);
    expect(await read(path, other)).toHaveLength(4);
  });

  it("come whole out of a file of many chunks (ING-2)", async () => {
    const texts = Array.from({ length: 300 }, (_, index) => "ж".repeat(index * 7));
    const lines = texts.map((text, index) => line(index, `"key":null,"value":"${text}"`));
    const records = await read(store(lines.join("\n")));
    expect(records.map((record) => record.value)).toEqual(texts.map((text) => `"${text}"`));
  });

  it.each<[string, string | Uint8Array, RegExp]>([
    ["a truncated line", `${line(0)}\n${line(1).slice(0, 30)}`, /line 2 of .*is no JSON object/],
    ["a line of another kind", "[1]", /line 1 of .*is no JSON object/],
    ["text behind the object", `${line(0)} x`, /line 1 of .*is no JSON object/],
    ["no topic", '{"partition":0,"offset":0,"value":1}', /topic is nothing/],
    [
      "a partition below 0",
      '{"topic":"t","partition":-1,"offset":0,"value":1}',
      /partition is number -1/,
    ],
    ["an offset that is no integer", line("1.5"), /offset is number 1\.5/],
    ["an offset of 64 bits", line("9223372036854775808"), /offset is bigint/],
    [
      "a timestamp that is a text",
      line(0, '"value":1,"timestamp":"now"'),
      /timestamp is string "now"/,
    ],
    ["neither key nor value", line(0, '"x":1'), /value is nothing/],
    ["headers that are a list", line(0, '"value":1,"headers":[1]'), /is no JSON object/],
    [
      "bytes that are no UTF-8",
      Buffer.concat([Buffer.from(line(0, '"value":"')), Buffer.of(0xff)]),
      /is no UTF-8/,
    ],
    [
      "a gzip that breaks off",
      gzipSync(line(0).repeat(50)).subarray(0, 60),
      /behind line 0: Z_BUF_ERROR/,
    ],
  ])("are refused for %s, naming file and line (ING-2)", async (_, content, message) => {
    const error = await readError(content);
    expect(isHudiError(error, "INVALID")).toBe(true);
    expect(String(error)).toMatch(message);
    expect(String(error)).toContain(folder);
  });

  it("are not found where no file is, and a directory is none (ING-2)", async () => {
    await expect(read(join(folder, "none"))).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(read(folder)).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("stop on abort with the reason of the signal", async () => {
    const path = store(`${line(0)}\n${line(1)}\n`);
    const stop = new AbortController();
    stop.abort(new Error("enough"));
    const reading = collect(new JsonLinesSource(path).read(new Map(), stop));
    await expect(reading).rejects.toThrow("enough");
  });
});

describe("the members of a JSON object", { timeout: 60_000 }, () => {
  it("are split as JSON.parse sees them, for any object (ING-2)", () => {
    const object = fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue(), { maxKeys: 6 });
    const indent = fc.constantFrom(undefined, 2, "\t");
    fc.assert(
      fc.property(object, indent, (value, space) => {
        const found = splitJsonMembers(JSON.stringify(value, null, space));
        const parsed = Array.from(found, ([name, text]) => [name, JSON.parse(text)]);
        const expected = JSON.parse(JSON.stringify(Object.entries(value)));
        expect(parsed.toSorted(byName)).toEqual(expected.toSorted(byName));
      }),
      { numRuns: 300 },
    );
  });

  it("of damaged text are a SyntaxError or a split, never a hang", () => {
    const damaged = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('"', "\\", "}", "{", "[", ",", ":", ""))
      .map(([text, at, piece]) => {
        const place = at % (text.length + 1);
        return `{"a":${text.slice(0, place)}${piece}${text.slice(place + 1)}}`;
      });
    fc.assert(
      fc.property(fc.oneof(damaged, fc.string()), (text) => {
        try {
          splitJsonMembers(text);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
          expect(() => {
            const value = JSON.parse(text);
            if (typeof value !== "object" || value === null || Array.isArray(value)) throw error;
          }).toThrow();
        }
      }),
      { numRuns: 1000 },
    );
  });
});

function byName(one: unknown, other: unknown): number {
  const [a, b] = [(one as [string])[0], (other as [string])[0]];
  return a < b ? -1 : a > b ? 1 : 0;
}
