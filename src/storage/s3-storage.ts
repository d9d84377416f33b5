// Storage in an S3 bucket, or a store that speaks S3. Reads are repeated until they are answered;
// writes end in one of three outcomes (s3-writes.ts). Rules: spec/protocol/storage.md, ST-40 to ST-54.
import { HudiError } from "../errors.ts";
import { mapConcurrently } from "../runtime/concurrency.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { systemRuntime } from "../runtime/runtime.ts";
import type { S3ClientOptions, S3ListPage } from "./s3-client.ts";
import { S3Client } from "./s3-client.ts";
import type { S3Action } from "./s3-errors.ts";
import { s3Error } from "./s3-errors.ts";
import { S3Failure } from "./s3-failure.ts";
import { probeS3ConditionalWrites } from "./s3-probe.ts";
import type { RetryPolicy } from "./s3-retry.ts";
import { sendRepeatedly } from "./s3-retry.ts";
import { PART_BYTES, S3ObjectWriter } from "./s3-upload.ts";
import type { S3WriteContext } from "./s3-writes.ts";
import { createS3Object, findHead, putS3Object, replaceS3Object } from "./s3-writes.ts";
import type {
  ByteRange,
  FolderListing,
  ListOptions,
  ObjectWriter,
  PutOptions,
  Storage,
  StorageOptions,
  StorageOutcome,
  StoredContent,
  StoredObject,
} from "./storage.ts";
import { objectNotFound, requireByteRange } from "./storage-failures.ts";
import {
  compareUtf8,
  folderPrefix,
  isStagingPath,
  requireFolderPath,
  requireStoragePath,
  STAGING_FOLDER,
  sortByPath,
} from "./storage-path.ts";

/** Options of an S3 storage. Credentials default to the chain of the AWS SDK. */
export interface S3StorageOptions
  extends Omit<S3ClientOptions, "bucket" | "requestTimeoutMs" | "maxSockets"> {
  readonly bucket: string;
  /** Path in the bucket under which everything lies; empty for the whole bucket. */
  readonly prefix?: string | undefined;
  /** Time limit of one request; one with a body has more. Default 30,000 ms. */
  readonly requestTimeoutMs?: number | undefined;
  /** Connections at a time, default 64. */
  readonly maxSockets?: number | undefined;
  /** Requests for one call that fails in passing, default 5. */
  readonly maxAttempts?: number | undefined;
  readonly runtime?: Runtime | undefined;
}

const DELETE_BATCH = 1000;
const PARALLEL_DELETES = 4;

/** The probes of this process, by endpoint and bucket. */
const probes: Map<string, Promise<void>> = new Map();

/** A bucket, or a prefix in one, as a storage. */
export class S3Storage implements Storage {
  readonly location: string;
  readonly leaseKind: "conditional" = "conditional";
  readonly #client: S3Client;
  readonly #policy: RetryPolicy;
  readonly #keyPrefix: string;
  readonly #probeKey: string;

