// The version of each key that wins among the logs of a slice, as rows of columns. Two walks: the first
// reads keys and ordering values and decides, the second decodes the rows that won, so that the keys and
// these rows are all that is held. Rules: spec/format/merge-rules.md MR-15 to MR-17.
import {
  type BytesColumn,
  type Column,
  type ColumnBatch,
  emptyBatch,
  isPresent,
  nullColumn,
  requireBytesColumn,
  selectColumns,
} from "../format/column-batch.ts";
import { concatBatches, concatBatchSteps } from "../format/column-concat.ts";
import { gatherBatchSteps, gatherColumn } from "../format/column-gather.ts";
import { KeyTable } from "../format/key-table.ts";
import { decodeDeletes } from "../format/log-deletes.ts";
import type { Field, TableSchema } from "../format/schema.ts";
import { META_FIELDS } from "../layout/record-key.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import { runInTurns } from "../runtime/steps.ts";
import { readLogRows } from "./log-rows.ts";
import type { LiveBlock } from "./log-scan.ts";
import { createOrderingComparator, type OrderingComparator } from "./record-merger.ts";

/** How versions of a key are weighed. */
export interface LogMergeRules {
  readonly orderingField: Field | undefined;
  /**
   * `payload`, up to version 6: a deletion takes any stored row away, and any row that is logged after
   * it wins. `event-time`, from version 8: deletions have their place in the order as rows have.
   */
  readonly deletions: "payload" | "event-time";
  /** Whether stored rows are weighed by their ordering values; otherwise what is logged wins. */
  readonly weighsStored: boolean;
}

/** What the logs of a slice say. */
export interface MergedLogs {
  /** Every key that the logs name, in the order first seen. */
  readonly keys: BytesColumn;
  /** A set byte for each key that is deleted. */
  readonly deletes: Uint8Array;
  /**
   * For each key the ordering value that a stored row must not exceed; null where the version wins
   * over any, undefined where all do.
   */
  readonly ordering: Column | undefined;
  /**
   * The rows that won, of keys that are asked for: columns of the rows, and for each row the number of
   * its key. One block is held at a time.
   */
  readRows(
    schema: TableSchema,
    isWanted: (key: number) => boolean,
    signal?: AbortSignal,
  ): AsyncGenerator<LogRows>;
}

/** Rows that won among the logs of a slice. */
export interface LogRows {
  readonly batch: ColumnBatch;
  readonly keys: Int32Array;
}

const KEY_FIELD: Field = {
  id: -3,
  name: META_FIELDS[2] as string,
  type: { kind: "string" },
  nullable: true,
};

/** A run of rows or deletions that were looked at together. */
interface Part {
  readonly block: LiveBlock;
  /** The first of its rows within the block. */
  readonly firstRow: number;
  readonly rowCount: number;
  readonly isDeletion: boolean;
  readonly ordering: Column | undefined;
  /** Its rows, where they are held. */
  readonly rows: ColumnBatch | undefined;
}

/**
 * Weighs the versions that the live blocks of a slice hold, oldest first. Rows of the columns `held`
 * are kept in memory, so that they need not be decoded again.
 */
export async function mergeLogs(
  blocks: readonly LiveBlock[],
  rules: LogMergeRules,
  signal?: AbortSignal,
  held?: TableSchema,
): Promise<MergedLogs> {
  const versions = new Versions(rules);
  for (const block of blocks) {
    for await (const { keys, ...part } of readParts(block, rules.orderingField, held, signal)) {
      versions.offer(part, keys);
      await yieldToHost(signal);
    }
  }
  return {
    keys: versions.keys(),
    deletes: versions.deletes(),
    ordering: versions.ordering(),
    readRows: (schema, isWanted, abort) => readWinners(blocks, versions, schema, isWanted, abort),
  };
}

