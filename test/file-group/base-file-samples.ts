// Base files made for tests: of any rows, with row groups as small as a test wants them, written past
// the writer under test; and tasks for that writer.

import { openBaseFile } from "../../src/file-group/base-file.ts";
import type {
  BaseFileSettings,
  CreateTask,
  MergeTask,
  WrittenFile,
} from "../../src/file-group/base-file-writer.ts";
import { addMetaColumns, withFileName } from "../../src/file-group/meta-columns.ts";
import { formatAvroSchema } from "../../src/format/avro-schema.ts";
import type { BytesColumn, ColumnBatch } from "../../src/format/column-batch.ts";
import { openParquetWriter } from "../../src/format/open-parquet-writer.ts";
import { batchRows, RowBatchBuilder } from "../../src/format/row-batch.ts";
import type { TableSchema } from "../../src/format/schema.ts";
import { recordKeys } from "../../src/layout/record-key.ts";
import { splitDataPath } from "../../src/layout/table-paths.ts";
import { runAtOnce } from "../../src/runtime/steps.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { readRowGroup } from "../format/parquet-samples.ts";

export type Row = Readonly<Record<string, unknown>>;

/** A batch of rows. */
export function batchOfRows(schema: TableSchema, rows: readonly Row[]): ColumnBatch {
  const builder = new RowBatchBuilder(schema);
  for (const row of rows) builder.append(row);
  return builder.finish();
}

/** The keys of a batch. */
export function keysOf(batch: ColumnBatch, keyField = "id"): BytesColumn {
  const keyGenerator = { keyText: "value", hasLogicalTimestamps: false } as const;
  const scheme = { recordKeyFields: [keyField], keyGenerator };
  return runAtOnce(recordKeys(batch, scheme, (row) => `row ${row}`));
}

/** How a base file is made. */
export interface EncodeOptions {
  readonly instant?: string;
  readonly partitionPath?: string;
  readonly fileName?: string;
  /** Rows of a row group. */
  readonly groupRows?: number;
  readonly footer?: ReadonlyMap<string, string>;
  /** Columns that the file has; default all. */
  readonly withMeta?: boolean;
}

/** The bytes of a base file that holds these rows, without key range and filter unless given. */
export async function encodeBaseFile(
  schema: TableSchema,
  rows: readonly Row[],
  options: EncodeOptions = {},
): Promise<Uint8Array> {
  const { instant = "20260101000000000", partitionPath = "", fileName = "f", groupRows } = options;
  const batch = batchOfRows(schema, rows);
  const target = { instant, taskNumber: 0, partitionPath };
  const whole =
    options.withMeta === false
      ? batch
      : withFileName(addMetaColumns(batch, keysOf(batch), target), fileName);
  const parts: Uint8Array[] = [];
  const writer = await openParquetWriter(async (bytes) => void parts.push(bytes.slice()), {
    schema: whole.schema,
    codec: "snappy",
    rowGroupRows: groupRows ?? Math.max(1, rows.length),
  });
  await writer.write(whole);
  await writer.close(options.footer ?? new Map());
  return Buffer.concat(parts);
}

export const SETTINGS: BaseFileSettings = {
  codec: "snappy",
  avroSchema: "{}",
  maxFileBytes: 100 * 1024 * 1024,
  bloom: { entries: 100, falsePositiveRate: 0.001, maxEntries: 100 },
};

const TARGET = {
  instant: "20260102000000000",
  partitionPath: "",
  writeToken: "0-0-0",
  taskNumber: 0,
} as const;

/** A task that writes rows into new file groups. */
export function createTaskOf(
  schema: TableSchema,
  rows: readonly Row[],
  more: Partial<CreateTask> = {},
): CreateTask {
  const batch = batchOfRows(schema, rows);
  const avroSchema = formatAvroSchema(schema, { namespace: "hoodie.t", metaColumns: true });
  return {
    kind: "create",
    ...TARGET,
    settings: { ...SETTINGS, avroSchema },
    fileIdPrefix: "group",
    batch,
    keys: keysOf(batch),
    ...more,
  };
}

/** What a merge does to its base file: by position of the file. */
export interface Changes {
  /** Position → the row that takes its place, or undefined to remove it. */
  readonly at?: ReadonlyMap<number, Row | undefined>;
  readonly appends?: readonly Row[];
  readonly orderingField?: string;
}

/** A task that merges changes into a file that is there already. */
export function mergeTaskOf(
  schema: TableSchema,
  base: Pick<WrittenFile, "path" | "sizeBytes" | "fileId">,
  changes: Changes,
  more: Partial<MergeTask> = {},
): MergeTask {
  const at = [...(changes.at ?? new Map<number, Row | undefined>())].sort(([a], [b]) => a - b);
  const replaced = at.map(([, row]) => row).filter((row) => row !== undefined);
  const appends = changes.appends ?? [];
  const batch = batchOfRows(schema, [...replaced, ...appends]);
  let next = 0;
  const finalRows = at.map(([, row]) => (row === undefined ? -1 : next++));
  const { orderingField } = changes;
  return {
    kind: "merge",
    ...TARGET,
    instant: "20260103000000000",
    settings: SETTINGS,
    fileId: base.fileId,
    base: { path: base.path, sizeBytes: base.sizeBytes },
    baseInstant: TARGET.instant,
    changes: {
      batch,
      positions: Int32Array.from(at, ([position]) => position),
      finalRows: Int32Array.from(finalRows),
      thresholdRows: Int32Array.from(finalRows, (row) => (orderingField === undefined ? -1 : row)),
      appends: Int32Array.from(appends, (_, index) => replaced.length + index),
      orderingField,
    },
    keys: keysOf(batch),
    ...more,
  };
}

/** Every row of a base file, meta columns included. */
export async function readBaseFile(storage: Storage, path: string): Promise<Row[]> {
  const sizeBytes = (await storage.findObject(path))?.sizeBytes ?? 0;
  const reader = await openBaseFile(storage, { path, sizeBytes });
  const rows: Row[] = [];
  for (let group = 0; group < reader.rowGroups.length; group += 1) {
    rows.push(...batchRows(await readRowGroup(reader, group, reader.schema.fields)));
  }
  return rows;
}

/** The name of a file, without its folder. */
export function nameOf(path: string): string {
  return splitDataPath(path).fileName;
}
