// The members of a JSON object as the text they stand in, so that nothing of them is lost before they
// are decoded. Rules: spec/protocol/ingest.md, ING-2.

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;

/**
 * The raw text of each member of an object; of members of one name the last counts. Throws
 * `SyntaxError` where the text is no object; whether the members themselves are JSON shows when they
 * are parsed.
 */
export function splitJsonMembers(text: string): Map<string, string> {
  const members = new Map<string, string>();
  let at = skipSpace(text, 0);
  if (text[at] !== "{") throw unexpected(at);
  at = skipSpace(text, at + 1);
  if (text[at] === "}") return requireEnd(text, at + 1, members);
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) throw unexpected(at);
    const nameEnd = findTextEnd(text, at);
    const name = JSON.parse(text.slice(at, nameEnd)) as string;
    at = skipSpace(text, nameEnd);
    if (text.charCodeAt(at) !== COLON) throw unexpected(at);
    const start = skipSpace(text, at + 1);
    const end = findValueEnd(text, start);
    if (end === start) throw unexpected(start);
    members.set(name, text.slice(start, end));
    at = skipSpace(text, end);
    if (text[at] === "}") return requireEnd(text, at + 1, members);
    if (text.charCodeAt(at) !== COMMA) throw unexpected(at);
    at = skipSpace(text, at + 1);
  }
}

function requireEnd(text: string, from: number, members: Map<string, string>): Map<string, string> {
  const at = skipSpace(text, from);
  if (at < text.length) throw unexpected(at);
  return members;
}

function skipSpace(text: string, from: number): number {
  let at = from;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return at;
    at += 1;
  }
}

/** The place behind the closing quote of the text that begins at `from`. */
function findTextEnd(text: string, from: number): number {
  let end = text.indexOf('"', from + 1);
  while (end >= 0) {
    let slashes = 0;
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH) slashes += 1;
    // A quote behind an odd number of backslashes belongs to the text.
    if (slashes % 2 === 0) return end + 1;
    end = text.indexOf('"', end + 1);
  }
  throw unexpected(text.length);
}

function findValueEnd(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = findTextEnd(text, at);
      if (depth === 0) return at;
      continue;
    }
    const folded = code | 0x20;
    // [ and { differ in this bit alone, as ] and } do; no other character of JSON folds to either.
    if (folded === 0x7b) {
      depth += 1;
    } else if (folded === 0x7d) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (code === COMMA || code <= 0x20)) {
      return at;
    }
    at += 1;
  }
  if (depth > 0) throw unexpected(at);
  return at;
}

function unexpected(at: number): SyntaxError {
  return new SyntaxError(`unexpected text or end at character ${at}`);
}
