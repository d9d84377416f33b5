// One simulated run: writers and readers on one table under a seed, and the checks at its end.
import { isHudiError } from "../../src/errors.ts";
import { HudiTable } from "../../src/hudi-table.ts";
import type { IndexDefinition } from "../../src/layout/index-definition.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { CommitMetadata } from "../../src/timeline/commit-metadata.ts";
import { parseCommitMetadata } from "../../src/timeline/commit-metadata.ts";
import { isWriteAction } from "../../src/timeline/instant.ts";
import { processOptions } from "../support/memory-table.ts";
import { type AnyRow, placeText, rowTexts } from "../support/row-text.ts";
import {
  findFileFaults,
  findTimelineFaults,
  rolledBackInstants,
  timelineFiles,
} from "../support/store-checks.ts";
import {
  LATEST_ARRIVAL_MS,
  type ProcessTraits,
  type SimulatedProcess,
  Simulation,
} from "./simulated-processes.ts";
import { type WriteCall, WriteHistory } from "./write-history.ts";

/** What takes part in a run. */
export interface Profile {
  readonly writers: number;
  readonly callsPerWriter: number;
  /** Keys that writers choose from; few keys mean many conflicts. */
  readonly keys: number;
  readonly partitions: number;
  /** Each writer keeps to a partition of its own. */
  readonly keepsApart?: boolean;
  /** Which calls writers make; a run with an incremental reader has no deletes. */
  readonly kinds: readonly WriteCall["kind"][];
  /** Clocks differ by up to so much, in both directions. */
  readonly skewMs?: number;
  /** Writers are suspended once, somewhere, for longer than their heartbeat and lease last. */
  readonly stalls?: boolean;
  readonly deaths?: boolean;
  /** Requests and replies get lost, or arrive late. */
  readonly losses?: boolean;
  readonly reader?: boolean;
  /** Default `bloom`. */
  readonly index?: IndexDefinition;
  /** A process rolls the newest commit back now and then; not together with a reader. */
  readonly undoer?: boolean;
}

const MINUTE_MS = 60_000;
const CALLS_OF_A_WRITE = 30;

/** A run that is over, to be looked at. */
export interface FinishedRun {
  readonly simulation: Simulation;
  readonly history: WriteHistory;
}

/** Runs a profile under a seed and throws naming what is wrong, with the last calls. */
export async function runProfile(
  profile: Profile,
  seed: number,
  leaseKind: Storage["leaseKind"],
): Promise<FinishedRun> {
  const simulation = new Simulation(seed, leaseKind);
  try {
    return await runAndCheck(simulation, profile, leaseKind);
  } catch (error) {
    const trace = simulation.trace.slice(-2000).join("\n");
    throw new Error(`seed ${seed}, ${leaseKind} lease: ${(error as Error).stack}\n${trace}`, {
      cause: error,
    });
  }
}

async function runAndCheck(
  simulation: Simulation,
  profile: Profile,
  leaseKind: Storage["leaseKind"],
): Promise<FinishedRun> {
  const { index } = profile;
  const history = new WriteHistory(simulation, {
    recordKey: "id",
    partitionBy: "part",
    global: index?.kind.startsWith("global") ? "moves" : undefined,
  });
  await createTable(simulation, leaseKind, index);
  for (let number = 0; number < profile.writers; number += 1) {
    const traits = chooseTraits(simulation, profile);
    simulation.add(`writer ${number}`, traits, (process) =>
      writeAll(simulation, process, history, profile, number),
    );
  }
  const pulled = new Map<string, AnyRow>();
  const reader = profile.reader ? addReader(simulation, history, profile, pulled) : undefined;
  if (profile.undoer) {
    const traits = chooseTraits(simulation, { ...profile, callsPerWriter: 1 });
    simulation.add("undoer", traits, (process) => undo(simulation, process, profile));
  }
  await simulation.run();
  await finish(simulation, history, profile, leaseKind);
  await reader?.(leaseKind);
  return { simulation, history };
}

export async function createTable(
  simulation: Simulation,
  leaseKind: Storage["leaseKind"],
  index?: IndexDefinition,
): Promise<void> {
  const clock = { ...noTimers, now: () => simulation.now() };
  await HudiTable.create(
    "memory:",
    {
      name: "simulated",
      type: "copy-on-write",
      fields: { id: "string", part: "string", value: "long" },
      recordKey: "id",
      partitionBy: "part",
      index,
    },
    processOptions(simulation.store, { clock, leaseKind }),
  );
}

const noTimers = {
  sleep: async () => {},
  every: () => () => {},
  deadline: () => new AbortController().signal,
};

