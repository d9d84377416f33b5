// The five meta columns of rows that a write brings in. Rules: spec/format/record-key.md, RK-9.
import type { BytesColumn, ColumnBatch } from "../format/column-batch.ts";
import { repeatedText, type StoredBatch } from "../format/stored-column.ts";
import { addMetaFields } from "../layout/record-key.ts";

/** What the meta columns of new row versions say. */
export interface MetaValues {
  readonly instant: string;
  /** Number of the task within the write; the middle part of `_hoodie_commit_seqno`. */
  readonly taskNumber: number;
  readonly partitionPath: string;
}

const encoder = new TextEncoder();

/** The batch with its meta columns in front, the file name left to `withFileName`. */
export function addMetaColumns(
  batch: ColumnBatch,
  keys: BytesColumn,
  values: MetaValues,
): StoredBatch {
  const { rowCount } = batch;
  return {
    schema: addMetaFields(batch.schema),
    rowCount,
    columns: [
      repeatedText(values.instant, rowCount),
      sequenceNumbers(`${values.instant}_${values.taskNumber}_`, rowCount),
      keys,
      repeatedText(values.partitionPath, rowCount),
      repeatedText("", rowCount),
      ...batch.columns,
    ],
  };
}

/** The same batch with `_hoodie_file_name` naming the file that it is written to. */
export function withFileName(batch: StoredBatch, fileName: string): StoredBatch {
  const columns = batch.columns.slice();
  columns[FILE_NAME_COLUMN] = repeatedText(fileName, batch.rowCount);
  return { ...batch, columns };
}

/** Index of `_hoodie_file_name` among the meta columns. */
export const FILE_NAME_COLUMN = 4;

function sequenceNumbers(prefix: string, rowCount: number): BytesColumn {
  const prefixBytes = encoder.encode(prefix);
  const offsets = new Int32Array(rowCount + 1);
  const digits = String(Math.max(0, rowCount - 1)).length;
  const data = new Uint8Array(rowCount * (prefixBytes.length + digits));
  let used = 0;
  for (let row = 0; row < rowCount; row += 1) {
    data.set(prefixBytes, used);
    used += prefixBytes.length;
    let width = 1;
    for (let rest = row; rest >= 10; rest = Math.floor(rest / 10)) width += 1;
    for (let at = used + width - 1, rest = row; at >= used; at -= 1) {
      data[at] = 48 + (rest % 10);
      rest = Math.floor(rest / 10);
    }
    used += width;
    offsets[row + 1] = used;
  }
  return { layout: "bytes", rowCount, validity: undefined, offsets, data: data.subarray(0, used) };
}
