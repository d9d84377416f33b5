// Mutual exclusion among the processes of one machine, for the moment that a file is replaced.
// A claim is a symbolic link whose text names its holder: the system creates it whole, at once, and
// only if the name is free. Rules and the argument why they hold: spec/protocol/storage.md, ST-24.
import { mkdir, readlink, rename, symlink, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { bestEffort } from "../runtime/concurrency.ts";
import { createFraction, createUuid } from "../runtime/random.ts";
import type { Runtime } from "../runtime/runtime.ts";
import { errorNumber, isMissing } from "./local-errors.ts";
import type { ProcessIdentity } from "./process-identity.ts";
import { findProcessState, loadProcessIdentity } from "./process-identity.ts";
import { StorageError } from "./storage.ts";

/** A claim that this process holds. */
export interface Claim {
  /** Gives the claim up. */
  release(): Promise<void>;
}

/** Options of taking a claim. */
export interface ClaimOptions {
  readonly runtime: Runtime;
  /** How long to wait for a holder that lives, in milliseconds. */
  readonly waitMs: number;
  /** What is claimed, for messages. */
  readonly subject: string;
  readonly signal: AbortSignal | undefined;
}

interface ClaimText {
  readonly nonce: string;
  readonly holder: ProcessIdentity | undefined;
}

const MAX_PAUSE_MS = 20;

/**
 * Takes the claim `fullPath`. A claim whose holder has died is not removed, since a slow observer
 * could then remove its successor's. Instead the right to succeed it is itself claimed, under a
 * name that holds the dead claim's nonce, and so is granted once; the successor replaces the claim.
 */
export async function acquireClaim(fullPath: string, options: ClaimOptions): Promise<Claim> {
  const { runtime, signal } = options;
  const nonce = createUuid(runtime.random);
  const text = JSON.stringify({ nonce, holder: await loadProcessIdentity() });
  const deadline = runtime.clock.now() + options.waitMs;
  for (;;) {
    signal?.throwIfAborted();
    const chain = (await createClaim(fullPath, text)) ? undefined : await readChain(fullPath);
    if (chain === undefined) return heldClaim(fullPath, text);
    const last = chain.at(-1);
    if (last === undefined) continue;
    const state = last.holder ? await findProcessState(last.holder) : "unknown";
    if (state === "dead" && (await succeed(fullPath, chain, nonce, text))) {
      return heldClaim(fullPath, text);
    }
    if (runtime.clock.now() >= deadline) throw claimHeld(fullPath, last, options);
    await runtime.clock.sleep(1 + createFraction(runtime.random) * MAX_PAUSE_MS, signal);
  }
}

async function succeed(
  fullPath: string,
  chain: readonly ClaimText[],
  nonce: string,
  text: string,
): Promise<boolean> {
  const successor = successorPath(fullPath, (chain.at(-1) as ClaimText).nonce);
  if (!(await createClaim(successor, text))) return false;
  // The dead claim may have been succeeded, and the successor's link tidied away, since the chain
  // was read. Its nonce never comes back, so if it is still the claim, nobody went this way before.
  const [first] = await readChain(fullPath);
  if (first?.nonce !== chain[0]?.nonce) {
    await bestEffort(() => unlink(successor));
    return false;
  }
  const replacement = `${fullPath}.${nonce}.next`;
  await symlink(text, replacement);
  await rename(replacement, fullPath);
  for (const { nonce: dead } of chain) {
    await bestEffort(() => unlink(successorPath(fullPath, dead)));
  }
  return true;
}

function heldClaim(fullPath: string, text: string): Claim {
  return {
    async release(): Promise<void> {
      if ((await readClaimText(fullPath)) === text) await unlink(fullPath);
    },
  };
}

/** Creates a claim exclusively. A link that is there already counts if it is this very claim. */
async function createClaim(fullPath: string, text: string): Promise<boolean> {
  try {
    await symlink(text, fullPath);
    return true;
  } catch (error) {
    if (errorNumber(error) === "EEXIST") return (await readClaimText(fullPath)) === text;
    if (errorNumber(error) !== "ENOENT") throw error;
    await mkdir(dirname(fullPath), { recursive: true });
    return createClaim(fullPath, text);
  }
}

/** The claim and those who succeeded dead holders of it, the present holder last. */
async function readChain(fullPath: string): Promise<readonly ClaimText[]> {
  const chain: ClaimText[] = [];
  let at = fullPath;
  for (;;) {
    const text = await readClaimText(at);
    if (text === undefined) return chain;
    const claim = parseClaim(text);
    chain.push(claim);
    if (claim.holder === undefined) return chain;
    at = successorPath(fullPath, claim.nonce);
  }
}

function successorPath(fullPath: string, nonce: string): string {
  return `${fullPath}.${nonce}`;
}

async function readClaimText(fullPath: string): Promise<string | undefined> {
  try {
    return await readlink(fullPath);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

/** A claim that cannot be parsed has no holder and is never succeeded. */
function parseClaim(text: string): ClaimText {
  try {
    const { nonce, holder } = JSON.parse(text) as { nonce: unknown; holder: ProcessIdentity };
    const { host, boot, pidNamespace, pid, start } = holder;
    const isWhole =
      [host, boot, pidNamespace, start].every((part) => typeof part === "string") &&
      Number.isSafeInteger(pid) &&
      pid > 0 &&
      typeof nonce === "string" &&
      /^[0-9a-f-]{36}$/.test(nonce);
    if (isWhole) return { nonce, holder: { host, boot, pidNamespace, pid, start } };
  } catch {
    // Text that is no claim of ours is handled as a holder that cannot be judged.
  }
  return { nonce: "", holder: undefined };
}

function claimHeld(fullPath: string, claim: ClaimText, options: ClaimOptions): StorageError {
  const { holder } = claim;
  const name = holder ? `process ${holder.pid} of ${holder.host}` : "an unknown process";
  const message = `cannot replace object ${options.subject}: ${name} held claim ${fullPath} for ${options.waitMs} ms, expected it to let go; remove the claim if that process is gone`;
  return new StorageError("not-applied", message, {});
}
