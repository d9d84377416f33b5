// Commit metadata against that of Spark in table versions 6 and 9. Rules: spec/format/commit-metadata.md.
import { readdirSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { encodeAvroFile } from "../../src/format/avro-file.ts";
import {
  type CommitMetadata,
  formatCommitMetadata,
  formatWorkloadProfile,
  NO_PREVIOUS_COMMIT,
  parseCommitMetadata,
  type WriteStat,
} from "../../src/timeline/commit-metadata.ts";

const TIMELINE = new URL("../../fixtures/timeline/", import.meta.url);

function loadFixtures(
  version: "v6" | "v9",
  suffix: string,
): readonly (readonly [string, Buffer])[] {
  const folder = new URL(`${version}/`, TIMELINE);
  const names = readdirSync(folder).filter((name) => name.endsWith(suffix));
  expect(names.length, `fixtures of ${version} that end in ${suffix}`).toBeGreaterThan(0);
  return names.sort().map((name) => [name, readFileSync(new URL(name, folder))] as const);
}

function loadFixture(version: "v6" | "v9", suffix: string): Buffer {
  return (loadFixtures(version, suffix)[0] as readonly [string, Buffer])[1];
}

function parseText(text: string): CommitMetadata {
  return parseCommitMetadata(Buffer.from(text), "p/1.commit");
}

const STAT: WriteStat = {
  fileId: "f-0",
  path: "10/f-0_0-1-2_20260101000000000.parquet",
  prevCommit: NO_PREVIOUS_COMMIT,
  partitionPath: "10",
  numWrites: 5,
  numDeletes: 1,
  numUpdateWrites: 2,
  numInserts: 3,
  totalWriteBytes: 400,
  fileSizeInBytes: 400,
  totalWriteErrors: 0,
};

describe("metadata that Spark wrote", () => {
  test("a replace commit of version 6 is read, and written again field by field as it was (CM-1, CM-2, CM-3)", () => {
    const bytes = loadFixture("v6", ".replacecommit");
    const metadata = parseCommitMetadata(bytes, "f");
    expect(metadata.operationType).toBe("INSERT_OVERWRITE");
    expect(metadata.compacted).toBe(false);
    expect([...metadata.partitionToWriteStats.keys()]).toEqual(["north"]);
    expect([...metadata.partitionToReplaceFileIds.values()].flat()[0]).toMatch(/^[0-9a-f-]{36}-0$/);
    expect(metadata.extraMetadata.get("schema")).toContain('"v6_cow_record"');
    const [stat] = metadata.partitionToWriteStats.get("north") ?? [];
    expect(stat).toMatchObject({
      prevCommit: "null",
      numWrites: 1,
      numInserts: 1,
      partitionPath: "north",
    });
    const again = JSON.parse(Buffer.from(formatCommitMetadata(metadata)).toString());
    expect(JSON.stringify(again)).toBe(JSON.stringify(JSON.parse(bytes.toString())));
  });

  test("delta commits of version 6 keep the fields of log files (CM-2)", () => {
    const [first, second] = loadFixtures("v6", ".deltacommit").map(([name, bytes]) => {
      const metadata = parseCommitMetadata(bytes, name);
      const again = JSON.parse(Buffer.from(formatCommitMetadata(metadata)).toString());
      // Spark adds a field that stands for no value; everything else is the same, in the same order.
      const theirs = JSON.parse(bytes.toString(), (key, value) =>
        key === "recordsStats" ? undefined : value,
      );
      expect(JSON.stringify(again)).toBe(JSON.stringify(theirs));
      return metadata;
    });
    const stat = second?.partitionToWriteStats.get("ключ")?.[0];
    const before = first?.partitionToWriteStats.get("ключ")?.[0];
    expect(before?.logVersion).toBeUndefined();
    expect(stat?.logVersion).toBe(1);
    expect(`ключ/${stat?.baseFile}`).toBe(before?.path);
    expect(stat?.logFiles?.map((name) => `ключ/${name}`)).toEqual([stat?.path]);
  });

  test("the Avro of version 9 is read as the JSON of version 6 is (CM-6)", () => {
    const metadata = parseCommitMetadata(loadFixture("v9", ".replacecommit"), "f");
    const older = parseCommitMetadata(loadFixture("v6", ".replacecommit"), "f");
    const shapeOf = (value: CommitMetadata): unknown => {
      const stat = value.partitionToWriteStats.get("north")?.[0] as WriteStat;
      return [
        Object.keys(stat),
        stat.numWrites,
        stat.prevCommit,
        value.operationType,
        value.compacted,
      ];
    };
    expect(shapeOf(metadata)).toEqual(shapeOf(older));
    expect([...metadata.partitionToReplaceFileIds.keys()]).toEqual(["north"]);
    expect(metadata.extraMetadata.get("schema")).toContain('"v9_cow_record"');
    const log = parseCommitMetadata(loadFixtures("v9", ".deltacommit")[1]?.[1] as Buffer, "f");
    expect(log.partitionToWriteStats.get("north")?.[0]).toMatchObject({
      logVersion: 1,
      baseFile: "",
    });
  });
});

describe("what we write", () => {
  const metadata: CommitMetadata = {
    operationType: "UPSERT",
    compacted: true,
    partitionToWriteStats: new Map([
      ["b=2", [STAT]],
      [
        "10",
        [
          {
            ...STAT,
            cdcStats: new Map([["__proto__", 7]]),
            minEventTime: -5,
            maxEventTime: 2 ** 52,
          },
        ],
      ],
      ["__proto__", [{ ...STAT, durations: { scanMs: 1, upsertMs: 2, createMs: 3 } }, STAT]],
      ["", [{ ...STAT, logVersion: 1, logOffset: 0, baseFile: "b", logFiles: ["l1", "l2"] }]],
    ]),
    partitionToReplaceFileIds: new Map([["__proto__", ["x-0", "y-0"]]]),
    extraMetadata: new Map([
      ["schema", '{"type":"record"}'],
      ["__proto__", 'quote " and \u2028 and 😀'],
    ]),
  };

  test("every field comes back, of any partition and any text (CM-2, CM-7)", () => {
    const bytes = formatCommitMetadata(metadata);
    expect(parseCommitMetadata(bytes, "f")).toEqual(metadata);
    // Number-like partitions come first in memory, but the text keeps the order that was given.
    const text = Buffer.from(bytes).toString();
    expect(text.indexOf('"b=2":')).toBeLessThan(text.indexOf('"10":'));
  });

  test("any metadata comes back as it was (CM-2)", () => {
    const text = fc.string({ unit: "grapheme" });
    const count = fc.nat({ max: Number.MAX_SAFE_INTEGER });
    const stat = fc.record({
      fileId: text,
      path: text,
      prevCommit: text,
      partitionPath: text,
      numWrites: count,
      numDeletes: count,
      numUpdateWrites: count,
      numInserts: count,
      totalWriteBytes: count,
      fileSizeInBytes: count,
      totalWriteErrors: count,
    });
    const mapOf = <T>(value: fc.Arbitrary<T>) =>
      fc.array(fc.tuple(text, value)).map((list) => new Map(list));
    fc.assert(
      fc.property(
        mapOf(fc.array(stat)),
        mapOf(fc.array(text)),
        mapOf(text),
        (stats, replaced, extra) => {
          const given: CommitMetadata = {
            operationType: "UPSERT",
            compacted: false,
            partitionToWriteStats: stats,
            partitionToReplaceFileIds: replaced,
            extraMetadata: extra,
          };
          expect(parseCommitMetadata(formatCommitMetadata(given), "f")).toEqual(given);
        },
      ),
    );
  });

  test("a commit that replaces nothing has no list of replaced groups (CM-3)", () => {
    const plain = { ...metadata, partitionToReplaceFileIds: new Map() };
    expect(Buffer.from(formatCommitMetadata(plain)).toString()).not.toContain(
      "partitionToReplaceFileIds",
    );
  });

  test("a workload profile names inserts first, then each group that is updated (CM-4)", () => {
    const bytes = formatWorkloadProfile({
      operationType: "UPSERT",
      partitions: new Map([
        [
          "10",
          {
            numInserts: 5,
            fileGroups: [{ fileId: "f-0", prevCommit: "20260101000000000", numUpdateWrites: 3 }],
          },
        ],
        ["a", { numInserts: 0, fileGroups: [] }],
      ]),
    });
    const json = JSON.parse(Buffer.from(bytes).toString());
    expect(json).toMatchObject({ compacted: false, extraMetadata: {}, operationType: "UPSERT" });
    const [inserts, updates, ...rest] = json.partitionToWriteStats["10"];
    expect(rest).toEqual([]);
    const nothing = {
      path: null,
      partitionPath: null,
      numWrites: 0,
      numDeletes: 0,
      fileSizeInBytes: 0,
      runtimeStats: null,
    };
    expect(inserts).toMatchObject({
      ...nothing,
      fileId: "",
      prevCommit: "null",
      numInserts: 5,
      numUpdateWrites: 0,
    });
    expect(updates).toMatchObject({
      ...nothing,
      fileId: "f-0",
      prevCommit: "20260101000000000",
      numUpdateWrites: 3,
    });
    const parsed = parseCommitMetadata(bytes, "f");
    expect(parsed.partitionToWriteStats.get("10")?.[1]).toMatchObject({
      fileId: "f-0",
      path: "",
      partitionPath: "10",
    });
  });
});

describe("what others may have written", () => {
  test("an empty file is the metadata of nothing (CM-5)", () => {
    expect(parseCommitMetadata(new Uint8Array(0), "f")).toEqual(
      parseText('{"operationType":null}'),
    );
  });

  test("absent and null fields have their defaults and unknown fields are ignored (CM-5)", () => {
    const metadata = parseText(
      '{"partitionToWriteStats":{"p":[{"fileId":"f","prevCommit":null,"numWrites":null,"cdcStats":null,"new":{"a":[1]}}]},"extraMetadata":{"a":null,"b":"c"},"more":7}',
    );
    expect(metadata).toMatchObject({ operationType: "UNKNOWN", compacted: false });
    expect([...metadata.extraMetadata]).toEqual([["b", "c"]]);
    expect(metadata.partitionToWriteStats.get("p")).toEqual([
      {
        ...STAT,
        fileId: "f",
        path: "",
        partitionPath: "p",
        numWrites: 0,
        numDeletes: 0,
        numUpdateWrites: 0,
        numInserts: 0,
        totalWriteBytes: 0,
        fileSizeInBytes: 0,
      },
    ]);
  });

  test("hostile names are data: they set no field and no prototype (CM-7)", () => {
    const metadata = parseText(
      '{"__proto__":{"compacted":true,"operationType":"X"},"partitionToWriteStats":{"__proto__":[{"__proto__":{"fileId":"evil"},"path":"p"}],"constructor":[]},"extraMetadata":{"__proto__":"x","toString":"y"}}',
    );
    expect(metadata).toMatchObject({ operationType: "UNKNOWN", compacted: false });
    expect([...metadata.partitionToWriteStats.keys()]).toEqual(["__proto__", "constructor"]);
    expect(metadata.partitionToWriteStats.get("__proto__")?.[0]).toMatchObject({
      fileId: "",
      path: "p",
    });
    expect([...metadata.extraMetadata]).toEqual([
      ["__proto__", "x"],
      ["toString", "y"],
    ]);
    expect(({} as Record<string, unknown>).compacted).toBeUndefined();
  });

  test("a field that the file lacks is not looked up anywhere else (CM-7)", () => {
    const shared = Object.prototype as unknown as Record<string, unknown>;
    shared.compacted = true;
    try {
      expect(parseText("{}").compacted).toBe(false);
    } finally {
      delete shared.compacted;
    }
  });

  test.each([
    ["no JSON", "{"],
    ["a list", "[]"],
    ["null", "null"],
    ["a text", '"x"'],
    ["stats that are a list", '{"partitionToWriteStats":[]}'],
    ["stats of a partition that are no list", '{"partitionToWriteStats":{"p":{}}}'],
    ["a stat that is a number", '{"partitionToWriteStats":{"p":[5]}}'],
    ["a file id that is a number", '{"partitionToWriteStats":{"p":[{"fileId":5}]}}'],
    ["a path that is a list", '{"partitionToWriteStats":{"p":[{"path":["x"]}]}}'],
    ["a number that is a text", '{"partitionToWriteStats":{"p":[{"numWrites":"5"}]}}'],
    ["a number beyond 2^53", '{"partitionToWriteStats":{"p":[{"numWrites":9007199254740993}]}}'],
    ["a fraction", '{"partitionToWriteStats":{"p":[{"numWrites":0.5}]}}'],
    ["sizes that are texts", '{"partitionToWriteStats":{"p":[{"cdcStats":{"x":"5"}}]}}'],
    [
      "log files that are numbers",
      '{"partitionToWriteStats":{"p":[{"logVersion":1,"logFiles":[5]}]}}',
    ],
    ["durations that are a number", '{"partitionToWriteStats":{"p":[{"runtimeStats":5}]}}'],
    ["replaced ids that are numbers", '{"partitionToReplaceFileIds":{"p":[5]}}'],
    ["replaced ids that are no list", '{"partitionToReplaceFileIds":{"p":"x"}}'],
    ["extra metadata that is a number", '{"extraMetadata":{"a":5}}'],
    ["a flag that is a text", '{"compacted":"true"}'],
    ["an operation that is a record", '{"operationType":{}}'],
    ["lists a million deep", `{"a":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`],
    [
      "a deep list in a field that is not read, behind a quote",
      `{"a\\"":"\\\\","b":${"[".repeat(65)}${"]".repeat(65)}}`,
    ],
  ])("%s: refused with the name of the file (CM-8)", (_, text) => {
    expect(() => parseText(text)).toThrow(
      expect.objectContaining({
        code: "CORRUPT",
        path: "p/1.commit",
        message: expect.stringMatching(/^cannot read p\/1\.commit: found [^\n]*$/),
      }),
    );
  });

  test("text that is not UTF-8 is refused (CM-8)", () => {
    const bytes = Buffer.from('{"operationType":"\xff"}', "latin1");
    expect(() => parseCommitMetadata(bytes, "p/1.commit")).toThrow(
      expect.objectContaining({ code: "CORRUPT" }),
    );
  });

  test("brackets in texts do not count as nesting (CM-8)", () => {
    const text = `{"operationType":${JSON.stringify('[{"\\'.repeat(100))}}`;
    expect(parseText(text).operationType).toBe('[{"\\'.repeat(100));
  });

  test("more than 16 million values are refused before they are made (CM-8)", () => {
    const bytes = Buffer.alloc(2 * (16 * 1024 * 1024 + 2), "1,");
    bytes.set(Buffer.from("["), 0);
    bytes.set(Buffer.from("]"), bytes.length - 1);
    expect(() => parseCommitMetadata(bytes, "p/1.commit")).toThrow("16777216");
  });

  test("an Avro file with another content is refused (CM-6)", async () => {
    const schema = { type: "record", name: "R", fields: [{ name: "compacted", type: "string" }] };
    const bytes = await encodeAvroFile(schema, { compacted: "x" }, new Uint8Array(16));
    expect(() => parseCommitMetadata(bytes, "p/1.commit")).toThrow(
      expect.objectContaining({ code: "CORRUPT" }),
    );
  });

  test("every truncation of a file of Spark's is refused (CM-8)", () => {
    for (const bytes of [
      loadFixture("v6", ".replacecommit"),
      loadFixture("v9", ".replacecommit"),
    ]) {
      for (let length = 1; length < bytes.length; length += 1) {
        expect(() => parseCommitMetadata(bytes.subarray(0, length), "f")).toThrow(
          expect.objectContaining({ code: "CORRUPT" }),
        );
      }
    }
  });

  test("whatever byte of a file of Spark's changes, there is a value or an error of ours (CM-8)", () => {
    const bytes = loadFixture("v6", ".replacecommit");
    for (let at = 0; at < bytes.length; at += 1) {
      for (const byte of [0x00, 0x22, 0x5b, 0x7b, 0x31, 0xff]) {
        const changed = Buffer.from(bytes);
        changed[at] = byte;
        try {
          parseCommitMetadata(changed, "f");
        } catch (error) {
          if (!isHudiError(error)) expect.fail(`byte ${at}: ${error}`);
        }
      }
    }
  });
});
