// Cuts the text of `--where` into tokens, each with its place.
import { UsageError } from "./usage-error.ts";

/** A token; `at` counts characters from 0. */
export interface WhereToken {
  readonly kind: "name" | "word" | "text" | "number" | "symbol" | "end";
  /** The name or text without its quotes, a word in lower case, digits or a symbol as written. */
  readonly value: string;
  /** As it stands in the filter, for messages. */
  readonly source: string;
  readonly at: number;
}

/** Words that are no column names; such a column is written in double quotes. */
export const WHERE_WORDS: ReadonlySet<string> = new Set([
  "and",
  "or",
  "not",
  "in",
  "like",
  "is",
  "null",
  "between",
  "true",
  "false",
]);

const TOKEN =
  /\s*(?:(?<word>[A-Za-z_][A-Za-z0-9_]*)|(?<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?<text>'(?:[^']|'')*')|(?<name>"(?:[^"]|"")*"|`[^`]*`)|(?<symbol><=|>=|<>|!=|[=<>(),]))/y;

/** The tokens of a filter, the last of them its end. Throws `UsageError` with the place. */
export function tokenizeWhere(text: string): WhereToken[] {
  const tokens: WhereToken[] = [];
  let at = 0;
  for (;;) {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match) break;
    const token = toToken(match);
    const last = tokens.at(-1);
    if (last?.kind === "number" && match.index + match[0].length - token.source.length === at) {
      if (token.kind !== "symbol" && token.kind !== "text") {
        throw whereError(last.at, `found ${quoteSource(last.source + token.source)}`, "a number");
      }
    }
    tokens.push(token);
    at = TOKEN.lastIndex;
  }
  const rest = text.slice(at).search(/\S/);
  if (rest >= 0) throw unknownCharacter(text, at + rest);
  tokens.push({ kind: "end", value: "", source: "", at: text.length });
  return tokens;
}

function toToken(match: RegExpExecArray): WhereToken {
  const groups = match.groups as Partial<
    Record<"word" | "number" | "text" | "name" | "symbol", string>
  >;
  const end = match.index + match[0].length;
  const source = match[0].trimStart();
  const base = { source, at: end - source.length };
  if (groups.word !== undefined) {
    const lower = groups.word.toLowerCase();
    if (WHERE_WORDS.has(lower)) return { ...base, kind: "word", value: lower };
    return { ...base, kind: "name", value: groups.word };
  }
  if (groups.number !== undefined) return { ...base, kind: "number", value: groups.number };
  if (groups.text !== undefined) return { ...base, kind: "text", value: unquote(groups.text) };
  if (groups.symbol !== undefined) return { ...base, kind: "symbol", value: groups.symbol };
  const name = unquote(groups.name as string);
  if (name === "") throw whereError(base.at, 'found ""', "a column name");
  return { ...base, kind: "name", value: name };
}

function unquote(quoted: string): string {
  const mark = quoted[0] as string;
  return quoted.slice(1, -1).replaceAll(mark + mark, mark);
}

function unknownCharacter(text: string, at: number): UsageError {
  const char = String.fromCodePoint(text.codePointAt(at) as number);
  if ("'\"`".includes(char)) {
    return whereError(at, `found ${char} that is not closed`, `another ${char} behind it`);
  }
  return whereError(at, `found ${quoteSource(char)}`, "a column, a literal or an operator");
}

/** The error of a filter; people count characters from 1. */
export function whereError(at: number, found: string, expected: string): UsageError {
  return new UsageError(
    `cannot understand --where at character ${at + 1}: ${found}, expected ${expected}`,
  );
}

/** A piece of the filter for a message. */
export function quoteSource(source: string): string {
  return source === "" ? "the end" : JSON.stringify(source);
}
