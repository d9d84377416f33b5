// The storage contract: the few calls that everything above makes, and the three outcomes of a write.
// Every implementation passes test/storage/storage.contract.ts. Rules: spec/protocol/storage.md.
import { HudiError } from "../errors.ts";

/** What is known of a stored object. `tag` changes whenever the content is replaced. */
export interface StoredObject {
  /** Path relative to the storage root, with `/` between segments and no leading `/`. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Milliseconds since the epoch. */
  readonly modifiedMs: number;
  readonly tag: string;
}

/** Stored content with the tag of exactly the version that was read. */
export interface StoredContent {
  readonly bytes: Uint8Array;
  readonly tag: string;
}

/** A half-open byte range. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Options of every storage call. */
export interface StorageOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Options of a call that creates or replaces an object. */
export interface PutOptions extends StorageOptions {
  /**
   * An id that is unique to this attempt. Where the store can hold metadata it is kept beside the
   * content, so that after an unknown outcome `loadWriteId` tells whose object is there.
   */
  readonly writeId?: string | undefined;
}

/** Options of a listing. */
export interface ListOptions extends StorageOptions {
  /** Descend into folders (default), or list the objects directly in the folder only. */
  readonly recursive?: boolean;
  /** Leave out objects whose path sorts at or before this one. */
  readonly startAfter?: string | undefined;
}

/** What a non-recursive listing says: objects and names of sub-folders (without trailing `/`). */
export interface FolderListing {
  readonly objects: readonly StoredObject[];
  readonly folders: readonly string[];
}

/** A streamed upload. Nothing is visible under the path before `close` resolves. */
export interface ObjectWriter {
  /** Takes ownership of `bytes`. Resolves when more may be given (bounded buffering). */
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the object visible, whole and durable. Outcomes as for `put`. */
  close(): Promise<{ readonly sizeBytes: number }>;
  /** Gives the upload up and frees what it held; never throws. */
  abort(): Promise<void>;
}

/**
 * Bytes in named places. Reads of an object that does not exist throw `NOT_FOUND`. Paths follow
 * `requireStoragePath`; a bad one throws `INVALID` before anything happens. Returned bytes are the
 * caller's own, and bytes that are passed in are not changed or kept after the call.
 *
 * A call that changes something has three outcomes: it returns (applied), it throws an error whose
 * `storageOutcome` is `not-applied`, or it throws one whose outcome is `unknown`: the change may
 * have happened, or may still happen. Use `isOutcomeUnknown`. Every call honours `signal` and then
 * throws `signal.reason`; an aborted write has an unknown outcome.
 */
export interface Storage {
  /** A location for messages, without secrets: `s3://bucket/prefix`, a path, `memory:`. */
  readonly location: string;
  /**
   * How writers exclude each other here: `conditional` where `replaceIfUnchanged` is atomic in the
   * store itself, `numbered` where only exclusive creation is.
   */
  readonly leaseKind: "conditional" | "numbered";
  /**
   * The folder, where it is one that another thread may use by itself as well. Without it other threads
   * go through this one.
   */
  readonly localFolder?: string | undefined;

  read(path: string, options?: StorageOptions): Promise<StoredContent>;
  /**
   * Reads a part. A range past the end is cut to the object, down to nothing. An empty range reads
   * nothing and does not look whether the object exists.
   */
  readRange(path: string, range: ByteRange, options?: StorageOptions): Promise<Uint8Array>;
  /** Size and tag, or undefined if there is no object. */
  findObject(path: string, options?: StorageOptions): Promise<StoredObject | undefined>;

  /** Every object under a folder, sorted by path (UTF-8 order); a missing folder is empty. */
  list(folder: string, options?: ListOptions): Promise<readonly StoredObject[]>;
  /** Objects and sub-folders directly in a folder, both sorted by name. */
  listFolder(folder: string, options?: StorageOptions): Promise<FolderListing>;

  /** Creates or replaces an object, whole at once. */
  put(path: string, bytes: Uint8Array, options?: PutOptions): Promise<void>;
  /**
   * Creates an object, whole at once and durable, unless one is there already. Exactly one of
   * several racing callers gets `created`.
   */
  createIfAbsent(
    path: string,
    bytes: Uint8Array,
    options?: PutOptions,
  ): Promise<"created" | "exists">;
  /**
   * Replaces an object only while its tag is still `tag`. A missing object counts as `changed`.
   *
   * The content must be unlike every earlier content of the path (carry a write id or a counter):
   * a store may derive tags from content. An object that is replaced conditionally is not also
   * given to `put` or `createWriter`: those do not look at what they replace.
   */
  replaceIfUnchanged(
    path: string,
    bytes: Uint8Array,
    tag: string,
    options?: PutOptions,
  ): Promise<{ readonly tag: string } | "changed">;
  /** A streamed `put` for large objects. */
  createWriter(path: string, options?: PutOptions): ObjectWriter;
  /** Removes objects; one that is not there counts as removed. */
  delete(paths: readonly string[], options?: StorageOptions): Promise<void>;

  /**
   * The write id the object was created with, or undefined if it is absent or has none. A store
   * without metadata (a directory) knows the ids of what this handle wrote, and no others.
   */
  loadWriteId(path: string, options?: StorageOptions): Promise<string | undefined>;
  /**
   * Makes sure that conditional writes exclude each other here; several writers are only trusted
   * to a storage that passes. Throws `UNSUPPORTED` naming the wrong behaviour. Cached.
   */
  probeConditionalWrites(options?: StorageOptions): Promise<void>;
  /** Frees connections and timers. */
  close(): Promise<void>;
}

/** What is known after a failed write. */
export type StorageOutcome = "not-applied" | "unknown";

/** A failed storage call. `code` is `UNAVAILABLE` unless the store said something more exact. */
export class StorageError extends HudiError {
  override readonly name: string = "StorageError";
  readonly storageOutcome: StorageOutcome;

  constructor(
    outcome: StorageOutcome,
    message: string,
    details: {
      readonly path?: string;
      readonly cause?: unknown;
      readonly code?: HudiError["code"];
    },
  ) {
    super(details.code ?? "UNAVAILABLE", message, details);
    this.storageOutcome = outcome;
  }
}

/**
 * Whether a failed write may have been applied. Errors that are not the storage's own count as
 * unknown: an aborted call, for one, may have reached the store.
 */
export function isOutcomeUnknown(error: unknown): boolean {
  if (error instanceof StorageError) return error.storageOutcome === "unknown";
  return !(error instanceof HudiError);
}
