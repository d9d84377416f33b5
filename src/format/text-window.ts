// Rows of texts in the memory of the kernel, as many at a time as are worth carrying there.
import type { Validity } from "./column-batch.ts";
import type { KernelWork } from "./kernel.ts";

/** Texts as batches or plain pages have them: row `i` ends where the next one begins. */
export interface TextRows {
  readonly offsets: Int32Array;
  readonly data: Uint8Array;
  readonly validity: Validity;
}

/** Bytes of text that the kernel works on at a time, and rows. */
export const WINDOW_BYTES: number = 1024 * 1024;
export const WINDOW_ROWS = 32_768;

/** Ranges that `placeRows` and `placeValidity` make, and bytes of them besides those of the texts. */
export const WINDOW_RANGES = 3;
export const WINDOW_EXTRA_BYTES: number = (WINDOW_ROWS + 1) * 4 + WINDOW_ROWS / 8 + 1;

/** The row up to which the kernel takes rows from `from` on; `from` itself when one text is too large. */
export function endOfWindow(offsets: Int32Array, from: number, to: number): number {
  let end = Math.min(to, from + WINDOW_ROWS);
  const start = offsets[from] as number;
  while (end > from && (offsets[end] as number) - start > WINDOW_BYTES) {
    end = from + ((end - from) >> 1);
  }
  return end;
}

/** Where the kernel finds rows: text `i` begins at `data + offsets[i]`. */
export interface PlacedRows {
  readonly offsets: number;
  readonly data: number;
  readonly validity: number;
  /** The bit of the first row. */
  readonly bit: number;
}

/** Copies rows `from` to `to` into the memory of the kernel. */
export function placeRows(work: KernelWork, rows: TextRows, from: number, to: number): PlacedRows {
  const { offsets, data, validity } = rows;
  const start = offsets[from] as number;
  return {
    offsets: work.placeNumbers(offsets.subarray(from, to + 1)),
    data: work.place(data.subarray(start, offsets[to])) - start,
    ...placeValidity(work, validity, from, to),
  };
}

/** Copies the bits of rows `from` to `to`; address 0 stands for a bitmap that is not there. */
export function placeValidity(
  work: KernelWork,
  validity: Validity,
  from: number,
  to: number,
): Pick<PlacedRows, "validity" | "bit"> {
  if (!validity) return { validity: 0, bit: 0 };
  return { validity: work.place(validity.subarray(from >> 3, (to + 7) >> 3)), bit: from & 7 };
}