function chooseTraits(simulation: Simulation, profile: Profile): ProcessTraits {
  const { skewMs = 0, stalls = false, deaths = false, callsPerWriter } = profile;
  const atCall = simulation.below(callsPerWriter * CALLS_OF_A_WRITE) + 2;
  const isStalling = stalls && simulation.random() < 0.6;
  const isDying = deaths && simulation.random() < 0.6;
  const fault = simulation.random() < 0.5 ? "dies-before" : "dies-after";
  return {
    skewMs: Math.round((simulation.random() * 2 - 1) * skewMs),
    stall: isStalling ? { atCall, ms: MINUTE_MS * (1 + simulation.below(10)) } : undefined,
    death: isDying ? { atCall, fault } : undefined,
    isLossy: profile.losses === true,
  };
}

async function writeAll(
  simulation: Simulation,
  process: SimulatedProcess,
  history: WriteHistory,
  profile: Profile,
  number: number,
): Promise<void> {
  const longPauses = profile.stalls === true || profile.deaths === true || profile.losses === true;
  try {
    const table = await process.open();
    for (let call = 0; call < profile.callsPerWriter; call += 1) {
      const write = chooseWrite(simulation, profile, number, history.calls.length);
      const asked = await history.write(process.name, table, write);
      if (asked.told === "death") return;
      await process.pause(longPauses && simulation.random() < 0.7 ? 3 * MINUTE_MS : 40);
    }
  } catch (error) {
    // Opening the table may be the call at which it dies, or whose reply is lost.
    if ((error as Error).name !== "ProcessDied" && !isHudiError(error)) throw error;
  }
}

function chooseWrite(
  simulation: Simulation,
  profile: Profile,
  number: number,
  callNumber: number,
): WriteCall {
  const kind = profile.kinds[simulation.below(profile.kinds.length)] as WriteCall["kind"];
  const part = profile.keepsApart ? number : simulation.below(profile.partitions);
  const size = 1 + simulation.below(3);
  const ids = new Set(Array.from({ length: size }, () => simulation.below(profile.keys)));
  const rows = Array.from(ids, (id, index): AnyRow => {
    const unique = kind === "insert" || kind === "bulkInsert" ? `-${callNumber}` : "";
    return { id: `k${id}${unique}`, part: `p${part}`, value: BigInt(callNumber * 100 + index) };
  });
  if (kind === "apply") {
    return {
      kind,
      changes: rows.map((row, index) =>
        index === 1
          ? { op: "delete", key: { id: row.id, part: row.part } }
          : { op: "update", key: { id: row.id }, after: row },
      ),
    };
  }
  if (kind === "deletePartitions") return { kind, rows: rows.map(({ part: p }) => ({ part: p })) };
  return {
    kind,
    rows: kind === "delete" ? rows.map(({ id, part: p }) => ({ id, part: p })) : rows,
  };
}

/** Reads snapshots and changes until the writers have ended; what it must have seen is checked last. */
function addReader(
  simulation: Simulation,
  history: WriteHistory,
  profile: Profile,
  pulled: Map<string, AnyRow>,
): (leaseKind: Storage["leaseKind"]) => Promise<void> {
  let after = "0";
  const pull = async (table: HudiTable<AnyRow>): Promise<void> => {
    const scan = table.incremental({ after });
    for await (const row of scan) pulled.set(placeText(row, "id", "part"), row);
    const upTo = await scan.upTo;
    if (upTo < after) throw new Error(`a pull after ${after} ended before it, at ${upTo}`);
    after = upTo;
  };
  simulation.add("reader", {}, async (process) => {
    const table = await process.open();
    for (let turn = 0; turn < profile.callsPerWriter * 2; turn += 1) {
      const seen = rowTexts(await table.read().toArray());
      requireRows(seen, history.rowsAfter(process.eventsListed), "a concurrent snapshot");
      await pull(table);
      await process.pause(profile.stalls || profile.deaths ? 2 * MINUTE_MS : 60);
    }
  });
  return async (leaseKind) => {
    const table = await openAfter(simulation, leaseKind, 901);
    await pull(table);
    const expected = history.rowsAfter(simulation.events.length);
    requireRows(rowTexts(pulled.values()), expected, "the union of all pulls");
  };
}

async function undo(
  simulation: Simulation,
  process: SimulatedProcess,
  profile: Profile,
): Promise<void> {
  try {
    const table = await process.open();
    const turns = profile.losses ? 5 : 2;
    for (let turn = 0; turn < turns; turn += 1) {
      await process.pause(200);
      const commits = (await table.timeline()).filter(
        ({ action, state }) => isWriteAction(action) && state === "completed",
      );
      const newest = commits.at(-1);
      if (!newest || simulation.random() < 0.2) continue;
      // A commit that is taken back while a copy of its last request is under way comes again.
      if (profile.losses) await process.sleep(LATEST_ARRIVAL_MS);
      await table.rollback(newest.time).catch((error: unknown) => {
        if (!isHudiError(error)) throw error;
      });
    }
  } catch (error) {
    if ((error as Error).name !== "ProcessDied" && !isHudiError(error)) throw error;
  }
}

