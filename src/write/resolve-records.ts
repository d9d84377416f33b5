// Turns the rows of a write into whole rows by what is stored: columns that a row leaves out, keys that
// a global index finds in another partition. Rules: spec/format/merge-rules.md MR-11 to MR-13,
// spec/format/indexing.md IX-6 and IX-7.
import { fileGroupKey } from "../file-group/file-slice.ts";
import { createOrderingComparator } from "../file-group/record-merger.ts";
import type { TaskRunner } from "../file-group/task-runner.ts";
import { type ColumnBatch, emptyBatch, isPresent, requireColumn } from "../format/column-batch.ts";
import { concatBatchSteps } from "../format/column-concat.ts";
import type { Field } from "../format/schema.ts";
import type { TaggedSlice } from "../indexing/tag-locations.ts";
import { topColumn } from "../layout/key-text.ts";
import { isGlobalIndex, type TableConfig } from "../layout/table-config.ts";
import { mapConcurrently, yieldToHost } from "../runtime/concurrency.ts";
import { runInTurns } from "../runtime/steps.ts";
import { givesColumn, type IncomingRecords, type UnresolvedRows } from "./incoming-records.ts";
import { type KeyFate, KeyResolver, type RowOrder } from "./key-resolver.ts";
import { ResolvedRows } from "./resolved-rows.ts";

/** Records that need the stored rows no more. */
export interface ResolvedRecords {
  readonly records: IncomingRecords;
  readonly tagged: readonly TaggedSlice[];
  /** File groups whose rows decided something though they stay as they are, as keys. */
  readonly readGroups: readonly string[];
  /** A row of each key that no file holds. */
  readonly absentRows: Int32Array;
}

/** Entries resolved before the host gets a turn. */
const ENTRIES_A_TURN = 8_192;
/** What becomes of a stored row, where it is not a row that takes its place. */
const UNTOUCHED = -2;
const REMOVED = -1;

/** Resolves records against the stored rows that were found for them. */
export async function resolveRecords(
  runner: TaskRunner,
  config: TableConfig,
  records: IncomingRecords,
  tagged: readonly TaggedSlice[],
  signal?: AbortSignal,
): Promise<ResolvedRecords> {
  const { starts, rows } = records.unresolved as UnresolvedRows;
  const stored = await loadStoredRows(runner, config, records, tagged, signal);
  const copies = groupByEntry(starts.length - 1, tagged);
  const resolver = createResolver(config, records, stored, tagged);
  const output = new ResolvedRows(config, records, stored);
  const fates = new Int32Array(copies.rows.length).fill(UNTOUCHED);
  const removals = new Int32Array(copies.rows.length);
  const inserts: number[] = [];
  const absent: number[] = [];
  const take = (fate: KeyFate, row: number): void => {
    for (const { origin, version } of fate.stored) {
      fates[origin] = version ? output.add(version) : REMOVED;
      if (!version) removals[origin] = output.addRemoval(row);
    }
    for (const version of fate.added) inserts.push(output.add(version));
  };
  const isGlobal = isGlobalIndex(config);
  for (let entry = 0; entry + 1 < starts.length; entry += 1) {
    if (entry % ENTRIES_A_TURN === ENTRIES_A_TURN - 1) await yieldToHost(signal);
    const ofKey = rows.subarray(starts[entry], starts[entry + 1]);
    const found = copies.rows.subarray(copies.starts[entry], copies.starts[entry + 1]);
    if (found.length === 0) absent.push(ofKey[0] as number);
    // Copies of one key within a partition go their own ways, each as if it were alone.
    const row = ofKey[0] as number;
    if (isGlobal || found.length === 0) take(resolver.resolve(ofKey, found), row);
    else for (const copy of found) take(resolver.resolve(ofKey, Int32Array.of(copy)), row);
  }
  const { tagged: left, finalRows, origins, readGroups } = assignFates(tagged, fates);
  const entryRows = Int32Array.from([...finalRows, ...inserts]);
  const keyRows = entryRows.map((row, entry) =>
    row >= 0 ? row : output.rowCount + (removals[origins[entry] as number] as number),
  );
  return {
    records: {
      ...(await output.finish(signal)),
      isResolved: true,
      entries: {
        keyRows,
        finalRows: entryRows,
        thresholdRows: new Int32Array(entryRows.length).fill(-1),
      },
    },
    tagged: left,
    readGroups,
    absentRows: Int32Array.from(absent),
  };
}

/** What has to be known of stored rows: columns that a row leaves out, ordering value, place. */
export function storedFields(config: TableConfig, { batch, unresolved }: IncomingRecords): Field[] {
  const shapes = unresolved?.shapes?.shapes ?? [];
  const keepsPlace = isGlobalIndex(config) && config.index.updatePartitionPath === false;
  const isWanted = ({ name }: Field, at: number): boolean =>
    name === config.orderingField ||
    (keepsPlace && config.partitionFields.some((path) => topColumn(path) === name)) ||
    shapes.some((shape) => shape[at] !== 1);
  return batch.schema.fields.filter(isWanted).map((field) => ({ ...field, nullable: true }));
}

