// Decodes Avro records into columns: no object a row, no string a value. The closures follow the
// writer's schema, whose columns that nobody asked for are passed over. Rules: spec/format/avro.md.
import type { HudiError } from "../errors.ts";
import type { AvroCursor } from "./avro-cursor.ts";
import { type AvroStep, eachAvroItem, skipAvroValue } from "./avro-skip.ts";
import {
  type AvroJson,
  type AvroJsonObject,
  type AvroScope,
  enterRecord,
  insideType,
  recordFields,
  refuseSchema,
  requireJson,
  requireSize,
  resolveType,
  unionOf,
} from "./avro-type-tree.ts";
import { parseBoundedJson } from "./bounded-json.ts";
import type { Column } from "./column-batch.ts";
import { columnLayout } from "./column-batch.ts";
import {
  BitSink,
  BytesSink,
  type ColumnSink,
  FixedSink,
  Float32Sink,
  Float64Sink,
  Int32Sink,
  Int64Sink,
  ListSink,
  NullSink,
  StructSink,
} from "./column-sink.ts";
import { type ColumnType, decimalWidthBytes, type Field } from "./schema.ts";

/** A sink, and the step that fills it. */
interface Filling {
  readonly sink: ColumnSink;
  readonly step: AvroStep;
}

/** Decodes one record after the other. */
export interface AvroColumnDecoder {
  /** Takes in the record at the cursor. */
  decode(cursor: AvroCursor): void;
  /** The columns, in the order in which they were asked for; the decoder is used up. */
  finish(): Column[];
}

/**
 * Prepares to decode records of a writer's schema. `wanted` are columns as the reader has them: found by
 * name, null where the writer has none, widened as Avro allows where its type is narrower. Throws
 * `CORRUPT` for a schema that is none or whose type of a wanted column does not fit, `UNSUPPORTED` for
 * unions of several types.
 */
export function createAvroColumnDecoder(
  schemaText: string,
  wanted: readonly Field[],
  path: string,
): AvroColumnDecoder {
  const json = parseBoundedJson(Buffer.from(schemaText, "utf8"), path) as AvroJson;
  const scope: AvroScope = { path, types: new Map(), namespace: "", place: "", depth: 0 };
  const root = resolveType(json, scope);
  if (root.type !== "record") throw refuseSchema(scope, "the schema is no record");
  const inner = enterRecord(root, scope);
  const columns = new Map<string, Filling>();
  const steps: AvroStep[] = [];
  for (const { name, type } of recordFields(root, inner)) {
    const field = wanted.find((candidate) => candidate.name === name);
    const place = { ...inner, place: name };
    if (!field) {
      steps.push(skipAvroValue(type, place));
      continue;
    }
    const column = columnStep(type, field.type, place);
    columns.set(name, column);
    steps.push(column.step);
  }
  const sinks = wanted.map(({ name, type }) => {
    const column = columns.get(name);
    if (column) return column.sink;
    const missing = new NullSink(type);
    steps.push(() => missing.addNull());
    return missing;
  });
  return {
    decode: (cursor) => {
      for (let index = 0; index < steps.length; index += 1) (steps[index] as AvroStep)(cursor);
    },
    finish: () => sinks.map((sink) => sink.finish()),
  };
}

function columnStep(json: AvroJson, type: ColumnType, scope: AvroScope): Filling {
  if (!Array.isArray(json)) return presentStep(json, type, scope);
  const { present, nullIndex } = unionOf(json as readonly AvroJson[], scope);
  const { sink, step } = presentStep(present, type, scope);
  if (nullIndex < 0) {
    return {
      sink,
      step: (cursor) => {
        requireBranch(cursor, 0);
        step(cursor);
      },
    };
  }
  const presentIndex = 1 - nullIndex;
  return {
    sink,
    step: (cursor) => {
      const branch = cursor.readInt();
      if (branch === presentIndex) step(cursor);
      else if (branch === nullIndex) sink.addNull();
      else throw cursor.corrupt(`found branch ${branch} of a union of 2`);
    },
  };
}

function requireBranch(cursor: AvroCursor, expected: number): void {
  const branch = cursor.readInt();
  if (branch !== expected) throw cursor.corrupt(`found branch ${branch} of a union`);
}

