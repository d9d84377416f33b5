// What the Parquet tests share: random schemas and batches, files in memory, values as plain text.

import fc from "fast-check";
import { bitmapBytes } from "../../src/format/bitmap.ts";
import {
  type Column,
  type ColumnBatch,
  columnLayout,
  emptyBatch,
  isPresent,
} from "../../src/format/column-batch.ts";
import { openParquetWriter } from "../../src/format/open-parquet-writer.ts";
import type { ParquetFileReader } from "../../src/format/parquet-reader.ts";
import type { ParquetSource } from "../../src/format/parquet-source.ts";
import type {
  ParquetCodec,
  ParquetFileSummary,
  ParquetWriterOptions,
} from "../../src/format/parquet-writer.ts";
import {
  type ColumnType,
  decimalWidthBytes,
  type Field,
  type TableSchema,
} from "../../src/format/schema.ts";

const encoder = new TextEncoder();

/** A value as a test writes it: a decimal is its unscaled value. */
export type Value = string | boolean | number | bigint | null;

/** A batch of plain values, column by column. */
export function batchOf(
  fields: readonly Field[],
  columns: readonly (readonly Value[])[],
): ColumnBatch {
  const rowCount = columns[0]?.length ?? 0;
  return {
    schema: { name: "sample", fields },
    rowCount,
    columns: fields.map((field, index) => columnOf(field.type, columns[index] ?? [])),
  };
}

export function columnOf(type: ColumnType, values: readonly Value[]): Column {
  const rowCount = values.length;
  const present = new Uint8Array(bitmapBytes(rowCount));
  values.forEach((value, row) => {
    if (value !== null) present[row >> 3]! |= 1 << (row & 7);
  });
  const validity = values.includes(null) ? present : undefined;
  switch (columnLayout(type)) {
    case "bits": {
      const bits = new Uint8Array(bitmapBytes(rowCount));
      values.forEach((value, row) => {
        if (value === true) bits[row >> 3]! |= 1 << (row & 7);
      });
      return { layout: "bits", rowCount, validity, values: bits };
    }
    case "int32":
      return { layout: "int32", rowCount, validity, values: Int32Array.from(values, Number) };
    case "int64":
      return {
        layout: "int64",
        rowCount,
        validity,
        values: BigInt64Array.from(values, (value) => BigInt((value as bigint) ?? 0n)),
      };
    case "float32":
      return { layout: "float32", rowCount, validity, values: Float32Array.from(values, Number) };
    case "float64":
      return { layout: "float64", rowCount, validity, values: Float64Array.from(values, Number) };
    case "bytes": {
      const parts = values.map((value) => encoder.encode(value === null ? "" : String(value)));
      const offsets = new Int32Array(rowCount + 1);
      parts.forEach((part, row) => {
        offsets[row + 1] = offsets[row]! + part.length;
      });
      return {
        layout: "bytes",
        rowCount,
        validity,
        offsets,
        data: new Uint8Array(Buffer.concat(parts)),
      };
    }
    case "fixed": {
      const widthBytes = decimalWidthBytes((type as { precision: number }).precision);
      const data = new Uint8Array(rowCount * widthBytes);
      values.forEach((value, row) => {
        let rest = BigInt((value as bigint) ?? 0n);
        for (let index = widthBytes - 1; index >= 0; index -= 1) {
          data[row * widthBytes + index] = Number(rest & 0xffn);
          rest >>= 8n;
        }
      });
      return { layout: "fixed", rowCount, validity, widthBytes, data };
    }
    default:
      throw new TypeError(`a sample of ${type.kind}`);
  }
}

/** The values of a column, one a row. Doubles keep the sign of zero. */
export function valuesOf(column: Column): Value[] {
  return Array.from({ length: column.rowCount }, (_, row) => {
    if (!isPresent(column, row)) return null;
    switch (column.layout) {
      case "bits":
        return (column.values[row >> 3]! & (1 << (row & 7))) !== 0;
      case "bytes":
        return new TextDecoder().decode(
          column.data.subarray(column.offsets[row], column.offsets[row + 1]),
        );
      case "fixed": {
        const bytes = column.data.subarray(row * column.widthBytes, (row + 1) * column.widthBytes);
        return bigEndian(bytes);
      }
      case "struct":
      case "list":
        throw new TypeError(`values of a ${column.layout} are read as rows`);
      default:
        return column.values[row] as number | bigint;
    }
  });
}

