// The operations whose every storage call is made to fail: the table each begins with, and what it
// should look like after.
import { HudiTable } from "../../src/hudi-table.ts";
import type { Change } from "../../src/layout/change.ts";
import type { IndexDefinition } from "../../src/layout/index-definition.ts";
import type { TableType } from "../../src/layout/table-config.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import type { Fault, StorageCall } from "../../src/storage/memory-faults.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { isWriteAction } from "../../src/timeline/instant.ts";
import { createMemoryTable, processOptions } from "../support/memory-table.ts";
import { ModelTable } from "../support/model-table.ts";
import type { AnyRow } from "../support/row-text.ts";
import { timelineFiles } from "../support/store-checks.ts";

export type LeaseKind = Storage["leaseKind"];

/** Long enough for heartbeats, leases and pending writes without a heartbeat to expire. */
export const EXPIRE_MS: number = 3 * 3_600_000;

/** What an operation is run on, and what it does. */
export interface Scenario {
  /** How the table is before the operation. */
  readonly store: MemoryStore;
  readonly nowMs: number;
  readonly before: ModelTable;
  readonly after: ModelTable;
  readonly run: (table: HudiTable<AnyRow>) => Promise<unknown>;
  /**
   * Whether a call that fails without doubt has left the old state. Undoing cannot promise that: a
   * commit that is half undone stays invisible and is undone by the next writer.
   */
  readonly failsClean: boolean;
}

/** A row of the scenarios. */
export function row(id: string, region: string, version: number, amount?: number): AnyRow {
  return {
    id,
    region,
    version: BigInt(version),
    amount: amount === undefined ? null : BigInt(amount),
  };
}

export const DEFINITION = {
  fields: { id: "string", region: "string", version: "long", amount: "long?" },
  recordKey: "id",
  partitionBy: "region",
  orderingField: "version",
} as const;

function createModel(index: IndexDefinition): ModelTable {
  const compare = (a: bigint, b: bigint): number => (a < b ? -1 : a > b ? 1 : 0);
  return new ModelTable({
    recordKey: "id",
    partitionBy: "region",
    orderingField: "version",
    compare,
    global: index.kind.startsWith("global") ? "moves" : undefined,
    columns: { id: "required", region: "required", version: "required", amount: "nullable" },
  });
}

const COMMITS_OF_TABLE = 3;

/** A table of two partitions and three commits. */
async function createTable(
  leaseKind: LeaseKind,
  index: IndexDefinition = { kind: "bloom" },
  type: TableType = "copy-on-write",
): Promise<{
  clock: SimulatedClock;
  store: MemoryStore;
  table: HudiTable<AnyRow>;
  model: ModelTable;
}> {
  const definition = { ...DEFINITION, index, type };
  const { clock, store, table } = await createMemoryTable(definition, { leaseKind });
  const model = createModel(index);
  const open = table as unknown as HudiTable<AnyRow>;
  const batches = [
    [row("a1", "eu", 1, 10), row("a2", "eu", 1), row("b1", "us", 1, 5)],
    [row("a1", "eu", 2, 11), row("b2", "us", 1)],
    [row("a3", "eu", 5, 7)],
  ];
  for (const batch of batches) {
    await open.upsert(batch);
    model.upsert(batch);
    clock.advance(60_000);
  }
  return { clock, store, table: open, model };
}

type Operation = (table: HudiTable<AnyRow>) => Promise<unknown>;

async function writeScenario(
  leaseKind: LeaseKind,
  run: Operation,
  apply: (model: ModelTable) => void,
  index?: IndexDefinition,
  type?: TableType,
): Promise<Scenario> {
  const { clock, store, model } = await createTable(leaseKind, index, type);
  const after = model.copy();
  apply(after);
  return { store, nowMs: clock.now(), before: model, after, run, failsClean: true };
}

