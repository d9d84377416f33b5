// Column types of a schema of Arrow. The library is not loaded for it. Rules: spec/format/arrow.md, AR-4.
import type {
  Field as ArrowField,
  DataType,
  Date_,
  Decimal,
  Dictionary,
  FixedSizeBinary,
  Float,
  Int,
  Schema,
  Time,
  Timestamp,
} from "apache-arrow";
import { HudiError } from "../errors.ts";
import { ARROW } from "./arrow-source.ts";
import {
  type ColumnType,
  createDecimalType,
  createFixedType,
  type Field,
  MAX_TYPE_DEPTH,
  type TableSchema,
  tooDeep,
} from "./schema.ts";

/** A schema of apache-arrow. */
export type ArrowSchema = Schema;

/** Whether a value is a schema of apache-arrow, of whatever copy of the library. */
export function isArrowSchema(value: unknown): value is ArrowSchema {
  const schema = value as Partial<ArrowSchema> | null;
  return (
    typeof schema === "object" &&
    schema !== null &&
    schema.metadata instanceof Map &&
    Array.isArray(schema.fields) &&
    schema.fields.every((field) => typeof field?.type?.typeId === "number")
  );
}

/** The columns of an Arrow schema. Throws `UNSUPPORTED` naming the column of another type. */
export function fromArrowSchema(name: string, schema: ArrowSchema): TableSchema {
  const fields = schema.fields.map((field, id) => fromArrowField(field, field.name, id, 0));
  return { name, fields };
}

function fromArrowField(field: ArrowField, path: string, id: number, depth: number): Field {
  if (depth > MAX_TYPE_DEPTH) throw tooDeep(path);
  const { name, nullable } = field;
  return { id, name, type: fromArrowType(field.type, path, depth + 1), nullable };
}

function fromArrowType(type: DataType, path: string, depth: number): ColumnType {
  switch (type.typeId as number) {
    case ARROW.utf8:
    case ARROW.largeUtf8:
      return { kind: "string" };
    case ARROW.dictionary: {
      const { dictionary } = type as Dictionary;
      if (dictionary.typeId !== ARROW.utf8 && dictionary.typeId !== ARROW.largeUtf8) break;
      return { kind: "string" };
    }
    case ARROW.bool:
      return { kind: "boolean" };
    case ARROW.int: {
      const { isSigned, bitWidth } = type as Int;
      if (!isSigned) break;
      return { kind: bitWidth === 64 ? "long" : "int" };
    }
    case ARROW.float: {
      const { precision } = type as Float;
      if ((precision as number) === 0) break;
      return { kind: (precision as number) === 1 ? "float" : "double" };
    }
    case ARROW.binary:
    case ARROW.largeBinary:
      return { kind: "bytes" };
    case ARROW.fixedSizeBinary:
      return createFixedType(path, (type as FixedSizeBinary).byteWidth);
    case ARROW.date:
      // Milliseconds are what Arrow makes of JavaScript's Date: a moment.
      return { kind: ((type as Date_).unit as number) === 0 ? "date" : "timestamp-millis" };
    case ARROW.time:
      return { kind: ((type as Time).unit as number) < 2 ? "time-millis" : "time-micros" };
    case ARROW.timestamp: {
      const { unit, timezone } = type as Timestamp;
      const kind = (unit as number) < 2 ? "timestamp-millis" : "timestamp-micros";
      return { kind: timezone ? kind : `local-${kind}` };
    }
    case ARROW.decimal: {
      const { precision, scale, bitWidth } = type as Decimal;
      if (bitWidth !== 128) break;
      return createDecimalType(path, precision, scale);
    }
    default:
      return fromNestedType(type, path, depth);
  }
  throw unsupported(type, path);
}

function fromNestedType(type: DataType, path: string, depth: number): ColumnType {
  const children = (type.children ?? []) as readonly ArrowField[];
  const child = (field: ArrowField, name: string, id: number): Field => ({
    ...fromArrowField(field, `${path}.${name}`, id, depth),
    name,
  });
  switch (type.typeId as number) {
    case ARROW.struct:
      if (children.length === 0) break;
      return { kind: "struct", fields: children.map((field, id) => child(field, field.name, id)) };
    case ARROW.list:
      return { kind: "list", element: child(children[0] as ArrowField, "element", 0) };
    case ARROW.map: {
      const [key, value] = ((children[0] as ArrowField).type.children ?? []) as ArrowField[];
      if (!key || !value || fromArrowType(key.type, `${path}.key`, depth).kind !== "string") break;
      return { kind: "map", value: child(value, "value", 1) };
    }
  }
  throw unsupported(type, path);
}

function unsupported(type: DataType, path: string): HudiError {
  return new HudiError(
    "UNSUPPORTED",
    `cannot use Arrow type ${String(type).slice(0, 100)} of column ${path}: expected Utf8, Bool, Int8 to Int64, Float32, Float64, Binary, FixedSizeBinary, Date, Time, Timestamp, Decimal128, Struct, List, or Map of Utf8`,
  );
}