/** A big-endian number in two's complement. */
export function bigEndian(bytes: Uint8Array): bigint {
  return BigInt.asIntN(
    8 * bytes.length,
    bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n),
  );
}

/** All values of a batch, by column name. */
export function contentOf(batch: ColumnBatch): Record<string, Value[]> {
  return Object.fromEntries(
    batch.schema.fields.map((field, index) => [field.name, valuesOf(batch.columns[index]!)]),
  );
}

export function field(
  name: string,
  type: ColumnType["kind"] | [number, number],
  nullable = true,
): Field {
  const columnType: ColumnType = Array.isArray(type)
    ? { kind: "decimal", precision: type[0], scale: type[1] }
    : ({ kind: type } as ColumnType);
  return { id: 0, name, type: columnType, nullable };
}

/** One field of every type, nullable or not. */
export function everyType(nullable: boolean): Field[] {
  return [
    field("s", "string", nullable),
    field("b", "boolean", nullable),
    field("i", "int", nullable),
    field("l", "long", nullable),
    field("f", "float", nullable),
    field("d", "double", nullable),
    field("by", "bytes", nullable),
    field("dt", "date", nullable),
    field("ts", "timestamp-micros", nullable),
    field("d5", [5, 2], nullable),
    field("d18", [18, 6], nullable),
    field("d38", [38, 10], nullable),
  ];
}

/** Writes batches into memory. */
export async function writeFile(
  schema: TableSchema,
  batches: readonly ColumnBatch[],
  options: Partial<ParquetWriterOptions> = {},
  footer: ReadonlyMap<string, string> = new Map(),
): Promise<{ bytes: Uint8Array; summary: ParquetFileSummary }> {
  const parts: Uint8Array[] = [];
  const writer = await openParquetWriter(
    async (bytes) => {
      parts.push(bytes);
    },
    { schema, codec: "snappy", rowGroupRows: 1000, ...options },
  );
  for (const batch of batches) await writer.write(batch);
  const summary = await writer.close(footer);
  const bytes = Buffer.concat(parts);
  return { bytes: new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), summary };
}

/** A file in memory that remembers which ranges were read. */
export function memorySource(
  bytes: Uint8Array,
  path = "folder/file.parquet",
): ParquetSource & { reads: [number, number][] } {
  const reads: [number, number][] = [];
  return {
    path,
    sizeBytes: bytes.length,
    reads,
    readRange: async (start, end) => {
      reads.push([start, end]);
      // A Buffer somewhere in a larger one, as storages give them.
      const whole = Buffer.concat([Buffer.from("xyz"), bytes.subarray(start, end)]);
      return whole.subarray(3);
    },
  };
}

export const CODECS: readonly ParquetCodec[] = ["snappy", "zstd", "gzip", "uncompressed"];

const INT = { min: -(2 ** 31), max: 2 ** 31 - 1 };
const LONG = { min: -(2n ** 63n), max: 2n ** 63n - 1n };

/** Values of a type, with the hostile ones among them. */
export function valueArbitrary(type: ColumnType): fc.Arbitrary<Value> {
  switch (type.kind) {
    case "string":
      return fc.oneof(
        fc.string({ unit: "binary", maxLength: 40 }),
        fc.constantFrom("", "\0", "é", "😀".repeat(50), "�", "￿", "𐀀"),
        fc.constantFrom("same", "same but longer"),
      );
    case "bytes":
      return fc.string({ unit: "grapheme", maxLength: 12 });
    case "boolean":
      return fc.boolean();
    case "int":
    case "date":
      return fc.oneof(fc.integer(INT), fc.constantFrom(INT.min, INT.max, 0, -1, -719_162));
    case "long":
    case "timestamp-micros":
      return fc.oneof(
        fc.bigInt(LONG),
        fc.constantFrom(LONG.min, LONG.max, 0n, -1n, -62_135_596_800_000_000n),
      );
    case "float":
      return fc.oneof(fc.float(), fc.constantFrom(Number.NaN, -0, 0, Number.POSITIVE_INFINITY));
    case "double":
      return fc.oneof(
        fc.double(),
        fc.constantFrom(Number.NaN, -0, 0, Number.POSITIVE_INFINITY, 5e-324),
      );
    case "decimal": {
      const limit = 10n ** BigInt(type.precision) - 1n;
      return fc.oneof(
        fc.bigInt({ min: -limit, max: limit }),
        fc.constantFrom(limit, -limit, 0n, -1n),
      );
    }
    default:
      throw new TypeError(`a sample of ${type.kind}`);
  }
}

