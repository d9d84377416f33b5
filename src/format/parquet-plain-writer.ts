// Writes plain values of rows that are present. Rules: spec/format/parquet.md, PQ-10.
import { isBitSet, isNull } from "./bitmap.ts";
import { ByteWriter } from "./byte-writer.ts";
import {
  type BytesColumn,
  type FlatColumn,
  requireTextBytes,
  type Validity,
} from "./column-batch.ts";
import { KernelWork } from "./kernel.ts";
import { PREFIX_BYTES, type PrefixedColumn } from "./stored-column.ts";
import { endOfWindow, placeRows, WINDOW_EXTRA_BYTES, WINDOW_RANGES } from "./text-window.ts";

/** Appends the values of rows `from` to `to` that are present, in the plain encoding. */
export function writePlain(
  out: ByteWriter,
  column: FlatColumn | PrefixedColumn,
  from: number,
  to: number,
): void {
  const { validity } = column;
  switch (column.layout) {
    case "prefixed":
      out.raw(column.data.subarray(column.offsets[from], column.offsets[to]));
      break;
    case "bits":
      writeFlags(out, column.values, validity, from, to);
      break;
    case "bytes":
      writeTexts(out, column, from, to);
      break;
    case "fixed":
      writeFixed(out, column.data, column.widthBytes, validity, from, to);
      break;
    default: {
      const { buffer, byteOffset, byteLength, BYTES_PER_ELEMENT } = column.values;
      const bytes = new Uint8Array(buffer, byteOffset, byteLength);
      writeFixed(out, bytes, BYTES_PER_ELEMENT, validity, from, to);
    }
  }
}

/** Texts with their lengths before them. */
export function withPrefixes(column: BytesColumn): PrefixedColumn {
  const { rowCount, validity, offsets } = column;
  const starts = new Int32Array(rowCount + 1);
  let total = 0;
  for (let row = 0; row < rowCount; row += 1) {
    const length = (offsets[row + 1] as number) - (offsets[row] as number);
    if (!isNull(validity, row)) total += length + PREFIX_BYTES;
    starts[row + 1] = total;
  }
  requireTextBytes(total);
  const out = new ByteWriter(total);
  writeTexts(out, column, 0, rowCount);
  return { layout: "prefixed", rowCount, validity, offsets: starts, data: out.bytes };
}

/** Flags are packed from bit 0 of a fresh byte on, so a page is written by one call. */
function writeFlags(
  out: ByteWriter,
  values: Uint8Array,
  validity: Validity,
  from: number,
  to: number,
): void {
  let byte = 0;
  let held = 0;
  out.reserve(((to - from) >> 3) + 1);
  for (let row = from; row < to; row += 1) {
    if (isNull(validity, row)) continue;
    if (isBitSet(values, row)) byte |= 1 << held;
    held += 1;
    if (held < 8) continue;
    out.byte(byte);
    byte = 0;
    held = 0;
  }
  if (held > 0) out.byte(byte);
}

function writeFixed(
  out: ByteWriter,
  bytes: Uint8Array,
  width: number,
  validity: Validity,
  from: number,
  to: number,
): void {
  if (!validity) {
    out.raw(bytes.subarray(from * width, to * width));
    return;
  }
  out.reserve((to - from) * width);
  const target = out.bytes;
  let at = out.length;
  for (let row = from; row < to; row += 1) {
    if (isNull(validity, row)) continue;
    const start = row * width;
    for (let index = 0; index < width; index += 1) {
      target[at + index] = bytes[start + index] as number;
    }
    at += width;
  }
  out.length = at;
}

function writeTexts(out: ByteWriter, column: BytesColumn, from: number, to: number): void {
  const { offsets, data, validity } = column;
  let row = from;
  while (row < to) {
    const end = endOfWindow(offsets, row, to);
    if (end === row) {
      if (!isNull(validity, row)) {
        const text = data.subarray(offsets[row], offsets[row + 1]);
        out.uint32(text.length);
        out.raw(text);
      }
      row += 1;
      continue;
    }
    const bytes = (offsets[end] as number) - (offsets[row] as number);
    const most = bytes + (end - row) * PREFIX_BYTES;
    const work = new KernelWork(WINDOW_RANGES + 1, bytes + most + WINDOW_EXTRA_BYTES);
    const placed = placeRows(work, column, row, end);
    const target = work.reserve(most);
    const size = work.run.frameTexts(
      ...[placed.offsets, end - row, placed.data],
      ...[placed.validity, placed.bit, target],
    );
    out.raw(work.view(target, size));
    row = end;
  }
}
