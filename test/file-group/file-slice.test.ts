// What the objects of a partition folder are to a table.
import { describe, expect, test } from "vitest";
import { fileGroupKey, groupFiles, requireBaseFile } from "../../src/file-group/file-slice.ts";
import type { StoredObject } from "../../src/storage/storage.ts";

const object = (path: string, sizeBytes = 1): StoredObject => ({
  path,
  sizeBytes,
  modifiedMs: 0,
  tag: "",
});
const group = (...paths: string[]): ReturnType<typeof groupFiles> =>
  groupFiles(
    "p",
    paths.map((path) => object(`p/${path}`)),
  );

describe("a folder (FSV-5)", () => {
  test("holds the base files of its groups, oldest first", () => {
    const groups = groupFiles("p", [
      object("p/b_0-0-0_20260103000000000.parquet", 3),
      object("p/a_0-0-0_20260102000000000.parquet", 2),
      object("p/b_1-1-1_20260101000000000.parquet", 1),
      object("p/b_0-0-0_20200101000000.parquet", 4),
    ]);
    expect(
      groups.map(({ fileId, baseFiles }) => [
        fileId,
        baseFiles.map((f) => [f.instant, f.sizeBytes]),
      ]),
    ).toEqual([
      [
        "b",
        [
          ["20200101000000", 4],
          ["20260101000000000", 1],
          ["20260103000000000", 3],
        ],
      ],
      ["a", [["20260102000000000", 2]]],
    ]);
  });

  test("is empty of anything else that is no Parquet file", () => {
    expect(
      group(
        ".hoodie_partition_metadata",
        ".a_0-0-0_20260101000000000.parquet.crc",
        "_SUCCESS",
        "notes.txt",
        "a_0-0-0_20260101000000000.orc",
        ".DS_Store",
      ),
    ).toEqual([]);
  });

  test.each([
    "part-00000.parquet",
    "a_0-0-0_20260101000000000.parquet.tmp",
    "a_0-0-0.parquet",
    "a_0-0-0_2026.parquet",
  ])("with a Parquet file of a foreign name, %s, is an error that says what to do", (name) => {
    expect(() => group(name)).toThrow(
      expect.objectContaining({
        code: "CORRUPT",
        path: `p/${name}`,
        message: expect.stringMatching(/partition "p".*move it out of the table/),
      }),
    );
  });

  test("with a log file is one of a merge-on-read table (FN-2)", () => {
    const [found] = group(".a_20260101000000000.log.1_0-1-0");
    expect(found).toMatchObject({
      fileId: "a",
      baseFiles: [],
      logFiles: [{ version: 1, instant: "20260101000000000", writeToken: "0-1-0" }],
    });
  });
});

test("equal file ids of different partitions are different groups", () => {
  expect(fileGroupKey("a", "x")).not.toBe(fileGroupKey("b", "x"));
  expect(fileGroupKey("", "x")).not.toBe(fileGroupKey("x", ""));
});

test("the path of a write stat is that of a base file, or damage (FN-1)", () => {
  expect(requireBaseFile("p/q/a_0-0-0_20260101000000000.parquet", 7, "commit 1")).toEqual({
    partitionPath: "p/q",
    fileId: "a",
    baseInstant: "20260101000000000",
    baseFile: {
      path: "p/q/a_0-0-0_20260101000000000.parquet",
      fileName: "a_0-0-0_20260101000000000.parquet",
      instant: "20260101000000000",
      sizeBytes: 7,
    },
    logFiles: [],
  });
  expect(() => requireBaseFile("p/other.parquet", 7, "commit 1")).toThrow(
    expect.objectContaining({ code: "CORRUPT", message: expect.stringMatching(/commit 1/) }),
  );
});
