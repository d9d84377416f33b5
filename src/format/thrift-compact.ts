// The Thrift compact protocol, as far as Parquet uses it: structs, lists, integers, booleans,
// binaries. Nothing is allocated by a declared length that the bytes do not back.
// Rules: spec/format/parquet.md, PQ-2.
import { ByteWriter } from "./byte-writer.ts";

/** The type codes of the compact protocol. */
export const THRIFT = {
  true: 1,
  false: 2,
  i8: 3,
  i16: 4,
  i32: 5,
  i64: 6,
  double: 7,
  binary: 8,
  list: 9,
  set: 10,
  struct: 12,
} as const;

/** A decoded value. Integers beyond 2^52 lose precision: no size of a file is so large. */
export type ThriftValue = boolean | number | Uint8Array | readonly ThriftValue[] | ThriftStruct;

/** Bytes that are not Thrift. The caller knows which file they are from, and says so. */
export class ThriftError extends Error {
  override readonly name: string = "ThriftError";
}

/** Values deeper than this are refused: Parquet nests six levels. */
const MAX_DEPTH = 24;

/** A decoded struct. The accessors return undefined for a field that is absent or of another type. */
export class ThriftStruct {
  readonly #fields: ReadonlyMap<number, ThriftValue>;

  constructor(fields: ReadonlyMap<number, ThriftValue>) {
    this.#fields = fields;
  }

  integer(id: number): number | undefined {
    const value = this.#fields.get(id);
    return typeof value === "number" ? value : undefined;
  }

  flag(id: number): boolean | undefined {
    const value = this.#fields.get(id);
    return typeof value === "boolean" ? value : undefined;
  }

  /** A view of the decoded bytes. */
  bytes(id: number): Uint8Array | undefined {
    const value = this.#fields.get(id);
    return value instanceof Uint8Array ? value : undefined;
  }

  text(id: number): string | undefined {
    const value = this.bytes(id);
    return value && decoder.decode(value);
  }

  list(id: number): readonly ThriftValue[] | undefined {
    const value = this.#fields.get(id);
    return Array.isArray(value) ? value : undefined;
  }

  /** The structs of a list; an element of another type throws `ThriftError`. */
  structs(id: number): readonly ThriftStruct[] | undefined {
    return this.list(id)?.map((value) => {
      if (value instanceof ThriftStruct) return value;
      throw new ThriftError(`field ${id} is no list of structs`);
    });
  }

  struct(id: number): ThriftStruct | undefined {
    const value = this.#fields.get(id);
    return value instanceof ThriftStruct ? value : undefined;
  }

  has(id: number): boolean {
    return this.#fields.has(id);
  }
}

const decoder = new TextDecoder();

/** Decodes the struct that begins at `offset`. Throws `ThriftError` when the bytes hold none. */
export function decodeThriftStruct(
  bytes: Uint8Array,
  offset = 0,
): { readonly struct: ThriftStruct; readonly end: number } {
  const reader = new ThriftReader(bytes, offset);
  const struct = reader.struct(0);
  return { struct, end: reader.offset };
}

class ThriftReader {
  readonly #bytes: Uint8Array;
  offset: number;

  constructor(bytes: Uint8Array, offset: number) {
    this.#bytes = bytes;
    this.offset = offset;
  }

  struct(depth: number): ThriftStruct {
    if (depth > MAX_DEPTH) throw new ThriftError("values are nested too deeply");
    const fields = new Map<number, ThriftValue>();
    let id = 0;
    for (;;) {
      const header = this.#byte();
      const type = header & 0x0f;
      if (type === 0) return new ThriftStruct(fields);
      const step = header >> 4;
      id = step === 0 ? this.#integer() : id + step;
      fields.set(id, this.#value(type, depth));
    }
  }

  #value(type: number, depth: number): ThriftValue {
    switch (type) {
      case THRIFT.true:
        return true;
      case THRIFT.false:
        return false;
      case THRIFT.i8:
        return (this.#byte() << 24) >> 24;
      case THRIFT.i16:
      case THRIFT.i32:
      case THRIFT.i64:
        return this.#integer();
      case THRIFT.double: {
        const at = this.#take(8);
        return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at).getFloat64(0, true);
      }
      case THRIFT.binary: {
        const length = this.#unsigned();
        const at = this.#take(length);
        return this.#bytes.subarray(at, at + length);
      }
      case THRIFT.list:
      case THRIFT.set:
        return this.#list(depth);
      case THRIFT.struct:
        return this.struct(depth + 1);
      default:
        throw new ThriftError(`found value type ${type} at byte ${this.offset}`);
    }
  }

