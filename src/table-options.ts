// What the calls of HudiTable are given besides rows.
import type { WorkerOptions } from "./file-group/task-runner.ts";
import type { Predicate } from "./read/predicate.ts";
import type { Runtime } from "./runtime/runtime.ts";
import type { StorageSettings } from "./storage/open-storage.ts";
import type { Storage } from "./storage/storage.ts";
import type { WriteSettings } from "./write/write-settings.ts";

/** Every call can be aborted; it then throws the signal's reason. */
export interface Abortable {
  readonly signal?: AbortSignal | undefined;
}

/** How a table is reached and written. */
export interface TableOptions extends Abortable {
  /** Settings of the store, or a storage of one's own in place of the location's. */
  readonly storage?: StorageSettings | Storage | undefined;
  readonly write?: Partial<WriteSettings> | undefined;
  readonly workers?: WorkerOptions | undefined;
  /** `drop` switches off a metadata table that this library would leave stale. */
  readonly metadataTable?: "drop" | undefined;
  /** Settings of keys and index that `hoodie.properties` lacks, by Hudi's names; for `open`. */
  readonly properties?: Readonly<Record<string, string>> | undefined;
  /** Clock and randomness; for tests. */
  readonly runtime?: Runtime | undefined;
}

type Test<V> =
  | V
  | {
      readonly eq?: V;
      readonly ne?: V;
      readonly gt?: V;
      readonly gte?: V;
      readonly lt?: V;
      readonly lte?: V;
      readonly in?: readonly V[];
    };
/** A filter: every named column passes its test. A value stands for equality, null for "is null". */
export type Where<Row> = { readonly [K in keyof Row]?: Test<Row[K]> };

/** What to read. */
export interface ReadOptions<Row, C extends keyof Row> extends Abortable {
  readonly columns?: readonly C[] | undefined;
  readonly where?: Where<Row> | Predicate | undefined;
}

/** Which state a snapshot read shows. */
export interface SnapshotRead {
  readonly asOf?: string | Date | undefined;
  /** Base files alone: faster in a merge-on-read table, and as old as its last compaction. */
  readonly readOptimized?: boolean | undefined;
}

/** A half-open range of commits: `after` is left out, `upTo` included (default: the newest safe one). */
export interface InstantRange extends Abortable {
  readonly after?: string | undefined;
  readonly upTo?: string | undefined;
}
