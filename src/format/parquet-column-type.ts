// How logical types stand in a Parquet schema, in both directions. Rules: spec/format/parquet.md, PQ-5.
import { CONVERTED, formatPhysicalType, LOGICAL, PHYSICAL, REPETITION } from "./parquet-codes.ts";
import type { LogicalAnnotation, SchemaElement } from "./parquet-footer.ts";
import {
  type ColumnType,
  decimalWidthBytes,
  type Field,
  MAX_FIXED_LENGTH,
  type TableSchema,
} from "./schema.ts";

/** The schema node that a column is written as. */
export function encodeFieldElement(field: Field): SchemaElement {
  const repetition = field.nullable ? REPETITION.optional : REPETITION.required;
  return { name: field.name, repetition, ...elementOfType(field.type) };
}

function elementOfType(type: ColumnType): Omit<SchemaElement, "name"> {
  switch (type.kind) {
    case "string":
      return {
        physicalType: PHYSICAL.byteArray,
        convertedType: CONVERTED.utf8,
        logical: { member: LOGICAL.string },
      };
    case "boolean":
      return { physicalType: PHYSICAL.boolean };
    case "int":
    case "time-millis":
      // A time is a plain number: Spark reads no file with a column annotated as one.
      return { physicalType: PHYSICAL.int32 };
    case "long":
    case "time-micros":
      return { physicalType: PHYSICAL.int64 };
    case "float":
      return { physicalType: PHYSICAL.float };
    case "double":
      return { physicalType: PHYSICAL.double };
    case "bytes":
      return { physicalType: PHYSICAL.byteArray };
    case "date":
      return {
        physicalType: PHYSICAL.int32,
        convertedType: CONVERTED.date,
        logical: { member: LOGICAL.date },
      };
    case "timestamp-millis":
      return {
        physicalType: PHYSICAL.int64,
        convertedType: CONVERTED.timestampMillis,
        logical: { member: LOGICAL.timestamp, isAdjustedToUtc: true, unit: "millis" },
      };
    case "timestamp-micros":
      return {
        physicalType: PHYSICAL.int64,
        convertedType: CONVERTED.timestampMicros,
        logical: { member: LOGICAL.timestamp, isAdjustedToUtc: true, unit: "micros" },
      };
    case "local-timestamp-millis":
    case "local-timestamp-micros": {
      const unit = type.kind === "local-timestamp-millis" ? "millis" : "micros";
      return {
        physicalType: PHYSICAL.int64,
        logical: { member: LOGICAL.timestamp, isAdjustedToUtc: false, unit },
      };
    }
    case "fixed":
      return { physicalType: PHYSICAL.fixed, typeLength: type.length };
    case "enum":
      return {
        physicalType: PHYSICAL.byteArray,
        convertedType: CONVERTED.enum,
        logical: { member: LOGICAL.enum },
      };
    case "struct":
    case "list":
    case "map":
      throw new TypeError(`a ${type.kind} is no leaf`);
    case "decimal": {
      const { precision, scale } = type;
      return {
        physicalType: PHYSICAL.fixed,
        typeLength: decimalWidthBytes(precision),
        convertedType: CONVERTED.decimal,
        precision,
        scale,
        logical: { member: LOGICAL.decimal, precision, scale },
      };
    }
  }
}

/** The root of a schema of that many columns. */
export function encodeRootElement(schema: TableSchema): SchemaElement {
  return { name: schema.name, childCount: schema.fields.length };
}

