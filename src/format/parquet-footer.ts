// The footer of a Parquet file: schema, row groups, column chunks, statistics, key-value entries.
// Sizes and offsets that the file does not back are refused here. Rules: spec/format/parquet.md, PQ-2.
import { HudiError } from "../errors.ts";
import { MAGIC, REPETITION } from "./parquet-codes.ts";
import {
  decodeThriftStruct,
  ThriftBuilder,
  ThriftError,
  type ThriftStruct,
} from "./thrift-compact.ts";

/** What a column is annotated as: the LogicalType where there is one, else the ConvertedType. */
export interface LogicalAnnotation {
  readonly member: number;
  readonly precision?: number;
  readonly scale?: number;
  readonly unit?: "millis" | "micros" | "nanos";
  readonly isAdjustedToUtc?: boolean;
  readonly bitWidth?: number;
  readonly isSigned?: boolean;
}

/** One node of the schema; a group has no physical type. */
export interface SchemaElement {
  readonly name: string;
  readonly physicalType?: number | undefined;
  readonly typeLength?: number | undefined;
  readonly repetition?: number | undefined;
  readonly childCount?: number | undefined;
  readonly convertedType?: number | undefined;
  readonly scale?: number | undefined;
  readonly precision?: number | undefined;
  readonly logical?: LogicalAnnotation | undefined;
}

/** Statistics of a column chunk as stored: plain-encoded bounds. */
export interface StoredStatistics {
  readonly nullCount?: number | undefined;
  readonly min?: Uint8Array | undefined;
  readonly max?: Uint8Array | undefined;
  /** Whether a bound is a value of the column, not cut; not known when absent. */
  readonly isMinExact?: boolean | undefined;
  readonly isMaxExact?: boolean | undefined;
  /** Bounds of the older kind, whose order is only sound for signed numbers. */
  readonly oldMin?: Uint8Array | undefined;
  readonly oldMax?: Uint8Array | undefined;
}

/** The pages of one column in one row group. */
export interface ColumnChunk {
  readonly physicalType: number;
  readonly path: readonly string[];
  readonly codec: number;
  readonly encodings: readonly number[];
  readonly valueCount: number;
  /** Bytes of all pages with their headers, before and after compression. */
  readonly uncompressedBytes: number;
  readonly compressedBytes: number;
  readonly dataPageOffset: number;
  readonly dictionaryPageOffset?: number | undefined;
  readonly statistics?: StoredStatistics | undefined;
  /** Where the index of the pages lies: their places, and their bounds. */
  readonly offsetIndex?: IndexPlace | undefined;
  readonly columnIndex?: IndexPlace | undefined;
}

/** A piece of a file. */
export interface IndexPlace {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** A horizontal slice of a file. */
export interface RowGroup {
  readonly rowCount: number;
  readonly columns: readonly ColumnChunk[];
}

/** What a file says of itself. */
export interface ParquetFooter {
  readonly elements: readonly SchemaElement[];
  readonly rowCount: number;
  readonly rowGroups: readonly RowGroup[];
  readonly keyValues: ReadonlyMap<string, string>;
  readonly createdBy?: string | undefined;
  /** Whether the file states that bounds follow the order of the type. */
  readonly hasColumnOrders: boolean;
}

/** An error about the bytes of a file: what was found, and what to do. */
export function corruptParquet(path: string, found: string, cause?: unknown): HudiError {
  return new HudiError(
    "CORRUPT",
    `cannot read Parquet file ${path}: ${found}; restore the file from a copy or roll back the commit that wrote it`,
    { path, cause },
  );
}

/** Bytes after the footer: its length and the magic. */
export const TRAILER_BYTES = 8;

/**
 * The length of the footer, from the last eight bytes of a file. Throws `CORRUPT` when they are not
 * the end of a Parquet file or the length goes beyond it.
 */
export function decodeFooterLength(trailer: Uint8Array, sizeBytes: number, path: string): number {
  const magic = trailer.subarray(trailer.length - MAGIC.length);
  if (trailer.length < TRAILER_BYTES || sizeBytes < TRAILER_BYTES + MAGIC.length) {
    throw corruptParquet(path, `found ${sizeBytes} bytes, too few for a Parquet file`);
  }
  if (!magic.every((byte, index) => byte === MAGIC[index])) {
    throw corruptParquet(path, "it does not end with PAR1: it is truncated or no Parquet file");
  }
  const view = new DataView(trailer.buffer, trailer.byteOffset, trailer.byteLength);
  const length = view.getUint32(trailer.length - TRAILER_BYTES, true);
  if (length === 0 || length > sizeBytes - TRAILER_BYTES - MAGIC.length) {
    throw corruptParquet(path, `its footer claims ${length} of ${sizeBytes} bytes`);
  }
  return length;
}

/**
 * Decodes the footer of a file of `sizeBytes` bytes. Throws `CORRUPT` naming the file when the
 * bytes are no footer or state sizes, offsets or counts that cannot be.
 */
export function decodeFooter(bytes: Uint8Array, sizeBytes: number, path: string): ParquetFooter {
  try {
    const { struct } = decodeThriftStruct(bytes);
    const elements = required(struct.structs(2), "a schema").map(decodeElement);
    const leafCount = elements.filter((element) => element.physicalType !== undefined).length;
    if (elements.length === 0) throw new ThriftError("the schema is empty");
    const groups = required(struct.structs(4), "row groups");
    const rowGroups = groups.map((group) => decodeRowGroup(group, leafCount, sizeBytes));
    const rowCount = rowGroups.reduce((sum, group) => sum + group.rowCount, 0);
    if (struct.integer(3) !== rowCount) {
      throw new ThriftError(`it states ${struct.integer(3)} rows, its row groups ${rowCount}`);
    }
    return {
      elements,
      rowCount,
      rowGroups,
      keyValues: decodeKeyValues(struct),
      createdBy: struct.text(6),
      hasColumnOrders: struct.has(7),
    };
  } catch (error) {
    // Numbers and texts beyond the limits of the language are damage as well.
    throw corruptParquet(path, `its footer is damaged (${(error as Error).message})`, error);
  }
}

function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new ThriftError(`${what} missing`);
  return value;
}

