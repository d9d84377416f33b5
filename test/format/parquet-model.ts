// One table for the readers of other hands: every type, flat and nested, in row groups and pages that
// hold nulls only, one value only, or hostile ones; and what a footer must say of it.

import { createTableSchema, type Field } from "../../src/format/schema.ts";
import type { Fields } from "../../src/index.ts";

/** A row as the API takes it. */
export type ModelRow = Readonly<Record<string, unknown>>;

/** Each type, required and not, and others inside lists, maps and structs. */
export const MODEL_FIELDS: Fields = {
  id: "string",
  place: "int",
  flag: "boolean?",
  small: "int?",
  big: "long?",
  single: "float?",
  ratio: "double?",
  text: "string?",
  blob: "bytes?",
  day: "date?",
  moment: "timestamp-micros?",
  price: "decimal(9,2)?",
  wide: "decimal(38,10)?",
  repeated: "string",
  nothing: "long?",
  body: "string",
  tags: "list<string?>?",
  points: "list<struct<x:int?,y:double?,on:date?>?>?",
  names: "map<long?>?",
  deep: "struct<a:struct<b:list<list<int?>?>?>?,price:decimal(10,2)?>?",
};

export const MODEL_SCHEMA = createTableSchema("model", MODEL_FIELDS);

const TEXTS = ["", "a", "é", "～", "🚀", "\u0001", "quote ' \" \\", "x".repeat(200)];
const DAYS = ["0001-01-01", "1969-12-31", "1970-01-01", "2024-02-29", "9999-12-31"];
const SMALLS = [-(2 ** 31), 2 ** 31 - 1, 0, -1, 7];
const BIGS = [-(2n ** 63n), 2n ** 63n - 1n, 0n, -1n, 9007199254740993n];
const MOMENTS = [-62135596800000000n, -1n, 0n, 1709164800123456n, 253402300799999999n];

/** Row `at`. Of every row group of `groupRows` rows the second is null wherever it may be. */
export function modelRow(at: number, groupRows: number): ModelRow {
  const row = { id: `key ${String(at).padStart(6, "0")}`, place: at, repeated: "one", body: "" };
  row.body = `${"abcdefghij".repeat(at % 90)}${at}`;
  const isEmpty = Math.floor(at / groupRows) === 1 || at % 11 === 3;
  if (isEmpty) {
    const names = Object.keys(MODEL_FIELDS).filter((name) => !Object.hasOwn(row, name));
    return { ...row, ...Object.fromEntries(names.map((name) => [name, null])) };
  }
  const sign = at % 2 === 0 ? "" : "-";
  return {
    ...row,
    flag: at % 3 === 0,
    small: at % 4 === 0 ? SMALLS[at % 5] : at - 500,
    big: at % 4 === 0 ? BIGS[at % 5] : BigInt(at) * -4_294_967_297n,
    single: Math.fround(at / 8 - 20),
    ratio:
      at < groupRows ? at / 7 - 10 : ([-0, 0, Number.NaN, Number.NEGATIVE_INFINITY][at % 4] ?? 0),
    text: TEXTS[at % TEXTS.length],
    blob: new Uint8Array([at & 0xff, 0, 0xff]),
    day: new Date(`${DAYS[at % 5]}T00:00:00Z`),
    moment: MOMENTS[at % 5],
    price: `${sign}${at % 1000}.${String(at % 100).padStart(2, "0")}`,
    wide: `${sign}1234567890123456789012345678.${String(at).padStart(10, "0")}`,
    nothing: null,
    ...modelNested(at),
  };
}

function modelNested(at: number): ModelRow {
  switch (at % 4) {
    case 0:
      return { tags: [], points: [], names: {}, deep: { a: null, price: null } };
    case 1:
      return { tags: [null, "a", null], points: [null], names: { k: null }, deep: null };
    case 2:
      return { tags: null, points: null, names: null, deep: { a: { b: null }, price: "1.00" } };
    default:
      return {
        tags: [`t${at}`, "é \"'"],
        points: [
          { x: at, y: at / 4, on: new Date("2024-02-29T00:00:00Z") },
          { x: null, y: null, on: null },
        ],
        names: { a: BigInt(at), b: -9007199254740993n },
        deep: { a: { b: [[1, null, at], [], null] }, price: `-${at % 100}.25` },
      };
  }
}

/** What a chunk states of a flat column: the least and the greatest value of its rows, texts cut short. */
export interface ModelBounds {
  readonly nullCount: number;
  /** Absent where there is no value, or where one is NaN. */
  readonly bounds?: readonly [least: unknown, greatest: unknown];
}

/** The statistics that a chunk of these rows must state of a flat column. */
export function modelBounds(rows: readonly ModelRow[], { name, type }: Field): ModelBounds {
  const values = rows.map((row) => row[name]).filter((value) => value !== null);
  const nullCount = rows.length - values.length;
  if (values.length === 0 || values.some((value) => Number.isNaN(value))) return { nullCount };
  const sorted = values.toSorted((a, b) => compareValues(type.kind, a, b));
  const [least, greatest] = [sorted[0], sorted.at(-1)];
  if (type.kind !== "string") return { nullCount, bounds: [least, greatest] };
  return { nullCount, bounds: [String(least).slice(0, CUT), cutGreatest(String(greatest))] };
}

/** Texts of ASCII are cut to so many characters. */
const CUT = 64;

/** The beginning of a text, whose last character is made the next one where something was cut off. */
function cutGreatest(text: string): string {
  if (text.length <= CUT) return text;
  return text.slice(0, CUT - 1) + String.fromCharCode(text.charCodeAt(CUT - 1) + 1);
}

/** The order of the type; a negative zero stands before a zero. */
function compareValues(kind: Field["type"]["kind"], a: unknown, b: unknown): number {
  if (kind === "string") return Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)));
  if (kind === "bytes") return Buffer.compare(a as Uint8Array, b as Uint8Array);
  const [left, right] = [comparable(kind, a), comparable(kind, b)];
  if (left === 0 && right === 0) return Number(Object.is(right, -0)) - Number(Object.is(left, -0));
  return left < right ? -1 : left > right ? 1 : 0;
}

function comparable(kind: Field["type"]["kind"], value: unknown): number | bigint {
  if (kind === "decimal") return BigInt(String(value).replace(".", ""));
  return value instanceof Date ? value.getTime() : (value as number | bigint);
}
