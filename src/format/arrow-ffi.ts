// Copies a column out of WebAssembly memory, through the structs of the Arrow C data interface, into
// our own layout. Layout of the structs: spec/format/parquet.md, PQ-11.
import { bitmapBytes, type Column, type Validity } from "./column-batch.ts";

/** Single-precision numbers, which no column of ours has: they are widened after decoding. */
export interface Float32Column {
  readonly layout: "float32";
  readonly rowCount: number;
  readonly validity: Validity;
  readonly values: Float32Array;
}

/** What the decoder yields. */
export type ArrowColumn = Column | Float32Column;

/** Offsets within ArrowArray and ArrowSchema where pointers take four bytes. */
const ARRAY = { length: 0, nullCount: 8, offset: 16, buffers: 40, children: 44 } as const;
const SCHEMA = { format: 0, children: 32 } as const;

/**
 * Copies the first child of the struct array at `arrayAddress`. Throws `TypeError` for an array of
 * a type that the decoder is never asked for.
 */
export function copyArrowColumn(
  memory: ArrayBuffer,
  arrayAddress: number,
  schemaAddress: number,
): ArrowColumn {
  const view = new DataView(memory);
  const pointer = (at: number): number => view.getUint32(at, true);
  const array = pointer(pointer(arrayAddress + ARRAY.children));
  const schema = pointer(pointer(schemaAddress + SCHEMA.children));
  const format = readText(memory, pointer(schema + SCHEMA.format));
  const rowCount = Number(view.getBigInt64(array + ARRAY.length, true));
  const offset = Number(view.getBigInt64(array + ARRAY.offset, true));
  const nullCount = Number(view.getBigInt64(array + ARRAY.nullCount, true));
  const buffers = pointer(array + ARRAY.buffers);
  const bitsAt = (index: number): Uint8Array =>
    copyBits(memory, pointer(buffers + index * 4), offset, rowCount);
  const bytesAt = (index: number, width: number): ArrayBuffer => {
    const start = pointer(buffers + index * 4) + offset * width;
    return memory.slice(start, start + rowCount * width);
  };
  const validity = nullCount === 0 || pointer(buffers) === 0 ? undefined : bitsAt(0);

  const [kind, parameter] = format.split(":");
  switch (kind) {
    case "b":
      return { layout: "bits", rowCount, validity, values: bitsAt(1) };
    case "i":
      return { layout: "int32", rowCount, validity, values: new Int32Array(bytesAt(1, 4)) };
    case "l":
      return { layout: "int64", rowCount, validity, values: new BigInt64Array(bytesAt(1, 8)) };
    case "f":
      return { layout: "float32", rowCount, validity, values: new Float32Array(bytesAt(1, 4)) };
    case "g":
      return { layout: "float64", rowCount, validity, values: new Float64Array(bytesAt(1, 8)) };
    case "w": {
      const widthBytes = Number(parameter);
      const data = new Uint8Array(bytesAt(1, widthBytes));
      return { layout: "fixed", rowCount, validity, widthBytes, data };
    }
    case "z": {
      const start = pointer(buffers + 4) + offset * 4;
      const offsets = new Int32Array(memory.slice(start, start + (rowCount + 1) * 4));
      const data = copyData(memory, pointer(buffers + 8), offsets);
      return { layout: "bytes", rowCount, validity, offsets, data };
    }
    default:
      throw new TypeError(`found Arrow format ${format}`);
  }
}

/** Copies the bytes that the offsets span, and makes the offsets begin at 0. */
function copyData(memory: ArrayBuffer, address: number, offsets: Int32Array): Uint8Array {
  const first = offsets[0] as number;
  const last = offsets[offsets.length - 1] as number;
  if (first !== 0) {
    for (let index = 0; index < offsets.length; index += 1) {
      offsets[index] = (offsets[index] as number) - first;
    }
  }
  return new Uint8Array(memory.slice(address + first, address + last));
}

function copyBits(memory: ArrayBuffer, address: number, offset: number, count: number): Uint8Array {
  if ((offset & 7) === 0) {
    const start = address + (offset >> 3);
    return new Uint8Array(memory.slice(start, start + bitmapBytes(count)));
  }
  const source = new Uint8Array(memory, address);
  const result = new Uint8Array(bitmapBytes(count));
  for (let index = 0; index < count; index += 1) {
    const from = offset + index;
    const bit = ((source[from >> 3] as number) >> (from & 7)) & 1;
    result[index >> 3] = (result[index >> 3] as number) | (bit << (index & 7));
  }
  return result;
}

function readText(memory: ArrayBuffer, address: number): string {
  const bytes = new Uint8Array(memory, address);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(bytes.subarray(0, end));
}
