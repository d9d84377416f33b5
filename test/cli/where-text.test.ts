import { describe, expect, test } from "vitest";
import { UsageError } from "../../src/cli/usage-error.ts";
import { bindWhere } from "../../src/cli/where-binding.ts";
import { parseWhereText } from "../../src/cli/where-text.ts";
import { isHudiError } from "../../src/errors.ts";
import { createTableSchema } from "../../src/format/schema.ts";
import type { Predicate } from "../../src/read/predicate.ts";

const schema = createTableSchema("trips_record", {
  id: "long",
  city: "string?",
  fare: "decimal(10,2)?",
  n: "int?",
  d: "double?",
  ok: "boolean?",
  day: "date?",
  ts: "timestamp-micros?",
  order: "int?",
  In: "int?",
});

const bind = (text: string): Predicate => bindWhere(parseWhereText(text), schema);

function compare(column: string, operator: string, value: unknown): unknown {
  return { kind: "compare", column, operator, value };
}

function failureOf(run: () => unknown): Error {
  try {
    run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

describe("a filter", () => {
  test.each([
    ["n = 1", compare("n", "eq", 1)],
    ["n != 1", compare("n", "ne", 1)],
    ["n <> -1", compare("n", "ne", -1)],
    ["n<1", compare("n", "lt", 1)],
    ["n <= 1", compare("n", "lte", 1)],
    ["n>+1", compare("n", "gt", 1)],
    ["n >= 1", compare("n", "gte", 1)],
    ["1 < n", compare("n", "gt", 1)],
    ["id = 9007199254740993", compare("id", "eq", 9007199254740993n)],
    ["d = 1.5e3", compare("d", "eq", 1500)],
    ["d = .5", compare("d", "eq", 0.5)],
    ["d = 'NaN'", compare("d", "eq", Number.NaN)],
    ["fare >= 12.5", compare("fare", "gte", "12.5")],
    ["fare = '12.50'", compare("fare", "eq", "12.50")],
    ["ok = TRUE", compare("ok", "eq", true)],
    ["day > '2024-02-29'", compare("day", "gt", new Date("2024-02-29T00:00:00Z"))],
    ["ts > '2024-01-01'", compare("ts", "gt", 1_704_067_200_000_000n)],
    ["city = 'it''s'", compare("city", "eq", "it's")],
    ["city = 'a\" ( and'", compare("city", "eq", 'a" ( and')],
    ["city = ''", compare("city", "eq", "")],
    ['"order" = 2', compare("order", "eq", 2)],
    ['"In" = 2', compare("In", "eq", 2)],
    ["`In` = 2", compare("In", "eq", 2)],
    ["_hoodie_commit_time > '2024'", compare("_hoodie_commit_time", "gt", "2024")],
    ["city is null", { kind: "is-null", column: "city" }],
    ["city IS NOT NULL", { kind: "not", part: { kind: "is-null", column: "city" } }],
    ["city like 'Os%'", { kind: "like", column: "city", pattern: "Os%" }],
    ["city in ('a','b')", { kind: "in", column: "city", values: ["a", "b"] }],
    ["n not in (1)", { kind: "not", part: { kind: "in", column: "n", values: [1] } }],
  ])("%s has its meaning (CLI-14, CLI-15)", (text, predicate) => {
    expect(bind(text)).toEqual(predicate);
  });

  test("and binds closer than or, not closer than and (CLI-14)", () => {
    const one = compare("n", "eq", 1);
    const two = compare("n", "eq", 2);
    const three = compare("n", "eq", 3);
    expect(bind("n = 1 or not n = 2 and n = 3")).toEqual({
      kind: "or",
      parts: [one, { kind: "and", parts: [{ kind: "not", part: two }, three] }],
    });
    expect(bind("not (n = 1 or n = 2) and n = 3")).toEqual({
      kind: "and",
      parts: [{ kind: "not", part: { kind: "or", parts: [one, two] } }, three],
    });
  });

  test("between is two comparisons, and the and behind it belongs outside (CLI-14)", () => {
    expect(bind("n between 1 and 2 and n = 3")).toEqual({
      kind: "and",
      parts: [
        { kind: "and", parts: [compare("n", "gte", 1), compare("n", "lte", 2)] },
        compare("n", "eq", 3),
      ],
    });
  });

  test.each([
    ["", "character 1: found the end, expected a column"],
    ["n", "character 2: found the end, expected an operator"],
    ["n = ", "character 5: found the end, expected a literal"],
    ["n == 1", 'character 4: found "=", expected a literal'],
    ["city = Oslo", 'character 8: found "Oslo", expected a literal: text stands in single quotes'],
    ["city = null", 'character 8: found "null", expected a literal: null is found with is null'],
    ["city = 'Oslo", "character 8: found ' that is not closed"],
    ["n = 1 n = 2", 'character 7: found "n", expected and, or, or the end'],
    ["(n = 1", "character 7: found the end, expected and, or, or )"],
    ["n = 1)", 'character 6: found ")", expected and, or, or the end'],
    ["n in 1", 'character 6: found "1", expected ( and a list of literals'],
    ["n in ()", 'character 7: found ")", expected a literal'],
    ["n in (1 2)", 'character 9: found "2", expected , or )'],
    ["n not = 1", 'character 7: found "=", expected in, like or between'],
    ["n is 1", 'character 6: found "1", expected null or not null'],
    ["city like 5", 'character 11: found "5", expected a pattern'],
    ["n = 10abc", 'character 5: found "10abc", expected a number'],
    ["n = 1; drop", 'character 6: found ";"'],
    ["n between 1, 2", 'character 12: found ",", expected and'],
    [
      "like = 1",
      'character 1: found "like", expected a column (one of that name is written in "")',
    ],
    ["not", "character 4: found the end"],
    ["😀 = 1", 'character 1: found "😀"'],
  ])("%j is refused at its place (CLI-3, CLI-14)", (text, message) => {
    const error = failureOf(() => parseWhereText(text));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.message).toContain(`cannot understand --where at ${message}`);
  });

  test("a deep nest is refused before it exhausts the stack (CLI-14)", () => {
    const error = failureOf(() => parseWhereText(`${"(".repeat(10_000)}n = 1`));
    expect(error.message).toContain("found more than 200 levels of nesting");
    expect(() => parseWhereText(`${"not ".repeat(10_000)}n = 1`)).toThrow("levels of nesting");
    expect(() => bind(`${"(".repeat(200)}n = 1${")".repeat(200)}`)).not.toThrow();
    expect(() => bind(Array(5000).fill("(n = 1)").join(" or "))).not.toThrow();
  });

  test.each([
    ["nope = 1", 'character 1: unknown column "nope", expected id, city'],
    ["n = 1 and N = 2", 'character 11: unknown column "N"'],
    [
      "city = 5",
      "character 8: column city is string and found 5, expected a text in single quotes",
    ],
    ["n = 'x'", "character 5: column n is int and found 'x', expected an integer"],
    ["n = 2147483648", "character 5: column n is int and found 2147483648"],
    ["n = 1.5", "character 5: column n is int and found 1.5"],
    ["id = 9223372036854775808", "character 6: column id is long"],
    ["fare = 1.234", "expected digits such as 12.50 with at most 2 behind the point"],
    ["fare = 1e2", "character 8: column fare is decimal(10,2) and found 1e2"],
    ["d = 1e999", "character 5: column d is double"],
    ["ok = 1", "character 6: column ok is boolean and found 1, expected true or false"],
    ["day = '2023-02-29'", "character 7: column day is date"],
    ["ts > 'yesterday'", "character 6: column ts is timestamp-micros"],
    ["n like '1%'", "character 1: column n is int and found like, expected a text column"],
  ])("%j does not fit the table (CLI-15)", (text, message) => {
    const error = failureOf(() => bind(text));
    expect(isHudiError(error, "INVALID")).toBe(true);
    expect(error).not.toBeInstanceOf(UsageError);
    expect(error.message).toContain(message);
  });
});
