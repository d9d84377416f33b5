// Checks the logs of a file slice: the frames of their blocks, and in a full check what they hold.
// Rules: spec/format/log-file.md LOG-2 to LOG-9 and LOG-12, spec/protocol/verify.md VF-10 and VF-13.
import { isHudiError } from "../errors.ts";
import { BATCH_ROWS, openBaseFile } from "../file-group/base-file.ts";
import { findKeysIn } from "../file-group/base-file-keys.ts";
import type { FileSlice } from "../file-group/file-slice.ts";
import type { LogFile } from "../file-group/log-file.ts";
import { parseAvroSchema } from "../format/avro-schema.ts";
import { type BytesColumn, isPresent, requireBytesColumn } from "../format/column-batch.ts";
import { KeyTable } from "../format/key-table.ts";
import { type LogBlock, readLogBlocks } from "../format/log-block-reader.ts";
import { decodeAvroContent } from "../format/log-content.ts";
import { decodeDeletes } from "../format/log-deletes.ts";
import { findField } from "../format/schema.ts";
import { bucketOfFileId, bucketsOfKeys } from "../indexing/bucket-hash.ts";
import { META_FIELDS } from "../layout/record-key.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import { runInTurns } from "../runtime/steps.ts";
import type { FileCheck } from "./verify-base-file.ts";

const RECORD_KEY = META_FIELDS[2] as string;
const PARTITION_PATH = META_FIELDS[3] as string;

/** A block whose frame is whole, and where it stands. */
interface FoundBlock {
  readonly file: LogFile;
  readonly block: LogBlock;
}

/** Checks the logs of a slice. */
export async function verifyLogs(check: FileCheck, slice: FileSlice): Promise<void> {
  const blocks: FoundBlock[] = [];
  for (const file of slice.logFiles) blocks.push(...(await readFrames(check, slice, file)));
  const undone = new Set(blocks.flatMap(({ block }) => block.header.get("target-instant") ?? []));
  for (const found of blocks) verifyHeader(check, slice, found, undone);
  if (!check.readsRows) return;
  const keys = new KeyTable();
  for (const found of blocks) {
    await verifyContent(check, slice, found, keys);
    await yieldToHost(check.signal);
  }
  await verifyReach(check, slice, keys.keys());
}

function placeOf(
  slice: FileSlice,
  { path, instant }: LogFile,
): Record<string, string> & {
  readonly path: string;
  readonly remedy: string;
} {
  const { partitionPath, fileId } = slice;
  const remedy = "restore the log from a copy, or write the rows of its delta commit again";
  return { path, instant, partitionPath, fileId, remedy };
}

/** The blocks of a log; what is none is told. */
async function readFrames(
  { context, findings, signal }: FileCheck,
  slice: FileSlice,
  file: LogFile,
): Promise<readonly FoundBlock[]> {
  const blocks: FoundBlock[] = [];
  const place = placeOf(slice, file);
  const { path, sizeBytes } = file;
  const readRange = async (start: number, end: number, abort?: AbortSignal): Promise<Uint8Array> =>
    context.storage.readRange(path, { start, end }, { signal: abort ?? signal });
  await findings.catch({ ...place, rule: "LOG-6" }, async () => {
    try {
      for await (const block of readLogBlocks({ path, sizeBytes, readRange }, signal)) {
        if (block.type !== "corrupt") {
          blocks.push({ file, block });
          continue;
        }
        const found = `${block.sizeBytes} bytes from byte ${block.offset} on are no block; readers pass over them`;
        findings.add({ ...place, rule: "LOG-5", severity: "error", found });
      }
    } catch (error) {
      if (!isHudiError(error, "UNSUPPORTED")) throw error;
      findings.add({ ...place, rule: "LOG-2", severity: "error", found: error.message });
    }
  });
  return blocks;
}

/** The header of a block, and the write that it names. */
function verifyHeader(
  { stated, seen, findings }: FileCheck,
  slice: FileSlice,
  { file, block }: FoundBlock,
  undone: ReadonlySet<string>,
): void {
  const add = (rule: string, fact: string): void =>
    findings.add({
      ...placeOf(slice, file),
      rule,
      severity: "error",
      found: `block at byte ${block.offset}: ${fact}`,
    });
  const instant = block.header.get("instant");
  if (instant === undefined || !/^\d+$/.test(instant)) {
    add("LOG-3", "its header names no instant");
    return;
  }
  if (block.type === "avro" && !block.header.has("schema"))
    add("LOG-3", "its header has no schema");
  if (block.type === "command") {
    if (!block.header.has("target-instant")) add("LOG-3", "its command names no instant");
    return;
  }
  if (seen.isKnown(instant) || undone.has(instant) || stated.rolledBack.has(instant)) return;
  add("LOG-12", `nothing on the timeline knows its instant ${instant}; readers pass over it`);
}

