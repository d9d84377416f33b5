// The shapes of the matrix: tables that differ in partitioning, types, codec, index, sizes and
// history, each as a definition and a list of writes.

import type { Fields } from "../../../src/index.ts";
import { EDGE_FIELDS, makeEdgeRow } from "./edge-rows.ts";
import type { EngineRow, EngineValue } from "./engine-rows.ts";
import type { WriteStep } from "./expected-table.ts";
import { KEY_SHAPES } from "./key-shapes.ts";
import {
  manyCommits,
  partitioned,
  range,
  type Shape,
  SMALL_BLOOM,
  shape,
  twoCommits,
} from "./shape-builder.ts";

// Without encoding Spark would show `%20` as a blank, and what stands before a `=` not at all.
export const REGIONS = ["north", "us west", "ü é", null, "10%", "a+b&c #1?"];
const HOSTILE_REGIONS = [
  ...["x/y", "a=b%c", "q:\"'*?", "north", "100%25", null, "", "a%20b", "%2F", "a\\b", "{x}[y]^~"],
];
const DAYS = ["2024-02-29", "1969-12-31", "9999-12-31", null];
const BY_REGION = { partitionBy: "region" };

const PARTITIONING: readonly Shape[] = [
  shape({ name: "nonpartitioned", isCore: true, steps: manyCommits(makeEdgeRow) }),
  shape({
    name: "hive_style",
    isCore: true,
    table: { ...BY_REGION, hiveStyle: true },
    steps: manyCommits(partitioned("region", REGIONS)),
  }),
  shape({
    name: "plain_folders",
    table: BY_REGION,
    steps: manyCommits(partitioned("region", REGIONS)),
  }),
  shape({
    name: "hive_style_url_encoded",
    table: { ...BY_REGION, hiveStyle: true, urlEncode: true },
    steps: manyCommits(partitioned("region", HOSTILE_REGIONS)),
  }),
  shape({
    name: "plain_url_encoded",
    table: { ...BY_REGION, urlEncode: true },
    steps: manyCommits(partitioned("region", HOSTILE_REGIONS)),
  }),
  shape({
    name: "partitioned_by_date",
    isCore: true,
    table: { partitionBy: "day", hiveStyle: true },
    steps: manyCommits(partitioned("day", DAYS)),
  }),
  shape({
    name: "plain_date_folders",
    table: { partitionBy: "day" },
    steps: manyCommits(partitioned("day", DAYS)),
  }),
  shape({
    name: "partitioned_by_int",
    table: { partitionBy: "small", hiveStyle: true },
    steps: manyCommits(partitioned("small", [0, -1, 2147483647, null])),
  }),
  shape({
    name: "partitioned_by_boolean",
    table: { partitionBy: "flag", hiveStyle: true },
    steps: manyCommits(partitioned("flag", [true, false, null])),
  }),
  shape({
    name: "partitioned_by_long",
    table: { partitionBy: "big", hiveStyle: true },
    steps: manyCommits(partitioned("big", [0n, -5n, 9223372036854775807n, null])),
  }),
  shape({
    name: "partitioned_by_digits",
    table: { ...BY_REGION, hiveStyle: true },
    steps: manyCommits(partitioned("region", ["1", "01", "1.0", "2024-01-01", "true", "null"])),
  }),
];

// zstd is the codec of every other shape.
const CODECS = ["snappy", "gzip", "uncompressed"] as const;
const CODEC_SHAPES: readonly Shape[] = CODECS.map((codec) =>
  shape({ name: `codec_${codec}`, write: { codec }, steps: manyCommits(makeEdgeRow) }),
);

export const DECIMAL_FIELDS: Fields = {
  id: "string",
  at: "decimal(12,3)",
  digit: "decimal(1,0)?",
  share: "decimal(4,4)?",
  price: "decimal(9,2)",
  sum: "decimal(10,2)?",
  exact: "decimal(18,6)?",
  whole: "decimal(19,0)?",
  wide: "decimal(38,10)",
  widest: "decimal(38,38)?",
};

