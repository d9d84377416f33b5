// Paths and file names below a table: what we write, what we recognise, and what of a file's content
// may be used as a path.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  dataPath,
  formatBaseFileName,
  formatPartitionMetafile,
  heartbeatPath,
  markerFolder,
  markerPath,
  parseBaseFileName,
  parseLogFileName,
  parseMarkerPath,
  partitionDepth,
  partitionMetafilePath,
  requireDataPath,
  splitDataPath,
  timelineFolder,
  timelinePath,
} from "../../src/layout/table-paths.ts";

const INSTANT = "20261120091049414";
const UUID = "dd3a6e8a-0cf1-4ac4-8782-c68e153f9f28";

describe("base files (FN-1)", () => {
  test("have file id, write token and instant in their name", () => {
    const name = { fileId: `${UUID}-0`, writeToken: "1-14-16", instant: INSTANT };
    const text = `${UUID}-0_1-14-16_${INSTANT}.parquet`;
    expect(formatBaseFileName(name)).toBe(text);
    expect(parseBaseFileName(text)).toEqual(name);
  });

  test("of tables before milliseconds have fourteen digits (TL-1)", () => {
    expect(parseBaseFileName(`${UUID}-0_0-1-2_20201120091049.parquet`)?.instant).toBe(
      "20201120091049",
    );
  });

  test.each([
    `${UUID}-0_1-14-16_${INSTANT}.orc`,
    `${UUID}-0_1-14-16_${INSTANT}.parquet.crc`,
    `${UUID}-0_1-14-16.parquet`,
    `${UUID}-0_1-14-16_2026112009104.parquet`,
    `a_b_c_${INSTANT}.parquet`,
    `_1-14-16_${INSTANT}.parquet`,
    `${UUID}-0__${INSTANT}.parquet`,
    "part-00000-abc.snappy.parquet",
    "",
  ])("%s is none", (name) => {
    expect(parseBaseFileName(name)).toBeUndefined();
  });

  test("any name is written as it is read", () => {
    const part = fc.stringMatching(/^[a-z0-9-]{1,8}$/);
    fc.assert(
      fc.property(part, part, fc.stringMatching(/^\d{17}$/), (fileId, writeToken, instant) => {
        const name = { fileId, writeToken, instant };
        expect(parseBaseFileName(formatBaseFileName(name))).toEqual(name);
      }),
    );
  });
});

describe("log files (FN-2)", () => {
  test.each([
    [`.${UUID}-0_${INSTANT}.log.1_0-10-20`, { version: 1, writeToken: "0-10-20" }],
    [`.${UUID}-0_${INSTANT}.log.12`, { version: 12, writeToken: "" }],
  ])("%s is one", (name, expected) => {
    expect(parseLogFileName(name)).toEqual({ fileId: `${UUID}-0`, instant: INSTANT, ...expected });
  });

  test.each([
    `${UUID}-0_${INSTANT}.log.1_0-10-20`,
    `.${UUID}-0_${INSTANT}.log.1_0-10-20.cdc`,
    `.${UUID}-0_${INSTANT}.log`,
    ".hoodie_partition_metadata",
    `.${UUID}-0_1-14-16_${INSTANT}.parquet.crc`,
  ])("%s is none", (name) => {
    expect(parseLogFileName(name)).toBeUndefined();
  });
});

describe("markers (TX-6)", () => {
  test.each(["", "city=lisbon", "americas/brazil"])("in partition %j", (partitionPath) => {
    const path = markerPath(INSTANT, partitionPath, "f.parquet", "MERGE");
    expect(path).toBe(
      `.hoodie/.temp/${INSTANT}/${partitionPath === "" ? "" : `${partitionPath}/`}f.parquet.marker.MERGE`,
    );
    const expected = { partitionPath, fileName: "f.parquet", kind: "MERGE" };
    expect(parseMarkerPath(INSTANT, path)).toEqual(expected);
    expect(parseMarkerPath("20261120091049415", path)).toBeUndefined();
  });

  test("other files of the folder are none", () => {
    for (const name of ["MARKERS0", "MARKERS.type", "f.parquet", "f.parquet.marker.READ"]) {
      expect(parseMarkerPath(INSTANT, `${markerFolder(INSTANT)}/${name}`)).toBeUndefined();
    }
  });
});

describe("places below a table", () => {
  test("instants of layout 1 lie in .hoodie, those of layout 2 in .hoodie/timeline (TBL-1)", () => {
    expect([timelineFolder(1), timelineFolder(2)]).toEqual([".hoodie", ".hoodie/timeline"]);
    expect(timelinePath(2, "1.commit")).toBe(".hoodie/timeline/1.commit");
  });

  test("a heartbeat has the name of its instant (HB-1)", () => {
    expect(heartbeatPath(INSTANT)).toBe(`.hoodie/.heartbeat/${INSTANT}`);
  });

  test("a partition metafile says instant and depth (TBL-9)", () => {
    expect(partitionMetafilePath("")).toBe(".hoodie_partition_metadata");
    expect(partitionMetafilePath("a/b")).toBe("a/b/.hoodie_partition_metadata");
    expect([partitionDepth(""), partitionDepth("a"), partitionDepth("a/b")]).toEqual([0, 1, 2]);
    expect(formatPartitionMetafile(INSTANT, "a/b")).toBe(
      `#partition metadata\ncommitTime=${INSTANT}\npartitionDepth=2\n`,
    );
  });

  test("partition and name are joined and parted", () => {
    for (const path of ["f", "a/f", "a/b/f"]) {
      const { partitionPath, fileName } = splitDataPath(path);
      expect(dataPath(partitionPath, fileName)).toBe(path);
    }
  });
});

describe("paths that a file of the storage holds (FN-3)", () => {
  test.each([
    "f.parquet",
    "a/f",
    "city=x y/f",
    ".hoodie_partition_metadata",
    "a/.hoodie/f",
    "__proto__",
  ])("%s stays below the table", (path) => {
    expect(requireDataPath(path, "commit 1")).toBe(path);
  });

  test.each([
    "",
    "/etc/passwd",
    "../f",
    "a/../../f",
    "a/..",
    "./f",
    "a//f",
    "a/",
    ".hoodie/hoodie.properties",
    ".hoodie",
    "a\\..\\f",
    "a\0f",
  ])("%j is refused, with the file that named it", (path) => {
    expect(() => requireDataPath(path, "commit 1")).toThrow(
      expect.objectContaining({ code: "CORRUPT", message: expect.stringMatching(/commit 1/) }),
    );
  });
});