  #list(depth: number): ThriftValue[] {
    if (depth > MAX_DEPTH) throw new ThriftError("values are nested too deeply");
    const header = this.#byte();
    const type = header & 0x0f;
    const size = header >> 4 === 15 ? this.#unsigned() : header >> 4;
    // Each element takes a byte at least, so a size beyond the bytes left is a lie.
    if (size > this.#bytes.length - this.offset) {
      throw new ThriftError(`a list of ${size} values goes past the end`);
    }
    const values: ThriftValue[] = [];
    for (let index = 0; index < size; index += 1) {
      const isFlag = type === THRIFT.true || type === THRIFT.false;
      values.push(isFlag ? this.#byte() === 1 : this.#value(type, depth + 1));
    }
    return values;
  }

  #byte(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  #take(length: number): number {
    const at = this.offset;
    if (length > this.#bytes.length - at) throw new ThriftError("the bytes end inside a value");
    this.offset = at + length;
    return at;
  }

  #unsigned(): number {
    let result = 0;
    let scale = 1;
    for (let index = 0; index < 10; index += 1) {
      const byte = this.#byte();
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
      scale *= 128;
    }
    throw new ThriftError(`an integer before byte ${this.offset} is too long`);
  }

  #integer(): number {
    const value = this.#unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }
}

/** Builds the bytes of one struct. Fields are added in rising order of their ids. */
export class ThriftBuilder {
  readonly #out: ByteWriter = new ByteWriter(64);
  #lastId = 0;

  /** Adds a field; a value of undefined adds nothing. */
  i32(id: number, value: number | undefined): this {
    return value === undefined ? this : this.#field(id, THRIFT.i32).#integer(value);
  }

  i16(id: number, value: number | undefined): this {
    return value === undefined ? this : this.#field(id, THRIFT.i16).#integer(value);
  }

  i64(id: number, value: number | undefined): this {
    return value === undefined ? this : this.#field(id, THRIFT.i64).#integer(value);
  }

  flag(id: number, value: boolean | undefined): this {
    return value === undefined ? this : this.#field(id, value ? THRIFT.true : THRIFT.false);
  }

  binary(id: number, value: Uint8Array | string | undefined): this {
    return value === undefined ? this : this.#field(id, THRIFT.binary).#binary(value);
  }

  struct(id: number, value: ThriftBuilder | undefined): this {
    return value === undefined ? this : this.#field(id, THRIFT.struct).#raw(value.finish());
  }

  structs(id: number, values: readonly ThriftBuilder[] | undefined): this {
    if (values === undefined) return this;
    this.#field(id, THRIFT.list).#listHeader(THRIFT.struct, values.length);
    for (const value of values) this.#raw(value.finish());
    return this;
  }

  i32s(id: number, values: readonly number[]): this {
    this.#field(id, THRIFT.list).#listHeader(THRIFT.i32, values.length);
    for (const value of values) this.#integer(value);
    return this;
  }

  i64s(id: number, values: readonly number[]): this {
    this.#field(id, THRIFT.list).#listHeader(THRIFT.i64, values.length);
    for (const value of values) this.#integer(value);
    return this;
  }

  flags(id: number, values: readonly boolean[]): this {
    this.#field(id, THRIFT.list).#listHeader(THRIFT.true, values.length);
    for (const value of values) this.#byte(value ? THRIFT.true : THRIFT.false);
    return this;
  }

  binaries(id: number, values: readonly Uint8Array[]): this {
    this.#field(id, THRIFT.list).#listHeader(THRIFT.binary, values.length);
    for (const value of values) this.#binary(value);
    return this;
  }

  texts(id: number, values: readonly string[]): this {
    this.#field(id, THRIFT.list).#listHeader(THRIFT.binary, values.length);
    for (const value of values) this.#binary(value);
    return this;
  }

  /** The bytes of the struct, its end mark included. The builder may go on growing. */
  finish(): Uint8Array {
    const result = new Uint8Array(this.#out.length + 1);
    result.set(this.#out.view());
    return result;
  }

  #field(id: number, type: number): this {
    const step = id - this.#lastId;
    this.#lastId = id;
    if (step > 0 && step < 16) return this.#byte((step << 4) | type);
    return this.#byte(type).#integer(id);
  }

  #listHeader(type: number, size: number): this {
    if (size < 15) return this.#byte((size << 4) | type);
    return this.#byte(0xf0 | type).#unsigned(size);
  }

  #binary(value: Uint8Array | string): this {
    const bytes = typeof value === "string" ? encoder.encode(value) : value;
    return this.#unsigned(bytes.length).#raw(bytes);
  }

  #integer(value: number): this {
    return this.#unsigned(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  #unsigned(value: number): this {
    this.#out.varint(value);
    return this;
  }

  #byte(value: number): this {
    this.#out.byte(value);
    return this;
  }

  #raw(bytes: Uint8Array): this {
    this.#out.raw(bytes);
    return this;
  }
}

const encoder = new TextEncoder();
