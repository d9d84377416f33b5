// Parses the text of `--where`: comparisons of columns with literals, `in`, `like`, `between`,
// `is null`, `and`, `or`, `not` and parentheses. Rules: spec/protocol/cli.md, CLI-14 and CLI-15.
import type { CompareOperator } from "../read/predicate.ts";
import { quoteSource, tokenizeWhere, type WhereToken, whereError } from "./where-tokens.ts";

/** A literal as written; its type is that of the column it meets. */
export interface WhereLiteral {
  readonly kind: "text" | "number" | "boolean";
  readonly value: string;
  readonly at: number;
}

/** A column as written. */
export interface WhereColumn {
  readonly name: string;
  readonly at: number;
}

/** A filter whose columns and literals have not met a schema. */
export type WhereExpression =
  | {
      readonly kind: "compare";
      readonly column: WhereColumn;
      readonly operator: CompareOperator;
      readonly literal: WhereLiteral;
    }
  | {
      readonly kind: "in";
      readonly column: WhereColumn;
      readonly literals: readonly WhereLiteral[];
    }
  | { readonly kind: "like"; readonly column: WhereColumn; readonly literal: WhereLiteral }
  | { readonly kind: "is-null"; readonly column: WhereColumn }
  | { readonly kind: "and" | "or"; readonly parts: readonly WhereExpression[] }
  | { readonly kind: "not"; readonly part: WhereExpression };

/** Parses a filter. Throws `UsageError` naming the character. */
export function parseWhereText(text: string): WhereExpression {
  return new WhereParser(text).parse();
}

const OPERATORS: Readonly<Record<string, CompareOperator>> = {
  "=": "eq",
  "!=": "ne",
  "<>": "ne",
  "<": "lt",
  "<=": "lte",
  ">": "gt",
  ">=": "gte",
};

/** The operator that means the same with its sides swapped. */
const SWAPPED: Record<CompareOperator, CompareOperator> = {
  eq: "eq",
  ne: "ne",
  lt: "gt",
  lte: "gte",
  gt: "lt",
  gte: "lte",
};

const MAX_DEPTH = 200;

class WhereParser {
  readonly #tokens: readonly WhereToken[];
  #next = 0;
  #depth = 0;

  constructor(text: string) {
    this.#tokens = tokenizeWhere(text);
  }

  parse(): WhereExpression {
    const expression = this.#parseChain("or");
    if (this.#token.kind !== "end") throw this.#unexpected("and, or, or the end");
    return expression;
  }

  get #token(): WhereToken {
    return this.#tokens[this.#next] as WhereToken;
  }

