// The changes of one commit: new rows are those of its commit time, the rows before them are looked up
// by key, and keys that are gone are deletes. Rules: spec/protocol/changes.md, CH-4 to CH-8.
import { sliceBytes } from "../file-group/file-slice.ts";
import { type LogMergeRules, mergeLogs } from "../file-group/log-merge.ts";
import { scanLogFiles } from "../file-group/log-scan.ts";
import type { SliceSource } from "../file-group/slice-merge.ts";
import { type FoundRows, findRows } from "../file-group/slice-rows.ts";
import {
  type BytesColumn,
  type ColumnBatch,
  emptyBatch,
  requireBytesColumn,
  sliceTexts,
} from "../format/column-batch.ts";
import { concatBatches } from "../format/column-concat.ts";
import { gatherBatch, gatherColumn } from "../format/column-gather.ts";
import { KeyTable } from "../format/key-table.ts";
import { createValueReader } from "../format/row-batch.ts";
import type { Field, TableSchema } from "../format/schema.ts";
import { META_FIELDS } from "../layout/record-key.ts";
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
const COMMIT_TIME = META_FIELDS[0] as string;
const NOTHING_VISIBLE = { completed: [], archivedBefore: undefined, upTo: undefined };

/** The changes of a commit as batches of `changeSchema`; none is empty. */
export async function* readCommitChanges(
  storage: Storage,
  plan: ChangePlan,
  commit: CommitPlan,
  signal?: AbortSignal,
): AsyncGenerator<ColumnBatch> {
  const { groups, instant } = commit;
  const replaced = groups.flatMap(({ before, after }) => (before && !after ? [before.slice] : []));
  const bytes = replaced.reduce((sum, slice) => sum + sliceBytes(slice), 0);
  const count = Math.max(1, Math.ceil(bytes / plan.passBytes));
  for (let number = 0; number < count; number += 1) {
    const isInPass = count === 1 ? undefined : createPassTest(number, count);
    yield* new CommitReader(storage, plan, instant, isInPass, signal).read(groups);
  }
}

/** Whether a key is one of those that are looked at in this pass. */
type KeyTest = (data: Uint8Array, start: number, end: number) => boolean;

/** Divides keys evenly, so that all that is done for one key is done in one pass. */
function createPassTest(number: number, count: number): KeyTest {
  return (data, start, end) => {
    let hash = 0x811c9dc5;
    for (let at = start; at < end; at += 1)
      hash = Math.imul(hash ^ (data[at] as number), 0x01000193);
    return ((hash ^ (hash >>> 15)) >>> 0) % count === number;
  };
}

class CommitReader {
  readonly #storage: Storage;
  readonly #schema: TableSchema;
  readonly #fields: readonly Field[];
  readonly #shape: TableSchema;
  readonly #instant: string;
  readonly #isInPass: KeyTest | undefined;
  readonly #signal: AbortSignal | undefined;

  constructor(
    storage: Storage,
    { schema, keyFields }: ChangePlan,
    instant: string,
    isInPass: KeyTest | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.#storage = storage;
    this.#schema = schema;
    this.#fields = [fieldOf(schema, RECORD_KEY), ...schema.fields];
    this.#shape = changeSchema(schema, keyFields);
    this.#instant = instant;
    this.#isInPass = isInPass;
    this.#signal = signal;
  }