/** The logical type that values of this node have, or undefined if it is none of ours. */
export function findColumnType(element: SchemaElement): ColumnType | undefined {
  if (element.repetition === REPETITION.repeated) return undefined;
  const annotation = findAnnotation(element);
  const isPlain = annotation === undefined;
  switch (element.physicalType) {
    case PHYSICAL.boolean:
      return isPlain ? { kind: "boolean" } : undefined;
    case PHYSICAL.int32:
      if (annotation === "decimal") return decimalType(element);
      if (annotation === "date") return { kind: "date" };
      if (annotation === "time" && storedUnit(element) === "millis") return { kind: "time-millis" };
      return isPlain || annotation === "integer" ? { kind: "int" } : undefined;
    case PHYSICAL.int64:
      if (annotation === "decimal") return decimalType(element);
      if (annotation === "time" && storedUnit(element) === "micros") return { kind: "time-micros" };
      if (annotation === "timestamp" || annotation === "local timestamp") {
        const unit = storedUnit(element) === "millis" ? "millis" : "micros";
        return {
          kind: annotation === "timestamp" ? `timestamp-${unit}` : `local-timestamp-${unit}`,
        };
      }
      return isPlain || annotation === "integer" ? { kind: "long" } : undefined;
    case PHYSICAL.int96:
      return { kind: "timestamp-micros" };
    case PHYSICAL.float:
      return isPlain ? { kind: "float" } : undefined;
    case PHYSICAL.double:
      return isPlain ? { kind: "double" } : undefined;
    case PHYSICAL.byteArray:
      if (annotation === "decimal") return decimalType(element);
      if (isPlain) return { kind: "bytes" };
      return annotation === "string" ? { kind: "string" } : undefined;
    case PHYSICAL.fixed:
      if (annotation === "decimal") return decimalType(element);
      return isPlain ? fixedType(element) : undefined;
    default:
      return undefined;
  }
}

type Annotation =
  | "string"
  | "decimal"
  | "date"
  | "time"
  | "timestamp"
  | "local timestamp"
  | "integer"
  | "other";

function findAnnotation(element: SchemaElement): Annotation | undefined {
  if (element.logical) return logicalAnnotation(element.logical);
  switch (element.convertedType) {
    case undefined:
      return undefined;
    case CONVERTED.utf8:
    case CONVERTED.enum:
    case CONVERTED.json:
      return "string";
    case CONVERTED.decimal:
      return "decimal";
    case CONVERTED.date:
      return "date";
    case CONVERTED.timeMillis:
    case CONVERTED.timeMicros:
      return "time";
    case CONVERTED.timestampMillis:
    case CONVERTED.timestampMicros:
      return "timestamp";
    case CONVERTED.int8:
    case CONVERTED.int16:
    case CONVERTED.int32:
    case CONVERTED.int64:
      return "integer";
    default:
      return "other";
  }
}

function logicalAnnotation(logical: LogicalAnnotation): Annotation {
  switch (logical.member) {
    case LOGICAL.string:
    case LOGICAL.enum:
    case LOGICAL.json:
      return "string";
    case LOGICAL.decimal:
      return "decimal";
    case LOGICAL.date:
      return "date";
    case LOGICAL.time:
      return "time";
    case LOGICAL.timestamp:
      // A local time is another type: it names no moment.
      return logical.isAdjustedToUtc ? "timestamp" : "local timestamp";
    case LOGICAL.integer:
      return logical.isSigned ? "integer" : "other";
    default:
      return "other";
  }
}

function decimalType(element: SchemaElement): ColumnType | undefined {
  const precision = element.logical?.precision ?? element.precision ?? 0;
  const scale = element.logical?.scale ?? element.scale ?? 0;
  if (precision < 1 || precision > 38 || scale < 0 || scale > precision) return undefined;
  return { kind: "decimal", precision, scale };
}

function fixedType({ typeLength = 0 }: SchemaElement): ColumnType | undefined {
  const isHeld = typeLength >= 1 && typeLength <= MAX_FIXED_LENGTH;
  return isHeld ? { kind: "fixed", length: typeLength } : undefined;
}

/** What the numbers of a time or timestamp count. */
export type TimeUnit = "millis" | "micros" | "nanos";

/** What the stored numbers of a time or timestamp count. */
export function storedUnit({ logical, convertedType }: SchemaElement): TimeUnit {
  if (logical?.unit) return logical.unit;
  const isMillis =
    convertedType === CONVERTED.timestampMillis || convertedType === CONVERTED.timeMillis;
  return isMillis ? "millis" : "micros";
}

/** What a column of a file is, for messages. */
export function formatElement(element: SchemaElement): string {
  if (element.physicalType === undefined) return "a group of columns";
  const name = formatPhysicalType(element.physicalType);
  if (element.repetition === REPETITION.repeated) return `repeated ${name}`;
  const annotation = findAnnotation(element);
  return annotation === undefined ? name : `${name} (${annotation})`;
}