/** A process that comes long after all others have ended. */
export async function openAfter(
  simulation: Simulation,
  leaseKind: Storage["leaseKind"],
  seed: number,
): Promise<HudiTable<AnyRow>> {
  const clock = {
    ...noTimers,
    now: () => simulation.now(),
    sleep: async (ms: number) => simulation.advance(ms),
  };
  return HudiTable.open<AnyRow>(
    "memory:",
    processOptions(simulation.store, { clock, leaseKind, seed }),
  );
}

/** The state when all is over, then after one more writer, who has to clear up. */
export async function finish(
  simulation: Simulation,
  history: WriteHistory,
  profile: Profile,
  leaseKind: Storage["leaseKind"],
): Promise<void> {
  requireNone(history.findLies(), "what callers were told");
  const isIllegal = (fault: string): boolean =>
    !(mayHaunt(profile) && / is inflight but /.test(fault));
  requireNone(findTimelineFaults(simulation.store).filter(isIllegal), "timeline");
  const table = await openAfter(simulation, leaseKind, 900);
  const seen = rowTexts(await table.read().toArray());
  requireRows(seen, history.rowsAfter(simulation.events.length), "the end");
  requireNone(findBrokenChains(simulation), "file groups");
  simulation.advance(3 * 60 * MINUTE_MS);
  const last = [{ id: "last", part: "p0", value: -1n }];
  const options = { checkpoint: { call: String(history.calls.length) } };
  history.calls.push({ write: { kind: "upsert", rows: last }, by: "last", told: "success" });
  await table.upsert(last, options);
  simulation.noteCommits();
  const expected = history.rowsAfter(simulation.events.length);
  requireRows(rowTexts(await table.read().toArray()), expected, "one more writer");
  requireNone(findTimelineFaults(simulation.store), "timeline after one more writer");
  requireNone(findPending(simulation.store), "pending after one more writer");
  const undone = mayHaunt(profile) ? rolledBackInstants(simulation.store) : [];
  const isOpen = (fault: string): boolean => !undone.some((instant) => fault.includes(instant));
  requireNone(findFileFaults(simulation.store).filter(isOpen), "files");
}

/**
 * Whether a request may take effect after its write was rolled back or given up, with nobody left who
 * would look: its process was suspended just before, woke up, sent it and died, or it was on its way.
 * No protocol over this storage prevents that. An inflight file that comes so is rolled back later; a
 * data file stays, unseen, because its instant is on no timeline.
 */
function mayHaunt({ stalls, deaths, losses }: Profile): boolean {
  return (stalls === true && deaths === true) || losses === true;
}

function findPending(store: Simulation["store"]): string[] {
  const files = timelineFiles(store);
  const completed = new Set(files.filter((f) => f.state === "completed").map((f) => f.time));
  return files.filter(({ time }) => !completed.has(time)).map((f) => `${f.time}.${f.action}`);
}

/** Commits that rewrote a file group from another version than the one before: a lost update. */
function findBrokenChains(simulation: Simulation): string[] {
  const newest = new Map<string, string>();
  const faults: string[] = [];
  const visible = simulation.events.filter(
    ({ instant, kind }) =>
      kind === "completed" &&
      !simulation.events.some((other) => other.kind === "removed" && other.instant === instant),
  );
  for (const { instant, content } of visible) {
    const metadata: CommitMetadata = parseCommitMetadata(content, instant);
    for (const [part, stats] of metadata.partitionToWriteStats) {
      for (const { fileId, prevCommit } of stats) {
        const group = `${part}/${fileId}`;
        const previous = newest.get(group) ?? "null";
        if (prevCommit !== previous || instant <= previous.replace("null", "")) {
          faults.push(
            `${instant} rewrote ${group} of ${prevCommit}, but ${previous} came before it`,
          );
        }
        newest.set(group, instant);
      }
    }
  }
  return faults;
}

export function requireRows(
  seen: readonly string[],
  expected: readonly string[],
  where: string,
): void {
  const missing = expected.filter((text) => !seen.includes(text));
  const surplus = seen.filter((text) => !expected.includes(text));
  if (missing.length + surplus.length === 0 && seen.length === expected.length) return;
  throw new Error(
    `wrong rows in ${where}: missing ${missing.join("; ")}, surplus ${surplus.join("; ")}, ${seen.length} for ${expected.length}`,
  );
}

function requireNone(faults: readonly string[], what: string): void {
  if (faults.length > 0) throw new Error(`${what}: ${faults.join("; ")}`);
}
