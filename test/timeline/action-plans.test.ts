// Plans and metadata of the timeline against those that Spark wrote. Rules: spec/format/action-plans.md.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { decodeAvroFile, encodeAvroFile } from "../../src/format/avro-file.ts";
import {
  decodeCleanMetadata,
  decodeCleanPlan,
  encodeCleanMetadata,
  encodeCleanPlan,
} from "../../src/timeline/clean-plan.ts";
import { decodeCompactionPlan, encodeCompactionPlan } from "../../src/timeline/compaction-plan.ts";
import { decodeRequestedReplace, encodeRequestedReplace } from "../../src/timeline/replace-plan.ts";
import {
  decodeRollbackMetadata,
  encodeRollbackMetadata,
} from "../../src/timeline/rollback-metadata.ts";
import { decodeRollbackPlan, encodeRollbackPlan } from "../../src/timeline/rollback-plan.ts";
import {
  decodeSavepointMetadata,
  encodeSavepointMetadata,
} from "../../src/timeline/savepoint-metadata.ts";

const TIMELINE = new URL("../../fixtures/timeline/", import.meta.url);
const UUID = "[0-9a-f]{8}-[0-9a-f-]{27}-0";
const VERSIONS = ["v6", "v9"] as const;

/** The files of a version whose name ends so, oldest first. */
function loadFixtures(version: string, suffix: string): readonly Buffer[] {
  const folder = new URL(`${version}/`, TIMELINE);
  const names = readdirSync(folder).filter((name) => name.endsWith(suffix));
  expect(names.length, `fixtures of ${version} that end in ${suffix}`).toBeGreaterThan(0);
  return names.sort().map((name) => readFileSync(new URL(name, folder)));
}

function loadFixture(version: string, suffix: string): Buffer {
  return loadFixtures(version, suffix)[0] as Buffer;
}

/** The sync marker that ends a file. */
function syncOf(bytes: Uint8Array): Uint8Array {
  return bytes.slice(-16);
}

/** Everything after the header: number of records, their bytes, the marker. */
function blockOf(bytes: Uint8Array): string {
  const buffer = Buffer.from(bytes);
  return buffer.subarray(buffer.indexOf(syncOf(bytes)) + 16).toString("hex");
}

/** A file's schema without the words that explain it. */
function schemaOf(bytes: Uint8Array): unknown {
  return JSON.parse(decodeAvroFile(bytes, "f").schemaText, (key, value) =>
    key === "doc" ? undefined : value,
  );
}

describe("rollbacks", () => {
  test("the plan of Hudi 0.15 is read, and written again byte by byte under the same schema (AP-1, AP-2)", async () => {
    const theirs = loadFixture("v6", ".rollback.requested");
    const plan = decodeRollbackPlan(theirs, "f");
    expect(plan.instantToRollback).toEqual({
      time: expect.stringMatching(/^\d{17}$/),
      action: "commit",
    });
    expect(plan.requests.map((request) => request.partitionPath).sort()).toEqual(["north", "ключ"]);
    for (const request of plan.requests) {
      const [file] = request.filesToBeDeleted as [string];
      expect(file).toMatch(
        new RegExp(
          `^/.*/v6_cow/${request.partitionPath}/${request.fileId}_[-0-9]+_${plan.instantToRollback.time}\\.parquet$`,
        ),
      );
      expect(request.latestBaseInstant).toBe(plan.instantToRollback.time);
    }
    const ours = await encodeRollbackPlan(plan, syncOf(theirs));
    expect(blockOf(ours)).toBe(blockOf(theirs));
    expect(schemaOf(ours)).toEqual(schemaOf(theirs));
  });

  test("the metadata of Hudi 0.15 is read, and written again byte by byte under the same schema (AP-1, AP-3)", async () => {
    const theirs = loadFixture("v6", ".rollback");
    const metadata = decodeRollbackMetadata(theirs, "f");
    const plan = decodeRollbackPlan(loadFixture("v6", ".rollback.requested"), "f");
    expect(metadata.instantsRollback).toEqual([plan.instantToRollback]);
    expect(metadata.totalFilesDeleted).toBe(2);
    const deleted = [...metadata.partitions.values()].flatMap(
      (partition) => partition.successDeleteFiles,
    );
    expect(deleted.sort()).toEqual(
      plan.requests.flatMap((request) => request.filesToBeDeleted).sort(),
    );
    const ours = await encodeRollbackMetadata(metadata, syncOf(theirs));
    expect(blockOf(ours)).toBe(blockOf(theirs));
    expect(schemaOf(ours)).toEqual(schemaOf(theirs));
  });

  test("those of Hudi 1.1 are read (AP-2, AP-3)", () => {
    const plan = decodeRollbackPlan(loadFixture("v9", ".rollback.requested"), "f");
    const metadata = decodeRollbackMetadata(loadFixture("v9", ".rollback"), "f");
    expect(metadata.instantsRollback).toEqual([plan.instantToRollback]);
    expect(plan.requests).toHaveLength(2);
  });

  test("any partition, any file name and log blocks come back (AP-2, AP-3)", async () => {
    const plan = {
      instantToRollback: { time: "20260101000000000", action: "deltacommit" },
      requests: [
        {
          partitionPath: "",
          fileId: "",
          latestBaseInstant: "",
          filesToBeDeleted: [],
          logBlocksToBeDeleted: new Map(),
        },
        {
          partitionPath: "__proto__",
          fileId: "f-0",
          latestBaseInstant: "20250101000000000",
          filesToBeDeleted: ["s3://b/ключ 1"],
          logBlocksToBeDeleted: new Map([["__proto__", 5_000_000_000]]),
        },
      ],
    };
    expect(decodeRollbackPlan(await encodeRollbackPlan(plan, new Uint8Array(16)), "f")).toEqual(
      plan,
    );
    const metadata = {
      startRollbackTime: "20260101000000001",
      timeTakenMs: 2 ** 40,
      totalFilesDeleted: 1,
      instantsRollback: [plan.instantToRollback],
      partitions: new Map([
        [
          "__proto__",
          {
            successDeleteFiles: ["a"],
            failedDeleteFiles: ["b"],
            rollbackLogFiles: new Map([["c", 1]]),
            logFilesFromFailedCommit: new Map([["d", 2]]),
          },
        ],
      ]),
    };
    expect(
      decodeRollbackMetadata(await encodeRollbackMetadata(metadata, new Uint8Array(16)), "f"),
    ).toEqual(metadata);
  });
});

