// A table in memory whose storage is counted, and whose base files can be cut into small row groups.

import { openBaseFile } from "../../src/file-group/base-file.ts";
import { openParquetWriter } from "../../src/format/open-parquet-writer.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import type { Fields, RowOf, TableDefinition } from "../../src/layout/table-definition.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { seededRandom } from "../../src/runtime/random.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import type { TableOptions } from "../../src/table-options.ts";
import { readRowGroup } from "../format/parquet-samples.ts";
import { SMALL_WRITES, START_MS } from "../support/memory-table.ts";
import { type CountedStorage, countCalls } from "./counted-storage.ts";

/** An open table and what lies below it. */
export interface CountedTable<Row extends object> {
  readonly clock: SimulatedClock;
  readonly store: MemoryStore;
  readonly counted: CountedStorage;
  readonly options: TableOptions;
  readonly table: HudiTable<Row>;
}

/** Creates a table on a store of its own. */
export async function createCountedTable<const F extends Fields>(
  definition: Omit<TableDefinition<F>, "name" | "type">,
  more: TableOptions = {},
): Promise<CountedTable<RowOf<F>>> {
  const clock = new SimulatedClock(START_MS);
  const store = new MemoryStore(clock);
  const counted = countCalls(new MemoryStorage(store));
  const options: TableOptions = {
    storage: counted.storage,
    runtime: { clock, random: seededRandom(1) },
    workers: { count: 0 },
    write: SMALL_WRITES,
    ...more,
  };
  const full = { name: "counted", type: "copy-on-write", ...definition } as TableDefinition<F>;
  const table = await HudiTable.create("memory:", full, options);
  return { clock, store, counted, options, table };
}

/** Data files of a store, as paths in order. */
export function dataFilesOf(store: MemoryStore): string[] {
  return [...store.paths()]
    .filter((path) => !path.startsWith(".hoodie/") && path.endsWith(".parquet"))
    .sort();
}

/** Writes a base file anew, same rows and footer, with row groups of `groupRows` rows. */
export async function regroup(store: MemoryStore, path: string, groupRows: number): Promise<void> {
  const storage = new MemoryStorage(store);
  const bytes = store.find(path)?.bytes;
  if (!bytes) throw new Error(`there is no ${path}`);
  const reader = await openBaseFile(storage, { path, sizeBytes: bytes.length });
  const parts: Uint8Array[] = [];
  const writer = await openParquetWriter(async (part) => void parts.push(part.slice()), {
    schema: reader.schema,
    codec: "uncompressed",
    rowGroupRows: groupRows,
  });
  for (let group = 0; group < reader.rowGroups.length; group += 1) {
    await writer.write(await readRowGroup(reader, group, reader.schema.fields));
  }
  await writer.close(reader.keyValues);
  store.put(path, Buffer.concat(parts), undefined);
}

/** Where the chunk of a column lies in a base file, for each row group. */
export async function chunksOf(
  store: MemoryStore,
  path: string,
  column: string,
): Promise<{ readonly start: number; readonly end: number }[]> {
  const sizeBytes = store.find(path)?.bytes.length ?? 0;
  const reader = await openBaseFile(new MemoryStorage(store), { path, sizeBytes });
  return reader.rowGroups.map((_, group) => {
    const chunk = reader.findChunkRange(group, column);
    if (!chunk) throw new Error(`${path} has no column ${column}`);
    return chunk;
  });
}

/** How many of the ranges touch any of the chunks. */
export function countTouches(
  ranges: readonly { readonly start: number; readonly end: number }[],
  chunks: readonly { readonly start: number; readonly end: number }[],
): number {
  return ranges.filter((range) =>
    chunks.some((chunk) => range.start < chunk.end && range.end > chunk.start),
  ).length;
}