const NEW_ROWS = [row("c1", "eu", 1, 1), row("c2", "us", 1), row("c3", "asia", 1, 3)];
const MIXED_ROWS = [row("a1", "eu", 3, 99), row("b1", "us", 0, 1), row("b2", "us", 2), ...NEW_ROWS];
const NOTED_ROWS = MIXED_ROWS.map((one) => ({ ...one, note: `of ${String(one.id)}` }));
const PARTIAL_ROWS = [
  { id: "a1", region: "eu", version: 3n },
  { id: "a2", region: "eu", amount: 5n },
  { id: "b1", region: "us", version: 0n, amount: 6n },
  { id: "f1", region: "asia", version: 1n },
];
const MOVED_ROWS = [row("a1", "us", 3, 1), row("b1", "asia", 2), row("a3", "us", 1), ...NEW_ROWS];
const EU_ROWS = [row("a1", "eu", 1, 2), row("e1", "eu", 1)];
const KEYS = [
  { id: "a1", region: "eu" },
  { id: "b1", region: "us" },
  { id: "none", region: "eu" },
];
const CHANGES: Change<AnyRow>[] = [
  { op: "insert", key: { id: "d1" }, after: row("d1", "asia", 1, 4) },
  { op: "update", key: { id: "a1" }, before: row("a1", "eu", 2), after: row("a1", "us", 3, 12) },
  { op: "delete", key: { id: "a2", region: "eu", version: 2n } },
  { op: "delete", key: { id: "a3", region: "eu", version: 1n } },
];

/** Deletions in logs take any stored row away, so none of these is older than what is stored. */
const LOGGED_CHANGES: Change<AnyRow>[] = CHANGES.slice(0, 3);

type Factory = (leaseKind: LeaseKind) => Promise<Scenario>;

function scenarioOf(
  run: Operation,
  apply: (model: ModelTable) => void,
  index?: IndexDefinition,
  type?: TableType,
): Factory {
  return (leaseKind) => writeScenario(leaseKind, run, apply, index, type);
}

/** Writes of every kind on a table that has rows. */
export const WRITE_SCENARIOS: readonly (readonly [string, Factory])[] = [
  [
    "an insert that fills small files",
    scenarioOf(
      (t) => t.insert(NEW_ROWS),
      (m) => m.insert(NEW_ROWS),
    ),
  ],
  [
    "a bulk insert",
    scenarioOf(
      (t) => t.bulkInsert(NEW_ROWS),
      (m) => m.insert(NEW_ROWS),
    ),
  ],
  [
    "an upsert over existing file groups",
    scenarioOf(
      (t) => t.upsert(MIXED_ROWS),
      (m) => m.upsert(MIXED_ROWS),
    ),
  ],
  [
    "a delete",
    scenarioOf(
      (t) => t.delete(KEYS),
      (m) => m.delete(KEYS),
    ),
  ],
  [
    "an application of changes",
    scenarioOf(
      (t) => t.apply(CHANGES),
      (m) => m.apply(CHANGES),
    ),
  ],
  [
    "an insert overwrite of partitions",
    scenarioOf(
      (t) => t.insertOverwrite(EU_ROWS),
      (m) => m.overwrite(EU_ROWS, "partitions"),
    ),
  ],
  [
    "an insert overwrite of the table",
    scenarioOf(
      (t) => t.insertOverwriteTable(NEW_ROWS),
      (m) => m.overwrite(NEW_ROWS, "table"),
    ),
  ],
  [
    "an upsert of partial rows",
    scenarioOf(
      (t) => t.upsert(PARTIAL_ROWS, { partial: true }),
      (m) => m.upsert(PARTIAL_ROWS),
    ),
  ],
  [
    "an upsert that moves keys of a global index",
    scenarioOf(
      (t) => t.upsert(MOVED_ROWS),
      (m) => m.upsert(MOVED_ROWS),
      { kind: "global-bloom" },
    ),
  ],
  [
    "an upsert into buckets",
    scenarioOf(
      (t) => t.upsert(MIXED_ROWS),
      (m) => m.upsert(MIXED_ROWS),
      { kind: "bucket", buckets: 2 },
    ),
  ],
  [
    "an upsert into the logs of buckets",
    scenarioOf(
      (t) => t.upsert(MIXED_ROWS),
      (m) => m.upsert(MIXED_ROWS),
      { kind: "bucket", buckets: 1 },
      "merge-on-read",
    ),
  ],
  [
    "an application of changes to logs and small files",
    scenarioOf(
      (t) => t.apply(LOGGED_CHANGES),
      (m) => m.apply(LOGGED_CHANGES),
      { kind: "bloom" },
      "merge-on-read",
    ),
  ],
  [
    "an addition of a column",
    scenarioOf(
      (t) => t.evolve([{ add: "note", type: "string?" }]),
      (m) => m.addColumn("note"),
    ),
  ],
  [
    "an addition of a column that rewrites the files",
    scenarioOf(
      (t) => t.evolve([{ add: "note", type: "string?", after: "id" }], { rewrite: true }),
      (m) => m.addColumn("note"),
    ),
  ],
  [
    "an upsert that brings a column",
    scenarioOf(
      (t) => t.upsert(NOTED_ROWS, { evolve: { note: "string?" } }),
      (m) => {
        m.addColumn("note");
        m.upsert(NOTED_ROWS);
      },
    ),
  ],
  [
    "a deletion of partitions",
    scenarioOf(
      (t) => t.deletePartitions(["us", { region: "nowhere" }]),
      (m) => m.deletePartitions([row("", "us", 0)]),
    ),
  ],
];

