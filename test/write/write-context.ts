// Contexts for tests below the facade: a table on a memory store, seen by any number of processes.
import type { TableConfig } from "../../src/layout/table-config.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import { MemoryStorage, type MemoryStorageOptions } from "../../src/storage/memory-storage.ts";
import type { MemoryStore } from "../../src/storage/memory-store.ts";
import type { TableContext } from "../../src/timeline/table-context.ts";
import { DEFAULT_WRITE_SETTINGS, type WriteSettings } from "../../src/write/write-settings.ts";
import { createMemoryTable, SMALL_WRITES, START_MS } from "../support/memory-table.ts";

export const SETTINGS: WriteSettings = { ...DEFAULT_WRITE_SETTINGS, ...SMALL_WRITES };

export const text = (value: string): Uint8Array => Buffer.from(value);

/** A store with a clock of its own, and processes on it. */
export interface Shared {
  readonly clock: SimulatedClock;
  readonly store: MemoryStore;
  /** A process; its clock is the store's unless it has another. */
  readonly process: (options?: MemoryStorageOptions & { clock?: SimulatedClock }) => TableContext;
}

/** A table without rows and the processes that work on it. */
export async function share(): Promise<Shared> {
  const created = await createMemoryTable({
    fields: { id: "string", part: "string", value: "long" },
    recordKey: "id",
    partitionBy: "part",
  });
  const clock = new SimulatedClock(START_MS);
  const store = created.store.copy(clock);
  return sharedOver(clock, store, created.table.config);
}

function sharedOver(clock: SimulatedClock, store: MemoryStore, config: TableConfig): Shared {
  let processes = 0;
  return {
    clock,
    store,
    process: ({ clock: own, ...options } = {}) => {
      processes += 1;
      const storage = new MemoryStorage(store, options);
      return { storage, config, runtime: { clock: own ?? clock, random: seededRandom(processes) } };
    },
  };
}

/** The error that a promise ends with. */
export function thrownBy(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => undefined,
    (error: unknown) => error,
  );
}
