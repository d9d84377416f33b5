// Patterns of dates as Joda-Time has them, which Hudi writes and reads timestamps with: the letters
// that stand for numbers and English names. Rules: spec/format/record-key.md, RK-15.
import { HudiError } from "../errors.ts";
import { type CalendarDay, dayOfEpoch, daysInMonth, epochOfDay } from "./calendar.ts";

/** A pattern taken apart. */
export interface DatePattern {
  readonly text: string;
  readonly parts: readonly PatternPart[];
}

type PatternPart =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "field"; readonly letter: string; readonly width: number };

/** What a text says by a pattern: what clocks show, and how far they are from UTC where it says so. */
export interface ParsedDate {
  readonly localMs: number;
  readonly offsetMs: number | undefined;
}

const OUTPUT_LETTERS = "yYxMwedDEaHhkKmsSZ";
const INPUT_LETTERS = "yMdDaHhkKmsSZ";
const NUMBERS = "xyYdhHmsSeDwkK";
const DAY_MS = 86_400_000;
/** Of later years milliseconds are not counted exactly. */
const LAST_YEAR = 275_000;
const MONTHS: readonly string[] = [
  ...["January", "February", "March", "April", "May", "June", "July", "August", "September"],
  ...["October", "November", "December"],
];
const WEEKDAYS: readonly string[] = [
  ...["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
];

/** Takes a pattern for writing apart. Throws `INVALID` naming a letter that it does not know. */
export function parseOutputPattern(text: string): DatePattern {
  return parsePattern(text, OUTPUT_LETTERS);
}

/** Takes a pattern for reading apart. Throws `INVALID` naming a letter that it does not know. */
export function parseInputPattern(text: string): DatePattern {
  const pattern = parsePattern(text, INPUT_LETTERS);
  const letters = pattern.parts.map((part) => (part.kind === "field" ? part.letter : ""));
  const year = pattern.parts.find((part) => part.kind === "field" && part.letter === "y");
  if (year?.kind !== "field") throw invalidPattern(text, "it reads no year, expected y");
  if (year.width === 2)
    throw invalidPattern(text, "yy depends on the day it is read, expected yyyy");
  const groups = ["y", "M", "d", "D", "HhkK", "m", "s", "S", "a", "Z"];
  const twice = groups.find((group) => letters.filter((l) => l && group.includes(l)).length > 1);
  if (twice !== undefined) throw invalidPattern(text, `it reads ${[...twice].join(" or ")} twice`);
  if (letters.includes("D") && (letters.includes("M") || letters.includes("d"))) {
    throw invalidPattern(text, "it reads D beside M or d");
  }
  return pattern;
}

function parsePattern(text: string, letters: string): DatePattern {
  const parts: PatternPart[] = [];
  const add = (literal: string): void => {
    const last = parts.at(-1);
    if (last?.kind === "text")
      parts[parts.length - 1] = { kind: "text", text: last.text + literal };
    else parts.push({ kind: "text", text: literal });
  };
  for (let at = 0; at < text.length; ) {
    const rest = text.slice(at);
    const quoted = /^'((?:[^']|'')*)'/.exec(rest);
    if (quoted) {
      add(quoted[0] === "''" ? "'" : (quoted[1] as string).replaceAll("''", "'"));
      at += quoted[0].length;
      continue;
    }
    const [run = "", letter = ""] = /^([A-Za-z])\1*/.exec(rest) ?? [];
    if (rest.startsWith("'")) throw invalidPattern(text, "its last quote is not closed");
    if (run === "") add(rest[0] as string);
    else if (!letters.includes(letter) || (letter === "Z" && run.length > 2)) {
      const expected = `${[...letters].join(" ")} or a text in quotes`;
      throw invalidPattern(text, `${run} is not known, expected ${expected}`);
    } else parts.push({ kind: "field", letter, width: run.length });
    at += run.length || 1;
  }
  if (!parts.some((part) => part.kind === "field")) throw invalidPattern(text, "it has no letter");
  return { text, parts };
}

function invalidPattern(text: string, fact: string): HudiError {
  return new HudiError("INVALID", `cannot use date format ${JSON.stringify(text)}: ${fact}`);
}

/** The longest time, in milliseconds, of which every part that starts at a multiple of it reads alike. */
export function patternStepMs(pattern: DatePattern): number {
  const steps = pattern.parts.map((part) => {
    if (part.kind === "text") return DAY_MS;
    if (part.letter === "S") return 1;
    if (part.letter === "s") return 1000;
    return part.letter === "m" ? 60_000 : 900_000;
  });
  return Math.min(900_000, ...steps);
}