function presentStep(json: AvroJson, type: ColumnType, scope: AvroScope): Filling {
  const resolved = resolveType(json, scope);
  const layout = columnLayout(type);
  const mismatch = (): HudiError =>
    refuseSchema(scope, `column ${scope.place} is ${String(resolved.type)}, expected ${type.kind}`);
  switch (resolved.type) {
    case "boolean": {
      if (layout !== "bits") throw mismatch();
      const sink = new BitSink();
      return { sink, step: (cursor) => sink.add(cursor.readBoolean()) };
    }
    case "int":
      return intStep(layout, mismatch);
    case "long":
      return longStep(layout, timeFactor(resolved.logicalType, type), mismatch);
    case "float": {
      if (layout === "float64") {
        const wide = new Float64Sink();
        return { sink: wide, step: (cursor) => wide.add(cursor.readFloat()) };
      }
      if (layout !== "float32") throw mismatch();
      const sink = new Float32Sink();
      return { sink, step: (cursor) => sink.add(cursor.readFloat()) };
    }
    case "double": {
      if (layout !== "float64") throw mismatch();
      const sink = new Float64Sink();
      return { sink, step: (cursor) => sink.add(cursor.readDouble()) };
    }
    case "string":
    case "bytes":
      return layout === "fixed"
        ? unscaledStep(type, undefined, scope)
        : bytesStep(layout, mismatch);
    case "fixed":
      return unscaledStep(type, requireSize(resolved, scope), scope);
    case "enum":
      return enumStep(resolved, layout, scope, mismatch);
    case "record":
      return structStep(resolved, type, scope, mismatch);
    case "array":
      return arrayStep(resolved, type, scope, mismatch);
    case "map":
      return mapStep(resolved, type, scope, mismatch);
    default:
      throw refuseSchema(
        scope,
        `column ${scope.place} has the unknown type ${String(resolved.type)}`,
      );
  }
}

function intStep(layout: Column["layout"], mismatch: () => HudiError): Filling {
  switch (layout) {
    case "int32": {
      const sink = new Int32Sink();
      return { sink, step: (cursor) => sink.add(cursor.readInt()) };
    }
    case "int64": {
      const sink = new Int64Sink();
      const step = (cursor: AvroCursor): void => {
        const value = cursor.readInt();
        sink.add(value, value >> 31);
      };
      return { sink, step };
    }
    case "float32":
    case "float64": {
      const sink = layout === "float32" ? new Float32Sink() : new Float64Sink();
      return { sink, step: (cursor) => sink.add(cursor.readInt()) };
    }
    default:
      throw mismatch();
  }
}

const HIGH_HALF = 4_294_967_296;

function longStep(layout: Column["layout"], factor: bigint, mismatch: () => HudiError): Filling {
  if (layout === "int64") {
    const sink = new Int64Sink();
    const step = (cursor: AvroCursor): void => {
      cursor.readLong();
      if (factor === 1n) sink.add(cursor.low, cursor.high);
      else addScaled(sink, cursor, factor);
    };
    return { sink, step };
  }
  if (layout !== "float32" && layout !== "float64") throw mismatch();
  const sink = layout === "float32" ? new Float32Sink() : new Float64Sink();
  const step = (cursor: AvroCursor): void => {
    cursor.readLong();
    sink.add(cursor.high * HIGH_HALF + (cursor.low >>> 0));
  };
  return { sink, step };
}

/** What a time of the writer is multiplied by to be one of the reader. */
function timeFactor(logicalType: AvroJson | undefined, type: ColumnType): bigint {
  return logicalType === "timestamp-millis" && type.kind === "timestamp-micros" ? 1000n : 1n;
}

function addScaled(sink: Int64Sink, cursor: AvroCursor, factor: bigint): void {
  const value = (BigInt(cursor.high) << 32n) | BigInt(cursor.low >>> 0);
  const scaled = value * factor;
  if (BigInt.asIntN(64, scaled) !== scaled) {
    throw cursor.corrupt(`found the time ${value}, too far away for its unit`);
  }
  sink.add(Number(BigInt.asIntN(32, scaled)), Number(BigInt.asIntN(32, scaled >> 32n)));
}

function bytesStep(layout: Column["layout"], mismatch: () => HudiError): Filling {
  if (layout !== "bytes") throw mismatch();
  const sink = new BytesSink();
  return {
    sink,
    step: (cursor) => {
      const length = cursor.readLength();
      const start = cursor.skip(length);
      sink.add(cursor.bytes, start, start + length);
    },
  };
}

