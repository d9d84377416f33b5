// Which file slices a table has: listings joined with the timeline. No Parquet file is read for it.
import { describe, expect, test } from "vitest";
import { listPartitions, loadFileSystemView } from "../../src/file-group/file-system-view.ts";
import { parseTableConfig } from "../../src/layout/table-config.ts";
import { PARTITION_METAFILE } from "../../src/layout/table-paths.ts";
import { systemRuntime } from "../../src/runtime/runtime.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { loadActiveTimeline } from "../../src/timeline/active-timeline.ts";
import { formatCommitMetadata } from "../../src/timeline/commit-metadata.ts";
import type { TableContext } from "../../src/timeline/table-context.ts";
import { countCalls } from "../read/counted-storage.ts";

/** Instants of one day, by their minute. */
const at = (minute: number): string => `2026010100${String(minute).padStart(2, "0")}00000`;
const file = (group: string, minute: number): string => `${group}_0-0-0_${at(minute)}.parquet`;

const REPLACES = (partition: string, ...ids: string[]): Uint8Array =>
  formatCommitMetadata({
    operationType: "INSERT_OVERWRITE",
    compacted: false,
    partitionToWriteStats: new Map(),
    partitionToReplaceFileIds: new Map([[partition, ids]]),
    extraMetadata: new Map(),
  });

interface Files {
  readonly [path: string]: Uint8Array | "";
}

/** A table of these files; names of instants stand for themselves. */
async function makeTable(
  files: Files,
  partitionField: string | undefined = undefined,
): Promise<{ context: TableContext; counted: ReturnType<typeof countCalls> }> {
  const counted = countCalls(new MemoryStorage());
  const { storage } = counted;
  for (const [path, bytes] of Object.entries(files)) {
    await storage.put(path, bytes === "" ? new Uint8Array(0) : bytes);
  }
  const text = [
    "hoodie.table.name=t",
    "hoodie.table.type=COPY_ON_WRITE",
    "hoodie.table.version=6",
    "hoodie.timeline.layout.version=1",
    `hoodie.table.partition.fields=${partitionField ?? ""}`,
  ].join("\n");
  const config = parseTableConfig(text, "here");
  return { context: { storage, config, runtime: systemRuntime }, counted };
}

const commits = (...minutes: number[]): Files =>
  Object.fromEntries(minutes.map((minute) => [`.hoodie/${at(minute)}.commit`, "" as const]));

/** The visible files of a table, by partition and name. */
async function visible(
  files: Files,
  options: { asOf?: string; partitionField?: string } = {},
): Promise<string[]> {
  const { context } = await makeTable(files, options.partitionField);
  const timeline = await loadActiveTimeline(context);
  const { slices } = await loadFileSystemView(context, timeline, { asOf: options.asOf });
  return slices.flatMap(({ baseFile }) => baseFile?.path ?? []).sort();
}

const ARCHIVE = { ".hoodie/archived/.commits_.archive.1_1-0-1": "" } as const;

describe("visible files (FSV-2)", () => {
  test("are the newest of completed writes, one for each group", async () => {
    expect(
      await visible({
        ...commits(1, 2),
        [file("a", 1)]: "",
        [file("a", 2)]: "",
        [file("b", 1)]: "",
      }),
    ).toEqual([file("a", 2), file("b", 1)]);
  });

  test("delta commits and replace commits are writes too", async () => {
    expect(
      await visible({
        [`.hoodie/${at(1)}.deltacommit`]: "",
        [`.hoodie/${at(2)}.replacecommit`]: REPLACES(""),
        [file("a", 1)]: "",
        [file("b", 2)]: "",
      }),
    ).toEqual([file("a", 1), file("b", 2)]);
  });

  test.each([
    ["requested", [`.hoodie/${at(2)}.commit.requested`]],
    ["inflight", [`.hoodie/${at(2)}.commit.requested`, `.hoodie/${at(2)}.inflight`]],
    ["without an instant", []],
    ["of an instant of another action", [`.hoodie/${at(2)}.clean`]],
  ])("a file of a write that is %s is passed over, torn or not", async (_, instants) => {
    const pending = Object.fromEntries(instants.map((path) => [path, "" as const]));
    const torn = { [file("a", 2)]: Buffer.from("PAR1"), [file("new", 2)]: "" as const };
    expect(await visible({ ...commits(1, 3), ...pending, [file("a", 1)]: "", ...torn })).toEqual([
      file("a", 1),
    ]);
  });

  test("where nothing was archived, older files than the first write are nobody's", async () => {
    for (const archive of [{}, { ".hoodie/archived/.commits_.archive.1_1-0-1.crc": "" as const }]) {
      const files = { [file("a", 3)]: "", [file("a", 6)]: "", [file("b", 3)]: "" } as const;
      expect(await visible({ ...archive, ...commits(5, 6), ...files })).toEqual([file("a", 6)]);
    }
  });

  test("older files than the first write are of archived ones", async () => {
    expect(
      await visible({
        ...ARCHIVE,
        ...commits(5, 6),
        [file("a", 3)]: "",
        [file("b", 6)]: "",
        [file("c", 7)]: "",
      }),
    ).toEqual([file("a", 3), file("b", 6)]);
  });

  test("an old rollback or clean that archival left behind hides nothing", async () => {
    expect(
      await visible({
        ...ARCHIVE,
        [`.hoodie/${at(1)}.rollback`]: "",
        [`.hoodie/${at(2)}.clean`]: "",
        ...commits(5),
        [file("a", 3)]: "",
      }),
    ).toEqual([file("a", 3)]);
  });

  test("nor does a commit that a savepoint held back when later ones were archived", async () => {
    expect(
      await visible({
        ...ARCHIVE,
        ...commits(1, 8),
        [`.hoodie/${at(1)}.savepoint`]: "",
        [file("a", 1)]: "",
        [file("b", 4)]: "",
      }),
    ).toEqual([file("a", 1), file("b", 4)]);
  });

  test("a pending write is no archived one, be it the oldest of all", async () => {
    expect(
      await visible({
        [`.hoodie/${at(1)}.commit.requested`]: "",
        ...commits(5),
        [file("a", 1)]: "",
        [file("b", 5)]: "",
      }),
    ).toEqual([file("b", 5)]);
  });

  test("a table without commits has none", async () => {
    expect(await visible({ [file("a", 1)]: "" })).toEqual([]);
    expect(await visible({})).toEqual([]);
  });

  test("instants of fourteen digits are matched as they stand (TL-1)", async () => {
    const old = "a_0-0-0_20200101000000.parquet";
    expect(
      await visible({ ".hoodie/20200101000000.commit": "", ...commits(1), [old]: "" }),
    ).toEqual([old]);
  });
});

