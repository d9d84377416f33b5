// Looks for keys that stand twice: within a file group, across those of a partition, or with a global
// index across partitions. Rules: spec/protocol/verify.md VF-3 and VF-12.
import { isHudiError } from "../errors.ts";
import { BATCH_ROWS, openBaseFile } from "../file-group/base-file.ts";
import type { FileSlice } from "../file-group/file-slice.ts";
import { type LogMergeRules, type MergedLogs, mergeLogs } from "../file-group/log-merge.ts";
import { scanLogFiles } from "../file-group/log-scan.ts";
import { createVisibilityTest } from "../file-group/visible-instants.ts";
import { type BytesColumn, isPresent, requireBytesColumn } from "../format/column-batch.ts";
import { KeyTable } from "../format/key-table.ts";
import { META_FIELDS } from "../layout/record-key.ts";
import { yieldToHost } from "../runtime/concurrency.ts";
import type { FileCheck } from "./verify-base-file.ts";

const KEY_FIELD = {
  id: -3,
  name: META_FIELDS[2] as string,
  type: { kind: "string" },
  nullable: true,
} as const;

/** Keys that are held at a time; more are looked at in several passes over the key columns. */
const KEYS_AT_ONCE = 2_000_000;

/** File slices among which a key may stand once, and an upper bound of their rows. */
export interface KeyScope {
  readonly slices: readonly FileSlice[];
  readonly rowCount: number;
}

/** How slices are looked at for keys. */
export interface KeyCheckOptions {
  /** How logs are merged; undefined where their keys are left out. */
  readonly rules: LogMergeRules | undefined;
  /** Keys that are held at a time, for tests. */
  readonly keysAtOnce?: number | undefined;
}

/** Looks at the keys of the slices. */
export async function verifyKeys(
  check: FileCheck,
  { slices, rowCount }: KeyScope,
  { rules, keysAtOnce = KEYS_AT_ONCE }: KeyCheckOptions,
): Promise<void> {
  const passes = Math.max(1, Math.ceil(rowCount / keysAtOnce));
  const breaches = new Map<
    string,
    { first: string; count: number; slice: FileSlice; other: FileSlice }
  >();
  for (let pass = 0; pass < passes; pass += 1) {
    const table = new KeyTable(Math.min(rowCount, keysAtOnce) + 16);
    const sliceOf: number[] = [];
    for (const [number, slice] of slices.entries()) {
      for await (const keys of readKeys(check, slice, rules)) {
        const { data, offsets } = keys;
        for (let row = 0; row < keys.rowCount; row += 1) {
          const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
          if (!isPresent(keys, row)) continue;
          if (passes > 1 && shardOf(data, start, end, passes) !== pass) continue;
          const id = table.add(0, data, start, end);
          if (id === sliceOf.length) {
            sliceOf.push(number);
            continue;
          }
          const other = slices[sliceOf[id] as number] as FileSlice;
          const pair = `${sliceOf[id]} ${number}`;
          const breach = breaches.get(pair);
          const first = JSON.stringify(Buffer.from(data.subarray(start, end)).toString("utf8"));
          if (breach) breach.count += 1;
          else breaches.set(pair, { first, count: 1, slice, other });
        }
        await yieldToHost(check.signal);
      }
    }
  }
  for (const breach of breaches.values()) report(check, breach);
}

function report(
  { findings, stated }: FileCheck,
  breach: { first: string; count: number; slice: FileSlice; other: FileSlice },
): void {
  const { slice, other, first, count } = breach;
  const path = slice.baseFile?.path ?? slice.logFiles[0]?.path;
  const { partitionPath, fileId } = slice;
  const isCertain = stated.looksUpKeys;
  const where =
    slice === other
      ? "in the file group itself"
      : `in file group ${other.fileId} of partition ${JSON.stringify(other.partitionPath)} too`;
  const some = count === 1 ? `key ${first} stands` : `${count} keys, among them ${first}, stand`;
  findings.add({
    rule: "VF-12",
    severity: isCertain ? "error" : "warning",
    path,
    partitionPath,
    fileId,
    found: `${some} twice: ${where}${isCertain ? "" : "; inserts do not look keys up, so this may be meant"}`,
    remedy: "delete the key and write its row once",
  });
}

/** Which pass a key belongs to. */
function shardOf(data: Uint8Array, start: number, end: number, passes: number): number {
  let hash = 0;
  for (let at = start; at < end; at += 1) hash = (Math.imul(hash, 31) + (data[at] as number)) | 0;
  return ((Math.imul(hash, 0x9e3779b1) >>> 8) & 0xff_ffff) % passes;
}

/** The keys that readers see of a slice. What cannot be read has been told elsewhere. */
async function* readKeys(
  { context, seen, signal }: FileCheck,
  { baseFile, logFiles }: FileSlice,
  rules: LogMergeRules | undefined,
): AsyncGenerator<BytesColumn> {
  const { storage } = context;
  try {
    let logs: MergedLogs | undefined;
    if (logFiles.length > 0) {
      if (!rules) return;
      const isVisible = createVisibilityTest(seen.visible);
      const { blocks } = await scanLogFiles(storage, logFiles, { isVisible, signal });
      logs = await mergeLogs(blocks, rules, signal);
    }
    const logged = logs && new KeyLookup(logs);
    if (baseFile) {
      const reader = await openBaseFile(storage, baseFile, { signal });
      for (let group = 0; group < reader.rowGroups.length; group += 1) {
        const options = { signal, batchRows: BATCH_ROWS };
        for await (const batch of reader.readBatches(group, [KEY_FIELD], options)) {
          const keys = requireBytesColumn(batch, KEY_FIELD.name);
          yield logged ? logged.without(keys) : keys;
        }
      }
    }
    if (logged) yield logged.living();
  } catch (error) {
    if (!isHudiError(error) || error.retryable) throw error;
  }
}

/** The keys that logs name, which stand for those of the base file. */
class KeyLookup {
  readonly #table: KeyTable;
  readonly #logs: MergedLogs;

  constructor(logs: MergedLogs) {
    this.#logs = logs;
    const { data, offsets, rowCount } = logs.keys;
    this.#table = new KeyTable(rowCount + 16);
    for (let row = 0; row < rowCount; row += 1) {
      this.#table.add(0, data, offsets[row] as number, offsets[row + 1] as number);
    }
  }

  /** Keys of the base file; those that logs name are made null, for they are told once. */
  without(keys: BytesColumn): BytesColumn {
    const { data, offsets, rowCount } = keys;
    const validity = new Uint8Array(Math.ceil(rowCount / 8));
    for (let row = 0; row < rowCount; row += 1) {
      if (!isPresent(keys, row)) continue;
      const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
      const isLogged = this.#table.find(0, data, start, end) >= 0;
      if (!isLogged) validity[row >> 3] = (validity[row >> 3] as number) | (1 << (row & 7));
    }
    return { ...keys, validity };
  }

  /** Keys of logs that were not deleted. */
  living(): BytesColumn {
    const { keys, deletes } = this.#logs;
    const validity = new Uint8Array(Math.ceil(keys.rowCount / 8));
    for (let row = 0; row < keys.rowCount; row += 1) {
      if (deletes[row] !== 1)
        validity[row >> 3] = (validity[row >> 3] as number) | (1 << (row & 7));
    }
    return { ...keys, validity };
  }
}