async function* readWinners(
  blocks: readonly LiveBlock[],
  versions: Versions,
  schema: TableSchema,
  isWanted: (key: number) => boolean,
  signal: AbortSignal | undefined,
): AsyncGenerator<LogRows> {
  const { rowsOfPart, keysOfPart } = versions.winners(isWanted);
  const partsOf = Map.groupBy(versions.parts.keys(), (part) => versions.parts[part]?.block);
  for (const block of blocks) {
    const parts = partsOf.get(block) ?? [];
    const holdsRows = parts.some((number) => (rowsOfPart[number]?.length ?? 0) > 0);
    if (block.block.type === "delete" || !holdsRows) continue;
    let next = 0;
    for await (const read of readHeld(versions.parts, parts, block, schema, signal)) {
      const number = parts[next] as number;
      next += 1;
      const rows = rowsOfPart[number] as Int32Array;
      if (rows.length === 0) continue;
      const batch = await runInTurns(gatherBatchSteps(read, rows), signal);
      yield { batch: { ...batch, schema }, keys: keysOfPart[number] as Int32Array };
    }
  }
}

/** The rows of a block once more, from memory where they are held. */
async function* readHeld(
  all: readonly Part[],
  parts: readonly number[],
  block: LiveBlock,
  schema: TableSchema,
  signal: AbortSignal | undefined,
): AsyncGenerator<ColumnBatch> {
  const batches = parts.map((number) => all[number]?.rows);
  const isHeld = (batch: ColumnBatch | undefined): boolean =>
    batch !== undefined &&
    schema.fields.every(({ name }) => batch.schema.fields.some((field) => field.name === name));
  if (!batches.every(isHeld)) {
    yield* readLogRows(block, schema.fields, signal);
    return;
  }
  for (const batch of batches) if (batch) yield selectColumns(batch, schema.fields);
}

/** The rows that won, as one batch, and for each key its row in it; -1 for one that has none. */
export async function collectLogRows(
  logs: MergedLogs,
  schema: TableSchema,
  signal?: AbortSignal,
): Promise<{ readonly batch: ColumnBatch; readonly finalRows: Int32Array }> {
  const finalRows = new Int32Array(logs.keys.rowCount).fill(-1);
  const won: ColumnBatch[] = [];
  let count = 0;
  for await (const { batch, keys } of logs.readRows(schema, () => true, signal)) {
    won.push(batch);
    for (const key of keys) {
      finalRows[key] = count;
      count += 1;
    }
  }
  const batch = won.length > 0 ? await runInTurns(concatBatchSteps(won), signal) : undefined;
  return { batch: { ...(batch ?? emptyBatch(schema)), schema }, finalRows };
}

