// All schedules of two writers with few switches, one by one.
import { expect, it } from "vitest";
import type { AnyRow } from "../support/row-text.ts";
import type { LeaseKind } from "./crash-scenarios.ts";
import { type Pair, runAllSchedules } from "./two-writers.ts";

function row(id: string, part: string, value: number): AnyRow {
  return { id, part, value: BigInt(value) };
}

const PAIRS: readonly (readonly [string, LeaseKind, Pair])[] = [
  [
    "update the same file group",
    "conditional",
    {
      existing: [row("a", "p", 1), row("b", "p", 1)],
      first: [row("a", "p", 2)],
      second: [row("a", "p", 3), row("b", "p", 3)],
    },
  ],
  [
    "insert the same new key",
    "numbered",
    { existing: [row("a", "p", 1)], first: [row("n", "q", 2)], second: [row("n", "q", 3)] },
  ],
  [
    "insert the same key into an empty table",
    "conditional",
    { existing: [], first: [row("n", "q", 2)], second: [row("n", "q", 3)] },
  ],
];

it.each(PAIRS)(
  "two writers that %s end as one after the other, in every schedule of few switches (CF-3, CF-4; %s lease)",
  { timeout: 120_000 },
  async (name, leaseKind, pair) => {
    const schedules = await runAllSchedules(pair, leaseKind);
    console.log(`${name}, ${leaseKind} lease: ${schedules} schedules`);
    expect(schedules).toBeGreaterThan(200);
  },
);
