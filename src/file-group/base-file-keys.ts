// Finds keys in one base file: by the key range and bloom filter of the footer, then by its key column.
// Rules: spec/format/base-file.md, BASE-7 and BASE-8.
import { HudiError } from "../errors.ts";
import type { BytesColumn } from "../format/column-batch.ts";
import { gatherColumn } from "../format/column-gather.ts";
import { KeyTable } from "../format/key-table.ts";
import type { ParquetFileReader } from "../format/parquet-reader.ts";
import {
  PREFIX_BYTES,
  type PrefixedColumn,
  releaseColumn,
  type StoredColumn,
  toColumn,
} from "../format/stored-column.ts";
import { Numbering } from "../format/value-numbering.ts";
import { META_FIELDS } from "../layout/record-key.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import type { Storage } from "../storage/storage.ts";
import {
  BATCH_ROWS,
  type BaseFileRef,
  findBloomFilter,
  findKeyRange,
  openBaseFile,
} from "./base-file.ts";
import { isInKeyRange } from "./key-order.ts";

/** A search for keys in one base file: plain data, so that a worker thread can do it. */
export interface FindKeysTask {
  readonly kind: "find-keys";
  readonly file: BaseFileRef;
  /** The keys looked for, without nulls. */
  readonly keys: BytesColumn;
  /** Whether key range and bloom filter of the footer may rule keys out. */
  readonly useFooter: boolean;
}

/** Where keys stand: `positions[i]` is a row of the file that holds key `rows[i]`, ascending. */
export interface FoundKeys {
  readonly rows: Int32Array;
  readonly positions: Int32Array;
  /** Rows of the file, for estimates. */
  readonly fileRowCount: number;
  /** Bytes of its row groups, without the footer. */
  readonly fileDataBytes: number;
}

const KEY_FIELD = {
  id: -3,
  name: META_FIELDS[2] as string,
  type: { kind: "string" },
  nullable: true,
} as const;

/** Finds every row of the file that holds one of the keys. */
export async function findKeys(
  storage: Storage,
  task: FindKeysTask,
  signal?: AbortSignal,
): Promise<FoundKeys> {
  const { keys, file, useFooter } = task;
  // The file is small or likely to be merged into next, so it may be fetched whole.
  const reader = await openBaseFile(storage, file, { signal, readsAll: true });
  return findKeysIn(reader, file.path, keys, useFooter, signal);
}

/** The same in a file that is open. */
export async function findKeysIn(
  reader: ParquetFileReader,
  path: string,
  keys: BytesColumn,
  useFooter: boolean,
  signal?: AbortSignal,
): Promise<FoundKeys> {
  const candidates = useFooter ? filterByFooter(reader, path, keys) : allRows(keys.rowCount);
  const matches = new MatchList();
  if (candidates.length > 0) {
    const isLarge = reader.rowCount >= KERNEL_ROWS;
    const find = (isLarge && findInKernel(keys, candidates)) || findInTable(keys, candidates);
    let position = 0;
    for await (const column of readStoredKeys(reader, signal)) {
      if (column.validity) throw missingKeys(path);
      const first = position;
      find(column, (row, key) => matches.add(key, first + row));
      position += column.rowCount;
      releaseColumn(column);
      await yieldToHost(signal);
    }
  }
  return { ...matches.finish(), fileRowCount: reader.rowCount, fileDataBytes: dataBytes(reader) };
}

/** Calls back for each row of a column of keys that is one of those looked for, with that key's row. */
type KeySearch = (
  column: BytesColumn | PrefixedColumn,
  found: (row: number, key: number) => void,
) => void;

/** Searches of fewer rows end before a kernel is set up. */
const KERNEL_ROWS = 2_048;
/** More bytes of keys are not kept in the memory of the kernel. */
const MOST_KERNEL_BYTES = 256 * 1024 * 1024;