/** The stored rows of all tagged slices, one after the other. */
async function loadStoredRows(
  runner: TaskRunner,
  config: TableConfig,
  records: IncomingRecords,
  tagged: readonly TaggedSlice[],
  signal: AbortSignal | undefined,
): Promise<ColumnBatch> {
  const fields = storedFields(config, records);
  const schema = { name: "stored", fields };
  const slices = tagged.filter(({ positions }) => positions.length > 0);
  if (fields.length === 0 || slices.length === 0) return emptyBatch(schema);
  const parts = await mapConcurrently(
    slices,
    runner.concurrency,
    async ({ slice: { baseFile }, positions, stored }): Promise<ColumnBatch> => {
      if (stored || !baseFile) return stored ?? emptyBatch(schema);
      const file = { path: baseFile.path, sizeBytes: baseFile.sizeBytes };
      return runner.run({ kind: "read-rows", file, positions, fields }, signal);
    },
    signal,
  );
  return runInTurns(concatBatchSteps(parts), signal);
}

/** The stored rows of each entry: those of entry `e` are `rows[starts[e] .. starts[e + 1])`. */
function groupByEntry(
  entryCount: number,
  tagged: readonly TaggedSlice[],
): { readonly starts: Int32Array; readonly rows: Int32Array } {
  const starts = new Int32Array(entryCount + 1);
  for (const { entries } of tagged) {
    for (const entry of entries) starts[entry + 1] = (starts[entry + 1] as number) + 1;
  }
  for (let entry = 0; entry < entryCount; entry += 1) {
    starts[entry + 1] = (starts[entry + 1] as number) + (starts[entry] as number);
  }
  const rows = new Int32Array(starts[entryCount] as number);
  const next = starts.slice();
  let row = 0;
  for (const { entries } of tagged) {
    for (const entry of entries) {
      const at = next[entry] as number;
      rows[at] = row;
      next[entry] = at + 1;
      row += 1;
    }
  }
  return { starts, rows };
}

function createResolver(
  config: TableConfig,
  records: IncomingRecords,
  stored: ColumnBatch,
  tagged: readonly TaggedSlice[],
): KeyResolver {
  const { batch, partitions } = records;
  const { deletes, keepsGraves, shapes } = records.unresolved as UnresolvedRows;
  const partitionOfStored = storedPartitions(partitions.paths, tagged);
  const moves = isGlobalIndex(config) && config.index.updatePartitionPath !== false;
  const places = config.partitionFields.map((name) =>
    batch.schema.fields.findIndex((field) => field.name === topColumn(name)),
  );
  return new KeyResolver({
    deletes,
    keepsGraves,
    order: createOrder(config, records, stored),
    isWhole: (row) =>
      !shapes ||
      shapes.shapes[shapes.shapeOfRow[row] as number]?.every((given) => given === 1) === true,
    partitionOfStored: (row) => partitionOfStored[row] as number,
    partitionOfRow: (row) => partitions.partitionOfRow[row] as number,
    staysInPlace: (row) => !moves || !places.every((at) => givesColumn(shapes, row, at)),
    keepsPlace: isGlobalIndex(config) && !moves,
  });
}

/** The number of the partition of each stored row; partitions that no incoming row has come last. */
function storedPartitions(paths: readonly string[], tagged: readonly TaggedSlice[]): Int32Array {
  const numbers = new Map(paths.map((path, number) => [path, number]));
  const total = tagged.reduce((sum, { entries }) => sum + entries.length, 0);
  const result = new Int32Array(total);
  let from = 0;
  for (const { slice, entries } of tagged) {
    const { partitionPath } = slice;
    const number = numbers.get(partitionPath) ?? numbers.size;
    numbers.set(partitionPath, number);
    result.fill(number, from, from + entries.length);
    from += entries.length;
  }
  return result;
}

function createOrder(
  { orderingField }: TableConfig,
  { batch, unresolved }: IncomingRecords,
  stored: ColumnBatch,
): RowOrder | undefined {
  if (orderingField === undefined) return undefined;
  const incoming = requireColumn(batch, orderingField);
  const at = batch.columns.indexOf(incoming);
  const compareIncoming = createOrderingComparator(incoming, incoming);
  const compareStored =
    stored.rowCount === 0
      ? compareIncoming
      : createOrderingComparator(requireColumn(stored, orderingField), incoming);
  return {
    isOrdered: (row) => givesColumn(unresolved?.shapes, row, at) && isPresent(incoming, row),
    isNewer: (version, row) =>
      (version >= 0 ? compareStored(version, row) : compareIncoming(~version, row)) > 0,
  };
}

/** The slices with what is left to do in them, an entry for each stored row that changes. */
function assignFates(
  tagged: readonly TaggedSlice[],
  fates: Int32Array,
): Pick<ResolvedRecords, "readGroups"> & {
  readonly tagged: readonly TaggedSlice[];
  readonly finalRows: readonly number[];
  /** For each entry the stored row that it is about. */
  readonly origins: readonly number[];
} {
  const finalRows: number[] = [];
  const origins: number[] = [];
  const readGroups: string[] = [];
  let first = 0;
  const left = tagged.map((found): TaggedSlice => {
    const ofSlice = fates.subarray(first, first + found.positions.length);
    const firstEntry = finalRows.length;
    for (const [index, fate] of ofSlice.entries()) {
      if (fate === UNTOUCHED) continue;
      finalRows.push(fate);
      origins.push(first + index);
    }
    first += found.positions.length;
    const { slice } = found;
    if (ofSlice.length > 0) readGroups.push(fileGroupKey(slice.partitionPath, slice.fileId));
    const count = finalRows.length - firstEntry;
    return {
      ...found,
      entries: Int32Array.from({ length: count }, (_, index) => firstEntry + index),
      positions: found.positions.filter((_, index) => ofSlice[index] !== UNTOUCHED),
    };
  });
  return { tagged: left, finalRows, origins, readGroups };
}