describe("requests of replace commits", () => {
  test("that of an insert overwrite says nothing, and ours is the same byte by byte (AP-1, AP-4)", async () => {
    for (const version of VERSIONS) {
      expect(decodeRequestedReplace(loadFixture(version, ".replacecommit.requested"), "f")).toEqual(
        {
          operationType: undefined,
          clustering: undefined,
        },
      );
    }
    const theirs = loadFixture("v6", ".replacecommit.requested");
    const ours = await encodeRequestedReplace(syncOf(theirs));
    expect(blockOf(ours)).toBe(blockOf(theirs));
    expect(schemaOf(ours)).toEqual(schemaOf(theirs));
  });

  test("that of a clustering names the file groups it will replace (AP-4)", () => {
    const plans = [
      loadFixtures("v6", ".replacecommit.requested")[1] as Buffer,
      loadFixture("v9", ".clustering.requested"),
    ];
    for (const bytes of plans) {
      const request = decodeRequestedReplace(bytes, "f");
      expect(request.operationType).toBe("CLUSTER");
      expect(request.clustering?.map((group) => group.partitionPath).sort()).toEqual([
        "north",
        "ключ",
      ]);
      for (const group of request.clustering ?? [])
        expect(group.fileId).toMatch(new RegExp(`^${UUID}$`));
    }
  });

  test("an empty file asks for nothing (AP-4)", () => {
    expect(decodeRequestedReplace(new Uint8Array(0), "f").clustering).toBeUndefined();
  });
});

describe("table services", () => {
  test.each(VERSIONS)("a compaction plan of %s names file slices (AP-5)", (version) => {
    const { operations } = decodeCompactionPlan(loadFixture(version, ".compaction.requested"), "f");
    expect(operations.map((operation) => operation.partitionPath).sort()).toEqual([
      "north",
      "ключ",
    ]);
    for (const { fileId, baseInstant, dataFile, logFiles } of operations) {
      expect(dataFile).toMatch(new RegExp(`^${fileId}_.*_${baseInstant}\\.parquet$`));
      expect(logFiles).toEqual([
        expect.stringMatching(new RegExp(`^\\.${fileId}_\\d{17}\\.log\\.1_`)),
      ]);
    }
  });

  test.each(VERSIONS)(
    "a clean of %s names what it deletes, and then what it deleted (AP-6)",
    (version) => {
      const plan = decodeCleanPlan(loadFixture(version, ".clean.requested"), "f");
      const metadata = decodeCleanMetadata(loadFixture(version, ".clean"), "f");
      expect(plan.earliestToRetain?.time).toBe(metadata.earliestCommitToRetain);
      expect(plan.partitionsToBeDeleted).toEqual([]);
      const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
      const names = (files: ReadonlyMap<string, readonly string[]>): unknown =>
        Array.from(files, ([partition, paths]) => [partition, paths.map(nameOf).sort()]).sort();
      expect(names(plan.filesToBeDeleted)).toEqual(names(metadata.deletedFiles));
      expect([...plan.filesToBeDeleted.values()].flat()).toHaveLength(5);
      expect(plan.filesToBeDeleted.get("north")?.[0]).toMatch(/^file:\/.*\.parquet$/);
    },
  );

  test.each(VERSIONS)("a savepoint of %s names the files it keeps (AP-7)", (version) => {
    const { files } = decodeSavepointMetadata(loadFixture(version, ".savepoint"), "f");
    expect([...files.keys()].sort()).toEqual(["north", "ключ"]);
    for (const names of files.values())
      expect(names[0]).toMatch(new RegExp(`^${UUID}_.*\\.parquet$`));
  });
});

