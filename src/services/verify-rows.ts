// Checks rows of one file, batch by batch: what their meta columns say, and whether keys, partition and
// bucket are those that their columns make. Rules: spec/protocol/verify.md VF-10 and VF-11.
import { isHudiError } from "../errors.ts";
import type { KeyRange } from "../file-group/base-file.ts";
import type { BaseFileSlice } from "../file-group/file-slice.ts";
import { isInKeyRange } from "../file-group/key-order.ts";
import type { BloomFilter } from "../format/bloom-filter.ts";
import {
  type BytesColumn,
  type ColumnBatch,
  isPresent,
  requireBytesColumn,
} from "../format/column-batch.ts";
import { KeyTable } from "../format/key-table.ts";
import { bucketOfFileId, bucketsOfKeys } from "../indexing/bucket-hash.ts";
import { rowPartitions } from "../layout/partition-path.ts";
import { META_FIELDS, recordKeys } from "../layout/record-key.ts";
import { isGlobalIndex } from "../layout/table-config.ts";
import { runInTurns, type Steps } from "../runtime/steps.ts";
import type { FileCheck } from "./verify-base-file.ts";

/** What the footer of a file says of its keys. */
export interface KeyClaims {
  readonly range: KeyRange | undefined;
  readonly filter: BloomFilter | undefined;
}

const [COMMIT_TIME, , RECORD_KEY, PARTITION_PATH, FILE_NAME] = META_FIELDS as readonly [
  string,
  string,
  string,
  string,
  string,
];

/** Rows that break one rule: the first of them, and how many there are. */
interface Breach {
  readonly found: string;
  readonly row: number;
  count: number;
}

/** Looks at the rows of a base file; `report` tells what was found, one finding a rule. */
export class RowCheck {
  readonly #check: FileCheck;
  readonly #slice: BaseFileSlice;
  readonly #claims: KeyClaims;
  readonly #breaches: Map<string, Breach> = new Map();
  /** Commit times that were judged: even numbers are sound ones. */
  readonly #times: KeyTable = new KeyTable(64);
  readonly #isSound: boolean[] = [];
  #firstRow = 0;

  constructor(check: FileCheck, slice: BaseFileSlice, claims: KeyClaims) {
    this.#check = check;
    this.#slice = slice;
    this.#claims = claims;
  }

  /** Looks at the rows that come next. */
  async look(batch: ColumnBatch, signal: AbortSignal | undefined): Promise<void> {
    if (this.#check.context.config.populatesMetaFields) {
      const keys = requireBytesColumn(batch, RECORD_KEY);
      this.#lookAtTexts(batch);
      this.#lookAtKeys(keys);
      await this.#lookAtBucket(keys, signal);
      await this.#lookAtOrigin(batch, keys, signal);
    }
    this.#firstRow += batch.rowCount;
  }