/** The keys and ordering values of a block, in the runs in which its rows are read again. */
async function* readParts(
  block: LiveBlock,
  orderingField: Field | undefined,
  held: TableSchema | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Part & { readonly keys: BytesColumn }> {
  if (block.block.type === "delete") {
    const content = await block.block.readContent(signal);
    const place = `${block.file.path}, block at byte ${block.block.offset}`;
    const { keys, ordering } = decodeDeletes(content, orderingField, place);
    const { rowCount } = keys;
    yield { block, firstRow: 0, rowCount, isDeletion: true, ordering, keys, rows: undefined };
    return;
  }
  const deciding = orderingField ? [KEY_FIELD, { ...orderingField, nullable: true }] : [KEY_FIELD];
  const names = new Set(deciding.map(({ name }) => name));
  const fields = [...deciding, ...(held?.fields ?? []).filter(({ name }) => !names.has(name))];
  let firstRow = 0;
  for await (const batch of readLogRows(block, fields, signal)) {
    const { rowCount } = batch;
    const keys = requireBytesColumn(batch, KEY_FIELD.name);
    const ordering = orderingField && batch.columns[1];
    const rows = held && batch;
    yield { block, firstRow, rowCount, isDeletion: false, ordering, keys, rows };
    firstRow += rowCount;
  }
}

/** The newest version of each key seen so far. */
class Versions {
  readonly parts: Part[] = [];
  readonly #rules: LogMergeRules;
  readonly #table = new KeyTable(64);
  #partOf: Int32Array = new Int32Array(64);
  #rowOf: Int32Array = new Int32Array(64);

  constructor(rules: LogMergeRules) {
    this.#rules = rules;
  }

  keys(): BytesColumn {
    return this.#table.keys();
  }

  /** Takes in rows or deletions that come after all before. */
  offer(part: Part, keys: BytesColumn): void {
    const number = this.parts.length;
    this.parts.push(part);
    const isNewer = this.#createTest(part);
    const { data, offsets } = keys;
    for (let row = 0; row < part.rowCount; row += 1) {
      const known = this.#table.count;
      const key = this.#table.add(0, data, offsets[row] as number, offsets[row + 1] as number);
      if (key < known && !isNewer(this.#partOf[key] as number, this.#rowOf[key] as number, row)) {
        continue;
      }
      if (key >= this.#partOf.length) this.#grow();
      this.#partOf[key] = number;
      this.#rowOf[key] = row;
    }
  }

  #grow(): void {
    const grow = (old: Int32Array): Int32Array => {
      const larger = new Int32Array(old.length * 2);
      larger.set(old);
      return larger;
    };
    this.#partOf = grow(this.#partOf);
    this.#rowOf = grow(this.#rowOf);
  }

  /** Whether a row of a part wins over a version that was seen before it. */
  #createTest(part: Part): (otherPart: number, otherRow: number, row: number) => boolean {
    const { ordering, isDeletion } = part;
    if (!this.#rules.orderingField || !ordering) return () => true;
    const comparators = new Map<number, OrderingComparator | undefined>();
    return (otherPart, otherRow, row) => {
      const other = this.parts[otherPart] as Part;
      const isAnyNewer = this.#rules.deletions === "payload" && other.isDeletion && !isDeletion;
      if (isAnyNewer || !isPresent(ordering, row)) return true;
      let compare = comparators.get(otherPart);
      if (!compare && other.ordering) {
        compare = createOrderingComparator(other.ordering, ordering);
        comparators.set(otherPart, compare);
      }
      return !compare || compare(otherRow, row) <= 0;
    };
  }

  /** By key: a set byte where a deletion won. */
  deletes(): Uint8Array {
    return Uint8Array.from({ length: this.#table.count }, (_, key) =>
      this.parts[this.#partOf[key] as number]?.isDeletion ? 1 : 0,
    );
  }

  /** By part: the rows that won, ascending, and the keys that they are the version of. */
  winners(isWanted: (key: number) => boolean): {
    readonly rowsOfPart: Int32Array[];
    readonly keysOfPart: Int32Array[];
  } {
    const { count } = this.#table;
    const [partOf, rowOf] = [this.#partOf, this.#rowOf];
    // Keys by the rows that they are the version of, so that rows come in their order.
    const keyOfRow = this.parts.map(({ rowCount }) => new Int32Array(rowCount).fill(-1));
    const counts = new Int32Array(this.parts.length);
    for (let key = 0; key < count; key += 1) {
      if (!isWanted(key)) continue;
      const part = partOf[key] as number;
      (keyOfRow[part] as Int32Array)[rowOf[key] as number] = key;
      counts[part] = (counts[part] as number) + 1;
    }
    const rowsOfPart = Array.from(counts, (own) => new Int32Array(own));
    const keysOfPart = Array.from(counts, (own) => new Int32Array(own));
    for (const [part, keys] of keyOfRow.entries()) {
      const [rows, own] = [rowsOfPart[part] as Int32Array, keysOfPart[part] as Int32Array];
      let used = 0;
      for (let row = 0; row < keys.length; row += 1) {
        const key = keys[row] as number;
        if (key < 0) continue;
        rows[used] = row;
        own[used] = key;
        used += 1;
      }
    }
    return { rowsOfPart, keysOfPart };
  }

  /** By key, what a stored row is compared with. */
  ordering(): Column | undefined {
    const field = this.#rules.orderingField;
    const { count } = this.#table;
    if (!field || count === 0) return undefined;
    if (!this.#rules.weighsStored) return undefined;
    const isFree = ({ isDeletion }: Part): boolean =>
      isDeletion && this.#rules.deletions === "payload";
    const starts: number[] = [];
    let start = 0;
    const schema = { name: "ordering", fields: [{ ...field, nullable: true }] };
    const batches = this.parts.map((part): ColumnBatch => {
      starts.push(start);
      start += part.rowCount;
      const column = isFree(part) ? undefined : part.ordering;
      const columns = [column ?? nullColumn(field.type, part.rowCount)];
      return { schema, rowCount: part.rowCount, columns };
    });
    const [all] = concatBatches(batches).columns as [Column];
    const picks = Int32Array.from(
      { length: count },
      (_, key) => (starts[this.#partOf[key] as number] as number) + (this.#rowOf[key] as number),
    );
    return gatherColumn(all, undefined, picks);
  }
}