export function makeDecimalRow(index: number, version: bigint): EngineRow {
  const sign = index % 2 === 0 ? "" : "-";
  const sparse = index % 5 === 4;
  return {
    id: `key ${index}`,
    at: `${version}.250`,
    digit: sparse ? null : `${sign}${(index % 9) + 1}`,
    share: sparse ? null : `${sign}0.${String(index + 1).padStart(4, "0")}`,
    price: `${sign}1234567.${String(index % 100).padStart(2, "0")}`,
    sum: sparse ? null : `${sign}98765432.10`,
    exact: sparse ? null : `${sign}123456789012.000001`,
    whole: sparse ? null : `${sign}9999999999999999999`,
    wide: `${sign}1234567890123456789012345678.000000000${index % 9}`,
    widest: sparse ? null : `${sign}0.${"1".padStart(38, "0")}`,
  };
}

/** Columns of the types that `EDGE_FIELDS` lacks. */
export const NESTED_FIELDS: Fields = {
  id: "string",
  at: "long",
  single: "float?",
  blob: "bytes?",
  price: "decimal(10,2)?",
  tags: "list<string?>?",
  counts: "list<long?>?",
  points: "list<struct<x:int?,y:double?,on:date?>?>?",
  names: "map<long?>?",
  lists: "map<list<int?>?>?",
  deep: "struct<a:struct<b:list<map<string?>?>?>?,flag:boolean?>?",
};

/** No list holds a null: Spark's own upsert of Hudi 0.15 fails on those. */
export function makeNestedRow(index: number, version: bigint): EngineRow {
  const empty = { tags: "[]", counts: "[]", points: "[]", names: "{}", lists: "{}" };
  const nothing = { tags: null, counts: null, points: null, names: null, lists: null, deep: null };
  const n = index * 7 + Number(version);
  const full = {
    tags: `["t${n}","é \\"${index}\\""]`,
    counts: `[${n},-${n},9007199254740991]`,
    points: `[{"x":${n},"y":${index}.5,"on":"2024-02-29"},{"x":null,"y":null,"on":null}]`,
    names: `{"a":${n},"none":null}`,
    lists: `{"l":[${index},${n}],"m":[]}`,
    deep: `{"a":{"b":[{"k":"v${n}","z":null},{}]},"flag":${index % 2 === 0}}`,
  };
  const kinds = [full, { ...empty, deep: '{"a":null,"flag":null}' }, nothing, full];
  return {
    id: `key ${index}`,
    at: version,
    single: index % 3 === 0 ? null : n / 4,
    blob: index % 4 === 0 ? null : Buffer.from([0, 255, index]).toString("base64"),
    price: index % 5 === 0 ? null : `-${index}.25`,
    ...(kinds[index % 4] as EngineRow),
  };
}

export const TIME_FIELDS: Fields = {
  id: "string",
  at: "timestamp-millis",
  moment: "timestamp-millis?",
  clock: "time-micros?",
  clocks: "list<time-micros?>?",
  note: "string?",
};

const CLOCKS = [0n, 86_399_999_999n, null, 43_200_000_001n];

export function makeTimeRow(index: number, version: bigint): EngineRow {
  const moments = [0n, -1_000n, null, 1_709_164_800_123_000n, 253_402_300_799_999_000n];
  return {
    id: `key ${index}`,
    at: 1_700_000_000_000_000n + version * 1000n,
    moment: moments[index % 5] ?? null,
    clock: CLOCKS[index % 4] ?? null,
    clocks: index % 3 === 0 ? null : `[${index},86399999999]`,
    note: `note ${version}`,
  };
}