/** A search by the kernel, or undefined where the keys are too large for it. */
function findInKernel(keys: BytesColumn, candidates: Int32Array): KeySearch | undefined {
  const wanted =
    candidates.length === keys.rowCount
      ? keys
      : (gatherColumn(keys, undefined, candidates) as BytesColumn);
  const rowCount = candidates.length;
  const bytes = (wanted.offsets[rowCount] as number) - (wanted.offsets[0] as number);
  if (bytes > MOST_KERNEL_BYTES) return undefined;
  const limits = { entries: rowCount, bytes: bytes + rowCount * 4, sampleValues: rowCount + 1 };
  const numbering = new Numbering("text", rowCount, limits, true);
  const ids = numbering.add({ column: wanted, from: 0, to: rowCount });
  if (!(ids instanceof Int32Array)) return undefined;
  const rowOfId = new Int32Array(rowCount);
  for (let at = 0; at < rowCount; at += 1) rowOfId[ids[at] as number] = candidates[at] as number;
  return (column, found) => {
    numbering.find({ column, from: 0, to: column.rowCount }, (row, id) =>
      found(row, rowOfId[id] as number),
    );
  };
}

/** The same for keys of any size. */
function findInTable(keys: BytesColumn, candidates: Int32Array): KeySearch {
  const table = new KeyTable(candidates.length);
  const rowOfId = new Int32Array(candidates.length);
  for (const row of candidates) {
    const [start, end] = [keys.offsets[row] as number, keys.offsets[row + 1] as number];
    rowOfId[table.add(0, keys.data, start, end)] = row;
  }
  return ({ data, offsets, rowCount, layout }, found) => {
    const skip = layout === "prefixed" ? PREFIX_BYTES : 0;
    for (let row = 0; row < rowCount; row += 1) {
      const start = (offsets[row] as number) + skip;
      const id = table.find(0, data, start, offsets[row + 1] as number);
      if (id >= 0) found(row, rowOfId[id] as number);
    }
  };
}

/** The record keys of a file, batch by batch; not taken out of plain pages. */
async function* readStoredKeys(
  reader: ParquetFileReader,
  signal: AbortSignal | undefined,
): AsyncGenerator<BytesColumn | PrefixedColumn> {
  const options = { signal, batchRows: BATCH_ROWS };
  for (let group = 0; group < reader.rowGroups.length; group += 1) {
    for await (const { columns } of reader.readStoredBatches(group, [KEY_FIELD], options)) {
      const [column] = columns as readonly [StoredColumn];
      yield column.layout === "prefixed" ? column : (toColumn(column) as BytesColumn);
    }
  }
}

/** Bytes of the row groups of a file: what its rows need, without the footer. */
export function dataBytes(reader: ParquetFileReader): number {
  return reader.rowGroups.reduce((sum, group) => sum + group.compressedBytes, 0);
}

function missingKeys(path: string): HudiError {
  return new HudiError(
    "UNSUPPORTED",
    `cannot find keys in ${path}: ${KEY_FIELD.name} is missing or null, expected a table that populates its meta fields`,
    { path },
  );
}

function allRows(rowCount: number): Int32Array {
  const rows = new Int32Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) rows[row] = row;
  return rows;
}

function filterByFooter(reader: ParquetFileReader, path: string, keys: BytesColumn): Int32Array {
  const range = findKeyRange(reader);
  let rows = allRows(keys.rowCount);
  if (range) {
    rows = rows.filter((row) =>
      isInKeyRange(range, keys.data, keys.offsets[row] as number, keys.offsets[row + 1] as number),
    );
  }
  // Testing a key costs about as much as reading ten, so a filter only helps when few are looked for.
  if (rows.length === 0 || rows.length * 10 > reader.rowCount) return rows;
  const filter = findBloomFilter(reader, path);
  if (!filter) return rows;
  return rows.filter((row) =>
    filter.mayContain(keys.data, keys.offsets[row] as number, keys.offsets[row + 1] as number),
  );
}

class MatchList {
  #rows: Int32Array = new Int32Array(1024);
  #positions: Int32Array = new Int32Array(1024);
  #count = 0;

  add(row: number, position: number): void {
    if (this.#count === this.#rows.length) {
      const grow = (old: Int32Array): Int32Array => {
        const larger = new Int32Array(old.length * 2);
        larger.set(old);
        return larger;
      };
      this.#rows = grow(this.#rows);
      this.#positions = grow(this.#positions);
    }
    this.#rows[this.#count] = row;
    this.#positions[this.#count] = position;
    this.#count += 1;
  }

  finish(): Pick<FoundKeys, "rows" | "positions"> {
    return {
      rows: this.#rows.slice(0, this.#count),
      positions: this.#positions.slice(0, this.#count),
    };
  }
}
