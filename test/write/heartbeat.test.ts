import { describe, expect, it } from "vitest";
import { isHudiError } from "../../src/errors.ts";
import { encodeAvroFile } from "../../src/format/avro-file.ts";
import { heartbeatPath } from "../../src/layout/table-paths.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import { loadActiveTimeline } from "../../src/timeline/active-timeline.ts";
import { encodeRequestedReplace } from "../../src/timeline/replace-plan.ts";
import { DEFAULT_HEARTBEAT, findExpiredWrites, Heartbeat } from "../../src/write/heartbeat.ts";
import { WriteConflict } from "../../src/write/write-conflict.ts";
import { START_MS } from "../support/memory-table.ts";
import { type Shared, share, text } from "./write-context.ts";

const OWN = "20260115120000000";
const OTHER = "20260115110000000";

/** Lets calls that a timer began come to their ends. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("a heartbeat", () => {
  it("is an empty object that is put again at its interval, until it stops (HB-1)", async () => {
    const shared = await share();
    const heartbeat = await Heartbeat.start(shared.process(), OWN, DEFAULT_HEARTBEAT);
    const modified = (): number | undefined => shared.store.find(heartbeatPath(OWN))?.modifiedMs;
    expect(shared.store.find(heartbeatPath(OWN))?.bytes).toHaveLength(0);
    expect(modified()).toBe(START_MS);
    shared.clock.advance(60_000);
    await turn();
    expect(modified()).toBe(START_MS + 60_000);
    heartbeat.stop();
    shared.clock.advance(600_000);
    await turn();
    expect(modified()).toBe(START_MS + 60_000);
  });

  it("counts from when the last successful one was sent (HB-5)", async () => {
    const shared = await share();
    let isDown = false;
    const context = shared.process({ chooseFault: () => (isDown ? "not-applied" : undefined) });
    const heartbeat = await Heartbeat.start(context, OWN, DEFAULT_HEARTBEAT);
    shared.clock.advance(60_000);
    await turn();
    isDown = true;
    shared.clock.advance(119_000);
    await turn();
    heartbeat.requireAlive();
    shared.clock.advance(2_000);
    expect(() => heartbeat.requireAlive()).toThrow(/its last heartbeat is 121000 ms old/);
    // Nothing was completed, so that the write may be done again.
    expect(() => heartbeat.requireAlive()).toThrow(WriteConflict);
    isDown = false;
    shared.clock.advance(60_000);
    await turn();
    heartbeat.requireAlive();
  });
});

describe("writers that count as dead", () => {
  const expired = async (
    shared: Shared,
    own: string | undefined,
    clock = shared.clock,
  ): Promise<string[]> => {
    const context = shared.process({ clock });
    const timeline = await loadActiveTimeline(context);
    return (await findExpiredWrites(context, timeline, DEFAULT_HEARTBEAT, own)).map(
      ({ time }) => time,
    );
  };
  const leave = (shared: Shared, name: string, bytes: Uint8Array = text("")): void => {
    shared.store.put(`.hoodie/${OTHER}.${name}`, bytes, undefined);
  };

  it("are told by the store's clock, whatever the own one shows (HB-2)", async () => {
    const shared = await share();
    leave(shared, "commit.requested");
    shared.store.put(heartbeatPath(OTHER), text(""), undefined);
    const wrong = new SimulatedClock(START_MS + 3_600_000);
    shared.clock.advance(110_000);
    shared.store.put(heartbeatPath(OWN), text(""), undefined);
    expect(await expired(shared, OWN, wrong)).toEqual([]);
    shared.clock.advance(11_000);
    shared.store.put(heartbeatPath(OWN), text(""), undefined);
    expect(await expired(shared, OWN, new SimulatedClock(0))).toEqual([OTHER]);
  });

  it("are never the writer itself, nor completed ones (HB-4)", async () => {
    const shared = await share();
    leave(shared, "commit.requested");
    shared.clock.advance(10 * 3_600_000);
    expect(await expired(shared, OTHER)).toEqual([]);
    expect(await expired(shared, undefined)).toEqual([OTHER]);
    leave(shared, "inflight");
    leave(shared, "commit");
    expect(await expired(shared, undefined)).toEqual([]);
  });

  it("are no clusterings, which are replace commits by name only (HB-4)", async () => {
    const plan = await encodeAvroFile(
      {
        type: "record",
        name: "HoodieRequestedReplaceMetadata",
        fields: [
          { name: "operationType", type: "string" },
          {
            name: "clusteringPlan",
            type: {
              type: "record",
              name: "HoodieClusteringPlan",
              fields: [{ name: "version", type: "int" }],
            },
          },
        ],
      },
      { operationType: "CLUSTER", clusteringPlan: { version: 1 } },
      new Uint8Array(16),
    );
    const shared = await share();
    leave(shared, "replacecommit.requested", plan);
    shared.clock.advance(10 * 3_600_000);
    expect(await expired(shared, undefined)).toEqual([]);
    leave(shared, "replacecommit.requested", await encodeRequestedReplace(new Uint8Array(16)));
    shared.clock.advance(10 * 3_600_000);
    expect(await expired(shared, undefined)).toEqual([OTHER]);
    shared.store.delete([`.hoodie/${OTHER}.replacecommit.requested`]);
    leave(shared, "replacecommit.inflight");
    shared.clock.advance(10 * 3_600_000);
    expect(await expired(shared, undefined)).toEqual([OTHER]);
  });

  it("are not guessed at where a plan is damaged (HB-4)", async () => {
    const shared = await share();
    leave(shared, "replacecommit.requested", text("{}"));
    shared.clock.advance(10 * 3_600_000);
    const error = await expired(shared, undefined).catch((e: unknown) => e);
    expect(isHudiError(error, "CORRUPT")).toBe(true);
  });
});