const SYMBOL_FIELDS: Fields = {
  id: "string",
  at: "long",
  region: "enum(north,south,_x1)?",
  size: "enum(SMALL,LARGE)",
  sizes: "list<enum(A,B)?>?",
  shades: "map<struct<shade:enum(red,green)?,clock:time-millis?>?>?",
  clock: "time-millis?",
};

function makeSymbolRow(index: number, version: bigint): EngineRow {
  const shade = `{"shade":${index % 2 === 0 ? '"red"' : "null"},"clock":${index}}`;
  return {
    id: `key ${index}`,
    at: version,
    region: ["north", "south", "_x1", null][index % 4] ?? null,
    size: index % 2 === 0 ? "SMALL" : "LARGE",
    sizes: index % 5 === 0 ? null : '["A","B"]',
    shades: index % 3 === 0 ? null : `{"k":${shade},"none":null}`,
    clock: [0, 86_399_999, null][index % 3] ?? null,
  };
}

export const REQUIRED_FIELDS: Fields = {
  id: "string",
  at: "timestamp-micros",
  flag: "boolean",
  small: "int",
  big: "long",
  ratio: "double",
  day: "date",
  moment: "timestamp-micros",
  price: "decimal(10,2)",
  note: "string",
};

export function makeRequiredRow(index: number, version: bigint): EngineRow {
  const { flag, small, big, ratio, day, moment, price, note, id } = makeEdgeRow(index, 0n);
  return {
    id: id ?? null,
    at: 1_700_000_000_000_000n + version,
    flag: flag ?? false,
    small: small ?? 1,
    big: big ?? 1n,
    ratio: ratio ?? 1,
    day: day ?? "2000-01-01",
    moment: moment ?? 1n,
    price: price ?? "1.00",
    note: note ?? "none",
  };
}

/** Keys that Java, by UTF-16 units, and UTF-8 order the other way round. */
export const TWO_ORDER_KEYS: readonly string[] = ["～", "🚀", "￼", "𝒳", "～～"];

function keyShape(
  type: "string" | "int" | "long" | "date" | "timestamp-micros",
  ids: readonly EngineValue[],
): Shape {
  const make = (index: number, version: bigint): EngineRow => ({
    id: ids[index] ?? null,
    at: version,
    note: `note ${index}`,
  });
  return shape({
    name: `key_${type.replace("-", "_")}`,
    fields: { id: type, at: "long", note: "string?" },
    steps: [
      { kind: "upsert", rows: range(0, ids.length - 1, (index) => make(index, 1n)) },
      { kind: "upsert", rows: range(1, ids.length, (index) => make(index, 2n)) },
    ],
  });
}

