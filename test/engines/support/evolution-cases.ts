// Changes of columns, each with a row from before it and one from after it: what the engines are asked
// to read side by side.
import type { Fields, SchemaChange } from "../../../src/index.ts";
import type { LakeRow } from "./lake-rows.ts";

/** One change. Rows lack the key and the ordering value, which every table has. */
export interface EvolutionCase {
  readonly name: string;
  readonly fields: Fields;
  readonly changes: readonly SchemaChange[];
  readonly old: LakeRow;
  readonly fresh: LakeRow;
  /** The old row as the changed table must show it. */
  readonly shown: LakeRow;
  /** A filter of SQL that the old rows alone pass. */
  readonly filter?: string;
}

const KEY = { id: "string", at: "long" } as const;

/** A column `v` between the key and a last column. */
function middle(
  name: string,
  type: string,
  changes: readonly SchemaChange[],
  values: readonly [old: unknown, fresh: unknown, shown: unknown],
  filter?: string,
): EvolutionCase {
  const [old, fresh, shown] = values;
  return {
    name,
    fields: { ...KEY, v: type, z: "string?" } as Fields,
    changes,
    old: { v: old, z: "old" },
    fresh: { v: fresh, z: "new" },
    shown: { v: shown, z: "old" },
    ...(filter !== undefined && { filter }),
  };
}

const widen = (to: string, inexact?: true): SchemaChange[] => [
  inexact ? { widen: "v", to, inexact } : { widen: "v", to },
];

