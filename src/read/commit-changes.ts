// The changes of one commit: new rows are those of its commit time, the rows before them are looked up
// by key, and keys that are gone are deletes. Rules: spec/protocol/changes.md, CH-4 to CH-8.
import type { LogMergeRules } from "../file-group/log-merge.ts";
import { mergeLogs } from "../file-group/log-merge.ts";
import { scanLogFiles } from "../file-group/log-scan.ts";
import type { SliceSource } from "../file-group/slice-merge.ts";
import { findRows } from "../file-group/slice-rows.ts";
import {
  type BytesColumn,
  type ColumnBatch,
  emptyBatch,
  requireBytesColumn,
} from "../format/column-batch.ts";
import { concatBatches } from "../format/column-concat.ts";
import { gatherColumn } from "../format/column-gather.ts";
import { KeyTable } from "../format/key-table.ts";
import type { Field, TableSchema } from "../format/schema.ts";
import type { Storage } from "../storage/storage.ts";
import { type ChangedRows, changeSchema, makeChangeBatch, RECORD_KEY } from "./change-batch.ts";
import type { ChangePlan, CommitPlan, GroupChange, SliceState } from "./change-plan.ts";
import { DepartedRows } from "./departed-rows.ts";
import { coalesceBatches } from "./read-plan.ts";
import { fieldOf, scanSlices } from "./slice-scan.ts";

/** Rows that are paired with their older versions at a time, and keys that are deleted at a time. */
const ROWS_AT_ONCE = 32_768;

/** Of a slice without logs nothing is weighed. */
const NO_RULES: LogMergeRules = {
  orderingField: undefined,
  deletions: "payload",
  weighsStored: false,
};
const NOTHING_VISIBLE = { completed: [], archivedBefore: undefined, upTo: undefined };

/** The changes of a commit as batches of `changeSchema`; none is empty. */
export async function* readCommitChanges(
  storage: Storage,
  plan: ChangePlan,
  commit: CommitPlan,
  signal?: AbortSignal,
): AsyncGenerator<ColumnBatch> {
  yield* new CommitReader(storage, plan, commit.instant, signal).read(commit.groups);
}

class CommitReader {
  readonly #storage: Storage;
  readonly #schema: TableSchema;
  readonly #fields: readonly Field[];
  readonly #shape: TableSchema;
  readonly #instant: string;
  readonly #signal: AbortSignal | undefined;

  constructor(
    storage: Storage,
    { schema, keyFields }: ChangePlan,
    instant: string,
    signal: AbortSignal | undefined,
  ) {
    this.#storage = storage;
    this.#schema = schema;
    this.#fields = [fieldOf(schema, RECORD_KEY), ...schema.fields];
    this.#shape = changeSchema(schema, keyFields);
    this.#instant = instant;
    this.#signal = signal;
  }

