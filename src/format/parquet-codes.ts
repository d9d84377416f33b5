// The numbers that Parquet files use for types, encodings, codecs and pages.
// Rules: spec/format/parquet.md, PQ-2.

export const MAGIC: Uint8Array = new Uint8Array([0x50, 0x41, 0x52, 0x31]);

export const PHYSICAL = {
  boolean: 0,
  int32: 1,
  int64: 2,
  int96: 3,
  float: 4,
  double: 5,
  byteArray: 6,
  fixed: 7,
} as const;

const PHYSICAL_NAMES = [
  "BOOLEAN",
  "INT32",
  "INT64",
  "INT96",
  "FLOAT",
  "DOUBLE",
  "BYTE_ARRAY",
  "FIXED_LEN_BYTE_ARRAY",
];

/** The name of a physical type, for messages. */
export function formatPhysicalType(code: number | undefined): string {
  return PHYSICAL_NAMES[code ?? -1] ?? `physical type ${code}`;
}

export const REPETITION = { required: 0, optional: 1, repeated: 2 } as const;

export const CONVERTED = {
  utf8: 0,
  map: 1,
  mapKeyValue: 2,
  list: 3,
  enum: 4,
  decimal: 5,
  date: 6,
  timeMillis: 7,
  timeMicros: 8,
  timestampMillis: 9,
  timestampMicros: 10,
  int8: 15,
  int16: 16,
  int32: 17,
  int64: 18,
  json: 19,
} as const;

/** The members of the LogicalType union. */
export const LOGICAL = {
  string: 1,
  map: 2,
  list: 3,
  enum: 4,
  decimal: 5,
  date: 6,
  time: 7,
  timestamp: 8,
  integer: 10,
  json: 12,
} as const;

export const CODEC = { none: 0, snappy: 1, gzip: 2, zstd: 6 } as const;

export const ENCODING = {
  plain: 0,
  plainDictionary: 2,
  rle: 3,
  deltaBinaryPacked: 5,
  deltaLengthByteArray: 6,
  deltaByteArray: 7,
  rleDictionary: 8,
  byteStreamSplit: 9,
} as const;

export const PAGE = { data: 0, index: 1, dictionary: 2, dataV2: 3 } as const;
