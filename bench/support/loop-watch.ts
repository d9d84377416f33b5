// Watches the event loop of this process in two ways: the histogram of Node, in which a stall of
// seconds is one value among many, and how long a request that arrives at any moment has to wait.
import { monitorEventLoopDelay } from "node:perf_hooks";

/** Delays in ms. */
export interface LoopDelay {
  /** Percentiles of Node's histogram; an idle loop shows the interval of its timer, 10 ms. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** The wait that 99 of 100 requests do not exceed when they arrive evenly over time. */
  readonly waitP99: number;
}

const RESOLUTION_MS = 10;
const TICK_MS = 5;

/** A watch that runs until it is stopped. */
export class LoopWatch {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #stallsMs: number[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #startMs: number = performance.now();
  #lastMs: number = this.#startMs;

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  stop(): LoopDelay {
    clearInterval(this.#timer);
    this.#tick();
    this.#histogram.disable();
    const ms = (nanoseconds: number): number => nanoseconds / 1e6;
    return {
      p50: ms(this.#histogram.percentile(50)),
      p99: ms(this.#histogram.percentile(99)),
      max: ms(this.#histogram.max),
      waitP99: findWait(this.#stallsMs, performance.now() - this.#startMs, 0.01),
    };
  }

  #tick(): void {
    const now = performance.now();
    this.#stallsMs.push(Math.max(0, now - this.#lastMs - TICK_MS));
    this.#lastMs = now;
  }
}

/** The wait that only the share `exceeding` of all moments exceeds: a stall of 1 s makes waits of 0 to 1 s. */
function findWait(stallsMs: readonly number[], totalMs: number, exceeding: number): number {
  const longerThan = (waitMs: number): number =>
    stallsMs.reduce((sum, stall) => sum + Math.max(0, stall - waitMs), 0) / totalMs;
  let least = 0;
  let most = Math.max(0, ...stallsMs);
  for (let step = 0; step < 40; step += 1) {
    const middle = (least + most) / 2;
    if (longerThan(middle) > exceeding) least = middle;
    else most = middle;
  }
  return most;
}