/** Undoing of every kind, and the switch of the metadata table. */
export const RECOVERY_SCENARIOS: readonly (readonly [string, Factory])[] = [
  ["the rollback of a killed writer", (leaseKind) => upsertAfterDeath(leaseKind, 16)],
  ["the rollback of a pending write by name", rollbackOfPending],
  [
    "the rollback of the newest commit by name",
    (leaseKind) =>
      rollbackOfCompleted(
        leaseKind,
        (t) => t.upsert(MIXED_ROWS),
        (m) => m.upsert(MIXED_ROWS),
      ),
  ],
  [
    "the rollback of an insert overwrite by name",
    (leaseKind) =>
      rollbackOfCompleted(
        leaseKind,
        (t) => t.insertOverwrite(EU_ROWS),
        (m) => m.overwrite(EU_ROWS, "partitions"),
      ),
  ],
  ["the rollback of a killed insert overwrite", upsertAfterKilledOverwrite],
  ["the end of a killed rollback", finishOfKilledRollback],
  ["the drop of a metadata table", metadataTableDrop],
];

/** Runs a write that dies at its call of this number, or not at all if it makes fewer calls. */
async function killWriter(
  store: MemoryStore,
  clock: SimulatedClock,
  leaseKind: LeaseKind,
  atCall: number,
  run: Operation = (table) => table.upsert(MIXED_ROWS),
): Promise<string | undefined> {
  const chooseFault = ({ index }: StorageCall): Fault | undefined =>
    index === atCall ? "dies-after" : undefined;
  const options = processOptions(store, { clock, leaseKind, seed: 77, chooseFault });
  const table = await HudiTable.open<AnyRow>("memory:", options);
  await run(table).catch(() => undefined);
  const files = timelineFiles(store);
  const completed = new Set(files.filter((f) => f.state === "completed").map((f) => f.time));
  return files.find(({ time }) => !completed.has(time))?.time;
}

/** An upsert that finds a writer which died at its call of this number, and no heartbeat for hours. */
export async function upsertAfterDeath(leaseKind: LeaseKind, atCall: number): Promise<Scenario> {
  const { clock, store, model } = await createTable(leaseKind);
  await killWriter(store, clock, leaseKind, atCall);
  clock.advance(EXPIRE_MS);
  // Dead after its completed file, the writer has written its rows; otherwise it has not.
  const before = model.copy();
  const commits = timelineFiles(store).filter(
    ({ action, state }) => isWriteAction(action) && state === "completed",
  );
  if (commits.length > COMMITS_OF_TABLE) before.upsert(MIXED_ROWS);
  const after = before.copy();
  after.upsert(NEW_ROWS);
  return {
    store,
    nowMs: clock.now(),
    before,
    after,
    run: (table) => table.upsert(NEW_ROWS),
    failsClean: true,
  };
}

