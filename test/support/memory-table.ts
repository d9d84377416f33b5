// Tables on a memory store with a simulated clock and seeded randomness: what the simulations run on.
import { HudiTable } from "../../src/hudi-table.ts";
import type { Fields, RowOf, TableDefinition } from "../../src/layout/table-definition.ts";
import { type Clock, SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import { MemoryStorage, type MemoryStorageOptions } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import type { TableOptions } from "../../src/table-options.ts";
import type { WriteSettings } from "../../src/write/write-settings.ts";

/** Where simulated time begins. */
export const START_MS: number = Date.UTC(2026, 0, 15, 12);

/** Small filters, so that a file of a few rows has a few hundred bytes, and no time for codecs. */
export const SMALL_WRITES: Partial<WriteSettings> = {
  codec: "uncompressed",
  bloom: { entries: 100, falsePositiveRate: 0.001, maxEntries: 100 },
};

/** One process that works on a store. */
export interface ProcessOptions extends MemoryStorageOptions {
  readonly clock: Clock;
  readonly seed?: number;
  readonly write?: Partial<WriteSettings> | undefined;
}

/** Options with which a process opens a table of the store; each call makes a handle of its own. */
export function processOptions(
  store: MemoryStore,
  options: ProcessOptions,
): TableOptions & { readonly storage: MemoryStorage } {
  const { clock, seed = 1, write, ...storageOptions } = options;
  return {
    storage: new MemoryStorage(store, storageOptions),
    runtime: { clock, random: seededRandom(seed) },
    workers: { count: 0 },
    write: { ...SMALL_WRITES, ...write },
  };
}

/** A table in memory that one process has open. */
export interface MemoryTable<Row extends object> {
  readonly clock: SimulatedClock;
  readonly store: MemoryStore;
  readonly table: HudiTable<Row>;
}

/** Creates a table on a store of its own. */
export async function createMemoryTable<const F extends Fields>(
  definition: Omit<TableDefinition<F>, "name" | "type"> & {
    readonly type?: TableDefinition["type"];
  },
  options: Omit<ProcessOptions, "clock"> = {},
): Promise<MemoryTable<RowOf<F>>> {
  const clock = new SimulatedClock(START_MS);
  const store = new MemoryStore(clock);
  const table = await HudiTable.create(
    "memory:",
    { name: "simulated", type: "copy-on-write", ...definition } as TableDefinition<F>,
    processOptions(store, { ...options, clock }),
  );
  return { clock, store, table };
}
