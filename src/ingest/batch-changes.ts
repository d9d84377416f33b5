// Cuts a stream of records into batches of changes, each with the offsets it covers: the seam between
// a source and the commits of a table. Rules: spec/protocol/ingest.md, ING-3 and ING-15.
import { HudiError } from "../errors.ts";
import type { Change } from "../layout/change.ts";
import { advanceCheckpoint, type Checkpoint, nextOffset, type OffsetRange } from "./checkpoint.ts";
import { describeRecord, type RawContent, type SourceRecord } from "./record-source.ts";

/** Turns a record into a change, or into undefined where it changes no row. */
export type RecordDecoder<Row> = (record: SourceRecord) => Change<Row> | undefined;

/** How large a batch grows. It ends with the record that reaches either bound. */
export interface BatchLimits {
  /** Records, those that change nothing included; default 10,000. */
  readonly maxRecords?: number | undefined;
  /** Bytes of keys and values (of text: its characters); default 64 MiB. */
  readonly maxBytes?: number | undefined;
}

/** Changes that belong into one commit. */
export interface IngestBatch<Row> {
  /** In the order of the records; empty where none of them changes a row. */
  readonly changes: readonly Change<Row>[];
  readonly recordCount: number;
  readonly sizeBytes: number;
  /** One for each partition that the batch has records of. */
  readonly ranges: readonly OffsetRange[];
  /** Where reading goes on behind this batch. */
  readonly checkpoint: Checkpoint;
}

/** Options of `batchChanges`. */
export interface BatchOptions<Row> extends BatchLimits {
  readonly decode: RecordDecoder<Row>;
  /** Where the records begin; default the beginning of every partition. */
  readonly start?: Checkpoint | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_MAX_RECORDS = 10_000;
const DEFAULT_MAX_BYTES = 64 * 1024 * 1024;

/**
 * Decodes records and yields them in batches. A record that cannot be decoded throws, and nothing of
 * its batch is yielded. Throws `INVALID` when the offsets of a partition step back.
 */
export async function* batchChanges<Row>(
  records: AsyncIterable<SourceRecord> | Iterable<SourceRecord>,
  options: BatchOptions<Row>,
): AsyncGenerator<IngestBatch<Row>> {
  const { decode, signal } = options;
  const maxRecords = options.maxRecords ?? DEFAULT_MAX_RECORDS;
  const maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES;
  requirePositive("maxRecords", maxRecords);
  requirePositive("maxBytes", maxBytes);
  let checkpoint = options.start ?? new Map();
  let ranges = new OffsetRanges(checkpoint);
  let changes: Change<Row>[] = [];
  let recordCount = 0;
  let sizeBytes = 0;
  const finish = (): IngestBatch<Row> => {
    const covered = ranges.toArray();
    checkpoint = advanceCheckpoint(checkpoint, covered);
    const batch = { changes, recordCount, sizeBytes, ranges: covered, checkpoint };
    ranges = new OffsetRanges(checkpoint);
    changes = [];
    recordCount = 0;
    sizeBytes = 0;
    return batch;
  };
  for await (const record of records) {
    signal?.throwIfAborted();
    ranges.add(record);
    const change = decode(record);
    if (change) changes.push(change);
    recordCount += 1;
    sizeBytes += sizeOf(record.key) + sizeOf(record.value);
    if (recordCount >= maxRecords || sizeBytes >= maxBytes) yield finish();
  }
  signal?.throwIfAborted();
  if (recordCount > 0) yield finish();
}

/** The offsets of one batch. */
class OffsetRanges {
  readonly #start: Checkpoint;
  readonly #topics: Map<string, Map<number, { firstOffset: bigint; nextOffset: bigint }>> =
    new Map();

  constructor(start: Checkpoint) {
    this.#start = start;
  }

  add(record: SourceRecord): void {
    const { topic, partition, offset } = record;
    const partitions = this.#topics.get(topic) ?? new Map();
    if (partitions.size === 0) this.#topics.set(topic, partitions);
    const range = partitions.get(partition);
    const expected = range?.nextOffset ?? nextOffset(this.#start, topic, partition);
    if (offset < expected) {
      throw new HudiError(
        "INVALID",
        `cannot use ${describeRecord(record)}: it comes behind offset ${expected - 1n}, expected offsets in order`,
      );
    }
    if (range) range.nextOffset = offset + 1n;
    else partitions.set(partition, { firstOffset: offset, nextOffset: offset + 1n });
  }

  toArray(): OffsetRange[] {
    return [...this.#topics].flatMap(([topic, partitions]) =>
      Array.from(partitions, ([partition, range]) => ({ topic, partition, ...range })),
    );
  }
}

function sizeOf(content: RawContent | null): number {
  return content === null ? 0 : content.length;
}

function requirePositive(name: string, value: number): void {
  if (value >= 1) return;
  throw new HudiError("INVALID", `cannot use ${name} ${value}: expected 1 or more`);
}