/** An upsert that finds an insert overwrite whose data files are written and whose writer is dead. */
async function upsertAfterKilledOverwrite(leaseKind: LeaseKind): Promise<Scenario> {
  const { clock, store, model } = await createTable(leaseKind);
  const dead = await killWriter(store, clock, leaseKind, 13, (t) => t.insertOverwrite(EU_ROWS));
  if (dead === undefined) throw new Error("the insert overwrite did not die");
  clock.advance(EXPIRE_MS);
  const after = model.copy();
  after.upsert(NEW_ROWS);
  return {
    store,
    nowMs: clock.now(),
    before: model,
    after,
    run: (table) => table.upsert(NEW_ROWS),
    failsClean: true,
  };
}

async function rollbackOfPending(leaseKind: LeaseKind): Promise<Scenario> {
  const { clock, store, model } = await createTable(leaseKind);
  const instant = (await killWriter(store, clock, leaseKind, 16)) as string;
  return {
    store,
    nowMs: clock.now(),
    before: model,
    after: model,
    run: (table) => table.rollback(instant),
    failsClean: false,
  };
}

async function rollbackOfCompleted(
  leaseKind: LeaseKind,
  write: (table: HudiTable<AnyRow>) => Promise<{ readonly instant: string }>,
  apply: (model: ModelTable) => void,
): Promise<Scenario> {
  const { clock, store, table, model } = await createTable(leaseKind);
  const before = model.copy();
  apply(before);
  const { instant } = await write(table);
  clock.advance(60_000);
  return {
    store,
    nowMs: clock.now(),
    before,
    after: model,
    run: (open) => open.rollback(instant),
    failsClean: false,
  };
}

/** A rollback of a commit that died after its data files were half gone; the next writer ends it. */
async function finishOfKilledRollback(leaseKind: LeaseKind): Promise<Scenario> {
  const { clock, store, table, model } = await createTable(leaseKind);
  const { instant } = await table.upsert(MIXED_ROWS);
  const chooseFault = (call: StorageCall): Fault | undefined =>
    call.method === "delete" && call.path.endsWith(".parquet") ? "dies-partly" : undefined;
  const options = processOptions(store, { clock, leaseKind, seed: 78, chooseFault });
  const dying = await HudiTable.open<AnyRow>("memory:", options);
  await dying.rollback(instant).catch(() => undefined);
  clock.advance(EXPIRE_MS);
  const after = model.copy();
  after.upsert(NEW_ROWS);
  return {
    store,
    nowMs: clock.now(),
    before: model,
    after,
    run: (open) => open.upsert(NEW_ROWS),
    failsClean: true,
  };
}

/** As if Spark had written with its metadata table on. */
async function metadataTableDrop(leaseKind: LeaseKind): Promise<Scenario> {
  const { clock, store, model } = await createTable(leaseKind);
  addMetadataTable(store);
  return {
    store,
    nowMs: clock.now(),
    before: model,
    after: model,
    run: async (table) => {
      const { storage, runtime } = partsOf.get(table) as Parts;
      await HudiTable.open("memory:", { storage, runtime, metadataTable: "drop" });
    },
    failsClean: false,
  };
}

type Parts = ReturnType<typeof processOptions>;
/** With what options a table was opened, for operations that open it again. */
export const partsOf: WeakMap<object, Parts> = new WeakMap();

/** Puts a metadata table beside the rows, as another engine leaves one. */
export function addMetadataTable(store: MemoryStore): void {
  const path = ".hoodie/hoodie.properties";
  const text = Buffer.from(store.find(path)?.bytes ?? []).toString("latin1");
  store.put(
    path,
    Buffer.from(`${text}hoodie.table.metadata.partitions=files\n`, "latin1"),
    undefined,
  );
  for (const name of [".hoodie/hoodie.properties", "files/one.hfile", "files/two.hfile"]) {
    store.put(`.hoodie/metadata/${name}`, Buffer.from(name), undefined);
  }
}

/** The clock of a process that begins when a scenario is ready. */
export function clockOf(scenario: Scenario): SimulatedClock {
  return new SimulatedClock(scenario.nowMs);
}