/** What a pattern makes of a moment where clocks are `offsetMs` from UTC. */
export function formatDate(pattern: DatePattern, epochMs: bigint, offsetMs: number): string {
  const local = epochMs + BigInt(offsetMs);
  const inDay = Number(((local % 86_400_000n) + 86_400_000n) % 86_400_000n);
  const days = Number((local - BigInt(inDay)) / 86_400_000n);
  const date = dayOfEpoch(days);
  let text = "";
  for (const part of pattern.parts) {
    text += part.kind === "text" ? part.text : formatField(part, date, days, inDay, offsetMs);
  }
  return text;
}

function formatField(
  { letter, width }: { readonly letter: string; readonly width: number },
  date: CalendarDay,
  days: number,
  inDay: number,
  offsetMs: number,
): string {
  const hour = Math.floor(inDay / 3_600_000);
  switch (letter) {
    case "y":
      return formatYear(date.year, width);
    case "Y":
      return formatYear(date.year > 0 ? date.year : 1 - date.year, width);
    case "x":
      return formatYear(weekOf(days).year, width);
    case "w":
      return pad(weekOf(days).week, width);
    case "e":
      return pad(weekday(days), width);
    case "E":
      return nameOf(WEEKDAYS, weekday(days), width >= 4);
    case "M":
      return width >= 3 ? nameOf(MONTHS, date.month, width >= 4) : pad(date.month, width);
    case "d":
      return pad(date.day, width);
    case "D":
      return pad(days - epochOfDay({ year: date.year, month: 1, day: 1 }) + 1, width);
    case "a":
      return hour < 12 ? "AM" : "PM";
    case "H":
      return pad(hour, width);
    case "k":
      return pad(hour === 0 ? 24 : hour, width);
    case "K":
      return pad(hour % 12, width);
    case "h":
      return pad(hour % 12 === 0 ? 12 : hour % 12, width);
    case "m":
      return pad(Math.floor(inDay / 60_000) % 60, width);
    case "s":
      return pad(Math.floor(inDay / 1000) % 60, width);
    case "S":
      return pad(inDay % 1000, 3)
        .padEnd(width, "0")
        .slice(0, width);
    default:
      return formatOffset(offsetMs, width === 2 ? ":" : "");
  }
}

function pad(value: number, width: number): string {
  const sign = value < 0 ? "-" : "";
  return sign + String(Math.abs(value)).padStart(width, "0");
}

function formatYear(year: number, width: number): string {
  return width === 2 ? pad(Math.abs(year) % 100, 2) : pad(year, width);
}

/** 1 for Monday to 7 for Sunday. */
function weekday(days: number): number {
  return ((((days + 3) % 7) + 7) % 7) + 1;
}

/** The week by ISO 8601, which belongs to the year of its Thursday. */
function weekOf(days: number): { readonly year: number; readonly week: number } {
  const thursday = days - weekday(days) + 4;
  const { year } = dayOfEpoch(thursday);
  const first = epochOfDay({ year, month: 1, day: 1 });
  return { year, week: Math.floor((thursday - first) / 7) + 1 };
}

function nameOf(names: readonly string[], number: number, isFull: boolean): string {
  const name = names[number - 1] as string;
  return isFull ? name : name.slice(0, 3);
}

function formatOffset(offsetMs: number, separator: string): string {
  const minutes = Math.floor(Math.abs(offsetMs) / 60_000);
  const parts = [Math.floor(minutes / 60), minutes % 60];
  return `${offsetMs < 0 ? "-" : "+"}${parts.map((part) => pad(part, 2)).join(separator)}`;
}

/**
 * Reads a text by the first pattern that takes all of it; undefined where none does, or where it
 * names a day or time that there is not.
 */
export function parseDate(patterns: readonly DatePattern[], text: string): ParsedDate | undefined {
  for (const pattern of patterns) {
    const fields = matchPattern(pattern, text);
    if (fields) return dateOf(fields);
  }
  return undefined;
}

type ParsedFields = ReadonlyMap<string, number>;

function matchPattern({ parts }: DatePattern, text: string): ParsedFields | undefined {
  const fields = new Map<string, number>();
  let at = 0;
  for (const [index, part] of parts.entries()) {
    const rest = text.slice(at);
    if (part.kind === "text") {
      const found = rest.slice(0, part.text.length);
      if (found.toLowerCase() !== part.text.toLowerCase()) return undefined;
      at += part.text.length;
      continue;
    }
    const found = matchField(part.letter, part.width, isNumber(parts[index + 1]), rest);
    if (!found) return undefined;
    fields.set(part.letter, found.value);
    at += found.length;
  }
  return at === text.length ? fields : undefined;
}

