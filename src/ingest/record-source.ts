// Where change records come from: the one interface between a broker or a file and the decoders.
// Rules: spec/protocol/ingest.md, ING-1 and ING-2.
import type { Checkpoint } from "./checkpoint.ts";

/** Bytes as the source has them, or text that the source decoded already. */
export type RawContent = Uint8Array | string;

/** A header of a record; a name may come more than once. */
export interface RecordHeader {
  readonly name: string;
  readonly value: RawContent | null;
}

/** One record of a topic, undecoded. */
export interface SourceRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key: RawContent | null;
  readonly value: RawContent | null;
  readonly headers: readonly RecordHeader[];
  /** Milliseconds since the epoch, where the source knows them. */
  readonly timestampMs: number | undefined;
}

/** A place that records can be read from, again from any offset. */
export interface RecordSource {
  /**
   * Records from the offsets of `start` on, those of one partition in the order of their offsets; a
   * partition that `start` does not name is read from its beginning. Throws `signal.reason` on abort.
   */
  read(
    start: Checkpoint,
    options?: { readonly signal?: AbortSignal | undefined },
  ): AsyncIterable<SourceRecord>;
}

/** How messages name a record. */
export function describeRecord(
  record: Pick<SourceRecord, "topic" | "partition" | "offset">,
): string {
  return `record ${record.offset} of topic ${record.topic.slice(0, 249)}, partition ${record.partition}`;
}
