// Checks one base file: its footer, and in a full check every page and row.
// Rules: spec/protocol/verify.md VF-7, VF-10, VF-11 and VF-14, base-file.md BASE-1 to BASE-6.
import { isHudiError } from "../errors.ts";
import {
  BATCH_ROWS,
  findBloomFilter,
  findKeyRange,
  openBaseFile,
} from "../file-group/base-file.ts";
import type { BaseFileSlice } from "../file-group/file-slice.ts";
import type { ColumnBatch } from "../format/column-batch.ts";
import type { ParquetFileReader } from "../format/parquet-reader.ts";
import type { Field, TableSchema } from "../format/schema.ts";
import { addMetaFields, META_FIELDS } from "../layout/record-key.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import type { TableContext } from "../timeline/table-context.ts";
import type { SeenTable } from "./verify-files.ts";
import type { FindingList } from "./verify-findings.ts";
import { RowCheck } from "./verify-rows.ts";
import type { StatedTable } from "./verify-timeline.ts";

/** What checks of files know. */
export interface FileCheck {
  readonly context: TableContext;
  readonly stated: StatedTable;
  readonly seen: SeenTable;
  readonly findings: FindingList;
  /** Whether pages and rows are read. */
  readonly readsRows: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Checks the file; gives its rows by the footer. */
export async function verifyBaseFile(check: FileCheck, slice: BaseFileSlice): Promise<number> {
  const { context, stated, findings, signal, readsRows } = check;
  const { baseFile, partitionPath, fileId } = slice;
  const { path, instant } = baseFile;
  const remedy = "restore the file from a copy, or restore the table to before its write";
  const place = { path, instant, partitionPath, fileId, remedy };
  const reader = await findings.catch({ ...place, rule: "PQ-2" }, () =>
    openBaseFile(context.storage, baseFile, { signal, readsAll: readsRows }),
  );
  if (!reader) return 0;
  const add = (rule: string, found: string): void =>
    findings.add({ ...place, rule, severity: "error", found });
  const stat = stated.files.get(path);
  if (stat && stat.rowCount !== reader.rowCount) {
    add("VF-7", `it has ${reader.rowCount} rows, expected ${stat.rowCount} as its write says`);
  }
  const columns = reader.describeColumns();
  const meta = context.config.populatesMetaFields ? META_FIELDS : [];
  const lacking = meta.filter((name) => !columns.has(name));
  if (lacking.length > 0) add("RK-7", `it has no column ${lacking.join(", ")}`);
  const schema = stated.schemas.get(instant);
  const absent = (schema?.fields ?? []).filter(
    ({ name }) => !columns.has(name) && isStored(check, name),
  );
  if (absent.length > 0) {
    const names = absent.map(({ name }) => name).join(", ");
    add("VF-14", `it has no column ${names}, expected the columns that its write states`);
  }
  if (readsRows && lacking.length === 0) await verifyRows(check, slice, reader, schema);
  return reader.rowCount;
}

function isStored({ context }: FileCheck, name: string): boolean {
  return context.config.keepsPartitionColumns || !context.config.partitionFields.includes(name);
}

/** Reads every row: pages, meta columns, keys. */
async function verifyRows(
  check: FileCheck,
  slice: BaseFileSlice,
  reader: ParquetFileReader,
  stated: TableSchema | undefined,
): Promise<void> {
  const { findings, signal } = check;
  const { path, instant } = slice.baseFile;
  const { partitionPath, fileId } = slice;
  const remedy = "restore the file from a copy, or restore the table to before its write";
  const place = { path, instant, partitionPath, fileId, remedy };
  const filter = await findings.catch({ ...place, rule: "BASE-3" }, () =>
    findBloomFilter(reader, path),
  );
  const rows = new RowCheck(check, slice, { range: findKeyRange(reader), filter });
  const fields = readableFields(reader, stated);
  await findings.catch(
    { ...place, rule: "PQ-3" },
    async () => {
      for (let group = 0; group < reader.rowGroups.length; group += 1) {
        for await (const batch of readAll(reader, group, fields, signal)) {
          await rows.look(batch, signal);
          await yieldToHost(signal);
        }
      }
    },
    // Of a column that has another type the reader says how it is stored.
    (error) => (error.message.includes(", stored as ") ? "VF-14" : "PQ-3"),
  );
  rows.report();
}

/**
 * The columns that are read: those that the write states, as it states them, and beside them those of
 * the file. Types that this library does not read are left out.
 */
function readableFields(
  reader: ParquetFileReader,
  stated: TableSchema | undefined,
): readonly Field[] {
  const own = new Map(reader.schema.fields.map((field) => [field.name, field]));
  const meta = addMetaFields({ name: "", fields: [] }).fields.filter(({ name }) => own.has(name));
  const columns = [...own.values()].filter(({ name }) => !META_FIELDS.includes(name));
  const wanted = new Map(stated?.fields.map((field) => [field.name, field]));
  return [...meta, ...columns.map((field) => wanted.get(field.name) ?? field)];
}

async function* readAll(
  reader: ParquetFileReader,
  group: number,
  fields: readonly Field[],
  signal: AbortSignal | undefined,
): AsyncGenerator<ColumnBatch> {
  let hasBegun = false;
  try {
    for await (const batch of reader.readBatches(group, fields, {
      signal,
      batchRows: BATCH_ROWS,
    })) {
      hasBegun = true;
      yield batch;
    }
  } catch (error) {
    // A type that the reader refuses: the columns of the file as they are will do.
    if (hasBegun || !isHudiError(error, "UNSUPPORTED")) throw error;
    const own = new Map(reader.schema.fields.map((field) => [field.name, field]));
    const plain = fields.map((field) => own.get(field.name) ?? field);
    yield* reader.readBatches(group, plain, { signal, batchRows: BATCH_ROWS });
  }
}
