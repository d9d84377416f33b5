// A storage of another thread, used through a message port: what a worker thread reads and writes
// with. The other side is storage-server.ts.
import type { MessagePort } from "node:worker_threads";
import type {
  RemoteMethod,
  RemoteReply,
  RemoteRequest,
  StorageDescription,
} from "./remote-protocol.ts";
import { decodeFailure, packBytes } from "./remote-protocol.ts";
import type {
  ByteRange,
  FolderListing,
  ListOptions,
  ObjectWriter,
  PutOptions,
  Storage,
  StorageOptions,
  StoredContent,
  StoredObject,
} from "./storage.ts";
import { StorageError } from "./storage.ts";
import { writerEnded } from "./storage-failures.ts";
import { requireStoragePath } from "./storage-path.ts";

interface PendingCall {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

type WithoutId<T> = T extends { readonly id: number } ? Omit<T, "id"> : never;

/** The calls of a storage, sent through a port to the thread that serves it. */
export class RemoteStorage implements Storage {
  readonly location: string;
  readonly leaseKind: Storage["leaseKind"];
  readonly #port: MessagePort;
  readonly #pending: Map<number, PendingCall> = new Map();
  #lastId = 0;
  #isClosed = false;

  /** The port keeps the thread alive only while calls are under way. */
  constructor(port: MessagePort, description: StorageDescription) {
    this.location = description.location;
    this.leaseKind = description.leaseKind;
    this.#port = port;
    port.on("message", (reply: RemoteReply) => this.#settle(reply));
    port.on("close", () => this.#endCalls());
    port.unref();
  }

  read(path: string, options?: StorageOptions): Promise<StoredContent> {
    return this.#call("read", [path], options);
  }

  readRange(path: string, range: ByteRange, options?: StorageOptions): Promise<Uint8Array> {
    return this.#call("readRange", [path, range], options);
  }

  findObject(path: string, options?: StorageOptions): Promise<StoredObject | undefined> {
    return this.#call("findObject", [path], options);
  }

  list(folder: string, options?: ListOptions): Promise<readonly StoredObject[]> {
    return this.#call("list", [folder], options);
  }

  listFolder(folder: string, options?: StorageOptions): Promise<FolderListing> {
    return this.#call("listFolder", [folder], options);
  }

  put(path: string, bytes: Uint8Array, options?: PutOptions): Promise<void> {
    const [copy, buffer] = packBytes(bytes, false);
    return this.#call("put", [path, copy], options, [buffer]);
  }

  createIfAbsent(
    path: string,
    bytes: Uint8Array,
    options?: PutOptions,
  ): Promise<"created" | "exists"> {
    const [copy, buffer] = packBytes(bytes, false);
    return this.#call("createIfAbsent", [path, copy], options, [buffer]);
  }

  replaceIfUnchanged(
    path: string,
    bytes: Uint8Array,
    tag: string,
    options?: PutOptions,
  ): Promise<{ readonly tag: string } | "changed"> {
    const [copy, buffer] = packBytes(bytes, false);
    return this.#call("replaceIfUnchanged", [path, copy, tag], options, [buffer]);
  }

  createWriter(path: string, options?: PutOptions): ObjectWriter {
    requireStoragePath(path);
    const writer = ++this.#lastId;
    this.#post({ kind: "openWriter", writer, path, writeId: options?.writeId });
    let state: "open" | "closed" | "aborted" = "open";
    const requireOpen = () => {
      if (state !== "open") throw writerEnded(path, state);
    };
    const signal = options?.signal;
    return {
      write: async (bytes) => {
        requireOpen();
        const [moved, buffer] = packBytes(bytes, true);
        await this.#request({ kind: "write", writer, bytes: moved }, signal, [buffer]);
      },
      close: async () => {
        requireOpen();
        state = "closed";
        return this.#request({ kind: "closeWriter", writer }, signal);
      },
      abort: async () => {
        state = "aborted";
        await this.#request({ kind: "abortWriter", writer }, undefined).catch(() => {});
      },
    };
  }

  delete(paths: readonly string[], options?: StorageOptions): Promise<void> {
    return this.#call("delete", [paths], options);
  }

  loadWriteId(path: string, options?: StorageOptions): Promise<string | undefined> {
    return this.#call("loadWriteId", [path], options);
  }

  probeConditionalWrites(options?: StorageOptions): Promise<void> {
    return this.#call("probeConditionalWrites", [], options);
  }

  /** Closes this end of the port; the storage itself stays open. */
  async close(): Promise<void> {
    this.#endCalls();
    this.#port.close();
  }

  #call<T>(
    method: RemoteMethod,
    args: readonly unknown[],
    options: StorageOptions | undefined,
    transfer: ArrayBuffer[] = [],
  ): Promise<T> {
    const { signal, ...rest } = options ?? {};
    return this.#request({ kind: "call", method, args: [...args, rest] }, signal, transfer);
  }

  async #request<T>(
    request: WithoutId<RemoteRequest>,
    signal: AbortSignal | undefined,
    transfer: ArrayBuffer[] = [],
  ): Promise<T> {
    signal?.throwIfAborted();
    if (this.#isClosed) throw this.#portClosed("not-applied");
    const id = ++this.#lastId;
    const onAbort = () => {
      this.#post({ kind: "abort", id });
      this.#pending.get(id)?.reject(signal?.reason);
      this.#forget(id);
    };
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
        this.#port.ref();
        signal?.addEventListener("abort", onAbort, { once: true });
        this.#post({ ...request, id } as RemoteRequest, transfer);
      });
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#forget(id);
    }
  }

  #post(request: RemoteRequest, transfer: ArrayBuffer[] = []): void {
    this.#port.postMessage(request, transfer);
  }

  #settle(reply: RemoteReply): void {
    const call = this.#pending.get(reply.id);
    if ("failure" in reply) call?.reject(decodeFailure(reply.failure));
    else call?.resolve(reply.value);
  }

  #forget(id: number): void {
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#port.unref();
  }

  #endCalls(): void {
    this.#isClosed = true;
    for (const { reject } of this.#pending.values()) reject(this.#portClosed("unknown"));
    this.#pending.clear();
  }

  #portClosed(outcome: "not-applied" | "unknown"): StorageError {
    const message = `cannot use storage ${this.location}: the thread that serves it closed the port, expected it to stay open`;
    return new StorageError(outcome, message, {});
  }
}
