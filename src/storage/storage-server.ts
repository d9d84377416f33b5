// Lets other threads use a storage of this one through message ports.
import type { MessagePort } from "node:worker_threads";
import { bestEffort } from "../runtime/concurrency.ts";
import type { RemoteReply, RemoteRequest, StorageDescription } from "./remote-protocol.ts";
import { encodeFailure, packBytes } from "./remote-protocol.ts";
import type { ObjectWriter, Storage } from "./storage.ts";

/** What a worker needs to make a `RemoteStorage`, beside the other end of the port. */
export function describeStorage(storage: Storage): StorageDescription {
  const { location, leaseKind, localFolder } = storage;
  return { location, leaseKind, localFolder };
}

/**
 * Answers the calls that come through a port, until the port closes or the returned function is
 * called. Then calls under way are aborted, and writers that are open are given up. The port does
 * not keep the process alive.
 */
export function serveStorage(storage: Storage, port: MessagePort): () => void {
  const server = new StorageServer(storage, port);
  port.on("message", (request: RemoteRequest) => void server.handle(request));
  port.on("close", () => server.stop());
  port.unref();
  return () => {
    server.stop();
    port.close();
  };
}

interface OpenWriter {
  readonly writer: ObjectWriter;
  readonly stop: AbortController;
}

class StorageServer {
  readonly #storage: Storage;
  readonly #port: MessagePort;
  readonly #calls: Map<number, AbortController> = new Map();
  readonly #writers: Map<number, OpenWriter> = new Map();

  constructor(storage: Storage, port: MessagePort) {
    this.#storage = storage;
    this.#port = port;
  }

  async handle(request: RemoteRequest): Promise<void> {
    if (request.kind === "abort") {
      this.#calls.get(request.id)?.abort();
      return;
    }
    if (request.kind === "openWriter") {
      const stop = new AbortController();
      const options = { signal: stop.signal, writeId: request.writeId };
      const writer = this.#storage.createWriter(request.path, options);
      this.#writers.set(request.writer, { writer, stop });
      return;
    }
    this.#reply(await this.#answer(request));
  }

  stop(): void {
    for (const call of this.#calls.values()) call.abort();
    for (const { writer, stop } of this.#writers.values()) {
      stop.abort();
      void bestEffort(() => writer.abort());
    }
    this.#writers.clear();
  }

  async #answer(
    request: Exclude<RemoteRequest, { kind: "abort" } | { kind: "openWriter" }>,
  ): Promise<RemoteReply> {
    const { id } = request;
    const stop = new AbortController();
    this.#calls.set(id, stop);
    try {
      return { id, value: await this.#run(request, stop) };
    } catch (error) {
      return { id, failure: encodeFailure(error) };
    } finally {
      this.#calls.delete(id);
    }
  }

  async #run(
    request: Exclude<RemoteRequest, { kind: "abort" } | { kind: "openWriter" }>,
    stop: AbortController,
  ): Promise<unknown> {
    if (request.kind === "call") {
      const { method, args } = request;
      const last = args.length - 1;
      const options = { ...(args[last] as object), signal: stop.signal };
      const call = this.#storage[method] as (...args: unknown[]) => Promise<unknown>;
      return call.call(this.#storage, ...args.slice(0, last), options);
    }
    const open = this.#writers.get(request.writer);
    if (request.kind === "abortWriter") {
      this.#writers.delete(request.writer);
      open?.stop.abort();
      return open?.writer.abort();
    }
    if (!open) throw new Error(`there is no writer ${request.writer}`);
    stop.signal.addEventListener("abort", () => open.stop.abort(), { once: true });
    if (request.kind === "write") return open.writer.write(request.bytes);
    this.#writers.delete(request.writer);
    return open.writer.close();
  }

  #reply(reply: RemoteReply): void {
    const value = "value" in reply ? reply.value : undefined;
    if (value instanceof Uint8Array) {
      const [bytes, buffer] = packBytes(value, true);
      this.#port.postMessage({ ...reply, value: bytes }, [buffer]);
    } else if (hasBytes(value)) {
      const [bytes, buffer] = packBytes(value.bytes, true);
      this.#port.postMessage({ ...reply, value: { ...value, bytes } }, [buffer]);
    } else {
      this.#port.postMessage(reply);
    }
  }
}

function hasBytes(value: unknown): value is { readonly bytes: Uint8Array } {
  return (value as { readonly bytes?: unknown } | undefined)?.bytes instanceof Uint8Array;
}
