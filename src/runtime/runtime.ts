// The ambient things that a run depends on, in one record that is handed down.
import { type Clock, systemClock } from "./clock.ts";
import { type Random, systemRandom } from "./random.ts";

/** Clock and randomness of one open table; a test passes its own. */
export interface Runtime {
  readonly clock: Clock;
  readonly random: Random;
}

/** The runtime of the system. */
export const systemRuntime: Runtime = { clock: systemClock, random: systemRandom };
