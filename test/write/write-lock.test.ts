import { describe, expect, it } from "vitest";
import { type HudiError, isHudiError } from "../../src/errors.ts";
import { LEASE_PATH } from "../../src/layout/table-paths.ts";
import { SimulatedClock } from "../../src/runtime/clock.ts";
import type { Storage } from "../../src/storage/storage.ts";
import { WriteConflict } from "../../src/write/write-conflict.ts";
import { acquireLease, DEFAULT_LEASE, type LeaseSettings } from "../../src/write/write-lock.ts";
import { START_MS } from "../support/memory-table.ts";
import { type Shared, share, text, thrownBy } from "./write-context.ts";

const LEASE: LeaseSettings = DEFAULT_LEASE;
const IMPATIENT: LeaseSettings = { ...LEASE, waitMs: 5_000 };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe.each<Storage["leaseKind"]>(["conditional", "numbered"])("the lease, %s", (leaseKind) => {
  const lockPaths = ({ store }: Shared): string[] =>
    [...store.paths()].filter((path) => path.startsWith(".hoodie/.locks/"));
  const stateIn = (shared: Shared): Record<string, unknown> => {
    const path = lockPaths(shared).sort().at(-1) as string;
    return JSON.parse(Buffer.from(shared.store.find(path)?.bytes ?? []).toString());
  };

  it("is held by one process at a time (LK-2)", async () => {
    const shared = await share();
    const first = await acquireLease(shared.process({ leaseKind }), LEASE);
    const error = await thrownBy(acquireLease(shared.process({ leaseKind }), IMPATIENT));
    expect(isHudiError(error, "UNAVAILABLE")).toBe(true);
    expect((error as HudiError).message).toContain("holds it for");
    await first.release();
    await (await acquireLease(shared.process({ leaseKind }), IMPATIENT)).release();
    expect(lockPaths(shared)).toHaveLength(1);
  });

  it("says until when it is valid, for how long, and by whom it is held (LK-1, LK-3)", async () => {
    const shared = await share();
    const lease = await acquireLease(shared.process({ leaseKind }), LEASE);
    const { owner, ...rest } = stateIn(shared);
    expect(rest).toEqual({ expired: false, validUntil: START_MS + 120_000, leaseMs: 120_000 });
    expect(owner).toMatch(/^[0-9a-f-]{36}$/);
    await lease.release();
    expect(stateIn(shared)).toEqual({ owner, ...rest, expired: true });
  });

  it("of a dead process is followed when it was seen unchanged for as long as it is valid (LK-2)", async () => {
    const shared = await share();
    (await acquireLease(shared.process({ leaseKind }), LEASE)).leaveToExpire();
    shared.clock.advance(100_000);
    const begunMs = shared.clock.now();
    const lease = await acquireLease(shared.process({ leaseKind }), LEASE);
    await lease.requireHeld();
    expect(shared.clock.now() - begunMs).toBeGreaterThan(LEASE.leaseMs);
    expect(shared.clock.now() - begunMs).toBeLessThan(LEASE.leaseMs + 3_000);
  });

  it("that is over by more than clocks differ is followed at once (LK-2)", async () => {
    const shared = await share();
    await acquireLease(shared.process({ leaseKind }), LEASE);
    shared.clock.advance(120_000 + 1_800_001);
    const begunMs = shared.clock.now();
    await acquireLease(shared.process({ leaseKind }), LEASE);
    expect(shared.clock.now()).toBe(begunMs);
  });

  it("is not followed by a process whose clock is ahead while it is being renewed (LK-2)", async () => {
    const shared = await share();
    const held = await acquireLease(shared.process({ leaseKind }), LEASE);
    const ahead = new SimulatedClock(START_MS + 600_000);
    // Time passes for both, and the holder renews as it goes on.
    const sleep = ahead.sleep.bind(ahead);
    let sleeps = 0;
    ahead.sleep = async (ms, signal) => {
      sleeps += 1;
      if (sleeps > 10_000) throw new Error("it waits without end");
      await sleep(ms, signal);
      shared.clock.advance(ms);
      await held.requireHeld();
    };
    const patient = { ...LEASE, waitMs: 400_000 };
    const error = await thrownBy(
      acquireLease(shared.process({ leaseKind, clock: ahead }), patient),
    );
    expect(isHudiError(error, "UNAVAILABLE")).toBe(true);
    await held.requireHeld();
  });

  it("is watched to its end where it looks overdue, however short the wait was to be (LK-4)", async () => {
    const shared = await share();
    await acquireLease(shared.process({ leaseKind }), LEASE);
    shared.clock.advance(121_000);
    await acquireLease(shared.process({ leaseKind }), { ...LEASE, waitMs: 10 });
    expect(shared.clock.now() - START_MS).toBeGreaterThan(241_000);
  });

  it("of another engine, which does not say how long it is valid, ends by the clock (LK-2)", async () => {
    const shared = await share();
    const path =
      leaseKind === "conditional" ? LEASE_PATH : ".hoodie/.locks/table_lock.000000000007.json";
    const state = { expired: false, validUntil: START_MS + 60_000, owner: "spark" };
    shared.store.put(path, text(JSON.stringify(state)), undefined);
    const error = await thrownBy(acquireLease(shared.process({ leaseKind }), IMPATIENT));
    expect(isHudiError(error, "UNAVAILABLE")).toBe(true);
    shared.clock.advance(60_000);
    const begunMs = shared.clock.now();
    await acquireLease(shared.process({ leaseKind }), LEASE);
    expect(shared.clock.now()).toBe(begunMs);
  });

  it("is renewed where less is left than a request may take, and not before (LK-6)", async () => {
    const shared = await share();
    const lease = await acquireLease(shared.process({ leaseKind }), LEASE);
    shared.clock.advance(70_000);
    await lease.requireHeld();
    expect(stateIn(shared).validUntil).toBe(START_MS + 120_000);
    shared.clock.advance(10_000);
    await lease.requireHeld();
    expect(stateIn(shared).validUntil).toBe(START_MS + 200_000);
    expect(lease.hasRunOut()).toBe(false);
    shared.clock.advance(120_000);
    expect(lease.hasRunOut()).toBe(true);
  });

  it("is renewed for as long as its holder works, and no longer (LK-7)", async () => {
    const shared = await share();
    const lease = await acquireLease(shared.process({ leaseKind }), LEASE);
    for (let minute = 0; minute < 10; minute += 1) {
      shared.clock.advance(30_000);
      await turn();
      shared.clock.advance(30_000);
      await turn();
    }
    await lease.requireHeld();
    expect(stateIn(shared).validUntil).toBeGreaterThan(START_MS + 600_000);
    await lease.release();
    const released = stateIn(shared);
    shared.clock.advance(60_000);
    await turn();
    expect(stateIn(shared)).toEqual(released);
    const left = await acquireLease(shared.process({ leaseKind }), LEASE);
    left.leaveToExpire();
    const { validUntil } = stateIn(shared);
    shared.clock.advance(90_000);
    await turn();
    expect(stateIn(shared).validUntil).toBe(validUntil);
  });

  it("that ran out, or that another took, is lost (LK-7)", async () => {
    const shared = await share();
    const late = await acquireLease(shared.process({ leaseKind }), LEASE);
    shared.clock.advance(120_000);
    expect(await thrownBy(late.requireHeld())).toBeInstanceOf(WriteConflict);
    const next = await acquireLease(shared.process({ leaseKind }), LEASE);
    await late.release();
    expect(stateIn(shared).expired).toBe(false);
    await next.release();
    expect(stateIn(shared).expired).toBe(true);
  });

  it("stays with a holder that leaves it to expire (LK-10)", async () => {
    const shared = await share();
    const lease = await acquireLease(shared.process({ leaseKind }), LEASE);
    lease.leaveToExpire();
    await lease.release();
    expect(stateIn(shared).expired).toBe(false);
    expect(isHudiError(await thrownBy(lease.requireHeld()), "CONFLICT")).toBe(true);
  });

  it.each(["unknown", "unknown-not-applied", "not-applied"] as const)(
    "after a write with the fault %s is taken, or fails and does not stay taken by nobody (LK-8)",
    async (fault) => {
      const shared = await share();
      let writes = 0;
      const faulty = shared.process({
        leaseKind,
        chooseFault: ({ isWrite }) => {
          if (isWrite) writes += 1;
          return isWrite && writes === 1 ? fault : undefined;
        },
      });
      const isHeld = await acquireLease(faulty, LEASE).then(
        () => true,
        () => false,
      );
      expect(isHeld).toBe(
        fault !== "not-applied" && !(fault === "unknown-not-applied" && leaseKind === "numbered"),
      );
      const isFree = await acquireLease(shared.process({ leaseKind }), IMPATIENT).then(
        () => true,
        () => false,
      );
      expect(isFree).toBe(!isHeld);
    },
  );

  it("that another took while its own request was in doubt is not one's own (LK-8)", async () => {
    const shared = await share();
    await (await acquireLease(shared.process({ leaseKind }), LEASE)).release();
    let isInDoubt = false;
    let isTaken = false;
    const doubtful = shared.process({
      leaseKind,
      chooseFault: ({ method }) => {
        if (isInDoubt || !["createIfAbsent", "replaceIfUnchanged"].includes(method)) return;
        isInDoubt = true;
        return "unknown-not-applied";
      },
      beforeCall: async () => {
        if (!isInDoubt || isTaken) return;
        isTaken = true;
        await acquireLease(shared.process({ leaseKind }), LEASE);
      },
    });
    expect(await thrownBy(acquireLease(doubtful, IMPATIENT))).toBeInstanceOf(Error);
    expect(isTaken).toBe(true);
  });

  it("in a damaged object is CORRUPT, and nobody takes it (LK-1)", async () => {
    const shared = await share();
    const path =
      leaseKind === "conditional" ? LEASE_PATH : ".hoodie/.locks/table_lock.000000000001.json";
    for (const content of [
      "",
      "{",
      "[]",
      "null",
      '{"expired":false}',
      '{"__proto__":{"expired":true}}',
    ]) {
      shared.store.put(path, text(content), undefined);
      const error = await thrownBy(acquireLease(shared.process({ leaseKind }), LEASE));
      expect(isHudiError(error, "CORRUPT"), content).toBe(true);
    }
  });

  it("is not waited for once the signal aborts", async () => {
    const shared = await share();
    await acquireLease(shared.process({ leaseKind }), LEASE);
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    expect(await thrownBy(acquireLease(shared.process({ leaseKind }), LEASE, signal))).toBe(reason);
  });
});

