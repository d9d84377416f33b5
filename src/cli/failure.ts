// What a failed run says and how it ends: one line with code, fact and remedy, and the exit code.
// Rules: spec/protocol/cli.md, CLI-1 to CLI-4.
import { type HudiErrorCode, isHudiError } from "../errors.ts";
import { escapeControls } from "./output/display-text.ts";
import { UsageError } from "./usage-error.ts";

/** Exit codes of the command. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  conflict: 3,
  unknown: 4,
  interrupted: 130,
} as const;

/** The exit code that an error means. An unknown outcome outweighs the interruption that led to it. */
export function findExitCode(error: unknown, signal: AbortSignal): number {
  if (isHudiError(error, "COMMIT_STATE_UNKNOWN")) return EXIT.unknown;
  if (isInterruption(error, signal)) return EXIT.interrupted;
  if (error instanceof UsageError) return EXIT.usage;
  if (isHudiError(error, "CONFLICT")) return EXIT.conflict;
  return EXIT.failed;
}

function isInterruption(error: unknown, signal: AbortSignal): boolean {
  return signal.aborted && (error === signal.reason || !isHudiError(error));
}

/** What to do about an error where its message does not say so. */
const REMEDIES: Partial<Record<HudiErrorCode, string>> = {
  NOT_FOUND: "check the name, or create the table with lake create",
  ALREADY_EXISTS: "write to it with lake write, or choose another location",
  CONFLICT: "run the command again",
  EXPIRED: "start from a snapshot with lake read",
  COMMIT_STATE_UNKNOWN: "look for the instant in lake timeline before running the command again",
  UNAVAILABLE: "check the location, credentials and endpoint, then try again",
};

/** How a failure is told. */
export interface FailureStyle {
  readonly json: boolean;
  readonly verbose: boolean;
}

/** The text for standard error, line breaks included. */
export function formatFailure(error: unknown, signal: AbortSignal, style: FailureStyle): string {
  const { code, message, remedy } = describeFailure(error, signal);
  const line = style.json
    ? JSON.stringify({ error: { code, message, remedy, ...detailsOf(error) } })
    : `lake: ${code}: ${escapeControls(message)}${remedy ? ` (${remedy})` : ""}`;
  return style.verbose ? `${line}\n${formatStack(error)}\n` : `${line}\n`;
}

interface FailureText {
  readonly code: string;
  readonly message: string;
  readonly remedy?: string | undefined;
}

function describeFailure(error: unknown, signal: AbortSignal): FailureText {
  if (isHudiError(error)) {
    if (error instanceof UsageError) return { code: error.code, message: error.message };
    const hasRemedy = error.message.includes("; ");
    const remedy = hasRemedy ? undefined : REMEDIES[error.code];
    return { code: error.code, message: error.message, remedy: remedyOf(error.message) ?? remedy };
  }
  if (signal.aborted) {
    return { code: "INTERRUPTED", message: "stopped before the end" };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "INTERNAL", message, remedy: "a fault of lake itself: --verbose shows where" };
}

/** The library speaks of its options; the command has flags for them. */
function remedyOf(message: string): string | undefined {
  return message.includes("metadataTable") ? "the flag is --drop-metadata-table" : undefined;
}

function detailsOf(error: unknown): Record<string, unknown> {
  if (!isHudiError(error)) return {};
  const { path, instant, retryable } = error;
  return { path, instant, retryable };
}

function formatStack(error: unknown): string {
  const lines: string[] = [];
  let current = error;
  for (let depth = 0; depth < 8 && current instanceof Error; depth += 1) {
    const stack = current.stack ?? String(current);
    lines.push(depth === 0 ? stack : `caused by ${stack}`);
    current = current.cause;
  }
  return lines.map((text) => escapeControls(text, "\n")).join("\n");
}
