// Dates and timestamps as ISO 8601 text and back, exact over all of 32 bits of days and 64 bits of
// microseconds, where the Date of JavaScript ends earlier. Rules: spec/protocol/cli.md, CLI-12.

const DAY_MS = 86_400_000;
const DAY_MICROS = 86_400_000_000n;
/** The calendar repeats after 400 years. */
const CYCLE_YEARS = 400;
const CYCLE_DAYS = 146_097;

const INT32_MAX = 0x7fff_ffff;
const INT64_MIN = -(2n ** 63n);
const INT64_MAX = 2n ** 63n - 1n;

const MAX_KNOWN_DAYS = 4096;
const knownDays = new Map<number, string>();

/** `yyyy-MM-dd` of days since 1970-01-01; years outside 0 to 9999 have a sign and six digits. */
export function formatDate(days: number): string {
  const known = knownDays.get(days);
  if (known !== undefined) return known;
  const text = formatNewDate(days);
  // Rows share few days, and a day takes long to spell.
  if (knownDays.size >= MAX_KNOWN_DAYS) knownDays.clear();
  knownDays.set(days, text);
  return text;
}

function formatNewDate(days: number): string {
  const cycle = Math.floor(days / CYCLE_DAYS);
  const date = new Date((days - cycle * CYCLE_DAYS) * DAY_MS);
  const year = date.getUTCFullYear() + cycle * CYCLE_YEARS;
  return `${formatYear(year)}${date.toISOString().slice(4, 10)}`;
}

function formatYear(year: number): string {
  if (year >= 0 && year <= 9999) return String(year).padStart(4, "0");
  return `${year < 0 ? "-" : "+"}${String(Math.abs(year)).padStart(6, "0")}`;
}

/** `yyyy-MM-ddTHH:mm:ss.ffffffZ` of microseconds since the epoch. */
export function formatTimestamp(micros: bigint): string {
  let days = micros / DAY_MICROS;
  let rest = Number(micros - days * DAY_MICROS);
  if (rest < 0) {
    days -= 1n;
    rest += Number(DAY_MICROS);
  }
  const two = (value: number): string => String(value).padStart(2, "0");
  const seconds = Math.floor(rest / 1_000_000);
  const fraction = String(rest % 1_000_000).padStart(6, "0");
  const clock = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return `${formatDate(Number(days))}T${clock}.${fraction}Z`;
}

const DATE = /^(\d{4}|[+-]\d{6,7})-(\d\d)-(\d\d)$/;

/** Days since 1970-01-01, or undefined for a text that is no day of the calendar. */
export function parseDateText(text: string): number | undefined {
  const match = DATE.exec(text);
  if (!match) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const cycle = Math.floor((year - 1970) / CYCLE_YEARS);
  const date = new Date(Date.UTC(year - cycle * CYCLE_YEARS, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  const days = date.getTime() / DAY_MS + cycle * CYCLE_DAYS;
  return days > INT32_MAX || days < -INT32_MAX - 1 ? undefined : days;
}

const TIME = /^(.{10,14})[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::?\d\d)?)?$/;

/** What a timestamp text without a zone means. */
export interface TimestampOptions {
  /** Reads a time without zone as UTC, and a date alone as its midnight. Default: neither is one. */
  readonly zoneless?: boolean;
}

/**
 * Microseconds since the epoch of an ISO 8601 text, or undefined when it is none, has digits beyond
 * the microsecond, or does not fit into 64 bits.
 */
export function parseTimestampText(
  text: string,
  options: TimestampOptions = {},
): bigint | undefined {
  const zoneless = options.zoneless ?? false;
  const match = TIME.exec(text);
  if (!match) return zoneless ? toMicros(parseDateText(text), 0, 0) : undefined;
  const [, date = "", hour, minute, second = "0", fraction = "", zone] = match;
  const days = parseDateText(date);
  const digits = fraction.replace(/0+$/, "");
  const isClock = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  if (!isClock || digits.length > 6 || (zone === undefined && !zoneless)) return undefined;
  const offset = zoneSeconds(zone ?? "Z");
  if (offset === undefined) return undefined;
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offset;
  return toMicros(days, seconds, Number(digits.padEnd(6, "0")));
}

function toMicros(days: number | undefined, seconds: number, micros: number): bigint | undefined {
  if (days === undefined) return undefined;
  const value = BigInt(days) * DAY_MICROS + BigInt(seconds) * 1_000_000n + BigInt(micros);
  return value < INT64_MIN || value > INT64_MAX ? undefined : value;
}

function zoneSeconds(zone: string): number | undefined {
  if (zone === "Z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(":", ""));
  if (hours > 18 || minutes > 59) return undefined;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 3600 + minutes * 60);
}
