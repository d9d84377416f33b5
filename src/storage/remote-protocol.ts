// The messages between a storage and the threads that use it through a port, and the form that
// errors and bytes take on the way.
import type { HudiErrorCode } from "../errors.ts";
import { HudiError } from "../errors.ts";
import type { Storage, StorageOutcome } from "./storage.ts";
import { StorageError } from "./storage.ts";

/** What the using side must know of a storage before its first call. Can be sent to a worker. */
export interface StorageDescription {
  readonly location: string;
  readonly leaseKind: Storage["leaseKind"];
  readonly localFolder: string | undefined;
}

/** The calls that travel as they are; writers have messages of their own. */
export type RemoteMethod = Exclude<
  keyof Storage,
  "location" | "leaseKind" | "createWriter" | "close"
>;

/** From the using side. A call without a reply to wait for has no `id`. */
export type RemoteRequest =
  | {
      readonly kind: "call";
      readonly id: number;
      readonly method: RemoteMethod;
      readonly args: readonly unknown[];
    }
  | {
      readonly kind: "openWriter";
      readonly writer: number;
      readonly path: string;
      readonly writeId: string | undefined;
    }
  | {
      readonly kind: "write";
      readonly id: number;
      readonly writer: number;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "closeWriter" | "abortWriter"; readonly id: number; readonly writer: number }
  | { readonly kind: "abort"; readonly id: number };

/** From the serving side. */
export type RemoteReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: RemoteFailure };

/** An error as it travels. */
export interface RemoteFailure {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: HudiErrorCode | undefined;
  readonly path: string | undefined;
  readonly instant: string | undefined;
  readonly outcome: StorageOutcome | undefined;
  readonly cause: RemoteFailure | undefined;
}

const MAX_CAUSES = 4;

export function encodeFailure(error: unknown, depth = 0): RemoteFailure {
  const cause = error instanceof Error ? error.cause : undefined;
  const { name, message, stack } = error instanceof Error ? error : asError(error);
  const hudiError = error instanceof HudiError ? error : undefined;
  return {
    name,
    message,
    stack,
    code: hudiError?.code,
    path: hudiError?.path,
    instant: hudiError?.instant,
    outcome: error instanceof StorageError ? error.storageOutcome : undefined,
    cause: cause === undefined || depth >= MAX_CAUSES ? undefined : encodeFailure(cause, depth + 1),
  };
}

/** Makes the error anew, of the same class, code and outcome. */
export function decodeFailure(failure: RemoteFailure): Error {
  const { code, message, path, instant, outcome } = failure;
  const cause = failure.cause && decodeFailure(failure.cause);
  if (code === undefined) {
    return Object.assign(new Error(message, cause && { cause }), { name: failure.name });
  }
  if (outcome === undefined) return new HudiError(code, message, { path, instant, cause });
  return new StorageError(outcome, message, { code, cause, ...(path !== undefined && { path }) });
}

function asError(value: unknown): Error {
  return new Error(String(value));
}

/**
 * Bytes in a form that can be handed over without another copy, and the buffer to hand over. A view
 * of a part of a buffer is copied, since it would take the rest of its buffer along.
 */
export function packBytes(bytes: Uint8Array, mayMove: boolean): [Uint8Array, ArrayBuffer] {
  const { buffer } = bytes;
  const isWhole = buffer instanceof ArrayBuffer && bytes.byteLength === buffer.byteLength;
  if (mayMove && isWhole) return [bytes, buffer];
  const copy = new Uint8Array(bytes);
  return [copy, copy.buffer];
}
