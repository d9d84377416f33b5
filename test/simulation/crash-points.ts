// Runs one operation with one fault at one storage call, and checks what is left: the old state or
// the new one, a next writer that goes on, no file of a write that is not there.
import { crc32 } from "node:zlib";
import { isHudiError } from "../../src/errors.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import type { SimulatedClock } from "../../src/runtime/clock.ts";
import { type Fault, ProcessDied, type StorageCall } from "../../src/storage/memory-faults.ts";
import type { MemoryStorage } from "../../src/storage/memory-storage.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import { processOptions } from "../support/memory-table.ts";
import type { ModelTable } from "../support/model-table.ts";
import { type AnyRow, placeText, rowText, rowTexts } from "../support/row-text.ts";
import {
  findFileFaults,
  findTimelineFaults,
  pullEverything,
  readAfresh,
  timelineFiles,
} from "../support/store-checks.ts";
import {
  clockOf,
  EXPIRE_MS,
  type LeaseKind,
  partsOf,
  row,
  type Scenario,
} from "./crash-scenarios.ts";

/** A fault, and for one that arrives late how many calls later it does. */
export interface PlannedFault {
  readonly fault: Fault;
  readonly lateBy?: number;
}

const FAULTS_OF_READS: readonly PlannedFault[] = [
  { fault: "not-applied" },
  { fault: "unknown" },
  { fault: "dies-before" },
];
const FAULTS_OF_WRITES: readonly PlannedFault[] = [
  { fault: "not-applied" },
  { fault: "unknown" },
  { fault: "unknown-not-applied" },
  { fault: "dies-before" },
  { fault: "dies-after" },
  { fault: "unknown-late", lateBy: 1 },
  { fault: "unknown-late", lateBy: 2 },
  { fault: "unknown-late", lateBy: Number.POSITIVE_INFINITY },
];
const FAULTS_OF_DELETES: readonly PlannedFault[] = [
  { fault: "unknown-partly" },
  { fault: "dies-partly" },
];

/** Every fault that a call can have. */
export function faultsOf(call: StorageCall): readonly PlannedFault[] {
  if (!call.isWrite) return FAULTS_OF_READS;
  return call.method === "delete" ? [...FAULTS_OF_WRITES, ...FAULTS_OF_DELETES] : FAULTS_OF_WRITES;
}

/** How an operation ended. */
export type Ending = "done" | "failed" | "unknown" | "died";

/** More than any operation here needs, conflicts and retries included. */
const MAX_CALLS = 2_000;

/** A process whose `n`-th call from `arm` on has a fault. */
class FaultyProcess {
  readonly table: Promise<HudiTable<AnyRow>>;
  readonly calls: StorageCall[] = [];
  #armedAt = Number.POSITIVE_INFINITY;

