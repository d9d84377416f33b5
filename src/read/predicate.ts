// Filter expressions: on rows in columns, on partition values, and on column statistics.
// Three-valued as in SQL: a comparison with null is unknown, and only true rows are kept.
// Rules: spec/format/predicates.md, PR-1 to PR-5.
import { HudiError } from "../errors.ts";
import {
  createOrderingComparator,
  isReal,
  type OrderingComparator,
} from "../file-group/record-merger.ts";
import { type Column, type ColumnBatch, isPresent, requireColumn } from "../format/column-batch.ts";
import { createColumnBuilder } from "../format/column-builder.ts";
import { type Field, isText, requireField, type TableSchema } from "../format/schema.ts";

export type CompareOperator = "eq" | "ne" | "lt" | "lte" | "gt" | "gte";

/** A filter over named columns. Values are those that rows have. */
export type Predicate =
  | {
      readonly kind: "compare";
      readonly column: string;
      readonly operator: CompareOperator;
      readonly value: unknown;
    }
  | { readonly kind: "in"; readonly column: string; readonly values: readonly unknown[] }
  | { readonly kind: "is-null"; readonly column: string }
  | { readonly kind: "like"; readonly column: string; readonly pattern: string }
  | { readonly kind: "and" | "or"; readonly parts: readonly Predicate[] }
  | { readonly kind: "not"; readonly part: Predicate };

const OPERATORS: readonly CompareOperator[] = ["eq", "ne", "lt", "lte", "gt", "gte"];

/**
 * The filter that a `where` object means: a value for equality (null for "is null"), or an object
 * of `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in`; all of them must hold. Throws `INVALID`.
 */
export function parseWhere(where: Readonly<Record<string, unknown>>): Predicate | undefined {
  const parts = Object.entries(where).flatMap(([column, test]) => parseTest(column, test));
  if (parts.length === 0) return undefined;
  return parts.length === 1 ? parts[0] : { kind: "and", parts };
}

function parseTest(column: string, test: unknown): Predicate[] {
  if (test === undefined) return [];
  if (test === null) return [{ kind: "is-null", column }];
  if (typeof test !== "object" || test instanceof Date || test instanceof Uint8Array) {
    return [{ kind: "compare", column, operator: "eq", value: test }];
  }
  return Object.entries(test).map(([name, value]): Predicate => {
    if (name === "in" && Array.isArray(value)) return { kind: "in", column, values: value };
    const operator = OPERATORS.find((known) => known === name);
    if (!operator) {
      throw new HudiError(
        "INVALID",
        `cannot filter on column ${column}: found ${name}, expected one of ${OPERATORS.join(", ")}, in`,
      );
    }
    if (value === null) {
      const isNull: Predicate = { kind: "is-null", column };
      if (operator === "eq") return isNull;
      if (operator === "ne") return { kind: "not", part: isNull };
    }
    return { kind: "compare", column, operator, value };
  });
}

/** The columns that a filter looks at. */
export function predicateColumns(predicate: Predicate): Set<string> {
  switch (predicate.kind) {
    case "and":
    case "or":
      return new Set(predicate.parts.flatMap((part) => [...predicateColumns(part)]));
    case "not":
      return predicateColumns(predicate.part);
    default:
      return new Set([predicate.column]);
  }
}

const FALSE = 0;
const TRUE = 1;
const UNKNOWN = 2;

/** A filter made ready for one schema: literals are checked once. */
export class BoundPredicate {
  readonly columns: ReadonlySet<string>;
  readonly #evaluate: (batch: ColumnBatch) => Uint8Array;
  readonly #mayMatch: (bounds: BoundsOf) => boolean;

  /** Throws `INVALID` for a column that is not there or a literal of another type. */
  constructor(predicate: Predicate, schema: TableSchema) {
    this.columns = predicateColumns(predicate);
    const bound = bind(predicate, schema);
    this.#evaluate = bound.evaluate;
    this.#mayMatch = bound.mayMatch;
  }

  /** The rows for which the filter is true. */
  select(batch: ColumnBatch): Int32Array {
    const truth = this.#evaluate(batch);
    const rows = new Int32Array(batch.rowCount);
    let count = 0;
    for (let row = 0; row < batch.rowCount; row += 1) {
      if (truth[row] === TRUE) {
        rows[count] = row;
        count += 1;
      }
    }
    return rows.subarray(0, count);
  }

