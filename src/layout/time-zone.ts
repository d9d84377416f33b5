// Offsets of time zones, named as Java names them. Rules: spec/format/record-key.md, RK-16.
import { HudiError } from "../errors.ts";

/** A time zone: what has to be added to a moment to get what clocks show. */
export interface TimeZone {
  readonly name: string;
  /** Milliseconds between UTC and the clocks of the zone at a moment. */
  offsetAt(epochMs: number): number;
  /** Whether the offset never changes. */
  readonly isFixed: boolean;
}

const UTC_NAMES: ReadonlySet<string> = new Set(["UTC", "GMT", "Z", "Etc/UTC", "Etc/GMT", "UCT"]);
/** Before the year 1 a zone is what it was then. */
const FIRST_MS = -62_135_510_400_000;
/** From the year 2400 on a zone repeats itself with the calendar, every 400 years. */
const REPEATING_MS = 13_569_465_600_000;
const CYCLE_MS = 12_622_780_800_000;

/** The zone that clocks of this process show. */
export function processTimeZone(): TimeZone {
  return openTimeZone(new Intl.DateTimeFormat().resolvedOptions().timeZone);
}

/**
 * The zone of that name: a region such as `America/New_York`, or `GMT+8:00`. Throws `INVALID` for any
 * other, which Java would take for GMT.
 */
export function openTimeZone(name: string): TimeZone {
  if (UTC_NAMES.has(name)) return fixedTimeZone(name, 0);
  const custom = /^GMT([+-])(\d{1,2})(?::?([0-5]\d))?$/.exec(name);
  if (custom && Number(custom[2]) < 24) {
    const minutes = Number(custom[2]) * 60 + Number(custom[3] ?? 0);
    return fixedTimeZone(name, (custom[1] === "-" ? -1 : 1) * minutes * 60_000);
  }
  try {
    if (/^[A-Za-z]/.test(name)) return new RegionalZone(name);
  } catch {
    // Names that Intl does not know are refused below.
  }
  throw new HudiError(
    "INVALID",
    `cannot use time zone ${JSON.stringify(name)}: expected a region such as Europe/Lisbon, UTC, or an offset such as GMT+8:00`,
  );
}

/** A zone that is always so far from UTC. */
export function fixedTimeZone(name: string, offsetMs: number): TimeZone {
  return { name, isFixed: true, offsetAt: () => offsetMs };
}

/** A zone whose rules the runtime knows. */
class RegionalZone implements TimeZone {
  readonly name: string;
  readonly isFixed = false;
  readonly #format: Intl.DateTimeFormat;

  constructor(name: string) {
    this.name = name;
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      calendar: "gregory",
      numberingSystem: "latn",
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  }

  offsetAt(epochMs: number): number {
    const isRepeated = epochMs > REPEATING_MS;
    const moment = isRepeated
      ? REPEATING_MS + ((epochMs - REPEATING_MS) % CYCLE_MS)
      : Math.max(epochMs, FIRST_MS);
    const seconds = Math.floor(moment / 1000) * 1000;
    const part: Record<string, string> = {};
    for (const { type, value } of this.#format.formatToParts(moment)) part[type] = value;
    const shown = new Date(0);
    shown.setUTCFullYear(Number(part.year), Number(part.month) - 1, Number(part.day));
    shown.setUTCHours(Number(part.hour), Number(part.minute), Number(part.second));
    return shown.getTime() - seconds;
  }
}

/**
 * The moment at which clocks of a zone show a local time, the earlier one where there are two, or
 * undefined where clocks leap over it.
 */
export function momentOfLocal(zone: TimeZone, localMs: number): number | undefined {
  const day = 86_400_000;
  const moments = [localMs - day, localMs + day]
    .map((near) => localMs - zone.offsetAt(near))
    .filter((moment) => moment + zone.offsetAt(moment) === localMs);
  return moments.length === 0 ? undefined : Math.min(...moments);
}
