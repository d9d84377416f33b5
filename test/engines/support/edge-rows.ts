// Rows that cover every type at its edges, nulls and hostile text; what the shapes of the matrix and
// the exchanges with other engines are filled with.

import type { Fields, TableDefinition } from "../../../src/index.ts";
import type { EngineRow } from "./engine-rows.ts";

/** The columns of `makeEdgeRow`: each type, each nullable but the key and the ordering field. */
export const EDGE_FIELDS: Fields = {
  id: "string",
  region: "string?",
  at: "long",
  flag: "boolean?",
  small: "int?",
  big: "long?",
  ratio: "double?",
  day: "date?",
  moment: "timestamp-micros?",
  price: "decimal(10,2)?",
  amount: "decimal(20,4)?",
  note: "string?",
};

/** A table of these columns, ordered by `at`. */
export function defineEdgeTable(
  name: string,
  more: Partial<TableDefinition> = {},
): TableDefinition {
  return {
    name,
    type: "copy-on-write",
    fields: EDGE_FIELDS,
    recordKey: "id",
    orderingField: "at",
    ...more,
  };
}

/** How tables of these columns are partitioned, where they are. */
export const BY_REGION = { partitionBy: "region", hiveStyle: true } as const;

const KEYS: readonly string[] = [
  "plain",
  "with space ",
  "slash/and\\back",
  "colon:comma,equals=",
  "ключ 中 é 🚀",
  "quote \" and '",
  "Plain",
  "__proto__",
  "line\nbreak",
  "100%25",
];
const FLAGS = [true, false, null];
const SMALLS = [2147483647, -2147483648, 0, null, 128];
const BIGS = [9223372036854775807n, -9223372036854775808n, 9007199254740993n, 0n, null, -1n];
const RATIOS = [
  1.7976931348623157e308,
  5e-324,
  "NaN",
  "Infinity",
  "-Infinity",
  -0,
  0,
  0.1,
  null,
  -1.5e-7,
];
// Spark refuses to read older days and moments in a file that does not name Spark as its writer.
const DAYS = ["9999-12-31", "1582-10-15", "1969-12-31", "2024-02-29", null, "1900-01-01"];
const MOMENTS = [
  253402300799999999n,
  -2208988800000000n,
  -1n,
  0n,
  null,
  1709164800123456n,
  1710066601000000n,
];
const PRICES = ["99999999.99", "-99999999.99", "0.00", "-0.01", null, "12345678.90"];
const AMOUNTS = [
  "9999999999999999.9999",
  "-9999999999999999.9999",
  "0.0000",
  "-0.0001",
  "100.0000",
  null,
];
const NOTES = [
  "plain",
  "",
  null,
  "line\nbreak\r\nand\ttab",
  "quote \" ' \\ , ;",
  "ключ 🚀 \u2028 é",
  "__proto__",
  "null",
  "\u0001\u007f",
  "x".repeat(3000),
];

function pick<T>(values: readonly T[], index: number): T {
  return values[index % values.length] as T;
}

/** Row `index` in the version that `at` orders; every tenth has nulls wherever they may be. */
export function makeEdgeRow(index: number, at: bigint, change: EngineRow = {}): EngineRow {
  const id = KEYS[index] ?? `key ${index}`;
  const isBare = index % 10 === 2;
  const values: EngineRow = isBare
    ? Object.fromEntries(
        Object.keys(EDGE_FIELDS)
          .slice(3)
          .map((name) => [name, null]),
      )
    : {
        flag: pick(FLAGS, index),
        small: pick(SMALLS, index),
        big: pick(BIGS, index),
        ratio: pick(RATIOS, index),
        day: pick(DAYS, index),
        moment: pick(MOMENTS, index),
        price: pick(PRICES, index),
        amount: pick(AMOUNTS, index),
        note: pick(NOTES, index),
      };
  return { id, region: null, at, ...values, ...change };
}