function count(value: number | undefined, what: string): number {
  if (value === undefined || !Number.isSafeInteger(value) || value < 0) {
    throw new ThriftError(`${what} is ${value}`);
  }
  return value;
}

function decodeKeyValues(struct: ThriftStruct): ReadonlyMap<string, string> {
  const result = new Map<string, string>();
  for (const entry of struct.structs(5) ?? []) {
    const key = entry.text(1);
    if (key !== undefined) result.set(key, entry.text(2) ?? "");
  }
  return result;
}

function decodeElement(struct: ThriftStruct): SchemaElement {
  return {
    physicalType: struct.integer(1),
    typeLength: struct.integer(2),
    repetition: struct.integer(3),
    name: required(struct.text(4), "the name of a column is"),
    childCount: struct.integer(5),
    convertedType: struct.integer(6),
    scale: struct.integer(7),
    precision: struct.integer(8),
    logical: decodeLogical(struct.struct(10)),
  };
}

const UNITS = ["millis", "micros", "nanos"] as const;

function decodeLogical(union: ThriftStruct | undefined): LogicalAnnotation | undefined {
  if (!union) return undefined;
  for (let member = 1; member <= 20; member += 1) {
    const value = union.struct(member);
    if (!value) continue;
    if (member === 5) {
      return { member, scale: value.integer(1) ?? 0, precision: value.integer(2) ?? 0 };
    }
    if (member === 7 || member === 8) {
      const unit = UNITS.find((_, index) => value.struct(2)?.has(index + 1));
      return { member, isAdjustedToUtc: value.flag(1) ?? false, ...(unit && { unit }) };
    }
    if (member === 10) {
      return { member, bitWidth: value.integer(1) ?? 0, isSigned: value.flag(2) ?? false };
    }
    return { member };
  }
  return undefined;
}

function decodeRowGroup(struct: ThriftStruct, leafCount: number, sizeBytes: number): RowGroup {
  const rowCount = count(struct.integer(3), "the row count of a row group");
  const columns = required(struct.structs(1), "the columns of a row group are").map((column) =>
    decodeColumnChunk(column, sizeBytes),
  );
  if (columns.length !== leafCount) {
    throw new ThriftError(`a row group has ${columns.length} columns, the schema ${leafCount}`);
  }
  return { rowCount, columns };
}

const utf8 = new TextDecoder();

function decodeColumnChunk(struct: ThriftStruct, sizeBytes: number): ColumnChunk {
  if (struct.has(1)) throw new ThriftError("a column lies in another file");
  if (struct.has(8)) throw new ThriftError("a column is encrypted");
  const meta = required(struct.struct(3), "the metadata of a column is");
  const dictionaryPageOffset = meta.integer(11);
  const chunk: ColumnChunk = {
    physicalType: count(meta.integer(1), "the type of a column"),
    encodings: (meta.list(2) ?? []).filter((value) => typeof value === "number"),
    path: (meta.list(3) ?? []).map((value) =>
      value instanceof Uint8Array ? utf8.decode(value) : "",
    ),
    codec: count(meta.integer(4), "the codec of a column"),
    valueCount: count(meta.integer(5), "the value count of a column"),
    uncompressedBytes: count(meta.integer(6), "the size of a column"),
    compressedBytes: count(meta.integer(7), "the size of a column"),
    dataPageOffset: count(meta.integer(9), "the offset of a column"),
    // Some writers state 0 for a column without a dictionary.
    dictionaryPageOffset: dictionaryPageOffset ? dictionaryPageOffset : undefined,
    statistics: decodeStatistics(meta.struct(12)),
  };
  const { start, end } = chunkRange(chunk);
  if (start < MAGIC.length || end > sizeBytes - TRAILER_BYTES) {
    throw new ThriftError(
      `column ${chunk.path.join(".")} lies at ${start} to ${end} of ${sizeBytes} bytes`,
    );
  }
  return chunk;
}

