// Patterns of dates: which are taken, and what they read and write. `key-vectors.test.ts` compares them
// with Joda-Time.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { dayOfEpoch, epochOfDay } from "../../src/layout/calendar.ts";
import {
  formatDate,
  parseDate,
  parseInputPattern,
  parseOutputPattern,
  patternStepMs,
} from "../../src/layout/date-pattern.ts";
import { momentOfLocal, openTimeZone } from "../../src/layout/time-zone.ts";

const invalid = (message: RegExp): object =>
  expect.objectContaining({ code: "INVALID", message: expect.stringMatching(message) });

describe("patterns (RK-15)", () => {
  test.each(["G", "u", "z", "ZZZ", "W", "F", "CC", "n", "yyyy-MM-dd'T'HH:mm:ss.SSSXXX"])(
    "%s has a letter that is refused by name",
    (text) => {
      const letter = /[GuzWFCnX]+|ZZZ/.exec(text.replace(/'.*?'/g, ""))?.[0];
      expect(() => parseOutputPattern(text)).toThrow(
        invalid(new RegExp(`: ${letter} is not known`)),
      );
      expect(() => parseInputPattern(text)).toThrow(invalid(/not known/));
    },
  );

  test.each([
    ["yyyy'", /quote is not closed/],
    ["--", /no letter/],
    ["'yyyy'", /no letter/],
  ])("%s is none", (text, message) => {
    expect(() => parseOutputPattern(text)).toThrow(invalid(message));
  });

  test.each([
    ["MM-dd", /no year/],
    ["yy-MM-dd", /yy depends on the day/],
    ["yyyy-MM-MM", /reads M twice/],
    ["yyyy HH hh", /H or h or k or K twice/],
    ["yyyy-DDD-dd", /D beside M or d/],
    ["EEE yyyy", /E+ is not known/],
    ["xxxx-ww", /x+ is not known/],
  ])("%s reads no date", (text, message) => {
    expect(() => parseInputPattern(text)).toThrow(invalid(message));
  });

  test("a moment that is written is read again, whatever the zone", () => {
    const pattern = "yyyy-MM-dd'T'HH:mm:ss.SSSZ";
    const [output, input] = [parseOutputPattern(pattern), parseInputPattern(pattern)];
    const zones = ["UTC", "America/New_York", "Asia/Kolkata", "GMT-3:30"].map(openTimeZone);
    const moment = fc.integer({ min: Date.UTC(1975, 0), max: Date.UTC(2200, 0) });
    fc.assert(
      fc.property(moment, fc.constantFrom(...zones), (ms, zone) => {
        const text = formatDate(output, BigInt(ms), zone.offsetAt(ms));
        expect(Date.parse(text.replace(/(\d\d)$/, ":$1"))).toBe(ms);
        const { localMs, offsetMs } = parseDate([input], text) ?? {};
        expect((localMs ?? 0) - (offsetMs ?? 0)).toBe(ms);
        expect(momentOfLocal(zone, localMs ?? 0)).toBeLessThanOrEqual(ms);
      }),
      { numRuns: 500 },
    );
  });

  test("moments of one step read alike (RK-13)", () => {
    const patterns = ["yyyy/MM/dd", "yyyy/MM/dd/HH", "yyyy-MM-dd HH:mm", "HHmmss", "yyyySSS"];
    const zone = openTimeZone("Asia/Kolkata");
    fc.assert(
      fc.property(
        fc.constantFrom(...patterns.map(parseOutputPattern)),
        fc.integer({ min: Date.UTC(1975, 0), max: Date.UTC(2200, 0) }),
        fc.nat(),
        (pattern, ms, more) => {
          const step = patternStepMs(pattern);
          const start = ms - (ms % step);
          const text = (at: number): string => formatDate(pattern, BigInt(at), zone.offsetAt(at));
          expect(text(start + (more % step))).toBe(text(start));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("days are those of the calendar, there and back", () => {
    fc.assert(
      fc.property(fc.integer({ min: -2_000_000, max: 90_000_000 }), (days) => {
        const day = dayOfEpoch(days);
        expect(epochOfDay(day)).toBe(days);
        const date = new Date(days * 86_400_000);
        expect(day).toEqual({
          year: date.getUTCFullYear(),
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
        });
      }),
    );
  });
});

describe("zones (RK-16)", () => {
  test.each(["Foo/Bar", "UTC+8", "GMT+25:00", "+08:00", "", "../etc"])("%j is none", (name) => {
    expect(() => openTimeZone(name)).toThrow(invalid(/time zone/));
  });

  test("clocks that leap leave a gap, clocks that go back show a time twice", () => {
    const zone = openTimeZone("America/New_York");
    expect(momentOfLocal(zone, Date.UTC(2024, 2, 10, 2, 30))).toBeUndefined();
    const twice = Date.UTC(2024, 10, 3, 1, 30);
    expect(momentOfLocal(zone, twice)).toBe(twice + 4 * 3_600_000);
    expect(zone.offsetAt(Date.UTC(1880, 0))).toBe(-(4 * 3600 + 56 * 60 + 2) * 1000);
    expect(zone.offsetAt(Date.UTC(9000, 6))).toBe(-4 * 3_600_000);
    expect(zone.offsetAt(Date.UTC(2024, 0) + 0.5)).toBe(-5 * 3_600_000);
  });
});
