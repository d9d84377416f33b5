// Instant times: digits in the zone of the timeline, always upwards, and what "as of" may say.
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  formatInstantTime,
  isInstantTime,
  issueInstantTime,
  nextInstantTime,
  parseAsOf,
} from "../../src/timeline/instant-time.ts";

let zone: string | undefined;
beforeEach(() => {
  zone = process.env.TZ;
});
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const NEVER = Date.UTC(9999, 11, 31, 23, 59, 59, 998);

describe("digits (TL-1)", () => {
  test("are year to millisecond", () => {
    expect(formatInstantTime(Date.UTC(2026, 0, 2, 3, 4, 5, 6), "UTC")).toBe("20260102030405006");
  });

  test("are seventeen, or fourteen of old tables", () => {
    expect(isInstantTime("20260102030405006")).toBe(true);
    expect(isInstantTime("20260102030405")).toBe(true);
    for (const text of [
      "2026",
      "2026010203040500",
      "202601020304050060",
      "2026010203040500x",
      "",
    ]) {
      expect(isInstantTime(text)).toBe(false);
    }
  });

  test("compare as the moments do", () => {
    const moment = fc.integer({ min: 0, max: NEVER });
    fc.assert(
      fc.property(moment, moment, (a, b) => {
        const [left, right] = [formatInstantTime(a, "UTC"), formatInstantTime(b, "UTC")];
        expect(left < right).toBe(a < b);
      }),
    );
  });

  test("fourteen of them mean the last millisecond of their second", () => {
    expect(nextInstantTime("20260102030405")).toBe("20260102030406000");
    expect(parseAsOf("20260102030405", "UTC")).toBe("20260102030405999");
  });
});

describe("zones (TL-2)", () => {
  test.each([
    ["America/Los_Angeles", "20260102030405006", "20260101190405006"],
    ["Asia/Kathmandu", "20260102030405006", "20260102084905006"],
    ["UTC", "20260102030405006", "20260102030405006"],
  ])("LOCAL in %s", (name, utc, local) => {
    process.env.TZ = name;
    const moment = Date.UTC(2026, 0, 2, 3, 4, 5, 6);
    expect(formatInstantTime(moment, "UTC")).toBe(utc);
    expect(formatInstantTime(moment, "LOCAL")).toBe(local);
  });
});

describe("only up (TL-3)", () => {
  test("the next millisecond carries over into every larger part", () => {
    expect(nextInstantTime("20260102030405006")).toBe("20260102030405007");
    expect(nextInstantTime("20241231235959999")).toBe("20250101000000000");
    expect(nextInstantTime("20240228235959999")).toBe("20240229000000000");
  });

  test("a new instant exceeds all that were used, and is the clock's when that is later", () => {
    const moment = fc.integer({ min: 0, max: NEVER });
    fc.assert(
      fc.property(moment, fc.array(moment), (now, used) => {
        const instants = used.map((at) => formatInstantTime(at, "UTC"));
        const issued = issueInstantTime(now, "UTC", instants);
        expect(instants.every((instant) => instant < issued)).toBe(true);
        expect(issued).toBe(formatInstantTime(Math.max(now, ...used.map((at) => at + 1)), "UTC"));
      }),
    );
  });

  test("when local time goes back in autumn", () => {
    process.env.TZ = "America/Los_Angeles";
    const before = Date.UTC(2026, 10, 1, 8, 59, 59, 999);
    const first = issueInstantTime(before, "LOCAL", []);
    const second = issueInstantTime(before + 1, "LOCAL", [first]);
    expect(formatInstantTime(before + 1, "LOCAL") < first).toBe(true);
    expect([first, second]).toEqual(["20261101015959999", "20261101020000000"]);
  });

  test("after instants of fourteen digits, too", () => {
    expect(issueInstantTime(0, "UTC", ["20260102030405"])).toBe("20260102030406000");
  });
});

describe("as of (TL-4)", () => {
  const utc = (text: string | Date): string => parseAsOf(text, "UTC");

  test.each([
    ["20260102030405006", "20260102030405006"],
    ["20260102", "20260102000000000"],
    ["2026-01-02", "20260102000000000"],
    ["2026010203", "20260102030000000"],
    ["202601020304", "20260102030400000"],
    ["2026-01-02 03:04:05", "20260102030405999"],
    ["2026-01-02T03:04:05.006", "20260102030405006"],
    ["2026-01-02T03:04:05.006Z", "20260102030405006"],
    ["2026-01-02T03:04:05Z", "20260102030405000"],
    ["2026-01-02T03:04:05.006+02:00", "20260102010405006"],
    ["2026-01-02T03:04:05-0800", "20260102110405000"],
  ])("%s is %s in UTC", (text, expected) => {
    expect(utc(text)).toBe(expected);
  });

  test("times with a zone and Dates are moments, wherever the timeline is", () => {
    process.env.TZ = "America/Los_Angeles";
    const local = (text: string | Date): string => parseAsOf(text, "LOCAL");
    expect(local("2026-01-02T03:04:05.006Z")).toBe("20260101190405006");
    expect(local(new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 6)))).toBe("20260101190405006");
    expect(local("2026-01-02T03:04:05.006")).toBe("20260102030405006");
    expect(utc(new Date(Date.UTC(2026, 0, 2)))).toBe("20260102000000000");
  });

  test.each([
    "",
    "yesterday",
    "2026",
    "2026-1-2",
    "202601020",
    "2026-01-02T03:04:05Zulu",
    "2026-99-99T00:00:00Z",
    "20260102030405006 or 1=1",
    new Date(Number.NaN),
    20_260_102,
    null,
    {},
  ])("%j is refused, and the message says what is expected", (asOf) => {
    expect(() => parseAsOf(asOf as string, "UTC")).toThrow(
      expect.objectContaining({
        code: "INVALID",
        message: expect.stringMatching(/^cannot read as of .*expected an instant/),
      }),
    );
  });
});
