import { describe, expect, it } from "vitest";
import { type HudiError, isHudiError } from "../../src/errors.ts";
import { encodeAvroFile } from "../../src/format/avro-file.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import { parseBaseFileName, splitDataPath } from "../../src/layout/table-paths.ts";
import type { MemoryStorageOptions } from "../../src/storage/memory-storage.ts";
import type { WriteSettings } from "../../src/write/write-settings.ts";
import { rowTexts } from "../support/row-text.ts";
import {
  baseFiles,
  completedCommits,
  findFileFaults,
  loadMetadata,
} from "../support/store-checks.ts";
import { SETTINGS, type Shared, share, text, thrownBy } from "./write-context.ts";

type Row = {
  readonly id: string;
  readonly part: string;
  readonly value: bigint;
};

const row = (id: string, value: number, part = "p"): Row => ({ id, part, value: BigInt(value) });

function open(
  shared: Shared,
  options: MemoryStorageOptions & { write?: Partial<WriteSettings> } = {},
): Promise<HudiTable<Row>> {
  const { write, ...storageOptions } = options;
  const { storage, runtime } = shared.process(storageOptions);
  return HudiTable.open<Row>("memory:", {
    storage,
    runtime,
    write: { ...SETTINGS, ...write },
    workers: { count: 0 },
  });
}

/** A writer before whose first completion another one does its work. */
async function openAndRace(
  shared: Shared,
  other: (table: HudiTable<Row>) => Promise<unknown>,
  write: Partial<WriteSettings> = {},
): Promise<HudiTable<Row>> {
  let hasRaced = false;
  return open(shared, {
    write,
    beforeCall: async ({ method }) => {
      if (method !== "probeConditionalWrites" || hasRaced) return;
      hasRaced = true;
      shared.clock.advance(5);
      await other(await open(shared));
    },
  });
}

async function rowsOf(shared: Shared): Promise<string[]> {
  return rowTexts(await (await open(shared)).read().toArray());
}

describe("two writers at once", () => {
  it("that rewrite one file group do it one after the other (CF-1, CF-3, CF-6)", async () => {
    const shared = await share();
    await (await open(shared)).upsert([row("a", 1), row("b", 1)]);
    const slow = await openAndRace(shared, (other) => other.upsert([row("a", 2)]));
    const commit = await slow.upsert([row("b", 3)]);
    expect(await rowsOf(shared)).toEqual(rowTexts([row("a", 2), row("b", 3)]));
    const commits = completedCommits(shared.store);
    expect(commits).toHaveLength(3);
    const [stat] = loadMetadata(shared.store, commit.instant).partitionToWriteStats.get("p") ?? [];
    expect(stat?.prevCommit).toBe(commits[1]);
    expect(findFileFaults(shared.store)).toEqual([]);
  });

  it("end with CONFLICT for the second when it is not to try again (CF-3, CF-6)", async () => {
    const shared = await share();
    await (await open(shared)).upsert([row("a", 1)]);
    const slow = await openAndRace(shared, (other) => other.upsert([row("a", 2)]), {
      conflictRetries: 0,
    });
    const error = (await thrownBy(slow.upsert([row("a", 3)]))) as HudiError;
    expect(isHudiError(error, "CONFLICT")).toBe(true);
    const [file] = baseFiles(shared.store);
    const { fileId } = parseBaseFileName(splitDataPath(file as string).fileName) as {
      fileId: string;
    };
    expect(error.message).toContain(fileId);
    expect(error.message).toContain(completedCommits(shared.store)[1] as string);
    expect(await rowsOf(shared)).toEqual(rowTexts([row("a", 2)]));
    expect(findFileFaults(shared.store)).toEqual([]);
  });

  it("that insert one new key write it once (CF-4)", async () => {
    const shared = await share();
    await (await open(shared)).upsert([row("a", 1)]);
    const slow = await openAndRace(shared, (other) => other.bulkInsert([row("n", 2)]));
    const commit = await slow.upsert([row("n", 3, "p")]);
    expect(commit).toMatchObject({ inserted: 0, updated: 1 });
    expect(await rowsOf(shared)).toEqual(rowTexts([row("a", 1), row("n", 3)]));
  });

  it("that insert one key in two partitions do not disturb each other (CF-4)", async () => {
    const shared = await share();
    const slow = await openAndRace(shared, (other) => other.upsert([row("n", 2, "q")]));
    expect(await slow.upsert([row("n", 3)])).toMatchObject({ inserted: 1 });
    expect(await rowsOf(shared)).toEqual(rowTexts([row("n", 3), row("n", 2, "q")]));
  });

  it("one of which deletes what the other has just inserted leave nothing (CF-4)", async () => {
    const shared = await share();
    const slow = await openAndRace(shared, (other) => other.upsert([row("n", 2)]));
    expect(await slow.delete([{ id: "n", part: "p" }])).toMatchObject({ deleted: 1 });
    expect(await rowsOf(shared)).toEqual([]);
  });

  it("insert a key twice where they look nothing up, as in Hudi (CF-4)", async () => {
    const shared = await share();
    const slow = await openAndRace(shared, (other) => other.bulkInsert([row("n", 2)]));
    await slow.bulkInsert([row("n", 3)]);
    expect(await rowsOf(shared)).toEqual(rowTexts([row("n", 2), row("n", 3)]));
  });

  it("that make new file groups at the same time do not disturb each other (CF-5)", async () => {
    const shared = await share();
    const first = await openAndRace(shared, (other) => other.bulkInsert([row("b", 2)]), {
      conflictRetries: 0,
    });
    await first.bulkInsert([row("a", 1)]);
    expect(await rowsOf(shared)).toEqual(rowTexts([row("a", 1), row("b", 2)]));
    expect(baseFiles(shared.store)).toHaveLength(2);
  });

  it("of which the one with the lower instant ends last compare all the same (TX-7, CF-1)", async () => {
    const shared = await share();
    await (await open(shared)).upsert([row("a", 1)]);
    let hasRaced = false;
    const slow = await open(shared, {
      beforeCall: async ({ path }) => {
        // The other one begins after this one has listed, and so has a greater instant.
        if (!path.endsWith(".inflight") || hasRaced) return;
        hasRaced = true;
        shared.clock.advance(5);
        await (await open(shared)).upsert([row("a", 2)]);
      },
    });
    await slow.upsert([row("a", 3)]);
    expect(await rowsOf(shared)).toEqual(rowTexts([row("a", 3)]));
    expect(completedCommits(shared.store)).toHaveLength(3);
  });
});

