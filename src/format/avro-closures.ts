// What Avro values are in JavaScript, and for each kind of type the pair of closures that decodes and
// encodes them. Rules: spec/format/avro.md.
import { HudiError } from "../errors.ts";
import type { AvroReader, AvroWriter } from "./avro-binary.ts";

/** A record: an object without prototype that has the fields of the writer's schema, no others. */
export interface AvroRecord {
  [field: string]: AvroValue;
}

/** The value of a union of several types, with the full name of the one it has. */
export interface AvroBranch {
  readonly branch: string;
  readonly value: AvroValue;
}

/**
 * What a schema's values are in JavaScript. A `long` is a number where that is exact, else a bigint;
 * a union of null and one type is the value itself, any other union is null or an `AvroBranch`;
 * `bytes` and `fixed` are views of the input.
 */
export type AvroValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly AvroValue[]
  | ReadonlyMap<string, AvroValue>
  | AvroRecord
  | AvroBranch;

/** Decodes and encodes the values of one schema. */
export interface AvroCodec {
  /** Full name of a named type, else the name of the type, for example `map`. */
  readonly name: string;
  decode(reader: AvroReader): AvroValue;
  /** Throws `INVALID` naming the place in the schema when the value is none of it. */
  encode(writer: AvroWriter, value: AvroValue | undefined): void;
}

type Place = string;
type Encodable = AvroValue | undefined;

/** The codec of a primitive type, or undefined when the name is none of them. */
export function createPrimitiveCodec(name: string, place: Place): AvroCodec | undefined {
  switch (name) {
    case "boolean":
      return {
        name,
        decode: (reader) => reader.readBoolean(),
        encode: (writer, value) =>
          typeof value === "boolean" ? writer.writeBoolean(value) : refuse(place, name, value),
      };
    case "int":
      return {
        name,
        decode: (reader) => reader.readInt(),
        encode: (writer, value) =>
          typeof value === "number" && value === (value | 0)
            ? writer.writeLong(value)
            : refuse(place, name, value),
      };
    case "long":
      return {
        name,
        decode: (reader) => reader.readLong(),
        encode: (writer, value) =>
          isLong(value) ? writer.writeLong(value) : refuse(place, name, value),
      };
    case "float":
    case "double":
      return createRealCodec(name, place);
    case "bytes":
      return {
        name,
        decode: (reader) => reader.readBytes(),
        encode: (writer, value) =>
          value instanceof Uint8Array ? writer.writeBytes(value) : refuse(place, name, value),
      };
    case "string":
      return {
        name,
        decode: (reader) => reader.readText(),
        encode: (writer, value) =>
          typeof value === "string" ? writer.writeText(value) : refuse(place, name, value),
      };
    default:
      return undefined;
  }
}

function isLong(value: Encodable): value is number | bigint {
  return typeof value === "bigint"
    ? BigInt.asIntN(64, value) === value
    : Number.isSafeInteger(value);
}

function createRealCodec(name: "float" | "double", place: Place): AvroCodec {
  const isFloat = name === "float";
  return {
    name,
    decode: (reader) => (isFloat ? reader.readFloat() : reader.readDouble()),
    encode: (writer, value) => {
      if (typeof value !== "number") refuse(place, name, value);
      else if (isFloat) writer.writeFloat(value);
      else writer.writeDouble(value);
    },
  };
}

/** A union of null and one type, or of one type alone: the value itself. */
export function createOptionCodec(
  branches: ReadonlyArray<AvroCodec | undefined>,
  nullIndex: number,
  place: Place,
): AvroCodec {
  const presentIndex = branches.findIndex((branch) => branch !== undefined);
  const present = branches[presentIndex] as AvroCodec;
  return {
    name: "union",
    decode: (reader) => {
      const index = readBranchIndex(reader, branches.length);
      return index === presentIndex ? present.decode(reader) : null;
    },
    encode: (writer, value) => {
      if (value !== null && value !== undefined) {
        writer.writeLong(presentIndex);
        present.encode(writer, value);
      } else if (nullIndex >= 0) writer.writeLong(nullIndex);
      else refuse(place, present.name, value);
    },
  };
}

