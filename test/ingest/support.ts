// Records of the captured streams, and records made by hand, for the tests of ingestion.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { fixturePath } from "../../fixtures/kafka/debezium-postgres/orders.ts";
import { JsonLinesSource, type SourceRecord } from "../../src/ingest/index.ts";

/** The lines of a captured file. */
export function loadLines(name: string): string[] {
  const text = gunzipSync(readFileSync(fixturePath(name))).toString("utf8");
  return text.split("\n").filter((line) => line !== "");
}

/** Everything that an iteration yields. */
export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}

/** The records of a captured file. */
export async function loadRecords(name: string): Promise<SourceRecord[]> {
  return collect(new JsonLinesSource(fixturePath(name)).read(new Map()));
}

/** A record of topic `t`, partition 0, whose key is `{"id":1}` unless given. */
export function record(parts: Partial<SourceRecord> = {}): SourceRecord {
  return {
    topic: "t",
    partition: 0,
    offset: 7n,
    key: '{"id":1}',
    value: null,
    headers: [],
    timestampMs: undefined,
    ...parts,
  };
}

/** The text of an envelope; `after` and `before` are given as JSON text. */
export function envelope(
  op: string,
  rows: { readonly before?: string; readonly after?: string; readonly source?: string } = {},
): string {
  const source =
    rows.source ?? '{"db":"d","schema":"public","table":"x","lsn":100,"txId":5,"ts_ms":1000}';
  return `{"before":${rows.before ?? "null"},"after":${rows.after ?? "null"},"source":${source},"op":"${op}","ts_ms":2000}`;
}

/** The same text within a schema that names columns of `after`. */
export function withSchema(payload: string, after: string): string {
  const row = `{"type":"struct","fields":[${after}],"field":"after"}`;
  return `{"schema":{"type":"struct","fields":[${row}]},"payload":${payload}}`;
}
