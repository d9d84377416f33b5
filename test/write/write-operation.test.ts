// Writes as a whole, through the facade: what a writer does that others took for dead, and what it
// leaves to those that come after it.
import { describe, expect, it } from "vitest";
import { type HudiError, isHudiError } from "../../src/errors.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import type { MemoryStorageOptions } from "../../src/storage/memory-storage.ts";
import { rowTexts } from "../support/row-text.ts";
import {
  baseFiles,
  completedCommits,
  findFileFaults,
  findTimelineFaults,
  loadMetadata,
  timelineFiles,
} from "../support/store-checks.ts";
import { SETTINGS, type Shared, share, thrownBy } from "./write-context.ts";

type Row = {
  readonly id: string;
  readonly part: string;
  readonly value: bigint;
};

const row = (id: string, value: number, part = "p"): Row => ({ id, part, value: BigInt(value) });

function open(shared: Shared, options: MemoryStorageOptions = {}): Promise<HudiTable<Row>> {
  const { storage, runtime } = shared.process(options);
  return HudiTable.open<Row>("memory:", {
    storage,
    runtime,
    write: SETTINGS,
    workers: { count: 0 },
  });
}

/** A table whose inserts are written in pieces of a thousand rows or so. */
function openInPieces(shared: Shared, options: MemoryStorageOptions = {}): Promise<HudiTable<Row>> {
  const { storage, runtime } = shared.process(options);
  return HudiTable.open<Row>("memory:", {
    storage,
    runtime,
    write: { ...SETTINGS, insertBatchBytes: 10_000 },
    workers: { count: 0 },
  });
}

async function rowsOf(shared: Shared): Promise<string[]> {
  return rowTexts(await (await open(shared)).read().toArray());
}

/** A writer that is suspended for ten minutes at its first such call, while another one writes. */
async function openAndSuspend(
  shared: Shared,
  method: string,
  pathEnd: string,
): Promise<HudiTable<Row>> {
  let isOver = false;
  let isSuspended = false;
  return open(shared, {
    beforeCall: async (call) => {
      if (isOver || call.method !== method || !call.path.endsWith(pathEnd)) return;
      isOver = true;
      isSuspended = true;
      shared.clock.advance(600_000);
      await (await open(shared)).upsert([row("other", 1)]);
      isSuspended = false;
    },
    // Its heartbeats do not come through meanwhile.
    chooseFault: ({ path }) =>
      isSuspended && path.startsWith(".hoodie/.heartbeat/") ? "not-applied" : undefined,
  });
}

describe("a writer that was suspended and taken for dead", () => {
  it.each([
    ["putting a marker", "put", ".marker.CREATE"],
    ["uploading a data file", "createWriter", ".parquet"],
    ["becoming inflight", "createIfAbsent", ".inflight"],
    ["taking the lease", "probeConditionalWrites", ""],
  ])(
    "while %s removes what it wrote and writes it anew (TX-10, TX-13, TX-14)",
    async (_, method, end) => {
      const shared = await share();
      await (await open(shared)).upsert([row("a", 1)]);
      shared.clock.advance(1_000);
      const slow = await openAndSuspend(shared, method, end);
      // It notices by its heartbeat, or by the rollback.
      await slow.upsert([row("slow", 2, "q"), row("b", 2)]);
      const expected = [row("a", 1), row("other", 1), row("slow", 2, "q"), row("b", 2)];
      expect(await rowsOf(shared)).toEqual(rowTexts(expected));
      expect(findFileFaults(shared.store)).toEqual([]);
      expect(findTimelineFaults(shared.store)).toEqual([]);
    },
  );
});

