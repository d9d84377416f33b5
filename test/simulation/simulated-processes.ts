// Processes on one memory store that run one storage call at a time, in an order that a seed decides.
// Time is simulated: it passes between calls by little, and where all sleep up to the next event.
import { setImmediate as nextTurn } from "node:timers/promises";
import { HudiTable } from "../../src/hudi-table.ts";
import { type CancelTimer, type Clock, deadlineByTimer } from "../../src/runtime/clock.ts";
import { createFraction, seededRandom } from "../../src/runtime/random.ts";
import type { Fault, StorageCall } from "../../src/storage/memory-faults.ts";
import type { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { MemoryStore } from "../../src/storage/memory-store.ts";
import type { Storage } from "../../src/storage/storage.ts";
import type { TableOptions } from "../../src/table-options.ts";
import type { WriteSettings } from "../../src/write/write-settings.ts";
import { processOptions, START_MS } from "../support/memory-table.ts";
import type { AnyRow } from "../support/row-text.ts";

/** What is peculiar to one process. */
export interface ProcessTraits {
  /** How far its clock is ahead. */
  readonly skewMs?: number;
  /** It stops before its call of this number for so long, as if its machine had been suspended. */
  readonly stall?: { readonly atCall: number; readonly ms: number } | undefined;
  /** Its requests and their replies get lost now and then, or arrive after it was told so. */
  readonly isLossy?: boolean;
  /** It dies at its call of this number. */
  readonly death?: { readonly atCall: number; readonly fault: Fault } | undefined;
  readonly write?: Partial<WriteSettings>;
}

/** A call that waits to be let through. */
export interface ParkedCall {
  readonly process: SimulatedProcess;
  readonly call: StorageCall;
  readonly letThrough: () => void;
}

interface Sleeper {
  readonly wakeMs: number;
  readonly wake: () => void;
}

/** A commit that became visible, or that a rollback took away. */
export interface CommitEvent {
  readonly kind: "completed" | "removed";
  readonly instant: string;
  readonly path: string;
  /** The commit metadata, empty where it was removed. */
  readonly content: Uint8Array;
}

/** Files whose creation decides something: they get lost more often than others. */
const DECISIVE_PATH =
  /^\.hoodie\/\d{17}\.(commit|replacecommit|rollback\.requested|rollback\.inflight)$/;
/** A request that was sent arrives within this time or never: less than the limit of a request. */
export const LATEST_ARRIVAL_MS = 40_000;
const COMMIT_PATH = /^\.hoodie\/(\d{17})\.(?:commit|replacecommit)$/;
/** More calls than any simulation here makes: whoever gets there does not end. */
const MAX_STEPS = 20_000;

/** Decides everything by a seed. */
export class Simulation implements Clock {
  readonly store: MemoryStore;
  readonly leaseKind: Storage["leaseKind"];
  readonly random: () => number;
  /** Commits as they came and went: the order in which the table changed. */
  readonly events: CommitEvent[] = [];
  /** Every call in the order of its effect, for a report of what happened. */
  readonly trace: string[] = [];
  readonly #processes: SimulatedProcess[] = [];
  readonly #schedule: ((ready: readonly ParkedCall[]) => ParkedCall) | undefined;
  readonly #switchChance: number;
  #nowMs: number = START_MS;
  #last: SimulatedProcess | undefined;
  #nextArrivalMs: number | undefined;
  #changes = 0;

  /** `schedule` decides in place of the seed whose call comes next. */
  constructor(
    seed: number,
    leaseKind: Storage["leaseKind"],
    schedule?: (ready: readonly ParkedCall[]) => ParkedCall,
    store?: MemoryStore,
  ) {
    this.#schedule = schedule;
    this.store = store ? store.copy(this) : new MemoryStore(this);
    const random = seededRandom(seed);
    this.random = () => createFraction(random);
    this.leaseKind = leaseKind;
    // Few switches find races of two steps, many find those of many.
    this.#switchChance = [0.05, 0.2, 0.5, 1][Math.floor(this.random() * 4)] as number;
  }

  now(): number {
    return this.#nowMs;
  }

  /** A whole number below `limit`. */
  below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  async sleep(): Promise<void> {
    throw new Error("only a process sleeps");
  }

  every(): CancelTimer {
    throw new Error("only a process has timers");
  }

  deadline(): AbortSignal {
    throw new Error("only a process has deadlines");
  }

  /** Adds a process whose work begins with `run`. */
  add(
    name: string,
    traits: ProcessTraits,
    work: (process: SimulatedProcess) => Promise<void>,
  ): SimulatedProcess {
    const process = new SimulatedProcess(this, name, this.#processes.length + 1, traits, work);
    this.#processes.push(process);
    return process;
  }

  /** Runs all processes to their ends. */
  async run(): Promise<void> {
    const began = this.#processes.filter((process) => process.begin());
    for (let step = 0; ; step += 1) {
      await this.#settle();
      if (began.every((process) => process.isDone)) break;
      if (step > MAX_STEPS)
        throw new Error(`no end in sight:\n${this.trace.slice(-60).join("\n")}`);
      const ready = began.flatMap((process) => process.ready());
      if (ready.length === 0) this.#passTime();
      else await this.#release(this.#choose(ready));
    }
    for (const process of began) process.requireNoSurprise();
  }

  noteChange(): void {
    this.#changes += 1;
  }

  #choose(ready: readonly ParkedCall[]): ParkedCall {
    if (this.#schedule) return this.#schedule(ready);
    const stay = ready.filter((parked) => parked.process === this.#last);
    const from = stay.length > 0 && this.random() >= this.#switchChance ? stay : ready;
    return from[this.below(from.length)] as ParkedCall;
  }

  async #release(parked: ParkedCall): Promise<void> {
    const { process, call } = parked;
    this.#last = process;
    this.advance(1 + this.below(4));
    if (process.stallsAt(call, this.#nowMs)) {
      this.trace.push(`${process.name} stalls before ${call.method} ${call.path}`);
      return;
    }
    process.take(parked);
    this.trace.push(`${process.name} ${call.method} ${call.path}`);
    if (call.method === "listFolder" && call.path === ".hoodie")
      process.eventsListed = this.events.length;
    parked.letThrough();
    await this.#settle();
    if (call.isWrite && COMMIT_PATH.test(call.path)) this.#noteCommit(call.path);
  }

  /** A fault of a call of a lossy process; what is late arrives some time later, all at once. */
  chooseLoss(call: StorageCall): Fault | undefined {
    if (this.random() >= (DECISIVE_PATH.test(call.path) ? 0.4 : 0.01)) return undefined;
    if (!call.isWrite) return "not-applied";
    const fault = (["not-applied", "unknown", "unknown-not-applied", "unknown-late"] as const)[
      this.below(4)
    ];
    if (fault === "unknown-late")
      this.#nextArrivalMs ??= this.#nowMs + this.below(LATEST_ARRIVAL_MS);
    this.trace.push(`${call.process} has the fault ${fault}`);
    return fault;
  }

  #letArrive(): void {
    this.#nextArrivalMs = undefined;
    if (this.store.applyLateChanges() === 0) return;
    this.trace.push("late requests arrive");
    this.noteCommits();
  }

  /** Notes which commits came or went otherwise than by a call of a process here. */
  noteCommits(): void {
    const known = this.events.map((event) => event.path);
    const present = [...this.store.paths()].filter((path) => COMMIT_PATH.test(path));
    for (const path of new Set([...known, ...present.sort()])) this.#noteCommit(path);
  }

  #noteCommit(path: string): void {
    const instant = COMMIT_PATH.exec(path)?.[1] as string;
    const wasThere =
      this.events.findLast((event) => event.instant === instant)?.kind === "completed";
    const content = this.store.find(path)?.bytes;
    if ((content !== undefined) === wasThere) return;
    const kind = content ? "completed" : "removed";
    this.events.push({ kind, instant, path, content: content ?? new Uint8Array(0) });
  }

  /** Waits until every process waits for a storage call or the time, or has ended. */
  async #settle(): Promise<void> {
    for (let quiet = 0, turns = 0; quiet < 3; turns += 1) {
      const before = this.#changes;
      await nextTurn();
      const isRunning = this.#processes.some((process) => process.isRunning);
      quiet = isRunning || before !== this.#changes ? 0 : quiet + 1;
      if (turns > 100_000) throw new Error("a process waits for something that is not simulated");
    }
  }

  /** Lets time pass to the next thing that happens by itself. */
  #passTime(): void {
    const own = this.#processes.flatMap((process) => process.nextEventMs() ?? []);
    const next = Math.min(...own, this.#nextArrivalMs ?? Number.POSITIVE_INFINITY);
    if (!Number.isFinite(next)) throw new Error("everything waits and nothing will happen");
    this.advance(Math.max(0, next - this.#nowMs));
  }

  advance(ms: number): void {
    const targetMs = this.#nowMs + ms;
    if (this.#nextArrivalMs !== undefined && this.#nextArrivalMs <= targetMs) {
      this.#nowMs = Math.max(this.#nowMs, this.#nextArrivalMs);
      this.#letArrive();
    }
    this.#nowMs = targetMs;
    for (const process of this.#processes) process.noteTime(this.#nowMs);
  }
}

/** One process: its handle on the store, its clock, its timers. */
export class SimulatedProcess implements Clock {
  readonly name: string;
  readonly options: TableOptions & { readonly storage: MemoryStorage };
  /** How many commit events there were when this process last listed the timeline. */
  eventsListed = 0;
  isDone = false;
  readonly #simulation: Simulation;
  readonly #traits: ProcessTraits;
  readonly #work: (process: SimulatedProcess) => Promise<void>;
  readonly #timers: Set<{ readonly ms: number; dueMs: number; readonly task: () => void }> =
    new Set();
  #parked: ParkedCall[] = [];
  #sleepers: Sleeper[] = [];
  #stalledUntilMs = 0;
  #hasStalled = false;
  #surprise: unknown;

  constructor(
    simulation: Simulation,
    name: string,
    seed: number,
    traits: ProcessTraits,
    work: (process: SimulatedProcess) => Promise<void>,
  ) {
    this.#simulation = simulation;
    this.name = name;
    this.#traits = traits;
    this.#work = work;
    this.options = processOptions(simulation.store, {
      process: name,
      leaseKind: simulation.leaseKind,
      clock: this,
      seed: seed * 7919 + simulation.below(1 << 20),
      write: traits.write,
      beforeCall: (call) => this.#park(call),
      chooseFault: (call) => {
        if (call.index === traits.death?.atCall) return traits.death.fault;
        return traits.isLossy ? simulation.chooseLoss(call) : undefined;
      },
    });
  }

  open(): Promise<HudiTable<AnyRow>> {
    return HudiTable.open<AnyRow>("memory:", this.options);
  }

  /** A pause of up to so long, in the middle of the work. */
  async pause(maxMs: number): Promise<void> {
    await this.sleep(this.#simulation.below(maxMs) + 1);
  }

  now(): number {
    return this.#simulation.now() + (this.#traits.skewMs ?? 0);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    return new Promise((wake) => {
      this.#sleepers.push({ wakeMs: this.#simulation.now() + ms, wake });
      this.#simulation.noteChange();
    });
  }

  every(ms: number, task: () => void): CancelTimer {
    const timer = { ms, dueMs: this.#simulation.now() + ms, task };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  deadline(ms: number): AbortSignal {
    return deadlineByTimer(this, ms);
  }

  begin(): boolean {
    void this.#work(this)
      .catch((error: unknown) => {
        this.#surprise = error;
      })
      .finally(() => {
        this.isDone = true;
        this.#simulation.noteChange();
      });
    return true;
  }

  /** Rethrows what the work was not prepared for. */
  requireNoSurprise(): void {
    if (this.#surprise !== undefined) throw this.#surprise;
  }

  get isRunning(): boolean {
    return !this.isDone && this.#parked.length === 0 && this.#sleepers.length === 0;
  }

  get #isStalled(): boolean {
    return this.#stalledUntilMs > this.#simulation.now();
  }

  ready(): readonly ParkedCall[] {
    return this.#isStalled ? [] : this.#parked;
  }

  take(parked: ParkedCall): void {
    this.#parked = this.#parked.filter((other) => other !== parked);
  }

  /** Whether the process stops here, the call still before it. */
  stallsAt(call: StorageCall, nowMs: number): boolean {
    const { stall } = this.#traits;
    if (!stall || this.#hasStalled || call.index < stall.atCall) return false;
    this.#hasStalled = true;
    this.#stalledUntilMs = nowMs + stall.ms;
    return true;
  }

  nextEventMs(): number | undefined {
    if (this.#isStalled) return this.#stalledUntilMs;
    const timers = this.isDone ? [] : Array.from(this.#timers, (timer) => timer.dueMs);
    const times = [...this.#sleepers.map((sleeper) => sleeper.wakeMs), ...timers];
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /** Runs timers and wakes sleepers that are due; after a stall each timer runs once. */
  noteTime(nowMs: number): void {
    if (this.#isStalled) return;
    for (const timer of this.#timers) {
      if (timer.dueMs > nowMs) continue;
      timer.dueMs = nowMs + timer.ms;
      if (!this.isDone) timer.task();
    }
    const due = this.#sleepers.filter((sleeper) => sleeper.wakeMs <= nowMs);
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.wakeMs > nowMs);
    for (const sleeper of due) sleeper.wake();
    if (due.length > 0) this.#simulation.noteChange();
  }

  #park(call: StorageCall): Promise<void> {
    return new Promise((resolve) => {
      const parked: ParkedCall = { process: this, call, letThrough: resolve };
      this.#parked.push(parked);
      this.#simulation.noteChange();
    });
  }
}