/** A big-endian number of `size` bytes, or of any size where it is undefined, at the width of the type. */
function unscaledStep(type: ColumnType, size: number | undefined, scope: AvroScope): Filling {
  if (type.kind !== "decimal") {
    if (columnLayout(type) !== "fixed" || size === undefined) {
      throw refuseSchema(scope, `column ${scope.place} is fixed, expected ${type.kind}`);
    }
    const sink = new FixedSink(size);
    return {
      sink,
      step: (cursor) => {
        const start = cursor.skip(size);
        sink.place().set(cursor.bytes.subarray(start, start + size));
      },
    };
  }
  const width = decimalWidthBytes(type.precision);
  const sink = new FixedSink(width);
  return {
    sink,
    step: (cursor) => {
      const length = size ?? cursor.readLength();
      const start = cursor.skip(length);
      placeUnscaled(cursor, start, length, sink.place());
    },
  };
}

/** Widens or narrows a number of two's complement; what does not fit is damage. */
function placeUnscaled(
  cursor: AvroCursor,
  start: number,
  length: number,
  target: Uint8Array,
): void {
  const { bytes } = cursor;
  const width = target.length;
  const sign = length > 0 && (bytes[start] as number) > 0x7f ? 0xff : 0;
  const spare = length - width;
  for (let at = 0; at < spare; at += 1) {
    if (bytes[start + at] !== sign) throw cursor.corrupt("found a decimal of too many digits");
  }
  if (spare > 0 && ((bytes[start + spare] as number) > 0x7f ? 0xff : 0) !== sign) {
    throw cursor.corrupt("found a decimal of too many digits");
  }
  for (let at = 0; at < width; at += 1) {
    target[at] = at + spare < 0 ? sign : (bytes[start + at + spare] as number);
  }
}

function enumStep(
  json: AvroJsonObject,
  layout: Column["layout"],
  scope: AvroScope,
  mismatch: () => HudiError,
): Filling {
  if (layout !== "bytes") throw mismatch();
  const symbols = Array.isArray(json.symbols) ? (json.symbols as readonly AvroJson[]) : [];
  const texts = symbols.map((symbol) => {
    if (typeof symbol !== "string")
      throw refuseSchema(scope, `column ${scope.place} has no symbols`);
    return Buffer.from(symbol, "utf8");
  });
  const sink = new BytesSink();
  return {
    sink,
    step: (cursor) => {
      const index = cursor.readInt();
      const text = texts[index];
      if (!text) throw cursor.corrupt(`found symbol ${index} of ${texts.length}`);
      sink.add(text, 0, text.length);
    },
  };
}

function structStep(
  json: AvroJsonObject,
  type: ColumnType,
  scope: AvroScope,
  mismatch: () => HudiError,
): Filling {
  if (type.kind !== "struct") throw mismatch();
  const inner = enterRecord(json, scope);
  const children = new Map<string, Filling>();
  const steps = recordFields(json, inner).map((field): AvroStep => {
    const place = { ...inner, place: `${scope.place}.${field.name}` };
    const wanted = type.fields.find(({ name }) => name === field.name);
    if (!wanted) return skipAvroValue(field.type, place);
    const child = columnStep(field.type, wanted.type, place);
    children.set(field.name, child);
    return child.step;
  });
  const sinks = type.fields.map(({ name, type: childType }) => {
    const child = children.get(name);
    if (child) return child.sink;
    const missing = new NullSink(childType);
    steps.push(() => missing.addNull());
    return missing;
  });
  const sink = new StructSink(sinks);
  return {
    sink,
    step: (cursor) => {
      for (let index = 0; index < steps.length; index += 1) (steps[index] as AvroStep)(cursor);
      sink.add();
    },
  };
}

function arrayStep(
  json: AvroJsonObject,
  type: ColumnType,
  scope: AvroScope,
  mismatch: () => HudiError,
): Filling {
  if (type.kind !== "list") throw mismatch();
  const item = columnStep(
    requireJson(json.items, scope),
    type.element.type,
    insideType(scope, "[]"),
  );
  const sink = new ListSink(item.sink);
  return { sink, step: (cursor) => sink.add(eachAvroItem(cursor, item.step)) };
}

function mapStep(
  json: AvroJsonObject,
  type: ColumnType,
  scope: AvroScope,
  mismatch: () => HudiError,
): Filling {
  if (type.kind !== "map") throw mismatch();
  const key = bytesStep("bytes", mismatch);
  const value = columnStep(
    requireJson(json.values, scope),
    type.value.type,
    insideType(scope, "{}"),
  );
  const entry = new StructSink([key.sink, value.sink]);
  const sink = new ListSink(entry);
  return {
    sink,
    step: (cursor) =>
      sink.add(
        eachAvroItem(cursor, (at) => {
          key.step(at);
          value.step(at);
          entry.add();
        }),
      ),
  };
}
