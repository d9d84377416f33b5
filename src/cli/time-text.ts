// Dates and timestamps as ISO 8601 text and back, exact over all of 32 bits of days and 64 bits of
// their unit, where the Date of JavaScript ends earlier. Rules: spec/protocol/cli.md, CLI-12.
import { DAY_UNITS, formatTimeOfDay } from "../format/time-of-day.ts";

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

/** What a timestamp counts, and whether it is the time of a wall clock without a zone. */
export interface TimestampForm {
  readonly unit: keyof typeof DAY_UNITS;
  readonly isLocal: boolean;
}

/** What a timestamp of that kind is; undefined for another type. */
export function timestampForm(kind: string): TimestampForm | undefined {
  return FORMS.get(kind);
}

const FORMS: ReadonlyMap<string, TimestampForm> = new Map([
  ["timestamp-millis", { unit: "millis", isLocal: false }],
  ["timestamp-micros", { unit: "micros", isLocal: false }],
  ["local-timestamp-millis", { unit: "millis", isLocal: true }],
  ["local-timestamp-micros", { unit: "micros", isLocal: true }],
]);

const MICROS: TimestampForm = { unit: "micros", isLocal: false };

/** `yyyy-MM-ddTHH:mm:ss.ffffffZ` of units since the epoch; three digits of milliseconds; no Z where local. */
export function formatTimestamp(value: bigint, form: TimestampForm = MICROS): string {
  const unitsOfDay = BigInt(DAY_UNITS[form.unit]);
  let days = value / unitsOfDay;
  let rest = value - days * unitsOfDay;
  if (rest < 0n) {
    days -= 1n;
    rest += unitsOfDay;
  }
  const clock = formatTimeOfDay(rest, form.unit);
  return `${formatDate(Number(days))}T${clock}${form.isLocal ? "" : "Z"}`;
}

const DATE = /^(\d{4}|[+-]\d{6,9})-(\d\d)-(\d\d)$/;

/** Days since 1970-01-01, or undefined for a text that is no day of the calendar. */
export function parseDateText(text: string): number | undefined {
  const days = parseDays(text);
  return days === undefined || days > INT32_MAX || days < -INT32_MAX - 1 ? undefined : days;
}

function parseDays(text: string): number | undefined {
  const match = DATE.exec(text);
  if (!match) return undefined;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const cycle = Math.floor((year - 1970) / CYCLE_YEARS);
  const date = new Date(Date.UTC(year - cycle * CYCLE_YEARS, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  return date.getTime() / DAY_MS + cycle * CYCLE_DAYS;
}

const TIME = /^(.{10,16})[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::?\d\d)?)?$/;

/** What a timestamp text without a zone means. */
export interface TimestampOptions {
  /** Reads a time without zone as UTC, and a date alone as its midnight. Default: neither is one. */
  readonly zoneless?: boolean;
  /** Default: microseconds of a moment. The time of a wall clock has no zone. */
  readonly form?: TimestampForm;
}

/**
 * Units since the epoch of an ISO 8601 text, or undefined when it is none, has digits beyond the unit,
 * or does not fit into 64 bits.
 */
export function parseTimestampText(
  text: string,
  options: TimestampOptions = {},
): bigint | undefined {
  const { zoneless = false, form = MICROS } = options;
  const match = TIME.exec(text);
  if (!match) return zoneless ? toUnits(parseDays(text), 0, 0, form) : undefined;
  const [, date = "", hour, minute, second = "0", fraction = "", zone] = match;
  const days = parseDays(date);
  const digits = fraction.replace(/0+$/, "");
  const isClock = Number(hour) < 24 && Number(minute) < 60 && Number(second) < 60;
  const isPlaced = form.isLocal ? zone === undefined : zone !== undefined || zoneless;
  if (!isClock || digits.length > 6 || !isPlaced) return undefined;
  const offset = zoneSeconds(zone ?? "Z");
  if (offset === undefined) return undefined;
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second) - offset;
  return toUnits(days, seconds, Number(digits.padEnd(6, "0")), form);
}

function toUnits(
  days: number | undefined,
  seconds: number,
  micros: number,
  { unit }: TimestampForm,
): bigint | undefined {
  if (days === undefined) return undefined;
  const exact = BigInt(days) * DAY_MICROS + BigInt(seconds) * 1_000_000n + BigInt(micros);
  const factor = unit === "millis" ? 1000n : 1n;
  if (exact % factor !== 0n) return undefined;
  const value = exact / factor;
  return value < INT64_MIN || value > INT64_MAX ? undefined : value;
}

function zoneSeconds(zone: string): number | undefined {
  if (zone === "Z") return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(":", ""));
  if (hours > 18 || minutes > 59) return undefined;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 3600 + minutes * 60);
}