export const EVOLUTION_CASES: readonly EvolutionCase[] = [
  {
    name: "add_last",
    fields: { ...KEY, v: "int?" },
    changes: [{ add: "n", type: "string?" }],
    old: { v: 1 },
    fresh: { v: 2, n: "x" },
    shown: { v: 1, n: null },
    filter: "n IS NULL",
  },
  {
    name: "add_first",
    fields: { ...KEY, v: "int?" },
    changes: [{ add: "n", type: "string?", first: true }],
    old: { v: 1 },
    fresh: { v: 2, n: "x" },
    shown: { v: 1, n: null },
    filter: "n IS NULL",
  },
  {
    name: "add_between",
    fields: { ...KEY, v: "int?" },
    changes: [{ add: "n", type: "int?", after: "at" }],
    old: { v: 1 },
    fresh: { v: 2, n: 7 },
    shown: { v: 1, n: null },
    filter: "n IS NULL",
  },
  {
    name: "add_nested",
    fields: { ...KEY, v: "int?" },
    changes: [
      { add: "l", type: "list<int?>?" },
      { add: "m", type: "map<string?>?" },
      { add: "s", type: "struct<a:int?>?" },
    ],
    old: { v: 1 },
    fresh: { v: 2, l: [1], m: { k: "x" }, s: { a: 1 } },
    shown: { v: 1, l: null, m: null, s: null },
  },
  {
    name: "move",
    fields: { ...KEY, v: "int?", z: "int?" },
    changes: [{ move: "z", first: true }, { move: "id" }],
    old: { v: 1, z: 10 },
    fresh: { v: 2, z: 20 },
    shown: { v: 1, z: 10 },
    filter: "z = 10",
  },
  {
    name: "drop_between",
    fields: { ...KEY, v: "int?", z: "int?" },
    changes: [{ drop: "v" }],
    old: { v: 1, z: 10 },
    fresh: { z: 20 },
    shown: { z: 10 },
    filter: "z = 10",
  },
  {
    name: "drop_last",
    fields: { ...KEY, v: "int?", z: "int?" },
    changes: [{ drop: "z" }],
    old: { v: 1, z: 10 },
    fresh: { v: 20 },
    shown: { v: 1 },
    filter: "v = 1",
  },
  middle("nullable", "int", [{ nullable: "v" }], [1, null, 1], "v = 1"),
  middle("int_long", "int?", widen("long"), [7, 9_000_000_000n, 7n], "v = 7"),
  middle("int_float", "int?", widen("float", true), [16_777_217, 1.5, 16_777_216], "v > 2"),
  middle("int_double", "int?", widen("double"), [7, 1.5, 7], "v = 7"),
  middle("long_float", "long?", widen("float", true), [7n, 1.5, 7], "v = 7"),
  middle("long_double", "long?", widen("double", true), [7n, 1.5, 7], "v = 7"),
  middle("float_double", "float?", widen("double"), [Math.fround(0.1), 0.1, 0.1], "z = 'old'"),
  middle("int_decimal", "int?", widen("decimal(12,2)"), [7, "7.50", "7.00"], "v = 7"),
  middle("long_decimal", "long?", widen("decimal(25,1)"), [-7n, "7.5", "-7.0"], "v = -7"),
  middle("int_string", "int?", widen("string"), [7, "x", "7"], "v = '7'"),
  middle("long_string", "long?", widen("string"), [-9_000_000_000n, "x", "-9000000000"], "v < '0'"),
  middle("date_string", "date?", widen("string"), ["2020-01-02", "x", "2020-01-02"], "v < '3'"),
  middle(
    "decimal_wider",
    "decimal(8,2)?",
    widen("decimal(12,2)"),
    ["123.45", "1234567890.12", "123.45"],
    "v = 123.45",
  ),
  middle(
    "decimal_widest",
    "decimal(8,2)?",
    widen("decimal(30,2)"),
    ["123.45", "1234567890123456789.12", "123.45"],
    "v = 123.45",
  ),
  middle(
    "decimal_same_bytes",
    "decimal(10,2)?",
    widen("decimal(11,2)"),
    ["123.45", "123456789.12", "123.45"],
    "v = 123.45",
  ),
  middle("string_bytes", "string?", widen("bytes"), [
    "abc",
    new Uint8Array([1, 2]),
    new Uint8Array([97, 98, 99]),
  ]),
  middle(
    "bytes_string",
    "bytes?",
    widen("string", true),
    [new Uint8Array([97, 98]), "xy", "ab"],
    "v = 'ab'",
  ),
  middle(
    "struct_add_last",
    "struct<a:int?>?",
    [{ add: "v.b", type: "string?" }],
    [{ a: 1 }, { a: 2, b: "x" }, { a: 1, b: null }],
    "v.a = 1",
  ),
  middle(
    "struct_add_first",
    "struct<a:int?>?",
    [{ add: "v.b", type: "string?", first: true }],
    [{ a: 1 }, { a: 2, b: "x" }, { a: 1, b: null }],
    "v.a = 1",
  ),
  middle(
    "struct_move",
    "struct<a:int?,b:int?>?",
    [{ move: "v.b", first: true }],
    [
      { a: 1, b: 10 },
      { a: 2, b: 20 },
      { a: 1, b: 10 },
    ],
    "v.a = 1",
  ),
  middle(
    "struct_drop_first",
    "struct<a:int?,b:int?>?",
    [{ drop: "v.a" }],
    [{ a: 1, b: 10 }, { b: 20 }, { b: 10 }],
    "v.b = 10",
  ),
  middle(
    "struct_drop_last",
    "struct<a:int?,b:int?>?",
    [{ drop: "v.b" }],
    [{ a: 1, b: 10 }, { a: 20 }, { a: 1 }],
    "v.a = 1",
  ),
  middle(
    "struct_int_long",
    "struct<a:int?>?",
    [{ widen: "v.a", to: "long" }],
    [{ a: 1 }, { a: 2n }, { a: 1n }],
    "v.a = 1",
  ),
  middle(
    "list_int_long",
    "list<int?>?",
    [{ widen: "v.element", to: "long" }],
    [[1, 2], [3n], [1n, 2n]],
  ),
  middle(
    "list_struct_add",
    "list<struct<a:int?>?>?",
    [{ add: "v.element.b", type: "int?" }],
    [[{ a: 1 }], [{ a: 2, b: 3 }], [{ a: 1, b: null }]],
  ),
  middle(
    "map_int_long",
    "map<int?>?",
    [{ widen: "v.value", to: "long" }],
    [{ k: 1 }, { k: 2n }, { k: 1n }],
  ),
  middle(
    "map_struct_add",
    "map<struct<a:int?>?>?",
    [{ add: "v.value.b", type: "int?" }],
    [{ k: { a: 1 } }, { k: { a: 2, b: 3 } }, { k: { a: 1, b: null } }],
  ),
  {
    name: "ordering_int_long",
    fields: { id: "string", at: "int", v: "int?" },
    changes: [{ widen: "at", to: "long" }],
    old: { at: 1, v: 1 },
    fresh: { at: 9_000_000_000n, v: 2 },
    shown: { at: 1n, v: 1 },
    filter: "at = 1",
  },
];
