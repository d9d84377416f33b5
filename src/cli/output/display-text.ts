// Text as a terminal shows it: its width, hostile control characters made visible, and the forms of
// sizes and counts for people.

/** Characters that move the cursor, recolour, or turn the direction of a line. */
const CONTROL = /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

const SHORT_ESCAPES: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** The text with control characters escaped, save those in `keep`. */
export function escapeControls(text: string, keep = ""): string {
  return text.replace(CONTROL, (char) => {
    if (keep.includes(char)) return char;
    const code = char.charCodeAt(0).toString(16).padStart(4, "0");
    return SHORT_ESCAPES[char] ?? `\\u${code}`;
  });
}

const PLAIN = /^[\x20-\x7e]*$/;
const WIDTHLESS = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const WIDE =
  /^[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]$/u;

/** Columns that a text without control characters takes on a terminal. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const char of text) {
    if (WIDTHLESS.test(char)) continue;
    width += WIDE.test(char) ? 2 : 1;
  }
  return width;
}

/** The text, or as much of its beginning as fits before an ellipsis. */
export function cutToWidth(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = "";
  let used = 1;
  for (const char of text) {
    used += displayWidth(char);
    if (used > width) break;
    kept += char;
  }
  return `${kept}…`;
}

const counts = new Intl.NumberFormat("en-US");

/** A count with its thousands apart. */
export function formatCount(count: number | bigint): string {
  return counts.format(count);
}

/** A count with its noun: `1 row`, `2 rows`. */
export function formatNoun(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A size with three digits or so: `812 B`, `4.2 MiB`. */
export function formatSize(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const text = unit === 0 || value >= 99.95 ? value.toFixed(0) : value.toFixed(1);
  return `${text} ${UNITS[unit]}`;
}