  constructor(
    store: MemoryStore,
    clock: SimulatedClock,
    leaseKind: LeaseKind,
    seed: number,
    nth: number,
    planned: PlannedFault | undefined,
  ) {
    const options = processOptions(store, {
      clock,
      leaseKind,
      seed,
      beforeCall: (call) => {
        if (call.index < this.#armedAt) return;
        this.calls.push(call);
        if (this.calls.length > MAX_CALLS) throw new Error("the operation does not end");
        const late = this.#armedAt + nth + (planned?.lateBy ?? Number.POSITIVE_INFINITY);
        if (call.index >= late) store.applyLateChanges();
      },
      chooseFault: (call) => (call.index === this.#armedAt + nth ? planned?.fault : undefined),
    });
    this.table = HudiTable.open<AnyRow>("memory:", options).then((table) => {
      partsOf.set(table, options);
      this.#armedAt = (options.storage as MemoryStorage).callCount;
      return table;
    });
  }

  async run(operation: (table: HudiTable<AnyRow>) => Promise<unknown>): Promise<Ending> {
    const table = await this.table;
    try {
      await operation(table);
      return "done";
    } catch (error) {
      if (this.calls.length > MAX_CALLS) throw error;
      if (error instanceof ProcessDied) return "died";
      if (isHudiError(error, "COMMIT_STATE_UNKNOWN")) return "unknown";
      if (isHudiError(error)) return "failed";
      throw error;
    }
  }
}

/** The calls that a scenario makes when nothing goes wrong. */
export async function callsOf(scenario: Scenario, leaseKind: LeaseKind): Promise<StorageCall[]> {
  const clock = clockOf(scenario);
  const process = new FaultyProcess(scenario.store.copy(clock), clock, leaseKind, 2, 0, undefined);
  const ending = await process.run(scenario.run);
  if (ending !== "done") throw new Error(`the operation ${ending} without a fault`);
  return process.calls;
}

const NEXT_ROWS = [row("next", "eu", 1, 1), row("a1", "eu", 8, 8), row("c2", "us", 9, 9)];

/** What is left of the points of one scenario that were checked already: many leave the same. */
export type SeenStates = Set<string>;

/** Runs a scenario with one fault; throws naming what is wrong. */
export async function checkCrashPoint(
  scenario: Scenario,
  leaseKind: LeaseKind,
  nth: number,
  planned: PlannedFault,
  seen: SeenStates = new Set(),
): Promise<Ending> {
  const clock = clockOf(scenario);
  const store = scenario.store.copy(clock);
  const process = new FaultyProcess(store, clock, leaseKind, 2, nth, planned);
  const ending = await process.run(scenario.run);
  store.applyLateChanges();
  const left = `${ending} ${planned.fault.startsWith("dies")} ${clock.now()}\n${fingerprint(store)}`;
  if (seen.has(left)) return ending;
  const states = await requireOldOrNew(scenario, store, clock, leaseKind, ending);
  if (planned.fault.startsWith("dies")) {
    await checkImpatientWriter(store, clock, leaseKind, states);
  }
  clock.advance(EXPIRE_MS);
  await checkNextWriter(store, clock, leaseKind, states);
  seen.add(left);
  return ending;
}

/** Equal for stores that hold the same objects of the same age. */
export function fingerprint(store: MemoryStore): string {
  return [...store.paths()]
    .sort()
    .map((path) => {
      const { bytes, modifiedMs } = store.find(path) as { bytes: Uint8Array; modifiedMs: number };
      return `${path} ${bytes.length} ${crc32(bytes)} ${modifiedMs}`;
    })
    .join("\n");
}

/**
 * Which of the two states readers see; none other is right, and what the call said must hold. An
 * undoing that began may be ended by the next writer: then both are left.
 */
export async function requireOldOrNew(
  scenario: Scenario,
  store: MemoryStore,
  clock: SimulatedClock,
  leaseKind: LeaseKind,
  ending: Ending,
): Promise<readonly ModelTable[]> {
  requireNone(findTimelineFaults(store), "timeline");
  const { rows } = await readAfresh(store, { clock, leaseKind, seed: 3 });
  const isOld = sameTexts(rows, rowTexts(scenario.before.rows()));
  const isNew = sameTexts(rows, rowTexts(scenario.after.rows()));
  if (!isOld && !isNew) throw new Error(`readers see a mixture:\n${rows.join("\n")}`);
  if (ending === "done" && !isNew)
    throw new Error("the call succeeded, but readers see the old state");
  if (ending === "failed" && scenario.failsClean && !isOld) {
    throw new Error("the call failed, but readers see the new state");
  }
  if (isNew) return [scenario.after];
  return scenario.failsClean ? [scenario.before] : [scenario.before, scenario.after];
}

/** A writer that comes before the dead one has expired: it succeeds or fails, and does no harm. */
async function checkImpatientWriter(
  store: MemoryStore,
  clock: SimulatedClock,
  leaseKind: LeaseKind,
  states: readonly ModelTable[],
): Promise<void> {
  const copy = store.copy(clock);
  const expected = states.map((state) => state.copy());
  const options = processOptions(copy, { clock, leaseKind, seed: 4 });
  const table = await HudiTable.open<AnyRow>("memory:", options);
  const rows = await fitRows(table, [row("soon", "us", 1, 1), row("b1", "us", 7, 7)]);
  try {
    await table.upsert(rows);
    for (const model of expected) model.upsert(rows);
  } catch (error) {
    if (!isHudiError(error)) throw error;
  }
  const { rows: seen } = await readAfresh(copy, { clock, leaseKind, seed: 5 });
  requireOneOf(seen, expected, "after a writer that did not wait");
  clock.advance(EXPIRE_MS);
  await checkNextWriter(copy, clock, leaseKind, expected);
}

/** After the dead have expired the next writer goes on, and leaves nothing of them. */
export async function checkNextWriter(
  store: MemoryStore,
  clock: SimulatedClock,
  leaseKind: LeaseKind,
  states: readonly ModelTable[],
): Promise<void> {
  const options = processOptions(store, { clock, leaseKind, seed: 6 });
  const { storage, runtime, write, workers } = options;
  const table = await HudiTable.open<AnyRow>("memory:", {
    storage,
    runtime,
    write,
    workers,
    metadataTable: "drop",
  });
  const possible = states.map((state) => state.copy());
  const rows = await fitRows(table, NEXT_ROWS);
  await table.upsert(rows);
  for (const model of possible) model.upsert(rows);
  const fresh = await readAfresh(store, { clock, leaseKind, seed: 7 });
  const expected = requireOneOf(fresh.rows, possible, "after the next writer");
  requireNone(findTimelineFaults(store), "timeline");
  requireNone(findFileFaults(store), "files");
  const completed = new Set(
    timelineFiles(store)
      .filter((file) => file.state === "completed")
      .map((file) => file.time),
  );
  const pending = timelineFiles(store).filter((file) => !completed.has(file.time));
  requireNone(
    pending.map((file) => `${file.time}.${file.action} is still ${file.state}`),
    "pending",
  );
  const keyOf = (seen: AnyRow): string => placeText(seen, "id", "region");
  const pulled = new Set(await pullEverything(fresh.table, keyOf, -2));
  requireNone(
    expected
      .rows()
      .map(rowText)
      .filter((text) => !pulled.has(text)),
    "rows that no incremental read gave",
  );
}

/** The rows with null in the columns that the table has got meanwhile. */
async function fitRows(table: HudiTable<AnyRow>, rows: readonly AnyRow[]): Promise<AnyRow[]> {
  const { fields } = await table.schema();
  const empty = Object.fromEntries(fields.map(({ name }) => [name, null]));
  return rows.map((one) => ({ ...empty, ...one }));
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}

function requireOneOf(
  seen: readonly string[],
  possible: readonly ModelTable[],
  when: string,
): ModelTable {
  const found = possible.find((model) => sameTexts(seen, rowTexts(model.rows())));
  if (found) return found;
  const expected = possible.map((model) => rowTexts(model.rows()).join("\n")).join("\nor\n");
  throw new Error(`wrong rows ${when}:\n${seen.join("\n")}\nexpected:\n${expected}`);
}

function requireNone(faults: readonly string[], what: string): void {
  if (faults.length > 0) throw new Error(`${what}: ${faults.join("; ")}`);
}
