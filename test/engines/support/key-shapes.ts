// Shapes of the matrix that differ in their key generator: several key and partition columns, points
// in time, fields of structs.

import type { Fields, TimestampPartition } from "../../../src/index.ts";
import { makeEdgeRow } from "./edge-rows.ts";
import type { EngineRow, EngineValue } from "./engine-rows.ts";
import { type MakeRow, manyCommits, type Shape, shape, twoCommits } from "./shape-builder.ts";

const REGIONS = ["north", "us west", "ü é", null, "10%"];
const HOSTILE_REGIONS = ["x/y", "a=b%c", "a:b,c:d", null, "%2F", "{x}[y]^~"];
const DAYS = ["2024-02-29", "1969-12-31", null];
const TIMES = [1_709_164_800_123n, 0n, -1n, 1_709_251_199_999n, null, 1_731_000_000_000n];

/** Rows of which each column goes through its values. */
function spread(columns: Readonly<Record<string, readonly EngineValue[]>>): MakeRow {
  return (index, at, change = {}) => {
    const values = Object.entries(columns).map(([name, all]) => [
      name,
      all[index % all.length] ?? null,
    ]);
    return makeEdgeRow(index, at, { ...Object.fromEntries(values), ...change });
  };
}

const TWO_KEYS = ["id", "region"] as const;
const TWO_PARTITIONS = { recordKey: ["id", "flag"], partitionBy: ["region", "day"] } as const;
const inTwo = spread({ region: REGIONS, day: DAYS });

const BY_DAY: TimestampPartition = {
  field: "big",
  type: "EPOCHMILLISECONDS",
  outputFormat: "yyyy/MM/dd",
};

/** Without slashes, which Spark does not read beside another partition column. */
const BY_MOMENT: TimestampPartition = {
  field: "moment",
  type: "SCALAR",
  unit: "MICROSECONDS",
  outputFormat: "yyyyMMdd",
};
const MOMENTS = [1_709_164_800_123_456n, 0n, 1_709_251_199_999_999n, null, 1_731_000_000_000_000n];

/** Null counts as the first millisecond of 1970. */
function dayFolder({ big }: EngineRow): string {
  const day = new Date(Number(big ?? 1n)).toISOString().slice(0, 10);
  return day.replaceAll("-", "/");
}

const NESTED_FIELDS: Fields = {
  user: "struct<id:string,name:string?>",
  region: "string?",
  at: "long",
  note: "string?",
};

function makeNestedRow(index: number, version: bigint): EngineRow {
  const user = { id: `u:${index},é`, name: index % 2 === 0 ? null : `name ${index}` };
  const region = REGIONS[index % REGIONS.length] ?? null;
  return { user: JSON.stringify(user), region, at: version, note: `note ${index}` };
}

/** Every shape of a key generator. */
export const KEY_SHAPES: readonly Shape[] = [
  shape({
    name: "complex_key",
    isCore: true,
    table: { recordKey: TWO_KEYS },
    steps: manyCommits(spread({ region: [...REGIONS, "", "a:b,c:d"] })),
  }),
  shape({
    name: "complex_key_bucket_index",
    table: { recordKey: TWO_KEYS, index: { kind: "bucket", buckets: 4 } },
    steps: manyCommits(spread({ region: [...REGIONS, ""] })),
  }),
  shape({
    name: "two_partition_columns_hive_style",
    isCore: true,
    table: { ...TWO_PARTITIONS, hiveStyle: true },
    steps: manyCommits(inTwo),
  }),
  shape({
    name: "two_partition_columns_plain",
    table: TWO_PARTITIONS,
    steps: manyCommits(inTwo),
  }),
  shape({
    name: "two_partition_columns_url_encoded",
    table: { ...TWO_PARTITIONS, hiveStyle: true, urlEncode: true },
    steps: manyCommits(spread({ region: HOSTILE_REGIONS, day: DAYS })),
  }),
  shape({
    name: "two_partition_columns_global_bloom",
    table: { ...TWO_PARTITIONS, hiveStyle: true, index: { kind: "global-bloom" } },
    steps: manyCommits(inTwo),
  }),
  shape({
    name: "single_field_complex_key",
    table: { recordKey: "id", partitionBy: ["region", "flag"], hiveStyle: true },
    steps: manyCommits(spread({ region: REGIONS })),
  }),
  shape({
    name: "timestamp_folders",
    isCore: true,
    table: { partitionBy: BY_DAY },
    steps: manyCommits(spread({ big: TIMES })),
    folderOf: dayFolder,
  }),
  shape({
    name: "custom_folders",
    table: { recordKey: TWO_KEYS, partitionBy: ["region", BY_MOMENT] },
    steps: manyCommits(spread({ region: REGIONS, moment: MOMENTS })),
    folderOf: ({ region, moment }) => {
      const ms = moment === null || moment === undefined ? 0n : BigInt(moment) / 1000n;
      return `${region ?? ""}/${new Date(Number(ms)).toISOString().slice(0, 10)}`;
    },
  }),
  shape({
    name: "nested_key",
    fields: NESTED_FIELDS,
    table: { recordKey: "user.id", partitionBy: "region", hiveStyle: true },
    steps: twoCommits(makeNestedRow),
  }),
];
