// Filters evaluated row by row as plainly as can be, and random ones: what real filters are compared with.
import fc from "fast-check";
import type { Field, TableSchema } from "../../src/format/schema.ts";
import type { CompareOperator, Predicate } from "../../src/read/predicate.ts";
import { someValueOf } from "../format/column-samples.ts";

type Truth = true | false | undefined;
export type Row = Readonly<Record<string, unknown>>;

/** What a filter is for one row; undefined is unknown. The plain definition. */
export function evaluate(predicate: Predicate, row: Row): Truth {
  switch (predicate.kind) {
    case "and": {
      const truths = predicate.parts.map((part) => evaluate(part, row));
      return truths.includes(false) ? false : truths.includes(undefined) ? undefined : true;
    }
    case "or": {
      const truths = predicate.parts.map((part) => evaluate(part, row));
      return truths.includes(true) ? true : truths.includes(undefined) ? undefined : false;
    }
    case "not": {
      const truth = evaluate(predicate.part, row);
      return truth === undefined ? undefined : !truth;
    }
    case "is-null":
      return row[predicate.column] === null;
    case "in":
      if (predicate.values.length === 0) return false;
      return evaluate(
        {
          kind: "or",
          parts: predicate.values.map((value) => ({
            kind: "compare",
            column: predicate.column,
            operator: "eq",
            value,
          })),
        },
        row,
      );
    case "like": {
      const text = row[predicate.column];
      return text === null ? undefined : likeMatches([...predicate.pattern], [...(text as string)]);
    }
    case "compare": {
      const value = row[predicate.column];
      if (value === null) return undefined;
      const order = compareValues(value, predicate.value);
      return {
        eq: order === 0,
        ne: order !== 0,
        lt: order < 0,
        lte: order <= 0,
        gt: order > 0,
        gte: order >= 0,
      }[predicate.operator];
    }
  }
}

function compareValues(a: unknown, b: unknown): number {
  if (typeof a === "number" && typeof b === "number") {
    if (Number.isNaN(a) || Number.isNaN(b))
      return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    return Number(a > b) - Number(a < b);
  }
  if (typeof a === "string" && /^-?\d+\.?\d*$/.test(a) && /^-?\d+\.?\d*$/.test(String(b))) {
    const [x, y] = [a, String(b)].map((text) => BigInt(text.replace(".", "")));
    return Number((x as bigint) > (y as bigint)) - Number((x as bigint) < (y as bigint));
  }
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array);
  if (typeof a === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  const [x, y] = [a, b].map((value) => (value instanceof Date ? value.getTime() : value)) as [
    bigint,
    bigint,
  ];
  return Number(x > y) - Number(x < y);
}

function likeMatches(pattern: readonly string[], text: readonly string[]): boolean {
  const [first, ...rest] = pattern;
  if (first === undefined) return text.length === 0;
  if (first === "%") {
    return text.some((_, at) => likeMatches(rest, text.slice(at))) || likeMatches(rest, []);
  }
  return (
    text.length > 0 && (first === "_" || first === text[0]) && likeMatches(rest, text.slice(1))
  );
}

const OPERATORS: readonly CompareOperator[] = ["eq", "ne", "lt", "lte", "gt", "gte"];

/** Values of a field that are often equal: some of the batch's own, and any. */
function literalsOf(field: Field, values: readonly unknown[]): fc.Arbitrary<unknown> {
  const own = values.filter((value) => value !== null);
  return own.length > 0
    ? fc.oneof(fc.constantFrom(...own), someValueOf(field))
    : someValueOf(field);
}

/** Any filter over the columns of a schema; literals are often values that are there. */
export function predicateOver(
  schema: TableSchema,
  columns: Readonly<Record<string, readonly unknown[]>>,
): fc.Arbitrary<Predicate> {
  const leaf = fc.constantFrom(...schema.fields).chain((field): fc.Arbitrary<Predicate> => {
    const column = field.name;
    const literal = literalsOf(field, columns[column] ?? []);
    const leaves: fc.Arbitrary<Predicate>[] = [
      fc.record({
        kind: fc.constant("compare" as const),
        column: fc.constant(column),
        operator: fc.constantFrom(...OPERATORS),
        value: literal,
      }),
      fc.array(literal, { maxLength: 3 }).map((values) => ({ kind: "in", column, values })),
      fc.constant({ kind: "is-null", column }),
    ];
    if (field.type.kind === "string" || field.type.kind === "enum") {
      const pattern = fc.stringMatching(/^[a%_]{0,4}$/);
      leaves.push(pattern.map((text) => ({ kind: "like", column, pattern: text })));
    }
    return fc.oneof(...leaves);
  });
  return fc.letrec<{ any: Predicate }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 3, withCrossShrink: true },
      leaf,
      fc.record({
        kind: fc.constantFrom("and" as const, "or" as const),
        parts: fc.array(tie("any") as fc.Arbitrary<Predicate>, { maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant("not" as const), part: tie("any") as fc.Arbitrary<Predicate> }),
    ),
  })).any;
}

/** Columns as rows. */
export function rowsOf(columns: Readonly<Record<string, readonly unknown[]>>): Row[] {
  return Array.from({ length: Object.values(columns)[0]?.length ?? 0 }, (_, row) =>
    Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values[row]])),
  );
}
