// How far a source has been read: the next offset of each partition, kept in the commit that holds
// the rows. Rules: spec/protocol/ingest.md, ING-15 to ING-17.
import { HudiError } from "../errors.ts";
import { describeJson, isJsonObject, parseExactJson } from "./exact-json.ts";

/** The next offset to read, by topic and partition. */
export type Checkpoint = ReadonlyMap<string, ReadonlyMap<number, bigint>>;

/** Offsets of one partition from `firstOffset` up to, but without, `nextOffset`. */
export interface OffsetRange {
  readonly topic: string;
  readonly partition: number;
  readonly firstOffset: bigint;
  readonly nextOffset: bigint;
}

/** The entry of a commit's extra metadata that holds the checkpoint, unless a job has its own. */
export const DEFAULT_CHECKPOINT_KEY = "hudi-lake.checkpoint";

/** A table that keeps checkpoints: what `HudiTable` is to ingestion. */
export interface CheckpointKeeper {
  checkpoint(
    key: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<{ readonly instant: string; readonly value: string } | undefined>;
}

/** Where reading goes on, and the commit that says so (undefined: none does). */
export interface ResumePoint {
  readonly checkpoint: Checkpoint;
  readonly instant: string | undefined;
}

/**
 * Finds the newest completed commit that carries a checkpoint. A table without one starts from the
 * beginning of every partition. Throws `CORRUPT` for an entry that is no checkpoint.
 */
export async function resumeFrom(
  table: CheckpointKeeper,
  options: { readonly key?: string | undefined; readonly signal?: AbortSignal | undefined } = {},
): Promise<ResumePoint> {
  const key = options.key ?? DEFAULT_CHECKPOINT_KEY;
  const found = await table.checkpoint(key, { signal: options.signal });
  if (!found) return { checkpoint: new Map(), instant: undefined };
  const place = `entry ${key} of commit ${found.instant}`;
  return { checkpoint: parseCheckpoint(found.value, place), instant: found.instant };
}

/** The next offset to read of a partition; 0 where the checkpoint does not name it. */
export function nextOffset(checkpoint: Checkpoint, topic: string, partition: number): bigint {
  return checkpoint.get(topic)?.get(partition) ?? 0n;
}

/** A checkpoint behind ranges that were read; the offsets of other partitions stay. */
export function advanceCheckpoint(
  checkpoint: Checkpoint,
  ranges: Iterable<OffsetRange>,
): Checkpoint {
  const topics = new Map<string, Map<number, bigint>>();
  for (const [topic, partitions] of checkpoint) topics.set(topic, new Map(partitions));
  for (const range of ranges) {
    const partitions = topics.get(range.topic) ?? new Map<number, bigint>();
    topics.set(range.topic, partitions);
    partitions.set(range.partition, range.nextOffset);
  }
  return topics;
}

/** The text `{"topic":{"0":1503}}`; topics and partitions in order. */
export function formatCheckpoint(checkpoint: Checkpoint): string {
  const topics = [...checkpoint].sort(([a], [b]) => (a < b ? -1 : 1));
  const members = topics.map(([topic, partitions]) => {
    const offsets = [...partitions]
      .sort(([a], [b]) => a - b)
      .map(([partition, offset]) => `"${partition}":${offset}`);
    return `${JSON.stringify(topic)}:{${offsets.join(",")}}`;
  });
  return `{${members.join(",")}}`;
}

/** Reads the text of a checkpoint. Throws `CORRUPT` naming `place` and what is wrong. */
export function parseCheckpoint(text: string, place: string): Checkpoint {
  const root = parseRoot(text, place);
  const topics = new Map<string, ReadonlyMap<number, bigint>>();
  for (const [topic, members] of Object.entries(root)) {
    if (!isJsonObject(members)) {
      throw corrupt(place, `topic ${JSON.stringify(topic)} has ${describeJson(members)}`);
    }
    const partitions = new Map<number, bigint>();
    for (const [name, value] of Object.entries(members)) {
      const partition = /^\d{1,10}$/.test(name) ? Number(name) : Number.NaN;
      const offset = Number.isSafeInteger(value) ? BigInt(value as number) : value;
      if (Number.isNaN(partition) || typeof offset !== "bigint" || !isOffset(offset)) {
        throw corrupt(place, `partition ${JSON.stringify(name)} has ${describeJson(value)}`);
      }
      partitions.set(partition, offset);
    }
    topics.set(topic, partitions);
  }
  return topics;
}

/** Whether a number is an offset of Kafka: 63 bits. */
export function isOffset(offset: bigint): boolean {
  return offset >= 0n && offset < 2n ** 63n;
}

function parseRoot(text: string, place: string): object {
  try {
    const root = parseExactJson(text);
    if (isJsonObject(root)) return root;
  } catch (cause) {
    throw corrupt(place, "it is no JSON", cause);
  }
  throw corrupt(place, "it is no object");
}

function corrupt(place: string, fact: string, cause?: unknown): HudiError {
  return new HudiError(
    "CORRUPT",
    `cannot read checkpoint in ${place}: ${fact}, expected offsets by topic and partition`,
    { cause },
  );
}