function isNumber(part: PatternPart | undefined): boolean {
  if (part?.kind !== "field") return false;
  return part.letter === "M" ? part.width <= 2 : NUMBERS.includes(part.letter);
}

interface FoundField {
  readonly value: number;
  readonly length: number;
}

function matchField(
  letter: string,
  width: number,
  isBeforeNumber: boolean,
  rest: string,
): FoundField | undefined {
  if (letter === "Z") return matchOffset(rest);
  if (letter === "a") return matchName(["AM", "PM"], rest, 0);
  if (letter === "M" && width >= 3) {
    return (
      matchName(MONTHS, rest, 1) ??
      matchName(
        MONTHS.map((m) => m.slice(0, 3)),
        rest,
        1,
      )
    );
  }
  const most = letter === "y" ? (isBeforeNumber ? width : 9) : letter === "D" ? 3 : 2;
  const limit = letter === "S" ? width : most;
  const start = letter === "y" && /^[+-]/.test(rest) ? 1 : 0;
  let end = start;
  while (end < start + limit && isDigit(rest.charCodeAt(end))) end += 1;
  if (end === start) return undefined;
  const digits = rest.slice(0, end);
  // A fraction of a second is cut to milliseconds.
  const value = letter === "S" ? Number(digits.padEnd(3, "0").slice(0, 3)) : Number(digits);
  return { value, length: end };
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

function matchName(names: readonly string[], rest: string, first: number): FoundField | undefined {
  const lower = rest.toLowerCase();
  const at = names.findIndex((name) => lower.startsWith(name.toLowerCase()));
  return at < 0 ? undefined : { value: at + first, length: (names[at] as string).length };
}

function matchOffset(rest: string): FoundField | undefined {
  if (/^z/i.test(rest)) return { value: 0, length: 1 };
  const found =
    /^([+-])(\d\d):([0-5]\d)(?::([0-5]\d))?/.exec(rest) ??
    /^([+-])(\d\d)(?:([0-5]\d)([0-5]\d)?)?/.exec(rest);
  if (!found || Number(found[2]) > 23) return undefined;
  const [text, sign, hours, minutes = 0, seconds = 0] = found;
  const ms = (Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds)) * 1000;
  return { value: sign === "-" ? -ms : ms, length: text.length };
}

function dateOf(fields: ParsedFields): ParsedDate | undefined {
  const get = (letter: string, otherwise: number): number => fields.get(letter) ?? otherwise;
  const year = get("y", 1970);
  if (Math.abs(year) > LAST_YEAR) return undefined;
  const month = get("M", 1);
  if (month < 1 || month > 12) return undefined;
  const day = get("d", 1);
  if (day < 1 || day > daysInMonth(year, month)) return undefined;
  const dayOfYear = get("D", 1);
  const yearDays = epochOfDay({ year: year + 1, month: 1, day: 1 });
  const first = epochOfDay({ year, month, day });
  if (dayOfYear < 1 || first + dayOfYear - 1 >= yearDays) return undefined;
  const inDay = timeOf(fields);
  if (inDay === undefined) return undefined;
  return { localMs: (first + dayOfYear - 1) * DAY_MS + inDay, offsetMs: fields.get("Z") };
}

/** Milliseconds since midnight; undefined for a time that there is not. */
function timeOf(fields: ParsedFields): number | undefined {
  const limits: readonly (readonly [string, number, number])[] = [
    ["H", 0, 23],
    ["k", 1, 24],
    ["K", 0, 11],
    ["h", 1, 12],
    ["m", 0, 59],
    ["s", 0, 59],
  ];
  for (const [letter, least, greatest] of limits) {
    const value = fields.get(letter);
    if (value !== undefined && (value < least || value > greatest)) return undefined;
  }
  const half = (fields.get("K") ?? fields.get("h") ?? 0) % 12;
  const whole = fields.get("H") ?? fields.get("k");
  const isAfternoon = fields.get("a");
  const base = whole === undefined ? half : whole % 24;
  // A half of the day that is told moves an hour of 24 there as well.
  const hour = isAfternoon === undefined ? base : (base % 12) + 12 * isAfternoon;
  const seconds = hour * 3600 + (fields.get("m") ?? 0) * 60 + (fields.get("s") ?? 0);
  return seconds * 1000 + (fields.get("S") ?? 0);
}