describe("numbered leases", () => {
  const pathOf = (number: number): string =>
    `.hoodie/.locks/table_lock.${String(number).padStart(12, "0")}.json`;

  it("go up by one, and lower numbers are removed (LK-5)", async () => {
    const shared = await share();
    for (let round = 1; round <= 3; round += 1) {
      await (await acquireLease(shared.process({ leaseKind: "numbered" }), LEASE)).release();
      expect([...shared.store.paths()].filter((path) => path.includes(".locks/"))).toEqual([
        pathOf(round),
      ]);
    }
  });

  it("are not taken with a number below one that appeared meanwhile (LK-5)", async () => {
    const shared = await share();
    const free = text(JSON.stringify({ expired: true, validUntil: 0, owner: "a" }));
    shared.store.put(pathOf(1), free, undefined);
    let hasRaced = false;
    const slow = shared.process({
      leaseKind: "numbered",
      beforeCall: ({ method }) => {
        if (method !== "createIfAbsent" || hasRaced) return;
        hasRaced = true;
        // Others took and gave back two numbers, and removed what lay below.
        shared.store.delete([pathOf(1)]);
        shared.store.put(pathOf(3), free, undefined);
      },
    });
    await acquireLease(slow, LEASE);
    expect([...shared.store.paths()].filter((path) => path.includes(".locks/"))).toEqual([
      pathOf(4),
    ]);
  });

  it("are judged by the time before the look, so that a renewal during it counts (LK-6)", async () => {
    const shared = await share();
    const foreign = (validUntil: number): Uint8Array =>
      text(JSON.stringify({ expired: false, validUntil, owner: "other" }));
    shared.store.put(pathOf(1), foreign(START_MS + 1_000), undefined);
    const process = shared.process({
      leaseKind: "numbered",
      beforeCall: ({ method }) => {
        if (method === "read") shared.clock.advance(2_000);
      },
    });
    // Over by the time of the answer, but not when the question was asked.
    const error = await thrownBy(acquireLease(process, { ...LEASE, waitMs: 0 }));
    expect(isHudiError(error, "UNAVAILABLE")).toBe(true);
    expect(shared.store.find(pathOf(2))).toBeUndefined();
  });
});
