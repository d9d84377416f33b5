// A change of one row as its database reported it, whatever the wire format: what decoders yield and
// what is mapped to the columns of a table. Rules: spec/protocol/ingest.md, ING-4 to ING-9.
import type { JsonObject } from "./exact-json.ts";
import type { SourceRecord } from "./record-source.ts";

/** What kind of record said it. A tombstone only says that its key is gone. */
export type ChangeKind = "snapshot" | "create" | "update" | "delete" | "tombstone";

/** Where a change stands in the log of its database. */
export interface SourcePosition {
  /** PostgreSQL's log sequence number; increases along the changes of one key. */
  readonly lsn: bigint | undefined;
  readonly transactionId: bigint | undefined;
}

/** The table that changed. */
export interface SourceTable {
  readonly database: string;
  readonly schema: string;
  readonly table: string;
}

/** What the producer declared of a column, where records carry their schema. */
export interface DeclaredType {
  readonly type: string;
  /** The semantic type, for example `io.debezium.time.MicroTimestamp`. */
  readonly name: string | undefined;
}

/** A normalised change. Values are as JSON has them, with exact integers (a bigint beyond 2^53). */
export interface ChangeEvent {
  readonly op: "insert" | "update" | "delete";
  readonly kind: ChangeKind;
  readonly key: JsonObject;
  /**
   * The row as it was. Of a delete only the key can be trusted unless the replica identity is FULL:
   * the rest is filled up with zeros and empty texts.
   */
  readonly before: JsonObject | undefined;
  /** The row as it is; present for insert and update. */
  readonly after: JsonObject | undefined;
  /** Absent for a tombstone. */
  readonly position: SourcePosition | undefined;
  readonly isSnapshot: boolean;
  readonly sourceTable: SourceTable | undefined;
  /** When the database made the change, and when it was captured; milliseconds since the epoch. */
  readonly timestamps: {
    readonly sourceMs: number | undefined;
    readonly capturedMs: number | undefined;
  };
  /** The same object for records of the same schema; undefined where records carry none. */
  readonly declaredTypes: ReadonlyMap<string, DeclaredType> | undefined;
  /** Where the record was, for messages. */
  readonly origin: Pick<SourceRecord, "topic" | "partition" | "offset">;
}