  constructor(options: S3StorageOptions) {
    const { bucket, prefix = "", requestTimeoutMs = 30_000, maxSockets = 64 } = options;
    this.#client = new S3Client({ ...options, requestTimeoutMs, maxSockets });
    this.#policy = {
      runtime: options.runtime ?? systemRuntime,
      maxAttempts: Math.max(1, options.maxAttempts ?? 5),
    };
    this.#keyPrefix = folderPrefix(prefix === "" ? "" : requireStoragePath(prefix));
    this.location = prefix === "" ? `s3://${bucket}` : `s3://${bucket}/${prefix}`;
    this.#probeKey = JSON.stringify([options.endpoint ?? options.region ?? "", bucket]);
  }

  async read(path: string, options?: StorageOptions): Promise<StoredContent> {
    const { bytes, tag } = await this.#reading(path, options, (key, signal) =>
      this.#client.get(key, undefined, signal),
    );
    return { bytes, tag };
  }

  async readRange(path: string, range: ByteRange, options?: StorageOptions): Promise<Uint8Array> {
    requireStoragePath(path);
    if (requireByteRange(path, range) === 0) {
      options?.signal?.throwIfAborted();
      return new Uint8Array(0);
    }
    const { start, end } = range;
    try {
      const { bytes, isWhole } = await this.#reading(path, options, (key, signal) =>
        this.#client.get(key, `bytes=${start}-${end - 1}`, signal),
      );
      return isWhole ? bytes.slice(start, end) : bytes;
    } catch (error) {
      const cause = error instanceof HudiError ? error.cause : undefined;
      if (cause instanceof S3Failure && cause.status === 416) return new Uint8Array(0);
      throw error;
    }
  }

  async findObject(path: string, options?: StorageOptions): Promise<StoredObject | undefined> {
    const head = await this.#findHead(path, options);
    if (!head) return undefined;
    const { sizeBytes, modifiedMs, tag } = head;
    return { path, sizeBytes, modifiedMs, tag };
  }

  async list(folder: string, options: ListOptions = {}): Promise<readonly StoredObject[]> {
    const { recursive = true, startAfter } = options;
    const found: StoredObject[] = [];
    await this.#eachPage(folder, { recursive, startAfter }, options, (page) => {
      for (const object of this.#objectsOf(page)) {
        if (startAfter === undefined || compareUtf8(object.path, startAfter) > 0) {
          found.push(object);
        }
      }
    });
    return sortByPath(found);
  }

  async listFolder(folder: string, options: StorageOptions = {}): Promise<FolderListing> {
    const objects: StoredObject[] = [];
    const folders = new Set<string>();
    const prefix = folderPrefix(folder);
    await this.#eachPage(folder, { recursive: false }, options, (page) => {
      objects.push(...this.#objectsOf(page));
      for (const key of page.prefixes) {
        const path = key.slice(this.#keyPrefix.length, -1);
        const name = path.slice(prefix.length);
        if (name !== "" && !isStagingPath(path)) folders.add(name);
      }
    });
    return { objects: sortByPath(objects), folders: [...folders].sort(compareUtf8) };
  }

  async put(path: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    if (bytes.byteLength <= PART_BYTES) {
      return putS3Object(this.#writing(path, options), bytes, options?.writeId);
    }
    const writer = this.createWriter(path, options);
    try {
      await writer.write(bytes);
      await writer.close();
    } finally {
      await writer.abort();
    }
  }

  async createIfAbsent(
    path: string,
    bytes: Uint8Array,
    options?: PutOptions,
  ): Promise<"created" | "exists"> {
    return createS3Object(this.#writing(path, options), bytes, options?.writeId);
  }

  async replaceIfUnchanged(
    path: string,
    bytes: Uint8Array,
    tag: string,
    options?: PutOptions,
  ): Promise<{ readonly tag: string } | "changed"> {
    return replaceS3Object(this.#writing(path, options), bytes, tag, options?.writeId);
  }

  createWriter(path: string, options?: PutOptions): ObjectWriter {
    return new S3ObjectWriter(this.#writing(path, options), options?.writeId);
  }

  async delete(paths: readonly string[], options?: StorageOptions): Promise<void> {
    for (const path of paths) requireStoragePath(path);
    const batches: string[][] = [];
    for (let at = 0; at < paths.length; at += DELETE_BATCH) {
      batches.push(paths.slice(at, at + DELETE_BATCH));
    }
    const remove = (batch: readonly string[]) => this.#deleteBatch(batch, options?.signal);
    await mapConcurrently(batches, PARALLEL_DELETES, remove, options?.signal);
  }

  async loadWriteId(path: string, options?: StorageOptions): Promise<string | undefined> {
    return (await this.#findHead(path, options))?.writeId;
  }

  async probeConditionalWrites(options?: StorageOptions): Promise<void> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    let probe = probes.get(this.#probeKey);
    if (!probe) {
      probe = probeS3ConditionalWrites({
        client: this.#client,
        policy: this.#policy,
        location: this.location,
        prefix: `${this.#keyPrefix}${STAGING_FOLDER}/probe-`,
      });
      probes.set(this.#probeKey, probe);
      // A verdict is kept, good or bad; a failure to reach one is not.
      probe.catch((error: unknown) => {
        const isVerdict = error instanceof HudiError && error.code === "UNSUPPORTED";
        if (!isVerdict) probes.delete(this.#probeKey);
      });
    }
    await (signal ? raceAbort(probe, signal) : probe);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }

  async #deleteBatch(paths: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    let left = paths.map((path) => this.#key(path));
    const send = async () => {
      const failed = await this.#client.delete(left, signal);
      const [first] = failed;
      if (!first) return;
      left = failed.map(({ key }) => key);
      const isBusy = /^(InternalError|SlowDown|ServiceUnavailable)$/.test(first.code);
      throw new S3Failure(isBusy ? "ambiguous" : "refused", isBusy ? 503 : 403, first.code);
    };
    try {
      await sendRepeatedly(this.#policy, signal, send);
    } catch (error) {
      const path = (left[0] ?? "").slice(this.#keyPrefix.length);
      // Some of the batch may be gone whatever became of the rest.
      throw this.#failure("delete", path, error, "unknown");
    }
  }

  async #findHead(path: string, options: StorageOptions | undefined): ReturnType<typeof findHead> {
    try {
      return await findHead(this.#writing(path, options));
    } catch (error) {
      throw this.#failure("look at", path, error);
    }
  }

  async #reading<T>(
    path: string,
    options: StorageOptions | undefined,
    send: (key: string, signal: AbortSignal | undefined) => Promise<T>,
  ): Promise<T> {
    const key = this.#key(requireStoragePath(path));
    const signal = options?.signal;
    try {
      return await sendRepeatedly(this.#policy, signal, () => send(key, signal));
    } catch (error) {
      if (error instanceof S3Failure && error.kind === "missing") {
        throw objectNotFound(this.location, path, error);
      }
      throw this.#failure("read", path, error);
    }
  }

  async #eachPage(
    folder: string,
    { recursive, startAfter }: { recursive: boolean; startAfter?: string | undefined },
    { signal }: StorageOptions,
    take: (page: S3ListPage) => void,
  ): Promise<void> {
    const request = {
      prefix: this.#key(folderPrefix(requireFolderPath(folder))),
      ...(!recursive && { delimiter: "/" }),
      ...(startAfter !== undefined && { startAfter: this.#key(startAfter) }),
    };
    let next: string | undefined;
    do {
      let page: S3ListPage;
      try {
        page = await sendRepeatedly(this.#policy, signal, () =>
          this.#client.list({ ...request, next }, signal),
        );
      } catch (error) {
        throw this.#failure("list", folder, error);
      }
      take(page);
      // A store that gives no way on, or the same again, would otherwise be asked for ever.
      if (page.next !== undefined && (page.next === "" || page.next === next)) {
        throw this.#failure("list", folder, new S3Failure("refused", 200, "NoContinuation"));
      }
      next = page.next;
    } while (next !== undefined);
  }

  /** Objects of a page; keys that end in a slash are placeholders of folders, not objects. */
  #objectsOf(page: S3ListPage): StoredObject[] {
    return page.objects
      .filter(({ key }) => !key.endsWith("/"))
      .map(({ key, ...rest }) => ({ path: key.slice(this.#keyPrefix.length), ...rest }))
      .filter(({ path }) => !isStagingPath(path));
  }

  #writing(path: string, options: StorageOptions | undefined): S3WriteContext {
    return {
      client: this.#client,
      policy: this.#policy,
      location: `${this.location}/${path}`,
      path,
      key: this.#key(requireStoragePath(path)),
      signal: options?.signal,
    };
  }

  #key(path: string): string {
    return this.#keyPrefix + path;
  }

  #failure(
    action: S3Action,
    path: string,
    error: unknown,
    outcome: StorageOutcome = "not-applied",
  ): unknown {
    if (!(error instanceof S3Failure)) return error;
    return s3Error({ action, location: `${this.location}/${path}`, path }, error, outcome);
  }
}

async function raceAbort(work: Promise<void>, signal: AbortSignal): Promise<void> {
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    await Promise.race([work, aborted]);
  } finally {
    if (stop) signal.removeEventListener("abort", stop);
  }
}