/** A union of several types: null, or the value beside the name of its type. */
export function createBranchCodec(
  branches: ReadonlyArray<AvroCodec | undefined>,
  nullIndex: number,
  place: Place,
): AvroCodec {
  const names = branches.map((branch) => branch?.name);
  return {
    name: "union",
    decode: (reader) => {
      const branch = branches[readBranchIndex(reader, branches.length)];
      return branch ? { branch: branch.name, value: branch.decode(reader) } : null;
    },
    encode: (writer, value) => {
      if ((value === null || value === undefined) && nullIndex >= 0) {
        writer.writeLong(nullIndex);
        return;
      }
      const given = value as Partial<AvroBranch> | null | undefined;
      const index = given?.branch === undefined ? -1 : names.indexOf(given.branch);
      if (index < 0) refuse(place, `a branch of ${names.join(", ")}`, value);
      writer.writeLong(index);
      branches[index]?.encode(writer, given?.value);
    },
  };
}

function readBranchIndex(reader: AvroReader, branchCount: number): number {
  const index = reader.readLong();
  if (typeof index !== "number" || index < 0 || index >= branchCount) {
    throw reader.corrupt(`found branch ${index} of a union of ${branchCount}`);
  }
  return index;
}

/** A record whose fields may still be added to `fields`, so that it can hold itself. */
export function createRecordCodec(
  name: string,
  fields: ReadonlyArray<{ readonly name: string; readonly codec: AvroCodec }>,
): AvroCodec {
  return {
    name,
    decode: (reader) => {
      reader.enter();
      const record: AvroRecord = Object.create(null);
      for (const field of fields) record[field.name] = field.codec.decode(reader);
      reader.leave();
      return record;
    },
    encode: (writer, value) => {
      if (!isPlainRecord(value)) refuse(name, "a record", value);
      for (const field of fields) {
        const given = Object.hasOwn(value, field.name) ? value[field.name] : undefined;
        field.codec.encode(writer, given);
      }
    },
  };
}

function isPlainRecord(value: Encodable): value is AvroRecord {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Uint8Array)
  );
}

/** An array. */
export function createArrayCodec(items: AvroCodec, place: Place): AvroCodec {
  return {
    name: "array",
    decode: (reader) => {
      reader.enter();
      const values: AvroValue[] = [];
      for (let count = reader.readBlockCount(); count > 0; count = reader.readBlockCount()) {
        for (let item = 0; item < count; item += 1) values.push(items.decode(reader));
      }
      reader.leave();
      return values;
    },
    encode: (writer, value) => {
      if (!Array.isArray(value)) refuse(place, "an array", value);
      if (value.length > 0) writer.writeLong(value.length);
      for (const item of value) items.encode(writer, item);
      writer.writeLong(0);
    },
  };
}

/** A map, in the order of the file; of a key that stands twice the last value holds. */
export function createMapCodec(values: AvroCodec, place: Place): AvroCodec {
  return {
    name: "map",
    decode: (reader) => {
      reader.enter();
      const entries = new Map<string, AvroValue>();
      for (let count = reader.readBlockCount(); count > 0; count = reader.readBlockCount()) {
        for (let item = 0; item < count; item += 1) {
          entries.set(reader.readText(), values.decode(reader));
        }
      }
      reader.leave();
      return entries;
    },
    encode: (writer, value) => {
      if (!(value instanceof Map)) refuse(place, "a Map", value);
      if (value.size > 0) writer.writeLong(value.size);
      for (const [key, item] of value) {
        if (typeof key !== "string") refuse(place, "keys of text", key);
        writer.writeText(key);
        values.encode(writer, item);
      }
      writer.writeLong(0);
    },
  };
}

/** An enum: its symbol as text. */
export function createEnumCodec(name: string, symbols: readonly string[], place: Place): AvroCodec {
  return {
    name,
    decode: (reader) => {
      const index = reader.readLong();
      const symbol = symbols[Number(index)];
      if (symbol === undefined) {
        throw reader.corrupt(`found symbol ${index} of ${name}, which has ${symbols.length}`);
      }
      return symbol;
    },
    encode: (writer, value) => {
      const index = symbols.indexOf(value as string);
      if (index < 0) refuse(place, `a symbol of ${name}`, value);
      writer.writeLong(index);
    },
  };
}

/** A number of bytes that the schema names. */
export function createFixedCodec(name: string, sizeBytes: number, place: Place): AvroCodec {
  return {
    name,
    decode: (reader) => reader.take(sizeBytes),
    encode: (writer, value) => {
      if (!(value instanceof Uint8Array) || value.length !== sizeBytes) {
        refuse(place, `${sizeBytes} bytes`, value);
      }
      writer.append(value);
    },
  };
}

function refuse(place: Place, expected: string, value: unknown): never {
  const found = value === null ? "null" : Array.isArray(value) ? "array" : typeof value;
  throw new HudiError("INVALID", `cannot encode ${place}: found ${found}, expected ${expected}`);
}