const typeArbitrary: fc.Arbitrary<ColumnType> = fc.oneof(
  fc.constantFrom<ColumnType>(
    { kind: "string" },
    { kind: "boolean" },
    { kind: "int" },
    { kind: "long" },
    { kind: "float" },
    { kind: "double" },
    { kind: "bytes" },
    { kind: "date" },
    { kind: "timestamp-micros" },
  ),
  fc
    .integer({ min: 1, max: 38 })
    .chain((precision) =>
      fc
        .integer({ min: 0, max: precision })
        .map((scale): ColumnType => ({ kind: "decimal", precision, scale })),
    ),
);

/** A file to be: fields, and columns of plain values in batches of any sizes. */
export interface Sample {
  readonly fields: readonly Field[];
  readonly batches: readonly (readonly (readonly Value[])[])[];
  readonly rowGroupRows: number;
  readonly codec: ParquetCodec;
}

export const sampleArbitrary: fc.Arbitrary<Sample> = fc
  .array(fc.record({ type: typeArbitrary, nullable: fc.boolean(), repeats: fc.boolean() }), {
    minLength: 1,
    maxLength: 6,
  })
  .chain((columns) => {
    const fields = columns.map(
      ({ type, nullable }, id): Field => ({ id, name: `c${id}`, type, nullable }),
    );
    const batch = fc.integer({ min: 0, max: 40 }).chain((rowCount) =>
      fc.tuple(
        ...columns.map(({ type, nullable, repeats }) => {
          const value = nullable
            ? fc.option(valueArbitrary(type), { freq: 4 })
            : valueArbitrary(type);
          const list = fc.array(value, { minLength: rowCount, maxLength: rowCount });
          return repeats ? value.map((one) => Array<Value>(rowCount).fill(one)) : list;
        }),
      ),
    );
    return fc.record({
      fields: fc.constant(fields),
      batches: fc.array(batch, { maxLength: 4 }),
      rowGroupRows: fc.integer({ min: 1, max: 60 }),
      codec: fc.constantFrom(...CODECS),
    });
  });

/** All values of a sample, column by column. */
export function sampleColumns(sample: Sample): Record<string, Value[]> {
  return Object.fromEntries(
    sample.fields.map(({ name }, index) => [
      name,
      sample.batches.flatMap((batch) => batch[index] ?? []),
    ]),
  );
}

/** Writes a sample through the writer under test. */
export function writeSample(
  sample: Sample,
): Promise<{ bytes: Uint8Array; summary: ParquetFileSummary }> {
  const schema = { name: "sample", fields: sample.fields };
  return writeFile(
    schema,
    sample.batches.map((columns) => batchOf(sample.fields, columns)),
    { codec: sample.codec, rowGroupRows: sample.rowGroupRows },
  );
}

/** Properties print their seed when they fail; `SEED` repeats one. */
export function propertyOptions(numRuns: number): { numRuns: number; seed: number } {
  const seed = process.env.SEED ? Number(process.env.SEED) : (Math.random() * 2 ** 31) | 0;
  return { numRuns, seed };
}

/** All rows of a row group. */
export async function readRowGroup(
  file: ParquetFileReader,
  rowGroup: number,
  fields: readonly Field[],
  signal?: AbortSignal,
): Promise<ColumnBatch> {
  const batchRows = Math.max(1, file.rowGroups[rowGroup]?.rowCount ?? 1);
  for await (const batch of file.readBatches(rowGroup, fields, { batchRows, signal })) return batch;
  return emptyBatch({ name: "none", fields });
}