/** What a block holds: every row or deletion is decoded. */
async function verifyContent(
  check: FileCheck,
  slice: FileSlice,
  { file, block }: FoundBlock,
  keys: KeyTable,
): Promise<void> {
  const { findings, signal, stated } = check;
  const isLive = stated.timeline.findCompletedWrite(block.header.get("instant") ?? "");
  const place = placeOf(slice, file);
  const where = `${file.path}, block at byte ${block.offset}`;
  if (block.type === "delete") {
    await findings.catch({ ...place, rule: "LOG-9" }, async () =>
      decodeDeletes(await block.readContent(signal), undefined, where),
    );
    return;
  }
  const schemaText = block.header.get("schema");
  if (block.type !== "avro" || schemaText === undefined) return;
  await findings.catch({ ...place, rule: "LOG-7" }, async () => {
    const schema = parseAvroSchema(schemaText);
    const content = await block.readContent(signal);
    const source = { content, schemaText, path: where };
    const meta = [RECORD_KEY, PARTITION_PATH].map((name, index) => ({
      ...(findField(schema, name) ?? { type: { kind: "string" } as const, nullable: true }),
      id: -1 - index,
      name,
    }));
    const fields = [...meta, ...schema.fields.filter(({ name }) => !META_FIELDS.includes(name))];
    let firstRow = 0;
    for (const batch of decodeAvroContent(source, schema, fields, BATCH_ROWS)) {
      const column = requireBytesColumn(batch, RECORD_KEY);
      const add = (rule: string, row: number, fact: string): void =>
        findings.add({
          ...place,
          rule,
          severity: "error",
          found: `block at byte ${block.offset}, record ${firstRow + row}: ${fact}`,
        });
      verifyTexts(slice, column, requireBytesColumn(batch, PARTITION_PATH), add);
      await verifyBuckets(check, slice, column, add);
      if (isLive) addKeys(keys, column);
      firstRow += batch.rowCount;
    }
  });
}

type AddRow = (rule: string, row: number, fact: string) => void;

/** Keys and partition paths; of each rule the first row is told. */
function verifyTexts(
  { partitionPath }: FileSlice,
  keys: BytesColumn,
  paths: BytesColumn,
  add: AddRow,
): void {
  const rows = Array.from({ length: keys.rowCount }, (_, row) => row);
  const keyless = rows.find((row) => textOf(keys, row) === "");
  if (keyless !== undefined) add("RK-1", keyless, `${RECORD_KEY} is null or empty, expected a key`);
  const elsewhere = rows.find(
    (row) => isPresent(paths, row) && textOf(paths, row) !== partitionPath,
  );
  if (elsewhere === undefined) return;
  const found = JSON.stringify(textOf(paths, elsewhere));
  add(
    "VF-10",
    elsewhere,
    `${PARTITION_PATH} is ${found}, expected ${JSON.stringify(partitionPath)}`,
  );
}

async function verifyBuckets(
  { context, signal }: FileCheck,
  { fileId }: FileSlice,
  keys: BytesColumn,
  add: AddRow,
): Promise<void> {
  const { index, bucketHashFields } = context.config;
  if (index.kind !== "bucket" || index.buckets === undefined || !/^\d{8}/.test(fileId)) return;
  const own = bucketOfFileId(fileId);
  const buckets = await runInTurns(bucketsOfKeys(keys, index.buckets, bucketHashFields), signal);
  const row = buckets.findIndex((bucket) => bucket !== own);
  if (row < 0) return;
  add("IX-8", row, `key ${textOf(keys, row)} belongs to bucket ${buckets[row]}, expected ${own}`);
}

function addKeys(keys: KeyTable, { data, offsets, rowCount }: BytesColumn): void {
  for (let row = 0; row < rowCount; row += 1) {
    keys.add(0, data, offsets[row] as number, offsets[row + 1] as number);
  }
}

/**
 * Indexes that look into base files alone do not find a key that only a log holds: the next upsert
 * inserts it a second time.
 */
async function verifyReach(
  { context, findings, signal }: FileCheck,
  slice: FileSlice,
  keys: BytesColumn,
): Promise<void> {
  const kind = context.config.properties.get("hoodie.index.type")?.toLowerCase() ?? "";
  if (!/bloom|simple/.test(kind) || keys.rowCount === 0) return;
  const { baseFile, partitionPath, fileId } = slice;
  const found = new Set<number>();
  if (baseFile) {
    try {
      const reader = await openBaseFile(context.storage, baseFile, { signal });
      const { rows } = await findKeysIn(reader, baseFile.path, keys, false, signal);
      for (const row of rows) found.add(row);
    } catch (error) {
      // The base file has findings of its own then.
      if (isHudiError(error) && !error.retryable) return;
      throw error;
    }
  }
  const missing = keys.rowCount - found.size;
  if (missing === 0) return;
  const first = Array.from({ length: keys.rowCount }, (_, row) => row).find(
    (row) => !found.has(row),
  );
  findings.add({
    rule: "VF-13",
    severity: "warning",
    path: slice.logFiles[0]?.path,
    partitionPath,
    fileId,
    found: `${missing} keys stand in logs and not in the base file, among them ${textOf(keys, first ?? 0)}; the ${kind} index does not find them`,
    remedy: "compact the file group before these keys are written again",
  });
}

function textOf({ data, offsets }: BytesColumn, row: number): string {
  return Buffer.from(data.subarray(offsets[row], offsets[row + 1]))
    .toString("utf8")
    .slice(0, 80);
}
