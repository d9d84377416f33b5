// The plan of a merge against the same merge done on plain arrays.
import fc from "fast-check";
import { expect, test } from "vitest";
import { openBaseFile } from "../../src/file-group/base-file.ts";
import {
  type BaseFileMergePlan,
  findOrdering,
  type IncomingChanges,
  isUnchanged,
  planBaseFileMerge,
} from "../../src/file-group/base-file-merge.ts";
import type { ParquetFileReader } from "../../src/format/parquet-reader.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { type CountedStorage, countCalls } from "../read/counted-storage.ts";
import { batchOfRows, encodeBaseFile } from "./base-file-samples.ts";

const schema = createTableSchema("t", { id: "string", at: "int?", text: "string" });

async function openFile(
  ordering: readonly (number | null)[],
  groupRows: number,
): Promise<{ reader: ParquetFileReader; counted: CountedStorage }> {
  const rows = ordering.map((at, n) => ({ id: `k${n}`, at, text: "x".repeat(500) }));
  const bytes = await encodeBaseFile(schema, rows, { groupRows });
  const counted = countCalls(new MemoryStorage());
  await counted.storage.put("f", bytes);
  const reader = await openBaseFile(counted.storage, { path: "f", sizeBytes: bytes.length });
  counted.ranges.length = 0;
  return { reader, counted };
}

function planMerge(
  reader: ParquetFileReader,
  changes: IncomingChanges,
): Promise<BaseFileMergePlan> {
  return planBaseFileMerge(reader, changes, findOrdering(changes));
}

/** One position of a file and what comes in for it; `at` undefined applies whatever is stored. */
interface Step {
  readonly position: number;
  readonly removes: boolean;
  readonly at: number | undefined;
}

function changesOf(steps: readonly Step[], appendCount = 0): IncomingChanges {
  const rows = [...steps.map((step) => step.at ?? 0), ...Array(appendCount).keys()];
  return {
    batch: batchOfRows(
      schema,
      rows.map((at, n) => ({ id: `n${n}`, at, text: "" })),
    ),
    positions: Int32Array.from(steps, ({ position }) => position),
    finalRows: Int32Array.from(steps, ({ removes }, index) => (removes ? -1 : index)),
    thresholdRows: Int32Array.from(steps, ({ at }, index) => (at === undefined ? -1 : index)),
    appends: Int32Array.from({ length: appendCount }, (_, n) => steps.length + n),
    orderingField: "at",
  };
}

/** The rows of the plan: `k3` of the file, `n1` of what comes in. */
function outcome(
  plan: Awaited<ReturnType<typeof planBaseFileMerge>>,
  rowCounts: number[],
): string[] {
  const rows = plan.rowGroups.flatMap((parts, group) => {
    const first = rowCounts.slice(0, group).reduce((sum, count) => sum + count, 0);
    const stored = Array.from({ length: rowCounts[group] ?? 0 }, (_, n) => `k${first + n}`);
    return parts.flatMap((picks) =>
      picks === "kept"
        ? stored
        : Array.from(picks, (p) => (p >= 0 ? (stored[p] as string) : `n${~p}`)),
    );
  });
  return [...rows, ...Array.from(plan.appends, (row) => `n${row}`)];
}

test("any changes to a file come to what they come to row by row (MR-1, MR-3, MR-7)", async () => {
  const value = fc.integer({ min: 0, max: 3 });
  const cases = fc.tuple(
    fc.array(fc.option(value, { nil: null }), { maxLength: 12 }),
    fc.integer({ min: 1, max: 5 }),
    fc.array(
      fc.record({
        removes: fc.boolean(),
        at: fc.option(value, { nil: undefined }),
        skip: fc.integer({ min: 0, max: 3 }),
      }),
    ),
    fc.integer({ min: 0, max: 2 }),
  );
  await fc.assert(
    fc.asyncProperty(cases, async ([stored, groupRows, wanted, appendCount]) => {
      const { reader } = await openFile(stored, groupRows);
      let position = -1;
      const steps = wanted
        .map(({ skip, ...step }) => {
          position += skip + 1;
          return { ...step, position };
        })
        .filter((step) => step.position < stored.length);
      const plan = await planMerge(reader, changesOf(steps, appendCount));
      const counts = reader.rowGroups.map(({ rowCount }) => rowCount);
      let [kept, replaced, removed] = [0, 0, 0];
      const expected = stored.flatMap((at, row) => {
        const index = steps.findIndex((step) => step.position === row);
        const step = steps[index];
        if (!step || (step.at !== undefined && at !== null && at > step.at)) {
          kept += 1;
          return [`k${row}`];
        }
        if (step.removes) removed += 1;
        else replaced += 1;
        return step.removes ? [] : [`n${index}`];
      });
      const appended = Array.from({ length: appendCount }, (_, n) => `n${steps.length + n}`);
      expect(outcome(plan, counts)).toEqual([...expected, ...appended]);
      expect([plan.keptCount, plan.replacedCount, plan.removedCount]).toEqual([
        kept,
        replaced,
        removed,
      ]);
      expect(isUnchanged(plan)).toBe(replaced + removed + appendCount === 0);
    }),
    { numRuns: 150 },
  );
});

test("reads the ordering column of touched row groups, and nothing else (MR-1)", async () => {
  // Chunks of this size lie outside the part that opening reads.
  const rows = Array.from({ length: 3000 }, (_, n) => n);
  const { reader, counted } = await openFile(rows, 1000);
  const touched = changesOf([{ position: 1500, removes: false, at: 9 }]);
  const plan = await planMerge(reader, touched);
  expect(plan.rowGroups.map((parts) => parts.every((picks) => picks === "kept"))).toEqual([
    true,
    true,
    true,
  ]);
  const chunk = reader.findChunkRange(1, "at");
  for (const { start, end } of counted.ranges) {
    expect([start >= (chunk?.start ?? Infinity), end <= (chunk?.end ?? 0)]).toEqual([true, true]);
  }
  counted.ranges.length = 0;
  const forced = changesOf([{ position: 1500, removes: true, at: undefined }]);
  expect((await planMerge(reader, forced)).removedCount).toBe(1);
  expect(counted.ranges).toEqual([]);
});
