// Writes the hybrid encoding of Parquet, runs and bit-packed groups: levels and dictionary indexes.
// Rules: spec/format/parquet.md, PQ-12.
import { sliceBits } from "./bitmap.ts";
import type { ByteWriter } from "./byte-writer.ts";

/** Values of one packed stretch, at most: its header is one byte then, as parquet-mr expects. */
const MAX_GROUPS = 63;
/** Equal values that are worth a run. */
const RUN_VALUES = 8;

/** Encodes numbers of `width` bits, 0 to 24. */
export function writeHybrid(
  out: ByteWriter,
  values: Int32Array | Uint8Array,
  from: number,
  to: number,
  width: number,
): void {
  let at = from;
  while (at < to) {
    const run = runLength(values, at, to);
    if (run >= RUN_VALUES) {
      writeRun(out, values[at] as number, run, width);
      at += run;
    } else {
      at = writePacked(out, values, at, to, width);
    }
  }
}

function runLength(values: Int32Array | Uint8Array, at: number, to: number): number {
  const value = values[at];
  let end = at + 1;
  while (end < to && values[end] === value) end += 1;
  return end - at;
}

function writeRun(out: ByteWriter, value: number, count: number, width: number): void {
  out.varint(count * 2);
  for (let bits = 0; bits < width; bits += 8) out.byte((value >>> bits) & 0xff);
}

/** Packs groups of eight up to where a run begins; returns where. */
function writePacked(
  out: ByteWriter,
  values: Int32Array | Uint8Array,
  from: number,
  to: number,
  width: number,
): number {
  out.reserve(1 + MAX_GROUPS * width);
  const { bytes } = out;
  const header = out.length;
  let target = header + 1;
  let groups = 0;
  let at = from;
  while (at < to && groups < MAX_GROUPS) {
    let window = 0;
    let held = 0;
    for (let index = at; index < at + 8; index += 1) {
      window |= (index < to ? (values[index] as number) : 0) << held;
      held += width;
      while (held >= 8) {
        bytes[target] = window;
        target += 1;
        window >>>= 8;
        held -= 8;
      }
    }
    at += 8;
    groups += 1;
    // Looked at only where a group ends: a run may begin there.
    if (
      at + RUN_VALUES <= to &&
      values[at] === values[at + 1] &&
      runLength(values, at, at + RUN_VALUES) === RUN_VALUES
    ) {
      break;
    }
  }
  bytes[header] = (groups << 1) | 1;
  out.length = target;
  return Math.min(at, to);
}

/** Equal bytes of a bitmap that are worth a run. */
const RUN_BYTES = 8;

/** Encodes bits `from` to `to` of a bitmap as numbers of one bit. */
export function writeBitmap(out: ByteWriter, bitmap: Uint8Array, from: number, to: number): void {
  const count = to - from;
  const packed = sliceBits(bitmap, from, count);
  const whole = count >> 3;
  let at = 0;
  while (at < whole) {
    const run = byteRun(packed, at, whole);
    if (run >= RUN_BYTES) {
      writeRun(out, (packed[at] as number) & 1, run * 8, 1);
      at += run;
      continue;
    }
    const start = at;
    at += Math.max(1, run);
    while (
      at < whole &&
      at - start < MAX_GROUPS &&
      byteRun(packed, at, Math.min(whole, at + RUN_BYTES)) < RUN_BYTES
    ) {
      at += 1;
    }
    out.byte(((at - start) << 1) | 1);
    out.raw(packed.subarray(start, at));
  }
  if ((count & 7) !== 0) {
    out.byte(3);
    out.byte(packed[whole] as number);
  }
}

/** How many bytes from `at` on are all zeros or all ones, the same. */
function byteRun(bytes: Uint8Array, at: number, end: number): number {
  const value = bytes[at];
  if (value !== 0 && value !== 0xff) return 0;
  let next = at + 1;
  while (next < end && bytes[next] === value) next += 1;
  return next - at;
}

/** Encodes `count` times the same number of one bit. */
export function writeBitRun(out: ByteWriter, value: 0 | 1, count: number): void {
  writeRun(out, value, count, 1);
}
