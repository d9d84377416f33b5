// Times of a day as text and numbers.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DAY_UNITS, formatTimeOfDay, parseTimeOfDay } from "../../src/format/time-of-day.ts";

describe.each(["millis", "micros"] as const)("times of a day in %s (SC-3)", (unit) => {
  test("every time is read as it is written", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: DAY_UNITS[unit] - 1 }), (units) => {
        expect(parseTimeOfDay(formatTimeOfDay(units, unit), unit)).toBe(units);
        expect(formatTimeOfDay(BigInt(units), unit)).toBe(formatTimeOfDay(units, unit));
      }),
    );
  });

  test("a text is a time of the day and no finer than the unit", () => {
    expect(parseTimeOfDay("00:00:00", unit)).toBe(0);
    expect(parseTimeOfDay("23:59:59.999000", unit)).toBe(
      DAY_UNITS[unit] - (unit === "millis" ? 1 : 1000),
    );
    for (const text of ["24:00:00", "12:60:00", "12:00:60", "12:00", "-1:00:00", "1:00:00", ""]) {
      expect(parseTimeOfDay(text, unit)).toBeUndefined();
    }
    const finer = unit === "millis" ? "12:00:00.0001" : "12:00:00.0000001";
    expect(parseTimeOfDay(finer, unit)).toBeUndefined();
  });
});