  /** Whether rows within these bounds may satisfy the filter; false is certain. */
  mayMatch(bounds: BoundsOf): boolean {
    return this.#mayMatch(bounds);
  }
}

/**
 * What is known of a column: its least and greatest value as two rows of a column, and whether it
 * may hold nulls. Undefined: nothing is known.
 */
export interface ColumnBounds {
  /** Row 0 is the least, row 1 the greatest value; absent when every value is null. */
  readonly extremes: Column | undefined;
  readonly mayHoldNulls: boolean;
}
export type BoundsOf = (column: string) => ColumnBounds | undefined;

interface Bound {
  readonly evaluate: (batch: ColumnBatch) => Uint8Array;
  /** Whether the predicate may be true somewhere. */
  readonly mayMatch: (bounds: BoundsOf) => boolean;
  /** Whether its negation may be true somewhere. */
  readonly mayFail: (bounds: BoundsOf) => boolean;
}

function bind(predicate: Predicate, schema: TableSchema): Bound {
  switch (predicate.kind) {
    case "and":
      return bindAll(
        predicate.parts.map((part) => bind(part, schema)),
        FALSE,
      );
    case "or":
      return bindAll(
        predicate.parts.map((part) => bind(part, schema)),
        TRUE,
      );
    case "not": {
      const part = bind(predicate.part, schema);
      return {
        evaluate: (batch) => part.evaluate(batch).map((t) => (t === UNKNOWN ? UNKNOWN : 1 - t)),
        mayMatch: part.mayFail,
        mayFail: part.mayMatch,
      };
    }
    case "is-null": {
      const { name } = requireField(schema, predicate.column);
      return {
        evaluate: (batch) => {
          const column = requireColumn(batch, name);
          return Uint8Array.from({ length: batch.rowCount }, (_, row) =>
            isPresent(column, row) ? FALSE : TRUE,
          );
        },
        mayMatch: (bounds) => bounds(name)?.mayHoldNulls ?? true,
        mayFail: (bounds) => {
          const known = bounds(name);
          return known === undefined || known.extremes !== undefined;
        },
      };
    }
    case "like":
      return bindLike(requireField(schema, predicate.column), predicate.pattern);
    case "in": {
      const parts = predicate.values.map((value) =>
        bindCompare(requireField(schema, predicate.column), "eq", value),
      );
      return parts.length > 0 ? bindAll(parts, TRUE) : constant(FALSE);
    }
    case "compare":
      return bindCompare(
        requireField(schema, predicate.column),
        predicate.operator,
        predicate.value,
      );
  }
}

function constant(truth: number): Bound {
  return {
    evaluate: (batch) => new Uint8Array(batch.rowCount).fill(truth),
    mayMatch: () => truth === TRUE,
    mayFail: () => truth === FALSE,
  };
}

/** `and` stops at FALSE, `or` at TRUE; otherwise one unknown makes the whole unknown. */
function bindAll(parts: readonly Bound[], decisive: number): Bound {
  const every = (test: (part: Bound) => boolean): boolean => parts.every(test);
  const some = (test: (part: Bound) => boolean): boolean => parts.some(test);
  const isAnd = decisive === FALSE;
  return {
    evaluate(batch) {
      const result = new Uint8Array(batch.rowCount).fill(1 - decisive);
      for (const part of parts) {
        const truth = part.evaluate(batch);
        for (let row = 0; row < result.length; row += 1) {
          if (result[row] === decisive) continue;
          if (truth[row] === decisive || truth[row] === UNKNOWN) result[row] = truth[row] as number;
        }
      }
      return result;
    },
    mayMatch: (bounds) =>
      isAnd ? every((part) => part.mayMatch(bounds)) : some((part) => part.mayMatch(bounds)),
    mayFail: (bounds) =>
      isAnd ? some((part) => part.mayFail(bounds)) : every((part) => part.mayFail(bounds)),
  };
}