  async *read(groups: readonly GroupChange[]): AsyncGenerator<ColumnBatch> {
    const departed = new DepartedRows();
    const revived = new Map<GroupChange, BytesColumn>();
    for (const group of groups) {
      if (group.after && group.hasLogsOnly) {
        const unwritten = await this.#weighUnwritten(group, group.after);
        departed.add(group, unwritten.gone);
        revived.set(group, unwritten.revived);
      } else {
        departed.add(group, await this.#findDeparted(group));
      }
    }
    for (const group of groups) {
      if (!group.after) continue;
      const columns = this.#fields.map(({ name }) => name);
      const rows = this.#scan(group.after, columns, true);
      for await (const after of coalesceBatches(this.#keepPass(rows), ROWS_AT_ONCE)) {
        yield this.#make(await this.#pair(group, after, departed));
      }
      for (const keys of cutKeys(revived.get(group))) {
        const { batch } = await this.#findRows(group.after, keys, this.#fields);
        yield this.#make(await this.#pair(group, batch, departed));
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

  /** The rows whose keys are looked at in this pass. */
  async *#keepPass(batches: AsyncIterable<ColumnBatch>): AsyncGenerator<ColumnBatch> {
    const isInPass = this.#isInPass;
    for await (const batch of batches) {
      if (!isInPass) {
        yield batch;
        continue;
      }
      const { data, offsets } = requireBytesColumn(batch, RECORD_KEY);
      const rows = Int32Array.from({ length: batch.rowCount }, (_, row) => row).filter((row) =>
        isInPass(data, offsets[row] as number, offsets[row + 1] as number),
      );
      if (rows.length > 0) yield gatherBatch(batch, rows);
    }
  }

  #make(rows: ChangedRows): ColumnBatch {
    return makeChangeBatch(this.#shape, this.#instant, rows);
  }

  #none(): ColumnBatch {
    return emptyBatch({ name: this.#schema.name, fields: this.#fields });
  }

  /** The keys that a group held before the commit and does not hold after it. */
  async #findDeparted({ before, after }: GroupChange): Promise<BytesColumn> {
    const held = new KeyTable();
    if (before) {
      await this.#scanKeys(before, false, (data, start, end) => {
        if (this.#isInPass?.(data, start, end) !== false) held.add(0, data, start, end);
      });
    }
    const stays = new Uint8Array(held.count);
    if (after && held.count > 0) {
      await this.#scanKeys(after, false, (data, start, end) => {
        const key = held.find(0, data, start, end);
        if (key >= 0) stays[key] = 1;
      });
    }
    return takeKeys(held.keys(), (key) => stays[key] === 0);
  }

  /**
   * What became of the keys that the commit logged and that have no row of it: they are gone, or an
   * older row stands where another one stood or none. That is so where a deletion hid a row of the base
   * file, and what was logged since is older than that row.
   */
  async #weighUnwritten(
    { before }: GroupChange,
    after: SliceState,
  ): Promise<{ readonly gone: BytesColumn; readonly revived: BytesColumn }> {
    const keys = await this.#findUnwritten(after);
    // By key the commit time of its row, and nothing where there is none.
    const loadTimes = async (state: SliceState | undefined): Promise<Map<number, string>> => {
      const times = new Map<number, string>();
      let first = 0;
      for (const some of cutKeys(keys)) {
        const field = fieldOf(this.#schema, COMMIT_TIME);
        const { rows, batch } = await this.#findRows(state, some, [field]);
        if (rows.length > 0) {
          const read = createValueReader(field, requireBytesColumn(batch, COMMIT_TIME));
          for (const [at, key] of rows.entries()) times.set(first + key, String(read(at)));
        }
        first += some.rowCount;
      }
      return times;
    };
    const [old, now] = [await loadTimes(before), await loadTimes(after)];
    return {
      gone: takeKeys(keys, (key) => old.has(key) && !now.has(key)),
      revived: takeKeys(keys, (key) => now.has(key) && now.get(key) !== old.get(key)),
    };
  }

  /** The keys that the commit logged and that have no row of it. */
  async #findUnwritten(after: SliceState): Promise<BytesColumn> {
    const written = new KeyTable();
    await this.#scanKeys(after, true, (data, start, end) => void written.add(0, data, start, end));
    const isVisible = (instant: string): boolean => instant === this.#instant;
    const options = { isVisible, signal: this.#signal };
    const { blocks } = await scanLogFiles(this.#storage, after.slice.logFiles, options);
    const { keys } = await mergeLogs(blocks, NO_RULES, this.#signal);
    const { data, offsets } = keys;
    return takeKeys(keys, (key) => {
      const [start, end] = [offsets[key] as number, offsets[key + 1] as number];
      const isInPass = this.#isInPass?.(data, start, end) !== false;
      return isInPass && written.find(0, data, start, end) < 0;
    });
  }

  /** Visits the keys of a slice; of the rows of this commit alone where they are asked for. */
  async #scanKeys(
    state: SliceState,
    isOwn: boolean,
    visit: (data: Uint8Array, start: number, end: number) => void,
  ): Promise<void> {
    for await (const batch of this.#scan(state, [RECORD_KEY], isOwn)) {
      const { rowCount, data, offsets } = requireBytesColumn(batch, RECORD_KEY);
      for (let row = 0; row < rowCount; row += 1) {
        visit(data, offsets[row] as number, offsets[row + 1] as number);
      }
    }
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
      if (!source) continue;
      const ofSource = moved.get(source);
      if (ofSource) ofSource.push(key);
      else moved.set(source, [key]);
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
  ): Promise<FoundRows> {
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

function takeKeys(keys: BytesColumn, isTaken: (key: number) => boolean): BytesColumn {
  const taken = Int32Array.from({ length: keys.rowCount }, (_, key) => key).filter(isTaken);
  return gatherColumn(keys, undefined, taken);
}

/** Keys in pieces of so many as are looked up at a time. */
function* cutKeys(keys: BytesColumn | undefined): Generator<BytesColumn> {
  const count = keys?.rowCount ?? 0;
  for (let from = 0; keys && from < count; from += ROWS_AT_ONCE) {
    yield sliceTexts(keys, from, Math.min(count, from + ROWS_AT_ONCE));
  }
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
