// Which types a column may be given instead of its own. Rules: spec/format/evolution.md, EV-2.
import { type ColumnType, isSameType } from "../format/schema.ts";

/** `exact` keeps every value, `inexact` may round or reinterpret some, `none` cannot be. */
export type Widening = "same" | "exact" | "inexact" | "none";

/** Digits of any whole number in 32 and in 64 bits. */
const INT_DIGITS = 10;
const LONG_DIGITS = 19;

/** What becomes of values of one type as values of another. */
export function findWidening(from: ColumnType, to: ColumnType): Widening {
  if (isSameType(from, to)) return "same";
  switch (to.kind) {
    case "long":
      return from.kind === "int" ? "exact" : "none";
    case "float":
      return from.kind === "int" || from.kind === "long" ? "inexact" : "none";
    case "double":
      if (from.kind === "int" || from.kind === "float") return "exact";
      return from.kind === "long" ? "inexact" : "none";
    case "decimal":
      if (from.kind === "int") return to.precision - to.scale >= INT_DIGITS ? "exact" : "none";
      if (from.kind === "long") return to.precision - to.scale >= LONG_DIGITS ? "exact" : "none";
      if (from.kind !== "decimal") return "none";
      return from.scale === to.scale && from.precision < to.precision ? "exact" : "none";
    case "bytes":
      return from.kind === "string" ? "exact" : "none";
    case "string":
      if (from.kind === "bytes") return "inexact";
      return ["int", "long", "date"].includes(from.kind) ? "exact" : "none";
    default:
      return "none";
  }
}