function bindCompare(field: Field, operator: CompareOperator, value: unknown): Bound {
  const literal = literalColumn(field, value);
  const holds = OPERATOR_TESTS[operator];
  const range = (bounds: BoundsOf, may: (least: number, greatest: number) => boolean): boolean => {
    const known = bounds(field.name);
    if (!known) return true;
    if (!known.extremes) return false;
    const compare = createFilterComparator(known.extremes, literal, field);
    return may(compare(0, 0), compare(1, 0));
  };
  return {
    evaluate(batch) {
      const column = requireColumn(batch, field.name);
      const compare = createFilterComparator(column, literal, field);
      const truth = new Uint8Array(batch.rowCount);
      for (let row = 0; row < truth.length; row += 1) {
        truth[row] = isPresent(column, row) ? (holds(compare(row, 0)) ? TRUE : FALSE) : UNKNOWN;
      }
      return truth;
    },
    mayMatch: (bounds) => range(bounds, RANGE_TESTS[operator]),
    mayFail: (bounds) => range(bounds, RANGE_TESTS[OPPOSITE[operator]]),
  };
}

/** Filters take -0 and 0 for equal, as SQL does; NaN is equal to itself and the greatest. */
function createFilterComparator(
  stored: Column,
  literal: Column,
  { type }: Field,
): OrderingComparator {
  if (!isReal(stored) || !isReal(literal)) {
    return createOrderingComparator(stored, literal, type.kind === "fixed");
  }
  const [a, b] = [stored.values, literal.values];
  return (x, y) => {
    const [left, right] = [a[x] as number, b[y] as number];
    if (left < right) return -1;
    if (left > right) return 1;
    return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
  };
}

const OPERATOR_TESTS: Record<CompareOperator, (difference: number) => boolean> = {
  eq: (d) => d === 0,
  ne: (d) => d !== 0,
  lt: (d) => d < 0,
  lte: (d) => d <= 0,
  gt: (d) => d > 0,
  gte: (d) => d >= 0,
};

/** Whether a value between the least and the greatest may pass, each compared with the literal. */
const RANGE_TESTS: Record<CompareOperator, (least: number, greatest: number) => boolean> = {
  eq: (least, greatest) => least <= 0 && greatest >= 0,
  ne: (least, greatest) => least !== 0 || greatest !== 0,
  lt: (least) => least < 0,
  lte: (least) => least <= 0,
  gt: (_, greatest) => greatest > 0,
  gte: (_, greatest) => greatest >= 0,
};

const OPPOSITE: Record<CompareOperator, CompareOperator> = {
  eq: "ne",
  ne: "eq",
  lt: "gte",
  lte: "gt",
  gt: "lte",
  gte: "lt",
};

function literalColumn(field: Field, value: unknown): Column {
  const builder = createColumnBuilder({ ...field, nullable: false });
  try {
    builder.append(value);
  } catch (cause) {
    throw new HudiError("INVALID", `cannot filter on ${(cause as Error).message}`, { cause });
  }
  return builder.finish();
}

/** `%` stands for any text and `_` for one character, as in SQL. */
function bindLike(field: Field, pattern: string): Bound {
  if (!isText(field.type)) {
    throw new HudiError(
      "INVALID",
      `cannot filter on column ${field.name}: like expects a string column`,
    );
  }
  const matches = createLikeMatcher(pattern);
  return {
    evaluate(batch) {
      const column = requireColumn(batch, field.name);
      if (column.layout !== "bytes") return new Uint8Array(batch.rowCount);
      const { offsets } = column;
      const data = Buffer.from(column.data.buffer, column.data.byteOffset, column.data.length);
      return Uint8Array.from({ length: batch.rowCount }, (_, row) => {
        if (!isPresent(column, row)) return UNKNOWN;
        return matches(data.toString("utf8", offsets[row], offsets[row + 1])) ? TRUE : FALSE;
      });
    },
    mayMatch: (bounds) => bounds(field.name)?.extremes !== undefined || !bounds(field.name),
    mayFail: () => true,
  };
}

/** A matcher in linear time for each `%`: no regular expression is made of the pattern. */
function createLikeMatcher(pattern: string): (text: string) => boolean {
  const wanted = [...pattern];
  return (text) => {
    const chars = [...text];
    let at = 0;
    let want = 0;
    let star = -1;
    let retry = 0;
    while (at < chars.length) {
      if (wanted[want] === "%") {
        star = want;
        want += 1;
        retry = at;
      } else if (want < wanted.length && (wanted[want] === "_" || wanted[want] === chars[at])) {
        at += 1;
        want += 1;
      } else if (star >= 0) {
        want = star + 1;
        retry += 1;
        at = retry;
      } else {
        return false;
      }
    }
    while (wanted[want] === "%") want += 1;
    return want === wanted.length;
  };
}