const TYPES: readonly Shape[] = [
  shape({
    name: "decimals",
    isCore: true,
    fields: DECIMAL_FIELDS,
    steps: twoCommits(makeDecimalRow),
  }),
  shape({
    name: "decimals_in_many_files",
    isFiltered: true,
    fields: DECIMAL_FIELDS,
    write: { maxFileBytes: 1, bloom: SMALL_BLOOM },
    steps: range(0, 8, (step): WriteStep => {
      const rows = range(step * 3, step * 3 + 3, (index) => makeDecimalRow(index, 1n));
      return { kind: "insert", rows };
    }),
  }),
  shape({
    name: "required_columns",
    isCore: true,
    fields: REQUIRED_FIELDS,
    steps: twoCommits(makeRequiredRow),
  }),
  shape({
    name: "nested_columns",
    isCore: true,
    fields: NESTED_FIELDS,
    steps: twoCommits(makeNestedRow),
  }),
  shape({
    name: "times",
    isCore: true,
    fields: TIME_FIELDS,
    steps: twoCommits(makeTimeRow),
  }),
  shape({
    name: "symbols",
    isCore: true,
    fields: SYMBOL_FIELDS,
    table: { ...BY_REGION, hiveStyle: true },
    steps: twoCommits(makeSymbolRow),
    sparkRefusal: /lacking writer type/,
  }),
  shape({
    name: "mixed_case_columns",
    fields: {
      customerId: "string",
      updatedAt: "long",
      Region: "string?",
      fullName: "string?",
      order: "int?",
    },
    table: {
      recordKey: "customerId",
      orderingField: "updatedAt",
      partitionBy: "Region",
      hiveStyle: true,
    },
    steps: twoCommits((index, version) => ({
      customerId: `customer ${index}`,
      updatedAt: version,
      Region: ["North", "south", null][index % 3] ?? null,
      fullName: `name ${version}`,
      order: index,
    })),
  }),
  shape({
    name: "ancient_days",
    hasAncientDays: true,
    steps: [
      {
        kind: "upsert",
        rows: [
          makeEdgeRow(0, 1n, { day: "0001-01-01", moment: -62135596800000000n }),
          makeEdgeRow(1, 1n, { day: "1582-10-14", moment: -2208988800000001n }),
          makeEdgeRow(2, 1n, { day: "1582-10-04" }),
        ],
      },
    ],
  }),
  keyShape("string", TWO_ORDER_KEYS),
  keyShape("int", [0, -1, 2147483647, -2147483648, 7]),
  keyShape("long", [0n, -1n, 9223372036854775807n, -9223372036854775808n, 7n]),
  keyShape("date", ["1970-01-01", "1969-12-31", "9999-12-31", "2024-02-29", "1900-01-01"]),
  keyShape("timestamp-micros", [0n, -1n, 1709164800123456n, 253402300799999999n, 1000000n]),
];

const INDEX_AND_SIZES: readonly Shape[] = [
  shape({
    name: "simple_index",
    table: { index: { kind: "simple" }, ...BY_REGION, hiveStyle: true },
    steps: manyCommits(partitioned("region", REGIONS)),
  }),
  shape({
    name: "default_bloom",
    write: { bloom: { entries: 60_000, falsePositiveRate: 1e-9, maxEntries: 100_000 } },
    steps: manyCommits(makeEdgeRow),
  }),
  shape({
    name: "no_ordering_field",
    table: { orderingField: undefined },
    steps: manyCommits(makeEdgeRow).slice(0, 3),
  }),
  shape({
    name: "many_file_groups",
    isFiltered: true,
    table: { ...BY_REGION, hiveStyle: true },
    write: { bloom: SMALL_BLOOM, maxFileBytes: 4_000 },
    steps: [
      ...manyCommits(partitioned("region", REGIONS)),
      ...range(0, 4, (step): WriteStep => {
        const make = partitioned("region", REGIONS);
        const from = 40 + step * 10;
        return {
          kind: "upsert",
          rows: range(from, from + 15, (index) => make(index, BigInt(step))),
        };
      }),
    ],
  }),
  shape({
    name: "bulk_insert_and_insert",
    table: { ...BY_REGION, hiveStyle: true },
    steps: [
      { kind: "bulkInsert", rows: range(0, 20, (i) => partitioned("region", REGIONS)(i, 1n)) },
      { kind: "insert", rows: range(20, 40, (i) => partitioned("region", REGIONS)(i, 1n)) },
      { kind: "bulkInsert", rows: range(40, 50, (i) => partitioned("region", REGIONS)(i, 1n)) },
    ],
  }),
  shape({
    name: "twenty_thousand_rows",
    steps: [
      { kind: "bulkInsert", rows: range(0, 20_000, (index) => makeEdgeRow(index + 10, 1n)) },
      { kind: "upsert", rows: range(0, 300, (index) => makeEdgeRow(10 + index * 67, 2n)) },
    ],
  }),
];

