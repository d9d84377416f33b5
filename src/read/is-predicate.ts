// Tells a predicate from a filter by columns.
import type { Predicate } from "./predicate.ts";

/** Whether a filter is a predicate; a column may be named `kind`, so its other parts decide as well. */
export function isPredicate(where: unknown): where is Predicate {
  const filter = (where ?? {}) as Readonly<Record<string, unknown>>;
  const names = typeof filter.column === "string";
  switch (filter.kind) {
    case "and":
    case "or":
      return Array.isArray(filter.parts);
    case "not":
      return typeof filter.part === "object" && filter.part !== null;
    case "compare":
      return names && typeof filter.operator === "string";
    case "in":
      return names && Array.isArray(filter.values);
    case "like":
      return names && typeof filter.pattern === "string";
    case "is-null":
      return names;
    default:
      return false;
  }
}
