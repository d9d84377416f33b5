// Time and timers behind one interface. Nothing outside `runtime/` asks the system for the time,
// so that a test can stop, move and replay it.

/** Cancels a timer; calling it twice is harmless. */
export type CancelTimer = () => void;

/** Time for everything above: milliseconds since the epoch, sleeping, and repeating timers. */
export interface Clock {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
  /** Resolves after `ms`; rejects with `signal.reason` as soon as the signal aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `task` every `ms` until cancelled. The timer never keeps the process alive. */
  every(ms: number, task: () => void): CancelTimer;
  /** A signal that aborts after `ms`. It never keeps the process alive. */
  deadline(ms: number): AbortSignal;
}

/** The clock of the system. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, ms);
      const onAbort = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    }),
  every: (ms, task) => {
    const timer = setInterval(task, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
  deadline: (ms) => AbortSignal.timeout(ms),
};

/** A signal that aborts when a timer of this clock has run once. */
export function deadlineByTimer(clock: Pick<Clock, "every">, ms: number): AbortSignal {
  const controller = new AbortController();
  const cancel = clock.every(ms, () => {
    cancel();
    controller.abort(new Error(`${ms} ms have passed`));
  });
  return controller.signal;
}

/** A clock that stands still until it is moved; sleeping moves it. For tests and simulation. */
export class SimulatedClock implements Clock {
  #now: number;
  readonly #timers: Set<{ ms: number; next: number; task: () => void }> = new Set();

  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    this.advance(ms);
  }

  every(ms: number, task: () => void): CancelTimer {
    const timer = { ms, next: this.#now + ms, task };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  deadline(ms: number): AbortSignal {
    return deadlineByTimer(this, ms);
  }

  /** Moves the clock forward and runs the timers that fall due. */
  advance(ms: number): void {
    const target = this.#now + ms;
    for (const timer of this.#timers) {
      while (timer.next <= target && this.#timers.has(timer)) {
        this.#now = Math.max(this.#now, timer.next);
        timer.next += timer.ms;
        timer.task();
      }
    }
    this.#now = target;
  }
}
