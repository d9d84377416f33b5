// The streamed writer of S3: one PUT up to 8 MiB, beyond that a multipart upload with a few parts
// under way at a time. Rules: spec/protocol/storage.md, ST-47 to ST-49.
import pLimit from "p-limit";
import { bestEffort } from "../runtime/concurrency.ts";
import { createUuid } from "../runtime/random.ts";
import { s3Error } from "./s3-errors.ts";
import { S3Failure } from "./s3-failure.ts";
import { pauseBeforeRetry, requireFailure, sendRepeatedly } from "./s3-retry.ts";
import type { S3WriteContext } from "./s3-writes.ts";
import { isOwnObject, putS3Object } from "./s3-writes.ts";
import type { ObjectWriter, StorageOutcome } from "./storage.ts";
import { StorageError } from "./storage.ts";
import { writerEnded } from "./storage-failures.ts";

/** Objects up to this size go out in one request; larger ones in parts of it. */
export const PART_BYTES: number = 8 * 1024 * 1024;
const PARALLEL_PARTS = 4;
const MAX_PARTS = 10_000;

/** Writes one object. Holds at most `PARALLEL_PARTS + 1` parts in memory, and what it was given. */
export class S3ObjectWriter implements ObjectWriter {
  readonly #context: S3WriteContext;
  readonly #givenWriteId: string | undefined;
  readonly #writeId: string;
  readonly #stop: AbortController = new AbortController();
  readonly #slots = pLimit(PARALLEL_PARTS);
  readonly #underWay: Set<Promise<void>> = new Set();
  readonly #partTags: string[] = [];
  #uploadId: Promise<string> | undefined;
  #state: "open" | "closed" | "aborted" | "failed" = "open";
  #failure: { readonly error: unknown } | undefined;
  #buffered: Uint8Array[] = [];
  #bufferedBytes = 0;
  #sizeBytes = 0;
  #partCount = 0;

  constructor(context: S3WriteContext, writeId: string | undefined) {
    const { signal } = context;
    this.#context = {
      ...context,
      signal: signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal,
    };
    this.#givenWriteId = writeId;
    this.#writeId = writeId ?? createUuid(context.policy.runtime.random);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#requireOpen();
    this.#context.signal?.throwIfAborted();
    this.#buffered.push(bytes);
    this.#bufferedBytes += bytes.byteLength;
    this.#sizeBytes += bytes.byteLength;
    // A full buffer is kept until more comes, because an object of exactly one part is a PUT.
    while (this.#bufferedBytes > PART_BYTES) this.#sendPart(this.#takeBuffered(PART_BYTES));
    while (this.#underWay.size > PARALLEL_PARTS) await Promise.race(this.#underWay);
    await this.#throwFailure();
  }

  async close(): Promise<{ readonly sizeBytes: number }> {
    this.#requireOpen();
    this.#context.signal?.throwIfAborted();
    this.#state = "closed";
    const rest = this.#takeBuffered(this.#bufferedBytes);
    if (this.#partCount === 0) {
      await putS3Object(this.#context, rest, this.#givenWriteId);
    } else {
      if (rest.byteLength > 0) this.#sendPart(rest);
      await Promise.all(this.#underWay);
      await this.#throwFailure();
      await this.#complete(await this.#startUpload());
    }
    return { sizeBytes: this.#sizeBytes };
  }

  async abort(): Promise<void> {
    if (this.#state !== "open") return;
    this.#state = "aborted";
    await this.#abandon();
  }

  /** Begins a part. Its failure is kept and thrown by the next call. */
  #sendPart(bytes: Uint8Array): void {
    const index = this.#partCount++;
    const { client, key, policy, signal } = this.#context;
    const part = this.#slots(async () => {
      if (this.#failure || this.#stop.signal.aborted) return;
      if (index >= MAX_PARTS) throw this.#tooLarge();
      const uploadId = await this.#startUpload();
      this.#partTags[index] = await sendRepeatedly(policy, signal, () =>
        client.uploadPart(key, uploadId, index + 1, bytes, signal),
      );
    })
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#underWay.delete(part));
    this.#underWay.add(part);
  }

  // No signal stops the request: an upload whose id is not learnt could not be removed. It may be
  // repeated, since an upload that was begun but not heard of holds no bytes.
  #startUpload(): Promise<string> {
    const { client, key, policy, signal } = this.#context;
    this.#uploadId ??= sendRepeatedly(policy, signal, () =>
      client.createUpload(key, this.#writeId, undefined),
    );
    return this.#uploadId;
  }

  /** Throws what a part failed of, after the upload was given up. Nothing is visible then. */
  async #throwFailure(): Promise<void> {
    if (!this.#failure) return;
    this.#state = "failed";
    await this.#abandon();
    const { error } = this.#failure;
    throw error instanceof S3Failure ? this.#fail(error, "not-applied") : error;
  }

  async #complete(uploadId: string): Promise<void> {
    const { client, key, policy, signal } = this.#context;
    let hasDoubt = false;
    for (let attempt = 1; ; attempt++) {
      try {
        return await client.completeUpload(key, uploadId, this.#partTags, signal);
      } catch (error) {
        const failure = requireFailure(error);
        if (failure.kind === "refused" && !hasDoubt) {
          await this.#abandon();
          throw this.#fail(failure, "not-applied");
        }
        // An upload that is gone was completed by an attempt before, or taken away by another.
        hasDoubt ||= failure.kind === "ambiguous";
        if (hasDoubt || failure.kind === "missing") {
          if (await isOwnObject(this.#context, this.#writeId)) return;
        }
        const isPassing = failure.kind === "ambiguous" || failure.kind === "later";
        if (!isPassing || attempt >= policy.maxAttempts) {
          throw this.#fail(failure, hasDoubt ? "unknown" : "not-applied");
        }
      }
      await pauseBeforeRetry(policy, attempt, signal);
    }
  }

  /** Stops the parts and removes the upload, also when the caller's signal has aborted. */
  async #abandon(): Promise<void> {
    this.#buffered = [];
    this.#bufferedBytes = 0;
    this.#stop.abort();
    await Promise.all(this.#underWay);
    const uploadId = this.#uploadId;
    if (!uploadId) return;
    const { client, key, policy } = this.#context;
    await bestEffort(async () => {
      const id = await uploadId;
      await sendRepeatedly(policy, undefined, () => client.abortUpload(key, id, undefined));
    });
  }

  #takeBuffered(length: number): Uint8Array {
    const all = this.#buffered.length === 1 ? (this.#buffered[0] as Uint8Array) : undefined;
    const bytes = all ?? Buffer.concat(this.#buffered);
    const rest = bytes.subarray(length);
    this.#buffered = rest.byteLength > 0 ? [rest] : [];
    this.#bufferedBytes = rest.byteLength;
    return bytes.subarray(0, length);
  }

  #requireOpen(): void {
    if (this.#state !== "open") throw writerEnded(this.#context.path, this.#state);
  }

  #tooLarge(): StorageError {
    const { location, path } = this.#context;
    const message = `cannot write ${location}: it is larger than ${MAX_PARTS} parts of ${PART_BYTES} bytes, expected a smaller object`;
    return new StorageError("not-applied", message, { path, code: "INVALID" });
  }

  #fail(failure: S3Failure, outcome: StorageOutcome): StorageError {
    const { location, path } = this.#context;
    return s3Error({ action: "write", location, path }, failure, outcome);
  }
}
