import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatDate,
  formatTimestamp,
  parseDateText,
  parseTimestampText,
} from "../../src/cli/time-text.ts";

const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

describe("dates", () => {
  test.each([
    [0, "1970-01-01"],
    [-1, "1969-12-31"],
    [19_782, "2024-02-29"],
    [-719_162, "0001-01-01"],
    [-719_528, "0000-01-01"],
    [-719_529, "-000001-12-31"],
    [2_932_896, "9999-12-31"],
    [2_932_897, "+010000-01-01"],
    [2_147_483_647, "+5881580-07-11"],
    [-2_147_483_648, "-5877641-06-23"],
  ])("%i days is %s and back (CLI-12)", (days, text) => {
    expect(formatDate(days)).toBe(text);
    expect(parseDateText(text)).toBe(days);
  });

  test("every day of 32 bits survives its text (CLI-12)", () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (days) => {
        expect(parseDateText(formatDate(days))).toBe(days);
      }),
    );
  });

  test("a day agrees with the calendar of JavaScript where that reaches", () => {
    fc.assert(
      fc.property(fc.integer({ min: -90_000_000, max: 90_000_000 }), (days) => {
        expect(formatDate(days)).toBe(new Date(days * 86_400_000).toISOString().split("T")[0]);
      }),
    );
  });

  test.each(["2023-02-29", "2024-13-01", "2024-00-10", "2024-01-32", "24-01-01", "2024-1-1", ""])(
    "%j is no day",
    (text) => expect(parseDateText(text)).toBeUndefined(),
  );
});

describe("timestamps", () => {
  test.each([
    [0n, "1970-01-01T00:00:00.000000Z"],
    [-1n, "1969-12-31T23:59:59.999999Z"],
    [1_704_067_200_123_456n, "2024-01-01T00:00:00.123456Z"],
    [INT64_MAX, "+294247-01-10T04:00:54.775807Z"],
    [INT64_MIN, "-290308-12-21T19:59:05.224192Z"],
  ])("%i microseconds is %s and back (CLI-12)", (micros, text) => {
    expect(formatTimestamp(micros)).toBe(text);
    expect(parseTimestampText(text)).toBe(micros);
  });

  test("every microsecond of 64 bits survives its text (CLI-12)", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: INT64_MIN, max: INT64_MAX }), (micros) => {
        expect(parseTimestampText(formatTimestamp(micros))).toBe(micros);
      }),
    );
  });

  test.each([
    ["2024-01-01T02:00:00+02:00", "2024-01-01T00:00:00.000000Z"],
    ["2023-12-31T18:30-0530", "2024-01-01T00:00:00.000000Z"],
    ["2024-01-01 00:00:00.5Z", "2024-01-01T00:00:00.500000Z"],
    ["2024-01-01T00:00:00.123456000Z", "2024-01-01T00:00:00.123456Z"],
  ])("%s means %s", (text, same) => {
    expect(formatTimestamp(parseTimestampText(text) as bigint)).toBe(same);
  });

  test.each([
    "2024-01-01T00:00:00",
    "2024-01-01",
    "2024-01-01T24:00:00Z",
    "2024-01-01T00:60:00Z",
    "2024-01-01T00:00:60Z",
    "2024-02-30T00:00:00Z",
    "2024-01-01T00:00:00.1234567Z",
    "2024-01-01T00:00:00+19:00",
    "+294247-01-10T04:00:54.775808Z",
    "now",
  ])("%j is no timestamp of a row (CLI-12)", (text) => {
    expect(parseTimestampText(text)).toBeUndefined();
  });

  test("a filter may leave the zone or the time out and means UTC (CLI-15)", () => {
    expect(parseTimestampText("2024-01-01", { zoneless: true })).toBe(1_704_067_200_000_000n);
    expect(parseTimestampText("2024-01-01T01:00", { zoneless: true })).toBe(1_704_070_800_000_000n);
  });
});