  report(): void {
    const { partitionPath, fileId, baseFile } = this.#slice;
    for (const [rule, { found, row, count }] of this.#breaches) {
      const more = count === 1 ? "" : `; ${count - 1} more rows break the rule`;
      this.#check.findings.add({
        rule: rule.split("/")[0] as string,
        severity: "error",
        path: baseFile.path,
        instant: baseFile.instant,
        partitionPath,
        fileId,
        found: `row ${row}: ${found}${more}`,
        remedy: "write the rows of the file again, or restore the table to before its write",
      });
    }
  }

  #add(rule: string, row: number, describe: () => string): void {
    const breach = this.#breaches.get(rule);
    if (breach) breach.count += 1;
    else this.#breaches.set(rule, { found: describe(), row: this.#firstRow + row, count: 1 });
  }

  /** File name, partition path and commit time. */
  #lookAtTexts(batch: ColumnBatch): void {
    const { baseFile, partitionPath } = this.#slice;
    for (const [name, expected] of [
      [FILE_NAME, baseFile.fileName],
      [PARTITION_PATH, partitionPath],
    ] as const) {
      const column = requireBytesColumn(batch, name);
      const wanted = Buffer.from(expected, "utf8");
      for (let row = 0; row < batch.rowCount; row += 1) {
        if (isPresent(column, row) && isEqual(column, row, wanted)) continue;
        this.#add(
          name === FILE_NAME ? "RK-9" : "VF-10/partition",
          row,
          () => `${name} is ${textOf(column, row)}, expected ${JSON.stringify(expected)}`,
        );
      }
    }
    const times = requireBytesColumn(batch, COMMIT_TIME);
    for (let row = 0; row < batch.rowCount; row += 1) {
      if (isPresent(times, row) && this.#isSoundTime(times, row)) continue;
      this.#add("VF-10/time", row, () => {
        const expected = `a write that has completed, not after ${baseFile.instant}`;
        return `${COMMIT_TIME} is ${textOf(times, row)}, expected ${expected}`;
      });
    }
  }

  #isSoundTime(times: BytesColumn, row: number): boolean {
    const { data, offsets } = times;
    const id = this.#times.add(0, data, offsets[row] as number, offsets[row + 1] as number);
    if (id === this.#isSound.length) {
      const time = Buffer.from(this.#times.keyBytes(id)).toString("latin1");
      const { timeline } = this.#check.stated;
      const first = timeline.firstWrite()?.time ?? "";
      // Of what is older than the timeline only an archive could tell.
      const isWritten = timeline.findCompletedWrite(time) !== undefined || time < first;
      this.#isSound.push(time <= this.#slice.baseFile.instant && isWritten);
    }
    return this.#isSound[id] as boolean;
  }

  /** Whether there is a key, and the footer admits it. */
  #lookAtKeys(keys: BytesColumn): void {
    const { range, filter } = this.#claims;
    const { data, offsets } = keys;
    for (let row = 0; row < keys.rowCount; row += 1) {
      const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
      if (!isPresent(keys, row) || start === end) {
        this.#add("RK-1", row, () => `${RECORD_KEY} is null or empty, expected a key`);
        continue;
      }
      if (range && !isInKeyRange(range, data, start, end)) {
        const limits = `${Buffer.from(range.min)} to ${Buffer.from(range.max)}`;
        this.#add(
          "BASE-2",
          row,
          () =>
            `key ${textOf(keys, row)} lies outside of the footer's range ${limits}; an upsert would insert it again`,
        );
      }
      if (filter && !filter.mayContain(data, start, end)) {
        this.#add(
          "BASE-3",
          row,
          () => `the bloom filter denies key ${textOf(keys, row)}; an upsert would insert it again`,
        );
      }
    }
  }

  async #lookAtBucket(keys: BytesColumn, signal: AbortSignal | undefined): Promise<void> {
    const { config } = this.#check.context;
    const { kind, buckets } = config.index;
    if (kind !== "bucket" || buckets === undefined) return;
    const { fileId } = this.#slice;
    // An id that begins with no bucket is told once, with the groups of the partition.
    if (!/^\d{8}/.test(fileId)) return;
    const own = bucketOfFileId(fileId);
    const found = await runInTurns(bucketsOfKeys(keys, buckets, config.bucketHashFields), signal);
    found.forEach((bucket, row) => {
      if (bucket === own) return;
      this.#add(
        "IX-8",
        row,
        () =>
          `key ${textOf(keys, row)} belongs to bucket ${bucket}, expected ${own}, that of the file group`,
      );
    });
  }

  /** Whether keys and partition are those that the columns make. */
  async #lookAtOrigin(
    batch: ColumnBatch,
    keys: BytesColumn,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { config } = this.#check.context;
    const { keyGenerator, index, partitionFields } = config;
    if (keyGenerator.refusal) return;
    const describe = (row: number): string => `row ${this.#firstRow + row}`;
    const { keyText } = keyGenerator;
    if (keyText !== "unknown" || config.recordKeyFields.length > 1) {
      const made = await tryToMake(recordKeys(batch, config, describe), signal);
      for (let row = 0; made && row < batch.rowCount; row += 1) {
        if (isEqual(keys, row, rowBytes(made, row))) continue;
        const expected = `${textOf(made, row)}, which its columns make`;
        this.#add(
          "VF-11/key",
          row,
          () => `${RECORD_KEY} is ${textOf(keys, row)}, expected ${expected}`,
        );
      }
    }
    // Where keys stay in place their partition columns may say something else, as Hudi writes them.
    const stays = isGlobalIndex(config) && index.updatePartitionPath === false;
    const isUntold = keyGenerator.timestamps && keyGenerator.timestamps.type === undefined;
    if (partitionFields.length === 0 || stays || isUntold || !config.keepsPartitionColumns) return;
    const places = await tryToMake(rowPartitions(batch, config, describe), signal);
    for (let row = 0; places && row < batch.rowCount; row += 1) {
      const path = places.paths[places.partitionOfRow[row] as number];
      if (path === this.#slice.partitionPath) continue;
      const expected = `${JSON.stringify(path)}, which its columns make`;
      this.#add(
        "VF-11/partition",
        row,
        () =>
          `it lies in partition ${JSON.stringify(this.#slice.partitionPath)}, expected ${expected}`,
      );
    }
  }
}

/** What cannot be made of stored rows is no damage: another engine had a way to make it. */
async function tryToMake<T>(
  steps: Steps<T>,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  try {
    return await runInTurns(steps, signal);
  } catch (error) {
    if (isHudiError(error)) return undefined;
    throw error;
  }
}

function rowBytes({ data, offsets }: BytesColumn, row: number): Uint8Array {
  return data.subarray(offsets[row], offsets[row + 1]);
}

function isEqual({ data, offsets }: BytesColumn, row: number, expected: Uint8Array): boolean {
  const start = offsets[row] as number;
  if ((offsets[row + 1] as number) - start !== expected.length) return false;
  for (let at = 0; at < expected.length; at += 1) {
    if (data[start + at] !== expected[at]) return false;
  }
  return true;
}

/** A value for a message, cut where it is long. */
function textOf(column: BytesColumn, row: number): string {
  if (!isPresent(column, row)) return "null";
  return JSON.stringify(Buffer.from(rowBytes(column, row)).toString("utf8").slice(0, 80));
}
