// Times of a day as text and as numbers since midnight. Rules: spec/format/schema.md, SC-3.

/** Units of a day. */
export const DAY_UNITS = { millis: 86_400_000, micros: 86_400_000_000 } as const;

const TIME = /^([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?$/;

/**
 * Units since midnight of a text `HH:mm:ss` with an optional fraction; undefined for a text that is no
 * time of a day, or more exact than the unit.
 */
export function parseTimeOfDay(text: string, unit: keyof typeof DAY_UNITS): number | undefined {
  const match = TIME.exec(text);
  if (!match) return undefined;
  const [, hour, minute, second, fraction = ""] = match;
  const digits = unit === "millis" ? 3 : 6;
  if (Number(fraction.slice(digits)) !== 0) return undefined;
  const seconds = Number(hour) * 3600 + Number(minute) * 60 + Number(second);
  return seconds * 10 ** digits + Number(fraction.slice(0, digits).padEnd(digits, "0"));
}

/** The text of a time of a day, with all digits of its unit; what lies outside the day is digits. */
export function formatTimeOfDay(value: number | bigint, unit: keyof typeof DAY_UNITS): string {
  const units = Number(value);
  if (units < 0 || units >= DAY_UNITS[unit]) return String(value);
  const digits = unit === "millis" ? 3 : 6;
  const scale = 10 ** digits;
  const seconds = Math.floor(units / scale);
  const two = (part: number): string => String(part).padStart(2, "0");
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  return `${clock.map(two).join(":")}.${String(units % scale).padStart(digits, "0")}`;
}
