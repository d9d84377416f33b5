// Instants and the names of their files, in both layouts of the timeline.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryStorage } from "../../src/storage/memory-storage.ts";
import { loadActiveTimeline } from "../../src/timeline/active-timeline.ts";
import {
  ACTIONS,
  type Action,
  formatInstantFileName,
  type Instant,
  type InstantState,
  isWriteAction,
  parseInstantFileName,
} from "../../src/timeline/instant.ts";

const T = "20261120091049414";
const C = "20261120091050000";

describe("names of layout 1 (TL-5)", () => {
  test.each<[string, Action, InstantState]>([
    [`${T}.commit.requested`, "commit", "requested"],
    [`${T}.inflight`, "commit", "inflight"],
    [`${T}.commit`, "commit", "completed"],
    [`${T}.replacecommit.requested`, "replacecommit", "requested"],
    [`${T}.replacecommit.inflight`, "replacecommit", "inflight"],
    [`${T}.replacecommit`, "replacecommit", "completed"],
    [`${T}.deltacommit.inflight`, "deltacommit", "inflight"],
    [`${T}.rollback`, "rollback", "completed"],
    [`${T}.clean.requested`, "clean", "requested"],
    [`${T}.savepoint.inflight`, "savepoint", "inflight"],
    [`${T}.restore`, "restore", "completed"],
    [`${T}.indexing.requested`, "indexing", "requested"],
    [`${T}.compaction.requested`, "compaction", "requested"],
    [`${T}.logcompaction.inflight`, "logcompaction", "inflight"],
  ])("%s", (name, action, state) => {
    const instant: Instant = { time: T, action, state };
    expect(parseInstantFileName(name, 1)).toEqual(instant);
    expect(formatInstantFileName(instant, 1)).toBe(name);
  });

  test("of tables before milliseconds have fourteen digits (TL-1)", () => {
    expect(parseInstantFileName("20201120091049.commit", 1)).toEqual({
      time: "20201120091049",
      action: "commit",
      state: "completed",
    });
  });
});

describe("names of completed actions differ (TL-6)", () => {
  test.each<[Action, string]>([
    ["compaction", "commit"],
    ["logcompaction", "deltacommit"],
    ["clustering", "replacecommit"],
    ["commit", "commit"],
    ["clean", "clean"],
  ])("a %s completes as %s", (action, completed) => {
    const instant: Instant = { time: T, action, state: "completed" };
    expect(formatInstantFileName(instant, 1)).toBe(`${T}.${completed}`);
    expect(formatInstantFileName({ ...instant, completionTime: C }, 2)).toBe(
      `${T}_${C}.${completed}`,
    );
    expect(formatInstantFileName({ ...instant, state: "requested" }, 1)).toBe(
      `${T}.${action}.requested`,
    );
  });
});

describe("names of layout 2 (TL-7)", () => {
  test("completed instants have their completion time", () => {
    const instant: Instant = { time: T, action: "commit", state: "completed", completionTime: C };
    expect(parseInstantFileName(`${T}_${C}.commit`, 2)).toEqual(instant);
    expect(formatInstantFileName(instant, 2)).toBe(`${T}_${C}.commit`);
    expect(parseInstantFileName(`${T}.inflight`, 2)).toEqual({
      time: T,
      action: "commit",
      state: "inflight",
    });
  });

  test("in layout 1 such a name is no instant", () => {
    expect(parseInstantFileName(`${T}_${C}.commit`, 1)).toBeUndefined();
  });

  test("a pending instant has none", () => {
    expect(parseInstantFileName(`${T}_${C}.commit.requested`, 2)).toBeUndefined();
  });
});

describe("other files are no instants (TL-9)", () => {
  test.each([
    "hoodie.properties",
    "hoodie.properties.backup",
    ".commit",
    "commit",
    `${T}`,
    `${T}.`,
    `${T}.requested`,
    `${T}.commit.completed`,
    `${T}.commit.requested.crc`,
    `.${T}.commit.crc`,
    `${T}.unknown`,
    `${T}.__proto__`,
    `${T}.constructor.requested`,
    `${T}.Commit`,
    `2026112009104941.commit`,
    `${T}0.commit`,
    `${T}.commit.inflight.requested`,
    ` ${T}.commit`,
    `${T}.commit\n`,
    "archived",
    "",
  ])("%j", (name) => {
    expect(parseInstantFileName(name, 1)).toBeUndefined();
    expect(parseInstantFileName(name, 2)).toBeUndefined();
  });

  test("any text is an instant that is written as it stands, or none", () => {
    const state = fc.constantFrom("", ".requested", ".inflight");
    const name = fc
      .tuple(fc.stringMatching(/^\d{13,18}$/), fc.constantFrom(...ACTIONS, "x"), state)
      .map(([time, action, end]) => `${time}.${action}${end}`);
    fc.assert(
      fc.property(fc.oneof(name, fc.string()), fc.constantFrom<(1 | 2)[]>(1, 2), (text, layout) => {
        const instant = parseInstantFileName(text, layout);
        if (!instant) return;
        const written = formatInstantFileName(instant, layout);
        // These two have a name of their own once they are done, or while they run.
        if (instant.action === "commit" && instant.state === "inflight") return;
        if (/compaction$|clustering$/.test(instant.action) && instant.state === "completed") return;
        expect(written).toBe(text);
      }),
    );
  });
});

describe("files that Spark wrote", () => {
  const folder = join(import.meta.dirname, "../../fixtures/timeline");
  test.each([
    ["v6", 1],
    ["v9", 2],
  ] as const)("%s", (version, layout) => {
    const names = readdirSync(join(folder, version));
    expect(names.length).toBeGreaterThan(5);
    const instants = names.map((name) => parseInstantFileName(name, layout));
    expect(instants).not.toContain(undefined);
    for (const [at, instant] of instants.entries()) {
      expect(formatInstantFileName(instant as Instant, layout)).toBe(names[at]);
    }
  });
});

describe("one instant in several files (TL-8)", () => {
  const timelineOf = async (...names: string[]): Promise<readonly Instant[]> => {
    const storage = new MemoryStorage();
    for (const name of names) await storage.put(`.hoodie/${name}`, new Uint8Array(0));
    const config = { layout: 1 } as never;
    return (await loadActiveTimeline({ storage, config, runtime: {} as never })).instants;
  };

  test("the furthest state counts", async () => {
    expect(
      await timelineOf(
        `${T}.commit`,
        `${T}.commit.requested`,
        `${T}.inflight`,
        "hoodie.properties",
      ),
    ).toEqual([{ time: T, action: "commit", state: "completed" }]);
    expect(await timelineOf(`${T}.inflight`, `${T}.commit.requested`)).toEqual([
      { time: T, action: "commit", state: "inflight" },
    ]);
  });

  test("a compaction and the commit that it became are one", async () => {
    expect(
      await timelineOf(`${T}.compaction.requested`, `${T}.compaction.inflight`, `${T}.commit`),
    ).toEqual([{ time: T, action: "commit", state: "completed" }]);
  });

  test("actions of one time are apart, and instants are in order of time", async () => {
    const instants = await timelineOf(`${C}.clean`, `${T}.savepoint`, `${T}.commit`);
    expect(instants.map(({ time, action }) => [time, action])).toEqual([
      [T, "commit"],
      [T, "savepoint"],
      [C, "clean"],
    ]);
  });
});

test("commits, delta commits and replace commits are writes", () => {
  expect(ACTIONS.filter(isWriteAction)).toEqual(["commit", "deltacommit", "replacecommit"]);
});
