// The streamed writer of a local storage: a temporary file that is renamed into place when closed.
import { releaseBytes } from "../runtime/release-bytes.ts";
import { writeFailure } from "./local-errors.ts";
import { writeAll } from "./local-file-bytes.ts";
import type { LocalStaging, StagedFile, StagingFile } from "./local-staging.ts";
import type { ObjectWriter } from "./storage.ts";
import { writerEnded } from "./storage-failures.ts";

/** What a writer works with. `publish` puts the file in place and is told the whole outcome. */
export interface LocalWriterTask {
  readonly path: string;
  readonly location: string;
  readonly staging: LocalStaging;
  readonly signal: AbortSignal | undefined;
  publish(staged: StagedFile): Promise<void>;
}

/** Writes one object. Calls are carried out in order, also if they are not awaited. */
export class LocalObjectWriter implements ObjectWriter {
  readonly #task: LocalWriterTask;
  #file: StagingFile | undefined;
  #state: "open" | "closed" | "aborted" | "failed" = "open";
  #sizeBytes = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(task: LocalWriterTask) {
    this.#task = task;
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#next(async () => {
      this.#requireOpen();
      try {
        this.#task.signal?.throwIfAborted();
        this.#file ??= await this.#task.staging.create();
        await writeAll(this.#file.handle, bytes);
        this.#sizeBytes += bytes.byteLength;
        releaseBytes(bytes);
      } catch (error) {
        await this.#end("failed");
        throw writeFailure(this.#task.location, this.#task.path, "before", error);
      }
    });
  }

  close(): Promise<{ readonly sizeBytes: number }> {
    return this.#next(async () => {
      this.#requireOpen();
      this.#state = "closed";
      await this.#task.publish(await this.#seal());
      return { sizeBytes: this.#sizeBytes };
    });
  }

  abort(): Promise<void> {
    return this.#next(() => this.#end("aborted"));
  }

  async #seal(): Promise<StagedFile> {
    try {
      const file = this.#file ?? (await this.#task.staging.create());
      this.#file = undefined;
      return await this.#task.staging.seal(file);
    } catch (error) {
      throw writeFailure(this.#task.location, this.#task.path, "before", error);
    }
  }

  async #end(state: "aborted" | "failed"): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    if (this.#state !== "closed") this.#state = state;
    if (file) await this.#task.staging.discard(file);
  }

  #requireOpen(): void {
    if (this.#state !== "open") throw writerEnded(this.#task.path, this.#state);
  }

  #next<T>(step: () => Promise<T>): Promise<T> {
    const result = this.#last.then(step);
    this.#last = result.catch(() => {});
    return result;
  }
}