  async *read(groups: readonly GroupChange[]): AsyncGenerator<ColumnBatch> {
    const departed = new DepartedRows();
    for (const group of groups) departed.add(group, await this.#findDeparted(group));
    for (const group of groups) {
      if (!group.after) continue;
      const columns = this.#fields.map(({ name }) => name);
      const rows = this.#scan(group.after, columns, true);
      for await (const after of coalesceBatches(rows, ROWS_AT_ONCE)) {
        yield this.#make(await this.#pair(group, after, departed));
      }
    }
    for (const { group, keys } of departed.deleted(ROWS_AT_ONCE)) {
      this.#signal?.throwIfAborted();
      const { batch } = await this.#findRows(group.before, keys, this.#fields);
      if (batch.rowCount === 0) continue;
      yield this.#make({
        before: batch,
        beforeRows: Int32Array.from({ length: batch.rowCount }, (_, row) => row),
        after: this.#none(),
        afterRows: new Int32Array(batch.rowCount).fill(-1),
      });
    }
  }

  #make(rows: ChangedRows): ColumnBatch {
    return makeChangeBatch(this.#shape, this.#instant, rows);
  }

  #none(): ColumnBatch {
    return emptyBatch({ name: this.#schema.name, fields: this.#fields });
  }

  /** The keys that a group held before the commit and does not hold after it. */
  async #findDeparted(group: GroupChange): Promise<BytesColumn> {
    const { before, after } = group;
    const candidates = after && group.hasLogsOnly ? await this.#findLoggedKeys(after) : undefined;
    const held = new KeyTable();
    if (before && candidates?.count !== 0) {
      for await (const batch of this.#scan(before, [RECORD_KEY], false)) {
        const { rowCount, data, offsets } = requireBytesColumn(batch, RECORD_KEY);
        for (let row = 0; row < rowCount; row += 1) {
          const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
          if (candidates && candidates.find(0, data, start, end) < 0) continue;
          held.add(0, data, start, end);
        }
      }
    }
    const stays = new Uint8Array(held.count);
    if (after && held.count > 0) {
      for await (const batch of this.#scan(after, [RECORD_KEY], false)) {
        const { rowCount, data, offsets } = requireBytesColumn(batch, RECORD_KEY);
        for (let row = 0; row < rowCount; row += 1) {
          const key = held.find(0, data, offsets[row] as number, offsets[row + 1] as number);
          if (key >= 0) stays[key] = 1;
        }
      }
    }
    const gone = Int32Array.from(stays.keys()).filter((key) => stays[key] === 0);
    return gatherColumn(held.keys(), undefined, gone);
  }

  /** The keys that the commit logged and that have no row of it: deleted, or older than what is stored. */
  async #findLoggedKeys(after: SliceState): Promise<KeyTable> {
    const changed = new KeyTable();
    for await (const batch of this.#scan(after, [RECORD_KEY], true)) {
      const { rowCount, data, offsets } = requireBytesColumn(batch, RECORD_KEY);
      for (let row = 0; row < rowCount; row += 1) {
        changed.add(0, data, offsets[row] as number, offsets[row + 1] as number);
      }
    }
    const isVisible = (instant: string): boolean => instant === this.#instant;
    const options = { isVisible, signal: this.#signal };
    const { blocks } = await scanLogFiles(this.#storage, after.slice.logFiles, options);
    const { keys } = await mergeLogs(blocks, NO_RULES, this.#signal);
    const { rowCount, data, offsets } = keys;
    const left = new KeyTable();
    for (let row = 0; row < rowCount; row += 1) {
      const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
      if (changed.find(0, data, start, end) < 0) left.add(0, data, start, end);
    }
    return left;
  }

  /** Finds the older versions of rows, first in their own group, then among what left other groups. */
  async #pair(
    group: GroupChange,
    after: ColumnBatch,
    departed: DepartedRows,
  ): Promise<ChangedRows> {
    const afterKeys = requireBytesColumn(after, RECORD_KEY);
    const { keys, numbers } = distinctKeys(afterKeys);
    const own = await this.#findRows(group.before, keys, this.#fields);
    const batches = [own.batch];
    let count = own.batch.rowCount;
    const rowOfKey = new Int32Array(keys.rowCount).fill(-1);
    for (const [at, key] of own.rows.entries()) if (rowOfKey[key] === -1) rowOfKey[key] = at;
    const moved = new Map<GroupChange, number[]>();
    for (let key = 0; key < keys.rowCount; key += 1) {
      if (rowOfKey[key] !== -1) continue;
      const source = departed.takeBack(group.partitionPath, keys, key);
      if (source) moved.set(source, [...(moved.get(source) ?? []), key]);
    }
    for (const [source, ofSource] of moved) {
      const wanted = gatherColumn(keys, undefined, Int32Array.from(ofSource));
      const { rows, batch } = await this.#findRows(source.before, wanted, this.#fields);
      for (const [at, key] of rows.entries()) rowOfKey[ofSource[key] as number] = count + at;
      batches.push(batch);
      count += batch.rowCount;
    }
    const beforeRows = numbers.map((key) => {
      const row = rowOfKey[key] as number;
      // A key that stands there twice has one older version.
      rowOfKey[key] = -1;
      return row;
    });
    const afterRows = Int32Array.from({ length: after.rowCount }, (_, row) => row);
    const filled = batches.filter(({ rowCount }) => rowCount > 0);
    const before = filled.length > 0 ? concatBatches(filled) : this.#none();
    return { before, beforeRows, after, afterRows };
  }

  #findRows(
    state: SliceState | undefined,
    keys: BytesColumn,
    fields: readonly Field[],
  ):
    | Promise<{ readonly rows: Int32Array; readonly batch: ColumnBatch }>
    | ReturnType<typeof findRows> {
    if (!state || keys.rowCount === 0) {
      return Promise.resolve({ rows: new Int32Array(0), batch: this.#none() });
    }
    const source = sourceOf(state);
    return findRows(this.#storage, { kind: "find-rows", source, keys, fields }, this.#signal);
  }

  /** Columns of a slice; of the rows of this commit alone where they are asked for. */
  #scan(
    { slice, logs }: SliceState,
    columns: readonly string[],
    isOwn: boolean,
  ): AsyncGenerator<ColumnBatch> {
    return scanSlices(this.#storage, [slice], {
      schema: this.#schema,
      columns,
      instants: isOwn ? new Set([this.#instant]) : undefined,
      logs,
      signal: this.#signal,
    });
  }
}

function sourceOf({ slice, logs }: SliceState): SliceSource {
  const { baseFile: base, logFiles } = slice;
  const { visible, rules } = logs ?? { visible: NOTHING_VISIBLE, rules: NO_RULES };
  return { base, logFiles, visible, rules };
}

/** The keys of rows, each once, and for each row the number of its key. */
function distinctKeys(keys: BytesColumn): {
  readonly keys: BytesColumn;
  readonly numbers: Int32Array;
} {
  const { rowCount, data, offsets } = keys;
  const table = new KeyTable(rowCount);
  const numbers = new Int32Array(rowCount);
  for (let row = 0; row < rowCount; row += 1) {
    numbers[row] = table.add(0, data, offsets[row] as number, offsets[row + 1] as number);
  }
  return { keys: table.keys(), numbers };
}