describe("what table services write, byte by byte as Hudi 0.15 wrote it", () => {
  const written: readonly (readonly [
    string,
    string,
    (bytes: Uint8Array, sync: Uint8Array) => Promise<Uint8Array>,
  ])[] = [
    [
      "a compaction plan (AP-1, AP-5)",
      ".compaction.requested",
      (bytes, sync) => encodeCompactionPlan(decodeCompactionPlan(bytes, "f"), sync),
    ],
    [
      "a clean plan (AP-1, AP-6)",
      ".clean.requested",
      (bytes, sync) => encodeCleanPlan(decodeCleanPlan(bytes, "f"), sync),
    ],
    [
      "the metadata of a clean (AP-1, AP-6)",
      ".clean",
      (bytes, sync) => encodeCleanMetadata(decodeCleanMetadata(bytes, "f"), sync),
    ],
    [
      "a savepoint (AP-1, AP-7)",
      ".savepoint",
      (bytes, sync) => encodeSavepointMetadata(decodeSavepointMetadata(bytes, "f"), sync),
    ],
  ];
  test.each(written)("%s", async (_, suffix, rewrite) => {
    const theirs = loadFixture("v6", suffix);
    const ours = await rewrite(theirs, syncOf(theirs));
    expect(blockOf(ours)).toBe(blockOf(theirs));
    expect(schemaOf(ours)).toEqual(schemaOf(theirs));
  });
});

describe("files that are something else", () => {
  const decoders: readonly (readonly [string, (bytes: Uint8Array, path: string) => unknown])[] = [
    ["a rollback plan", decodeRollbackPlan],
    ["rollback metadata", decodeRollbackMetadata],
    ["a compaction plan", decodeCompactionPlan],
    ["a clean plan", decodeCleanPlan],
    ["clean metadata", decodeCleanMetadata],
    ["savepoint metadata", decodeSavepointMetadata],
    ["a requested replace", decodeRequestedReplace],
  ];
  const refusal = expect.objectContaining({
    code: "CORRUPT",
    path: "p/1.x",
    message: expect.stringMatching(/^cannot read p\/1\.x: found /),
  });

  test.each(decoders)(
    "%s: another record, none, JSON and a torn file are refused by name (AP-8)",
    async (_, decode) => {
      const schema = { type: "record", name: "Other", fields: [{ name: "x", type: "int" }] };
      const other = await encodeAvroFile(schema, { x: 1 }, new Uint8Array(16));
      for (const bytes of [other, other.subarray(0, -20), Buffer.from('{"x":1}')]) {
        expect(() => decode(bytes, "p/1.x")).toThrow(refusal);
      }
      const rollback = await encodeRollbackPlan(
        { instantToRollback: { time: "1", action: "commit" }, requests: [] },
        new Uint8Array(16).fill(7),
      );
      const withoutRecord = rollback.subarray(
        0,
        Buffer.from(rollback).indexOf(syncOf(rollback)) + 16,
      );
      expect(() => decode(withoutRecord, "p/1.x")).toThrow(refusal);
    },
  );

  test("two records of the right kind are refused (AP-8)", () => {
    const one = loadFixture("v6", ".compaction.requested");
    const block = one.subarray(one.indexOf(syncOf(one)) + 16);
    expect(() => decodeCompactionPlan(Buffer.concat([one, block]), "p/1.x")).toThrow(refusal);
  });

  test("a plan with a field of another type is refused by file and field (AP-8)", async () => {
    const schema = {
      type: "record",
      name: "HoodieCompactionPlan",
      fields: [
        {
          name: "operations",
          type: {
            type: "array",
            items: { type: "record", name: "O", fields: [{ name: "fileId", type: "int" }] },
          },
        },
      ],
    };
    const bytes = await encodeAvroFile(schema, { operations: [{ fileId: 5 }] }, new Uint8Array(16));
    expect(() => decodeCompactionPlan(bytes, "p/1.x")).toThrow(refusal);
    expect(() => decodeCompactionPlan(bytes, "p/1.x")).toThrow("fileId");
  });

  test("a plan that lacks fields that newer or older writers have is read (AP-8)", async () => {
    const schema = {
      type: "record",
      name: "other.namespace.HoodieCompactionPlan",
      fields: [{ name: "unknown", type: "int" }],
    };
    const bytes = await encodeAvroFile(schema, { unknown: 5 }, new Uint8Array(16));
    expect(decodeCompactionPlan(bytes, "p/1.x")).toEqual({ operations: [] });
  });
});
