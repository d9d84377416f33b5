// Days and dates of the proleptic Gregorian calendar, counted by hand, because days reach further than
// a `Date` does.

/** A day of the calendar; `month` and `day` begin with 1. */
export interface CalendarDay {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** The day so many days after 1970-01-01. */
export function dayOfEpoch(daysSinceEpoch: number): CalendarDay {
  // Days of the era of 400 years that begins with March of year 0: leap days come last in a year.
  const days = daysSinceEpoch + 719_468;
  const era = Math.floor(days / 146_097);
  const dayOfEra = days - era * 146_097;
  const leapDays =
    Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + (yearOfEra >> 2) - Math.floor(yearOfEra / 100));
  const month = Math.floor((5 * dayOfYear + 2) / 153);
  return {
    year: era * 400 + yearOfEra + (month >= 10 ? 1 : 0),
    month: ((month + 2) % 12) + 1,
    day: dayOfYear - Math.floor((153 * month + 2) / 5) + 1,
  };
}

/** Days since 1970-01-01 of a day of the calendar. */
export function epochOfDay({ year, month, day }: CalendarDay): number {
  const shifted = month > 2 ? year : year - 1;
  const era = Math.floor(shifted / 400);
  const yearOfEra = shifted - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + (yearOfEra >> 2) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** How many days a month has. */
export function daysInMonth(year: number, month: number): number {
  const next = month === 12 ? { year: year + 1, month: 1 } : { year, month: month + 1 };
  return epochOfDay({ ...next, day: 1 }) - epochOfDay({ year, month, day: 1 });
}