  #take(): WhereToken {
    const token = this.#token;
    if (token.kind !== "end") this.#next += 1;
    return token;
  }

  #takeIf(kind: WhereToken["kind"], value: string): boolean {
    const { kind: found, value: text } = this.#token;
    if (found !== kind || text !== value) return false;
    this.#next += 1;
    return true;
  }

  #unexpected(expected: string): Error {
    const { at, source } = this.#token;
    return whereError(at, `found ${quoteSource(source)}`, expected);
  }

  #parseChain(word: "or" | "and"): WhereExpression {
    const parsePart = (): WhereExpression =>
      word === "or" ? this.#parseChain("and") : this.#parseNot();
    const parts = [parsePart()];
    while (this.#takeIf("word", word)) parts.push(parsePart());
    return parts.length === 1 ? (parts[0] as WhereExpression) : { kind: word, parts };
  }

  #parseNot(): WhereExpression {
    const { at } = this.#token;
    const isNot = this.#takeIf("word", "not");
    const isGroup = !isNot && this.#takeIf("symbol", "(");
    if (!isNot && !isGroup) return this.#parseTest();
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) {
      throw whereError(at, `found more than ${MAX_DEPTH} levels of nesting`, "fewer");
    }
    const part = isNot ? this.#parseNot() : this.#parseChain("or");
    if (isGroup && !this.#takeIf("symbol", ")")) throw this.#unexpected("and, or, or )");
    this.#depth -= 1;
    return isNot ? { kind: "not", part } : part;
  }

  #parseTest(): WhereExpression {
    const literal = this.#findLiteral();
    if (literal) {
      const operator = SWAPPED[this.#parseOperator("an operator such as =")];
      return { kind: "compare", column: this.#parseColumn(), operator, literal };
    }
    const column = this.#parseColumn();
    if (this.#takeIf("word", "is")) return this.#parseIsNull(column);
    const isNot = this.#takeIf("word", "not");
    const test = this.#parseWordTest(column, isNot);
    return isNot ? { kind: "not", part: test } : test;
  }

  #parseIsNull(column: WhereColumn): WhereExpression {
    const isNot = this.#takeIf("word", "not");
    if (!this.#takeIf("word", "null")) throw this.#unexpected(isNot ? "null" : "null or not null");
    const test: WhereExpression = { kind: "is-null", column };
    return isNot ? { kind: "not", part: test } : test;
  }

  #parseWordTest(column: WhereColumn, isNot: boolean): WhereExpression {
    if (this.#takeIf("word", "in")) return this.#parseIn(column);
    if (this.#takeIf("word", "like")) {
      if (this.#token.kind !== "text")
        throw this.#unexpected("a pattern in single quotes such as 'Os%'");
      return { kind: "like", column, literal: this.#parseLiteral() };
    }
    if (this.#takeIf("word", "between")) {
      const low = this.#parseLiteral();
      if (!this.#takeIf("word", "and")) throw this.#unexpected("and");
      const high = this.#parseLiteral();
      const parts: WhereExpression[] = [
        { kind: "compare", column, operator: "gte", literal: low },
        { kind: "compare", column, operator: "lte", literal: high },
      ];
      return { kind: "and", parts };
    }
    if (isNot) throw this.#unexpected("in, like or between");
    const operator = this.#parseOperator("an operator: = != < <= > >= in like between is");
    return { kind: "compare", column, operator, literal: this.#parseLiteral() };
  }

  #parseIn(column: WhereColumn): WhereExpression {
    if (!this.#takeIf("symbol", "(")) throw this.#unexpected("( and a list of literals");
    const literals = [this.#parseLiteral()];
    while (this.#takeIf("symbol", ",")) literals.push(this.#parseLiteral());
    if (!this.#takeIf("symbol", ")")) throw this.#unexpected(", or )");
    return { kind: "in", column, literals };
  }

  #parseOperator(expected: string): CompareOperator {
    const { kind, value } = this.#token;
    const operator = kind === "symbol" ? OPERATORS[value] : undefined;
    if (!operator) throw this.#unexpected(expected);
    this.#next += 1;
    return operator;
  }

  #parseColumn(): WhereColumn {
    if (this.#token.kind !== "name") {
      const isWord = this.#token.kind === "word";
      throw this.#unexpected(isWord ? 'a column (one of that name is written in "")' : "a column");
    }
    const { value: name, at } = this.#take();
    return { name, at };
  }

  #parseLiteral(): WhereLiteral {
    const literal = this.#findLiteral();
    if (literal) return literal;
    const { kind, value } = this.#token;
    if (kind === "word" && value === "null")
      throw this.#unexpected("a literal: null is found with is null");
    if (kind === "name") throw this.#unexpected("a literal: text stands in single quotes");
    throw this.#unexpected("a literal");
  }

  #findLiteral(): WhereLiteral | undefined {
    const { kind, value, at } = this.#token;
    const isBoolean = kind === "word" && (value === "true" || value === "false");
    if (kind !== "text" && kind !== "number" && !isBoolean) return undefined;
    this.#next += 1;
    return { kind: isBoolean ? "boolean" : (kind as "text" | "number"), value, at };
  }
}
