// Rollbacks of delta commits: what is logged to undo them, and what readers see then.
import { expect, test } from "vitest";
import { readLogBlocks } from "../../src/format/log-block-reader.ts";
import { HudiTable } from "../../src/index.ts";
import { parseLogFileName, splitDataPath } from "../../src/layout/table-paths.ts";
import type { Fault, StorageCall } from "../../src/storage/memory-faults.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import { decodeRollbackMetadata } from "../../src/timeline/rollback-metadata.ts";
import { decodeRollbackPlan } from "../../src/timeline/rollback-plan.ts";
import { EXPIRE_MS } from "../simulation/crash-scenarios.ts";
import { createMemoryTable, processOptions } from "../support/memory-table.ts";

const DEFINITION = {
  type: "merge-on-read",
  fields: { id: "string", at: "long" },
  recordKey: "id",
  orderingField: "at",
  index: { kind: "bucket", buckets: 1 },
} as const;

const row = (id: string, at: number): { id: string; at: bigint } => ({ id, at: BigInt(at) });

function logsOf(store: MemoryStore): string[] {
  return [...store.paths()].filter((path) => parseLogFileName(splitDataPath(path).fileName)).sort();
}

async function typesOf(store: MemoryStore, path: string): Promise<string[]> {
  const bytes = store.find(path)?.bytes as Uint8Array;
  const types: string[] = [];
  const readRange = async (from: number, to: number): Promise<Uint8Array> => bytes.slice(from, to);
  for await (const block of readLogBlocks({ path, sizeBytes: bytes.length, readRange })) {
    types.push(`${block.type} ${block.header.get("target-instant") ?? ""}`.trim());
  }
  return types;
}

function fileOf(store: MemoryStore, end: string): [Uint8Array, string] {
  const path = [...store.paths()].find((one) => one.endsWith(end)) as string;
  return [store.find(path)?.bytes as Uint8Array, path];
}

test("the newest delta commit is undone by a command, and its log stays (RB-6, RB-9)", async () => {
  const { table, store, clock } = await createMemoryTable(DEFINITION);
  await table.upsert([row("a", 1), row("b", 1)]);
  clock.advance(1000);
  await table.upsert([row("a", 2)]);
  clock.advance(1000);
  const { instant } = await table.upsert([row("b", 3), row("c", 1)]);
  clock.advance(1000);
  const before = logsOf(store);
  await table.rollback(instant);
  const after = logsOf(store);
  const [added] = after.filter((path) => !before.includes(path));
  expect(after).toHaveLength(before.length + 1);
  expect(await typesOf(store, added as string)).toEqual([`command ${instant}`]);
  expect(parseLogFileName(added as string)?.version).toBe(3);
  const rows = await table.read().toArray();
  expect(rows.map(({ id, at }) => `${id}${at}`).sort()).toEqual(["a2", "b1"]);
  const plan = decodeRollbackPlan(...fileOf(store, ".rollback.requested"));
  expect(plan.requests).toHaveLength(1);
  expect(plan.requests[0]).toMatchObject({ filesToBeDeleted: [], partitionPath: "" });
  expect([...(plan.requests[0]?.logBlocksToBeDeleted.keys() ?? [])]).toHaveLength(1);
  const done = decodeRollbackMetadata(...fileOf(store, ".rollback"));
  expect([...(done.partitions.get("")?.rollbackLogFiles?.keys() ?? [])]).toEqual([
    expect.stringContaining(added as string),
  ]);
  clock.advance(1000);
  await table.upsert([row("b", 2)]);
  expect((await table.read().toArray()).map(({ id, at }) => `${id}${at}`).sort()).toEqual([
    ...["a2", "b2"],
  ]);
});

test("the log of a dead writer is undone by the next one (RB-9)", async () => {
  const { table, store, clock } = await createMemoryTable(DEFINITION);
  await table.upsert([row("a", 1)]);
  clock.advance(1000);
  const chooseFault = (call: StorageCall): Fault | undefined =>
    call.method === "createWriter" ? "dies-after" : undefined;
  const options = processOptions(store, { clock, seed: 7, chooseFault });
  const dying = await HudiTable.open<{ id: string; at: bigint }>("memory:", options);
  await expect(dying.upsert([row("a", 5)])).rejects.toThrow();
  expect(logsOf(store)).toHaveLength(1);
  clock.advance(EXPIRE_MS);
  await table.upsert([row("a", 2)]);
  const types = await Promise.all(logsOf(store).map((path) => typesOf(store, path)));
  expect(types.flat().filter((type) => type.startsWith("command"))).toHaveLength(1);
  expect(await table.read().toArray()).toEqual([row("a", 2)]);
});

test("a write that is given up leaves no pending instant, and its log is undone (DC-8)", async () => {
  const { table, store, clock } = await createMemoryTable(DEFINITION);
  await table.upsert([row("a", 1)]);
  clock.advance(1000);
  const chooseFault = (call: StorageCall): Fault | undefined =>
    /\.deltacommit$/.test(call.path) && call.isWrite ? "not-applied" : undefined;
  const options = processOptions(store, { clock, seed: 8, chooseFault });
  const failing = await HudiTable.open<{ id: string; at: bigint }>("memory:", options);
  await expect(failing.upsert([row("a", 5)])).rejects.toThrow();
  expect((await table.timeline()).filter(({ state }) => state !== "completed")).toEqual([]);
  const types = await Promise.all(logsOf(store).map((path) => typesOf(store, path)));
  expect(types.flat().map((type) => type.split(" ")[0])).toEqual(["avro", "command"]);
  expect(await table.read().toArray()).toEqual([row("a", 1)]);
});
