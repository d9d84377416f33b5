// Instant times: 17 digits, yyyyMMddHHmmssSSS, in the time zone of the table's timeline.
// Rules: spec/format/timeline.md, TL-1 to TL-4.
import { HudiError } from "../errors.ts";

/** An instant time of 17 digits; instants compare as strings. */
export type InstantTime = string;

/** The time zone that instants of a table are written in. */
export type TimelineZone = "UTC" | "LOCAL";

/** The instant time of a moment, in the zone of the timeline. */
export function formatInstantTime(epochMs: number, zone: TimelineZone): InstantTime {
  const date = new Date(epochMs);
  const local = zone === "LOCAL" ? epochMs - date.getTimezoneOffset() * 60_000 : epochMs;
  return new Date(local).toISOString().replace(/[-T:.Z]/g, "");
}

/** The digits of an instant read as if they were UTC; only differences of such values mean time. */
function digitsToMs(instant: InstantTime): number {
  const padded = instant.length === 14 ? `${instant}999` : instant;
  const part = (from: number, to: number): number => Number(padded.slice(from, to));
  return Date.UTC(
    part(0, 4),
    part(4, 6) - 1,
    part(6, 8),
    part(8, 10),
    part(10, 12),
    part(12, 14),
    part(14, 17),
  );
}

/** The first instant time after another one. */
export function nextInstantTime(instant: InstantTime): InstantTime {
  return formatInstantTime(digitsToMs(instant) + 1, "UTC");
}

/** An instant for this moment that is greater than every instant in `used`. */
export function issueInstantTime(
  epochMs: number,
  zone: TimelineZone,
  used: Iterable<InstantTime>,
): InstantTime {
  let greatest = "";
  for (const instant of used) if (instant > greatest) greatest = instant;
  const wall = formatInstantTime(epochMs, zone);
  return wall > greatest ? wall : nextInstantTime(greatest);
}

/** Whether a text has the form of an instant: 17 digits, or 14 as old tables have them. */
export function isInstantTime(text: string): boolean {
  return /^(\d{17}|\d{14})$/.test(text);
}

/**
 * The instant time that an `asOf` option means: an instant, a prefix of one (a date and optionally
 * hours and so on), an ISO date or time, or a `Date`. Throws `INVALID`.
 */
export function parseAsOf(asOf: string | Date, zone: TimelineZone): InstantTime {
  if (asOf instanceof Date) {
    if (Number.isNaN(asOf.getTime())) throw invalidAsOf("an invalid Date");
    return formatInstantTime(asOf.getTime(), zone);
  }
  if (typeof asOf !== "string") throw invalidAsOf(`a ${typeof asOf}`);
  const digits = asOf.replace(/[-T: .]/g, "");
  if (/Z$|[+-]\d\d:?\d\d$/.test(asOf) && asOf.includes("T")) {
    const epochMs = Date.parse(asOf);
    if (Number.isNaN(epochMs)) throw invalidAsOf(asOf);
    return formatInstantTime(epochMs, zone);
  }
  if (!/^\d+$/.test(digits) || ![8, 10, 12, 14, 17].includes(digits.length)) {
    throw invalidAsOf(asOf);
  }
  if (digits.length === 14) return `${digits}999`;
  return digits.padEnd(17, "0");
}

function invalidAsOf(found: string): HudiError {
  return new HudiError(
    "INVALID",
    `cannot read as of ${found}: expected an instant such as 20261120072044123, a date or an ISO time`,
  );
}
