// Two writers, every schedule with up to three switches between them: one runs for so many calls,
// the other for so many, then each to its end.
import { HudiTable } from "../../src/hudi-table.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { createMemoryTable, processOptions } from "../support/memory-table.ts";
import { type AnyRow, rowTexts } from "../support/row-text.ts";
import { completedCommits, findFileFaults, findTimelineFaults } from "../support/store-checks.ts";
import { type ParkedCall, Simulation } from "./simulated-processes.ts";

/** What the two write, and the row sets that may be there in the end: one order or the other. */
export interface Pair {
  readonly existing: readonly AnyRow[];
  readonly first: readonly AnyRow[];
  readonly second: readonly AnyRow[];
}

type LeaseKind = Storage["leaseKind"];

const DEFINITION = {
  fields: { id: "string", part: "string", value: "long" },
  recordKey: "id",
  partitionBy: "part",
} as const;

/** Runs every such schedule and returns how many there were; throws naming the first broken one. */
export async function runAllSchedules(pair: Pair, leaseKind: LeaseKind): Promise<number> {
  const base = await createMemoryTable(DEFINITION, { leaseKind });
  if (pair.existing.length > 0) await base.table.upsert(pair.existing as never);
  const expected = [
    endOf(pair.existing, pair.first, pair.second),
    endOf(pair.existing, pair.second, pair.first),
  ];
  let count = 0;
  for (let ofFirst = 0; ; ofFirst += 1) {
    let isFirstOver = false;
    for (let ofSecond = 1; ; ofSecond += 1) {
      const run = await runSchedule(base.store, pair, leaseKind, ofFirst, ofSecond);
      count += 1;
      const seen = run.rows.join("\n");
      const faults = [...findTimelineFaults(run.store), ...findFileFaults(run.store)];
      if (!expected.includes(seen) || faults.length > 0 || run.commits !== run.expectedCommits) {
        const where = `${ofFirst} calls of the first, then ${ofSecond} of the second`;
        throw new Error(`after ${where}:\n${seen}\n${faults.join("\n")}\n${run.trace.join("\n")}`);
      }
      isFirstOver = run.firstCalls <= ofFirst;
      if (run.secondCalls <= ofSecond) break;
    }
    if (isFirstOver) return count;
  }
}

function endOf(...batches: readonly (readonly AnyRow[])[]): string {
  const rows = new Map(batches.flat().map((row) => [`${row.part} ${row.id}`, row]));
  return rowTexts(rows.values()).join("\n");
}

interface ScheduledRun {
  readonly rows: readonly string[];
  readonly store: Simulation["store"];
  readonly trace: readonly string[];
  readonly commits: number;
  readonly expectedCommits: number;
  /** Calls that each made before the other ran to its end. */
  readonly firstCalls: number;
  readonly secondCalls: number;
}

async function runSchedule(
  base: Simulation["store"],
  pair: Pair,
  leaseKind: LeaseKind,
  ofFirst: number,
  ofSecond: number,
): Promise<ScheduledRun> {
  const made = { first: 0, second: 0 };
  const choose = (ready: readonly ParkedCall[]): ParkedCall => {
    const wanted = made.first >= ofFirst && made.second < ofSecond ? "second" : "first";
    const parked = ready.find(({ process }) => process.name === wanted) ?? ready[0];
    made[(parked as ParkedCall).process.name as "first" | "second"] += 1;
    return parked as ParkedCall;
  };
  const simulation = new Simulation(1, leaseKind, choose, base);
  for (const name of ["first", "second"] as const) {
    simulation.add(name, {}, async (process) => {
      await (await process.open()).upsert(pair[name]);
    });
  }
  const before = completedCommits(base).length;
  await simulation.run();
  const clock = {
    now: () => simulation.now(),
    sleep: async () => {},
    every: () => () => {},
    deadline: () => new AbortController().signal,
  };
  const options = processOptions(simulation.store, { clock, leaseKind });
  const table = await HudiTable.open<AnyRow>("memory:", options);
  return {
    rows: rowTexts(await table.read().toArray()),
    store: simulation.store,
    trace: simulation.trace,
    commits: completedCommits(simulation.store).length,
    expectedCommits: before + 2,
    firstCalls: made.first,
    secondCalls: made.second,
  };
}
