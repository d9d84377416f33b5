// What a run of the command has of the world: its streams, its clock and the signal that ends it.
import type { Readable, Writable } from "node:stream";
import type { Runtime } from "../runtime/runtime.ts";

/** A stream that may be a terminal. */
export interface MaybeTerminal {
  readonly isTTY?: boolean | undefined;
  /** Width of the terminal in characters. */
  readonly columns?: number | undefined;
}

/** Streams, clock and signal of one run; a test passes its own. */
export interface LakeIo {
  readonly stdin: Readable & MaybeTerminal;
  /** Results and nothing else. */
  readonly stdout: Writable & MaybeTerminal;
  /** Progress, summaries, warnings and errors. */
  readonly stderr: Writable & MaybeTerminal;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  readonly runtime: Runtime;
}

/** Width of a terminal; undefined for a stream that is none, which then has no limit. */
export function terminalWidth(stream: MaybeTerminal): number | undefined {
  if (!stream.isTTY) return undefined;
  return Math.max(20, stream.columns ?? 80);
}
