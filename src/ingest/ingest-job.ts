// Source to table, one commit a batch, with the offsets inside the commit: exactly once into the
// table, whatever stops in between. Rules: spec/protocol/ingest.md, ING-15 to ING-18.
import type { HudiTable } from "../hudi-table.ts";
import type { Commit } from "../write/write-operation.ts";
import {
  type BatchLimits,
  batchChanges,
  type IngestBatch,
  type RecordDecoder,
} from "./batch-changes.ts";
import { DEFAULT_CHECKPOINT_KEY, formatCheckpoint, resumeFrom } from "./checkpoint.ts";
import { DebeziumJsonDecoder } from "./debezium-json.ts";
import { DebeziumRowMapper, type DebeziumRowOptions } from "./debezium-rows.ts";
import type { RecordSource } from "./record-source.ts";

/** What is read, how, and where it goes. */
export interface IngestOptions<Row extends object> extends BatchLimits {
  readonly from: RecordSource;
  readonly into: HudiTable<Row>;
  readonly decode: RecordDecoder<Row>;
  /** The entry of the commits that holds this job's offsets; two jobs on one table need two. */
  readonly checkpointKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A commit, and what it took from the source. */
export interface IngestedCommit extends Commit, Omit<IngestBatch<unknown>, "changes"> {
  readonly changeCount: number;
}

/**
 * Reads on behind the checkpoint in the table and yields each commit as soon as it is complete; what
 * the caller does with it holds reading up. Ends with the source. After any error, or a process that
 * died, the same call goes on where the newest completed commit ends.
 */
export async function* ingestChanges<Row extends object>(
  options: IngestOptions<Row>,
): AsyncGenerator<IngestedCommit> {
  const { from, into, decode, signal } = options;
  const key = options.checkpointKey ?? DEFAULT_CHECKPOINT_KEY;
  const { checkpoint: start } = await resumeFrom(into, { key, signal });
  const limits = { maxRecords: options.maxRecords, maxBytes: options.maxBytes };
  const records = from.read(start, { signal });
  for await (const batch of batchChanges(records, { ...limits, decode, start, signal })) {
    const { changes, ...covered } = batch;
    const checkpoint = { [key]: formatCheckpoint(batch.checkpoint) };
    const commit = await into.apply(changes, { checkpoint, signal });
    yield { ...commit, ...covered, changeCount: changes.length };
  }
}

/** A decoder of Debezium's JSON for a table as it is. One consumer needs one of its own. */
export async function createDebeziumDecoder<Row extends object>(
  table: HudiTable<Row>,
  options: DebeziumRowOptions & { readonly signal?: AbortSignal | undefined } = {},
): Promise<RecordDecoder<Row>> {
  const schema = await table.schema({ signal: options.signal });
  const mapper = new DebeziumRowMapper(schema, table.config, options);
  const decoder = new DebeziumJsonDecoder();
  const decode: RecordDecoder<Record<string, unknown>> = (record) => {
    const event = decoder.decode(record);
    return event && mapper.map(event);
  };
  return decode as unknown as RecordDecoder<Row>;
}