const HISTORY: readonly Shape[] = [
  shape({ name: "no_commit_yet", steps: [] }),
  shape({
    name: "commits_without_files",
    steps: [
      { kind: "delete", keys: [makeEdgeRow(1, 1n)] },
      { kind: "upsert", rows: range(0, 5, (index) => makeEdgeRow(index, 2n)) },
      { kind: "delete", keys: [makeEdgeRow(77, 1n)] },
      { kind: "upsert", rows: [] },
      { kind: "upsert", rows: [makeEdgeRow(0, 1n, { note: "stale" })] },
    ],
  }),
  shape({
    name: "emptied_by_deletes",
    steps: [
      { kind: "upsert", rows: range(0, 20, (index) => makeEdgeRow(index, 1n)) },
      { kind: "delete", keys: range(0, 20, (index) => makeEdgeRow(index, 1n)) },
    ],
  }),
  shape({
    name: "file_group_without_rows",
    table: { ...BY_REGION, hiveStyle: true },
    steps: [
      { kind: "upsert", rows: range(0, 8, (i) => partitioned("region", REGIONS)(i, 1n)) },
      { kind: "delete", keys: [0, 4].map((i) => partitioned("region", REGIONS)(i, 1n)) },
    ],
  }),
  shape({
    name: "rows_return_to_an_emptied_group",
    steps: [
      { kind: "upsert", rows: range(0, 5, (index) => makeEdgeRow(index, 1n)) },
      { kind: "delete", keys: range(0, 5, (index) => makeEdgeRow(index, 1n)) },
      { kind: "upsert", rows: range(3, 9, (index) => makeEdgeRow(index, 1n)) },
    ],
  }),
  shape({
    name: "rows_move_to_another_partition",
    table: { ...BY_REGION, hiveStyle: true },
    steps: [
      { kind: "upsert", rows: range(0, 12, (i) => partitioned("region", REGIONS)(i, 1n)) },
      {
        kind: "apply",
        changes: range(0, 6, (index) => {
          const before = partitioned("region", REGIONS)(index, 1n);
          const after = { ...before, region: index % 2 === 0 ? "moved" : "north", at: 2n };
          return { op: "update", key: { id: before.id ?? null }, before, after };
        }),
      },
    ],
  }),
  shape({
    name: "timeline_in_local_zone",
    isCore: true,
    table: { ...BY_REGION, hiveStyle: true, timelineZone: "LOCAL" },
    steps: manyCommits(partitioned("region", REGIONS)),
  }),
];

const inRegions = partitioned("region", REGIONS);
export const MARKED_FIELDS: Fields = { ...EDGE_FIELDS, _hoodie_is_deleted: "boolean?" };

/** Partial rows of the second commit: each leaves other columns out. */
export const PARTIAL_STEPS: readonly WriteStep[] = [
  { kind: "upsert", rows: range(0, 20, (index) => inRegions(index, 100n)) },
  {
    kind: "partial",
    rows: range(0, 12, (index) => {
      const { id = null, region = null, price = null } = inRegions(index, 200n);
      const key = { id, region, at: index % 4 === 3 ? 50n : 200n };
      return index % 2 === 0 ? { ...key, note: null } : { ...key, price, note: "partly" };
    }),
  },
  {
    kind: "apply",
    changes: range(12, 16, (index) => {
      const after = inRegions(index, 300n, { note: "changed", price: null });
      return { op: "update", key: { id: after.id ?? null }, after, unchanged: ["price", "day"] };
    }),
  },
];

export const GLOBAL_STEPS: readonly WriteStep[] = [
  { kind: "upsert", rows: range(0, 20, (index) => inRegions(index, 100n)) },
  {
    kind: "upsert",
    rows: [
      ...range(0, 10, (index) => inRegions(index, 200n, { region: "moved", note: "moved" })),
      ...range(10, 14, (index) => inRegions(index, 50n, { region: "moved", note: "stale" })),
      ...range(20, 24, (index) => inRegions(index, 200n)),
    ],
  },
  { kind: "delete", keys: [0, 15].map((index) => inRegions(index, 0n, { region: "anywhere" })) },
];

