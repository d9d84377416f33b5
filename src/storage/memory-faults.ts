// Faults that a memory storage can be told to have, call by call.
import { StorageError } from "./storage.ts";

/** The calls that reach the store and can fail; a writer's upload counts once, when it is closed. */
export type StorageMethod =
  | "read"
  | "readRange"
  | "findObject"
  | "list"
  | "listFolder"
  | "put"
  | "createIfAbsent"
  | "replaceIfUnchanged"
  | "createWriter"
  | "delete"
  | "loadWriteId"
  | "probeConditionalWrites";

/** One call on a memory storage. */
export interface StorageCall {
  /** Counts the calls of one handle, from 0. */
  readonly index: number;
  /** The label of the handle. */
  readonly process: string;
  readonly method: StorageMethod;
  /** The object or folder; for `delete` the first path. */
  readonly path: string;
  /** Whether the call changes the store. */
  readonly isWrite: boolean;
}

/**
 * What goes wrong with a call.
 *
 * - `not-applied`: it throws and nothing happened.
 * - `unknown`: it happened, and throws an unknown outcome.
 * - `unknown-not-applied`: it throws an unknown outcome though nothing happened.
 * - `unknown-partly`: as `unknown`, but of several deleted paths only the first half is gone.
 * - `unknown-late`: it throws an unknown outcome and happens at `MemoryStore.applyLateChanges`.
 * - `dies-before`, `dies-after`, `dies-partly`: the process ends before, after or amid the call.
 */
export type Fault =
  | "not-applied"
  | "unknown"
  | "unknown-not-applied"
  | "unknown-partly"
  | "unknown-late"
  | "dies-before"
  | "dies-after"
  | "dies-partly";

/** Thrown by every call of a handle whose process has died. Code above must not survive it. */
export class ProcessDied extends Error {
  override readonly name: string = "ProcessDied";

  constructor(process: string) {
    super(`process ${process} has died`);
  }
}

/** What a fault lets happen of a call. */
export interface FaultEffect {
  readonly applied: "no" | "partly" | "yes" | "late";
  readonly ends: "not-applied" | "unknown" | "death";
}

const EFFECTS: Readonly<Record<Fault, FaultEffect>> = {
  "not-applied": { applied: "no", ends: "not-applied" },
  unknown: { applied: "yes", ends: "unknown" },
  "unknown-not-applied": { applied: "no", ends: "unknown" },
  "unknown-partly": { applied: "partly", ends: "unknown" },
  "unknown-late": { applied: "late", ends: "unknown" },
  "dies-before": { applied: "no", ends: "death" },
  "dies-after": { applied: "yes", ends: "death" },
  "dies-partly": { applied: "partly", ends: "death" },
};

export function describeFault(fault: Fault): FaultEffect {
  return EFFECTS[fault];
}

/** The error of a call that was made to fail. */
export function injectedFailure(
  call: StorageCall,
  outcome: "not-applied" | "unknown",
): StorageError {
  const message = `cannot ${call.method} ${call.path}: injected fault at call ${call.index}, outcome ${outcome}`;
  return new StorageError(outcome, message, { path: call.path });
}