function decodeStatistics(struct: ThriftStruct | undefined): StoredStatistics | undefined {
  return (
    struct && {
      oldMax: struct.bytes(1),
      oldMin: struct.bytes(2),
      nullCount: struct.integer(3),
      max: struct.bytes(5),
      min: struct.bytes(6),
      isMaxExact: struct.flag(7),
      isMinExact: struct.flag(8),
    }
  );
}

/** The bytes of a column chunk within its file, as a half-open range. */
export function chunkRange(chunk: ColumnChunk): { readonly start: number; readonly end: number } {
  const { dictionaryPageOffset, dataPageOffset } = chunk;
  const start =
    dictionaryPageOffset !== undefined && dictionaryPageOffset < dataPageOffset
      ? dictionaryPageOffset
      : dataPageOffset;
  return { start, end: start + chunk.compressedBytes };
}

/** The bytes of a footer with its trailer: what ends a file. */
export function encodeFooter(footer: ParquetFooter): Uint8Array {
  const body = new ThriftBuilder()
    .i32(1, 1)
    .structs(2, footer.elements.map(encodeElement))
    .i64(3, footer.rowCount)
    .structs(4, footer.rowGroups.map(encodeRowGroup))
    .structs(
      5,
      footer.keyValues.size === 0
        ? undefined
        : [...footer.keyValues].map(([key, value]) =>
            new ThriftBuilder().binary(1, key).binary(2, value),
          ),
    )
    .binary(6, footer.createdBy)
    .structs(7, footer.hasColumnOrders ? encodeColumnOrders(footer.elements) : undefined)
    .finish();
  const result = new Uint8Array(body.length + TRAILER_BYTES);
  result.set(body);
  new DataView(result.buffer).setUint32(body.length, body.length, true);
  result.set(MAGIC, body.length + 4);
  return result;
}

function encodeColumnOrders(elements: readonly SchemaElement[]): ThriftBuilder[] {
  return elements
    .filter((element) => element.physicalType !== undefined)
    .map(() => new ThriftBuilder().struct(1, new ThriftBuilder()));
}

/** The root has no repetition; everything else has. */
function encodeElement(element: SchemaElement, index: number): ThriftBuilder {
  return new ThriftBuilder()
    .i32(1, element.physicalType)
    .i32(2, element.typeLength)
    .i32(3, index === 0 ? undefined : (element.repetition ?? REPETITION.required))
    .binary(4, element.name)
    .i32(5, element.childCount)
    .i32(6, element.convertedType)
    .i32(7, element.scale)
    .i32(8, element.precision)
    .struct(10, encodeLogical(element.logical));
}

function encodeLogical(logical: LogicalAnnotation | undefined): ThriftBuilder | undefined {
  if (!logical) return undefined;
  const value = new ThriftBuilder();
  if (logical.member === 5) value.i32(1, logical.scale).i32(2, logical.precision);
  if (logical.member === 8) {
    const unit = UNITS.indexOf(logical.unit ?? "micros") + 1;
    value
      .flag(1, logical.isAdjustedToUtc)
      .struct(2, new ThriftBuilder().struct(unit, new ThriftBuilder()));
  }
  return new ThriftBuilder().struct(logical.member, value);
}

function encodeRowGroup(group: RowGroup, ordinal: number): ThriftBuilder {
  const total = (pick: (chunk: ColumnChunk) => number): number =>
    group.columns.reduce((sum, chunk) => sum + pick(chunk), 0);
  const [first] = group.columns;
  return (
    new ThriftBuilder()
      .structs(1, group.columns.map(encodeColumnChunk))
      .i64(
        2,
        total((chunk) => chunk.uncompressedBytes),
      )
      .i64(3, group.rowCount)
      .i64(5, first && chunkRange(first).start)
      .i64(
        6,
        total((chunk) => chunk.compressedBytes),
      )
      // A 16-bit number: a file with more row groups states none.
      .i16(7, ordinal < 0x8000 ? ordinal : undefined)
  );
}

function encodeColumnChunk(chunk: ColumnChunk): ThriftBuilder {
  const statistics = chunk.statistics && encodeStatistics(chunk.statistics);
  const meta = new ThriftBuilder()
    .i32(1, chunk.physicalType)
    .i32s(2, chunk.encodings)
    .texts(3, chunk.path)
    .i32(4, chunk.codec)
    .i64(5, chunk.valueCount)
    .i64(6, chunk.uncompressedBytes)
    .i64(7, chunk.compressedBytes)
    .i64(9, chunk.dataPageOffset)
    .i64(11, chunk.dictionaryPageOffset)
    .struct(12, statistics);
  return new ThriftBuilder()
    .i64(2, chunkRange(chunk).start)
    .struct(3, meta)
    .i64(4, chunk.offsetIndex?.offset)
    .i32(5, chunk.offsetIndex?.sizeBytes)
    .i64(6, chunk.columnIndex?.offset)
    .i32(7, chunk.columnIndex?.sizeBytes);
}

function encodeStatistics(statistics: StoredStatistics): ThriftBuilder {
  return new ThriftBuilder()
    .i64(3, statistics.nullCount)
    .binary(5, statistics.max)
    .binary(6, statistics.min)
    .flag(7, statistics.isMaxExact)
    .flag(8, statistics.isMinExact);
}