const OPERATIONS: readonly Shape[] = [
  shape({
    name: "insert_overwritten",
    isCore: true,
    table: { ...BY_REGION, hiveStyle: true },
    steps: [
      ...manyCommits(inRegions),
      {
        kind: "insertOverwrite",
        rows: range(100, 108, (index) =>
          inRegions(index, 1n, { region: ["north", "new"][index % 2] ?? null }),
        ),
      },
      {
        kind: "upsert",
        rows: range(100, 104, (index) => inRegions(index, 2n, { region: "north" })),
      },
    ],
  }),
  shape({
    name: "table_overwritten",
    table: { ...BY_REGION, hiveStyle: true },
    steps: [
      ...manyCommits(inRegions),
      { kind: "insertOverwriteTable", rows: range(5, 15, (index) => inRegions(index, 1n)) },
      { kind: "upsert", rows: range(0, 8, (index) => inRegions(index, 2n)) },
    ],
  }),
  shape({
    name: "overwritten_without_partitions",
    steps: [
      { kind: "upsert", rows: range(0, 10, (index) => makeEdgeRow(index, 1n)) },
      { kind: "insertOverwrite", rows: range(5, 15, (index) => makeEdgeRow(index, 1n)) },
    ],
  }),
  shape({
    name: "partitions_deleted",
    isCore: true,
    table: { ...BY_REGION, hiveStyle: true },
    steps: [
      ...manyCommits(inRegions),
      { kind: "deletePartitions", values: ["north", null] },
      { kind: "upsert", rows: range(0, 3, (index) => inRegions(index, 900n)) },
    ],
  }),
  shape({
    name: "deleted_by_marks",
    fields: MARKED_FIELDS,
    table: { ...BY_REGION, hiveStyle: true },
    steps: [
      {
        kind: "upsert",
        rows: range(0, 12, (index) => inRegions(index, 100n, { _hoodie_is_deleted: false })),
      },
      {
        kind: "upsert",
        rows: range(0, 6, (index) =>
          inRegions(index, index % 3 === 2 ? 50n : 200n, { _hoodie_is_deleted: index !== 4 }),
        ),
      },
    ],
  }),
  shape({
    name: "partial_updates",
    table: { ...BY_REGION, hiveStyle: true },
    steps: PARTIAL_STEPS,
  }),
  shape({
    name: "global_bloom_moves",
    isCore: true,
    table: { ...BY_REGION, hiveStyle: true, index: { kind: "global-bloom" } },
    steps: GLOBAL_STEPS,
  }),
  shape({
    name: "global_simple_moves",
    table: { ...BY_REGION, hiveStyle: true, index: { kind: "global-simple" } },
    steps: GLOBAL_STEPS,
  }),
  shape({
    name: "bucket_index",
    isCore: true,
    table: { ...BY_REGION, hiveStyle: true, index: { kind: "bucket", buckets: 4 } },
    steps: manyCommits(inRegions),
  }),
  shape({
    name: "bucket_index_overwritten",
    table: { index: { kind: "bucket", buckets: 3 } },
    steps: [
      ...manyCommits(makeEdgeRow),
      { kind: "insertOverwriteTable", rows: range(5, 25, (index) => makeEdgeRow(index, 1n)) },
      { kind: "upsert", rows: range(0, 8, (index) => makeEdgeRow(index, 2n)) },
    ],
  }),
];

/** Every shape of the matrix. */
export const SHAPES: readonly Shape[] = [
  ...PARTITIONING,
  ...CODEC_SHAPES,
  ...TYPES,
  ...INDEX_AND_SIZES,
  ...HISTORY,
  ...OPERATIONS,
  ...KEY_SHAPES,
];

/** A shape by its name. */
export function requireShape(name: string): Shape {
  const found = SHAPES.find((one) => one.name === name);
  if (found) return found;
  throw new Error(`there is no shape ${name}`);
}
