// This library in a process of its own. Its arguments are the module to import, so that the built
// package is measured as well as the source, and the options of every table as JSON.
import { readFile, writeFile } from "node:fs/promises";
import { type RecordBatch, RecordBatchStreamWriter, type Table, tableFromIPC } from "apache-arrow";
import type { Commit, HudiTable, Source, TableOptions } from "../../src/index.ts";
import { serveCalls } from "./child-program.ts";
import { DEFINITION } from "./dataset.ts";
import type { TableKind } from "./engines.ts";
import { type LoopDelay, LoopWatch } from "./loop-watch.ts";
import { measure, type Sample } from "./measure.ts";

/** What a call of the program answers. */
export interface LakeAnswer {
  readonly sample: Sample;
  /** Rows that came in, or that were read. */
  readonly rowCount: number;
  /** Delays of the event loop in ms, where they were asked for. */
  readonly loopDelay?: LoopDelay;
}

/** In which form rows are handed to the library. */
export type InputForm = "rows" | "arrow";

interface WriteCall {
  readonly tablePath: string;
  readonly kind: "bulk-insert" | "upsert";
  /** Leaves the table open for the next write, as a service does that writes again and again. */
  readonly keepsOpen?: boolean;
  readonly watchesLoop?: boolean;
}

interface ReadCall {
  readonly tablePath: string;
  readonly columns?: readonly string[];
  /** Reads what was committed after this instant, instead of the snapshot. */
  readonly after?: string;
  readonly readOptimized?: boolean;
}

const [, , library = "", optionsJson = "{}"] = process.argv;
const lake = (await import(library)) as typeof import("../../src/index.ts");
const options = JSON.parse(optionsJson) as TableOptions;
/** Tables that stay open between writes, by path. */
const openTables = new Map<string, HudiTable>();
let input: Source<unknown> = [];
let inputCount = 0;

/** Opens a table for one piece of work. */
async function withTable<T>(path: string, work: (table: HudiTable) => Promise<T>): Promise<T> {
  const table = await lake.HudiTable.open(path, options);
  try {
    return await work(table);
  } finally {
    await table[Symbol.asyncDispose]();
  }
}

async function loadTable(path: string): Promise<Table> {
  return tableFromIPC(await readFile(path));
}

/** Row objects as an application has them: dates are `Date`, longs and timestamps are bigint. */
function toRows(batch: RecordBatch): Record<string, unknown>[] {
  const names = batch.schema.fields.map((field) => field.name);
  const columns = names.map((name, index) => {
    const vector = batch.getChildAt(index);
    if (name === "moment") {
      const micros = vector?.data[0]?.values as BigInt64Array;
      return (row: number): unknown => (vector?.isValid(row) ? micros[row] : null);
    }
    if (name === "day") {
      return (row: number): unknown => (vector?.isValid(row) ? new Date(vector.get(row)) : null);
    }
    return (row: number): unknown => vector?.get(row);
  });
  return Array.from({ length: batch.numRows }, (_, row) =>
    Object.fromEntries(names.map((name, index) => [name, columns[index]?.(row)])),
  );
}

async function load(params: { paths: string[]; form: InputForm }): Promise<void> {
  const batches: RecordBatch[] = [];
  for (const path of params.paths) batches.push(...(await loadTable(path)).batches);
  inputCount = batches.reduce((sum, batch) => sum + batch.numRows, 0);
  input = params.form === "arrow" ? batches : batches.flatMap(toRows);
}

async function write(params: WriteCall): Promise<LakeAnswer> {
  const { tablePath, kind, keepsOpen, watchesLoop } = params;
  if (kind === "bulk-insert") await createTable(tablePath);
  const watch = watchesLoop ? new LoopWatch() : undefined;
  const { sample } = await measure(async () => {
    if (!keepsOpen) return withTable(tablePath, (table) => writeInput(table, kind));
    const table = openTables.get(tablePath) ?? (await lake.HudiTable.open(tablePath, options));
    openTables.set(tablePath, table);
    return writeInput(table, kind);
  });
  return { sample, rowCount: inputCount, ...(watch && { loopDelay: watch.stop() }) };
}

function writeInput(table: HudiTable, kind: WriteCall["kind"]): Promise<Commit> {
  const rows = input as Source<Record<string, unknown>>;
  return kind === "upsert" ? table.upsert(rows) : table.bulkInsert(rows);
}

async function closeTables(): Promise<void> {
  for (const table of openTables.values()) await table[Symbol.asyncDispose]();
  openTables.clear();
}

async function createTable(path: string, kind?: TableKind): Promise<void> {
  const index = kind && { kind: "bucket" as const, buckets: kind.buckets };
  const definition = { ...DEFINITION, index, ...(kind && { type: kind.type }) };
  const table = await lake.HudiTable.create(path, definition, options);
  await table[Symbol.asyncDispose]();
}

/** Creates a table from files that need not fit into memory together; nothing is measured. */
async function build(params: {
  tablePath: string;
  paths: string[];
  kind?: TableKind;
}): Promise<void> {
  await createTable(params.tablePath, params.kind);
  async function* batches(): AsyncGenerator<RecordBatch> {
    for (const path of params.paths) yield* (await loadTable(path)).batches;
  }
  await withTable(params.tablePath, (table) =>
    table.bulkInsert(batches() as unknown as Source<Record<string, unknown>>),
  );
}

/** Reads to Arrow record batches, each of which is let go when the next one comes. */
async function read(params: ReadCall): Promise<LakeAnswer> {
  const { sample, result } = await measure(() =>
    withTable(params.tablePath, async (table) => {
      let rowCount = 0;
      for await (const batch of scanBatches(table, params)) rowCount += batch.numRows;
      return rowCount;
    }),
  );
  return { sample, rowCount: result };
}

function scanBatches(table: HudiTable, params: ReadCall): AsyncIterable<RecordBatch> {
  const { columns, after, readOptimized } = params;
  const scan =
    after === undefined
      ? table.read({ columns, readOptimized })
      : table.incremental({ columns, after });
  return scan.batches() as AsyncIterable<RecordBatch>;
}

/** The same read into an Arrow stream file, so that its rows can be checked. */
async function dump(params: ReadCall & { into: string }): Promise<void> {
  const writer = new RecordBatchStreamWriter();
  await withTable(params.tablePath, async (table) => {
    for await (const batch of scanBatches(table, params)) writer.write(batch as never);
  });
  writer.finish();
  await writeFile(params.into, await writer.toUint8Array());
}

/** The base files of the latest slices, and the instants of completed commits. */
async function describe(params: { tablePath: string }): Promise<{
  files: { path: string; sizeBytes: number }[];
  logs: { path: string; sizeBytes: number }[];
  instants: string[];
}> {
  return withTable(params.tablePath, async (table) => {
    const slices = await table.files();
    const timeline = await table.timeline();
    return {
      files: slices.flatMap(({ baseFile }) =>
        baseFile ? [{ path: baseFile.path, sizeBytes: baseFile.sizeBytes }] : [],
      ),
      logs: slices.flatMap(({ logFiles }) =>
        logFiles.map(({ path, sizeBytes }) => ({ path, sizeBytes })),
      ),
      instants: timeline
        .filter((instant) => instant.state === "completed")
        .map((instant) => instant.time),
    };
  });
}

serveCalls({ closeTables, load, write, build, read, dump, describe });
