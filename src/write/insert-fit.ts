// How many new rows fit into a small file, by real bytes: those of its rows, or those of the new ones.
// Rules: spec/format/file-sizing.md FS-1 and FS-6.

import { measureStoredShare, SAMPLE_RUNS, sampleRuns } from "../file-group/file-sizer.ts";
import type { BaseFileSlice } from "../file-group/file-slice.ts";
import { addMetaColumns } from "../file-group/meta-columns.ts";
import { takeNumbers } from "../format/column-gather.ts";
import { rowBytes } from "../format/stored-column.ts";
import { cutRows, type IncomingRecords } from "./incoming-records.ts";
import type { WriteSettings } from "./write-settings.ts";

/** What the rows of a file need, for an estimate of how many more it takes. */
export interface FileLoad {
  readonly fileRowCount: number;
  readonly fileDataBytes: number;
}

/** Values of the rows that are measured at most, in bytes. */
const SAMPLE_BYTES = 4 * 1024 * 1024;
/** Stands for the instant and partition of rows that are measured: one value each takes next to nothing. */
const SAMPLE_PLACE = { instant: "00000000000000000", taskNumber: 0, partitionPath: "" };

/** The share of the target up to which new rows are taken to be like those of the file. */
const FEW_SHARE = 1 / 8;

/** How many of the new rows of a partition fit into its small files. */
export class InsertFit {
  readonly #settings: WriteSettings;
  readonly #records: IncomingRecords;
  readonly #inserts: Int32Array;
  readonly #signal: AbortSignal | undefined;
  #measured: Promise<number> | undefined;

  constructor(
    settings: WriteSettings,
    records: IncomingRecords,
    inserts: Int32Array,
    signal: AbortSignal | undefined,
  ) {
    this.#settings = settings;
    this.#records = records;
    this.#inserts = inserts;
    this.#signal = signal;
  }

  /**
   * Rows that a small file still takes of `count`. Few of them need what the rows of the file need;
   * its footer with the bloom filter does not grow with them. Many are measured.
   */
  async roomFor(slice: BaseFileSlice, load: FileLoad, count: number): Promise<number> {
    const { maxFileBytes } = this.#settings;
    const { fileRowCount, fileDataBytes } = load;
    const room = Math.max(0, maxFileBytes - slice.baseFile.sizeBytes);
    const perStored = fileRowCount === 0 ? Number.POSITIVE_INFINITY : fileDataBytes / fileRowCount;
    const areFew = count * perStored <= Math.min(room, maxFileBytes * FEW_SHARE);
    if (areFew) return count;
    this.#measured ??= this.#measureRow();
    return Math.floor(room / Math.max(1, await this.#measured));
  }

  /** Bytes of a new row in a file, by encoding some of them. */
  async #measureRow(): Promise<number> {
    const { batch, entries } = this.#records;
    const inserts = this.#inserts;
    const valueBytes = rowBytes(batch.columns, 0, batch.rowCount) / batch.rowCount;
    const most = Math.max(SAMPLE_RUNS, Math.floor(SAMPLE_BYTES / valueBytes));
    const picked: Int32Array[] = sampleRuns(inserts.length, most).map(([start, end]) =>
      takeNumbers(entries.finalRows, inserts.subarray(start, end)),
    );
    const rows = Int32Array.from(picked.flatMap((run) => [...run]));
    const cut = await cutRows(this.#records, rows, this.#signal);
    const sample = addMetaColumns(cut.batch, cut.keys, SAMPLE_PLACE);
    const share = await measureStoredShare(sample, this.#settings.codec, this.#signal);
    return (share * rowBytes(sample.columns, 0, sample.rowCount)) / sample.rowCount;
  }
}
