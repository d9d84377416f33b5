// Interleaved rounds of one case: every engine in turn, A B C A B C, and no time counts before the
// outputs are equal.
import { stat } from "node:fs/promises";
import type { BenchContext } from "./bench-context.ts";
import { requireSameDigest } from "./digest.ts";
import type { Contestant, Engine, Outcome, ReadJob } from "./engines.ts";

/** One case of a workload. */
export interface Case<E extends Contestant> {
  readonly name: string;
  /** Rows that the work is about, for rates. */
  readonly rows: number;
  readonly rounds: number;
  /** Rounds that are recorded as warm-ups. */
  readonly warmups: number;
  /** One piece of work, from an unchanged state. */
  readonly act: (engine: E) => Promise<Outcome>;
  /** Throws when the output is wrong. Called before the next work of any engine. */
  readonly check: (engine: E, outcome: Outcome) => Promise<void>;
  /** Checks the first round only, where a check takes long. */
  readonly checksOnce?: boolean;
}

/** Runs a case. An engine that fails is reported and left out of the rounds that follow. */
export async function runCase<E extends Contestant>(
  context: BenchContext,
  engines: readonly E[],
  test: Case<E>,
): Promise<void> {
  const failed = new Set<E>();
  for (let round = -test.warmups; round < test.rounds; round += 1) {
    for (const engine of engines) {
      if (failed.has(engine)) continue;
      const label = `${engine.name} (${engine.variant})`;
      try {
        const outcome = await test.act(engine);
        if (!test.checksOnce || round === -test.warmups) await test.check(engine, outcome);
        const { sample } = outcome;
        const sizes = await Promise.all(outcome.files.map(async (path) => (await stat(path)).size));
        context.record({
          kind: "sample",
          case: test.name,
          engine: engine.name,
          variant: engine.variant,
          round,
          rows: test.rows,
          ...sample,
          ...(sizes.length > 0 && { outputBytes: sizes.reduce((sum, size) => sum + size, 0) }),
        });
        context.progress(
          `${test.name}, round ${round}, ${label}: ${Math.round(sample.wallMs)} ms, ${Math.round(sample.cpuMs)} ms CPU, ${Math.round(sample.peakBytes / 2 ** 20)} MiB`,
        );
      } catch (error) {
        failed.add(engine);
        // An error of ours is a finding too, but it ends the run: there is nothing to compare with.
        if (engine.name === "ours") throw error;
        const [line] = (error as Error).message.split("\n");
        context.note(test.name, `${label} did not run: ${line}`);
      }
    }
  }
}

/** The engines whose rows of a read are the expected ones; the others are reported. */
async function findSoundReaders(
  context: BenchContext,
  engines: readonly Engine[],
  name: string,
  job: ReadJob,
  expected: string,
): Promise<Engine[]> {
  const sound: Engine[] = [];
  for (const engine of engines) {
    const label = `${engine.name} (${engine.variant})`;
    try {
      requireSameDigest(label, await engine.digestRead(job), expected);
      sound.push(engine);
    } catch (error) {
      if (engine.name === "ours") throw error;
      context.note(name, `${label} is left out: ${(error as Error).message.split("\n")[0]}`);
    }
  }
  return sound;
}

/** Compares reads whose rows digest to `expected` on every engine that takes part. */
export async function runReadCase(
  context: BenchContext,
  engines: readonly Engine[],
  test: {
    readonly name: string;
    readonly job: ReadJob;
    readonly expected: string;
    readonly tableRows: number;
  },
): Promise<void> {
  const { name, job, expected, tableRows } = test;
  const resultRows = Number(expected.split(":")[0]);
  const sound = await findSoundReaders(context, engines, name, job, expected);
  await runCase(context, sound, {
    name,
    rows: tableRows,
    rounds: context.sizes.rounds,
    warmups: 2,
    act: (engine) => engine.read(job),
    check: async (engine, { rowCount }) => {
      // Spark drops its rows in the JVM; its digest has counted them.
      if (engine.name !== "spark" && rowCount !== resultRows) {
        throw new Error(`${engine.name} gave ${rowCount} rows, expected ${resultRows}`);
      }
    },
  });
}