describe("as of an instant (FSV-3)", () => {
  const files = {
    ...commits(1, 2, 3),
    [file("a", 1)]: "",
    [file("a", 2)]: "",
    [file("b", 3)]: "",
  } as const;

  test.each([
    [at(0), []],
    [at(1), [file("a", 1)]],
    [at(2), [file("a", 2)]],
    [`${at(2)}9`, [file("a", 2)]],
    [at(3), [file("a", 2), file("b", 3)]],
  ])("%s", async (asOf, expected) => {
    expect(await visible(files, { asOf })).toEqual(expected);
  });
});

describe("replaced file groups (FSV-4)", () => {
  const files = {
    ...commits(1, 3),
    [`.hoodie/${at(2)}.replacecommit`]: REPLACES("p=1", "a"),
    [`p=1/${PARTITION_METAFILE}`]: "",
    [`p=1/${file("a", 1)}`]: "",
    [`p=1/${file("n", 2)}`]: "",
    [`p=2/${file("a", 3)}`]: "",
  } as const;

  test("are gone from the instant on that replaced them", async () => {
    const partitionField = "p";
    expect(await visible(files, { partitionField })).toEqual([
      `p=1/${file("n", 2)}`,
      `p=2/${file("a", 3)}`,
    ]);
    expect(await visible(files, { partitionField, asOf: at(1) })).toEqual([`p=1/${file("a", 1)}`]);
    expect(await visible(files, { partitionField, asOf: at(2) })).toEqual([`p=1/${file("n", 2)}`]);
  });

  test("a replace commit that is pending replaces nothing", async () => {
    const { [`.hoodie/${at(2)}.replacecommit`]: _, ...rest } = files;
    const pending = { ...rest, [`.hoodie/${at(2)}.replacecommit.inflight`]: REPLACES("p=1", "a") };
    expect(await visible(pending as Files, { partitionField: "p" })).toEqual([
      `p=1/${file("a", 1)}`,
      `p=2/${file("a", 3)}`,
    ]);
  });
});

describe("partitions (FSV-1)", () => {
  const metafile = (partition: string): Files => ({ [`${partition}/${PARTITION_METAFILE}`]: "" });
  const partitionsOf = async (files: Files): Promise<string[]> =>
    listPartitions((await makeTable(files, "p")).context);

  test("are folders with a metafile or base files", async () => {
    expect(
      await partitionsOf({ ...metafile("p=1"), [`p=2/${file("a", 1)}`]: "", "p=3/notes.txt": "" }),
    ).toEqual(["p=1", "p=2"]);
  });

  test("may lie deeper than there are columns, because values may hold slashes", async () => {
    expect(
      await partitionsOf({
        ...metafile("americas/brazil/sao_paulo"),
        ...metafile("americas/chile"),
        ...metafile("asia"),
      }),
    ).toEqual(["americas/brazil/sao_paulo", "americas/chile", "asia"]);
  });

  test("are none of Hudi's own folders and no hidden ones", async () => {
    expect(
      await partitionsOf({
        [`.hoodie/metadata/files/${PARTITION_METAFILE}`]: "",
        [`.hidden/${file("a", 1)}`]: "",
        [`p=1/.hoodie_tmp/${file("a", 1)}`]: "",
        [`p=1/${file("a", 1)}`]: "",
      }),
    ).toEqual(["p=1"]);
  });

  test("of a table without partition columns are the table alone", async () => {
    const { context, counted } = await makeTable({ [`p=1/${file("a", 1)}`]: "" });
    expect(await listPartitions(context)).toEqual([""]);
    expect(counted.listed).toEqual([""]);
  });

  test("that a filter rules out are not listed", async () => {
    const { context, counted } = await makeTable(
      { ...commits(1), ...metafile("p=1"), ...metafile("p=2"), ...metafile("p=3") },
      "p",
    );
    const timeline = await loadActiveTimeline(context);
    counted.listed.length = 0;
    const keepPartition = (path: string): boolean => path === "p=2";
    const view = await loadFileSystemView(context, timeline, { keepPartition });
    expect(counted.listed).toEqual(["", "p=2"]);
    expect([...view.knownPartitions]).toEqual(["p=2"]);
  });

  test("with a metafile are known, others are not (TBL-9)", async () => {
    const { context } = await makeTable(
      { ...commits(1), ...metafile("p=1"), [`p=2/${file("a", 1)}`]: "" },
      "p",
    );
    const timeline = await loadActiveTimeline(context);
    const view = await loadFileSystemView(context, timeline, { partitions: ["p=1", "p=2", "p=3"] });
    expect([...view.knownPartitions]).toEqual(["p=1"]);
    expect(view.slices.map((slice) => slice.partitionPath)).toEqual(["p=2"]);
  });
});
