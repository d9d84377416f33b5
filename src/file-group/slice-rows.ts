// Finds keys in a slice with logs and reads their rows as the merged slice has them: what a write has to
// know of stored rows beforehand. Rules: spec/protocol/delta-commit.md DC-6.
import { type BytesColumn, type ColumnBatch, emptyBatch } from "../format/column-batch.ts";
import { concatBatchSteps } from "../format/column-concat.ts";
import { gatherBatch } from "../format/column-gather.ts";
import { KeyTable } from "../format/key-table.ts";
import type { ParquetFileReader } from "../format/parquet-reader.ts";
import type { Field } from "../format/schema.ts";
import { runInTurns } from "../runtime/steps.ts";
import type { Storage } from "../storage/storage.ts";
import { batchRowsOf } from "./base-file.ts";
import { findKeysIn } from "./base-file-keys.ts";
import type { BaseFileMergePlan } from "./base-file-merge.ts";
import { readRows } from "./base-file-rows.ts";
import { type MergedSlice, openMergedSlice, type SliceSource } from "./slice-merge.ts";

/** A search for the rows of keys in one slice: plain data. */
export interface FindRowsTask {
  readonly kind: "find-rows";
  readonly source: SliceSource;
  /** The keys looked for: distinct, without nulls. */
  readonly keys: BytesColumn;
  readonly fields: readonly Field[];
}

/** The rows that a slice holds of some keys. */
export interface FoundRows {
  /** For each row the number of its key. */
  readonly rows: Int32Array;
  readonly batch: ColumnBatch;
}

/** The rows of the keys, those of the base file first. */
export async function findRows(
  storage: Storage,
  { source, keys, fields }: FindRowsTask,
  signal?: AbortSignal,
): Promise<FoundRows> {
  const merged = await openMergedSlice(storage, source, { signal, readsAll: true });
  const parts: FoundRows[] = [];
  if (merged.base && source.base) {
    const { reader, plan } = merged.base;
    const found = await findKeysIn(reader, source.base.path, keys, false, signal);
    const staying = stayingRows(reader, plan, found.positions);
    const positions = staying.map((at) => found.positions[at] as number);
    const file = { path: source.base.path, sizeBytes: source.base.sizeBytes };
    const batch = await readRows(storage, { kind: "read-rows", file, positions, fields }, signal);
    parts.push({ rows: staying.map((at) => found.rows[at] as number), batch });
  }
  for await (const part of findLogRows(merged, keys, fields, signal)) parts.push(part);
  const rows = Int32Array.from(parts.flatMap((part) => [...part.rows]));
  const schema = { name: "rows", fields };
  if (rows.length === 0) return { rows, batch: emptyBatch(schema) };
  const filled = parts.filter((part) => part.rows.length > 0).map(({ batch }) => batch);
  const all = await runInTurns(concatBatchSteps(filled), signal);
  return { rows, batch: { ...all, schema } };
}

/** Which of some positions, ascending, hold rows that no log replaces or deletes. */
function stayingRows(
  reader: ParquetFileReader,
  plan: BaseFileMergePlan,
  positions: Int32Array,
): Int32Array {
  const { rowGroups } = reader;
  const batchRows = batchRowsOf(reader);
  const staying: number[] = [];
  let next = 0;
  let start = 0;
  for (const [group, { rowCount }] of rowGroups.entries()) {
    const end = start + rowCount;
    for (const picks of plan.rowGroups[group] ?? []) {
      const left = picks === "kept" ? undefined : new Set(picks);
      const to = Math.min(end, start + batchRows);
      for (; next < positions.length && (positions[next] as number) < to; next += 1) {
        if (!left || left.has((positions[next] as number) - start)) staying.push(next);
      }
      start = to;
    }
    start = end;
  }
  return Int32Array.from(staying);
}

/** The rows of logs that count and have one of the keys. */
async function* findLogRows(
  merged: MergedSlice,
  keys: BytesColumn,
  fields: readonly Field[],
  signal: AbortSignal | undefined,
): AsyncGenerator<FoundRows> {
  const wanted = new KeyTable(keys.rowCount, keys.data.length + 64);
  for (let row = 0; row < keys.rowCount; row += 1) {
    wanted.add(0, keys.data, keys.offsets[row] as number, keys.offsets[row + 1] as number);
  }
  const { data, offsets } = merged.logs.keys;
  const schema = { name: "rows", fields };
  for await (const { batch, keys: numbers } of merged.readLogRows(schema, signal)) {
    const found = numbers.map((key) =>
      wanted.find(0, data, offsets[key] as number, offsets[key + 1] as number),
    );
    const picks = Int32Array.from(found.keys()).filter((at) => (found[at] as number) >= 0);
    if (picks.length === 0) continue;
    yield { rows: picks.map((at) => found[at] as number), batch: gatherBatch(batch, picks) };
  }
}