describe("a write", () => {
  it("on a young table does not take pending files for archived ones (FSV-2)", async () => {
    const shared = await share();
    let hasRaced = false;
    // The instant of the second is greater, but its listing comes before the request of the first.
    const second = await open(shared, {
      beforeCall: async ({ method, path }) => {
        if (hasRaced || method !== "listFolder" || path !== "p") return;
        hasRaced = true;
        shared.clock.advance(-100);
        const first = await open(shared, {
          chooseFault: (call) =>
            call.method === "probeConditionalWrites" ? "dies-before" : undefined,
        });
        await thrownBy(first.upsert([row("dead", 1)]));
        shared.clock.advance(100);
      },
    });
    await second.upsert([row("a", 2)]);
    expect(await rowsOf(shared)).toEqual(rowTexts([row("a", 2)]));
    const [commit] = completedCommits(shared.store) as [string];
    const [stat] = loadMetadata(shared.store, commit).partitionToWriteStats.get("p") ?? [];
    expect(stat?.prevCommit).toBe("null");
  });

  it("without rows, or whose rows all lose, completes without a file (TX-4, MR-10)", async () => {
    const shared = await share();
    await (await open(shared)).upsert([row("a", 1)]);
    const files = baseFiles(shared.store);
    for (const write of [
      (table: HudiTable<Row>) => table.upsert([]),
      (table: HudiTable<Row>) => table.insert([]),
      (table: HudiTable<Row>) => table.delete([{ id: "nobody", part: "p" }]),
    ]) {
      shared.clock.advance(5);
      const commit = await write(await open(shared));
      expect(commit).toMatchObject({ inserted: 0, updated: 0, deleted: 0 });
    }
    expect(baseFiles(shared.store)).toEqual(files);
    expect(completedCommits(shared.store)).toHaveLength(4);
  });

  it("names the instant that it completed, and what it did (TX-4)", async () => {
    const shared = await share();
    const table = await open(shared);
    const first = await table.upsert([row("a", 1), row("b", 1), row("c", 1, "q")]);
    expect(first).toMatchObject({ action: "commit", inserted: 3, updated: 0, deleted: 0 });
    shared.clock.advance(5);
    const second = await table.apply([
      { op: "update", key: { id: "a" }, after: row("a", 2) },
      { op: "insert", key: { id: "d" }, after: row("d", 2, "q") },
      { op: "delete", key: { id: "b", part: "p" } },
    ]);
    expect(second).toMatchObject({ inserted: 1, updated: 1, deleted: 1 });
    expect(completedCommits(shared.store)).toEqual([first.instant, second.instant]);
  });

  it("leaves no marker and no heartbeat (TX-12)", async () => {
    const shared = await share();
    const table = await open(shared);
    await table.upsert([row("a", 1), row("b", 1, "q")]);
    const left = [...shared.store.paths()].filter((path) =>
      /^\.hoodie\/\.(temp|heartbeat)/.test(path),
    );
    expect(left).toEqual([]);
  });

  it("that is aborted throws the reason, and the next one clears up (TX-13)", async () => {
    const shared = await share();
    const reason = new Error("enough");
    const controller = new AbortController();
    const table = await open(shared, {
      beforeCall: ({ method }) => {
        if (method === "createWriter") controller.abort(reason);
      },
    });
    const error = await thrownBy(table.upsert([row("a", 1)], { signal: controller.signal }));
    expect(error).toBe(reason);
    expect(timelineFiles(shared.store)).toHaveLength(2);
    shared.clock.advance(300_000);
    await (await open(shared)).upsert([row("b", 1)]);
    expect(await rowsOf(shared)).toEqual(rowTexts([row("b", 1)]));
    expect(findFileFaults(shared.store)).toEqual([]);
  });

  it("keeps what the caller says of it in its commit, and no other schema (TX-15)", async () => {
    const shared = await share();
    const table = await open(shared);
    const { instant } = await table.upsert([row("a", 1)], {
      checkpoint: { offset: "17", ["__proto__"]: "data" },
    });
    const { extraMetadata } = loadMetadata(shared.store, instant);
    expect(extraMetadata.get("offset")).toBe("17");
    expect(extraMetadata.get("__proto__")).toBe("data");
    const error = (await thrownBy(
      table.upsert([row("a", 1)], { checkpoint: { schema: "x" } }),
    )) as HudiError;
    expect(isHudiError(error, "INVALID")).toBe(true);
  });

  it.each(["put", "createIfAbsent"] as const)(
    "whose first %s is refused leaves nothing and closes its source (TX-13)",
    async (refused) => {
      const shared = await share();
      const before = [...shared.store.paths()];
      let isClosed = false;
      async function* rows(): AsyncGenerator<Row> {
        try {
          for (let n = 0; ; n += 1) yield row(`k${n}`, n);
        } finally {
          isClosed = true;
        }
      }
      const table = await open(shared, {
        chooseFault: ({ method }) => (method === refused ? "not-applied" : undefined),
      });
      const signal = AbortSignal.timeout(20);
      await expect(table.insert(rows(), { signal })).rejects.toThrow();
      expect(isClosed).toBe(true);
      await expect(table.insert([row("a", 1)])).rejects.toMatchObject({ code: "UNAVAILABLE" });
      expect([...shared.store.paths()]).toEqual(before);
    },
  );

  it("goes on where the answer to a partition metafile is lost, and stops where the file is not there", async () => {
    for (const fault of ["unknown", "unknown-not-applied"] as const) {
      const shared = await share();
      const table = await open(shared, {
        chooseFault: ({ path, isWrite }) =>
          isWrite && path.endsWith("_partition_metadata") ? fault : undefined,
      });
      const error = await thrownBy(table.upsert([row("a", 1)]));
      expect(error === undefined).toBe(fault === "unknown");
      expect(await rowsOf(shared)).toHaveLength(error === undefined ? 1 : 0);
    }
  });

  it("whose source fails after files were written takes them back at once (TX-13)", async () => {
    const shared = await share();
    await (await open(shared)).insert([row("a", 1)]);
    const before = [...shared.store.paths()];
    const table = await openInPieces(shared);
    let yielded = 0;
    async function* rows(): AsyncGenerator<Row> {
      for (; yielded < 4_000; yielded += 1) yield row(`k${yielded}`, yielded, "q");
      throw new TypeError("the source broke");
    }
    await expect(table.insert(rows())).rejects.toThrow("the source broke");
    // A partition metafile says nothing of rows, and another writer may count on it by now.
    const left = [...shared.store.paths()].filter((path) => !path.startsWith("q/.hoodie_part"));
    expect(left).toEqual(before);
  });

  it("that fails amid its source closes it (TX-13)", async () => {
    const shared = await share();
    let isClosed = false;
    async function* rows(): AsyncGenerator<Row> {
      try {
        for (let n = 0; n < 100_000; n += 1) yield row(`k${n}`, n);
      } finally {
        isClosed = true;
      }
    }
    let files = 0;
    const table = await openInPieces(shared, {
      chooseFault: ({ method }) => {
        if (method === "createWriter") files += 1;
        return files === 3 ? "not-applied" : undefined;
      },
    });
    await expect(table.insert(rows())).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(isClosed).toBe(true);
  });

  it("that others keep winning over ends with CONFLICT after its last try (TX-14)", async () => {
    const shared = await share();
    await (await open(shared)).upsert([row("a", 0)]);
    let others = 0;
    const { storage, runtime } = shared.process({
      beforeCall: async ({ method }) => {
        if (method !== "probeConditionalWrites") return;
        others += 1;
        shared.clock.advance(5);
        await (await open(shared)).upsert([row("a", others)]);
      },
    });
    const unlucky = await HudiTable.open<Row>("memory:", {
      storage,
      runtime,
      write: { ...SETTINGS, conflictRetries: 3 },
      workers: { count: 0 },
    });
    const begunMs = shared.clock.now();
    const error = await thrownBy(unlucky.upsert([row("a", -1)]));
    expect(isHudiError(error, "CONFLICT")).toBe(true);
    expect(others).toBe(4);
    expect(shared.clock.now()).toBeGreaterThan(begunMs + 20);
    expect(await rowsOf(shared)).toEqual(rowTexts([row("a", 4)]));
    expect(findFileFaults(shared.store)).toEqual([]);
  });
});