/** The plan of a pending service over one file group. */
async function planOver(
  kind: "clustering" | "compaction",
  partition: string,
  fileId: string,
): Promise<Uint8Array> {
  const sync = new Uint8Array(16);
  const list = (items: object): object => ({ type: "array", items });
  const record = (name: string, fields: Record<string, object | string>): object => ({
    type: "record",
    name,
    fields: Object.entries(fields).map(([field, type]) => ({ name: field, type })),
  });
  if (kind === "compaction") {
    const operation = record("HoodieCompactionOperation", {
      partitionPath: "string",
      fileId: "string",
      baseInstantTime: "string",
      deltaFilePaths: list({ type: "string" }),
    });
    const one = {
      partitionPath: partition,
      fileId,
      baseInstantTime: "20260101000000000",
      deltaFilePaths: [],
    };
    return encodeAvroFile(
      record("HoodieCompactionPlan", { operations: list(operation) }),
      { operations: [one] },
      sync,
    );
  }
  const slice = record("HoodieSliceInfo", { partitionPath: "string", fileId: "string" });
  const group = record("HoodieClusteringGroup", { slices: list(slice) });
  const plan = record("HoodieClusteringPlan", { inputGroups: list(group) });
  return encodeAvroFile(
    record("HoodieRequestedReplaceMetadata", { operationType: "string", clusteringPlan: plan }),
    {
      operationType: "CLUSTER",
      clusteringPlan: { inputGroups: [{ slices: [{ partitionPath: partition, fileId }] }] },
    },
    sync,
  );
}

describe.each([
  ["clustering", "replacecommit"],
  ["compaction", "compaction"],
] as const)("a pending %s", (kind, action) => {
  it("keeps others from its file groups, and new rows go elsewhere (CF-2)", async () => {
    const shared = await share();
    await (await open(shared)).upsert([row("a", 1)]);
    const [file] = baseFiles(shared.store) as [string];
    const { fileId } = parseBaseFileName(splitDataPath(file).fileName) as { fileId: string };
    const path = `.hoodie/20260115120500000.${action}.requested`;
    shared.store.put(path, await planOver(kind, "p", fileId), undefined);
    const table = await open(shared, { write: { conflictRetries: 1 } });
    const error = await thrownBy(table.upsert([row("a", 2)]));
    expect(isHudiError(error, "CONFLICT")).toBe(true);
    expect((error as HudiError).message).toContain("is to be rewritten by");
    await table.upsert([row("b", 2)]);
    expect(
      new Set(baseFiles(shared.store).map((p) => splitDataPath(p).fileName.split("_")[0])).size,
    ).toBe(2);
    shared.store.put(path, text(""), undefined);
    shared.store.delete([path]);
    await table.upsert([row("a", 2)]);
    expect(await rowsOf(shared)).toEqual(rowTexts([row("a", 2), row("b", 2)]));
  });
});
