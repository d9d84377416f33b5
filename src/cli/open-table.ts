// Opens the table that a command names, for as long as the command runs.
import type { HudiTable } from "../hudi-table.ts";
import type { StorageSettings } from "../storage/open-storage.ts";
import type { Storage } from "../storage/storage.ts";
import type { TableOptions } from "../table-options.ts";
import { type CommonFlags, readProperties } from "./flags.ts";
import type { LakeIo } from "./lake-io.ts";

/** Settings of the store that flags say. */
export function storageSettings(flags: CommonFlags): StorageSettings {
  const { endpoint, region, pathStyle } = flags;
  return { endpoint, region, forcePathStyle: pathStyle };
}

/** How the table is opened. */
export interface UseTableOptions extends TableOptions {
  readonly storage?: Storage | undefined;
}

/** Opens the table, hands it to `work`, and closes it whatever happens. */
export async function useTable<T>(
  location: string,
  flags: CommonFlags,
  io: LakeIo,
  work: (table: HudiTable) => Promise<T>,
  options: UseTableOptions = {},
): Promise<T> {
  const properties = readProperties(flags.property ?? []);
  const { HudiTable: Table } = await import("../hudi-table.ts");
  const { signal, runtime } = io;
  const storage = options.storage ?? storageSettings(flags);
  const table = await Table.open(location, { ...options, properties, signal, runtime, storage });
  try {
    return await work(table);
  } finally {
    await table[Symbol.asyncDispose]();
  }
}
